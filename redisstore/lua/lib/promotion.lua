-- Copyright 2026 The discountd Authors
-- SPDX-License-Identifier: Apache-2.0

-- Library "promotion": what is stored of a promotion code, one text in a bucket of
-- them: its record, a semicolon, its configuration. The record is state, token,
-- version, redeemed, held, max_redemptions, max_redemptions_per_customer, expires_at
-- in milliseconds. Empty is no limit. That of a gift card goes on with its balance and
-- the number of its transactions. Most codes have no limit and many are never
-- redeemed: what comes last and is none is left out. Scripts pass a configuration on
-- as it is, semicolon included, and never look into it.

local function promotion_parse(text)
  if not text then
    return nil
  end
  local p = {}
  p.state, p.token, p.version, p.redeemed, p.held, p.max, p.max_customer, p.expires, p.balance, p.moves, p.terms =
    string.match(text, '^(%u),(%w*),(%d+),?(%d*),?(%d*),?(%d*),?(%d*),?(%d*),?(%d*),?(%d*)(.*)$')
  if not p.terms or p.terms ~= '' and string.sub(p.terms, 1, 1) ~= ';' then
    return {}
  end
  p.redeemed = p.redeemed ~= '' and p.redeemed or '0'
  p.held = p.held ~= '' and p.held or '0'
  return p
end

local function promotion_read(key, field)
  return promotion_parse(redis.call('HGET', key, field))
end

local function promotion_number(n)
  return type(n) == 'number' and string.format('%.0f', n) or n or ''
end

-- promotion_text takes its numbers as numbers or as text; nil is no limit.
local function promotion_text(p)
  local text = string.format('%s,%s,%s,%s,%s,%s,%s,%s', p.state, p.token, p.version, promotion_number(p.redeemed),
    promotion_number(p.held), promotion_number(p.max), promotion_number(p.max_customer), p.expires)
  if p.balance and p.balance ~= '' then
    text = text .. ',' .. promotion_number(p.balance) .. ',' .. promotion_number(p.moves)
  else
    text = string.gsub(string.gsub(text, ',+$', ''), ',0,0$', '')
  end
  return text .. p.terms
end

-- promotion_write stores a record under a new version.
local function promotion_write(key, field, p)
  p.version = string.format('%d', p.version + 1)
  redis.call('HSET', key, field, promotion_text(p))
end

local function promotion_alive(p)
  return p.state == 'P' or p.state == 'A'
end

local function promotion_fit(p, now)
  return (p.expires == '' or tonumber(now) < tonumber(p.expires))
    and (p.max == '' or tonumber(p.redeemed) < tonumber(p.max))
end

-- The transactions of the gift cards of a bucket are in a hash beside it, by card
-- and number; the first one, the issue, is told by the card's configuration. A
-- transaction is a line of fields separated by tabs: kind, amount, balance after it,
-- instant in milliseconds, what it belongs to, reason.
local function promotion_moves(bucket)
  return bucket .. ':m'
end

local function promotion_move_field(field, number)
  return string.format('%s/%d', field, number)
end

local function promotion_move(kind, amount, balance, now, belongs_to, reason)
  return table.concat({ kind, string.format('%.0f', amount), string.format('%.0f', balance), now, belongs_to, reason }, '\t')
end
