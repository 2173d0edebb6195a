// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package load_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/discountd/discountd/bench/fixture"
	"github.com/discountd/discountd/bench/load"
	discountv1 "github.com/discountd/discountd/gen/discount/v1"
)

// counting grants every redemption but each failEvery-th, if that is not 0.
type counting struct {
	discountv1.UnimplementedRedemptionServiceServer
	calls     atomic.Int64
	failEvery int64
	amount    int64
}

func (c *counting) Redeem(context.Context, *discountv1.RedeemRequest) (*discountv1.RedeemResponse, error) {
	if n := c.calls.Add(1); c.failEvery > 0 && n%c.failEvery == 0 {
		return nil, status.Error(codes.Unavailable, "not this time")
	}
	return &discountv1.RedeemResponse{Redemption: &discountv1.Redemption{
		Discount: &discountv1.AppliedDiscount{TotalAmountMinor: c.amount},
	}}, nil
}

func serve(t *testing.T, service *counting) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	discountv1.RegisterRedemptionServiceServer(server, service)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return listener.Addr().String()
}

// run runs the load generator and checks what it prints on the way.
func run(t *testing.T, c load.Config) load.Result {
	t.Helper()
	input, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var output bytes.Buffer
	if err := load.Main(t.Context(), bytes.NewReader(input), &output); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(output.String()), "\n")
	if len(lines) != 3 || lines[0] != load.BeginLine || lines[1] != load.EndLine {
		t.Fatalf("printed %q", lines)
	}
	var result load.Result
	if err := json.Unmarshal([]byte(lines[2]), &result); err != nil {
		t.Fatal(err)
	}
	return result
}

func TestClosedLoopTellsWhatItSent(t *testing.T) {
	service := &counting{amount: fixture.OneLineDiscount}
	result := run(t, load.Config{
		Target: serve(t, service), Work: load.Redeem, Coupons: 1, Callers: 100,
		Warmup: 10 * time.Millisecond, Duration: 50 * time.Millisecond,
	})
	if sent := uint64(service.calls.Load()); result.Sent != sent || result.Acknowledged != sent || result.Errors != 0 {
		t.Errorf("%+v, and %d calls arrived", result, sent)
	}
	if result.Calls < 100 || result.Calls > result.Sent || result.Elapsed < 50*time.Millisecond {
		t.Errorf("measured %d of %d calls in %s", result.Calls, result.Sent, result.Elapsed)
	}
	if l := result.Latency; l.P50 <= 0 || l.P50 > l.P99 || l.P99 > l.P999 || l.P999 > l.Max {
		t.Errorf("latencies %+v", l)
	}
}

func TestNumberOfCallsMayBeGiven(t *testing.T) {
	service := &counting{amount: fixture.OneLineDiscount}
	const calls, callers = 500, 8
	result := run(t, load.Config{Target: serve(t, service), Work: load.Redeem, Coupons: 1, Callers: callers, Calls: calls})
	if result.Acknowledged < calls || result.Acknowledged >= calls+callers {
		t.Errorf("%d calls were made instead of %d", result.Acknowledged, calls)
	}
}

func TestOpenLoopSendsEveryCallThatIsDue(t *testing.T) {
	service := &counting{amount: fixture.OneLineDiscount}
	const rate = 2000
	result := run(t, load.Config{
		Target: serve(t, service), Work: load.Redeem, Coupons: 1, Callers: 64, Rate: rate,
		Warmup: 50 * time.Millisecond, Duration: 200 * time.Millisecond,
	})
	// Due in a quarter of a second, but for a tick more or less.
	if want := uint64(rate / 4); result.Sent < want-1 || result.Sent > want+1 {
		t.Errorf("sent %d calls, not %d", result.Sent, want)
	}
	if result.Acknowledged != result.Sent || result.Calls == 0 || result.Calls > result.Sent {
		t.Errorf("%+v", result)
	}
}

func TestFailedCallsAreCounted(t *testing.T) {
	service := &counting{amount: fixture.OneLineDiscount, failEvery: 10}
	result := run(t, load.Config{Target: serve(t, service), Work: load.Redeem, Coupons: 1, Callers: 1, Calls: 100})
	if result.Errors != 10 || result.Acknowledged != 90 || !strings.Contains(result.FirstError, "not this time") {
		t.Errorf("%+v", result)
	}
}

func TestWrongAnswerIsAFailure(t *testing.T) {
	service := &counting{amount: fixture.OneLineDiscount + 1}
	result := run(t, load.Config{Target: serve(t, service), Work: load.Redeem, Coupons: 1, Callers: 1, Calls: 3})
	if result.Acknowledged != 0 || result.Errors != 3 {
		t.Errorf("%+v", result)
	}
}
