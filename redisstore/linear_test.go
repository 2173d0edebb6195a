// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/redis/go-redis/v9"

	"github.com/discountd/discountd/domain"
	"github.com/discountd/discountd/internal/redistest"
)

// TestP10P11HistoriesAreLinearizable has eight clients of three servers make random
// calls at once and holds what they were told against the specification. Promotion
// codes and redemptions that reached a terminal state are never seen in another.
func TestP10P11HistoriesAreLinearizable(t *testing.T) {
	t.Parallel()
	for _, th := range []theme{aroundOneCode, aroundOneCoupon, aroundReservations} {
		t.Run("around one "+string(th), func(t *testing.T) {
			t.Parallel()
			seed := seedOf(t)
			e := open(t, onRedis)
			stores := []*Store{e.Store, e.server(), e.server()}
			calls := 24
			if th == aroundOneCode {
				// Where holders give way there are more orders: of 24 calls each the search
				// took 15 s, and minutes with the race detector.
				calls = 12
			}
			e.playHistory(th, seed, calls, func(i int) (*Store, *harmer) { return stores[i%len(stores)], nil })
		})
	}
}

// TestP3P11HistoriesOverABadNetworkAreLinearizable is the same, but each client has
// a server of its own, whose connections are cut, refused and delayed: before a
// request gets to Redis, or after it was carried out and before it is answered.
// Whether a call took effect whose outcome is unknown is left open, for as long as
// the history lasts.
func TestP3P11HistoriesOverABadNetworkAreLinearizable(t *testing.T) {
	t.Parallel()
	for _, th := range []theme{aroundOneCoupon, aroundReservations} {
		t.Run("around one "+string(th), func(t *testing.T) {
			t.Parallel()
			seed := seedOf(t)
			server := redistest.Server(t)
			loadScripts(t, redistest.Client(t, server))
			e := open(t, onRedis)
			direct := e.dial
			// Shorter ones: each call that is left open doubles the orders there may be.
			history := e.playHistory(th, seed, 10, func(int) (*Store, *harmer) {
				link := redistest.Proxy(t, server.Addr())
				e.dial = func() redis.UniversalClient { return redistest.ClientAt(t, link.Addr()) }
				store, client := e.open(e.clock)
				e.dial = direct
				spy := &aimed{}
				client.AddHook(spy)
				return store, &harmer{link, spy}
			})
			if !slices.ContainsFunc(history, func(h happening) bool { return h.Answer.Text == unknownText }) {
				t.Error("the outcome of every call is known: nothing was harmed")
			}
		})
	}
}

// playHistory has clients play and checks what they were told. Each makes a number
// of calls about one group of things before it goes on to the next.
func (e *env) playHistory(th theme, seed uint64, calls int, serverOf func(client int) (*Store, *harmer)) []happening {
	e.t.Helper()
	const clients = 8
	groups := longForm(240, 1_600) / calls
	var clock atomic.Int64
	var mu sync.Mutex
	var history []happening
	known, present := &stormCodes{}, (*commonTime)(nil)
	if th == aroundReservations {
		present = &commonTime{clock: e.clock}
	}
	var players []*stormClient
	for i := range clients {
		store, harm := serverOf(i)
		players = append(players, &stormClient{
			store: store, harm: harm, number: i, random: rand.New(rand.NewPCG(seed, uint64(i))),
			look: func() int64 { return clock.Add(1) }, known: known, time: present,
			tell: func(h happening) {
				if h.Ended != 0 {
					mu.Lock()
					defer mu.Unlock()
					history = append(history, h)
				}
			},
		})
	}
	all(clients, func(i int) {
		for g := range groups {
			players[i].enter(e.ctx(), th, fmt.Sprintf("G%d", g))
			for range calls {
				players[i].about(e.ctx(), th)
			}
		}
	})
	e.checkHistory(history)
	return history
}

// checkHistory holds a history, group by group, against the specification.
func (e *env) checkHistory(history []happening) {
	e.t.Helper()
	groups := map[string][]happening{}
	sorts := map[string]int{}
	for _, h := range history {
		groups[h.Group] = append(groups[h.Group], h)
		sorts[h.Request.Kind+": "+sortOf(h.Answer.Text)]++
	}
	e.t.Logf("%d calls about %d groups: %v", len(history), len(groups), sorts)
	check := map[string][]porcupine.Operation{}
	for group, part := range groups {
		check[group] = operations(part, e.madeBy(group), e.clock.Now())
	}
	checkHistories(e.t, check, longForm(2*time.Minute, 10*time.Minute))
}

// sortOf is what an answer is an example of.
func sortOf(text string) string {
	for _, sort := range []string{abortedText, unknownText, awayText, "ok", "held", "refused", "exists", "does not exist", "deleted", "request_id"} {
		if strings.Contains(text, sort) {
			return sort
		}
	}
	return "read"
}

// madeBy returns the promotion codes of a group by the tags of their creations.
func (e *env) madeBy(group string) map[string]domain.PromotionCodeView {
	made := map[string]domain.PromotionCodeView{}
	for i := range 2 {
		r := carryOut(e.ctx(), e.Store, domain.PromotionCodeQuery{Coupon: couponOf(group, i), ShowDeleted: true})
		if r.Err != nil {
			e.t.Fatal(r.Err)
		}
		for _, p := range r.Value.(domain.Listing[domain.PromotionCodeView]).Items {
			made[p.Metadata["tag"]] = p
		}
	}
	return made
}

// TestP5OneOfManyCreationsHoldsTheCode creates one code 200 times at once, on
// different coupons and through different servers.
func TestP5OneOfManyCreationsHoldsTheCode(t *testing.T) {
	t.Parallel()
	e := open(t, onRedis)
	stores := []*Store{e.Store, e.server(), e.server()}
	for _, id := range []domain.CouponID{"a", "b"} {
		e.createCoupon(percentOff(id))
	}
	const n = 200
	var won, held, aborted atomic.Int64
	all(n, func(i int) {
		coupon := []domain.CouponID{"a", "b"}[i%2]
		_, err := stores[i%3].CreatePromotionCode(t.Context(), domain.CreatePromotionCode{PromotionCode: promotionCode(coupon, "SAVE")})
		switch {
		case err == nil:
			won.Add(1)
		case isError[*domain.AlreadyExistsError](err):
			held.Add(1)
		case errors.Is(err, domain.ErrAborted):
			aborted.Add(1)
		default:
			t.Error(err)
		}
	})
	active := 0
	for _, id := range []domain.CouponID{"a", "b"} {
		list := carryOut(t.Context(), e.Store, domain.PromotionCodeQuery{Coupon: id, ShowDeleted: true}).Value.(domain.Listing[domain.PromotionCodeView])
		for _, p := range list.Items {
			if p.State == domain.PromotionActive {
				active++
			}
		}
	}
	if won.Load() != 1 || active != 1 || won.Load()+held.Load()+aborted.Load() != n {
		t.Errorf("of %d creations %d succeeded, %d met the holder, %d were aborted; %d are active", n, won.Load(), held.Load(), aborted.Load(), active)
	}
	t.Logf("%d succeeded, %d met the holder, %d were aborted", won.Load(), held.Load(), aborted.Load())
}
