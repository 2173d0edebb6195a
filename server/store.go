// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"

	"github.com/discountd/discountd/domain"
)

// Store keeps everything that is defined and redeemed. Its methods carry out one
// command or query each, exactly as domain.State.Step describes, and return the
// errors of package domain or those of the context; whatever else they return is
// told to clients as an internal error.
//
// A redemption, an evaluation and a request for either are passed as pointers, since
// they are long and every call that waits has them on its way; who gets one changes
// nothing of it. All others are values. The pointer that comes with an error is nil.
//
// A handler depends on the part it uses.
type Store interface {
	CouponStore
	PromotionCodeStore
	PromotionCodeActivator
	RedemptionStore
	ReservationStore
	GiftCardStore
	GiftCardActivator
	CreditStore
	SubscriptionStore
}

// CouponStore keeps coupons.
type CouponStore interface {
	CreateCoupon(context.Context, domain.CreateCoupon) (domain.CouponView, error)
	Coupon(context.Context, domain.CouponID) (domain.CouponView, error)
	UpdateCoupon(context.Context, domain.UpdateCoupon) (domain.CouponView, error)
	DeleteCoupon(context.Context, domain.DeleteCoupon) (domain.CouponView, error)
	Coupons(context.Context, domain.CouponQuery) (domain.Listing[domain.CouponView], error)
}

// PromotionCodeStore keeps promotion codes.
type PromotionCodeStore interface {
	CreatePromotionCode(context.Context, domain.CreatePromotionCode) (domain.PromotionCodeView, error)
	PromotionCode(context.Context, domain.PromotionCodeName) (domain.PromotionCodeView, error)
	UpdatePromotionCode(context.Context, domain.UpdatePromotionCode) (domain.PromotionCodeView, error)
	DeletePromotionCode(context.Context, domain.DeletePromotionCode) (domain.PromotionCodeView, error)
	PromotionCodes(context.Context, domain.PromotionCodeQuery) (domain.Listing[domain.PromotionCodeView], error)
}

// PromotionCodeActivator decides which promotion code holds a code.
type PromotionCodeActivator interface {
	ActivatePromotionCode(context.Context, domain.ActivatePromotionCode) (domain.PromotionCodeView, error)
	DeactivatePromotionCode(context.Context, domain.DeactivatePromotionCode) (domain.PromotionCodeView, error)
}

// RedemptionStore decides on redemptions and keeps their ledger.
type RedemptionStore interface {
	Validate(context.Context, *domain.ValidateRequest) (*domain.Evaluation, error)
	Redeem(context.Context, *domain.RedeemRequest) (*domain.Redemption, error)
	Void(context.Context, domain.VoidRedemption) (*domain.Redemption, error)
	Redemption(context.Context, domain.RedemptionName) (*domain.Redemption, error)
	Redemptions(context.Context, domain.RedemptionQuery) (domain.Listing[domain.Redemption], error)
}

// ReservationStore keeps capacity for redemptions that are not decided yet.
type ReservationStore interface {
	Reserve(context.Context, *domain.ReserveRequest) (*domain.Redemption, error)
	Commit(context.Context, domain.CommitRedemption) (*domain.Redemption, error)
	Release(context.Context, domain.ReleaseRedemption) (*domain.Redemption, error)
}

// GiftCardStore keeps gift cards and what is on them.
type GiftCardStore interface {
	IssueGiftCard(context.Context, domain.IssueGiftCard) (domain.GiftCardView, error)
	GiftCard(context.Context, domain.GetGiftCard) (domain.GiftCardView, error)
	GiftCardTransactions(context.Context, domain.GiftCardTransactionQuery) (domain.Listing[domain.BalanceTransaction], error)
	AdjustGiftCard(context.Context, domain.AdjustGiftCard) (domain.GiftCardView, error)
}

// GiftCardActivator decides whether a gift card can be used.
type GiftCardActivator interface {
	DisableGiftCard(context.Context, domain.DeactivatePromotionCode) (domain.GiftCardView, error)
	EnableGiftCard(context.Context, domain.ActivatePromotionCode) (domain.GiftCardView, error)
}

// CreditStore keeps what customers have of their own.
type CreditStore interface {
	TransferToCredit(context.Context, domain.TransferToCredit) (domain.BalanceTransaction, error)
	CustomerBalance(context.Context, domain.GetCustomerBalance) (domain.CustomerBalance, error)
	AdjustCustomerBalance(context.Context, domain.AdjustCustomerBalance) (domain.BalanceTransaction, error)
	ApplyCredit(context.Context, domain.ApplyCredit) (domain.BalanceTransaction, error)
	CustomerTransactions(context.Context, domain.CustomerTransactionQuery) (domain.Listing[domain.BalanceTransaction], error)
}

// SubscriptionStore keeps the discounts that go on with subscriptions.
type SubscriptionStore interface {
	ApplyRenewal(context.Context, domain.ApplyRenewal) (domain.Renewal, error)
	EndDiscount(context.Context, domain.EndDiscount) (*domain.Redemption, error)
}
