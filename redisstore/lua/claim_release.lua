-- Copyright 2026 The discountd Authors
-- SPDX-License-Identifier: Apache-2.0

-- claim_release gives a code back: the field has no owner any more, if it is
-- still this owner with this token, who is remembered.
-- USES     claim
-- KEYS     bucket
-- ARGV     form scope owner
-- OUTCOMES ok moved
local bucket = KEYS[1]
local form, scope, owner = ARGV[1], ARGV[2], ARGV[3]

local field = claim_field(form, scope)
local have, formers = claim_split(redis.call('HGET', bucket, field))
if have ~= owner then
  return { 'moved' }
end

redis.call('HSET', bucket, field, ';' .. claim_formers(have, formers))
if scope ~= '' then
  local fields, held = claim_count(bucket, form)
  redis.call('HSET', bucket, form .. ' #', string.format('%d,%d', fields, held - 1))
end
return { 'ok' }
