-- Copyright 2026 The discountd Authors
-- SPDX-License-Identifier: Apache-2.0

-- claim_take ends step 2: one compare-and-set. If every field that a claim would
-- conflict with is as it was read, the owner takes its own field and the others
-- are released. Those who held them are remembered.
-- USES     claim
-- KEYS     bucket
-- ARGV     form scope owner limit (field value)...
-- OUTCOMES ok moved full
local bucket = KEYS[1]
local form, scope, owner, limit = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])

local own_field = claim_field(form, scope)
local have = redis.call('HGET', bucket, own_field)
if claim_split(have) == owner then
  return { 'ok' } -- this very write, sent twice
end
local current = claim_conflicting(bucket, form, scope)
if #current ~= #ARGV - 4 then
  return { 'moved' }
end
for i, text in ipairs(current) do
  if text ~= ARGV[4 + i] then
    return { 'moved' }
  end
end
local fields, held = claim_count(bucket, form)
if scope ~= '' and not have then
  if fields >= limit then
    return { 'full' }
  end
  fields = fields + 1
end

for i = 1, #current, 2 do
  local was, formers = claim_split(current[i + 1] ~= '' and current[i + 1] or nil)
  local bound = current[i] ~= form
  if current[i] == own_field then
    redis.call('HSET', bucket, own_field, owner .. ';' .. claim_formers(was, formers))
    if bound and was == '' then
      held = held + 1
    end
  elseif was ~= '' then
    redis.call('HSET', bucket, current[i], ';' .. claim_formers(was, formers))
    if bound then
      held = held - 1
    end
  end
end
if fields > 0 then
  redis.call('HSET', bucket, form .. ' #', string.format('%d,%d', fields, held))
end
return { 'ok' }
