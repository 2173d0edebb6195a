// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"context"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/discountd/discountd/domain"
)

// fickle is the network of a cluster's node: what it returns for each attempt at a
// script.
type fickle struct {
	script *script
	errs   []error // nil lets an attempt through
	tries  *atomic.Int32
}

// DialHook implements redis.Hook.
func (f fickle) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook implements redis.Hook.
func (f fickle) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if !isOf(cmd, f.script) {
			return next(ctx, cmd)
		}
		i := min(int(f.tries.Add(1)), len(f.errs)) - 1
		err := f.errs[i]
		if errors.Is(err, io.EOF) { // after it was executed
			_ = next(ctx, cmd)
		}
		cmd.SetErr(err)
		return err
	}
}

// ProcessPipelineHook implements redis.Hook.
func (f fickle) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// TestAttemptOfAClustersClientThatWasLostIsNotForgotten: the client of a cluster
// tries again by itself and returns the error of its last attempt.
func TestAttemptOfAClustersClientThatWasLostIsNotForgotten(t *testing.T) {
	dial := &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	for name, c := range map[string]struct {
		errs    []error
		unknown bool
	}{
		"refused always":             {[]error{dial}, false},
		"lost, then refused":         {[]error{io.EOF, dial}, true},
		"refused, lost, and refused": {[]error{dial, io.EOF, dial}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := open(t, onCluster)
			loadScripts(t, e.admin)
			e.createCoupon(percentOff("a"))
			tries := new(atomic.Int32)
			err := e.client.(*redis.ClusterClient).ForEachMaster(e.ctx(), func(_ context.Context, node *redis.Client) error {
				node.AddHook(fickle{redeem, c.errs, tries})
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			_, err = e.Redeem(e.ctx(), new(byCoupon("r", "a")))
			var u *domain.UnavailableError
			if !errors.As(err, &u) || u.OutcomeUnknown != c.unknown || int(tries.Load()) < len(c.errs) {
				t.Errorf("after %d attempts: %v", tries.Load(), err)
			}
			if n := e.coupon("a").Redeemed; (n > 0) != c.unknown {
				t.Errorf("%d redeemed", n)
			}
		})
	}
}
