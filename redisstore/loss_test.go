// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/discountd/discountd/domain"
	"github.com/discountd/discountd/internal/privateredis"
	"github.com/discountd/discountd/internal/redistest"
)

// remembering is the memory of a server that has seen a store.
func remembering(s *Store, server string) Memory {
	seen := s.Seen()
	return Memory{Server: server, Expected: seen.StoreID, Stores: map[string]Seen{seen.StoreID: seen}}
}

// beats lets a store come further.
func beats(t *testing.T, n int, stores ...*Store) {
	t.Helper()
	for range n {
		for _, s := range stores {
			if err := s.Ping(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// snapshot saves what a server has and returns it.
func snapshot(t *testing.T, server *privateredis.Server, client redis.UniversalClient) []byte {
	t.Helper()
	if err := client.Save(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(server.Config().Dir, "dump.rdb"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// restore puts a server back to a snapshot, as an operator with a backup does; none
// empties it.
func restore(t *testing.T, server *privateredis.Server, data []byte) {
	t.Helper()
	file := filepath.Join(server.Config().Dir, "dump.rdb")
	err := server.Kill()
	if data == nil {
		err = errors.Join(err, os.Remove(file))
	} else {
		err = errors.Join(err, os.WriteFile(file, data, 0o600))
	}
	if err = errors.Join(err, server.Restart(t.Context())); err != nil {
		t.Fatal(err)
	}
}

func TestStoreThatWasRestoredFromAnOlderBackupIsNotServedFrom(t *testing.T) {
	t.Parallel()
	server := redistest.Fresh(t, privateredis.Config{})
	prefix := redistest.Prefix(t)
	one, err := openOn(t, server, prefix, Options{Memory: Memory{Server: "one"}})
	if err != nil {
		t.Fatal(err)
	}
	two, err := openOn(t, server, prefix, Options{Memory: Memory{Server: "two"}})
	if err != nil {
		t.Fatal(err)
	}
	one.createCoupon(percentOff("a", limitedTo(1)))
	beats(t, 3, one.Store, two.Store)
	older := snapshot(t, server, one.admin)
	one.clock.Advance(time.Hour)
	if _, err := one.Redeem(t.Context(), new(byCoupon("r", "a"))); err != nil {
		t.Fatal(err)
	}
	beats(t, 3, one.Store)
	newer := snapshot(t, server, one.admin)
	memory, id := remembering(one.Store, "one"), one.id

	restore(t, server, older)
	// The other one has seen nothing newer, and goes on: far beyond what was seen.
	beats(t, 20, two.Store)
	for range 2 {
		if err := one.Ping(t.Context()); !isError[*domain.UnavailableError](err) {
			t.Errorf("Ping says %v", err)
		}
	}
	if _, err := one.Redeem(t.Context(), new(byCoupon("again", "a"))); !isError[*domain.UnavailableError](err) {
		t.Errorf("redeemed a second time: %v", err)
	}
	log := one.log.String()
	for _, want := range []string{"refusing to serve", id, "ends at 2026-03-01T12:00:00Z", "saw it until 2026-03-01T13:00:00Z"} {
		if strings.Count(log, want) != 1 {
			t.Errorf("%q is not said once in\n%s", want, log)
		}
	}

	// A restart does not make it forget.
	_, err = openOn(t, server, prefix, Options{Memory: memory})
	loss, ok := errors.AsType[*DataLossError](err)
	if !ok || loss.Lost != memory.Stores[id] || loss.FoundID != id || loss.FoundSequence <= memory.Stores[id].Sequence {
		t.Fatalf("opened again: %v", err)
	}

	// The right data is back.
	restore(t, server, newer)
	if err := one.Ping(t.Context()); err != nil {
		t.Errorf("restored, Ping says %v", err)
	}
	if _, err := one.Redeem(t.Context(), new(byCoupon("r", "a"))); err != nil {
		t.Error(err)
	}
	if _, err := openOn(t, server, prefix, Options{Memory: memory}); err != nil {
		t.Errorf("restored: %v", err)
	}
}

func TestLossIsAcceptedOnceAndNoticedByEveryServer(t *testing.T) {
	t.Parallel()
	server := redistest.Fresh(t, privateredis.Config{})
	prefix := redistest.Prefix(t)
	one, err := openOn(t, server, prefix, Options{Memory: Memory{Server: "one"}})
	if err != nil {
		t.Fatal(err)
	}
	two, err := openOn(t, server, prefix, Options{Memory: Memory{Server: "two"}})
	if err != nil {
		t.Fatal(err)
	}
	beats(t, 1, one.Store, two.Store)
	older := snapshot(t, server, one.admin)
	beats(t, 2, one.Store)
	memory, memory2, id := remembering(one.Store, "one"), remembering(two.Store, "two"), one.id
	restore(t, server, older)

	if _, err := openOn(t, server, prefix, Options{Memory: memory, AcceptLoss: "another"}); !isError[*DataLossError](err) {
		t.Errorf("the loss of another store was accepted: %v", err)
	}
	on, err := openOn(t, server, prefix, Options{Memory: memory, AcceptLoss: id})
	if err != nil {
		t.Fatal(err)
	}
	if on.id == id || !strings.Contains(on.log.String(), "going on without data that was lost") {
		t.Errorf("it is still %s; log:\n%s", on.id, on.log)
	}
	on.createCoupon(percentOff("a"))
	beats(t, 2, on.Store)
	// Who has seen nothing of it notices, too, while running and after a restart.
	if err := two.Ping(t.Context()); !isError[*domain.UnavailableError](err) {
		t.Errorf("the other server goes on: %v", err)
	}
	if _, err := openOn(t, server, prefix, Options{Memory: memory2}); !isError[*DataLossError](err) {
		t.Errorf("the other server starts: %v", err)
	}
	if s, err := openOn(t, server, prefix, Options{Memory: memory2, AcceptLoss: id}); err != nil || s.id != on.id {
		t.Errorf("the other server, told to: %v", err)
	}
	// The same setting does not accept the next loss.
	memory = remembering(on.Store, "one")
	restore(t, server, older)
	if _, err := openOn(t, server, prefix, Options{Memory: memory, AcceptLoss: id}); !isError[*DataLossError](err) {
		t.Errorf("a second loss was accepted: %v", err)
	}
}

func TestStoreThatIsGoneIsNotReplacedUnlessToldTo(t *testing.T) {
	t.Parallel()
	server := redistest.Fresh(t, privateredis.Config{})
	prefix := redistest.Prefix(t)
	one, err := openOn(t, server, prefix, Options{Memory: Memory{Server: "one"}})
	if err != nil {
		t.Fatal(err)
	}
	memory := remembering(one.Store, "one") // that has never pinged
	if memory.Stores[one.id].Sequence != 0 {
		t.Errorf("%+v", memory)
	}
	if err := one.admin.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	_, err = openOn(t, server, prefix, Options{Memory: memory})
	if loss, ok := errors.AsType[*DataLossError](err); !ok || loss.Lost.StoreID != one.id || loss.FoundID != "" {
		t.Errorf("%v", err)
	}
	if n := one.admin.DBSize(t.Context()).Val(); n != 0 {
		t.Errorf("%d keys were written into the empty Redis", n)
	}
	// Another server has made it anew: it is another store.
	if _, err := openOn(t, server, prefix, Options{}); err != nil {
		t.Fatal(err)
	}
	_, err = openOn(t, server, prefix, Options{Memory: memory})
	if loss, ok := errors.AsType[*DataLossError](err); !ok || loss.Lost.StoreID != one.id || loss.FoundID == "" {
		t.Errorf("%v", err)
	}
	if s, err := openOn(t, server, prefix, Options{Memory: memory, AcceptLoss: one.id}); err != nil || s.id == one.id {
		t.Errorf("told to: %v", err)
	}
	if err := one.admin.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	if s, err := openOn(t, server, prefix, Options{Memory: memory, AcceptLoss: one.id}); err != nil || s.id == one.id {
		t.Errorf("told to, and empty: %v", err)
	}
}

func TestStoreFromBeforeTheSequenceIsAdopted(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		// As the first release wrote it.
		e.admin.Del(e.ctx(), e.keys.meta(), e.keys.servers())
		e.admin.HSet(e.ctx(), e.keys.meta(), "id", "OLD", "layout", "1", "buckets", "16384", "hash_key", "tests")
		s, err := Open(e.ctx(), e.dial(), Options{Prefix: e.prefix, HashKeyFingerprint: "tests", Memory: Memory{
			Server: "one", Expected: "OLD", Stores: map[string]Seen{"OLD": {StoreID: "OLD"}},
		}})
		if err != nil {
			t.Fatal(err)
		}
		beats(t, 3, s)
		if seen := s.Seen(); seen.StoreID != "OLD" || seen.Sequence != 3 || seen.At.IsZero() {
			t.Errorf("%+v", seen)
		}
	})
}

func TestNotesOfServersAreBoundedAndOneThatWasPushedOutIsNoLoss(t *testing.T) {
	t.Parallel()
	e := open(t, onRedis)
	beats(t, 1, e.Store)
	for range maxServers + 5 {
		other := []any{e.id, redistest.Prefix(t), 0, maxServers, "1", ""}
		if err := storeBeat.redis.Run(e.ctx(), e.client, e.metaKeys(), other...).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if n := e.admin.ZCard(e.ctx(), e.keys.servers()).Val(); n != maxServers {
		t.Errorf("%d notes", n)
	}
	if _, err := Open(e.ctx(), e.dial(), Options{Prefix: e.prefix, HashKeyFingerprint: "tests", Memory: remembering(e.Store, e.Store.server)}); err != nil {
		t.Error(err)
	}
	beats(t, 1, e.Store)
	// One that is missing among few is.
	e.admin.Del(e.ctx(), e.keys.servers())
	if err := e.Ping(e.ctx()); !isError[*domain.UnavailableError](err) {
		t.Errorf("without its note: %v", err)
	}
}
