-- Copyright 2026 The discountd Authors
-- SPDX-License-Identifier: Apache-2.0

-- expire ends reservations that are due, a bounded number of them, for a reader
-- whom they keep from telling what is free. Everyone who takes capacity does the
-- same by the way; nothing depends on this being called.
-- USES     promotion books ledger holds
-- KEYS     head customers holds ledger promotions
-- ARGV     page_size now_ms
-- OUTCOMES ok again absent
local head, customers, holds, ledger, promotions = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local page_size, now = tonumber(ARGV[1]), ARGV[2]

local b = books_open(head, customers, promotions, now)
if not b then
  return { 'absent' }
end
if holds_expire(b, ledger, holds, page_size, now) then
  holds_store(b, ledger, holds, page_size)
  books_write(b)
end
if holds_are_due(b, now) then
  return { 'again' }
end
return { 'ok' }
