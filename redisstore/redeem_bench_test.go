// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"context"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/discountd/discountd/domain"
)

// decider is a Redis of which every redemption gets what it asks for, at once or when
// ready is closed.
type decider struct {
	redis.Hook
	ready chan struct{}
}

func (decider) DialHook(next redis.DialHook) redis.DialHook { return next }

func (decider) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (d decider) ProcessHook(redis.ProcessHook) redis.ProcessHook {
	return func(_ context.Context, cmd redis.Cmder) error {
		if d.ready != nil {
			<-d.ready
		}
		const fixed, each = 3 + 7 + 2, 13
		answer := []any{"decided"}
		for range (len(cmd.Args()) - fixed) / each {
			answer = append(answer, "redeemed", "17")
		}
		cmd.(*redis.Cmd).SetVal(answer)
		return nil
	}
}

// withRules returns a store that knows the rules of one coupon, and a request for it.
func withRules(b testing.TB, d decider) (*Store, domain.RedeemRequest) {
	b.Helper()
	client := redis.NewClient(&redis.Options{})
	b.Cleanup(func() { _ = client.Close() })
	client.AddHook(d)
	s := newStore(client, &Options{Clock: time.Now})
	s.rules = newRules(1<<20, time.Now)
	s.gather = newGatherer(s, 0)
	st := &state{token: "token"}
	st.Coupon.Coupon, st.Coupon.Version = percentOff("summer"), 1
	p := &domain.PromotionCodeSnapshot{PromotionCode: promotionCode("summer", "SUMMER"), Version: 1, State: domain.PromotionActive}
	p.Name.ID = "0000abcd"
	st.PromotionCode = p
	s.rules.remember(st)
	s.rules.rememberHolder("SUMMER", &resolution{name: p.Name, token: "token", forEveryone: true}, st)
	r := domain.RedeemRequest{RequestID: "request-1"}
	r.Source.Code, r.Source.Hash = "SUMMER", "0123456789abcdef"
	r.Order = &domain.Order{Currency: "EUR", Lines: []domain.OrderLine{{ID: "1", ProductID: "shirt", UnitAmountMinor: 2_500, Quantity: 2}}}
	return s, r
}

// What the server does for a redemption by rules that it remembers, but for the RPC
// itself and for Redis.
func BenchmarkRedeemRecalled(b *testing.B) {
	s, r := withRules(b, decider{})
	b.ReportAllocs()
	for b.Loop() {
		if got, err := s.Redeem(b.Context(), &r); err != nil || got.Discount.TotalAmountMinor != 1_250 {
			b.Fatal(got, err)
		}
	}
}

func BenchmarkRedeemGathered(b *testing.B) {
	s, like := withRules(b, decider{})
	var n atomic.Int64
	b.ReportAllocs()
	b.SetParallelism(64)
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			r := like
			r.RequestID = "request-" + strconv.FormatInt(n.Add(1), 10)
			if got, err := s.Redeem(b.Context(), &r); err != nil || got.Discount.TotalAmountMinor != 1_250 {
				b.Error(got, err)
			}
		}
	})
}

// The stack of a call that waits for its turn, under that of the RPC. A goroutine's
// stack grows by doubling, and to 16 KB means to copy it once more.
func BenchmarkStackOfRedeemThatWaits(b *testing.B) {
	const calls, ofRPC = 1_000, 3_000
	var total uint64
	for b.Loop() {
		d := decider{ready: make(chan struct{})}
		s, like := withRules(b, d)
		var before, during runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		var running sync.WaitGroup
		var started atomic.Int64
		for i := range calls {
			running.Go(func() {
				r := like
				r.RequestID = "request-" + strconv.Itoa(i)
				var frame [ofRPC]byte
				started.Add(int64(1 + frame[i]))
				if _, err := s.Redeem(context.Background(), &r); err != nil {
					b.Error(err)
				}
				started.Add(int64(frame[i]))
			})
		}
		for waiting := 0; waiting < calls-1; { // one of them is on its way
			runtime.Gosched()
			s.gather.only.mu.Lock()
			waiting = s.gather.only.waiting
			s.gather.only.mu.Unlock()
		}
		runtime.ReadMemStats(&during)
		total += during.StackInuse - before.StackInuse
		close(d.ready)
		running.Wait()
	}
	b.ReportMetric(float64(total)/float64(calls*b.N), "stack-B/call")
}
