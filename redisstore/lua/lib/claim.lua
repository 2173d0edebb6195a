-- Copyright 2026 The discountd Authors
-- SPDX-License-Identifier: Apache-2.0

-- Library "claim": who holds a code. A bucket is a hash with, for each normal
-- form of a code, a field for everyone (the form), a field for each identity it
-- was ever bound to (form, space, identity), and how many of the latter there
-- are and are held (form, space, '#').
--
-- A value is owner;formers. The owner is coupon/code/token, or empty; the formers
-- are coupon/code of those who held it before, the last one first, one for each
-- coupon.

local FORMERS = 32

local function claim_field(form, scope)
  return scope == '' and form or form .. ' ' .. scope
end

local function claim_split(value)
  local owner, formers = string.match(value or ';', '^([^;]*);(.*)$')
  return owner, formers
end

-- claim_conflicting returns the fields that a claim by scope would conflict with,
-- its own among them, and their values: flat, in the order of the fields' names,
-- absent ones as ''.
local function claim_conflicting(key, form, scope)
  if scope ~= '' then
    local own = claim_field(form, scope)
    local v = redis.call('HMGET', key, form, own)
    return { form, v[1] or '', own, v[2] or '' }
  end
  local v = redis.call('HMGET', key, form, form .. ' #')
  local out = { form, v[1] or '' }
  if v[2] then
    local all, names = redis.call('HGETALL', key), {}
    local values = {}
    for i = 1, #all, 2 do
      if string.sub(all[i], 1, #form + 1) == form .. ' ' and string.sub(all[i], -2) ~= ' #' then
        names[#names + 1] = all[i]
        values[all[i]] = all[i + 1]
      end
    end
    table.sort(names)
    for _, name in ipairs(names) do
      out[#out + 1] = name
      out[#out + 1] = values[name]
    end
  end
  return out
end

-- claim_formers puts an owner at the head of the formers, in place of an earlier
-- one of the same coupon.
local function claim_formers(owner, formers)
  if owner == '' then
    return formers
  end
  local coupon, code = string.match(owner, '^([^/]*)/([^/]*)/')
  local out, n = { coupon .. '/' .. code }, 1
  for c, p in string.gmatch(formers, '([^/,]+)/([^/,]+)') do
    if c ~= coupon and n < FORMERS then
      n = n + 1
      out[n] = c .. '/' .. p
    end
  end
  return table.concat(out, ',')
end

-- claim_count returns how many identities a form was ever bound to, and how many
-- hold it.
local function claim_count(key, form)
  local fields, held = string.match(redis.call('HGET', key, form .. ' #') or '0,0', '^(%d+),(%d+)$')
  return tonumber(fields), tonumber(held)
end
