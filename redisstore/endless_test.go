// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// endless answers each script that ends reservations that there are more, and sends
// nothing.
type endless struct{}

// DialHook implements redis.Hook.
func (endless) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook implements redis.Hook.
func (endless) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if c, ok := cmd.(*redis.Cmd); ok && (isOf(cmd, redeem) || isOf(cmd, settle)) {
			c.SetVal([]any{"decided", outcomeAgain, ""})
			return nil
		}
		return next(ctx, cmd)
	}
}

// ProcessPipelineHook implements redis.Hook.
func (endless) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// A script that would never come to an end is not sent for ever, also when the
// caller would wait for ever.
func TestReservationsThatNeverEndFailTheCall(t *testing.T) {
	t.Parallel()
	e := open(t, onRedis)
	e.createCoupon(percentOff("a"))
	held := e.reserve(time.Minute, byCoupon("h", "a"))
	e.client.AddHook(endless{})
	for name, call := range map[string]func() error{
		"redeem":  func() error { _, err := e.Redeem(context.Background(), new(byCoupon("r", "a"))); return err },
		"release": func() error { _, err := e.release(held.Name, "l"); return err },
	} {
		if err := call(); err == nil || !strings.Contains(err.Error(), "never end") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
