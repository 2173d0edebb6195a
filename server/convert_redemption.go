// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"fmt"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/discountd/discountd/domain"
	discountv1 "github.com/discountd/discountd/gen/discount/v1"
)

// sourced is a request that says in a oneof what to redeem.
type sourced interface {
	GetCode() string
	GetPromotionCode() string
	GetCoupon() string
}

// readSource reads the oneof of req. A code is passed on as it is: what is wrong
// with it is an ineligibility and not a bad field.
func readSource(r *reader, oneof any, req sourced) domain.Source {
	switch oneof.(type) {
	case *discountv1.ValidateCodeRequest_Code, *discountv1.RedeemRequest_Code, *discountv1.ReserveRedemptionRequest_Code:
		return domain.Source{Code: req.GetCode(), Hash: r.codeHash(req.GetCode())}
	case *discountv1.ValidateCodeRequest_PromotionCode, *discountv1.RedeemRequest_PromotionCode, *discountv1.ReserveRedemptionRequest_PromotionCode:
		return domain.Source{PromotionCode: read(r, "promotion_code", req.GetPromotionCode(), domain.ParsePromotionCodeName)}
	case *discountv1.ValidateCodeRequest_Coupon, *discountv1.RedeemRequest_Coupon, *discountv1.ReserveRedemptionRequest_Coupon:
		return domain.Source{Coupon: read(r, "coupon", req.GetCoupon(), domain.ParseCouponName)}
	default:
		r.add("source", "is required: exactly one of code, promotion_code and coupon")
		return domain.Source{}
	}
}

// purchase is a request that says who buys what with which source.
type purchase interface {
	sourced
	GetCustomer() *discountv1.Customer
	GetOrder() *discountv1.Order
	GetContext() discountv1.UseContext
	GetSubscriptionId() string
	GetPlanTrialDays() int32
}

// readPurchase reads what requests for redemptions have in common into out.
func readPurchase(r *reader, out *domain.ValidateRequest, source any, req purchase) {
	out.Source = readSource(r, source, req)
	out.Customer = readCustomer(r, "customer.", req.GetCustomer())
	out.Order = readOrder(r, "order.", req.GetOrder())
	out.Context = readEnum[domain.UseContext](r, "context", req.GetContext())
	out.SubscriptionID = req.GetSubscriptionId()
	out.PlanTrialDays = req.GetPlanTrialDays()
	out.Check(&r.violations, "")
}

func writeEvaluation(e *domain.Evaluation) *discountv1.ValidateCodeResponse {
	answer := &discountv1.ValidateCodeResponse{
		Valid:           e.Valid(),
		Discount:        writeAppliedDiscount(e.Discount),
		Ineligibilities: each(e.Ineligibilities, writeIneligibility),
		AsOf:            writeTime(e.AsOf),
		Exclusive:       e.Exclusive,
	}
	if e.Coupon != "" {
		answer.Coupon = e.Coupon.String()
	}
	if e.PromotionCode != "" {
		answer.PromotionCode = domain.PromotionCodeName{Coupon: e.Coupon, ID: e.PromotionCode}.String()
	}
	return answer
}

func writeRedemption(x *domain.Redemption) *discountv1.Redemption {
	answer := &discountv1.Redemption{
		Name:              x.Name.String(),
		State:             writeRedemptionState(x.State),
		RequestId:         x.RequestID,
		CustomerId:        x.CustomerID,
		EmailBound:        x.EmailHash != "",
		OrderId:           x.OrderID,
		Discount:          writeAppliedDiscount(x.Discount),
		CreateTime:        writeTime(x.CreateTime),
		CouponEtag:        writeETag(x.CouponVersion),
		PromotionCodeEtag: writeETag(x.PromotionCodeVersion),
		ExpireTime:        writeTime(x.ExpireTime),
		CommitTime:        writeTime(x.CommitTime),
		ReleaseTime:       writeTime(x.ReleaseTime),
		VoidedAmountMinor: x.VoidedAmountMinor,
		Voids:             each(x.Voids, writeVoid),
		Context:           writeContext(x.Context),

		SubscriptionDiscount: writeSubscriptionDiscount(x),
	}
	if x.PromotionCode != "" {
		answer.PromotionCode = domain.PromotionCodeName{Coupon: x.Name.Coupon, ID: x.PromotionCode}.String()
	}
	return answer
}

func writeVoid(v domain.Void) *discountv1.RedemptionVoid {
	return &discountv1.RedemptionVoid{
		AmountMinor: v.AmountMinor,
		Reason:      v.Reason,
		RequestId:   v.RequestID,
		CreateTime:  writeTime(v.Time),
	}
}

// redemptionStates has the states by their numbers in the API; the first is none.
var redemptionStates = [...]domain.RedemptionState{
	discountv1.RedemptionState_REDEMPTION_STATE_RESERVED: domain.RedemptionReserved,
	discountv1.RedemptionState_REDEMPTION_STATE_REDEEMED: domain.RedemptionRedeemed,
	discountv1.RedemptionState_REDEMPTION_STATE_RELEASED: domain.RedemptionReleased,
	discountv1.RedemptionState_REDEMPTION_STATE_EXPIRED:  domain.RedemptionExpired,
	discountv1.RedemptionState_REDEMPTION_STATE_VOIDED:   domain.RedemptionVoided,
}

func readRedemptionState(r *reader, field string, s discountv1.RedemptionState) domain.RedemptionState {
	if !r.known(field, s) {
		return 0
	}
	return redemptionStates[s]
}

func writeRedemptionState(s domain.RedemptionState) discountv1.RedemptionState {
	for number, state := range redemptionStates {
		if state == s && number > 0 {
			return discountv1.RedemptionState(number)
		}
	}
	panic(fmt.Sprintf("server: a redemption is in state %q", s))
}

// writeIneligibility gives each reason the parameters that belong to it.
func writeIneligibility(i domain.Ineligibility) *discountv1.Ineligibility {
	answer := &discountv1.Ineligibility{
		Reason:    discountv1.IneligibilityReason(i.Reason),
		Message:   i.String(),
		Retryable: i.Retryable(),
	}
	switch i.Reason {
	case domain.NotYetActive:
		answer.StartsAt = writeTime(i.At)
	case domain.CodeExpired:
		answer.ExpiresAt = writeTime(i.At)
	case domain.CouponExpired:
		answer.RedeemBy = writeTime(i.At)
	case domain.MinimumAmountNotMet:
		answer.RequiredAmount, answer.ActualAmount = writeMoney(i.Required), writeMoney(i.Actual)
	case domain.MinimumQuantityNotMet, domain.MaximumQuantityExceeded:
		answer.RequiredQuantity, answer.ActualQuantity = &i.RequiredQuantity, &i.ActualQuantity
	case domain.CodeMaxRedemptionsReached, domain.CouponMaxRedemptionsReached, domain.CustomerMaxRedemptionsReached:
		answer.Limit = &i.Limit
	case domain.PeriodLimitReached:
		answer.Limit, answer.ResetsAt = &i.Limit, writeTime(i.At)
	case domain.FullyReserved:
		answer.RetryAfter = durationpb.New(i.RetryAfter)
	case domain.BudgetInsufficient:
		answer.Remaining = writeMoney(i.Remaining)
	case domain.SubscriptionAlreadyDiscounted:
		answer.Redemption = i.Redemption.String()
	default: // the others have no parameters
	}
	return answer
}
