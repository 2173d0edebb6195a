-- Copyright 2026 The discountd Authors
-- SPDX-License-Identifier: Apache-2.0

-- Library "promotion": the record of a promotion code, one short text in a bucket
-- of them: state, token, version, redeemed, held, max_redemptions,
-- max_redemptions_per_customer, expires_at in milliseconds. Empty is no limit.

local function promotion_parse(text)
  if not text then
    return nil
  end
  local p = {}
  p.state, p.token, p.version, p.redeemed, p.held, p.max, p.max_customer, p.expires =
    string.match(text, '^(%u),(%w*),(%d+),(%d+),(%d+),(%d*),(%d*),(%d*)$')
  return p
end

local function promotion_read(key, field)
  return promotion_parse(redis.call('HGET', key, field))
end

local function promotion_text(p)
  return table.concat({ p.state, p.token, p.version, p.redeemed, p.held, p.max, p.max_customer, p.expires }, ',')
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
