// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package domain

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
)

// terms maps a case's discount onto our fields: one Terms, or several for a
// stack. It returns why when no field can say what the case says.
func (d *caseDiscount) terms(currency Currency) (list []Terms, why string) {
	if d.Type != "stack" {
		t, why := d.single(currency)
		return []Terms{t}, why
	}
	discounts := slices.Clone(d.Discounts)
	if d.Mode == "sequential_by_priority_desc" {
		slices.SortStableFunc(discounts, func(a, b caseDiscount) int { return cmp.Compare(b.Priority, a.Priority) })
	}
	// An exclusive discount is used alone, the first one in order wins.
	if i := slices.IndexFunc(discounts, func(d caseDiscount) bool { return d.Exclusive }); i >= 0 {
		discounts = discounts[i : i+1]
	}
	for i := range discounts {
		t, why := discounts[i].single(currency)
		if why != "" {
			return nil, why
		}
		if d.MinAmount > 0 {
			t.Conditions.MinimumAmounts = []Money{{currency, d.MinAmount}}
		}
		list = append(list, t)
	}
	return list, ""
}

func (d *caseDiscount) stackMode() StackMode {
	if d.Mode == "independent_on_original" {
		return OnOriginal
	}
	return OnRemainder
}

func (d *caseDiscount) single(currency Currency) (t Terms, why string) {
	currency = cmp.Or(d.Currency, currency)
	money := func(amount int64) []Money { return []Money{{currency, amount}} }
	percent := func(value int64) *PercentOff { return &PercentOff{BasisPoints(value)} }

	if d.Budget != nil && d.Budget.Type != "usage" {
		return t, fmt.Sprintf("a budget of %s is taken when the redemption is recorded, not computed", d.Budget.Type)
	}
	if why := t.scopeOf(d, currency); why != "" {
		return t, why
	}
	if why := t.allocationOf(d); why != "" {
		return t, why
	}
	if d.MinAmount > 0 {
		t.Conditions.MinimumAmounts = money(d.MinAmount)
	}
	t.Conditions.MinimumQuantity = d.MinQuantity
	if d.MaxDiscount != nil {
		t.Caps.MaxDiscount = money(*d.MaxDiscount)
	}
	t.Caps.MaxUnits, t.Caps.MaxUnitsPerLine = d.MaxUnits, d.MaxUnitsPerLine

	switch d.Type {
	case "percent":
		if d.Scope == "shipping" {
			t.Discount.ShippingOff = &ShippingOff{PercentOff: percent(d.Value)}
			t.RoundingScope = RoundingDefault
			break
		}
		t.Discount.PercentOff = percent(d.Value)
	case "amount":
		if d.Scope == "shipping" {
			t.Discount.ShippingOff = &ShippingOff{AmountOff: &AmountOff{Amounts: money(d.Value)}}
			break
		}
		t.Discount.AmountOff = &AmountOff{Amounts: money(d.Value)}
	case "free_shipping":
		t.Discount.ShippingOff = &ShippingOff{PercentOff: percent(int64(FullShare))}
	case "fixed_unit_price":
		t.Discount.PriceOverride = &PriceOverride{money(d.Value)}
	case "first_then_additional_unit_amount":
		t.Discount.AmountOff = &AmountOff{
			Amounts: money(cmp.Or(d.FirstValue, d.Value)), AdditionalAmounts: money(d.AdditionalValue),
		}
		t.Allocation = PerUnit
	case "tiered_amount":
		var tiers []OrderTier
		if d.BaseValue > 0 {
			tiers = append(tiers, OrderTier{AmountOff: &AmountOff{Amounts: money(d.BaseValue)}})
		}
		for _, s := range d.Tiers {
			tiers = append(tiers, OrderTier{Thresholds: money(s.Threshold), AmountOff: &AmountOff{Amounts: money(s.Value)}})
		}
		t.Discount.OrderTiers = &OrderTiers{tiers}
	case "tiered_percent":
		var tiers []OrderTier
		if d.BaseValue > 0 {
			tiers = append(tiers, OrderTier{PercentOff: percent(d.BaseValue)})
		}
		for _, s := range d.Tiers {
			tiers = append(tiers, OrderTier{Thresholds: money(s.Threshold), PercentOff: percent(s.Value)})
		}
		t.Discount.OrderTiers = &OrderTiers{tiers}
	case "buy_x_get_y":
		t.Discount.BuyXGetY = &BuyXGetY{
			BuyQuantity: d.Buy.MinQuantity, Buy: d.Buy.appliesTo(currency),
			GetQuantity: d.Get.Quantity, Get: d.Get.appliesTo(currency),
			GetBasisPoints: FullShare, GetOrder: DearestFirst,
		}
		t.Caps.MaxUnits = d.MaxQuantity
		if d.ValueCapPerUnit > 0 {
			t.Caps.MaxDiscountPerUnit = money(d.ValueCapPerUnit)
		}
	case "multibuy_cheapest_free":
		t.Discount.BuyXGetY = &BuyXGetY{
			BuyQuantity: d.BundleQuantity - 1, GetQuantity: 1, GetBasisPoints: FullShare,
			MaxApplications: d.MaxApplications, GetOrder: CheapestFirst,
		}
	case "fixed_price_bundle":
		t.Discount.BundlePrice = &BundlePrice{d.BundleQuantity, money(d.Value), d.MaxApplications}
	case "amount_per_complete_group":
		t.Discount.GroupAmountOff = &GroupAmountOff{d.GroupSize, money(d.Value), d.MaxApplications}
	default:
		return t, fmt.Sprintf("one coupon has no discount of type %q", d.Type)
	}
	return t, ""
}

// scopeOf maps applies_to.
func (t *Terms) scopeOf(d *caseDiscount, currency Currency) (why string) {
	var name string
	switch {
	case len(d.AppliesTo) == 0:
	case json.Unmarshal(d.AppliesTo, &name) == nil:
		switch name {
		case "all", "shipping":
		case "cheapest_unit":
			t.Caps.UnitOrder = CheapestFirst
		default:
			return fmt.Sprintf("no scope means %q", name)
		}
	default:
		var s caseScope
		if err := json.Unmarshal(d.AppliesTo, &s); err != nil {
			return err.Error()
		}
		t.AppliesTo = *s.appliesTo(currency)
	}
	t.AppliesTo.ExcludeSaleItems = d.ExcludeSaleItems
	return ""
}

func (s *caseScope) appliesTo(currency Currency) *AppliesTo {
	a := &AppliesTo{Products: s.Products, Categories: s.Categories}
	for _, b := range s.Brands {
		a.Categories = append(a.Categories, "brand "+b)
	}
	if r := s.UnitPriceBetween; len(r) == 2 {
		a.UnitAmounts = []AmountRange{{currency, r[0], &r[1]}}
	}
	return a
}

// allocationOf maps allocation. Some names only repeat what the type says.
func (t *Terms) allocationOf(d *caseDiscount) (why string) {
	switch d.Allocation {
	case "", "shipping", "cheapest_unit", "most_expensive_target_first":
	case "across_proportional":
		t.Allocation = AcrossProportional
	case "across_by_quantity":
		t.Allocation = AcrossByQuantity
	case "each_line":
		t.Allocation = PerLine
	case "each_unit", "each_unit_in_group":
		t.Allocation = PerUnit
	case "per_line":
		t.RoundingScope = RoundPerLine
	default:
		return fmt.Sprintf("no allocation means %q", d.Allocation)
	}
	return ""
}
