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

func TestRedemptionIsWhatWasEvaluated(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		coupon := e.createCoupon(percentOff("a"))
		p := e.createCode(promotionCode("a", "SPRING"))
		r := byCode("r", " spring", withCustomer("alice"), withEmail("alice-alice-alic"))
		r.Order.Lines = append(r.Order.Lines, domain.OrderLine{ID: "second", ProductID: "p2", UnitAmountMinor: 333, Quantity: 3})
		evaluated, err := e.Validate(e.ctx(), &r.ValidateRequest)
		if err != nil || !evaluated.Valid() {
			t.Fatalf("%+v, %v", evaluated, err)
		}
		want := domain.Redemption{
			Name:          domain.RedemptionName{Coupon: "a", ID: domain.NewRedemptionID(1, "r")},
			PromotionCode: p.Name.ID,
			State:         domain.RedemptionRedeemed,
			RequestID:     "r", Fingerprint: r.Fingerprint(),
			CustomerID: "alice", EmailHash: "alice-alice-alic", OrderID: "order",
			Discount:      evaluated.Discount,
			CreateTime:    epoch,
			CouponVersion: coupon.Version, PromotionCodeVersion: p.Version,
		}
		for i := range want.Discount.Lines {
			want.Discount.Lines[i].Units = nil // not kept
		}
		got := e.redeem(r)
		read, err := e.Redemption(e.ctx(), got.Name)
		if err != nil {
			t.Fatal(err)
		}
		for name, v := range map[string]domain.Redemption{"redeemed": got, "again": e.redeem(r), "read": *read, "listed": e.redemptions("a")[0]} {
			if diff := cmp.Diff(want, v); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
		if c, p := e.coupon("a"), e.code(p.Name); c.Redeemed != 1 || p.Redeemed != 1 || c.Version != coupon.Version {
			t.Errorf("counters %d and %d, version %d", c.Redeemed, p.Redeemed, c.Version)
		}
	})
}

func TestRedemptionWithoutAnOrderHasNoDiscount(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a"))
		r := e.redeem(byCoupon("r", "a", withOrder(nil)))
		if r.Discount != nil || r.PromotionCode != "" || r.OrderID != "" {
			t.Errorf("%+v", r)
		}
	})
}

func TestUnknownRedemptionIsNotFound(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a"))
		e.redeem(byCoupon("r", "a"))
		for _, id := range []domain.RedemptionID{"1", "1-zzzzzz", "2-zzzzzz", "0-zzzzzz", "-1-zzzzzz", "x", domain.NewRedemptionID(2, "r"), "99999999999999999999-x"} {
			if v, err := e.Redemption(e.ctx(), domain.RedemptionName{Coupon: "a", ID: id}); !isError[*domain.NotFoundError](err) {
				t.Errorf("%s: %+v, %v", id, v, err)
			}
		}
		_, err := e.Redemption(e.ctx(), domain.RedemptionName{Coupon: "none", ID: domain.NewRedemptionID(1, "r")})
		if !isError[*domain.NotFoundError](err) {
			t.Errorf("of an unknown coupon: %v", err)
		}
	})
}

func TestP3RedeemHasOneEffectPerRequestID(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a", limitedTo(1)))
		e.createCode(promotionCode("a", "X"))
		stores := []*Store{e.Store, e.server()}
		answers := make([]*domain.Redemption, e.crowd(200))
		all(len(answers), func(i int) {
			var err error
			if answers[i], err = stores[i%2].Redeem(e.ctx(), new(byCode("r", []string{"X", "x"}[i%2]))); err != nil {
				t.Error(err)
			}
		})
		for _, a := range answers {
			if diff := cmp.Diff(answers[0], a); diff != "" {
				t.Fatalf("two answers:\n%s", diff)
			}
		}
		if n := len(e.redemptions("a")); n != 1 || e.coupon("a").Redeemed != 1 {
			t.Errorf("%d redemptions, %d counted", n, e.coupon("a").Redeemed)
		}
	})
}

func TestP4RequestIDIsNotUsedForAnotherRedemption(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a"))
		e.createCoupon(percentOff("b"))
		p := e.createCode(promotionCode("a", "X"))
		e.createCode(promotionCode("a", "Y"))
		same := byCode("r", "X", withCustomer("alice"), withEmail("alice-alice-alic"))
		e.redeem(same)
		order := func(change func(*domain.Order)) domain.RedeemRequest {
			r := same
			r.Order = orderOf(10_000)
			change(r.Order)
			return r
		}
		e.unchanged("a request id used again", func() {
			for name, r := range map[string]domain.RedeemRequest{
				"another code":      byCode("r", "Y", withCustomer("alice"), withEmail("alice-alice-alic")),
				"by name":           byName("r", p.Name, withCustomer("alice"), withEmail("alice-alice-alic")),
				"the coupon":        byCoupon("r", "a", withCustomer("alice"), withEmail("alice-alice-alic")),
				"another customer":  byCode("r", "X", withCustomer("bob"), withEmail("alice-alice-alic")),
				"another address":   byCode("r", "X", withCustomer("alice"), withEmail("other-other-othe")),
				"no order":          byCode("r", "X", withCustomer("alice"), withEmail("alice-alice-alic"), withOrder(nil)),
				"another order":     order(func(o *domain.Order) { o.ID = "other" }),
				"another currency":  order(func(o *domain.Order) { o.Currency = "USD" }),
				"another amount":    order(func(o *domain.Order) { o.Lines[0].UnitAmountMinor++ }),
				"another quantity":  order(func(o *domain.Order) { o.Lines[0].Quantity++ }),
				"more for shipping": order(func(o *domain.Order) { o.ShippingAmountMinor = 1 }),
			} {
				if v, err := e.Redeem(e.ctx(), &r); !errors.Is(err, domain.ErrRequestIDReused) {
					t.Errorf("%s: %+v, %v", name, v, err)
				}
			}
			derived := same
			derived.Customer.HasPriorTransactions = true
			if _, err := e.Redeem(e.ctx(), &derived); err != nil {
				t.Errorf("a fact that is derived anew: %v", err)
			}
		})
		// Each coupon has request ids of its own.
		if r := e.redeem(byCoupon("r", "b")); r.Name.Coupon != "b" {
			t.Errorf("%+v", r)
		}
	})
}

func TestP4ReusedRequestIDAtOnceServesOneRequest(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a"))
		var won atomic.Int32
		all(e.crowd(100), func(i int) {
			_, err := e.Redeem(e.ctx(), new(byCoupon("r", "a", withCustomer(strconv.Itoa(i)))))
			switch {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, domain.ErrRequestIDReused):
				t.Error(err)
			}
		})
		if won.Load() != 1 || e.coupon("a").Redeemed != 1 {
			t.Errorf("%d redeemed, %d counted", won.Load(), e.coupon("a").Redeemed)
		}
	})
}

func TestRetryFindsItsRedemptionAfterTheCodeChangedHands(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		for _, c := range []domain.CouponID{"a", "b", "c"} {
			e.createCoupon(percentOff(c, func(c *domain.Coupon) { c.Discount.PercentOff.BasisPoints = 1_000 }))
		}
		var made []domain.Redemption
		var holder domain.PromotionCodeView
		hands := []struct {
			coupon domain.CouponID
			bind   func(*domain.PromotionCode)
		}{
			{"a", boundToID("nobody")}, {"a", boundToID("alice")}, {"b", boundToEmail("alice-alice-alic")}, {"b", boundToID("alice")}, {"c", boundToID("alice")},
		}
		request := func(i int) domain.RedeemRequest {
			return byCode("r"+strconv.Itoa(i), "X", withCustomer("alice"), withEmail("alice-alice-alic"))
		}
		for i, hand := range hands {
			holder = e.createCode(promotionCode(hand.coupon, "X", hand.bind))
			if i == 0 {
				_, err := e.Redeem(e.ctx(), new(request(0)))
				wantReasons(t, err, domain.CustomerMismatch)
			} else {
				made = append(made, e.redeem(request(i)))
			}
			e.deactivate(holder.Name)
		}
		holder = e.createCode(promotionCode("c", "X"))
		e.unchanged("retries", func() {
			for i, want := range made {
				if diff := cmp.Diff(want, e.redeem(request(i+1))); diff != "" {
					t.Errorf("retry %d:\n%s", i+1, diff)
				}
			}
		})
		// An id that was used with the code's present coupon for another request is
		// refused there, and one that was used only elsewhere is not.
		other := byCode("r4", "X", withCustomer("bob"))
		if _, err := e.Redeem(e.ctx(), &other); !errors.Is(err, domain.ErrRequestIDReused) {
			t.Errorf("used in this coupon: %v", err)
		}
		if r := e.redeem(byCode("r1", "X", withCustomer("bob"))); r.Name.Coupon != "c" {
			t.Errorf("used in another coupon: %+v", r)
		}
		// The first one's retry still finds its own.
		if diff := cmp.Diff(made[0], e.redeem(request(1))); diff != "" {
			t.Errorf("retry after the id was used elsewhere:\n%s", diff)
		}
		if _, err := e.DeletePromotionCode(e.ctx(), domain.DeletePromotionCode{Name: holder.Name}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(made[0], e.redeem(request(1))); diff != "" {
			t.Errorf("retry after nobody holds the code:\n%s", diff)
		}
	})
}

func TestRetryFindsItsRedemptionWhateverHasEnded(t *testing.T) {
	ends := map[string]func(*env, domain.PromotionCodeName) error{
		"the code expired": func(e *env, _ domain.PromotionCodeName) error { e.clock.Advance(time.Hour); return nil },
		"the coupon ended": func(e *env, _ domain.PromotionCodeName) error { e.clock.Advance(2 * time.Hour); return nil },
		"the code was deactivated": func(e *env, n domain.PromotionCodeName) error {
			_, err := e.DeactivatePromotionCode(e.ctx(), domain.DeactivatePromotionCode{Name: n})
			return err
		},
		"the code was deleted": func(e *env, n domain.PromotionCodeName) error {
			_, err := e.DeletePromotionCode(e.ctx(), domain.DeletePromotionCode{Name: n})
			return err
		},
		"the coupon was deleted": func(e *env, n domain.PromotionCodeName) error {
			_, err := e.DeleteCoupon(e.ctx(), domain.DeleteCoupon{ID: n.Coupon})
			return err
		},
		"the minimum was raised": func(e *env, n domain.PromotionCodeName) error {
			_, err := e.UpdatePromotionCode(e.ctx(), domain.UpdatePromotionCode{
				Name: n, MinimumAmounts: []domain.Money{{Currency: "EUR", AmountMinor: 1_000_000}}, Set: domain.PromotionCodeFields{MinimumAmounts: true},
			})
			return err
		},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, e *env) {
				e.createCoupon(percentOff("a", func(c *domain.Coupon) { c.RedeemBy = epoch.Add(2 * time.Hour) }))
				p := e.createCode(promotionCode("a", "X", func(p *domain.PromotionCode) { p.ExpiresAt = epoch.Add(time.Hour) }))
				r := byCode("r", "X")
				want := e.redeem(r)
				if err := end(e, p.Name); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, e.redeem(r)); diff != "" {
					t.Error(diff)
				}
				if _, err := e.Redeem(e.ctx(), new(byCode("new", "X"))); !isError[*domain.RefusedError](err) {
					t.Errorf("a new request: %v", err)
				}
			})
		})
	}
}

func TestRefusalForARuleWritesNothing(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a", func(c *domain.Coupon) { c.StartsAt = epoch.Add(time.Hour) }))
		e.createCode(promotionCode("a", "X", boundToID("alice"), func(p *domain.PromotionCode) {
			p.Restrictions = domain.Restrictions{FirstTimeTransaction: true, MinimumAmounts: []domain.Money{{Currency: "EUR", AmountMinor: 10_001}}}
		}))
		e.unchanged("a refusal", func() {
			r := byCode("r", "X", withCustomer("alice"))
			r.Customer.HasPriorTransactions = true
			_, err := e.Redeem(e.ctx(), &r)
			got := reasons(t, err)
			slices.Sort(got)
			want := []domain.Reason{domain.NotYetActive, domain.NotFirstTransaction, domain.MinimumAmountNotMet}
			if !slices.Equal(got, want) {
				t.Errorf("refused for %v", err)
			}
			v, err := e.Validate(e.ctx(), &r.ValidateRequest)
			if gotToo := reasonsOf(v.Ineligibilities); err != nil || len(gotToo) != len(want) {
				t.Errorf("validated: %v, %v", gotToo, err)
			}
		})
	})
}

func TestFault14NothingIsRedeemedAfterADeactivationIsAcknowledged(t *testing.T) {
	ends := map[string]func(*env, domain.PromotionCodeName) error{
		"deactivated": func(e *env, n domain.PromotionCodeName) error {
			_, err := e.DeactivatePromotionCode(e.ctx(), domain.DeactivatePromotionCode{Name: n})
			return err
		},
		"deleted": func(e *env, n domain.PromotionCodeName) error {
			_, err := e.DeletePromotionCode(e.ctx(), domain.DeletePromotionCode{Name: n})
			return err
		},
		"the coupon deleted": func(e *env, n domain.PromotionCodeName) error {
			_, err := e.DeleteCoupon(e.ctx(), domain.DeleteCoupon{ID: n.Coupon})
			return err
		},
		"the limit lowered": func(e *env, n domain.PromotionCodeName) error {
			_, err := e.UpdateCoupon(e.ctx(), domain.UpdateCoupon{ID: n.Coupon, MaxRedemptions: pointer(int64(1)), Set: domain.CouponFields{MaxRedemptions: true}})
			return err
		},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, e *env) {
				e.createCoupon(percentOff("a"))
				p := e.createCode(promotionCode("a", "X"))
				e.redeem(byCoupon("first", "a"))
				other := e.server()
				var ended atomic.Int64 // redemptions in the ledger when the end was acknowledged
				var late atomic.Int32
				all(e.crowd(30)+1, func(i int) {
					if i == 0 {
						if err := end(e, p.Name); err != nil {
							t.Error(err)
						}
						c := e.coupon("a")
						ended.Store(1 + c.Redeemed + c.Held)
						return
					}
					for k := range 4 {
						before := ended.Load()
						r, err := byCode(fmt.Sprint(i, "-", k), "X"), error(nil)
						if i%3 == 0 {
							_, err = other.Reserve(e.ctx(), new(reserveFor(time.Hour, r)))
						} else {
							_, err = other.Redeem(e.ctx(), &r)
						}
						if err == nil && before > 0 {
							late.Add(1)
						}
						if err != nil && !isError[*domain.RefusedError](err) && !errors.Is(err, domain.ErrAborted) {
							t.Error(err)
						}
					}
				})
				if n := late.Load(); n > 0 {
					t.Errorf("%d redemptions began after the acknowledgement", n)
				}
				if c := e.coupon("a"); c.Redeemed+c.Held != ended.Load()-1 {
					got, want := c.Redeemed+c.Held, ended.Load()-1
					t.Errorf("%d redeemed or reserved in the end, %d when it was acknowledged", got, want)
				}
			})
		})
	}
}

func TestHotCouponDoesNotAbortItsOwnCallers(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a"))
		e.createCode(promotionCode("a", "X"))
		all(e.crowd(200), func(i int) {
			if _, err := e.Redeem(e.ctx(), new(byCode(strconv.Itoa(i), "X"))); err != nil {
				t.Error(err)
			}
		})
		if got := e.coupon("a").Redeemed; got != int64(e.crowd(200)) {
			t.Errorf("%d redeemed", got)
		}
	})
}
