// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"fmt"

	"github.com/discountd/discountd/domain"
	discountv1 "github.com/discountd/discountd/gen/discount/v1"
)

func (s *redemptionService) ApplyRenewal(ctx context.Context, req *discountv1.ApplyRenewalRequest) (*discountv1.ApplyRenewalResponse, error) {
	var credit *domain.BalanceTransaction
	return call(ctx, s.hasher, req, readApplyRenewal,
		func(ctx context.Context, cmd domain.ApplyRenewal) (domain.Renewal, error) {
			renewal, err := s.subscriptions.ApplyRenewal(ctx, cmd)
			if err == nil && req.GetApplyCredit() {
				credit, err = s.useCredit(ctx, cmd, renewal)
			}
			return renewal, err
		},
		func(x domain.Renewal) *discountv1.ApplyRenewalResponse {
			answer := &discountv1.ApplyRenewalResponse{Renewal: writeRenewal(x)}
			if credit != nil {
				answer.Credit = writeBalanceTransaction(*credit)
			}
			return answer
		})
}

// useCredit uses the customer's credit for what is due of an invoice after its
// discount. The answer about an invoice never changes, and neither does what is due:
// whatever becomes of one of the two, a retry comes to the same end. The renewal has
// been made, so that an outcome that is not reached is not known.
func (s *redemptionService) useCredit(ctx context.Context, cmd domain.ApplyRenewal, renewal domain.Renewal) (*domain.BalanceTransaction, error) {
	due := cmd.Invoice.Order.Subtotal() + cmd.Invoice.Order.ShippingAmountMinor
	if renewal.Discount != nil {
		due -= renewal.Discount.TotalAmountMinor
	}
	if due == 0 {
		return nil, nil
	}
	r, err := s.redemptions.Redemption(ctx, cmd.Name)
	holder := r.CreditHolder()
	var t domain.BalanceTransaction
	if err == nil && holder != "" {
		t, err = s.credit.ApplyCredit(ctx, domain.ApplyCredit{
			InvoiceID: cmd.Invoice.Order.ID, Redemption: cmd.Name, Holder: holder,
			UpTo: domain.Money{Currency: cmd.Invoice.Order.Currency, AmountMinor: due},
		})
	}
	if u, ok := errors.AsType[*domain.UnavailableError](err); ok {
		err = &domain.UnavailableError{OutcomeUnknown: true, RetryAfter: u.RetryAfter, Cause: u.Cause}
	}
	if err != nil || holder == "" {
		return nil, err
	}
	return &t, nil
}

func readApplyRenewal(r *reader, req *discountv1.ApplyRenewalRequest) domain.ApplyRenewal {
	out := domain.ApplyRenewal{
		RequestID: r.requestID(req.GetRequestId(), true),
		Name:      read(r, "name", req.GetName(), domain.ParseRedemptionName),
	}
	if required(r, "invoice", req.GetInvoice()) {
		out.Invoice = readInvoice(r, "invoice.", req.GetInvoice())
	}
	return out
}

func readInvoice(r *reader, path string, i *discountv1.Invoice) domain.Invoice {
	invoice := domain.Invoice{
		Order: domain.Order{
			ID:                  i.GetId(),
			Currency:            domain.Currency(i.GetCurrencyCode()),
			Lines:               each(i.GetLines(), readOrderLine),
			ShippingAmountMinor: i.GetShippingAmountMinor(),
		},
		IssuedAt: r.time(path+"issued_at", i.GetIssuedAt()),
	}
	invoice.Check(&r.violations, path)
	return invoice
}

func (s *redemptionService) EndDiscount(ctx context.Context, req *discountv1.EndDiscountRequest) (*discountv1.EndDiscountResponse, error) {
	return call(ctx, s.hasher, req, readEndDiscount, s.subscriptions.EndDiscount,
		func(x *domain.Redemption) *discountv1.EndDiscountResponse {
			return &discountv1.EndDiscountResponse{Redemption: writeRedemption(x)}
		})
}

func readEndDiscount(r *reader, req *discountv1.EndDiscountRequest) domain.EndDiscount {
	return domain.EndDiscount{
		RequestID: r.requestID(req.GetRequestId(), true),
		Name:      read(r, "name", req.GetName(), domain.ParseRedemptionName),
	}
}

// writeContext spells a checkout out.
func writeContext(c domain.UseContext) discountv1.UseContext {
	if c == domain.ContextDefault {
		c = domain.ContextCheckout
	}
	return discountv1.UseContext(c)
}

func writeSubscriptionDiscount(x *domain.Redemption) *discountv1.SubscriptionDiscount {
	d := x.Subscription
	if d == nil {
		return nil
	}
	start, end := x.DiscountWindow()
	answer := &discountv1.SubscriptionDiscount{
		SubscriptionId: d.SubscriptionID,
		Duration:       discountv1.DiscountDuration(d.Duration),
		StartTime:      writeTime(start),
		EndTime:        writeTime(end),
		CyclesUsed:     d.Used,
		EndedTime:      writeTime(d.EndedTime),
	}
	if d.Cycles > 0 {
		left := d.Cycles - d.Used
		answer.CyclesLeft = &left
	}
	return answer
}

func writeRenewal(x domain.Renewal) *discountv1.Renewal {
	return &discountv1.Renewal{
		Redemption: x.Redemption.String(),
		InvoiceId:  x.InvoiceID,
		RequestId:  x.RequestID,
		Outcome:    writeRenewalOutcome(x.Outcome),
		Discount:   writeAppliedDiscount(x.Discount),
		Cycle:      x.Cycle,
		CreateTime: writeTime(x.CreateTime),
	}
}

func writeRenewalOutcome(o domain.RenewalOutcome) discountv1.RenewalOutcome {
	switch o {
	case domain.RenewalApplied:
		return discountv1.RenewalOutcome_RENEWAL_OUTCOME_APPLIED
	case domain.RenewalNothing:
		return discountv1.RenewalOutcome_RENEWAL_OUTCOME_NOTHING
	case domain.RenewalEnded:
		return discountv1.RenewalOutcome_RENEWAL_OUTCOME_ENDED
	default:
		panic(fmt.Sprintf("server: a renewal has the outcome %q", o))
	}
}
