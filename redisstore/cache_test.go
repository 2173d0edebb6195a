// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"errors"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/discountd/discountd/domain"
)

func TestCacheStaysWithinItsBoundAndKeepsWhatIsUsed(t *testing.T) {
	t.Parallel()
	const limit, size = 64 << 10, 100
	c := newCache[string, int](limit)
	c.put("hot", 1, size)
	for i := range 1_000_000 {
		c.put(strconv.Itoa(i), i, size)
		if _, ok := c.get("hot"); !ok {
			t.Fatalf("what is used all the time was given up for the %d. other", i)
		}
	}
	if c.bytes > limit || c.bytes < limit-2*size || len(c.values) != len(c.round) || int64(len(c.values)*size) != c.bytes {
		t.Errorf("%d bytes in %d values, %d of them in the round", c.bytes, len(c.values), len(c.round))
	}
	if _, ok := c.get("999999"); !ok {
		t.Error("the last one is not there")
	}
}

func TestCacheReturnsWhatWasPutLast(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	c := newCache[int, int](1000)
	want := map[int]int{}
	for i := range 100_000 {
		key := random.IntN(50)
		switch random.IntN(4) {
		case 0:
			c.remove(key)
			delete(want, key)
		case 1:
			size := random.IntN(200) // from 126 on it is too large
			c.put(key, i, int64(size))
			want[key] = i
			if size > 125 {
				delete(want, key)
			}
		default:
			if got, ok := c.get(key); ok && got != want[key] {
				t.Fatalf("%d is %d, want %d", key, got, want[key])
			}
		}
		sum := int64(0)
		for _, v := range c.round {
			sum += v.bytes
		}
		if sum != c.bytes || sum > 1000 {
			t.Fatalf("%d bytes, counted as %d", sum, c.bytes)
		}
	}
}

// believing is a store on a real Redis that keeps rules, whatever the others do.
func believing(t *testing.T) *env {
	t.Helper()
	e := open(t, onRedis)
	e.rules = newRules(1<<20, e.clock.Now)
	loadScripts(t, e.admin)
	return e
}

// sends returns how many commands f sends.
func (e *env) sends(f func()) int64 {
	e.t.Helper()
	var s sentinel
	e.client.AddHook(&s)
	f()
	return s.sent.Load()
}

func TestWhatIsRememberedIsRedeemedWithoutReading(t *testing.T) {
	t.Parallel()
	e := believing(t)
	e.createCoupon(percentOff("a", limitedTo(5), limitedPerCustomerTo(1)))
	p := e.createCode(promotionCode("a", "X"))
	e.redeem(byCode("warm", "X", withCustomer("w")))
	for name, r := range map[string]domain.RedeemRequest{
		"code":    byCode("r1", "x", withCustomer("1")),
		"name":    byName("r2", p.Name, withCustomer("2")),
		"coupon":  byCoupon("r3", "a", withCustomer("3")),
		"a retry": byCode("warm", "X", withCustomer("w")),
	} {
		if n := e.sends(func() { e.redeem(r) }); n != 1 {
			t.Errorf("by %s: %d commands", name, n)
		}
	}
	if n := e.sends(func() {
		_, err := e.Redeem(e.ctx(), new(byCode("again", "X", withCustomer("1"))))
		wantReasons(t, err, domain.CustomerMaxRedemptionsReached)
	}); n != 1 {
		t.Errorf("a limit that is reached: %d commands", n)
	}
	held := e.reserve(time.Minute, byCode("h", "X", withCustomer("h")))
	if n := e.sends(func() { e.settled(domain.RedemptionRedeemed)(e.commit(held.Name, "c", nil)) }); n != 1 {
		t.Errorf("a commit: %d commands", n)
	}
}

func TestRulesAreReadAnewAfterAWhile(t *testing.T) {
	t.Parallel()
	e := believing(t)
	e.createCoupon(percentOff("a"))
	e.createCode(promotionCode("a", "X"))
	e.redeem(byCode("warm", "X"))
	for i, age := range []time.Duration{rulesAge - time.Millisecond, time.Millisecond, rulesAge - time.Millisecond} {
		e.clock.Advance(age)
		n := e.sends(func() { e.redeem(byCode(strconv.Itoa(i), "X")) })
		if reads := n > 1; reads != (i == 1) {
			t.Errorf("redemption %d: %d commands", i, n)
		}
	}
}

// TestChangeByAnotherServerCountsAtOnce has one server remember rules, changes them
// on another, and asks the first.
func TestChangeByAnotherServerCountsAtOnce(t *testing.T) {
	type change func(e *env, other *Store, p domain.PromotionCodeName)
	deactivate := func(e *env, other *Store, p domain.PromotionCodeName) {
		must[domain.PromotionCodeView](e.t)(other.DeactivatePromotionCode(e.ctx(), domain.DeactivatePromotionCode{Name: p}))
	}
	updateCode := func(set domain.PromotionCodeFields, u domain.UpdatePromotionCode) change {
		return func(e *env, other *Store, p domain.PromotionCodeName) {
			u.Name, u.Set = p, set
			must[domain.PromotionCodeView](e.t)(other.UpdatePromotionCode(e.ctx(), u))
		}
	}
	updateCoupon := func(set domain.CouponFields, u domain.UpdateCoupon) change {
		return func(e *env, other *Store, p domain.PromotionCodeName) {
			u.ID, u.Set = p.Coupon, set
			must[domain.CouponView](e.t)(other.UpdateCoupon(e.ctx(), u))
		}
	}
	handOn := func(bind ...func(*domain.PromotionCode)) change {
		return func(e *env, other *Store, p domain.PromotionCodeName) {
			deactivate(e, other, p)
			must[domain.PromotionCodeView](e.t)(other.CreatePromotionCode(e.ctx(), domain.CreatePromotionCode{PromotionCode: promotionCode("b", "X", bind...)}))
		}
	}
	changes := map[string]struct {
		change change
		want   []domain.Reason // none: it is redeemed
		coupon domain.CouponID
	}{
		"deactivated": {change: deactivate, want: []domain.Reason{domain.CodeInactive}},
		"deleted": {change: func(e *env, other *Store, p domain.PromotionCodeName) {
			must[domain.PromotionCodeView](e.t)(other.DeletePromotionCode(e.ctx(), domain.DeletePromotionCode{Name: p}))
		}, want: []domain.Reason{domain.CodeInactive}},
		"the coupon deleted": {change: func(e *env, other *Store, p domain.PromotionCodeName) {
			must[domain.CouponView](e.t)(other.DeleteCoupon(e.ctx(), domain.DeleteCoupon{ID: p.Coupon}))
		}, want: []domain.Reason{domain.CouponDeleted}},
		"activated again": {change: func(e *env, other *Store, p domain.PromotionCodeName) {
			deactivate(e, other, p)
			must[domain.PromotionCodeView](e.t)(other.ActivatePromotionCode(e.ctx(), domain.ActivatePromotionCode{Name: p}))
		}, coupon: "a"},
		"handed on":               {change: handOn(), coupon: "b"},
		"handed on to one":        {change: handOn(boundToID("alice")), coupon: "b"},
		"handed on to another":    {change: handOn(boundToID("bob")), want: []domain.Reason{domain.CustomerMismatch}},
		"the code's limit lower":  {change: updateCode(domain.PromotionCodeFields{MaxRedemptions: true}, domain.UpdatePromotionCode{MaxRedemptions: pointer(int64(1))}), want: []domain.Reason{domain.CodeMaxRedemptionsReached}},
		"a higher minimum":        {change: updateCode(domain.PromotionCodeFields{MinimumAmounts: true}, domain.UpdatePromotionCode{MinimumAmounts: []domain.Money{euros(10_001)}}), want: []domain.Reason{domain.MinimumAmountNotMet}},
		"a limit per day":         {change: updateCode(domain.PromotionCodeFields{PeriodLimits: true}, domain.UpdatePromotionCode{PeriodLimits: []domain.PeriodLimit{{Period: domain.PeriodDay, MaxRedemptions: 1}}}), coupon: "a"},
		"the coupon's limit less": {change: updateCoupon(domain.CouponFields{MaxRedemptions: true}, domain.UpdateCoupon{MaxRedemptions: pointer(int64(1))}), want: []domain.Reason{domain.CouponMaxRedemptionsReached}},
		"a budget":                {change: updateCoupon(domain.CouponFields{Budgets: true}, domain.UpdateCoupon{Budgets: []domain.Budget{{Limit: euros(2_600)}}}), want: []domain.Reason{domain.BudgetInsufficient}},
	}
	for name, c := range changes {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, e *env) {
				e.createCoupon(percentOff("a"))
				e.createCoupon(percentOff("b"))
				p := e.createCode(promotionCode("a", "X"))
				e.redeem(byCode("first", "X", withCustomer("alice")))
				c.change(e, e.server(), p.Name)
				request := byCode("r", "X", withCustomer("alice"))
				got, err := e.Redeem(e.ctx(), &request)
				if c.want != nil {
					wantReasons(t, err, c.want...)
				} else if err != nil || got.Name.Coupon != c.coupon {
					t.Errorf("%+v, %v", got, err)
				}
				// Whatever is remembered by now, the first request's retry finds its own.
				if again := e.redeem(byCode("first", "X", withCustomer("alice"))); again.Name.Coupon != "a" || again.RequestID != "first" {
					t.Errorf("the retry: %+v", again)
				}
			})
		})
	}
}

func TestRequestIDThatWasUsedWhereTheCodeLedBeforeIsNotReused(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a"))
		e.createCoupon(percentOff("b"))
		p := e.createCode(promotionCode("a", "X"))
		e.redeem(byCode("r", "X", withCustomer("alice")))
		other := e.server()
		must[domain.PromotionCodeView](t)(other.DeactivatePromotionCode(e.ctx(), domain.DeactivatePromotionCode{Name: p.Name}))
		must[domain.PromotionCodeView](t)(other.CreatePromotionCode(e.ctx(), domain.CreatePromotionCode{PromotionCode: promotionCode("b", "X")}))
		if r := e.redeem(byCode("r", "X", withCustomer("bob"))); r.Name.Coupon != "b" {
			t.Errorf("%+v", r)
		}
		if _, err := e.Redeem(e.ctx(), new(byCode("r", "X", withCustomer("carol")))); !errors.Is(err, domain.ErrRequestIDReused) {
			t.Errorf("used on both: %v", err)
		}
	})
}

func TestRuleThatNoLongerSaysNoIsNotRemembered(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a"))
		p := e.createCode(promotionCode("a", "X", func(p *domain.PromotionCode) {
			p.Restrictions.MinimumAmounts = []domain.Money{euros(20_000)}
		}))
		_, err := e.Redeem(e.ctx(), new(byCode("r", "X")))
		wantReasons(t, err, domain.MinimumAmountNotMet)
		must[domain.PromotionCodeView](t)(e.server().UpdatePromotionCode(e.ctx(), domain.UpdatePromotionCode{
			Name: p.Name, MinimumAmounts: []domain.Money{euros(10_000)}, Set: domain.PromotionCodeFields{MinimumAmounts: true},
		}))
		e.redeem(byCode("r", "X"))
	})
}

func TestRememberedRedemptionOfAStoreThatWasSetBackIsNotTakenForAnother(t *testing.T) {
	t.Parallel()
	e := believing(t)
	e.createCoupon(percentOff("a"))
	held := e.reserve(time.Minute, byCoupon("mine", "a"))
	// As if a failover had lost it, and another had taken its place.
	page := e.keys.ledgerPage("a", 0)
	other := newRedemption(&use{RedeemRequest: new(byCoupon("another's", "a")), ttl: time.Minute}, &domain.Snapshot{Coupon: domain.CouponSnapshot{Version: 1}}, &domain.Evaluation{AsOf: epoch})
	if err := e.admin.LSet(e.ctx(), page, 0, "H\t"+recordText(other)).Err(); err != nil {
		t.Fatal(err)
	}
	e.unchanged("a commit", func() {
		for range 2 {
			if r, err := e.commit(held.Name, "c", nil); !isError[*domain.NotFoundError](err) {
				t.Errorf("%+v, %v", r, err)
			}
		}
	})
}

func TestUnknownCodesFillNoMemory(t *testing.T) {
	t.Parallel()
	e := believing(t)
	e.createCoupon(percentOff("a"))
	e.createCode(promotionCode("a", "X", boundToID("alice")))
	for i := range 2_000 {
		v, err := e.Validate(e.ctx(), &domain.ValidateRequest{Source: domain.Source{Code: "GUESS" + strconv.Itoa(i)}})
		if err != nil || v.Valid() {
			t.Fatalf("%+v, %v", v, err)
		}
	}
	e.redeem(byCode("r", "X", withCustomer("alice")))
	if n := len(e.rules.holders.values); n != 0 {
		t.Errorf("%d codes are remembered: of unknown ones nothing is, nor of those that are bound", n)
	}
}

// TestRulesThatAreRememberedAreNotChanged redeems by the same rules at once, for
// the race detector, and looks at them afterwards.
func TestRulesThatAreRememberedAreNotChanged(t *testing.T) {
	t.Parallel()
	e := believing(t)
	e.createCoupon(percentOff("a", budgetOf(domain.Budget{Limit: euros(1_000_000), Products: []string{"product"}, GrantRemaining: true}), limitedPerCustomerTo(1000)))
	e.createCode(promotionCode("a", "X", codeLimitedTo(1000)))
	e.redeem(byCode("warm", "X", withCustomer("w")))
	known, ok := e.rules.recall(domain.Source{Code: "X"})
	if !ok {
		t.Fatal("nothing is remembered")
	}
	before := *known.snapshot()
	var mu sync.Mutex
	total := int64(0)
	all(50, func(i int) {
		r := e.redeem(byCode(strconv.Itoa(i), "X", withCustomer(strconv.Itoa(i%7))))
		mu.Lock()
		defer mu.Unlock()
		total += r.Discount.TotalAmountMinor
	})
	if diff := cmp.Diff(before, *known.snapshot(), compareCodes); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
	if total != 50*2_500 {
		t.Errorf("%d taken off", total)
	}
}
