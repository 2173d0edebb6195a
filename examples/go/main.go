// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

// A coupon that can be redeemed once is redeemed, and refused the second time.
//
//	go run ./examples/go [address]
package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"log"
	"os"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	discountv1 "github.com/discountd/discountd/gen/discount/v1"
)

func main() {
	address := "127.0.0.1:50051"
	if len(os.Args) > 1 {
		address = os.Args[1]
	}
	if err := run(address); err != nil {
		log.Fatal(err)
	}
}

func run(address string) error {
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	coupons := discountv1.NewCouponServiceClient(conn)
	redemptions := discountv1.NewRedemptionServiceClient(conn)

	// 25 % off, once. Sent again with the same request id, nothing is created
	// twice.
	once := int64(1)
	coupon, err := coupons.CreateCoupon(ctx, &discountv1.CreateCouponRequest{
		RequestId: rand.Text(),
		Coupon: &discountv1.Coupon{
			DisplayName:    "A quarter off",
			Discount:       &discountv1.Coupon_PercentOff{PercentOff: &discountv1.PercentOff{BasisPoints: 2500}},
			MaxRedemptions: &once,
		},
	})
	if err != nil {
		return err
	}

	// No code is given, so one is generated.
	promotion, err := coupons.CreatePromotionCode(ctx, &discountv1.CreatePromotionCodeRequest{
		Parent:        coupon.GetCoupon().GetName(),
		PromotionCode: &discountv1.PromotionCode{},
		RequestId:     rand.Text(),
	})
	if err != nil {
		return err
	}
	code := promotion.GetPromotionCode().GetCode()

	order := &discountv1.Order{
		Id:           "order-1",
		CurrencyCode: "EUR",
		Lines: []*discountv1.OrderLine{
			{ProductId: "shirt", UnitAmountMinor: 2000, Quantity: 2},
			{ProductId: "socks", UnitAmountMinor: 599, Quantity: 1},
		},
	}

	// Is the code good, and for how much?
	validation, err := redemptions.ValidateCode(ctx, &discountv1.ValidateCodeRequest{
		Source: &discountv1.ValidateCodeRequest_Code{Code: code},
		Order:  order,
	})
	if err != nil {
		return err
	}
	fmt.Printf("valid: %t, %d cents off\n",
		validation.GetValid(), validation.GetDiscount().GetTotalAmountMinor())

	// Take it. A retry with the same request id returns the same redemption.
	redeem := &discountv1.RedeemRequest{
		RequestId: rand.Text(),
		Source:    &discountv1.RedeemRequest_Code{Code: code},
		Order:     order,
	}
	redeemed, err := redemptions.Redeem(ctx, redeem)
	if err != nil {
		return err
	}
	fmt.Printf("redeemed: %d cents off\n", redeemed.GetRedemption().GetDiscount().GetTotalAmountMinor())

	// Another request is one redemption too many. The details say why.
	redeem.RequestId = rand.Text()
	_, err = redemptions.Redeem(ctx, redeem)
	for _, detail := range status.Convert(err).Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			fmt.Printf("refused: %s by %s\n", detail.GetReason(), detail.GetDomain())
		case *discountv1.RedemptionRefused:
			for _, reason := range detail.GetIneligibilities() {
				fmt.Printf("because: %s, limit %d\n", reason.GetReason(), reason.GetLimit())
			}
		}
	}
	return nil
}
