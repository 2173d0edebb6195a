-- Copyright 2026 The discountd Authors
-- SPDX-License-Identifier: Apache-2.0

-- settle decides commits, releases and voids of redemptions of one coupon, and ends
-- of their discounts, in the order given. Each is decided as if it were alone.
--
-- C commits a reservation, for the amount given or all of it; one that has expired
-- takes its capacity again if there is room, but not its subscription. E ends the
-- discount of a subscription; one that has ended stays as it is. L releases a
-- reservation; one that is released or expired already stays as it is. V voids a
-- redemption, in whole or by the amount given; voiding all that is left is voiding the
-- whole, which gives the use back. A record keeps each, so they are bounded, and the
-- last there may be has to void all that is left. What refuses a commit says which
-- versions of the coupon and of the promotion code it was held against. Each says which
-- request made the redemption, so that a record that is another's, in a store that was
-- set back, is not taken for it.
--
-- Each reads and writes its record, of which Redis can do only one in a call; the
-- number of other Redis calls grows as that of redeem does.
-- USES     promotion books ledger holds subscription
-- KEYS     head requests customers holds ledger promotions
-- ARGV     page_size now_ms max_voids (kind request fingerprint position made_by identity identity amount note detail)...
-- OUTCOMES decided absent
-- EACH     settled paid replay reused state amount limit again unknown voids
local head, requests, customers, holds, ledger, promotions = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local page_size, now, max_voids = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3])
local FIRST, STRIDE = 3, 10

local b = books_open(head, customers, promotions, now)
if not b then
  return { 'absent' }
end
holds_expire(b, ledger, holds, page_size, now)

-- What is needed of each: whether its request was seen, its record, and with the
-- records the counts that it may change.
local request_ids, seen_requests, records = {}, {}, {}
local codes, use_fields = {}, {}
for a = FIRST, #ARGV - STRIDE, STRIDE do
  request_ids[#request_ids + 1] = ARGV[a + 2]
  local position = tonumber(ARGV[a + 4])
  local text = records[position] or ledger_now(b, ledger, position, page_size)
  if text then
    records[position] = text
    local t = ledger_taken(ledger_split(text))
    codes[#codes + 1] = t.code
    books_use_fields(t.code, t.identities, use_fields)
    books_use_fields(t.code, books_identities(ARGV[a + 6], ARGV[a + 7]), use_fields)
    for _, period in ipairs(t.periods) do
      use_fields[#use_fields + 1] = period.field
    end
  end
end
books_fetch_codes(b, codes)
books_fetch_uses(b, use_fields)
for i, value in ipairs(books_read(requests, request_ids)) do
  seen_requests[request_ids[i]] = value
end
-- Request ids with what they did, in turns.
local new_requests = {}

local function amount_text(amount)
  return string.format('%.0f', amount)
end

-- Each of these changes the record and the books, and adds its note to the record,
-- or returns why it cannot.
local settle = {}

function settle.C(o, r)
  local granted = tonumber(r.granted)
  local amount = o.amount == '' and granted or tonumber(o.amount)
  if r.state ~= 'H' and r.state ~= 'E' then
    return 'state', ''
  end
  if r.state == 'E' and subscription_read(r) then
    return 'state', '' -- its subscription may have another discount by now
  end
  if amount > granted then
    return 'amount', amount_text(granted)
  end
  local was = ledger_taken(r)
  r.granted = amount_text(amount)
  local is = ledger_taken(r)
  if r.state == 'E' then
    local short, left = books_budget(b, is.currency, is.total, is.scoped)
    local reached = books_limits(b, is.code, is.identities, is.periods) .. short
    if books_card(b, is.code, is.total) < is.total then
      reached = reached .. books_letter(books_code(b, is.code).held, 'G')
    end
    if b.state ~= 'A' then
      reached = reached .. 'D'
    end
    if reached ~= '' then
      if holds_are_due(b, now) then
        return 'again', ''
      end
      return 'limit', table.concat({ reached, b.due, left or '', b.version, is.code ~= '' and books_code(b, is.code).version or '' }, ' ')
    end
    books_add(b, is.code, is.identities, is.periods, 1, 0)
    books_spend(b, is.currency, is.total, is.scoped)
    books_pay(b, is.code, -is.total, o.position, r.rest)
  else
    r.was_held = true
    books_add(b, is.code, is.identities, is.periods, 1, -1)
    books_spend(b, is.currency, is.total - was.total, is.scoped - was.scoped)
    books_pay(b, is.code, was.total - is.total, o.position, r.rest)
  end
  r.state, r.rest = 'R', r.rest .. '\t' .. o.note
end

function settle.L(o, r)
  if r.state == 'L' or r.state == 'E' then
    return
  end
  if r.state ~= 'H' then
    return 'state', ''
  end
  local t = ledger_taken(r)
  r.was_held = true
  books_add(b, t.code, t.identities, t.periods, 0, -1)
  books_spend(b, t.currency, -t.total, -t.scoped)
  books_pay(b, t.code, t.total, o.position, r.rest)
  r.state, r.rest = 'L', r.rest .. '\t' .. o.note
end

function settle.V(o, r)
  if r.state ~= 'R' then
    return 'state', ''
  end
  local was = ledger_taken(r)
  local amount = o.amount == '' and was.total or tonumber(o.amount)
  if amount > was.total then
    return 'amount', amount_text(was.total)
  end
  local _, voids = string.gsub(r.rest, '\tv%w+\31', '')
  if amount < was.total and voids + 1 >= max_voids then
    return 'voids', ''
  end
  r.voided = amount_text(tonumber(r.voided) + amount)
  local is = ledger_taken(r)
  books_spend(b, was.currency, is.total - was.total, is.scoped - was.scoped)
  books_pay(b, was.code, was.total - is.total, o.position, r.rest)
  if is.total == 0 then
    books_add(b, was.code, o.identities, was.periods, -1, 0)
    r.state = 'V'
  end
  r.rest = table.concat({ r.rest, '\t', o.note, '\31', amount_text(amount), '\31', o.detail })
end

function settle.E(_, r)
  local d = subscription_read(r)
  if not d or (r.state ~= 'R' and r.state ~= 'V') then
    return 'state', ''
  end
  if d.ended == '' then
    d.ended = now
    subscription_write(r, d)
  end
end

local function decide(o)
  local seen = seen_requests[o.request]
  local mine = string.format('%s %s %s', o.position, o.kind, o.fingerprint)
  if seen and seen ~= mine then
    return 'reused', ''
  end
  local found = records[o.position]
  local r = found and ledger_split(found)
  if not r or ledger_request(r) ~= o.made_by then
    return 'unknown', ''
  end
  if seen then
    return 'replay', ledger_text(r)
  end
  if r.state == 'H' and holds_are_due(b, now) then
    local due = redis.call('ZSCORE', holds, o.position)
    if due and tonumber(due) <= tonumber(now) then
      hold_end(b, o.position, r, 'E')
      records[o.position] = ledger_text(r)
    end
  end
  local refusal, value = settle[o.kind](o, r)
  if refusal then
    return refusal, refusal == 'state' and ledger_text(r) or value
  end
  local text = ledger_text(r)
  ledger_write(b, o.position, text)
  records[o.position], seen_requests[o.request] = text, mine
  new_requests[#new_requests + 1] = o.request
  new_requests[#new_requests + 1] = mine
  if r.was_held then
    b.ended[#b.ended + 1] = o.position
  end
  local code = ledger_taken(r).code
  if code ~= '' and books_code(b, code).balance then
    return 'paid', text -- with a gift card
  end
  return 'settled', text
end

local out = { 'decided' }
for a = FIRST, #ARGV - STRIDE, STRIDE do
  out[#out + 1], out[#out + 2] = decide({
    kind = ARGV[a + 1], request = ARGV[a + 2], fingerprint = ARGV[a + 3], position = tonumber(ARGV[a + 4]),
    made_by = ARGV[a + 5], identities = books_identities(ARGV[a + 6], ARGV[a + 7]),
    amount = ARGV[a + 8], note = ARGV[a + 9], detail = ARGV[a + 10],
  })
end
redis.call('ZCARD', holds) -- proves the key's type
holds_store(b, ledger, holds, page_size)
books_store(requests, new_requests)
holds_next(b, holds)
books_write(b)
return out
