// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"fmt"

	"github.com/discountd/discountd/domain"
	discountv1 "github.com/discountd/discountd/gen/discount/v1"
)

func writeGiftCard(v domain.GiftCardView) *discountv1.GiftCard {
	c := &discountv1.GiftCard{
		Name:       v.Name.String(),
		LastFour:   v.Code.LastFour(),
		Balance:    writeMoney(domain.Money{Currency: v.Currency, AmountMinor: v.BalanceMinor}),
		CustomerId: v.CustomerID,
		EmailBound: v.EmailHash != "",
		ExpiresAt:  writeTime(v.ExpiresAt),
		Metadata:   v.Metadata,
		Status:     discountv1.PromotionCodeStatus(v.Status),
		CreateTime: writeTime(v.CreateTime),
	}
	if v.Card != nil {
		c.Issued = writeMoney(v.Card.Issued)
	}
	return c
}

// transactionTypes has the kinds by their numbers in the API; the first is none.
var transactionTypes = [...]domain.TransactionKind{
	discountv1.BalanceTransactionType_BALANCE_TRANSACTION_TYPE_ISSUED:      domain.TransactionIssued,
	discountv1.BalanceTransactionType_BALANCE_TRANSACTION_TYPE_REDEEMED:    domain.TransactionRedeemed,
	discountv1.BalanceTransactionType_BALANCE_TRANSACTION_TYPE_RETURNED:    domain.TransactionReturned,
	discountv1.BalanceTransactionType_BALANCE_TRANSACTION_TYPE_ADJUSTED:    domain.TransactionAdjusted,
	discountv1.BalanceTransactionType_BALANCE_TRANSACTION_TYPE_TRANSFERRED: domain.TransactionTransferred,
	discountv1.BalanceTransactionType_BALANCE_TRANSACTION_TYPE_APPLIED:     domain.TransactionApplied,
}

func writeTransactionType(k domain.TransactionKind) discountv1.BalanceTransactionType {
	for number, kind := range transactionTypes {
		if kind == k && number > 0 {
			return discountv1.BalanceTransactionType(number)
		}
	}
	panic(fmt.Sprintf("server: a transaction is of kind %q", k))
}

func writeBalanceTransaction(t domain.BalanceTransaction) *discountv1.BalanceTransaction {
	answer := &discountv1.BalanceTransaction{
		Position:           t.Position,
		Type:               writeTransactionType(t.Kind),
		Amount:             writeMoney(domain.Money{Currency: t.Currency, AmountMinor: t.AmountMinor}),
		BalanceAmountMinor: t.BalanceMinor,
		CreateTime:         writeTime(t.Time),
		RequestId:          t.RequestID,
		Reason:             t.Reason,
		InvoiceId:          t.InvoiceID,
	}
	if t.Redemption.ID != "" {
		answer.Redemption = t.Redemption.String()
	}
	if t.Card.ID != "" {
		answer.GiftCard = t.Card.String()
	}
	return answer
}
