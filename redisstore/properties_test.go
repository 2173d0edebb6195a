// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/discountd/discountd/domain"
)

// While a crowd reserves, redeems, commits, releases and voids, and reservations
// fall due, an observer never sees more in use than a limit or a budget allows.
func TestP1NoLimitIsPassedAtAnyInstantThatCanBeObserved(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		const limit, budget, perDay = 5, 11_000, 4
		e.createCoupon(percentOff("a", limitedTo(limit), budgetOf(domain.Budget{Limit: euros(budget)})))
		p := promotionCode("a", "X", codeLimitedTo(3))
		code := e.createCode(p).Name
		e.createCoupon(percentOff("b", periodLimits(domain.PeriodLimit{Period: domain.PeriodDay, MaxRedemptions: perDay})))
		stores := []*Store{e.Store, e.server()}
		var done atomic.Bool
		var refused, looks atomic.Int64
		workers := e.crowd(16)
		all(workers+1, func(i int) {
			if i == workers {
				for !done.Load() {
					e.observe(code, limit, budget, perDay)
					looks.Add(1)
				}
				return
			}
			for k := range longForm(12, 400) {
				err := e.useAndGiveBack(stores[(i+k)%2], fmt.Sprintf("%d-%d", i, k), []domain.Source{{Coupon: "a"}, {PromotionCode: code}, {Coupon: "b"}}[k%3], i+k)
				switch {
				case isError[*domain.RefusedError](err):
					refused.Add(1)
				case err != nil:
					t.Error(err)
				}
			}
			done.Store(true) // the others are nearly there
		})
		if refused.Load() == 0 || looks.Load() == 0 {
			t.Errorf("%d refused, %d looks: no limit was reached, or nobody looked", refused.Load(), looks.Load())
		}
		e.recount("a")
		e.recount("b")
	})
}

// useAndGiveBack takes one use in one of the ways there are, and gives it back.
func (e *env) useAndGiveBack(s *Store, id string, source domain.Source, way int) error {
	use := redeemRequest("r"+id, source, nil)
	if way%2 == 0 {
		r, err := s.Redeem(e.ctx(), &use)
		if err == nil {
			_, err = s.Void(e.ctx(), domain.VoidRedemption{RequestID: "v" + id, Name: r.Name})
		}
		return err
	}
	r, err := s.Reserve(e.ctx(), new(reserveFor(time.Second, use)))
	if err != nil {
		return err
	}
	switch way % 3 {
	case 0:
		e.clock.Advance(time.Second)
		_, err = s.Commit(e.ctx(), domain.CommitRedemption{RequestID: "c" + id, Name: r.Name, Amount: pointer(int64(100))})
		if err == nil {
			_, err = s.Void(e.ctx(), domain.VoidRedemption{RequestID: "v" + id, Name: r.Name})
		}
	case 1:
		_, err = s.Release(e.ctx(), domain.ReleaseRedemption{RequestID: "l" + id, Name: r.Name})
	default:
		e.clock.Advance(time.Second) // it falls due
	}
	return err
}

// observe looks at everything that is limited.
func (e *env) observe(code domain.PromotionCodeName, limit, budget, perDay int64) {
	a, b, p := e.coupon("a"), e.coupon("b"), e.code(code)
	used := a.Redeemed + a.Held
	if used > limit || a.Spent["EUR"].TotalMinor > budget || p.Redeemed+p.Held > *p.MaxRedemptions || b.Redeemed+b.Held > perDay {
		e.t.Errorf("%d of %d used, %v of %d spent, %d of the code, %d of %d in a day", used, limit, a.Spent, budget, p.Redeemed+p.Held, b.Redeemed+b.Held, perDay)
	}
}

// lastLimit is a limit that is reached while all others leave room.
type lastLimit struct {
	coupon func(*domain.Coupon)
	code   func(*domain.PromotionCode)
	reason domain.Reason
}

func codePeriodLimits(l ...domain.PeriodLimit) func(*domain.PromotionCode) {
	return func(p *domain.PromotionCode) { p.PeriodLimits = l }
}

var lastLimits = map[string]lastLimit{
	"coupon":             {limitedTo(1), func(p *domain.PromotionCode) { p.MaxRedemptions = nil }, domain.CouponMaxRedemptionsReached},
	"code":               {nil, codeLimitedTo(1), domain.CodeMaxRedemptionsReached},
	"customer":           {limitedPerCustomerTo(1), nil, domain.CustomerMaxRedemptionsReached},
	"customer of a code": {nil, codeLimitedPerCustomerTo(1), domain.CustomerMaxRedemptionsReached},
	"budget":             {budgetOf(domain.Budget{Limit: euros(2_500)}), nil, domain.BudgetExhausted},
	"budget for products": {
		budgetOf(domain.Budget{Limit: euros(2_500), Products: []string{"product"}}), nil, domain.BudgetExhausted,
	},
	"day": {periodLimits(domain.PeriodLimit{Period: domain.PeriodDay, MaxRedemptions: 1}), nil, domain.PeriodLimitReached},
	"week of a customer": {
		periodLimits(domain.PeriodLimit{Period: domain.PeriodWeek, MaxRedemptions: 1, PerCustomer: true}), nil, domain.PeriodLimitReached,
	},
	"month of a code": {nil, codePeriodLimits(domain.PeriodLimit{Period: domain.PeriodMonth, MaxRedemptions: 1}), domain.PeriodLimitReached},
}

// One limit is reached and all others leave room. A redemption, a reservation and a
// late commit are refused and nothing at all is stored; a use that fits is counted
// by every one of them, and given back to every one.
func TestP2AllLimitsAreTakenTogetherOrNone(t *testing.T) {
	for name, last := range lastLimits {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, e *env) {
				coupon := percentOff("a", limitedTo(50), limitedPerCustomerTo(50), budgetOf(domain.Budget{Limit: euros(1_000_000)}),
					periodLimits(domain.PeriodLimit{Period: domain.PeriodDay, MaxRedemptions: 50}, domain.PeriodLimit{Period: domain.PeriodWeek, MaxRedemptions: 50}))
				p := promotionCode("a", "X", codeLimitedTo(50), codeLimitedPerCustomerTo(50),
					codePeriodLimits(domain.PeriodLimit{Period: domain.PeriodMonth, MaxRedemptions: 50}))
				if last.coupon != nil {
					last.coupon(&coupon)
				}
				if last.code != nil {
					last.code(&p)
				}
				e.createCoupon(coupon)
				e.createCode(p)
				use := func(id string) domain.RedeemRequest {
					return byCode(id, "X", withCustomer("alice"), withEmail(alicesHash))
				}
				unused := e.counted()
				held := e.reserve(time.Second, use("h"))
				e.clock.Advance(time.Second)
				r := e.redeem(use("r")) // the reservation has fallen due
				e.recount("a")

				e.unchanged("what finds no room", func() {
					_, err := e.Redeem(e.ctx(), new(use("late")))
					wantReasons(t, err, last.reason)
					_, err = e.Reserve(e.ctx(), new(reserveFor(time.Hour, use("late"))))
					wantReasons(t, err, last.reason)
					_, err = e.commit(held.Name, "c", nil)
					wantReasons(t, err, last.reason)
				})
				e.settled(domain.RedemptionVoided)(e.void(r.Name, "v", nil))
				if diff := cmp.Diff(unused, e.counted()); diff != "" {
					t.Errorf("a void leaves\n%s", diff)
				}
				e.settled(domain.RedemptionRedeemed)(e.commit(held.Name, "c", nil))
				e.recount("a")
			})
		})
	}
}

// counted returns all that is counted of the coupon "a" and is not 0.
func (e *env) counted() []string {
	e.t.Helper()
	var out []string
	head := e.hash(e.keys.head("a"))
	for _, field := range []string{"r", "h", "b:EUR", "B:EUR"} {
		out = append(out, field+" "+head[field])
	}
	for field, n := range e.hash(e.keys.customers("a")) {
		out = append(out, field+" "+n)
	}
	for _, p := range e.codesOf("a") {
		out = append(out, fmt.Sprintf("code %d %d", p.Redeemed, p.Held))
	}
	out = slices.DeleteFunc(out, func(s string) bool { return strings.HasSuffix(s, " 0") || strings.HasSuffix(s, " ") })
	slices.Sort(out)
	return out
}
