// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

// Package binary runs bin/discountd, as built by make, for tests that want the
// program as its users get it.
package binary

import (
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
)

// Starting and stopping take well under a second; a busy machine gets more.
const patience = 30 * time.Second

// Service is a running discountd.
type Service struct {
	// Address is where it listens, as host:port.
	Address string

	process *exec.Cmd
	exited  chan error
	output  buffer
}

// Path returns the absolute path of a program in bin, and fails the test when
// it has not been built.
func Path(t testing.TB, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "..", "bin", name))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v: run this test through make, which builds it", err)
	}
	return path
}

// Start runs discountd with a private Redis in dataDir and returns once it
// reports that it serves. It is stopped when the test ends, if not before.
func Start(t testing.TB, dataDir string) *Service {
	t.Helper()
	s := &Service{Address: freeAddress(t), exited: make(chan error, 1)}
	s.process = exec.Command(Path(t, "discountd"),
		"--listen="+s.Address, "--redis=auto", "--data-dir="+dataDir)
	s.process.Stdout = &s.output
	s.process.Stderr = &s.output
	if err := s.process.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { s.exited <- s.process.Wait() }()
	t.Cleanup(func() {
		s.Stop(t)
		if t.Failed() {
			t.Logf("output of discountd:\n%s", s.output.String())
		}
	})
	s.awaitServing(t)
	return s
}

// Stop ends the service by SIGTERM and waits until it is gone. Stopping a
// stopped one does nothing.
func (s *Service) Stop(t testing.TB) {
	t.Helper()
	if s.process == nil {
		return
	}
	process := s.process
	s.process = nil
	if err := process.Process.Signal(syscall.SIGTERM); err != nil {
		t.Errorf("stop discountd: %v", err)
	}
	select {
	case err := <-s.exited:
		if err != nil {
			t.Errorf("discountd stopped with: %v", err)
		}
	case <-time.After(patience):
		t.Errorf("discountd did not stop within %v of SIGTERM", patience)
		if err := process.Process.Kill(); err != nil {
			t.Error(err)
		}
		t.Logf("discountd, killed: %v", <-s.exited)
	}
}

// awaitServing returns when the health service says SERVING.
func (s *Service) awaitServing(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := grpc.NewClient(s.Address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()

	watch, err := healthpb.NewHealthClient(conn).Watch(ctx, &healthpb.HealthCheckRequest{}, grpc.WaitForReady(true))
	if err != nil {
		t.Fatalf("discountd does not answer: %v", err)
	}
	for {
		health, err := watch.Recv()
		if err != nil {
			t.Fatalf("discountd does not serve: %v", err)
		}
		if health.GetStatus() == healthpb.HealthCheckResponse_SERVING {
			return
		}
	}
}

// freeAddress returns a loopback address that nothing listens on now.
func freeAddress(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// buffer is a bytes.Buffer that the process may write to while it is read.
type buffer struct {
	mu   sync.Mutex
	data bytes.Buffer
}

var _ io.Writer = (*buffer)(nil)

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.data.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.data.String()
}
