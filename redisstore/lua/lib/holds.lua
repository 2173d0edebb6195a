-- Copyright 2026 The discountd Authors
-- SPDX-License-Identifier: Apache-2.0

-- Library "holds": reservations whose time is over give back what they took, here,
-- exactly once, without anyone sweeping. Needs the libraries "books" and "ledger".

-- How many are ended in one call.
local HOLDS_PER_CALL = 64

-- ledger_taken returns what a record that counts takes up. Its first fields after
-- the script's own say so: when it was made, the promotion code, the identities a
-- reservation was charged to, the periods it was charged to, the currency, and the
-- amount that counted against a budget for some products. Of that amount, what is
-- voided or not committed leaves last, so that the budget never gets back more
-- than it gave. It returns nil for a record that is malformed.
local function ledger_taken(r)
  local code, who, periods, currency, scoped = string.match(r.rest or '', '^[^\t]*\t([^\t]*)\t([^\t]*)\t([^\t]*)\t([^\t]*)\t(%d+)\t')
  if not code then
    return nil
  end
  local identities = {}
  for identity in string.gmatch(who, '%S+') do
    identities[#identities + 1] = identity
  end
  local total = r.granted - r.voided
  return {
    code = code, identities = identities, periods = books_periods(periods), currency = currency,
    total = total, scoped = math.min(tonumber(scoped), total),
  }
end

-- hold_end changes a reserved record to another state and gives back what it took.
local function hold_end(b, position, r, state)
  r.state = state
  ledger_write(b, position, ledger_text(r))
  b.ended[#b.ended + 1] = position
  local t = ledger_taken(r)
  books_add(b, t.code, t.identities, t.periods, 0, -1)
  books_spend(b, t.currency, -t.total, -t.scoped)
  books_pay(b, t.code, t.total, position, r.rest)
end

-- holds_next keeps the moment the first reservation falls due.
local function holds_next(b, holds)
  local first = redis.call('ZRANGE', holds, 0, 0, 'WITHSCORES')
  b.due = first[2] or ''
end

local function holds_are_due(b, now)
  return b.due ~= '' and tonumber(b.due) <= tonumber(now)
end

-- hold_can_end tells whether a record is a reservation's, and all can be read that it
-- is to be given back to.
local function hold_can_end(b, r)
  local t = r.state == 'H' and ledger_taken(r)
  if not t then
    return false
  end
  local p = t.code ~= '' and books_code(b, t.code)
  if p and (not p.redeemed or p.balance and not p.moves) then
    return false
  end
  if t.currency ~= '' then
    local read, spent = pcall(books_spent, b, t.currency)
    if not (read and spent.total and spent.scoped) then
      return false
    end
  end
  local fields = books_use_fields(t.code, t.identities, {})
  for _, period in ipairs(t.periods) do
    fields[#fields + 1] = period.field
  end
  books_fetch_uses(b, fields)
  for _, field in ipairs(fields) do
    if not b.uses[field] then
      return false
    end
  end
  return true
end

-- holds_expire ends reservations that are due, and returns whether it ended any. One
-- that cannot be ended, for something that it needs is malformed, would be due for
-- ever and hold up everybody: it is due no more, and keeps what it took until an audit
-- has found and mended it.
local function holds_expire(b, ledger, holds, page_size, now)
  if not holds_are_due(b, now) then
    return false
  end
  local members = redis.call('ZRANGEBYSCORE', holds, '-inf', now, 'LIMIT', 0, HOLDS_PER_CALL)
  for _, member in ipairs(members) do
    local position = tonumber(member)
    local text = position and ledger_read(ledger, position, page_size)
    local r = text and ledger_split(text) or {}
    if hold_can_end(b, r) then
      hold_end(b, position, r, 'E')
    else
      b.ended[#b.ended + 1] = member
    end
  end
  -- They have yet to be removed, and come before all others.
  local first = redis.call('ZRANGE', holds, #members, #members, 'WITHSCORES')
  b.due = first[2] or ''
  return true
end

-- holds_store stores the records that have changed and removes the reservations that
-- are none any more. Records come first, since a Redis without memory refuses that,
-- and what follows the first write of a script it never refuses.
local function holds_store(b, ledger, holds, page_size)
  ledger_store(b, ledger, page_size)
  if #b.ended > 0 then
    redis.call('ZREM', holds, unpack(b.ended))
  end
end
