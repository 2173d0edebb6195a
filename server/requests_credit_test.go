// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"slices"
	"strings"
)

// programRequests has the coupons that gift cards are issued in.
func programRequests() []requests {
	return []requests{
		{"CreateCoupon", `coupon { gift_cards { currency_code: "EUR" remainder_to_credit: true } }`, []field{
			{path: "coupon.gift_cards.currency_code", good: values("JPY", "KWD"), bad: badCurrencies},
			{path: "coupon.max_redemptions", good: missing, bad: values(1)},
			{path: "coupon.max_redemptions_per_customer", good: missing, bad: values(1)},
			{path: "coupon.duration", good: values(nil, 1), bad: values(3)},
			{path: "coupon.allocation", good: values(nil, 1), bad: values(4)},
			{path: "coupon.conditions.minimum_quantity", good: missing, bad: values(1), want: "coupon.conditions"},
			{path: "coupon.applies_to.products", good: missing, bad: values(names(1)), want: "coupon.applies_to"},
			{path: "coupon.caps.max_units", good: missing, bad: values(1), want: "coupon.caps"},
		}},
	}
}

func giftCardRequests() []requests {
	const named = `name: "coupons/gifts/promotionCodes/00000000" request_id: "r"`
	change := slices.Concat(promotionCodeName("name"), requestID(true))
	return []requests{
		{"IssueGiftCard", `parent: "coupons/gifts" request_id: "r" balance { currency_code: "EUR" amount_minor: 5000 }`, slices.Concat(
			[]field{
				{path: "code", good: values("", "abc-12", strings.Repeat("a", 64)), bad: values(
					"abc12", "ABCDE", strings.Repeat("a", 65), "abc 123", "abc\ndef", "übermut",
				)},
				{path: "customer_id", good: values("", text(255)), bad: values(text(256), "a\nb")},
				{path: "customer_email", good: values("", "A@b"), bad: emails},
			},
			couponName("parent"), requestID(true), money("balance", 1),
			period("expires_at", "expires_at"), notes("metadata"),
		)},
		{"IssueGiftCard", `parent: "coupons/gifts" request_id: "r" balance { currency_code: "EUR" amount_minor: 5000 } customer_id: "c"`, []field{
			{path: "customer_email", good: missing, bad: values("a@b")},
		}},
		{"GetGiftCard", `name: "coupons/gifts/promotionCodes/00000000"`, slices.Concat(
			[]field{
				{path: "card", bad: missing},
				{path: "code", good: values("ABCDEF", "abcdef"), bad: values("", " ", "a b", strings.Repeat("a", 65))},
			},
			noneIsAnother(promotionCodeName("name"), "card"),
		)},
		{"ListGiftCardTransactions", `parent: "coupons/gifts/promotionCodes/00000000"`, slices.Concat(promotionCodeName("parent"), pages())},
		{"AdjustGiftCard", named + ` amount_minor: -100 reason: "a correction"`, slices.Concat(
			[]field{{path: "amount_minor", good: values(1, -1, maxAmount, -maxAmount), bad: values(nil, 0, maxAmount+1, -maxAmount-1, -1<<63, 1<<63-1)}},
			change, reason(),
		)},
		{"DisableGiftCard", named, change},
		{"EnableGiftCard", named, change},
	}
}

func creditRequests() []requests {
	return []requests{
		{"TransferToCredit", `gift_card: "coupons/gifts/promotionCodes/00000000" request_id: "r" customer_id: "c"`, slices.Concat(
			[]field{{path: "amount_minor", good: values(nil, 1, maxAmount), bad: values(0, -1, maxAmount+1, -1<<63, 1<<63-1)}},
			promotionCodeName("gift_card"), requestID(true), oneCustomer(),
		)},
		{"GetCustomerBalance", `customer_id: "c"`, oneCustomer()},
		{"AdjustCustomerBalance", `customer_email: "a@b" request_id: "r" amount { currency_code: "EUR" amount_minor: -100 } reason: "a correction"`, slices.Concat(
			[]field{
				{path: "amount.amount_minor", good: values(1, -1, maxAmount, -maxAmount), bad: values(nil, 0, maxAmount+1, -maxAmount-1, -1<<63, 1<<63-1)},
				{path: "amount.currency_code", good: values("JPY", "KWD"), bad: badCurrencies},
			},
			requestID(true), oneCustomer(), reason(),
		)},
		{"ApplyCredit", `customer_id: "c" invoice_id: "in_1" amount { currency_code: "EUR" amount_minor: 100 }`, slices.Concat(
			[]field{{path: "invoice_id", good: values("i", text(255)), bad: values("", text(256), "a\tb")}},
			oneCustomer(), money("amount", 1),
		)},
		{"ListCustomerBalanceTransactions", `customer_id: "c"`, slices.Concat(oneCustomer(), pages())},
	}
}

// oneCustomer has a customer who is known by one thing.
func oneCustomer() []field {
	return []field{
		{path: "customer", bad: missing},
		{path: "customer_id", good: values("c", text(255)), bad: values("", text(256), "a\nb")},
		{path: "customer_email", good: values("A@b"), bad: append(values(""), emails...)},
	}
}

// money has an amount of at least least.
func money(path string, least int) []field {
	return []field{
		{path: path + ".amount_minor", good: values(least, maxAmount), bad: values(least-1, -1, maxAmount+1, -1<<63, 1<<63-1)},
		{path: path + ".currency_code", good: values("JPY", "KWD"), bad: badCurrencies},
	}
}

// reason has why a balance is changed by hand, which somebody has to say.
func reason() []field {
	return []field{{path: "reason", good: values("x", text(200)), bad: values(nil, "", text(201), "a\tb", "\x1f", "\u0085")}}
}

// noneIsAnother is for fields of a oneof: without them the oneof itself is wrong.
func noneIsAnother(fields []field, oneof string) []field {
	for i := range fields {
		fields[i].bad = slices.DeleteFunc(fields[i].bad, func(v any) bool { return v == nil })
		fields = append(fields, field{path: fields[i].path, bad: missing, want: oneof})
	}
	return fields
}
