// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package requests

import (
	"slices"
	"strings"
)

// programRequests has the coupons that gift cards are issued in.
func programRequests() []Request {
	return []Request{
		{"CreateCoupon", `coupon { gift_cards { currency_code: "EUR" remainder_to_credit: true } }`, []Field{
			{Path: "coupon.gift_cards.currency_code", Good: values("JPY", "KWD"), Bad: badCurrencies},
			{Path: "coupon.max_redemptions", Good: missing, Bad: values(1)},
			{Path: "coupon.max_redemptions_per_customer", Good: missing, Bad: values(1)},
			{Path: "coupon.duration", Good: values(nil, 1), Bad: values(3)},
			{Path: "coupon.allocation", Good: values(nil, 1), Bad: values(4)},
			{Path: "coupon.conditions.minimum_quantity", Good: missing, Bad: values(1), Want: "coupon.conditions"},
			{Path: "coupon.applies_to.products", Good: missing, Bad: values(names(1)), Want: "coupon.applies_to"},
			{Path: "coupon.caps.max_units", Good: missing, Bad: values(1), Want: "coupon.caps"},
		}},
	}
}

func giftCardRequests() []Request {
	const named = `name: "coupons/gifts/promotionCodes/00000000" request_id: "r"`
	change := slices.Concat(promotionCodeName("name"), requestID(true))
	return []Request{
		{"IssueGiftCard", `parent: "coupons/gifts" request_id: "r" balance { currency_code: "EUR" amount_minor: 5000 }`, slices.Concat(
			[]Field{
				{Path: "code", Good: values("", "abc-12", strings.Repeat("a", 64)), Bad: values(
					"abc12", "ABCDE", strings.Repeat("a", 65), "abc 123", "abc\ndef", "übermut",
				)},
				{Path: "customer_id", Good: values("", text(255)), Bad: values(text(256), "a\nb")},
				{Path: "customer_email", Good: values("", "A@b"), Bad: emails},
			},
			couponName("parent"), requestID(true), money("balance", 1),
			period("expires_at", "expires_at"), notes("metadata"),
		)},
		{"IssueGiftCard", `parent: "coupons/gifts" request_id: "r" balance { currency_code: "EUR" amount_minor: 5000 } customer_id: "c"`, []Field{
			{Path: "customer_email", Good: missing, Bad: values("a@b")},
		}},
		{"GetGiftCard", `name: "coupons/gifts/promotionCodes/00000000"`, slices.Concat(
			[]Field{
				{Path: "card", Bad: missing},
				{Path: "code", Good: values("ABCDEF", "abcdef"), Bad: values("", " ", "a b", strings.Repeat("a", 65))},
			},
			noneIsAnother(promotionCodeName("name"), "card"),
		)},
		{"ListGiftCardTransactions", `parent: "coupons/gifts/promotionCodes/00000000"`, slices.Concat(promotionCodeName("parent"), pages())},
		{"AdjustGiftCard", named + ` amount_minor: -100 reason: "a correction"`, slices.Concat(
			[]Field{{Path: "amount_minor", Good: values(1, -1, maxAmount, -maxAmount), Bad: values(nil, 0, maxAmount+1, -maxAmount-1, -1<<63, 1<<63-1)}},
			change, reason(),
		)},
		{"DisableGiftCard", named, change},
		{"EnableGiftCard", named, change},
	}
}

func creditRequests() []Request {
	return []Request{
		{"TransferToCredit", `gift_card: "coupons/gifts/promotionCodes/00000000" request_id: "r" customer_id: "c"`, slices.Concat(
			[]Field{{Path: "amount_minor", Good: values(nil, 1, maxAmount), Bad: values(0, -1, maxAmount+1, -1<<63, 1<<63-1)}},
			promotionCodeName("gift_card"), requestID(true), oneCustomer(),
		)},
		{"GetCustomerBalance", `customer_id: "c"`, oneCustomer()},
		{"AdjustCustomerBalance", `customer_email: "a@b" request_id: "r" amount { currency_code: "EUR" amount_minor: -100 } reason: "a correction"`, slices.Concat(
			[]Field{
				{Path: "amount.amount_minor", Good: values(1, -1, maxAmount, -maxAmount), Bad: values(nil, 0, maxAmount+1, -maxAmount-1, -1<<63, 1<<63-1)},
				{Path: "amount.currency_code", Good: values("JPY", "KWD"), Bad: badCurrencies},
			},
			requestID(true), oneCustomer(), reason(),
		)},
		{"ApplyCredit", `customer_id: "c" invoice_id: "in_1" amount { currency_code: "EUR" amount_minor: 100 }`, slices.Concat(
			[]Field{{Path: "invoice_id", Good: values("i", text(255)), Bad: values("", text(256), "a\tb")}},
			oneCustomer(), money("amount", 1),
		)},
		{"ListCustomerBalanceTransactions", `customer_id: "c"`, slices.Concat(oneCustomer(), pages())},
	}
}

// oneCustomer has a customer who is known by one thing.
func oneCustomer() []Field {
	return []Field{
		{Path: "customer", Bad: missing},
		{Path: "customer_id", Good: values("c", text(255)), Bad: values("", text(256), "a\nb")},
		{Path: "customer_email", Good: values("A@b"), Bad: append(values(""), emails...)},
	}
}

// money has an amount of at least least.
func money(path string, least int) []Field {
	return []Field{
		{Path: path + ".amount_minor", Good: values(least, maxAmount), Bad: values(least-1, -1, maxAmount+1, -1<<63, 1<<63-1)},
		{Path: path + ".currency_code", Good: values("JPY", "KWD"), Bad: badCurrencies},
	}
}

// reason has why a balance is changed by hand, which somebody has to say.
func reason() []Field {
	return []Field{{Path: "reason", Good: values("x", text(200)), Bad: values(nil, "", text(201), "a\tb", "\x1f", "\u0085")}}
}

// noneIsAnother is for fields of a oneof: without them the oneof itself is wrong.
func noneIsAnother(fields []Field, oneof string) []Field {
	for i := range fields {
		fields[i].Bad = slices.DeleteFunc(fields[i].Bad, func(v any) bool { return v == nil })
		fields = append(fields, Field{Path: fields[i].Path, Bad: missing, Want: oneof})
	}
	return fields
}
