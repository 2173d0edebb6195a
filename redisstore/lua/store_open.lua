-- Copyright 2026 The discountd Authors
-- SPDX-License-Identifier: Apache-2.0

-- store_open writes what all servers of a store must agree on, once, and returns
-- what stands there, and how far the store has come: in all, when, and as this
-- server has seen it. It writes nothing where a store is expected to be.
-- KEYS     meta servers
-- ARGV     store_id layout buckets hash_key_fingerprint server expected
-- OUTCOMES ok gone
local meta, servers = KEYS[1], KEYS[2]
local store_id, layout, buckets, hash_key = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local server, expected = ARGV[5], ARGV[6]

if redis.call('EXISTS', meta) == 0 then
  if expected ~= '' then
    return { 'gone' }
  end
  redis.call('HSET', meta, 'id', store_id, 'layout', layout, 'buckets', buckets, 'hash_key', hash_key)
end
local m = redis.call('HMGET', meta, 'id', 'layout', 'buckets', 'hash_key', 'seq', 'at')
return {
  'ok', m[1] or '', m[2] or '', m[3] or '', m[4] or '', m[5] or '0', m[6] or '0',
  redis.call('ZSCORE', servers, server) or '', string.format('%d', redis.call('ZCARD', servers)),
}
