// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package domain

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// Generators of valid orders and terms. Names come from small sets, so that
// scopes meet lines often; amounts are small ones that leave remainders, or as
// large as an order may have them.

var (
	someProducts   = []string{"mug", "shirt", "poster", "hat"}
	someCategories = []string{"new", "cotton", "brand A", "brand B"}
)

const testCurrency = Currency("EUR")

// drawOrder draws an order of at most maxLines lines that all have at most
// maxQuantity units.
func drawOrder(t *rapid.T, maxLines int, maxQuantity int64) *Order {
	o := &Order{Currency: testCurrency}
	n := rapid.IntRange(1, maxLines).Draw(t, "lines")
	// Nothing that fits in this share can make the order exceed MaxAmount.
	share := int64(MaxAmount / (n + 1))
	huge := rapid.Bool().Draw(t, "huge")
	o.ShippingAmountMinor = rapid.Int64Range(0, 2_000).Draw(t, "shipping")
	for i := range n {
		l := OrderLine{
			ID:          fmt.Sprint(i + 1),
			ProductID:   rapid.SampledFrom(someProducts).Draw(t, "product"),
			CategoryIDs: rapid.SliceOfN(rapid.SampledFrom(someCategories), 0, 2).Draw(t, "categories"),
			OnSale:      rapid.Bool().Draw(t, "on sale"),
			Quantity:    rapid.Int64Range(1, maxQuantity).Draw(t, "quantity"),
		}
		most := int64(3_000)
		if huge {
			most = share / l.Quantity
		}
		l.UnitAmountMinor = rapid.Int64Range(0, min(most, share/l.Quantity)).Draw(t, "unit amount")
		if rapid.Bool().Draw(t, "floor") {
			l.MinUnitAmountMinor = rapid.Int64Range(0, l.UnitAmountMinor).Draw(t, "min unit amount")
		}
		o.Lines = append(o.Lines, l)
	}
	return o
}

func drawMoney(t *rapid.T, least int64, label string) []Money {
	most := rapid.SampledFrom([]int64{10, 1_000, 20_000, MaxAmount}).Draw(t, label+" magnitude")
	return []Money{{testCurrency, rapid.Int64Range(least, most).Draw(t, label)}}
}

func drawOptional(t *rapid.T, most int64, label string) *int64 {
	if !rapid.Bool().Draw(t, label+" set") {
		return nil
	}
	n := rapid.Int64Range(1, most).Draw(t, label)
	return &n
}

func drawPercent(t *rapid.T) *PercentOff {
	return &PercentOff{BasisPoints: BasisPoints(rapid.Int32Range(1, int32(FullShare)).Draw(t, "basis points"))}
}

func drawScope(t *rapid.T) AppliesTo {
	var a AppliesTo
	if rapid.Bool().Draw(t, "everything") {
		return a
	}
	names := func(from []string, label string) []string {
		return rapid.SliceOfNDistinct(rapid.SampledFrom(from), 0, 2, rapid.ID[string]).Draw(t, label)
	}
	a.Products, a.Categories = names(someProducts[:2], "products"), names(someCategories[:2], "categories")
	a.ExcludedProducts, a.ExcludedCategories = names(someProducts[2:], "excluded products"), names(someCategories[2:], "excluded categories")
	a.ExcludeSaleItems = rapid.Bool().Draw(t, "exclude sale items")
	if rapid.Bool().Draw(t, "priced") {
		a.UnitAmounts = []AmountRange{{Currency: testCurrency, Min: rapid.Int64Range(0, 500).Draw(t, "from")}}
	}
	return a
}

func drawCaps(t *rapid.T) DiscountCaps {
	var c DiscountCaps
	if rapid.Bool().Draw(t, "uncapped") {
		return c
	}
	if rapid.Bool().Draw(t, "max discount set") {
		c.MaxDiscount = drawMoney(t, 1, "max discount")
	}
	if rapid.Bool().Draw(t, "max discount per unit set") {
		c.MaxDiscountPerUnit = drawMoney(t, 1, "max discount per unit")
	}
	if rapid.Bool().Draw(t, "min unit amount set") {
		c.MinUnitAmount = drawMoney(t, 0, "min unit amount")
	}
	c.MaxUnits, c.MaxUnitsPerLine = drawOptional(t, 8, "max units"), drawOptional(t, 4, "max units per line")
	c.UnitOrder = rapid.SampledFrom([]UnitOrder{UnitOrderDefault, CheapestFirst, DearestFirst}).Draw(t, "unit order")
	return c
}

func drawDiscount(t *rapid.T) Discount {
	size := func(label string) int64 { return rapid.Int64Range(1, 4).Draw(t, label) }
	switch rapid.IntRange(0, 9).Draw(t, "type") {
	case 0:
		return Discount{PercentOff: drawPercent(t)}
	case 1:
		a := &AmountOff{Amounts: drawMoney(t, 1, "amount")}
		if rapid.Bool().Draw(t, "additional") {
			a.AdditionalAmounts = drawMoney(t, 0, "additional amount")
		}
		return Discount{AmountOff: a}
	case 2:
		return Discount{PriceOverride: &PriceOverride{drawMoney(t, 0, "price")}}
	case 3:
		return Discount{FreeTrial: &FreeTrial{TrialDays: 14}}
	case 4:
		return Discount{ShippingOff: &ShippingOff{PercentOff: drawPercent(t)}}
	case 5:
		if rapid.Bool().Draw(t, "by quantity") {
			few, many := size("few"), 4+size("many")
			return Discount{OrderTiers: &OrderTiers{[]OrderTier{
				{MinimumQuantity: &few, PercentOff: drawPercent(t)},
				{MinimumQuantity: &many, AmountOff: &AmountOff{Amounts: drawMoney(t, 1, "amount")}},
			}}}
		}
		return Discount{OrderTiers: &OrderTiers{[]OrderTier{
			{PercentOff: drawPercent(t)},
			{Thresholds: []Money{{testCurrency, 1_000}}, AmountOff: &AmountOff{Amounts: drawMoney(t, 1, "amount")}},
		}}}
	case 6:
		return Discount{PriceTiers: &PriceTiers{[]ProductPriceTiers{
			{"mug", []PriceTier{{1, drawMoney(t, 0, "price")}, {3, drawMoney(t, 0, "price")}}},
		}}}
	case 7:
		b := &BuyXGetY{
			BuyQuantity: size("buy"), GetQuantity: size("get"), GetBasisPoints: drawPercent(t).BasisPoints,
			MaxApplications: drawOptional(t, 3, "max applications"),
			GetOrder:        rapid.SampledFrom([]UnitOrder{CheapestFirst, DearestFirst}).Draw(t, "get order"),
		}
		if rapid.Bool().Draw(t, "buy scope") {
			a := drawScope(t)
			b.Buy = &a
		}
		if rapid.Bool().Draw(t, "get scope") {
			a := drawScope(t)
			b.Get = &a
		}
		return Discount{BuyXGetY: b}
	case 8:
		return Discount{GroupAmountOff: &GroupAmountOff{size("group"), drawMoney(t, 1, "amount"), drawOptional(t, 3, "max applications")}}
	default:
		return Discount{BundlePrice: &BundlePrice{size("bundle"), drawMoney(t, 0, "amount"), drawOptional(t, 3, "max applications")}}
	}
}

// drawTerms draws terms of any type. Settings that contradict the type are left
// out, which keeps every draw valid.
func drawTerms(t *rapid.T) *Terms {
	terms := &Terms{
		Discount:      drawDiscount(t),
		AppliesTo:     drawScope(t),
		Caps:          drawCaps(t),
		Allocation:    Allocation(rapid.IntRange(0, int(PerUnit)).Draw(t, "allocation")),
		RoundingScope: RoundingScope(rapid.IntRange(0, int(RoundPerUnit)).Draw(t, "rounding scope")),
	}
	for _, drop := range []func(){
		func() {},
		func() { terms.Allocation, terms.RoundingScope = AllocationDefault, RoundingDefault },
		func() { terms.Caps = DiscountCaps{} },
		func() { terms.Allocation = PerUnit }, // as additional amounts need it
	} {
		drop()
		var v Violations
		if terms.Check(&v, ""); v.Err() == nil {
			return terms
		}
	}
	t.Fatalf("cannot be made valid: %+v", terms)
	return nil
}

// mustBeValid fails the test when the order is not valid.
func mustBeValid(t interface{ Fatal(...any) }, o *Order) {
	var v Violations
	if o.Check(&v, ""); v.Err() != nil {
		t.Fatal(v.Err())
	}
}

// With every draw discarded the properties would hold for nothing.
func TestGeneratedTermsMostlyApply(t *testing.T) {
	t.Parallel()
	applied, drawn := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		o := drawOrder(t, 6, 5)
		mustBeValid(t, o)
		drawn++
		if d, against := drawTerms(t).Apply(o, testNow); len(against) == 0 && (d.TotalAmountMinor > 0 || d.TrialDays > 0) {
			applied++
		}
	})
	if applied*3 < drawn {
		t.Errorf("only %d of %d draws apply", applied, drawn)
	}
}
