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
-- than it gave.
local function ledger_taken(r)
  local code, who, periods, currency, scoped = string.match(r.rest, '^[^\t]*\t([^\t]*)\t([^\t]*)\t([^\t]*)\t([^\t]*)\t(%d+)\t')
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
local function hold_end(b, ledger, holds, position, page_size, r, state)
  r.state = state
  ledger_write(b, ledger, position, page_size, ledger_text(r))
  redis.call('ZREM', holds, position)
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

-- holds_expire ends reservations that are due, and returns whether it ended any.
local function holds_expire(b, ledger, holds, page_size, now)
  if not holds_are_due(b, now) then
    return false
  end
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', holds, '-inf', now, 'LIMIT', 0, HOLDS_PER_CALL)) do
    local position = tonumber(member)
    hold_end(b, ledger, holds, position, page_size, ledger_split(ledger_read(ledger, position, page_size)), 'E')
  end
  holds_next(b, holds)
  return true
end
