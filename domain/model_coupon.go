// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package domain

import (
	"slices"
	"time"
)

func (cmd CreateCoupon) step(s State, now time.Time, ids IDs) (State, Result) {
	c := cmd.Coupon
	switch {
	case c.ID != "":
	case cmd.RequestID != "":
		c.ID = CouponIDForRequest(cmd.RequestID)
	default:
		c.ID = ids.Coupon
	}
	have := s.coupon(c.ID)
	if have != nil {
		switch _, replay, err := have.replayed(cmd.RequestID, cmd); {
		case err != nil:
			return s, fails(err)
		case replay:
			return s, returns(have.view(now))
		}
	}
	var v Violations
	c.CheckAt(now, &v, "coupon.")
	switch {
	case v.Err() != nil:
		return s, fails(v.Err())
	case have != nil:
		return s, fails(&AlreadyExistsError{Type: CouponResource, Name: c.ID.String()})
	}
	c.CreateTime, c.UpdateTime = now, now
	created := &couponRecord{CouponSnapshot: CouponSnapshot{Coupon: c, Version: 1}}
	return s.withCoupon(created).withRequest(c.ID, cmd.RequestID, cmd, ""), returns(created.view(now))
}

func (u UpdateCoupon) step(s State, now time.Time, _ IDs) (State, Result) {
	return s.changeCoupon(u.ID, u.RequestID, u, now, func(c *CouponSnapshot) error {
		var v Violations
		u.CheckAgainst(&c.Coupon, &v, "coupon.")
		switch {
		case c.Deleted:
			return &DeletedError{Type: CouponResource, Name: c.ID.String()}
		case v.Err() != nil:
			return v.Err()
		case u.Version != 0 && u.Version != c.Version:
			return ErrAborted
		}
		c.Coupon = u.Apply(c.Coupon, now)
		c.Version++
		return nil
	})
}

func (cmd DeleteCoupon) step(s State, now time.Time, _ IDs) (State, Result) {
	return s.changeCoupon(cmd.ID, cmd.RequestID, cmd, now, func(c *CouponSnapshot) error {
		switch {
		case c.Deleted:
			return nil
		case cmd.Version != 0 && cmd.Version != c.Version:
			return ErrAborted
		}
		c.Deleted, c.UpdateTime = true, now
		c.Version++
		return nil
	})
}

// changeCoupon is what the commands about an existing coupon have in common: the
// coupon must exist, a replay changes nothing, a success uses the request id up.
func (s State) changeCoupon(
	id CouponID, requestID string, command Command, now time.Time, change func(*CouponSnapshot) error,
) (State, Result) {
	c := s.coupon(id)
	if c == nil {
		return s, fails(notFound(CouponResource, id))
	}
	switch _, replay, err := c.replayed(requestID, command); {
	case err != nil:
		return s, fails(err)
	case replay:
		return s, returns(c.view(now))
	}
	changed := *c
	if err := change(&changed.CouponSnapshot); err != nil {
		return s, fails(err)
	}
	return s.withCoupon(&changed).withRequest(id, requestID, command, ""), returns(changed.view(now))
}

func (q GetCoupon) step(s State, now time.Time, _ IDs) (State, Result) {
	c := s.coupon(q.ID)
	if c == nil {
		return s, fails(notFound(CouponResource, q.ID))
	}
	return s, returns(c.view(now))
}

func (q CouponQuery) step(s State, now time.Time, _ IDs) (State, Result) {
	var list Listing[CouponView]
	for _, c := range slices.Backward(s.coupons) {
		if !c.Deleted || q.ShowDeleted {
			list.Items = append(list.Items, c.view(now))
		}
	}
	return s, returns(list)
}
