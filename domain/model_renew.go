// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package domain

import (
	"slices"
	"time"
)

// step answers an invoice, once. What was answered before comes before everything
// that may have changed since.
func (q ApplyRenewal) step(s State, now time.Time, _ IDs) (State, Result) {
	c, i := s.redemptionAt(q.Name)
	if c == nil {
		return s, fails(notFound(RedemptionResource, q.Name))
	}
	r := *c.ledger[i]
	if r.Subscription == nil {
		return s, fails(&NoSubscriptionError{Name: r.Name})
	}
	used, again := c.settled[q.RequestID]
	if again && used != q.identity() || c.redemption(q.RequestID) != nil {
		return s, fails(ErrRequestIDReused)
	}
	if done := c.renewal(q.Name, q.Invoice.Order.ID); done != nil {
		if done.Fingerprint != q.Invoice.Fingerprint() {
			return s, fails(ErrInvoiceIDReused)
		}
		return s.withCoupon(c.settledBy(q.RequestID, q.identity())), returns(*done)
	}
	if r.State != RedemptionRedeemed {
		return s, fails(&RedemptionStateError{Name: r.Name, State: r.State})
	}
	renewal, against := EvaluateRenewal(&c.CouponSnapshot, &r, &q, now)
	d := *r.Subscription
	usedUp := d.Cycles > 0 && d.Used >= d.Cycles
	switch {
	case !d.EndedTime.IsZero():
		renewal.end()
	case usedUp && (len(against) > 0 || renewal.Outcome == RenewalApplied):
		renewal.end()
		d.EndedTime = now
	case len(against) > 0:
		return s, fails(&RefusedError{Ineligibilities: against})
	case renewal.Outcome == RenewalApplied:
		d.use(&renewal)
	}
	r.Subscription = &d
	next := *c.settledBy(q.RequestID, q.identity())
	next.renewals = append(slices.Clone(c.renewals), &renewal)
	return s.withRedemption(&next, i, &r), returns(renewal)
}

// end makes a renewal that came too late of one that was evaluated.
func (r *Renewal) end() {
	r.Outcome, r.Cycle, r.Discount, r.ScopedAmountMinor = RenewalEnded, 0, nil, 0
}

// identity identifies the command beyond its request id.
func (q ApplyRenewal) identity() string {
	return "renewal of " + q.Name.String() + q.Invoice.Fingerprint()
}

// renewal returns the answer about an invoice, or nil.
func (c *couponRecord) renewal(n RedemptionName, invoice string) *Renewal {
	for _, r := range c.renewals {
		if r.Redemption == n && r.InvoiceID == invoice {
			return r
		}
	}
	return nil
}

func (q EndDiscount) target() (RedemptionName, string) { return q.Name, q.RequestID }

func (q EndDiscount) step(s State, now time.Time, _ IDs) (State, Result) {
	return s.settle(q, now)
}

// settle stops the discount. One that has ended or was voided stays as it is.
func (q EndDiscount) settle(_ *couponRecord, r Redemption, now time.Time) (Redemption, error) {
	switch {
	case r.Subscription == nil:
		return r, &NoSubscriptionError{Name: r.Name}
	case r.State != RedemptionRedeemed && r.State != RedemptionVoided:
		return r, &RedemptionStateError{Name: r.Name, State: r.State}
	case r.Subscription.EndedTime.IsZero():
		d := *r.Subscription
		d.EndedTime = now
		r.Subscription = &d
	}
	return r, nil
}

// subscriptionHolder returns the redemption whose discount a subscription has.
func (s State) subscriptionHolder(subscription string, now time.Time) RedemptionName {
	if subscription == "" {
		return RedemptionName{}
	}
	for _, c := range s.coupons {
		for _, r := range c.ledger {
			if r.Subscription != nil && r.Subscription.SubscriptionID == subscription && r.HoldsSubscription(now) {
				return r.Name
			}
		}
	}
	return RedemptionName{}
}

// checkRenewals returns what must never be of the discounts and the invoices of c.
func (c *couponRecord) checkRenewals() error {
	for _, r := range c.ledger {
		var answers []*Renewal
		for _, renewal := range c.renewals {
			if renewal.Redemption == r.Name {
				answers = append(answers, renewal)
			}
		}
		if err := CheckDiscount(r, answers); err != nil {
			return err
		}
	}
	return nil
}
