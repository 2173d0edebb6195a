// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/discountd/discountd/domain"
)

func lasting(duration domain.Duration, n int32) func(*domain.Coupon) {
	return func(c *domain.Coupon) {
		c.Duration = duration
		switch duration {
		case domain.DurationRepeating:
			c.DurationInMonths = n
		case domain.DurationCycles:
			c.DurationInCycles = n
		case domain.DurationDefault, domain.DurationOnce, domain.DurationForever:
		}
	}
}

func renewalBudget(amount int64, grantRemaining bool) func(*domain.Coupon) {
	return func(c *domain.Coupon) {
		c.Budgets = []domain.Budget{{Limit: domain.Money{Currency: "EUR", AmountMinor: amount}, GrantRemaining: grantRemaining}}
	}
}

func forSubscription(id string) func(*domain.RedeemRequest) {
	return func(r *domain.RedeemRequest) { r.SubscriptionID = id }
}

// invoiceOf is an invoice in euros that is issued when tests begin.
func invoiceOf(id string, amount int64) domain.Invoice {
	order := orderOf(amount)
	order.ID = id
	return domain.Invoice{Order: *order, IssuedAt: epoch}
}

func renewalOf(request string, n domain.RedemptionName, i domain.Invoice) domain.ApplyRenewal {
	return domain.ApplyRenewal{RequestID: request, Name: n, Invoice: i}
}

// renewed fails the test unless an invoice is answered.
func (e *env) renewed(request string, n domain.RedemptionName, i domain.Invoice) domain.Renewal {
	e.t.Helper()
	r, err := e.ApplyRenewal(e.ctx(), renewalOf(request, n, i))
	if err != nil {
		e.t.Fatalf("%s: %v", request, err)
	}
	return r
}

// used fails the test unless a redemption's discount has used so many cycles.
func (e *env) used(n domain.RedemptionName, want int64) {
	e.t.Helper()
	r, err := e.Redemption(e.ctx(), n)
	if err != nil || r.Subscription == nil || r.Subscription.Used != want {
		e.t.Errorf("%+v used, %v; want %d", r.Subscription, err, want)
	}
}

func TestInvoiceIsAnsweredOnceHoweverOftenItIsAsked(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a", lasting(domain.DurationCycles, 4)))
		r := e.redeem(byCoupon("r", "a", forSubscription("sub"), withOrder(nil)))
		first := e.renewed("n0", r.Name, invoiceOf("i", 1_000))
		if first.Outcome != domain.RenewalApplied || first.Cycle != 1 || first.Discount.TotalAmountMinor != 250 {
			t.Fatalf("%+v", first)
		}
		n := e.crowd(100)
		var other atomic.Int64
		all(n, func(i int) {
			again, err := e.ApplyRenewal(e.ctx(), renewalOf(fmt.Sprint("n", i%10), r.Name, invoiceOf("i", 1_000)))
			if err != nil || cmp.Diff(first, again) != "" {
				other.Add(1)
				t.Errorf("asked again: %+v, %v", again, err)
			}
		})
		e.used(r.Name, 1)
		if spent := e.coupon("a").Spent["EUR"].TotalMinor; spent != 250 {
			t.Errorf("%d was spent", spent)
		}
		if c := e.coupon("a"); c.Redeemed != 1 {
			t.Errorf("%d redemptions: renewals count", c.Redeemed)
		}
		e.unchanged("an invoice with other content", func() {
			if _, err := e.ApplyRenewal(e.ctx(), renewalOf("new", r.Name, invoiceOf("i", 1_001))); !errors.Is(err, domain.ErrInvoiceIDReused) {
				t.Errorf("got %v", err)
			}
		})
		for _, request := range []string{"n0", "n9", "r"} {
			e.unchanged("another invoice by a request that was used", func() {
				if _, err := e.ApplyRenewal(e.ctx(), renewalOf(request, r.Name, invoiceOf("j", 1_000))); !errors.Is(err, domain.ErrRequestIDReused) {
					t.Errorf("%s: %v", request, err)
				}
			})
		}
		if _, err := e.Redeem(e.ctx(), new(byCoupon("n0", "a"))); !errors.Is(err, domain.ErrRequestIDReused) {
			t.Errorf("a redemption by the request of a renewal: %v", err)
		}
	})
}

func TestCyclesAreNeverPassedByACrowdOfInvoices(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		for _, cycles := range []int32{1, 4} {
			id := domain.CouponID(fmt.Sprint("a", cycles))
			e.createCoupon(percentOff(id, lasting(domain.DurationCycles, cycles)))
			r := e.redeem(byCoupon("r", id, forSubscription(string(id)), withOrder(nil)))
			var applied, ended atomic.Int64
			n := e.crowd(100)
			all(n, func(i int) {
				got, err := e.ApplyRenewal(e.ctx(), renewalOf(fmt.Sprint("n", i), r.Name, invoiceOf(fmt.Sprint("i", i), 1_000)))
				switch {
				case err != nil:
					t.Error(err)
				case got.Outcome == domain.RenewalApplied:
					applied.Add(1)
				case got.Outcome == domain.RenewalEnded && got.Discount == nil && got.Cycle == 0:
					ended.Add(1)
				}
			})
			if applied.Load() != int64(cycles) || ended.Load() != int64(n)-int64(cycles) {
				t.Errorf("%d cycles: %d applied and %d ended", cycles, applied.Load(), ended.Load())
			}
			e.used(r.Name, int64(cycles))
		}
	})
}

func TestZeroInvoiceUsesNothingUpAndTheNextOneDoes(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a"))
		r := e.redeem(byCoupon("r", "a", forSubscription("sub"), withOrder(nil)))
		for i, want := range []struct {
			amount  int64
			outcome domain.RenewalOutcome
		}{{0, domain.RenewalNothing}, {1, domain.RenewalNothing}, {1_000, domain.RenewalApplied}, {1_000, domain.RenewalEnded}, {0, domain.RenewalEnded}} {
			if got := e.renewed(fmt.Sprint("n", i), r.Name, invoiceOf(fmt.Sprint("i", i), want.amount)); got.Outcome != want.outcome {
				t.Errorf("invoice %d over %d: %c, want %c", i, want.amount, got.Outcome, want.outcome)
			}
		}
		// Those that used nothing are answered for good, too.
		if _, err := e.ApplyRenewal(e.ctx(), renewalOf("n", r.Name, invoiceOf("i0", 1_000))); !errors.Is(err, domain.ErrInvoiceIDReused) {
			t.Errorf("the zero invoice with another amount: %v", err)
		}
	})
}

func TestRenewalInACurrencyThatTheCouponDoesNotHaveTakesNothingOff(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a", lasting(domain.DurationForever, 0), renewalBudget(10_000, false)))
		r := e.redeem(byCoupon("r", "a", forSubscription("s"), withOrder(orderOf(100))))
		inDollars := invoiceOf("i", 100)
		inDollars.Order.Currency = "USD"
		if got := e.renewed("i", r.Name, inDollars); got.Outcome != domain.RenewalNothing {
			t.Errorf("the outcome is %c", got.Outcome)
		}
	})
}

func TestBudgetIsNeverPassedByRenewals(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		for _, grant := range []bool{false, true} {
			id := domain.CouponID(fmt.Sprint("a", grant))
			e.createCoupon(percentOff(id, lasting(domain.DurationForever, 0), renewalBudget(1_100, grant)))
			r := e.redeem(byCoupon("r", id, forSubscription(string(id)), withOrder(orderOf(0))))
			var granted, refused atomic.Int64
			n := e.crowd(30)
			all(n, func(i int) {
				got, err := e.ApplyRenewal(e.ctx(), renewalOf(fmt.Sprint("n", i), r.Name, invoiceOf(fmt.Sprint("i", i), 1_000)))
				switch {
				case err == nil:
					granted.Add(got.Discount.TotalAmountMinor)
				case isError[*domain.RefusedError](err), grant && errors.Is(err, domain.ErrAborted):
					refused.Add(1)
				default:
					t.Error(err)
				}
			})
			// Those that lost the race for what is left may have been told to try again.
			for i := range n {
				if got, err := e.ApplyRenewal(e.ctx(), renewalOf(fmt.Sprint("m", i), r.Name, invoiceOf(fmt.Sprint("late", i), 1_000))); err == nil {
					granted.Add(got.Discount.TotalAmountMinor)
				}
			}
			want := int64(1_000)
			if grant {
				want = 1_100
			}
			if spent := e.coupon(id).Spent["EUR"].TotalMinor; granted.Load() != want || spent != want {
				t.Errorf("grant remaining %t: %d granted and %d spent, want %d", grant, granted.Load(), spent, want)
			}
			_, err := e.ApplyRenewal(e.ctx(), renewalOf("last", r.Name, invoiceOf("last", 1_000)))
			wantReasons(t, err, map[bool]domain.Reason{false: domain.BudgetInsufficient, true: domain.BudgetExhausted}[grant])
			// What was answered before is answered the same when nothing is left.
			spent := e.coupon(id).Spent
			e.clock.Advance(time.Hour)
			for i := range n {
				got, err := e.ApplyRenewal(e.ctx(), renewalOf(fmt.Sprint("n", i), r.Name, invoiceOf(fmt.Sprint("i", i), 1_000)))
				if err == nil && !got.CreateTime.Before(e.clock.Now()) {
					t.Errorf("invoice %d was answered anew", i)
				}
			}
			if diff := cmp.Diff(spent, e.coupon(id).Spent); diff != "" {
				t.Error(diff)
			}
		}
	})
}

func TestReservationsThatAreDueDoNotKeepTheBudgetFromARenewal(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a", lasting(domain.DurationForever, 0), renewalBudget(80_000, false)))
		r := e.redeem(byCoupon("r", "a", forSubscription("sub"), withOrder(orderOf(0))))
		for i := range 130 { // more than one call ends
			e.reserve(time.Minute, byCoupon(fmt.Sprint("h", i), "a", withOrder(orderOf(2_000))))
		}
		now := e.clock.Now()
		e.clock.Advance(time.Minute)
		renewal := domain.Renewal{
			Redemption: r.Name, RequestID: "n", InvoiceID: "i", Fingerprint: "f", IssuedAt: now, CreateTime: now, Outcome: domain.RenewalApplied,
			Discount: &domain.AppliedDiscount{Currency: "EUR", TotalAmountMinor: 80_000, Lines: []domain.LineDiscount{{LineID: "1", AmountMinor: 80_000}}},
		}
		got, err := e.renewOnce(e.ctx(), &renewal, nil, nil)
		if err != nil || got.Discount.TotalAmountMinor != 80_000 {
			t.Errorf("%+v, %v", got, err)
		}
		e.counts("a", 1, 0)
	})
}

func TestWhatEndsACouponDoesNotEndItsDiscounts(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		coupon := e.createCoupon(percentOff("a", lasting(domain.DurationRepeating, 3), limitedTo(1), func(c *domain.Coupon) {
			c.RedeemBy = epoch.Add(time.Hour)
			c.Conditions.MinimumAmounts = []domain.Money{{Currency: "EUR", AmountMinor: 5_000}}
		}))
		p := e.createCode(promotionCode("a", "CODE"))
		r := e.redeem(byCode("r", "code", forSubscription("sub")))
		e.clock.Advance(2 * time.Hour)
		e.deactivate(p.Name)
		if _, err := e.DeleteCoupon(e.ctx(), domain.DeleteCoupon{ID: coupon.ID}); err != nil {
			t.Fatal(err)
		}
		got := e.renewed("n", r.Name, invoiceOf("i", 1_000))
		if got.Outcome != domain.RenewalApplied || got.Cycle != 2 || got.Discount.TotalAmountMinor != 250 {
			t.Errorf("%+v", got)
		}
		late := invoiceOf("late", 1_000)
		late.IssuedAt = domain.AddMonths(r.CreateTime, 3)
		if got := e.renewed("late", r.Name, late); got.Outcome != domain.RenewalEnded {
			t.Errorf("after three months: %+v", got)
		}
	})
}

func TestEndOfADiscountStopsItForGood(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a", lasting(domain.DurationForever, 0)))
		r := e.redeem(byCoupon("r", "a", forSubscription("sub"), withOrder(nil)))
		end := func(request string, n domain.RedemptionName) (*domain.Redemption, error) {
			return e.EndDiscount(e.ctx(), domain.EndDiscount{RequestID: request, Name: n})
		}
		before := e.renewed("n", r.Name, invoiceOf("i", 1_000))
		e.clock.Advance(time.Minute)
		ended := e.settled(domain.RedemptionRedeemed)(end("e", r.Name))
		if !ended.Subscription.EndedTime.Equal(e.clock.Now()) {
			t.Errorf("%+v", ended.Subscription)
		}
		e.clock.Advance(time.Minute)
		for _, request := range []string{"e", "f"} {
			if diff := cmp.Diff(ended, e.settled(domain.RedemptionRedeemed)(end(request, r.Name))); diff != "" {
				t.Errorf("ended again as %s: %s", request, diff)
			}
		}
		if diff := cmp.Diff(before, e.renewed("n", r.Name, invoiceOf("i", 1_000))); diff != "" {
			t.Errorf("what was answered before: %s", diff)
		}
		if got := e.renewed("m", r.Name, invoiceOf("j", 1_000)); got.Outcome != domain.RenewalEnded {
			t.Errorf("%+v", got)
		}
		plain := e.redeem(byCoupon("plain", "a"))
		if _, err := end("g", plain.Name); !isError[*domain.NoSubscriptionError](err) {
			t.Errorf("without a subscription: %v", err)
		}
		if _, err := e.ApplyRenewal(e.ctx(), renewalOf("p", plain.Name, invoiceOf("i", 1_000))); !isError[*domain.NoSubscriptionError](err) {
			t.Errorf("without a subscription: %v", err)
		}
	})
}

func TestOnlyWhatIsRedeemedHasADiscount(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a", lasting(domain.DurationRepeating, 1)))
		ask := func(n domain.RedemptionName, request string) error {
			_, err := e.ApplyRenewal(e.ctx(), renewalOf(request, n, invoiceOf("i", 1_000)))
			return err
		}
		held := e.reserve(time.Minute, byCoupon("h", "a", forSubscription("sub"), withOrder(nil)))
		if err := ask(held.Name, "n"); !isError[*domain.RedemptionStateError](err) {
			t.Errorf("reserved: %v", err)
		}
		e.clock.Advance(30 * time.Second)
		committed := e.settled(domain.RedemptionRedeemed)(e.commit(held.Name, "c", nil))
		if start, end := committed.DiscountWindow(); !start.Equal(e.clock.Now()) || !end.Equal(domain.AddMonths(e.clock.Now(), 1)) {
			t.Errorf("it lasts from %s to %s", start, end)
		}
		if err := ask(held.Name, "n"); err != nil {
			t.Error(err)
		}
		e.settled(domain.RedemptionVoided)(e.void(held.Name, "v", nil))
		if err := ask(held.Name, "n"); err != nil {
			t.Errorf("what was answered before the void: %v", err)
		}
		_, err := e.ApplyRenewal(e.ctx(), renewalOf("m", held.Name, invoiceOf("j", 1_000)))
		if !isError[*domain.RedemptionStateError](err) {
			t.Errorf("voided: %v", err)
		}
		missing := domain.RedemptionName{Coupon: "nobody", ID: held.Name.ID}
		if err := ask(missing, "n"); !isError[*domain.NotFoundError](err) {
			t.Errorf("of no coupon: %v", err)
		}
		if _, err := e.renewOnce(e.ctx(), &domain.Renewal{Redemption: missing, Outcome: domain.RenewalNothing}, nil, nil); !isError[*domain.NotFoundError](err) {
			t.Errorf("of no coupon: %v", err)
		}
	})
}

// TestRecordSaysWhatRenewalsHaveTakenOff has renewals in two currencies, for a budget
// for some products: by the ledger alone what was spent can be told.
func TestRecordSaysWhatRenewalsHaveTakenOff(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a", lasting(domain.DurationForever, 0), func(c *domain.Coupon) {
			for _, currency := range []domain.Currency{"EUR", "USD"} {
				c.Budgets = append(c.Budgets, domain.Budget{Limit: domain.Money{Currency: currency, AmountMinor: 1 << 40}, Products: []string{"product"}})
			}
		}))
		r := e.redeem(byCoupon("r", "a", forSubscription("sub"), withOrder(orderOf(400))))
		for i, currency := range []domain.Currency{"EUR", "USD", "EUR", "USD"} {
			invoice := invoiceOf(fmt.Sprint("i", i), 1_000)
			invoice.Order.Currency = currency
			invoice.Order.Lines = append(invoice.Order.Lines, domain.OrderLine{ID: "other", ProductID: "other", UnitAmountMinor: 2_000, Quantity: 1})
			e.renewed(fmt.Sprint("n", i), r.Name, invoice)
		}
		got, err := e.Redemption(e.ctx(), r.Name)
		if err != nil {
			t.Fatal(err)
		}
		want := map[domain.Currency]domain.Spending{"EUR": {TotalMinor: 1_500, ScopedMinor: 500}, "USD": {TotalMinor: 1_500, ScopedMinor: 500}}
		if diff := cmp.Diff(want, got.Subscription.Renewed); diff != "" {
			t.Errorf("renewed (-want +got):\n%s", diff)
		}
		want["EUR"] = domain.Spending{TotalMinor: 1_600, ScopedMinor: 600}
		if diff := cmp.Diff(want, e.coupon("a").Spent); diff != "" {
			t.Errorf("spent (-want +got):\n%s", diff)
		}
	})
}

// TestRenewalRefusedByABudgetThatChangedIsDecidedAnew changes the budget between the
// reading of it and the script, to one that does not cover the renewal, and raises it.
func TestRenewalRefusedByABudgetThatChangedIsDecidedAnew(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a", lasting(domain.DurationForever, 0)))
		r := e.redeem(byCoupon("r", "a", forSubscription("sub"), withOrder(orderOf(0))))
		budgets := [][]domain.Budget{{{Limit: euros(100)}}, {{Limit: euros(1_000)}}}
		update := func(other *Store) {
			u := domain.UpdateCoupon{ID: "a", Set: domain.CouponFields{Budgets: true}, Budgets: budgets[0]}
			budgets = budgets[1:]
			if _, err := other.UpdateCoupon(e.ctx(), u); err != nil {
				t.Error(err)
			}
		}
		e.before(renew, 1, update) // evaluated without a budget, held against one
		_, err := e.ApplyRenewal(e.ctx(), renewalOf("n", r.Name, invoiceOf("i", 1_000)))
		wantReasons(t, err, domain.BudgetInsufficient)
		update(e.Store)
		if got := e.renewed("n", r.Name, invoiceOf("i", 1_000)); got.Discount.TotalAmountMinor != 250 {
			t.Errorf("with a larger budget: %+v", got)
		}
	})
}
