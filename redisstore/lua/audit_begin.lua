-- Copyright 2026 The discountd Authors
-- SPDX-License-Identifier: Apache-2.0

-- audit_begin marks a coupon as being audited, unless another audit is at it. Of a
-- coupon without a head it tells whether a configuration and how many records of
-- its ledger are there.
-- USES     ledger
-- KEYS     head definition ledger
-- ARGV     token now_ms until_ms
-- OUTCOMES ok busy absent
local head, definition, ledger = KEYS[1], KEYS[2], KEYS[3]
local token, now, until_ms = ARGV[1], ARGV[2], ARGV[3]

local h = redis.call('HMGET', head, 'v', 'a', 'A')
if not h[1] then
  local records = redis.call('LLEN', ledger_page(ledger, 1, 1))
  return { 'absent', string.format('%d', redis.call('EXISTS', definition)), string.format('%d', records) }
end
local changes = ledger_changes(ledger)
redis.call('LLEN', changes) -- proves its type
local mark = token .. ' 0'
if h[2] == mark then
  return { 'ok' } -- this very write, sent twice
end
if h[3] and tonumber(h[3]) > tonumber(now) then
  return { 'busy' }
end

redis.call('HSET', head, 'a', mark, 'A', until_ms)
redis.call('DEL', changes)
return { 'ok' }
