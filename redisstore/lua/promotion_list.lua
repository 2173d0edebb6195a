-- Copyright 2026 The discountd Authors
-- SPDX-License-Identifier: Apache-2.0

-- promotion_list reads one bucket of a coupon's promotion codes, at one moment with
-- the coupon: the coupon's configuration, how many values its head has, these, then
-- field, record and configuration of each promotion code. It is a script and no
-- transaction, because a server that is out of memory refuses to begin one. It
-- writes nothing.
-- KEYS     head definition promotions definitions
-- OUTCOMES ok absent
local head, definition, promotions, definitions = KEYS[1], KEYS[2], KEYS[3], KEYS[4]

local h = redis.call('HGETALL', head)
if #h == 0 then
  return { 'absent' }
end
local texts, flat = {}, redis.call('HGETALL', definitions)
for i = 1, #flat, 2 do
  texts[flat[i]] = flat[i + 1]
end
local records = redis.call('HGETALL', promotions)

local out = { 'ok', redis.call('GET', definition) or '', string.format('%d', #h) }
for _, text in ipairs(h) do
  out[#out + 1] = text
end
for i = 1, #records, 2 do
  local field, record = records[i], records[i + 1]
  -- Without a configuration it is a mark that something never stored cannot come
  -- back.
  if texts[field] then
    out[#out + 1] = field
    out[#out + 1] = record
    out[#out + 1] = texts[field]
  end
end
return out
