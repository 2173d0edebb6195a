// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package domain

import (
	"slices"
	"time"
)

// Outcome is one thing that a command can come to.
type Outcome struct {
	State  State
	Result Result
}

// Outcomes returns all that a command may come to while others are carried out at
// the same time. What Step says is the first.
//
// There are others only for a command that makes a promotion code ACTIVE. Its code
// is kept apart from the coupons that want it, so no store can take it in one
// move, and others may see the moves:
//
//   - whether the promotion code can be redeemed is decided first, and may have
//     changed when it becomes ACTIVE;
//   - it may be ACTIVE for a moment and be taken out of use by somebody else
//     before the command can say so, and is then aborted;
//   - those in its way that can never be redeemed again give way before it is
//     known whether it takes the code: see GiveWay.
func (s State) Outcomes(now time.Time, ids IDs, command Command) []Outcome {
	next, r := s.Step(now, ids, command)
	out := []Outcome{{next, r}}
	p, takes := s.taker(command)
	switch {
	case !takes:
		return out
	case r.Err != nil:
		if next, r = s.decidedBefore(now, ids, command, p.Name); r.Err != nil {
			return out
		}
		out = append(out, Outcome{next, r})
	}
	return append(out, Outcome{next, fails(ErrAborted)})
}

// GiveWay returns the states that there may be while a command that takes a code
// is carried out, and stay if it fails: s itself, and those in which some of the
// ACTIVE promotion codes in the way that can never be redeemed again have become
// SUPERSEDED.
func (s State) GiveWay(now time.Time, command Command) []State {
	p, takes := s.taker(command)
	states := []State{s}
	if !takes {
		return states
	}
	now = now.UTC().Truncate(time.Millisecond)
	for _, c := range s.coupons {
		for _, q := range c.codes {
			if q.State != PromotionActive || q.Name == p.Name || !q.conflictsWith(&p) || len(q.Fit(&c.CouponSnapshot, now)) == 0 {
				continue
			}
			for _, with := range slices.Clone(states) {
				states = append(states, with.withPromotionCode(q.in(PromotionSuperseded)))
			}
		}
	}
	return states
}

// Hash returns a number that is equal for states that are Equal, and rarely for
// others. A search over histories looks states up by it.
func (s State) Hash() uint64 {
	h := uint64(len(s.coupons))
	mix := func(values ...int64) {
		for _, v := range values {
			h = (h ^ uint64(v)) * 0x9E3779B97F4A7C15
			h ^= h >> 29
		}
	}
	for _, c := range s.coupons {
		mix(c.Version, c.Redeemed, c.Held, int64(len(c.ledger)), int64(len(c.requests)), int64(len(c.settled)), int64(len(c.renewals)))
		for _, p := range c.codes {
			mix(int64(p.State), p.Version, p.Redeemed, p.Held)
		}
		for _, r := range c.ledger {
			mix(int64(r.State), r.VoidedAmountMinor)
		}
	}
	return h
}

// taker returns the promotion code that a command is to make ACTIVE, if any.
func (s State) taker(command Command) (PromotionCode, bool) {
	switch cmd := command.(type) {
	case CreatePromotionCode:
		return cmd.PromotionCode, !cmd.PromotionCode.Code.IsZero()
	case ActivatePromotionCode:
		if _, p := s.promotionCode(cmd.Name); p != nil {
			return p.PromotionCode, true
		}
	}
	return PromotionCode{}, false
}

// decidedBefore carries a command out as if its coupon and its promotion code
// still had room and the coupon were not deleted.
func (s State) decidedBefore(now time.Time, ids IDs, command Command, n PromotionCodeName) (State, Result) {
	c := s.coupon(n.Coupon)
	if c == nil {
		return s, fails(notFound(CouponResource, n.Coupon))
	}
	before := *c
	before.Redeemed, before.Deleted = 0, false
	fit := s.withCoupon(&before)
	p := c.promotionCode(n.ID)
	if p != nil {
		was := *p
		was.Redeemed = 0
		fit = fit.withPromotionCode(was)
	}
	next, r := fit.Step(now, ids, command)
	if r.Err != nil {
		return s, r
	}
	after := *next.coupon(n.Coupon)
	after.Redeemed, after.Deleted = c.Redeemed, c.Deleted
	next = next.withCoupon(&after)
	if p != nil {
		is := *next.coupon(n.Coupon).promotionCode(n.ID)
		is.Redeemed = p.Redeemed
		next = next.withPromotionCode(is)
	}
	if view, ok := r.Value.(PromotionCodeView); ok {
		r = returns(next.viewOfPromotionCode(view.Name, now))
	}
	return next, r
}
