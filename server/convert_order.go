// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"github.com/discountd/discountd/domain"
	discountv1 "github.com/discountd/discountd/gen/discount/v1"
)

// readCustomer reads who is buying; nobody in particular is a guest.
func readCustomer(r *reader, path string, c *discountv1.Customer) domain.Customer {
	if c == nil {
		return domain.Customer{}
	}
	return domain.Customer{
		ID:                   r.callerID(path+"id", c.GetId()),
		EmailHash:            r.email(path+"email", c.GetEmail()),
		HasPriorTransactions: c.GetHasPriorTransactions(),
	}
}

// readOrder reads and checks an order; none is nil.
func readOrder(r *reader, path string, o *discountv1.Order) *domain.Order {
	if o == nil {
		return nil
	}
	order := &domain.Order{
		ID:                  o.GetId(),
		Currency:            domain.Currency(o.GetCurrencyCode()),
		Lines:               each(o.GetLines(), readOrderLine),
		ShippingAmountMinor: o.GetShippingAmountMinor(),
	}
	order.Check(&r.violations, path)
	return order
}

func readOrderLine(l *discountv1.OrderLine) domain.OrderLine {
	return domain.OrderLine{
		ID:                 l.GetId(),
		ProductID:          l.GetProductId(),
		CategoryIDs:        l.GetCategoryIds(),
		UnitAmountMinor:    l.GetUnitAmountMinor(),
		Quantity:           l.GetQuantity(),
		OnSale:             l.GetOnSale(),
		MinUnitAmountMinor: l.GetMinUnitAmountMinor(),
	}
}

func writeAppliedDiscount(d *domain.AppliedDiscount) *discountv1.AppliedDiscount {
	if d == nil {
		return nil
	}
	return &discountv1.AppliedDiscount{
		CurrencyCode:        string(d.Currency),
		TotalAmountMinor:    d.TotalAmountMinor,
		Lines:               each(d.Lines, writeLineDiscount),
		ShippingAmountMinor: d.ShippingAmountMinor,
		Allocation:          discountv1.Allocation(d.Allocation),
		RoundingScope:       discountv1.RoundingScope(d.RoundingScope),
		TrialDays:           d.TrialDays,
		TrialEndsAt:         writeTime(d.TrialEndsAt),
	}
}

func writeLineDiscount(l domain.LineDiscount) *discountv1.LineDiscount {
	return &discountv1.LineDiscount{
		LineId:      l.LineID,
		AmountMinor: l.AmountMinor,
		Units:       each(l.Units, writeUnitDiscount),
	}
}

func writeUnitDiscount(u domain.UnitDiscount) *discountv1.UnitDiscount {
	return &discountv1.UnitDiscount{Quantity: u.Quantity, AmountMinor: u.AmountMinor}
}
