-- Copyright 2026 The discountd Authors
-- SPDX-License-Identifier: Apache-2.0

-- promotion_activate is step 3 of claiming a code: PENDING becomes ACTIVE, if it
-- still has the token that holds the claim and can still be redeemed: it may have
-- been used up since step 1, and what gave way to it for that very reason would be
-- followed by one that is no better. Anyone who meets such a claim may do it; only
-- the one who was asked for it remembers the request, and does nothing when that id
-- belongs to another command.
-- USES     coupon promotion request
-- KEYS     head promotions requests
-- ARGV     field token now_ms request fingerprint code
-- OUTCOMES ok unfit moved reused
local head, promotions, requests = KEYS[1], KEYS[2], KEYS[3]
local field, token, now = ARGV[1], ARGV[2], ARGV[3]
local request, fingerprint, code = ARGV[4], ARGV[5], ARGV[6]

local p = promotion_read(promotions, field)
if not p or p.token ~= token or not promotion_alive(p) then
  return { 'moved' }
end
local seen = request_seen(requests, request, fingerprint)
if seen and seen[1] == 'reused' then
  return { 'reused' }
end

if p.state == 'P' then
  if not (coupon_fit(head, now) and promotion_fit(p, now)) then
    return { 'unfit' }
  end
  p.state = 'A'
  promotion_write(promotions, field, p)
end
request_remember(requests, request, fingerprint, code)
return { 'ok' }
