-- Copyright 2026 The discountd Authors
-- SPDX-License-Identifier: Apache-2.0

-- renew decides invoices of subscriptions whose redemptions are of one coupon, in
-- the order given. Each is decided as if it were alone, once: an invoice that was
-- answered before gets that answer.
--
-- What the discount takes off was evaluated outside, as the outcome: A an amount, N
-- nothing, E nothing since its time is over, X more than the budget allows. Here is
-- decided what can race: was it answered, is the discount there, is a cycle left,
-- does the budget cover it. The discount ends with the first invoice that finds all
-- cycles used.
-- USES     promotion books ledger holds subscription
-- KEYS     head requests customers holds ledger promotions subscriptions
-- ARGV     page_size now_ms (request fingerprint position invoice outcome currency amount scoped_amount record)...
-- OUTCOMES decided absent
-- EACH     renewed replay reused conflict state refused limit again
local head, requests, customers, holds = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local ledger, promotions, subscriptions = KEYS[5], KEYS[6], KEYS[7]
local page_size, now = tonumber(ARGV[1]), ARGV[2]
local FIRST, STRIDE = 2, 9

local b = books_open(head, customers, promotions, now)
if not b then
  return { 'absent' }
end
local changed = holds_expire(b, ledger, holds, page_size, now)

-- What was answered, and which requests were seen, as this call leaves it; what is
-- new of that, in turns.
local answers, seen_requests, new_answers, new_requests = {}, {}, {}, {}

-- outcome_of returns whether an invoice ends the discount, and what becomes of it.
local function outcome_of(o, d)
  if d.ended ~= '' then
    return false, 'E'
  end
  if (o.outcome == 'A' or o.outcome == 'X') and d.cycles > 0 and d.used >= d.cycles then
    return true, 'E'
  end
  return false, o.outcome
end

-- take uses a cycle and spends the amount, or returns why it cannot.
local function take(o, r, d)
  local short, left = books_budget(b, o.currency, o.amount, o.scoped)
  if short ~= '' then
    if holds_are_due(b, now) then
      return 'again', ''
    end
    return 'limit', table.concat({ short, b.due, left or '', b.version }, ' ')
  end
  subscription_use(d, o.currency, o.amount, o.scoped)
  subscription_write(r, d)
  ledger_write(b, o.position, ledger_text(r))
  books_spend(b, o.currency, o.amount, o.scoped)
  changed = true
end

local function remember(request, mine)
  seen_requests[request] = mine
  new_requests[#new_requests + 1] = request
  new_requests[#new_requests + 1] = mine
end

local function decide(o)
  local seen = seen_requests[o.request] or redis.call('HGET', requests, o.request)
  local mine = string.format('%s I %s', o.position, o.fingerprint)
  if seen and seen ~= mine then
    return 'reused', ''
  end
  local field = string.format('%d/%s', o.position, o.invoice)
  local known = answers[field] or redis.call('HGET', subscriptions, field)
  if known then
    if string.match(known, '^%u\t%d+\t(%S+)\t') ~= o.fingerprint then
      return 'conflict', ''
    end
    remember(o.request, mine)
    return 'replay', known
  end
  local found = ledger_now(b, ledger, o.position, page_size)
  local r = found and ledger_split(found)
  local d = r and subscription_read(r)
  if not d or r.state ~= 'R' then
    return 'state', found or ''
  end

  local ends, outcome = outcome_of(o, d)
  local cycle = 0
  if outcome == 'X' then
    return 'refused', ''
  elseif outcome == 'A' then
    local refusal, value = take(o, r, d)
    if refusal then
      return refusal, value
    end
    cycle = d.used
  elseif ends then
    d.ended = now
    subscription_write(r, d)
    ledger_write(b, o.position, ledger_text(r))
  end
  local answer = string.format('%s\t%d\t', outcome, cycle) .. o.record
  answers[field] = answer
  new_answers[#new_answers + 1] = field
  new_answers[#new_answers + 1] = answer
  remember(o.request, mine)
  return 'renewed', answer
end

local out = { 'decided' }
for a = FIRST, #ARGV - STRIDE, STRIDE do
  out[#out + 1], out[#out + 2] = decide({
    request = ARGV[a + 1], fingerprint = ARGV[a + 2], position = tonumber(ARGV[a + 3]), invoice = ARGV[a + 4],
    outcome = ARGV[a + 5], currency = ARGV[a + 6], amount = tonumber(ARGV[a + 7]), scoped = tonumber(ARGV[a + 8]),
    record = ARGV[a + 9],
  })
end
holds_store(b, ledger, holds, page_size)
books_store(subscriptions, new_answers)
books_store(requests, new_requests)
if changed then
  books_write(b)
end
return out
