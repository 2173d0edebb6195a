// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package load

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// Main is the load generator's process: it reads a [Config] as JSON from in, and
// prints [BeginLine], [EndLine] and the [Result].
func Main(ctx context.Context, in io.Reader, out io.Writer) error {
	var c Config
	if err := json.NewDecoder(in).Decode(&c); err != nil {
		return fmt.Errorf("read the configuration: %w", err)
	}
	g := &generator{config: c, out: out, recorder: newRecorder()}
	if err := g.connect(ctx); err != nil {
		return err
	}
	defer g.close()
	var result Result
	var err error
	if c.Rate > 0 {
		result, err = g.open(ctx)
	} else {
		result, err = g.closed(ctx)
	}
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(result)
}

// generator sends calls and counts what comes of them.
type generator struct {
	config   Config
	out      io.Writer
	recorder *recorder
	conns    []*grpc.ClientConn
	callers  []caller

	sent, acknowledged, errors atomic.Uint64
	once                       sync.Once
	firstError                 string

	scheduled uint64 // calls that have become due, in an open loop
}

func (g *generator) connect(ctx context.Context) error {
	for range g.config.connections() {
		conn, err := grpc.NewClient(g.config.Target, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			return err
		}
		g.conns = append(g.conns, conn)
		conn.Connect()
		who, err := newCaller(ctx, g.config, conn)
		if err != nil {
			return err
		}
		g.callers = append(g.callers, who)
	}
	for _, conn := range g.conns {
		for state := conn.GetState(); state.String() != "READY"; state = conn.GetState() {
			if !conn.WaitForStateChange(ctx, state) {
				return context.Cause(ctx)
			}
		}
	}
	return nil
}

func (g *generator) close() {
	for _, conn := range g.conns {
		conn.Close()
	}
}

// one makes the next call, by the caller of connection which.
func (g *generator) one(ctx context.Context, which int) {
	n := g.sent.Add(1) - 1
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if err := g.callers[which%len(g.callers)].call(ctx, n); err != nil {
		g.errors.Add(1)
		g.once.Do(func() { g.firstError = err.Error() })
		return
	}
	g.acknowledged.Add(1)
}

// window is the time that is measured.
type window struct {
	begin time.Time
	cpu   time.Duration
}

func (g *generator) beginWindow() (window, error) {
	used, err := cpuTime()
	if err != nil {
		return window{}, err
	}
	_, err = fmt.Fprintln(g.out, BeginLine)
	return window{begin: time.Now(), cpu: used}, err
}

// endWindow returns a result with what is known of the time measured.
func (g *generator) endWindow(w window) (Result, error) {
	elapsed := time.Since(w.begin)
	used, err := cpuTime()
	_, printErr := fmt.Fprintln(g.out, EndLine)
	return Result{Elapsed: elapsed, CPU: used - w.cpu}, errors.Join(err, printErr)
}

// finish adds what is known when all calls have ended.
func (g *generator) finish(r Result) Result {
	r.Sent, r.Acknowledged = g.sent.Load(), g.acknowledged.Load()
	r.Errors, r.FirstError = g.errors.Load(), g.firstError
	r.Calls, r.Latency = g.recorder.summary()
	return r
}

// cpuTime returns what this process has used, in user mode and in the kernel.
func cpuTime() (time.Duration, error) {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0, fmt.Errorf("getrusage: %w", err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()), nil
}

// wait returns after d, or early with the cause when ctx ends.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
