// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package requests

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/types/known/durationpb"

	discountv1 "github.com/discountd/discountd/gen/discount/v1"
)

// All has every RPC with every field that can be wrong. The bounds are
// those that the API states at its fields.
func All() []Request {
	return slices.Concat(
		couponRequests(), discountRequests(), tierRequests(), promotionCodeRequests(), redemptionRequests(),
		programRequests(), giftCardRequests(), creditRequests(),
	)
}

func couponRequests() []Request {
	const creation = `coupon { percent_off { basis_points: 2500 } }`
	return []Request{
		{"CreateCoupon", creation, slices.Concat(
			[]Field{
				{Path: "coupon_id", Good: values("", "a", "A_b-9", strings.Repeat("a", 64)), Bad: values(strings.Repeat("a", 65), "a b", "a/b", "{a}", "ü", "-")},
				{Path: "coupon", Bad: missing},
				{Path: "coupon.discount", Bad: missing},
				{Path: "coupon.percent_off.basis_points", Good: values(1, 10_000), Bad: values(nil, 0, -1, 10_001, -1<<31, 1<<31-1)},
				{Path: "coupon.display_name", Good: values(nil, text(200)), Bad: values(text(201), "a\x00")},
				{Path: "coupon.duration", Good: values(nil, 1, 3), Bad: enumOutOfRange},
				{Path: "coupon.duration", Bad: values(2), Want: "coupon.duration_in_months"},
				{Path: "coupon.duration", Bad: values(4), Want: "coupon.duration_in_cycles"},
				{Path: "coupon.duration_in_months", Good: missing, Bad: values(0, 1)},
				{Path: "coupon.duration_in_cycles", Good: missing, Bad: values(0, 1)},
				{Path: "coupon.allocation", Good: values(nil, 1, 3, 4), Bad: slices.Concat(enumOutOfRange, values(2))},
				{Path: "coupon.rounding_scope", Good: values(nil, 1, 2, 3), Bad: enumOutOfRange},
				{Path: "coupon.conditions.minimum_amount_basis", Good: values(nil, 1, 2), Bad: enumOutOfRange},
				{Path: "coupon.caps.unit_order", Good: values(nil, 1, 2), Bad: enumOutOfRange},
			},
			requestID(false),
			couponLimits("coupon."),
			budgets("coupon.budgets"),
			period("coupon.starts_at", "coupon.redeem_by"),
			notes("coupon.metadata"),
			scope("coupon.applies_to."),
			amounts("coupon.conditions.minimum_amounts", 1, optional),
			counts("coupon.conditions.minimum_quantity", "coupon.conditions.maximum_quantity"),
			amounts("coupon.caps.max_discount", 1, optional),
			amounts("coupon.caps.max_discount_per_unit", 1, optional),
			amounts("coupon.caps.min_unit_amount", 0, optional),
			counts("coupon.caps.max_units", "coupon.caps.max_units_per_line"),
		)},
		{"CreateCoupon", `coupon { percent_off { basis_points: 2500 } duration: DISCOUNT_DURATION_REPEATING duration_in_months: 3 }`, []Field{
			{Path: "coupon.duration_in_months", Good: values(1, 1200), Bad: values(nil, 0, -1, 1201)},
		}},
		{"CreateCoupon", `coupon { percent_off { basis_points: 2500 } duration: DISCOUNT_DURATION_CYCLES duration_in_cycles: 3 }`, []Field{
			{Path: "coupon.duration_in_cycles", Good: values(1, 10_000), Bad: values(nil, 0, -1, 10_001)},
		}},
		{"CreateCoupon", `coupon { percent_off { basis_points: 2500 } starts_at { seconds: 1000 } redeem_by { seconds: 2000 } conditions { minimum_quantity: 5 } }`, []Field{
			{Path: "coupon.redeem_by", Good: values(nil, at(1001, 0)), Bad: values(at(1000, 0), at(999, 0), at(1000, 999_999))},
			{Path: "coupon.conditions.maximum_quantity", Good: values(5), Bad: values(4)},
		}},
		{"GetCoupon", `name: "coupons/fall"`, couponName("name")},
		{"UpdateCoupon", `coupon { name: "coupons/fall" } update_mask {
			paths: ["display_name", "metadata", "max_redemptions", "max_redemptions_per_customer", "period_limits", "budgets"] }`, slices.Concat(
			[]Field{
				{Path: "coupon", Bad: missing},
				{Path: "coupon.display_name", Good: values(nil, text(200)), Bad: values(text(201), "\u0085")},
				{Path: "update_mask", Good: values(mask("display_name"), mask("metadata", "metadata")), Bad: values(
					nil, mask(), mask("*"), mask(""), mask("name"), mask("etag"), mask("redeem_by"), mask("percent_off"), mask("coupon.metadata"),
					mask("metadata.key"), mask("metadata", "nonsense"), mask("budgets.limit"), mask("period_limits[0]"),
				)},
			},
			requestID(false),
			couponName("coupon.name"),
			etag("coupon.etag"),
			couponLimits("coupon."),
			budgets("coupon.budgets"),
			notes("coupon.metadata"),
		)},
		{"UpdateCoupon", `coupon { name: "coupons/fall" } update_mask { paths: "metadata" }`, []Field{
			// Not named by the mask.
			{Path: "coupon.max_redemptions", Good: values(0, -1)},
			{Path: "coupon.period_limits[0].period", Good: values(99)},
			{Path: "coupon.budgets[0].policy", Good: values(99)},
		}},
		{"DeleteCoupon", `name: "coupons/fall"`, slices.Concat(couponName("name"), etag("etag"), requestID(false))},
		{"ListCoupons", ``, pages()},
	}
}

// discountRequests has each type of discount.
func discountRequests() []Request {
	return []Request{
		{
			"CreateCoupon", `coupon { amount_off { amounts { currency_code: "EUR" amount_minor: 500 } } }`,
			amounts("coupon.amount_off.amounts", 1, mandatory),
		},
		{
			"CreateCoupon", `coupon { allocation: ALLOCATION_PER_UNIT amount_off {
				amounts { currency_code: "EUR" amount_minor: 500 } additional_amounts { currency_code: "EUR" amount_minor: 300 }
			} }`,
			alike(amounts("coupon.amount_off.additional_amounts", 0, optional)),
		},
		{
			"CreateCoupon", `coupon { price_override { unit_amounts { currency_code: "EUR" amount_minor: 500 } } }`,
			amounts("coupon.price_override.unit_amounts", 0, mandatory),
		},
		{"CreateCoupon", `coupon { free_trial { trial_days: 30 } }`, []Field{
			{Path: "coupon.free_trial.trial_days", Good: values(1, 730), Bad: values(nil, 0, -1, 731)},
			{Path: "coupon.free_trial.additional_trial_days", Bad: values(1), Want: "coupon.free_trial.trial_days"},
		}},
		{"CreateCoupon", `coupon { free_trial { additional_trial_days: 30 } }`, []Field{
			{Path: "coupon.free_trial.additional_trial_days", Good: values(1, 730), Bad: values(-1, 731)},
		}},
		{"CreateCoupon", `coupon { shipping_off { percent_off { basis_points: 10000 } } }`, []Field{
			{Path: "coupon.shipping_off.reduction", Bad: missing},
			{Path: "coupon.shipping_off.percent_off.basis_points", Good: values(1, 10_000), Bad: values(nil, -1, 10_001)},
		}},
		{
			"CreateCoupon", `coupon { shipping_off { amount_off { amounts { currency_code: "EUR" amount_minor: 500 } } } }`,
			append(amounts("coupon.shipping_off.amount_off.amounts", 1, mandatory), Field{
				Path: "coupon.shipping_off.amount_off.additional_amounts",
				Bad:  values(list(1, &discountv1.Money{CurrencyCode: "EUR", AmountMinor: 100})),
			}),
		},
	}
}

// tierRequests has the types of discount that depend on how much is bought.
func tierRequests() []Request {
	return []Request{
		{"CreateCoupon", `coupon { order_tiers { tiers { thresholds { currency_code: "EUR" amount_minor: 100 } percent_off { basis_points: 500 } } } }`, slices.Concat(
			[]Field{
				{Path: "coupon.order_tiers.tiers", Bad: values(nil, list(21, tier()))},
				{Path: "coupon.order_tiers.tiers[0].reward", Bad: missing},
				{Path: "coupon.order_tiers.tiers[0].percent_off.basis_points", Good: values(1, 10_000), Bad: values(nil, -1, 10_001)},
			},
			amounts("coupon.order_tiers.tiers[0].thresholds", 0, optional),
		)},
		{
			"CreateCoupon", `coupon { order_tiers { tiers { amount_off { amounts { currency_code: "EUR" amount_minor: 100 } } } } }`,
			amounts("coupon.order_tiers.tiers[0].amount_off.amounts", 1, mandatory),
		},
		{
			"CreateCoupon", `coupon { allocation: ALLOCATION_PER_UNIT order_tiers { tiers { minimum_quantity: 2 amount_off {
				amounts { currency_code: "EUR" amount_minor: 500 } additional_amounts { currency_code: "EUR" amount_minor: 300 }
			} } } }`,
			slices.Concat(
				alike(amounts("coupon.order_tiers.tiers[0].amount_off.additional_amounts", 0, optional)),
				counts("coupon.order_tiers.tiers[0].minimum_quantity"),
			),
		},
		{"CreateCoupon", `coupon { price_tiers { products { product_id: "p" tiers { minimum_quantity: 1 unit_amounts { currency_code: "EUR" amount_minor: 100 } } } } }`, slices.Concat(
			[]Field{
				{Path: "coupon.price_tiers.products", Bad: values(nil, list(101, &discountv1.ProductPriceTiers{}))},
				{Path: "coupon.price_tiers.products[0].product_id", Good: values(text(255)), Bad: values(nil, text(256), "\x7f")},
				{Path: "coupon.price_tiers.products[0].tiers", Bad: values(nil, list(21, &discountv1.PriceTier{}))},
				{Path: "coupon.price_tiers.products[0].tiers[0].minimum_quantity", Good: values(1, maxAmount), Bad: values(nil, -1, maxAmount+1)},
			},
			amounts("coupon.price_tiers.products[0].tiers[0].unit_amounts", 0, mandatory),
		)},
		{"CreateCoupon", `coupon { buy_x_get_y { buy_quantity: 2 get_quantity: 1 } }`, slices.Concat(
			[]Field{
				{Path: "coupon.buy_x_get_y.buy_quantity", Good: values(1, 1_000_000), Bad: values(nil, -1, 1_000_001)},
				{Path: "coupon.buy_x_get_y.get_quantity", Good: values(1, 1_000_000), Bad: values(nil, -1, 1_000_001)},
				{Path: "coupon.buy_x_get_y.get_basis_points", Good: values(nil, 1, 10_000), Bad: values(0, -1, 10_001)},
				{Path: "coupon.buy_x_get_y.get_order", Good: values(nil, 1, 2), Bad: enumOutOfRange},
			},
			counts("coupon.buy_x_get_y.max_applications"),
			scope("coupon.buy_x_get_y.buy."),
			scope("coupon.buy_x_get_y.get."),
		)},
		{"CreateCoupon", `coupon { group_amount_off { group_size: 3 amounts { currency_code: "EUR" amount_minor: 100 } } }`, slices.Concat(
			[]Field{{Path: "coupon.group_amount_off.group_size", Good: values(1, 1_000_000), Bad: values(nil, -1, 1_000_001)}},
			amounts("coupon.group_amount_off.amounts", 1, mandatory),
			counts("coupon.group_amount_off.max_applications"),
		)},
		{"CreateCoupon", `coupon { bundle_price { bundle_quantity: 3 amounts { currency_code: "EUR" amount_minor: 100 } } }`, slices.Concat(
			[]Field{{Path: "coupon.bundle_price.bundle_quantity", Good: values(1, 1_000_000), Bad: values(nil, -1, 1_000_001)}},
			amounts("coupon.bundle_price.amounts", 0, mandatory),
			counts("coupon.bundle_price.max_applications"),
		)},
	}
}

func promotionCodeRequests() []Request {
	const name = `name: "coupons/fall/promotionCodes/00000000"`
	change := slices.Concat(promotionCodeName("name"), requestID(false))
	return []Request{
		{"CreatePromotionCode", `parent: "coupons/fall" promotion_code {}`, slices.Concat(
			[]Field{
				{Path: "promotion_code", Bad: missing},
				{Path: "promotion_code.code", Good: values("", "a", " Fall-Promo_1 ", strings.Repeat("a", 64)), Bad: values(
					" ", strings.Repeat("a", 65), "a b", "a{b}", "a\x00", "ü", "ſ", "ı", "ＦＡＬＬ",
				)},
				{Path: "promotion_code.customer_id", Good: values(text(255)), Bad: values(text(256), "a\nb")},
				{Path: "promotion_code.customer_email", Good: values("A@b"), Bad: emails},
			},
			requestID(false),
			couponName("parent"),
			amounts("promotion_code.restrictions.minimum_amounts", 1, optional),
			couponLimits("promotion_code."),
			period("promotion_code.starts_at", "promotion_code.expires_at"),
			notes("promotion_code.metadata"),
		)},
		{"CreatePromotionCode", `parent: "coupons/fall" promotion_code { customer_id: "c" starts_at { seconds: 1000 } }`, []Field{
			{Path: "promotion_code.customer_email", Bad: values("a@b")},
			{Path: "promotion_code.expires_at", Good: values(at(1001, 0)), Bad: values(at(1000, 0), at(1, 0))},
		}},
		{"GetPromotionCode", name, promotionCodeName("name")},
		{"UpdatePromotionCode", `promotion_code { name: "coupons/fall/promotionCodes/00000000" }
			update_mask { paths: ["metadata", "max_redemptions", "max_redemptions_per_customer", "period_limits", "restrictions.minimum_amounts"] }`, slices.Concat(
			[]Field{
				{Path: "promotion_code", Bad: missing},
				{Path: "update_mask", Good: values(mask("metadata")), Bad: values(
					nil, mask(), mask("*"), mask("code"), mask("active"), mask("expires_at"), mask("restrictions"), mask("restrictions.first_time_transaction"), mask("budgets"),
				)},
			},
			requestID(false),
			promotionCodeName("promotion_code.name"),
			etag("promotion_code.etag"),
			amounts("promotion_code.restrictions.minimum_amounts", 1, optional),
			couponLimits("promotion_code."),
			notes("promotion_code.metadata"),
		)},
		{"UpdatePromotionCode", `promotion_code { name: "coupons/fall/promotionCodes/00000000" } update_mask { paths: "metadata" }`, []Field{
			{Path: "promotion_code.period_limits[0].period", Good: values(99)}, // not named by the mask
		}},
		{"ActivatePromotionCode", name, change},
		{"DeactivatePromotionCode", name, change},
		{"DeletePromotionCode", name, change},
		{"ListPromotionCodes", `parent: "coupons/fall"`, slices.Concat(
			[]Field{
				{Path: "code", Good: values("fall"), Bad: values("a b", strings.Repeat("a", 65))},
				{Path: "customer_id", Good: values("c"), Bad: values(text(256), "\n")},
			},
			couponName("parent"), pages(),
		)},
		{"ListPromotionCodes", `parent: "coupons/-" code: "fall"`, []Field{
			{Path: "code", Bad: missing, Want: "parent"},
			{Path: "parent", Bad: values("coupons", "-")},
		}},
		{"ListPromotionCodes", `parent: "coupons/-" customer_id: "c"`, nil},
	}
}

func redemptionRequests() []Request {
	order := ` order { currency_code: "EUR" lines { unit_amount_minor: 1000 quantity: 2 } }`
	staleness := []Field{{Path: "max_staleness", Good: values(nil, &durationpb.Duration{}, &durationpb.Duration{Seconds: 3600}), Bad: values(
		&durationpb.Duration{Seconds: -1}, &durationpb.Duration{Nanos: -1}, &durationpb.Duration{Nanos: 1_000_000_000},
		&durationpb.Duration{Seconds: 1 << 40}, &durationpb.Duration{Seconds: 1, Nanos: -1},
	)}}
	const settlement = `name: "coupons/fall/redemptions/1-abc" request_id: "r"`
	return []Request{
		{"ValidateCode", `code: "FALL" ` + order, slices.Concat(source(), purchase(), staleness)},
		{"Redeem", `request_id: "r" code: "FALL" ` + order, slices.Concat(source(), purchase(), requestID(true))},
		{"ReserveRedemption", `request_id: "r" code: "FALL" ` + order, slices.Concat(source(), purchase(), requestID(true), ttl())},
		{"CommitRedemption", settlement, slices.Concat(
			[]Field{{Path: "amount_minor", Good: values(nil, 0, maxAmount), Bad: values(-1, maxAmount+1, -1<<63, 1<<63-1)}},
			redemptionName(), requestID(true),
		)},
		{"ReleaseRedemption", settlement, slices.Concat(redemptionName(), requestID(true))},
		{"VoidRedemption", settlement, slices.Concat(
			[]Field{
				{Path: "amount_minor", Good: values(nil, 1, maxAmount), Bad: values(0, -1, maxAmount+1, -1<<63, 1<<63-1)},
				{Path: "reason", Good: values(nil, text(200)), Bad: values(text(201), "a\nb", "\x1f", "\u0085")},
			},
			redemptionName(), requestID(true),
		)},
		{"ApplyRenewal", settlement + ` invoice { id: "i" issued_at { seconds: 1 } currency_code: "EUR" lines { unit_amount_minor: 1000 quantity: 2 } }`, slices.Concat(
			invoice(), redemptionName(), requestID(true),
		)},
		{"EndDiscount", settlement, slices.Concat(redemptionName(), requestID(true))},
		{"GetRedemption", `name: "coupons/fall/redemptions/1-abc"`, redemptionName()},
		{"ListRedemptions", `parent: "coupons/fall"`, slices.Concat(
			[]Field{
				{Path: "promotion_code", Good: values("coupons/fall/promotionCodes/00000000"), Bad: values(
					"FALL", "coupons/fall", "coupons/spring/promotionCodes/00000000",
				)},
				{Path: "customer_id", Good: values("c"), Bad: values(text(256), "\n")},
				{Path: "customer_email", Good: values("A@b"), Bad: emails},
				{Path: "order_id", Good: values("o"), Bad: values(text(256), "\n")},
				{Path: "state", Good: values(nil, 1, 5), Bad: enumOutOfRange},
			},
			couponName("parent"), pages(), period("created_after", "created_before"),
		)},
	}
}
