// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package suite

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/discountd/discountd/bench/fixture"
	discountv1 "github.com/discountd/discountd/gen/discount/v1"
)

// cheat keeps its redemptions in memory, and all promises but those it is told to
// break.
type cheat struct {
	discountv1.UnimplementedRedemptionServiceServer
	limit            int
	forgets, careful bool // forgets requests; compares the orders of retries

	mu     sync.Mutex
	used   map[string]int
	orders map[string]*discountv1.Order
	n      int
}

func (c *cheat) Redeem(_ context.Context, req *discountv1.RedeemRequest) (*discountv1.RedeemResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if order, seen := c.orders[req.GetRequestId()]; seen {
		if c.careful && !proto.Equal(order, req.GetOrder()) {
			return nil, status.Error(codes.InvalidArgument, "reused")
		}
		if c.forgets {
			c.n++
		}
		return redemption(req.GetRequestId(), c.n), nil
	}
	if c.used[req.GetCode()] >= c.limit && req.GetCode() == fixture.Small().Code {
		return nil, status.Error(codes.FailedPrecondition, "limit")
	}
	c.used[req.GetCode()]++
	c.orders[req.GetRequestId()] = req.GetOrder()
	return redemption(req.GetRequestId(), c.n), nil
}

func redemption(request string, n int) *discountv1.RedeemResponse {
	return &discountv1.RedeemResponse{Redemption: &discountv1.Redemption{Name: fmt.Sprint(request, n)}}
}

func TestServersThatBreakPromisesAreFound(t *testing.T) {
	const limit = fixture.SmallLimit
	for name, c := range map[string]struct {
		server *cheat
		want   string // in the error; none if empty
	}{
		"honest":              {&cheat{limit: limit, careful: true}, ""},
		"takes one too many":  {&cheat{limit: limit + 1, careful: true}, "redeemed 8 times"},
		"takes one too few":   {&cheat{limit: limit - 1, careful: true}, "redeemed 6 times"},
		"has no limit":        {&cheat{limit: 1000, careful: true}, "redeemed 60 times"},
		"forgets requests":    {&cheat{limit: limit, careful: true, forgets: true}, "answered otherwise"},
		"compares no request": {&cheat{limit: limit}, "another request under the same id"},
	} {
		c.server.used, c.server.orders = map[string]int{}, map[string]*discountv1.Order{}
		a := newAccount()
		err := checkPromises(t.Context(), serve(t, c.server), 1, a)
		if (err != nil) != (c.want != "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil && a.acknowledged() != limit+1 {
			t.Errorf("%s: %d redemptions are expected in the ledger, not %d", name, a.acknowledged(), limit+1)
		}
	}
}

func serve(t *testing.T, service discountv1.RedemptionServiceServer) string {
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
