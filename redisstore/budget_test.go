// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/discountd/discountd/domain"
)

func budgetOf(b ...domain.Budget) func(*domain.Coupon) {
	return func(c *domain.Coupon) { c.Budgets = b }
}

func euros(n int64) domain.Money { return domain.Money{Currency: "EUR", AmountMinor: n} }

// spent fails the test unless the coupon has taken off just so much.
func (e *env) spent(id domain.CouponID, total, scoped int64) {
	e.t.Helper()
	if got := e.coupon(id).Spent["EUR"]; got != (domain.Spending{TotalMinor: total, ScopedMinor: scoped}) {
		e.t.Errorf("%s has spent %+v, want %d and %d", id, got, total, scoped)
	}
}

func TestBudgetRefusesWhatDoesNotFit(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a", budgetOf(domain.Budget{Limit: euros(6_000)})))
		first := e.redeem(byCoupon("r1", "a"))
		e.redeem(byCoupon("r2", "a"))
		e.spent("a", 5_000, 0)

		_, err := e.Redeem(e.ctx(), new(byCoupon("r3", "a")))
		wantReasons(t, err, domain.BudgetInsufficient)
		var refused *domain.RefusedError
		if errors.As(err, &refused) && refused.Ineligibilities[0].Remaining != euros(1_000) {
			t.Errorf("remaining %v", refused.Ineligibilities[0].Remaining)
		}
		e.redeem(byCoupon("r4", "a", withOrder(orderOf(4_000)))) // exactly what is left
		_, err = e.Redeem(e.ctx(), new(byCoupon("r5", "a")))
		wantReasons(t, err, domain.BudgetExhausted)

		e.settled(domain.RedemptionRedeemed)(e.void(first.Name, "v", pointer(int64(500))))
		e.redeem(byCoupon("r6", "a", withOrder(orderOf(2_000))))
		e.spent("a", 6_000, 0)
	})
}

func TestBudgetGrantsWhatIsLeft(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a", budgetOf(domain.Budget{Limit: euros(3_000), GrantRemaining: true})))
		e.redeem(byCoupon("r1", "a"))
		r := byCoupon("r2", "a")
		v, err := e.Validate(e.ctx(), &r.ValidateRequest)
		if err != nil || !v.Valid() || v.Discount.TotalAmountMinor != 500 {
			t.Fatalf("%+v, %v", v, err)
		}
		got := e.redeem(r)
		if got.Discount.TotalAmountMinor != 500 || got.Discount.Lines[0].AmountMinor != 500 {
			t.Errorf("%+v", got.Discount)
		}
		_, err = e.Redeem(e.ctx(), new(byCoupon("r3", "a")))
		wantReasons(t, err, domain.BudgetExhausted)
	})
}

func TestBudgetForSomeProductsCountsTheirShareOnly(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		budget := domain.Budget{Limit: euros(3_000), Products: []string{"in"}, GrantRemaining: true}
		e.createCoupon(percentOff("a", budgetOf(budget)))
		order := func(in, out int64) *domain.Order {
			o := &domain.Order{Currency: "EUR"}
			for _, l := range []struct {
				id     string
				amount int64
			}{{"in", in}, {"out", out}} {
				o.Lines = append(o.Lines, domain.OrderLine{ID: l.id, ProductID: l.id, UnitAmountMinor: l.amount, Quantity: 1})
			}
			return o
		}
		first := e.redeem(byCoupon("r1", "a", withOrder(order(8_000, 40_000))))
		e.spent("a", 12_000, 2_000)
		second := e.redeem(byCoupon("r2", "a", withOrder(order(8_000, 40_000))))
		if l := second.Discount.Lines; l[0].AmountMinor != 1_000 || l[1].AmountMinor != 10_000 {
			t.Errorf("%+v", l)
		}
		e.spent("a", 23_000, 3_000)
		_, err := e.Redeem(e.ctx(), new(byCoupon("r3", "a", withOrder(order(100, 0)))))
		wantReasons(t, err, domain.BudgetExhausted)
		e.redeem(byCoupon("r4", "a", withOrder(order(0, 4_000)))) // nothing of it counts
		e.spent("a", 24_000, 3_000)

		// Of a part that is voided, what does not count goes first.
		e.settled(domain.RedemptionRedeemed)(e.void(first.Name, "v1", pointer(int64(10_000))))
		e.spent("a", 14_000, 3_000)
		e.settled(domain.RedemptionRedeemed)(e.void(first.Name, "v2", pointer(int64(500))))
		e.spent("a", 13_500, 2_500)
		e.settled(domain.RedemptionVoided)(e.void(first.Name, "v3", nil))
		e.spent("a", 12_000, 1_000)
	})
}

func TestBudgetTakesOrdersInItsCurrenciesOnly(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a", budgetOf(domain.Budget{Limit: euros(3_000)})))
		dollars := orderOf(100)
		dollars.Currency = "USD"
		_, err := e.Redeem(e.ctx(), new(byCoupon("r", "a", withOrder(dollars))))
		wantReasons(t, err, domain.CurrencyMismatch)
		_, err = e.Redeem(e.ctx(), new(byCoupon("r", "a", withOrder(nil))))
		wantReasons(t, err, domain.OrderRequired)
	})
}

func TestBudgetHoldsForReservations(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a", budgetOf(domain.Budget{Limit: euros(2_500)})))
		held := e.reserve(time.Minute, byCoupon("h", "a"))
		e.spent("a", 2_500, 0)
		_, err := e.Redeem(e.ctx(), new(byCoupon("r", "a")))
		wantReasons(t, err, domain.BudgetExhausted)
		e.clock.Advance(time.Minute)
		e.spent("a", 0, 0)
		e.redeem(byCoupon("r", "a", withOrder(orderOf(4_000))))
		_, err = e.commit(held.Name, "c", nil)
		wantReasons(t, err, domain.BudgetInsufficient)
		e.settled(domain.RedemptionRedeemed)(e.commit(held.Name, "c", pointer(int64(1_500))))
		e.spent("a", 2_500, 0)

		e.createCoupon(percentOff("b", budgetOf(domain.Budget{Limit: euros(2_500)})))
		held = e.reserve(time.Minute, byCoupon("h", "b"))
		e.settled(domain.RedemptionRedeemed)(e.commit(held.Name, "c", pointer(int64(1_500))))
		e.spent("b", 1_500, 0)
	})
}

func TestBudgetThatIsAddedLaterCountsWhatCameBefore(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a"))
		e.redeem(byCoupon("r1", "a"))
		update := func(b ...domain.Budget) error {
			_, err := e.UpdateCoupon(e.ctx(), domain.UpdateCoupon{ID: "a", Set: domain.CouponFields{Budgets: true}, Budgets: b})
			return err
		}
		if err := update(domain.Budget{Limit: euros(3_000)}); err != nil {
			t.Fatal(err)
		}
		_, err := e.Redeem(e.ctx(), new(byCoupon("r2", "a")))
		wantReasons(t, err, domain.BudgetInsufficient)
		for what, b := range map[string][]domain.Budget{
			"taking a budget away": {},
			"naming products":      {{Limit: euros(3_000), Products: []string{"p"}}},
			"a new one by product": {{Limit: euros(3_000)}, {Limit: domain.Money{Currency: "USD", AmountMinor: 1}, Products: []string{"p"}}},
		} {
			if err := update(b...); !isError[*domain.InvalidError](err) {
				t.Errorf("%s: %v", what, err)
			}
		}
		if err := update(domain.Budget{Limit: euros(5_000)}); err != nil {
			t.Fatal(err)
		}
		e.redeem(byCoupon("r2", "a"))
		// A limit below what is spent stops further redemption and nothing else.
		if err := update(domain.Budget{Limit: euros(1)}); err != nil {
			t.Fatal(err)
		}
		_, err = e.Redeem(e.ctx(), new(byCoupon("r3", "a", withOrder(orderOf(4)))))
		wantReasons(t, err, domain.BudgetExhausted)
	})
}

func TestP1BudgetIsNeverPassedByACrowd(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		for _, grant := range []bool{false, true} {
			id := domain.CouponID(fmt.Sprint("grant-", grant))
			e.createCoupon(percentOff(id, budgetOf(domain.Budget{Limit: euros(26_000), GrantRemaining: grant})))
			var granted atomic.Int64
			all(e.crowd(100), func(i int) {
				r, err := e.Redeem(e.ctx(), new(byCoupon(fmt.Sprint("r", i), id)))
				switch {
				case err == nil:
					granted.Add(r.Discount.TotalAmountMinor)
				case !isError[*domain.RefusedError](err):
					t.Error(err)
				}
			})
			want := int64(25_000)
			if grant {
				want = 26_000
			}
			if granted.Load() != want {
				t.Errorf("%d granted, want %d", granted.Load(), want)
			}
			e.spent(id, want, 0)
		}
	})
}

func TestWhatIsTakenOffIsCountedExactlyOrRefused(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a", func(c *domain.Coupon) {
			c.Discount.PercentOff.BasisPoints = domain.FullShare
		}))
		e.redeem(byCoupon("r1", "a", withOrder(orderOf(domain.MaxAmount-1))))
		_, err := e.Redeem(e.ctx(), new(byCoupon("r2", "a", withOrder(orderOf(2)))))
		wantReasons(t, err, domain.BudgetExhausted)
		e.redeem(byCoupon("r3", "a", withOrder(orderOf(1))))
		e.spent("a", domain.MaxAmount, 0)
	})
}

func periodLimits(l ...domain.PeriodLimit) func(*domain.Coupon) {
	return func(c *domain.Coupon) { c.PeriodLimits = l }
}

func TestPeriodLimitIsResetWithThePeriod(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a", periodLimits(domain.PeriodLimit{Period: domain.PeriodDay, TimeZone: "Europe/Paris", MaxRedemptions: 2})))
		e.redeem(byCoupon("r1", "a"))
		r := e.redeem(byCoupon("r2", "a"))
		_, err := e.Redeem(e.ctx(), new(byCoupon("r3", "a")))
		wantReasons(t, err, domain.PeriodLimitReached)
		midnight := time.Date(2026, 3, 1, 23, 0, 0, 0, time.UTC) // in Paris
		var refused *domain.RefusedError
		if errors.As(err, &refused) && !refused.Ineligibilities[0].At.Equal(midnight) {
			t.Errorf("resets at %v", refused.Ineligibilities[0].At)
		}
		e.settled(domain.RedemptionVoided)(e.void(r.Name, "v", nil))
		e.redeem(byCoupon("r3", "a"))
		e.clock.Set(midnight.Add(-time.Millisecond))
		_, err = e.Redeem(e.ctx(), new(byCoupon("r4", "a")))
		wantReasons(t, err, domain.PeriodLimitReached)
		e.clock.Set(midnight)
		e.redeem(byCoupon("r4", "a"))
	})
}

func TestPeriodLimitPerCustomerAndOfACode(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a", periodLimits(domain.PeriodLimit{Period: domain.PeriodMonth, MaxRedemptions: 1, PerCustomer: true})))
		p := promotionCode("a", "CODE")
		p.PeriodLimits = []domain.PeriodLimit{{Period: domain.PeriodWeek, MaxRedemptions: 2}}
		e.createCode(p)

		_, err := e.Redeem(e.ctx(), new(byCode("r0", "code")))
		wantReasons(t, err, domain.CustomerRequired)
		e.redeem(byCode("r1", "code", withCustomer("alice")))
		_, err = e.Redeem(e.ctx(), new(byCoupon("r2", "a", withCustomer("alice"))))
		wantReasons(t, err, domain.PeriodLimitReached)
		e.redeem(byCode("r3", "code", withCustomer("bob")))
		_, err = e.Redeem(e.ctx(), new(byCode("r4", "code", withCustomer("carol"))))
		wantReasons(t, err, domain.PeriodLimitReached)
		e.redeem(byCoupon("r5", "a", withCustomer("carol")))

		held := e.clock.Now().AddDate(0, 1, 0)
		e.clock.Set(held)
		e.redeem(byCode("r6", "code", withCustomer("alice")))
	})
}

func TestP1PeriodLimitIsNeverPassedByACrowd(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a", periodLimits(domain.PeriodLimit{Period: domain.PeriodDay, MaxRedemptions: 5})))
		var won atomic.Int64
		all(e.crowd(100), func(i int) {
			_, err := e.Reserve(e.ctx(), new(reserveFor(time.Minute, byCoupon(fmt.Sprint("r", i), "a"))))
			if err == nil {
				won.Add(1)
			} else if !isError[*domain.RefusedError](err) {
				t.Error(err)
			}
		})
		if won.Load() != 5 {
			t.Errorf("%d of 5", won.Load())
		}
	})
}
