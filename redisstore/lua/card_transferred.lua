-- Copyright 2026 The discountd Authors
-- SPDX-License-Identifier: Apache-2.0

-- card_transferred is the last step of a transfer: what is owed has arrived.
-- KEYS     transfers
-- ARGV     transfer
-- OUTCOMES ok absent
local transfers = KEYS[1]
local transfer = ARGV[1]

local text = redis.call('HGET', transfers, transfer)
if not text then
  return { 'absent' }
end

redis.call('HSET', transfers, transfer, 'D' .. string.sub(text, 2))
return { 'ok' }
