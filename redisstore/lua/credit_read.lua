-- Copyright 2026 The discountd Authors
-- SPDX-License-Identifier: Apache-2.0

-- credit_read returns what a customer's head holds: balances by currency, and how
-- many transactions there are. Transfers that are on their way are returned
-- instead, each with its origin, unless the caller has looked after them. It writes
-- nothing.
-- KEYS     head expected
-- ARGV     looked_after
-- OUTCOMES ok expected
local head, expected = KEYS[1], KEYS[2]
local looked_after = ARGV[1]

if looked_after == '' then
  local out = redis.call('HGETALL', expected)
  if #out > 0 then
    table.insert(out, 1, 'expected')
    return out
  end
end
local out = { 'ok' }
for _, text in ipairs(redis.call('HGETALL', head)) do
  out[#out + 1] = text
end
return out
