// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package domain

import (
	"cmp"
	"slices"
)

// run is a number of units of one line that nothing has told apart yet. The
// runs of an order are in the order of its lines. Working with runs keeps a line
// of a million units as cheap as a line of one.
type run struct {
	quantity int64

	left  int64 // what a unit still costs
	price int64 // what this discount computes on
	most  int64 // the most that this discount gives a unit
	room  int64 // the most that it may take off one: most, and not below the floor

	weight int64 // of a unit, when an amount is spread
	take   int64 // what this discount takes off each unit
	more   int64 // so many units take one more

	line     int32
	eligible bool // whether this discount may touch it
	full     bool // whether its room decided what it takes
	served   bool // whether an earlier discount counted it in a set
	serves   bool // whether this one does
}

// amount returns what a run takes in all.
func (r *run) amount() int64 { return r.take*r.quantity + r.more }

// takeAll makes the units of a run take total together.
func (r *run) takeAll(total int64) {
	if r.quantity == 1 { // most lines; a division takes longer
		r.take, r.more = total, 0
		return
	}
	r.take, r.more = total/r.quantity, total%r.quantity
}

// taken returns what runs take in all.
func taken(runs []run) int64 {
	var sum int64
	for i := range runs {
		sum += runs[i].amount()
	}
	return sum
}

// lineEnd returns the end of the runs that belong to the line of runs[from].
func lineEnd(runs []run, from int) int {
	to := from + 1
	for to < len(runs) && runs[to].line == runs[from].line {
		to++
	}
	return to
}

// spread makes the eligible runs take total together, in proportion to their
// weights and within their room: first divided among the lines, then each line's
// share among its units. The runs must have room for total.
func spread(total int64, runs []run) {
	total, weight := fill(total, runs)
	if weight == 0 {
		return
	}
	var inline [inlineSlots]slot
	lines := inline[:0]
	if len(runs) > len(inline) {
		lines = make([]slot, 0, len(runs))
	}
	for from := 0; from < len(runs); {
		to := lineEnd(runs, from)
		var weight int64
		for i := from; i < to; i++ {
			if r := &runs[i]; r.eligible && !r.full {
				weight += r.weight * r.quantity
			}
		}
		if weight > 0 {
			lines = lines[:len(lines)+1] // in place: a slot is long to copy
			line := &lines[len(lines)-1]
			line.weight, line.count, line.from, line.to = weight, 1, int32(from), int32(to)
		}
		from = to
	}
	divide(total, weight, lines)
	for i := range lines {
		line := &lines[i]
		if line.to-line.from == 1 {
			runs[line.from].takeAll(line.share + line.more)
			continue
		}
		spreadUnits(line.share+line.more, runs[line.from:line.to])
	}
}

// fill finds the runs whose units would take as much as they have room for or
// more, makes them take just that, and returns what is left for the others, and
// the weight of these. Doing this unit by unit before lines are looked at keeps a
// unit's bound from moving its share to other units of its line alone.
func fill(total int64, runs []run) (remaining, weight int64) {
	for i := range runs {
		r := &runs[i]
		r.take, r.more, r.full = 0, 0, false
		if r.eligible {
			weight += r.weight * r.quantity
		}
	}
	for fills := true; fills; {
		fills = false
		rest, lighter := total, weight
		for i := range runs {
			r := &runs[i]
			if !r.eligible || r.full || !overfills(total, r.weight, weight, r.room) {
				continue
			}
			r.full, fills = true, true
			r.take = r.room
			rest -= r.room * r.quantity
			lighter -= r.weight * r.quantity
		}
		total, weight = rest, lighter
	}
	return total, weight
}

// spreadUnits makes the units of one line that are not full take total together.
func spreadUnits(total int64, runs []run) {
	only, n := -1, 0
	for i := range runs {
		if runs[i].eligible && !runs[i].full {
			only, n = i, n+1
		}
	}
	if n == 0 {
		return
	}
	if n == 1 {
		runs[only].takeAll(total)
		return
	}
	slots := make([]slot, 0, n)
	for i := range runs {
		if r := &runs[i]; r.eligible && !r.full {
			slots = append(slots, slot{weight: r.weight, room: r.room, count: r.quantity, from: int32(i)})
		}
	}
	allocate(total, slots)
	for i := range slots {
		r := &runs[slots[i].from]
		r.take, r.more = slots[i].share, slots[i].more
	}
}

// byPrice returns the places of runs in the given order of price. Of equal prices
// the unit of which more is left comes first, so that discounts on original prices
// do not meet on one unit without need, and then the earlier line.
func byPrice(runs []run, order UnitOrder) []int {
	places := make([]int, len(runs))
	for i := range places {
		places[i] = i
	}
	slices.SortStableFunc(places, func(a, b int) int {
		byPrice := cmp.Compare(runs[b].price, runs[a].price)
		if order == CheapestFirst {
			byPrice = -byPrice
		}
		return cmp.Or(byPrice, cmp.Compare(runs[b].left, runs[a].left))
	})
	return places
}

// piece is a part of a run that is treated alike from here on.
type piece struct {
	place    int // of the run
	quantity int64
	take     int64
	more     int64
	eligible bool
	serves   bool
}

// cut returns runs with each piece cut out as a run of its own; what no piece
// covers stays as it was but is no longer eligible.
func cut(runs []run, pieces []piece) []run {
	slices.SortStableFunc(pieces, func(a, b piece) int { return cmp.Compare(a.place, b.place) })
	out := make([]run, 0, len(runs)+len(pieces))
	for i := range runs {
		r := runs[i]
		for ; len(pieces) > 0 && pieces[0].place == i; pieces = pieces[1:] {
			p, part := &pieces[0], r
			part.quantity, part.take, part.more = p.quantity, p.take, p.more
			part.eligible, part.serves = p.eligible, p.serves
			out = append(out, part)
			r.quantity -= p.quantity
		}
		if r.quantity > 0 {
			r.eligible, r.take, r.more = false, 0, 0
			out = append(out, r)
		}
	}
	return out
}

// even returns runs in which all units of a run take the same.
func even(runs []run) []run {
	out := make([]run, 0, 2*len(runs))
	for _, r := range runs {
		if r.more > 0 {
			part := r
			part.quantity, part.take, part.more = r.more, r.take+1, 0
			out = append(out, part)
			r.quantity -= r.more
		}
		if r.more = 0; r.quantity > 0 {
			out = append(out, r)
		}
	}
	return out
}

// shrink makes runs take total instead of what they take, each as much less in
// proportion.
func shrink(total int64, runs []run) []run {
	shrunk := even(runs)
	for i := range shrunk {
		r := &shrunk[i]
		r.weight, r.room, r.eligible = r.take, r.take, r.take > 0
	}
	spread(total, shrunk)
	return shrunk
}
