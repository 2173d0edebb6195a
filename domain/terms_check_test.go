// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package domain

import (
	"fmt"
	"testing"
)

// oneOfEach returns a valid discount of every type, by its field in the API.
func oneOfEach() map[string]Discount {
	return map[string]Discount{
		"percent_off":      {PercentOff: &PercentOff{1_000}},
		"amount_off":       {AmountOff: &AmountOff{Amounts: eur(500)}},
		"price_override":   {PriceOverride: &PriceOverride{eur(500)}},
		"free_trial":       {FreeTrial: &FreeTrial{TrialDays: 14}},
		"shipping_off":     {ShippingOff: &ShippingOff{PercentOff: &PercentOff{FullShare}}},
		"percent_tiers":    {OrderTiers: &OrderTiers{[]OrderTier{{Thresholds: eur(100), PercentOff: &PercentOff{100}}}}},
		"amount_tiers":     {OrderTiers: &OrderTiers{[]OrderTier{{Thresholds: eur(100), AmountOff: &AmountOff{Amounts: eur(50)}}}}},
		"price_tiers":      {PriceTiers: &PriceTiers{[]ProductPriceTiers{{"mug", []PriceTier{{1, eur(500)}}}}}},
		"buy_x_get_y":      {BuyXGetY: &BuyXGetY{BuyQuantity: 2, GetQuantity: 1, GetBasisPoints: FullShare}},
		"group_amount_off": {GroupAmountOff: &GroupAmountOff{3, eur(500), nil}},
		"bundle_price":     {BundlePrice: &BundlePrice{3, eur(500), nil}},
	}
}

// For every type, which allocations and which rounding scopes it takes, in the
// order of their numbers from the default on.
func TestAllocationAndRoundingMustMakeSenseForTheType(t *testing.T) {
	t.Parallel()
	discounts := oneOfEach()
	for name, takes := range map[string]struct{ allocation, rounding string }{
		//                   allocation: default, proportional, by quantity, per line, per unit
		//                   rounding: default, order, line, unit
		"percent_off":      {"yynyy", "yyyy"},
		"amount_off":       {"yyyyy", "yynn"},
		"price_override":   {"yynny", "yyny"},
		"free_trial":       {"yynnn", "yynn"},
		"shipping_off":     {"yynnn", "yynn"},
		"percent_tiers":    {"yynyy", "yyyy"},
		"amount_tiers":     {"yyyyy", "yynn"},
		"price_tiers":      {"yynny", "yyny"},
		"buy_x_get_y":      {"yynyy", "yyyy"},
		"group_amount_off": {"yyyny", "yynn"},
		"bundle_price":     {"yyynn", "yynn"},
	} {
		for i, take := range takes.allocation {
			var want []string
			if take == 'n' {
				want = []string{"coupon.allocation"}
			}
			t.Run(fmt.Sprintf("%s/allocation %d", name, i), func(t *testing.T) {
				checkTerms(t, Terms{Discount: discounts[name], Allocation: Allocation(i)}, want...)
			})
		}
		for i, take := range takes.rounding {
			var want []string
			if take == 'n' {
				want = []string{"coupon.rounding_scope"}
			}
			t.Run(fmt.Sprintf("%s/rounding %d", name, i), func(t *testing.T) {
				checkTerms(t, Terms{Discount: discounts[name], RoundingScope: RoundingScope(i)}, want...)
			})
		}
	}
}

func TestAllocationAndRoundingScopeMustAgree(t *testing.T) {
	t.Parallel()
	percent, amount := oneOfEach()["percent_off"], oneOfEach()["amount_off"]
	checkTerms(t, Terms{Discount: percent, Allocation: PerLine, RoundingScope: RoundPerLine})
	checkTerms(t, Terms{Discount: percent, Allocation: PerLine, RoundingScope: RoundPerUnit}, "coupon.rounding_scope")
	checkTerms(t, Terms{Discount: percent, Allocation: PerUnit, RoundingScope: RoundPerLine}, "coupon.rounding_scope")
	checkTerms(t, Terms{Discount: percent, Allocation: AcrossProportional, RoundingScope: RoundPerUnit})
	checkTerms(t, Terms{Discount: amount, Allocation: PerUnit, RoundingScope: RoundPerUnit})
	checkTerms(t, Terms{Discount: amount, Allocation: AcrossByQuantity, RoundingScope: RoundPerLine}, "coupon.rounding_scope")
}

func TestCapsMustBoundSomething(t *testing.T) {
	t.Parallel()
	d, two, three := oneOfEach(), int64(2), int64(3)
	all := DiscountCaps{
		MaxDiscount: eur(1), MaxDiscountPerUnit: eur(1), MinUnitAmount: eur(1),
		MaxUnits: &two, MaxUnitsPerLine: &two, UnitOrder: CheapestFirst,
	}
	ofUnits := []string{
		"coupon.caps.max_discount_per_unit", "coupon.caps.min_unit_amount",
		"coupon.caps.max_units", "coupon.caps.max_units_per_line",
	}
	checkTerms(t, Terms{Discount: d["percent_off"], Caps: all})
	checkTerms(t, Terms{Discount: d["shipping_off"], Caps: DiscountCaps{MaxDiscount: eur(1)}})
	checkTerms(t, Terms{Discount: d["shipping_off"], Caps: all}, append(ofUnits, "coupon.caps.unit_order")...)
	checkTerms(t, Terms{Discount: d["free_trial"], Caps: all}, append(ofUnits, "coupon.caps.unit_order", "coupon.caps.max_discount")...)

	// The default order of caps says nothing about that of the units to get.
	checkTerms(t, Terms{Discount: d["buy_x_get_y"], Caps: DiscountCaps{UnitOrder: DearestFirst}})
	checkTerms(t, Terms{Discount: d["buy_x_get_y"], Caps: DiscountCaps{UnitOrder: CheapestFirst}})
	dearest := Discount{BuyXGetY: &BuyXGetY{BuyQuantity: 2, GetQuantity: 1, GetBasisPoints: FullShare, GetOrder: DearestFirst}}
	checkTerms(t, Terms{Discount: dearest, Caps: DiscountCaps{UnitOrder: CheapestFirst}}, "coupon.caps.unit_order")
	checkTerms(t, Terms{Discount: d["group_amount_off"], Caps: DiscountCaps{MaxUnits: &three}})
	checkTerms(t, Terms{Discount: d["group_amount_off"], Caps: DiscountCaps{MaxUnits: &two}}, "coupon.caps.max_units")
	checkTerms(t, Terms{Discount: d["bundle_price"], Caps: DiscountCaps{MaxUnits: &two}}, "coupon.caps.max_units")
}

// A coupon whose minimum or range of prices is in one currency and whose amount is
// in another can never apply, and such a cap bounds nothing.
func TestAmountsMustShareACurrencyWithTheDiscount(t *testing.T) {
	t.Parallel()
	other := []Money{{"USD", 1}, {"GBP", 1}}
	minimum := OrderConditions{MinimumAmounts: other}
	for name, d := range oneOfEach() {
		var want []string
		switch name {
		case "percent_off", "free_trial", "shipping_off", "buy_x_get_y": // offered in all currencies
		default:
			want = []string{"coupon.conditions.minimum_amounts"}
		}
		t.Run(name, func(t *testing.T) {
			checkTerms(t, Terms{Discount: d, Conditions: minimum}, want...)
		})
	}
	all := Terms{
		Discount: Discount{AmountOff: &AmountOff{Amounts: eur(1)}}, Conditions: minimum,
		Caps:      DiscountCaps{MaxDiscount: other, MaxDiscountPerUnit: other, MinUnitAmount: other},
		AppliesTo: AppliesTo{UnitAmounts: []AmountRange{{Currency: "USD"}, {Currency: "GBP"}}},
	}
	checkTerms(t, all,
		"coupon.conditions.minimum_amounts", "coupon.caps.max_discount", "coupon.caps.max_discount_per_unit",
		"coupon.caps.min_unit_amount", "coupon.applies_to.unit_amounts")
	all.Discount.AmountOff.Amounts = []Money{{"EUR", 1}, {"GBP", 1}}
	checkTerms(t, all)
}

func TestScopesOfARuleNameNothingThatTheCouponExcludes(t *testing.T) {
	t.Parallel()
	d := Discount{BuyXGetY: &BuyXGetY{
		BuyQuantity: 1, GetQuantity: 1, GetBasisPoints: FullShare,
		Buy: &AppliesTo{Products: []string{"a", "b"}}, Get: &AppliesTo{Categories: []string{"c", "d"}},
	}}
	checkTerms(t, Terms{Discount: d, AppliesTo: AppliesTo{ExcludedProducts: []string{"c"}, ExcludedCategories: []string{"a"}}})
	checkTerms(t, Terms{Discount: d, AppliesTo: AppliesTo{ExcludedProducts: []string{"b"}, ExcludedCategories: []string{"c"}}},
		"coupon.buy_x_get_y.buy.products[1]", "coupon.buy_x_get_y.get.categories[0]")
}

func TestAdditionalAmountsNeedTheAllocationPerUnit(t *testing.T) {
	t.Parallel()
	amount := &AmountOff{eur(5), eur(3)}
	one := int64(1)
	for field, d := range map[string]Discount{
		"amount_off":                      {AmountOff: amount},
		"order_tiers.tiers[1].amount_off": {OrderTiers: &OrderTiers{[]OrderTier{{PercentOff: &PercentOff{1}}, {MinimumQuantity: &one, AmountOff: amount}}}},
	} {
		checkTerms(t, Terms{Discount: d, Allocation: PerUnit})
		for _, a := range []Allocation{AllocationDefault, AcrossProportional, AcrossByQuantity, PerLine} {
			checkTerms(t, Terms{Discount: d, Allocation: a}, "coupon."+field+".additional_amounts")
		}
	}
	shipping := Discount{ShippingOff: &ShippingOff{AmountOff: amount}}
	checkTerms(t, Terms{Discount: shipping}, "coupon.shipping_off.amount_off.additional_amounts")
	checkTerms(t, Terms{Discount: shipping, Allocation: PerUnit}, "coupon.allocation")
}
