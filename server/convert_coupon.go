// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"github.com/discountd/discountd/domain"
	discountv1 "github.com/discountd/discountd/gen/discount/v1"
)

// readCoupon reads what a caller decides about a coupon, its id aside.
func readCoupon(r *reader, path string, c *discountv1.Coupon) domain.Coupon {
	return domain.Coupon{
		DisplayName:               c.GetDisplayName(),
		Terms:                     readTerms(r, path, c),
		Duration:                  readEnum[domain.Duration](r, path+"duration", c.GetDuration()),
		DurationInMonths:          r.count(path+"duration_in_months", c.DurationInMonths),
		DurationInCycles:          r.count(path+"duration_in_cycles", c.DurationInCycles),
		Exclusive:                 c.GetExclusive(),
		MaxRedemptions:            c.MaxRedemptions,
		MaxRedemptionsPerCustomer: c.MaxRedemptionsPerCustomer,
		PeriodLimits:              eachAt(r, path+"period_limits", c.GetPeriodLimits(), readPeriodLimit),
		Budgets:                   eachAt(r, path+"budgets", c.GetBudgets(), readBudget),
		StartsAt:                  r.time(path+"starts_at", c.GetStartsAt()),
		RedeemBy:                  r.time(path+"redeem_by", c.GetRedeemBy()),
		Metadata:                  c.GetMetadata(),
	}
}

func writeCoupon(v domain.CouponView) *discountv1.Coupon {
	state := discountv1.CouponState_COUPON_STATE_ACTIVE
	if v.Deleted {
		state = discountv1.CouponState_COUPON_STATE_DELETED
	}
	c := &discountv1.Coupon{
		Name:                      v.ID.String(),
		DisplayName:               v.DisplayName,
		Duration:                  discountv1.DiscountDuration(v.Duration),
		DurationInMonths:          positive(v.DurationInMonths),
		DurationInCycles:          positive(v.DurationInCycles),
		Exclusive:                 v.Exclusive,
		MaxRedemptions:            v.MaxRedemptions,
		MaxRedemptionsPerCustomer: v.MaxRedemptionsPerCustomer,
		PeriodLimits:              each(v.PeriodLimits, writePeriodLimit),
		Budgets:                   writeBudgets(&v.CouponSnapshot),
		StartsAt:                  writeTime(v.StartsAt),
		RedeemBy:                  writeTime(v.RedeemBy),
		Metadata:                  v.Metadata,
		TimesRedeemed:             v.Redeemed,
		Valid:                     v.Valid,
		State:                     state,
		CreateTime:                writeTime(v.CreateTime),
		UpdateTime:                writeTime(v.UpdateTime),
		Etag:                      writeETag(v.Version),
	}
	writeTerms(&v.Terms, c)
	return c
}
