// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package suite

import (
	"context"
	"fmt"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/discountd/discountd/bench/fixture"
	discountv1 "github.com/discountd/discountd/gen/discount/v1"
)

// setupCallers is how many calls are made at once where nothing is measured.
const setupCallers = 32

func dial(address string) (*grpc.ClientConn, error) {
	return grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
}

// concurrently calls do with 0 to n-1, several at a time, until one fails.
func concurrently(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan int)
	var workers sync.WaitGroup
	for range min(n, setupCallers) {
		workers.Go(func() {
			for i := range next {
				if err := do(ctx, i); err != nil {
					cancel(err)
				}
			}
		})
	}
	for i := range n {
		if ctx.Err() != nil {
			break
		}
		next <- i
	}
	close(next)
	workers.Wait()
	return context.Cause(ctx)
}

// createCoupons creates coupons, each with its code, through the API.
func createCoupons(ctx context.Context, address string, all []fixture.Coupon) error {
	conn, err := dial(address)
	if err != nil {
		return err
	}
	defer conn.Close()
	coupons := discountv1.NewCouponServiceClient(conn)
	now := time.Now()
	return concurrently(ctx, len(all), func(ctx context.Context, i int) error {
		c := all[i]
		coupon, err := coupons.CreateCoupon(ctx, &discountv1.CreateCouponRequest{
			CouponId: c.ID, Coupon: fixture.Definition(c, now),
		})
		if err != nil {
			return fmt.Errorf("create coupon %s: %w", c.ID, err)
		}
		if _, err := coupons.CreatePromotionCode(ctx, &discountv1.CreatePromotionCodeRequest{
			Parent: coupon.GetCoupon().GetName(), PromotionCode: fixture.Promotion(c.Code, now),
		}); err != nil {
			return fmt.Errorf("create code %s: %w", c.Code, err)
		}
		return nil
	})
}

// ledgerPage is how many redemptions are listed at once: the most that there may
// be.
const ledgerPage = 1000

// auditService reads counters and ledgers of coupons through the API, as anybody
// could.
func auditService(ctx context.Context, address string, all []fixture.Coupon, a *account) error {
	conn, err := dial(address)
	if err != nil {
		return err
	}
	defer conn.Close()
	coupons := discountv1.NewCouponServiceClient(conn)
	redemptions := discountv1.NewRedemptionServiceClient(conn)
	for _, c := range all {
		name := "coupons/" + c.ID
		coupon, err := coupons.GetCoupon(ctx, &discountv1.GetCouponRequest{Name: name})
		if err != nil {
			return err
		}
		a.counter(c.ID, coupon.GetCoupon().GetTimesRedeemed())
		for token := ""; ; {
			page, err := redemptions.ListRedemptions(ctx, &discountv1.ListRedemptionsRequest{
				Parent: name, PageSize: ledgerPage, PageToken: token,
			}, grpc.MaxCallRecvMsgSize(64<<20))
			if err != nil {
				return err
			}
			for _, r := range page.GetRedemptions() {
				a.visit(c.ID, r.GetRequestId())
			}
			if token = page.GetNextPageToken(); token == "" {
				break
			}
		}
	}
	return nil
}
