// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package domain

import (
	"slices"
	"strconv"
)

// checkTogether records settings that say something about each other that
// cannot hold. The default of a setting is always taken, named or not: a client
// that names the defaults on every coupon means nothing by it.
func (t *Terms) checkTogether(v *Violations, prefix string) {
	t.checkAllocation(v, prefix)
	t.checkAdditional(v, prefix)
	t.checkRounding(v, prefix)
	t.checkCapsApply(v, prefix)

	t.checkCurrencies(v, prefix)
	if b := t.Discount.BuyXGetY; b != nil {
		t.AppliesTo.checkWithin(v, prefix+"buy_x_get_y.buy.", b.Buy)
		t.AppliesTo.checkWithin(v, prefix+"buy_x_get_y.get.", b.Get)
	}
}

// checkWithin: a name that the coupon excludes selects nothing in a scope of a
// rule, either. A nil scope is the coupon's own.
func (a *AppliesTo) checkWithin(v *Violations, prefix string, within *AppliesTo) {
	if within == nil {
		return
	}
	refuse := func(field string, names, excluded []string) {
		if len(names) > maxScopeNames || len(excluded) > maxScopeNames {
			return // which is recorded already
		}
		for i, name := range names {
			if slices.Contains(excluded, name) {
				v.Add(prefix+field+"["+strconv.Itoa(i)+"]", "is excluded by applies_to")
			}
		}
	}
	refuse("products", within.Products, a.ExcludedProducts)
	refuse("categories", within.Categories, a.ExcludedCategories)
}

// checkCurrencies: what is only about currencies that the discount is not offered
// in means nothing, or lets it never apply.
func (t *Terms) checkCurrencies(v *Violations, prefix string) {
	offered := t.Discount.amounts()
	if len(offered) == 0 {
		return // in all
	}
	refuse := func(amounts []Money, field string) {
		if len(amounts) > 0 && !overlap(amounts, offered) {
			v.Add(prefix+field, "has no currency that the discount has an amount in")
		}
	}
	refuse(t.Conditions.MinimumAmounts, "conditions.minimum_amounts")
	refuse(t.Caps.MaxDiscount, "caps.max_discount")
	refuse(t.Caps.MaxDiscountPerUnit, "caps.max_discount_per_unit")
	refuse(t.Caps.MinUnitAmount, "caps.min_unit_amount")
	ranges := make([]Money, 0, len(t.AppliesTo.UnitAmounts))
	for i := range t.AppliesTo.UnitAmounts {
		ranges = append(ranges, Money{Currency: t.AppliesTo.UnitAmounts[i].Currency})
	}
	refuse(ranges, "applies_to.unit_amounts")
}

// checkAllocation: what is priced unit by unit has nothing to allocate, and a
// percentage takes its share of every line or unit anyway.
func (t *Terms) checkAllocation(v *Violations, prefix string) {
	d := &t.Discount
	var ok bool
	switch t.Allocation {
	case AllocationDefault, AcrossProportional:
		ok = true
	case AcrossByQuantity:
		ok = d.AmountOff != nil || d.GroupAmountOff != nil || d.BundlePrice != nil || d.OrderTiers != nil && d.OrderTiers.hasAmount()
	case PerLine:
		ok = d.AmountOff != nil || d.OrderTiers != nil || d.PercentOff != nil || d.BuyXGetY != nil
	case PerUnit:
		ok = d.ShippingOff == nil && d.FreeTrial == nil && d.BundlePrice == nil
	default:
		return // no known value, as is recorded already
	}
	if !ok {
		v.Add(prefix+"allocation", "makes no sense for this type of discount")
	}
}

// checkAdditional: only what is taken off units can differ from unit to unit.
func (t *Terms) checkAdditional(v *Violations, prefix string) {
	if t.Allocation == PerUnit {
		return
	}
	d := &t.Discount
	refuse := func(a *AmountOff, path string) {
		if a != nil && len(a.AdditionalAmounts) > 0 {
			v.Add(prefix+path+"amount_off.additional_amounts", "can be set only with the allocation PER_UNIT")
		}
	}
	refuse(d.AmountOff, "")
	if d.ShippingOff != nil {
		refuse(d.ShippingOff.AmountOff, "shipping_off.")
	}
	if d.OrderTiers != nil {
		for i := range d.OrderTiers.Tiers {
			refuse(d.OrderTiers.Tiers[i].AmountOff, "order_tiers.tiers["+strconv.Itoa(i)+"].")
		}
	}
}

// checkRounding: only percentages are rounded, and over the scope that the
// allocation names if it names one.
func (t *Terms) checkRounding(v *Violations, prefix string) {
	d := &t.Discount
	var goesWith Allocation
	switch t.RoundingScope {
	case RoundPerLine:
		goesWith = PerLine
	case RoundPerUnit:
		goesWith = PerUnit
	default:
		return
	}
	percent := d.PercentOff != nil || d.BuyXGetY != nil || d.OrderTiers != nil && d.OrderTiers.hasPercent()
	perUnit := d.PriceOverride != nil || d.PriceTiers != nil
	across := t.Allocation == AllocationDefault || t.Allocation == AcrossProportional
	switch {
	case t.Allocation == goesWith:
	case perUnit && goesWith == PerUnit && across:
	case percent && (across || t.Allocation == AcrossByQuantity):
	case percent:
		v.Add(prefix+"rounding_scope", "contradicts the allocation")
	default:
		v.Add(prefix+"rounding_scope", "makes no sense for this type of discount: only percentages are rounded")
	}
}

// checkCapsApply: a cap that can bound nothing, or leaves nothing to discount, is
// a mistake.
func (t *Terms) checkCapsApply(v *Violations, prefix string) {
	c, d := &t.Caps, &t.Discount
	refuse := func(set bool, field, format string, args ...any) {
		if set {
			v.Add(prefix+"caps."+field, format, args...)
		}
	}
	if d.ShippingOff != nil || d.FreeTrial != nil {
		const message = "cannot be set: this type of discount touches no units"
		refuse(len(c.MaxDiscountPerUnit) > 0, "max_discount_per_unit", message)
		refuse(len(c.MinUnitAmount) > 0, "min_unit_amount", message)
		refuse(c.MaxUnits != nil, "max_units", message)
		refuse(c.MaxUnitsPerLine != nil, "max_units_per_line", message)
		refuse(c.UnitOrder == CheapestFirst, "unit_order", message)
	}
	if d.FreeTrial != nil {
		refuse(len(c.MaxDiscount) > 0, "max_discount", "cannot be set: a free trial takes nothing off")
	}
	if b := d.BuyXGetY; b != nil {
		refuse(c.UnitOrder == CheapestFirst && b.order() != CheapestFirst, "unit_order", "contradicts buy_x_get_y.get_order, which decides")
	}
	if g := d.GroupAmountOff; g != nil && c.MaxUnits != nil {
		refuse(*c.MaxUnits < g.GroupSize, "max_units", "must not be below the group_size of %d", g.GroupSize)
	}
	if b := d.BundlePrice; b != nil && c.MaxUnits != nil {
		refuse(*c.MaxUnits < b.BundleQuantity, "max_units", "must not be below the bundle_quantity of %d", b.BundleQuantity)
	}
}

// amounts returns amounts in the currencies that d is offered in, or nothing
// when it is offered in all.
func (d *Discount) amounts() []Money {
	switch {
	case d.AmountOff != nil:
		return d.AmountOff.Amounts
	case d.PriceOverride != nil:
		return d.PriceOverride.UnitAmounts
	case d.ShippingOff != nil && d.ShippingOff.AmountOff != nil:
		return d.ShippingOff.AmountOff.Amounts
	case d.OrderTiers != nil && len(d.OrderTiers.Tiers) > 0:
		if t := &d.OrderTiers.Tiers[0]; len(t.Thresholds) > 0 {
			return t.Thresholds
		} else if t.AmountOff != nil && len(d.OrderTiers.Tiers) == 1 {
			return t.AmountOff.Amounts
		}
	case d.PriceTiers != nil && len(d.PriceTiers.Products) > 0:
		if p := &d.PriceTiers.Products[0]; len(p.Tiers) > 0 {
			return p.Tiers[0].UnitAmounts
		}
	case d.GroupAmountOff != nil:
		return d.GroupAmountOff.Amounts
	case d.BundlePrice != nil:
		return d.BundlePrice.Amounts
	}
	return nil
}

// overlap reports whether two lists of amounts have a currency in common.
func overlap(a, b []Money) bool {
	for i := range a {
		if _, ok := AmountIn(b, a[i].Currency); ok {
			return true
		}
	}
	return false
}

func (o *OrderTiers) hasAmount() bool {
	for i := range o.Tiers {
		if o.Tiers[i].AmountOff != nil {
			return true
		}
	}
	return false
}

func (o *OrderTiers) hasPercent() bool {
	for i := range o.Tiers {
		if o.Tiers[i].PercentOff != nil {
			return true
		}
	}
	return false
}

// order returns the order in which units are discounted.
func (b *BuyXGetY) order() UnitOrder {
	if b.GetOrder == DearestFirst {
		return DearestFirst
	}
	return CheapestFirst
}
