// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package domain

import (
	"encoding/binary"
	"math"
	"testing"
	"time"
)

// dice turns the fuzzer's bytes into choices. When they run out, every choice is
// the first one.
type dice []byte

func (d *dice) pick(n int) int {
	if len(*d) == 0 {
		return 0
	}
	b := (*d)[0]
	*d = (*d)[1:]
	return int(b) % n
}

// number picks a number that is likely to be at an edge, or any at all.
func (d *dice) number() int64 {
	edges := []int64{1, 0, 2, 3, 7, 50, 100, 999, 10_000, 1_000_000, 1_000_001, MaxAmount, MaxAmount + 1, -1, math.MaxInt64, math.MinInt64}
	n := d.pick(len(edges) + 4)
	if n < len(edges) {
		return edges[n]
	}
	var b [8]byte
	*d = (*d)[copy(b[:], *d):]
	return int64(binary.LittleEndian.Uint64(b[:]) >> (8 * d.pick(8)))
}

func (d *dice) optional() *int64 {
	if d.pick(2) == 0 {
		return nil
	}
	n := d.number()
	return &n
}

func (d *dice) currency() Currency {
	return []Currency{"EUR", "JPY", "KWD", "", "eur"}[d.pick(16)%5]
}

func (d *dice) money() []Money {
	var list []Money
	for range d.pick(3) {
		list = append(list, Money{d.currency(), d.number()})
	}
	return list
}

func (d *dice) names() []string {
	var list []string
	for range d.pick(3) {
		list = append(list, []string{"a", "b", "c", "", "\x00"}[d.pick(16)%5])
	}
	return list
}

func (d *dice) scope() AppliesTo {
	a := AppliesTo{
		Products: d.names(), ExcludedProducts: d.names(), Categories: d.names(), ExcludedCategories: d.names(),
		ExcludeSaleItems: d.pick(2) == 1,
	}
	if d.pick(4) == 1 {
		a.UnitAmounts = []AmountRange{{d.currency(), d.number(), d.optional()}}
	}
	return a
}

func (d *dice) scopePointer() *AppliesTo {
	if d.pick(2) == 0 {
		return nil
	}
	a := d.scope()
	return &a
}

func (d *dice) percent() *PercentOff {
	return &PercentOff{BasisPoints(d.number())}
}

func (d *dice) discount() (out Discount) {
	// Now and then there are two discounts, or none.
	for range []int{1, 1, 1, 1, 1, 1, 0, 2}[d.pick(8)] {
		switch d.pick(10) {
		case 0:
			out.PercentOff = d.percent()
		case 1:
			out.AmountOff = &AmountOff{Amounts: d.money()}
			if d.pick(4) == 1 {
				out.AmountOff.AdditionalAmounts = d.money()
			}
		case 2:
			out.PriceOverride = &PriceOverride{d.money()}
		case 3:
			out.FreeTrial = &FreeTrial{TrialDays: int32(d.number())}
		case 4:
			out.ShippingOff = &ShippingOff{PercentOff: d.percent()}
			if d.pick(2) == 1 {
				out.ShippingOff = &ShippingOff{AmountOff: &AmountOff{Amounts: d.money()}}
			}
		case 5:
			o := &OrderTiers{}
			for range d.pick(4) {
				tier := OrderTier{Thresholds: d.money(), PercentOff: d.percent()}
				if d.pick(2) == 1 {
					tier.PercentOff, tier.AmountOff = nil, &AmountOff{Amounts: d.money()}
				}
				if d.pick(3) == 1 {
					tier.Thresholds, tier.MinimumQuantity = nil, d.optional()
				}
				o.Tiers = append(o.Tiers, tier)
			}
			out.OrderTiers = o
		case 6:
			p := &PriceTiers{}
			for _, name := range d.names() {
				list := ProductPriceTiers{ProductID: name}
				for range d.pick(3) {
					list.Tiers = append(list.Tiers, PriceTier{d.number(), d.money()})
				}
				p.Products = append(p.Products, list)
			}
			out.PriceTiers = p
		case 7:
			out.BuyXGetY = &BuyXGetY{
				d.number(), d.scopePointer(), d.number(), d.scopePointer(), d.percent().BasisPoints, d.optional(), UnitOrder(d.pick(4)),
			}
		case 8:
			out.GroupAmountOff = &GroupAmountOff{d.number(), d.money(), d.optional()}
		case 9:
			out.BundlePrice = &BundlePrice{d.number(), d.money(), d.optional()}
		}
	}
	return out
}

func (d *dice) terms() Terms {
	return Terms{
		Discount:  d.discount(),
		AppliesTo: d.scope(),
		Conditions: OrderConditions{
			MinimumAmounts: d.money(), MinimumAmountBasis: MinimumAmountBasis(d.pick(4)),
			MinimumQuantity: d.optional(), MaximumQuantity: d.optional(),
		},
		Caps: DiscountCaps{
			MaxDiscount: d.money(), MaxDiscountPerUnit: d.money(), MinUnitAmount: d.money(),
			MaxUnits: d.optional(), MaxUnitsPerLine: d.optional(), UnitOrder: UnitOrder(d.pick(4)),
		},
		Allocation:    Allocation(d.pick(6)),
		RoundingScope: RoundingScope(d.pick(5)),
	}
}

func (d *dice) order() *Order {
	o := &Order{Currency: d.currency(), ShippingAmountMinor: d.number()}
	for range d.pick(256) {
		o.Lines = append(o.Lines, OrderLine{
			ID: []string{"", "", "", "x"}[d.pick(4)], ProductID: []string{"a", "b", "c"}[d.pick(3)], CategoryIDs: d.names(),
			UnitAmountMinor: d.number(), Quantity: d.number(), OnSale: d.pick(2) == 1, MinUnitAmountMinor: []int64{0, 1, d.number()}[d.pick(3)],
		})
	}
	return o
}

// FuzzEvaluate feeds the whole evaluation whatever comes: what Check lets pass
// must evaluate without a panic to something within all bounds.
func FuzzEvaluate(f *testing.F) {
	for _, seed := range []string{
		"", "\x05percent", "\x00\x00\x11", "buy x get y \x07\x07\x07", "\xff\xfe\xfd\xfc\xfb\xfa",
		"\x00\x00\x03\x01\x01\x00\x05\x00\x00\x00\x07\x02\x00\x00\x06\x02\x00\x00\x05\x02",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		// Milliseconds are normal; this much on a busy machine is no bound any more.
		defer func(start time.Time) {
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("it takes %v", took)
			}
		}(time.Now())
		d := dice(b)
		o := d.order()
		terms := []Terms{d.terms(), d.terms()}

		var bad Violations
		o.Check(&bad, "order.")
		if bad.Err() != nil {
			o = &Order{Currency: "EUR", ShippingAmountMinor: 500, Lines: []OrderLine{
				{ID: "1", ProductID: "a", UnitAmountMinor: 1_999, Quantity: 7},
				{ID: "2", ProductID: "b", CategoryIDs: []string{"a"}, UnitAmountMinor: 1, Quantity: maxLineQuantity},
				{ID: "3", ProductID: "c", UnitAmountMinor: 1_000_000_007, Quantity: 3, MinUnitAmountMinor: 5},
			}}
		}
		var valid []Terms
		for i := range terms {
			var v Violations
			terms[i].Check(&v, "")
			if v.Err() == nil {
				valid = append(valid, terms[i])
			}
		}
		for i := range valid {
			s := &Snapshot{Coupon: CouponSnapshot{Coupon: Coupon{ID: "c", Terms: valid[i]}}}
			e := Evaluate(s, &ValidateRequest{Order: o}, testNow)
			if e.Valid() != (e.Discount != nil) {
				t.Fatalf("valid: %v, and the discount is %v", e.Valid(), e.Discount)
			}
			if e.Valid() {
				checkDiscount(t, o, e.Discount, &valid[i])
				granted := e.Discount.Grant(e.Discount.TotalAmountMinor / 3)
				checkDiscount(t, o, &granted, nil)
			}
		}
		for _, mode := range []StackMode{OnRemainder, OnOriginal} {
			stacked := ApplyAll(o, valid, mode, testNow)
			checkDiscount(t, o, &stacked.Total, nil)
		}
	})
}

// The cost of an evaluation grows with the lines of an order, never with its
// units.
func TestAMillionUnitsCostWhatAFewDo(t *testing.T) {
	for name, d := range map[string]Discount{
		"percent": {PercentOff: &PercentOff{1_234}},
		"amount":  {AmountOff: &AmountOff{Amounts: []Money{{testCurrency, 12_345}}}},
		"buy":     {BuyXGetY: &BuyXGetY{BuyQuantity: 2, GetQuantity: 1, GetBasisPoints: 5_000}},
		"group":   {GroupAmountOff: &GroupAmountOff{GroupSize: 3, Amounts: []Money{{testCurrency, 100}}}},
		"bundle":  {BundlePrice: &BundlePrice{BundleQuantity: 3, Amounts: []Money{{testCurrency, 100}}}},
	} {
		allocations := func(quantity int64) float64 {
			o := &Order{Currency: testCurrency}
			for i := range int64(20) {
				o.Lines = append(o.Lines, OrderLine{UnitAmountMinor: 1_000 + i, Quantity: quantity})
			}
			mustBeValid(t, o)
			terms := &Terms{Discount: d}
			return testing.AllocsPerRun(5, func() {
				if d, against := terms.Apply(o, time.Time{}); d.TotalAmountMinor == 0 {
					t.Errorf("%s: refused for %v", name, against)
				}
			})
		}
		if few, many := allocations(10), allocations(maxLineQuantity); many > few {
			t.Errorf("%s: %v allocations for 10 units a line, %v for a million", name, few, many)
		}
	}
}
