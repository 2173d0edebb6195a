// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package load

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"syscall"
	"time"
)

const (
	// tick is how often calls that have become due are sent. Those of one tick are
	// sent together, which is how calls arrive at a server anyway.
	tick = 200 * time.Microsecond
	// maxInFlight bounds the calls that a server which cannot keep up leaves open.
	// The next ones are sent later, and are late by that much.
	maxInFlight = 20_000
)

// open sends calls at a rate, whatever becomes of those before. A call is measured
// when it was due within the time measured, however late it ends; and what a late
// server or a late client makes it wait is part of its latency.
func (g *generator) open(ctx context.Context) (Result, error) {
	// The thread sleeps by itself: the runtime's timers may be a millisecond late,
	// which is more than a call takes.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	var calls sync.WaitGroup
	inFlight := make(chan struct{}, maxInFlight)
	start := time.Now()
	send := func(until time.Duration, measured bool) error {
		for {
			now := time.Since(start)
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			// Every call that has become due, also when this thread was late.
			for due := g.due(); due <= now && due < until; due = g.due() {
				inFlight <- struct{}{}
				n := g.scheduled
				g.scheduled++
				calls.Go(func() {
					defer func() { <-inFlight }()
					g.one(ctx, int(n))
					if measured {
						g.recorder.record(n, time.Since(start)-due)
					}
				})
			}
			if now >= until {
				return nil
			}
			if err := sleepUntil(start, now.Truncate(tick)+tick); err != nil {
				return err
			}
		}
	}
	measure := func() (Result, error) {
		if err := send(g.config.Warmup, false); err != nil {
			return Result{}, err
		}
		w, err := g.beginWindow()
		if err != nil {
			return Result{}, err
		}
		if err := send(g.config.Warmup+g.config.Duration, true); err != nil {
			return Result{}, err
		}
		// As many calls were sent as were due; what tells whether the server keeps up
		// is how long it took until they were answered.
		calls.Wait()
		w.begin = start.Add(g.config.Warmup)
		return g.endWindow(w)
	}
	result, err := measure()
	calls.Wait()
	return g.finish(result), err
}

// due returns when the next call is, counted from the start: at the first tick
// that is not before its place in an even stream.
func (g *generator) due() time.Duration {
	even := time.Duration(g.scheduled) * time.Second / time.Duration(g.config.Rate)
	return (even + tick - 1).Truncate(tick)
}

// sleepUntil has this thread sleep until d after start.
func sleepUntil(start time.Time, d time.Duration) error {
	for {
		left := d - time.Since(start)
		if left <= 0 {
			return nil
		}
		spec := syscall.NsecToTimespec(left.Nanoseconds())
		if err := syscall.Nanosleep(&spec, nil); err != nil && !errors.Is(err, syscall.EINTR) {
			return fmt.Errorf("nanosleep: %w", err)
		}
	}
}
