// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/discountd/discountd/domain"
)

// TestAListByStateKnowsWhichReservationsHaveExpired lists at the moment at which the
// time of one is over, so that its record still says that it is reserved.
func TestAListByStateKnowsWhichReservationsHaveExpired(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a"))
		e.redeem(byCoupon("redeemed", "a"))
		for request, ttl := range map[string]time.Duration{"short": time.Second, "long": time.Hour} {
			if _, err := e.Reserve(e.ctx(), &domain.ReserveRequest{RedeemRequest: byCoupon(request, "a"), TTL: ttl}); err != nil {
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

// TestRedemptionsOfAnyCouponAreListedPageByPage makes redemptions of several
// coupons and lists them in pages of every size, while more are made.
func TestRedemptionsOfAnyCouponAreListedPageByPage(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		var alices, all []string
		for i := range 9 {
			id := domain.CouponID(fmt.Sprint("c", i))
			e.createCoupon(percentOff(id))
			var of []string
			for k := range i % 4 {
				request := fmt.Sprint(i, "-", k)
				who, order := "bob", orderOf(1_000)
				if k == 0 {
					who = "alice"
				}
				order.ID = fmt.Sprint("order-", k)
				e.redeem(byCoupon(request, id, withCustomer(who), withEmail(domain.EmailHash("mail-of-"+who)), withOrder(order)))
				if of = append(of, request); k == 0 {
					alices = append([]string{request}, alices...)
				}
			}
			all = append(of, all...)
			e.clock.Advance(time.Second)
		}
		ofOrder1 := []string{"7-1", "6-1", "3-1", "2-1"}
		if _, err := e.void(e.redemptions("c6")[1].Name, "void", nil); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			what  string
			query domain.RedemptionQuery
			want  []string
		}{
			{"all", domain.RedemptionQuery{}, all},
			{"of a customer", domain.RedemptionQuery{CustomerID: "alice"}, alices},
			{"of an address", domain.RedemptionQuery{EmailHash: "mail-of-alice"}, alices},
			{"of a customer with the address of another", domain.RedemptionQuery{CustomerID: "alice", EmailHash: "mail-of-bob"}, nil},
			{"of an order", domain.RedemptionQuery{OrderID: "order-1"}, ofOrder1},
			{"in a state", domain.RedemptionQuery{State: domain.RedemptionVoided}, []string{"6-1"}},
			{"of nobody", domain.RedemptionQuery{CustomerID: "carol"}, nil},
		} {
			for _, size := range []int{1, 2, 3, 1000} {
				c.query.Size, c.query.Token = size, ""
				var got []string
				for pages := 0; ; pages++ {
					l, err := e.Redemptions(e.ctx(), c.query)
					if err != nil || len(l.Items) > size || pages > 100 {
						t.Fatalf("%s: %d items on page %d of %d: %v", c.what, len(l.Items), pages, size, err)
					}
					for _, r := range l.Items {
						got = append(got, r.RequestID)
					}
					if c.query.Token = l.Next; l.Next == "" {
						break
					}
					// What is made meanwhile of a coupon that is new is not listed.
					e.createCoupon(percentOff(domain.CouponID("later-" + newID())))
				}
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Errorf("%s by %d (-want +got):\n%s", c.what, size, diff)
				}
			}
		}
		for _, token := range []string{"x", "0123:", "|1", "00000000000z:c1", "019d00000000:c1|0", "019d00000000:c1|x"} {
			_, err := e.Redemptions(e.ctx(), domain.RedemptionQuery{Page: domain.Page{Size: 1, Token: token}})
			var invalid *domain.InvalidError
			if token != "0123:" && !errors.As(err, &invalid) {
				t.Errorf("token %q: %v", token, err)
			}
		}
	})
}
