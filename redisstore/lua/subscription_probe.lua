-- Copyright 2026 The discountd Authors
-- SPDX-License-Identifier: Apache-2.0

-- subscription_probe tells what became of a request that has claimed a subscription:
-- the redemption it made, if it made one. With the mode 'fence' a claim that has
-- come to nothing is noted as dead, and redeem makes nothing with it any more, so
-- that a message that comes late cannot redeem for a subscription that another
-- request has claimed meanwhile. With the mode 'probe' nothing is written.
-- USES     ledger
-- KEYS     requests ledger subscriptions
-- ARGV     request token page_size mode
-- OUTCOMES made absent fenced
local requests, ledger, subscriptions = KEYS[1], KEYS[2], KEYS[3]
local request, token, page_size, mode = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]

local position = string.match(redis.call('HGET', requests, request) or '', '^%d+$')
if position then
  return { 'made', position, ledger_read(ledger, tonumber(position), page_size) }
end
local field = 'x' .. token
if redis.call('HEXISTS', subscriptions, field) == 1 then
  return { 'fenced' }
end
if mode ~= 'fence' then
  return { 'absent' }
end

redis.call('HSET', subscriptions, field, '')
return { 'fenced' }
