// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package domain

import (
	"cmp"
	"slices"
	"time"
)

// cart is an order while discounts are taken off it.
type cart struct {
	order    *Order
	runs     []run
	shipping int64 // what is left of its price
}

// newCart returns a cart of which nothing is taken off, with its runs in buf, which
// is empty and zero, if they fit.
func newCart(o *Order, buf []run) cart {
	if cap(buf) < len(o.Lines) {
		buf = make([]run, len(o.Lines))
	}
	runs := buf[:len(o.Lines)]
	for i := range runs {
		r, l := &runs[i], &o.Lines[i]
		r.line, r.quantity, r.left = int32(i), l.Quantity, l.UnitAmountMinor
	}
	return cart{order: o, runs: runs, shipping: o.ShippingAmountMinor}
}

// work is one discount being computed on a cart.
type work struct {
	*cart
	terms *Terms

	maxDiscount int64 // the most it may take; MaxAmount when not capped
	// Of the lines that the coupon applies to, at the order's own prices.
	eligibleAmount, eligibleQuantity int64

	shippingTaken int64
	allocation    Allocation
	roundingScope RoundingScope
}

// newWork returns the work of taking t off c, before any line is looked at.
func newWork(c *cart, t *Terms) work {
	w := work{cart: c, terms: t, maxDiscount: MaxAmount}
	if m, ok := AmountIn(t.Caps.MaxDiscount, c.order.Currency); ok {
		w.maxDiscount = m
	}
	return w
}

// apply computes what t takes, in c's runs, or why it does not apply. With
// original set, t computes on the order's own prices, else on what is left.
//
// Whether t applies is decided on the order as it was placed in either case; only
// amounts depend on what is left.
func (c *cart) apply(t *Terms, original bool) (work, []Ineligibility) {
	w := newWork(c, t)
	w.prepare(original)

	against := w.unmet()
	// The discount's own reasons are wanted also when its conditions fail.
	if i := w.discount(original); i.Reason != 0 {
		addOnce(&against, i)
	}
	return w, against
}

// prepare says for every run whether t may touch it, on what price it computes,
// and how much room it leaves.
func (w *work) prepare(original bool) {
	t, o := w.terms, w.order
	maxPerUnit, capped := AmountIn(t.Caps.MaxDiscountPerUnit, o.Currency)
	if !capped {
		maxPerUnit = MaxAmount
	}
	floor, _ := AmountIn(t.Caps.MinUnitAmount, o.Currency)
	scope := newScope(&t.AppliesTo, o)

	line, eligible := int32(-1), false
	for i := range w.runs {
		r := &w.runs[i]
		l := &o.Lines[r.line]
		if r.line != line {
			line, eligible = r.line, scope.selects(l)
			if eligible {
				w.eligibleAmount += l.Amount()
				w.eligibleQuantity += l.Quantity
			}
		}
		r.eligible, r.serves = eligible, false
		r.take, r.more = 0, 0
		r.price = r.left
		if original {
			r.price = l.UnitAmountMinor
		}
		r.weight = r.price
		r.most = min(r.price, r.left, maxPerUnit)
		r.room = max(0, min(r.most, r.left-max(floor, l.MinUnitAmountMinor)))
	}
}

// unmet returns which of the coupon's conditions the order does not meet, the last
// of them that it has anything the coupon applies to.
func (w *work) unmet() []Ineligibility {
	c := &w.terms.Conditions
	var against []Ineligibility
	if len(c.MinimumAmounts) > 0 {
		amount := w.eligibleAmount
		if c.MinimumAmountBasis != BasisEligibleLines {
			amount = w.order.Subtotal()
		}
		if i, ok := minimumNotMet(c.MinimumAmounts, w.order.Currency, amount); !ok {
			addOnce(&against, i)
		}
	}
	if c.MinimumQuantity != nil && w.eligibleQuantity < *c.MinimumQuantity {
		addOnce(&against, Ineligibility{
			Reason: MinimumQuantityNotMet, RequiredQuantity: *c.MinimumQuantity, ActualQuantity: w.eligibleQuantity,
		})
	}
	if c.MaximumQuantity != nil && w.eligibleQuantity > *c.MaximumQuantity {
		addOnce(&against, Ineligibility{
			Reason: MaximumQuantityExceeded, RequiredQuantity: *c.MaximumQuantity, ActualQuantity: w.eligibleQuantity,
		})
	}
	if w.eligibleQuantity == 0 {
		addOnce(&against, Ineligibility{Reason: NoApplicableItems})
	}
	return against
}

// applied returns the answer.
func (w *work) applied(now time.Time) AppliedDiscount {
	d := AppliedDiscount{
		Currency:            w.order.Currency,
		Lines:               lineDiscounts(w.order, w.runs),
		ShippingAmountMinor: w.shippingTaken,
		TotalAmountMinor:    w.shippingTaken,
		Allocation:          w.allocation,
		RoundingScope:       w.roundingScope,
	}
	for i := range d.Lines {
		d.TotalAmountMinor += d.Lines[i].AmountMinor
	}
	if f := w.terms.Discount.FreeTrial; f != nil {
		d.grantTrial(f, 0, now)
	}
	return d
}

// grantTrial sets the trial that f grants on a plan that has days of its own.
func (d *AppliedDiscount) grantTrial(f *FreeTrial, ofPlan int32, now time.Time) {
	d.TrialDays = f.days(ofPlan)
	d.TrialEndsAt = now.Add(time.Duration(d.TrialDays) * 24 * time.Hour)
}

// lineDiscounts returns what runs take, line by line.
func lineDiscounts(o *Order, runs []run) []LineDiscount {
	lines := make([]LineDiscount, len(o.Lines))
	units := make([]UnitDiscount, 0, 2*len(runs)) // one array for all lines
	for from := 0; from < len(runs); {
		to := lineEnd(runs, from)
		line := &lines[runs[from].line]
		line.LineID = o.Lines[runs[from].line].ID
		start := len(units)
		for i := from; i < to; i++ {
			r := &runs[i]
			line.AmountMinor += r.amount()
			units = appendUnits(units, r.quantity, r.take, r.more)
		}
		line.Units = fallingUnits(units[start:len(units):len(units)])
		from = to
	}
	return lines
}

// appendUnits appends quantity units that take take each, more of them one more.
func appendUnits(units []UnitDiscount, quantity, take, more int64) []UnitDiscount {
	if more > 0 {
		units = append(units, UnitDiscount{Quantity: more, AmountMinor: take + 1})
	}
	if quantity > more {
		units = append(units, UnitDiscount{Quantity: quantity - more, AmountMinor: take})
	}
	return units
}

// fallingUnits sorts units by falling amount and joins equal ones, in place.
func fallingUnits(units []UnitDiscount) []UnitDiscount {
	falling := true
	for i := 1; i < len(units); i++ {
		falling = falling && units[i-1].AmountMinor > units[i].AmountMinor
	}
	if falling {
		return units
	}
	slices.SortFunc(units, func(a, b UnitDiscount) int { return cmp.Compare(b.AmountMinor, a.AmountMinor) })
	n := 0
	for _, u := range units[1:] {
		if u.AmountMinor == units[n].AmountMinor {
			units[n].Quantity += u.Quantity
			continue
		}
		n++
		units[n] = u
	}
	return units[:n+1]
}
