-- Copyright 2026 The discountd Authors
-- SPDX-License-Identifier: Apache-2.0

-- Library "books": the counters of a coupon as one script sees and changes them.
-- What is needed is read once, changed in memory by any number of decisions, and
-- written once at the end, so that a batch costs as many Redis calls as a single
-- request. Every read also proves the key's type, so that no write can fail, and
-- nothing is written before all is decided: a script that meets what it cannot read
-- has changed nothing.
-- Needs the library "promotion".

-- NONE is for the many that have no identity and no period; nobody changes it.
local NONE = {}

-- books_limit reads a limit; empty is none. One that is missing or no number fails the
-- script: it cannot be held.
local function books_limit(text)
  return text ~= '' and assert(tonumber(text), 'a limit is malformed') or nil
end

-- books_spent_fields names what the head says of a currency.
local function books_spent_fields(currency)
  return 'b:' .. currency, 'B:' .. currency, 'l:' .. currency, 'f:' .. currency
end

-- books_spent_values reads what the head says of it from the values after the first
-- skipped: what was taken off, reservations included, all of it and the part that
-- counts against a budget for some products, and the limit of the budget, if there is
-- one: it and what it is for are written together.
local function books_spent_values(h, skipped)
  local limit, for_products = h[skipped + 3], h[skipped + 4]
  return {
    total = tonumber(h[skipped + 1] or '0'), scoped = tonumber(h[skipped + 2] or '0'),
    limit = books_limit(not for_products and not limit and '' or limit), for_products = for_products == '1',
  }
end

-- books_open returns nil when there is no such coupon. The key of a bucket of
-- promotion codes is that of promotions, a colon, and the first four characters
-- of the code's id. An audit marks the head with the moment until which it may
-- last, so that one that never came to its end is over all the same. What was spent in
-- the currency given comes with the rest; who does not know one yet gives none.
local function books_open(head, customers, promotions, now, currency)
  currency = currency or ''
  local h = redis.call('HMGET', head, 's', 'v', 'm', 'u', 'r', 'h', 'q', 'd', 'A', books_spent_fields(currency))
  if not h[1] then
    return nil
  end
  return {
    head = head, customers = customers, promotions = promotions, now = now,
    state = h[1], version = h[2], max = books_limit(h[3]), customer_max = books_limit(h[4]),
    redeemed = tonumber(h[5]), held = tonumber(h[6]), length = tonumber(h[7]), due = h[8] or '',
    audited = h[9] and tonumber(h[9]) > tonumber(now), audit_over = h[9] and tonumber(h[9]) <= tonumber(now),
    -- As they stand, by code id, field, currency. Codes and sums are marked when they
    -- have changed.
    codes = {}, uses = {}, spent = { [currency] = books_spent_values(h, 9) },
    uses_changed = {},
    moves = {}, -- transactions of gift cards, by the bucket of the card
    records = {}, rewritten = {}, -- of the ledger that have changed, by position; the positions
    ended = {}, -- reservations that are none any more, by position
  }
end

-- Lua passes on no more than some 8,000 values at once.
local VALUES_PER_CALL = 4000

-- books_read returns many fields of a hash.
local function books_read(key, fields)
  if #fields <= VALUES_PER_CALL then
    return redis.call('HMGET', key, unpack(fields))
  end
  local values = {}
  for from = 1, #fields, VALUES_PER_CALL do
    local to = math.min(from + VALUES_PER_CALL - 1, #fields)
    for i, value in ipairs(redis.call('HMGET', key, unpack(fields, from, to))) do
      values[from + i - 1] = value
    end
  end
  return values
end

-- books_store sets many fields of a hash, given as fields and values in turns.
local function books_store(key, pairs_of)
  for from = 1, #pairs_of, VALUES_PER_CALL do
    redis.call('HSET', key, unpack(pairs_of, from, math.min(from + VALUES_PER_CALL - 1, #pairs_of)))
  end
end

local function books_bucket(b, code)
  return b.promotions .. ':' .. string.sub(code, 1, 4)
end

-- books_fetch_codes reads the records of many promotion codes, one call a bucket.
local function books_fetch_codes(b, codes)
  local wanted_in = {}
  for _, code in ipairs(codes) do
    if code ~= '' and not b.codes[code] then
      b.codes[code] = {}
      local bucket = string.sub(code, 1, 4)
      local wanted = wanted_in[bucket]
      if not wanted then
        wanted = { codes = {}, fields = {} }
        wanted_in[bucket] = wanted
      end
      wanted.codes[#wanted.codes + 1] = code
      wanted.fields[#wanted.fields + 1] = string.sub(code, 5)
    end
  end
  for _, wanted in pairs(wanted_in) do
    local texts = books_read(books_bucket(b, wanted.codes[1]), wanted.fields)
    for i, code in ipairs(wanted.codes) do
      local p = promotion_parse(texts[i]) or { version = '' }
      p.redeemed, p.held = tonumber(p.redeemed), tonumber(p.held)
      p.max, p.max_customer = tonumber(p.max), tonumber(p.max_customer)
      p.balance, p.moves = tonumber(p.balance), tonumber(p.moves)
      b.codes[code] = p
    end
  end
end

local function books_code(b, code)
  if not b.codes[code] then
    books_fetch_codes(b, { code })
  end
  return b.codes[code]
end

-- books_use_field names the count of what an identity has used of the coupon, or
-- of one of its promotion codes.
local function books_use_field(code, identity)
  return code == '' and identity or code .. '/' .. identity
end

-- books_fetch_uses reads many counts in one call.
local function books_fetch_uses(b, fields)
  if #fields == 0 then
    return
  end
  local missing = {}
  for _, field in ipairs(fields) do
    if not b.uses[field] then
      b.uses[field] = 0
      missing[#missing + 1] = field
    end
  end
  if #missing > 0 then
    local counts = books_read(b.customers, missing)
    for i, field in ipairs(missing) do
      b.uses[field] = tonumber(counts[i] or '0')
    end
  end
end

local function books_use_fields(code, identities, out)
  for _, identity in ipairs(identities) do
    out[#out + 1] = identity
    if code ~= '' then
      out[#out + 1] = books_use_field(code, identity)
    end
  end
  return out
end

-- books_identities drops the empty ones of two identities.
local function books_identities(one, two)
  if one == '' then
    return NONE
  end
  return two == '' and { one } or { one, two }
end

-- books_periods reads a text of limit:field pairs, the counts of one period each.
local function books_periods(text)
  if text == '' then
    return NONE
  end
  local periods = {}
  for limit, field in string.gmatch(text, '(%d+):(%S+)') do
    periods[#periods + 1] = { limit = tonumber(limit), field = field }
  end
  return periods
end

local function books_spent(b, currency)
  local s = b.spent[currency]
  if not s then
    s = books_spent_values(redis.call('HMGET', b.head, books_spent_fields(currency)), 0)
    b.spent[currency] = s
  end
  return s
end

-- What is counted is counted exactly, in a number that can hold it.
local MAX_AMOUNT = 9007199254740991

-- books_letter returns the letter of a refusal: a small one while reservations are
-- held that may give back what is missing.
local function books_letter(held, letter)
  return held > 0 and string.lower(letter) or letter
end

-- books_budget returns a letter when an amount does not fit, and what is left: X
-- nothing is, or the sum could no longer be exact, Y less than wanted.
local function books_budget(b, currency, total, scoped)
  if currency == '' then
    return ''
  end
  local s = books_spent(b, currency)
  if total > MAX_AMOUNT - s.total then
    return books_letter(b.held, 'X')
  end
  local wanted, counted = total, s.total
  if s.for_products then
    wanted, counted = scoped, s.scoped
  end
  if not s.limit or wanted == 0 or wanted <= s.limit - counted then
    return ''
  end
  if counted >= s.limit then
    return books_letter(b.held, 'X')
  end
  return books_letter(b.held, 'Y'), string.format('%.0f', s.limit - counted)
end

-- books_spend adds to what was taken off.
local function books_spend(b, currency, total, scoped)
  if currency ~= '' and (total ~= 0 or scoped ~= 0) then
    local s = books_spent(b, currency)
    s.total, s.scoped = s.total + total, s.scoped + scoped
    s.changed = true
  end
end

-- books_card returns how much of an amount the balance of a gift card covers, and
-- the letter G when nothing is left on it. What is no gift card covers all.
local function books_card(b, code, amount)
  local p = code ~= '' and books_code(b, code)
  local balance = p and p.balance
  if not balance then
    return amount, ''
  end
  return math.min(amount, balance), balance == 0 and books_letter(p.held, 'G') or ''
end

-- books_pay moves the balance of a gift card, if the code is one, and notes what
-- moved it: the redemption at a position, whose record goes on with rest after its
-- first three fields.
local function books_pay(b, code, amount, position, rest)
  local p = code ~= '' and books_code(b, code)
  if not p or not p.balance or amount == 0 then
    return
  end
  p.balance, p.moves, p.changed = p.balance + amount, p.moves + 1, true
  local request = string.match(rest, '^' .. string.rep('[^\t]*\t', 8) .. '([^\t]*)')
  local bucket = books_bucket(b, code)
  if not b.moves[bucket] then
    redis.call('HEXISTS', promotion_moves(bucket), '') -- proves the key's type
    b.moves[bucket] = {}
  end
  table.insert(b.moves[bucket], promotion_move_field(string.sub(code, 5), p.moves))
  table.insert(b.moves[bucket], promotion_move(amount < 0 and 'R' or 'B', amount, p.balance, b.now,
    string.format('%d %s', position, request), ''))
end

-- books_limits returns a letter for every limit that leaves no room for one more
-- use: C the coupon's, P the promotion code's, R either of them while reservations
-- may still give some back, U the coupon's per customer, V the promotion code's
-- per customer, T one of a period. Empty means there is room.
local function books_limits(b, code, identities, periods)
  local reached = ''
  if b.max and b.redeemed + b.held >= b.max then
    reached = reached .. (b.redeemed >= b.max and 'C' or 'R')
  end
  local p = code ~= '' and books_code(b, code) or NONE
  if p.max and p.redeemed + p.held >= p.max then
    reached = reached .. (p.redeemed >= p.max and 'P' or 'R')
  end
  if #identities == 0 and #periods == 0 then
    return reached
  end
  books_fetch_uses(b, books_use_fields(code, identities, {}))
  for _, identity in ipairs(identities) do
    if b.customer_max and b.uses[identity] >= b.customer_max then
      reached = reached .. books_letter(b.held, 'U')
    end
    if p.max_customer and b.uses[books_use_field(code, identity)] >= p.max_customer then
      reached = reached .. books_letter(b.held, 'V')
    end
  end
  for _, period in ipairs(periods) do
    books_fetch_uses(b, { period.field })
    if b.uses[period.field] >= period.limit then
      reached = reached .. books_letter(b.held, 'T')
    end
  end
  return reached
end

-- books_add changes what is redeemed and held by the numbers given, and what each
-- identity has used, and what was used in each period, by their sum.
local function books_add(b, code, identities, periods, redeemed, held)
  b.redeemed, b.held = b.redeemed + redeemed, b.held + held
  if code ~= '' then
    local p = books_code(b, code)
    p.redeemed, p.held = p.redeemed + redeemed, p.held + held
    p.changed = true
  end
  local both = redeemed + held
  if both ~= 0 and (#identities > 0 or #periods > 0) then
    local fields = books_use_fields(code, identities, {})
    for _, period in ipairs(periods) do
      fields[#fields + 1] = period.field
    end
    books_fetch_uses(b, fields)
    for _, field in ipairs(fields) do
      b.uses[field] = b.uses[field] + both
      b.uses_changed[field] = true
    end
  end
end

-- books_write stores everything that has changed.
local function books_write(b)
  local head = {
    'r', string.format('%d', b.redeemed), 'h', string.format('%d', b.held),
    'q', string.format('%d', b.length), 'd', b.due,
  }
  for currency, s in pairs(b.spent) do
    if s.changed then
      head[#head + 1] = 'b:' .. currency
      head[#head + 1] = string.format('%.0f', s.total)
      if s.scoped ~= 0 or s.for_products then
        head[#head + 1] = 'B:' .. currency
        head[#head + 1] = string.format('%.0f', s.scoped)
      end
    end
  end
  redis.call('HSET', b.head, unpack(head))
  if b.audit_over then
    redis.call('HDEL', b.head, 'a', 'A')
  end
  local by_bucket = {}
  for code, p in pairs(b.codes) do
    if p.changed then
      local bucket = books_bucket(b, code)
      local values = by_bucket[bucket]
      if not values then
        values = {}
        by_bucket[bucket] = values
      end
      values[#values + 1] = string.sub(code, 5)
      values[#values + 1] = promotion_text(p)
    end
  end
  for bucket, values in pairs(by_bucket) do
    books_store(bucket, values)
  end
  for bucket, values in pairs(b.moves) do
    books_store(promotion_moves(bucket), values)
  end
  local counts = {}
  for field in pairs(b.uses_changed) do
    counts[#counts + 1] = field
    counts[#counts + 1] = string.format('%d', b.uses[field])
  end
  books_store(b.customers, counts)
end
