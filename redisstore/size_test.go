// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/discountd/discountd/domain"
	"github.com/discountd/discountd/internal/privateredis"
	"github.com/discountd/discountd/internal/redistest"
)

// TestWhatIsStoredIsSmall bounds how much memory Redis needs for a promotion code of
// a coupon and for a redemption of one line, by the difference that thousands of them
// make.
func TestWhatIsStoredIsSmall(t *testing.T) {
	t.Parallel()
	const callers, mostOfACode, mostOfARedemption = 32, 115, 200
	n := longForm(5_000, 20_000) / callers * callers
	server := redistest.Fresh(t, privateredis.Config{})
	e := openAt(t, func() redis.UniversalClient { return redistest.Client(t, server) })
	// As full as the buckets of the code index are with a million codes.
	e.keys.buckets = uint32(n / 61)
	e.createCoupon(percentOff("spring-sale"))
	e.createCode(promotionCode("spring-sale", "HOT"))

	before := e.sizes()
	all(callers, func(caller int) {
		for range n / callers {
			must[domain.PromotionCodeView](t)(e.CreatePromotionCode(e.ctx(), domain.CreatePromotionCode{
				PromotionCode: domain.PromotionCode{Name: domain.PromotionCodeName{Coupon: "spring-sale"}},
			}))
		}
	})
	after := e.sizes()
	if got := after.perItem(t, "promotion code", before, n); got > mostOfACode {
		t.Errorf("%.1f bytes for a promotion code, at most %d", got, mostOfACode)
	}

	// In an index as full as before.
	e.createCoupon(percentOff("once-each"))
	before = e.sizes()
	once := int64(1)
	all(callers, func(caller int) {
		for range n / callers {
			must[domain.PromotionCodeView](t)(e.CreatePromotionCode(e.ctx(), domain.CreatePromotionCode{
				PromotionCode: domain.PromotionCode{Name: domain.PromotionCodeName{Coupon: "once-each"}, MaxRedemptions: &once},
			}))
		}
	})
	after = e.sizes()
	if got := after.perItem(t, "promotion code for one use", before, n); got > mostOfACode {
		t.Errorf("%.1f bytes for a promotion code for one use, at most %d", got, mostOfACode)
	}

	before = after
	all(callers, func(caller int) {
		for i := range n / callers {
			e.redeem(byCode(fmt.Sprintf("%08x-1234-4321-abcd-%012x", caller, i), "HOT", withCustomer("customer-1"), withOrder(orderOf(4999))))
		}
	})
	if got := e.sizes().perItem(t, "redemption", before, n); got > mostOfARedemption {
		t.Errorf("%.1f bytes for a redemption, at most %d", got, mostOfARedemption)
	}
}

// sizes are the bytes that the keys of each kind take, by MEMORY USAGE.
type sizes map[string]int64

// sizes adds up what the keys of a store take, by the letter that their names have
// after the tag.
func (e *env) sizes() sizes {
	e.t.Helper()
	out := sizes{}
	keys := e.admin.Scan(e.ctx(), 0, e.prefix+":*", 1000).Iterator()
	for keys.Next(e.ctx()) {
		bytes, err := e.admin.MemoryUsage(e.ctx(), keys.Val(), 0).Result()
		if err != nil {
			e.t.Fatal(err)
		}
		_, kind, _ := strings.Cut(keys.Val(), "{")
		if scope, rest, ok := strings.Cut(kind, "}:"); ok && strings.HasPrefix(scope, "c:") {
			kind = rest
		}
		out[kind[:1]] += bytes
	}
	if err := keys.Err(); err != nil {
		e.t.Fatal(err)
	}
	return out
}

// perItem returns what each of n things takes that were stored since before, and
// logs where it goes.
func (s sizes) perItem(t *testing.T, what string, before sizes, n int) float64 {
	t.Helper()
	total := int64(0)
	for _, kind := range slices.Sorted(maps.Keys(s)) {
		if grown := s[kind] - before[kind]; grown != 0 {
			t.Logf("%s: %s takes %.1f bytes", what, kind, float64(grown)/float64(n))
			total += grown
		}
	}
	return float64(total) / float64(n)
}
