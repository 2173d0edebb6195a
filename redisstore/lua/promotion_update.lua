-- Copyright 2026 The discountd Authors
-- SPDX-License-Identifier: Apache-2.0

-- promotion_update writes the configuration of a promotion code if its version is
-- still the one the writer has read. State, token and counters stay.
-- USES     promotion request
-- KEYS     promotions requests
-- ARGV     field version definition max_redemptions max_redemptions_per_customer request fingerprint code
-- OUTCOMES ok stale replay reused
local promotions, requests = KEYS[1], KEYS[2]
local field, version, definition, max, max_customer = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local request, fingerprint, code = ARGV[6], ARGV[7], ARGV[8]

local p, terms = promotion_read(promotions, field), ';' .. definition
if p and tonumber(p.version) == version + 1 and p.terms == terms then
  return { 'ok' } -- this very write, sent twice
end
local seen = request_seen(requests, request, fingerprint)
if seen then
  return seen
end
if not p or p.version ~= version then
  return { 'stale' }
end

p.max, p.max_customer, p.terms = max, max_customer, terms
promotion_write(promotions, field, p)
request_remember(requests, request, fingerprint, code)
return { 'ok' }
