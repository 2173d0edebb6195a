// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	discountv1 "github.com/discountd/discountd/gen/discount/v1"
	"github.com/discountd/discountd/test/internal/harness"
)

// recovery is the time within which calls succeed again after a fault has ended.
const recovery = 5 * time.Second

// wantRecovery checks that a write through each service succeeds soon after since.
func wantRecovery(t *testing.T, since time.Time, services ...*harness.Service) {
	t.Helper()
	for _, s := range services {
		var err error
		for {
			ctx, cancel := context.WithTimeout(t.Context(), recovery)
			_, err = s.CreateCoupon(ctx, &discountv1.CreateCouponRequest{Coupon: &discountv1.Coupon{
				Discount: &discountv1.Coupon_PercentOff{PercentOff: &discountv1.PercentOff{BasisPoints: 100}},
			}})
			cancel()
			if err == nil || time.Since(since) > recovery {
				break
			}
		}
		if took := time.Since(since); err != nil || took > recovery {
			t.Errorf("%s after the end of the fault: %v", took, err)
		}
	}
}

// verify ends the load and checks everything: what was acknowledged is in the
// ledger, what is in the ledger was attempted, the counters are what the ledger
// says, and nothing of what is free is out of reach.
func (l *load) verify() {
	l.t.Helper()
	l.end()
	if l.t.Failed() {
		return // the state is of no more interest than what led to it
	}
	s := l.services[0]
	harness.Await(l.t, harness.Patience, "the end of all reservations", func(ctx context.Context) bool {
		return l.nothingReserved(ctx, s)
	})
	ledger := s.WantAuditClean(l.t, l.coupon.GetName())
	h := read(l.t, l.journals)
	h.wantInLedger(l.t, ledger)
	h.wantAttempted(l.t, ledger)
	for _, k := range []kind{redeem, reserve, commit, release, void} {
		l.t.Logf("%s: %d acknowledged, %d refused, %d unknown", k, h.count(acknowledged, k), h.count(refused, k), h.count(attempted, k))
		if h.count(acknowledged, k) == 0 {
			l.t.Errorf("no %s was acknowledged, so the load has shown nothing of it", k)
		}
	}
	if n := counted(ledger); n > couponLimit {
		l.t.Errorf("%d redemptions count, and the limit is %d", n, couponLimit)
	}
	l.wantRetriesFind(h)
	l.wantNothingStranded()
}

// nothingReserved reports whether no reservation is in the ledger. A page without one
// need not be the last: each looks at a part of the ledger.
func (l *load) nothingReserved(ctx context.Context, s *harness.Service) bool {
	q := &discountv1.ListRedemptionsRequest{
		Parent: l.coupon.GetName(), State: discountv1.RedemptionState_REDEMPTION_STATE_RESERVED, PageSize: 1_000,
	}
	for {
		page, err := s.ListRedemptions(ctx, q)
		if err != nil || len(page.GetRedemptions()) > 0 {
			return false
		}
		if q.PageToken = page.GetNextPageToken(); q.GetPageToken() == "" {
			return true
		}
	}
}

// counted returns how many redemptions count against limits.
func counted(ledger []*discountv1.Redemption) (n int) {
	for _, r := range ledger {
		if r.GetState() == discountv1.RedemptionState_REDEMPTION_STATE_REDEEMED {
			n++
		}
	}
	return n
}

// wantRetriesFind sends releases that were acknowledged again, and finds that they
// have no second effect.
func (l *load) wantRetriesFind(h history) {
	l.t.Helper()
	before := l.services[0].Ledger(l.t, l.coupon.GetName())
	left := 20
	for id, e := range h {
		if e.Kind != release || e.Outcome != acknowledged {
			continue
		}
		got, err := releaseOf(e.Name).call(harness.Within(l.t), l.services[0], id)
		if err != nil || got.GetName() != e.Name {
			l.t.Errorf("a release that was acknowledged, sent again: %v, %v", got, err)
		}
		if left--; left == 0 {
			break
		}
	}
	wantEqual(l.t, "the ledger after retries", before, l.services[0].Ledger(l.t, l.coupon.GetName()))
}

// wantNothingStranded voids everything, and then takes all that each limit leaves:
// no more and no less.
func (l *load) wantNothingStranded() {
	l.t.Helper()
	s, name := l.services[0], l.coupon.GetName()
	for i, r := range s.Ledger(l.t, name) {
		if r.GetState() != discountv1.RedemptionState_REDEMPTION_STATE_REDEEMED {
			continue
		}
		if _, err := voidOf(r.GetName(), nil).call(harness.Within(l.t), s, fmt.Sprintf("void-all-%d", i)); err != nil {
			l.t.Fatalf("void of %s: %v", r.GetName(), err)
		}
	}
	if n := counted(s.WantAuditClean(l.t, name)); n > 0 {
		l.t.Errorf("%d redemptions are left after all were voided", n)
	}
	order := &discountv1.Order{CurrencyCode: "EUR", Lines: []*discountv1.OrderLine{{UnitAmountMinor: 100, Quantity: 1}}}
	directly := &discountv1.RedeemRequest_Coupon{Coupon: name}
	l.wantRoom(customerLimit, discountv1.IneligibilityReason_INELIGIBILITY_REASON_CUSTOMER_MAX_REDEMPTIONS_REACHED,
		func(int) *discountv1.RedeemRequest {
			return &discountv1.RedeemRequest{Source: directly, Customer: &discountv1.Customer{Id: "customer-0"}, Order: order}
		})
	l.wantRoom(codeLimit, discountv1.IneligibilityReason_INELIGIBILITY_REASON_CODE_MAX_REDEMPTIONS_REACHED,
		func(i int) *discountv1.RedeemRequest {
			return &discountv1.RedeemRequest{
				Source:   &discountv1.RedeemRequest_PromotionCode{PromotionCode: l.code.GetName()},
				Customer: &discountv1.Customer{Id: fmt.Sprintf("customer-%d", 1+i%(customers-1))},
				Order:    order,
			}
		})
	l.wantRoom(couponLimit-customerLimit-codeLimit, discountv1.IneligibilityReason_INELIGIBILITY_REASON_COUPON_MAX_REDEMPTIONS_REACHED,
		func(int) *discountv1.RedeemRequest {
			return &discountv1.RedeemRequest{Source: directly, Customer: &discountv1.Customer{Id: "the-last"}, Order: order}
		})
	if n := counted(s.WantAuditClean(l.t, name)); n != couponLimit {
		l.t.Errorf("%d redemptions count, want %d", n, couponLimit)
	}
}

// wantRoom redeems until it is refused, and checks that this is after n times and
// for a reason.
func (l *load) wantRoom(n int, reason discountv1.IneligibilityReason, purchase func(i int) *discountv1.RedeemRequest) {
	l.t.Helper()
	for i := range n + 1 {
		_, err := redemption(purchase(i)).call(harness.Within(l.t), l.services[i%len(l.services)], fmt.Sprintf("%v-%d", reason, i))
		if i < n && err != nil {
			l.t.Errorf("%v: %d of %d could be redeemed, then: %v", reason, i, n, err)
			return
		}
		if i == n && !slices.Contains(reasons(err), reason) {
			l.t.Errorf("%v: %d could be redeemed, then: %v", reason, n, err)
		}
	}
}

// reasons returns why a call was refused.
func reasons(err error) (out []discountv1.IneligibilityReason) {
	if status.Code(err) != codes.FailedPrecondition {
		return nil
	}
	for _, d := range status.Convert(err).Details() {
		if r, ok := d.(*discountv1.RedemptionRefused); ok {
			for _, i := range r.GetIneligibilities() {
				out = append(out, i.GetReason())
			}
		}
	}
	return out
}
