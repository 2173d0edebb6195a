-- Copyright 2026 The discountd Authors
-- SPDX-License-Identifier: Apache-2.0

-- Library "request": the request ids that commands of CouponService have used on
-- a coupon, each with the fingerprint of its command and the promotion code it
-- made or changed.

-- request_seen returns nil for an id that is new or empty, 'replay' and what it
-- made for the same command, 'reused' for another one.
local function request_seen(key, id, fingerprint)
  local seen = id ~= '' and redis.call('HGET', key, id)
  if not seen then
    return nil
  end
  local have, made = string.match(seen, '^(%S+) ?(.*)$')
  if have == fingerprint then
    return { 'replay', made }
  end
  return { 'reused' }
end

local function request_remember(key, id, fingerprint, made)
  if id ~= '' then
    redis.call('HSET', key, id, fingerprint .. ' ' .. made)
  end
end
