// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"testing"

	"github.com/discountd/discountd/domain"
)

func TestAuditFindsASubscriptionThatIsNotHeldForItsDiscount(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a"))
		e.createCoupon(percentOff("b", lasting(domain.DurationForever, 0)))
		first := e.redeem(byCoupon("first", "a", forSubscription("sub")))
		e.wantClean()

		// What was ended may be another's.
		e.settled(domain.RedemptionRedeemed)(e.EndDiscount(e.ctx(), domain.EndDiscount{RequestID: "e", Name: first.Name}))
		second := e.redeem(byCoupon("second", "b", forSubscription("sub")))
		e.renewed("n", second.Name, invoiceOf("i", 1_000))
		e.wantClean()

		form := subscriptionForm("sub")
		claim := e.keys.subscriptionClaims(form)
		for stored, damage := range map[string]func() error{
			"": func() error { return e.admin.HDel(e.ctx(), claim, form).Err() },
			"held by a request about coupons/a": func() error {
				return e.admin.HSet(e.ctx(), claim, form, owner{subscriber("a", "first"), "token"}.String()+";").Err()
			},
		} {
			noError(t, damage())
			found, _, err := e.audit(AuditOptions{Repair: true})
			noError(t, err)
			if len(found) != 1 || found[0].Coupon != "b" || found[0].Kind != domain.DifferenceSubscription ||
				found[0].Name != "1" || found[0].Stored != stored || found[0].Repaired {
				t.Errorf("%q is found as %v", stored, found)
			}
		}
	})
}

// TestAuditFindsWhatRenewalsWereNotCounted has a counter that lacks what a renewal
// has taken off, and mends it.
func TestAuditFindsWhatRenewalsWereNotCounted(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a", lasting(domain.DurationForever, 0)))
		r := e.redeem(byCoupon("r", "a", forSubscription("sub")))
		e.renewed("n", r.Name, invoiceOf("i", 1_000))
		noError(t, e.admin.HIncrBy(e.ctx(), e.keys.head("a"), "b:EUR", -250).Err())
		found, _, err := e.audit(AuditOptions{Repair: true})
		noError(t, err)
		if len(found) != 1 || found[0].Kind != domain.DifferenceSpent || found[0].Stored != "2500" || found[0].Want != "2750" || !found[0].Repaired {
			t.Errorf("found %v", found)
		}
		e.wantClean()
	})
}
