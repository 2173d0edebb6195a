// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package acceptance

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	discountv1 "github.com/discountd/discountd/gen/discount/v1"
)

// wantLines compares what a redemption took off each line.
func wantLines(t *testing.T, r *discountv1.Redemption, want ...int64) {
	t.Helper()
	var got []int64
	for _, l := range r.GetDiscount().GetLines() {
		got = append(got, l.GetAmountMinor())
	}
	if !slices.Equal(got, want) {
		t.Errorf("%d was taken off the lines, want %d", got, want)
	}
}

func TestFirstTimeCustomersOnlyAndAGuestIsOne(t *testing.T) {
	t.Parallel()
	s := start(t)
	c := s.coupon(t, percentOff(10))
	p := s.code(t, c, coded("WELCOME", firstTimeOnly()))

	s.redeems(t, purchase(typing("WELCOME")))
	s.redeems(t, purchase(typing("WELCOME"), by("alice")))
	s.refuses(t, purchase(typing("WELCOME"), byReturningCustomer("bob")), notFirstTransaction)
	s.refuses(t, purchase(using(p), byReturningCustomer("bob")), notFirstTransaction)
	s.redeems(t, purchase(applying(c), byReturningCustomer("bob"))) // the coupon itself does not care
	s.wantUsed(t, c, 3)
}

func TestMinimumAmountIsMetExactlyAndMissedByOneMinorUnit(t *testing.T) {
	t.Parallel()
	s := start(t)
	c := s.coupon(t, percentOff(10))
	s.code(t, c, coded("BIG", fromAmount(money(5_000, "EUR"), money(7_500, "JPY"))))

	for _, min := range []*discountv1.Money{money(5_000, "EUR"), money(7_500, "JPY")} {
		currency, amount := min.GetCurrencyCode(), min.GetAmountMinor()
		wantOff(t, s.redeems(t, purchase(typing("BIG"), paying(amount, currency))), amount/10)
		wantLines(t, s.redeems(t, purchase(typing("BIG"), buying(currency, line("a", 1, 1), line("b", (amount-2)/2, 2), line("c", 1, 1)))),
			0, (amount-2)/10+1, 0)

		why := s.refuses(t, purchase(typing("BIG"), paying(amount-1, currency)), amountTooSmall)
		want := &discountv1.Ineligibility{
			Reason: amountTooSmall, RequiredAmount: min, ActualAmount: money(amount-1, currency),
		}
		if diff := cmp.Diff(want, why[0], protocmp.Transform(), protocmp.IgnoreFields(want, "message")); diff != "" {
			t.Errorf("the refusal says (-want +got):\n%s", diff)
		}
	}
	s.refuses(t, purchase(typing("BIG"), paying(1_000_000, "USD")), currencyMismatch)
	s.refuses(t, purchase(typing("BIG")), orderRequired)

	// Shipping does not count.
	r := purchase(typing("BIG"), paying(4_999, "EUR"))
	r.Order.ShippingAmountMinor = 10_000
	s.refuses(t, r, amountTooSmall)
}

func TestOnlyTheProductsIncludedAreDiscounted(t *testing.T) {
	t.Parallel()
	s := start(t)
	c := s.coupon(t, percentOff(50, forProducts("mug", "plate")))
	s.code(t, c, coded("KITCHEN"))

	wantLines(t, s.redeems(t, purchase(typing("KITCHEN"), buying("EUR",
		line("mug", 1_000, 1), line("lamp", 5_000, 1), line("plate", 300, 2)))), 500, 0, 300)
	s.refuses(t, purchase(typing("KITCHEN"), buying("EUR", line("lamp", 5_000, 1), line("MUG", 1, 1))), noApplicableItems)
	s.refuses(t, purchase(typing("KITCHEN")), orderRequired)
}

func TestProductsExcludedAreNotDiscounted(t *testing.T) {
	t.Parallel()
	s := start(t)
	c := s.coupon(t, percentOff(50, butForProducts("gift-card")))

	wantLines(t, s.redeems(t, purchase(applying(c), buying("EUR",
		line("gift-card", 10_000, 1), line("mug", 1_000, 1)))), 0, 500)
	s.refuses(t, purchase(applying(c), buying("EUR", line("gift-card", 10_000, 1))), noApplicableItems)
}

func TestAmountOffIsPerCurrencyAndNeverMoreThanTheOrder(t *testing.T) {
	t.Parallel()
	s := start(t)
	c := s.coupon(t, amountOff(money(500, "EUR"), money(600, "USD")))

	wantOff(t, s.redeems(t, purchase(applying(c), paying(2_000, "EUR"))), 500)
	wantOff(t, s.redeems(t, purchase(applying(c), paying(2_000, "USD"))), 600)
	wantOff(t, s.redeems(t, purchase(applying(c), paying(499, "EUR"))), 499)
	// Three equal lines: 500 is 167 + 167 + 166, the earlier lines first.
	wantLines(t, s.redeems(t, purchase(applying(c), buying("EUR",
		line("a", 1_000, 1), line("b", 1_000, 1), line("c", 1_000, 1)))), 167, 167, 166)
	s.refuses(t, purchase(applying(c), paying(2_000, "GBP")), currencyMismatch)
}

func TestDiscountIsKeptAsItWasRedeemed(t *testing.T) {
	t.Parallel()
	s := start(t)
	c := s.coupon(t, percentOff(25))
	p := s.code(t, c, coded("QUARTER"))
	r := purchase(typing("quarter"), by("alice"), buying("EUR", line("a", 9_007_199_254_740_000, 1), line("b", 991, 1)))
	r.Order.Id, r.Order.Lines[0].Id = "order-1", "expensive"
	redeemed := s.redeems(t, r)

	want := &discountv1.Redemption{
		Name: redeemed.GetName(), PromotionCode: p.GetName(), RequestId: r.GetRequestId(),
		State:      discountv1.RedemptionState_REDEMPTION_STATE_REDEEMED,
		CustomerId: "alice", OrderId: "order-1",
		Discount: &discountv1.AppliedDiscount{
			CurrencyCode: "EUR", TotalAmountMinor: 2_251_799_813_685_248,
			Lines: []*discountv1.LineDiscount{
				{LineId: "expensive", AmountMinor: 2_251_799_813_685_000}, {LineId: "2", AmountMinor: 248},
			},
			Allocation:    discountv1.Allocation_ALLOCATION_ACROSS_PROPORTIONAL,
			RoundingScope: discountv1.RoundingScope_ROUNDING_SCOPE_ORDER,
		},
		CreateTime: redeemed.GetCreateTime(), CouponEtag: c.GetEtag(), PromotionCodeEtag: p.GetEtag(),
		Context: discountv1.UseContext_USE_CONTEXT_CHECKOUT,
	}
	if diff := cmp.Diff(want, redeemed, protocmp.Transform()); diff != "" {
		t.Errorf("redeemed (-want +got):\n%s", diff)
	}
	if got := redeemed.GetCreateTime().AsTime(); !got.Equal(today) {
		t.Errorf("create_time is %v, want %v", got, today)
	}
	read, err := s.GetRedemption(within(t), &discountv1.GetRedemptionRequest{Name: redeemed.GetName()})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, read.GetRedemption(), protocmp.Transform()); diff != "" {
		t.Errorf("read later (-want +got):\n%s", diff)
	}
}
