// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package domain

import (
	"cmp"
	"slices"
)

// A set is a number of units that earn a discount together: what is bought and
// what is had for it, a group, or a bundle. A unit serves in one set only, also
// when several discounts follow each other on what is left.

// buyXGetY discounts units for others that are bought.
func (w *work) buyXGetY(b *BuyXGetY) Ineligibility {
	sides := w.sides(b)
	sets := min(
		sides.buys/b.BuyQuantity,
		sides.gets/b.GetQuantity,
		sides.both/(b.BuyQuantity+b.GetQuantity),
		orMax(b.MaxApplications),
	)
	discounted := sets * b.GetQuantity
	if most := orMax(w.terms.Caps.MaxUnits); discounted > most {
		// No more sets than it takes to discount that many units.
		discounted = most
		sets = (most + b.GetQuantity - 1) / b.GetQuantity
	}
	if sets == 0 {
		return Ineligibility{Reason: NoApplicableItems}
	}
	pieces := sides.takeBuys(w.runs, sets*b.BuyQuantity, sides.gets-sets*b.GetQuantity)
	pieces = append(pieces, sides.takeGets(w.runs, discounted, b.order())...)
	w.runs = cut(w.runs, pieces)
	w.percentOff(b.GetBasisPoints)
	return Ineligibility{}
}

// sides says which units can be bought and which can be had.
type sides struct {
	buy  []bool  // by run: whether its units count as bought
	get  []int64 // by run: how many of its units can be discounted
	used []int64 // by run: how many of its units are bought

	buys, gets, both int64 // sums; both counts each unit once
}

// sides returns what each run can serve as. Units of earlier sets serve no more.
func (w *work) sides(b *BuyXGetY) sides {
	n := len(w.runs)
	s := sides{buy: make([]bool, n), get: make([]int64, n), used: make([]int64, n)}
	gets := make([]bool, n)
	w.selected(b.Buy, s.buy)
	w.selected(b.Get, gets)

	inLine := orMax(w.terms.Caps.MaxUnitsPerLine)
	perLine := make([]int64, len(w.order.Lines))
	for _, i := range byPrice(w.runs, b.order()) {
		r := &w.runs[i]
		if gets[i] {
			s.get[i] = min(r.quantity, inLine-perLine[r.line])
			perLine[r.line] += s.get[i]
			s.gets += s.get[i]
		}
		if s.buy[i] {
			s.buys += r.quantity
			s.both += r.quantity
		} else {
			s.both += s.get[i]
		}
	}
	return s
}

// selected marks the runs that a scope selects and no earlier set uses. A nil
// scope is the coupon's own, and what that one excludes no other can select.
func (w *work) selected(a *AppliesTo, marks []bool) {
	own := newScope(&w.terms.AppliesTo, w.order)
	sc := own
	if a != nil {
		sc = newScope(a, w.order)
	}
	for i := range w.runs {
		r := &w.runs[i]
		l := &w.order.Lines[r.line]
		marks[i] = !r.served && sc.selects(l) && !own.excludes(l)
	}
}

// takeBuys takes the units to buy, dearest first. Of the units that could be
// discounted it takes no more than spare: the rest is kept to be discounted.
func (s *sides) takeBuys(runs []run, quantity, spare int64) []piece {
	var pieces []piece
	for _, i := range byPrice(runs, DearestFirst) {
		if !s.buy[i] {
			continue
		}
		only := runs[i].quantity - s.get[i] // cannot be discounted anyway
		n := min(quantity, only+min(spare, s.get[i]))
		if n == 0 {
			continue
		}
		spare -= max(0, n-only)
		s.used[i] = n
		pieces = append(pieces, piece{place: i, quantity: n, serves: true})
		if quantity -= n; quantity == 0 {
			break
		}
	}
	return pieces
}

// takeGets takes the units to discount from those that are not bought.
func (s *sides) takeGets(runs []run, quantity int64, order UnitOrder) []piece {
	var pieces []piece
	for _, i := range byPrice(runs, order) {
		n := min(quantity, s.get[i], runs[i].quantity-s.used[i])
		if n == 0 {
			continue
		}
		pieces = append(pieces, piece{place: i, quantity: n, eligible: true, serves: true})
		if quantity -= n; quantity == 0 {
			break
		}
	}
	return pieces
}

// groupAmountOff takes an amount off every complete group of units.
func (w *work) groupAmountOff(g *GroupAmountOff) Ineligibility {
	amount, ok := AmountIn(g.Amounts, w.order.Currency)
	if !ok {
		return Ineligibility{Reason: CurrencyMismatch}
	}
	if w.terms.Allocation == PerUnit {
		w.allocation, w.roundingScope = PerUnit, RoundPerUnit
		return w.formSets(g.GroupSize, orMax(g.MaxApplications), func(slots []slot, _, _ int64) bool {
			for i := range slots {
				slots[i].share = min(amount, slots[i].room)
			}
			return true
		})
	}
	w.allocation, w.roundingScope = w.acrossSet(), RoundPerOrder
	return w.formSets(g.GroupSize, orMax(g.MaxApplications), func(slots []slot, _, room int64) bool {
		allocate(min(amount, room), slots)
		return true
	})
}

// bundlePrice brings every complete bundle of units down to one price. Bundles
// are formed from the dearest units on, so that once one costs no more than the
// price none of those after it does.
func (w *work) bundlePrice(b *BundlePrice) Ineligibility {
	amount, ok := AmountIn(b.Amounts, w.order.Currency)
	if !ok {
		return Ineligibility{Reason: CurrencyMismatch}
	}
	w.allocation, w.roundingScope = w.acrossSet(), RoundPerOrder
	return w.formSets(b.BundleQuantity, orMax(b.MaxApplications), func(slots []slot, price, room int64) bool {
		if price <= amount {
			return false
		}
		allocate(min(price-amount, room), slots)
		return true
	})
}

// acrossSet returns how a set's discount is spread over its units.
func (w *work) acrossSet() Allocation {
	if w.terms.Allocation == AcrossByQuantity {
		w.weighAlike()
		return AcrossByQuantity
	}
	return AcrossProportional
}

// formSets forms sets of size eligible units, dearest first, at most limit of
// them. For each it has divide compute what the units take from their price and
// room in all; when divide reports false, this set and all after it take nothing
// and are not formed.
//
// Sets that lie within one run are alike and are formed together, so that there
// are at most two kinds of sets for every run.
func (w *work) formSets(size, limit int64, divide func(slots []slot, price, room int64) bool) Ineligibility {
	places := slices.DeleteFunc(byPrice(w.runs, DearestFirst), func(i int) bool { return !w.runs[i].eligible })
	var units int64
	for _, i := range places {
		units += w.runs[i].quantity
	}
	sets := min(units/size, limit)
	if sets == 0 {
		return Ineligibility{Reason: NoApplicableItems}
	}
	var pieces []piece
	var slots []slot
	var used int64 // of the run at places[0]
	for sets > 0 {
		alike := max(1, min(sets, (w.runs[places[0]].quantity-used)/size))
		slots = slots[:0]
		var price, room int64
		for missing := size; missing > 0; {
			r := &w.runs[places[0]]
			n := min(missing, r.quantity-used)
			slots = append(slots, slot{weight: r.weight, room: r.room, count: n, from: int32(places[0])})
			price += r.price * n
			room += r.room * n
			missing -= n
			used += n
			if used == r.quantity && missing > 0 {
				places, used = places[1:], 0
			}
		}
		// Ties go to the earlier line, which need not be the dearer one.
		slices.SortFunc(slots, func(a, b slot) int { return cmp.Compare(a.from, b.from) })
		if !divide(slots, price, room) {
			break
		}
		for i := range slots {
			s := &slots[i]
			pieces = append(pieces, piece{
				place: int(s.from), quantity: s.count * alike,
				take: s.share, more: s.more * alike, eligible: true, serves: true,
			})
		}
		used += (alike - 1) * size
		if sets -= alike; used == w.runs[places[0]].quantity {
			places, used = places[1:], 0
		}
	}
	w.runs = cut(w.runs, pieces)
	w.capTotal()
	return Ineligibility{}
}
