// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	discountv1 "github.com/discountd/discountd/gen/discount/v1"
)

// theRequests has every RPC with every field that can be wrong. The bounds are
// those that the API states at its fields.
func theRequests() []requests {
	return slices.Concat(couponRequests(), discountRequests(), promotionCodeRequests(), redemptionRequests())
}

func couponRequests() []requests {
	const creation = `coupon { percent_off { basis_points: 2500 } }`
	return []requests{
		{"CreateCoupon", creation, slices.Concat(
			[]field{
				{path: "coupon_id", good: values("", "a", "A_b-9", strings.Repeat("a", 64)), bad: values(strings.Repeat("a", 65), "a b", "a/b", "{a}", "ü", "-")},
				{path: "coupon", bad: missing},
				{path: "coupon.discount", bad: missing},
				{path: "coupon.percent_off.basis_points", good: values(1, 10_000), bad: values(nil, 0, -1, 10_001, -1<<31, 1<<31-1)},
				{path: "coupon.display_name", good: values(nil, text(200)), bad: values(text(201), "a\x00")},
				{path: "coupon.duration", good: values(nil, 1, 3), bad: enumOutOfRange},
				{path: "coupon.duration", bad: values(2), want: "coupon.duration_in_months"},
				{path: "coupon.duration", bad: values(4), want: "coupon.duration_in_cycles"},
				{path: "coupon.duration_in_months", good: missing, bad: values(0, 1)},
				{path: "coupon.duration_in_cycles", good: missing, bad: values(0, 1)},
				{path: "coupon.allocation", good: values(nil, 1, 3, 4), bad: slices.Concat(enumOutOfRange, values(2))},
				{path: "coupon.rounding_scope", good: values(nil, 1, 2, 3), bad: enumOutOfRange},
				{path: "coupon.conditions.minimum_amount_basis", good: values(nil, 1, 2), bad: enumOutOfRange},
				{path: "coupon.caps.unit_order", good: values(nil, 1, 2), bad: enumOutOfRange},
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
		{"CreateCoupon", `coupon { percent_off { basis_points: 2500 } duration: DISCOUNT_DURATION_REPEATING duration_in_months: 3 }`, []field{
			{path: "coupon.duration_in_months", good: values(1, 1200), bad: values(nil, 0, -1, 1201)},
		}},
		{"CreateCoupon", `coupon { percent_off { basis_points: 2500 } duration: DISCOUNT_DURATION_CYCLES duration_in_cycles: 3 }`, []field{
			{path: "coupon.duration_in_cycles", good: values(1, 10_000), bad: values(nil, 0, -1, 10_001)},
		}},
		{"CreateCoupon", `coupon { percent_off { basis_points: 2500 } starts_at { seconds: 1000 } redeem_by { seconds: 2000 } conditions { minimum_quantity: 5 } }`, []field{
			{path: "coupon.redeem_by", good: values(nil, at(1001, 0)), bad: values(at(1000, 0), at(999, 0), at(1000, 999_999))},
			{path: "coupon.conditions.maximum_quantity", good: values(5), bad: values(4)},
		}},
		{"GetCoupon", `name: "coupons/fall"`, couponName("name")},
		{"UpdateCoupon", `coupon { name: "coupons/fall" } update_mask {
			paths: ["display_name", "metadata", "max_redemptions", "max_redemptions_per_customer", "period_limits", "budgets"] }`, slices.Concat(
			[]field{
				{path: "coupon", bad: missing},
				{path: "coupon.display_name", good: values(nil, text(200)), bad: values(text(201), "\u0085")},
				{path: "update_mask", good: values(mask("display_name"), mask("metadata", "metadata")), bad: values(
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
		{"UpdateCoupon", `coupon { name: "coupons/fall" } update_mask { paths: "metadata" }`, []field{
			// Not named by the mask.
			{path: "coupon.max_redemptions", good: values(0, -1)},
			{path: "coupon.period_limits[0].period", good: values(99)},
			{path: "coupon.budgets[0].policy", good: values(99)},
		}},
		{"DeleteCoupon", `name: "coupons/fall"`, slices.Concat(couponName("name"), etag("etag"), requestID(false))},
		{"ListCoupons", ``, pages()},
	}
}

// discountRequests has each type of discount.
func discountRequests() []requests {
	return []requests{
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
		{"CreateCoupon", `coupon { free_trial { trial_days: 30 } }`, []field{
			{path: "coupon.free_trial.trial_days", good: values(1, 730), bad: values(nil, 0, -1, 731)},
			{path: "coupon.free_trial.additional_trial_days", bad: values(1), want: "coupon.free_trial.trial_days"},
		}},
		{"CreateCoupon", `coupon { free_trial { additional_trial_days: 30 } }`, []field{
			{path: "coupon.free_trial.additional_trial_days", good: values(1, 730), bad: values(-1, 731)},
		}},
		{"CreateCoupon", `coupon { shipping_off { percent_off { basis_points: 10000 } } }`, []field{
			{path: "coupon.shipping_off.reduction", bad: missing},
			{path: "coupon.shipping_off.percent_off.basis_points", good: values(1, 10_000), bad: values(nil, -1, 10_001)},
		}},
		{
			"CreateCoupon", `coupon { shipping_off { amount_off { amounts { currency_code: "EUR" amount_minor: 500 } } } }`,
			append(amounts("coupon.shipping_off.amount_off.amounts", 1, mandatory), field{
				path: "coupon.shipping_off.amount_off.additional_amounts",
				bad:  values(list(1, &discountv1.Money{CurrencyCode: "EUR", AmountMinor: 100})),
			}),
		},
		{"CreateCoupon", `coupon { order_tiers { tiers { thresholds { currency_code: "EUR" amount_minor: 100 } percent_off { basis_points: 500 } } } }`, slices.Concat(
			[]field{
				{path: "coupon.order_tiers.tiers", bad: values(nil, list(21, tier()))},
				{path: "coupon.order_tiers.tiers[0].reward", bad: missing},
				{path: "coupon.order_tiers.tiers[0].percent_off.basis_points", good: values(1, 10_000), bad: values(nil, -1, 10_001)},
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
			[]field{
				{path: "coupon.price_tiers.products", bad: values(nil, list(101, &discountv1.ProductPriceTiers{}))},
				{path: "coupon.price_tiers.products[0].product_id", good: values(text(255)), bad: values(nil, text(256), "\x7f")},
				{path: "coupon.price_tiers.products[0].tiers", bad: values(nil, list(21, &discountv1.PriceTier{}))},
				{path: "coupon.price_tiers.products[0].tiers[0].minimum_quantity", good: values(1, maxAmount), bad: values(nil, -1, maxAmount+1)},
			},
			amounts("coupon.price_tiers.products[0].tiers[0].unit_amounts", 0, mandatory),
		)},
		{"CreateCoupon", `coupon { buy_x_get_y { buy_quantity: 2 get_quantity: 1 } }`, slices.Concat(
			[]field{
				{path: "coupon.buy_x_get_y.buy_quantity", good: values(1, 1_000_000), bad: values(nil, -1, 1_000_001)},
				{path: "coupon.buy_x_get_y.get_quantity", good: values(1, 1_000_000), bad: values(nil, -1, 1_000_001)},
				{path: "coupon.buy_x_get_y.get_basis_points", good: values(nil, 1, 10_000), bad: values(0, -1, 10_001)},
				{path: "coupon.buy_x_get_y.get_order", good: values(nil, 1, 2), bad: enumOutOfRange},
			},
			counts("coupon.buy_x_get_y.max_applications"),
			scope("coupon.buy_x_get_y.buy."),
			scope("coupon.buy_x_get_y.get."),
		)},
		{"CreateCoupon", `coupon { group_amount_off { group_size: 3 amounts { currency_code: "EUR" amount_minor: 100 } } }`, slices.Concat(
			[]field{{path: "coupon.group_amount_off.group_size", good: values(1, 1_000_000), bad: values(nil, -1, 1_000_001)}},
			amounts("coupon.group_amount_off.amounts", 1, mandatory),
			counts("coupon.group_amount_off.max_applications"),
		)},
		{"CreateCoupon", `coupon { bundle_price { bundle_quantity: 3 amounts { currency_code: "EUR" amount_minor: 100 } } }`, slices.Concat(
			[]field{{path: "coupon.bundle_price.bundle_quantity", good: values(1, 1_000_000), bad: values(nil, -1, 1_000_001)}},
			amounts("coupon.bundle_price.amounts", 0, mandatory),
			counts("coupon.bundle_price.max_applications"),
		)},
	}
}

func promotionCodeRequests() []requests {
	const name = `name: "coupons/fall/promotionCodes/00000000"`
	change := slices.Concat(promotionCodeName("name"), requestID(false))
	return []requests{
		{"CreatePromotionCode", `parent: "coupons/fall" promotion_code {}`, slices.Concat(
			[]field{
				{path: "promotion_code", bad: missing},
				{path: "promotion_code.code", good: values("", "a", " Fall-Promo_1 ", strings.Repeat("a", 64)), bad: values(
					" ", strings.Repeat("a", 65), "a b", "a{b}", "a\x00", "ü", "ſ", "ı", "ＦＡＬＬ",
				)},
				{path: "promotion_code.customer_id", good: values(text(255)), bad: values(text(256), "a\nb")},
				{path: "promotion_code.customer_email", good: values("A@b"), bad: emails},
			},
			requestID(false),
			couponName("parent"),
			amounts("promotion_code.restrictions.minimum_amounts", 1, optional),
			couponLimits("promotion_code."),
			period("promotion_code.starts_at", "promotion_code.expires_at"),
			notes("promotion_code.metadata"),
		)},
		{"CreatePromotionCode", `parent: "coupons/fall" promotion_code { customer_id: "c" starts_at { seconds: 1000 } }`, []field{
			{path: "promotion_code.customer_email", bad: values("a@b")},
			{path: "promotion_code.expires_at", good: values(at(1001, 0)), bad: values(at(1000, 0), at(1, 0))},
		}},
		{"GetPromotionCode", name, promotionCodeName("name")},
		{"UpdatePromotionCode", `promotion_code { name: "coupons/fall/promotionCodes/00000000" }
			update_mask { paths: ["metadata", "max_redemptions", "max_redemptions_per_customer", "period_limits", "restrictions.minimum_amounts"] }`, slices.Concat(
			[]field{
				{path: "promotion_code", bad: missing},
				{path: "update_mask", good: values(mask("metadata")), bad: values(
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
		{"UpdatePromotionCode", `promotion_code { name: "coupons/fall/promotionCodes/00000000" } update_mask { paths: "metadata" }`, []field{
			{path: "promotion_code.period_limits[0].period", good: values(99)}, // not named by the mask
		}},
		{"ActivatePromotionCode", name, change},
		{"DeactivatePromotionCode", name, change},
		{"DeletePromotionCode", name, change},
		{"ListPromotionCodes", `parent: "coupons/fall"`, slices.Concat(
			[]field{
				{path: "code", good: values("fall"), bad: values("a b", strings.Repeat("a", 65))},
				{path: "customer_id", good: values("c"), bad: values(text(256), "\n")},
			},
			couponName("parent"), pages(),
		)},
		{"ListPromotionCodes", `parent: "coupons/-" code: "fall"`, []field{
			{path: "code", bad: missing, want: "parent"},
			{path: "parent", bad: values("coupons", "-")},
		}},
		{"ListPromotionCodes", `parent: "coupons/-" customer_id: "c"`, nil},
	}
}

func redemptionRequests() []requests {
	order := ` order { currency_code: "EUR" lines { unit_amount_minor: 1000 quantity: 2 } }`
	staleness := []field{{path: "max_staleness", good: values(nil, &durationpb.Duration{}, &durationpb.Duration{Seconds: 3600}), bad: values(
		&durationpb.Duration{Seconds: -1}, &durationpb.Duration{Nanos: -1}, &durationpb.Duration{Nanos: 1_000_000_000},
		&durationpb.Duration{Seconds: 1 << 40}, &durationpb.Duration{Seconds: 1, Nanos: -1},
	)}}
	const settlement = `name: "coupons/fall/redemptions/1-abc" request_id: "r"`
	return []requests{
		{"ValidateCode", `code: "FALL" ` + order, slices.Concat(source(), purchase(), staleness)},
		{"Redeem", `request_id: "r" code: "FALL" ` + order, slices.Concat(source(), purchase(), requestID(true))},
		{"ReserveRedemption", `request_id: "r" code: "FALL" ` + order, slices.Concat(source(), purchase(), requestID(true), ttl())},
		{"CommitRedemption", settlement, slices.Concat(
			[]field{{path: "amount_minor", good: values(nil, 0, maxAmount), bad: values(-1, maxAmount+1, -1<<63, 1<<63-1)}},
			redemptionName("name"), requestID(true),
		)},
		{"ReleaseRedemption", settlement, slices.Concat(redemptionName("name"), requestID(true))},
		{"VoidRedemption", settlement, slices.Concat(
			[]field{
				{path: "amount_minor", good: values(nil, 1, maxAmount), bad: values(0, -1, maxAmount+1, -1<<63, 1<<63-1)},
				{path: "reason", good: values(nil, text(200)), bad: values(text(201), "a\nb", "\x1f", "\u0085")},
			},
			redemptionName("name"), requestID(true),
		)},
		{"ApplyRenewal", settlement + ` invoice { id: "i" issued_at { seconds: 1 } currency_code: "EUR" lines { unit_amount_minor: 1000 quantity: 2 } }`, slices.Concat(
			invoice(), redemptionName("name"), requestID(true),
		)},
		{"EndDiscount", settlement, slices.Concat(redemptionName("name"), requestID(true))},
		{"GetRedemption", `name: "coupons/fall/redemptions/1-abc"`, redemptionName("name")},
		{"ListRedemptions", `parent: "coupons/fall"`, slices.Concat(
			[]field{
				{path: "promotion_code", good: values("coupons/fall/promotionCodes/00000000"), bad: values(
					"FALL", "coupons/fall", "coupons/spring/promotionCodes/00000000",
				)},
				{path: "customer_id", good: values("c"), bad: values(text(256), "\n")},
				{path: "customer_email", good: values("A@b"), bad: emails},
				{path: "order_id", good: values("o"), bad: values(text(256), "\n")},
				{path: "state", good: values(nil, 1, 5), bad: enumOutOfRange},
			},
			couponName("parent"), pages(), period("created_after", "created_before"),
		)},
	}
}

// source has what can be redeemed. Of a code nothing is a bad field.
func source() []field {
	return []field{
		{path: "source", bad: missing},
		{path: "code", good: values("", " ", "no such code", strings.Repeat("x", 10_000), "\x00")},
		{path: "promotion_code", good: values("coupons/fall/promotionCodes/00000000"), bad: values("", "FALL", "coupons/fall")},
		{path: "coupon", good: values("coupons/fall"), bad: values("", "fall", "coupons/")},
	}
}

// purchase has the customer and the order.
func purchase() []field {
	return slices.Concat(
		[]field{
			{path: "customer.id", good: values(nil, text(255)), bad: values(text(256), "\x00")},
			{path: "customer.email", good: values(nil, "a@b"), bad: emails},
			{path: "order", good: missing},
			{path: "order.id", good: values(nil, text(255)), bad: values(text(256), "a\tb")},
			{path: "context", good: values(nil, 1, 5), bad: enumOutOfRange},
			{path: "subscription_id", good: values(nil, text(255)), bad: values(text(256), "\x1f")},
			{path: "plan_trial_days", good: values(nil, 730), bad: values(-1, 731)},
		},
		purchased("order."),
	)
}

// invoice is one to renew a discount with.
func invoice() []field {
	return slices.Concat(
		[]field{
			{path: "invoice", bad: missing},
			{path: "invoice.id", good: values(text(255)), bad: values(nil, text(256), "a\tb")},
			{path: "invoice.issued_at", good: values(at(1, 999)), bad: values(nil, at(-1, 0), at(0, -1))},
		},
		purchased("invoice."),
	)
}

// purchased is what an order and an invoice have in common.
func purchased(of string) []field {
	line := &discountv1.OrderLine{UnitAmountMinor: 1, Quantity: 1}
	return []field{
		{path: of + "currency_code", good: values("JPY", "KWD"), bad: badCurrencies},
		{path: of + "lines", good: values(list(200, line)), bad: values(nil, list(201, line))},
		{path: of + "lines[0].id", good: values(nil, text(64)), bad: values(text(65), "\n")},
		{path: of + "lines", bad: values([]proto.Message{
			&discountv1.OrderLine{Id: "a", Quantity: 1}, &discountv1.OrderLine{Id: "a", Quantity: 1},
		}), want: of + "lines[1].id"},
		{path: of + "lines[0].product_id", good: values(nil, text(255)), bad: values(text(256), "\n")},
		{path: of + "lines[0].category_ids", good: values(nil, names(50)), bad: values(names(51))},
		{path: of + "lines[0].category_ids[0]", good: values(text(255)), bad: values("", text(256), "\n")},
		{path: of + "lines[0].unit_amount_minor", good: values(0, maxAmount/2), bad: values(-1, maxAmount+1, -1<<63, 1<<63-1), also: []string{of + "lines[0].min_unit_amount_minor", of + "lines"}},
		{path: of + "lines[0].unit_amount_minor", bad: values(maxAmount/2 + 1), want: of + "lines"},
		{path: of + "lines[0].quantity", good: values(1, 1_000_000), bad: values(nil, -1, 1_000_001, -1<<63, 1<<63-1), also: []string{of + "lines"}},
		{path: of + "lines[0].min_unit_amount_minor", good: values(nil, 1000), bad: values(-1, 1001)},
		{path: of + "shipping_amount_minor", good: values(nil, 1, maxAmount-2000), bad: values(-1, maxAmount+1)},
		{path: of + "shipping_amount_minor", bad: values(maxAmount - 1999), want: of + "lines"},
	}
}

// The fields that several requests have in common.

var (
	emails        = values("x", "@", "a@", "@b", "a b@c", "a@b\n", strings.Repeat("a", 253)+"@b")
	badCurrencies = values(nil, "eur", "EU", "EURO", "€", "XXX", "ABC")
)

const (
	optional  = false
	mandatory = true
)

func requestID(isRequired bool) []field {
	f := field{path: "request_id", good: values("r", strings.Repeat("~ ", 127)+"x"), bad: values(strings.Repeat("x", 256), "ü", "a\nb", "\x7f")}
	if isRequired {
		f.bad = append(f.bad, nil)
	} else {
		f.good = append(f.good, nil)
	}
	return []field{f}
}

func couponName(path string) []field {
	return []field{{path: path, good: values("coupons/a", "coupons/"+strings.Repeat("a", 64)), bad: values(
		nil, "fall", "coupons", "coupons/", "coupons/a b", "coupons/"+strings.Repeat("a", 65), "coupons/fall/promotionCodes/00000000", "/coupons/fall",
	)}}
}

func promotionCodeName(path string) []field {
	return []field{{path: path, good: values("coupons/a/promotionCodes/zzzzzzzz"), bad: values(
		nil, "FALL", "coupons/fall", "coupons/fall/promotionCodes/", "coupons/fall/promotionCodes/0000000", "coupons/fall/promotionCodes/0000000u",
		"coupons/fall/promotionCodes/00000000/x", "coupons//promotionCodes/00000000",
	)}}
}

func redemptionName(path string) []field {
	return []field{{path: path, good: values("coupons/f/redemptions/1"), bad: values(
		nil, "coupons/fall", "coupons/fall/redemptions/", "coupons/-/redemptions/a b", "coupons/fall/promotionCodes/00000000",
		"coupons/fall/redemptions/"+strings.Repeat("1", 33), "coupons/fall/redemptions/1/x",
	)}}
}

// ttl is the time of a reservation.
func ttl() []field {
	of := func(seconds int64, nanos int32) *durationpb.Duration {
		return &durationpb.Duration{Seconds: seconds, Nanos: nanos}
	}
	return []field{{path: "ttl", good: values(nil, of(1, 0), of(86_400, 0)), bad: values(
		of(0, 0), of(0, 999_999_999), of(86_400, 1), of(-1, 0), of(1<<62, 0), of(-1<<62, 0), of(2, -1), of(1, 1_000_000_000),
	)}}
}

func etag(path string) []field {
	return []field{{path: path, good: values(nil, "v1", "v9007199254740991"), bad: values(
		"1", "v", "v0", "v-1", "v01", "v+1", "V1", `"v1"`, "v9223372036854775808", "*",
	)}}
}

// counts has optional numbers of 1 or more.
func counts(paths ...string) []field {
	var out []field
	for _, path := range paths {
		out = append(out, field{path: path, good: values(nil, 1, maxAmount), bad: values(0, -1, maxAmount+1, -1<<63, 1<<63-1)})
	}
	return out
}

func at(seconds int64, nanos int32) *timestamppb.Timestamp {
	return &timestamppb.Timestamp{Seconds: seconds, Nanos: nanos}
}

// period has two instants. The last one of the year 9999 is the last there is.
func period(from, until string) []field {
	const lastSecond = 253402300799
	bad := values(at(-1, 0), at(0, -1), at(0, 1_000_000_000), at(lastSecond+1, 0), at(1<<62, 0), at(-1<<62, 0))
	return []field{
		{path: from, good: values(nil, at(0, 0), at(lastSecond, 999_999_999)), bad: bad},
		{path: until, good: values(nil, at(0, 0), at(lastSecond, 999_999_999)), bad: bad},
	}
}

func notes(path string) []field {
	return []field{{path: path, good: values(nil, noteMap(50, 40, 500), map[string]string{"k": ""}), bad: values(
		noteMap(51, 2, 1), noteMap(1, 41, 1), noteMap(1, 1, 501), map[string]string{"": "v"}, map[string]string{"a\n": "v"},
	)}}
}

func mask(paths ...string) *fieldmaskpb.FieldMask { return &fieldmaskpb.FieldMask{Paths: paths} }

// amounts has a list of amounts of at least least in different currencies.
func amounts(path string, least int, isRequired bool) []field {
	eur := &discountv1.Money{CurrencyCode: "EUR", AmountMinor: 100}
	count := field{path: path, bad: values(list(51, eur))}
	if isRequired {
		count.bad = append(count.bad, nil)
	} else {
		count.good = values(nil)
	}
	one := path + "[0]."
	return []field{
		count,
		{path: path, bad: values([]proto.Message{eur, eur}), want: path + "[1].currency_code"},
		{path: path, bad: values(list(1, &discountv1.Money{CurrencyCode: "EUR", AmountMinor: int64(least) - 1})), want: one + "amount_minor"},
		{path: path, bad: values(list(1, &discountv1.Money{CurrencyCode: "EUR", AmountMinor: maxAmount + 1})), want: one + "amount_minor"},
		{path: path, bad: values(list(1, &discountv1.Money{CurrencyCode: "eur", AmountMinor: 1})), want: one + "currency_code"},
		{path: path, good: values(
			list(1, &discountv1.Money{CurrencyCode: "EUR", AmountMinor: int64(least)}),
			list(1, &discountv1.Money{CurrencyCode: "EUR", AmountMinor: maxAmount}),
		)},
	}
}

// alike is for amounts whose currencies must be those of others: one that is no
// currency is not among them, either.
func alike(fields []field) []field {
	for i := range fields {
		if f := &fields[i]; f.violates() != f.path {
			f.also = append(f.also, f.path)
		}
	}
	return fields
}

// scope has what selects lines of an order.
func scope(prefix string) []field {
	eur := &discountv1.AmountRange{CurrencyCode: "EUR"}
	var out []field
	for _, name := range []string{"products", "excluded_products", "categories", "excluded_categories"} {
		out = append(out,
			field{path: prefix + name, good: values(nil, names(500)), bad: values(names(501))},
			field{path: prefix + name + "[0]", good: values(text(255)), bad: values("", text(256), "\n")},
		)
	}
	return append(out,
		field{path: prefix + "unit_amounts", good: values(nil, list(1, eur)), bad: values(list(51, eur))},
		field{path: prefix + "unit_amounts", bad: values(list(2, eur)), want: prefix + "unit_amounts[1].currency_code"},
		field{path: prefix + "unit_amounts[0].currency_code", good: values("EUR"), bad: badCurrencies},
		field{path: prefix + "unit_amounts", bad: values(list(1, &discountv1.AmountRange{CurrencyCode: "EUR", MinAmountMinor: -1})), want: prefix + "unit_amounts[0].min_amount_minor"},
		field{path: prefix + "unit_amounts", bad: values(list(1, &discountv1.AmountRange{CurrencyCode: "EUR", MinAmountMinor: 2, MaxAmountMinor: new(int64(1))})), want: prefix + "unit_amounts[0].max_amount_minor"},
	)
}

// tier is a tier of an order that is good on its own.
func tier() *discountv1.OrderTier {
	return &discountv1.OrderTier{Reward: &discountv1.OrderTier_PercentOff{PercentOff: &discountv1.PercentOff{BasisPoints: 500}}}
}

// pages has the page of a list.
func pages() []field {
	return []field{
		{path: "page_size", good: values(nil, 1, 1000), bad: values(-1, 1001, -1<<31, 1<<31-1)},
		{path: "page_token", good: missing, bad: values("x", "AAAA", strings.Repeat("A", 1000), "%")},
	}
}
