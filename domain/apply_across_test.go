// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package domain

import (
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// drawAcross draws terms that take one amount off the lines together.
func drawAcross(t *rapid.T) *Terms {
	terms := drawTerms(t)
	terms.Caps = DiscountCaps{MaxDiscount: terms.Caps.MaxDiscount}
	terms.RoundingScope = rapid.SampledFrom([]RoundingScope{RoundingDefault, RoundPerOrder}).Draw(t, "rounding")
	terms.Allocation = rapid.SampledFrom([]Allocation{AllocationDefault, AcrossProportional}).Draw(t, "allocation")
	if rapid.Bool().Draw(t, "percentage") {
		terms.Discount = Discount{PercentOff: drawPercent(t)}
		terms.Allocation = rapid.SampledFrom([]Allocation{AllocationDefault, AcrossProportional, AcrossByQuantity}).Draw(t, "allocation")
		return terms
	}
	amounts := drawMoney(t, 1, "amount")
	if rapid.IntRange(0, 9).Draw(t, "currency") == 0 {
		amounts[0].Currency = "USD"
	}
	terms.Discount = Discount{AmountOff: &AmountOff{Amounts: amounts}}
	return terms
}

func TestWhatIsTakenAcrossIsWhatRunsOfUnitsGive(t *testing.T) {
	applied, refused := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		terms, o := drawAcross(t), drawOrder(t, inlineSlots, 7)
		for i := range o.Lines {
			o.Lines[i].MinUnitAmountMinor = 0
		}
		if !terms.takesAcross() {
			t.Fatalf("%+v are not taken across", terms)
		}
		got, against, ok := terms.applyAcross(o)
		if !ok {
			t.Fatal("an order without floors is not taken across")
		}
		c := newCart(o, nil)
		w, wantAgainst := c.apply(terms, false)
		if diff := gocmp.Diff(wantAgainst, against); diff != "" {
			t.Fatalf("the reasons differ (-runs +across):\n%s", diff)
		}
		if refused++; len(against) == 0 {
			refused--
			applied++
			if diff := gocmp.Diff(w.applied(testNow), got); diff != "" {
				t.Fatalf("the answers differ (-runs +across):\n%s", diff)
			}
		}
	})
	if applied < 10 || refused < 10 {
		t.Errorf("%d discounts applied, %d did not: too few of one to say anything", applied, refused)
	}
}

// A bound on what a unit takes can move a share from one line to another, which
// whole lines cannot tell.
func TestBoundsOnUnitsAreNotTakenAcross(t *testing.T) {
	one := int64(1)
	eur := []Money{{testCurrency, 1}}
	for name, set := range map[string]func(*Terms){
		"max_discount_per_unit": func(t *Terms) { t.Caps.MaxDiscountPerUnit = eur },
		"min_unit_amount":       func(t *Terms) { t.Caps.MinUnitAmount = eur },
		"max_units":             func(t *Terms) { t.Caps.MaxUnits = &one },
		"max_units_per_line":    func(t *Terms) { t.Caps.MaxUnitsPerLine = &one },
		"rounding per line":     func(t *Terms) { t.RoundingScope = RoundPerLine },
		"rounding per unit":     func(t *Terms) { t.RoundingScope = RoundPerUnit },
		"allocation per line":   func(t *Terms) { t.Allocation = PerLine },
		"amount by quantity": func(t *Terms) {
			t.Discount, t.Allocation = Discount{AmountOff: &AmountOff{Amounts: eur}}, AcrossByQuantity
		},
		"a discount of its kind": func(t *Terms) { t.Discount = Discount{PriceOverride: &PriceOverride{eur}} },
	} {
		terms, _ := percentOfTwentyLines()
		if !terms.takesAcross() {
			t.Fatal("a percentage of the order is not taken across")
		}
		set(terms)
		if terms.takesAcross() {
			t.Errorf("%s: taken across", name)
		}
	}
	terms, o := percentOfTwentyLines()
	o.Lines[19].MinUnitAmountMinor = 1
	if _, _, ok := terms.applyAcross(o); ok {
		t.Error("an order with a floor is taken across")
	}
}
