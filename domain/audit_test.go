// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package domain

import (
	"maps"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

// someRecord draws a record of a ledger; what can change of it is drawn by
// someStanding.
func someRecord(t *rapid.T) Redemption {
	r := Redemption{
		PromotionCode: rapid.SampledFrom([]PromotionCodeID{"", "00001111", "00002222"}).Draw(t, "code"),
		CustomerID:    rapid.SampledFrom([]string{"", "ann", "bob"}).Draw(t, "customer"),
		EmailHash:     rapid.SampledFrom([]EmailHash{"", "hash"}).Draw(t, "email"),
		ExpireTime:    time.UnixMilli(rapid.Int64Range(1, 1_000).Draw(t, "expires")),
	}
	if rapid.Bool().Draw(t, "period") {
		r.Periods = []PeriodUse{{Key: "#1.0", Limit: 5}}
	}
	if currency := rapid.SampledFrom([]Currency{"", "EUR", "USD"}).Draw(t, "currency"); currency != "" {
		r.Discount = &AppliedDiscount{Currency: currency, TotalAmountMinor: rapid.Int64Range(0, 100).Draw(t, "amount")}
		r.ScopedAmountMinor = rapid.Int64Range(0, r.Discount.TotalAmountMinor).Draw(t, "scoped")
	}
	if rapid.Bool().Draw(t, "subscription") {
		r.Subscription = &SubscriptionDiscount{}
	}
	return r
}

func someStanding(t *rapid.T, r Redemption) *Redemption {
	r.State = rapid.SampledFrom([]RedemptionState{'H', 'R', 'L', 'E', 'V'}).Draw(t, "state")
	if r.Discount != nil {
		d := *r.Discount
		d.TotalAmountMinor = rapid.Int64Range(0, d.TotalAmountMinor).Draw(t, "granted")
		r.VoidedAmountMinor = rapid.Int64Range(0, d.TotalAmountMinor).Draw(t, "voided")
		r.Discount = &d
	}
	if r.Subscription != nil {
		d := *r.Subscription
		for _, currency := range rapid.SliceOfDistinct(rapid.SampledFrom([]Currency{"EUR", "GBP"}), rapid.ID[Currency]).Draw(t, "renewed") {
			d.use(&Renewal{Discount: &AppliedDiscount{Currency: currency, TotalAmountMinor: rapid.Int64Range(1, 9).Draw(t, "renewal")}})
		}
		r.Subscription = &d
	}
	return &r
}

// TestTallyForgetsWhatARecordWas counts records again and again as they change, and
// compares with a tally that has seen only what they are in the end.
func TestTallyForgetsWhatARecordWas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		got, want := NewTally(), NewTally()
		var records []Redemption
		for range rapid.IntRange(1, 8).Draw(t, "records") {
			records = append(records, someRecord(t))
			got.Put(got.Len()+1, someStanding(t, records[got.Len()]))
		}
		for range rapid.IntRange(0, 20).Draw(t, "changes") {
			i := rapid.IntRange(0, len(records)-1).Draw(t, "which")
			got.Put(int64(i+1), someStanding(t, records[i]))
		}
		var last []*Redemption
		for i := range records {
			last = append(last, someStanding(t, records[i]))
			got.Put(int64(i+1), last[i])
			want.Put(int64(i+1), last[i])
		}
		if diff := cmp.Diff(nonZero(want), nonZero(got), cmpopts.IgnoreUnexported(Tally{})); diff != "" {
			t.Fatalf("(-counted once +counted again):\n%s", diff)
		}
	})
}

// nonZero returns a tally without its zeros.
func nonZero(t *Tally) *Tally {
	maps.DeleteFunc(t.Uses, func(_ string, n int64) bool { return n == 0 })
	maps.DeleteFunc(t.Codes, func(_ PromotionCodeID, c CodeTally) bool { return c == CodeTally{} })
	maps.DeleteFunc(t.Spent, func(_ Currency, s Spending) bool { return s == Spending{} })
	return t
}

func TestTallyCountsWhatEachStateTakesUp(t *testing.T) {
	due := time.UnixMilli(1_000)
	record := func(s RedemptionState) *Redemption {
		return &Redemption{
			State: s, PromotionCode: "00001111", CustomerID: "ann", EmailHash: "hash", ExpireTime: due, VoidedAmountMinor: 30,
			Discount: &AppliedDiscount{Currency: "EUR", TotalAmountMinor: 100}, ScopedAmountMinor: 80,
			Periods: []PeriodUse{{Key: "#1.0", Limit: 5}},
		}
	}
	id, email := string(IdentityOfID("ann")), "ehash"
	counts := Tally{
		Uses:  map[string]int64{id: 1, email: 1, "00001111/" + id: 1, "00001111/" + email: 1, "#1.0": 1},
		Spent: map[Currency]Spending{"EUR": {TotalMinor: 70, ScopedMinor: 70}},
	}
	redeemed, held := counts, counts
	redeemed.Redeemed, redeemed.Codes, redeemed.Holds = 1, map[PromotionCodeID]CodeTally{"00001111": {Redeemed: 1}}, map[int64]time.Time{}
	held.Held, held.Codes, held.Holds = 1, map[PromotionCodeID]CodeTally{"00001111": {Held: 1}}, map[int64]time.Time{1: due}
	for state, want := range map[RedemptionState]Tally{
		RedemptionRedeemed: redeemed, RedemptionReserved: held,
		RedemptionVoided: *NewTally(), RedemptionReleased: *NewTally(), RedemptionExpired: *NewTally(),
	} {
		got := NewTally()
		got.Put(1, record(state))
		got.Put(2, nil)
		if diff := cmp.Diff(&want, got, cmpopts.IgnoreUnexported(Tally{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", state, diff)
		}
		first := time.Time{}
		if state == RedemptionReserved {
			first = due
		}
		if got.Len() != 2 || !got.FirstDue().Equal(first) {
			t.Errorf("%s: %d records, first due %s", state, got.Len(), got.FirstDue())
		}
	}
}

// TestTallyCountsRenewalsInEveryState has a redemption that is voided in whole, whose
// invoices keep what they were given.
func TestTallyCountsRenewalsInEveryState(t *testing.T) {
	renewed := map[Currency]Spending{"EUR": {TotalMinor: 40, ScopedMinor: 30}, "USD": {TotalMinor: 5}}
	for state, eur := range map[RedemptionState]Spending{
		RedemptionRedeemed: {TotalMinor: 140, ScopedMinor: 110}, RedemptionVoided: {TotalMinor: 40, ScopedMinor: 30},
	} {
		got := NewTally()
		got.Put(1, &Redemption{
			State: state, Discount: &AppliedDiscount{Currency: "EUR", TotalAmountMinor: 100}, ScopedAmountMinor: 80,
			Subscription: &SubscriptionDiscount{Renewed: renewed},
		})
		want := map[Currency]Spending{"EUR": eur, "USD": {TotalMinor: 5}}
		if diff := cmp.Diff(want, got.Spent); diff != "" {
			t.Errorf("%s (-want +got):\n%s", state, diff)
		}
	}
}

func TestRecordThatContradictsItselfIsTold(t *testing.T) {
	for want, r := range map[string]Redemption{
		"":                            {State: RedemptionRedeemed, VoidedAmountMinor: 3, Voids: []Void{{AmountMinor: 1}, {AmountMinor: 2}}, Discount: &AppliedDiscount{TotalAmountMinor: 3}},
		`has the state 'X'`:           {State: 'X'},
		"has 3 voided and voids of 1": {State: RedemptionRedeemed, VoidedAmountMinor: 3, Voids: []Void{{AmountMinor: 1}}},
		"has 1 voided of 0 granted":   {State: RedemptionRedeemed, VoidedAmountMinor: 1, Voids: []Void{{AmountMinor: 1}}},
		"is voided, and 0 of 5 is":    {State: RedemptionVoided, Discount: &AppliedDiscount{TotalAmountMinor: 5}},
		"is reserved for ever":        {State: RedemptionReserved},
		"has used 3 of 2 cycles":      {State: RedemptionRedeemed, Subscription: &SubscriptionDiscount{Cycles: 2, Used: 3}},
		"has {TotalMinor:1 ScopedMinor:2} of EUR taken off renewals": {
			State: RedemptionRedeemed, Subscription: &SubscriptionDiscount{Renewed: map[Currency]Spending{"EUR": {TotalMinor: 1, ScopedMinor: 2}}},
		},
	} {
		if got := r.CheckRecord(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestDifferenceSaysWhatBecameOfIt(t *testing.T) {
	for want, d := range map[string]Difference{
		"coupons/a: spent EUR: is nothing, should be 5":                           {Coupon: "a", Kind: DifferenceSpent, Name: "EUR", Want: "5"},
		"coupons/a: ledger: is 3, should be 5 (repaired)":                         {Coupon: "a", Kind: DifferenceLedger, Stored: "3", Want: "5", Repaired: true},
		"coupons/a: record 2: is odd, should be nothing (not repaired: too late)": {Coupon: "a", Kind: DifferenceRecord, Name: "2", Stored: "odd", Reason: "too late"},
	} {
		if got := d.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
