-- Copyright 2026 The discountd Authors
-- SPDX-License-Identifier: Apache-2.0

-- Library "audit": the mark of an audit at the head of a coupon. It has the
-- audit's token, a space and the number of repairs it has made, and in another
-- field the moment, in milliseconds, until which it lasts. While it does, scripts
-- that change a record of the ledger note its position.

-- audit_step returns how many repairs the audit with this token has made, or nil
-- when the mark is not its own or may be over, for some server's clock, before the
-- moment given.
local function audit_step(head, token, sure)
  local h = redis.call('HMGET', head, 'a', 'A')
  local marked_by, step = string.match(h[1] or '', '^(%w+) (%d+)$')
  if marked_by == token and tonumber(h[2]) >= tonumber(sure) then
    return step
  end
  return nil
end
