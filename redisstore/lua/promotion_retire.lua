-- Copyright 2026 The discountd Authors
-- SPDX-License-Identifier: Apache-2.0

-- promotion_retire takes a promotion code out of use: it becomes INACTIVE or
-- DELETED with a fresh token, if its state and token are still those that were
-- read. A creation that is taken back forgets its request, so that a retry tries
-- again.
-- USES     promotion request
-- KEYS     promotions requests
-- ARGV     field read_state read_token state token request fingerprint code forget
-- OUTCOMES ok moved replay reused
local promotions, requests = KEYS[1], KEYS[2]
local field, read_state, read_token, state, token = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local request, fingerprint, code, forget = ARGV[6], ARGV[7], ARGV[8], ARGV[9]

local p = promotion_read(promotions, field)
if p and p.state == state and p.token == token then
  return { 'ok' } -- this very write, sent twice
end
local seen = forget == '' and request_seen(requests, request, fingerprint)
if seen then
  return seen
end
if not p or p.state ~= read_state or p.token ~= read_token or p.state == 'S' or p.state == 'D' then
  return { 'moved' }
end

p.state, p.token = state, token
promotion_write(promotions, field, p)
if forget == '' then
  request_remember(requests, request, fingerprint, code)
elseif request ~= '' then
  redis.call('HDEL', requests, request)
end
return { 'ok' }
