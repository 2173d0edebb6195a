// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package domain

import (
	"slices"
	"time"
)

// MaxBoundCodes is how many promotion codes with one normal form can be bound to
// different customers, those that no longer hold it included.
const MaxBoundCodes = 10_000

func (cmd CreatePromotionCode) step(s State, now time.Time, ids IDs) (State, Result) {
	return s.createPromotionCode(cmd.PromotionCode, cmd.AsCard.Twin(), cmd.RequestID, cmd, now, ids)
}

// createPromotionCode is what making a promotion code of either kind has in common.
// twin is the form by which the other kind would hold its code.
func (s State) createPromotionCode(p PromotionCode, twin, requestID string, cmd Command, now time.Time, ids IDs) (State, Result) {
	c := s.coupon(p.Name.Coupon)
	if c == nil {
		return s, fails(notFound(CouponResource, p.Name.Coupon))
	}
	switch used, replay, err := c.replayed(requestID, cmd); {
	case err != nil:
		return s, fails(err)
	case replay:
		return s, returns(c.viewOf(c.promotionCode(used.code), now))
	}
	if against := new(PromotionCodeSnapshot).Fit(&c.CouponSnapshot, now); len(against) > 0 {
		return s, fails(&RefusedError{Ineligibilities: against})
	}

	p.Name.ID = ids.PromotionCode
	if p.Code.IsZero() {
		p.Code = ids.Code
	}
	p.CreateTime, p.UpdateTime = now, now
	p.Inherit(&c.Coupon)
	var v Violations
	p.CheckAgainst(&c.Coupon, now, &v, "promotion_code.")
	if err := v.Err(); err != nil {
		return s, fails(err)
	}
	if c.promotionCode(p.Name.ID) != nil {
		return s, fails(&AlreadyExistsError{Type: PromotionCodeResource, Name: p.Name.String()})
	}
	next, err := s.activate(PromotionCodeSnapshot{PromotionCode: p, BalanceMinor: p.Card.issued()}, twin, now)
	if err != nil {
		return s, fails(err)
	}
	next = next.withRequest(p.Name.Coupon, requestID, cmd, p.Name.ID)
	return next, returns(next.viewOfPromotionCode(p.Name, now))
}

func (cmd ActivatePromotionCode) step(s State, now time.Time, _ IDs) (State, Result) {
	return s.changePromotionCode(cmd.Name, cmd.RequestID, cmd, now,
		func(c *CouponSnapshot, p PromotionCodeSnapshot) (State, error) {
			against := p.Fit(c, now)
			if p.State == PromotionSuperseded {
				against = append([]Ineligibility{{Reason: CodeInactive}}, against...)
			}
			switch {
			case p.State == PromotionDeleted:
				return s, &DeletedError{Type: PromotionCodeResource, Name: p.Name.String()}
			case len(against) > 0:
				return s, &RefusedError{Ineligibilities: against}
			case p.State == PromotionActive:
				return s, nil
			}
			return s.activate(p, cmd.AsCard.Twin(), now)
		})
}

func (cmd DeactivatePromotionCode) step(s State, now time.Time, _ IDs) (State, Result) {
	return s.changePromotionCode(cmd.Name, cmd.RequestID, cmd, now,
		func(_ *CouponSnapshot, p PromotionCodeSnapshot) (State, error) {
			switch p.State {
			case PromotionDeleted:
				return s, &DeletedError{Type: PromotionCodeResource, Name: p.Name.String()}
			case PromotionActive:
				return s.withPromotionCode(p.in(PromotionInactive)), nil
			default:
				return s, nil
			}
		})
}

func (cmd DeletePromotionCode) step(s State, now time.Time, _ IDs) (State, Result) {
	return s.changePromotionCode(cmd.Name, cmd.RequestID, cmd, now,
		func(_ *CouponSnapshot, p PromotionCodeSnapshot) (State, error) {
			if p.State == PromotionDeleted || p.State == PromotionSuperseded {
				return s, nil
			}
			return s.withPromotionCode(p.in(PromotionDeleted)), nil
		})
}

func (u UpdatePromotionCode) step(s State, now time.Time, _ IDs) (State, Result) {
	return s.changePromotionCode(u.Name, u.RequestID, u, now,
		func(c *CouponSnapshot, p PromotionCodeSnapshot) (State, error) {
			var v Violations
			u.CheckAgainst(&c.Coupon, &v, "promotion_code.")
			switch {
			case p.State == PromotionDeleted:
				return s, &DeletedError{Type: PromotionCodeResource, Name: p.Name.String()}
			case u.Version != 0 && u.Version != p.Version:
				return s, ErrAborted
			case v.Err() != nil:
				return s, v.Err()
			}
			p.PromotionCode = u.Apply(p.PromotionCode, now)
			p.Version++
			return s.withPromotionCode(p), nil
		})
}

// changePromotionCode is what the commands about an existing promotion code have
// in common: it must exist, a replay changes nothing, a success uses the request
// id up.
func (s State) changePromotionCode(
	n PromotionCodeName, requestID string, command Command, now time.Time,
	change func(*CouponSnapshot, PromotionCodeSnapshot) (State, error),
) (State, Result) {
	c, p := s.promotionCode(n)
	if p == nil {
		return s, fails(notFound(PromotionCodeResource, n))
	}
	switch _, replay, err := c.replayed(requestID, command); {
	case err != nil:
		return s, fails(err)
	case replay:
		return s, returns(c.viewOf(p, now))
	}
	next, err := change(&c.CouponSnapshot, *p)
	if err != nil {
		return s, fails(err)
	}
	next = next.withRequest(n.Coupon, requestID, command, n.ID)
	return next, returns(next.viewOfPromotionCode(n, now))
}

func (s State) viewOfPromotionCode(n PromotionCodeName, now time.Time) PromotionCodeView {
	c, p := s.promotionCode(n)
	return c.viewOf(p, now)
}

// in returns p in another state, under a new version.
func (p PromotionCodeSnapshot) in(state PromotionState) PromotionCodeSnapshot {
	p.State = state
	p.Version++
	return p
}

// activate makes p, which is not ACTIVE, the holder of its code. A conflicting
// promotion code that can still be redeemed is in the way; the others lose the
// code for good, all of them or none. So it is with whatever holds the twin of its
// code, for anyone.
func (s State) activate(p PromotionCodeSnapshot, twin string, now time.Time) (State, error) {
	next := s
	for _, c := range s.coupons {
		for _, q := range c.codes {
			if q.State != PromotionActive || !q.conflictsWith(&p.PromotionCode) && (twin == "" || q.Code.Form() != twin) {
				continue
			}
			if len(q.Fit(&c.CouponSnapshot, now)) == 0 {
				return s, &AlreadyExistsError{Type: PromotionCodeResource, Name: q.Name.String(), Code: p.Code.String()}
			}
			next = next.withPromotionCode(q.in(PromotionSuperseded))
		}
	}
	k := claim{p.Code.Form(), p.Scope()}
	if k.scope != "" && len(s.holders[k]) == 0 && s.boundScopes(k.form) >= MaxBoundCodes {
		return s, &TooManyError{What: "promotion codes bound to customers with one code", Limit: MaxBoundCodes}
	}
	return next.withPromotionCode(p.in(PromotionActive)).withHolder(&p.PromotionCode), nil
}

// boundScopes counts the identities that a form was ever bound to.
func (s State) boundScopes(form string) int {
	n := 0
	for k := range s.holders {
		if k.form == form && k.scope != "" {
			n++
		}
	}
	return n
}

// conflictsWith reports whether p and q may not both be active.
func (p *PromotionCode) conflictsWith(q *PromotionCode) bool {
	if p.Code.Form() != q.Code.Form() {
		return false
	}
	a, b := p.Scope(), q.Scope()
	return a == "" || b == "" || a == b
}

func (q GetPromotionCode) step(s State, now time.Time, _ IDs) (State, Result) {
	c, p := s.promotionCode(q.Name)
	if p == nil {
		return s, fails(notFound(PromotionCodeResource, q.Name))
	}
	return s, returns(c.viewOf(p, now))
}

func (q PromotionCodeQuery) step(s State, now time.Time, _ IDs) (State, Result) {
	coupons := s.coupons
	if q.Coupon != "" {
		c := s.coupon(q.Coupon)
		if c == nil {
			return s, fails(notFound(CouponResource, q.Coupon))
		}
		coupons = []*couponRecord{c}
	}
	var list Listing[PromotionCodeView]
	for _, c := range coupons {
		for _, p := range c.codes {
			if v := c.viewOf(p, now); q.Matches(p, v.Status) {
				list.Items = append(list.Items, v)
			}
		}
	}
	if q.Coupon == "" {
		slices.SortStableFunc(list.Items, func(a, b PromotionCodeView) int {
			switch {
			case a.Status.active() == b.Status.active():
				return 0
			case a.Status.active():
				return -1
			default:
				return 1
			}
		})
	}
	return s, returns(list)
}

// active reports whether the API calls a promotion code of this status active.
func (s PromotionStatus) active() bool { return s == StatusActive || s == StatusScheduled }
