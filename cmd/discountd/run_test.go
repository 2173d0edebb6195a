// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/discountd/discountd/internal/privateredis"
	"github.com/discountd/discountd/internal/redistest"
	"github.com/discountd/discountd/redisstore"
)

const (
	serving    = healthpb.HealthCheckResponse_SERVING
	notServing = healthpb.HealthCheckResponse_NOT_SERVING
)

// onLink runs a service on a server of its own, through a link that can be harmed.
func onLink(t *testing.T, adjust ...func(*config)) (*running, *redistest.Link, *privateredis.Server) {
	t.Helper()
	redis := redistest.Fresh(t, privateredis.Config{AppendFsync: "always"})
	link := redistest.Proxy(t, redis.Addr())
	c := testConfig(t)
	c.Redis = "redis://" + link.Addr()
	for _, f := range adjust {
		f(&c)
	}
	return launch(t, c), link, redis
}

func TestAutoKeepsDataFromRunToRun(t *testing.T) {
	t.Parallel()
	c := testConfig(t)
	first := launch(t, c)
	first.awaitHealth(t, serving)
	first.createCoupon(t, "kept")
	if err := first.redeem(t.Context(), "kept", "r-1"); err != nil {
		t.Fatal(err)
	}
	first.stop(t)

	second := launch(t, c)
	second.awaitHealth(t, serving)
	if err := second.redeem(t.Context(), "kept", "r-1"); err != nil { // a retry
		t.Error(err)
	}
	second.wantRedeemed(t, "kept", 1)
}

func TestDeadRedisIsUnavailableAndRecoversByItself(t *testing.T) {
	t.Parallel()
	s, _, redis := onLink(t)
	s.awaitHealth(t, serving)
	s.createCoupon(t, "c")

	if err := redis.Kill(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	wantCode(t, s.redeem(ctx, "c", "r-1"), codes.Unavailable)
	s.awaitHealth(t, notServing)
	wantCode(t, s.redeem(ctx, "c", "r-1"), codes.Unavailable)

	if err := redis.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.awaitHealth(t, serving)
	if err := s.redeem(t.Context(), "c", "r-1"); err != nil {
		t.Errorf("after the restart: %v", err)
	}
	s.wantRedeemed(t, "c", 1)
	for _, want := range []string{"the store does not answer; not serving", "the store answers again; serving"} {
		if n := strings.Count(s.stderr.String(), want); n != 1 {
			t.Errorf("%q was logged %d times, want once", want, n)
		}
	}
}

func TestSilentRedisCostsACallNoMoreThanItsDeadline(t *testing.T) {
	t.Parallel()
	s, link, _ := onLink(t)
	s.awaitHealth(t, serving)
	s.createCoupon(t, "c")

	link.Freeze()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	wantCode(t, s.redeem(ctx, "c", "r-1"), codes.DeadlineExceeded)
	s.awaitHealth(t, notServing)

	link.Thaw()
	s.awaitHealth(t, serving)
	if err := s.redeem(t.Context(), "c", "r-1"); err != nil {
		t.Errorf("after the silence: %v", err)
	}
	s.wantRedeemed(t, "c", 1)
}

func TestRedisThatIsAwayAtTheStartIsWaitedFor(t *testing.T) {
	t.Parallel()
	redis := redistest.Fresh(t, privateredis.Config{})
	link := redistest.Proxy(t, redis.Addr())
	link.Refuse()
	c := testConfig(t)
	c.Redis = "redis://" + link.Addr()
	s := launch(t, c)
	s.stderr.await(t, "the store cannot be reached; waiting for it")
	s.awaitHealth(t, notServing)
	wantCode(t, s.redeem(t.Context(), "c", "r-1"), codes.Unavailable)

	link.Accept()
	s.awaitHealth(t, serving)
	s.createCoupon(t, "c")
	s.stdout.await(t, c.Listen)
}

func TestStopWhileWaitingForRedisIsClean(t *testing.T) {
	t.Parallel()
	c := testConfig(t)
	c.Redis = "redis://" + freeAddress(t)
	s := launch(t, c)
	s.awaitHealth(t, notServing)
	s.stop(t)
}

func TestCallInFlightEndsBeforeTheServiceDoes(t *testing.T) {
	t.Parallel()
	s, link, _ := onLink(t)
	s.awaitHealth(t, serving)
	s.createCoupon(t, "c")

	arrived := watchFor(link, "in-flight")
	link.Delay(300 * time.Millisecond)
	answered := make(chan error, 1)
	go func() { answered <- s.redeem(t.Context(), "c", "in-flight") }()
	<-arrived
	s.stop(t)
	if err := <-answered; err != nil {
		t.Errorf("broken off: %v", err)
	}
}

// watchFor returns a channel that is closed when a request that contains text is on
// its way to the store.
func watchFor(link *redistest.Link, text string) <-chan struct{} {
	arrived := make(chan struct{})
	var once sync.Once
	contains := redistest.Containing(text)
	link.CutRequests(1, func(args [][]byte) bool {
		if contains(args) {
			once.Do(func() { close(arrived) })
		}
		return false
	})
	return arrived
}

func TestDrainTimeoutBreaksCallsOff(t *testing.T) {
	t.Parallel()
	s, link, _ := onLink(t, func(c *config) { c.DrainTimeout = 100 * time.Millisecond })
	s.awaitHealth(t, serving)
	s.createCoupon(t, "slow")
	// Nobody waits this long for a reply.
	link.Delay(patience)
	arrived := watchFor(link, "slow")
	answered := make(chan error, 1)
	go func() { answered <- s.redeem(t.Context(), "slow", "r-1") }()
	<-arrived
	s.stop(t)
	wantCode(t, <-answered, codes.Unavailable)
	if !strings.Contains(s.stderr.String(), "calls were broken off") {
		t.Error("it was not logged")
	}
}

func TestStoreOfAnotherHashKeyIsRefused(t *testing.T) {
	t.Parallel()
	redis := redistest.Fresh(t, privateredis.Config{})
	c := testConfig(t)
	c.Redis = redis.URL()
	launch(t, c).awaitHealth(t, serving)

	other := testConfig(t) // has a data directory and so a key of its own
	other.Redis = redis.URL()
	err := run(t.Context(), other, newOutput(), newOutput())
	if !errors.Is(err, redisstore.ErrConfiguration) {
		t.Errorf("%v, want ErrConfiguration", err)
	}
}

func TestDataDirectoryInUseIsRefused(t *testing.T) {
	t.Parallel()
	c := testConfig(t)
	launch(t, c).awaitHealth(t, serving)
	c.Listen = freeAddress(t)
	stderr := newOutput()
	err := run(t.Context(), c, newOutput(), stderr)
	inUse, ok := errors.AsType[*privateredis.InUseError](err)
	if !ok || inUse.Dir != c.DataDir || err.Error() != inUse.Error() {
		t.Fatalf("%v, want an error that names %s, and no other", err, c.DataDir)
	}
	want := `msg="cannot start" error=` + strconv.Quote(inUse.Error())
	if log := stderr.String(); strings.Count(log, want) != 1 || strings.Contains(log, "stopping") {
		t.Errorf("the log does not say once why it cannot start, %s:\n%s", want, log)
	}
}

func TestAddressInUseIsRefused(t *testing.T) {
	t.Parallel()
	c := testConfig(t)
	launch(t, c).awaitHealth(t, serving)
	c.DataDir = t.TempDir()
	if err := run(t.Context(), c, newOutput(), newOutput()); err == nil || !strings.Contains(err.Error(), c.Listen) {
		t.Errorf("%v, want an error that names %s", err, c.Listen)
	}
}

func TestAddressInUseLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := testConfig(t)
	c.Listen = l.Addr().String()
	if err := run(t.Context(), c, newOutput(), newOutput()); err == nil || !strings.Contains(err.Error(), "--listen") {
		t.Errorf("%v, want an error that names --listen", err)
	}
	if entries, err := os.ReadDir(c.DataDir); err != nil || len(entries) > 0 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

func TestDataDirectoryThatCannotBeIsNamedByItsFlag(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{file, filepath.Join(file, "below")} {
		c := testConfig(t)
		c.DataDir = dir
		if err := run(t.Context(), c, newOutput(), newOutput()); err == nil || !strings.Contains(err.Error(), "--data-dir") {
			t.Errorf("%s: %v, want an error that names --data-dir", dir, err)
		}
	}
}

func TestRedisThatRefusesThePasswordEndsTheService(t *testing.T) {
	t.Parallel()
	redis := redistest.Fresh(t, privateredis.Config{})
	if err := redistest.Client(t, redis).ConfigSet(t.Context(), "requirepass", "right").Err(); err != nil {
		t.Fatal(err)
	}
	for _, url := range []string{"redis://:wr0ng@" + redis.Addr(), "redis://" + redis.Addr(), "redis://:right@" + redis.Addr() + "/99"} {
		c := testConfig(t)
		c.Redis = url
		stderr := newOutput()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		err := run(ctx, c, newOutput(), stderr)
		cancel()
		if !errors.Is(err, redisstore.ErrAccess) || !strings.Contains(err.Error(), "the password") {
			t.Errorf("%s: %v", url, err)
		}
		if log := stderr.String(); strings.Contains(log, "level=WARN") || strings.Contains(log, "waiting") || strings.Contains(log, "wr0ng") {
			t.Errorf("%s: the log has\n%s", url, log)
		}
		wantAudit(t, auditBy(t, "--redis="+url), exitNotRun, "look at the user, the password")
	}
}

// The user of docs/operations.md may do what a service and an audit do.
func TestDocumentedUserOfRedisIsEnough(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, block, _ := strings.Cut(string(page), "```text acl\n")
	line, _, found := strings.Cut(block, "\n")
	if !found {
		t.Fatal("docs/operations.md has no user")
	}
	var setup []any
	for word := range strings.FieldsSeq(line) {
		setup = append(setup, word)
	}
	redis := redistest.Fresh(t, privateredis.Config{AppendFsync: "always", MaxMemory: "100mb"})
	if err := redistest.Client(t, redis).Do(t.Context(), setup...).Err(); err != nil {
		t.Fatal(err)
	}
	c := testConfig(t)
	c.Redis = "redis://discountd:PASSWORD@" + redis.Addr()
	s := launch(t, c)
	s.awaitHealth(t, serving)
	s.createCoupon(t, "c")
	if err := s.redeem(t.Context(), "c", "r-1"); err != nil {
		t.Error(err)
	}
	var stdout, stderr bytes.Buffer
	if err := audit(t.Context(), c, &stdout, &stderr); err != nil {
		t.Errorf("audit: %v\n%s%s", err, &stdout, &stderr)
	}
	if log := s.stderr.String(); strings.Contains(log, "level=WARN") {
		t.Errorf("the log warns:\n%s", log)
	}
}

func TestRedisWithoutTLSIsNamedWithItsScheme(t *testing.T) {
	t.Parallel()
	redis := redistest.Fresh(t, privateredis.Config{})
	c := testConfig(t)
	c.Redis = "rediss://:s3cret@" + redis.Addr()
	s := launch(t, c)
	s.stderr.await(t, "the store cannot be reached; waiting for it")
	if log := s.stderr.String(); !strings.Contains(log, "rediss://"+redis.Addr()+"/0") || strings.Contains(log, "s3cret") {
		t.Errorf("the log has\n%s", log)
	}
}

func TestWithoutRedisServerNothingIsKeptAndSaidSo(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	c := testConfig(t)
	s := launch(t, c)
	s.awaitHealth(t, serving)
	s.createCoupon(t, "c")
	if err := s.redeem(t.Context(), "c", "r-1"); err != nil {
		t.Error(err)
	}
	if n := strings.Count(s.stdout.await(t, "request_id"), "NOTHING IS KEPT"); n != 1 {
		t.Errorf("said %d times that nothing is kept, want once", n)
	}
	if n := strings.Count(s.stderr.String(), "level=WARN msg=\"nothing is kept"); n != 1 {
		t.Errorf("logged %d times that nothing is kept, want once", n)
	}
}

func TestDataWithoutRedisServerToReadItIsNotForgotten(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	c := testConfig(t)
	if err := os.Mkdir(filepath.Join(c.DataDir, "appendonlydir"), 0o700); err != nil {
		t.Fatal(err)
	}
	err := run(t.Context(), c, newOutput(), newOutput())
	if !errors.Is(err, privateredis.ErrNotFound) || !strings.Contains(err.Error(), c.DataDir) {
		t.Errorf("%v, want an error that names %s", err, c.DataDir)
	}
}

// The port of a stopped process is free: nothing of it lingers.
func TestPortIsFreeAfterTheStop(t *testing.T) {
	t.Parallel()
	c := testConfig(t)
	s := launch(t, c)
	s.awaitHealth(t, serving)
	s.stop(t)
	l, err := net.Listen("tcp", c.Listen)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}
