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

-- ledger_now returns a record as this script has left it.
local function ledger_now(b, ledger, position, page_size)
  return b.records[position] or ledger_read(ledger, position, page_size)
end

-- ledger_write changes a record, which ledger_store then stores.
local function ledger_write(b, position, text)
  if not b.records[position] then
    b.rewritten[#b.rewritten + 1] = position
  end
  b.records[position] = text
end

local function ledger_store(b, ledger, page_size)
  for _, position in ipairs(b.rewritten) do
    redis.call('LSET', ledger_page(ledger, position, page_size), (position - 1) % page_size, b.records[position])
    if b.audited then
      redis.call('RPUSH', ledger_changes(ledger), string.format('%d', position))
      redis.call('PEXPIRE', ledger_changes(ledger), CHANGES_KEPT)
    end
  end
end

local function ledger_split(text)
  local r = {}
  r.state, r.granted, r.voided, r.rest = string.match(text, '^(%u)\t(%d+)\t(%d+)\t(.*)$')
  return r
end

-- ledger_request returns the id of the request that made a record.
local function ledger_request(r)
  return string.match(r.rest, '^' .. string.rep('[^\t]*\t', 8) .. '([^\t]*)')
end

local function ledger_text(r)
  return r.state .. '\t' .. r.granted .. '\t' .. r.voided .. '\t' .. r.rest
end
