// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package domain

import (
	"fmt"
	"slices"
)

// Budget bounds how much a coupon may take off in one currency, over all its
// redemptions; reservations count. A coupon has at most one for each currency,
// and one that has any takes orders in their currencies only.
type Budget struct {
	Limit Money `json:"limit"`
	// Products, if any, are the only ones whose share of a discount counts.
	Products []string `json:"products,omitempty"`
	// GrantRemaining is whether a discount that does not fit is cut down to what
	// is left, instead of refused.
	GrantRemaining bool `json:"grant_remaining,omitempty"`
}

// Spending is what a coupon has taken off in one currency: in total, and the part
// that counts against the budget when that is for some products only.
type Spending struct {
	TotalMinor  int64
	ScopedMinor int64
}

func (s Spending) plus(t Spending) Spending {
	return Spending{s.TotalMinor + t.TotalMinor, s.ScopedMinor + t.ScopedMinor}
}

// Counted returns the part of s that counts against b.
func (b *Budget) Counted(s Spending) int64 {
	if b.scoped() {
		return s.ScopedMinor
	}
	return s.TotalMinor
}

func (b *Budget) scoped() bool { return len(b.Products) > 0 }

// BudgetIn returns the coupon's budget in a currency, or nil.
func (c *Coupon) BudgetIn(currency Currency) *Budget {
	for i := range c.Budgets {
		if c.Budgets[i].Limit.Currency == currency {
			return &c.Budgets[i]
		}
	}
	return nil
}

// ScopedAmount returns the part of d, computed on o, that counts against a budget
// for some products only; 0 when the coupon has none.
func (c *Coupon) ScopedAmount(o *Order, d *AppliedDiscount) int64 {
	b := c.BudgetIn(o.Currency)
	if b == nil || !b.scoped() {
		return 0
	}
	var sum int64
	for i := range d.Lines {
		if slices.Contains(b.Products, o.Lines[i].ProductID) {
			sum += d.Lines[i].AmountMinor
		}
	}
	return sum
}

// fits reports whether the coupon can take off one more amount in a currency, or
// why not. What is counted must be counted exactly.
func (c *CouponSnapshot) fits(currency Currency, s Spending) (Ineligibility, bool) {
	spent := c.Spent[currency]
	held := c.Held > 0
	if s.TotalMinor > MaxAmount-spent.TotalMinor {
		return Ineligibility{Reason: BudgetExhausted, Held: held}, false
	}
	b := c.BudgetIn(currency)
	if b == nil || b.Counted(s) == 0 {
		return Ineligibility{}, true
	}
	switch left := b.Limit.AmountMinor - b.Counted(spent); {
	case left <= 0:
		return Ineligibility{Reason: BudgetExhausted, Held: held}, false
	case left < b.Counted(s):
		return Ineligibility{Reason: BudgetInsufficient, Held: held, Remaining: Money{currency, left}}, false
	}
	return Ineligibility{}, true
}

// withinBudget holds d against the coupon's budget. It returns d, cut down if the
// budget says so, or why it does not fit.
func (c *CouponSnapshot) withinBudget(o *Order, d AppliedDiscount) (AppliedDiscount, *Ineligibility) {
	b := c.BudgetIn(o.Currency)
	if b == nil && len(c.Budgets) > 0 {
		return d, &Ineligibility{Reason: CurrencyMismatch}
	}
	short, fits := c.fits(o.Currency, Spending{d.TotalAmountMinor, c.ScopedAmount(o, &d)})
	switch {
	case fits:
		return d, nil
	case short.Reason != BudgetInsufficient || !b.GrantRemaining:
		return d, new(short)
	case b.scoped():
		return grantScoped(d, o, b.Products, short.Remaining.AmountMinor), nil
	default:
		return d.Grant(short.Remaining.AmountMinor), nil
	}
}

// grantScoped cuts the lines of some products down to a total of their own, and
// leaves the others as they are.
func grantScoped(d AppliedDiscount, o *Order, products []string, total int64) AppliedDiscount {
	part := AppliedDiscount{}
	var at []int
	for i := range d.Lines {
		if slices.Contains(products, o.Lines[i].ProductID) {
			part.Lines = append(part.Lines, d.Lines[i])
			part.TotalAmountMinor += d.Lines[i].AmountMinor
			at = append(at, i)
		}
	}
	granted := part.Grant(total)
	d.Lines = slices.Clone(d.Lines)
	for k, i := range at {
		d.Lines[i] = granted.Lines[k]
	}
	d.TotalAmountMinor -= part.TotalAmountMinor - granted.TotalAmountMinor
	return d
}

const (
	maxBudgets        = 50
	maxBudgetProducts = 500
)

// checkBudgets records what is wrong with a coupon's budgets.
func checkBudgets(budgets []Budget, v *Violations, field string) {
	if len(budgets) > maxBudgets {
		v.Add(field, "must have at most %d", maxBudgets)
		return
	}
	seen := map[Currency]bool{}
	for i := range budgets {
		b, at := &budgets[i], fmt.Sprintf("%s[%d].", field, i)
		if _, err := ParseCurrency(string(b.Limit.Currency)); err != nil {
			v.Add(at+"limit.currency_code", "%s", err)
		} else if seen[b.Limit.Currency] {
			v.Add(at+"limit.currency_code", "is named twice")
		}
		seen[b.Limit.Currency] = true
		if b.Limit.AmountMinor < 1 || b.Limit.AmountMinor > MaxAmount {
			v.Add(at+"limit.amount_minor", "must be 1 to %d", int64(MaxAmount))
		}
		if len(b.Products) > maxBudgetProducts {
			v.Add(at+"products", "must have at most %d", maxBudgetProducts)
		}
		for k, p := range b.Products[:min(len(b.Products), maxBudgetProducts)] {
			checkReference(v, fmt.Sprintf("%sproducts[%d]", at, k), p, 1)
		}
	}
}

// checkBudgetChange records what may not change about budgets: which they are and
// what they count. Limits and whether what is left is granted may; and a currency
// may be added that counts everything.
func checkBudgetChange(from, to []Budget, v *Violations, field string) {
	for i := range to {
		at := fmt.Sprintf("%s[%d]", field, i)
		old := (&Coupon{Budgets: from}).BudgetIn(to[i].Limit.Currency)
		switch {
		case old != nil && !slices.Equal(old.Products, to[i].Products):
			v.Add(at+".products", "cannot change")
		case old == nil && to[i].scoped():
			v.Add(at+".products", "cannot be named in a budget that is added later, since what was redeemed was not counted by product")
		}
	}
	for i := range from {
		if (&Coupon{Budgets: to}).BudgetIn(from[i].Limit.Currency) == nil {
			v.Add(field, "must keep the budget in %s", from[i].Limit.Currency)
		}
	}
}
