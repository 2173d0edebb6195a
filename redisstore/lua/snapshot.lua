-- Copyright 2026 The discountd Authors
-- SPDX-License-Identifier: Apache-2.0

-- snapshot reads what one evaluation is about, at one moment: the coupon, perhaps
-- a promotion code, what the customer has used, and what the request has done
-- already: the redemption it has made, what else it was used for, or the command
-- of CouponService it was. It writes nothing.
-- USES     ledger
-- KEYS     head definition promotions customers requests ledger commands
-- ARGV     field code identity identity request page_size command count_field...
-- OUTCOMES ok absent
local head, definition, promotions = KEYS[1], KEYS[2], KEYS[3]
local customers, requests, ledger, commands = KEYS[4], KEYS[5], KEYS[6], KEYS[7]
local field, code, identity1, identity2, request = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local page_size, command = tonumber(ARGV[6]), ARGV[7]
local FIRST_COUNT = 8

local h = redis.call('HGETALL', head)
if #h == 0 then
  return { 'absent' }
end
local promotion = field ~= '' and redis.call('HGET', promotions, field) or ''
local fields = {}
if identity1 ~= '' then
  fields = { identity1, code .. '/' .. identity1, identity2, code .. '/' .. identity2 }
end
for i = FIRST_COUNT, #ARGV do
  fields[#fields + 1] = ARGV[i]
end
local counts = #fields > 0 and redis.call('HMGET', customers, unpack(fields)) or {}
local seen, record = '', ''
if request ~= '' then
  seen = redis.call('HGET', requests, request) or ''
  local position = string.match(seen, '^%d+$')
  if position then
    record = ledger_read(ledger, tonumber(position), page_size) or ''
  end
end
local done = command ~= '' and redis.call('HGET', commands, command) or ''
local out = { 'ok', redis.call('GET', definition) or '', promotion, seen, record, done }
for i = 1, #fields do
  out[#out + 1] = counts[i] or '0'
end
for _, text in ipairs(h) do
  out[#out + 1] = text
end
return out
