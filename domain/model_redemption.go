// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package domain

import (
	"slices"
	"time"
)

func (r ValidateRequest) step(s State, now time.Time, _ IDs) (State, Result) {
	f, err := s.follow(&r)
	if err != nil {
		return s, fails(err)
	}
	return s, returns(f.evaluate(s, &r, now))
}

func (r RedeemRequest) step(s State, now time.Time, _ IDs) (State, Result) {
	return s.take(&r, r.Fingerprint(), time.Time{}, now)
}

func (r ReserveRequest) step(s State, now time.Time, _ IDs) (State, Result) {
	return s.take(&r.RedeemRequest, r.Fingerprint(), now.Add(r.TTL).Truncate(time.Millisecond), now)
}

// take makes a redemption, or a reservation if it has an end.
func (s State) take(r *RedeemRequest, fingerprint string, end, now time.Time) (State, Result) {
	if done := s.redeemedBefore(r, fingerprint); done != nil {
		return s.sendRemainder(done, now), returns(*done)
	}
	f, err := s.follow(&r.ValidateRequest)
	if err != nil {
		return s, fails(err)
	}
	if f.coupon != nil {
		done := f.coupon.redemption(r.RequestID)
		switch _, settled := f.coupon.settled[r.RequestID]; {
		case settled, done != nil && done.Fingerprint != fingerprint:
			return s, fails(ErrRequestIDReused)
		case done != nil:
			return s.sendRemainder(done, now), returns(*done)
		}
	}
	e := f.evaluate(s, &r.ValidateRequest, now)
	if !e.Valid() {
		return s, fails(&RefusedError{Ineligibilities: e.Ineligibilities})
	}
	made := f.redeem(r, fingerprint, e.Discount, now)
	if !end.IsZero() {
		made.State, made.ExpireTime = RedemptionReserved, end
	}
	return s.withRedemption(f.coupon, len(f.coupon.ledger), made).sendRemainder(made, now), returns(*made)
}

// found is where the source of a request leads: to a coupon, perhaps through a
// promotion code, or to a reason why not.
type found struct {
	coupon  *couponRecord
	code    *PromotionCodeSnapshot
	against Reason
}

// follow returns where the source of r leads. Only a name that names nothing is
// an error.
func (s State) follow(r *ValidateRequest) (found, error) {
	switch {
	case r.Source.Coupon != "":
		c := s.coupon(r.Source.Coupon)
		if c == nil {
			return found{}, notFound(CouponResource, r.Source.Coupon)
		}
		return found{coupon: c}, c.CheckDirect()
	case r.Source.PromotionCode != PromotionCodeName{}:
		c, p := s.promotionCode(r.Source.PromotionCode)
		if p == nil {
			return found{}, notFound(PromotionCodeResource, r.Source.PromotionCode)
		}
		return found{coupon: c, code: p}, nil
	}
	code, err := ParseCode(r.Source.Code)
	if err != nil {
		return found{against: CodeMalformed}, nil //nolint:nilerr // what a customer mistyped is an answer, not an error
	}
	n, against := s.lookUp(code, r.Source.Hash, r.Customer)
	if against != 0 {
		return found{against: against}, nil
	}
	c, p := s.promotionCode(n)
	return found{coupon: c, code: p}, nil
}

// lookUp returns the promotion code that a customer means by a code. A gift card
// is meant unless another promotion code holds the code.
func (s State) lookUp(code Code, hash CodeHash, customer Customer) (PromotionCodeName, Reason) {
	n, against := s.resolve(code.Form(), customer)
	if hash == "" || s.active(n) {
		return n, against
	}
	card, cardAgainst := s.resolve(hash.Form(), customer)
	if s.active(card) || against == CodeNotFound {
		return card, cardAgainst
	}
	return n, against
}

func (s State) active(n PromotionCodeName) bool {
	_, p := s.promotionCode(n)
	return p != nil && p.State == PromotionActive
}

// resolve returns the promotion code that a customer means by a normal form. An active
// one comes before those that held the code, the customer's own before the one
// for everybody, and the id before the e-mail address. That somebody else has the
// code is told only to one who has no claim of any kind to it.
func (s State) resolve(form string, customer Customer) (PromotionCodeName, Reason) {
	own := customer.Identities()
	for _, scope := range append(slices.Clone(own), "") {
		if n, active := s.lastHolder(claim{form, scope}); active {
			return n, 0
		}
	}
	for _, scope := range own {
		if n, _ := s.lastHolder(claim{form, scope}); n != (PromotionCodeName{}) {
			return n, 0
		}
	}
	for k := range s.holders {
		if k.form != form {
			continue
		}
		if _, active := s.lastHolder(k); active {
			if len(own) == 0 {
				return PromotionCodeName{}, CustomerRequired
			}
			return PromotionCodeName{}, CustomerMismatch
		}
	}
	if n, _ := s.lastHolder(claim{form: form}); n != (PromotionCodeName{}) {
		return n, 0
	}
	return PromotionCodeName{}, CodeNotFound
}

// lastHolder returns the last promotion code that became ACTIVE with k, and
// whether it still is. No other one with k can be.
func (s State) lastHolder(k claim) (n PromotionCodeName, active bool) {
	held := s.holders[k]
	if len(held) == 0 {
		return PromotionCodeName{}, false
	}
	n = held[len(held)-1]
	_, p := s.promotionCode(n)
	return n, p.State == PromotionActive
}

// redeemedBefore returns what the same request by code has made, on whatever
// coupon the code led this customer to in the past. So a retry finds its
// redemption also when the code has changed hands.
func (s State) redeemedBefore(r *RedeemRequest, fingerprint string) *Redemption {
	code, err := ParseCode(r.Source.Code)
	if err != nil {
		return nil
	}
	forms := []string{code.Form()}
	if r.Source.Hash != "" {
		forms = append(forms, r.Source.Hash.Form())
	}
	for _, form := range forms {
		for _, scope := range append(r.Customer.Identities(), "") {
			for _, n := range s.holders[claim{form, scope}] {
				if done := s.coupon(n.Coupon).redemption(r.RequestID); done != nil && done.Fingerprint == fingerprint {
					return done
				}
			}
		}
	}
	return nil
}

// evaluate decides a request on what its source leads to.
func (f *found) evaluate(s State, r *ValidateRequest, now time.Time) Evaluation {
	if f.against != 0 {
		return Evaluation{Ineligibilities: []Ineligibility{{Reason: f.against}}, AsOf: now}
	}
	snapshot := f.coupon.snapshot(&r.Customer, f.code)
	snapshot.SubscriptionHolder = s.subscriptionHolder(r.SubscriptionID, now)
	return Evaluate(snapshot, r, now)
}

// uses counts, for each identity of a customer, the redemptions in the ledger
// that count.
func (c *couponRecord) uses(customer *Customer, code *PromotionCodeSnapshot) []CustomerUses {
	count := func(same func(*Redemption) bool) CustomerUses {
		var n CustomerUses
		for _, r := range c.ledger {
			if !r.counts() || !same(r) {
				continue
			}
			n.OfCoupon++
			if code != nil && r.PromotionCode == code.Name.ID {
				n.OfPromotionCode++
			}
		}
		return n
	}
	var out []CustomerUses
	if customer.ID != "" {
		out = append(out, count(func(r *Redemption) bool { return r.CustomerID == customer.ID }))
	}
	if customer.EmailHash != "" {
		out = append(out, count(func(r *Redemption) bool { return r.EmailHash == customer.EmailHash }))
	}
	return out
}

// counts reports whether r takes up room below a limit.
func (r *Redemption) counts() bool {
	return r.State == RedemptionRedeemed || r.State == RedemptionReserved
}

// redeem makes the next entry of the ledger.
func (f *found) redeem(r *RedeemRequest, fingerprint string, d *AppliedDiscount, now time.Time) *Redemption {
	made := &Redemption{
		Name: RedemptionName{
			Coupon: f.coupon.ID,
			ID:     NewRedemptionID(int64(len(f.coupon.ledger))+1, r.RequestID),
		},
		State:         RedemptionRedeemed,
		RequestID:     r.RequestID,
		Fingerprint:   fingerprint,
		CustomerID:    r.Customer.ID,
		EmailHash:     r.Customer.EmailHash,
		Discount:      withoutUnits(d),
		CreateTime:    now,
		CouponVersion: f.coupon.Version,
	}
	if f.code != nil {
		made.PromotionCode, made.PromotionCodeVersion = f.code.Name.ID, f.code.Version
	}
	made.Periods = PeriodUses(f.coupon.snapshot(&r.Customer, f.code).PeriodCounters(r.Customer.Identities(), now))
	if r.Order != nil {
		made.OrderID = r.Order.ID
		made.ScopedAmountMinor = f.coupon.ScopedAmount(r.Order, d)
	}
	made.Start(&f.coupon.Coupon, &r.ValidateRequest)
	return made
}

// withoutUnits returns what a ledger keeps of a discount.
func withoutUnits(d *AppliedDiscount) *AppliedDiscount {
	if d == nil {
		return nil
	}
	kept := *d
	kept.Lines = slices.Clone(d.Lines)
	for i := range kept.Lines {
		kept.Lines[i].Units = nil
	}
	return &kept
}

func (q GetRedemption) step(s State, _ time.Time, _ IDs) (State, Result) {
	if c := s.coupon(q.Name.Coupon); c != nil {
		for _, r := range c.ledger {
			if r.Name == q.Name {
				return s, returns(*r)
			}
		}
	}
	return s, fails(notFound(RedemptionResource, q.Name))
}

func (q RedemptionQuery) step(s State, _ time.Time, _ IDs) (State, Result) {
	of := slices.Clone(s.coupons)
	slices.Reverse(of)
	if q.Coupon != "" {
		c := s.coupon(q.Coupon)
		if c == nil {
			return s, fails(notFound(CouponResource, q.Coupon))
		}
		of = []*couponRecord{c}
	}
	var list Listing[Redemption]
	for _, c := range of {
		for _, r := range c.ledger {
			if q.Matches(r) {
				list.Items = append(list.Items, *r)
			}
		}
	}
	return s, returns(list)
}
