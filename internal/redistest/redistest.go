// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

// Package redistest gives tests the stores they run on: real redis-servers that
// it starts on free ports, an embedded one, and a network between test and store
// that a test can harm.
//
// A test binary that uses it has
//
//	func TestMain(m *testing.M) { redistest.Main(m) }
//
// Nothing is ever flushed: tests share a server by giving their keys a prefix of
// their own, see [Prefix], and so may run in parallel. Tests that kill, pause or
// fill a server start their own with [Fresh].
package redistest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"go.uber.org/goleak"

	"github.com/discountd/discountd/internal/privateredis"
)

const (
	// startTimeout bounds the start of one server or cluster, on a machine that
	// runs all tests at once.
	startTimeout = time.Minute
	// clusterSize is the number of masters that Cluster has.
	clusterSize = 3
)

// current is what Main made for this test binary; nil when it was not called.
var current *harness

// harness owns what the tests of one binary share.
type harness struct {
	root    string
	server  lazy[*privateredis.Server]
	cluster lazy[*privateredis.Cluster]
}

// lazy is a value that is made at most once, when it is first asked for.
type lazy[T any] struct {
	once  sync.Once
	value T
	err   error
}

func (l *lazy[T]) get(make func() (T, error)) (T, error) {
	l.once.Do(func() { l.value, l.err = make() })
	return l.value, l.err
}

// Main runs the tests of a binary and ends the process. It gives them a temporary
// directory of their own, stops what they share, and fails if any goroutine or,
// where the system tells (Linux), any process that was started below that
// directory is left. What is left is killed.
//
// When all tests have passed, and what they share still runs, it fails if a check
// does: one of what they have all done together.
func Main(m *testing.M, checks ...func() error) {
	code, err := run(func() int {
		code := m.Run()
		for _, check := range checks {
			if code != 0 {
				break
			}
			if err := check(); err != nil {
				fmt.Fprintln(os.Stderr, err)
				code = 1
			}
		}
		return code
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, "redistest:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// run does all of Main but ending the process.
func run(tests func() int) (code int, err error) {
	root, err := os.MkdirTemp("", "discountd-test-")
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(root)) }()
	// Every temporary directory of the tests and their children lies below root,
	// which is how leftovers are found.
	if err := os.Setenv("TMPDIR", root); err != nil {
		return 1, err
	}
	logging.Disable() // what go-redis logs it also returns, and faults are on purpose here
	current = &harness{root: root}
	code = tests()
	return code, errors.Join(current.stop(), killLeftovers(root), goleak.Find())
}

// stop ends what the tests shared. They keep nothing, so there is nothing to be
// gentle about.
func (h *harness) stop() error {
	var errs []error
	if s := h.server.value; s != nil {
		errs = append(errs, s.Kill())
	}
	if c := h.cluster.value; c != nil {
		errs = append(errs, c.Kill())
	}
	return errors.Join(errs...)
}

// Server returns the redis-server that all tests of this binary share. It keeps
// nothing on disk. Keys need a prefix, see Prefix.
func Server(t testing.TB) *privateredis.Server {
	t.Helper()
	h := require(t)
	s, err := h.server.get(func() (*privateredis.Server, error) {
		dir, err := os.MkdirTemp(h.root, "server")
		if err != nil {
			return nil, err
		}
		ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
		defer cancel()
		return privateredis.StartTCP(ctx, privateredis.Config{Dir: dir, DieWithParent: true})
	})
	if err != nil {
		t.Fatalf("start the shared redis-server: %v", err)
	}
	return s
}

// Cluster returns the cluster of 3 masters that all tests of this binary share.
// The first caller waits some seconds for it.
func Cluster(t testing.TB) *privateredis.Cluster {
	t.Helper()
	h := require(t)
	c, err := h.cluster.get(func() (*privateredis.Cluster, error) {
		dir, err := os.MkdirTemp(h.root, "cluster")
		if err != nil {
			return nil, err
		}
		ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
		defer cancel()
		return privateredis.StartCluster(ctx, clusterSize, dir, privateredis.Config{DieWithParent: true})
	})
	if err != nil {
		t.Fatalf("start the shared cluster: %v", err)
	}
	return c
}

// Fresh starts a server for this test alone, which may do to it what it likes; it
// is killed in the end. Dir and Port are chosen unless given.
func Fresh(t testing.TB, config privateredis.Config) *privateredis.Server {
	t.Helper()
	require(t)
	config.DieWithParent = true
	if config.Dir == "" {
		config.Dir = t.TempDir()
	}
	ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
	defer cancel()
	start := privateredis.StartTCP
	if config.Socket != "" || config.Port != 0 {
		start = privateredis.Start
	}
	s, err := start(ctx, config)
	if err != nil {
		t.Fatalf("start a redis-server: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Kill(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// FreshCluster starts a cluster of n masters for this test alone.
func FreshCluster(t testing.TB, n int, config privateredis.Config) *privateredis.Cluster {
	t.Helper()
	require(t)
	config.DieWithParent = true
	ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
	defer cancel()
	c, err := privateredis.StartCluster(ctx, n, t.TempDir(), config)
	if err != nil {
		t.Fatalf("start a cluster: %v", err)
	}
	t.Cleanup(func() {
		if err := c.Kill(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// Mini starts an embedded miniredis for this test.
func Mini(t testing.TB) *miniredis.Miniredis {
	t.Helper()
	return miniredis.RunT(t)
}

// Clienter is a store that makes clients of itself: a *privateredis.Server or a
// *privateredis.Cluster.
type Clienter[C redis.UniversalClient] interface{ Client() C }

// Client returns a client that is closed when the test ends. The test fails when a
// script or a transaction that it sends has keys of different slots.
func Client[C redis.UniversalClient](t testing.TB, store Clienter[C]) C {
	t.Helper()
	c := store.Client()
	c.AddHook(oneSlot{t})
	closeAtEnd(t, c)
	return c
}

// ClientAt returns a client of the standalone server at a TCP address, such as
// that of a Mini or a Link. It is as one that Client returns.
func ClientAt(t testing.TB, addr string) *redis.Client {
	t.Helper()
	c := privateredis.ClientAt(addr)
	c.AddHook(oneSlot{t})
	closeAtEnd(t, c)
	return c
}

func closeAtEnd(t testing.TB, c redis.UniversalClient) {
	t.Helper()
	t.Cleanup(func() {
		if err := c.Close(); err != nil && !errors.Is(err, redis.ErrClosed) {
			t.Error(err)
		}
	})
}

// Prefix returns a prefix for keys that no other test uses. It has neither colons
// nor braces.
func Prefix(t testing.TB) string {
	t.Helper()
	return "t" + strings.ToLower(rand.Text()[:12])
}

// require fails the test unless Main runs and a redis-server can be started.
// Leaving such tests out would look like success.
func require(t testing.TB) *harness {
	t.Helper()
	if current == nil {
		t.Fatal("redistest: call redistest.Main from TestMain")
	}
	if _, err := privateredis.Find(); err != nil {
		t.Fatalf("%v: `make test` installs one", err)
	}
	return current
}

// killLeftovers kills every process that was started below root and is an error
// when there was one.
func killLeftovers(root string) error {
	pids, err := processesBelow(root)
	if err != nil {
		return err
	}
	var errs []error
	for _, pid := range pids {
		name, _ := os.ReadFile(filepath.Join("/proc", fmt.Sprint(pid), "cmdline"))
		errs = append(errs, fmt.Errorf("the tests left process %d running: %s",
			pid, strings.ReplaceAll(string(name), "\x00", " ")))
		p, err := os.FindProcess(pid)
		if err == nil {
			err = p.Kill()
		}
		if err != nil && !errors.Is(err, os.ErrProcessDone) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
