-- Copyright 2026 The discountd Authors
-- SPDX-License-Identifier: Apache-2.0

-- Library "ledger": the records of a coupon's redemptions, a list in pages. The
-- key of a page follows from a position, which often only a script knows; it is
-- derived here, under the tag of the ledger's own key.
--
-- A record is a line of fields separated by tabs. The first three are the
-- script's to change: the state (H reserved, R redeemed, L released, E expired, V
-- voided), the amount granted, the part of it that was voided. The rest is what
-- the caller gave, and at its end what was noted since.

local function ledger_page(ledger, position, page_size)
  return string.format('%s:%d', ledger, math.floor((position - 1) / page_size))
end

local function ledger_read(ledger, position, page_size)
  return redis.call('LINDEX', ledger_page(ledger, position, page_size), (position - 1) % page_size)
end

-- ledger_changes is the list of the positions of records that were changed while
-- an audit read the ledger, so that it knows what to read again.
local function ledger_changes(ledger)
  return ledger .. ':w'
end

-- How long that list outlives its last entry, in milliseconds. An audit that goes
-- on takes note of it much sooner.
local CHANGES_KEPT = 3600000

local function ledger_write(b, ledger, position, page_size, text)
  redis.call('LSET', ledger_page(ledger, position, page_size), (position - 1) % page_size, text)
  if b.audited then
    redis.call('RPUSH', ledger_changes(ledger), string.format('%d', position))
    redis.call('PEXPIRE', ledger_changes(ledger), CHANGES_KEPT)
  end
end

local function ledger_split(text)
  local r = {}
  r.state, r.granted, r.voided, r.rest = string.match(text, '^(%u)\t(%d+)\t(%d+)\t(.*)$')
  return r
end

local function ledger_text(r)
  return r.state .. '\t' .. r.granted .. '\t' .. r.voided .. '\t' .. r.rest
end
