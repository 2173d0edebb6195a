-- Copyright 2026 The discountd Authors
-- SPDX-License-Identifier: Apache-2.0

-- promotion_pend is step 1 of claiming a code for an inactive promotion code: it
-- becomes PENDING with a fresh token, if it is still INACTIVE with the token that
-- was read, and can still be redeemed.
-- USES     coupon promotion
-- KEYS     head promotions
-- ARGV     field read_token token now_ms
-- OUTCOMES ok unfit moved
local head, promotions = KEYS[1], KEYS[2]
local field, read_token, token, now = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

local p = promotion_read(promotions, field)
if p and p.token == token and promotion_alive(p) then
  return { 'ok' } -- this very write, sent twice
end
if not p or p.state ~= 'I' or p.token ~= read_token then
  return { 'moved' }
end
if not (coupon_fit(head, now) and promotion_fit(p, now)) then
  return { 'unfit' }
end

p.state, p.token = 'P', token
promotion_write(promotions, field, p)
return { 'ok' }
