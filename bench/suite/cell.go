// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package suite

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/discountd/discountd/bench/load"
	"github.com/discountd/discountd/bench/procs"
	"github.com/discountd/discountd/bench/report"
)

// residentInterval is how often a server's memory is looked at.
const residentInterval = 50 * time.Millisecond

// sample is what the processes have used at one moment.
type sample struct {
	server, store time.Duration
	commands      procs.Commands
}

// measure asks a server and returns what that took. A call that fails is an error.
func (s *Suite) measure(ctx context.Context, v *server, c load.Config) (report.Figures, error) {
	s.nextRun++
	c.Run, c.Target = s.nextRun, v.address
	input, err := json.Marshal(c)
	if err != nil {
		return report.Figures{}, err
	}
	resident := watchResident(v.process.PID())
	process, line, err := procs.StartSelf(ctx, "load", filepath.Join(s.dir, "load.log"), "load", string(input))
	if err != nil {
		resident()
		return report.Figures{}, err
	}
	result, before, after, err := follow(ctx, v, process, line)
	most := resident()
	if err != nil {
		return report.Figures{}, errors.Join(err, process.Kill())
	}
	if c.Work != load.Validate {
		v.account.add(c.Run, result.Sent, result.Acknowledged)
	}
	switch {
	case result.Errors > 0:
		return report.Figures{}, fmt.Errorf("%d of %d calls failed: %s", result.Errors, result.Sent, result.FirstError)
	case result.Calls == 0:
		return report.Figures{}, errors.New("not one call ended in the time measured")
	}
	perCall := func(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) / float64(result.Calls) }
	return report.Figures{
		PerSecond:      float64(result.Calls) / result.Elapsed.Seconds(),
		Latency:        result.Latency,
		ServerCPU:      perCall(after.server - before.server),
		StoreCPU:       perCall(after.store - before.store),
		LoadCPU:        perCall(result.CPU),
		ServerResident: most,
		Commands:       float64(after.commands.All-before.commands.All) / float64(result.Calls),
		Scripts:        float64(after.commands.Scripts-before.commands.Scripts) / float64(result.Calls),
	}, nil
}

// follow takes samples when a load generator says so, and returns its result when
// it has ended. line is the first line that it printed.
func follow(ctx context.Context, v *server, process *procs.Process, line string) (result load.Result, before, after sample, err error) {
	expect := func(want string) error {
		if line != want {
			return fmt.Errorf("the load generator printed %q, not %q", line, want)
		}
		return nil
	}
	if err = expect(load.BeginLine); err != nil {
		return
	}
	if before, err = v.sample(ctx); err != nil {
		return
	}
	if line, err = process.Line(ctx); err != nil {
		return
	}
	if err = expect(load.EndLine); err != nil {
		return
	}
	if after, err = v.sample(ctx); err != nil {
		return
	}
	if line, err = process.Line(ctx); err != nil {
		return
	}
	if err = json.Unmarshal([]byte(line), &result); err != nil {
		return
	}
	err = process.Wait(ctx)
	return
}

// sample reads what the processes of a server have used.
func (v *server) sample(ctx context.Context) (sample, error) {
	var s sample
	var err error
	if s.server, err = procs.CPU(v.process.PID()); err != nil {
		return s, err
	}
	if v.store != 0 {
		if s.store, err = procs.CPU(v.store); err != nil {
			return s, err
		}
	}
	if v.redis != nil {
		s.commands, err = v.redis.Commands(ctx)
	}
	return s, err
}

// watchResident looks at the memory of a process until the function it returns is
// called, which returns the most that it had.
func watchResident(pid int) (stop func() int64) {
	var most int64
	end := make(chan struct{})
	var watcher sync.WaitGroup
	watcher.Go(func() {
		ticker := time.NewTicker(residentInterval)
		defer ticker.Stop()
		for {
			// A process that is gone fails the measurement in other ways.
			if now, err := procs.Resident(pid); err == nil {
				most = max(most, now)
			}
			select {
			case <-ticker.C:
			case <-end:
				return
			}
		}
	})
	return func() int64 {
		close(end)
		watcher.Wait()
		return most
	}
}
