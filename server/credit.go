// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"

	"github.com/discountd/discountd/domain"
	discountv1 "github.com/discountd/discountd/gen/discount/v1"
)

// creditService serves discount.v1.CreditService. Customers' credit is in
// customer_credit.go.
type creditService struct {
	discountv1.UnimplementedCreditServiceServer
	hasher    domain.Hasher
	cards     GiftCardStore
	activator GiftCardActivator
	credit    CreditStore
}

func (s *creditService) IssueGiftCard(ctx context.Context, req *discountv1.IssueGiftCardRequest) (*discountv1.IssueGiftCardResponse, error) {
	var code domain.Code
	return call(ctx, s.hasher, req,
		func(r *reader, req *discountv1.IssueGiftCardRequest) (cmd domain.IssueGiftCard) {
			cmd, code = readIssueGiftCard(r, req)
			return cmd
		},
		s.cards.IssueGiftCard,
		func(v domain.GiftCardView) *discountv1.IssueGiftCardResponse {
			return &discountv1.IssueGiftCardResponse{GiftCard: writeGiftCard(v), Code: code.String()}
		})
}

// readIssueGiftCard returns the command, which has the code as a hash only, and the
// code. A code that is not given follows from the request, so that a retry can be
// told it.
func readIssueGiftCard(r *reader, req *discountv1.IssueGiftCardRequest) (domain.IssueGiftCard, domain.Code) {
	requestID := r.requestID(req.GetRequestId(), true)
	program := read(r, "parent", req.GetParent(), domain.ParseCouponName)
	given := readIfGiven(r, "code", req.GetCode(), domain.ParseCode)
	domain.CheckCardCode(given, &r.violations, "code")
	code := given
	if code.IsZero() {
		code = r.hasher.GenerateCardCode(program, requestID)
	}
	issued := readMoney(req.GetBalance())
	domain.CheckIssued(issued, &r.violations, "balance")
	p := domain.PromotionCode{
		Name:       domain.PromotionCodeName{Coupon: program},
		Code:       domain.NewCardCode(code, r.hasher.HashCode(code)),
		CustomerID: req.GetCustomerId(),
		EmailHash:  r.email("customer_email", req.GetCustomerEmail()),
		Card:       &domain.GiftCard{Issued: issued, RequestID: requestID},
		ExpiresAt:  r.time("expires_at", req.GetExpiresAt()),
		Metadata:   req.GetMetadata(),
	}
	p.Check(&r.violations, "")
	return domain.IssueGiftCard{RequestID: requestID, PromotionCode: p, Given: given}, code
}

func (s *creditService) GetGiftCard(ctx context.Context, req *discountv1.GetGiftCardRequest) (*discountv1.GetGiftCardResponse, error) {
	return call(ctx, s.hasher, req, readGetGiftCard, s.cards.GiftCard,
		func(v domain.GiftCardView) *discountv1.GetGiftCardResponse {
			return &discountv1.GetGiftCardResponse{
				GiftCard:           writeGiftCard(v),
				LatestTransactions: each(v.Latest, writeBalanceTransaction),
			}
		})
}

func readGetGiftCard(r *reader, req *discountv1.GetGiftCardRequest) (q domain.GetGiftCard) {
	switch req.GetCard().(type) {
	case *discountv1.GetGiftCardRequest_Name:
		q.Name = read(r, "name", req.GetName(), domain.ParsePromotionCodeName)
	case *discountv1.GetGiftCardRequest_Code:
		q.Code = r.hasher.HashCode(read(r, "code", req.GetCode(), domain.ParseCode))
	default:
		r.add("card", "is required: exactly one of name and code")
	}
	return q
}

func (s *creditService) ListGiftCardTransactions(ctx context.Context, req *discountv1.ListGiftCardTransactionsRequest) (*discountv1.ListGiftCardTransactionsResponse, error) {
	return call(ctx, s.hasher, req, readListGiftCardTransactions, s.cards.GiftCardTransactions,
		func(l domain.Listing[domain.BalanceTransaction]) *discountv1.ListGiftCardTransactionsResponse {
			return &discountv1.ListGiftCardTransactionsResponse{
				Transactions:  each(l.Items, writeBalanceTransaction),
				NextPageToken: writePageToken(req, l.Next),
			}
		})
}

func readListGiftCardTransactions(r *reader, req *discountv1.ListGiftCardTransactionsRequest) domain.GiftCardTransactionQuery {
	return domain.GiftCardTransactionQuery{
		Page: r.page(req),
		Name: read(r, "parent", req.GetParent(), domain.ParsePromotionCodeName),
	}
}

func (s *creditService) AdjustGiftCard(ctx context.Context, req *discountv1.AdjustGiftCardRequest) (*discountv1.AdjustGiftCardResponse, error) {
	return call(ctx, s.hasher, req, readAdjustGiftCard, s.cards.AdjustGiftCard,
		func(v domain.GiftCardView) *discountv1.AdjustGiftCardResponse {
			return &discountv1.AdjustGiftCardResponse{GiftCard: writeGiftCard(v)}
		})
}

func readAdjustGiftCard(r *reader, req *discountv1.AdjustGiftCardRequest) domain.AdjustGiftCard {
	cmd := domain.AdjustGiftCard{
		RequestID:   r.requestID(req.GetRequestId(), true),
		Name:        read(r, "name", req.GetName(), domain.ParsePromotionCodeName),
		AmountMinor: req.GetAmountMinor(),
		Reason:      r.reason(req.GetReason()),
	}
	cmd.Check(&r.violations)
	return cmd
}

// reason returns why a balance is adjusted.
func (r *reader) reason(text string) string {
	domain.CheckText(text, 1, maxReasonLength, &r.violations, "reason")
	return text
}

func (s *creditService) DisableGiftCard(ctx context.Context, req *discountv1.DisableGiftCardRequest) (*discountv1.DisableGiftCardResponse, error) {
	return call(ctx, s.hasher, req, readDisableGiftCard, s.activator.DisableGiftCard,
		func(v domain.GiftCardView) *discountv1.DisableGiftCardResponse {
			return &discountv1.DisableGiftCardResponse{GiftCard: writeGiftCard(v)}
		})
}

func readDisableGiftCard(r *reader, req *discountv1.DisableGiftCardRequest) domain.DeactivatePromotionCode {
	return domain.DeactivatePromotionCode{
		RequestID: r.requestID(req.GetRequestId(), true),
		Name:      read(r, "name", req.GetName(), domain.ParsePromotionCodeName),
	}
}

func (s *creditService) EnableGiftCard(ctx context.Context, req *discountv1.EnableGiftCardRequest) (*discountv1.EnableGiftCardResponse, error) {
	return call(ctx, s.hasher, req, readEnableGiftCard, s.activator.EnableGiftCard,
		func(v domain.GiftCardView) *discountv1.EnableGiftCardResponse {
			return &discountv1.EnableGiftCardResponse{GiftCard: writeGiftCard(v)}
		})
}

func readEnableGiftCard(r *reader, req *discountv1.EnableGiftCardRequest) domain.ActivatePromotionCode {
	return domain.ActivatePromotionCode{
		RequestID: r.requestID(req.GetRequestId(), true),
		Name:      read(r, "name", req.GetName(), domain.ParsePromotionCodeName),
	}
}
