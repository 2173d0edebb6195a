// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package domain

import (
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
)

// tenPercent is a discount that leaves everything to the other terms.
func tenPercent() Discount { return Discount{PercentOff: &PercentOff{1_000}} }

func euros(lines ...OrderLine) *Order {
	o := &Order{Currency: "EUR", Lines: lines}
	var v Violations
	if o.Check(&v, ""); v.Err() != nil {
		panic(v.Err())
	}
	return o
}

func TestEveryReasonThatSpeaksAgainstAnOrderIsTold(t *testing.T) {
	t.Parallel()
	two, five, six := int64(2), int64(5), int64(6)
	o := euros(
		OrderLine{ProductID: "mug", UnitAmountMinor: 1_000, Quantity: 2},
		OrderLine{ProductID: "shirt", UnitAmountMinor: 500, Quantity: 3},
	)
	mugs := AppliesTo{Products: []string{"mug"}}
	yen := []Money{{"JPY", 1}}
	minimum := func(required, actual int64) Ineligibility {
		return Ineligibility{Reason: MinimumAmountNotMet, Required: Money{"EUR", required}, Actual: Money{"EUR", actual}}
	}
	for _, c := range []struct {
		name  string
		terms Terms
		want  []Ineligibility
	}{
		{"nothing", Terms{Discount: tenPercent()}, nil},
		{"minimum met exactly", Terms{Discount: tenPercent(), Conditions: OrderConditions{MinimumAmounts: eur(3_500)}}, nil},
		{"minimum missed by one", Terms{Discount: tenPercent(), Conditions: OrderConditions{MinimumAmounts: eur(3_501)}}, []Ineligibility{minimum(3_501, 3_500)}},
		{"the whole order counts for a scoped coupon", Terms{Discount: tenPercent(), AppliesTo: mugs, Conditions: OrderConditions{MinimumAmounts: eur(3_500)}}, nil},
		{
			"the eligible lines count",
			Terms{Discount: tenPercent(), AppliesTo: mugs, Conditions: OrderConditions{MinimumAmounts: eur(2_001), MinimumAmountBasis: BasisEligibleLines}},
			[]Ineligibility{minimum(2_001, 2_000)},
		},
		{"minimum in another currency", Terms{Discount: tenPercent(), Conditions: OrderConditions{MinimumAmounts: yen}}, []Ineligibility{{Reason: CurrencyMismatch}}},
		{"quantities met exactly", Terms{Discount: tenPercent(), Conditions: OrderConditions{MinimumQuantity: &five, MaximumQuantity: &five}}, nil},
		{"too few", Terms{Discount: tenPercent(), Conditions: OrderConditions{MinimumQuantity: &six}}, []Ineligibility{
			{Reason: MinimumQuantityNotMet, RequiredQuantity: 6, ActualQuantity: 5},
		}},
		{"too many", Terms{Discount: tenPercent(), Conditions: OrderConditions{MaximumQuantity: &two}}, []Ineligibility{
			{Reason: MaximumQuantityExceeded, RequiredQuantity: 2, ActualQuantity: 5},
		}},
		{"only eligible units count", Terms{Discount: tenPercent(), AppliesTo: mugs, Conditions: OrderConditions{MaximumQuantity: &two}}, nil},
		{"nothing eligible", Terms{Discount: tenPercent(), AppliesTo: AppliesTo{Products: []string{"hat"}}}, []Ineligibility{{Reason: NoApplicableItems}}},
		{"a scope for free shipping", Terms{Discount: oneOfEach()["shipping_off"], AppliesTo: AppliesTo{Products: []string{"hat"}}}, []Ineligibility{{Reason: NoApplicableItems}}},
		{
			"everything at once",
			Terms{
				Discount: Discount{AmountOff: &AmountOff{Amounts: yen}}, AppliesTo: AppliesTo{Products: []string{"hat"}},
				Conditions: OrderConditions{MinimumAmounts: eur(3_501), MinimumQuantity: &six},
			},
			[]Ineligibility{
				minimum(3_501, 3_500),
				{Reason: MinimumQuantityNotMet, RequiredQuantity: 6, ActualQuantity: 0},
				{Reason: NoApplicableItems},
				{Reason: CurrencyMismatch},
			},
		},
		{"amount in another currency", Terms{Discount: Discount{AmountOff: &AmountOff{Amounts: yen}}}, []Ineligibility{{Reason: CurrencyMismatch}}},
		{"price in another currency", Terms{Discount: Discount{PriceOverride: &PriceOverride{yen}}}, []Ineligibility{{Reason: CurrencyMismatch}}},
		{"shipping in another currency", Terms{Discount: Discount{ShippingOff: &ShippingOff{AmountOff: &AmountOff{Amounts: yen}}}}, []Ineligibility{{Reason: CurrencyMismatch}}},
		{"group in another currency", Terms{Discount: Discount{GroupAmountOff: &GroupAmountOff{1, yen, nil}}}, []Ineligibility{{Reason: CurrencyMismatch}}},
		{"bundle in another currency", Terms{Discount: Discount{BundlePrice: &BundlePrice{1, yen, nil}}}, []Ineligibility{{Reason: CurrencyMismatch}}},
		{
			"price tiers in another currency",
			Terms{Discount: Discount{PriceTiers: &PriceTiers{[]ProductPriceTiers{{"mug", []PriceTier{{1, yen}}}}}}},
			[]Ineligibility{{Reason: CurrencyMismatch}},
		},
		{
			"tiers in another currency",
			Terms{Discount: Discount{OrderTiers: &OrderTiers{[]OrderTier{{Thresholds: yen, PercentOff: &PercentOff{1}}}}}},
			[]Ineligibility{{Reason: CurrencyMismatch}},
		},
		{
			"below the lowest tier",
			Terms{AppliesTo: mugs, Discount: Discount{OrderTiers: &OrderTiers{[]OrderTier{
				{Thresholds: eur(2_001), PercentOff: &PercentOff{1}}, {Thresholds: eur(3_000), PercentOff: &PercentOff{2}},
			}}}},
			[]Ineligibility{minimum(2_001, 2_000)},
		},
		{
			"below the lowest tier by quantity",
			Terms{AppliesTo: mugs, Discount: Discount{OrderTiers: &OrderTiers{[]OrderTier{
				{MinimumQuantity: &five, PercentOff: &PercentOff{1}}, {MinimumQuantity: &six, PercentOff: &PercentOff{2}},
			}}}},
			[]Ineligibility{{Reason: MinimumQuantityNotMet, RequiredQuantity: 5, ActualQuantity: 2}},
		},
		{
			"no listed product reaches its first tier",
			Terms{Discount: Discount{PriceTiers: &PriceTiers{[]ProductPriceTiers{{"mug", []PriceTier{{3, eur(1)}}}, {"hat", []PriceTier{{1, eur(1)}}}}}}},
			[]Ineligibility{{Reason: NoApplicableItems}},
		},
		{"no complete group", Terms{Discount: Discount{GroupAmountOff: &GroupAmountOff{6, eur(1), nil}}}, []Ineligibility{{Reason: NoApplicableItems}}},
		{"no complete bundle", Terms{Discount: Discount{BundlePrice: &BundlePrice{6, eur(1), nil}}}, []Ineligibility{{Reason: NoApplicableItems}}},
		{"nothing to get", Terms{Discount: Discount{BuyXGetY: &BuyXGetY{BuyQuantity: 5, GetQuantity: 1, GetBasisPoints: 1}}}, []Ineligibility{{Reason: NoApplicableItems}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d, against := c.terms.Apply(o, testNow)
			if diff := gocmp.Diff(c.want, against); diff != "" {
				t.Errorf("wanted (-) and told reasons differ:\n%s", diff)
			}
			if (len(against) == 0) != (d.Currency == "EUR") {
				t.Errorf("refused for %v and discounted by %+v", against, d)
			}
		})
	}
}

func TestScopeSelectsLines(t *testing.T) {
	t.Parallel()
	ten := int64(1_000)
	o := euros(
		OrderLine{ID: "a", ProductID: "mug", CategoryIDs: []string{"kitchen", "new"}, UnitAmountMinor: 1_000, Quantity: 1},
		OrderLine{ID: "b", ProductID: "shirt", CategoryIDs: []string{"clothes"}, UnitAmountMinor: 2_000, Quantity: 1, OnSale: true},
		OrderLine{ID: "c", ProductID: "hat", CategoryIDs: []string{"clothes", "new"}, UnitAmountMinor: 500, Quantity: 1},
	)
	many := make([]string, 0, maxScopeNames)
	for i := range maxScopeNames - 1 {
		many = append(many, string(rune('α'+i)))
	}
	for _, c := range []struct {
		name  string
		scope AppliesTo
		want  string
	}{
		{"everything", AppliesTo{}, "abc"},
		{"a product", AppliesTo{Products: []string{"mug"}}, "a"},
		{"a product in another case", AppliesTo{Products: []string{"Mug"}}, ""},
		{"a category", AppliesTo{Categories: []string{"clothes"}}, "bc"},
		{"a product or a category", AppliesTo{Products: []string{"mug"}, Categories: []string{"clothes"}}, "abc"},
		{"less a product", AppliesTo{ExcludedProducts: []string{"hat"}}, "ab"},
		{"less a category", AppliesTo{ExcludedCategories: []string{"new"}}, "b"},
		{"excluded stays excluded", AppliesTo{Products: []string{"mug", "shirt"}, ExcludedCategories: []string{"new"}}, "b"},
		{"less what is on sale", AppliesTo{Categories: []string{"clothes"}, ExcludeSaleItems: true}, "c"},
		{"a price range, ends included", AppliesTo{UnitAmounts: []AmountRange{{"EUR", 500, &ten}}}, "ac"},
		{"a price range without an end", AppliesTo{UnitAmounts: []AmountRange{{"JPY", 0, nil}, {"EUR", 1_000, nil}}}, "ab"},
		{"a price range in another currency", AppliesTo{UnitAmounts: []AmountRange{{"JPY", 0, nil}}}, ""},
		{"among very many products", AppliesTo{Products: append(slices.Clone(many), "hat")}, "c"},
		{"less very many categories", AppliesTo{ExcludedCategories: append(slices.Clone(many), "kitchen")}, "bc"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			terms := Terms{Discount: tenPercent(), AppliesTo: c.scope}
			d, _ := terms.Apply(o, testNow)
			got := ""
			for _, l := range d.Lines {
				if l.AmountMinor > 0 {
					got += l.LineID
				}
			}
			if got != c.want {
				t.Errorf("selects %q, want %q", got, c.want)
			}
		})
	}
}

func TestAnOrderIsNeededWhereARuleIsAboutIt(t *testing.T) {
	t.Parallel()
	one := int64(1)
	for name, d := range oneOfEach() {
		terms := Terms{Discount: d}
		want := map[string]bool{
			"percent_tiers": true, "amount_tiers": true, "price_tiers": true,
			"buy_x_get_y": true, "group_amount_off": true, "bundle_price": true,
		}[name]
		if got := terms.NeedsOrder(); got != want {
			t.Errorf("%s needs an order: %v, want %v", name, got, want)
		}
	}
	for i, terms := range []Terms{
		{AppliesTo: AppliesTo{Products: []string{"a"}}},
		{AppliesTo: AppliesTo{ExcludedProducts: []string{"a"}}},
		{AppliesTo: AppliesTo{Categories: []string{"a"}}},
		{AppliesTo: AppliesTo{ExcludedCategories: []string{"a"}}},
		{AppliesTo: AppliesTo{ExcludeSaleItems: true}},
		{AppliesTo: AppliesTo{UnitAmounts: []AmountRange{{"EUR", 0, nil}}}},
		{Conditions: OrderConditions{MinimumAmounts: eur(1)}},
		{Conditions: OrderConditions{MinimumQuantity: &one}},
		{Conditions: OrderConditions{MaximumQuantity: &one}},
	} {
		terms.Discount = tenPercent()
		if !terms.NeedsOrder() {
			t.Errorf("%d: %+v does not need an order", i, terms)
		}
	}
	if terms := (Terms{Discount: tenPercent(), Caps: DiscountCaps{MaxUnits: &one}}); terms.NeedsOrder() {
		t.Error("a cap needs an order: it only bounds what an order would tell")
	}
}

func TestATrialStartsNowWithAndWithoutAnOrder(t *testing.T) {
	t.Parallel()
	terms := Terms{Discount: Discount{FreeTrial: &FreeTrial{TrialDays: 14}}}
	ends := time.Date(2026, 3, 15, 12, 0, 0, 0, time.UTC)
	d, against := terms.Apply(euros(OrderLine{UnitAmountMinor: 100, Quantity: 1}), testNow)
	if len(against) > 0 || d.TrialDays != 14 || !d.TrialEndsAt.Equal(ends) || d.TotalAmountMinor != 0 || len(d.Lines) != 1 {
		t.Errorf("%v, %+v", against, d)
	}
	if d, ok := terms.ApplyWithoutOrder(testNow); !ok || d.TrialDays != 14 || !d.TrialEndsAt.Equal(ends) {
		t.Errorf("without an order: %v, %+v", ok, d)
	}
	terms.AppliesTo.Products = []string{"mug"}
	if _, ok := terms.ApplyWithoutOrder(testNow); ok {
		t.Error("a trial of some products is granted without an order")
	}
	percent := Terms{Discount: tenPercent()}
	if _, ok := percent.ApplyWithoutOrder(testNow); ok {
		t.Error("a percentage is granted without an order")
	}
}

func TestTheAnswerNamesAllocationAndRounding(t *testing.T) {
	t.Parallel()
	o := euros(OrderLine{ProductID: "mug", UnitAmountMinor: 1_000, Quantity: 3})
	for _, c := range []struct {
		discount   string
		allocation Allocation
		rounding   RoundingScope
		want       Allocation
		wantRound  RoundingScope
	}{
		{"percent_off", AllocationDefault, RoundingDefault, AcrossProportional, RoundPerOrder},
		{"percent_off", AcrossProportional, RoundPerLine, PerLine, RoundPerLine},
		{"percent_off", AllocationDefault, RoundPerUnit, PerUnit, RoundPerUnit},
		{"percent_off", PerLine, RoundingDefault, PerLine, RoundPerLine},
		{"percent_off", PerUnit, RoundPerOrder, PerUnit, RoundPerUnit},
		{"amount_off", AllocationDefault, RoundingDefault, AcrossProportional, RoundPerOrder},
		{"amount_off", AcrossByQuantity, RoundingDefault, AcrossByQuantity, RoundPerOrder},
		{"amount_off", PerLine, RoundingDefault, PerLine, RoundPerLine},
		{"amount_off", PerUnit, RoundingDefault, PerUnit, RoundPerUnit},
		{"price_override", AllocationDefault, RoundingDefault, PerUnit, RoundPerUnit},
		{"price_tiers", AllocationDefault, RoundingDefault, PerUnit, RoundPerUnit},
		{"percent_tiers", AllocationDefault, RoundPerLine, PerLine, RoundPerLine},
		{"amount_tiers", AcrossByQuantity, RoundingDefault, AcrossByQuantity, RoundPerOrder},
		{"buy_x_get_y", AllocationDefault, RoundingDefault, AcrossProportional, RoundPerOrder},
		{"group_amount_off", AllocationDefault, RoundingDefault, AcrossProportional, RoundPerOrder},
		{"group_amount_off", PerUnit, RoundingDefault, PerUnit, RoundPerUnit},
		{"bundle_price", AcrossByQuantity, RoundingDefault, AcrossByQuantity, RoundPerOrder},
		{"shipping_off", AllocationDefault, RoundingDefault, AllocationDefault, RoundPerOrder},
		{"free_trial", AllocationDefault, RoundingDefault, AllocationDefault, RoundingDefault},
	} {
		terms := Terms{Discount: oneOfEach()[c.discount], Allocation: c.allocation, RoundingScope: c.rounding}
		d, against := terms.Apply(o, testNow)
		if len(against) > 0 || d.Allocation != c.want || d.RoundingScope != c.wantRound {
			t.Errorf("%s with %d and %d: %v, allocation %d and rounding %d, want %d and %d",
				c.discount, c.allocation, c.rounding, against, d.Allocation, d.RoundingScope, c.want, c.wantRound)
		}
	}
}
