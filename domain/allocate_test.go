// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package domain

import (
	"slices"
	"testing"
)

func TestAllocateGivesTheRemainderToTheLargestThenTheEarliest(t *testing.T) {
	t.Parallel()
	many := slices.Repeat([]int64{1}, 100)
	for _, c := range []struct {
		name    string
		total   int64
		weights []int64
		rooms   []int64 // as much as the weights when nil
		want    []int64
	}{
		{"exact", 6, []int64{10, 20, 30}, nil, []int64{1, 2, 3}},
		{"largest remainder", 10, []int64{10, 20, 31}, nil, []int64{2, 3, 5}},
		{"ties", 2, []int64{5, 5, 5}, nil, []int64{1, 1, 0}},
		{"nothing", 0, []int64{5, 0}, nil, []int64{0, 0}},
		{"everything", 15, []int64{5, 10}, nil, []int64{5, 10}},
		{"without weight", 3, []int64{0, 5, 0}, nil, []int64{0, 3, 0}},
		{"a full one", 12, []int64{10, 20, 50, 30}, []int64{10, 1, 0, 4}, []int64{7, 1, 0, 4}},
		{"filling one fills the next", 9, []int64{10, 10, 10}, []int64{1, 4, 9}, []int64{1, 4, 4}},
		{"the largest numbers", MaxAmount, []int64{MaxAmount / 2, MaxAmount/2 + 1}, nil, []int64{MaxAmount / 2, MaxAmount/2 + 1}},
		{"more than are sorted by hand", 40, many, nil, append(slices.Repeat([]int64{1}, 40), make([]int64, 60)...)},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			slots := make([]slot, len(c.weights))
			for i, w := range c.weights {
				slots[i] = slot{weight: w, room: w, count: 1}
				if c.rooms != nil {
					slots[i].room = c.rooms[i]
				}
			}
			allocate(c.total, slots)
			got := make([]int64, len(slots))
			for i := range slots {
				got[i] = slots[i].share + slots[i].more
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestBothWaysToSortRemaindersAgree(t *testing.T) {
	t.Parallel()
	slots := make([]slot, inlineSlots+1)
	for i := range slots {
		slots[i].remainder = int64(i * 7 % 5)
	}
	places := func(n int) []int32 {
		p := make([]int32, n)
		for i := range p {
			p[i] = int32(i)
		}
		return p
	}
	few, many := places(inlineSlots), places(inlineSlots+1)
	sortByRemainder(few, slots)
	sortByRemainder(many, slots)
	many = slices.DeleteFunc(many, func(i int32) bool { return i == inlineSlots })
	if !slices.Equal(few, many) {
		t.Errorf("by hand %v, by the library %v", few, many)
	}
}
