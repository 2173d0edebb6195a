// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	redisclient "github.com/redis/go-redis/v9"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/discountd/discountd/internal/privateredis"
	"github.com/discountd/discountd/internal/redistest"
	"github.com/discountd/discountd/redisstore"
)

// refusedToStart runs a service that must refuse to start, and returns why.
func refusedToStart(t *testing.T, c config) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c.Listen = freeAddress(t)
	err := run(ctx, c, newOutput(), newOutput())
	if err == nil {
		t.Fatal("it started")
	}
	return err
}

func TestRedisThatEvictsIsRefusedAndTheRefusalSaysHowToGoOn(t *testing.T) {
	t.Parallel()
	redis := redistest.Fresh(t, privateredis.Config{AppendFsync: "always", Extra: []string{"maxmemory-policy allkeys-lru"}})
	c := testConfig(t)
	c.Redis = redis.URL()
	if err := refusedToStart(t, c); !strings.Contains(err.Error(), "noeviction") || !strings.Contains(err.Error(), "--allow=eviction") {
		t.Errorf("%v", err)
	}
	c.Allow = []string{"eviction"}
	s := launch(t, c)
	s.awaitHealth(t, serving)
	s.stderr.await(t, "allkeys-lru")
}

func TestAckThatTheRedisCannotGiveIsRefused(t *testing.T) {
	t.Parallel()
	redis := redistest.Fresh(t, privateredis.Config{AppendFsync: "everysec"})
	c := testConfig(t)
	c.Redis, c.Ack = redis.URL(), "disk"
	if err := refusedToStart(t, c); !strings.Contains(err.Error(), "appendfsync is everysec") || strings.Contains(err.Error(), "--allow") {
		t.Errorf("%v", err)
	}
	c.Ack = ""
	s := launch(t, c)
	s.awaitHealth(t, serving)
	for _, want := range []string{"appendfsync is everysec", "maxmemory is 0"} {
		s.stderr.await(t, want)
	}
}

func TestPrivateRedisNeedsNoWarning(t *testing.T) {
	t.Parallel()
	c := testConfig(t)
	c.Ack = "disk"
	s := launch(t, c)
	s.awaitHealth(t, serving)
	s.stop(t)
	if log := s.stderr.String(); strings.Contains(log, "level=WARN") || strings.Contains(log, "level=ERROR") {
		t.Errorf("the log warns:\n%s", log)
	}
}

func TestMemoryOfTheProcessIsNoDisk(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	c := testConfig(t)
	c.Ack = "disk"
	if err := refusedToStart(t, c); !strings.Contains(err.Error(), "--ack=disk") {
		t.Errorf("%v", err)
	}
}

// Row 10 of the faults, end to end.
func TestFault10EvictionTurnedOnLiveStopsServingWithinTenSeconds(t *testing.T) {
	t.Parallel()
	redis := redistest.Fresh(t, privateredis.Config{AppendFsync: "always"})
	c := testConfig(t)
	c.Redis = redis.URL()
	s := launch(t, c)
	s.awaitHealth(t, serving)
	s.createCoupon(t, "c")
	admin := redistest.Client(t, redis)

	began := time.Now()
	if err := admin.ConfigSet(t.Context(), "maxmemory-policy", "allkeys-lru").Err(); err != nil {
		t.Fatal(err)
	}
	s.awaitHealth(t, notServing)
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("noticed after %s", took)
	}
	wantCode(t, s.redeem(t.Context(), "c", "r-1"), codes.Unavailable)
	if err := admin.ConfigSet(t.Context(), "maxmemory-policy", "noeviction").Err(); err != nil {
		t.Fatal(err)
	}
	s.awaitHealth(t, serving)
	if err := s.redeem(t.Context(), "c", "r-1"); err != nil {
		t.Error(err)
	}
	s.wantRedeemed(t, "c", 1)
	for _, want := range []string{"refusing to serve", "the store is as it should be again"} {
		if n := strings.Count(s.stderr.String(), want); n != 1 {
			t.Errorf("%q was logged %d times, want once", want, n)
		}
	}
}

// Row 9 of the faults, end to end; that no part of a call is written is shown
// command by command in package redisstore.
func TestRedisThatIsOutOfMemoryIsUnavailableForWritesAndIsReadFrom(t *testing.T) {
	t.Parallel()
	redis := redistest.Fresh(t, privateredis.Config{AppendFsync: "always", MaxMemory: "100mb"})
	c := testConfig(t)
	c.Redis = redis.URL()
	s := launch(t, c)
	s.awaitHealth(t, serving)
	s.createCoupon(t, "c")
	if err := s.redeem(t.Context(), "c", "r-1"); err != nil {
		t.Fatal(err)
	}
	admin := redistest.Client(t, redis)
	if err := admin.ConfigSet(t.Context(), "maxmemory", "1mb").Err(); err != nil {
		t.Fatal(err)
	}
	err := s.redeem(t.Context(), "c", "r-2")
	wantCode(t, err, codes.Unavailable)
	if reason := reasonOf(err); reason == "OUTCOME_UNKNOWN" {
		t.Errorf("what was certainly not done is %s", reason)
	}
	s.wantRedeemed(t, "c", 1)
	if err := s.redeem(t.Context(), "c", "r-1"); err != nil {
		t.Errorf("a retry finds nothing: %v", err)
	}
	// Two rounds of the probe pass, and it goes on being read from.
	awaitPings(t, admin)
	s.awaitHealth(t, serving)
	if err := admin.ConfigSet(t.Context(), "maxmemory", "100mb").Err(); err != nil {
		t.Fatal(err)
	}
	if err := s.redeem(t.Context(), "c", "r-2"); err != nil {
		t.Error(err)
	}
	s.wantRedeemed(t, "c", 2)
}

// awaitPings returns when the service has pinged its store three times more.
func awaitPings(t *testing.T, admin *redisclient.Client) {
	t.Helper()
	timeout := time.After(patience)
	for want := pings(t, admin) + 3; pings(t, admin) < want; {
		select {
		case <-timeout:
			t.Fatal("the store is not pinged")
		case <-time.After(pollInterval):
		}
	}
}

// pings counts what only the probe sends: ZSCORE is in no other script that a
// service calls here but the one that advances the sequence.
func pings(t *testing.T, admin *redisclient.Client) int {
	t.Helper()
	commandstats, err := admin.Info(t.Context(), "commandstats").Result()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(commandstats) {
		if rest, ok := strings.CutPrefix(line, "cmdstat_zscore:calls="); ok {
			if _, err := fmt.Sscanf(rest, "%d,", &n); err != nil {
				t.Fatal(err)
			}
		}
	}
	return n
}

// reasonOf returns the reason that an error tells programs.
func reasonOf(err error) string {
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			return info.GetReason()
		}
	}
	return ""
}

func TestCallThatTooFewReplicasHaveIsOfUnknownOutcome(t *testing.T) {
	t.Parallel()
	master := redistest.Fresh(t, privateredis.Config{Extra: []string{"repl-diskless-sync-delay 0"}})
	host, port, _ := strings.Cut(master.Addr(), ":")
	replica := redistest.Fresh(t, privateredis.Config{Extra: []string{"replicaof " + host + " " + port}})
	c := testConfig(t)
	c.Redis, c.Ack = master.URL(), "replica:1"
	s := launch(t, c)
	s.awaitHealth(t, serving)
	s.createCoupon(t, "c")
	if err := replica.Pause(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		err := s.redeem(ctx, "c", "r-1")
		cancel()
		wantCode(t, err, codes.Unavailable)
		if reason := reasonOf(err); reason != "OUTCOME_UNKNOWN" {
			t.Errorf("the reason is %q", reason)
		}
	}
	if err := replica.Resume(); err != nil {
		t.Fatal(err)
	}
	if err := s.redeem(t.Context(), "c", "r-1"); err != nil {
		t.Error(err)
	}
	s.wantRedeemed(t, "c", 1)
}

// Replicas may come later than the service.
func TestReplicasThatAreMissingAtTheStartAreWaitedFor(t *testing.T) {
	t.Parallel()
	master := redistest.Fresh(t, privateredis.Config{Extra: []string{"repl-diskless-sync-delay 0"}})
	c := testConfig(t)
	c.Redis, c.Ack = master.URL(), "replica:1"
	s := launch(t, c)
	s.stderr.await(t, "the store cannot acknowledge writes as --ack demands; waiting until it can")
	s.awaitHealth(t, notServing)
	if strings.Contains(s.stderr.String(), "cannot be reached") {
		t.Errorf("the log has\n%s", s.stderr)
	}
	host, port, _ := strings.Cut(master.Addr(), ":")
	redistest.Fresh(t, privateredis.Config{Extra: []string{"replicaof " + host + " " + port}})
	s.awaitHealth(t, serving)
}

// What is said at a restart is said while it runs as well.
func TestRedisThatIsEmptiedIsReportedWithWhatToDo(t *testing.T) {
	t.Parallel()
	redis := redistest.Fresh(t, privateredis.Config{})
	c := testConfig(t)
	c.Redis = redis.URL()
	s := launch(t, c)
	s.awaitHealth(t, serving)
	admin := redistest.Client(t, redis)
	awaitPings(t, admin)
	if err := admin.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	s.awaitHealth(t, notServing)
	log := s.stderr.await(t, "--accept-data-loss=")
	for _, want := range []string{"is gone: the Redis has none, and this server saw it until 2", "not serving until the store is as it should be"} {
		if strings.Count(log, want) != 1 {
			t.Errorf("%q is not said once:\n%s", want, log)
		}
	}
	if strings.Contains(log, "does not answer") {
		t.Errorf("it does answer:\n%s", log)
	}
}

// Row 11 of the faults, across a restart of the service.
func TestFault11EmptyRedisIsRefusedAcrossARestartUntilToldTo(t *testing.T) {
	t.Parallel()
	redis := redistest.Fresh(t, privateredis.Config{})
	c := testConfig(t)
	c.Redis = redis.URL()
	s := launch(t, c)
	s.awaitHealth(t, serving)
	s.createCoupon(t, "c")
	s.stop(t)

	if err := redis.Kill(); err != nil { // it keeps nothing
		t.Fatal(err)
	}
	if err := redis.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	err := refusedToStart(t, c)
	loss, ok := errors.AsType[*redisstore.DataLossError](err)
	if !ok || !strings.Contains(err.Error(), "--accept-data-loss="+loss.Lost.StoreID) || !strings.Contains(err.Error(), "is gone") {
		t.Fatalf("%v", err)
	}
	c.AcceptLoss, c.Listen = loss.Lost.StoreID, freeAddress(t)
	s = launch(t, c)
	s.awaitHealth(t, serving)
	s.stderr.await(t, "going on without data that was lost")
	s.createCoupon(t, "c")
	s.stop(t)

	// It is accepted once: the flag that was left in place does nothing more.
	if err := errors.Join(redis.Kill(), redis.Restart(t.Context())); err != nil {
		t.Fatal(err)
	}
	if err := refusedToStart(t, c); !strings.Contains(err.Error(), "is gone") {
		t.Errorf("%v", err)
	}
}

func TestOlderBackupIsRefusedAcrossARestart(t *testing.T) {
	t.Parallel()
	redis := redistest.Fresh(t, privateredis.Config{})
	admin := redistest.Client(t, redis)
	c := testConfig(t)
	c.Redis = redis.URL()
	s := launch(t, c)
	s.awaitHealth(t, serving)
	if err := admin.Save(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	s.createCoupon(t, "c")
	awaitPings(t, admin)
	s.stop(t)
	if err := errors.Join(redis.Kill(), redis.Restart(t.Context())); err != nil {
		t.Fatal(err)
	}
	err := refusedToStart(t, c)
	if _, ok := errors.AsType[*redisstore.DataLossError](err); !ok || !strings.Contains(err.Error(), "has lost data") {
		t.Errorf("%v", err)
	}
}

func TestDeletedDataOfThePrivateRedisIsNoticed(t *testing.T) {
	t.Parallel()
	c := testConfig(t)
	s := launch(t, c)
	s.awaitHealth(t, serving)
	s.stop(t)
	for _, name := range []string{"appendonlydir", "appendonly.aof"} {
		if err := os.RemoveAll(filepath.Join(c.DataDir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := refusedToStart(t, c); !strings.Contains(err.Error(), "--accept-data-loss=") {
		t.Errorf("%v", err)
	}
}
