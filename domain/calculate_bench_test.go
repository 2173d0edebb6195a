// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package domain

import (
	"fmt"
	"runtime/debug"
	"testing"
	"time"
)

// percentOfTwentyLines is a coupon that applies to an order as large as most get,
// with amounts that leave a remainder on every line.
func percentOfTwentyLines() (*Terms, *Order) {
	o := &Order{Currency: "EUR"}
	for i := range 20 {
		o.Lines = append(o.Lines, OrderLine{
			ID: fmt.Sprint(i + 1), ProductID: fmt.Sprintf("product-%d", i), CategoryIDs: []string{"all", "new"},
			UnitAmountMinor: int64(1_003 + 97*i), Quantity: int64(1 + i%3),
		})
	}
	t := &Terms{
		Discount:  Discount{PercentOff: &PercentOff{BasisPoints: 1_575}},
		AppliesTo: AppliesTo{Categories: []string{"new"}, ExcludedProducts: []string{"gift-card"}},
	}
	return t, o
}

// An evaluation is to take at most 2 µs. Garbage is collected as the service does
// by default; with Go's own default collections are half of what is measured, as
// this process has no other memory than what an evaluation leaves.
func BenchmarkApplyPercentToTwentyLines(b *testing.B) {
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	t, o := percentOfTwentyLines()
	now := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		if d, against := t.Apply(o, now); d.TotalAmountMinor == 0 || against != nil {
			b.Fatal(d, against)
		}
	}
}

func TestApplyAllocatesAtMostFourTimes(t *testing.T) {
	terms, order := percentOfTwentyLines()
	now := time.Now()
	allocations := testing.AllocsPerRun(100, func() {
		if d, _ := terms.Apply(order, now); d.TotalAmountMinor == 0 {
			t.Error("the coupon does not apply")
		}
	})
	if allocations > 4 {
		t.Errorf("Apply allocates %v times, at most 4 are allowed", allocations)
	}
}
