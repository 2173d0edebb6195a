// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/discountd/discountd/domain"
)

// passage lets those who come from now on pass a closed gate, and returns what ends
// the wait of those that it holds.
func (g *gate) passage() chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	held := g.held
	g.held = nil
	return held
}

func TestCallThatStallsDoesNotHoldUpThoseWhoComeLater(t *testing.T) {
	t.Parallel()
	e := gathering(t, 0)
	e.createCoupon(percentOff("a"))
	g := gateOf(e, redeem)
	g.close()
	var running sync.WaitGroup
	e.held(g, &running, "a")
	first := g.passage()
	e.clock.Advance(stallAfter - time.Millisecond)
	running.Go(func() { e.redeem(byCoupon("waits", "a")) })
	e.awaitWaiting(1)
	e.clock.Advance(time.Millisecond)
	e.redeem(byCoupon("passes", "a"))
	close(first)
	running.Wait()
	if got := e.coupon("a").Redeemed; got != 3 {
		t.Errorf("%d redeemed", got)
	}
}

// TestCallThatStallsDoesNotHoldUpThoseWhoWaitAlready has every flight that there may
// be stall, and nothing else happen: nobody comes, and none of them lands.
func TestCallThatStallsDoesNotHoldUpThoseWhoWaitAlready(t *testing.T) {
	t.Parallel()
	e := gathering(t, 0)
	coupons := []domain.CouponID{"a", "b", "c", "d"}
	if len(coupons) != maxFlights {
		t.Fatal("there is room for more flights")
	}
	g := gateOf(e, redeem)
	for _, c := range append(coupons, "last") {
		e.createCoupon(percentOff(c))
	}
	g.close()
	var stalled, waiting sync.WaitGroup
	for _, c := range coupons {
		e.held(g, &stalled, c)
	}
	first := g.passage()
	within, cancel := context.WithTimeout(e.ctx(), patience)
	defer cancel()
	for _, c := range append(coupons, "last") { // behind its own coupon, or behind all
		waiting.Go(func() {
			if _, err := e.Redeem(within, new(byCoupon("waits", c))); err != nil {
				t.Errorf("%s: %v", c, err)
			}
		})
	}
	e.awaitWaiting(len(coupons) + 1)
	e.clock.Advance(stallAfter)
	waiting.Wait()
	close(first)
	stalled.Wait()
	e.nothingIsLeft()
	l := e.gather.only
	until(t, "nobody watches over nobody", func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return !l.watching
	})
}

func TestNobodyIsWatchedOverWhoDoesNotWait(t *testing.T) {
	t.Parallel()
	e := gathering(t, 0)
	e.createCoupon(percentOff("a"))
	for range 10 {
		e.redeem(byCoupon(newID(), "a"))
	}
	if e.gather.only.watch != nil {
		t.Error("there is a timer for one who is alone")
	}
}
