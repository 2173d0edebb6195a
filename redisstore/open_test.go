// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/discountd/discountd/domain"
	"github.com/discountd/discountd/internal/privateredis"
	"github.com/discountd/discountd/internal/redistest"
)

// Whoever is not let in is told so at once, and not first that nothing is known of
// this Redis.
func TestRedisThatLetsNobodyInIsNeitherWaitedForNorJudged(t *testing.T) {
	t.Parallel()
	server := redistest.Fresh(t, privateredis.Config{})
	admin := redistest.Client(t, server)
	for _, setup := range [][]any{
		{"acl", "setuser", "some", "on", ">right", "~*", "+@all"},
		{"acl", "setuser", "few", "on", ">right", "~*", "+@all", "-eval", "-evalsha"},
		{"acl", "setuser", "default", "resetpass", ">right"},
	} {
		if err := admin.Do(t.Context(), setup...).Err(); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name, user, password string
		db                   int
		want                 string
	}{
		{"no password", "", "", 0, "NOAUTH"},
		{"wrong password", "some", "wrong", 0, "WRONGPASS"},
		{"wrong user", "none", "right", 0, "WRONGPASS"},
		{"no permission", "few", "right", 0, "NOPERM"},
		{"no such database", "some", "right", 99, "DB index"},
		{"right", "some", "right", 1, ""},
	} {
		var log bytes.Buffer
		options := *redistest.Client(t, server).Options()
		options.Username, options.Password, options.DB = c.user, c.password, c.db
		client := redis.NewClient(&options)
		_, err := Open(t.Context(), client, Options{
			Durability: &Durability{Allow: []string{concernPersistence, concernMemory}}, Logger: slog.New(slog.NewTextHandler(&log, nil)),
		})
		if c.want == "" && err != nil || c.want != "" && (!errors.Is(err, ErrAccess) || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
		if err != nil && strings.HasSuffix(err.Error(), ".") {
			t.Errorf("%s: %v ends with a full stop, and texts go on after it", c.name, err)
		}
		// Without the right to run scripts a store can be looked for.
		_, err = OpenAuditor(t.Context(), client, Options{})
		if want := c.want != "" && c.want != "NOPERM"; errors.Is(err, ErrAccess) != want || !want && !errors.Is(err, ErrConfiguration) && err != nil {
			t.Errorf("%s: an audit gets %v", c.name, err)
		}
		if log.Len() > 0 {
			t.Errorf("%s: the log has\n%s", c.name, &log)
		}
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestKeyOfSomethingElseIsNamed(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		for kind, make := range map[string]func(string) error{
			"hash":   func(key string) error { return e.admin.HSet(e.ctx(), key, "colour", "red").Err() },
			"string": func(key string) error { return e.admin.Set(e.ctx(), key, "red", 0).Err() },
		} {
			prefix := redistest.Prefix(t)
			key := keys{prefix: prefix}.meta()
			if err := make(key); err != nil {
				t.Fatal(err)
			}
			_, err := Open(e.ctx(), e.dial(), Options{Prefix: prefix, HashKeyFingerprint: "tests"})
			if !errors.Is(err, ErrConfiguration) || !strings.Contains(err.Error(), "the key "+key+" is not of a store") {
				t.Errorf("%s: %v", kind, err)
			}
			e.admin.Del(e.ctx(), key)
		}
	})
}

func TestStoreWithoutTheReplicasToWaitForIsNotOpenedYet(t *testing.T) {
	t.Parallel()
	_, err := openOn(t, redistest.Fresh(t, privateredis.Config{}), redistest.Prefix(t), Options{Durability: &Durability{Ack: Ack{replicas: 1}}})
	if !errors.Is(err, ErrNotSafe) || !isError[*domain.UnavailableError](err) {
		t.Errorf("%v, want ErrNotSafe and that it may pass", err)
	}
}

// Who pings learns what is lost, whether the store is empty, another one or older.
func TestPingTellsWhatIsLost(t *testing.T) {
	t.Parallel()
	server := redistest.Fresh(t, privateredis.Config{})
	prefix := redistest.Prefix(t)
	one, err := openOn(t, server, prefix, Options{Memory: Memory{Server: "one"}})
	if err != nil {
		t.Fatal(err)
	}
	beats(t, 2, one.Store)
	older := snapshot(t, server, one.admin)
	beats(t, 2, one.Store)
	lost := one.Seen()
	for name, c := range map[string]struct {
		harm  func()
		found string
	}{
		"older": {func() { restore(t, server, older) }, one.id},
		"empty": {func() { one.admin.FlushAll(t.Context()) }, ""},
		"other": {func() { one.admin.HSet(t.Context(), one.keys.meta(), "id", "OTHER") }, "OTHER"},
	} {
		c.harm()
		err := one.Ping(t.Context())
		loss, ok := errors.AsType[*DataLossError](err)
		if !ok || loss.Lost != lost || loss.FoundID != c.found || !isError[*domain.UnavailableError](err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if log := one.log.String(); strings.Count(log, "the store has lost data; refusing to serve") != 1 ||
		strings.Count(log, "saw it until 2026-03-01T12:00:00Z") != 1 {
		t.Errorf("it is not said once, with the time:\n%s", log)
	}
}
