// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/discountd/discountd/internal/privateredis"
	"github.com/discountd/discountd/internal/redistest"
	"github.com/discountd/discountd/test/internal/harness"
)

const servers = 3

// clients is how many call at once under load.
const clients = 8

// services returns the connections to processes.
func services(all []*harness.Process) []*harness.Service {
	out := make([]*harness.Service, len(all))
	for i, p := range all {
		out[i] = p.Service
	}
	return out
}

func wantEqual[T any](t *testing.T, what string, want, got T) {
	t.Helper()
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("%s differs (-want +got):\n%s", what, diff)
	}
}

// TestFault05P8P12ServiceKilledUnderLoad kills one server after the other while all
// of them work.
func TestFault05P8P12ServiceKilledUnderLoad(t *testing.T) {
	t.Parallel()
	redis := redistest.Fresh(t, privateredis.Config{AppendFsync: "always"})
	through := harness.StartProcesses(t, servers, redis.URL())
	l := startLoad(t, services(through), loadConfig{clients: clients, deadline: 5 * time.Second})
	random := newRandom(t)
	for i := range harness.Torture(3, 50) {
		l.awaitMore(10 + random.IntN(100))
		p := through[i%servers]
		p.Kill()
		l.awaitMore(random.IntN(20)) // the others go on
		since := time.Now()
		p.Start()
		wantRecovery(t, since, p.Service)
	}
	l.awaitMore(100)
	l.verify()
}

// TestFault06P8P12RedisKilledUnderLoad kills the Redis that has promised to keep
// what it acknowledges.
func TestFault06P8P12RedisKilledUnderLoad(t *testing.T) {
	t.Parallel()
	redis := redistest.Fresh(t, privateredis.Config{AppendFsync: "always"})
	through := services(harness.StartProcesses(t, servers, redis.URL()))
	l := startLoad(t, through, loadConfig{clients: clients, deadline: 5 * time.Second})
	random := newRandom(t)
	for range harness.Torture(3, 50) {
		l.awaitMore(10 + random.IntN(100))
		if err := redis.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := redis.Restart(harness.Within(t)); err != nil {
			t.Fatal(err)
		}
		wantRecovery(t, time.Now(), through...)
	}
	l.awaitMore(100)
	l.verify()
}
