-- Copyright 2026 The discountd Authors
-- SPDX-License-Identifier: Apache-2.0

-- coupon_put writes the configuration of a coupon if its version is still the one
-- the writer has read; version 0 creates it.
-- USES     request
-- KEYS     head definition requests
-- ARGV     version definition state max_redemptions max_redemptions_per_customer redeem_by_ms request fingerprint (currency limit for_products)...
-- OUTCOMES ok stale replay reused
local head, definition, requests = KEYS[1], KEYS[2], KEYS[3]
local version, text, state, max, max_customer, redeem_by = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local request, fingerprint = ARGV[7], ARGV[8]

local next_version = string.format('%d', version + 1)
local current = redis.call('HGET', head, 'v') or '0'
if current == next_version and redis.call('GET', definition) == text and redis.call('HGET', head, 's') == state then
  return { 'ok' } -- this very write, sent twice
end
local seen = request_seen(requests, request, fingerprint)
if seen then
  return seen
end
if current ~= version then
  return { 'stale' }
end

redis.call('HSET', head, 'v', next_version, 's', state, 'm', max, 'u', max_customer, 'e', redeem_by)
if version == '0' then
  redis.call('HSET', head, 'r', '0', 'h', '0', 'q', '0', 'b', '0')
end
for i = 9, #ARGV, 3 do
  redis.call('HSET', head, 'l:' .. ARGV[i], ARGV[i + 1], 'f:' .. ARGV[i], ARGV[i + 2])
end
redis.call('SET', definition, text)
request_remember(requests, request, fingerprint, '')
return { 'ok' }
