// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package acceptance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/discountd/discountd/internal/privateredis"
)

// program is the path of discountd, built when it is first asked for.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "program")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "discountd")
	out, err := exec.Command("go", "build", "-o", path, "github.com/discountd/discountd/cmd/discountd").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

// startProcesses runs n servers, each a process of its own, on one Redis, until
// the test ends, and returns once all of them serve.
func startProcesses(t *testing.T, n int, redis *privateredis.Server) []*service {
	t.Helper()
	key := filepath.Join(t.TempDir(), "hash.key")
	if err := os.WriteFile(key, bytes.Repeat([]byte("acceptance"), 4), 0o600); err != nil {
		t.Fatal(err)
	}
	var all []*service
	for range n {
		all = append(all, startProcess(t, redis, key))
	}
	return all
}

func startProcess(t *testing.T, redis *privateredis.Server, hashKey string) *service {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	log := newLog()
	cmd := exec.Command(path, "--listen=127.0.0.1:0", "--redis="+redis.URL(), "--data-dir="+t.TempDir(),
		"--hash-key-file="+hashKey, "--log-format=json", "--drain-timeout=5s")
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	t.Cleanup(func() {
		stopProcess(t, cmd, exited)
		if t.Failed() {
			t.Logf("log of discountd %d:\n%s", cmd.Process.Pid, log.text())
		}
	})
	select {
	case address := <-log.serving:
		s := connect(t, address)
		s.wantHealth(t, healthpb.HealthCheckResponse_SERVING)
		return s
	case err := <-exited:
		exited <- err
		t.Fatalf("discountd ended at once: %v", err)
	case <-time.After(deadline):
		t.Fatalf("discountd does not serve after %s", deadline)
	}
	return nil
}

// stopProcess ends a server as its operator would.
func stopProcess(t *testing.T, cmd *exec.Cmd, exited <-chan error) {
	t.Helper()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Errorf("stop discountd: %v", err)
	}
	select {
	case err := <-exited:
		if err != nil {
			t.Errorf("discountd ended with: %v", err)
		}
	case <-time.After(deadline):
		t.Errorf("discountd still runs %s after SIGTERM", deadline)
		if err := cmd.Process.Kill(); err != nil {
			t.Error(err)
		}
		t.Logf("killed: %v", <-exited)
	}
}

// processLog keeps what a server logs and finds the address that it serves at.
type processLog struct {
	serving chan string

	mu   sync.Mutex
	all  bytes.Buffer
	rest []byte // the beginning of a line
}

func newLog() *processLog { return &processLog{serving: make(chan string, 1)} }

// Write implements io.Writer.
func (l *processLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all.Write(p)
	l.rest = append(l.rest, p...)
	for {
		line, rest, whole := bytes.Cut(l.rest, []byte("\n"))
		if !whole {
			return len(p), nil
		}
		l.rest = rest
		var record struct{ Msg, Address string }
		if json.Unmarshal(line, &record) == nil && record.Msg == "serving" {
			l.serving <- record.Address
		}
	}
}

func (l *processLog) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.String()
}
