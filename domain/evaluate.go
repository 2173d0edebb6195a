// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package domain

import "time"

// Snapshot is what one evaluation is about: a coupon and perhaps a promotion
// code, rules at one version and counters at one moment.
type Snapshot struct {
	Coupon CouponSnapshot
	// PromotionCode is nil when the coupon is applied directly.
	PromotionCode *PromotionCodeSnapshot
	// CustomerUses has one entry for each identity of the customer.
	CustomerUses []CustomerUses
	// PeriodUses has the counts that PeriodCounters names; one that is missing is
	// 0.
	PeriodUses map[string]int64
	// HoldsDue is when the first reservation of the coupon falls due, if there is
	// one.
	HoldsDue time.Time
	// SubscriptionHolder is the redemption whose discount the subscription of the
	// request has already, if it has one.
	SubscriptionHolder RedemptionName
}

// CustomerUses counts what one identity has used, holds included.
type CustomerUses struct {
	OfCoupon        int64
	OfPromotionCode int64
}

// Evaluation answers whether a code applies, and for how much.
type Evaluation struct {
	// Coupon is empty when the code is not known; PromotionCode is empty also
	// when the coupon is applied directly.
	Coupon        CouponID
	PromotionCode PromotionCodeID
	// Ineligibilities has every reason against it; it applies when there is none.
	Ineligibilities []Ineligibility
	// Discount is set when it applies and an order was given, or it grants a free
	// trial.
	Discount *AppliedDiscount
	// Due is Discount before it was cut down to what is on a gift card; nil when none
	// pays. What there is by the time it is taken decides anew.
	Due *AppliedDiscount
	// Exclusive is the coupon's.
	Exclusive bool
	AsOf      time.Time
}

// Valid reports whether the code applies.
func (e *Evaluation) Valid() bool { return len(e.Ineligibilities) == 0 }

// Evaluate decides a request on a snapshot at an instant. It is the one place
// where rules are decided, for ValidateCode and for Redeem alike; counters are
// decided once more, by the same comparisons, where they are taken.
func Evaluate(s *Snapshot, r *ValidateRequest, now time.Time) Evaluation {
	e := Evaluation{Coupon: s.Coupon.ID, Exclusive: s.Coupon.Exclusive, AsOf: now}
	minimums := e.evaluateRules(s, r, now)
	e.evaluateCounts(s, r, now)

	c := &s.Coupon
	switch {
	case r.Order != nil:
		e.evaluateOrder(s, minimums, r.Order, now)
	case len(c.Budgets) > 0 || c.NeedsOrder() || len(minimums) > 0:
		e.refuse(Ineligibility{Reason: OrderRequired})
	default:
		if d, ok := c.ApplyWithoutOrder(now); ok && e.Valid() {
			e.Discount = &d
		}
	}
	if f := c.Discount.FreeTrial; f != nil && e.Discount != nil {
		e.Discount.grantTrial(f, r.PlanTrialDays, now)
	}
	return e
}

// A reason is long, and so is every copy of one: each part of Evaluate has a frame of
// its own, so that few of them are on the stack at a time. A call that waits for its
// turn keeps the stack that it once needed.

// refuse adds a reason.
//
//go:noinline
func (e *Evaluation) refuse(i Ineligibility) { e.Ineligibilities = append(e.Ineligibilities, i) }

// evaluateRules adds what dates, states and the customer decide, and returns the
// minimum amounts that an order has to meet.
func (e *Evaluation) evaluateRules(s *Snapshot, r *ValidateRequest, now time.Time) (minimums []Money) {
	c, p := &s.Coupon, s.PromotionCode
	startsAt := c.StartsAt
	if c.Deleted {
		e.refuse(Ineligibility{Reason: CouponDeleted})
	}
	if reached(c.RedeemBy, now) {
		e.refuse(Ineligibility{Reason: CouponExpired, At: c.RedeemBy})
	}
	if p != nil {
		e.PromotionCode = p.Name.ID
		if p.State != PromotionActive {
			e.refuse(Ineligibility{Reason: CodeInactive})
		}
		if reached(p.ExpiresAt, now) {
			e.refuse(Ineligibility{Reason: CodeExpired, At: p.ExpiresAt})
		}
		if p.StartsAt.After(startsAt) {
			startsAt = p.StartsAt
		}
		if minimums = p.Restrictions.MinimumAmounts; len(minimums) > 0 && r.Context.hasNoPurchase() {
			e.refuse(Ineligibility{Reason: ContextNotAllowed})
			minimums = nil // which no order would help
		}
		e.Ineligibilities = append(e.Ineligibilities, p.whoMayUse(&r.Customer)...)
	}
	if startsAt.After(now) {
		e.refuse(Ineligibility{Reason: NotYetActive, At: startsAt})
	}
	return minimums
}

// evaluateCounts adds the limits that leave no room.
func (e *Evaluation) evaluateCounts(s *Snapshot, r *ValidateRequest, now time.Time) {
	if s.limitsCustomers() && r.Customer.isGuest() {
		addOnce(&e.Ineligibilities, Ineligibility{Reason: CustomerRequired})
	}
	e.Ineligibilities = append(e.Ineligibilities, s.LimitsReached(now)...)
	if s.LimitsPeriods() {
		if i, reached := s.periodLimitReached(r.Customer.Identities(), now); reached {
			e.refuse(i)
		}
	}
	if s.SubscriptionHolder.ID != "" && s.Coupon.Discount.GiftCards == nil {
		e.refuse(Ineligibility{Reason: SubscriptionAlreadyDiscounted, Redemption: s.SubscriptionHolder})
	}
	if s.Coupon.Discount.GiftCards != nil && s.balance() == 0 {
		held := s.PromotionCode != nil && s.PromotionCode.Held > 0
		e.refuse(Ineligibility{Reason: GiftBalanceExhausted, Held: held})
	}
}

// evaluateOrder adds what an order decides: the promotion code's minimum, the
// coupon's own conditions, the discount, whether the budget covers it, and how much of
// it a gift card has.
func (e *Evaluation) evaluateOrder(s *Snapshot, minimums []Money, o *Order, now time.Time) {
	c := &s.Coupon
	if len(minimums) > 0 {
		e.evaluateMinimum(minimums, o)
	}
	d, against := c.Apply(o, now)
	addAllOnce(&e.Ineligibilities, against)
	if len(against) == 0 {
		var short *Ineligibility
		if d, short = c.withinBudget(o, d); short != nil {
			addOnce(&e.Ineligibilities, *short)
		}
	}
	if !e.Valid() {
		return
	}
	if c.Discount.GiftCards != nil {
		due := d
		e.Due, d = &due, d.Grant(s.balance())
	}
	e.Discount = &d
}

func (e *Evaluation) evaluateMinimum(minimums []Money, o *Order) {
	if i, ok := minimumNotMet(minimums, o.Currency, o.Subtotal()); !ok {
		addOnce(&e.Ineligibilities, i)
	}
}

// LimitsReached returns the limits that leave no room for one more use. What
// holds might still give back is told apart from what is used up. What a customer has
// used is counted with holds: there the coupon's say whether any are open.
func (s *Snapshot) LimitsReached(now time.Time) []Ineligibility {
	var out []Ineligibility
	limit := func(max *int64, redeemed, held int64, reason Reason) {
		switch {
		case max == nil || redeemed+held < *max:
		case redeemed < *max:
			addOnce(&out, FullyReservedUntil(s.HoldsDue, now))
		default:
			addOnce(&out, Ineligibility{
				Reason: reason, Limit: *max, Held: reason == CustomerMaxRedemptionsReached && s.Coupon.Held > 0,
			})
		}
	}
	limit(s.Coupon.MaxRedemptions, s.Coupon.Redeemed, s.Coupon.Held, CouponMaxRedemptionsReached)
	if p := s.PromotionCode; p != nil {
		limit(p.MaxRedemptions, p.Redeemed, p.Held, CodeMaxRedemptionsReached)
	}
	for _, u := range s.CustomerUses {
		limit(s.Coupon.MaxRedemptionsPerCustomer, u.OfCoupon, 0, CustomerMaxRedemptionsReached)
		if p := s.PromotionCode; p != nil {
			limit(p.MaxRedemptionsPerCustomer, u.OfPromotionCode, 0, CustomerMaxRedemptionsReached)
		}
	}
	return out
}

func (s *Snapshot) limitsCustomers() bool {
	c, p := &s.Coupon, s.PromotionCode
	return c.MaxRedemptionsPerCustomer != nil || limitsCustomersPerPeriod(c.PeriodLimits) ||
		p != nil && (p.MaxRedemptionsPerCustomer != nil || limitsCustomersPerPeriod(p.PeriodLimits))
}

// LimitsPeriods reports whether uses are counted by period, and so whether
// PeriodCounters has any.
func (s *Snapshot) LimitsPeriods() bool {
	return len(s.Coupon.PeriodLimits) > 0 || s.PromotionCode != nil && len(s.PromotionCode.PeriodLimits) > 0
}

// whoMayUse returns why this customer may not use p.
func (p *PromotionCode) whoMayUse(c *Customer) []Ineligibility {
	var out []Ineligibility
	switch {
	case p.CustomerID != "" && c.ID == "", p.EmailHash != "" && c.EmailHash == "":
		out = append(out, Ineligibility{Reason: CustomerRequired})
	case p.CustomerID != "" && c.ID != p.CustomerID, p.EmailHash != "" && c.EmailHash != p.EmailHash:
		out = append(out, Ineligibility{Reason: CustomerMismatch})
	}
	if p.Restrictions.FirstTimeTransaction && c.HasPriorTransactions {
		out = append(out, Ineligibility{Reason: NotFirstTransaction})
	}
	return out
}

// minimumNotMet holds an amount against minimum amounts by currency; no minimums
// are always met.
//
//go:noinline
func minimumNotMet(minimums []Money, currency Currency, amount int64) (Ineligibility, bool) {
	if len(minimums) == 0 {
		return Ineligibility{}, true
	}
	required, ok := AmountIn(minimums, currency)
	if !ok {
		return Ineligibility{Reason: CurrencyMismatch}, false
	}
	if amount < required {
		return Ineligibility{
			Reason:   MinimumAmountNotMet,
			Required: Money{currency, required},
			Actual:   Money{currency, amount},
		}, false
	}
	return Ineligibility{}, true
}

// addOnce adds i unless its reason is there already: each reason is given once.
//
//go:noinline
func addOnce(list *[]Ineligibility, i Ineligibility) {
	for k := range *list {
		if (*list)[k].Reason == i.Reason {
			return
		}
	}
	*list = append(*list, i)
}

func addAllOnce(list *[]Ineligibility, more []Ineligibility) {
	for _, i := range more {
		addOnce(list, i)
	}
}

// FullyReservedUntil returns the ineligibility of something that may be free again
// at due, when a reservation ends. Where that is not known, as after damage that an
// audit has yet to mend, it is worth another try after a minute.
func FullyReservedUntil(due, now time.Time) Ineligibility {
	if due.IsZero() {
		return Ineligibility{Reason: FullyReserved, RetryAfter: time.Minute}
	}
	return Ineligibility{Reason: FullyReserved, RetryAfter: max(0, due.Sub(now))}
}
