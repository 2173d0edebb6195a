// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/discountd/discountd/internal/privateredis"
	"github.com/discountd/discountd/internal/redistest"
	"github.com/discountd/discountd/test/internal/harness"
)

// TestFault19P12NetworkIsSlowResetAndHalfOpen has the server in this process, where
// its goroutines and connections can be counted.
func TestFault19P12NetworkIsSlowResetAndHalfOpen(t *testing.T) {
	store := redistest.Fresh(t, privateredis.Config{AppendFsync: "always"})
	link := redistest.Proxy(t, store.Addr())
	client := redistest.ClientAt(t, link.Addr())
	s := harness.InProcess{Prefix: "net"}.Start(t, client)
	healthy := startLoad(t, []*harness.Service{s}, loadConfig{clients: clients, deadline: harness.Patience})
	healthy.awaitMore(50)
	healthy.verify()
	quiet := runtime.NumGoroutine()

	l := startLoad(t, []*harness.Service{s}, loadConfig{clients: clients, deadline: time.Second, tardy: tardy})
	for range harness.Torture(1, 20) {
		link.Delay(200 * time.Millisecond)
		l.awaitTries(time.Second)
		if l.done.Load() == 0 {
			t.Error("nothing is done at 200 ms from the store")
		}
		link.Delay(0)
		wantRecovery(t, time.Now(), s)

		for range 10 { // resets, in the middle of whatever goes on
			l.awaitMore(5)
			link.Drop()
		}
		wantRecovery(t, time.Now(), s)

		// Half open: nothing comes through, on connections that look well, old or new.
		link.Freeze()
		l.awaitTries(2 * time.Second)
		link.Drop()
		link.Thaw()
		wantRecovery(t, time.Now(), s)
	}
	l.awaitMore(50)
	l.verify()
	wantNoLeak(t, quiet, client)
}

// spare is how many goroutines more there may be than before: those that serve
// connections that the pool has opened since, two ends of a link with two pumps each.
const spare = 4 * 4

// wantNoLeak waits until as many goroutines are left as there were when all was
// quiet, and no connection of the pool is in use.
func wantNoLeak(t *testing.T, quiet int, client *redis.Client) {
	t.Helper()
	harness.Await(t, harness.Patience, "the end of what the fault has left", func(context.Context) bool {
		pool := client.PoolStats()
		return runtime.NumGoroutine() <= quiet+spare && pool.TotalConns == pool.IdleConns
	})
	if pool, most := client.PoolStats(), client.Options().PoolSize; int(pool.TotalConns) > most {
		t.Errorf("the pool has %d connections, and its size is %d", pool.TotalConns, most)
	}
}
