// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"time"

	"github.com/discountd/discountd/domain"
	discountv1 "github.com/discountd/discountd/gen/discount/v1"
)

// redemptionService serves discount.v1.RedemptionService. Its reservations are in
// reservations.go, its stream in stream.go, what is for subscriptions in
// subscriptions.go.
type redemptionService struct {
	discountv1.UnimplementedRedemptionServiceServer
	hasher        domain.Hasher
	redemptions   RedemptionStore
	reservations  ReservationStore
	subscriptions SubscriptionStore
	credit        CreditStore

	// crew works on the messages of streams.
	crew *crew
	// within is the time that a message of a stream may take.
	within time.Duration
	// message does what one message of a stream asks for, as a call of its own.
	message func(context.Context, string, func(context.Context) (*discountv1.Redemption, error)) (*discountv1.Redemption, error)
	// stopping ends when the server takes no more calls.
	stopping context.Context
}

func (s *redemptionService) ValidateCode(ctx context.Context, req *discountv1.ValidateCodeRequest) (*discountv1.ValidateCodeResponse, error) {
	return call(ctx, s.hasher, req, readValidateCode, s.redemptions.Validate, writeEvaluation)
}

func readValidateCode(r *reader, req *discountv1.ValidateCodeRequest) *domain.ValidateRequest {
	if d := req.GetMaxStaleness(); d != nil && (d.CheckValid() != nil || d.AsDuration() < 0) {
		r.add("max_staleness", "must be a duration of 0 or more")
	}
	out := &domain.ValidateRequest{MaxStaleness: req.GetMaxStaleness().AsDuration()}
	readPurchase(r, out, req.GetSource(), req)
	return out
}

func (s *redemptionService) Redeem(ctx context.Context, req *discountv1.RedeemRequest) (*discountv1.RedeemResponse, error) {
	return call(ctx, s.hasher, req, readRedeem, s.redemptions.Redeem,
		func(x *domain.Redemption) *discountv1.RedeemResponse {
			return &discountv1.RedeemResponse{Redemption: writeRedemption(x)}
		})
}

func readRedeem(r *reader, req *discountv1.RedeemRequest) *domain.RedeemRequest {
	out := &domain.RedeemRequest{RequestID: r.requestID(req.GetRequestId(), true)}
	readPurchase(r, &out.ValidateRequest, req.GetSource(), req)
	return out
}

// maxReasonLength bounds the reason of a void, in characters.
const maxReasonLength = 200

func (s *redemptionService) VoidRedemption(ctx context.Context, req *discountv1.VoidRedemptionRequest) (*discountv1.VoidRedemptionResponse, error) {
	return call(ctx, s.hasher, req, readVoidRedemption, s.redemptions.Void,
		func(x *domain.Redemption) *discountv1.VoidRedemptionResponse {
			return &discountv1.VoidRedemptionResponse{Redemption: writeRedemption(x)}
		})
}

func readVoidRedemption(r *reader, req *discountv1.VoidRedemptionRequest) domain.VoidRedemption {
	domain.CheckText(req.GetReason(), 0, maxReasonLength, &r.violations, "reason")
	return domain.VoidRedemption{
		RequestID: r.requestID(req.GetRequestId(), true),
		Name:      read(r, "name", req.GetName(), domain.ParseRedemptionName),
		Amount:    r.amount("amount_minor", req.AmountMinor, 1),
		Reason:    req.GetReason(),
	}
}

func (s *redemptionService) GetRedemption(ctx context.Context, req *discountv1.GetRedemptionRequest) (*discountv1.GetRedemptionResponse, error) {
	return call(ctx, s.hasher, req, readGetRedemption, s.redemptions.Redemption,
		func(x *domain.Redemption) *discountv1.GetRedemptionResponse {
			return &discountv1.GetRedemptionResponse{Redemption: writeRedemption(x)}
		})
}

func readGetRedemption(r *reader, req *discountv1.GetRedemptionRequest) domain.RedemptionName {
	return read(r, "name", req.GetName(), domain.ParseRedemptionName)
}

func (s *redemptionService) ListRedemptions(ctx context.Context, req *discountv1.ListRedemptionsRequest) (*discountv1.ListRedemptionsResponse, error) {
	return call(ctx, s.hasher, req, readListRedemptions, s.redemptions.Redemptions,
		func(l domain.Listing[domain.Redemption]) *discountv1.ListRedemptionsResponse {
			return &discountv1.ListRedemptionsResponse{
				Redemptions:   eachOf(l.Items, writeRedemption),
				NextPageToken: writePageToken(req, l.Next),
			}
		})
}

func readListRedemptions(r *reader, req *discountv1.ListRedemptionsRequest) domain.RedemptionQuery {
	query := domain.RedemptionQuery{
		Page:       r.page(req),
		CustomerID: r.callerID("customer_id", req.GetCustomerId()),
		EmailHash:  r.email("customer_email", req.GetCustomerEmail()),
		OrderID:    r.callerID("order_id", req.GetOrderId()),
		State:      readRedemptionState(r, "state", req.GetState()),
		// Redemptions are made at whole milliseconds. The bounds keep the rest of
		// theirs, or one just before a bound would count as at it.
		CreatedAfter:  r.exactTime("created_after", req.GetCreatedAfter()),
		CreatedBefore: r.exactTime("created_before", req.GetCreatedBefore()),
	}
	ofAny := req.GetParent() == domain.CouponID(anyCoupon).String()
	if !ofAny {
		query.Coupon = read(r, "parent", req.GetParent(), domain.ParseCouponName)
	}
	code := readIfGiven(r, "promotion_code", req.GetPromotionCode(), domain.ParsePromotionCodeName)
	if ofAny {
		query.Coupon = code.Coupon
	} else if code.Coupon != "" && code.Coupon != query.Coupon {
		r.add("promotion_code", "must be of the coupon that parent names")
	}
	query.PromotionCode = code.ID
	return query
}
