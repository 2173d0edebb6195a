-- Copyright 2026 The discountd Authors
-- SPDX-License-Identifier: Apache-2.0

-- Library "coupon": the head of a coupon, which holds its counters beside the
-- limits they are held against, so that a counter cannot be missing without its
-- limit.

-- coupon_fit tells whether a coupon can still be redeemed at the instant now, by
-- the clock of whoever asks: not deleted, not past its last instant, not used up.
-- Holds do not make it unfit.
local function coupon_fit(key, now)
  local h = redis.call('HMGET', key, 's', 'e', 'm', 'r')
  return h[1] == 'A'
    and (h[2] == '' or tonumber(now) < tonumber(h[2]))
    and (h[3] == '' or tonumber(h[4]) < tonumber(h[3]))
end
