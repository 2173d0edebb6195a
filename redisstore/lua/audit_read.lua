-- Copyright 2026 The discountd Authors
-- SPDX-License-Identifier: Apache-2.0

-- audit_read returns, at one moment, what an audit has yet to read of a ledger and
-- any counters: records that are new since it has read a given number, the present
-- form of those that were changed since it has taken a given number of notes of
-- changes, the head, and what is asked for by kind and name. So each counter is
-- compared with just those records that it counts.
--
-- With more new or changed records than one call can return it returns none: the
-- audit has to read on first. If a time is given the mark lasts until then.
--
-- Kinds: 'use' a count of the hash of customers, 'code' what is stored of a promotion
-- code, 'hold' when a reservation falls due, 'request' what a request id leads to,
-- 'coupon' the configuration. What is not there is ''.
-- USES     ledger audit
-- KEYS     head definition customers holds ledger promotions requests
-- ARGV     token sure_ms until_ms page_size length taken (kind name)...
-- OUTCOMES ok more lost
local head, definition, customers, holds = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local ledger, promotions, requests = KEYS[5], KEYS[6], KEYS[7]
local token, sure_ms, until_ms = ARGV[1], ARGV[2], ARGV[3]
local page_size, length, taken = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local FIRST, RECORDS_PER_CALL = 7, 512

if not audit_step(head, token, sure_ms) then
  return { 'lost' }
end
local changes = ledger_changes(ledger)
local notes = redis.call('LLEN', changes)
if notes < taken then
  return { 'lost' } -- they were kept for as long as an audit may stand still
end
if until_ms ~= '' then
  redis.call('HSET', head, 'A', until_ms)
  redis.call('PEXPIRE', changes, CHANGES_KEPT)
end

local new, position = {}, length
while true do
  local page, offset = ledger_page(ledger, position + 1, page_size), position % page_size
  local has = math.min(redis.call('LLEN', page), page_size)
  if #new + has - offset > RECORDS_PER_CALL then
    return { 'more' }
  end
  if has > offset then
    for _, text in ipairs(redis.call('LRANGE', page, offset, has - 1)) do
      new[#new + 1] = text
    end
    position = position + has - offset
  end
  if has < page_size then
    break
  end
end

if notes - taken > RECORDS_PER_CALL then
  return { 'more' }
end
local changed, seen = {}, {}
for _, text in ipairs(redis.call('LRANGE', changes, taken, -1)) do
  local at = tonumber(text)
  if at <= length and not seen[at] then
    seen[at] = true
    changed[#changed + 1] = text
    changed[#changed + 1] = ledger_read(ledger, at, page_size) or ''
  end
end

local read = {
  use = function(name) return redis.call('HGET', customers, name) or '' end,
  code = function(name)
    return redis.call('HGET', promotions .. ':' .. string.sub(name, 1, 4), string.sub(name, 5)) or ''
  end,
  hold = function(name) return redis.call('ZSCORE', holds, name) or '' end,
  request = function(name) return redis.call('HGET', requests, name) or '' end,
  coupon = function() return redis.call('GET', definition) or '' end,
}

local fields = redis.call('HGETALL', head)
local out = {
  'ok', string.format('%d', #new), string.format('%d', #changed), string.format('%d', notes), string.format('%d', #fields),
}
for _, list in ipairs({ new, changed, fields }) do
  for _, text in ipairs(list) do
    out[#out + 1] = text
  end
end
for a = FIRST, #ARGV, 2 do
  out[#out + 1] = read[ARGV[a]](ARGV[a + 1])
end
return out
