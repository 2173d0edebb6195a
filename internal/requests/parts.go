// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package requests

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	discountv1 "github.com/discountd/discountd/gen/discount/v1"
)

// source has what can be redeemed. Of a code nothing is a bad field.
func source() []Field {
	return []Field{
		{Path: "source", Bad: missing},
		{Path: "code", Good: values("", " ", "no such code", strings.Repeat("x", 10_000), "\x00")},
		{Path: "promotion_code", Good: values("coupons/fall/promotionCodes/00000000"), Bad: values("", "FALL", "coupons/fall")},
		{Path: "coupon", Good: values("coupons/fall"), Bad: values("", "fall", "coupons/")},
	}
}

// purchase has the customer and the order.
func purchase() []Field {
	return slices.Concat(
		[]Field{
			{Path: "customer.id", Good: values(nil, text(255)), Bad: values(text(256), "\x00")},
			{Path: "customer.email", Good: values(nil, "a@b"), Bad: emails},
			{Path: "order", Good: missing},
			{Path: "order.id", Good: values(nil, text(255)), Bad: values(text(256), "a\tb")},
			{Path: "context", Good: values(nil, 1, 5), Bad: enumOutOfRange},
			{Path: "subscription_id", Good: values(nil, text(255)), Bad: values(text(256), "\x1f")},
			{Path: "plan_trial_days", Good: values(nil, 730), Bad: values(-1, 731)},
		},
		purchased("order."),
	)
}

// invoice is one to renew a discount with.
func invoice() []Field {
	return slices.Concat(
		[]Field{
			{Path: "invoice", Bad: missing},
			{Path: "invoice.id", Good: values(text(255)), Bad: values(nil, text(256), "a\tb")},
			{Path: "invoice.issued_at", Good: values(at(1, 999)), Bad: values(nil, at(-1, 0), at(0, -1))},
		},
		purchased("invoice."),
	)
}

// purchased is what an order and an invoice have in common.
func purchased(of string) []Field {
	line := &discountv1.OrderLine{UnitAmountMinor: 1, Quantity: 1}
	return []Field{
		{Path: of + "currency_code", Good: values("JPY", "KWD"), Bad: badCurrencies},
		{Path: of + "lines", Good: values(list(200, line)), Bad: values(nil, list(201, line))},
		{Path: of + "lines[0].id", Good: values(nil, text(64)), Bad: values(text(65), "\n")},
		{Path: of + "lines", Bad: values([]proto.Message{
			&discountv1.OrderLine{Id: "a", Quantity: 1}, &discountv1.OrderLine{Id: "a", Quantity: 1},
		}), Want: of + "lines[1].id"},
		{Path: of + "lines[0].product_id", Good: values(nil, text(255)), Bad: values(text(256), "\n")},
		{Path: of + "lines[0].category_ids", Good: values(nil, names(50)), Bad: values(names(51))},
		{Path: of + "lines[0].category_ids[0]", Good: values(text(255)), Bad: values("", text(256), "\n")},
		{Path: of + "lines[0].unit_amount_minor", Good: values(0, maxAmount/2), Bad: values(-1, maxAmount+1, -1<<63, 1<<63-1), Also: []string{of + "lines[0].min_unit_amount_minor", of + "lines"}},
		{Path: of + "lines[0].unit_amount_minor", Bad: values(maxAmount/2 + 1), Want: of + "lines"},
		{Path: of + "lines[0].quantity", Good: values(1, 1_000_000), Bad: values(nil, -1, 1_000_001, -1<<63, 1<<63-1), Also: []string{of + "lines"}},
		{Path: of + "lines[0].min_unit_amount_minor", Good: values(nil, 1000), Bad: values(-1, 1001)},
		{Path: of + "shipping_amount_minor", Good: values(nil, 1, maxAmount-2000), Bad: values(-1, maxAmount+1)},
		{Path: of + "shipping_amount_minor", Bad: values(maxAmount - 1999), Want: of + "lines"},
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

func requestID(isRequired bool) []Field {
	f := Field{Path: "request_id", Good: values("r", strings.Repeat("~ ", 127)+"x"), Bad: values(strings.Repeat("x", 256), "ü", "a\nb", "\x7f")}
	if isRequired {
		f.Bad = append(f.Bad, nil)
	} else {
		f.Good = append(f.Good, nil)
	}
	return []Field{f}
}

func couponName(path string) []Field {
	return []Field{{Path: path, Good: values("coupons/a", "coupons/"+strings.Repeat("a", 64)), Bad: values(
		nil, "fall", "coupons", "coupons/", "coupons/a b", "coupons/"+strings.Repeat("a", 65), "coupons/fall/promotionCodes/00000000", "/coupons/fall",
	)}}
}

func promotionCodeName(path string) []Field {
	return []Field{{Path: path, Good: values("coupons/a/promotionCodes/zzzzzzzz"), Bad: values(
		nil, "FALL", "coupons/fall", "coupons/fall/promotionCodes/", "coupons/fall/promotionCodes/0000000", "coupons/fall/promotionCodes/0000000u",
		"coupons/fall/promotionCodes/00000000/x", "coupons//promotionCodes/00000000",
	)}}
}

func redemptionName() []Field {
	return []Field{{Path: "name", Good: values("coupons/f/redemptions/1"), Bad: values(
		nil, "coupons/fall", "coupons/fall/redemptions/", "coupons/-/redemptions/a b", "coupons/fall/promotionCodes/00000000",
		"coupons/fall/redemptions/"+strings.Repeat("1", 33), "coupons/fall/redemptions/1/x",
	)}}
}

// ttl is the time of a reservation.
func ttl() []Field {
	of := func(seconds int64, nanos int32) *durationpb.Duration {
		return &durationpb.Duration{Seconds: seconds, Nanos: nanos}
	}
	return []Field{{Path: "ttl", Good: values(nil, of(1, 0), of(86_400, 0)), Bad: values(
		of(0, 0), of(0, 999_999_999), of(86_400, 1), of(-1, 0), of(1<<62, 0), of(-1<<62, 0), of(2, -1), of(1, 1_000_000_000),
	)}}
}

func etag(path string) []Field {
	return []Field{{Path: path, Good: values(nil, "v1", "v9007199254740991"), Bad: values(
		"1", "v", "v0", "v-1", "v01", "v+1", "V1", `"v1"`, "v9223372036854775808", "*",
	)}}
}

// counts has optional numbers of 1 or more.
func counts(paths ...string) []Field {
	var out []Field
	for _, path := range paths {
		out = append(out, Field{Path: path, Good: values(nil, 1, maxAmount), Bad: values(0, -1, maxAmount+1, -1<<63, 1<<63-1)})
	}
	return out
}

func at(seconds int64, nanos int32) *timestamppb.Timestamp {
	return &timestamppb.Timestamp{Seconds: seconds, Nanos: nanos}
}

// period has two instants. The last one of the year 9999 is the last there is.
func period(from, until string) []Field {
	const lastSecond = 253402300799
	bad := values(at(-1, 0), at(0, -1), at(0, 1_000_000_000), at(lastSecond+1, 0), at(1<<62, 0), at(-1<<62, 0))
	return []Field{
		{Path: from, Good: values(nil, at(0, 0), at(lastSecond, 999_999_999)), Bad: bad},
		{Path: until, Good: values(nil, at(0, 0), at(lastSecond, 999_999_999)), Bad: bad},
	}
}

func notes(path string) []Field {
	return []Field{{Path: path, Good: values(nil, noteMap(50, 40, 500), map[string]string{"k": ""}), Bad: values(
		noteMap(51, 2, 1), noteMap(1, 41, 1), noteMap(1, 1, 501), map[string]string{"": "v"}, map[string]string{"a\n": "v"},
	)}}
}

func mask(paths ...string) *fieldmaskpb.FieldMask { return &fieldmaskpb.FieldMask{Paths: paths} }

// amounts has a list of amounts of at least least in different currencies.
func amounts(path string, least int, isRequired bool) []Field {
	eur := &discountv1.Money{CurrencyCode: "EUR", AmountMinor: 100}
	count := Field{Path: path, Bad: values(list(51, eur))}
	if isRequired {
		count.Bad = append(count.Bad, nil)
	} else {
		count.Good = values(nil)
	}
	one := path + "[0]."
	return []Field{
		count,
		{Path: path, Bad: values([]proto.Message{eur, eur}), Want: path + "[1].currency_code"},
		{Path: path, Bad: values(list(1, &discountv1.Money{CurrencyCode: "EUR", AmountMinor: int64(least) - 1})), Want: one + "amount_minor"},
		{Path: path, Bad: values(list(1, &discountv1.Money{CurrencyCode: "EUR", AmountMinor: maxAmount + 1})), Want: one + "amount_minor"},
		{Path: path, Bad: values(list(1, &discountv1.Money{CurrencyCode: "eur", AmountMinor: 1})), Want: one + "currency_code"},
		{Path: path, Good: values(
			list(1, &discountv1.Money{CurrencyCode: "EUR", AmountMinor: int64(least)}),
			list(1, &discountv1.Money{CurrencyCode: "EUR", AmountMinor: maxAmount}),
		)},
	}
}

// alike is for amounts whose currencies must be those of others: one that is no
// currency is not among them, either.
func alike(fields []Field) []Field {
	for i := range fields {
		if f := &fields[i]; f.Violates() != f.Path {
			f.Also = append(f.Also, f.Path)
		}
	}
	return fields
}

// scope has what selects lines of an order.
func scope(prefix string) []Field {
	eur := &discountv1.AmountRange{CurrencyCode: "EUR"}
	var out []Field
	for _, name := range []string{"products", "excluded_products", "categories", "excluded_categories"} {
		out = append(out,
			Field{Path: prefix + name, Good: values(nil, names(500)), Bad: values(names(501))},
			Field{Path: prefix + name + "[0]", Good: values(text(255)), Bad: values("", text(256), "\n")},
		)
	}
	return append(out,
		Field{Path: prefix + "unit_amounts", Good: values(nil, list(1, eur)), Bad: values(list(51, eur))},
		Field{Path: prefix + "unit_amounts", Bad: values(list(2, eur)), Want: prefix + "unit_amounts[1].currency_code"},
		Field{Path: prefix + "unit_amounts[0].currency_code", Good: values("EUR"), Bad: badCurrencies},
		Field{Path: prefix + "unit_amounts", Bad: values(list(1, &discountv1.AmountRange{CurrencyCode: "EUR", MinAmountMinor: -1})), Want: prefix + "unit_amounts[0].min_amount_minor"},
		Field{Path: prefix + "unit_amounts", Bad: values(list(1, &discountv1.AmountRange{CurrencyCode: "EUR", MinAmountMinor: 2, MaxAmountMinor: new(int64(1))})), Want: prefix + "unit_amounts[0].max_amount_minor"},
	)
}

// tier is a tier of an order that is good on its own.
func tier() *discountv1.OrderTier {
	return &discountv1.OrderTier{Reward: &discountv1.OrderTier_PercentOff{PercentOff: &discountv1.PercentOff{BasisPoints: 500}}}
}

// pages has the page of a list.
func pages() []Field {
	return []Field{
		{Path: "page_size", Good: values(nil, 1, 1000), Bad: values(-1, 1001, -1<<31, 1<<31-1)},
		{Path: "page_token", Good: missing, Bad: values("x", "AAAA", strings.Repeat("A", 1000), "%")},
	}
}
