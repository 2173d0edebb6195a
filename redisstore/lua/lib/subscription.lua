-- Copyright 2026 The discountd Authors
-- SPDX-License-Identifier: Apache-2.0

-- Library "subscription": the note in a redemption's record that says what its
-- subscription keeps: cycles used, cycles in all (0 is no limit), when it ended in
-- milliseconds or nothing, what renewals have taken off, and what scripts have no use
-- for. With what renewals have taken off, the ledger alone tells what was spent: by
-- currency, the total and the part of it for the products of a budget.

-- subscription_read returns nil for a redemption without a subscription. No text of
-- a caller's holds the separator, so nothing else in a record looks like the note.
local function subscription_read(r)
  local used, cycles, ended, spent = string.match(r.rest, '\ts(%d+)\31(%d+)\31(%d*)\31([%u%d ,]*)\31')
  return used and { used = tonumber(used), cycles = tonumber(cycles), ended = ended, spent = spent }
end

-- subscription_use uses a cycle for an amount.
local function subscription_use(d, currency, amount, scoped)
  local sums, found = {}, false
  for of, total, part in string.gmatch(d.spent, '(%u+) (%d+) (%d+)') do
    if of == currency then
      found, total, part = true, tonumber(total) + amount, tonumber(part) + scoped
    end
    sums[#sums + 1] = string.format('%s %d %d', of, tonumber(total), tonumber(part))
  end
  if not found then
    sums[#sums + 1] = string.format('%s %d %d', currency, amount, scoped)
  end
  d.used, d.spent = d.used + 1, table.concat(sums, ',')
end

local function subscription_write(r, d)
  local before, after = string.match(r.rest, '^(.*\ts)%d+\31%d+\31%d*\31[%u%d ,]*(\31.*)$')
  r.rest = string.format('%s%d\31%d\31%s\31%s%s', before, d.used, d.cycles, d.ended, d.spent, after)
end
