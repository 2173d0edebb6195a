-- Copyright 2026 The discountd Authors
-- SPDX-License-Identifier: Apache-2.0

-- redeem decides up to 500 redemptions of one coupon, in the order given. The
-- number of Redis calls grows with the number of different buckets of promotion
-- codes among them, of pages of the ledger that they fill and of replays, and with
-- nothing else. Each is decided as if it were alone: all of its limits are taken,
-- or none.
--
-- The rules were evaluated outside at the versions given; here is decided only
-- what can race: was the request seen, are the versions still those, is there
-- room below every limit. Records go to the ledger, a list in pages, whose
-- key follows from the length of the ledger, which only the script knows.
-- USES     promotion
-- KEYS     head requests customers ledger promotions...
-- ARGV     page_size (request coupon_version bucket code code_version identity identity record)...
-- OUTCOMES decided absent broken oversized
-- EACH     redeemed replay stale limit
local head, requests, customers, ledger = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local page_size = tonumber(ARGV[1])
local STRIDE = 8
local n = (#ARGV - 1) / STRIDE
-- Lua passes on no more than some 8,000 values at once, of which a redemption has
-- up to eight among the counters of its customer: a write would fail.
if n > 500 then
  return { 'oversized' }
end

-- Read everything first; each read also proves the key's type, so that no write
-- below can fail.
local h = redis.call('HMGET', head, 's', 'v', 'm', 'u', 'r', 'h', 'q')
if not h[1] then
  return { 'absent' }
end
local coupon_version, coupon_max, customer_max = h[2], tonumber(h[3]), tonumber(h[4])
local redeemed, held, length = tonumber(h[5]), tonumber(h[6]), tonumber(h[7])

local function page_key(position)
  return string.format('%s:%d', ledger, math.floor(position / page_size))
end
if redis.call('LLEN', page_key(length)) ~= length % page_size then
  return { 'broken' }
end

local request_of, use_fields = {}, {}
local use_at = {} -- field -> its place in use_fields
local function want_use(field)
  if not use_at[field] then
    use_fields[#use_fields + 1] = field
    use_at[field] = #use_fields
  end
end
local promotion_of, codes_in = {}, {} -- code -> record; bucket -> the codes asked for
for i = 1, n do
  local a = (i - 1) * STRIDE + 1
  request_of[i] = ARGV[a + 1]
  local bucket, code = KEYS[4 + ARGV[a + 3]], ARGV[a + 4]
  if code ~= '' and not promotion_of[code] then
    promotion_of[code] = true
    codes_in[bucket] = codes_in[bucket] or {}
    table.insert(codes_in[bucket], code)
  end
  for k = a + 6, a + 7 do
    if ARGV[k] ~= '' then
      want_use(ARGV[k])
      if code ~= '' then
        want_use(code .. '/' .. ARGV[k])
      end
    end
  end
end
for bucket, codes in pairs(codes_in) do
  local fields = {}
  for i, code in ipairs(codes) do
    fields[i] = string.sub(code, 5)
  end
  local texts = redis.call('HMGET', bucket, unpack(fields))
  for i, code in ipairs(codes) do
    promotion_of[code] = promotion_parse(texts[i]) or { version = '' }
    promotion_of[code].bucket = bucket
  end
end
local seen = redis.call('HMGET', requests, unpack(request_of))
local position_of = {}
for i = 1, n do
  if seen[i] then
    position_of[request_of[i]] = tonumber(seen[i])
  end
end
local uses = #use_fields > 0 and redis.call('HMGET', customers, unpack(use_fields)) or {}
for i = 1, #use_fields do
  uses[i] = tonumber(uses[i] or '0')
end

-- Decide in order.
local out, records, new_requests, used, changed = { 'decided' }, {}, {}, {}, {}
local first = length

local function record_at(position)
  if position > first then
    return records[position - first]
  end
  return redis.call('LINDEX', page_key(position - 1), (position - 1) % page_size) or ''
end

local function limits_reached(code, p, identity1, identity2)
  local reached = ''
  if coupon_max and redeemed + held >= coupon_max then
    reached = reached .. (redeemed >= coupon_max and 'C' or 'R')
  end
  local code_max = p and tonumber(p.max)
  if code_max and p.redeemed + p.held >= code_max then
    reached = reached .. (tonumber(p.redeemed) >= code_max and 'P' or 'R')
  end
  local code_customer_max = p and tonumber(p.max_customer)
  for _, identity in ipairs({ identity1, identity2 }) do
    if identity ~= '' then
      if customer_max and uses[use_at[identity]] >= customer_max then
        reached = reached .. 'U'
      end
      if code_customer_max and uses[use_at[code .. '/' .. identity]] >= code_customer_max then
        reached = reached .. 'V'
      end
    end
  end
  return reached
end

local function charge(field)
  local at = use_at[field]
  uses[at] = uses[at] + 1
  used[at] = true
end

local function decide(a)
  local request, code = ARGV[a + 1], ARGV[a + 4]
  local identity1, identity2 = ARGV[a + 6], ARGV[a + 7]
  if position_of[request] then
    return 'replay', string.format('%d\t%s', position_of[request], record_at(position_of[request]))
  end
  local p = code ~= '' and promotion_of[code] or nil
  if ARGV[a + 2] ~= coupon_version or (p and p.version ~= ARGV[a + 5]) then
    return 'stale', ''
  end
  local reached = limits_reached(code, p, identity1, identity2)
  if reached ~= '' then
    return 'limit', reached
  end
  redeemed, length = redeemed + 1, length + 1
  if p then
    p.redeemed = string.format('%d', p.redeemed + 1)
    changed[code] = p
  end
  for _, identity in ipairs({ identity1, identity2 }) do
    if identity ~= '' then
      charge(identity)
      if code ~= '' then
        charge(code .. '/' .. identity)
      end
    end
  end
  position_of[request] = length
  records[length - first] = 'R\t' .. ARGV[a + 8]
  new_requests[#new_requests + 1] = request
  new_requests[#new_requests + 1] = string.format('%d', length)
  return 'redeemed', string.format('%d', length)
end

for i = 1, n do
  local outcome, value = decide((i - 1) * STRIDE + 1)
  out[#out + 1] = outcome
  out[#out + 1] = value
end
if length == first then
  return out
end
for at = first - first % page_size + page_size, length - 1, page_size do
  if redis.call('LLEN', page_key(at)) ~= 0 then
    return { 'broken' }
  end
end

-- Write.
redis.call('HSET', head, 'r', string.format('%d', redeemed), 'q', string.format('%d', length))
redis.call('HSET', requests, unpack(new_requests))
local at = first
while at < length do
  local take = math.min(length - at, page_size - at % page_size)
  redis.call('RPUSH', page_key(at), unpack(records, at - first + 1, at - first + take))
  at = at + take
end
local by_bucket = {}
for code, p in pairs(changed) do
  local fields = by_bucket[p.bucket] or {}
  fields[#fields + 1] = string.sub(code, 5)
  fields[#fields + 1] = promotion_text(p)
  by_bucket[p.bucket] = fields
end
for bucket, fields in pairs(by_bucket) do
  redis.call('HSET', bucket, unpack(fields))
end
local customer_fields = {}
for i in pairs(used) do
  customer_fields[#customer_fields + 1] = use_fields[i]
  customer_fields[#customer_fields + 1] = string.format('%d', uses[i])
end
if #customer_fields > 0 then
  redis.call('HSET', customers, unpack(customer_fields))
end
return out
