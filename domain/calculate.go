// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package domain

import "slices"

// discount computes what the discount takes, in w's runs and shippingTaken, or
// returns why it does not apply.
func (w *work) discount(original bool) Ineligibility {
	d := &w.terms.Discount
	switch {
	case d.FreeTrial != nil:
		return Ineligibility{}
	case d.ShippingOff != nil:
		return w.shippingOff(d.ShippingOff, original)
	case d.GiftCards != nil:
		return w.payAll(d.GiftCards)
	case d.BuyXGetY != nil:
		return w.buyXGetY(d.BuyXGetY)
	}
	if d.GroupAmountOff != nil || d.BundlePrice != nil {
		w.leaveOutServed()
	}
	w.limitUnits()
	switch {
	case d.PercentOff != nil:
		w.percentOff(d.PercentOff.BasisPoints)
		return Ineligibility{}
	case d.AmountOff != nil:
		return w.amountOff(d.AmountOff)
	case d.PriceOverride != nil:
		return w.priceOverride(d.PriceOverride)
	case d.OrderTiers != nil:
		return w.orderTiers(d.OrderTiers)
	case d.PriceTiers != nil:
		return w.priceTiers(d.PriceTiers)
	case d.GroupAmountOff != nil:
		return w.groupAmountOff(d.GroupAmountOff)
	case d.BundlePrice != nil:
		return w.bundlePrice(d.BundlePrice)
	}
	return Ineligibility{Reason: NoApplicableItems} // no discount at all
}

// leaveOutServed makes units that earlier sets use ineligible.
func (w *work) leaveOutServed() {
	for i := range w.runs {
		if r := &w.runs[i]; r.served {
			r.eligible = false
		}
	}
}

// limitUnits leaves eligible only as many units as the caps allow, in each line
// and then in the order.
func (w *work) limitUnits() {
	c := &w.terms.Caps
	if c.MaxUnits == nil && c.MaxUnitsPerLine == nil {
		return
	}
	order := c.UnitOrder
	if order == UnitOrderDefault {
		order = DearestFirst
	}
	inOrder, inLine := orMax(c.MaxUnits), orMax(c.MaxUnitsPerLine)
	used := make([]int64, len(w.order.Lines))
	var pieces []piece
	for _, place := range byPrice(w.runs, order) {
		r := &w.runs[place]
		if !r.eligible {
			continue
		}
		if n := min(r.quantity, inLine-used[r.line], inOrder); n > 0 {
			pieces = append(pieces, piece{place: place, quantity: n, eligible: true})
			used[r.line] += n
			inOrder -= n
		}
	}
	w.runs = cut(w.runs, pieces)
}

// orMax returns an optional limit, or one that nothing reaches.
func orMax(limit *int64) int64 {
	if limit == nil {
		return MaxAmount
	}
	return *limit
}

// percentOff takes a share of the eligible units, rounded half up over the scope
// of rounding. Over the order it is one amount that is then spread like any other,
// so that what floors keep from some lines goes to those that have room. Line by
// line or unit by unit each is on its own.
func (w *work) percentOff(p BasisPoints) {
	switch w.terms.percentScope() {
	case RoundPerUnit:
		w.allocation, w.roundingScope = PerUnit, RoundPerUnit
		for i := range w.runs {
			if r := &w.runs[i]; r.eligible {
				r.take = min(p.Of(r.price), r.room)
			}
		}
		w.capTotal()
	case RoundPerLine:
		w.allocation, w.roundingScope = PerLine, RoundPerLine
		for from := 0; from < len(w.runs); {
			to := lineEnd(w.runs, from)
			line := w.runs[from:to]
			spread(shareOf(line, p, false), line)
			from = to
		}
		w.capTotal()
	default:
		w.allocation, w.roundingScope = AcrossProportional, RoundPerOrder
		share := shareOf(w.runs, p, true)
		spread(min(share, roomOf(w.runs), w.maxDiscount), w.runs)
	}
}

// percentScope returns over what a percentage is rounded: the rounding scope, or
// the one that the allocation implies when none is chosen.
func (t *Terms) percentScope() RoundingScope {
	switch s := t.RoundingScope; {
	case s == RoundPerLine || s == RoundPerUnit:
		return s
	case t.Allocation == PerLine:
		return RoundPerLine
	case t.Allocation == PerUnit:
		return RoundPerUnit
	default:
		return RoundPerOrder
	}
}

// shareOf returns the share p of the eligible runs, rounded half up once. Each
// unit's is bounded by its room, or, with floorless set, by what its room would be
// without a floor.
func shareOf(runs []run, p BasisPoints, floorless bool) int64 {
	var whole, base int64
	for i := range runs {
		r := &runs[i]
		if !r.eligible {
			continue
		}
		most := r.room
		if floorless {
			most = r.most
		}
		if most < r.price && overfills(int64(p), r.price, int64(FullShare), most) {
			whole += most * r.quantity
			continue
		}
		base += r.price * r.quantity
	}
	return whole + p.Of(base)
}

// amountOff takes the amount in the order's currency, as the allocation says.
// What a floor or a cap keeps from a line goes to the lines that have room.
func (w *work) amountOff(a *AmountOff) Ineligibility {
	amount, ok := AmountIn(a.Amounts, w.order.Currency)
	if !ok {
		return Ineligibility{Reason: CurrencyMismatch}
	}
	switch w.terms.Allocation {
	case PerUnit:
		w.allocation, w.roundingScope = PerUnit, RoundPerUnit
		additional := amount
		if len(a.AdditionalAmounts) > 0 {
			additional, _ = AmountIn(a.AdditionalAmounts, w.order.Currency)
			w.cutFirstUnits()
		}
		line := int32(-1)
		for i := range w.runs {
			r := &w.runs[i]
			if !r.eligible {
				continue
			}
			r.take = min(additional, r.room)
			if r.line != line {
				line, r.take = r.line, min(amount, r.room)
			}
		}
		w.capTotal()
	case PerLine:
		w.allocation, w.roundingScope = PerLine, RoundPerLine
		for from := 0; from < len(w.runs); {
			to := lineEnd(w.runs, from)
			line := w.runs[from:to]
			spread(min(amount, roomOf(line)), line)
			from = to
		}
		w.capTotal()
	case AcrossByQuantity:
		w.allocation, w.roundingScope = AcrossByQuantity, RoundPerOrder
		w.weighAlike()
		spread(min(amount, roomOf(w.runs), w.maxDiscount), w.runs)
	default:
		w.allocation, w.roundingScope = AcrossProportional, RoundPerOrder
		spread(min(amount, roomOf(w.runs), w.maxDiscount), w.runs)
	}
	return Ineligibility{}
}

// cutFirstUnits makes the first eligible unit of each line a run of its own.
func (w *work) cutFirstUnits() {
	var pieces []piece
	line := int32(-1)
	for i := range w.runs {
		r := &w.runs[i]
		if !r.eligible {
			continue
		}
		rest := r.quantity
		if r.line != line {
			line = r.line
			rest--
			pieces = append(pieces, piece{place: i, quantity: 1, eligible: true})
		}
		if rest > 0 {
			pieces = append(pieces, piece{place: i, quantity: rest, eligible: true})
		}
	}
	w.runs = cut(w.runs, pieces)
}

// priceOverride brings every eligible unit down to a price.
func (w *work) priceOverride(p *PriceOverride) Ineligibility {
	amount, ok := AmountIn(p.UnitAmounts, w.order.Currency)
	if !ok {
		return Ineligibility{Reason: CurrencyMismatch}
	}
	w.allocation, w.roundingScope = PerUnit, RoundPerUnit
	for i := range w.runs {
		if r := &w.runs[i]; r.eligible {
			r.take = min(max(r.price-amount, 0), r.room)
		}
	}
	w.capTotal()
	return Ineligibility{}
}

// orderTiers gives the reward of the highest tier that the eligible lines reach.
func (w *work) orderTiers(o *OrderTiers) Ineligibility {
	var best *OrderTier
	for i := range o.Tiers {
		if tier := &o.Tiers[i]; w.notReached(tier).Reason == 0 {
			best = tier
		}
	}
	switch {
	case best == nil:
		return w.notReached(&o.Tiers[0])
	case best.PercentOff != nil:
		w.percentOff(best.PercentOff.BasisPoints)
		return Ineligibility{}
	default:
		return w.amountOff(best.AmountOff)
	}
}

// notReached returns what the eligible lines lack for a tier.
func (w *work) notReached(tier *OrderTier) Ineligibility {
	if n := tier.MinimumQuantity; n != nil && w.eligibleQuantity < *n {
		return Ineligibility{Reason: MinimumQuantityNotMet, RequiredQuantity: *n, ActualQuantity: w.eligibleQuantity}
	}
	i, _ := minimumNotMet(tier.Thresholds, w.order.Currency, w.eligibleAmount)
	return i
}

// priceTiers brings the units of the listed products down to the price of the
// tier that the product's quantity in the order reaches.
func (w *work) priceTiers(p *PriceTiers) Ineligibility {
	if _, ok := AmountIn(w.terms.Discount.amounts(), w.order.Currency); !ok {
		return Ineligibility{Reason: CurrencyMismatch}
	}
	w.allocation, w.roundingScope = PerUnit, RoundPerUnit
	found := false
	for i := range w.runs {
		r := &w.runs[i]
		if !r.eligible {
			continue
		}
		if amount, ok := p.price(w.order, w.order.Lines[r.line].ProductID); ok {
			r.take = min(max(r.price-amount, 0), r.room)
			found = true
		}
	}
	if !found {
		return Ineligibility{Reason: NoApplicableItems}
	}
	w.capTotal()
	return Ineligibility{}
}

// price returns the unit price that a product's quantity in the order earns, and
// whether it earns one.
func (p *PriceTiers) price(o *Order, product string) (int64, bool) {
	for i := range p.Products {
		if p.Products[i].ProductID != product {
			continue
		}
		var quantity int64
		for k := range o.Lines {
			if o.Lines[k].ProductID == product {
				quantity += o.Lines[k].Quantity
			}
		}
		tiers := p.Products[i].Tiers
		for _, tier := range slices.Backward(tiers) {
			if quantity >= tier.MinimumQuantity {
				return AmountIn(tier.UnitAmounts, o.Currency)
			}
		}
		return 0, false
	}
	return 0, false
}

// shippingOff reduces the price of shipping.
func (w *work) shippingOff(s *ShippingOff, original bool) Ineligibility {
	w.roundingScope = RoundPerOrder
	var take int64
	if s.PercentOff != nil {
		price := w.shipping
		if original {
			price = w.order.ShippingAmountMinor
		}
		take = s.PercentOff.BasisPoints.Of(price)
	} else {
		amount, ok := AmountIn(s.AmountOff.Amounts, w.order.Currency)
		if !ok {
			return Ineligibility{Reason: CurrencyMismatch}
		}
		take = amount
	}
	w.shippingTaken = min(take, w.shipping, w.maxDiscount)
	return Ineligibility{}
}

// capTotal holds the whole discount to max_discount.
func (w *work) capTotal() {
	if w.maxDiscount < MaxAmount && taken(w.runs) > w.maxDiscount {
		w.runs = shrink(w.maxDiscount, w.runs)
	}
}

// weighAlike spreads in proportion to how many units there are, instead of to what
// they cost.
func (w *work) weighAlike() {
	for i := range w.runs {
		w.runs[i].weight = 1
	}
}

// roomOf returns the most that the eligible runs can take.
func roomOf(runs []run) int64 {
	var sum int64
	for i := range runs {
		if runs[i].eligible {
			sum += runs[i].room * runs[i].quantity
		}
	}
	return sum
}
