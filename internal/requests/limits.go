// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package requests

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	discountv1 "github.com/discountd/discountd/gen/discount/v1"
)

// couponLimits has the limits that coupons and promotion codes both have.
func couponLimits(prefix string) []Field {
	return slices.Concat(
		counts(prefix+"max_redemptions", prefix+"max_redemptions_per_customer"),
		periodLimits(prefix+"period_limits"),
	)
}

func periodLimits(path string) []Field {
	limit := func(adjust func(*discountv1.PeriodLimit)) []proto.Message {
		l := &discountv1.PeriodLimit{Period: discountv1.Period_PERIOD_DAY, MaxRedemptions: 1}
		adjust(l)
		return []proto.Message{l}
	}
	period := func(p discountv1.Period) []proto.Message {
		return limit(func(l *discountv1.PeriodLimit) { l.Period = p })
	}
	most := func(n int64) []proto.Message {
		return limit(func(l *discountv1.PeriodLimit) { l.MaxRedemptions = n })
	}
	zone := func(name string) []proto.Message {
		return limit(func(l *discountv1.PeriodLimit) { l.TimeZone = name })
	}
	daily, perCustomer := period(discountv1.Period_PERIOD_DAY), limit(func(l *discountv1.PeriodLimit) { l.PerCustomer = true })
	weekly, monthly := period(discountv1.Period_PERIOD_WEEK), period(discountv1.Period_PERIOD_MONTH)
	one := path + "[0]."
	return []Field{
		{Path: path, Good: values(nil, slices.Concat(daily, perCustomer, weekly, monthly)), Bad: values(list(7, daily[0]))},
		{Path: path, Bad: values(slices.Concat(daily, daily)), Want: path + "[1].period"},
		{Path: path, Bad: values(slices.Concat(weekly, perCustomer, perCustomer)), Want: path + "[2].period"},
		{Path: path, Bad: values(period(0), period(-1), period(4)), Want: one + "period"},
		{Path: path, Good: values(most(maxAmount)), Bad: values(most(0), most(-1), most(maxAmount+1)), Want: one + "max_redemptions"},
		{Path: path, Good: values(zone("UTC"), zone("Europe/Paris"), zone("America/Argentina/Buenos_Aires")), Bad: values(
			zone("Nowhere"), zone("Local"), zone("../Paris"), zone("/etc/localtime"), zone("Europe/Paris\x00"), zone(strings.Repeat("a", 65)),
		), Want: one + "time_zone"},
	}
}

func budgets(path string) []Field {
	budget := func(currency string, amount int64, products ...string) *discountv1.Budget {
		return &discountv1.Budget{Limit: &discountv1.Money{CurrencyCode: currency, AmountMinor: amount}, Products: products}
	}
	of := func(b ...*discountv1.Budget) (out []proto.Message) {
		for _, one := range b {
			out = append(out, one)
		}
		return out
	}
	granting := budget("EUR", 1)
	granting.Policy = discountv1.BudgetPolicy_BUDGET_POLICY_GRANT_REMAINING
	unknown := budget("EUR", 1)
	unknown.Policy = 3
	one := path + "[0]."
	return []Field{
		{Path: path, Good: values(nil, of(granting), of(budget("EUR", 1), budget("JPY", maxAmount))), Bad: values(list(51, budget("EUR", 1)))},
		{Path: path, Bad: values(of(unknown)), Want: one + "policy"},
		{Path: path, Bad: values(of(budget("EUR", 1), budget("EUR", 2))), Want: path + "[1].limit.currency_code"},
		{Path: path, Bad: values(of(budget("eur", 1)), of(budget("", 1)), of(budget("XXX", 1))), Want: one + "limit.currency_code"},
		{Path: path, Bad: values(of(budget("EUR", 0)), of(budget("EUR", -1)), of(budget("EUR", maxAmount+1))), Want: one + "limit.amount_minor"},
		{Path: path, Bad: values(of(&discountv1.Budget{})), Want: one + "limit.currency_code", Also: []string{one + "limit.amount_minor"}},
		{Path: path, Good: values(of(budget("EUR", 1, names(500)...))), Bad: values(of(budget("EUR", 1, names(501)...))), Want: one + "products"},
		{Path: path, Good: values(of(budget("EUR", 1, text(255)))), Bad: values(
			of(budget("EUR", 1, "")), of(budget("EUR", 1, text(256))), of(budget("EUR", 1, "\n")),
		), Want: one + "products[0]"},
	}
}
