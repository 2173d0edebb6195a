-- Copyright 2026 The discountd Authors
-- SPDX-License-Identifier: Apache-2.0

-- store_open writes what all servers of a store must agree on, once, and returns
-- what stands there.
-- KEYS     meta
-- ARGV     store_id layout buckets hash_key_fingerprint
-- OUTCOMES ok
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('HSET', KEYS[1], 'id', ARGV[1], 'layout', ARGV[2], 'buckets', ARGV[3], 'hash_key', ARGV[4])
end
local m = redis.call('HMGET', KEYS[1], 'id', 'layout', 'buckets', 'hash_key')
return { 'ok', m[1] or '', m[2] or '', m[3] or '', m[4] or '' }
