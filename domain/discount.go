// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package domain

// Discount is what a coupon takes off. Exactly one field is set.
type Discount struct {
	PercentOff     *PercentOff     `json:"percent_off,omitempty"`
	AmountOff      *AmountOff      `json:"amount_off,omitempty"`
	PriceOverride  *PriceOverride  `json:"price_override,omitempty"`
	FreeTrial      *FreeTrial      `json:"free_trial,omitempty"`
	ShippingOff    *ShippingOff    `json:"shipping_off,omitempty"`
	OrderTiers     *OrderTiers     `json:"order_tiers,omitempty"`
	PriceTiers     *PriceTiers     `json:"price_tiers,omitempty"`
	BuyXGetY       *BuyXGetY       `json:"buy_x_get_y,omitempty"`
	GroupAmountOff *GroupAmountOff `json:"group_amount_off,omitempty"`
	BundlePrice    *BundlePrice    `json:"bundle_price,omitempty"`
	GiftCards      *GiftCards      `json:"gift_cards,omitempty"`
}

// PercentOff takes a share of the eligible amount.
type PercentOff struct {
	BasisPoints BasisPoints `json:"basis_points"`
}

// AmountOff takes a fixed amount, in the currencies it is offered in. With
// AdditionalAmounts, which go with PerUnit alone, these are taken off each unit of
// a line after its first one.
type AmountOff struct {
	Amounts           []Money `json:"amounts"`
	AdditionalAmounts []Money `json:"additional_amounts,omitempty"`
}

// PriceOverride sets the price of every eligible unit and never raises one.
type PriceOverride struct {
	UnitAmounts []Money `json:"unit_amounts"`
}

// FreeTrial grants days before the first charge and takes nothing off. Exactly one
// field is set: TrialDays is the whole trial, unless the plan's own is longer,
// AdditionalTrialDays come on top of the plan's own.
type FreeTrial struct {
	TrialDays           int32 `json:"trial_days,omitempty"`
	AdditionalTrialDays int32 `json:"additional_trial_days,omitempty"`
}

// days returns the length of the trial on a plan that has days of its own.
func (f *FreeTrial) days(ofPlan int32) int32 {
	if f.AdditionalTrialDays > 0 {
		return ofPlan + f.AdditionalTrialDays
	}
	return max(ofPlan, f.TrialDays)
}

// ShippingOff reduces the price of shipping. Exactly one field is set.
type ShippingOff struct {
	PercentOff *PercentOff `json:"percent_off,omitempty"`
	AmountOff  *AmountOff  `json:"amount_off,omitempty"`
}

// OrderTiers applies the highest tier whose threshold the eligible lines reach.
type OrderTiers struct {
	Tiers []OrderTier `json:"tiers"`
}

// OrderTier is one step of OrderTiers: from an amount on, or from a number of
// units, or with neither from nothing on. Exactly one of PercentOff and AmountOff
// is set.
type OrderTier struct {
	Thresholds      []Money     `json:"thresholds,omitempty"`
	MinimumQuantity *int64      `json:"minimum_quantity,omitempty"`
	PercentOff      *PercentOff `json:"percent_off,omitempty"`
	AmountOff       *AmountOff  `json:"amount_off,omitempty"`
}

// PriceTiers sets unit prices by product and by its quantity in the order. It
// never raises a price.
type PriceTiers struct {
	Products []ProductPriceTiers `json:"products"`
}

// ProductPriceTiers is the price list of one product, quantities rising.
type ProductPriceTiers struct {
	ProductID string      `json:"product_id"`
	Tiers     []PriceTier `json:"tiers"`
}

// PriceTier is a unit price from a quantity on.
type PriceTier struct {
	MinimumQuantity int64   `json:"minimum_quantity"`
	UnitAmounts     []Money `json:"unit_amounts"`
}

// BuyXGetY discounts GetQuantity units whenever BuyQuantity others are bought. A
// nil scope is the coupon's own; a nil MaxApplications is no limit.
type BuyXGetY struct {
	BuyQuantity     int64       `json:"buy_quantity"`
	Buy             *AppliesTo  `json:"buy,omitempty"`
	GetQuantity     int64       `json:"get_quantity"`
	Get             *AppliesTo  `json:"get,omitempty"`
	GetBasisPoints  BasisPoints `json:"get_basis_points"`
	MaxApplications *int64      `json:"max_applications,omitempty"`
	GetOrder        UnitOrder   `json:"get_order,omitempty"`
}

// GroupAmountOff takes an amount off for every complete group of units, or off
// each unit of one when the allocation is per unit.
type GroupAmountOff struct {
	GroupSize       int64   `json:"group_size"`
	Amounts         []Money `json:"amounts"`
	MaxApplications *int64  `json:"max_applications,omitempty"`
}

// BundlePrice sells BundleQuantity units together at one price.
type BundlePrice struct {
	BundleQuantity  int64   `json:"bundle_quantity"`
	Amounts         []Money `json:"amounts"`
	MaxApplications *int64  `json:"max_applications,omitempty"`
}

// UnitOrder says which units come first when not all can be discounted. The zero
// value is the default of the place it is used in.
type UnitOrder uint8

// The unit orders, numbered as in the API.
const (
	UnitOrderDefault UnitOrder = iota
	CheapestFirst
	DearestFirst
)

// AppliesTo selects order lines. The zero value selects all of them.
type AppliesTo struct {
	Products           []string      `json:"products,omitempty"`
	ExcludedProducts   []string      `json:"excluded_products,omitempty"`
	Categories         []string      `json:"categories,omitempty"`
	ExcludedCategories []string      `json:"excluded_categories,omitempty"`
	ExcludeSaleItems   bool          `json:"exclude_sale_items,omitempty"`
	UnitAmounts        []AmountRange `json:"unit_amounts,omitempty"`
}

// AmountRange is a range of amounts with both ends included. A nil Max is no
// upper end.
type AmountRange struct {
	Currency Currency `json:"currency"`
	Min      int64    `json:"min_minor"`
	Max      *int64   `json:"max_minor,omitempty"`
}

// OrderConditions must hold for a discount to apply at all.
type OrderConditions struct {
	MinimumAmounts     []Money            `json:"minimum_amounts,omitempty"`
	MinimumAmountBasis MinimumAmountBasis `json:"minimum_amount_basis,omitempty"`
	MinimumQuantity    *int64             `json:"minimum_quantity,omitempty"`
	MaximumQuantity    *int64             `json:"maximum_quantity,omitempty"`
}

// MinimumAmountBasis says which lines count towards a minimum amount. The zero
// value is the whole order.
type MinimumAmountBasis uint8

// The bases, numbered as in the API.
const (
	BasisDefault MinimumAmountBasis = iota
	BasisWholeOrder
	BasisEligibleLines
)

// DiscountCaps bounds what a discount may take. The zero value bounds nothing.
type DiscountCaps struct {
	MaxDiscount        []Money   `json:"max_discount,omitempty"`
	MaxDiscountPerUnit []Money   `json:"max_discount_per_unit,omitempty"`
	MinUnitAmount      []Money   `json:"min_unit_amount,omitempty"`
	MaxUnits           *int64    `json:"max_units,omitempty"`
	MaxUnitsPerLine    *int64    `json:"max_units_per_line,omitempty"`
	UnitOrder          UnitOrder `json:"unit_order,omitempty"`
}

// Allocation says how an amount off meets the lines. The zero value is across,
// in proportion to the lines' amounts.
type Allocation uint8

// The allocations, numbered as in the API.
const (
	AllocationDefault Allocation = iota
	AcrossProportional
	AcrossByQuantity
	PerLine
	PerUnit
)

// RoundingScope says over what a percentage is rounded. The zero value is the
// whole order.
type RoundingScope uint8

// The rounding scopes, numbered as in the API.
const (
	RoundingDefault RoundingScope = iota
	RoundPerOrder
	RoundPerLine
	RoundPerUnit
)

// Terms are the rules of a coupon that bear on an amount.
type Terms struct {
	Discount      Discount        `json:"discount"`
	AppliesTo     AppliesTo       `json:"applies_to,omitzero"`
	Conditions    OrderConditions `json:"conditions,omitzero"`
	Caps          DiscountCaps    `json:"caps,omitzero"`
	Allocation    Allocation      `json:"allocation,omitempty"`
	RoundingScope RoundingScope   `json:"rounding_scope,omitempty"`
}
