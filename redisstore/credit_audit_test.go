// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/discountd/discountd/domain"
)

func (e *env) auditBalances() BalanceAudit {
	e.t.Helper()
	a, err := e.AuditBalances(e.ctx(), "")
	if err != nil {
		e.t.Fatal(err)
	}
	return a
}

// moveEverything makes every kind of movement of a card's balance and of credit, and
// leaves a transfer on its way.
func (e *env) moveEverything() (card, late domain.PromotionCodeName) {
	e.t.Helper()
	e.createCoupon(program("gifts", true))
	e.createCoupon(percentOff("other"))
	card = e.issue("issue", giftCard("gifts", "GIFTED", 5_000)).Name
	bound := giftCard("gifts", "BOUND", 3_000)
	bound.CustomerID = "alice"
	e.redeem(byName("bound", e.issue("bound", bound).Name, withCustomer("alice"), withOrder(orderOf(1_000))))
	paid := e.pay("paid", card, 700).Name
	e.settled(domain.RedemptionRedeemed)(e.void(paid, "void", pointer(int64(200))))
	e.reserve(time.Minute, byName("held", card, withOrder(orderOf(400))))
	if _, err := e.AdjustGiftCard(e.ctx(), domain.AdjustGiftCard{RequestID: "adjust", Name: card, AmountMinor: -50, Reason: "a reason"}); err != nil {
		e.t.Fatal(err)
	}
	part := transferTo("alice", "part", card)
	part.AmountMinor = pointer(int64(300))
	if _, err := e.TransferToCredit(e.ctx(), part); err != nil {
		e.t.Fatal(err)
	}
	e.give("alice", 40)
	if _, err := e.ApplyCredit(e.ctx(), useOf("alice", "in_1", 900)); err != nil {
		e.t.Fatal(err)
	}
	late = e.issue("late", giftCard("gifts", "LATE", 900)).Name
	return card, late
}

func TestAuditOfBalancesAgreesWithWhatWasDone(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		_, late := e.moveEverything()
		want := domain.BalanceSums{
			Issued: 8_900, Adjusted: -50, Redeemed: 1_000 + 500 + 400, Given: 40, Applied: 900,
			Cards: 5_000 - 500 - 400 - 50 - 300 + 900, Credit: 2_000 + 300 + 40 - 900,
		}
		a := e.auditBalances()
		if a.Sums["EUR"] != want || len(a.Found) > 0 || a.Cards != 3 || a.Customers != 1 || a.Moving != 0 {
			t.Errorf("%+v, want sums of %+v", a, want)
		}
		e.debit("bob", late) // bob was never listed: nobody but the card knows
		want.Cards, want.Owed = want.Cards-900, 900
		if a = e.auditBalances(); a.Sums["EUR"].Unaccounted() != 0 || len(a.Found) > 0 {
			t.Errorf("with a transfer on its way: %+v", a)
		}
		e.has("bob")
		e.clock.Advance(time.Hour)
		if a = e.auditBalances(); a.Sums["EUR"].Unaccounted() != 0 || a.Sums["EUR"].Owed != 0 || len(a.Found) > 0 || a.Customers != 2 {
			t.Errorf("when all has arrived and the reservation is over: %+v", a)
		}
	})
}

func TestAuditOfBalancesFindsWhatIsWrong(t *testing.T) {
	holder := domain.IdentityOfID("alice")
	wrongs := map[string]struct {
		do   func(e *env, card domain.PromotionCodeName) error
		what string
	}{
		"a card with more on it": {func(e *env, card domain.PromotionCodeName) error {
			key, field := e.keys.promotions(card.Coupon, card.ID.Bucket()), card.ID.Suffix()
			f := strings.Split(e.admin.HGet(e.ctx(), key, field).Val(), ",")
			f[8] = "9999"
			return e.admin.HSet(e.ctx(), key, field, strings.Join(f, ",")).Err()
		}, domain.DifferenceBalance},
		"credit that is more": {func(e *env, _ domain.PromotionCodeName) error {
			return e.admin.HIncrBy(e.ctx(), e.keys.creditHead(holder), "b:EUR", 1).Err()
		}, domain.DifferenceBalance},
		"a transfer that did not arrive": {func(e *env, card domain.PromotionCodeName) error {
			return e.admin.HDel(e.ctx(), e.keys.creditRequests(holder), "t"+transferID("gifts", "part")).Err()
		}, domain.DifferenceArrived},
		"a transfer that arrived twice": {func(e *env, card domain.PromotionCodeName) error {
			if err := e.admin.HDel(e.ctx(), e.keys.creditRequests(holder), "t"+transferID("gifts", "part")).Err(); err != nil {
				return err
			}
			_, err := e.TransferToCredit(e.ctx(), domain.TransferToCredit{
				RequestID: "part", Name: card, Customer: domain.Customer{ID: "alice"}, AmountMinor: pointer(int64(300)),
			})
			return err
		}, domain.DifferenceUnasked},
		"a transfer that is not recorded": {func(e *env, _ domain.PromotionCodeName) error {
			return e.admin.HDel(e.ctx(), e.keys.transfers("gifts"), transferID("gifts", "part")).Err()
		}, domain.DifferenceTransferred},
		"a transfer that arrived from a card that was set back": {func(e *env, card domain.PromotionCodeName) error {
			key, field := e.keys.promotions(card.Coupon, card.ID.Bucket()), card.ID.Suffix()
			before := e.admin.HGet(e.ctx(), key, field).Val()
			again := transferTo("alice", "again", card)
			again.AmountMinor = pointer(int64(100))
			_, err := e.TransferToCredit(e.ctx(), again)
			return errors.Join(err, e.admin.HSet(e.ctx(), key, field, before).Err(),
				e.admin.HDel(e.ctx(), e.keys.transfers(card.Coupon), transferID(card.Coupon, "again")).Err())
		}, domain.DifferenceDebited},
		"a redemption that took less": {func(e *env, _ domain.PromotionCodeName) error {
			page := e.keys.ledgerPage("gifts", 0)
			text := e.admin.LIndex(e.ctx(), page, 1).Val()
			return e.admin.LSet(e.ctx(), page, 1, strings.Replace(text, "\t700\t", "\t699\t", 1)).Err()
		}, domain.DifferenceRedeemed},
	}
	onEach(t, func(t *testing.T, e *env) {
		for name, wrong := range wrongs {
			e := openAt(t, e.dial)
			card, _ := e.moveEverything()
			if err := wrong.do(e, card); err != nil {
				t.Fatal(err)
			}
			a, met := e.auditBalances(), false
			for _, d := range a.Found {
				met = met || d.What == wrong.what && d.String() != ""
			}
			if !met {
				t.Errorf("%s: found %v", name, a.Found)
			}
		}
	})
}

func TestAuditOfBalancesGoesOnBesideTheService(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		card, _ := e.moveEverything()
		stores := []*Store{e.Store, e.server()}
		var done atomic.Int64
		n := e.crowd(20)
		all(n+1, func(i int) {
			if i == n {
				for done.Load() < int64(n) {
					if a := e.auditBalances(); len(a.Found) > 0 {
						t.Errorf("found %v", a.Found)
					}
				}
				return
			}
			defer done.Add(1)
			for k := range 10 {
				id := strconv.Itoa(i) + "-" + strconv.Itoa(k)
				r, err := stores[i%2].Redeem(e.ctx(), new(byName(id, card, withOrder(orderOf(7)))))
				if err == nil && k%2 == 0 {
					_, err = stores[i%2].Void(e.ctx(), domain.VoidRedemption{RequestID: "v" + id, Name: r.Name})
				}
				part := transferTo(fmt.Sprint("c", i), "t"+id, card)
				part.AmountMinor = pointer(int64(3))
				if err == nil {
					_, err = stores[i%2].TransferToCredit(e.ctx(), part)
				}
				if err == nil {
					_, err = stores[i%2].ApplyCredit(e.ctx(), useOf(fmt.Sprint("c", i), id, 2))
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
		a := e.auditBalances()
		if len(a.Found) > 0 || a.Moving > 0 || a.Sums["EUR"].Unaccounted() != 0 || a.Customers != n+1 {
			t.Errorf("%+v", a)
		}
	})
}

func TestAuditTellsOfBalancesAndWritesNothingOfThem(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		_, late := e.moveEverything()
		e.debit("bob", late)
		e.clock.Advance(time.Hour) // a reservation is due
		auditor, err := OpenAuditor(e.ctx(), e.admin, Options{Prefix: e.prefix, Clock: e.clock.Now})
		if err != nil {
			t.Fatal(err)
		}
		var found []domain.Difference
		run := func() AuditSummary {
			t.Helper()
			found = nil
			sum, err := auditor.Audit(e.ctx(), AuditOptions{Found: func(d domain.Difference) { found = append(found, d) }})
			if err != nil {
				t.Fatal(err)
			}
			return sum
		}
		if sum := run(); sum.Differences != 0 || sum.GiftCards != 3 || sum.Customers != 2 {
			t.Errorf("%+v: %v", sum, found)
		}
		e.unchanged("an audit of balances", func() {
			if _, err := e.AuditBalances(e.ctx(), ""); err != nil {
				t.Error(err)
			}
		})
		if err := e.admin.HIncrBy(e.ctx(), e.keys.creditHead(domain.IdentityOfID("alice")), "b:EUR", 1).Err(); err != nil {
			t.Fatal(err)
		}
		if sum := run(); sum.Differences != 1 || found[0].Kind != domain.DifferenceBalances || !strings.HasPrefix(found[0].String(), "credit: balance ") {
			t.Errorf("%+v: %v", sum, found)
		}
	})
}
