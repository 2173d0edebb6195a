// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package harness

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

// A Process is a discountd that runs by itself. It is stopped, as its operator
// would, when the test ends.
type Process struct {
	// Service is connected to it, through restarts.
	*Service

	t       testing.TB
	path    string
	args    []string
	address string // empty until it has served once
	log     *processLog

	cmd    *exec.Cmd // nil while it does not run
	exited chan error
}

// StartProcesses runs n servers on one Redis, each a process of its own, and
// returns once all of them serve.
func StartProcesses(t testing.TB, n int, redisURL string) []*Process {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(t.TempDir(), "hash.key")
	if err := os.WriteFile(key, hashKey, 0o600); err != nil {
		t.Fatal(err)
	}
	var all []*Process
	for range n {
		p := &Process{t: t, path: path, log: newLog(), args: []string{
			"--redis=" + redisURL, "--data-dir=" + t.TempDir(), "--hash-key-file=" + key,
			"--log-format=json", "--drain-timeout=5s",
		}}
		t.Cleanup(func() {
			p.Stop()
			if t.Failed() {
				t.Logf("log of discountd at %s:\n%s", p.address, p.log.text())
			}
		})
		p.Start()
		all = append(all, p)
	}
	return all
}

// Start runs the process, at the address of the one before if there was one, and
// returns once it serves.
func (p *Process) Start() {
	p.t.Helper()
	listen := p.address
	if listen == "" {
		listen = "127.0.0.1:0"
	}
	cmd := exec.Command(p.path, append([]string{"--listen=" + listen}, p.args...)...)
	cmd.Stderr = p.log
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.cmd, p.exited = cmd, make(chan error, 1)
	go func() { p.exited <- cmd.Wait() }()
	select {
	case p.address = <-p.log.serving:
	case err := <-p.exited:
		p.cmd = nil
		p.t.Fatalf("discountd ended at once: %v\n%s", err, p.log.text())
	case <-time.After(Patience):
		p.t.Fatalf("discountd does not serve after %s", Patience)
	}
	if p.Service == nil {
		p.Service = Connect(p.t, p.address)
		p.AwaitHealth(p.t, healthpb.HealthCheckResponse_SERVING)
	}
}

// Kill ends the process at once, as a crash would, and returns when it is gone.
func (p *Process) Kill() {
	p.t.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		p.t.Fatal(err)
	}
	if err := <-p.exited; err == nil {
		p.t.Error("discountd ended by itself before it was killed")
	}
	p.cmd = nil
}

// Stop ends the process as its operator would. One that does not run is fine.
func (p *Process) Stop() {
	p.t.Helper()
	if p.cmd == nil {
		return
	}
	cmd := p.cmd
	p.cmd = nil
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Errorf("stop discountd: %v", err)
	}
	select {
	case err := <-p.exited:
		if err != nil {
			p.t.Errorf("discountd ended with: %v", err)
		}
	case <-time.After(Patience):
		p.t.Errorf("discountd still runs %s after SIGTERM", Patience)
		if err := cmd.Process.Kill(); err != nil {
			p.t.Error(err)
		}
		p.t.Logf("killed: %v", <-p.exited)
	}
}

// processLog keeps what a server logs and finds the addresses that it serves at,
// one each time it is started.
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
