// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

// Package rivals is what the service is compared with: an empty service, which is
// what any gRPC service costs, and what people would otherwise build.
//
// A rival speaks the same protocol and keeps the same promises, as the benchmark
// checks before it measures: a limit is a limit, a request id has one effect and
// its retry the same answer, another request under the same id is refused, and
// every redemption is a complete row of a ledger that agrees with the counter. It
// is built to win. It knows the rules of every coupon from memory and never looks
// whether they have changed, which a real one would have to.
package rivals

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/discountd/discountd/bench/fixture"
	discountv1 "github.com/discountd/discountd/gen/discount/v1"
)

// The kinds of servers.
const (
	// Echo answers every call with the same bytes.
	Echo = "echo"
	// RowLock reads, checks and writes in a PostgreSQL transaction that locks the
	// coupon's row, as most platforms do.
	RowLock = "postgres-row-lock"
	// Function does the same in one stored function.
	Function = "postgres-function"
	// Batched gathers concurrent calls into one call of a stored function.
	Batched = "postgres-batched"
	// Watch reads, checks and writes in Redis under WATCH, and does so again when
	// somebody else was faster.
	Watch = "redis-watch"
	// Lock does so while holding a lock in Redis.
	Lock = "redis-lock"
)

// Config says what to serve and where from.
type Config struct {
	// Kind is one of the kinds of servers.
	Kind string
	// Store is the URL of a PostgreSQL that [PreparePostgres] or of a Redis that
	// [PrepareRedis] made ready.
	Store string
	// Synchronous is whether PostgreSQL answers a commit when it is on disk.
	Synchronous bool
	// Coupons are those that the store was made ready for.
	Coupons []fixture.Coupon
	// Answers are what the kind Echo answers with.
	Answers Answers
}

// Answers are complete responses, in protobuf's encoding.
type Answers struct {
	Redeem, ValidateCode []byte
}

// Main serves until ctx ends. It prints its address when it is ready.
func Main(ctx context.Context, c Config, out io.Writer) error {
	service, closeStore, err := open(ctx, c)
	if err != nil {
		return err
	}
	defer closeStore()
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := grpc.NewServer(options(c.Kind)...)
	discountv1.RegisterRedemptionServiceServer(server, service)
	defer context.AfterFunc(ctx, server.Stop)()
	if _, err := fmt.Fprintln(out, listener.Addr()); err != nil {
		return err
	}
	return server.Serve(listener)
}

// options are those of a server. The empty one is as grpc-go makes it: that is
// what is measured by. The others get what helps.
func options(kind string) []grpc.ServerOption {
	if kind == Echo {
		return nil
	}
	return []grpc.ServerOption{grpc.NumStreamWorkers(uint32(16 * runtime.GOMAXPROCS(0)))}
}

func open(ctx context.Context, c Config) (service discountv1.RedemptionServiceServer, closeStore func(), err error) {
	var l ledger
	switch c.Kind {
	case Echo:
		service, err := newEcho(c.Answers)
		return service, func() {}, err
	case RowLock, Function, Batched:
		l, closeStore, err = openPostgres(ctx, c)
	case Watch, Lock:
		l, closeStore, err = openRedis(c)
	default:
		err = fmt.Errorf("no such rival: %q", c.Kind)
	}
	if err != nil {
		return nil, nil, err
	}
	return newService(l, c.Coupons), closeStore, nil
}

// fail turns an error of a store into a status, and tells the log what it was.
func fail(err error) error {
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return status.FromContextError(err).Err()
	default:
		fmt.Fprintln(os.Stderr, "redeem:", err)
		return status.Error(codes.Unavailable, "the store failed")
	}
}
