// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package acceptance

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	discountv1 "github.com/discountd/discountd/gen/discount/v1"
	"github.com/discountd/discountd/internal/requests"
)

// ofFifty is what all limits of the golden file are, and an order for one unit.
const ofFifty = 50

func order() func(*discountv1.RedeemRequest) { return paying(5_000, "EUR") }

// usedUp redeems fifty times, and returns the error of the next time.
func (s *service) usedUp(t *testing.T, with ...func(*discountv1.RedeemRequest)) error {
	t.Helper()
	for range ofFifty {
		must(t, s.redeemed(t, purchase(with...)))
	}
	return s.redeemed(t, purchase(with...))
}

// conditioned is a coupon with a condition on how many units are bought.
func conditioned(c *discountv1.OrderConditions) func(*discountv1.Coupon) {
	return func(x *discountv1.Coupon) { x.Conditions = c }
}

func budgetOf(minor int64) func(*discountv1.Coupon) {
	return func(c *discountv1.Coupon) { c.Budgets = []*discountv1.Budget{{Limit: money(minor, "EUR")}} }
}

// reasonsProvoked bring a service to refuse for each reason.
var reasonsProvoked = map[string]func(*testing.T, *service) error{
	"CODE_NOT_FOUND": func(t *testing.T, s *service) error {
		return s.redeemed(t, purchase(typing("NOBODYS"), order()))
	},
	"CODE_MALFORMED": func(t *testing.T, s *service) error {
		return s.redeemed(t, purchase(typing("no code"), order()))
	},
	"CODE_INACTIVE": func(t *testing.T, s *service) error {
		p := s.code(t, s.fall(t), coded("FALL"))
		s.deactivate(t, p)
		return s.redeemed(t, purchase(using(p), order()))
	},
	"NOT_YET_ACTIVE": func(t *testing.T, s *service) error {
		return s.redeemed(t, purchase(applying(s.fall(t, couponFrom(today.Add(day)))), order()))
	},
	"CODE_EXPIRED": func(t *testing.T, s *service) error {
		p := s.code(t, s.fall(t), coded("FALL", codeUntil(today.Add(day))))
		s.clock.set(today.Add(day))
		return s.redeemed(t, purchase(using(p), order()))
	},
	"COUPON_EXPIRED": func(t *testing.T, s *service) error {
		c := s.fall(t, couponUntil(today.Add(day)))
		s.clock.set(today.Add(day))
		return s.redeemed(t, purchase(applying(c), order()))
	},
	"COUPON_DELETED": func(t *testing.T, s *service) error {
		c := s.fall(t)
		s.deleteCoupon(t, c)
		return s.redeemed(t, purchase(applying(c), order()))
	},
	"CODE_MAX_REDEMPTIONS_REACHED": func(t *testing.T, s *service) error {
		return s.usedUp(t, using(s.code(t, s.fall(t), coded("FALL", codeLimit(ofFifty)))), order())
	},
	"COUPON_MAX_REDEMPTIONS_REACHED": func(t *testing.T, s *service) error {
		return s.usedUp(t, applying(s.fall(t, couponLimit(ofFifty))), order())
	},
	"CUSTOMER_MAX_REDEMPTIONS_REACHED": func(t *testing.T, s *service) error {
		return s.usedUp(t, applying(s.fall(t, couponLimitPerCustomer(ofFifty))), by("alice"), order())
	},
	"PERIOD_LIMIT_REACHED": func(t *testing.T, s *service) error {
		return s.usedUp(t, applying(s.fall(t, func(c *discountv1.Coupon) {
			c.PeriodLimits = []*discountv1.PeriodLimit{{Period: discountv1.Period_PERIOD_DAY, MaxRedemptions: ofFifty}}
		})), order())
	},
	"FULLY_RESERVED": func(t *testing.T, s *service) error {
		c := s.fall(t, couponLimit(1))
		s.reserves(t, c, 15*time.Minute)
		return s.redeemed(t, purchase(applying(c), order()))
	},
	"BUDGET_EXHAUSTED": func(t *testing.T, s *service) error {
		c := s.fall(t, budgetOf(500))
		must(t, s.redeemed(t, purchase(applying(c), order())))
		return s.redeemed(t, purchase(applying(c), order()))
	},
	"BUDGET_INSUFFICIENT": func(t *testing.T, s *service) error {
		return s.redeemed(t, purchase(applying(s.fall(t, budgetOf(499))), order()))
	},
	"CUSTOMER_REQUIRED": func(t *testing.T, s *service) error {
		return s.redeemed(t, purchase(applying(s.fall(t, couponLimitPerCustomer(1))), order()))
	},
	"CUSTOMER_MISMATCH": func(t *testing.T, s *service) error {
		p := s.code(t, s.fall(t), coded("FALL", boundTo("alice")))
		return s.redeemed(t, purchase(using(p), by("bob"), order()))
	},
	"NOT_FIRST_TRANSACTION": func(t *testing.T, s *service) error {
		p := s.code(t, s.fall(t), coded("FALL", firstTimeOnly()))
		return s.redeemed(t, purchase(using(p), byReturningCustomer("alice"), order()))
	},
	"ORDER_REQUIRED": func(t *testing.T, s *service) error {
		return s.redeemed(t, purchase(applying(s.fall(t, budgetOf(500)))))
	},
	"MINIMUM_AMOUNT_NOT_MET": func(t *testing.T, s *service) error {
		p := s.code(t, s.fall(t), coded("FALL", fromAmount(money(10_000, "EUR"))))
		return s.redeemed(t, purchase(using(p), paying(9_999, "EUR")))
	},
	"MINIMUM_QUANTITY_NOT_MET": func(t *testing.T, s *service) error {
		three := int64(3)
		c := s.fall(t, conditioned(&discountv1.OrderConditions{MinimumQuantity: &three}))
		return s.redeemed(t, purchase(applying(c), buying("EUR", line("mug", 1_000, 2))))
	},
	"MAXIMUM_QUANTITY_EXCEEDED": func(t *testing.T, s *service) error {
		three := int64(3)
		c := s.fall(t, conditioned(&discountv1.OrderConditions{MaximumQuantity: &three}))
		return s.redeemed(t, purchase(applying(c), buying("EUR", line("mug", 1_000, 4))))
	},
	"CURRENCY_MISMATCH": func(t *testing.T, s *service) error {
		return s.redeemed(t, purchase(applying(s.named(t, "fall", amountOff(money(500, "EUR")))), paying(5_000, "JPY")))
	},
	"CONTEXT_NOT_ALLOWED": func(t *testing.T, s *service) error {
		p := s.code(t, s.fall(t), coded("FALL", fromAmount(money(1_000, "EUR"))))
		return s.redeemed(t, purchase(using(p), at(discountv1.UseContext_USE_CONTEXT_CUSTOMER), order()))
	},
	"SUBSCRIPTION_ALREADY_DISCOUNTED": func(t *testing.T, s *service) error {
		c := s.fall(t)
		s.redeems(t, purchase(applying(c), subscribing("sub"), order()))
		return s.redeemed(t, purchase(applying(c), subscribing("sub"), order()))
	},
	"GIFT_BALANCE_EXHAUSTED": func(t *testing.T, s *service) error {
		_, code := s.giftCard(t, worth(s.named(t, "fall", giftCards(false)), 5_000))
		s.pays(t, purchase(typing(code), order()), 5_000)
		return s.redeemed(t, purchase(typing(code), order()))
	},
	"NO_APPLICABLE_ITEMS": func(t *testing.T, s *service) error {
		return s.redeemed(t, purchase(applying(s.fall(t, forProducts("cup"))), order()))
	},
}

func TestReasonsOfTheServiceAreThoseOfTheGoldenFile(t *testing.T) {
	t.Parallel()
	for reason, want := range goldenReasons(t) {
		provoke, ok := reasonsProvoked[reason]
		if !ok {
			t.Errorf("%s is not provoked", reason)
			continue
		}
		t.Run(reason, func(t *testing.T) {
			t.Parallel()
			s := start(t)
			got := reasonsIn(t, requests.StatusJSON(t, provoke(t, s)))
			if diff := cmp.Diff(map[string]ineligibility{reason: want}, got); diff != "" {
				t.Errorf("the service gives another reason (-golden +got):\n%s", diff)
			}
		})
	}
}
