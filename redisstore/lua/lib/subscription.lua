-- Copyright 2026 The discountd Authors
-- SPDX-License-Identifier: Apache-2.0

-- Library "subscription": the note in a redemption's record that says what its
-- subscription keeps: cycles used, cycles in all (0 is no limit), when it ended in
-- milliseconds or nothing, and what scripts have no use for.

-- subscription_read returns nil for a redemption without a subscription. No text of
-- a caller's holds the separator, so nothing else in a record looks like the note.
local function subscription_read(r)
  local used, cycles, ended = string.match(r.rest, '\ts(%d+)\31(%d+)\31(%d*)\31')
  return used and { used = tonumber(used), cycles = tonumber(cycles), ended = ended }
end

local function subscription_write(r, d)
  local before, after = string.match(r.rest, '^(.*\ts)%d+\31%d+\31%d*(\31.*)$')
  r.rest = string.format('%s%d\31%d\31%s%s', before, d.used, d.cycles, d.ended, after)
end
