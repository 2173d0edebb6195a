// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/discountd/discountd/domain"
	"github.com/discountd/discountd/internal/privateredis"
	"github.com/discountd/discountd/internal/redistest"
)

// gathering is a store on a real Redis that gathers, whatever the others do.
func gathering(t *testing.T, maxWaiting int) *env {
	t.Helper()
	e := open(t, onRedis)
	e.gather = newGatherer(e.Store, maxWaiting)
	loadScripts(t, e.admin)
	return e
}

// until returns when a condition holds, which is about to.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for !holds() {
		if t.Context().Err() != nil {
			t.Fatalf("never: %s", what)
		}
		runtime.Gosched()
	}
}

// awaitWaiting returns when so many requests wait to be sent.
func (e *env) awaitWaiting(n int) {
	e.t.Helper()
	l := e.gather.only
	until(e.t.(*testing.T), fmt.Sprint(n, " wait"), func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.waiting == n
	})
}

// held sends one redemption of a coupon and returns when it is held at the gate.
func (e *env) held(g *gate, running *sync.WaitGroup, c domain.CouponID) {
	e.t.Helper()
	trips := g.trips.Load()
	running.Go(func() {
		if _, err := e.Redeem(e.ctx(), new(byCoupon(newID(), c))); err != nil {
			e.t.Errorf("the one at the gate: %v", err)
		}
	})
	until(e.t.(*testing.T), "one is at the gate", func() bool { return g.trips.Load() == trips+1 })
}

// nothingIsLeft fails the test when the gatherer still knows of a request.
func (e *env) nothingIsLeft() {
	e.t.Helper()
	l := e.gather.only
	until(e.t.(*testing.T), "every flight has landed", func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return len(l.flights) == 0
	})
	if l.waiting != 0 || len(l.lines) != 0 || len(l.ready) != 0 {
		e.t.Errorf("%d wait in %d lines, %d of them ready", l.waiting, len(l.lines), len(l.ready))
	}
}

func TestCallersWhoComeTogetherShareAScriptCall(t *testing.T) {
	t.Parallel()
	e := gathering(t, 0)
	e.createCoupon(percentOff("a", limitedTo(150)))
	g := gateOf(e, redeem)
	g.close()
	var running sync.WaitGroup
	e.held(g, &running, "a")
	const n = 200
	var redeemed, refused atomic.Int32
	for i := range n {
		running.Go(func() {
			r, err := e.Redeem(e.ctx(), new(byCoupon("r"+strconv.Itoa(i), "a")))
			switch {
			case err == nil && r.RequestID == "r"+strconv.Itoa(i):
				redeemed.Add(1)
			case isError[*domain.RefusedError](err):
				refused.Add(1)
			default:
				t.Errorf("%d: %+v, %v", i, r, err)
			}
		})
	}
	e.awaitWaiting(n)
	g.open()
	running.Wait()
	if g.commands.Load() != 2 || redeemed.Load() != 149 || refused.Load() != n-149 {
		t.Errorf("%d script calls, %d redeemed, %d refused", g.commands.Load(), redeemed.Load(), refused.Load())
	}
	if got := e.coupon("a").Redeemed; got != 150 {
		t.Errorf("%d counted", got)
	}
	e.nothingIsLeft()
}

func TestCouponsThatAreReadyTogetherShareAPipeline(t *testing.T) {
	t.Parallel()
	e := gathering(t, 0)
	const coupons = 20
	for i := range coupons {
		e.createCoupon(percentOff(domain.CouponID("c" + strconv.Itoa(i))))
	}
	for i := range maxFlights {
		e.createCoupon(percentOff(domain.CouponID("first" + strconv.Itoa(i))))
	}
	for _, flushed := range []bool{false, true} {
		g := gateOf(e, redeem)
		g.close()
		var running sync.WaitGroup
		for i := range maxFlights { // every flight there is
			trips := g.trips.Load()
			running.Go(func() {
				e.redeem(byCoupon(fmt.Sprint(flushed, i), domain.CouponID("first"+strconv.Itoa(i))))
			})
			until(t, "it is at the gate", func() bool { return g.trips.Load() == trips+1 })
		}
		for i := range 3 * coupons {
			running.Go(func() {
				c := domain.CouponID("c" + strconv.Itoa(i%coupons))
				if r, err := e.Redeem(e.ctx(), new(byCoupon(fmt.Sprint(flushed, i), c))); err != nil || r.Name.Coupon != c {
					t.Errorf("%d: %+v, %v", i, r, err)
				}
			})
		}
		e.awaitWaiting(3 * coupons)
		if flushed { // the pipeline finds no script
			if err := e.admin.ScriptFlush(t.Context()).Err(); err != nil {
				t.Fatal(err)
			}
		}
		g.open()
		running.Wait()
		if !flushed && (g.trips.Load() != maxFlights+1 || g.commands.Load() != maxFlights+coupons) {
			t.Errorf("%d script calls in %d trips", g.commands.Load(), g.trips.Load())
		}
	}
	for i := range coupons {
		if got := e.coupon(domain.CouponID("c" + strconv.Itoa(i))).Redeemed; got != 6 {
			t.Errorf("coupon %d is redeemed %d times", i, got)
		}
	}
	e.nothingIsLeft()
}

// TestPipelineIsNotAcknowledgedBeforeReplicasHaveIt sends the calls of many coupons
// in one pipeline while the replica that acknowledgements wait for is stopped.
func TestPipelineIsNotAcknowledgedBeforeReplicasHaveIt(t *testing.T) {
	t.Parallel()
	master := redistest.Fresh(t, privateredis.Config{Extra: []string{"repl-diskless-sync-delay 0"}})
	replica := redistest.Fresh(t, privateredis.Config{Extra: []string{replicaOf(master)}})
	e := openOnceReplicated(t, master, 1)
	e.gather = newGatherer(e.Store, 0)
	const coupons = 20
	var calls []*execution
	for i := range coupons {
		c := domain.CouponID("c" + strconv.Itoa(i))
		e.createCoupon(percentOff(c))
		b := e.batched(byCoupon("r", c))
		calls = append(calls, &execution{kind: redeemBatch, keys: e.capacityKeys(c), args: append(capacityLead(e.Store), b.args()...)})
	}
	if err := replica.Pause(); err != nil {
		t.Fatal(err)
	}
	e.sendTogether(e.ctx(), calls)
	for i, c := range calls {
		if u, ok := errors.AsType[*domain.UnavailableError](c.err); !ok || !u.OutcomeUnknown {
			t.Errorf("%d: %+v, %v", i, c.reply, c.err)
		}
	}
	if err := replica.Resume(); err != nil {
		t.Fatal(err)
	}
	for _, flushed := range []bool{false, true} {
		if flushed {
			if err := e.admin.ScriptFlush(e.ctx()).Err(); err != nil {
				t.Fatal(err)
			}
		}
		e.sendTogether(e.ctx(), calls)
		for i, c := range calls {
			if c.err != nil || c.reply.values[0] != outcomeReplay {
				t.Errorf("%d, with the replica back: %+v, %v", i, c.reply, c.err)
			}
		}
	}
}

// TestReadsAreNotHeldUpByWritesThatWaitForReplicas has as many writes in flight as
// there may be, none of which comes to an end.
func TestReadsAreNotHeldUpByWritesThatWaitForReplicas(t *testing.T) {
	t.Parallel()
	e := gathering(t, 0)
	e.rules = newRules(1<<20, e.clock.Now)
	for i := range maxFlights {
		e.createCoupon(percentOff(domain.CouponID("c" + strconv.Itoa(i))))
	}
	e.validateWithin(0, byCoupon("", "c0")) // the rules
	g := gateOf(e, redeem)
	g.close()
	e.safety.Store(&safety{replicas: 1})
	var running sync.WaitGroup
	for i := range maxFlights {
		trips := g.trips.Load()
		running.Go(func() {
			_, err := e.Redeem(e.ctx(), new(byCoupon("r", domain.CouponID("c"+strconv.Itoa(i)))))
			if u, ok := errors.AsType[*domain.UnavailableError](err); !ok || !u.OutcomeUnknown {
				t.Errorf("there is no replica: %v", err)
			}
		})
		until(t, "it is at the gate", func() bool { return g.trips.Load() == trips+1 })
	}
	within, cancel := context.WithTimeout(e.ctx(), patience)
	defer cancel()
	r := byCoupon("", "c0")
	if v, err := e.Validate(within, &r.ValidateRequest); err != nil || !v.Valid() {
		t.Errorf("%+v, %v", v, err)
	}
	g.open()
	running.Wait()
	e.nothingIsLeft()
}

func TestHotCouponDoesNotHoldUpAnother(t *testing.T) {
	t.Parallel()
	e := gathering(t, 0)
	e.createCoupon(percentOff("hot"))
	e.createCoupon(percentOff("other"))
	g := gateOf(e, redeem)
	g.close()
	var running sync.WaitGroup
	e.held(g, &running, "hot")
	for i := range 3 * maxBatch {
		running.Go(func() {
			if _, err := e.Redeem(e.ctx(), new(byCoupon("r"+strconv.Itoa(i), "hot"))); err != nil {
				t.Error(err)
			}
		})
	}
	e.awaitWaiting(3 * maxBatch)
	trips := g.trips.Load()
	running.Go(func() { e.redeem(byCoupon("r", "other")) })
	until(t, "the other coupon's is sent", func() bool { return g.trips.Load() == trips+1 })
	g.open()
	running.Wait()
	// The hot coupon's three batches were full.
	if got := g.commands.Load(); got != 5 {
		t.Errorf("%d script calls", got)
	}
}

func TestCallerWhoLeavesFreesOnlyHimself(t *testing.T) {
	t.Parallel()
	e := gathering(t, 0)
	e.createCoupon(percentOff("a"))
	g := gateOf(e, redeem)
	g.close()
	var running, left sync.WaitGroup
	e.held(g, &running, "a")
	leaving, leave := context.WithCancel(e.ctx())
	const n = 60
	for i := range n {
		if i%3 == 0 {
			running.Go(func() { e.redeem(byCoupon("stays"+strconv.Itoa(i), "a")) })
			continue
		}
		left.Go(func() {
			if r, err := e.Redeem(leaving, new(byCoupon("leaves"+strconv.Itoa(i), "a"))); !errors.Is(err, context.Canceled) {
				t.Errorf("%+v, %v", r, err)
			}
		})
	}
	e.awaitWaiting(n)
	leave()
	left.Wait() // although the gate is closed
	e.awaitWaiting(n / 3)
	g.open()
	running.Wait()
	// What had not been sent when its caller left was not done.
	if got := e.coupon("a").Redeemed; got != 1+n/3 {
		t.Errorf("%d redeemed", got)
	}
	e.nothingIsLeft()
}

func TestCallerWhoLeavesDuringTheCallDoesNotEndIt(t *testing.T) {
	t.Parallel()
	e := gathering(t, 0)
	e.createCoupon(percentOff("a"))
	g := gateOf(e, redeem)
	g.close()
	var running sync.WaitGroup
	e.held(g, &running, "a")
	leaving, leave := context.WithCancel(e.ctx())
	left := make(chan error)
	go func() {
		_, err := e.Redeem(leaving, new(byCoupon("leaves", "a")))
		left <- err
	}()
	e.awaitWaiting(1)
	for i := range 9 {
		running.Go(func() { e.redeem(byCoupon("stays"+strconv.Itoa(i), "a")) })
	}
	e.awaitWaiting(10)
	g.open()
	g.close() // one call may pass; the batch of ten is held
	until(t, "the batch is at the gate", func() bool { return g.trips.Load() == 2 })
	leave()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	g.open()
	running.Wait()
	if got := e.coupon("a").Redeemed; got != 11 {
		t.Errorf("%d redeemed", got)
	}
}

func TestFullQueueRefusesAtOnce(t *testing.T) {
	t.Parallel()
	const most = 20
	e := gathering(t, most)
	e.createCoupon(percentOff("a"))
	e.createCoupon(percentOff("b"))
	e.createCoupon(percentOff("c"))
	g := gateOf(e, redeem)
	g.close()
	var running sync.WaitGroup
	e.held(g, &running, "a")
	e.held(g, &running, "b")
	wait := func(c domain.CouponID, n int) {
		for i := range n {
			running.Go(func() { e.redeem(byCoupon("r"+strconv.Itoa(i), c)) })
		}
	}
	refused := func(c domain.CouponID) {
		t.Helper()
		_, err := e.Redeem(e.ctx(), new(byCoupon("too many", c)))
		var o *domain.OverloadedError
		if !errors.As(err, &o) || o.RetryAfter <= 0 {
			t.Errorf("%s: %v", c, err)
		}
	}
	wait("a", most/2)
	e.awaitWaiting(most / 2)
	refused("a") // which may not take up more than half
	wait("b", most/2)
	e.awaitWaiting(most)
	refused("b")
	refused("c") // since all is taken up
	g.open()
	running.Wait()
	e.redeem(byCoupon("too many", "a"))
	for c, want := range map[domain.CouponID]int64{"a": 2 + most/2, "b": 1 + most/2, "c": 0} {
		if got := e.coupon(c).Redeemed; got != want {
			t.Errorf("%s is redeemed %d times, want %d", c, got, want)
		}
	}
	e.nothingIsLeft()
}

// TestConnectionLostDuringABatchLeavesOneEffectEach cuts the reply to a batch of
// one coupon, and to a pipeline of several.
func TestConnectionLostDuringABatchLeavesOneEffectEach(t *testing.T) {
	t.Parallel()
	for _, coupons := range []int{1, 8} {
		t.Run(strconv.Itoa(coupons), func(t *testing.T) {
			t.Parallel()
			server := redistest.Server(t)
			link := redistest.Proxy(t, server.Addr())
			e := openAt(t, func() redis.UniversalClient { return redistest.ClientAt(t, link.Addr()) })
			e.gather = newGatherer(e.Store, 0)
			e.admin = redistest.Client(t, server)
			loadScripts(t, e.admin)
			name := func(i int) domain.CouponID { return domain.CouponID("c" + strconv.Itoa(i%coupons)) }
			for i := range max(coupons, maxFlights) {
				e.createCoupon(percentOff(domain.CouponID("c" + strconv.Itoa(i))))
				e.createCoupon(percentOff(domain.CouponID("first" + strconv.Itoa(i))))
			}
			for _, cuts := range []int{1, 1 << 30} {
				g := gateOf(e, redeem)
				g.close()
				var running sync.WaitGroup
				if coupons == 1 {
					e.held(g, &running, "c0")
				}
				for i := range maxFlights {
					if coupons == 1 {
						break
					}
					trips := g.trips.Load()
					running.Go(func() { e.redeem(byCoupon(strconv.Itoa(cuts), domain.CouponID("first"+strconv.Itoa(i)))) })
					until(t, "it is at the gate", func() bool { return g.trips.Load() == trips+1 })
				}
				const n = 40
				var unknown atomic.Int32
				for i := range n {
					running.Go(func() {
						r := byCoupon(fmt.Sprint("cut", cuts, "-", i), name(i))
						_, err := e.Redeem(e.ctx(), &r)
						var u *domain.UnavailableError
						if errors.As(err, &u) && u.OutcomeUnknown {
							unknown.Add(1)
						} else if err != nil {
							t.Error(err)
						}
					})
				}
				e.awaitWaiting(n)
				// Only the batches name these request ids.
				link.CutReplies(cuts, func(args [][]byte) bool {
					return strings.Contains(string(args[len(args)-1]), fmt.Sprint("cut", cuts, "-"))
				})
				g.open()
				running.Wait()
				link.Heal()
				if want := map[bool]int32{true: 0, false: n}[cuts == 1]; unknown.Load() != want {
					t.Errorf("%d cuts: %d do not know what became of them, want %d", cuts, unknown.Load(), want)
				}
				for i := range n {
					e.redeem(byCoupon(fmt.Sprint("cut", cuts, "-", i), name(i)))
				}
			}
			for i := range coupons {
				want := int64(2 * 40 / coupons)
				if coupons == 1 {
					want += 2 // those that were held
				}
				if got := e.coupon(name(i)).Redeemed; got != want || int64(len(e.redemptions(name(i)))) != want {
					t.Errorf("%s is redeemed %d times, want %d", name(i), got, want)
				}
			}
		})
	}
}
