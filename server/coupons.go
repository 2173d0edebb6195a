// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"

	"github.com/discountd/discountd/domain"
	discountv1 "github.com/discountd/discountd/gen/discount/v1"
)

// couponService serves discount.v1.CouponService. Its promotion codes are in
// promotion_codes.go.
type couponService struct {
	discountv1.UnimplementedCouponServiceServer
	hasher         domain.Hasher
	coupons        CouponStore
	promotionCodes PromotionCodeStore
	activator      PromotionCodeActivator
}

func (s *couponService) CreateCoupon(ctx context.Context, req *discountv1.CreateCouponRequest) (*discountv1.CreateCouponResponse, error) {
	return call(ctx, s.hasher, req, readCreateCoupon, s.coupons.CreateCoupon,
		func(c domain.CouponView) *discountv1.CreateCouponResponse {
			return &discountv1.CreateCouponResponse{Coupon: writeCoupon(c)}
		})
}

func readCreateCoupon(r *reader, req *discountv1.CreateCouponRequest) domain.CreateCoupon {
	command := domain.CreateCoupon{RequestID: r.requestID(req.GetRequestId(), false)}
	if required(r, "coupon", req.GetCoupon()) {
		command.Coupon = readCoupon(r, "coupon.", req.GetCoupon())
		command.Coupon.Check(&r.violations, "coupon.")
	}
	command.Coupon.ID = readIfGiven(r, "coupon_id", req.GetCouponId(), domain.ParseCouponID)
	if command.Coupon.ID == anyCoupon {
		r.add("coupon_id", "must not be %q, which stands for any coupon", anyCoupon)
	}
	return command
}

func (s *couponService) GetCoupon(ctx context.Context, req *discountv1.GetCouponRequest) (*discountv1.GetCouponResponse, error) {
	return call(ctx, s.hasher, req, readGetCoupon, s.coupons.Coupon,
		func(c domain.CouponView) *discountv1.GetCouponResponse {
			return &discountv1.GetCouponResponse{Coupon: writeCoupon(c)}
		})
}

func readGetCoupon(r *reader, req *discountv1.GetCouponRequest) domain.CouponID {
	return read(r, "name", req.GetName(), domain.ParseCouponName)
}

func (s *couponService) UpdateCoupon(ctx context.Context, req *discountv1.UpdateCouponRequest) (*discountv1.UpdateCouponResponse, error) {
	return call(ctx, s.hasher, req, readUpdateCoupon, s.coupons.UpdateCoupon,
		func(c domain.CouponView) *discountv1.UpdateCouponResponse {
			return &discountv1.UpdateCouponResponse{Coupon: writeCoupon(c)}
		})
}

func readUpdateCoupon(r *reader, req *discountv1.UpdateCouponRequest) domain.UpdateCoupon {
	command := domain.UpdateCoupon{RequestID: r.requestID(req.GetRequestId(), false)}
	r.updateMask(req.GetUpdateMask(), map[string]*bool{
		"display_name":                 &command.Set.DisplayName,
		"metadata":                     &command.Set.Metadata,
		"max_redemptions":              &command.Set.MaxRedemptions,
		"max_redemptions_per_customer": &command.Set.MaxRedemptionsPerCustomer,
		"period_limits":                &command.Set.PeriodLimits,
		"budgets":                      &command.Set.Budgets,
	})
	if c := req.GetCoupon(); required(r, "coupon", c) {
		command.ID = read(r, "coupon.name", c.GetName(), domain.ParseCouponName)
		command.Version = readIfGiven(r, "coupon.etag", c.GetEtag(), parseETag)
		command.DisplayName = c.GetDisplayName()
		command.Metadata = c.GetMetadata()
		command.MaxRedemptions = c.MaxRedemptions
		command.MaxRedemptionsPerCustomer = c.MaxRedemptionsPerCustomer
		if command.Set.PeriodLimits {
			command.PeriodLimits = eachAt(r, "coupon.period_limits", c.GetPeriodLimits(), readPeriodLimit)
		}
		if command.Set.Budgets {
			command.Budgets = eachAt(r, "coupon.budgets", c.GetBudgets(), readBudget)
		}
		command.Check(&r.violations, "coupon.")
	}
	return command
}

func (s *couponService) DeleteCoupon(ctx context.Context, req *discountv1.DeleteCouponRequest) (*discountv1.DeleteCouponResponse, error) {
	return call(ctx, s.hasher, req, readDeleteCoupon, s.coupons.DeleteCoupon,
		func(c domain.CouponView) *discountv1.DeleteCouponResponse {
			return &discountv1.DeleteCouponResponse{Coupon: writeCoupon(c)}
		})
}

func readDeleteCoupon(r *reader, req *discountv1.DeleteCouponRequest) domain.DeleteCoupon {
	return domain.DeleteCoupon{
		RequestID: r.requestID(req.GetRequestId(), false),
		ID:        read(r, "name", req.GetName(), domain.ParseCouponName),
		Version:   readIfGiven(r, "etag", req.GetEtag(), parseETag),
	}
}

func (s *couponService) ListCoupons(ctx context.Context, req *discountv1.ListCouponsRequest) (*discountv1.ListCouponsResponse, error) {
	return call(ctx, s.hasher, req, readListCoupons, s.coupons.Coupons,
		func(l domain.Listing[domain.CouponView]) *discountv1.ListCouponsResponse {
			return &discountv1.ListCouponsResponse{
				Coupons:       each(l.Items, writeCoupon),
				NextPageToken: writePageToken(req, l.Next),
			}
		})
}

func readListCoupons(r *reader, req *discountv1.ListCouponsRequest) domain.CouponQuery {
	return domain.CouponQuery{Page: r.page(req), ShowDeleted: req.GetShowDeleted()}
}
