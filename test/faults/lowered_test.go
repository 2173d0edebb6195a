// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"fmt"
	"slices"
	"testing"

	"google.golang.org/protobuf/types/known/fieldmaskpb"

	discountv1 "github.com/discountd/discountd/gen/discount/v1"
	"github.com/discountd/discountd/internal/privateredis"
	"github.com/discountd/discountd/internal/redistest"
	"github.com/discountd/discountd/test/internal/harness"
)

// loweredLimit is a kind of limit, how it is set on a coupon or on a promotion code,
// and what a caller is told who finds it reached.
type loweredLimit struct {
	field  string
	coupon func(*discountv1.Coupon, int64)
	code   func(*discountv1.PromotionCode, int64)
	reason discountv1.IneligibilityReason
}

var loweredLimits = map[string]loweredLimit{
	"of the coupon": {
		field:  "max_redemptions",
		coupon: func(c *discountv1.Coupon, n int64) { c.MaxRedemptions = &n },
		reason: discountv1.IneligibilityReason_INELIGIBILITY_REASON_COUPON_MAX_REDEMPTIONS_REACHED,
	},
	"per customer": {
		field:  "max_redemptions_per_customer",
		coupon: func(c *discountv1.Coupon, n int64) { c.MaxRedemptionsPerCustomer = &n },
		reason: discountv1.IneligibilityReason_INELIGIBILITY_REASON_CUSTOMER_MAX_REDEMPTIONS_REACHED,
	},
	"per month": {
		field: "period_limits",
		coupon: func(c *discountv1.Coupon, n int64) {
			c.PeriodLimits = []*discountv1.PeriodLimit{{Period: discountv1.Period_PERIOD_MONTH, MaxRedemptions: n}}
		},
		reason: discountv1.IneligibilityReason_INELIGIBILITY_REASON_PERIOD_LIMIT_REACHED,
	},
	"of the budget": {
		field: "budgets",
		coupon: func(c *discountv1.Coupon, n int64) {
			c.Budgets = []*discountv1.Budget{{Limit: &discountv1.Money{CurrencyCode: "EUR", AmountMinor: n * 500}}}
		},
		reason: discountv1.IneligibilityReason_INELIGIBILITY_REASON_BUDGET_EXHAUSTED,
	},
	"of the code": {
		field:  "max_redemptions",
		code:   func(p *discountv1.PromotionCode, n int64) { p.MaxRedemptions = &n },
		reason: discountv1.IneligibilityReason_INELIGIBILITY_REASON_CODE_MAX_REDEMPTIONS_REACHED,
	},
	"of the code per customer": {
		field:  "max_redemptions_per_customer",
		code:   func(p *discountv1.PromotionCode, n int64) { p.MaxRedemptionsPerCustomer = &n },
		reason: discountv1.IneligibilityReason_INELIGIBILITY_REASON_CUSTOMER_MAX_REDEMPTIONS_REACHED,
	},
}

// create makes a coupon and a promotion code with a limit of n.
func (k *loweredLimit) create(t *testing.T, s *harness.Service, n int64) (*discountv1.Coupon, *discountv1.PromotionCode) {
	t.Helper()
	c := &discountv1.Coupon{Discount: &discountv1.Coupon_PercentOff{PercentOff: &discountv1.PercentOff{BasisPoints: 1_000}}}
	p := &discountv1.PromotionCode{}
	if k.code != nil {
		k.code(p, n)
	} else {
		k.coupon(c, n)
	}
	coupon, err := s.CreateCoupon(harness.Within(t), &discountv1.CreateCouponRequest{Coupon: c})
	if err != nil {
		t.Fatal(err)
	}
	code, err := s.CreatePromotionCode(harness.Within(t), &discountv1.CreatePromotionCodeRequest{
		Parent: coupon.GetCoupon().GetName(), PromotionCode: p,
	})
	if err != nil {
		t.Fatal(err)
	}
	return coupon.GetCoupon(), code.GetPromotionCode()
}

// set changes the limit to n.
func (k *loweredLimit) set(t *testing.T, s *harness.Service, c *discountv1.Coupon, p *discountv1.PromotionCode, n int64) {
	t.Helper()
	mask := &fieldmaskpb.FieldMask{Paths: []string{k.field}}
	var err error
	if k.code != nil {
		changed := &discountv1.PromotionCode{Name: p.GetName()}
		k.code(changed, n)
		_, err = s.UpdatePromotionCode(harness.Within(t), &discountv1.UpdatePromotionCodeRequest{PromotionCode: changed, UpdateMask: mask})
	} else {
		changed := &discountv1.Coupon{Name: c.GetName()}
		k.coupon(changed, n)
		_, err = s.UpdateCoupon(harness.Within(t), &discountv1.UpdateCouponRequest{Coupon: changed, UpdateMask: mask})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestFault15NoSlotReopensAboveALoweredLimit lowers each kind of limit below what is
// used and gives uses back one by one.
func TestFault15NoSlotReopensAboveALoweredLimit(t *testing.T) {
	t.Parallel()
	s := harness.StartProcesses(t, 1, redistest.Fresh(t, privateredis.Config{}).URL())[0].Service
	const before, lowered = 5, 3
	for what, k := range loweredLimits {
		t.Run(what, func(t *testing.T) {
			c, p := k.create(t, s, before)
			purchase := buying(c)
			purchase.Source = &discountv1.RedeemRequest_PromotionCode{PromotionCode: p.GetName()}
			n := 0
			next := func() (*discountv1.Redemption, error) {
				n++
				return redemption(purchase).call(harness.Within(t), s, fmt.Sprintf("%s-%d", what, n))
			}
			var used []*discountv1.Redemption
			for range before {
				r, err := next()
				if err != nil {
					t.Fatal(err)
				}
				used = append(used, r)
			}
			k.set(t, s, c, p, lowered)
			for left := before; left >= lowered; left-- {
				if _, err := next(); !slices.Contains(reasons(err), k.reason) {
					t.Fatalf("with %d of %d used: %v", left, lowered, err)
				}
				must(t, s, voidOf(used[left-1].GetName(), nil), fmt.Sprintf("%s-void-%d", what, left))
			}
			if _, err := next(); err != nil {
				t.Errorf("with %d of %d used: %v", lowered-1, lowered, err)
			}
			if _, err := next(); !slices.Contains(reasons(err), k.reason) {
				t.Errorf("a second slot was open: %v", err)
			}
			if n := counted(s.WantAuditClean(t, c.GetName())); n != lowered {
				t.Errorf("%d count, want %d", n, lowered)
			}
		})
	}
}
