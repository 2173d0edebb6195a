// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package privateredis_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/discountd/discountd/internal/privateredis"
	"github.com/discountd/discountd/internal/redistest"
)

func TestAcknowledgedWritesSurviveKillAndStop(t *testing.T) {
	t.Parallel()
	s := redistest.Fresh(t, privateredis.Config{AppendFsync: "always"})
	c := redistest.Client(t, s)
	for name, end := range map[string]func() error{
		"kill": s.Kill,
		"stop": func() error { return s.Stop(t.Context()) },
	} {
		addr, before := s.Addr(), s.PID()
		if err := c.Set(t.Context(), name, "kept", 0).Err(); err != nil {
			t.Fatal(err)
		}
		if err := end(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := c.Ping(t.Context()).Err(); err == nil {
			t.Fatalf("%s: still answers", name)
		}
		if err := s.Restart(t.Context()); err != nil {
			t.Fatalf("%s: restart: %v", name, err)
		}
		if s.Addr() != addr || s.PID() == before {
			t.Errorf("%s: restarted at %s as %d, was at %s as %d", name, s.Addr(), s.PID(), addr, before)
		}
		if v, err := c.Get(t.Context(), name).Result(); v != "kept" {
			t.Errorf("%s: %q, %v", name, v, err)
		}
	}
}

func TestRestartOfARunningServerIsRefused(t *testing.T) {
	t.Parallel()
	if err := redistest.Fresh(t, privateredis.Config{}).Restart(t.Context()); err == nil {
		t.Error("restarted while running")
	}
}

func TestPausedServerIsSilentUntilResumed(t *testing.T) {
	t.Parallel()
	s := redistest.Fresh(t, privateredis.Config{})
	c := redistest.Client(t, s)
	if err := s.Pause(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := c.Ping(ctx).Err(); err == nil {
		t.Error("a paused server answered")
	}
	if err := s.Resume(); err != nil {
		t.Fatal(err)
	}
	if err := c.Ping(t.Context()).Err(); err != nil {
		t.Errorf("after Resume: %v", err)
	}
}

func TestConfigReachesTheServer(t *testing.T) {
	t.Parallel()
	s := redistest.Fresh(t, privateredis.Config{
		AppendFsync: "everysec", MaxMemory: "3mb", Extra: []string{"databases 3"},
	})
	c := redistest.Client(t, s)
	for name, want := range map[string]string{
		"appendonly": "yes", "appendfsync": "everysec", "maxmemory": "3145728", "maxmemory-policy": "noeviction",
		"databases": "3", "save": "", "bind": "127.0.0.1", "protected-mode": "yes",
	} {
		got, err := c.ConfigGet(t.Context(), name).Result()
		if err != nil || got[name] != want {
			t.Errorf("%s = %q, %v; want %q", name, got[name], err, want)
		}
	}
}

func TestFailedStartQuotesTheLog(t *testing.T) {
	t.Parallel()
	_, err := privateredis.Start(t.Context(), privateredis.Config{
		Dir: t.TempDir(), Port: 1, Extra: []string{"no-such-setting yes"},
	})
	if err == nil || !strings.Contains(err.Error(), "no-such-setting") {
		t.Errorf("%v, want an error that names the setting", err)
	}
}

func TestStartAtATakenPortFails(t *testing.T) {
	t.Parallel()
	taken := redistest.Server(t).Config().Port
	if _, err := privateredis.Start(t.Context(), privateredis.Config{Dir: t.TempDir(), Port: taken}); err == nil {
		t.Error("two servers at one port")
	}
}

func TestServerOnASocketHasNoPort(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := redistest.Fresh(t, privateredis.Config{Dir: dir, Socket: filepath.Join(dir, "s")})
	c := redistest.Client(t, s)
	got, err := c.ConfigGet(t.Context(), "port").Result()
	if err != nil || got["port"] != "0" {
		t.Errorf("port %q, %v; want 0", got["port"], err)
	}
}

func TestFindWithoutAServerOnPath(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if path, err := privateredis.Find(); !errors.Is(err, privateredis.ErrNotFound) {
		t.Errorf("Find() = %q, %v", path, err)
	}
}

func TestKilledClusterNodeComesBack(t *testing.T) {
	t.Parallel()
	cluster := redistest.FreshCluster(t, 3, privateredis.Config{AppendFsync: "always"})
	node := cluster.Nodes()[1]
	if err := node.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := node.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	info, err := redistest.Client(t, node).ClusterInfo(t.Context()).Result()
	if err != nil || !strings.Contains(info, "cluster_known_nodes:3\r\n") {
		t.Errorf("the node forgot its cluster: %s %v", info, err)
	}
}
