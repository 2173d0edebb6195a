// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/redis/go-redis/v9"
)

// gate is a hook that counts what a store sends of one script, and holds it back
// while it is closed.
type gate struct {
	script *script
	// commands counts executions, trips the times that something was sent.
	commands, trips atomic.Int64

	mu   sync.Mutex
	held chan struct{}
}

// gateOf puts a gate, which is open, on the client of e.
func gateOf(e *env, sc *script) *gate {
	g := &gate{script: sc}
	e.client.AddHook(g)
	e.t.Cleanup(g.open)
	return g
}

func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.held = make(chan struct{})
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.held != nil {
		close(g.held)
		g.held = nil
	}
}

func (g *gate) pass(cmds ...redis.Cmder) {
	n := int64(0)
	for _, cmd := range cmds {
		if isOf(cmd, g.script) {
			n++
		}
	}
	if n == 0 {
		return
	}
	g.commands.Add(n)
	g.trips.Add(1)
	g.mu.Lock()
	held := g.held
	g.mu.Unlock()
	if held != nil {
		<-held
	}
}

// DialHook implements redis.Hook.
func (g *gate) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook implements redis.Hook.
func (g *gate) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		g.pass(cmd)
		return next(ctx, cmd)
	}
}

// ProcessPipelineHook implements redis.Hook.
func (g *gate) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		g.pass(cmds...)
		return next(ctx, cmds)
	}
}
