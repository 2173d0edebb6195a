// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/discountd/discountd/domain"
)

// limitCase is a limit of n on something, and requests that it counts.
type limitCase struct {
	reason  domain.Reason
	prepare func(e *env, n int64)
	request func(id string) domain.RedeemRequest
	used    func(e *env) int64
}

var limitCases = map[string]limitCase{
	"coupon": {
		domain.CouponMaxRedemptionsReached,
		func(e *env, n int64) { e.createCoupon(percentOff("a", limitedTo(n))) },
		func(id string) domain.RedeemRequest { return byCoupon(id, "a") },
		func(e *env) int64 { return e.coupon("a").Redeemed },
	},
	"coupon over its codes": {
		domain.CouponMaxRedemptionsReached,
		func(e *env, n int64) {
			e.createCoupon(percentOff("a", limitedTo(n)))
			for i := range 3 {
				e.createCode(promotionCode("a", "CODE"+strconv.Itoa(i)))
			}
		},
		func(id string) domain.RedeemRequest { return byCode(id, "CODE"+strconv.Itoa(len(id)%3)) },
		func(e *env) int64 { return e.coupon("a").Redeemed },
	},
	"code": {
		domain.CodeMaxRedemptionsReached,
		func(e *env, n int64) {
			e.createCoupon(percentOff("a"))
			e.createCode(promotionCode("a", "CODE", codeLimitedTo(n)))
		},
		func(id string) domain.RedeemRequest { return byCode(id, "code") },
		func(e *env) int64 { return e.codesOf("a")[0].Redeemed },
	},
	"customer by id": {
		domain.CustomerMaxRedemptionsReached,
		func(e *env, n int64) { e.createCoupon(percentOff("a", limitedPerCustomerTo(n))) },
		func(id string) domain.RedeemRequest { return byCoupon(id, "a", withCustomer("alice")) },
		func(e *env) int64 { return e.uses("a", "", domain.IdentityOfID("alice")).OfCoupon },
	},
	"customer by e-mail of a code": {
		domain.CustomerMaxRedemptionsReached,
		func(e *env, n int64) {
			e.createCoupon(percentOff("a"))
			e.createCode(promotionCode("a", "CODE", codeLimitedPerCustomerTo(n)))
		},
		func(id string) domain.RedeemRequest { return byCode(id, "code", withEmail("alice-alice-alic")) },
		func(e *env) int64 {
			return e.uses("a", e.codesOf("a")[0].Name.ID, domain.IdentityOfEmail("alice-alice-alic")).OfPromotionCode
		},
	},
}

// uses reads what one identity has used.
func (e *env) uses(c domain.CouponID, p domain.PromotionCodeID, who domain.Identity) domain.CustomerUses {
	e.t.Helper()
	st, err := e.read(e.ctx(), subject{coupon: c, code: p, who: []domain.Identity{who}})
	if err != nil {
		e.t.Fatal(err)
	}
	return st.CustomerUses[0]
}

func TestLimitIsReachedAndNotPassed(t *testing.T) {
	for name, limit := range limitCases {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, e *env) {
				limit.prepare(e, 2)
				first := e.redeem(limit.request("r"))
				last := e.redeem(limit.request("rr"))
				e.unchanged("a refusal", func() {
					_, err := e.Redeem(e.ctx(), new(limit.request("rrr")))
					wantReasons(t, err, limit.reason)
					var refused *domain.RefusedError
					if errors.As(err, &refused) && refused.Ineligibilities[0].Limit != 2 {
						t.Errorf("refused for %+v", refused.Ineligibilities)
					}
					v, err := e.Validate(e.ctx(), new(limit.request("rrr").ValidateRequest))
					if err != nil || !slices.Equal(reasonsOf(v.Ineligibilities), []domain.Reason{limit.reason}) {
						t.Errorf("validated: %+v, %v", v, err)
					}
				})
				e.unchanged("retries", func() {
					// Those that took the room find it taken by themselves.
					for id, want := range map[string]domain.Redemption{"r": first, "rr": last} {
						if diff := cmp.Diff(want, e.redeem(limit.request(id))); diff != "" {
							t.Errorf("%s again:\n%s", id, diff)
						}
					}
				})
				if used := limit.used(e); used != 2 {
					t.Errorf("%d used", used)
				}
			})
		})
	}
}

func TestP1ManyAtOnceTakeWhatALimitLeaves(t *testing.T) {
	for name, limit := range limitCases {
		t.Run(name, func(t *testing.T) {
			limits := []int64{1, 7, 50, 1000}
			if name != "coupon" {
				limits = []int64{1, 50}
			}
			for _, n := range limits {
				t.Run(strconv.FormatInt(n, 10), func(t *testing.T) {
					onEach(t, func(t *testing.T, e *env) {
						callers := e.crowd(500)
						if name != "coupon" {
							callers = min(callers, 100) // the full crowd once is enough
						}
						limit.prepare(e, n)
						stores := []*Store{e.Store, e.server()}
						var won atomic.Int64
						all(callers, func(i int) {
							_, err := stores[i%2].Redeem(e.ctx(), new(limit.request(fmt.Sprintf("%0*d", 1+i%5, i))))
							if err == nil {
								won.Add(1)
							} else if refused := reasons(e.t, err); !slices.Equal(refused, []domain.Reason{limit.reason}) {
								t.Errorf("refused for %v", refused)
							}
						})
						want := min(n, int64(callers))
						if used, ledger := limit.used(e), len(e.redemptions("a")); won.Load() != want || used != want || ledger != int(want) {
							t.Errorf("%d redeemed, %d counted, %d in the ledger, want %d", won.Load(), used, ledger, want)
						}
					})
				})
			}
		})
	}
}

func TestSeveralCouponsAtOnceKeepTheirLimitsApart(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		coupons := []domain.CouponID{"a", "b", "c", "d", "e"}
		for i, c := range coupons {
			e.createCoupon(percentOff(c, limitedTo(int64(3*i+1))))
			e.createCode(promotionCode(c, "CODE-"+string(c)))
		}
		var won [5]atomic.Int64
		all(e.crowd(200), func(i int) {
			k := i % len(coupons)
			r := byCode(strconv.Itoa(i), "code-"+string(coupons[k]))
			if i%2 == 0 {
				r = byCoupon(strconv.Itoa(i), coupons[k])
			}
			if _, err := e.Redeem(e.ctx(), &r); err == nil {
				won[k].Add(1)
			} else {
				wantReasons(t, err, domain.CouponMaxRedemptionsReached)
			}
		})
		callers := int64(e.crowd(200) / len(coupons))
		for i, c := range coupons {
			want := min(int64(3*i+1), callers)
			if won[i].Load() != want || e.coupon(c).Redeemed != want || len(e.redemptions(c)) != int(want) {
				t.Errorf("%s: %d redeemed, %d counted, want %d", c, won[i].Load(), e.coupon(c).Redeemed, want)
			}
		}
	})
}

func TestBothIdentitiesOfACustomerAreCheckedAndCharged(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a", limitedPerCustomerTo(1)))
		e.createCode(promotionCode("a", "X"))
		const mail = domain.EmailHash("alice-alice-alic")
		e.redeem(byCode("r1", "X", withCustomer("alice"), withEmail(mail)))
		for name, r := range map[string]domain.RedeemRequest{
			"the id":                        byCode("r2", "X", withCustomer("alice")),
			"the e-mail address":            byCode("r3", "X", withEmail(mail)),
			"the id with another address":   byCode("r4", "X", withCustomer("alice"), withEmail("other-other-othe")),
			"the address with another id":   byCode("r5", "X", withCustomer("bob"), withEmail(mail)),
			"both":                          byCode("r6", "X", withCustomer("alice"), withEmail(mail)),
			"the id, the coupon applied":    byCoupon("r7", "a", withCustomer("alice")),
			"the address, with another one": byCoupon("r8", "a", withCustomer("carol"), withEmail(mail)),
		} {
			e.unchanged("a refusal", func() {
				_, err := e.Redeem(e.ctx(), &r)
				if got := reasons(t, err); !slices.Equal(got, []domain.Reason{domain.CustomerMaxRedemptionsReached}) {
					t.Errorf("%s: %v", name, err)
				}
			})
		}
		e.unchanged("a guest where customers are counted", func() {
			_, err := e.Redeem(e.ctx(), new(byCode("r9", "X")))
			wantReasons(t, err, domain.CustomerRequired)
		})
		// Whoever was refused beside alice was not charged.
		e.redeem(byCode("r10", "X", withCustomer("bob")))
		e.redeem(byCode("r11", "X", withEmail("other-other-othe")))
	})
}

func TestUsesAreCountedAlsoWhereNothingIsLimitedYet(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a"))
		p := e.createCode(promotionCode("a", "X"))
		e.redeem(byCode("r1", "X", withCustomer("alice")))
		e.redeem(byCoupon("r2", "a", withCustomer("alice")))
		if got := e.uses("a", p.Name.ID, domain.IdentityOfID("alice")); got != (domain.CustomerUses{OfCoupon: 2, OfPromotionCode: 1}) {
			t.Errorf("%+v", got)
		}
		_, err := e.UpdateCoupon(e.ctx(), domain.UpdateCoupon{
			ID: "a", MaxRedemptionsPerCustomer: pointer(int64(2)), Set: domain.CouponFields{MaxRedemptionsPerCustomer: true},
		})
		if err != nil {
			t.Fatal(err)
		}
		_, err = e.Redeem(e.ctx(), new(byCode("r3", "X", withCustomer("alice"))))
		wantReasons(t, err, domain.CustomerMaxRedemptionsReached)
	})
}

func TestAllLimitsReachedAreReported(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a", limitedTo(1), limitedPerCustomerTo(1)))
		e.createCode(promotionCode("a", "X", codeLimitedTo(1), codeLimitedPerCustomerTo(1)))
		e.redeem(byCode("r1", "X", withCustomer("alice")))
		e.unchanged("a refusal", func() {
			_, err := e.Redeem(e.ctx(), new(byCode("r2", "X", withCustomer("alice"))))
			wantReasons(t, err, domain.CouponMaxRedemptionsReached, domain.CodeMaxRedemptionsReached, domain.CustomerMaxRedemptionsReached)
			_, err = e.Redeem(e.ctx(), new(byCode("r2", "X", withCustomer("bob"))))
			wantReasons(t, err, domain.CouponMaxRedemptionsReached, domain.CodeMaxRedemptionsReached)
		})
	})
}

func TestLimitThatChangesCountsWhatWasUsed(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a"))
		p := e.createCode(promotionCode("a", "X"))
		limit := func(coupon, code *int64) {
			t.Helper()
			if _, err := e.UpdateCoupon(e.ctx(), domain.UpdateCoupon{ID: "a", MaxRedemptions: coupon, Set: domain.CouponFields{MaxRedemptions: true}}); err != nil {
				t.Fatal(err)
			}
			if _, err := e.UpdatePromotionCode(e.ctx(), domain.UpdatePromotionCode{
				Name: p.Name, MaxRedemptions: code, Set: domain.PromotionCodeFields{MaxRedemptions: true},
			}); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 3 {
			e.redeem(byCode(strconv.Itoa(i), "X"))
		}
		limit(pointer(int64(2)), nil)
		_, err := e.Redeem(e.ctx(), new(byCode("r", "X")))
		wantReasons(t, err, domain.CouponMaxRedemptionsReached)
		limit(nil, pointer(int64(3)))
		_, err = e.Redeem(e.ctx(), new(byCode("r", "X")))
		wantReasons(t, err, domain.CodeMaxRedemptionsReached)
		limit(pointer(int64(4)), pointer(int64(4)))
		e.redeem(byCode("r", "X"))
		_, err = e.Redeem(e.ctx(), new(byCode("r2", "X")))
		wantReasons(t, err, domain.CouponMaxRedemptionsReached, domain.CodeMaxRedemptionsReached)
	})
}

// TestWhatReservationsHoldIsWorthTryingAgain has one reservation take all there is,
// and asks for more: of Validate, of Redeem with rules that are read and with those
// that are remembered, and of the commit of a reservation that has expired.
func TestWhatReservationsHoldIsWorthTryingAgain(t *testing.T) {
	budget := func(amount int64) func(*domain.Coupon) {
		return func(c *domain.Coupon) {
			c.Budgets = []domain.Budget{{Limit: domain.Money{Currency: "EUR", AmountMinor: amount}}}
		}
	}
	anOrder := withOrder(orderOf(100)) // of which 25 are taken off
	for name, c := range map[string]struct {
		coupon domain.Coupon
		card   bool
		want   domain.Reason
	}{
		"budget":           {percentOff("a", budget(25)), false, domain.BudgetExhausted},
		"part of a budget": {percentOff("a", budget(40)), false, domain.BudgetInsufficient},
		"customer":         {percentOff("a", limitedPerCustomerTo(1)), false, domain.CustomerMaxRedemptionsReached},
		"gift card":        {program("a", false), true, domain.GiftBalanceExhausted},
	} {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, e *env) {
				e.createCoupon(c.coupon)
				var source domain.PromotionCodeName
				if c.card {
					source = e.issue("issue", giftCard("a", "GIFTED", 100)).Name
				} else {
					source = e.createCode(promotionCode("a", "CODE")).Name
				}
				use := func(request string) domain.RedeemRequest {
					return byName(request, source, withCustomer("alice"), anOrder)
				}
				refused := func(what string, want bool) {
					t.Helper()
					evaluation, err := e.Validate(e.ctx(), new(use("v").ValidateRequest))
					if err != nil {
						t.Fatal(err)
					}
					told := [][]domain.Ineligibility{evaluation.Ineligibilities}
					for range 2 {
						_, err := e.Redeem(e.ctx(), new(use("more")))
						refusal, ok := errors.AsType[*domain.RefusedError](err)
						if !ok {
							t.Fatalf("%s: %v", what, err)
						}
						told = append(told, refusal.Ineligibilities)
					}
					for _, all := range told {
						if len(all) != 1 || all[0].Reason != c.want || all[0].Retryable() != want {
							t.Errorf("%s: %v, want reason %d, retryable: %v", what, all, c.want, want)
						}
						if diff := cmp.Diff(told[0], all); diff != "" {
							t.Errorf("%s: validated and redeemed differ:\n%s", what, diff)
						}
					}
				}
				late, err := e.Reserve(e.ctx(), &domain.ReserveRequest{RedeemRequest: use("late"), TTL: time.Minute})
				if err != nil {
					t.Fatal(err)
				}
				refused("while it is reserved", true)
				e.clock.Advance(time.Minute)
				again, err := e.Reserve(e.ctx(), &domain.ReserveRequest{RedeemRequest: use("again"), TTL: time.Minute})
				if err != nil {
					t.Fatalf("what was worth trying again: %v", err)
				}
				commit := func(request string, want bool) {
					t.Helper()
					_, err := e.Commit(e.ctx(), domain.CommitRedemption{RequestID: request, Name: late.Name})
					refusal, ok := errors.AsType[*domain.RefusedError](err)
					if !ok || len(refusal.Ineligibilities) != 1 || refusal.Ineligibilities[0].Reason != c.want || refusal.Ineligibilities[0].Retryable() != want {
						t.Errorf("commit: %v, want retryable: %v", err, want)
					}
				}
				commit("c1", true)
				if _, err := e.Commit(e.ctx(), domain.CommitRedemption{RequestID: "c2", Name: again.Name}); err != nil {
					t.Fatal(err)
				}
				refused("when it is redeemed", false)
				commit("c3", false)
			})
		})
	}
}
