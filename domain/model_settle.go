// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package domain

import (
	"maps"
	"slices"
	"time"
)

// settlement is what can be done to a redemption. It returns the redemption
// afterwards, or why it cannot be done. changed is false when there is nothing to
// do.
type settlement interface {
	Command
	settle(c *couponRecord, r Redemption, now time.Time) (after Redemption, err error)
	target() (RedemptionName, string)
}

func (q CommitRedemption) target() (RedemptionName, string)  { return q.Name, q.RequestID }
func (q ReleaseRedemption) target() (RedemptionName, string) { return q.Name, q.RequestID }
func (q VoidRedemption) target() (RedemptionName, string)    { return q.Name, q.RequestID }

func (q CommitRedemption) step(s State, now time.Time, _ IDs) (State, Result) {
	return s.settle(q, now)
}

func (q ReleaseRedemption) step(s State, now time.Time, _ IDs) (State, Result) {
	return s.settle(q, now)
}

func (q VoidRedemption) step(s State, now time.Time, _ IDs) (State, Result) {
	return s.settle(q, now)
}

func (s State) settle(q settlement, now time.Time) (State, Result) {
	name, request := q.target()
	c, i := s.redemptionAt(name)
	if c == nil {
		return s, fails(notFound(RedemptionResource, name))
	}
	if used, ok := c.settled[request]; ok {
		if used != Fingerprint(q) {
			return s, fails(ErrRequestIDReused)
		}
		return s.afterCommit(q, c.ledger[i], now), returns(*c.ledger[i])
	}
	if c.redemption(request) != nil {
		return s, fails(ErrRequestIDReused)
	}
	after, err := q.settle(c, *c.ledger[i], now)
	if err != nil {
		return s, fails(err)
	}
	next := s.withRedemption(c.settledBy(request, Fingerprint(q)), i, &after)
	return next.afterCommit(q, &after, now), returns(after)
}

// afterCommit does for a commit what follows a redemption.
func (s State) afterCommit(q settlement, r *Redemption, now time.Time) State {
	if _, commit := q.(CommitRedemption); commit {
		return s.sendRemainder(r, now)
	}
	return s
}

// redemptionAt returns the coupon of a redemption and its place in the ledger, or
// nil.
func (s State) redemptionAt(n RedemptionName) (*couponRecord, int) {
	c := s.coupon(n.Coupon)
	if c == nil {
		return nil, 0
	}
	i := slices.IndexFunc(c.ledger, func(r *Redemption) bool { return r.Name == n })
	if i < 0 {
		return nil, 0
	}
	return c, i
}

// settledBy returns c with one more request id used for something done to a
// redemption.
func (c *couponRecord) settledBy(request, fingerprint string) *couponRecord {
	next := *c
	next.settled = maps.Clone(c.settled)
	if next.settled == nil {
		next.settled = map[string]string{}
	}
	next.settled[request] = fingerprint
	return &next
}

// settle commits a reservation, for all or less of its amount. One that has
// expired takes its capacity again if there is room below every limit, and its
// coupon was not deleted.
func (q CommitRedemption) settle(c *couponRecord, r Redemption, now time.Time) (Redemption, error) {
	if r.State != RedemptionReserved && r.State != RedemptionExpired {
		return r, &RedemptionStateError{Name: r.Name, State: r.State}
	}
	if r.State == RedemptionExpired && r.Subscription != nil {
		// Its subscription may have another discount by now.
		return r, &RedemptionStateError{Name: r.Name, State: r.State}
	}
	if q.Amount != nil {
		granted := int64(0)
		if r.Discount != nil {
			granted = r.Discount.TotalAmountMinor
		}
		if *q.Amount > granted {
			return r, &AmountExceededError{Name: r.Name, LimitMinor: granted}
		}
		if r.Discount != nil {
			d := r.Discount.Grant(*q.Amount)
			r.Discount = &d
		}
	}
	if r.State == RedemptionExpired {
		if against := c.roomFor(&r, now); len(against) > 0 {
			return r, &RefusedError{Ineligibilities: against}
		}
	}
	r.State, r.CommitTime = RedemptionRedeemed, now
	return r, nil
}

// roomFor returns the limits that leave no room for a redemption that does not
// count now.
func (c *couponRecord) roomFor(r *Redemption, now time.Time) []Ineligibility {
	code := c.promotionCode(r.PromotionCode)
	snapshot := c.snapshot(&Customer{ID: r.CustomerID, EmailHash: r.EmailHash}, code)
	against := snapshot.LimitsReached(now)
	for _, p := range r.Periods {
		if snapshot.PeriodUses[p.Key] >= p.Limit {
			i := r.PeriodLimitReached()
			i.Held = c.Held > 0
			addOnce(&against, i)
		}
	}
	if r.Discount != nil {
		counted := *r
		counted.State = RedemptionRedeemed
		if i, fits := c.fits(r.Discount.Currency, counted.Spent()); !fits {
			against = append(against, i)
		}
	}
	if code != nil && code.Card != nil && r.Discount != nil && r.Discount.TotalAmountMinor > code.BalanceMinor {
		against = append(against, Ineligibility{Reason: GiftBalanceExhausted, Held: code.Held > 0})
	}
	if c.Deleted {
		against = append(against, Ineligibility{Reason: CouponDeleted})
	}
	return against
}

// settle gives a reservation back. One that has ended already stays as it is.
func (q ReleaseRedemption) settle(_ *couponRecord, r Redemption, now time.Time) (Redemption, error) {
	switch r.State {
	case RedemptionReleased, RedemptionExpired:
		return r, nil
	case RedemptionReserved:
		r.State, r.ReleaseTime = RedemptionReleased, now
		return r, nil
	default:
		return r, &RedemptionStateError{Name: r.Name, State: r.State}
	}
}

// settle takes a redemption back, or a part of its amount. When nothing is left of
// the amount, the use is given back too.
func (q VoidRedemption) settle(_ *couponRecord, r Redemption, now time.Time) (Redemption, error) {
	if r.State != RedemptionRedeemed {
		return r, &RedemptionStateError{Name: r.Name, State: r.State}
	}
	left := r.Spent().TotalMinor
	amount := left
	if q.Amount != nil {
		amount = *q.Amount
	}
	if amount > left {
		return r, &AmountExceededError{Name: r.Name, LimitMinor: left}
	}
	r.VoidedAmountMinor += amount
	r.Voids = append(slices.Clone(r.Voids), Void{RequestID: q.RequestID, AmountMinor: amount, Reason: q.Reason, Time: now})
	if amount == left {
		r.State = RedemptionVoided
	}
	return r, nil
}

// expired ends the reservations whose time is over, in every coupon.
func (s State) expired(now time.Time) State {
	for _, c := range s.coupons {
		for i, r := range c.ledger {
			if after := r.Effective(now); after.State != r.State {
				s = s.withRedemption(s.coupon(c.ID), i, &after)
			}
		}
	}
	return s
}

// withRedemption puts a redemption into the ledger of c, at a place or, when that
// is its length, at the end, and counts the ledger anew.
func (s State) withRedemption(c *couponRecord, at int, r *Redemption) State {
	next := *c
	next.ledger = slices.Clone(c.ledger)
	if at == len(next.ledger) {
		next.ledger = append(next.ledger, r)
	} else {
		next.ledger[at] = r
	}
	next.Redeemed, next.Held = next.countLedger("")
	next.Spent = next.countSpent()
	next.codes = slices.Clone(c.codes)
	for i, p := range next.codes {
		if p.Name.ID == r.PromotionCode {
			counted := *p
			counted.Redeemed, counted.Held = next.countLedger(p.Name.ID)
			if p.Card != nil {
				next.moveCard(&counted, c, at, r)
			}
			next.codes[i] = &counted
		}
	}
	return s.withCoupon(&next)
}

// countSpent sums what the ledger and renewals have taken off, by currency.
func (c *couponRecord) countSpent() map[Currency]Spending {
	var spent map[Currency]Spending
	add := func(currency Currency, one Spending) {
		if spent == nil {
			spent = map[Currency]Spending{}
		}
		spent[currency] = spent[currency].plus(one)
	}
	for _, r := range c.ledger {
		if one := r.Spent(); one != (Spending{}) {
			add(r.Discount.Currency, one)
		}
	}
	for _, r := range c.renewals {
		if one := r.Spent(); one != (Spending{}) {
			add(r.Discount.Currency, one)
		}
	}
	return spent
}

// countPeriods counts the redemptions that count in each period they were added
// to.
func (c *couponRecord) countPeriods() map[string]int64 {
	uses := map[string]int64{}
	for _, r := range c.ledger {
		if !r.counts() {
			continue
		}
		for _, p := range r.Periods {
			uses[p.Key]++
		}
	}
	return uses
}

// holdsDue returns when the first reservation falls due.
func (c *couponRecord) holdsDue() time.Time {
	var due time.Time
	for _, r := range c.ledger {
		if r.State == RedemptionReserved && (due.IsZero() || r.ExpireTime.Before(due)) {
			due = r.ExpireTime
		}
	}
	return due
}

// snapshot is what an evaluation for a customer is about.
func (c *couponRecord) snapshot(customer *Customer, code *PromotionCodeSnapshot) *Snapshot {
	return &Snapshot{
		Coupon:        c.CouponSnapshot,
		PromotionCode: code,
		CustomerUses:  c.uses(customer, code),
		PeriodUses:    c.countPeriods(),
		HoldsDue:      c.holdsDue(),
	}
}
