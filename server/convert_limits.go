// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"github.com/discountd/discountd/domain"
	discountv1 "github.com/discountd/discountd/gen/discount/v1"
)

func readPeriodLimit(r *reader, path string, l *discountv1.PeriodLimit) domain.PeriodLimit {
	return domain.PeriodLimit{
		Period:         readEnum[domain.Period](r, path+"period", l.GetPeriod()),
		TimeZone:       l.GetTimeZone(),
		MaxRedemptions: l.GetMaxRedemptions(),
		PerCustomer:    l.GetPerCustomer(),
	}
}

func writePeriodLimit(l domain.PeriodLimit) *discountv1.PeriodLimit {
	return &discountv1.PeriodLimit{
		Period:         discountv1.Period(l.Period),
		TimeZone:       l.TimeZone,
		MaxRedemptions: l.MaxRedemptions,
		PerCustomer:    l.PerCustomer,
	}
}

func readBudget(r *reader, path string, b *discountv1.Budget) domain.Budget {
	r.known(path+"policy", b.GetPolicy())
	return domain.Budget{
		Limit:          readMoney(b.GetLimit()),
		Products:       b.GetProducts(),
		GrantRemaining: b.GetPolicy() == discountv1.BudgetPolicy_BUDGET_POLICY_GRANT_REMAINING,
	}
}

// writeBudgets tells of each budget what it allows and what counts against it.
func writeBudgets(c *domain.CouponSnapshot) []*discountv1.Budget {
	return each(c.Budgets, func(b domain.Budget) *discountv1.Budget {
		policy := discountv1.BudgetPolicy_BUDGET_POLICY_REFUSE
		if b.GrantRemaining {
			policy = discountv1.BudgetPolicy_BUDGET_POLICY_GRANT_REMAINING
		}
		return &discountv1.Budget{
			Limit:            writeMoney(b.Limit),
			Products:         b.Products,
			Policy:           policy,
			SpentAmountMinor: b.Counted(c.Spent[b.Limit.Currency]),
		}
	})
}
