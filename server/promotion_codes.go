// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"

	"github.com/discountd/discountd/domain"
	discountv1 "github.com/discountd/discountd/gen/discount/v1"
)

// anyCoupon stands for any coupon in the parent of a list.
const anyCoupon = "-"

func (s *couponService) CreatePromotionCode(ctx context.Context, req *discountv1.CreatePromotionCodeRequest) (*discountv1.CreatePromotionCodeResponse, error) {
	return call(ctx, s.hasher, req, readCreatePromotionCode, s.promotionCodes.CreatePromotionCode,
		func(p domain.PromotionCodeView) *discountv1.CreatePromotionCodeResponse {
			return &discountv1.CreatePromotionCodeResponse{PromotionCode: writePromotionCode(p)}
		})
}

func readCreatePromotionCode(r *reader, req *discountv1.CreatePromotionCodeRequest) domain.CreatePromotionCode {
	command := domain.CreatePromotionCode{RequestID: r.requestID(req.GetRequestId(), false)}
	if required(r, "promotion_code", req.GetPromotionCode()) {
		command.PromotionCode = readPromotionCode(r, "promotion_code.", req.GetPromotionCode())
		command.PromotionCode.Check(&r.violations, "promotion_code.")
		command.AsCard = asCard(r.hasher, &command.PromotionCode)
	}
	command.PromotionCode.Name.Coupon = read(r, "parent", req.GetParent(), domain.ParseCouponName)
	return command
}

func (s *couponService) GetPromotionCode(ctx context.Context, req *discountv1.GetPromotionCodeRequest) (*discountv1.GetPromotionCodeResponse, error) {
	return call(ctx, s.hasher, req, readGetPromotionCode, s.promotionCodes.PromotionCode,
		func(p domain.PromotionCodeView) *discountv1.GetPromotionCodeResponse {
			return &discountv1.GetPromotionCodeResponse{PromotionCode: writePromotionCode(p)}
		})
}

func readGetPromotionCode(r *reader, req *discountv1.GetPromotionCodeRequest) domain.PromotionCodeName {
	return read(r, "name", req.GetName(), domain.ParsePromotionCodeName)
}

func (s *couponService) UpdatePromotionCode(ctx context.Context, req *discountv1.UpdatePromotionCodeRequest) (*discountv1.UpdatePromotionCodeResponse, error) {
	return call(ctx, s.hasher, req, readUpdatePromotionCode, s.promotionCodes.UpdatePromotionCode,
		func(p domain.PromotionCodeView) *discountv1.UpdatePromotionCodeResponse {
			return &discountv1.UpdatePromotionCodeResponse{PromotionCode: writePromotionCode(p)}
		})
}

func readUpdatePromotionCode(r *reader, req *discountv1.UpdatePromotionCodeRequest) domain.UpdatePromotionCode {
	command := domain.UpdatePromotionCode{RequestID: r.requestID(req.GetRequestId(), false)}
	r.updateMask(req.GetUpdateMask(), map[string]*bool{
		"metadata":                     &command.Set.Metadata,
		"max_redemptions":              &command.Set.MaxRedemptions,
		"max_redemptions_per_customer": &command.Set.MaxRedemptionsPerCustomer,
		"period_limits":                &command.Set.PeriodLimits,
		"restrictions.minimum_amounts": &command.Set.MinimumAmounts,
	})
	if p := req.GetPromotionCode(); required(r, "promotion_code", p) {
		command.Name = read(r, "promotion_code.name", p.GetName(), domain.ParsePromotionCodeName)
		command.Version = readIfGiven(r, "promotion_code.etag", p.GetEtag(), parseETag)
		command.Metadata = p.GetMetadata()
		command.MinimumAmounts = each(p.GetRestrictions().GetMinimumAmounts(), readMoney)
		command.MaxRedemptions = p.MaxRedemptions
		command.MaxRedemptionsPerCustomer = p.MaxRedemptionsPerCustomer
		if command.Set.PeriodLimits {
			command.PeriodLimits = eachAt(r, "promotion_code.period_limits", p.GetPeriodLimits(), readPeriodLimit)
		}
		command.Check(&r.violations, "promotion_code.")
	}
	return command
}

func (s *couponService) ActivatePromotionCode(ctx context.Context, req *discountv1.ActivatePromotionCodeRequest) (*discountv1.ActivatePromotionCodeResponse, error) {
	return call(ctx, s.hasher, req, readActivatePromotionCode, s.activate,
		func(p domain.PromotionCodeView) *discountv1.ActivatePromotionCodeResponse {
			return &discountv1.ActivatePromotionCodeResponse{PromotionCode: writePromotionCode(p)}
		})
}

// activate has a promotion code activated. The store is told by which hash a gift card
// would have its code, and only the promotion code knows the code, which never changes.
func (s *couponService) activate(ctx context.Context, command domain.ActivatePromotionCode) (domain.PromotionCodeView, error) {
	p, err := s.promotionCodes.PromotionCode(ctx, command.Name)
	if err != nil {
		return domain.PromotionCodeView{}, err
	}
	command.AsCard = asCard(s.hasher, &p.PromotionCode)
	return s.activator.ActivatePromotionCode(ctx, command)
}

func readActivatePromotionCode(r *reader, req *discountv1.ActivatePromotionCodeRequest) domain.ActivatePromotionCode {
	return domain.ActivatePromotionCode{
		RequestID: r.requestID(req.GetRequestId(), false),
		Name:      read(r, "name", req.GetName(), domain.ParsePromotionCodeName),
	}
}

func (s *couponService) DeactivatePromotionCode(ctx context.Context, req *discountv1.DeactivatePromotionCodeRequest) (*discountv1.DeactivatePromotionCodeResponse, error) {
	return call(ctx, s.hasher, req, readDeactivatePromotionCode, s.activator.DeactivatePromotionCode,
		func(p domain.PromotionCodeView) *discountv1.DeactivatePromotionCodeResponse {
			return &discountv1.DeactivatePromotionCodeResponse{PromotionCode: writePromotionCode(p)}
		})
}

func readDeactivatePromotionCode(r *reader, req *discountv1.DeactivatePromotionCodeRequest) domain.DeactivatePromotionCode {
	return domain.DeactivatePromotionCode{
		RequestID: r.requestID(req.GetRequestId(), false),
		Name:      read(r, "name", req.GetName(), domain.ParsePromotionCodeName),
	}
}

func (s *couponService) DeletePromotionCode(ctx context.Context, req *discountv1.DeletePromotionCodeRequest) (*discountv1.DeletePromotionCodeResponse, error) {
	return call(ctx, s.hasher, req, readDeletePromotionCode, s.promotionCodes.DeletePromotionCode,
		func(p domain.PromotionCodeView) *discountv1.DeletePromotionCodeResponse {
			return &discountv1.DeletePromotionCodeResponse{PromotionCode: writePromotionCode(p)}
		})
}

func readDeletePromotionCode(r *reader, req *discountv1.DeletePromotionCodeRequest) domain.DeletePromotionCode {
	return domain.DeletePromotionCode{
		RequestID: r.requestID(req.GetRequestId(), false),
		Name:      read(r, "name", req.GetName(), domain.ParsePromotionCodeName),
	}
}

func (s *couponService) ListPromotionCodes(ctx context.Context, req *discountv1.ListPromotionCodesRequest) (*discountv1.ListPromotionCodesResponse, error) {
	return call(ctx, s.hasher, req, readListPromotionCodes, s.promotionCodes.PromotionCodes,
		func(l domain.Listing[domain.PromotionCodeView]) *discountv1.ListPromotionCodesResponse {
			return &discountv1.ListPromotionCodesResponse{
				PromotionCodes: each(l.Items, writePromotionCode),
				NextPageToken:  writePageToken(req, l.Next),
			}
		})
}

func readListPromotionCodes(r *reader, req *discountv1.ListPromotionCodesRequest) domain.PromotionCodeQuery {
	query := domain.PromotionCodeQuery{
		Page:        r.page(req),
		Code:        readIfGiven(r, "code", req.GetCode(), domain.ParseCode),
		CustomerID:  r.callerID("customer_id", req.GetCustomerId()),
		Active:      req.Active,
		ShowDeleted: req.GetShowDeleted(),
	}
	if req.GetParent() != domain.CouponID(anyCoupon).String() {
		query.Coupon = read(r, "parent", req.GetParent(), domain.ParseCouponName)
	} else if req.GetCode() == "" && req.GetCustomerId() == "" {
		r.add("parent", "must name one coupon when neither code nor customer_id is given")
	}
	return query
}
