-- Copyright 2026 The discountd Authors
-- SPDX-License-Identifier: Apache-2.0

-- promotion_activate is step 3 of claiming a code: PENDING becomes ACTIVE, if it
-- still has the token that holds the claim. Anyone who meets such a claim may do
-- it; only the one who was asked for it remembers the request, and does nothing
-- when that id belongs to another command.
-- USES     promotion request
-- KEYS     promotions requests
-- ARGV     field token request fingerprint code
-- OUTCOMES ok moved reused
local promotions, requests = KEYS[1], KEYS[2]
local field, token, request, fingerprint, code = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]

local p = promotion_read(promotions, field)
if not p or p.token ~= token or not promotion_alive(p) then
  return { 'moved' }
end
local seen = request_seen(requests, request, fingerprint)
if seen and seen[1] == 'reused' then
  return { 'reused' }
end

if p.state == 'P' then
  p.state = 'A'
  promotion_write(promotions, field, p)
end
request_remember(requests, request, fingerprint, code)
return { 'ok' }
