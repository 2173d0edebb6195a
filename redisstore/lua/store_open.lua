-- Copyright 2026 The discountd Authors
-- SPDX-License-Identifier: Apache-2.0

-- store_open writes what all servers of a store must agree on, once, and returns
-- what stands there.
-- KEYS     meta
-- ARGV     store_id layout buckets hash_key_fingerprint
-- OUTCOMES ok
local meta = KEYS[1]
local store_id, layout, buckets, hash_key = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

if redis.call('EXISTS', meta) == 0 then
  redis.call('HSET', meta, 'id', store_id, 'layout', layout, 'buckets', buckets, 'hash_key', hash_key)
end
local m = redis.call('HMGET', meta, 'id', 'layout', 'buckets', 'hash_key')
return { 'ok', m[1] or '', m[2] or '', m[3] or '', m[4] or '' }
