-- Copyright 2026 The discountd Authors
-- SPDX-License-Identifier: Apache-2.0

-- snapshot reads what one evaluation is about, at one moment: the coupon, perhaps
-- a promotion code, what the customer has used, and what the request has done
-- already: the redemption it has made, or the command of CouponService it was. It
-- writes nothing.
-- KEYS     head definition promotions definitions customers requests ledger commands
-- ARGV     field code identity identity request page_size command
-- OUTCOMES ok absent
local head, definition, promotions, definitions = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local customers, requests, ledger, commands = KEYS[5], KEYS[6], KEYS[7], KEYS[8]
local field, code, identity1, identity2, request = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local page_size, command = tonumber(ARGV[6]), ARGV[7]

local h = redis.call('HMGET', head, 'v', 's', 'r', 'h', 'b', 'q')
if not h[1] then
  return { 'absent' }
end
local promotion, promotion_definition = '', ''
if field ~= '' then
  promotion = redis.call('HGET', promotions, field) or ''
  promotion_definition = redis.call('HGET', definitions, field) or ''
end
local uses = { '0', '0', '0', '0' }
if identity1 ~= '' then
  local u = redis.call('HMGET', customers, identity1, code .. '/' .. identity1, identity2, code .. '/' .. identity2)
  for i = 1, 4 do
    uses[i] = u[i] or '0'
  end
end
local position, record = '', ''
if request ~= '' then
  position = redis.call('HGET', requests, request) or ''
  if position ~= '' then
    local at = position - 1
    record = redis.call('LINDEX', string.format('%s:%d', ledger, math.floor(at / page_size)), at % page_size) or ''
  end
end
local done = command ~= '' and redis.call('HGET', commands, command) or ''
return {
  'ok', h[1], h[2], h[3], h[4], h[5], h[6], redis.call('GET', definition) or '',
  promotion, promotion_definition, uses[1], uses[2], uses[3], uses[4], position, record, done,
}
