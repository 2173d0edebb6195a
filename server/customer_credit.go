// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"

	"google.golang.org/protobuf/proto"

	"github.com/discountd/discountd/domain"
	discountv1 "github.com/discountd/discountd/gen/discount/v1"
)

func (s *creditService) TransferToCredit(ctx context.Context, req *discountv1.TransferToCreditRequest) (*discountv1.TransferToCreditResponse, error) {
	return call(ctx, s.hasher, req, readTransferToCredit, s.credit.TransferToCredit,
		func(t domain.BalanceTransaction) *discountv1.TransferToCreditResponse {
			return &discountv1.TransferToCreditResponse{Transaction: writeBalanceTransaction(t)}
		})
}

func readTransferToCredit(r *reader, req *discountv1.TransferToCreditRequest) domain.TransferToCredit {
	return domain.TransferToCredit{
		RequestID:   r.requestID(req.GetRequestId(), true),
		Name:        read(r, "gift_card", req.GetGiftCard(), domain.ParsePromotionCodeName),
		Customer:    readOneCustomer(r, req),
		AmountMinor: r.amount("amount_minor", req.AmountMinor, 1),
	}
}

func (s *creditService) GetCustomerBalance(ctx context.Context, req *discountv1.GetCustomerBalanceRequest) (*discountv1.GetCustomerBalanceResponse, error) {
	return call(ctx, s.hasher, req, readGetCustomerBalance, s.credit.CustomerBalance,
		func(b domain.CustomerBalance) *discountv1.GetCustomerBalanceResponse {
			return &discountv1.GetCustomerBalanceResponse{
				Balance: &discountv1.CustomerBalance{Amounts: each(b.Amounts, writeMoney)},
			}
		})
}

func readGetCustomerBalance(r *reader, req *discountv1.GetCustomerBalanceRequest) domain.GetCustomerBalance {
	return domain.GetCustomerBalance{Holder: readHolder(r, req)}
}

func (s *creditService) AdjustCustomerBalance(ctx context.Context, req *discountv1.AdjustCustomerBalanceRequest) (*discountv1.AdjustCustomerBalanceResponse, error) {
	return call(ctx, s.hasher, req, readAdjustCustomerBalance, s.credit.AdjustCustomerBalance,
		func(t domain.BalanceTransaction) *discountv1.AdjustCustomerBalanceResponse {
			return &discountv1.AdjustCustomerBalanceResponse{Transaction: writeBalanceTransaction(t)}
		})
}

func readAdjustCustomerBalance(r *reader, req *discountv1.AdjustCustomerBalanceRequest) domain.AdjustCustomerBalance {
	cmd := domain.AdjustCustomerBalance{
		RequestID: r.requestID(req.GetRequestId(), true),
		Holder:    readHolder(r, req),
		Amount:    readMoney(req.GetAmount()),
		Reason:    r.reason(req.GetReason()),
	}
	cmd.Check(&r.violations)
	return cmd
}

func (s *creditService) ApplyCredit(ctx context.Context, req *discountv1.ApplyCreditRequest) (*discountv1.ApplyCreditResponse, error) {
	return call(ctx, s.hasher, req, readApplyCredit, s.credit.ApplyCredit,
		func(t domain.BalanceTransaction) *discountv1.ApplyCreditResponse {
			return &discountv1.ApplyCreditResponse{Transaction: writeBalanceTransaction(t)}
		})
}

func readApplyCredit(r *reader, req *discountv1.ApplyCreditRequest) domain.ApplyCredit {
	cmd := domain.ApplyCredit{
		InvoiceID: req.GetInvoiceId(),
		Holder:    readHolder(r, req),
		UpTo:      readMoney(req.GetAmount()),
	}
	cmd.Check(&r.violations)
	return cmd
}

func (s *creditService) ListCustomerBalanceTransactions(ctx context.Context, req *discountv1.ListCustomerBalanceTransactionsRequest) (*discountv1.ListCustomerBalanceTransactionsResponse, error) {
	return call(ctx, s.hasher, req, readListCustomerBalanceTransactions, s.credit.CustomerTransactions,
		func(l domain.Listing[domain.BalanceTransaction]) *discountv1.ListCustomerBalanceTransactionsResponse {
			return &discountv1.ListCustomerBalanceTransactionsResponse{
				Transactions:  each(l.Items, writeBalanceTransaction),
				NextPageToken: writePageToken(req, l.Next),
			}
		})
}

func readListCustomerBalanceTransactions(r *reader, req *discountv1.ListCustomerBalanceTransactionsRequest) domain.CustomerTransactionQuery {
	return domain.CustomerTransactionQuery{
		Page:   r.page(req),
		Holder: readHolder(r, req),
	}
}

// ofCustomer is a request that names one customer in the oneof "customer".
type ofCustomer interface {
	proto.Message
	GetCustomerId() string
	GetCustomerEmail() string
}

// readOneCustomer returns the customer that req names.
func readOneCustomer(r *reader, req ofCustomer) domain.Customer {
	m := req.ProtoReflect()
	named := m.WhichOneof(m.Descriptor().Oneofs().ByName("customer"))
	switch {
	case named == nil:
		r.add("customer", "is required: exactly one of customer_id and customer_email")
		return domain.Customer{}
	case named.Name() == "customer_email":
		return domain.Customer{EmailHash: read(r, "customer_email", req.GetCustomerEmail(), r.hasher.HashEmail)}
	default:
		domain.CheckText(req.GetCustomerId(), 1, maxCustomerIDLength, &r.violations, "customer_id")
		return domain.Customer{ID: req.GetCustomerId()}
	}
}

// maxCustomerIDLength bounds what a caller names a customer by, in characters.
const maxCustomerIDLength = 255

// readHolder returns the identity that req names.
func readHolder(r *reader, req ofCustomer) domain.Identity {
	if who := readOneCustomer(r, req).Identities(); len(who) == 1 {
		return who[0]
	}
	return "" // a violation was recorded
}
