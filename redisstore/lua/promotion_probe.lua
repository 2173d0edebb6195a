-- Copyright 2026 The discountd Authors
-- SPDX-License-Identifier: Apache-2.0

-- promotion_probe is the part of step 2 that is played in the slot of a holder: it
-- tells whether the promotion code that a claim names still stands behind it. One
-- that can never be redeemed again gives way.
--
-- Modes: 'probe' takes nothing away; 'take' makes a holder that gives way
-- SUPERSEDED, and one that was never stored DELETED, so that it cannot come back;
-- 'own' is for the claimant itself under another token, which never gives way.
-- A PENDING holder that stands is finished: it becomes ACTIVE.
--
-- 'look' and 'evict' are 'probe' and 'take' for who comes from a code's other form, or
-- does not know it, and so cannot see whether the holder may be finished: it stays
-- PENDING.
-- USES     coupon promotion
-- KEYS     head promotions
-- ARGV     field token now_ms mode
-- OUTCOMES held pending free unfit
local head, promotions = KEYS[1], KEYS[2]
local field, token, now, mode = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

local p = promotion_read(promotions, field)
local takes, finishes = mode == 'take' or mode == 'evict', mode ~= 'look' and mode ~= 'evict'
if not p then
  if takes then
    promotion_write(promotions, field, {
      state = 'D', token = token, version = '0', redeemed = '0', held = '0',
      max = '', max_customer = '', expires = '', terms = '',
    })
  end
  return { 'free' }
end
if p.token ~= token or not promotion_alive(p) then
  return { 'free' }
end
if mode == 'own' and p.state == 'A' then
  return { 'held' }
end
if not (coupon_fit(head, now) and promotion_fit(p, now)) then
  if mode == 'own' then
    return { 'unfit' }
  end
  if takes then
    p.state = 'S'
    promotion_write(promotions, field, p)
  end
  return { 'free' }
end
if p.state == 'P' and not finishes then
  return { 'pending' }
end
if p.state == 'P' then
  p.state = 'A'
  promotion_write(promotions, field, p)
end
return { 'held' }
