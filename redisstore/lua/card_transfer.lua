-- Copyright 2026 The discountd Authors
-- SPDX-License-Identifier: Apache-2.0

-- card_transfer is the first step of moving money from a gift card to a customer's
-- credit: it takes an amount, or all there is, off the card and records that it is
-- owed to a customer, in one. The record is a line of fields separated by tabs: P
-- while it is pending, D when it is done; amount, holder, currency, code, instant,
-- the caller's request id. It is returned.
-- USES     promotion request
-- KEYS     head promotions requests transfers
-- ARGV     coupon_version code version transfer amount holder currency now_ms request fingerprint request_id
-- OUTCOMES ok stale empty short replay reused
local head, promotions, requests, transfers = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local coupon_version, code, version, transfer, amount = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local holder, currency, now = ARGV[6], ARGV[7], ARGV[8]
local request, fingerprint, request_id = ARGV[9], ARGV[10], ARGV[11]

local seen = request_seen(requests, request, fingerprint)
if seen and seen[1] == 'replay' then
  return { 'replay', redis.call('HGET', transfers, transfer) or '' }
elseif seen then
  return { 'reused' }
end
local field = string.sub(code, 5)
local p = promotion_read(promotions, field)
if not p or p.version ~= version or redis.call('HGET', head, 'v') ~= coupon_version then
  return { 'stale' }
end
local balance = tonumber(p.balance)
local taken = amount == '' and balance or tonumber(amount)
if balance == 0 then
  return { 'empty' }
end
if taken > balance then
  return { 'short', p.balance }
end
redis.call('HEXISTS', promotion_moves(promotions), field) -- proves the types of keys
redis.call('HEXISTS', transfers, transfer)

p.balance = string.format('%.0f', balance - taken)
p.moves = string.format('%d', p.moves + 1)
local text = table.concat({ 'P', string.format('%.0f', taken), holder, currency, code, now, request_id }, '\t')
redis.call('HSET', promotions, field, promotion_text(p))
redis.call('HSET', transfers, transfer, text)
redis.call('HSET', promotion_moves(promotions), promotion_move_field(field, p.moves),
  promotion_move('T', -taken, balance - taken, now, request_id, ''))
request_remember(requests, request, fingerprint, code)
return { 'ok', text }
