-- Copyright 2026 The discountd Authors
-- SPDX-License-Identifier: Apache-2.0

-- counts reads, at one moment, the counters that many evaluations of one coupon
-- need, for rules that are known already. It writes nothing. Each names a promotion
-- code, if it is about one, and counts of the hash of customers with a space
-- between them. Its value has three lines: the head as fields and values with
-- tabs between them (the mark of an audit has a space), the promotion code's
-- record, the counts.
-- USES     promotion books
-- KEYS     head customers promotions
-- ARGV     (code count_fields)...
-- OUTCOMES decided absent
-- EACH     counted
local head, customers, promotions = KEYS[1], KEYS[2], KEYS[3]

local h = redis.call('HGETALL', head)
if #h == 0 then
  return { 'absent' }
end
local head_text = table.concat(h, '\t')

-- What several ask for is read once.
local b = { customers = customers, promotions = promotions, uses = {} }
local fields, buckets = {}, {}
for a = 1, #ARGV, 2 do
  local code = ARGV[a]
  if code ~= '' then
    local bucket = books_bucket(b, code)
    buckets[bucket] = buckets[bucket] or {}
    table.insert(buckets[bucket], code)
  end
  for field in string.gmatch(ARGV[a + 1], '%S+') do
    fields[#fields + 1] = field
  end
end
books_fetch_uses(b, fields)
local records = {}
for bucket, codes in pairs(buckets) do
  local names = {}
  for i, code in ipairs(codes) do
    names[i] = string.sub(code, 5)
  end
  for i, record in ipairs(books_read(bucket, names)) do
    records[codes[i]] = record and string.match(record, '^[^;]*')
  end
end

local function answer(code, count_fields)
  local counts = {}
  for field in string.gmatch(count_fields, '%S+') do
    counts[#counts + 1] = string.format('%d', b.uses[field])
  end
  return 'counted', table.concat({ head_text, records[code] or '', table.concat(counts, ' ') }, '\n')
end

local out = { 'decided' }
for a = 1, #ARGV, 2 do
  out[#out + 1], out[#out + 2] = answer(ARGV[a], ARGV[a + 1])
end
return out
