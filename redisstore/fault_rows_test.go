// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/discountd/discountd/domain"
)

// Faults and bad input that a store must stand, each with the number that it has
// among all of them.

// lowering is one limit that is lowered to less than what is used.
type lowering struct {
	coupon func(*domain.Coupon)
	code   func(*domain.PromotionCode)
	lower  func(*env, domain.PromotionCodeName) error
	reason domain.Reason
}

func couponUpdate(u domain.UpdateCoupon) func(*env, domain.PromotionCodeName) error {
	return func(e *env, n domain.PromotionCodeName) error {
		u.ID = n.Coupon
		_, err := e.UpdateCoupon(e.ctx(), u)
		return err
	}
}

func codeUpdate(u domain.UpdatePromotionCode) func(*env, domain.PromotionCodeName) error {
	return func(e *env, n domain.PromotionCodeName) error {
		u.Name = n
		_, err := e.UpdatePromotionCode(e.ctx(), u)
		return err
	}
}

// lowerings have room for five uses of 2,500 each, and then for three.
var lowerings = map[string]lowering{
	"coupon": {
		coupon: limitedTo(5), reason: domain.CouponMaxRedemptionsReached,
		lower: couponUpdate(domain.UpdateCoupon{Set: domain.CouponFields{MaxRedemptions: true}, MaxRedemptions: pointer(int64(3))}),
	},
	"code": {
		code: codeLimitedTo(5), reason: domain.CodeMaxRedemptionsReached,
		lower: codeUpdate(domain.UpdatePromotionCode{Set: domain.PromotionCodeFields{MaxRedemptions: true}, MaxRedemptions: pointer(int64(3))}),
	},
	"customer": {
		coupon: limitedPerCustomerTo(5), reason: domain.CustomerMaxRedemptionsReached,
		lower: couponUpdate(domain.UpdateCoupon{Set: domain.CouponFields{MaxRedemptionsPerCustomer: true}, MaxRedemptionsPerCustomer: pointer(int64(3))}),
	},
	"customer of a code": {
		code: codeLimitedPerCustomerTo(5), reason: domain.CustomerMaxRedemptionsReached,
		lower: codeUpdate(domain.UpdatePromotionCode{Set: domain.PromotionCodeFields{MaxRedemptionsPerCustomer: true}, MaxRedemptionsPerCustomer: pointer(int64(3))}),
	},
	"budget": {
		coupon: budgetOf(domain.Budget{Limit: euros(12_500)}), reason: domain.BudgetExhausted,
		lower: couponUpdate(domain.UpdateCoupon{Set: domain.CouponFields{Budgets: true}, Budgets: []domain.Budget{{Limit: euros(7_500)}}}),
	},
	"period": {
		coupon: periodLimits(domain.PeriodLimit{Period: domain.PeriodDay, MaxRedemptions: 5}), reason: domain.PeriodLimitReached,
		lower: couponUpdate(domain.UpdateCoupon{
			Set: domain.CouponFields{PeriodLimits: true}, PeriodLimits: []domain.PeriodLimit{{Period: domain.PeriodDay, MaxRedemptions: 3}},
		}),
	},
}

// Five uses, a limit lowered to three: the first two that are given back, by a void
// or the end of a reservation, make no room; the third does, for one.
func TestFault15WhatIsGivenBackMakesNoRoomUntilUseIsBelowTheLoweredLimit(t *testing.T) {
	for name, limit := range lowerings {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, e *env) {
				coupon := percentOff("a")
				if limit.coupon != nil {
					limit.coupon(&coupon)
				}
				e.createCoupon(coupon)
				p := promotionCode("a", "X")
				if limit.code != nil {
					limit.code(&p)
				}
				code := e.createCode(p).Name
				use := func(id string) domain.RedeemRequest { return byName(id, code, withCustomer("alice")) }
				first := e.redeem(use("1"))
				held := e.reserve(time.Hour, use("2"))
				third := e.redeem(use("3"))
				e.reserve(24*time.Hour, use("4"))
				e.redeem(use("5"))

				if err := limit.lower(e, code); err != nil {
					t.Fatal(err)
				}
				none := func(after string) {
					t.Helper()
					e.unchanged("a use "+after, func() {
						_, err := e.Redeem(e.ctx(), new(use("late")))
						if !slices.Contains([]domain.Reason{limit.reason, domain.FullyReserved}, reasons(t, err)[0]) {
							t.Errorf("%s: %v", after, err)
						}
						_, err = e.Reserve(e.ctx(), new(reserveFor(time.Hour, use("late"))))
						reasons(t, err)
					})
				}
				none("of five")
				e.settled(domain.RedemptionVoided)(e.void(first.Name, "v1", nil))
				none("of four")
				e.settled(domain.RedemptionReleased)(e.release(held.Name, "l"))
				none("of three")
				e.settled(domain.RedemptionVoided)(e.void(third.Name, "v3", nil))
				e.redeem(use("room"))
				none("of three again")
			})
		})
	}
}

// extremes are the amounts at which numbers of any kind go wrong.
var extremes = []int64{
	math.MinInt64, math.MinInt64 + 1, -domain.MaxAmount - 1, -domain.MaxAmount, -1, 0, 1,
	99_999_999_999_999, 100_000_000_000_001, 1e15 - 1, 1e15 + 1, 1 << 52,
	domain.MaxAmount - 1, domain.MaxAmount, domain.MaxAmount + 1, domain.MaxAmount + 2, math.MaxInt64 - 1, math.MaxInt64,
}

// An amount of money is refused by the rules that every request is held to, or it
// is reserved, committed, voided and counted exactly.
func TestFault16AmountsAreRefusedOrExact(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		refused := 0
		for i, amount := range extremes {
			id := domain.CouponID(fmt.Sprint("c", i))
			order := orderOf(amount)
			var v domain.Violations
			order.Check(&v, "order.")
			valid := amount >= 0 && amount <= domain.MaxAmount
			if (v.Err() == nil) != valid {
				t.Errorf("%d: %v", amount, v.Err())
			}
			coupon := percentOff(id, func(c *domain.Coupon) { c.Discount.PercentOff.BasisPoints = domain.FullShare })
			if amount != 0 {
				coupon.Budgets = []domain.Budget{{Limit: euros(amount)}}
			}
			var w domain.Violations
			coupon.Check(&w, "coupon.")
			if (w.Err() == nil) != valid {
				t.Errorf("a budget of %d: %v", amount, w.Err())
			}
			if !valid {
				refused++
				continue
			}
			e.createCoupon(coupon)
			e.exactly(id, amount)
		}
		if refused != 9 {
			t.Errorf("%d of %d amounts are refused", refused, len(extremes))
		}
	})
}

// exactly takes an amount off through all that can be done with it, and again.
func (e *env) exactly(id domain.CouponID, amount int64) {
	e.t.Helper()
	held := e.reserve(time.Hour, byCoupon("h", id, withOrder(orderOf(amount))))
	e.spent(id, amount, 0)
	for _, more := range []int64{amount + 1, math.MaxInt64} {
		_, err := e.commit(held.Name, "c", pointer(more))
		var exceeded *domain.AmountExceededError
		if !errors.As(err, &exceeded) || exceeded.LimitMinor != amount {
			e.t.Errorf("commit of %d of %d: %v", more, amount, err)
		}
	}
	less := max(0, amount-1)
	made := e.settled(domain.RedemptionRedeemed)(e.commit(held.Name, "c", pointer(less)))
	if made.Discount.TotalAmountMinor != less || made.Discount.Lines[0].AmountMinor != less {
		e.t.Errorf("commit of %d of %d: %+v", less, amount, made.Discount)
	}
	e.spent(id, less, 0)
	if less > 1 {
		part := e.settled(domain.RedemptionRedeemed)(e.void(made.Name, "v1", pointer(less-1)))
		if part.VoidedAmountMinor != less-1 {
			e.t.Errorf("%d voided of %d", part.VoidedAmountMinor, less)
		}
		e.spent(id, 1, 0)
		_, err := e.void(made.Name, "v2", pointer(int64(math.MaxInt64)))
		var exceeded *domain.AmountExceededError
		if !errors.As(err, &exceeded) || exceeded.LimitMinor != 1 {
			e.t.Errorf("void of more than is left: %v", err)
		}
	}
	e.settled(domain.RedemptionVoided)(e.void(made.Name, "v3", nil))
	e.spent(id, 0, 0)
	again := e.redeem(byCoupon("again", id, withOrder(orderOf(amount))))
	if read, err := e.Redemption(e.ctx(), again.Name); err != nil || read.Discount.TotalAmountMinor != amount {
		e.t.Errorf("%d became %+v, %v", amount, read.Discount, err)
	}
	e.spent(id, amount, 0)
}

// strangeCodes are texts that somebody may type, and the normal form of those that
// are codes.
var strangeCodes = map[string]string{
	"summer": "SUMMER", " SuMMer\t": "SUMMER", "a": "A", "-_-": "-_-", strings.Repeat("x", 64): strings.Repeat("X", 64),
	"ＳＵＭＭＥＲ": "", "summ\u0131r": "", "ſummer": "", "straße": "", "sum\u0301mer": "", "{c:a}": "", "}{": "", "a\x00b": "", "\x00": "",
	"": "", " ": "", "sum mer": "", "SUMMER\nX": "", "\xff\xfe": "", "a/b": "", "a;b": "", "a,b": "",
	strings.Repeat("x", 65): "", strings.Repeat("x", 10<<20): "", "$(summer)": "", "summer\u200b": "", "\u202esummer": "",
}

// A code is found by its normal form, wherever it was typed; anything else is told
// to be no code, and nothing is written or looked up for it.
func TestFault17StrangeCodesHaveTheirFormOrAreRefused(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a"))
		made := map[string]domain.PromotionCodeName{}
		for typed, form := range strangeCodes {
			request := byCode("r-"+form, typed)
			if form == "" {
				if _, err := domain.ParseCode(typed); err == nil {
					t.Errorf("%.80q is a code", typed)
				}
				e.unchanged("what is not a code", func() {
					_, err := e.Redeem(e.ctx(), &request)
					wantReasons(t, err, domain.CodeMalformed)
					_, err = e.Reserve(e.ctx(), new(reserveFor(time.Hour, request)))
					wantReasons(t, err, domain.CodeMalformed)
					v, err := e.Validate(e.ctx(), &request.ValidateRequest)
					if err != nil || !slices.Equal(reasonsOf(v.Ineligibilities), []domain.Reason{domain.CodeMalformed}) {
						t.Errorf("%.80q: %+v, %v", typed, v, err)
					}
				})
				continue
			}
			if _, ok := made[form]; !ok {
				made[form] = e.createCode(promotionCode("a", strings.ToLower(form))).Name
			}
			if r := e.redeem(request); r.PromotionCode != made[form].ID {
				t.Errorf("%q leads to %s", typed, r.PromotionCode)
			}
			list, err := e.PromotionCodes(e.ctx(), domain.PromotionCodeQuery{Code: parsedCode(typed), Page: domain.Page{Size: 10}})
			if err != nil || len(list.Items) != 1 || list.Items[0].Name != made[form] {
				t.Errorf("%q is listed as %+v, %v", typed, list.Items, err)
			}
		}
		if got := e.coupon("a").Redeemed; got != int64(len(made)) || len(made) != 4 {
			t.Errorf("%d redeemed, by %d forms", got, len(made))
		}
	})
}
