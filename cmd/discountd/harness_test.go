// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	discountv1 "github.com/discountd/discountd/gen/discount/v1"
	"github.com/discountd/discountd/internal/privateredis"
	"github.com/discountd/discountd/internal/redistest"
)

func TestMain(m *testing.M) { redistest.Main(m) }

// patience bounds what should take a moment, on a machine that is busy.
const patience = 30 * time.Second

// pollInterval is how often a condition that no one signals is looked at.
const pollInterval = 10 * time.Millisecond

// output collects what a service prints, and lets a test wait for some of it.
type output struct {
	mu      sync.Mutex
	text    strings.Builder
	changed chan struct{} // closed and replaced at every write
}

func newOutput() *output { return &output{changed: make(chan struct{})} }

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	close(o.changed)
	o.changed = make(chan struct{})
	return o.text.Write(p)
}

func (o *output) String() string {
	text, _ := o.read()
	return text
}

func (o *output) read() (string, <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String(), o.changed
}

// await returns all output once it contains want.
func (o *output) await(t *testing.T, want string) string {
	t.Helper()
	timeout := time.After(patience)
	for {
		text, changed := o.read()
		if strings.Contains(text, want) {
			return text
		}
		select {
		case <-changed:
		case <-timeout:
			t.Fatalf("%q was not printed; what was:\n%s", want, text)
		}
	}
}

// running is run, running.
type running struct {
	*client
	stdout, stderr *output
	cancel         context.CancelFunc
	ended          chan error
}

// testConfig returns a configuration for one service of one test.
func testConfig(t *testing.T) config {
	t.Helper()
	return config{
		Listen: freeAddress(t), Redis: redisAuto, DataDir: t.TempDir(),
		DrainTimeout: patience, LogLevel: slog.LevelInfo, LogFormat: "text", tuning: tuned,
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	port, err := privateredis.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
}

// launch calls run in this process; the service is stopped when the test ends, if
// not before.
func launch(t *testing.T, c config) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{
		client: dial(t, c.Listen), stdout: newOutput(), stderr: newOutput(),
		cancel: cancel, ended: make(chan error, 1),
	}
	go func() { r.ended <- run(ctx, c, r.stdout, r.stderr) }()
	t.Cleanup(func() {
		r.stop(t)
		if t.Failed() {
			t.Logf("log of the service:\n%s", r.stderr)
		}
	})
	return r
}

// stop ends the service and fails the test when it does not end well.
func (r *running) stop(t *testing.T) {
	t.Helper()
	r.cancel()
	if err := <-r.ended; err != nil {
		t.Errorf("run: %v", err)
	}
	r.ended <- nil // for a second stop
}

// client talks to a service as its users do.
type client struct {
	coupons     discountv1.CouponServiceClient
	redemptions discountv1.RedemptionServiceClient
	health      healthpb.HealthClient
}

func dial(t *testing.T, address string) *client {
	t.Helper()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		// A service that is not there yet is there soon.
		grpc.WithDefaultCallOptions(grpc.WaitForReady(true)),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.Config{BaseDelay: pollInterval, MaxDelay: pollInterval}}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})
	return &client{
		discountv1.NewCouponServiceClient(conn), discountv1.NewRedemptionServiceClient(conn), healthpb.NewHealthClient(conn),
	}
}

// awaitHealth returns once the service has the given health, for the server as a
// whole and for each API.
func (c *client) awaitHealth(t *testing.T, want healthpb.HealthCheckResponse_ServingStatus) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for _, service := range []string{
		"", discountv1.CouponService_ServiceDesc.ServiceName, discountv1.RedemptionService_ServiceDesc.ServiceName,
	} {
		watch, err := c.health.Watch(ctx, &healthpb.HealthCheckRequest{Service: service})
		if err != nil {
			t.Fatal(err)
		}
		for {
			is, err := watch.Recv()
			if err != nil {
				t.Fatalf("waiting for %q to be %s: %v", service, want, err)
			}
			if is.GetStatus() == want {
				break
			}
		}
	}
}

// createCoupon creates a coupon of a quarter off.
func (c *client) createCoupon(t *testing.T, id string) {
	t.Helper()
	_, err := c.coupons.CreateCoupon(t.Context(), &discountv1.CreateCouponRequest{
		CouponId: id,
		Coupon: &discountv1.Coupon{
			Discount: &discountv1.Coupon_PercentOff{PercentOff: &discountv1.PercentOff{BasisPoints: 2500}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// redeem redeems a coupon once, within the deadline of ctx.
func (c *client) redeem(ctx context.Context, coupon, requestID string) error {
	_, err := c.redemptions.Redeem(ctx, &discountv1.RedeemRequest{
		RequestId: requestID,
		Source:    &discountv1.RedeemRequest_Coupon{Coupon: "coupons/" + coupon},
		Order: &discountv1.Order{
			CurrencyCode: "EUR", Lines: []*discountv1.OrderLine{{UnitAmountMinor: 4000, Quantity: 1}},
		},
	})
	return err
}

// wantRedeemed checks how often a coupon was redeemed.
func (c *client) wantRedeemed(t *testing.T, coupon string, want int64) {
	t.Helper()
	got, err := c.coupons.GetCoupon(t.Context(), &discountv1.GetCouponRequest{Name: "coupons/" + coupon})
	if err != nil {
		t.Fatal(err)
	}
	if got.GetCoupon().GetTimesRedeemed() != want {
		t.Errorf("redeemed %d times, want %d", got.GetCoupon().GetTimesRedeemed(), want)
	}
}

// wantCode checks the status of an error.
func wantCode(t *testing.T, err error, want codes.Code) {
	t.Helper()
	if got := status.Code(err); got != want {
		t.Errorf("%s (%v), want %s", got, err, want)
	}
}
