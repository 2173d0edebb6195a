// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package domain

import "time"

// StackMode says on what the later of several discounts compute.
type StackMode uint8

// The stack modes.
const (
	// OnRemainder: each discount computes on what those before it left, and units
	// that earned one in a set (bought, had for it, grouped or bundled) serve in
	// no later set.
	OnRemainder StackMode = iota
	// OnOriginal: each discount computes on the order's own prices. What they take
	// together is still bounded by these prices and by the floors.
	OnOriginal
)

// Stacked is what several discounts take off one order.
type Stacked struct {
	// Total is what they take together. Its Allocation and RoundingScope are unset;
	// of several trials the longest counts.
	Total AppliedDiscount
	// Each has one entry for every discount, in their order. Their amounts sum to
	// Total's, line by line.
	Each []StackedDiscount
}

// StackedDiscount is one discount of several: what it takes, or every reason why
// it does not apply.
type StackedDiscount struct {
	Discount        AppliedDiscount
	Ineligibilities []Ineligibility
}

// ApplyAll takes several discounts off one order, one after the other in the
// order given. One that does not apply takes nothing and does not stop the
// others.
//
// Scopes, conditions and tier thresholds are held against the order as it was
// placed, whatever was taken off before. Which discounts may be combined, and
// which goes first, is for the caller to decide.
func ApplyAll(o *Order, terms []Terms, mode StackMode, now time.Time) Stacked {
	c := newCart(o, nil)
	each := make([]StackedDiscount, len(terms))
	var longest *FreeTrial
	for i := range terms {
		w, against := c.apply(&terms[i], mode == OnOriginal)
		if len(against) > 0 {
			each[i].Ineligibilities = against
			continue
		}
		each[i].Discount = w.applied(now)
		w.commit(mode)
		if f := terms[i].Discount.FreeTrial; f != nil && (longest == nil || f.days(0) > longest.days(0)) {
			longest = f
		}
	}
	return Stacked{Total: c.total(longest, now), Each: each}
}

// commit takes the discount off the cart.
func (w *work) commit(mode StackMode) {
	w.shipping -= w.shippingTaken
	w.runs = even(w.runs)
	for i := range w.runs {
		r := &w.runs[i]
		r.left -= r.take
		if mode == OnRemainder && r.serves {
			r.served = true
		}
	}
	w.runs = joined(w.runs)
}

// joined returns runs with neighbours joined that nothing tells apart, so that
// their number does not grow with every discount.
func joined(runs []run) []run {
	out := runs[:0]
	for _, r := range runs {
		if n := len(out) - 1; n >= 0 && out[n].line == r.line && out[n].left == r.left && out[n].served == r.served {
			out[n].quantity += r.quantity
			continue
		}
		out = append(out, r)
	}
	return out
}

// total returns what all discounts have taken off the cart.
func (c *cart) total(trial *FreeTrial, now time.Time) AppliedDiscount {
	for i := range c.runs {
		r := &c.runs[i]
		r.take, r.more = c.order.Lines[r.line].UnitAmountMinor-r.left, 0
	}
	shipping := c.order.ShippingAmountMinor - c.shipping
	d := AppliedDiscount{
		Currency:            c.order.Currency,
		TotalAmountMinor:    shipping + taken(c.runs),
		Lines:               lineDiscounts(c.order, c.runs),
		ShippingAmountMinor: shipping,
	}
	if trial != nil {
		d.grantTrial(trial, 0, now)
	}
	return d
}
