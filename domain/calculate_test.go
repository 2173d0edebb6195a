// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package domain

import (
	"slices"
	"testing"
)

// take applies terms and returns what comes off each line.
func take(t *testing.T, terms Terms, o *Order) []int64 {
	t.Helper()
	var v Violations
	if terms.Check(&v, ""); v.Err() != nil {
		t.Fatal(v.Err())
	}
	d, against := terms.Apply(o, testNow)
	if len(against) > 0 {
		t.Fatalf("refused for %v", against)
	}
	checkDiscount(t, o, &d, &terms)
	return lineAmounts(d)
}

func wantLines(t *testing.T, what string, got []int64, want ...int64) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: takes %v, want %v", what, got, want)
	}
}

func TestAPercentageIsRoundedHalfUpOverItsScope(t *testing.T) {
	t.Parallel()
	// 10 % of 5 is exactly a half.
	o := euros(OrderLine{UnitAmountMinor: 5, Quantity: 1}, OrderLine{UnitAmountMinor: 5, Quantity: 3}, OrderLine{UnitAmountMinor: 4, Quantity: 1})
	terms := Terms{Discount: tenPercent()}
	wantLines(t, "order: 2.4 is 2, of which 0.42, 1.25 and 0.33", take(t, terms, o), 1, 1, 0)
	terms.RoundingScope = RoundPerLine
	wantLines(t, "lines: 0.5 is 1, 1.5 is 2, 0.4 is 0", take(t, terms, o), 1, 2, 0)
	terms.RoundingScope = RoundPerUnit
	wantLines(t, "units: 0.5 is 1 each", take(t, terms, o), 1, 3, 0)
}

func TestAPercentageMeetsFloorsAndCapsAsItsRoundingScopeSays(t *testing.T) {
	t.Parallel()
	o := euros(OrderLine{UnitAmountMinor: 5_000, Quantity: 1, MinUnitAmountMinor: 4_500}, OrderLine{UnitAmountMinor: 2_000, Quantity: 1})
	terms := Terms{Discount: Discount{PercentOff: &PercentOff{2_000}}}
	wantLines(t, "over the order, what the floor keeps moves", take(t, terms, o), 500, 900)
	terms.RoundingScope = RoundPerLine
	wantLines(t, "line by line it does not", take(t, terms, o), 500, 400)
	terms.RoundingScope = RoundPerUnit
	wantLines(t, "unit by unit neither", take(t, terms, o), 500, 400)

	o.Lines[0].MinUnitAmountMinor = 0
	terms = Terms{Discount: terms.Discount, Caps: DiscountCaps{MaxDiscountPerUnit: eur(500)}}
	wantLines(t, "what a cap per unit cuts off moves nowhere", take(t, terms, o), 500, 400)
}

func TestCapsOfUnitsPickByPriceAndTheEarlierLineOnTies(t *testing.T) {
	t.Parallel()
	one, two, three := int64(1), int64(2), int64(3)
	o := euros(
		OrderLine{UnitAmountMinor: 100, Quantity: 2}, OrderLine{UnitAmountMinor: 300, Quantity: 2},
		OrderLine{UnitAmountMinor: 300, Quantity: 2}, OrderLine{UnitAmountMinor: 100, Quantity: 2},
	)
	half := Discount{PercentOff: &PercentOff{5_000}}
	for _, c := range []struct {
		what string
		caps DiscountCaps
		want []int64
	}{
		{"dearest first", DiscountCaps{MaxUnits: &three}, []int64{0, 300, 150, 0}},
		{"cheapest first", DiscountCaps{MaxUnits: &three, UnitOrder: CheapestFirst}, []int64{100, 0, 0, 50}},
		{"one of each line", DiscountCaps{MaxUnitsPerLine: &one}, []int64{50, 150, 150, 50}},
		{"one of each line, three in all", DiscountCaps{MaxUnitsPerLine: &one, MaxUnits: &three}, []int64{50, 150, 150, 0}},
		{"two of each line are all", DiscountCaps{MaxUnitsPerLine: &two}, []int64{100, 300, 300, 100}},
	} {
		wantLines(t, c.what, take(t, Terms{Discount: half, Caps: c.caps}, o), c.want...)
	}
}

func TestMaxDiscountCutsEveryTypeInProportion(t *testing.T) {
	t.Parallel()
	o := euros(OrderLine{ProductID: "mug", UnitAmountMinor: 900, Quantity: 2}, OrderLine{ProductID: "mug", UnitAmountMinor: 1_200, Quantity: 1})
	caps := DiscountCaps{MaxDiscount: eur(100)}
	percent := Discount{PercentOff: &PercentOff{5_000}}
	tiers := Discount{PriceTiers: &PriceTiers{[]ProductPriceTiers{{"mug", []PriceTier{{3, eur(600)}}}}}}
	wantLines(t, "percent", take(t, Terms{Discount: percent, Caps: caps}, o), 60, 40)
	wantLines(t, "percent by line", take(t, Terms{Discount: percent, Caps: caps, RoundingScope: RoundPerLine}, o), 60, 40)
	wantLines(t, "percent by unit", take(t, Terms{Discount: percent, Caps: caps, RoundingScope: RoundPerUnit}, o), 60, 40)
	wantLines(t, "amount per unit", take(t, Terms{Discount: Discount{AmountOff: &AmountOff{Amounts: eur(300)}}, Caps: caps, Allocation: PerUnit}, o), 67, 33)
	wantLines(t, "price tiers take 300, 300, 600", take(t, Terms{Discount: tiers, Caps: caps}, o), 50, 50)
	wantLines(t, "group", take(t, Terms{Discount: Discount{GroupAmountOff: &GroupAmountOff{1, eur(500), nil}}, Caps: caps}, o), 67, 33)

	o.ShippingAmountMinor = 500
	free := Terms{Discount: oneOfEach()["shipping_off"], Caps: caps}
	if d, _ := free.Apply(o, testNow); d.ShippingAmountMinor != 100 || d.TotalAmountMinor != 100 {
		t.Errorf("shipping: takes %d of %d, want 100", d.ShippingAmountMinor, d.TotalAmountMinor)
	}
}

func TestTheHighestTierReachedApplies(t *testing.T) {
	t.Parallel()
	terms := Terms{Discount: Discount{OrderTiers: &OrderTiers{[]OrderTier{
		{PercentOff: &PercentOff{1_000}},
		{Thresholds: eur(1_000), AmountOff: &AmountOff{Amounts: eur(200)}},
		{Thresholds: eur(2_000), PercentOff: &PercentOff{3_000}},
	}}}}
	for unit, want := range map[int64]int64{999: 100, 1_000: 200, 1_999: 200, 2_000: 600} {
		wantLines(t, "", take(t, terms, euros(OrderLine{UnitAmountMinor: unit, Quantity: 1})), want)
	}
	// In a currency that only the first tier is offered in, it stays the first.
	yen := &Order{Currency: "JPY", Lines: []OrderLine{{UnitAmountMinor: 5_000, Quantity: 1}}}
	wantLines(t, "yen", take(t, terms, yen), 500)
}

func TestTiersByQuantityCountEligibleUnitsBeforeCaps(t *testing.T) {
	t.Parallel()
	three, six, two := int64(3), int64(6), int64(2)
	terms := Terms{
		AppliesTo: AppliesTo{Categories: []string{"clothes"}},
		Discount: Discount{OrderTiers: &OrderTiers{[]OrderTier{
			{MinimumQuantity: &three, PercentOff: &PercentOff{1_000}},
			{MinimumQuantity: &six, PercentOff: &PercentOff{1_500}},
		}}},
	}
	clothes := []string{"clothes"}
	for quantity, want := range map[int64]int64{2: 300, 4: 500, 5: 900, 6: 1_050} {
		o := euros(
			OrderLine{CategoryIDs: clothes, UnitAmountMinor: 1_000, Quantity: quantity},
			OrderLine{UnitAmountMinor: 5_000, Quantity: 9}, // counts for nothing
			OrderLine{CategoryIDs: clothes, UnitAmountMinor: 1_000, Quantity: 1},
		)
		if got := take(t, terms, o); got[0]+got[2] != want || got[1] != 0 {
			t.Errorf("%d and 1 units: takes %v, want %d", quantity, got, want)
		}
	}
	terms.Caps.MaxUnits = &two
	o := euros(OrderLine{CategoryIDs: clothes, UnitAmountMinor: 1_000, Quantity: 6})
	wantLines(t, "15 % of two units, as six are ordered", take(t, terms, o), 300)
}

func TestTheFirstUnitOfALineAndThoseAfterItTakeAmountsOfTheirOwn(t *testing.T) {
	t.Parallel()
	five, three := int64(5), int64(3)
	o := euros(
		OrderLine{UnitAmountMinor: 1_000, Quantity: 10}, OrderLine{UnitAmountMinor: 1_000, Quantity: 1},
		OrderLine{UnitAmountMinor: 200, Quantity: 3}, OrderLine{UnitAmountMinor: 100, Quantity: 2},
	)
	terms := Terms{Discount: Discount{AmountOff: &AmountOff{eur(113), eur(211)}}, Allocation: PerUnit}
	wantLines(t, "113 and 9 × 211; no more than the price", take(t, terms, o), 2_012, 113, 513, 200)
	terms.Caps.MaxUnitsPerLine = &five
	wantLines(t, "five units a line", take(t, terms, o), 957, 113, 513, 200)
	terms.Caps.MaxUnits = &three
	wantLines(t, "three units in all", take(t, terms, o), 535, 0, 0, 0)
	terms.Caps = DiscountCaps{MaxDiscount: eur(419)}
	wantLines(t, "a cap of a tenth, nearly", take(t, terms, o), 297, 17, 76, 29)

	terms = Terms{Discount: Discount{AmountOff: &AmountOff{eur(0), eur(50)}}, Allocation: PerUnit}
	wantLines(t, "nothing off the first", take(t, terms, o), 450, 0, 100, 50)
	terms = Terms{Discount: Discount{AmountOff: &AmountOff{eur(50), eur(0)}}, Allocation: PerUnit}
	wantLines(t, "something off the first only", take(t, terms, o), 50, 50, 50, 50)
}

func TestPriceTiersCountAProductOverAllItsLines(t *testing.T) {
	t.Parallel()
	terms := Terms{Discount: Discount{PriceTiers: &PriceTiers{[]ProductPriceTiers{
		{"mug", []PriceTier{{2, eur(900)}, {4, eur(700)}}},
	}}}}
	o := euros(
		OrderLine{ProductID: "mug", UnitAmountMinor: 1_000, Quantity: 3},
		OrderLine{ProductID: "mug", UnitAmountMinor: 650, Quantity: 1}, // cheaper already
		OrderLine{ProductID: "hat", UnitAmountMinor: 1_000, Quantity: 9},
	)
	wantLines(t, "four mugs", take(t, terms, o), 900, 0, 0)
	o.Lines[1].Quantity, o.Lines[0].Quantity = 1, 2
	wantLines(t, "three mugs", take(t, terms, o), 200, 0, 0)
}

func TestBuyXGetYKeepsUnitsThatOnlyServeOneSide(t *testing.T) {
	t.Parallel()
	one, two := int64(1), int64(2)
	mugs := &AppliesTo{Products: []string{"mug"}}
	buyAny := func(change func(*Terms)) Terms {
		terms := Terms{Discount: Discount{BuyXGetY: &BuyXGetY{BuyQuantity: 1, GetQuantity: 1, Get: mugs, GetBasisPoints: FullShare}}}
		change(&terms)
		return terms
	}
	o := euros(OrderLine{ProductID: "mug", UnitAmountMinor: 900, Quantity: 1}, OrderLine{ProductID: "hat", UnitAmountMinor: 500, Quantity: 1})
	wantLines(t, "the dearest unit is the only one to get", take(t, buyAny(func(*Terms) {}), o), 900, 0)

	few := euros(
		OrderLine{ProductID: "mug", UnitAmountMinor: 900, Quantity: 1}, OrderLine{ProductID: "mug", UnitAmountMinor: 800, Quantity: 1},
		OrderLine{ProductID: "mug", UnitAmountMinor: 700, Quantity: 1}, OrderLine{ProductID: "hat", UnitAmountMinor: 500, Quantity: 1},
	)
	wantLines(t, "of three mugs one can be bought", take(t, buyAny(func(*Terms) {}), few), 0, 800, 700, 0)

	o.Lines[0].Quantity = 4
	wantLines(t, "5 units, 2 sets", take(t, buyAny(func(*Terms) {}), o), 1_800, 0)
	wantLines(t, "one application", take(t, buyAny(func(t *Terms) { t.Discount.BuyXGetY.MaxApplications = &one }), o), 900, 0)
	wantLines(t, "one unit of a line", take(t, buyAny(func(t *Terms) { t.Caps.MaxUnitsPerLine = &one }), o), 900, 0)
	wantLines(t, "half off", take(t, buyAny(func(t *Terms) { t.Discount.BuyXGetY.GetBasisPoints = 5_000 }), o), 900, 0)
	wantLines(t, "two units in all, of a set of three", take(t, buyAny(func(t *Terms) {
		t.Discount.BuyXGetY.GetQuantity, t.Caps.MaxUnits = 3, &two
	}), o), 1_800, 0)

	o = euros(OrderLine{ProductID: "mug", UnitAmountMinor: 900, Quantity: 1}, OrderLine{ProductID: "mug", UnitAmountMinor: 500, Quantity: 2}, OrderLine{ProductID: "mug", UnitAmountMinor: 700, Quantity: 1})
	wantLines(t, "cheapest first", take(t, Terms{Discount: Discount{BuyXGetY: &BuyXGetY{BuyQuantity: 1, GetQuantity: 1, GetBasisPoints: FullShare}}}, o), 0, 1_000, 0)
	wantLines(t, "dearest of the rest first", take(t, Terms{Discount: Discount{BuyXGetY: &BuyXGetY{
		BuyQuantity: 1, GetQuantity: 1, GetBasisPoints: FullShare, GetOrder: DearestFirst, MaxApplications: &one,
	}}}, o), 0, 0, 700)
}

func TestSetsAreFormedFromTheDearestUnitsOfAllLines(t *testing.T) {
	t.Parallel()
	one := int64(1)
	o := euros(OrderLine{UnitAmountMinor: 100, Quantity: 3}, OrderLine{UnitAmountMinor: 300, Quantity: 3})
	wantLines(t, "every two units 50 off: 300+300, 300+100, 100+100",
		take(t, Terms{Discount: Discount{GroupAmountOff: &GroupAmountOff{2, eur(50), nil}}}, o), 63, 87)
	wantLines(t, "one group only",
		take(t, Terms{Discount: Discount{GroupAmountOff: &GroupAmountOff{2, eur(50), &one}}}, o), 0, 50)
	wantLines(t, "off each unit of a group",
		take(t, Terms{Discount: Discount{GroupAmountOff: &GroupAmountOff{4, eur(50), nil}}, Allocation: PerUnit}, o), 50, 150)
	wantLines(t, "a group never costs less than nothing",
		take(t, Terms{Discount: Discount{GroupAmountOff: &GroupAmountOff{6, eur(5_000), nil}}}, o), 300, 900)
	wantLines(t, "any two for 350: 250 off, 50 off, and 200 for two is cheaper",
		take(t, Terms{Discount: Discount{BundlePrice: &BundlePrice{2, eur(350), nil}}}, o), 13, 287)
	wantLines(t, "by quantity",
		take(t, Terms{Discount: Discount{BundlePrice: &BundlePrice{2, eur(350), nil}}, Allocation: AcrossByQuantity}, o), 25, 275)
	wantLines(t, "a bundle that is no bargain",
		take(t, Terms{Discount: Discount{BundlePrice: &BundlePrice{2, eur(601), nil}}}, o), 0, 0)
}
