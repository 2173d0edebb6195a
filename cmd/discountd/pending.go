// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/discountd/discountd/domain"
	"github.com/discountd/discountd/redisstore"
)

// pendingStore is the store as the server sees it from the first moment on. Until
// the store is opened every call is refused as unavailable, so that the server can
// listen, and tell its health, while Redis is still away.
type pendingStore struct {
	opened atomic.Pointer[redisstore.Store]
}

var errPending = errors.New("the store was not opened yet")

// later calls a method of the store, if it is there.
func later[Q, A any](
	ctx context.Context, p *pendingStore, method func(*redisstore.Store, context.Context, Q) (A, error), q Q,
) (A, error) {
	s := p.opened.Load()
	if s == nil {
		var none A
		return none, &domain.UnavailableError{RetryAfter: time.Second, Cause: errPending}
	}
	return method(s, ctx, q)
}

func (p *pendingStore) CreateCoupon(ctx context.Context, q domain.CreateCoupon) (domain.CouponView, error) {
	return later(ctx, p, (*redisstore.Store).CreateCoupon, q)
}

func (p *pendingStore) Coupon(ctx context.Context, q domain.CouponID) (domain.CouponView, error) {
	return later(ctx, p, (*redisstore.Store).Coupon, q)
}

func (p *pendingStore) UpdateCoupon(ctx context.Context, q domain.UpdateCoupon) (domain.CouponView, error) {
	return later(ctx, p, (*redisstore.Store).UpdateCoupon, q)
}

func (p *pendingStore) DeleteCoupon(ctx context.Context, q domain.DeleteCoupon) (domain.CouponView, error) {
	return later(ctx, p, (*redisstore.Store).DeleteCoupon, q)
}

func (p *pendingStore) Coupons(ctx context.Context, q domain.CouponQuery) (domain.Listing[domain.CouponView], error) {
	return later(ctx, p, (*redisstore.Store).Coupons, q)
}

func (p *pendingStore) CreatePromotionCode(ctx context.Context, q domain.CreatePromotionCode) (domain.PromotionCodeView, error) {
	return later(ctx, p, (*redisstore.Store).CreatePromotionCode, q)
}

func (p *pendingStore) PromotionCode(ctx context.Context, q domain.PromotionCodeName) (domain.PromotionCodeView, error) {
	return later(ctx, p, (*redisstore.Store).PromotionCode, q)
}

func (p *pendingStore) UpdatePromotionCode(ctx context.Context, q domain.UpdatePromotionCode) (domain.PromotionCodeView, error) {
	return later(ctx, p, (*redisstore.Store).UpdatePromotionCode, q)
}

func (p *pendingStore) ActivatePromotionCode(ctx context.Context, q domain.ActivatePromotionCode) (domain.PromotionCodeView, error) {
	return later(ctx, p, (*redisstore.Store).ActivatePromotionCode, q)
}

func (p *pendingStore) DeactivatePromotionCode(ctx context.Context, q domain.DeactivatePromotionCode) (domain.PromotionCodeView, error) {
	return later(ctx, p, (*redisstore.Store).DeactivatePromotionCode, q)
}

func (p *pendingStore) DeletePromotionCode(ctx context.Context, q domain.DeletePromotionCode) (domain.PromotionCodeView, error) {
	return later(ctx, p, (*redisstore.Store).DeletePromotionCode, q)
}

func (p *pendingStore) PromotionCodes(ctx context.Context, q domain.PromotionCodeQuery) (domain.Listing[domain.PromotionCodeView], error) {
	return later(ctx, p, (*redisstore.Store).PromotionCodes, q)
}

func (p *pendingStore) Validate(ctx context.Context, q *domain.ValidateRequest) (*domain.Evaluation, error) {
	return later(ctx, p, (*redisstore.Store).Validate, q)
}

func (p *pendingStore) Redeem(ctx context.Context, q *domain.RedeemRequest) (*domain.Redemption, error) {
	return later(ctx, p, (*redisstore.Store).Redeem, q)
}

func (p *pendingStore) Void(ctx context.Context, q domain.VoidRedemption) (*domain.Redemption, error) {
	return later(ctx, p, (*redisstore.Store).Void, q)
}

func (p *pendingStore) Reserve(ctx context.Context, q *domain.ReserveRequest) (*domain.Redemption, error) {
	return later(ctx, p, (*redisstore.Store).Reserve, q)
}

func (p *pendingStore) Commit(ctx context.Context, q domain.CommitRedemption) (*domain.Redemption, error) {
	return later(ctx, p, (*redisstore.Store).Commit, q)
}

func (p *pendingStore) Release(ctx context.Context, q domain.ReleaseRedemption) (*domain.Redemption, error) {
	return later(ctx, p, (*redisstore.Store).Release, q)
}

func (p *pendingStore) Redemption(ctx context.Context, q domain.RedemptionName) (*domain.Redemption, error) {
	return later(ctx, p, (*redisstore.Store).Redemption, q)
}

func (p *pendingStore) Redemptions(ctx context.Context, q domain.RedemptionQuery) (domain.Listing[domain.Redemption], error) {
	return later(ctx, p, (*redisstore.Store).Redemptions, q)
}

func (p *pendingStore) IssueGiftCard(ctx context.Context, q domain.IssueGiftCard) (domain.GiftCardView, error) {
	return later(ctx, p, (*redisstore.Store).IssueGiftCard, q)
}

func (p *pendingStore) GiftCard(ctx context.Context, q domain.GetGiftCard) (domain.GiftCardView, error) {
	return later(ctx, p, (*redisstore.Store).GiftCard, q)
}

func (p *pendingStore) GiftCardTransactions(ctx context.Context, q domain.GiftCardTransactionQuery) (domain.Listing[domain.BalanceTransaction], error) {
	return later(ctx, p, (*redisstore.Store).GiftCardTransactions, q)
}

func (p *pendingStore) AdjustGiftCard(ctx context.Context, q domain.AdjustGiftCard) (domain.GiftCardView, error) {
	return later(ctx, p, (*redisstore.Store).AdjustGiftCard, q)
}

func (p *pendingStore) DisableGiftCard(ctx context.Context, q domain.DeactivatePromotionCode) (domain.GiftCardView, error) {
	return later(ctx, p, (*redisstore.Store).DisableGiftCard, q)
}

func (p *pendingStore) EnableGiftCard(ctx context.Context, q domain.ActivatePromotionCode) (domain.GiftCardView, error) {
	return later(ctx, p, (*redisstore.Store).EnableGiftCard, q)
}

func (p *pendingStore) TransferToCredit(ctx context.Context, q domain.TransferToCredit) (domain.BalanceTransaction, error) {
	return later(ctx, p, (*redisstore.Store).TransferToCredit, q)
}

func (p *pendingStore) CustomerBalance(ctx context.Context, q domain.GetCustomerBalance) (domain.CustomerBalance, error) {
	return later(ctx, p, (*redisstore.Store).CustomerBalance, q)
}

func (p *pendingStore) AdjustCustomerBalance(ctx context.Context, q domain.AdjustCustomerBalance) (domain.BalanceTransaction, error) {
	return later(ctx, p, (*redisstore.Store).AdjustCustomerBalance, q)
}

func (p *pendingStore) ApplyCredit(ctx context.Context, q domain.ApplyCredit) (domain.BalanceTransaction, error) {
	return later(ctx, p, (*redisstore.Store).ApplyCredit, q)
}

func (p *pendingStore) CustomerTransactions(ctx context.Context, q domain.CustomerTransactionQuery) (domain.Listing[domain.BalanceTransaction], error) {
	return later(ctx, p, (*redisstore.Store).CustomerTransactions, q)
}

func (p *pendingStore) ApplyRenewal(ctx context.Context, q domain.ApplyRenewal) (domain.Renewal, error) {
	return later(ctx, p, (*redisstore.Store).ApplyRenewal, q)
}

func (p *pendingStore) EndDiscount(ctx context.Context, q domain.EndDiscount) (*domain.Redemption, error) {
	return later(ctx, p, (*redisstore.Store).EndDiscount, q)
}
