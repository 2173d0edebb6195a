-- Copyright 2026 The discountd Authors
-- SPDX-License-Identifier: Apache-2.0

-- credit_forget takes back that a transfer is expected, when there is none.
-- KEYS     expected
-- ARGV     transfer
-- OUTCOMES ok
local expected = KEYS[1]
local transfer = ARGV[1]

redis.call('HDEL', expected, transfer)
return { 'ok' }
