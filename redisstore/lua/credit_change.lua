-- Copyright 2026 The discountd Authors
-- SPDX-License-Identifier: Apache-2.0

-- credit_change moves the credit of one customer in one currency, once for each
-- request. Kinds: A adds an amount, which may be below zero; T adds what a transfer
-- brings, which is never refused; U takes as much as there is of an amount.
--
-- Transfers that are on their way are returned instead, each with its origin, unless
-- the caller has looked after them. A transaction is a line of fields separated by
-- tabs: kind, amount, balance after it, instant, what it belongs to, reason or
-- origin, currency.
-- USES     ledger
-- KEYS     head requests ledger expected
-- ARGV     page_size looked_after kind request fingerprint currency amount now_ms belongs_to detail transfer
-- OUTCOMES ok replay reused expected short full broken
local head, requests, ledger, expected = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local page_size, looked_after, kind, request, fingerprint = tonumber(ARGV[1]), ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local currency, amount, now, belongs_to, detail, transfer = ARGV[6], ARGV[7], ARGV[8], ARGV[9], ARGV[10], ARGV[11]

local MAX_BALANCE = 4503599627370495

local seen = redis.call('HGET', requests, request)
if seen then
  local position, have = string.match(seen, '^(%d+) (.*)$')
  if have ~= fingerprint then
    return { 'reused' }
  end
  redis.call('HDEL', expected, transfer)
  return { 'replay', position, ledger_read(ledger, tonumber(position), page_size) }
end
local out = redis.call('HGETALL', expected)
if kind ~= 'T' and looked_after == '' and #out > 0 then
  table.insert(out, 1, 'expected')
  return out
end
local h = redis.call('HMGET', head, 'b:' .. currency, 'q')
local balance, length = tonumber(h[1] or '0'), tonumber(h[2] or '0')
local change = tonumber(amount)
if kind == 'U' then
  change = 0 - math.min(change, balance)
end
if balance + change < 0 then
  return { 'short', string.format('%.0f', balance) }
end
if kind == 'A' and change > MAX_BALANCE - balance then
  return { 'full' }
end
if redis.call('LLEN', ledger_page(ledger, length + 1, page_size)) ~= length % page_size then
  return { 'broken' }
end

local position = string.format('%d', length + 1)
local after = string.format('%.0f', balance + change)
local text = table.concat({ kind, string.format('%.0f', change), after, now, belongs_to, detail, currency }, '\t')
redis.call('HSET', head, 'b:' .. currency, after, 'q', position)
redis.call('RPUSH', ledger_page(ledger, length + 1, page_size), text)
redis.call('HSET', requests, request, position .. ' ' .. fingerprint)
redis.call('HDEL', expected, transfer)
return { 'ok', position, text }
