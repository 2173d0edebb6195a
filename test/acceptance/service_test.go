// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package acceptance

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/discountd/discountd/internal/privateredis"
	"github.com/discountd/discountd/internal/redistest"
	"github.com/discountd/discountd/test/internal/harness"
)

// service is a running discountd as its users see it.
type service struct {
	*harness.Service

	// clock is what the server takes for the present, and prefix what its keys
	// begin with; only a server in this process has them.
	clock  *clock
	prefix string
}

// start runs a server of this test alone on the redis-server that all tests
// share.
func start(t *testing.T) *service {
	t.Helper()
	return startOn(t, redistest.Client(t, redistest.Server(t)), redistest.Prefix(t))
}

// startOn runs a server on a given Redis. Servers with one prefix are one
// service.
func startOn(t *testing.T, client redis.UniversalClient, prefix string) *service {
	t.Helper()
	now := newClock()
	return &service{harness.InProcess{Prefix: prefix, Clock: now.read}.Start(t, client), now, prefix}
}

// startProcesses runs n servers, each a process of its own, on one Redis, until
// the test ends, and returns once all of them serve.
func startProcesses(t *testing.T, n int, redis *privateredis.Server) []*service {
	t.Helper()
	var all []*service
	for _, p := range harness.StartProcesses(t, n, redis.URL()) {
		all = append(all, &service{Service: p.Service})
	}
	return all
}

// within returns a context for one call that is expected to be answered.
func within(t *testing.T) context.Context {
	t.Helper()
	return harness.Within(t)
}

// clock stands still until it is set.
type clock struct{ millis atomic.Int64 }

// today is when every test begins.
var today = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func newClock() *clock {
	c := &clock{}
	c.set(today)
	return c
}

func (c *clock) set(now time.Time) { c.millis.Store(now.UnixMilli()) }

func (c *clock) read() time.Time { return time.UnixMilli(c.millis.Load()).UTC() }
