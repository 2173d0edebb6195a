// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"fmt"

	"github.com/discountd/discountd/domain"
	discountv1 "github.com/discountd/discountd/gen/discount/v1"
)

func (s *redemptionService) ApplyRenewal(ctx context.Context, req *discountv1.ApplyRenewalRequest) (*discountv1.ApplyRenewalResponse, error) {
	return call(ctx, s.hasher, req, readApplyRenewal, s.subscriptions.ApplyRenewal,
		func(x domain.Renewal) *discountv1.ApplyRenewalResponse {
			return &discountv1.ApplyRenewalResponse{Renewal: writeRenewal(x)}
		})
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
		func(x domain.Redemption) *discountv1.EndDiscountResponse {
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
