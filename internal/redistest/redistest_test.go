// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redistest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/discountd/discountd/internal/privateredis"
)

func TestMain(m *testing.M) { Main(m) }

func TestServerIsSharedAndPrefixesAreNot(t *testing.T) {
	t.Parallel()
	if a, b := Server(t), Server(t); a != b {
		t.Errorf("two servers, at %s and %s", a.Addr(), b.Addr())
	}
	if a, b := Prefix(t), Prefix(t); a == b {
		t.Errorf("prefix %q given twice", a)
	}
	c := Client(t, Server(t))
	if err := c.Set(t.Context(), Prefix(t)+":k", "v", 0).Err(); err != nil {
		t.Error(err)
	}
}

func TestClusterServesEverySlot(t *testing.T) {
	t.Parallel()
	c := Client(t, Cluster(t))
	prefix := Prefix(t)
	for i := range 100 {
		key := prefix + ":" + strings.Repeat("x", i)
		if err := c.Set(t.Context(), key, i, 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(Cluster(t).Nodes()); n != 3 {
		t.Errorf("%d nodes, want 3", n)
	}
}

func TestFreshServerIsNotTheSharedOne(t *testing.T) {
	t.Parallel()
	s := Fresh(t, privateredis.Config{})
	if s.Addr() == Server(t).Addr() {
		t.Errorf("a fresh server at the shared server's address %s", s.Addr())
	}
}

func TestMiniAnswers(t *testing.T) {
	t.Parallel()
	if err := ClientAt(t, Mini(t).Addr()).Ping(t.Context()).Err(); err != nil {
		t.Error(err)
	}
}

func TestMissingRedisServerFailsAndNamesTheRemedy(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	tb := &recorder{TB: t}
	func() {
		defer func() { _ = recover() }() // recorder's Fatalf
		Server(tb)
	}()
	if !strings.Contains(tb.fatal, "make test") {
		t.Errorf("failed with %q, which does not name `make test`", tb.fatal)
	}
}

// recorder notes how a helper fails a test instead of failing it.
type recorder struct {
	testing.TB
	fatal string
}

func (r *recorder) Helper() {}

func (r *recorder) Fatalf(format string, args ...any) {
	r.fatal = fmt.Sprintf(format, args...)
	panic(r)
}

func TestLeftoverProcessIsKilledAndReported(t *testing.T) {
	if runtime.GOOS != "linux" {
		return // processesBelow finds nothing elsewhere, as documented
	}
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	work := filepath.Join(root, "work")
	if err := os.Mkdir(work, 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sleep", "600")
	cmd.Dir = work
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	err = killLeftovers(root)
	if err == nil || !strings.Contains(err.Error(), "sleep 600") {
		t.Errorf("killLeftovers: %v, want an error that names the process", err)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("the process ended by itself")
	}
	if err := killLeftovers(root); err != nil {
		t.Errorf("second time: %v", err)
	}
}
