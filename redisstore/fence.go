// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"context"
	"sync/atomic"

	"github.com/redis/go-redis/v9"
)

// fencedError is why commands are kept from a Redis: it is not the store that was
// opened, or it no longer is such that the promises hold.
type fencedError struct{ why string }

func (e *fencedError) Error() string { return e.why }

// errStoreChanged says that the store has lost data or is another one.
var errStoreChanged = &fencedError{"the store is not the one this server was started with"}

// fence keeps commands from a Redis that must not be used, for as long as there is
// a reason.
type fence struct{ reason atomic.Pointer[fencedError] }

// raise puts the fence up and reports whether it was down, or up for another
// reason.
func (f *fence) raise(why *fencedError) bool {
	was := f.reason.Swap(why)
	return was == nil || was.why != why.why
}

// lower takes the fence down and returns why it was up, or nil.
func (f *fence) lower() *fencedError { return f.reason.Swap(nil) }

type unfencedKey struct{}

func unfenced(ctx context.Context) context.Context {
	return context.WithValue(ctx, unfencedKey{}, true)
}

func (f *fence) check(ctx context.Context) error {
	if why := f.reason.Load(); why != nil && ctx.Value(unfencedKey{}) == nil {
		return why
	}
	return nil
}

// DialHook implements redis.Hook.
func (f *fence) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook implements redis.Hook.
func (f *fence) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if err := f.check(ctx); err != nil {
			cmd.SetErr(err)
			return err
		}
		return next(ctx, cmd)
	}
}

// ProcessPipelineHook implements redis.Hook.
func (f *fence) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if err := f.check(ctx); err != nil {
			for _, cmd := range cmds {
				cmd.SetErr(err)
			}
			return err
		}
		return next(ctx, cmds)
	}
}
