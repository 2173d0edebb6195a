// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package domain

import (
	"cmp"
	"math/bits"
	"slices"
)

// slot is a number of equal items among which allocate divides an amount.
type slot struct {
	weight int64 // of each item
	room   int64 // the most that each item can take
	count  int64

	share int64 // what each item gets
	more  int64 // so many items get one more than share

	remainder int64
	from, to  int32 // for the caller
	full      bool
}

// inlineSlots is the number of slots that are kept on the stack.
const inlineSlots = 32

// allocate divides total among the items of slots in proportion to their weights.
//
// An item that would get more than it has room for gets its room, and what that
// leaves is divided among the others in the same proportion. What is then lost
// to rounding down goes, one each, to the items with the largest remainders, the
// earlier slot first when they are equal.
//
// The items must have room for total together, an item without weight has no
// room, and no sum of weights or rooms exceeds MaxAmount.
func allocate(total int64, slots []slot) {
	var weight int64
	for i := range slots {
		s := &slots[i]
		s.full = false
		weight += s.weight * s.count
	}
	for fills := true; fills; {
		fills = false
		rest, lighter := total, weight
		for i := range slots {
			s := &slots[i]
			if s.full || !overfills(total, s.weight, weight, s.room) {
				continue
			}
			s.full, fills = true, true
			s.share, s.more, s.remainder = s.room, 0, 0
			rest -= s.room * s.count
			lighter -= s.weight * s.count
		}
		total, weight = rest, lighter
	}
	divide(total, weight, slots)
}

// divide divides total among the items of slots that are not full, by largest
// remainder. Their weights sum to weight, and none gets as much as it has room
// for before the remainders.
func divide(total, weight int64, slots []slot) {
	lost := total
	for i := range slots {
		s := &slots[i]
		if s.full {
			continue
		}
		s.share, s.remainder = mulDiv(total, s.weight, weight)
		s.more = 0
		lost -= s.share * s.count
	}
	if lost > 0 {
		handOut(lost, slots)
	}
}

// overfills reports whether the share weight/weights of total is room or more.
func overfills(total, weight, weights, room int64) bool {
	aHi, aLo := bits.Mul64(uint64(total), uint64(weight))
	bHi, bLo := bits.Mul64(uint64(room), uint64(weights))
	return aHi > bHi || aHi == bHi && aLo >= bLo
}

// handOut gives one more to each of the lost items with the largest remainders.
// There are more such items than lost: every one lost is the sum of remainders
// that are each less than one.
func handOut(lost int64, slots []slot) {
	var inline [inlineSlots]int32
	order := inline[:0]
	for i := range slots {
		if slots[i].remainder > 0 {
			order = append(order, int32(i))
		}
	}
	sortByRemainder(order, slots)
	for _, i := range order {
		s := &slots[i]
		s.more = min(s.count, lost)
		if lost -= s.more; lost == 0 {
			return
		}
	}
}

// sortByRemainder sorts places of slots by falling remainder, equal ones by place.
// The places come in rising order.
func sortByRemainder(order []int32, slots []slot) {
	if len(order) > inlineSlots {
		slices.SortStableFunc(order, func(a, b int32) int { return cmp.Compare(slots[b].remainder, slots[a].remainder) })
		return
	}
	// For the few lines of most orders insertion takes a third of the time.
	for i := 1; i < len(order); i++ {
		place, k := order[i], i
		for remainder := slots[place].remainder; k > 0 && slots[order[k-1]].remainder < remainder; k-- {
			order[k] = order[k-1]
		}
		order[k] = place
	}
}
