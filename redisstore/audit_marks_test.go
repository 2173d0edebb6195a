// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/discountd/discountd/domain"
)

func TestSecondAuditWaitsForNobodyAndOneThatDiedIsOver(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.busyCoupon("a")
		e.createCoupon(percentOff("b"))
		died := newCouponAudit(e.Store, "a", false)
		k := e.keys
		r, err := e.run(e.ctx(), auditBegin, []string{k.head("a"), k.definition("a"), k.ledger("a")},
			died.token, millis(e.now()), millis(e.now().Add(auditMark)))
		if err != nil || r.outcome != outcomeOK {
			t.Fatal(r, err)
		}
		if _, sum, err := e.audit(AuditOptions{}); !errors.Is(err, ErrAuditBusy) || sum.Coupons != 1 {
			t.Errorf("%v, %+v", err, sum)
		}
		live := e.redemptions("a")[8]
		release := func(request string) {
			if _, err := e.Release(e.ctx(), domain.ReleaseRedemption{RequestID: request, Name: live.Name}); err != nil {
				t.Fatal(err)
			}
		}
		release("one")
		ttl := e.admin.PTTL(e.ctx(), k.ledgerChanges("a")).Val()
		if ttl <= 0 || ttl > time.Hour {
			t.Errorf("what was noted for the audit lasts for %s", ttl)
		}
		e.clock.Advance(auditMark + time.Millisecond)
		e.redeem(byCoupon("later", "a", withCustomer("x")))
		if left := e.admin.HMGet(e.ctx(), k.head("a"), "a", "A").Val(); left[0] != nil || left[1] != nil {
			t.Errorf("the mark is still there: %v", left)
		}
		if _, err := died.read(e.ctx(), nil); !errors.Is(err, ErrAuditLost) {
			t.Errorf("the audit that is over goes on: %v", err)
		}
		e.wantClean()
		if n := e.admin.Exists(e.ctx(), k.ledgerChanges("a")).Val(); n != 0 {
			t.Error("an audit has left its notes behind")
		}
	})
}

func TestOneOfManyAuditsAtOnceMends(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.busyCoupon("a")
		noError(t, e.admin.HIncrBy(e.ctx(), e.keys.head("a"), "r", -2).Err())
		found, errs := make([][]domain.Difference, 6), make([]error, 6)
		all(6, func(i int) { found[i], _, errs[i] = e.audit(AuditOptions{Repair: true}) })
		mended := 0
		for i := range found {
			if errs[i] != nil && !errors.Is(errs[i], ErrAuditBusy) {
				t.Errorf("%v", errs[i])
			}
			mended += len(found[i])
		}
		if mended != 1 {
			t.Errorf("%d of them mended something: %v", mended, found)
		}
		e.wantClean()
		if r := e.coupon("a").Redeemed; r != 4 {
			t.Errorf("%d redeemed", r)
		}
	})
}

func TestLongAuditRenewsItsMarkAndKeepsItsNotes(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.busyCoupon("a")
		k := e.keys
		e.before(auditRead, 6, func(*Store) { e.clock.Advance(4 * time.Minute) })
		a := newCouponAudit(e.Store, "a", false)
		a.progress = func(int64) {}
		if _, err := a.run(e.ctx()); err != nil {
			t.Errorf("with a pause of less than the margin before every step: %v", err)
		}
		b := newCouponAudit(e.Store, "a", false)
		b.progress = func(int64) {}
		_, err := e.run(e.ctx(), auditBegin, []string{k.head("a"), k.definition("a"), k.ledger("a")},
			b.token, millis(e.now()), millis(e.now().Add(auditMark)))
		noError(t, err)
		b.marked, b.taken = e.now(), 1
		if _, err := b.read(e.ctx(), nil); !errors.Is(err, ErrAuditLost) {
			t.Errorf("goes on without the notes it has taken: %v", err)
		}
		noError(t, b.end(e.ctx()))
	})
}

func TestAuditReadsOnWhenMoreHappensMeanwhileThanOneStepReads(t *testing.T) {
	e := open(t, onRedis)
	e.createCoupon(percentOff("a"))
	e.redeem(byCoupon("first", "a"))
	e.before(auditRead, 1, func(other *Store) {
		for i := range 600 {
			must[*domain.Redemption](t)(other.Redeem(e.ctx(), new(byCoupon(strconv.Itoa(i), "a"))))
		}
	})
	a := newCouponAudit(e.Store, "a", false)
	a.progress = func(int64) {}
	if _, err := a.run(e.ctx()); err != nil || len(a.found) > 0 || a.tally.Len() != 601 {
		t.Errorf("%v, %v, %d records", err, a.found, a.tally.Len())
	}
}

func TestAuditWhoseMarkRanOutMendsNothing(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.busyCoupon("a")
		noError(t, e.admin.HSet(e.ctx(), e.keys.head("a"), "r", 50).Err())
		a := newCouponAudit(e.Store, "a", true)
		a.progress = func(int64) {}
		k := e.keys
		_, err := e.run(e.ctx(), auditBegin, []string{k.head("a"), k.definition("a"), k.ledger("a")},
			a.token, millis(e.now()), millis(e.now().Add(auditMark)))
		noError(t, err)
		a.marked = e.now()
		noError(t, a.readOn(e.ctx()))
		noError(t, a.checkAll(e.ctx()))
		e.clock.Advance(auditMark)
		a.marked = e.now() // so that it does not try to renew it
		if err := a.mend(e.ctx()); !errors.Is(err, ErrAuditLost) {
			t.Errorf("mended: %v", err)
		}
		noError(t, a.end(e.ctx()))
		if r := e.admin.HGet(e.ctx(), k.head("a"), "r").Val(); r != "50" {
			t.Errorf("redeemed %s", r)
		}
	})
}

func TestRepairThatIsSentTwiceMendsOnce(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.busyCoupon("a")
		noError(t, e.admin.HIncrBy(e.ctx(), e.keys.head("a"), "r", -3).Err())
		a := newCouponAudit(e.Store, "a", false)
		a.progress = func(int64) {}
		k := e.keys
		for range 2 { // beginning, too
			_, err := e.run(e.ctx(), auditBegin, []string{k.head("a"), k.definition("a"), k.ledger("a")},
				a.token, millis(e.now()), millis(e.now().Add(auditMark)))
			noError(t, err)
		}
		a.marked = e.now()
		noError(t, a.readOn(e.ctx()))
		noError(t, a.checkAll(e.ctx()))
		noError(t, a.fix(e.ctx(), a.found))
		a.step--
		noError(t, a.fix(e.ctx(), a.found))
		noError(t, a.checkAgain(e.ctx(), a.found))
		if len(a.found) != 1 || !a.found[0].Repaired {
			t.Errorf("found %v", a.found)
		}
		noError(t, a.end(e.ctx()))
		noError(t, a.end(e.ctx()))
		e.wantClean()
	})
}
