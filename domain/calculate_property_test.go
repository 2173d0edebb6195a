// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package domain

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var testNow = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// checkDiscount says what must hold for every discount on every order. The
// bounds on units are those of the terms when terms is given.
func checkDiscount(t interface{ Errorf(string, ...any) }, o *Order, d *AppliedDiscount, terms *Terms) {
	if d.Currency != o.Currency || len(d.Lines) != len(o.Lines) {
		t.Errorf("the answer has currency %q and %d lines, the order %q and %d", d.Currency, len(d.Lines), o.Currency, len(o.Lines))
		return
	}
	if d.ShippingAmountMinor < 0 || d.ShippingAmountMinor > o.ShippingAmountMinor {
		t.Errorf("%d is taken off %d for shipping", d.ShippingAmountMinor, o.ShippingAmountMinor)
	}
	total := d.ShippingAmountMinor
	for i, l := range d.Lines {
		ordered := &o.Lines[i]
		if l.LineID != ordered.ID {
			t.Errorf("line %d is called %q, the order's is %q", i, l.LineID, ordered.ID)
		}
		floor := ordered.MinUnitAmountMinor
		if terms != nil {
			least, _ := AmountIn(terms.Caps.MinUnitAmount, o.Currency)
			floor = max(floor, least)
		}
		most := max(0, ordered.UnitAmountMinor-floor)
		if terms != nil {
			if capped, ok := AmountIn(terms.Caps.MaxDiscountPerUnit, o.Currency); ok {
				most = min(most, capped)
			}
		}
		var units, amount int64
		for k, u := range l.Units {
			if u.Quantity < 1 || u.AmountMinor < 0 || u.AmountMinor > most {
				t.Errorf("line %d takes %d off each of %d units, at most %d may be taken", i, u.AmountMinor, u.Quantity, most)
			}
			if k > 0 && u.AmountMinor >= l.Units[k-1].AmountMinor {
				t.Errorf("line %d: the runs %v do not fall", i, l.Units)
			}
			units += u.Quantity
			amount += u.Quantity * u.AmountMinor
		}
		if units != ordered.Quantity || amount != l.AmountMinor {
			t.Errorf("line %d: %v do not sum to %d units and %d off", i, l.Units, ordered.Quantity, l.AmountMinor)
		}
		total += l.AmountMinor
	}
	if terms != nil {
		checkUnitCaps(t, d, terms)
	}
	if total != d.TotalAmountMinor {
		t.Errorf("lines and shipping sum to %d, the total is %d", total, d.TotalAmountMinor)
	}
	if terms != nil {
		if most, ok := AmountIn(terms.Caps.MaxDiscount, o.Currency); ok && total > most {
			t.Errorf("takes %d, at most %d is allowed", total, most)
		}
	}
}

// checkUnitCaps holds the number of discounted units against the caps.
func checkUnitCaps(t interface{ Errorf(string, ...any) }, d *AppliedDiscount, terms *Terms) {
	var all int64
	for i, l := range d.Lines {
		var n int64
		for _, u := range l.Units {
			if u.AmountMinor > 0 {
				n += u.Quantity
			}
		}
		if m := terms.Caps.MaxUnitsPerLine; m != nil && n > *m {
			t.Errorf("line %d has %d discounted units, at most %d are allowed", i, n, *m)
		}
		all += n
	}
	if m := terms.Caps.MaxUnits; m != nil && all > *m {
		t.Errorf("%d units are discounted, at most %d are allowed", all, *m)
	}
}

func TestP9EveryDiscountStaysWithinItsBoundsAndSumsExactly(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		o, terms := drawOrder(t, 8, 1_000), drawTerms(t)
		mustBeValid(t, o)
		d, against := terms.Apply(o, testNow)
		if len(against) > 0 {
			if diff := gocmp.Diff(AppliedDiscount{}, d); diff != "" {
				t.Errorf("refused, and yet it takes something:\n%s", diff)
			}
			return
		}
		checkDiscount(t, o, &d, terms)
		if again, _ := terms.Apply(o, testNow); !gocmp.Equal(d, again) {
			t.Errorf("the same order gives another discount:\n%s", gocmp.Diff(d, again))
		}
	})
}

func TestMoreOffNeverTakesLess(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		o, terms := drawOrder(t, 6, 5), drawTerms(t)
		less, more := *terms, *terms
		switch {
		case rapid.Bool().Draw(t, "percent"):
			a, b := drawPercent(t), drawPercent(t)
			if a.BasisPoints > b.BasisPoints {
				a, b = b, a
			}
			less.Discount, more.Discount = Discount{PercentOff: a}, Discount{PercentOff: b}
		default:
			a, b := drawMoney(t, 1, "amount"), drawMoney(t, 1, "amount")
			if a[0].AmountMinor > b[0].AmountMinor {
				a, b = b, a
			}
			less.Discount, more.Discount = Discount{AmountOff: &AmountOff{Amounts: a}}, Discount{AmountOff: &AmountOff{Amounts: b}}
		}
		x, _ := less.Apply(o, testNow)
		y, _ := more.Apply(o, testNow)
		if x.TotalAmountMinor > y.TotalAmountMinor {
			t.Errorf("%+v takes %d, %+v only %d", less.Discount, x.TotalAmountMinor, more.Discount, y.TotalAmountMinor)
		}
	})
}

func TestOfEqualLinesTheEarlierGetsNoLess(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		o, terms := drawOrder(t, 1, 4), drawTerms(t)
		if !plain(terms) {
			return
		}
		o.Lines = slices.Repeat(o.Lines, rapid.IntRange(2, 7).Draw(t, "lines"))
		for i := range o.Lines {
			o.Lines[i].ID = fmt.Sprint(i + 1)
			o.Lines[i].UnitAmountMinor /= int64(len(o.Lines)) // within MaxAmount again
			o.Lines[i].MinUnitAmountMinor = min(o.Lines[i].MinUnitAmountMinor, o.Lines[i].UnitAmountMinor)
		}
		mustBeValid(t, o)
		d, _ := terms.Apply(o, testNow)
		amounts := lineAmounts(d)
		if !slices.IsSortedFunc(amounts, func(a, b int64) int { return cmp.Compare(b, a) }) {
			t.Errorf("of equal lines a later one gets more: %v", amounts)
		}
		if n := len(amounts); n > 0 && amounts[0]-amounts[n-1] > 1 {
			t.Errorf("equal lines get %v, more than the remainder apart", amounts)
		}
	})
}

// plain reports whether nothing picks some units out of equal ones, as a cap on
// their number and sets do.
func plain(t *Terms) bool {
	d := &t.Discount
	return t.Caps.MaxUnits == nil && d.BuyXGetY == nil && d.GroupAmountOff == nil && d.BundlePrice == nil
}

// What each line gets may depend on its place by a remainder; the total does not.
// Picking units by price is left out where units of one price differ otherwise.
func TestTheTotalDoesNotDependOnTheOrderOfLines(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		o, terms := drawOrder(t, 5, 4), drawTerms(t)
		if !plain(terms) {
			return
		}
		shuffled := *o
		shuffled.Lines = rapid.Permutation(o.Lines).Draw(t, "shuffled")
		x, againstX := terms.Apply(o, testNow)
		y, againstY := terms.Apply(&shuffled, testNow)
		if x.TotalAmountMinor != y.TotalAmountMinor || len(againstX) != len(againstY) {
			t.Errorf("takes %d %v, in another order of lines %d %v", x.TotalAmountMinor, againstX, y.TotalAmountMinor, againstY)
		}
	})
}

func TestDiscountsInARowNeverTakeMoreThanThereIs(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		o := drawOrder(t, 5, 6)
		var terms []Terms
		for range rapid.IntRange(1, 5).Draw(t, "discounts") {
			terms = append(terms, *drawTerms(t))
		}
		mode := rapid.SampledFrom([]StackMode{OnRemainder, OnOriginal}).Draw(t, "mode")
		stacked := ApplyAll(o, terms, mode, testNow)
		checkDiscount(t, o, &stacked.Total, nil)

		lines, total := make([]int64, len(o.Lines)), int64(0)
		for i := range stacked.Each {
			d := &stacked.Each[i].Discount
			if len(stacked.Each[i].Ineligibilities) > 0 {
				continue
			}
			checkDiscount(t, o, d, &terms[i])
			total += d.TotalAmountMinor
			for k, amount := range lineAmounts(*d) {
				lines[k] += amount
			}
		}
		if total != stacked.Total.TotalAmountMinor || !slices.Equal(lines, lineAmounts(stacked.Total)) {
			t.Errorf("one by one %v and %d in all, together %v and %d",
				lines, total, lineAmounts(stacked.Total), stacked.Total.TotalAmountMinor)
		}
		first, _ := terms[0].Apply(o, testNow)
		if !gocmp.Equal(first, stacked.Each[0].Discount) {
			t.Errorf("the first of several differs from the same alone:\n%s", gocmp.Diff(first, stacked.Each[0].Discount))
		}
	})
}

func TestAGrantIsSharedExactlyAndNeverRaisesAShare(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		o := drawOrder(t, 6, 50)
		stacked := ApplyAll(o, []Terms{*drawTerms(t), *drawTerms(t)}, OnRemainder, testNow)
		d := stacked.Total
		total := rapid.Int64Range(-1, d.TotalAmountMinor+1).Draw(t, "granted")
		before := gocmp.Diff(AppliedDiscount{}, d)
		granted := d.Grant(total)
		if gocmp.Diff(AppliedDiscount{}, d) != before {
			t.Error("Grant changed what it was given")
		}
		checkDiscount(t, o, &granted, nil)
		if want := max(0, min(total, d.TotalAmountMinor)); granted.TotalAmountMinor != want {
			t.Errorf("%d is granted, want %d", granted.TotalAmountMinor, want)
		}
		for i, amount := range lineAmounts(granted) {
			if amount > d.Lines[i].AmountMinor {
				t.Errorf("line %d gets %d of a grant, more than its %d", i, amount, d.Lines[i].AmountMinor)
			}
		}
		bare := d
		bare.Lines = slices.Clone(d.Lines)
		for i := range bare.Lines {
			bare.Lines[i].Units = nil
		}
		if got := bare.Grant(total); !slices.Equal(lineAmounts(got), lineAmounts(granted)) {
			t.Errorf("without units the lines get %v, with them %v", lineAmounts(got), lineAmounts(granted))
		}
	})
}
