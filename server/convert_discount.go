// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"github.com/discountd/discountd/domain"
	discountv1 "github.com/discountd/discountd/gen/discount/v1"
)

// readDiscount reads what a coupon takes off; no type set is an empty Discount.
func readDiscount(r *reader, path string, c *discountv1.Coupon) (d domain.Discount) {
	switch t := c.GetDiscount().(type) {
	case *discountv1.Coupon_PercentOff:
		d.PercentOff = readPercentOff(t.PercentOff)
	case *discountv1.Coupon_AmountOff:
		d.AmountOff = readAmountOff(t.AmountOff)
	case *discountv1.Coupon_PriceOverride:
		d.PriceOverride = &domain.PriceOverride{UnitAmounts: each(t.PriceOverride.GetUnitAmounts(), readMoney)}
	case *discountv1.Coupon_FreeTrial:
		d.FreeTrial = &domain.FreeTrial{
			TrialDays:           t.FreeTrial.GetTrialDays(),
			AdditionalTrialDays: t.FreeTrial.GetAdditionalTrialDays(),
		}
	case *discountv1.Coupon_ShippingOff:
		d.ShippingOff = readShippingOff(t.ShippingOff)
	case *discountv1.Coupon_OrderTiers:
		d.OrderTiers = &domain.OrderTiers{Tiers: each(t.OrderTiers.GetTiers(), readOrderTier)}
	case *discountv1.Coupon_PriceTiers:
		d.PriceTiers = &domain.PriceTiers{Products: each(t.PriceTiers.GetProducts(), readProductPriceTiers)}
	case *discountv1.Coupon_BuyXGetY:
		d.BuyXGetY = readBuyXGetY(r, path+"buy_x_get_y.", t.BuyXGetY)
	case *discountv1.Coupon_GroupAmountOff:
		d.GroupAmountOff = &domain.GroupAmountOff{
			GroupSize:       t.GroupAmountOff.GetGroupSize(),
			Amounts:         each(t.GroupAmountOff.GetAmounts(), readMoney),
			MaxApplications: t.GroupAmountOff.MaxApplications,
		}
	case *discountv1.Coupon_BundlePrice:
		d.BundlePrice = &domain.BundlePrice{
			BundleQuantity:  t.BundlePrice.GetBundleQuantity(),
			Amounts:         each(t.BundlePrice.GetAmounts(), readMoney),
			MaxApplications: t.BundlePrice.MaxApplications,
		}
	case *discountv1.Coupon_GiftCards:
		d.GiftCards = &domain.GiftCards{
			Currency:          domain.Currency(t.GiftCards.GetCurrencyCode()),
			RemainderToCredit: t.GiftCards.GetRemainderToCredit(),
		}
	}
	return d
}

func writeDiscount(d *domain.Discount, c *discountv1.Coupon) {
	switch {
	case d.PercentOff != nil:
		c.Discount = &discountv1.Coupon_PercentOff{PercentOff: writePercentOff(d.PercentOff)}
	case d.AmountOff != nil:
		c.Discount = &discountv1.Coupon_AmountOff{AmountOff: writeAmountOff(d.AmountOff)}
	case d.PriceOverride != nil:
		c.Discount = &discountv1.Coupon_PriceOverride{PriceOverride: &discountv1.PriceOverride{
			UnitAmounts: each(d.PriceOverride.UnitAmounts, writeMoney),
		}}
	case d.FreeTrial != nil:
		c.Discount = &discountv1.Coupon_FreeTrial{FreeTrial: &discountv1.FreeTrial{
			TrialDays:           d.FreeTrial.TrialDays,
			AdditionalTrialDays: d.FreeTrial.AdditionalTrialDays,
		}}
	case d.ShippingOff != nil:
		c.Discount = &discountv1.Coupon_ShippingOff{ShippingOff: writeShippingOff(d.ShippingOff)}
	case d.OrderTiers != nil:
		c.Discount = &discountv1.Coupon_OrderTiers{OrderTiers: &discountv1.OrderTiers{
			Tiers: each(d.OrderTiers.Tiers, writeOrderTier),
		}}
	case d.PriceTiers != nil:
		c.Discount = &discountv1.Coupon_PriceTiers{PriceTiers: &discountv1.PriceTiers{
			Products: each(d.PriceTiers.Products, writeProductPriceTiers),
		}}
	case d.BuyXGetY != nil:
		c.Discount = &discountv1.Coupon_BuyXGetY{BuyXGetY: writeBuyXGetY(d.BuyXGetY)}
	case d.GroupAmountOff != nil:
		c.Discount = &discountv1.Coupon_GroupAmountOff{GroupAmountOff: &discountv1.GroupAmountOff{
			GroupSize:       d.GroupAmountOff.GroupSize,
			Amounts:         each(d.GroupAmountOff.Amounts, writeMoney),
			MaxApplications: d.GroupAmountOff.MaxApplications,
		}}
	case d.BundlePrice != nil:
		c.Discount = &discountv1.Coupon_BundlePrice{BundlePrice: &discountv1.BundlePrice{
			BundleQuantity:  d.BundlePrice.BundleQuantity,
			Amounts:         each(d.BundlePrice.Amounts, writeMoney),
			MaxApplications: d.BundlePrice.MaxApplications,
		}}
	case d.GiftCards != nil:
		c.Discount = &discountv1.Coupon_GiftCards{GiftCards: &discountv1.GiftCardProgram{
			CurrencyCode:      string(d.GiftCards.Currency),
			RemainderToCredit: d.GiftCards.RemainderToCredit,
		}}
	}
}

func readPercentOff(p *discountv1.PercentOff) *domain.PercentOff {
	return &domain.PercentOff{BasisPoints: domain.BasisPoints(p.GetBasisPoints())}
}

func writePercentOff(p *domain.PercentOff) *discountv1.PercentOff {
	return &discountv1.PercentOff{BasisPoints: int32(p.BasisPoints)}
}

func readAmountOff(a *discountv1.AmountOff) *domain.AmountOff {
	return &domain.AmountOff{
		Amounts:           each(a.GetAmounts(), readMoney),
		AdditionalAmounts: each(a.GetAdditionalAmounts(), readMoney),
	}
}

func writeAmountOff(a *domain.AmountOff) *discountv1.AmountOff {
	return &discountv1.AmountOff{
		Amounts:           each(a.Amounts, writeMoney),
		AdditionalAmounts: each(a.AdditionalAmounts, writeMoney),
	}
}

func readShippingOff(s *discountv1.ShippingOff) *domain.ShippingOff {
	switch t := s.GetReduction().(type) {
	case *discountv1.ShippingOff_PercentOff:
		return &domain.ShippingOff{PercentOff: readPercentOff(t.PercentOff)}
	case *discountv1.ShippingOff_AmountOff:
		return &domain.ShippingOff{AmountOff: readAmountOff(t.AmountOff)}
	default:
		return &domain.ShippingOff{}
	}
}

func writeShippingOff(s *domain.ShippingOff) *discountv1.ShippingOff {
	if s.PercentOff != nil {
		return &discountv1.ShippingOff{Reduction: &discountv1.ShippingOff_PercentOff{PercentOff: writePercentOff(s.PercentOff)}}
	}
	return &discountv1.ShippingOff{Reduction: &discountv1.ShippingOff_AmountOff{AmountOff: writeAmountOff(s.AmountOff)}}
}

func readOrderTier(t *discountv1.OrderTier) domain.OrderTier {
	tier := domain.OrderTier{Thresholds: each(t.GetThresholds(), readMoney), MinimumQuantity: t.MinimumQuantity}
	switch reward := t.GetReward().(type) {
	case *discountv1.OrderTier_PercentOff:
		tier.PercentOff = readPercentOff(reward.PercentOff)
	case *discountv1.OrderTier_AmountOff:
		tier.AmountOff = readAmountOff(reward.AmountOff)
	}
	return tier
}

func writeOrderTier(t domain.OrderTier) *discountv1.OrderTier {
	tier := &discountv1.OrderTier{Thresholds: each(t.Thresholds, writeMoney), MinimumQuantity: t.MinimumQuantity}
	if t.PercentOff != nil {
		tier.Reward = &discountv1.OrderTier_PercentOff{PercentOff: writePercentOff(t.PercentOff)}
	} else {
		tier.Reward = &discountv1.OrderTier_AmountOff{AmountOff: writeAmountOff(t.AmountOff)}
	}
	return tier
}

func readProductPriceTiers(p *discountv1.ProductPriceTiers) domain.ProductPriceTiers {
	return domain.ProductPriceTiers{ProductID: p.GetProductId(), Tiers: each(p.GetTiers(), readPriceTier)}
}

func writeProductPriceTiers(p domain.ProductPriceTiers) *discountv1.ProductPriceTiers {
	return &discountv1.ProductPriceTiers{ProductId: p.ProductID, Tiers: each(p.Tiers, writePriceTier)}
}

func readPriceTier(t *discountv1.PriceTier) domain.PriceTier {
	return domain.PriceTier{MinimumQuantity: t.GetMinimumQuantity(), UnitAmounts: each(t.GetUnitAmounts(), readMoney)}
}

func writePriceTier(t domain.PriceTier) *discountv1.PriceTier {
	return &discountv1.PriceTier{MinimumQuantity: t.MinimumQuantity, UnitAmounts: each(t.UnitAmounts, writeMoney)}
}

// readBuyXGetY keeps a scope that is given and selects everything apart from one
// that is not given: the latter is the coupon's own.
func readBuyXGetY(r *reader, path string, b *discountv1.BuyXGetY) *domain.BuyXGetY {
	rule := &domain.BuyXGetY{
		BuyQuantity:     b.GetBuyQuantity(),
		GetQuantity:     b.GetGetQuantity(),
		GetBasisPoints:  domain.FullShare,
		MaxApplications: b.MaxApplications,
		GetOrder:        readEnum[domain.UnitOrder](r, path+"get_order", b.GetGetOrder()),
	}
	if b.GetBasisPoints != nil {
		rule.GetBasisPoints = domain.BasisPoints(b.GetGetBasisPoints())
	}
	if b.GetBuy() != nil {
		rule.Buy = new(readAppliesTo(b.GetBuy()))
	}
	if b.GetGet() != nil {
		rule.Get = new(readAppliesTo(b.GetGet()))
	}
	return rule
}

func writeBuyXGetY(b *domain.BuyXGetY) *discountv1.BuyXGetY {
	rule := &discountv1.BuyXGetY{
		BuyQuantity:     b.BuyQuantity,
		GetQuantity:     b.GetQuantity,
		GetBasisPoints:  new(int32(b.GetBasisPoints)),
		MaxApplications: b.MaxApplications,
		GetOrder:        discountv1.UnitOrder(b.GetOrder),
	}
	if b.Buy != nil {
		rule.Buy = writeAppliesTo(*b.Buy)
	}
	if b.Get != nil {
		rule.Get = writeAppliesTo(*b.Get)
	}
	return rule
}
