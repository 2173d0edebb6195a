-- Copyright 2026 The discountd Authors
-- SPDX-License-Identifier: Apache-2.0

-- card_adjust adds an amount, which may be below zero, to the balance of a gift card
-- whose version is still the one that was read. The version stays.
-- USES     promotion request
-- KEYS     head promotions requests
-- ARGV     field version currency amount now_ms reason request fingerprint code request_id
-- OUTCOMES ok stale short full replay reused
local head, promotions, requests = KEYS[1], KEYS[2], KEYS[3]
local field, version, currency, amount, now, reason = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local request, fingerprint, code, request_id = ARGV[7], ARGV[8], ARGV[9], ARGV[10]

-- A balance and what was taken from it, which may come back, fit a number together.
local MAX_AMOUNT = 9007199254740991

local seen = request_seen(requests, request, fingerprint)
if seen then
  return seen
end
local p = promotion_read(promotions, field)
if not p or p.version ~= version then
  return { 'stale' }
end
local balance, change = tonumber(p.balance), tonumber(amount)
if balance + change < 0 then
  return { 'short', p.balance }
end
local spent = tonumber(redis.call('HGET', head, 'b:' .. currency) or '0')
if change > MAX_AMOUNT - balance - spent then
  return { 'full' }
end
redis.call('HEXISTS', promotion_moves(promotions), field) -- proves the key's type

p.balance = string.format('%.0f', balance + change)
p.moves = string.format('%d', p.moves + 1)
redis.call('HSET', promotions, field, promotion_text(p))
redis.call('HSET', promotion_moves(promotions), promotion_move_field(field, p.moves),
  promotion_move('A', change, balance + change, now, request_id, reason))
request_remember(requests, request, fingerprint, code)
return { 'ok' }
