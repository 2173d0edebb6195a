// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"slices"
	"testing"
	"time"

	"github.com/discountd/discountd/domain"
)

// TestAListByStateKnowsWhichReservationsHaveExpired lists at the moment at which the
// time of one is over, so that its record still says that it is reserved.
func TestAListByStateKnowsWhichReservationsHaveExpired(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a"))
		e.redeem(byCoupon("redeemed", "a"))
		for request, ttl := range map[string]time.Duration{"short": time.Second, "long": time.Hour} {
			if _, err := e.Reserve(e.ctx(), domain.ReserveRequest{RedeemRequest: byCoupon(request, "a"), TTL: ttl}); err != nil {
				t.Fatal(err)
			}
		}
		// The first look at the clock, when the list begins, is still in time.
		looks := 0
		late, err := Open(e.ctx(), e.client, Options{Prefix: e.prefix, HashKeyFingerprint: "tests", Clock: func() time.Time {
			if looks++; looks == 1 {
				return epoch
			}
			return epoch.Add(time.Second)
		}})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			query domain.RedemptionQuery
			want  []string
		}{
			{domain.RedemptionQuery{State: domain.RedemptionReserved}, []string{"long"}},
			{domain.RedemptionQuery{State: domain.RedemptionExpired}, []string{"short"}},
			{domain.RedemptionQuery{State: domain.RedemptionRedeemed}, []string{"redeemed"}},
			{domain.RedemptionQuery{State: domain.RedemptionVoided}, nil},
			{domain.RedemptionQuery{CreatedAfter: epoch, State: domain.RedemptionExpired}, []string{"short"}},
			{domain.RedemptionQuery{CreatedAfter: epoch.Add(1)}, nil},
			{domain.RedemptionQuery{CreatedBefore: epoch}, nil},
		} {
			c.query.Coupon, c.query.Size, looks = "a", 1000, 0
			l, err := late.Redemptions(e.ctx(), c.query)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, r := range l.Items {
				got = append(got, r.RequestID)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("%+v lists %q, want %q", c.query, got, c.want)
			}
		}
	})
}
