-- Copyright 2026 The discountd Authors
-- SPDX-License-Identifier: Apache-2.0

-- credit_expect announces a transfer to the customer it is for, before it begins:
-- whoever reads or changes the customer's credit afterwards finishes it, should
-- nobody else. It leaves room for what other transfers bring at the same time.
-- KEYS     head expected
-- ARGV     currency amount transfer origin
-- OUTCOMES ok full
local head, expected = KEYS[1], KEYS[2]
local currency, amount, transfer, origin = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

local MAX_BALANCE = 4503599627370495

local balance = tonumber(redis.call('HGET', head, 'b:' .. currency) or '0')
if tonumber(amount) > MAX_BALANCE - balance then
  return { 'full' }
end

redis.call('HSET', expected, transfer, origin)
return { 'ok' }
