// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/discountd/discountd/domain"
)

// TestHistoriesAreLinearizable has eight clients of three servers make random
// calls at once and holds what they were told against the specification.
func TestHistoriesAreLinearizable(t *testing.T) {
	t.Parallel()
	for _, th := range []theme{aroundOneCode, aroundOneCoupon} {
		t.Run("around one "+string(th), func(t *testing.T) {
			t.Parallel()
			seed := seedOf(t)
			e := open(t, onRedis)
			stores := []*Store{e.Store, e.server(), e.server()}
			const clients, groups, calls = 8, 6, 40
			var clock atomic.Int64
			var mu sync.Mutex
			var history []happening
			known := &stormCodes{}
			all(clients, func(i int) {
				c := &stormClient{
					store: stores[i%len(stores)], number: i, random: rand.New(rand.NewPCG(seed, uint64(i))),
					look: func() int64 { return clock.Add(1) }, known: known,
					tell: func(h happening) {
						if h.Ended != 0 {
							mu.Lock()
							defer mu.Unlock()
							history = append(history, h)
						}
					},
				}
				for g := range groups {
					c.enter(t.Context(), fmt.Sprintf("G%d", g))
					for range calls {
						c.about(t.Context(), th)
					}
				}
			})
			e.checkHistory(history)
		})
	}
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
	checkHistories(e.t, check, longForm(3*time.Minute, 10*time.Minute))
}

// sortOf is what an answer is an example of.
func sortOf(text string) string {
	for _, sort := range []string{abortedText, unknownText, "ok", "held", "refused", "exists", "does not exist", "deleted", "request_id"} {
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

// TestOneOfManyCreationsHoldsTheCode creates one code 200 times at once, on
// different coupons and through different servers.
func TestOneOfManyCreationsHoldsTheCode(t *testing.T) {
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
