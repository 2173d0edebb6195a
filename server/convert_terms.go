// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"github.com/discountd/discountd/domain"
	discountv1 "github.com/discountd/discountd/gen/discount/v1"
)

// readTerms reads the rules of a coupon that bear on an amount. The types of
// discount are in convert_discount.go.
func readTerms(r *reader, path string, c *discountv1.Coupon) domain.Terms {
	return domain.Terms{
		Discount:      readDiscount(r, path, c),
		AppliesTo:     readAppliesTo(c.GetAppliesTo()),
		Conditions:    readConditions(r, path+"conditions.", c.GetConditions()),
		Caps:          readCaps(r, path+"caps.", c.GetCaps()),
		Allocation:    readEnum[domain.Allocation](r, path+"allocation", c.GetAllocation()),
		RoundingScope: readEnum[domain.RoundingScope](r, path+"rounding_scope", c.GetRoundingScope()),
	}
}

func writeTerms(t *domain.Terms, c *discountv1.Coupon) {
	writeDiscount(&t.Discount, c)
	c.AppliesTo = unlessEmpty(writeAppliesTo(t.AppliesTo))
	c.Conditions = writeConditions(t.Conditions)
	c.Caps = writeCaps(t.Caps)
	c.Allocation = discountv1.Allocation(t.Allocation)
	c.RoundingScope = discountv1.RoundingScope(t.RoundingScope)
}

func readAppliesTo(a *discountv1.AppliesTo) domain.AppliesTo {
	return domain.AppliesTo{
		Products:           a.GetProducts(),
		ExcludedProducts:   a.GetExcludedProducts(),
		Categories:         a.GetCategories(),
		ExcludedCategories: a.GetExcludedCategories(),
		ExcludeSaleItems:   a.GetExcludeSaleItems(),
		UnitAmounts:        each(a.GetUnitAmounts(), readAmountRange),
	}
}

func writeAppliesTo(a domain.AppliesTo) *discountv1.AppliesTo {
	return &discountv1.AppliesTo{
		Products:           a.Products,
		ExcludedProducts:   a.ExcludedProducts,
		Categories:         a.Categories,
		ExcludedCategories: a.ExcludedCategories,
		ExcludeSaleItems:   a.ExcludeSaleItems,
		UnitAmounts:        each(a.UnitAmounts, writeAmountRange),
	}
}

func readAmountRange(a *discountv1.AmountRange) domain.AmountRange {
	return domain.AmountRange{
		Currency: domain.Currency(a.GetCurrencyCode()),
		Min:      a.GetMinAmountMinor(),
		Max:      a.MaxAmountMinor,
	}
}

func writeAmountRange(a domain.AmountRange) *discountv1.AmountRange {
	return &discountv1.AmountRange{
		CurrencyCode:   string(a.Currency),
		MinAmountMinor: a.Min,
		MaxAmountMinor: a.Max,
	}
}

func readConditions(r *reader, path string, c *discountv1.OrderConditions) domain.OrderConditions {
	if c == nil {
		return domain.OrderConditions{}
	}
	return domain.OrderConditions{
		MinimumAmounts:     each(c.GetMinimumAmounts(), readMoney),
		MinimumAmountBasis: readEnum[domain.MinimumAmountBasis](r, path+"minimum_amount_basis", c.GetMinimumAmountBasis()),
		MinimumQuantity:    c.MinimumQuantity,
		MaximumQuantity:    c.MaximumQuantity,
	}
}

func writeConditions(c domain.OrderConditions) *discountv1.OrderConditions {
	return unlessEmpty(&discountv1.OrderConditions{
		MinimumAmounts:     each(c.MinimumAmounts, writeMoney),
		MinimumAmountBasis: discountv1.MinimumAmountBasis(c.MinimumAmountBasis),
		MinimumQuantity:    c.MinimumQuantity,
		MaximumQuantity:    c.MaximumQuantity,
	})
}

func readCaps(r *reader, path string, c *discountv1.DiscountCaps) domain.DiscountCaps {
	if c == nil {
		return domain.DiscountCaps{}
	}
	return domain.DiscountCaps{
		MaxDiscount:        each(c.GetMaxDiscount(), readMoney),
		MaxDiscountPerUnit: each(c.GetMaxDiscountPerUnit(), readMoney),
		MinUnitAmount:      each(c.GetMinUnitAmount(), readMoney),
		MaxUnits:           c.MaxUnits,
		MaxUnitsPerLine:    c.MaxUnitsPerLine,
		UnitOrder:          readEnum[domain.UnitOrder](r, path+"unit_order", c.GetUnitOrder()),
	}
}

func writeCaps(c domain.DiscountCaps) *discountv1.DiscountCaps {
	return unlessEmpty(&discountv1.DiscountCaps{
		MaxDiscount:        each(c.MaxDiscount, writeMoney),
		MaxDiscountPerUnit: each(c.MaxDiscountPerUnit, writeMoney),
		MinUnitAmount:      each(c.MinUnitAmount, writeMoney),
		MaxUnits:           c.MaxUnits,
		MaxUnitsPerLine:    c.MaxUnitsPerLine,
		UnitOrder:          discountv1.UnitOrder(c.UnitOrder),
	})
}
