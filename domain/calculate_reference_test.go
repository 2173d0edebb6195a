// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package domain

import (
	"cmp"
	"fmt"
	"math/big"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// The reference computes the same discounts in another way: unit by unit, with
// exact fractions of unbounded size, and no thought for speed.

type refUnit struct {
	line              int
	price, most, room *big.Int // most is the room without floors
}

// refUnits lists the units that terms may touch, and how much of each.
func refUnits(terms *Terms, o *Order) []refUnit {
	var units []refUnit
	for i, l := range o.Lines {
		floor, _ := AmountIn(terms.Caps.MinUnitAmount, o.Currency)
		most := l.UnitAmountMinor
		if capped, ok := AmountIn(terms.Caps.MaxDiscountPerUnit, o.Currency); ok {
			most = min(most, capped)
		}
		room := min(most, max(0, l.UnitAmountMinor-max(floor, l.MinUnitAmountMinor)))
		for range l.Quantity {
			units = append(units, refUnit{i, big.NewInt(l.UnitAmountMinor), big.NewInt(most), big.NewInt(room)})
		}
	}
	slices.SortStableFunc(units, func(a, b refUnit) int {
		if terms.Caps.UnitOrder == CheapestFirst {
			return a.price.Cmp(b.price)
		}
		return b.price.Cmp(a.price)
	})
	inLine, kept := map[int]int64{}, units[:0]
	for _, u := range units {
		if m := terms.Caps.MaxUnitsPerLine; m != nil && inLine[u.line] == *m {
			continue
		}
		if m := terms.Caps.MaxUnits; m != nil && int64(len(kept)) == *m {
			break
		}
		inLine[u.line]++
		kept = append(kept, u)
	}
	slices.SortStableFunc(kept, func(a, b refUnit) int { return cmp.Compare(a.line, b.line) })
	return kept
}

func refHalfUp(r *big.Rat) *big.Int {
	r = new(big.Rat).Add(r, big.NewRat(1, 2))
	return new(big.Int).Div(r.Num(), r.Denom()) // rounds down: r is not negative
}

// refSpread divides total among units in proportion to weight, within their
// room, and returns what each line gets after largest remainder.
func refSpread(total *big.Int, units []refUnit, weight func(refUnit) *big.Int, lines int) []*big.Int {
	var order []int
	weights := new(big.Rat)
	for i := range units {
		if weight(units[i]).Sign() == 0 {
			continue // takes nothing, and has no ratio to sort by
		}
		order = append(order, i)
		weights.Add(weights, new(big.Rat).SetInt(weight(units[i])))
	}
	// The units that fill up first are those with the least room for their weight.
	slices.SortStableFunc(order, func(a, b int) int {
		return new(big.Int).Mul(units[a].room, weight(units[b])).Cmp(new(big.Int).Mul(units[b].room, weight(units[a])))
	})
	rest, shares := new(big.Rat).SetInt(total), make([]*big.Rat, lines)
	for i := range shares {
		shares[i] = new(big.Rat)
	}
	for _, i := range order {
		w := new(big.Rat).SetInt(weight(units[i]))
		share := new(big.Rat).Mul(rest, w)
		share.Quo(share, weights)
		if room := new(big.Rat).SetInt(units[i].room); share.Cmp(room) > 0 {
			share = room
		}
		shares[units[i].line].Add(shares[units[i].line], share)
		rest.Sub(rest, share)
		weights.Sub(weights, w)
	}
	return refLargestRemainder(total, shares)
}

func refLargestRemainder(total *big.Int, shares []*big.Rat) []*big.Int {
	out, lost := make([]*big.Int, len(shares)), new(big.Int).Set(total)
	order, remainders := make([]int, len(shares)), make([]*big.Rat, len(shares))
	for i, s := range shares {
		out[i] = new(big.Int).Div(s.Num(), s.Denom())
		remainders[i] = new(big.Rat).Sub(s, new(big.Rat).SetInt(out[i]))
		lost.Sub(lost, out[i])
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return remainders[b].Cmp(remainders[a]) })
	for i := range int(lost.Int64()) {
		out[order[i]].Add(out[order[i]], big.NewInt(1))
	}
	return out
}

func refPrice(u refUnit) *big.Int { return u.price }
func refAlike(refUnit) *big.Int   { return big.NewInt(1) }

func refSum[T any](list []T, of func(T) *big.Int) *big.Int {
	sum := new(big.Int)
	for _, x := range list {
		sum.Add(sum, of(x))
	}
	return sum
}

func bigMin(a, b *big.Int) *big.Int {
	if a.Cmp(b) < 0 {
		return a
	}
	return b
}

// refLines computes what a percentage or an amount takes off each line.
func refLines(terms *Terms, o *Order) []*big.Int {
	units, n := refUnits(terms, o), len(o.Lines)
	most := big.NewInt(MaxAmount)
	if m, ok := AmountIn(terms.Caps.MaxDiscount, o.Currency); ok {
		most.SetInt64(m)
	}
	var want func([]refUnit) *big.Int // what a number of units takes together
	scope, weight := PerLine, refPrice
	if p := terms.Discount.PercentOff; p != nil {
		scope = refPercentScope(terms)
		share := func(u refUnit) *big.Rat {
			s := new(big.Rat).Mul(new(big.Rat).SetInt(u.price), big.NewRat(int64(p.BasisPoints), int64(FullShare)))
			bound := u.room
			if scope == AcrossProportional {
				bound = u.most // what floors keep goes elsewhere
			}
			if most := new(big.Rat).SetInt(bound); s.Cmp(most) > 0 {
				return most
			}
			return s
		}
		want = func(units []refUnit) *big.Int {
			sum := new(big.Rat)
			for _, u := range units {
				sum.Add(sum, share(u))
			}
			return refHalfUp(sum)
		}
	} else {
		amount, _ := AmountIn(terms.Discount.AmountOff.Amounts, o.Currency)
		want = func(units []refUnit) *big.Int {
			return bigMin(big.NewInt(amount), refSum(units, func(u refUnit) *big.Int { return u.room }))
		}
		if scope = terms.Allocation; scope == AcrossByQuantity {
			weight = refAlike
		}
	}

	lines := make([]*big.Int, n)
	for i := range lines {
		lines[i] = new(big.Int)
	}
	switch scope {
	case PerUnit:
		for i, u := range units {
			off := want([]refUnit{u})
			if a := terms.Discount.AmountOff; a != nil && len(a.AdditionalAmounts) > 0 && i > 0 && units[i-1].line == u.line {
				off = bigMin(big.NewInt(a.AdditionalAmounts[0].AmountMinor), u.room)
			}
			lines[u.line].Add(lines[u.line], off)
		}
	case PerLine:
		for i := range lines {
			lines[i] = want(slices.DeleteFunc(slices.Clone(units), func(u refUnit) bool { return u.line != i }))
		}
	default:
		room := refSum(units, func(u refUnit) *big.Int { return u.room })
		return refSpread(bigMin(bigMin(want(units), room), most), units, weight, n)
	}
	total := refSum(lines, func(x *big.Int) *big.Int { return x })
	if total.Cmp(most) <= 0 {
		return lines
	}
	shares := make([]*big.Rat, n)
	for i := range lines {
		shares[i] = new(big.Rat).SetFrac(new(big.Int).Mul(lines[i], most), total)
	}
	return refLargestRemainder(most, shares)
}

// refPercentScope says over what a percentage is rounded: the rounding scope
// decides, and one that is not chosen follows the allocation.
func refPercentScope(terms *Terms) Allocation {
	switch {
	case terms.RoundingScope == RoundPerLine, terms.RoundingScope == RoundPerUnit:
		return map[RoundingScope]Allocation{RoundPerLine: PerLine, RoundPerUnit: PerUnit}[terms.RoundingScope]
	case terms.Allocation == AllocationDefault:
		return AcrossProportional
	default:
		return terms.Allocation
	}
}

func checkAgainstReference(t interface{ Errorf(string, ...any) }, terms *Terms, o *Order) {
	d, against := terms.Apply(o, testNow)
	if len(against) > 0 {
		t.Errorf("refused for %v", against)
		return
	}
	for i, want := range refLines(terms, o) {
		if got := d.Lines[i].AmountMinor; !want.IsInt64() || got != want.Int64() {
			t.Errorf("line %d takes %d, the reference %v", i, got, want)
		}
	}
}

func TestP9PercentagesAndAmountsAgreeWithTheReference(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		o := drawOrder(t, 6, 5)
		terms := &Terms{Caps: drawCaps(t)}
		if rapid.Bool().Draw(t, "percent") {
			terms.Discount.PercentOff = drawPercent(t)
			terms.RoundingScope = RoundingScope(rapid.IntRange(0, int(RoundPerUnit)).Draw(t, "rounding scope"))
			if terms.RoundingScope <= RoundPerOrder {
				terms.Allocation = rapid.SampledFrom([]Allocation{AllocationDefault, AcrossProportional, PerLine, PerUnit}).Draw(t, "allocation")
			}
		} else {
			terms.Discount.AmountOff = &AmountOff{Amounts: drawMoney(t, 1, "amount")}
			terms.Allocation = Allocation(rapid.IntRange(0, int(PerUnit)).Draw(t, "allocation"))
			if terms.Allocation == PerUnit && rapid.Bool().Draw(t, "additional") {
				terms.Discount.AmountOff.AdditionalAmounts = drawMoney(t, 0, "additional amount")
			}
		}
		var v Violations
		if terms.Check(&v, ""); v.Err() != nil {
			t.Fatal(v.Err())
		}
		checkAgainstReference(t, terms, o)
	})
}

// An order that is worth MaxAmount on its largest number of lines, and one that
// is worth it on one line, at every way to take something off.
func TestNothingOverflowsAtTheLargestOrder(t *testing.T) {
	t.Parallel()
	widest := &Order{Currency: testCurrency}
	for i := range int64(maxOrderLines) {
		// Odd amounts leave a remainder everywhere; 2 units make up for them.
		widest.Lines = append(widest.Lines, OrderLine{
			ID: fmt.Sprint(i), UnitAmountMinor: MaxAmount/maxOrderLines/2 - i*7_919, Quantity: 2, MinUnitAmountMinor: i * 1_000_003,
		})
	}
	widest.Lines[0].UnitAmountMinor += (MaxAmount - widest.Subtotal()) / 2
	dearest := &Order{Currency: testCurrency, Lines: []OrderLine{
		{ID: "1", UnitAmountMinor: MaxAmount - 2, Quantity: 1}, {ID: "2", UnitAmountMinor: 1, Quantity: 2},
	}}
	if widest.Subtotal() != MaxAmount-1 || dearest.Subtotal() != MaxAmount {
		t.Fatalf("the orders are worth %d and %d", widest.Subtotal(), dearest.Subtotal())
	}
	for _, o := range []*Order{widest, dearest} {
		mustBeValid(t, o)
		for _, p := range []BasisPoints{1, 3_333, 9_999, FullShare} {
			for _, r := range []RoundingScope{RoundPerOrder, RoundPerLine, RoundPerUnit} {
				checkAgainstReference(t, &Terms{Discount: Discount{PercentOff: &PercentOff{p}}, RoundingScope: r}, o)
			}
		}
		for _, amount := range []int64{1, MaxAmount / 3, MaxAmount - 1, MaxAmount} {
			for a := AcrossProportional; a <= PerUnit; a++ {
				terms := &Terms{Discount: Discount{AmountOff: &AmountOff{Amounts: []Money{{testCurrency, amount}}}}, Allocation: a}
				checkAgainstReference(t, terms, o)
				terms.Caps.MaxDiscount = []Money{{testCurrency, MaxAmount - 2}}
				checkAgainstReference(t, terms, o)
			}
		}
	}
}

// A group's units take the group's amount, or what comes off their price to the
// bundle's, whatever lines they are from.
func TestSetsAgreeWithTheReference(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		o, terms := drawOrder(t, 6, 9), &Terms{Caps: drawCaps(t)}
		terms.Caps.MaxDiscount = nil
		size := rapid.Int64Range(1, 5).Draw(t, "size")
		amount := drawMoney(t, 1, "amount")
		bundle, limit := rapid.Bool().Draw(t, "bundle"), drawOptional(t, 3, "max applications")
		if bundle {
			terms.Discount.BundlePrice = &BundlePrice{size, amount, limit}
		} else {
			terms.Discount.GroupAmountOff = &GroupAmountOff{size, amount, limit}
		}

		units := refUnits(terms, o)
		slices.SortStableFunc(units, func(a, b refUnit) int { return b.price.Cmp(a.price) })
		want, sets := new(big.Int), int64(0)
		for chunk := range slices.Chunk(units, int(size)) {
			if int64(len(chunk)) < size || limit != nil && sets == *limit {
				break
			}
			sets++
			off := big.NewInt(amount[0].AmountMinor)
			if bundle {
				off.Sub(refSum(chunk, refPrice), off)
			}
			room := refSum(chunk, func(u refUnit) *big.Int { return u.room })
			if off = bigMin(off, room); off.Sign() > 0 {
				want.Add(want, off)
			}
		}
		d, against := terms.Apply(o, testNow)
		if applies := len(against) == 0; applies != (sets > 0) {
			t.Fatalf("%d sets, refused for %v", sets, against)
		}
		if sets > 0 {
			checkDiscount(t, o, &d, terms)
		}
		if d.TotalAmountMinor != want.Int64() {
			t.Errorf("%d sets take %d, the reference %v", sets, d.TotalAmountMinor, want)
		}
	})
}

// With one scope for both, the units bought are the dearest, and those discounted
// the cheapest or dearest of the rest.
func TestBuyXGetYAgreesWithTheReference(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		o := drawOrder(t, 6, 9)
		for i := range o.Lines {
			o.Lines[i].MinUnitAmountMinor = 0
		}
		b := &BuyXGetY{
			BuyQuantity: rapid.Int64Range(1, 4).Draw(t, "buy"), GetQuantity: rapid.Int64Range(1, 4).Draw(t, "get"),
			GetBasisPoints: FullShare, MaxApplications: drawOptional(t, 3, "max applications"),
			GetOrder: rapid.SampledFrom([]UnitOrder{CheapestFirst, DearestFirst}).Draw(t, "order"),
		}
		terms := &Terms{Discount: Discount{BuyXGetY: b}}
		var prices []int64
		for _, l := range o.Lines {
			prices = append(prices, slices.Repeat([]int64{l.UnitAmountMinor}, int(l.Quantity))...)
		}
		slices.SortFunc(prices, func(a, b int64) int { return cmp.Compare(b, a) })
		sets := min(int64(len(prices))/(b.BuyQuantity+b.GetQuantity), orMax(b.MaxApplications))
		rest := prices[sets*b.BuyQuantity:]
		if b.GetOrder == CheapestFirst {
			slices.Reverse(rest)
		}
		var want int64
		for _, p := range rest[:sets*b.GetQuantity] {
			want += p
		}
		d, against := terms.Apply(o, testNow)
		if d.TotalAmountMinor != want || (sets == 0) != (len(against) > 0) {
			t.Errorf("%d sets take %d (%v), the reference %d", sets, d.TotalAmountMinor, against, want)
		}
	})
}
