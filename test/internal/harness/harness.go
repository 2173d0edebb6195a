// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

// Package harness runs discountd for tests that know nothing of it but its API: as
// processes of their own, which can be killed and started again, or within the
// test's process, where the clock can be set.
//
// The binary of a test that uses it calls redistest.Main from TestMain.
package harness

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"os"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/discountd/discountd/domain"
	discountv1 "github.com/discountd/discountd/gen/discount/v1"
	"github.com/discountd/discountd/redisstore"
	"github.com/discountd/discountd/server"
)

// Patience bounds what is expected to happen, on a machine that is busy with other
// tests.
const Patience = 20 * time.Second

// hashKey is the key that all servers of the tests hash e-mail addresses with.
var hashKey = bytes.Repeat([]byte("acceptance"), 4)

// Service is a connection to a running discountd.
type Service struct {
	discountv1.CouponServiceClient
	discountv1.RedemptionServiceClient
	discountv1.CreditServiceClient
	Health healthpb.HealthClient
	Conn   *grpc.ClientConn
}

// Connect returns the service that listens at an address, now or later. A
// connection that is lost is tried again every 200 ms at least.
func Connect(t testing.TB, address string) *Service {
	t.Helper()
	conn, err := grpc.NewClient(address,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 20 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 200 * time.Millisecond},
			MinConnectTimeout: time.Second,
		}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})
	return &Service{
		CouponServiceClient:     discountv1.NewCouponServiceClient(conn),
		RedemptionServiceClient: discountv1.NewRedemptionServiceClient(conn),
		CreditServiceClient:     discountv1.NewCreditServiceClient(conn),
		Health:                  healthpb.NewHealthClient(conn),
		Conn:                    conn,
	}
}

// InProcess says how a server within the test's process is run.
type InProcess struct {
	// Prefix begins its keys. Servers with one prefix are one service.
	Prefix string
	// Clock is what it takes for the present; nil is the real one.
	Clock func() time.Time
	// DefaultDeadline is that of calls without one; 0 is the service's own.
	DefaultDeadline time.Duration
}

// Start runs a server on a given Redis until the test ends.
func (p InProcess) Start(t testing.TB, client redis.UniversalClient) *Service {
	t.Helper()
	hasher, err := domain.NewHasher(hashKey)
	if err != nil {
		t.Fatal(err)
	}
	o := redisstore.Options{Prefix: p.Prefix, HashKeyFingerprint: hasher.Fingerprint(), Clock: p.Clock}
	if os.Getenv("DISCOUNTD_GATHER") == "false" {
		o.NoGathering, o.CacheBytes = true, -1 // the tests hold either way, and run both ways
	}
	store, err := redisstore.Open(t.Context(), client, o)
	if err != nil {
		t.Fatal(err)
	}
	srv, err := server.New(server.Config{
		Store: store, Hasher: hasher, Logger: slog.New(slog.DiscardHandler), Clock: time.Now,
		Limits: server.Limits{DefaultDeadline: p.DefaultDeadline},
	})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(listener) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), Patience)
		defer cancel()
		if err := srv.Shutdown(ctx); err != nil {
			t.Error("shut the server down:", err)
		}
		if err := <-served; err != nil {
			t.Error("serve:", err)
		}
	})
	return Connect(t, listener.Addr().String())
}

// Within returns a context for one call that is expected to be answered.
func Within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	t.Cleanup(cancel)
	return ctx
}

// Await polls until what is waited for has come, and fails the test if it does not
// come within a time.
func Await(t testing.TB, within time.Duration, what string, come func(context.Context) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !come(ctx) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%s: not within %s", what, within)
		}
	}
}

// AwaitHealth waits for what the health service says of the server and of each of
// its services.
func (s *Service) AwaitHealth(t testing.TB, want healthpb.HealthCheckResponse_ServingStatus) {
	t.Helper()
	Await(t, Patience, "health "+want.String(), func(ctx context.Context) bool {
		for _, name := range []string{
			"", discountv1.CouponService_ServiceDesc.ServiceName, discountv1.RedemptionService_ServiceDesc.ServiceName,
			discountv1.CreditService_ServiceDesc.ServiceName,
		} {
			got, err := s.Health.Check(ctx, &healthpb.HealthCheckRequest{Service: name})
			if err != nil || got.GetStatus() != want {
				return false
			}
		}
		return true
	})
}

// Torture returns the long form of a number when the environment has TORTURE, and
// the short one otherwise.
func Torture[T any](short, long T) T {
	if os.Getenv("TORTURE") != "" {
		return long
	}
	return short
}
