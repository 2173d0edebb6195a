// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package domain

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestMonthsAreCountedFromTheStartAndEndWithTheMonth(t *testing.T) {
	t.Parallel()
	at := func(y int, m time.Month, d int) time.Time {
		return time.Date(y, m, d, 23, 59, 58, 999_000_000, time.UTC)
	}
	for _, c := range []struct {
		from time.Time
		n    int
		want time.Time
	}{
		{at(2026, 1, 31), 0, at(2026, 1, 31)},
		{at(2026, 1, 31), 1, at(2026, 2, 28)},
		{at(2028, 1, 31), 1, at(2028, 2, 29)},
		{at(2026, 1, 31), 2, at(2026, 3, 31)}, // and not the 28th
		{at(2026, 1, 31), 3, at(2026, 4, 30)},
		{at(2026, 1, 31), 12, at(2027, 1, 31)},
		{at(2026, 1, 31), 13, at(2027, 2, 28)},
		{at(2028, 2, 29), 12, at(2029, 2, 28)},
		{at(2028, 2, 29), 48, at(2032, 2, 29)},
		{at(2026, 12, 31), 2, at(2027, 2, 28)},
		{at(2026, 12, 1), 1, at(2027, 1, 1)},
		{at(2100, 1, 30), 1, at(2100, 2, 28)}, // no leap year
		{at(2026, 5, 15), 1_200, at(2126, 5, 15)},
	} {
		if got := AddMonths(c.from, c.n); !got.Equal(c.want) {
			t.Errorf("%d months after %s is %s, want %s", c.n, c.from, got, c.want)
		}
	}
}

func TestAMonthLaterIsInTheNextMonth(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		from := time.UnixMilli(rapid.Int64Range(0, 4_102_444_800_000).Draw(t, "from")).UTC()
		n := rapid.IntRange(0, 1_200).Draw(t, "months")
		got := AddMonths(from, n)
		y, m, d := from.Date()
		gy, gm, gd := got.Date()
		if 12*gy+int(gm) != 12*y+int(m)+n {
			t.Fatalf("%d months after %s is %s", n, from, got)
		}
		if next := got.AddDate(0, 0, 1); gd != d && (gd > d || next.Month() == gm) {
			t.Fatalf("%d months after %s is %s, which is not the end of a month", n, from, got)
		}
		if from.Sub(from.Truncate(24*time.Hour)) != got.Sub(got.Truncate(24*time.Hour)) {
			t.Fatalf("%s has not the time of day of %s", got, from)
		}
	})
}

func TestACodeWithAMinimumAmountIsForPurchases(t *testing.T) {
	t.Parallel()
	for context, allowed := range map[UseContext]bool{
		ContextDefault: true, ContextCheckout: true, ContextSubscriptionCreate: true, ContextInvoice: true,
		ContextSubscriptionUpdate: false, ContextCustomer: false,
	} {
		for _, minimums := range [][]Money{nil, {{"EUR", 100}}} {
			s := &Snapshot{
				Coupon:        CouponSnapshot{Coupon: Coupon{ID: "c", Terms: percentOff(1_000)}},
				PromotionCode: &PromotionCodeSnapshot{State: PromotionActive},
			}
			s.PromotionCode.Restrictions.MinimumAmounts = minimums
			for _, order := range []*Order{nil, orderOf("EUR", 200)} {
				e := Evaluate(s, &ValidateRequest{Context: context, Order: order}, noon)
				var want []Reason
				switch {
				case minimums != nil && !allowed:
					want = []Reason{ContextNotAllowed}
				case minimums != nil && order == nil:
					want = []Reason{OrderRequired}
				}
				if got := reasonsOf(e.Ineligibilities); !slices.Equal(got, want) {
					t.Errorf("context %d, minimum %v, order %t: %v, want %v", context, minimums, order != nil, got, want)
				}
			}
		}
	}
}

func reasonsOf(list []Ineligibility) []Reason {
	var out []Reason
	for _, i := range list {
		out = append(out, i.Reason)
	}
	return out
}

func TestTrialDaysComeOnTopOfThoseOfThePlan(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		trial        FreeTrial
		ofPlan, want int32
	}{
		{FreeTrial{TrialDays: 30}, 0, 30},
		{FreeTrial{TrialDays: 30}, 7, 30},
		{FreeTrial{TrialDays: 7}, 30, 30},
		{FreeTrial{AdditionalTrialDays: 14}, 0, 14},
		{FreeTrial{AdditionalTrialDays: 14}, 30, 44},
	} {
		s := &Snapshot{Coupon: CouponSnapshot{Coupon: Coupon{ID: "c", Terms: Terms{Discount: Discount{FreeTrial: &c.trial}}}}}
		for _, order := range []*Order{nil, orderOf("EUR", 200)} {
			d := Evaluate(s, &ValidateRequest{PlanTrialDays: c.ofPlan, Order: order}, noon).Discount
			if d == nil || d.TrialDays != c.want || !d.TrialEndsAt.Equal(noon.AddDate(0, 0, int(c.want))) || d.TotalAmountMinor != 0 {
				t.Errorf("%+v on a plan with %d days: %+v", c.trial, c.ofPlan, d)
			}
		}
	}
}

// subscribed returns a store with a coupon that is redeemed for a subscription.
func subscribed(t *testing.T, order *Order, change func(*Coupon)) (State, Redemption) {
	t.Helper()
	c := Coupon{ID: "c", Terms: percentOff(2_000)}
	change(&c)
	s := mustStep(t, State{}, noon, CreateCoupon{Coupon: c})
	r := RedeemRequest{"r", ValidateRequest{Source: Source{Coupon: "c"}, SubscriptionID: "sub", Order: order}}
	s, result := s.Step(noon, IDs{}, r)
	if result.Err != nil {
		t.Fatal(result.Err)
	}
	return s, result.Value.(Redemption)
}

func mustStep(t *testing.T, s State, now time.Time, c Command) State {
	t.Helper()
	next, r := s.Step(now, IDs{}, c)
	if r.Err != nil {
		t.Fatalf("%T: %v", c, r.Err)
	}
	if err := s.CheckSuccessor(next); err != nil {
		t.Fatal(err)
	}
	return next
}

// invoice is one over an amount, n months after noon.
func invoice(id string, n int, amount int64) Invoice {
	i := Invoice{*orderOf("EUR", amount), AddMonths(noon, n)}
	i.Order.ID = id
	return i
}

// renewed tells what became of an invoice: the amount taken off, nothing, or the
// end.
func renewed(t *testing.T, s *State, n RedemptionName, i Invoice) string {
	t.Helper()
	next, r := s.Step(i.IssuedAt, IDs{}, ApplyRenewal{"renew " + i.Order.ID, n, i})
	if r.Err != nil {
		t.Fatalf("renew with %s: %v", i.Order.ID, r.Err)
	}
	if err := s.CheckSuccessor(next); err != nil {
		t.Fatal(err)
	}
	*s = next
	switch v := r.Value.(Renewal); v.Outcome {
	case RenewalApplied:
		return fmt.Sprint(v.Discount.TotalAmountMinor)
	case RenewalNothing:
		return "nothing"
	default:
		return "ended"
	}
}

func TestInvoicesADiscountLasts(t *testing.T) {
	t.Parallel()
	amounts := []int64{0, 1_000, 1_000, 0, 1_000, 1_000, 1_000}
	for name, c := range map[string]struct {
		change func(*Coupon)
		order  *Order
		want   []string
	}{
		"once": {func(*Coupon) {}, nil, []string{"nothing", "200", "ended", "ended", "ended", "ended", "ended"}},
		"once, used by the order": {
			func(c *Coupon) { c.Duration = DurationOnce }, orderOf("EUR", 500),
			[]string{"nothing", "ended", "ended", "ended", "ended", "ended", "ended"},
		},
		"once, and nothing was due at first": {
			func(c *Coupon) { c.Duration = DurationOnce }, orderOf("EUR", 0),
			[]string{"nothing", "200", "ended", "ended", "ended", "ended", "ended"},
		},
		"three cycles": {
			func(c *Coupon) { c.Duration, c.DurationInCycles = DurationCycles, 3 }, nil,
			[]string{"nothing", "200", "200", "nothing", "200", "ended", "ended"},
		},
		"three cycles, the first by the order": {
			func(c *Coupon) { c.Duration, c.DurationInCycles = DurationCycles, 3 }, orderOf("EUR", 500),
			[]string{"nothing", "200", "200", "nothing", "ended", "ended", "ended"},
		},
		"four months": {
			func(c *Coupon) { c.Duration, c.DurationInMonths = DurationRepeating, 4 }, nil,
			[]string{"nothing", "200", "200", "nothing", "ended", "ended", "ended"},
		},
		"forever": {
			func(c *Coupon) { c.Duration = DurationForever }, orderOf("EUR", 500),
			[]string{"nothing", "200", "200", "nothing", "200", "200", "200"},
		},
	} {
		s, r := subscribed(t, c.order, c.change)
		var got []string
		for i, amount := range amounts {
			got = append(got, renewed(t, &s, r.Name, invoice(fmt.Sprint("i", i), i, amount)))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
		if s.coupon("c").Redeemed != 1 {
			t.Errorf("%s: renewals count as redemptions", name)
		}
	}
}

func TestAnInvoiceIsAnsweredOnce(t *testing.T) {
	t.Parallel()
	s, r := subscribed(t, nil, func(c *Coupon) { c.Duration, c.DurationInCycles = DurationCycles, 2 })
	ask := func(request string, i Invoice) Result {
		t.Helper()
		next, result := s.Step(noon, IDs{}, ApplyRenewal{request, r.Name, i})
		s = next
		return result
	}
	first := ask("a", invoice("i", 0, 1_000))
	for _, request := range []string{"a", "b", "b"} {
		if again := ask(request, invoice("i", 0, 1_000)); compare(first, again) != "" {
			t.Errorf("asked again as %s: %s", request, compare(first, again))
		}
	}
	if d := s.coupon("c").ledger[0].Subscription; d.Used != 1 {
		t.Errorf("%d cycles are used by one invoice", d.Used)
	}
	if got := ask("c", invoice("i", 0, 1_001)); !errors.Is(got.Err, ErrInvoiceIDReused) {
		t.Errorf("an invoice with other content: %v", got.Err)
	}
	for _, request := range []string{"a", "b", "r"} {
		if got := ask(request, invoice("other", 0, 1_000)); !errors.Is(got.Err, ErrRequestIDReused) {
			t.Errorf("another invoice as %s: %v", request, got.Err)
		}
	}
}

func TestWhatEndsACouponDoesNotEndItsDiscounts(t *testing.T) {
	t.Parallel()
	s, r := subscribed(t, orderOf("EUR", 5_000), func(c *Coupon) {
		c.Duration, c.MaxRedemptions, c.RedeemBy = DurationForever, new(int64(1)), noon.Add(hour)
		c.Conditions.MinimumAmounts = []Money{{"EUR", 5_000}}
	})
	s = mustStep(t, s, noon, DeleteCoupon{ID: "c"})
	if got := renewed(t, &s, r.Name, invoice("i", 1, 1_000)); got != "200" {
		t.Errorf("used up, expired, deleted, and below the minimum: %s", got)
	}
	s = mustStep(t, s, noon, EndDiscount{"e", r.Name})
	s = mustStep(t, s, noon, EndDiscount{"again", r.Name})
	if got := renewed(t, &s, r.Name, invoice("i", 1, 1_000)); got != "200" {
		t.Errorf("what was answered before the end: %s", got)
	}
	if got := renewed(t, &s, r.Name, invoice("j", 1, 1_000)); got != "ended" {
		t.Errorf("after the end: %s", got)
	}
}

func TestABudgetLimitsRenewals(t *testing.T) {
	t.Parallel()
	budget := func(grant bool) func(*Coupon) {
		return func(c *Coupon) {
			c.Duration, c.Budgets = DurationForever, []Budget{{Limit: Money{"EUR", 500}, GrantRemaining: grant}}
		}
	}
	s, r := subscribed(t, orderOf("EUR", 1_000), budget(true))
	for i, want := range []string{"200", "100"} {
		if got := renewed(t, &s, r.Name, invoice(fmt.Sprint("i", i), i, 1_000)); got != want {
			t.Errorf("invoice %d: %s, want %s", i, got, want)
		}
	}
	_, result := s.Step(noon, IDs{}, ApplyRenewal{"x", r.Name, invoice("x", 2, 1_000)})
	wantRefused(t, result, BudgetExhausted)

	s, r = subscribed(t, orderOf("EUR", 1_000), budget(false))
	_, result = s.Step(noon, IDs{}, ApplyRenewal{"x", r.Name, invoice("x", 2, 2_000)})
	wantRefused(t, result, BudgetInsufficient)
	if got := renewed(t, &s, r.Name, invoice("y", 2, 1_500)); got != "300" {
		t.Errorf("what fits: %s", got)
	}
}

func wantRefused(t *testing.T, r Result, want ...Reason) {
	t.Helper()
	var refused *RefusedError
	if !errors.As(r.Err, &refused) || !slices.Equal(reasonsOf(refused.Ineligibilities), want) {
		t.Errorf("%v, want %v", r.Err, want)
	}
}

func TestASubscriptionHasOneDiscount(t *testing.T) {
	t.Parallel()
	try := func(s State, now time.Time) (State, Result) {
		return s.Step(now, IDs{}, RedeemRequest{"other", ValidateRequest{
			Source: Source{Coupon: "d"}, SubscriptionID: "sub", Order: orderOf("EUR", 1_000),
		}})
	}
	for name, end := range map[string]func(State, Redemption) (State, time.Time){
		"ended": func(s State, r Redemption) (State, time.Time) {
			return mustStep(t, s, noon, EndDiscount{"e", r.Name}), noon
		},
		"voided": func(s State, r Redemption) (State, time.Time) {
			return mustStep(t, s, noon, VoidRedemption{RequestID: "v", Name: r.Name}), noon
		},
		"over with the months": func(s State, _ Redemption) (State, time.Time) { return s, AddMonths(noon, 2) },
		"over with the cycles": func(s State, r Redemption) (State, time.Time) {
			return mustStep(t, s, noon, ApplyRenewal{"n", r.Name, invoice("i", 0, 1_000)}), noon
		},
	} {
		s, r := subscribed(t, orderOf("EUR", 1_000), func(c *Coupon) {
			if name == "over with the months" {
				c.Duration, c.DurationInMonths = DurationRepeating, 2
			}
		})
		s = mustStep(t, s, noon, CreateCoupon{Coupon: Coupon{ID: "d", Terms: percentOff(1_000)}})
		_, result := try(s, noon)
		wantRefused(t, result, SubscriptionAlreadyDiscounted)
		s, now := end(s, r)
		if _, result := try(s, now); result.Err != nil {
			t.Errorf("%s: %v", name, result.Err)
		}
	}
}
