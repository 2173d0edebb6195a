// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/discountd/discountd/domain"
	"github.com/discountd/discountd/internal/redistest"
)

// recount recomputes from the ledger of a coupon everything that is counted of it,
// down to the raw fields in Redis, and fails the test where they differ.
func (e *env) recount(id domain.CouponID) {
	e.t.Helper()
	want, got := map[string]int64{}, map[string]int64{}
	ledger := e.redemptions(id)
	live := map[string]string{}
	for i, r := range ledger {
		position, _ := r.Name.ID.Position()
		if position != int64(i)+1 {
			e.t.Errorf("%s is at position %d", r.Name, i+1)
		}
		if r.State == domain.RedemptionReserved {
			live[strconv.FormatInt(position, 10)] = millis(r.ExpireTime)
		}
		e.recountOne(&r, want)
	}
	head := e.hash(e.keys.head(id))
	got["redeemed"], got["held"] = parsed(e.t, head["r"]), parsed(e.t, head["h"])
	for field, value := range head {
		if strings.HasPrefix(field, "b:") || strings.HasPrefix(field, "B:") {
			got[field] = parsed(e.t, value)
		}
	}
	if head["q"] != strconv.Itoa(len(ledger)) {
		e.t.Errorf("%s counts %s records, the ledger has %d", id, head["q"], len(ledger))
	}
	for _, p := range e.codesOf(id) {
		got["redeemed "+string(p.Name.ID)], got["held "+string(p.Name.ID)] = p.Redeemed, p.Held
	}
	for field, value := range e.hash(e.keys.customers(id)) {
		got["used "+field] = parsed(e.t, value)
	}
	for _, counts := range []map[string]int64{want, got} {
		for what, n := range counts {
			if n == 0 {
				delete(counts, what)
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		e.t.Errorf("%s (-ledger +counted):\n%s", id, diff)
	}
	e.recountHolds(id, live, head["d"])
}

// recountOne adds what a redemption counts for.
func (e *env) recountOne(r *domain.Redemption, want map[string]int64) {
	kind := map[domain.RedemptionState]string{domain.RedemptionRedeemed: "redeemed", domain.RedemptionReserved: "held"}[r.State]
	if kind == "" {
		return
	}
	want[kind]++
	if r.PromotionCode != "" {
		want[kind+" "+string(r.PromotionCode)]++
	}
	for _, who := range r.Identities() {
		want["used "+string(who)]++
		if r.PromotionCode != "" {
			want["used "+string(r.PromotionCode)+"/"+string(who)]++
		}
	}
	for _, p := range r.Periods {
		want["used "+p.Key]++
	}
	if r.Discount != nil {
		want["b:"+string(r.Discount.Currency)] += r.Spent().TotalMinor
		want["B:"+string(r.Discount.Currency)] += r.Spent().ScopedMinor
	}
}

// recountHolds holds the reservations that are live against the order in which they
// fall due.
func (e *env) recountHolds(id domain.CouponID, live map[string]string, first string) {
	e.t.Helper()
	due, err := e.admin.ZRangeWithScores(e.ctx(), e.keys.holds(id), 0, -1).Result()
	if err != nil {
		e.t.Fatal(err)
	}
	listed := map[string]string{}
	for _, z := range due {
		listed[fmt.Sprint(z.Member)] = strconv.FormatInt(int64(z.Score), 10)
	}
	if diff := cmp.Diff(live, listed); diff != "" {
		e.t.Errorf("reservations of %s (-ledger +listed):\n%s", id, diff)
	}
	want := ""
	if len(due) > 0 {
		want = strconv.FormatInt(int64(due[0].Score), 10)
	}
	if first != want {
		e.t.Errorf("the first reservation of %s falls due at %s, and noted is %s", id, want, first)
	}
}

func (e *env) hash(key string) map[string]string {
	e.t.Helper()
	h, err := e.admin.HGetAll(e.ctx(), key).Result()
	if err != nil {
		e.t.Fatal(err)
	}
	return h
}

func parsed(t testing.TB, text string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Error(err)
	}
	return n
}

// Eight clients, each over a connection of its own that is cut before and after its
// calls are carried out: whatever they were told, the counters are what the ledger
// says, and each request that was acknowledged is in the ledger once.
func TestP6CountersAreWhatTheLedgerSaysAfterEveryFault(t *testing.T) {
	t.Parallel()
	seed := seedOf(t)
	server := redistest.Server(t)
	loadScripts(t, redistest.Client(t, server))
	e := open(t, onRedis)
	direct, known := e.dial, &stormCodes{}
	var looks, harmed atomic.Int64
	var clients []*stormClient
	acknowledged := make([]map[string]domain.CouponID, 8)
	for i := range acknowledged {
		link := redistest.Proxy(t, server.Addr())
		e.dial = func() redis.UniversalClient { return redistest.ClientAt(t, link.Addr()) }
		store, client := e.open(e.clock)
		spy := &aimed{}
		client.AddHook(spy)
		acknowledged[i] = map[string]domain.CouponID{}
		clients = append(clients, &stormClient{
			store: store, number: i, random: rand.New(rand.NewPCG(seed, uint64(i))), known: known, harm: &harmer{link, spy},
			look: func() int64 { return looks.Add(1) }, time: nil,
			tell: func(h happening) {
				switch {
				case h.Ended == 0:
				case h.Answer.Text == unknownText:
					harmed.Add(1)
				case isNewUse(h.Request) && strings.Contains(h.Answer.Text, " by "):
					acknowledged[i][h.Request.ID] = h.Request.Coupon
				}
			},
		})
	}
	e.dial = direct
	for round := range longForm(4, 40) {
		group := fmt.Sprintf("G%d", round)
		all(len(clients), func(i int) {
			clients[i].enter(e.ctx(), aroundReservations, group)
			for range 40 {
				clients[i].about(e.ctx(), aroundReservations)
			}
		})
		e.recount(couponOf(group, 0))
		e.recount(couponOf(group, 1))
		e.clock.Advance(time.Minute) // some of what is reserved falls due
		e.recount(couponOf(group, 0))
		e.recount(couponOf(group, 1))
		e.holdAcknowledged(group, acknowledged)
	}
	if harmed.Load() == 0 {
		t.Error("the outcome of every call is known: nothing was harmed")
	}
}

// holdAcknowledged fails the test unless each request that was acknowledged is in
// the ledger of its coupon, and no request is in one twice.
func (e *env) holdAcknowledged(group string, acknowledged []map[string]domain.CouponID) {
	e.t.Helper()
	times := map[string]int{}
	for i := range 2 {
		for _, r := range e.redemptions(couponOf(group, i)) {
			times[r.RequestID]++
		}
	}
	for id, n := range times {
		if n > 1 {
			e.t.Errorf("the request %s is in the ledgers %d times", id, n)
		}
	}
	for _, requests := range acknowledged {
		for id, coupon := range requests {
			if strings.HasPrefix(string(coupon), group+"-") && times[id] != 1 {
				e.t.Errorf("the request %s was acknowledged and is in no ledger", id)
			}
		}
	}
}
