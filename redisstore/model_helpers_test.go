// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"context"
	"os"
	"reflect"
	"strconv"
	"testing"
	"time"

	"github.com/discountd/discountd/domain"
)

// longForm chooses between the short form of a test and the long one, which runs
// when the environment has TORTURE.
func longForm[T any](short, long T) T {
	if os.Getenv("TORTURE") != "" {
		return long
	}
	return short
}

// seedOf returns what a test's randomness begins with: SEED from the environment,
// or the time. It is logged, so that a failure can be repeated.
func seedOf(t testing.TB) uint64 {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("SEED"); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("SEED: %v", err)
		}
		seed = n
	}
	t.Logf("SEED=%d", seed)
	return seed
}

// carryOut has a store carry out a command of the specification. Lists are read
// to their ends.
func carryOut(ctx context.Context, s *Store, command domain.Command) domain.Result {
	switch c := command.(type) {
	case domain.CreateCoupon:
		return resultOf(s.CreateCoupon(ctx, c))
	case domain.UpdateCoupon:
		return resultOf(s.UpdateCoupon(ctx, c))
	case domain.DeleteCoupon:
		return resultOf(s.DeleteCoupon(ctx, c))
	case domain.GetCoupon:
		return resultOf(s.Coupon(ctx, c.ID))
	case domain.CouponQuery:
		return allPages(&c.Page, func() (domain.Listing[domain.CouponView], error) { return s.Coupons(ctx, c) })
	case domain.CreatePromotionCode:
		return resultOf(s.CreatePromotionCode(ctx, c))
	case domain.UpdatePromotionCode:
		return resultOf(s.UpdatePromotionCode(ctx, c))
	case domain.ActivatePromotionCode:
		return resultOf(s.ActivatePromotionCode(ctx, c))
	case domain.DeactivatePromotionCode:
		return resultOf(s.DeactivatePromotionCode(ctx, c))
	case domain.DeletePromotionCode:
		return resultOf(s.DeletePromotionCode(ctx, c))
	case domain.GetPromotionCode:
		return resultOf(s.PromotionCode(ctx, c.Name))
	case domain.PromotionCodeQuery:
		return allPages(&c.Page, func() (domain.Listing[domain.PromotionCodeView], error) { return s.PromotionCodes(ctx, c) })
	case domain.ValidateRequest:
		return resultAt(s.Validate(ctx, &c))
	case domain.RedeemRequest:
		return resultAt(s.Redeem(ctx, &c))
	case domain.ReserveRequest:
		return resultAt(s.Reserve(ctx, &c))
	case domain.CommitRedemption:
		return resultAt(s.Commit(ctx, c))
	case domain.ReleaseRedemption:
		return resultAt(s.Release(ctx, c))
	case domain.VoidRedemption:
		return resultAt(s.Void(ctx, c))
	case domain.ApplyRenewal:
		return resultOf(s.ApplyRenewal(ctx, c))
	case domain.EndDiscount:
		return resultAt(s.EndDiscount(ctx, c))
	case domain.GetRedemption:
		return resultAt(s.Redemption(ctx, c.Name))
	case domain.RedemptionQuery:
		return allPages(&c.Page, func() (domain.Listing[domain.Redemption], error) { return s.Redemptions(ctx, c) })
	}
	panic("no store carries out a " + reflect.TypeOf(command).String())
}

// resultAt is resultOf for what is returned as a pointer.
func resultAt[T any](value *T, err error) domain.Result {
	if err != nil {
		return domain.Result{Err: err}
	}
	return domain.Result{Value: *value}
}

func resultOf[T any](value T, err error) domain.Result {
	if err != nil {
		return domain.Result{Err: err}
	}
	return domain.Result{Value: value}
}

// allPages reads a list to its end. page is that of the query which read makes.
func allPages[T any](page *domain.Page, read func() (domain.Listing[T], error)) domain.Result {
	if page.Size == 0 {
		page.Size = 100
	}
	var list domain.Listing[T]
	for {
		l, err := read()
		if err != nil {
			return domain.Result{Err: err}
		}
		list.Items = append(list.Items, l.Items...)
		if page.Token = l.Next; page.Token == "" {
			return domain.Result{Value: list}
		}
	}
}
