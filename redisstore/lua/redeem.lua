-- Copyright 2026 The discountd Authors
-- SPDX-License-Identifier: Apache-2.0

-- redeem decides up to 500 redemptions and reservations of one coupon, in the order
-- given. The number of Redis calls grows with the number of different buckets of
-- promotion codes among them, of pages of the ledger that they fill, of replays, of
-- claims and of currencies, and with nothing else. Each is decided as if it were alone: all of
-- its limits are taken, or none.
--
-- The rules were evaluated outside at the versions given; here is decided only
-- what can race: was the request seen, are the versions still those, is there
-- room below every limit. One that would be refused while reservations that are
-- due have yet to be ended is to be sent again.
--
-- Of a gift card is granted what its balance covers; "redeemed" then says the amount
-- after the position if it is less than was asked for.
--
-- A due time makes it a reservation until then. The keys of the ledger's pages and
-- of the buckets follow from positions and ids and are derived under the same tag.
--
-- What is for a subscription comes with the token of a claim to it, which another
-- request may have declared dead: then nothing is made with it.
-- USES     promotion books ledger holds
-- KEYS     head requests customers holds ledger promotions subscriptions
-- ARGV     page_size now_ms (request coupon_version code code_version identity identity due_ms periods currency amount scoped_amount claim record)...
-- OUTCOMES decided absent broken oversized
-- EACH     redeemed replay reused stale limit again
local head, requests, customers, holds = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local ledger, promotions, subscriptions = KEYS[5], KEYS[6], KEYS[7]
local page_size, now = tonumber(ARGV[1]), ARGV[2]
local FIRST, STRIDE = 2, 13
local n = (#ARGV - FIRST) / STRIDE
-- Lua passes on no more than some 8,000 values at once: a write would fail.
if n > 500 then
  return { 'oversized' }
end

local function operation(i)
  local a = FIRST + (i - 1) * STRIDE
  return {
    request = ARGV[a + 1], coupon_version = ARGV[a + 2], code = ARGV[a + 3], code_version = ARGV[a + 4],
    identities = books_identities(ARGV[a + 5], ARGV[a + 6]), due = ARGV[a + 7],
    periods = books_periods(ARGV[a + 8]), currency = ARGV[a + 9], amount = tonumber(ARGV[a + 10]),
    scoped = tonumber(ARGV[a + 11]), claim = ARGV[a + 12], record = ARGV[a + 13],
  }
end

-- Read.
local b = books_open(head, customers, promotions, now)
if not b then
  return { 'absent' }
end
-- The last page holds what the length says, and the next ones, if the batch may
-- reach them, nothing.
for at = b.length - b.length % page_size, b.length + n - 1, page_size do
  if redis.call('LLEN', ledger_page(ledger, at + 1, page_size)) ~= math.max(0, b.length - at) then
    return { 'broken' }
  end
end
local operations, request_ids, codes, use_fields = {}, {}, {}, {}
for i = 1, n do
  local o = operation(i)
  operations[i], request_ids[i], codes[i] = o, o.request, o.code
  books_use_fields(o.code, o.identities, use_fields)
  for _, period in ipairs(o.periods) do
    use_fields[#use_fields + 1] = period.field
  end
end
books_fetch_codes(b, codes)
books_fetch_uses(b, use_fields)
local seen = {}
for i, value in ipairs(redis.call('HMGET', requests, unpack(request_ids))) do
  seen[request_ids[i]] = value
end

local changed = holds_expire(b, ledger, holds, page_size, now)

-- Decide in order.
local first = b.length
local records, new_requests, new_holds = {}, {}, {}

local function replay(value)
  if not string.match(value, '^%d+$') then
    return 'reused', '' -- the id of something else done to a redemption
  end
  local position = tonumber(value)
  local text = position > first and records[position - first] or ledger_read(ledger, position, page_size)
  return 'replay', value .. '\t' .. text
end

local function decide(o)
  if seen[o.request] then
    return replay(seen[o.request])
  end
  if o.coupon_version ~= b.version or (o.code ~= '' and books_code(b, o.code).version ~= o.code_version) then
    return 'stale', ''
  end
  if o.claim ~= '' and redis.call('HEXISTS', subscriptions, 'x' .. o.claim) == 1 then
    return 'stale', ''
  end
  local granted, gone = books_card(b, o.code, o.amount)
  local short, left = books_budget(b, o.currency, granted, o.scoped)
  local reached = books_limits(b, o.code, o.identities, o.periods) .. short .. gone
  if (reached ~= '' or granted < o.amount) and holds_are_due(b, now) then
    return 'again', ''
  end
  if reached ~= '' then
    return 'limit', table.concat({ reached, b.due, left or '' }, ' ')
  end
  local reserve = o.due ~= ''
  books_add(b, o.code, o.identities, o.periods, reserve and 0 or 1, reserve and 1 or 0)
  books_spend(b, o.currency, granted, o.scoped)
  b.length = b.length + 1
  local position, as_asked, text = string.format('%d', b.length), granted == o.amount, o.record
  if o.code ~= '' and books_code(b, o.code).balance then
    local voided, rest = string.match(text, '^%d+\t(%d+)\t(.*)$')
    text = string.format('%.0f\t%s\t%s', granted, voided, rest)
    books_pay(b, o.code, -granted, b.length, rest)
  end
  records[b.length - first] = (reserve and 'H' or 'R') .. '\t' .. text
  if reserve then
    new_holds[#new_holds + 1] = o.due
    new_holds[#new_holds + 1] = position
    if b.due == '' or tonumber(o.due) < tonumber(b.due) then
      b.due = o.due
    end
  end
  seen[o.request] = position
  new_requests[#new_requests + 1] = o.request
  new_requests[#new_requests + 1] = position
  return 'redeemed', as_asked and position or string.format('%s %.0f', position, granted)
end

local out = { 'decided' }
for i = 1, n do
  out[#out + 1], out[#out + 2] = decide(operations[i])
end

-- Write.
if b.length > first or changed then
  books_write(b)
end
if b.length > first then
  redis.call('HSET', requests, unpack(new_requests))
  local at = first
  while at < b.length do
    local take = math.min(b.length - at, page_size - at % page_size)
    redis.call('RPUSH', ledger_page(ledger, at + 1, page_size), unpack(records, at - first + 1, at - first + take))
    at = at + take
  end
  if #new_holds > 0 then
    redis.call('ZADD', holds, unpack(new_holds))
  end
end
return out
