// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"context"

	"github.com/discountd/discountd/domain"
)

// The part of the stores for tests that is about gift cards and credit.

func (s *stub) IssueGiftCard(ctx context.Context, q domain.IssueGiftCard) (domain.GiftCardView, error) {
	return domain.GiftCardView{}, s.called(ctx, q)
}

func (s *stub) GiftCard(ctx context.Context, q domain.GetGiftCard) (domain.GiftCardView, error) {
	return domain.GiftCardView{}, s.called(ctx, q)
}

func (s *stub) GiftCardTransactions(ctx context.Context, q domain.GiftCardTransactionQuery) (domain.Listing[domain.BalanceTransaction], error) {
	return domain.Listing[domain.BalanceTransaction]{Next: "further"}, s.called(ctx, q)
}

func (s *stub) AdjustGiftCard(ctx context.Context, q domain.AdjustGiftCard) (domain.GiftCardView, error) {
	return domain.GiftCardView{}, s.called(ctx, q)
}

func (s *stub) DisableGiftCard(ctx context.Context, q domain.DeactivatePromotionCode) (domain.GiftCardView, error) {
	return domain.GiftCardView{}, s.called(ctx, q)
}

func (s *stub) EnableGiftCard(ctx context.Context, q domain.ActivatePromotionCode) (domain.GiftCardView, error) {
	return domain.GiftCardView{}, s.called(ctx, q)
}

func (s *stub) TransferToCredit(ctx context.Context, q domain.TransferToCredit) (domain.BalanceTransaction, error) {
	return domain.BalanceTransaction{Kind: domain.TransactionTransferred}, s.called(ctx, q)
}

func (s *stub) CustomerBalance(ctx context.Context, q domain.GetCustomerBalance) (domain.CustomerBalance, error) {
	return domain.CustomerBalance{}, s.called(ctx, q)
}

func (s *stub) AdjustCustomerBalance(ctx context.Context, q domain.AdjustCustomerBalance) (domain.BalanceTransaction, error) {
	return domain.BalanceTransaction{Kind: domain.TransactionAdjusted}, s.called(ctx, q)
}

func (s *stub) ApplyCredit(ctx context.Context, q domain.ApplyCredit) (domain.BalanceTransaction, error) {
	return domain.BalanceTransaction{Kind: domain.TransactionApplied}, s.called(ctx, q)
}

func (s *stub) CustomerTransactions(ctx context.Context, q domain.CustomerTransactionQuery) (domain.Listing[domain.BalanceTransaction], error) {
	return domain.Listing[domain.BalanceTransaction]{Next: "further"}, s.called(ctx, q)
}

func (m *modelStore) IssueGiftCard(_ context.Context, q domain.IssueGiftCard) (domain.GiftCardView, error) {
	return step[domain.GiftCardView](m, q)
}

func (m *modelStore) GiftCard(_ context.Context, q domain.GetGiftCard) (domain.GiftCardView, error) {
	return step[domain.GiftCardView](m, q)
}

func (m *modelStore) GiftCardTransactions(_ context.Context, q domain.GiftCardTransactionQuery) (domain.Listing[domain.BalanceTransaction], error) {
	return step[domain.Listing[domain.BalanceTransaction]](m, q)
}

func (m *modelStore) AdjustGiftCard(_ context.Context, q domain.AdjustGiftCard) (domain.GiftCardView, error) {
	return step[domain.GiftCardView](m, q)
}

func (m *modelStore) DisableGiftCard(ctx context.Context, q domain.DeactivatePromotionCode) (domain.GiftCardView, error) {
	if _, err := step[domain.PromotionCodeView](m, q); err != nil {
		return domain.GiftCardView{}, err
	}
	return m.GiftCard(ctx, domain.GetGiftCard{Name: q.Name})
}

func (m *modelStore) EnableGiftCard(ctx context.Context, q domain.ActivatePromotionCode) (domain.GiftCardView, error) {
	if _, err := step[domain.PromotionCodeView](m, q); err != nil {
		return domain.GiftCardView{}, err
	}
	return m.GiftCard(ctx, domain.GetGiftCard{Name: q.Name})
}

func (m *modelStore) TransferToCredit(_ context.Context, q domain.TransferToCredit) (domain.BalanceTransaction, error) {
	return step[domain.BalanceTransaction](m, q)
}

func (m *modelStore) CustomerBalance(_ context.Context, q domain.GetCustomerBalance) (domain.CustomerBalance, error) {
	return step[domain.CustomerBalance](m, q)
}

func (m *modelStore) AdjustCustomerBalance(_ context.Context, q domain.AdjustCustomerBalance) (domain.BalanceTransaction, error) {
	return step[domain.BalanceTransaction](m, q)
}

func (m *modelStore) ApplyCredit(_ context.Context, q domain.ApplyCredit) (domain.BalanceTransaction, error) {
	return step[domain.BalanceTransaction](m, q)
}

func (m *modelStore) CustomerTransactions(_ context.Context, q domain.CustomerTransactionQuery) (domain.Listing[domain.BalanceTransaction], error) {
	return step[domain.Listing[domain.BalanceTransaction]](m, q)
}
