// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package domain

import (
	"testing"
	"time"
)

func TestSetsOfDifferentDiscountsShareNoUnits(t *testing.T) {
	t.Parallel()
	o := euros(OrderLine{UnitAmountMinor: 100, Quantity: 5})
	twoForOne := Terms{Discount: Discount{BuyXGetY: &BuyXGetY{BuyQuantity: 1, GetQuantity: 1, GetBasisPoints: FullShare, MaxApplications: new(int64(1))}}}
	pairs := Terms{Discount: Discount{GroupAmountOff: &GroupAmountOff{2, eur(10), nil}}}
	terms := []Terms{twoForOne, pairs, twoForOne}

	// The third wants two of five units and finds one.
	stacked := ApplyAll(o, terms, OnRemainder, testNow)
	wantLines(t, "two for one", lineAmounts(stacked.Each[0].Discount), 100)
	wantLines(t, "one pair of the three left", lineAmounts(stacked.Each[1].Discount), 10)
	if against := stacked.Each[2].Ineligibilities; len(against) != 1 || against[0].Reason != NoApplicableItems {
		t.Errorf("the third is refused for %v", against)
	}
	wantLines(t, "all", lineAmounts(stacked.Total), 110)

	// On the original prices each starts anew, and a unit is not given twice.
	stacked = ApplyAll(o, terms, OnOriginal, testNow)
	wantLines(t, "two pairs of five", lineAmounts(stacked.Each[1].Discount), 20)
	if d := stacked.Each[2].Discount; d.TotalAmountMinor == 0 {
		t.Error("the third takes nothing")
	}
	checkDiscount(t, o, &stacked.Total, nil)
}

func TestPercentagesInARow(t *testing.T) {
	t.Parallel()
	o := euros(OrderLine{UnitAmountMinor: 1_000, Quantity: 1}, OrderLine{UnitAmountMinor: 1_000, Quantity: 1})
	first := Terms{Discount: Discount{PercentOff: &PercentOff{6_000}}, AppliesTo: AppliesTo{UnitAmounts: []AmountRange{{"EUR", 1_000, nil}}}}
	half := Terms{Discount: Discount{PercentOff: &PercentOff{6_000}}, Caps: DiscountCaps{MaxUnits: new(int64(1))}}

	stacked := ApplyAll(o, []Terms{half, first}, OnRemainder, testNow)
	// The price range is about the order's prices, the percentage about what is left.
	wantLines(t, "on what is left", lineAmounts(stacked.Total), 840, 600)

	stacked = ApplyAll(o, []Terms{half, first}, OnOriginal, testNow)
	wantLines(t, "on the original prices, at most what is left", lineAmounts(stacked.Total), 1_000, 600)
}

func TestConditionsOfLaterDiscountsAreHeldAgainstTheOrderAsPlaced(t *testing.T) {
	t.Parallel()
	o := euros(OrderLine{UnitAmountMinor: 1_000, Quantity: 1})
	o.ShippingAmountMinor = 400
	half := Discount{PercentOff: &PercentOff{5_000}}
	minimum := OrderConditions{MinimumAmounts: eur(1_000)}
	tiers := Terms{Discount: Discount{OrderTiers: &OrderTiers{[]OrderTier{{Thresholds: eur(1_000), PercentOff: &PercentOff{1_000}}}}}}
	shipping := Terms{Discount: Discount{ShippingOff: &ShippingOff{PercentOff: &PercentOff{5_000}}}}
	stacked := ApplyAll(o, []Terms{
		{Discount: half}, {Discount: half, Conditions: minimum}, tiers, shipping, shipping,
	}, OnRemainder, testNow)
	wantLines(t, "500, 250, and a tenth of 250", lineAmounts(stacked.Total), 775)
	if got := stacked.Total.ShippingAmountMinor; got != 300 {
		t.Errorf("shipping: takes %d, want 200 and 100", got)
	}
	stacked = ApplyAll(o, []Terms{shipping, shipping, shipping}, OnOriginal, testNow)
	if got := stacked.Total.ShippingAmountMinor; got != 400 {
		t.Errorf("shipping on its original price: takes %d, want all 400", got)
	}
}

func TestOfSeveralTrialsTheLongestCounts(t *testing.T) {
	t.Parallel()
	trial := func(days int32) Terms { return Terms{Discount: Discount{FreeTrial: &FreeTrial{TrialDays: days}}} }
	stacked := ApplyAll(euros(OrderLine{Quantity: 1}), []Terms{trial(7), trial(30), trial(14)}, OnRemainder, testNow)
	if d := stacked.Total; d.TrialDays != 30 || !d.TrialEndsAt.Equal(testNow.Add(30*24*time.Hour)) {
		t.Errorf("%d days until %v", d.TrialDays, d.TrialEndsAt)
	}
}

// Earlier discounts tell the units of a line apart; caps per line go on counting
// all of them.
func TestCapsPerLineCountUnitsThatDiffer(t *testing.T) {
	t.Parallel()
	one, two := int64(1), int64(2)
	o := euros(OrderLine{UnitAmountMinor: 1_000, Quantity: 4})
	half := Discount{PercentOff: &PercentOff{5_000}}
	first := Terms{Discount: half, Caps: DiscountCaps{MaxUnits: &one, UnitOrder: CheapestFirst}}
	for what, c := range map[string]struct {
		second Terms
		want   int64
	}{
		// One unit costs 500 by now, three cost 1,000.
		"percentage": {Terms{Discount: half, Caps: DiscountCaps{MaxUnitsPerLine: &two, UnitOrder: CheapestFirst}}, 500 + 250 + 500},
		"units to get": {Terms{
			Discount: Discount{BuyXGetY: &BuyXGetY{BuyQuantity: 1, GetQuantity: 1, GetBasisPoints: 5_000}},
			Caps:     DiscountCaps{MaxUnitsPerLine: &one},
		}, 500 + 250},
	} {
		stacked := ApplyAll(o, []Terms{first, c.second}, OnRemainder, testNow)
		wantLines(t, what, lineAmounts(stacked.Total), c.want)
	}
}
