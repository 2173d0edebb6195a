// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package domain_test

import (
	"fmt"
	"time"

	"github.com/discountd/discountd/domain"
)

// The examples are those of docs/discounts.md, and their output is what stands
// there: TestExamplesAreThoseOfTheDocumentation holds the two together.

// order is worth 84.96 EUR on three lines, and 4.90 EUR for shipping.
func order() *domain.Order {
	return &domain.Order{
		Currency: "EUR",
		Lines: []domain.OrderLine{
			{ID: "mug", ProductID: "mug", CategoryIDs: []string{"kitchen"}, UnitAmountMinor: 1_250, Quantity: 2},
			{ID: "shirt", ProductID: "shirt", CategoryIDs: []string{"clothes"}, UnitAmountMinor: 2_999, Quantity: 1},
			{ID: "poster", ProductID: "poster", CategoryIDs: []string{"wall"}, UnitAmountMinor: 999, Quantity: 3},
		},
		ShippingAmountMinor: 490,
	}
}

func eur(amount int64) []domain.Money {
	return []domain.Money{{Currency: "EUR", AmountMinor: amount}}
}

// show prints what terms take off an order, line by line and unit by unit.
func show(terms domain.Terms, o *domain.Order) {
	var wrong domain.Violations
	terms.Check(&wrong, "coupon.")
	o.Check(&wrong, "order.")
	if err := wrong.Err(); err != nil {
		fmt.Println(err)
		return
	}
	d, against := terms.Apply(o, time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC))
	for _, reason := range against {
		fmt.Println(reason)
	}
	if len(against) == 0 {
		showDiscount(d)
	}
}

func showDiscount(d domain.AppliedDiscount) {
	for _, line := range d.Lines {
		fmt.Printf("%s: %d =", line.LineID, line.AmountMinor)
		for i, run := range line.Units {
			if i > 0 {
				fmt.Print(" +")
			}
			fmt.Printf(" %d × %d", run.Quantity, run.AmountMinor)
		}
		fmt.Println()
	}
	if d.ShippingAmountMinor > 0 {
		fmt.Printf("shipping: %d\n", d.ShippingAmountMinor)
	}
	fmt.Printf("total: %d\n", d.TotalAmountMinor)
	if d.TrialDays > 0 {
		fmt.Printf("trial: %d days\n", d.TrialDays)
	}
}

func ExampleTerms_Apply_percentOff() {
	show(domain.Terms{
		Discount: domain.Discount{PercentOff: &domain.PercentOff{BasisPoints: 1_500}},
	}, order())
	// Output:
	// mug: 375 = 1 × 188 + 1 × 187
	// shirt: 450 = 1 × 450
	// poster: 449 = 2 × 150 + 1 × 149
	// total: 1274
}

func ExampleTerms_Apply_amountOff() {
	show(domain.Terms{
		Discount: domain.Discount{AmountOff: &domain.AmountOff{Amounts: []domain.Money{
			{Currency: "EUR", AmountMinor: 1_000}, {Currency: "JPY", AmountMinor: 1_500},
		}}},
	}, order())
	// Output:
	// mug: 294 = 2 × 147
	// shirt: 353 = 1 × 353
	// poster: 353 = 2 × 118 + 1 × 117
	// total: 1000
}

func ExampleTerms_Apply_priceOverride() {
	show(domain.Terms{
		Discount:  domain.Discount{PriceOverride: &domain.PriceOverride{UnitAmounts: eur(990)}},
		AppliesTo: domain.AppliesTo{Products: []string{"mug", "poster"}},
	}, order())
	// Output:
	// mug: 520 = 2 × 260
	// shirt: 0 = 1 × 0
	// poster: 27 = 3 × 9
	// total: 547
}

func ExampleTerms_Apply_freeTrial() {
	show(domain.Terms{
		Discount: domain.Discount{FreeTrial: &domain.FreeTrial{TrialDays: 14}},
	}, order())
	// Output:
	// mug: 0 = 2 × 0
	// shirt: 0 = 1 × 0
	// poster: 0 = 3 × 0
	// total: 0
	// trial: 14 days
}

func ExampleTerms_Apply_shippingOff() {
	show(domain.Terms{
		Discount: domain.Discount{ShippingOff: &domain.ShippingOff{PercentOff: &domain.PercentOff{BasisPoints: domain.FullShare}}},
	}, order())
	// Output:
	// mug: 0 = 2 × 0
	// shirt: 0 = 1 × 0
	// poster: 0 = 3 × 0
	// shipping: 490
	// total: 490
}

func ExampleTerms_Apply_orderTiers() {
	show(domain.Terms{
		Discount: domain.Discount{OrderTiers: &domain.OrderTiers{Tiers: []domain.OrderTier{
			{Thresholds: eur(5_000), PercentOff: &domain.PercentOff{BasisPoints: 500}},
			{Thresholds: eur(10_000), AmountOff: &domain.AmountOff{Amounts: eur(1_500)}},
		}}},
	}, order())
	// Output:
	// mug: 125 = 1 × 63 + 1 × 62
	// shirt: 150 = 1 × 150
	// poster: 150 = 3 × 50
	// total: 425
}

func ExampleTerms_Apply_quantityTiers() {
	three, six := int64(3), int64(6)
	show(domain.Terms{
		Discount: domain.Discount{OrderTiers: &domain.OrderTiers{Tiers: []domain.OrderTier{
			{MinimumQuantity: &three, PercentOff: &domain.PercentOff{BasisPoints: 500}},
			{MinimumQuantity: &six, PercentOff: &domain.PercentOff{BasisPoints: 1_000}},
		}}},
	}, order())
	// Output:
	// mug: 250 = 2 × 125
	// shirt: 300 = 1 × 300
	// poster: 300 = 3 × 100
	// total: 850
}

func ExampleTerms_Apply_priceTiers() {
	show(domain.Terms{
		Discount: domain.Discount{PriceTiers: &domain.PriceTiers{Products: []domain.ProductPriceTiers{
			{ProductID: "poster", Tiers: []domain.PriceTier{
				{MinimumQuantity: 3, UnitAmounts: eur(899)},
				{MinimumQuantity: 10, UnitAmounts: eur(799)},
			}},
		}}},
	}, order())
	// Output:
	// mug: 0 = 2 × 0
	// shirt: 0 = 1 × 0
	// poster: 300 = 3 × 100
	// total: 300
}

func ExampleTerms_Apply_buyXGetY() {
	show(domain.Terms{
		Discount: domain.Discount{BuyXGetY: &domain.BuyXGetY{
			BuyQuantity: 2, GetQuantity: 1, GetBasisPoints: domain.FullShare,
		}},
	}, order())
	// Output:
	// mug: 0 = 2 × 0
	// shirt: 0 = 1 × 0
	// poster: 1998 = 2 × 999 + 1 × 0
	// total: 1998
}

func ExampleTerms_Apply_groupAmountOff() {
	show(domain.Terms{
		Discount: domain.Discount{GroupAmountOff: &domain.GroupAmountOff{GroupSize: 3, Amounts: eur(500)}},
	}, order())
	// Output:
	// mug: 227 = 1 × 114 + 1 × 113
	// shirt: 273 = 1 × 273
	// poster: 500 = 2 × 167 + 1 × 166
	// total: 1000
}

func ExampleTerms_Apply_bundlePrice() {
	show(domain.Terms{
		Discount:  domain.Discount{BundlePrice: &domain.BundlePrice{BundleQuantity: 3, Amounts: eur(2_500)}},
		AppliesTo: domain.AppliesTo{Categories: []string{"wall", "kitchen"}},
	}, order())
	// Output:
	// mug: 714 = 2 × 357
	// shirt: 0 = 1 × 0
	// poster: 285 = 1 × 285 + 2 × 0
	// total: 999
}

func ExampleTerms_Apply_scope() {
	o := order()
	o.Lines[1].OnSale = true
	show(domain.Terms{
		Discount:  domain.Discount{PercentOff: &domain.PercentOff{BasisPoints: 1_000}},
		AppliesTo: domain.AppliesTo{ExcludedProducts: []string{"mug"}, ExcludeSaleItems: true},
	}, o)
	// Output:
	// mug: 0 = 2 × 0
	// shirt: 0 = 1 × 0
	// poster: 300 = 3 × 100
	// total: 300
}

func ExampleTerms_Apply_conditions() {
	minimum := int64(10)
	show(domain.Terms{
		Discount: domain.Discount{PercentOff: &domain.PercentOff{BasisPoints: 1_000}},
		Conditions: domain.OrderConditions{
			MinimumAmounts:  eur(10_000),
			MinimumQuantity: &minimum,
		},
	}, order())
	// Output:
	// the order must reach 10000 EUR and has 8496 (in the minor unit)
	// at least 10 eligible units are needed and the order has 6
}

func ExampleTerms_Apply_caps() {
	most := int64(4)
	show(domain.Terms{
		Discount: domain.Discount{PercentOff: &domain.PercentOff{BasisPoints: 5_000}},
		Caps: domain.DiscountCaps{
			MaxDiscount:        eur(2_000),
			MaxDiscountPerUnit: eur(700),
			MaxUnits:           &most,
		},
	}, order())
	// Output:
	// mug: 929 = 1 × 465 + 1 × 464
	// shirt: 700 = 1 × 700
	// poster: 371 = 1 × 371 + 2 × 0
	// total: 2000
}

func ExampleTerms_Apply_floors() {
	o := order()
	o.Lines[0].MinUnitAmountMinor = 1_200
	show(domain.Terms{
		Discount: domain.Discount{AmountOff: &domain.AmountOff{Amounts: eur(1_000)}},
	}, o)
	// Output:
	// mug: 100 = 2 × 50
	// shirt: 450 = 1 × 450
	// poster: 450 = 3 × 150
	// total: 1000
}

func ExampleTerms_Apply_byQuantity() {
	show(domain.Terms{
		Discount:   domain.Discount{AmountOff: &domain.AmountOff{Amounts: eur(1_000)}},
		Allocation: domain.AcrossByQuantity,
	}, order())
	// Output:
	// mug: 333 = 1 × 167 + 1 × 166
	// shirt: 167 = 1 × 167
	// poster: 500 = 2 × 167 + 1 × 166
	// total: 1000
}

func ExampleTerms_Apply_perLine() {
	show(domain.Terms{
		Discount:   domain.Discount{AmountOff: &domain.AmountOff{Amounts: eur(1_000)}},
		Allocation: domain.PerLine,
	}, order())
	// Output:
	// mug: 1000 = 2 × 500
	// shirt: 1000 = 1 × 1000
	// poster: 1000 = 1 × 334 + 2 × 333
	// total: 3000
}

func ExampleTerms_Apply_perUnit() {
	show(domain.Terms{
		Discount:   domain.Discount{AmountOff: &domain.AmountOff{Amounts: eur(1_000)}},
		Allocation: domain.PerUnit,
	}, order())
	// Output:
	// mug: 2000 = 2 × 1000
	// shirt: 1000 = 1 × 1000
	// poster: 2997 = 3 × 999
	// total: 5997
}

func ExampleTerms_Apply_additional() {
	show(domain.Terms{
		Discount:   domain.Discount{AmountOff: &domain.AmountOff{Amounts: eur(100), AdditionalAmounts: eur(250)}},
		Allocation: domain.PerUnit,
	}, order())
	// Output:
	// mug: 350 = 1 × 250 + 1 × 100
	// shirt: 100 = 1 × 100
	// poster: 600 = 2 × 250 + 1 × 100
	// total: 1050
}

func ExampleTerms_Apply_roundingPerUnit() {
	show(domain.Terms{
		Discount:      domain.Discount{PercentOff: &domain.PercentOff{BasisPoints: 1_500}},
		RoundingScope: domain.RoundPerUnit,
	}, order())
	// Output:
	// mug: 376 = 2 × 188
	// shirt: 450 = 1 × 450
	// poster: 450 = 3 × 150
	// total: 1276
}

func ExampleApplyAll() {
	stacked := domain.ApplyAll(order(), []domain.Terms{
		{Discount: domain.Discount{AmountOff: &domain.AmountOff{Amounts: eur(1_000)}}},
		{Discount: domain.Discount{PercentOff: &domain.PercentOff{BasisPoints: 1_500}}},
	}, domain.OnRemainder, time.Now())
	showDiscount(stacked.Total)
	// Output:
	// mug: 625 = 1 × 313 + 1 × 312
	// shirt: 750 = 1 × 750
	// poster: 749 = 2 × 250 + 1 × 249
	// total: 2124
}

func ExampleApplyAll_onOriginal() {
	stacked := domain.ApplyAll(order(), []domain.Terms{
		{Discount: domain.Discount{AmountOff: &domain.AmountOff{Amounts: eur(1_000)}}},
		{Discount: domain.Discount{PercentOff: &domain.PercentOff{BasisPoints: 1_500}}},
	}, domain.OnOriginal, time.Now())
	showDiscount(stacked.Total)
	// Output:
	// mug: 669 = 1 × 335 + 1 × 334
	// shirt: 803 = 1 × 803
	// poster: 802 = 2 × 268 + 1 × 266
	// total: 2274
}

func ExampleAppliedDiscount_Grant() {
	terms := domain.Terms{Discount: domain.Discount{AmountOff: &domain.AmountOff{Amounts: eur(1_000)}}}
	d, _ := terms.Apply(order(), time.Now())
	showDiscount(d.Grant(333))
	// Output:
	// mug: 98 = 2 × 49
	// shirt: 118 = 1 × 118
	// poster: 117 = 3 × 39
	// total: 333
}
