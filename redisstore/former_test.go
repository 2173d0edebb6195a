// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"errors"
	"fmt"
	"strconv"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/discountd/discountd/domain"
	"github.com/discountd/discountd/internal/redistest"
)

// movedThrough makes a code that has led to n coupons, "c0" first, in turn, and that
// the last one of them has now. Each was redeemed once with it, under the request id
// "r" and its number, and another time, which was voided, under "v" and its number.
func (e *env) movedThrough(code string, n int) {
	e.t.Helper()
	for i := range n {
		c := domain.CouponID("c" + strconv.Itoa(i))
		e.createCoupon(percentOff(c))
		p := e.createCode(promotionCode(c, code))
		e.redeem(byCode("r"+strconv.Itoa(i), code))
		made := e.redeem(byCode("w"+strconv.Itoa(i), code))
		e.settled(domain.RedemptionVoided)(e.void(made.Name, "v"+strconv.Itoa(i), nil))
		if i < n-1 {
			e.deactivate(p.Name)
		}
	}
}

func TestFormerCouponsOfACodeAreAskedAtOnce(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		sent := map[int]int64{} // by how many coupons the code had before
		for _, former := range []int{1, 9} {
			e := openAt(t, e.dial)
			e.movedThrough("X", former+1)
			var s sentinel
			e.client.AddHook(&s)
			e.redeem(byCode("new", "X"))
			e.redeem(byCode("newer", "X")) // by what is remembered
			sent[former] = s.sent.Load()
		}
		if sent[1] != sent[9] {
			t.Errorf("it took %d requests to Redis after one coupon and %d after nine", sent[1], sent[9])
		}
	})
}

func TestRequestIsFoundWithWhicheverCouponItRedeemed(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		const n = 5
		e.movedThrough("X", n)
		for i := range n {
			before := domain.CouponID("c" + strconv.Itoa(i))
			if r := e.redeem(byCode("r"+strconv.Itoa(i), "X")); r.Name.Coupon != before {
				t.Errorf("the request that redeemed %s is told %s", before, r.Name)
			}
			last := domain.CouponID("c" + strconv.Itoa(n-1))
			// Where the id was used for something else, or for another order, it made
			// no redemption for this request.
			for j, r := range []domain.RedeemRequest{
				byCode("v"+strconv.Itoa(i), "X"),
				byCode("r"+strconv.Itoa(i), "X", withOrder(orderOf(777))),
			} {
				if i == n-1 {
					if _, err := e.Redeem(e.ctx(), &r); !errors.Is(err, domain.ErrRequestIDReused) {
						t.Errorf("the same id where the code leads: %v", err)
					}
				} else if got := e.redeem(r); got.Name.Coupon != last {
					t.Errorf("%d, %d: redeemed with %s", i, j, got.Name)
				}
			}
		}
	})
}

func TestFormerCouponThatCannotBeAskedKeepsARequestFromRedeeming(t *testing.T) {
	t.Parallel()
	server := redistest.Server(t)
	link := redistest.Proxy(t, server.Addr())
	e := openAt(t, func() redis.UniversalClient { return redistest.ClientAt(t, link.Addr()) })
	e.admin = redistest.Client(t, server)
	loadScripts(t, e.admin)
	e.movedThrough("X", 4)
	ofFormer := redistest.Containing(e.keys.requests("c1"))

	link.CutReplies(1, ofFormer) // it is asked again
	if r := e.redeem(byCode("r1", "X")); r.Name.Coupon != "c1" {
		t.Errorf("found %s", r.Name)
	}
	for i, harm := range []func(){
		func() { link.CutReplies(1<<30, ofFormer) },
		func() { e.admin.Set(e.ctx(), e.keys.requests("c1"), "spoiled", 0) },
	} {
		harm()
		e.unchanged("a request that cannot be looked for", func() {
			_, err := e.Redeem(e.ctx(), new(byCode(fmt.Sprint("r", i), "X")))
			u, ok := errors.AsType[*domain.UnavailableError](err)
			if err == nil || ok && u.OutcomeUnknown {
				t.Errorf("%d: %v", i, err)
			}
		})
		link.Heal()
	}
}
