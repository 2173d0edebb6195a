// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/discountd/discountd/domain"
	discountv1 "github.com/discountd/discountd/gen/discount/v1"
)

func TestARenewalIsAnsweredWhole(t *testing.T) {
	want := &discountv1.Renewal{
		Redemption: "coupons/fall/redemptions/1-abc",
		InvoiceId:  "in-1",
		RequestId:  "r",
		Outcome:    discountv1.RenewalOutcome_RENEWAL_OUTCOME_APPLIED,
		Discount:   discountMessage,
		Cycle:      3,
		CreateTime: timestamppb.New(aTime),
	}
	everyFieldIsSet(t, want)
	got := writeRenewal(domain.Renewal{
		Redemption:        domain.RedemptionName{Coupon: "fall", ID: "1-abc"},
		RequestID:         "r",
		InvoiceID:         "in-1",
		Fingerprint:       "not told",
		IssuedAt:          aTime.Add(-time.Hour), // not told
		Outcome:           domain.RenewalApplied,
		Cycle:             3,
		Discount:          &discount,
		ScopedAmountMinor: 7, // not told
		CreateTime:        aTime,
	})
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Error("(-want +got):\n" + diff)
	}
}

func TestEveryOutcomeOfARenewalHasAName(t *testing.T) {
	for outcome, want := range map[domain.RenewalOutcome]discountv1.RenewalOutcome{
		domain.RenewalApplied: discountv1.RenewalOutcome_RENEWAL_OUTCOME_APPLIED,
		domain.RenewalNothing: discountv1.RenewalOutcome_RENEWAL_OUTCOME_NOTHING,
		domain.RenewalEnded:   discountv1.RenewalOutcome_RENEWAL_OUTCOME_ENDED,
	} {
		if got := writeRenewalOutcome(outcome); got != want {
			t.Errorf("%c is %v, want %v", outcome, got, want)
		}
	}
}

// TestADiscountSaysHowLongItLasts has each duration, in the state in which it is
// most easily told wrong.
func TestADiscountSaysHowLongItLasts(t *testing.T) {
	start := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name string
		of   domain.Redemption
		want *discountv1.SubscriptionDiscount
	}{
		{
			"months end with the month",
			domain.Redemption{CreateTime: start, Subscription: &domain.SubscriptionDiscount{SubscriptionID: "s", Duration: domain.DurationRepeating, Months: 1, Used: 2}},
			&discountv1.SubscriptionDiscount{
				SubscriptionId: "s", Duration: discountv1.DiscountDuration_DISCOUNT_DURATION_REPEATING, CyclesUsed: 2,
				StartTime: timestamppb.New(start), EndTime: timestamppb.New(time.Date(2026, 2, 28, 12, 0, 0, 0, time.UTC)),
			},
		},
		{
			"for ever has neither an end nor cycles left",
			domain.Redemption{CreateTime: start, Subscription: &domain.SubscriptionDiscount{SubscriptionID: "s", Duration: domain.DurationForever}},
			&discountv1.SubscriptionDiscount{
				SubscriptionId: "s", Duration: discountv1.DiscountDuration_DISCOUNT_DURATION_FOREVER, StartTime: timestamppb.New(start),
			},
		},
		{
			"once that is used says that nothing is left",
			domain.Redemption{CreateTime: start, Subscription: &domain.SubscriptionDiscount{SubscriptionID: "s", Duration: domain.DurationOnce, Cycles: 1, Used: 1}},
			&discountv1.SubscriptionDiscount{
				SubscriptionId: "s", Duration: discountv1.DiscountDuration_DISCOUNT_DURATION_ONCE, StartTime: timestamppb.New(start),
				CyclesUsed: 1, CyclesLeft: new(int64(0)),
			},
		},
		{
			"a reservation has not begun",
			domain.Redemption{CreateTime: start, ExpireTime: start.Add(time.Hour), Subscription: &domain.SubscriptionDiscount{SubscriptionID: "s", Duration: domain.DurationRepeating, Months: 1}},
			&discountv1.SubscriptionDiscount{SubscriptionId: "s", Duration: discountv1.DiscountDuration_DISCOUNT_DURATION_REPEATING},
		},
		{"none without a subscription", domain.Redemption{CreateTime: start}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, writeSubscriptionDiscount(&c.of), protocmp.Transform()); diff != "" {
				t.Error("(-want +got):\n" + diff)
			}
		})
	}
}
