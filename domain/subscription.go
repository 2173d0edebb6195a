// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package domain

import (
	"crypto/sha256"
	"encoding/json"
	"maps"
	"time"
)

// UseContext says on what occasion a discount is asked for. The zero value is a
// checkout.
type UseContext uint8

// The contexts, numbered as in the API.
const (
	ContextDefault UseContext = iota
	ContextCheckout
	ContextSubscriptionCreate
	ContextSubscriptionUpdate
	ContextInvoice
	ContextCustomer
)

// orCheckout returns c, or what the zero value means.
func (c UseContext) orCheckout() UseContext {
	if c == ContextDefault {
		return ContextCheckout
	}
	return c
}

// hasNoPurchase reports whether nothing is bought on that occasion that a minimum
// amount could be held against.
func (c UseContext) hasNoPurchase() bool {
	return c == ContextSubscriptionUpdate || c == ContextCustomer
}

// ofSubscription reports whether a subscription is what is paid for on that
// occasion.
func (c UseContext) ofSubscription() bool {
	return c == ContextSubscriptionCreate || c == ContextSubscriptionUpdate || c == ContextInvoice
}

// SubscriptionDiscount is what a redemption grants to a subscription beyond its own
// order: a discount on the invoices to come.
type SubscriptionDiscount struct {
	SubscriptionID string
	// Duration is never the default; Months belongs to DurationRepeating.
	Duration Duration
	Months   int32
	// Cycles is how many charges it is for, the redemption's own order included: 1
	// for DurationOnce, 0 without limit. Used counts those that it was taken off.
	Cycles int64
	Used   int64
	// Renewed is what invoices were given, by currency; the redemption's own order is
	// not among them.
	Renewed map[Currency]Spending
	// EndedTime is when it was stopped, or when the first invoice came after all
	// cycles were used. It is zero while neither has happened.
	EndedTime time.Time
}

// newSubscriptionDiscount returns the discount that a redemption of c starts, of
// which an order has already used a cycle if anything was taken off it; nil
// without a subscription. A gift card pays where it is redeemed and for nothing that
// comes later, so that a subscription can have a discount beside it.
func newSubscriptionDiscount(c *Coupon, r *ValidateRequest, granted *AppliedDiscount) *SubscriptionDiscount {
	if r.SubscriptionID == "" || c.Discount.GiftCards != nil {
		return nil
	}
	d := &SubscriptionDiscount{SubscriptionID: r.SubscriptionID, Duration: c.Duration, Months: c.DurationInMonths}
	switch c.Duration {
	case DurationDefault, DurationOnce:
		d.Duration, d.Cycles = DurationOnce, 1
	case DurationCycles:
		d.Cycles = int64(c.DurationInCycles)
	case DurationRepeating, DurationForever: // no number of charges ends them
	}
	if granted != nil && granted.TotalAmountMinor > 0 {
		d.Used = 1
	}
	return d
}

// Start sets what r grants to the subscription of a request, if it names one: r is
// a redemption of c that grants r.Discount.
func (r *Redemption) Start(c *Coupon, req *ValidateRequest) {
	if r.Context = req.Context; r.Context == ContextCheckout {
		r.Context = ContextDefault
	}
	r.Subscription = newSubscriptionDiscount(c, req, r.Discount)
}

// DiscountWindow returns when the discount on the invoices of the subscription began,
// and before when an invoice must be issued to get it. A zero start is that of a
// reservation, which has not begun; a zero end is none. An invoice that was issued
// before the start gets it, too: the clock of who issues is another.
//
// A repeating discount ends a number of calendar months (UTC) after its start, a
// free trial with the trial.
func (r *Redemption) DiscountWindow() (start, end time.Time) {
	start = r.CreateTime
	if !r.ExpireTime.IsZero() {
		start = r.CommitTime
	}
	switch {
	case start.IsZero() || r.Subscription == nil:
	case r.Discount != nil && r.Discount.TrialDays > 0:
		end = r.Discount.TrialEndsAt
	case r.Subscription.Duration == DurationRepeating:
		end = AddMonths(start, int(r.Subscription.Months))
	}
	return start, end
}

// HoldsSubscription reports whether r is the one discount that its subscription has
// at an instant, reservations included. Once it no longer is, it never is again.
func (r Redemption) HoldsSubscription(now time.Time) bool {
	if r.Subscription == nil {
		return false
	}
	r = r.Effective(now)
	_, end := r.DiscountWindow()
	switch r.State {
	case RedemptionReserved:
		return true
	case RedemptionRedeemed:
		return r.Subscription.EndedTime.IsZero() && !reached(end, now)
	default:
		return false
	}
}

// AddMonths returns the instant n calendar months (UTC) after t, at the same time of
// day. A day that the month does not have becomes its last one: a month after 31
// January is 28 or 29 February, and two months after it 31 March.
func AddMonths(t time.Time, n int) time.Time {
	t = t.UTC()
	y, m, d := t.Date()
	// Day 0 of a month is the last day of the one before.
	last := time.Date(y, m+time.Month(n)+1, 0, 0, 0, 0, 0, time.UTC).Day()
	return time.Date(y, m+time.Month(n), min(d, last), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
}

// Invoice is one invoice of a subscription: an order, whose id is that of the
// invoice, and when it was issued.
type Invoice struct {
	Order    Order
	IssuedAt time.Time
}

// Fingerprint identifies the content of an invoice, its id included.
func (i *Invoice) Fingerprint() string {
	b, err := json.Marshal(i)
	if err != nil {
		panic("domain: an invoice has no JSON form: " + err.Error())
	}
	sum := sha256.Sum256(b)
	return digest(sum[:])
}

// Check records what is wrong with an invoice, as Order.Check does; its id is
// required. prefix ends with a dot.
func (i *Invoice) Check(v *Violations, prefix string) {
	if i.Order.ID == "" {
		v.Add(prefix+"id", "is required")
	}
	i.Order.Check(v, prefix)
	if i.IssuedAt.IsZero() {
		v.Add(prefix+"issued_at", "is required")
	}
}

// ApplyRenewal asks for the discount on one invoice of a redemption's subscription.
type ApplyRenewal struct {
	RequestID string
	Name      RedemptionName
	Invoice   Invoice
}

// EndDiscount stops the discount of a redemption's subscription.
type EndDiscount struct {
	RequestID string
	Name      RedemptionName
}

// RenewalOutcome is what became of an invoice.
type RenewalOutcome byte

// The outcomes, as stored.
const (
	// RenewalApplied took something off and used a cycle.
	RenewalApplied RenewalOutcome = 'A'
	// RenewalNothing had nothing to take off: nothing was due, or the discount does
	// not apply to what was. It used nothing up.
	RenewalNothing RenewalOutcome = 'N'
	// RenewalEnded came after the end of the discount.
	RenewalEnded RenewalOutcome = 'E'
)

// Renewal is the answer about one invoice. It never changes.
type Renewal struct {
	Redemption RedemptionName
	RequestID  string
	InvoiceID  string
	// Fingerprint is that of the invoice.
	Fingerprint string
	IssuedAt    time.Time
	Outcome     RenewalOutcome
	// Cycle is the cycle that was used, counted from 1, and Discount what was taken
	// off, without the split over units; both only when applied.
	Cycle    int64
	Discount *AppliedDiscount
	// ScopedAmountMinor is the part of Discount that counts against a budget for
	// some products only.
	ScopedAmountMinor int64
	CreateTime        time.Time
}

// use uses a cycle for a renewal and numbers it.
func (d *SubscriptionDiscount) use(r *Renewal) {
	d.Used++
	r.Cycle = d.Used
	d.Renewed = maps.Clone(d.Renewed)
	if d.Renewed == nil {
		d.Renewed = map[Currency]Spending{}
	}
	d.Renewed[r.Discount.Currency] = d.Renewed[r.Discount.Currency].plus(r.Spent())
}

// Spent returns what the renewal takes up of a budget.
func (r *Renewal) Spent() Spending {
	if r.Discount == nil {
		return Spending{}
	}
	return Spending{TotalMinor: r.Discount.TotalAmountMinor, ScopedMinor: r.ScopedAmountMinor}
}

// Check records what is wrong with what r says of a subscription.
func (r *ValidateRequest) Check(v *Violations, prefix string) {
	CheckCallerID(r.SubscriptionID, v, prefix+"subscription_id")
	checkRange(v, prefix+"plan_trial_days", int64(r.PlanTrialDays), 0, maxTrialDays)
}

// EvaluateRenewal decides what a redemption's discount, as its coupon stands, takes
// off an invoice at now, or why the budget does not allow it. It does not number
// the cycle, and does not look at whether one is left: that is decided where it is
// taken. What was asked of the first order is not asked again.
func EvaluateRenewal(c *CouponSnapshot, r *Redemption, q *ApplyRenewal, now time.Time) (Renewal, []Ineligibility) {
	out := Renewal{
		Redemption: r.Name, RequestID: q.RequestID, InvoiceID: q.Invoice.Order.ID, Fingerprint: q.Invoice.Fingerprint(),
		IssuedAt: q.Invoice.IssuedAt, Outcome: RenewalNothing, CreateTime: now,
	}
	terms := c.Terms
	terms.Conditions = OrderConditions{}
	if b := c.BudgetIn(q.Invoice.Order.Currency); b == nil && len(c.Budgets) > 0 {
		return out, nil // it is not for this currency
	}
	d, against := terms.Apply(&q.Invoice.Order, now)
	if len(against) > 0 || d.TotalAmountMinor == 0 {
		return out, nil
	}
	if _, end := r.DiscountWindow(); reached(end, q.Invoice.IssuedAt) {
		out.Outcome = RenewalEnded
		return out, nil
	}
	d, short := c.withinBudget(&q.Invoice.Order, d)
	if short != nil {
		return out, []Ineligibility{*short}
	}
	if d.TotalAmountMinor == 0 {
		return out, nil
	}
	out.Outcome, out.Discount = RenewalApplied, withoutUnits(&d)
	out.ScopedAmountMinor = c.ScopedAmount(&q.Invoice.Order, &d)
	return out, nil
}
