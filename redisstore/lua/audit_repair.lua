-- Copyright 2026 The discountd Authors
-- SPDX-License-Identifier: Apache-2.0

-- audit_repair mends what an audit has found to be wrong. A counter is changed by
-- the difference between what it was and what it should have been, so that it does
-- not matter what was redeemed meanwhile; one that would become negative stays. A
-- copy of a configuration is replaced if it is the one that was found and the
-- configuration still has that version. Each repair has a number, one more than the
-- last, and is made once.
--
-- Kinds: 'head' a counter of the head, 'copy' a field of the head that repeats the
-- configuration, 'use' a count of the hash of customers, 'redeemed' and 'held' of a
-- promotion code, 'terms' what its record repeats of its configuration, 'hold' a
-- reservation by its position, 'due' when the first falls due, 'request' the
-- position that a request id leads to, if it leads nowhere.
-- USES     promotion ledger audit
-- KEYS     head customers holds ledger promotions requests
-- ARGV     token sure_ms page_size step (kind name stored want version)...
-- OUTCOMES ok lost
local head, customers, holds, ledger, promotions, requests = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local token, sure_ms, page_size, step = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
local FIRST, STRIDE = 4, 5

local made = audit_step(head, token, sure_ms)
if made == step then
  return { 'ok' } -- this very write, sent twice
end
if not made or tonumber(made) ~= step - 1 then
  return { 'lost' }
end

-- Read and decide.
local INTEGER = '^%-?%d+$'

-- mended returns what a counter is to be, or nil when it must stay as it is.
local function mended(current, o)
  if o.stored ~= '' and not string.match(o.stored, INTEGER) then
    return current == o.stored and o.want or nil -- nothing can have counted on
  end
  if current ~= '' and not string.match(current, INTEGER) then
    return nil
  end
  local value = tonumber(current ~= '' and current or '0') + tonumber(o.want) - tonumber(o.stored ~= '' and o.stored or '0')
  return value >= 0 and string.format('%.0f', value) or nil
end

local to_head, to_customers, to_requests, to_buckets = {}, {}, {}, {}
local to_holds, from_holds, due_again = {}, {}, false
local codes = {}

local function set(list, field, value)
  if value then
    list[#list + 1] = field
    list[#list + 1] = value
  end
end

-- code_fields returns the fields of a promotion code's record, also of one whose
-- counters no script can read, or nil.
local function code_fields(code)
  if codes[code] == nil then
    local text = redis.call('HGET', promotions .. ':' .. string.sub(code, 1, 4), string.sub(code, 5)) or ''
    local record, terms = string.match(text, '^([^;]*)(.*)$')
    local p = { terms = terms }
    p.state, p.token, p.version, p.redeemed, p.held, p.max, p.max_customer, p.expires, p.balance, p.moves =
      string.match(record, '^(%u),(%w*),(%d+),?([^,]*),?([^,]*),?([^,]*),?([^,]*),?([^,]*),?(%d*),?(%d*)$')
    -- They may be left out, but not before others.
    if p.redeemed == '' then
      p.redeemed = '0'
    end
    if p.held == '' then
      p.held = '0'
    end
    codes[code] = p.state and p or false
  end
  return codes[code] or nil
end

local function mend_count(o, field)
  local p = code_fields(o.name)
  local value = p and mended(p[field], o)
  if value then
    p[field], p.changed = value, true
  end
end

local mend = {}

function mend.head(o)
  set(to_head, o.name, mended(redis.call('HGET', head, o.name) or '', o))
end

function mend.copy(o)
  local h = redis.call('HMGET', head, 'v', o.name)
  if h[1] == o.version and (h[2] or '') == o.stored then
    set(to_head, o.name, o.want)
  end
end

function mend.use(o)
  set(to_customers, o.name, mended(redis.call('HGET', customers, o.name) or '', o))
end

function mend.redeemed(o)
  mend_count(o, 'redeemed')
end

function mend.held(o)
  mend_count(o, 'held')
end

function mend.terms(o)
  local p = code_fields(o.name)
  if p and p.version == o.version and p.max .. ',' .. p.max_customer .. ',' .. p.expires == o.stored then
    p.max, p.max_customer, p.expires = string.match(o.want, '^([^,]*),([^,]*),([^,]*)$')
    p.changed = true
  end
end

function mend.hold(o)
  local position = tonumber(o.name)
  local text = position and ledger_read(ledger, position, page_size)
  local reserved = text and string.sub(text, 1, 2) == 'H\t'
  local score = redis.call('ZSCORE', holds, o.name)
  if reserved and o.want ~= '' then
    set(to_holds, o.want, o.name)
  elseif not reserved and score then
    from_holds[#from_holds + 1] = o.name
  end
  due_again = true
end

function mend.due()
  redis.call('ZSCORE', holds, '0') -- proves its type
  due_again = true
end

function mend.request(o)
  if redis.call('HEXISTS', requests, o.name) == 0 then
    set(to_requests, o.name, o.want)
  end
end

for a = FIRST, #ARGV - STRIDE, STRIDE do
  local o = { name = ARGV[a + 2], stored = ARGV[a + 3], want = ARGV[a + 4], version = ARGV[a + 5] }
  mend[ARGV[a + 1]](o)
end
for code, p in pairs(codes) do
  if p and p.changed then
    local bucket = promotions .. ':' .. string.sub(code, 1, 4)
    to_buckets[bucket] = to_buckets[bucket] or {}
    set(to_buckets[bucket], string.sub(code, 5), promotion_text(p))
  end
end

-- Write.
set(to_head, 'a', token .. ' ' .. step)
redis.call('HSET', head, unpack(to_head))
if #to_customers > 0 then
  redis.call('HSET', customers, unpack(to_customers))
end
for bucket, values in pairs(to_buckets) do
  redis.call('HSET', bucket, unpack(values))
end
if #to_requests > 0 then
  redis.call('HSET', requests, unpack(to_requests))
end
if #to_holds > 0 then
  redis.call('ZADD', holds, unpack(to_holds))
end
if #from_holds > 0 then
  redis.call('ZREM', holds, unpack(from_holds))
end
if due_again then
  redis.call('HSET', head, 'd', redis.call('ZRANGE', holds, 0, 0, 'WITHSCORES')[2] or '')
end
return { 'ok' }
