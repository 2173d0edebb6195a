// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package domain

import (
	"fmt"
	"maps"
	"slices"
)

// checkRecord returns what is wrong with what a record says of a discount, or "".
func (d *SubscriptionDiscount) checkRecord() string {
	if d.Cycles > 0 && d.Used > d.Cycles {
		return fmt.Sprintf("has used %d of %d cycles", d.Used, d.Cycles)
	}
	for currency, sum := range d.Renewed {
		if sum.TotalMinor <= 0 || sum.ScopedMinor < 0 || sum.ScopedMinor > sum.TotalMinor {
			return fmt.Sprintf("has %+v of %s taken off renewals", sum, currency)
		}
	}
	return ""
}

// CheckDiscount returns what must never be of the discount of a redemption and all
// answers about its invoices, in any order: an invoice that was answered twice, a
// cycle that was not used by exactly one thing, more cycles used than there are, or
// another sum taken off than that of the answers.
func CheckDiscount(r *Redemption, answers []*Renewal) error {
	d := r.Subscription
	if d == nil {
		if len(answers) > 0 {
			return fmt.Errorf("%s is for no subscription and has %d invoices", r.Name, len(answers))
		}
		return nil
	}
	var cycles []int64
	var renewed SubscriptionDiscount
	invoices := map[string]bool{}
	for _, a := range answers {
		if invoices[a.InvoiceID] {
			return fmt.Errorf("the invoice %s of %s was answered twice", a.InvoiceID, r.Name)
		}
		invoices[a.InvoiceID] = true
		if (a.Outcome == RenewalApplied) != (a.Discount != nil && a.Discount.TotalAmountMinor > 0 && a.Cycle > 0) {
			return fmt.Errorf("the invoice %s of %s has the outcome %c, cycle %d and the discount %+v", a.InvoiceID, r.Name, a.Outcome, a.Cycle, a.Discount)
		}
		if a.Outcome == RenewalApplied {
			cycles = append(cycles, a.Cycle)
			numbered := *a
			renewed.use(&numbered)
		}
	}
	slices.Sort(cycles)
	first := d.Used - int64(len(cycles)) // used by the redemption's own order: 0 or 1
	if first < 0 || first > 1 || d.Cycles > 0 && d.Used > d.Cycles {
		return fmt.Errorf("%s says that %d of %d cycles are used, and %d were by invoices", r.Name, d.Used, d.Cycles, len(cycles))
	}
	for i, cycle := range cycles {
		if want := first + int64(i) + 1; cycle != want {
			return fmt.Errorf("an invoice of %s used cycle %d, want %d", r.Name, cycle, want)
		}
	}
	if !maps.Equal(renewed.Renewed, d.Renewed) {
		return fmt.Errorf("%s says that %v was taken off its invoices, which say %v", r.Name, d.Renewed, renewed.Renewed)
	}
	return nil
}
