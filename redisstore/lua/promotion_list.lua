-- Copyright 2026 The discountd Authors
-- SPDX-License-Identifier: Apache-2.0

-- promotion_list reads one bucket of a coupon's promotion codes, at one moment with
-- the coupon: the coupon's configuration, how many values its head has, these, then
-- field and value of each promotion code. It is a script and no transaction, because
-- a server that is out of memory refuses to begin one. It writes nothing.
-- KEYS     head definition promotions
-- OUTCOMES ok absent
local head, definition, promotions = KEYS[1], KEYS[2], KEYS[3]

local h = redis.call('HGETALL', head)
if #h == 0 then
  return { 'absent' }
end
local codes = redis.call('HGETALL', promotions)

local out = { 'ok', redis.call('GET', definition) or '', string.format('%d', #h) }
for _, text in ipairs(h) do
  out[#out + 1] = text
end
for _, text in ipairs(codes) do
  out[#out + 1] = text
end
return out
