// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package privateredis_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/discountd/discountd/internal/privateredis"
	"github.com/discountd/discountd/internal/redistest"
)

// crashEnv names the data directory of a child that opens it and is killed.
const crashEnv = "PRIVATEREDIS_TEST_CRASH_IN"

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashEnv); dir != "" {
		crashIn(dir)
	}
	redistest.Main(m)
}

// crashIn writes to the server of a data directory and ends as kill -9 does.
func crashIn(dir string) {
	d, err := privateredis.OpenDir(context.Background(), dir, slog.Default())
	if err == nil {
		err = redis.NewClient(d.Options()).Set(context.Background(), "k", "kept", 0).Err()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
	fmt.Println(d.PID())
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
}

// crashedIn returns the process id of the server that a killed process left in dir.
func crashedIn(t *testing.T, dir string) (pid int) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), crashEnv+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if exit := new(exec.ExitError); !errors.As(err, &exit) || exit.ExitCode() != -1 {
		t.Fatalf("the child was to be killed: %v", err)
	}
	if _, err := fmt.Sscan(string(out), &pid); err != nil {
		t.Fatal(err)
	}
	return pid
}

func openDir(t *testing.T, path string) *privateredis.Dir {
	t.Helper()
	d, err := privateredis.OpenDir(t.Context(), path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeDir(t, d) })
	return d
}

func closeDir(t *testing.T, d *privateredis.Dir) {
	t.Helper()
	if err := d.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

func clientOf(t *testing.T, d *privateredis.Dir) *redis.Client {
	t.Helper()
	c := redis.NewClient(d.Options())
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestDirKeepsDataFromCloseToOpen(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "made", "when missing")
	d := openDir(t, path)
	if err := clientOf(t, d).Set(t.Context(), "k", "kept", 0).Err(); err != nil {
		t.Fatal(err)
	}
	closeDir(t, d)
	if err := syscall.Kill(d.PID(), 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("the server outlived Close: %v", err)
	}
	d = openDir(t, path)
	if v, err := clientOf(t, d).Get(t.Context(), "k").Result(); v != "kept" {
		t.Errorf("%q, %v", v, err)
	}
	if d.Adopted() {
		t.Error("adopted a server after a clean stop")
	}
}

func TestDirServerKeepsEveryAcknowledgedWrite(t *testing.T) {
	t.Parallel()
	c := clientOf(t, openDir(t, t.TempDir()))
	for name, want := range map[string]string{
		"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction", "save": "",
		"port": "0", "hash-max-ziplist-entries": "512",
	} {
		got, err := c.ConfigGet(t.Context(), name).Result()
		if err != nil || got[name] != want {
			t.Errorf("%s = %q, %v; want %q", name, got[name], err, want)
		}
	}
}

func TestDirServerHasAProcessGroupOfItsOwn(t *testing.T) {
	t.Parallel()
	d := openDir(t, t.TempDir())
	group, err := syscall.Getpgid(d.PID())
	if err != nil || group != d.PID() {
		t.Errorf("process %d is in group %d, %v", d.PID(), group, err)
	}
}

func TestDirInUseIsRefusedByName(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	d := openDir(t, path)
	_, err := privateredis.OpenDir(t.Context(), path, slog.New(slog.DiscardHandler))
	var inUse *privateredis.InUseError
	if !errors.As(err, &inUse) || inUse.PID != os.Getpid() || !strings.Contains(err.Error(), path) {
		t.Errorf("%v, want an error with the directory and this process", err)
	}
	if err := clientOf(t, d).Ping(t.Context()).Err(); err != nil {
		t.Errorf("the first one suffered: %v", err)
	}
}

func TestServerLeftByAKilledProcessIsAdopted(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	left := crashedIn(t, path)
	d := openDir(t, path)
	if !d.Adopted() || d.PID() != left {
		t.Errorf("server %d, adopted %v; want %d adopted", d.PID(), d.Adopted(), left)
	}
	if v, err := clientOf(t, d).Get(t.Context(), "k").Result(); v != "kept" {
		t.Errorf("%q, %v", v, err)
	}
	closeDir(t, d)
	if err := clientOf(t, d).Ping(t.Context()).Err(); err == nil {
		t.Error("the adopted server outlived Close")
	}
}

func TestServerThatDiedWithItsProcessIsReplaced(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	if err := syscall.Kill(crashedIn(t, path), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	d := openDir(t, path) // the stale socket is no obstacle
	if v, err := clientOf(t, d).Get(t.Context(), "k").Result(); v != "kept" || d.Adopted() {
		t.Errorf("%q, %v, adopted %v", v, err, d.Adopted())
	}
}

func TestServerThatEndsIsStartedAgain(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(path string) *privateredis.Dir{
		"own":     func(path string) *privateredis.Dir { return openDir(t, path) },
		"adopted": func(path string) *privateredis.Dir { crashedIn(t, path); return openDir(t, path) },
	} {
		d := open(t.TempDir())
		c := clientOf(t, d)
		if err := c.Set(t.Context(), "k", name, 0).Err(); err != nil {
			t.Fatal(err)
		}
		ended := d.PID()
		if err := syscall.Kill(ended, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		awaitOther(t, d, ended)
		if v, err := c.Get(t.Context(), "k").Result(); v != name {
			t.Errorf("%s: %q, %v", name, v, err)
		}
	}
}

// awaitOther polls until the server is another process, for some seconds at most.
func awaitOther(t *testing.T, d *privateredis.Dir, ended int) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for d.PID() == ended {
		select {
		case <-deadline:
			t.Fatalf("process %d was not replaced", ended)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func TestLongPathGetsASocketElsewhere(t *testing.T) {
	path := filepath.Join(t.TempDir(), strings.Repeat("long", 25))
	base := os.TempDir()
	short, err := os.MkdirTemp("", "run")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("XDG_RUNTIME_DIR", short)
	d := openDir(t, path)
	if err := clientOf(t, d).Ping(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	socket := d.Options().Addr
	if !strings.HasPrefix(socket, short+"/") {
		t.Errorf("socket at %s, want it below %s", socket, short)
	}
	closeDir(t, d)

	// Whoever else may write there may not put a server of theirs in.
	if err := os.Chmod(filepath.Dir(socket), 0o777); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", short)
	if _, err := privateredis.OpenDir(t.Context(), path, slog.Default()); err == nil {
		t.Error("opened with a socket directory that everybody may write to")
	}

	t.Setenv("XDG_RUNTIME_DIR", filepath.Join(short, "none"))
	t.Setenv("TMPDIR", base)
	d = openDir(t, path)
	if socket := d.Options().Addr; !strings.HasPrefix(socket, base+"/") {
		t.Errorf("without a runtime directory: socket at %s, want it below %s", socket, base)
	}
}

func TestOpenDirEndsWithItsContext(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := privateredis.OpenDir(ctx, path, slog.Default()); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want context canceled", err)
	}
	openDir(t, path) // nothing was left locked or running
}
