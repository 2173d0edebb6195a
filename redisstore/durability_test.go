// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"bytes"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/discountd/discountd/domain"
	"github.com/discountd/discountd/internal/privateredis"
	"github.com/discountd/discountd/internal/redistest"
)

func TestAckIsReadAsWritten(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"memory", "disk", "replica:1", "replica:100"} {
		if a, err := ParseAck(text); err != nil || a.String() != text {
			t.Errorf("%s: %s, %v", text, a, err)
		}
	}
	for _, text := range []string{"", "Disk", "replica", "replica:", "replica:0", "replica:-1", "replica:101", "replica:x", "1"} {
		if a, err := ParseAck(text); err == nil {
			t.Errorf("%q is %s", text, a)
		}
	}
}

// sound are the facts of a Redis that nothing is wrong with.
func sound(change ...func(*facts)) facts {
	f := facts{
		version: "7.0.15", role: "master", policy: "noeviction", maxMemory: "1000000",
		aof: "1", aofStatus: "ok", rdbStatus: "ok", fsync: "always", fsyncPauses: "no", minReplicas: "0",
	}
	for _, c := range change {
		c(&f)
	}
	return f
}

func TestWhatARedisIsLikeIsJudged(t *testing.T) {
	t.Parallel()
	const refused = "refused: "
	disk, two := AckDisk(), Ack{replicas: 2}
	for name, c := range map[string]struct {
		change func(*facts)
		ack    Ack
		want   []string // names of concerns; "" cannot be allowed
		safe   safety
	}{
		"sound":                   {func(*facts) {}, Ack{}, nil, safety{}},
		"evicts":                  {func(f *facts) { f.policy = "allkeys-lru" }, Ack{}, []string{refused + "eviction"}, safety{}},
		"evicts what expires":     {func(f *facts) { f.policy = "volatile-ttl" }, Ack{}, []string{refused + "eviction"}, safety{}},
		"old":                     {func(f *facts) { f.version = "6.0.16" }, Ack{}, []string{refused + "version"}, safety{}},
		"the oldest":              {func(f *facts) { f.version = "6.2.0" }, Ack{}, nil, safety{}},
		"two digits":              {func(f *facts) { f.version = "10.0.1" }, Ack{}, nil, safety{}},
		"replica":                 {func(f *facts) { f.role = "slave" }, Ack{}, []string{refused}, safety{}},
		"cluster":                 {func(f *facts) { f.cluster = true }, Ack{}, []string{refused}, safety{}},
		"nothing on disk":         {func(f *facts) { f.aof = "0" }, Ack{}, []string{"persistence"}, safety{}},
		"snapshots only":          {func(f *facts) { f.aof, f.save = "0", "3600 1" }, Ack{}, []string{"persistence"}, safety{}},
		"every second":            {func(f *facts) { f.fsync = "everysec" }, Ack{}, []string{"fsync"}, safety{}},
		"pauses":                  {func(f *facts) { f.fsyncPauses = "yes" }, Ack{}, []string{"fsync"}, safety{}},
		"cannot write its log":    {func(f *facts) { f.aofStatus = "err" }, Ack{}, []string{"disk"}, safety{}},
		"cannot write a snapshot": {func(f *facts) { f.rdbStatus = "err" }, Ack{}, []string{"disk"}, safety{}},
		"no bound":                {func(f *facts) { f.maxMemory = "0" }, Ack{}, []string{"memory"}, safety{}},
		"replicas":                {func(f *facts) { f.replicas = 1 }, Ack{}, []string{"failover"}, safety{}},
		"replicas that it needs":  {func(f *facts) { f.replicas, f.minReplicas = 1, "1" }, Ack{}, nil, safety{}},
		"tells nothing of disks":  {func(f *facts) { f.fsync, f.fsyncPauses = "", "" }, Ack{}, []string{"unknown"}, safety{}},
		"tells nothing":           {func(f *facts) { *f = facts{} }, Ack{}, []string{"unknown"}, safety{}},

		"disk":                              {func(*facts) {}, disk, nil, safety{}},
		"disk, every second":                {func(f *facts) { f.fsync = "everysec" }, disk, []string{refused, "fsync"}, safety{}},
		"disk, pauses":                      {func(f *facts) { f.fsyncPauses = "yes" }, disk, []string{refused, "fsync"}, safety{}},
		"disk, no log":                      {func(f *facts) { f.aof = "0" }, disk, []string{refused, "persistence"}, safety{}},
		"disk, no log, can wait":            {func(f *facts) { f.aof, f.version = "0", "7.2.0" }, disk, []string{refused, "persistence"}, safety{}},
		"disk, every second, can wait":      {func(f *facts) { f.fsync, f.version = "everysec", "7.2.4" }, disk, nil, safety{disk: true}},
		"disk, tells nothing of it":         {func(f *facts) { f.fsync, f.fsyncPauses = "", "" }, disk, []string{refused, "unknown"}, safety{}},
		"disk, tells nothing, can wait":     {func(f *facts) { f.fsync, f.fsyncPauses, f.version = "", "", "8.0" }, disk, []string{"unknown"}, safety{disk: true}},
		"replicas to wait for":              {func(f *facts) { f.replicas = 2 }, two, nil, safety{replicas: 2}},
		"too few replicas to wait for":      {func(f *facts) { f.replicas = 1 }, two, []string{"failover"}, safety{replicas: 2}},
		"replicas to wait for, no disk":     {func(f *facts) { f.replicas, f.aof = 2, "0" }, two, []string{"persistence"}, safety{replicas: 2}},
		"several at once":                   {func(f *facts) { f.policy, f.maxMemory = "allkeys-lru", "0" }, Ack{}, []string{refused + "eviction", "memory"}, safety{}},
		"a version that nobody understands": {func(f *facts) { f.version = "next" }, Ack{}, nil, safety{}},
	} {
		f := sound(c.change)
		safe, concerns := f.judge(c.ack)
		var got []string
		for _, x := range concerns {
			name := x.name
			if x.refused {
				name = refused + name
			}
			got = append(got, name)
			if x.text == "" || x.name != "" && !slices.Contains(Concerns(), x.name) {
				t.Errorf("%s: %+v", name, x)
			}
		}
		if diff := cmp.Diff(c.want, got); diff != "" || safe != c.safe {
			t.Errorf("%s: wait for %+v, want %+v (-want +got)\n%s", name, safe, c.safe, diff)
		}
	}
}

// onServer is an env on a server of the test's own, and what is logged there.
type onServer struct {
	*env
	server *privateredis.Server
	log    *bytes.Buffer
}

// openOn opens a store on a server of the test's own with some options.
func openOn(t *testing.T, server *privateredis.Server, prefix string, o Options) (*onServer, error) {
	t.Helper()
	e := &onServer{server: server, log: &bytes.Buffer{}, env: &env{t: t, clock: newClock(), prefix: prefix, most: onRedis.most, request: "r"}}
	e.dial = func() redis.UniversalClient { return redistest.Client(t, server) }
	e.admin, e.client = e.dial(), e.dial()
	e.client.AddHook(watcher{t, prefix})
	o.Prefix, o.HashKeyFingerprint, o.Clock, o.Logger = prefix, "tests", e.clock.Now, slog.New(slog.NewTextHandler(e.log, nil))
	var err error
	e.Store, err = Open(t.Context(), e.client, o)
	return e, err
}

// set changes the configuration of the server.
func (e *onServer) set(name, value string) {
	e.t.Helper()
	if err := e.admin.ConfigSet(e.ctx(), name, value).Err(); err != nil {
		e.t.Fatal(err)
	}
}

func TestRedisThatBreaksPromisesIsRefusedUnlessToldOtherwise(t *testing.T) {
	t.Parallel()
	server := redistest.Fresh(t, privateredis.Config{AppendFsync: "everysec", Extra: []string{"maxmemory-policy allkeys-lru"}})
	prefix := redistest.Prefix(t)
	for _, ack := range []string{"memory", "disk"} {
		a, err := ParseAck(ack)
		if err != nil {
			t.Fatal(err)
		}
		e, err := openOn(t, server, prefix, Options{Durability: &Durability{Ack: a}})
		unsafe, ok := errors.AsType[*UnsafeError](err)
		want := []string{"eviction"}
		if ack == "disk" {
			want = []string{"eviction", ""}
		}
		if !ok || !slices.Equal(unsafe.Names, want) || !strings.Contains(err.Error(), "allkeys-lru") {
			t.Errorf("%s: %v", ack, err)
		}
		if n := e.admin.Exists(t.Context(), prefix+":{m}").Val(); n != 0 {
			t.Error("a store was made where it was refused")
		}
	}
	e, err := openOn(t, server, prefix, Options{Durability: &Durability{Allow: []string{"eviction", "memory"}}})
	if err != nil {
		t.Fatal(err)
	}
	log := e.log.String()
	for _, want := range []string{"allkeys-lru", "appendfsync is everysec"} {
		if strings.Count(log, want) != 1 {
			t.Errorf("%q is not said once in\n%s", want, log)
		}
	}
	if strings.Contains(log, "maxmemory is 0") {
		t.Errorf("what is allowed was warned about:\n%s", log)
	}
	if err := e.Ping(t.Context()); err != nil || e.log.String() != log {
		t.Errorf("Ping: %v, and now the log is\n%s", err, e.log)
	}
}

func TestReplicaIsRefused(t *testing.T) {
	t.Parallel()
	master := redistest.Fresh(t, privateredis.Config{})
	replica := redistest.Fresh(t, privateredis.Config{Extra: []string{replicaOf(master)}})
	_, err := openOn(t, replica, redistest.Prefix(t), Options{Durability: &Durability{}})
	if _, ok := errors.AsType[*UnsafeError](err); !ok || !strings.Contains(err.Error(), "replica") {
		t.Errorf("%v", err)
	}
}

func TestNodeOfAClusterIsRefused(t *testing.T) {
	t.Parallel()
	_, err := openOn(t, redistest.Cluster(t).Nodes()[0], redistest.Prefix(t), Options{Durability: &Durability{}})
	if _, ok := errors.AsType[*UnsafeError](err); !ok || !strings.Contains(err.Error(), "Cluster") {
		t.Errorf("%v", err)
	}
}

func TestRedisThatTellsLittleIsServedFromWithAWarning(t *testing.T) {
	t.Parallel()
	server := redistest.Fresh(t, privateredis.Config{AppendFsync: "always", Extra: []string{`rename-command CONFIG ""`}})
	e, err := openOn(t, server, redistest.Prefix(t), Options{Durability: &Durability{}})
	if err != nil {
		t.Fatal(err)
	}
	if log := e.log.String(); !strings.Contains(log, "does not tell its appendfsync:") {
		t.Errorf("it is not said in\n%s", log)
	}
	if err := e.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	// What cannot be known cannot be promised.
	if _, err := openOn(t, server, redistest.Prefix(t), Options{Durability: &Durability{Ack: AckDisk()}}); !isError[*UnsafeError](err) {
		t.Errorf("on disk: %v", err)
	}

	locked := redistest.Fresh(t, privateredis.Config{})
	if err := redistest.Client(t, locked).Do(t.Context(), "acl", "setuser", "default", "-config", "-info").Err(); err != nil {
		t.Fatal(err)
	}
	if e, err = openOn(t, locked, redistest.Prefix(t), Options{Durability: &Durability{}}); err != nil {
		t.Fatal(err)
	}
	if log := e.log.String(); !strings.Contains(log, "does not tell its appendfsync, appendonly, maxmemory, maxmemory-policy, role, version:") {
		t.Errorf("it is not said in\n%s", log)
	}
}

// Row 10 of the faults: the policy changes while the server runs.
func TestRedisThatBeginsToEvictIsNotServedFromUntilItStops(t *testing.T) {
	t.Parallel()
	server := redistest.Fresh(t, privateredis.Config{AppendFsync: "always"})
	e, err := openOn(t, server, redistest.Prefix(t), Options{Durability: &Durability{Ack: AckDisk()}})
	if err != nil {
		t.Fatal(err)
	}
	p := prepareCalls(e.env)
	for name, change := range map[string][3]string{
		"evicts":            {"maxmemory-policy", "allkeys-random", "noeviction"},
		"syncs less often":  {"appendfsync", "everysec", "always"},
		"pauses to sync":    {"no-appendfsync-on-rewrite", "yes", "no"},
		"keeps nothing":     {"appendonly", "no", "yes"},
		"evicts what dates": {"maxmemory-policy", "volatile-lru", "noeviction"},
	} {
		e.log.Reset()
		e.set(change[0], change[1])
		for range 2 {
			if err := e.Ping(e.ctx()); !isError[*domain.UnavailableError](err) {
				t.Errorf("%s: Ping says %v", name, err)
			}
		}
		e.allUnavailable(p)
		if n := strings.Count(e.log.String(), "refusing to serve"); n != 1 {
			t.Errorf("%s: said %d times:\n%s", name, n, e.log)
		}
		e.set(change[0], change[2])
		if err := e.Ping(e.ctx()); err != nil {
			t.Errorf("%s: mended, Ping says %v", name, err)
		}
		e.allSucceed(p)
		if _, err := e.CreateCoupon(e.ctx(), domain.CreateCoupon{Coupon: percentOff("spare")}); err == nil {
			t.Error("a deleted coupon is not deleted any more")
		}
	}
}

func replicaOf(master *privateredis.Server) string {
	host, port, _ := strings.Cut(master.Addr(), ":")
	return "replicaof " + host + " " + port
}
