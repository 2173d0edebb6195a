// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package domain

// takesAcross reports whether all that t does is to take one amount off the
// eligible lines together, in proportion to what they cost, without a bound on
// what a unit may take. Most coupons are like that.
func (t *Terms) takesAcross() bool {
	d, c := &t.Discount, &t.Caps
	if len(c.MaxDiscountPerUnit) > 0 || len(c.MinUnitAmount) > 0 || c.MaxUnits != nil || c.MaxUnitsPerLine != nil {
		return false
	}
	switch {
	case d.PercentOff != nil:
		return t.percentScope() == RoundPerOrder
	case d.AmountOff != nil:
		return t.Allocation == AllocationDefault || t.Allocation == AcrossProportional
	}
	return false
}

// fewLines is how many lines an order has whose portions make no frame long.
const fewLines = 8

// portion is what one line has of an amount that is taken across.
type portion struct {
	weight, share, remainder int64
}

// applyAcross is Apply for terms that take across, and for orders of at most
// inlineSlots lines. It computes the same as apply does in half of the time, as no
// unit differs from its neighbours in the line. It reports false, and nothing else,
// when a line has a floor of its own, which takes apply.
func (t *Terms) applyAcross(o *Order) (AppliedDiscount, []Ineligibility, bool) {
	if len(o.Lines) > fewLines {
		return t.applyAcrossMany(o)
	}
	var inline [fewLines]portion
	return t.applyAcrossPortions(o, inline[:len(o.Lines)])
}

// applyAcrossMany is applyAcross for more lines, with a longer frame.
//
//go:noinline
func (t *Terms) applyAcrossMany(o *Order) (AppliedDiscount, []Ineligibility, bool) {
	var inline [inlineSlots]portion
	return t.applyAcrossPortions(o, inline[:len(o.Lines)])
}

// applyAcrossPortions is applyAcross with a portion for each line, all zero.
func (t *Terms) applyAcrossPortions(o *Order, portions []portion) (d AppliedDiscount, against []Ineligibility, ok bool) {
	w := newWork(&cart{order: o}, t)
	scope := newScope(&t.AppliesTo, o)
	for i := range o.Lines {
		l := &o.Lines[i]
		if l.MinUnitAmountMinor > 0 {
			return d, nil, false
		}
		if scope.selects(l) {
			portions[i].weight = l.Amount()
			w.eligibleAmount += portions[i].weight
			w.eligibleQuantity += l.Quantity
		}
	}
	total, against := w.totalAcross()
	if len(against) > 0 {
		return d, against, true
	}
	divideAcross(total, w.eligibleAmount, portions)
	return AppliedDiscount{
		Currency:         o.Currency,
		TotalAmountMinor: total,
		Lines:            linesAcross(o, portions),
		Allocation:       AcrossProportional,
		RoundingScope:    RoundPerOrder,
	}, nil, true
}

// totalAcross returns the amount that is taken, or every reason why none is.
func (w *work) totalAcross() (int64, []Ineligibility) {
	against := w.unmet()
	most := min(w.eligibleAmount, w.maxDiscount)
	if p := w.terms.Discount.PercentOff; p != nil {
		return min(p.BasisPoints.Of(w.eligibleAmount), most), against
	}
	amount, ok := AmountIn(w.terms.Discount.AmountOff.Amounts, w.order.Currency)
	if !ok {
		addOnce(&against, Ineligibility{Reason: CurrencyMismatch})
	}
	return min(amount, most), against
}

// divideAcross divides total among portions, at most inlineSlots, as divide does:
// by largest remainder, of equal ones the earlier first.
func divideAcross(total, weight int64, portions []portion) {
	var inline [inlineSlots]uint8
	order := inline[:0]
	lost := total
	for i := range portions {
		p := &portions[i]
		if p.weight == 0 {
			continue
		}
		p.share, p.remainder = mulDiv(total, p.weight, weight)
		if lost -= p.share; p.remainder == 0 {
			continue
		}
		k := len(order)
		order = order[:k+1]
		for ; k > 0 && portions[order[k-1]].remainder < p.remainder; k-- {
			order[k] = order[k-1]
		}
		order[k] = uint8(i)
	}
	for _, i := range order[:lost] {
		portions[i].share++
	}
}

// linesAcross returns what the portions take, line by line.
func linesAcross(o *Order, portions []portion) []LineDiscount {
	lines := make([]LineDiscount, len(portions))
	// Of one array for all lines as much as it takes: to allocate is most of the work.
	n := len(portions)
	for i := range portions {
		if portions[i].share%o.Lines[i].Quantity > 0 {
			n++
		}
	}
	units := make([]UnitDiscount, 0, n)
	for i := range portions {
		share, quantity := portions[i].share, o.Lines[i].Quantity
		start := len(units)
		units = appendUnits(units, quantity, share/quantity, share%quantity)
		line := &lines[i] // in place: a line is long to copy
		line.LineID, line.AmountMinor, line.Units = o.Lines[i].ID, share, units[start:len(units):len(units)]
	}
	return lines
}
