// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package domain

import "time"

// NeedsOrder reports whether t cannot be decided without an order: it has a
// condition or a scope, or it depends on what is ordered whether it applies at
// all. Without an order any other discount applies, for an amount that only an
// order could tell.
func (t *Terms) NeedsOrder() bool {
	c, d := &t.Conditions, &t.Discount
	return len(c.MinimumAmounts) > 0 || c.MinimumQuantity != nil || c.MaximumQuantity != nil ||
		!t.AppliesTo.all() ||
		d.OrderTiers != nil || d.PriceTiers != nil ||
		d.BuyXGetY != nil || d.GroupAmountOff != nil || d.BundlePrice != nil || d.GiftCards != nil
}

// Apply computes what t takes off the order, or every reason why it does not
// apply. Both must have passed Check. A trial is taken to start now.
//
// Nothing is taken below the floor of a unit's price, no line and no shipping
// below zero, and the amounts of the units sum to those of the lines, and these
// to the total, exactly. The steps and their order are in docs/discounts.md.
func (t *Terms) Apply(o *Order, now time.Time) (AppliedDiscount, []Ineligibility) {
	if len(o.Lines) <= inlineSlots && t.takesAcross() {
		if d, against, ok := t.applyAcross(o); ok {
			return d, against
		}
	}
	return t.applyByUnits(o, now)
}

// applyByUnits is Apply of any terms. Its frame is long, and the most common terms
// do without.
func (t *Terms) applyByUnits(o *Order, now time.Time) (AppliedDiscount, []Ineligibility) {
	var inline [inlineSlots]run
	c := newCart(o, inline[:0])
	w, against := c.apply(t, false)
	if len(against) > 0 {
		return AppliedDiscount{}, against
	}
	return w.applied(now), nil
}

// ApplyWithoutOrder returns what t grants whatever is ordered: the days of a free
// trial that starts now. It reports false when there is no such thing.
func (t *Terms) ApplyWithoutOrder(now time.Time) (AppliedDiscount, bool) {
	if t.Discount.FreeTrial == nil || t.NeedsOrder() {
		return AppliedDiscount{}, false
	}
	var d AppliedDiscount
	d.grantTrial(t.Discount.FreeTrial, 0, now)
	return d, true
}

// Grant returns d cut down to a total, for when less is granted than it would
// take off: the shares follow from the total by the same rule that allocates an
// amount, largest remainder with ties to the earlier line. A total of no less
// than d's own returns d; one below zero counts as zero.
func (d AppliedDiscount) Grant(total int64) AppliedDiscount {
	total = max(total, 0)
	if total >= d.TotalAmountMinor {
		return d
	}
	// Shipping takes its share like one more line, after all others.
	slots := make([]slot, 0, len(d.Lines)+1)
	for i := range d.Lines {
		amount := d.Lines[i].AmountMinor
		slots = append(slots, slot{weight: amount, room: amount, count: 1})
	}
	slots = append(slots, slot{weight: d.ShippingAmountMinor, room: d.ShippingAmountMinor, count: 1})
	allocate(total, slots)

	granted := d
	granted.TotalAmountMinor = total
	granted.ShippingAmountMinor = slots[len(d.Lines)].share + slots[len(d.Lines)].more
	granted.Lines = make([]LineDiscount, len(d.Lines))
	for i := range d.Lines {
		granted.Lines[i] = d.Lines[i].grant(slots[i].share + slots[i].more)
	}
	return granted
}

// grant returns l cut down to amount.
func (l LineDiscount) grant(amount int64) LineDiscount {
	if amount == l.AmountMinor {
		return l
	}
	l.AmountMinor = amount
	if len(l.Units) == 0 {
		return l // the split over units is not known
	}
	slots := make([]slot, len(l.Units))
	for i, u := range l.Units {
		slots[i] = slot{weight: u.AmountMinor, room: u.AmountMinor, count: u.Quantity}
	}
	allocate(amount, slots)
	units := make([]UnitDiscount, 0, 2*len(slots))
	for i := range slots {
		units = appendUnits(units, slots[i].count, slots[i].share, slots[i].more)
	}
	l.Units = fallingUnits(units)
	return l
}
