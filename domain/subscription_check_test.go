// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package domain

import (
	"strings"
	"testing"
)

// TestWhatIsWrongWithADiscountIsFound makes each mistake in a discount that is right
// otherwise.
func TestWhatIsWrongWithADiscountIsFound(t *testing.T) {
	t.Parallel()
	type wrong func(r *Redemption, answers []*Renewal) []*Renewal
	for want, change := range map[string]wrong{
		"":               func(_ *Redemption, a []*Renewal) []*Renewal { return a },
		"answered twice": func(_ *Redemption, a []*Renewal) []*Renewal { a[1].InvoiceID = a[0].InvoiceID; return a },
		"used cycle 2":   func(_ *Redemption, a []*Renewal) []*Renewal { a[1].Cycle = 2; return a },
		"the outcome A":  func(_ *Redemption, a []*Renewal) []*Renewal { a[0].Discount = nil; return a },
		"the outcome N":  func(_ *Redemption, a []*Renewal) []*Renewal { a[2].Cycle, a[2].Discount = 4, a[0].Discount; return a },
		"of 3 cycles":    func(r *Redemption, a []*Renewal) []*Renewal { r.Subscription.Used = 4; return a },
		"of 2 cycles":    func(r *Redemption, a []*Renewal) []*Renewal { r.Subscription.Cycles = 2; return a },
		"and 0 were":     func(_ *Redemption, a []*Renewal) []*Renewal { return a[2:] },
		"off its invoices": func(r *Redemption, a []*Renewal) []*Renewal {
			r.Subscription.Renewed["EUR"] = Spending{401, 0}
			return a
		},
		"no subscription":     func(r *Redemption, a []*Renewal) []*Renewal { r.Subscription = nil; return a },
		"its invoices, which": func(r *Redemption, a []*Renewal) []*Renewal { r.Subscription.Renewed = nil; return a },
	} {
		s, r := subscribed(t, orderOf("EUR", 500), func(c *Coupon) { c.Duration, c.DurationInCycles = DurationCycles, 3 })
		for i, amount := range []int64{1_000, 1_000, 0} {
			renewed(t, &s, r.Name, invoice([]string{"a", "b", "c"}[i], i, amount))
		}
		var answers []*Renewal
		for _, a := range s.coupon("c").renewals {
			answer := *a
			answers = append(answers, &answer)
		}
		now := *s.coupon("c").ledger[0]
		d := *now.Subscription
		now.Subscription = &d
		err := CheckDiscount(&now, change(&now, answers))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q is found as: %v", want, err)
		}
	}
}
