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

-- Read. Where they all spend in one currency, what was spent comes with the head.
local b = books_open(head, customers, promotions, now, ARGV[FIRST + 9])
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
local request_ids, codes, use_fields = {}, {}, {}
local identities_of, periods_of = {}, {} -- by request, as they are placed in ARGV
for i = 1, n do
  local a = FIRST + (i - 1) * STRIDE
  local code, identities, periods = ARGV[a + 3], books_identities(ARGV[a + 5], ARGV[a + 6]), books_periods(ARGV[a + 8])
  request_ids[i], codes[i], identities_of[i], periods_of[i] = ARGV[a + 1], code, identities, periods
  books_use_fields(code, identities, use_fields)
  for _, period in ipairs(periods) do
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
  local text = position > first and records[position - first] or ledger_now(b, ledger, position, page_size)
  return 'replay', value .. '\t' .. (text or '')
end

local function decide(i)
  local a = FIRST + (i - 1) * STRIDE
  local request, code, claim = ARGV[a + 1], ARGV[a + 3], ARGV[a + 12]
  if seen[request] then
    return replay(seen[request])
  end
  local p = code ~= '' and books_code(b, code)
  if ARGV[a + 2] ~= b.version or (p and p.version ~= ARGV[a + 4]) then
    return 'stale', ''
  end
  if claim ~= '' and redis.call('HEXISTS', subscriptions, 'x' .. claim) == 1 then
    return 'stale', ''
  end
  local due, currency, amount, scoped = ARGV[a + 7], ARGV[a + 9], tonumber(ARGV[a + 10]), tonumber(ARGV[a + 11])
  local granted, gone = books_card(b, code, amount)
  local short, left = books_budget(b, currency, granted, scoped)
  local reached = books_limits(b, code, identities_of[i], periods_of[i]) .. short .. gone
  if (reached ~= '' or granted < amount) and holds_are_due(b, now) then
    return 'again', ''
  end
  if reached ~= '' then
    return 'limit', table.concat({ reached, b.due, left or '' }, ' ')
  end
  local reserve, text = due ~= '', ARGV[a + 13]
  books_add(b, code, identities_of[i], periods_of[i], reserve and 0 or 1, reserve and 1 or 0)
  books_spend(b, currency, granted, scoped)
  b.length = b.length + 1
  local position = string.format('%d', b.length)
  if p and p.balance then
    local voided, rest = string.match(text, '^%d+\t(%d+)\t(.*)$')
    text = string.format('%.0f\t%s\t%s', granted, voided, rest)
    books_pay(b, code, -granted, b.length, rest)
  end
  records[b.length - first] = (reserve and 'H\t' or 'R\t') .. text
  if reserve then
    new_holds[#new_holds + 1] = due
    new_holds[#new_holds + 1] = position
    if b.due == '' or tonumber(due) < tonumber(b.due) then
      b.due = due
    end
  end
  seen[request] = position
  new_requests[#new_requests + 1] = request
  new_requests[#new_requests + 1] = position
  return 'redeemed', granted == amount and position or string.format('%s %.0f', position, granted)
end

local out = { 'decided' }
for i = 1, n do
  out[2 * i], out[2 * i + 1] = decide(i)
end

if #new_holds > 0 then
  redis.call('ZCARD', holds) -- proves the key's type
end

-- Write.
holds_store(b, ledger, holds, page_size)
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
