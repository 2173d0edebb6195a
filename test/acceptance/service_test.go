// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package acceptance

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/discountd/discountd/domain"
	discountv1 "github.com/discountd/discountd/gen/discount/v1"
	"github.com/discountd/discountd/internal/redistest"
	"github.com/discountd/discountd/redisstore"
	"github.com/discountd/discountd/server"
)

// deadline bounds a call that is expected to be answered.
const deadline = 20 * time.Second

// service is a running discountd as its users see it.
type service struct {
	discountv1.CouponServiceClient
	discountv1.RedemptionServiceClient
	discountv1.CreditServiceClient
	health healthpb.HealthClient
	conn   *grpc.ClientConn

	// clock is what the server takes for the present, and prefix what its keys
	// begin with; only a server in this process has them.
	clock  *clock
	prefix string
}

// start runs a server of this test alone on the redis-server that all tests
// share.
func start(t *testing.T) *service {
	t.Helper()
	return startOn(t, redistest.Client(t, redistest.Server(t)), redistest.Prefix(t))
}

// startOn runs a server on a given Redis. Servers with one prefix are one
// service.
func startOn(t *testing.T, client redis.UniversalClient, prefix string) *service {
	t.Helper()
	hasher, err := domain.NewHasher(bytes.Repeat([]byte("acceptance"), 4))
	if err != nil {
		t.Fatal(err)
	}
	now := newClock()
	store, err := redisstore.Open(t.Context(), client, redisstore.Options{
		Prefix: prefix, HashKeyFingerprint: hasher.Fingerprint(), Clock: now.read,
	})
	if err != nil {
		t.Fatal(err)
	}
	srv, err := server.New(server.Config{
		Store: store, Hasher: hasher, Logger: slog.New(slog.DiscardHandler), Clock: time.Now,
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
		ctx, cancel := context.WithTimeout(context.Background(), deadline)
		defer cancel()
		if err := srv.Shutdown(ctx); err != nil {
			t.Error("shut the server down:", err)
		}
		if err := <-served; err != nil {
			t.Error("serve:", err)
		}
	})
	s := connect(t, listener.Addr().String())
	s.clock, s.prefix = now, prefix
	return s
}

// connect returns the service that listens at an address.
func connect(t *testing.T, address string) *service {
	t.Helper()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &service{
		CouponServiceClient:     discountv1.NewCouponServiceClient(conn),
		RedemptionServiceClient: discountv1.NewRedemptionServiceClient(conn),
		CreditServiceClient:     discountv1.NewCreditServiceClient(conn),
		health:                  healthpb.NewHealthClient(conn),
		conn:                    conn,
	}
}

// within returns a context for one call that is expected to be answered.
func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	t.Cleanup(cancel)
	return ctx
}

// clock stands still until it is set.
type clock struct{ millis atomic.Int64 }

// today is when every test begins.
var today = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func newClock() *clock {
	c := &clock{}
	c.set(today)
	return c
}

func (c *clock) set(now time.Time) { c.millis.Store(now.UnixMilli()) }

func (c *clock) read() time.Time { return time.UnixMilli(c.millis.Load()).UTC() }
