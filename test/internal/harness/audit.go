// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"testing"

	discountv1 "github.com/discountd/discountd/gen/discount/v1"
)

// Ledger returns all pages of a coupon's redemptions.
func (s *Service) Ledger(t testing.TB, coupon string) []*discountv1.Redemption {
	t.Helper()
	r := &discountv1.ListRedemptionsRequest{Parent: coupon, PageSize: 1_000}
	var all []*discountv1.Redemption
	for {
		page, err := s.ListRedemptions(Within(t), r)
		if err != nil {
			t.Fatalf("ListRedemptions: %v", err)
		}
		all = append(all, page.GetRedemptions()...)
		if r.PageToken = page.GetNextPageToken(); r.GetPageToken() == "" {
			return all
		}
	}
}

// WantAuditClean works out from a coupon's ledger what its counters, its budgets
// and the counters of its promotion codes must be, compares, and returns the
// ledger. Nothing may write meanwhile, and no reservation end. Budgets for some
// products only are left out.
func (s *Service) WantAuditClean(t testing.TB, coupon string) []*discountv1.Redemption {
	t.Helper()
	ledger := s.Ledger(t, coupon)
	redeemed := map[string]int64{} // by promotion code; "" is in total
	spent := map[string]int64{}    // by currency
	requests := map[string]string{}
	for _, r := range ledger {
		if other := requests[r.GetRequestId()]; other != "" {
			t.Errorf("%s and %s are effects of one request, %s", other, r.GetName(), r.GetRequestId())
		}
		requests[r.GetRequestId()] = r.GetName()
		left := r.GetDiscount().GetTotalAmountMinor() - r.GetVoidedAmountMinor()
		if left < 0 {
			t.Errorf("more was voided of %s than was granted: %v", r.GetName(), r)
		}
		switch r.GetState() {
		case discountv1.RedemptionState_REDEMPTION_STATE_REDEEMED:
			redeemed[""]++
			if code := r.GetPromotionCode(); code != "" {
				redeemed[code]++
			}
			spent[r.GetDiscount().GetCurrencyCode()] += left
		case discountv1.RedemptionState_REDEMPTION_STATE_RESERVED:
			spent[r.GetDiscount().GetCurrencyCode()] += left
		default: // takes up nothing
		}
	}

	got, err := s.GetCoupon(Within(t), &discountv1.GetCouponRequest{Name: coupon})
	if err != nil {
		t.Fatalf("GetCoupon: %v", err)
	}
	if n := got.GetCoupon().GetTimesRedeemed(); n != redeemed[""] {
		t.Errorf("%s says that it was redeemed %d times and its ledger %d", coupon, n, redeemed[""])
	}
	for _, b := range got.GetCoupon().GetBudgets() {
		currency := b.GetLimit().GetCurrencyCode()
		if len(b.GetProducts()) == 0 && b.GetSpentAmountMinor() != spent[currency] {
			t.Errorf("%s says that %d %s were spent and its ledger %d", coupon, b.GetSpentAmountMinor(), currency, spent[currency])
		}
	}
	for _, p := range s.promotionCodes(t, coupon) {
		if p.GetTimesRedeemed() != redeemed[p.GetName()] {
			t.Errorf("%s says that it was redeemed %d times and the ledger %d", p.GetName(), p.GetTimesRedeemed(), redeemed[p.GetName()])
		}
	}
	return ledger
}

func (s *Service) promotionCodes(t testing.TB, coupon string) []*discountv1.PromotionCode {
	t.Helper()
	r := &discountv1.ListPromotionCodesRequest{Parent: coupon, ShowDeleted: true}
	var all []*discountv1.PromotionCode
	for {
		page, err := s.ListPromotionCodes(Within(t), r)
		if err != nil {
			t.Fatalf("ListPromotionCodes: %v", err)
		}
		all = append(all, page.GetPromotionCodes()...)
		if r.PageToken = page.GetNextPageToken(); r.GetPageToken() == "" {
			return all
		}
	}
}
