// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/discountd/discountd/domain"
)

// validateWithin validates what may be as old as given.
func (e *env) validateWithin(staleness time.Duration, r domain.RedeemRequest) domain.Evaluation {
	e.t.Helper()
	r.MaxStaleness = staleness
	v, err := e.Validate(e.ctx(), &r.ValidateRequest)
	if err != nil {
		e.t.Fatal(err)
	}
	return *v
}

func TestThoseWhoValidateTogetherShareARead(t *testing.T) {
	t.Parallel()
	e := gathering(t, 0)
	e.rules = newRules(1<<20, e.clock.Now)
	e.createCoupon(percentOff("a", limitedTo(10)))
	e.createCode(promotionCode("a", "X", codeLimitedTo(9)))
	e.validateWithin(0, byCode("", "X"))
	g := gateOf(e, countsRead)
	g.close()
	const n = 100
	var running sync.WaitGroup
	validate := func(want bool) {
		running.Go(func() {
			if v := e.validateWithin(0, byCode("", "x")); v.Valid() != want {
				t.Errorf("%+v", v)
			}
		})
	}
	validate(false) // its read is held before it is executed
	until(t, "it is at the gate", func() bool { return g.trips.Load() == 1 })
	for range n {
		validate(false)
	}
	e.awaitWaiting(n)
	for i := range 9 {
		e.redeem(byCode(strconv.Itoa(i), "X"))
	}
	g.open()
	running.Wait()
	if g.commands.Load() != 2 {
		t.Errorf("%d reads", g.commands.Load())
	}
	e.nothingIsLeft()
}

// TestRememberedRulesAreValidatedAsThoseThatAreRead compares the answers of a server
// that remembers with those of one that reads everything, while counters change.
func TestRememberedRulesAreValidatedAsThoseThatAreRead(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		daily := domain.PeriodLimit{Period: domain.PeriodDay, MaxRedemptions: 3}
		e.createCoupon(percentOff("a", limitedTo(6), limitedPerCustomerTo(2), budgetOf(domain.Budget{Limit: euros(14_000)})))
		e.createCode(promotionCode("a", "X", codeLimitedTo(5), codeLimitedPerCustomerTo(1)))
		p := e.createCode(promotionCode("a", "Y", func(p *domain.PromotionCode) {
			p.PeriodLimits = []domain.PeriodLimit{daily, {Period: domain.PeriodWeek, MaxRedemptions: 2, PerCustomer: true}}
		}))
		e.createCoupon(percentOff("b"))
		e.createCode(promotionCode("b", "Z", codeLimitedTo(2)))
		reads := e.server()
		reads.rules = nil
		compare := func() {
			t.Helper()
			for _, who := range []func(*domain.RedeemRequest){withCustomer("alice"), withCustomer("bob"), withCustomer(""), withEmail("mail-mail-mail-m")} {
				for _, r := range []domain.RedeemRequest{byCode("", "X", who), byCode("", "Y", who), byName("", p.Name, who), byCode("", "Z", who), byCoupon("", "a", who), byCoupon("", "b", who)} {
					want, err := reads.Validate(e.ctx(), &r.ValidateRequest)
					if err != nil {
						t.Fatal(err)
					}
					for range 2 { // the first may remember, the second has it from there
						if diff := cmp.Diff(*want, e.validateWithin(0, r)); diff != "" {
							t.Errorf("%+v (-read +remembered):\n%s", r.Source, diff)
						}
					}
				}
			}
		}
		compare()
		for i, r := range []domain.RedeemRequest{
			byCode("r0", "X", withCustomer("alice")), byCode("r1", "Y", withCustomer("alice")), byCode("r2", "Z"),
			byCode("r3", "Y", withCustomer("bob"), withEmail("mail-mail-mail-m")),
		} {
			e.redeem(r)
			if i == 1 {
				held := e.reserve(time.Second, byCode("h", "Y", withCustomer("carol")))
				compare()
				e.clock.Advance(time.Second) // it is over, and nobody has seen it
				compare()
				e.settled(domain.RedemptionExpired)(e.release(held.Name, "l"))
			}
			compare()
		}
		e.redeem(byCode("r4", "Z"))
		compare()
	})
}

func TestStalenessThatIsAllowedIsAnsweredFromMemory(t *testing.T) {
	t.Parallel()
	e := believing(t)
	e.createCoupon(percentOff("a", limitedTo(1)))
	e.createCode(promotionCode("a", "X"))
	e.createCode(promotionCode("a", "EACH", codeLimitedPerCustomerTo(1)))
	e.validateWithin(0, byCode("", "X")) // the rules
	e.validateWithin(0, byCode("", "X")) // the counters
	e.validateWithin(0, byCode("", "EACH", withCustomer("alice")))
	other := e.server()
	must[*domain.Redemption](t)(other.Redeem(e.ctx(), new(byCoupon("r", "a"))))

	validate := func(staleness time.Duration, r domain.RedeemRequest, sends int64, valid bool, asOf time.Time) {
		t.Helper()
		if n := e.sends(func() {
			if v := e.validateWithin(staleness, r); v.Valid() != valid || !v.AsOf.Equal(asOf) {
				t.Errorf("%v old: valid %v as of %v, want %v as of %v", staleness, v.Valid(), v.AsOf, valid, asOf)
			}
		}); n != sends {
			t.Errorf("%v old: %d commands, want %d", staleness, n, sends)
		}
	}
	at := epoch
	e.clock.Advance(time.Second)
	now := epoch.Add(time.Second)
	validate(time.Second, byCode("", "x"), 0, true, at)
	validate(999*time.Millisecond, byCode("", "x"), 1, false, now)
	validate(time.Second, byCode("", "X"), 0, false, now)
	validate(time.Hour, byCode("", "EACH", withCustomer("alice")), 1, false, now) // counts of customers are not kept
	validate(0, byCode("", "X"), 1, false, now)
}

func TestCountersOfACouponThatIsNotThereAreNotFound(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		known := recalled{coupon: &couponRules{Snapshot: domain.Snapshot{Coupon: domain.CouponSnapshot{Coupon: domain.Coupon{ID: "none"}}}}}
		if _, _, err := e.count(e.ctx(), &known, nil); !isNotFound(err) {
			t.Errorf("got %v", err)
		}
	})
}

// An audit marks the head of the coupon that it is at, in a text with a space in it.
func TestRememberedRulesAreValidatedWhileAnAuditIsAtWork(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.rules = newRules(1<<20, e.clock.Now)
		e.createCoupon(percentOff("a", limitedTo(2)))
		e.createCode(promotionCode("a", "X"))
		e.redeem(byCode("r1", "X")) // remembers the rules
		k := e.keys
		_, err := e.run(e.ctx(), auditBegin, []string{k.head("a"), k.definition("a"), k.ledger("a")},
			"token", millis(e.now()), millis(e.now().Add(time.Hour)))
		noError(t, err)
		if v := e.validateWithin(0, byCode("", "X")); !v.Valid() {
			t.Errorf("with one left: %+v", v.Ineligibilities)
		}
		e.redeem(byCoupon("r2", "a"))
		if v := e.validateWithin(0, byCode("", "X")); v.Valid() {
			t.Error("valid with none left")
		}
	})
}

// Rules of one version and counters that were read at another need not have been
// true together at any time.
func TestCountersOfAnOlderVersionAreNotUsedWithNewerRules(t *testing.T) {
	t.Parallel()
	e := believing(t)
	e.createCoupon(percentOff("a", limitedTo(1)))
	e.createCode(promotionCode("a", "X"))
	e.redeem(byCode("r1", "X"))
	if v := e.validateWithin(0, byCode("", "X")); v.Valid() {
		t.Fatal("valid with none left")
	}
	e.clock.Advance(time.Second)
	other := e.server()
	must[domain.CouponView](t)(other.UpdateCoupon(e.ctx(), domain.UpdateCoupon{
		RequestID: "u", ID: "a", Set: domain.CouponFields{MaxRedemptions: true}, MaxRedemptions: pointer(int64(2)),
	}))
	must[*domain.Redemption](t)(other.Redeem(e.ctx(), new(byCoupon("r2", "a"))))
	_, err := e.Redeem(e.ctx(), new(byCoupon("r3", "a"))) // reads the new rules
	wantReasons(t, err, domain.CouponMaxRedemptionsReached)
	if v := e.validateWithin(time.Minute, byCode("", "X")); v.Valid() {
		t.Errorf("valid as of %v, which it was not then", v.AsOf)
	}
}

func TestStoreThatIsNotServedFromDoesNotAnswerFromMemory(t *testing.T) {
	t.Parallel()
	e := believing(t)
	e.createCoupon(percentOff("a"))
	e.createCode(promotionCode("a", "X"))
	for range 3 { // the rules, the counters, and from memory
		e.validateWithin(time.Minute, byCode("", "X"))
	}
	e.fence.raise(errStoreChanged)
	r := byCode("", "X")
	r.MaxStaleness = time.Minute
	if v, err := e.Validate(e.ctx(), &r.ValidateRequest); !isError[*domain.UnavailableError](err) {
		t.Errorf("%+v, %v", v, err)
	}
}
