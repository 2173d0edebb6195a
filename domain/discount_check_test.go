// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package domain

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func eur(amount int64) []Money { return []Money{{"EUR", amount}} }

func checkTerms(t *testing.T, terms Terms, want ...string) {
	t.Helper()
	var v Violations
	if terms.Check(&v, "coupon."); !slices.Equal(fieldsOf(v), want) {
		t.Errorf("violations %v, want at %v", v, want)
	}
}

// currencies returns an amount in each of the first n currencies.
func currencies(n int) []Money {
	var list []Money
	for a := 'A'; a <= 'Z'; a++ {
		for b := 'A'; b <= 'Z'; b++ {
			for c := 'A'; c <= 'Z' && len(list) < n; c++ {
				if m, err := ParseCurrency(string([]rune{a, b, c})); err == nil {
					list = append(list, Money{m, 1})
				}
			}
		}
	}
	return list
}

func TestExactlyOneDiscountIsRequired(t *testing.T) {
	t.Parallel()
	checkTerms(t, Terms{}, "coupon.discount")
	checkTerms(t, Terms{Discount: Discount{PercentOff: &PercentOff{100}, FreeTrial: &FreeTrial{TrialDays: 7}}}, "coupon.discount")
	checkTerms(t, Terms{Discount: Discount{PercentOff: &PercentOff{0}, AmountOff: &AmountOff{}}},
		"coupon.percent_off.basis_points", "coupon.amount_off.amounts", "coupon.discount")
}

func TestDiscountsAreCheckedAtTheirBounds(t *testing.T) {
	t.Parallel()
	type d = Discount
	zero, one, two := int64(0), int64(1), int64(2)
	tiers := func(list ...OrderTier) d { return d{OrderTiers: &OrderTiers{list}} }
	percent := &PercentOff{1_000}
	prices := func(list ...PriceTier) d { return d{PriceTiers: &PriceTiers{[]ProductPriceTiers{{"mug", list}}}} }
	bxgy := func(change func(*BuyXGetY)) d {
		b := &BuyXGetY{BuyQuantity: 1, GetQuantity: 1, GetBasisPoints: FullShare}
		change(b)
		return d{BuyXGetY: b}
	}
	for i, c := range []struct {
		discount d
		want     []string
	}{
		{d{PercentOff: &PercentOff{1}}, nil},
		{d{PercentOff: &PercentOff{FullShare}}, nil},
		{d{PercentOff: &PercentOff{FullShare + 1}}, []string{"percent_off.basis_points"}},
		{d{PercentOff: &PercentOff{-1}}, []string{"percent_off.basis_points"}},

		{d{AmountOff: &AmountOff{Amounts: eur(1)}}, nil},
		{d{AmountOff: &AmountOff{Amounts: eur(MaxAmount)}}, nil},
		{d{AmountOff: &AmountOff{Amounts: eur(MaxAmount + 1)}}, []string{"amount_off.amounts[0].amount_minor"}},
		{d{AmountOff: &AmountOff{Amounts: eur(0)}}, []string{"amount_off.amounts[0].amount_minor"}},
		{d{AmountOff: &AmountOff{Amounts: []Money{{"EUR", 1}, {"USD", 1}}}}, nil},
		{d{AmountOff: &AmountOff{Amounts: []Money{{"EUR", 1}, {"EUR", 2}}}}, []string{"amount_off.amounts[1].currency_code"}},
		{d{AmountOff: &AmountOff{Amounts: []Money{{"EUR", 1}, {"eur", 2}}}}, []string{"amount_off.amounts[1].currency_code"}},
		{d{AmountOff: &AmountOff{Amounts: currencies(50)}}, nil},
		{d{AmountOff: &AmountOff{Amounts: currencies(51)}}, []string{"amount_off.amounts"}},
		{d{AmountOff: &AmountOff{eur(0), eur(1)}}, nil},
		{d{AmountOff: &AmountOff{eur(1), eur(0)}}, nil},
		{d{AmountOff: &AmountOff{eur(0), eur(0)}}, []string{"amount_off.additional_amounts[0].amount_minor"}},
		{d{AmountOff: &AmountOff{eur(-1), eur(-1)}}, []string{
			"amount_off.amounts[0].amount_minor", "amount_off.additional_amounts[0].amount_minor",
		}},
		{d{AmountOff: &AmountOff{eur(1), []Money{{"USD", 1}}}}, []string{"amount_off.additional_amounts"}},
		{d{AmountOff: &AmountOff{eur(1), []Money{{"EUR", 1}, {"USD", 1}}}}, []string{"amount_off.additional_amounts"}},
		{d{AmountOff: &AmountOff{eur(1), []Money{{"EUR", 1}, {"EUR", 2}}}}, []string{"amount_off.additional_amounts[1].currency_code"}},
		{d{AmountOff: &AmountOff{currencies(50), currencies(51)}}, []string{"amount_off.additional_amounts"}},

		{d{PriceOverride: &PriceOverride{eur(0)}}, nil},
		{d{PriceOverride: &PriceOverride{eur(-1)}}, []string{"price_override.unit_amounts[0].amount_minor"}},
		{d{PriceOverride: &PriceOverride{}}, []string{"price_override.unit_amounts"}},

		{d{FreeTrial: &FreeTrial{TrialDays: 1}}, nil},
		{d{FreeTrial: &FreeTrial{TrialDays: 730}}, nil},
		{d{FreeTrial: &FreeTrial{TrialDays: 0}}, []string{"free_trial.trial_days"}},
		{d{FreeTrial: &FreeTrial{TrialDays: 731}}, []string{"free_trial.trial_days"}},

		{d{ShippingOff: &ShippingOff{PercentOff: percent}}, nil},
		{d{ShippingOff: &ShippingOff{AmountOff: &AmountOff{Amounts: eur(0)}}}, []string{"shipping_off.amount_off.amounts[0].amount_minor"}},
		{d{ShippingOff: &ShippingOff{PercentOff: &PercentOff{0}}}, []string{"shipping_off.percent_off.basis_points"}},
		{d{ShippingOff: &ShippingOff{}}, []string{"shipping_off.reduction"}},
		{d{ShippingOff: &ShippingOff{percent, &AmountOff{Amounts: eur(1)}}}, []string{"shipping_off.reduction"}},

		{tiers(), []string{"order_tiers.tiers"}},
		{tiers(OrderTier{PercentOff: percent}, OrderTier{Thresholds: eur(10), AmountOff: &AmountOff{Amounts: eur(5)}}), nil},
		{tiers(OrderTier{Thresholds: eur(0)}), []string{"order_tiers.tiers[0].reward"}},
		{tiers(OrderTier{PercentOff: percent}, OrderTier{PercentOff: percent}), []string{"order_tiers.tiers[1].thresholds"}},
		{tiers(OrderTier{Thresholds: eur(10), PercentOff: percent}, OrderTier{Thresholds: eur(10), PercentOff: percent}), []string{"order_tiers.tiers[1].thresholds[0].amount_minor"}},
		{tiers(OrderTier{Thresholds: eur(10), PercentOff: percent}, OrderTier{Thresholds: eur(11), PercentOff: percent}), nil},
		{tiers(OrderTier{Thresholds: eur(10), PercentOff: percent}, OrderTier{Thresholds: []Money{{"USD", 11}}, PercentOff: percent}), []string{"order_tiers.tiers[1].thresholds"}},
		{
			tiers(OrderTier{Thresholds: []Money{{"EUR", 10}, {"USD", 10}}, PercentOff: percent}, OrderTier{Thresholds: []Money{{"USD", 9}, {"EUR", 11}}, PercentOff: percent}),
			[]string{"order_tiers.tiers[1].thresholds[0].amount_minor"},
		},
		{tiers(OrderTier{Thresholds: eur(10), AmountOff: &AmountOff{Amounts: []Money{{"USD", 1}}}}), []string{"order_tiers.tiers[0].amount_off.amounts"}},
		{tiers(OrderTier{MinimumQuantity: &one, PercentOff: percent}, OrderTier{MinimumQuantity: &two, AmountOff: &AmountOff{Amounts: eur(5)}}), nil},
		{tiers(OrderTier{PercentOff: percent}, OrderTier{MinimumQuantity: &two, PercentOff: percent}), nil},
		{tiers(OrderTier{MinimumQuantity: &zero, PercentOff: percent}), []string{"order_tiers.tiers[0].minimum_quantity"}},
		{tiers(OrderTier{MinimumQuantity: &two, PercentOff: percent}, OrderTier{MinimumQuantity: &two, PercentOff: percent}), []string{"order_tiers.tiers[1].minimum_quantity"}},
		{tiers(OrderTier{MinimumQuantity: &two, PercentOff: percent}, OrderTier{PercentOff: percent}), []string{"order_tiers.tiers[1].minimum_quantity"}},
		{tiers(OrderTier{MinimumQuantity: &two, PercentOff: percent}, OrderTier{Thresholds: eur(10), PercentOff: percent}), []string{"order_tiers.tiers[1].minimum_quantity"}},
		{tiers(OrderTier{Thresholds: eur(10), PercentOff: percent}, OrderTier{MinimumQuantity: &two, PercentOff: percent}), []string{"order_tiers.tiers[1].minimum_quantity"}},
		{tiers(OrderTier{Thresholds: eur(10), MinimumQuantity: &one, PercentOff: percent}), []string{"order_tiers.tiers[0].thresholds"}},
		{
			tiers(OrderTier{MinimumQuantity: &one, AmountOff: &AmountOff{Amounts: eur(5)}}, OrderTier{MinimumQuantity: &two, AmountOff: &AmountOff{Amounts: []Money{{"USD", 9}}}}),
			[]string{"order_tiers.tiers[1].amount_off.amounts"},
		},
		{tiers(risingTiers(20)...), nil},
		{tiers(risingTiers(21)...), []string{"order_tiers.tiers"}},

		{d{PriceTiers: &PriceTiers{}}, []string{"price_tiers.products"}},
		{prices(), []string{"price_tiers.products[0].tiers"}},
		{prices(PriceTier{1, eur(5)}, PriceTier{10, eur(0)}), nil},
		{prices(PriceTier{0, eur(5)}), []string{"price_tiers.products[0].tiers[0].minimum_quantity"}},
		{prices(PriceTier{5, eur(5)}, PriceTier{5, eur(4)}), []string{"price_tiers.products[0].tiers[1].minimum_quantity"}},
		{prices(PriceTier{1, nil}), []string{"price_tiers.products[0].tiers[0].unit_amounts"}},
		{prices(PriceTier{1, eur(5)}, PriceTier{2, []Money{{"USD", 4}}}), []string{"price_tiers.products[0].tiers[1].unit_amounts"}},
		{d{PriceTiers: &PriceTiers{[]ProductPriceTiers{{"mug", []PriceTier{{1, eur(1)}}}, {"mug", []PriceTier{{1, eur(1)}}}}}}, []string{"price_tiers.products[1].product_id"}},
		{d{PriceTiers: &PriceTiers{[]ProductPriceTiers{{"", []PriceTier{{1, eur(1)}}}}}}, []string{"price_tiers.products[0].product_id"}},

		{bxgy(func(*BuyXGetY) {}), nil},
		{bxgy(func(b *BuyXGetY) { b.BuyQuantity = 0 }), []string{"buy_x_get_y.buy_quantity"}},
		{bxgy(func(b *BuyXGetY) { b.BuyQuantity = 1_000_001 }), []string{"buy_x_get_y.buy_quantity"}},
		{bxgy(func(b *BuyXGetY) { b.GetQuantity = 0 }), []string{"buy_x_get_y.get_quantity"}},
		{bxgy(func(b *BuyXGetY) { b.GetBasisPoints = 0 }), []string{"buy_x_get_y.get_basis_points"}},
		{bxgy(func(b *BuyXGetY) { b.MaxApplications = &zero }), []string{"buy_x_get_y.max_applications"}},
		{bxgy(func(b *BuyXGetY) { b.GetOrder = DearestFirst + 1 }), []string{"buy_x_get_y.get_order"}},
		{bxgy(func(b *BuyXGetY) { b.Buy = &AppliesTo{Products: []string{""}} }), []string{"buy_x_get_y.buy.products[0]"}},
		{bxgy(func(b *BuyXGetY) { b.Get = &AppliesTo{Categories: []string{"a\x00"}} }), []string{"buy_x_get_y.get.categories[0]"}},

		{d{GroupAmountOff: &GroupAmountOff{1, eur(1), &one}}, nil},
		{d{GroupAmountOff: &GroupAmountOff{0, eur(0), &zero}}, []string{
			"group_amount_off.group_size", "group_amount_off.amounts[0].amount_minor", "group_amount_off.max_applications",
		}},
		{d{BundlePrice: &BundlePrice{1_000_000, eur(0), nil}}, nil},
		{d{BundlePrice: &BundlePrice{1_000_001, nil, &zero}}, []string{
			"bundle_price.bundle_quantity", "bundle_price.amounts", "bundle_price.max_applications",
		}},
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			want := slices.Clone(c.want)
			for i := range want {
				want[i] = "coupon." + want[i]
			}
			terms := Terms{Discount: c.discount}
			if a := c.discount.AmountOff; a != nil && len(a.AdditionalAmounts) > 0 {
				terms.Allocation = PerUnit
			}
			checkTerms(t, terms, want...)
		})
	}
}

func risingTiers(n int64) []OrderTier {
	var tiers []OrderTier
	for i := range n {
		tiers = append(tiers, OrderTier{Thresholds: eur(i), PercentOff: &PercentOff{1}})
	}
	return tiers
}

func TestScopesConditionsAndCapsAreCheckedAtTheirBounds(t *testing.T) {
	t.Parallel()
	zero, one, two, five := int64(0), int64(1), int64(2), int64(5)
	names := func(n int) []string { return slices.Repeat([]string{"x"}, n) }
	for i, c := range []struct {
		terms Terms
		want  []string
	}{
		{Terms{AppliesTo: AppliesTo{Products: names(500), ExcludedCategories: names(500)}}, nil},
		{Terms{AppliesTo: AppliesTo{Products: names(501)}}, []string{"applies_to.products"}},
		{Terms{AppliesTo: AppliesTo{Categories: []string{strings.Repeat("x", 256)}}}, []string{"applies_to.categories[0]"}},
		{Terms{AppliesTo: AppliesTo{Products: []string{"a", "b"}, ExcludedProducts: []string{"c", "b"}}}, []string{"applies_to.excluded_products[1]"}},
		{Terms{AppliesTo: AppliesTo{Categories: []string{"a"}, ExcludedCategories: []string{"a"}}}, []string{"applies_to.excluded_categories[0]"}},
		{Terms{AppliesTo: AppliesTo{Products: []string{"a"}, ExcludedCategories: []string{"a"}}}, nil},
		{Terms{AppliesTo: AppliesTo{UnitAmounts: []AmountRange{{"EUR", 5, &five}, {"USD", 0, nil}}}}, nil},
		{Terms{AppliesTo: AppliesTo{UnitAmounts: []AmountRange{{"EUR", 5, &two}}}}, []string{"applies_to.unit_amounts[0].max_amount_minor"}},
		{Terms{AppliesTo: AppliesTo{UnitAmounts: []AmountRange{{"EUR", -1, nil}, {"EUR", 0, nil}}}}, []string{
			"applies_to.unit_amounts[0].min_amount_minor", "applies_to.unit_amounts[1].currency_code",
		}},

		{Terms{Conditions: OrderConditions{MinimumAmounts: eur(1), MinimumQuantity: &two, MaximumQuantity: &two}}, nil},
		{Terms{Conditions: OrderConditions{MinimumAmounts: eur(0), MinimumQuantity: &zero}}, []string{
			"conditions.minimum_amounts[0].amount_minor", "conditions.minimum_quantity",
		}},
		{Terms{Conditions: OrderConditions{MinimumQuantity: &two, MaximumQuantity: &one}}, []string{"conditions.maximum_quantity"}},
		{Terms{Conditions: OrderConditions{MinimumAmountBasis: BasisEligibleLines + 1}}, []string{"conditions.minimum_amount_basis"}},

		{Terms{Caps: DiscountCaps{MaxDiscount: eur(1), MaxDiscountPerUnit: eur(1), MinUnitAmount: eur(0), MaxUnits: &one, MaxUnitsPerLine: &one, UnitOrder: DearestFirst}}, nil},
		{Terms{Caps: DiscountCaps{MaxDiscount: eur(0), MaxDiscountPerUnit: eur(0), MinUnitAmount: eur(-1), MaxUnits: &zero, MaxUnitsPerLine: &zero, UnitOrder: 3}}, []string{
			"caps.max_discount[0].amount_minor", "caps.max_discount_per_unit[0].amount_minor", "caps.min_unit_amount[0].amount_minor",
			"caps.max_units", "caps.max_units_per_line", "caps.unit_order",
		}},
		{Terms{Allocation: PerUnit + 1, RoundingScope: RoundPerUnit + 1}, []string{"allocation", "rounding_scope"}},
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			c.terms.Discount.PercentOff = &PercentOff{100}
			want := slices.Clone(c.want)
			for i := range want {
				want[i] = "coupon." + want[i]
			}
			checkTerms(t, c.terms, want...)
		})
	}
}
