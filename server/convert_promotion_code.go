// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"github.com/discountd/discountd/domain"
	discountv1 "github.com/discountd/discountd/gen/discount/v1"
)

// readPromotionCode reads what a caller decides about a promotion code.
func readPromotionCode(r *reader, path string, p *discountv1.PromotionCode) domain.PromotionCode {
	return domain.PromotionCode{
		Code:       readIfGiven(r, path+"code", p.GetCode(), domain.ParseCode),
		CustomerID: p.GetCustomerId(),
		EmailHash:  r.email(path+"customer_email", p.GetCustomerEmail()),
		Restrictions: domain.Restrictions{
			FirstTimeTransaction: p.GetRestrictions().GetFirstTimeTransaction(),
			MinimumAmounts:       each(p.GetRestrictions().GetMinimumAmounts(), readMoney),
		},
		MaxRedemptions:            p.MaxRedemptions,
		MaxRedemptionsPerCustomer: p.MaxRedemptionsPerCustomer,
		PeriodLimits:              eachAt(r, path+"period_limits", p.GetPeriodLimits(), readPeriodLimit),
		StartsAt:                  r.time(path+"starts_at", p.GetStartsAt()),
		ExpiresAt:                 r.time(path+"expires_at", p.GetExpiresAt()),
		Metadata:                  p.GetMetadata(),
	}
}

func writePromotionCode(v domain.PromotionCodeView) *discountv1.PromotionCode {
	return &discountv1.PromotionCode{
		Name:       v.Name.String(),
		Code:       v.Code.String(),
		CustomerId: v.CustomerID,
		EmailBound: v.EmailHash != "",
		Restrictions: unlessEmpty(&discountv1.PromotionCodeRestrictions{
			FirstTimeTransaction: v.Restrictions.FirstTimeTransaction,
			MinimumAmounts:       each(v.Restrictions.MinimumAmounts, writeMoney),
		}),
		MaxRedemptions:            v.MaxRedemptions,
		MaxRedemptionsPerCustomer: v.MaxRedemptionsPerCustomer,
		PeriodLimits:              each(v.PeriodLimits, writePeriodLimit),
		StartsAt:                  writeTime(v.StartsAt),
		ExpiresAt:                 writeTime(v.ExpiresAt),
		Metadata:                  v.Metadata,
		Active:                    v.Status == domain.StatusActive || v.Status == domain.StatusScheduled,
		Status:                    discountv1.PromotionCodeStatus(v.Status),
		TimesRedeemed:             v.Redeemed,
		CreateTime:                writeTime(v.CreateTime),
		UpdateTime:                writeTime(v.UpdateTime),
		Etag:                      writeETag(v.Version),
	}
}
