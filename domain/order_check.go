// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package domain

import (
	"math/bits"
	"strconv"
)

// The bounds of an order, as the API documents them.
const (
	maxOrderLines     = 200
	maxLineCategories = 50
	maxLineQuantity   = 1_000_000
	maxLineIDLength   = 64
)

// Check records every field of o that is out of bounds, named as in the API after
// prefix, such as "order.lines[2].quantity", and gives lines without an id their
// position as id, counted from "1". In an order that passes no sum of amounts
// exceeds MaxAmount.
func (o *Order) Check(v *Violations, prefix string) {
	if !isText(o.ID, 0, maxReferenceLength) {
		checkReference(v, prefix+"id", o.ID, 0)
	}
	if _, ok := currencyDecimals(string(o.Currency)); !ok {
		checkCurrency(v, prefix+"currency_code", o.Currency)
	}
	if len(o.Lines) == 0 || len(o.Lines) > maxOrderLines {
		checkLength(v, prefix+"lines", len(o.Lines), 1, maxOrderLines)
		o.checkShipping(v, prefix)
		return
	}
	total, exact, bounded := uint64(max(o.ShippingAmountMinor, 0)), true, o.ShippingAmountMinor <= MaxAmount
	for i := range o.Lines {
		l := &o.Lines[i]
		if l.ID == "" {
			l.ID = strconv.Itoa(i + 1)
		}
		// The path of a field is put together only when it is needed: this is
		// on the way of every request.
		if !l.valid() {
			l.check(v, prefix+"lines["+strconv.Itoa(i)+"].")
			bounded = bounded && l.UnitAmountMinor <= MaxAmount && l.Quantity <= maxLineQuantity
		}
		hi, amount := bits.Mul64(uint64(max(l.UnitAmountMinor, 0)), uint64(max(l.Quantity, 0)))
		// 200 times MaxAmount and any shipping stay below 2^64.
		if exact = exact && hi == 0 && amount <= MaxAmount; exact {
			total += amount
		}
	}
	o.checkShipping(v, prefix)
	// What is out of its own bounds has been said.
	if bounded && (!exact || total > MaxAmount) {
		v.Add(prefix+"lines", "the whole order, shipping included, must be at most %d", int64(MaxAmount))
	}
	o.checkLineIDs(v, prefix)
}

func (o *Order) checkShipping(v *Violations, prefix string) {
	if o.ShippingAmountMinor < 0 || o.ShippingAmountMinor > MaxAmount {
		checkRange(v, prefix+"shipping_amount_minor", o.ShippingAmountMinor, 0, MaxAmount)
	}
}

// valid reports whether check would record nothing.
func (l *OrderLine) valid() bool {
	if !isText(l.ID, 1, maxLineIDLength) || !isText(l.ProductID, 0, maxReferenceLength) ||
		len(l.CategoryIDs) > maxLineCategories {
		return false
	}
	for _, c := range l.CategoryIDs {
		if !isText(c, 1, maxReferenceLength) {
			return false
		}
	}
	return 0 <= l.UnitAmountMinor && l.UnitAmountMinor <= MaxAmount &&
		1 <= l.Quantity && l.Quantity <= maxLineQuantity &&
		0 <= l.MinUnitAmountMinor && l.MinUnitAmountMinor <= l.UnitAmountMinor
}

func (l *OrderLine) check(v *Violations, prefix string) {
	if !isText(l.ID, 1, maxLineIDLength) {
		v.Add(prefix+"id", "must be at most %d characters without control characters", maxLineIDLength)
	}
	checkReference(v, prefix+"product_id", l.ProductID, 0)
	checkLength(v, prefix+"category_ids", len(l.CategoryIDs), 0, maxLineCategories)
	if len(l.CategoryIDs) <= maxLineCategories {
		for i, c := range l.CategoryIDs {
			checkReference(v, prefix+"category_ids["+strconv.Itoa(i)+"]", c, 1)
		}
	}
	checkRange(v, prefix+"unit_amount_minor", l.UnitAmountMinor, 0, MaxAmount)
	checkRange(v, prefix+"quantity", l.Quantity, 1, maxLineQuantity)
	// Held against a price that is wrong itself, an unset floor is not.
	if l.MinUnitAmountMinor < 0 || l.MinUnitAmountMinor > max(l.UnitAmountMinor, 0) {
		v.Add(prefix+"min_unit_amount_minor", "must be 0 to unit_amount_minor")
	}
}

// checkLineIDs records lines whose id another line before them has.
func (o *Order) checkLineIDs(v *Violations, prefix string) {
	const few = 32 // up to here comparing all pairs is faster than hashing
	if len(o.Lines) <= few {
		for i := range o.Lines {
			for k := range i {
				if o.Lines[k].ID == o.Lines[i].ID {
					o.addDuplicate(v, prefix, k, i)
					break
				}
			}
		}
		return
	}
	first := make(map[string]int, len(o.Lines))
	for i := range o.Lines {
		if k, again := first[o.Lines[i].ID]; again {
			o.addDuplicate(v, prefix, k, i)
			continue
		}
		first[o.Lines[i].ID] = i
	}
}

func (o *Order) addDuplicate(v *Violations, prefix string, first, again int) {
	v.Add(prefix+"lines["+strconv.Itoa(again)+"].id", "lines[%d] has this id already", first)
}
