-- Copyright 2026 The discountd Authors
-- SPDX-License-Identifier: Apache-2.0

-- promotion_create is step 1 of claiming a code for a new promotion code: it
-- stores it as PENDING with a fresh token, if the coupon is as it was
-- evaluated and can still be redeemed. With a balance it is a gift card.
-- USES     coupon promotion request
-- KEYS     head promotions requests
-- ARGV     field token now_ms coupon_version definition max_redemptions max_redemptions_per_customer expires_at_ms request fingerprint code balance
-- OUTCOMES ok stale unfit taken replay reused
local head, promotions, requests = KEYS[1], KEYS[2], KEYS[3]
local field, token, now, coupon_version, definition = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local max, max_customer, expires = ARGV[6], ARGV[7], ARGV[8]
local request, fingerprint, code, balance = ARGV[9], ARGV[10], ARGV[11], ARGV[12]

local existing = promotion_read(promotions, field)
if existing then
  if existing.token == token and promotion_alive(existing) then
    return { 'ok' } -- this very write, sent twice
  end
  return { 'taken' }
end
local seen = request_seen(requests, request, fingerprint)
if seen then
  return seen
end
if redis.call('HGET', head, 'v') ~= coupon_version then
  return { 'stale' }
end
local p = {
  state = 'P', token = token, version = '0', redeemed = '0', held = '0',
  max = max, max_customer = max_customer, expires = expires, balance = balance, moves = '1',
  terms = ';' .. definition,
}
if not (coupon_fit(head, now) and promotion_fit(p, now)) then
  return { 'unfit' }
end

promotion_write(promotions, field, p)
redis.call('HINCRBY', head, 'b', 1)
request_remember(requests, request, fingerprint, code)
return { 'ok' }
