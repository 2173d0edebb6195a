// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package load

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// extension is by how much the time measured is extended if it was too short.
const extension = 10 * time.Millisecond

// closed keeps a number of calls in flight. A call is measured when it ends within
// the time measured, so that those cut by its beginning make up for those cut by
// its end. If by then fewer have ended than there are callers, it is measured until
// as many have: less would only tell how long it takes to begin.
func (g *generator) closed(ctx context.Context) (Result, error) {
	var measuring, stop atomic.Bool
	var measured atomic.Int64
	var callers sync.WaitGroup
	for i := range max(g.config.Callers, 1) {
		callers.Go(func() {
			for !stop.Load() && ctx.Err() == nil {
				if g.config.Calls > 0 && g.sent.Load() >= g.config.Calls {
					return
				}
				begin := time.Now()
				g.one(ctx, i)
				if measuring.Load() {
					measured.Add(1)
					g.recorder.record(uint64(i), time.Since(begin))
				}
			}
		})
	}
	measure := func() (Result, error) {
		if err := wait(ctx, g.config.Warmup); err != nil {
			return Result{}, err
		}
		w, err := g.beginWindow()
		if err != nil {
			return Result{}, err
		}
		measuring.Store(true)
		if g.config.Calls > 0 {
			callers.Wait()
		} else if err := wait(ctx, g.config.Duration); err != nil {
			return Result{}, err
		}
		for g.config.Calls == 0 && measured.Load() < int64(g.config.Callers) {
			if err := wait(ctx, extension); err != nil {
				return Result{}, err
			}
		}
		measuring.Store(false)
		return g.endWindow(w)
	}
	result, err := measure()
	stop.Store(true)
	callers.Wait()
	return g.finish(result), err
}
