-- Copyright 2026 The discountd Authors
-- SPDX-License-Identifier: Apache-2.0

-- store_beat advances the sequence of the store and notes for one server how far it
-- has seen it. A server whose note is behind what it knows to have been written is
-- told so: the store has lost writes. Given a new id, the store goes on from there
-- under it. The notes of those that came last are kept, at most so many.
-- KEYS     meta servers
-- ARGV     store_id server known most now_ms new_id
-- OUTCOMES ok changed back unwritten
local meta, servers = KEYS[1], KEYS[2]
local store_id, server, known, most = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local now, new_id = ARGV[5], ARGV[6]

local m = redis.call('HMGET', meta, 'id', 'seq', 'at')
local id, seq, at = m[1] or '', m[2] or '0', m[3] or '0'
if id ~= store_id then
  return { 'changed', id }
end
local note = redis.call('ZSCORE', servers, server)
local back
if note then
  back = tonumber(note) < known or tonumber(seq) < known
else
  -- A note that was written is missing: the store is from before it, unless
  -- others have pushed it out.
  back = known > 0 and (tonumber(seq) < known or redis.call('ZCARD', servers) < most)
end
if back and new_id == '' then
  return { 'back', seq, at }
end
local n = redis.pcall('HINCRBY', meta, 'seq', 1)
if type(n) == 'table' then
  return { 'unwritten', n.err }
end
redis.call('HSET', meta, 'at', now)
if back then
  redis.call('HSET', meta, 'id', new_id)
end
redis.call('ZADD', servers, n, server)
redis.call('ZREMRANGEBYRANK', servers, 0, -(most + 1))
return { 'ok', string.format('%.0f', n) }
