// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"runtime"
	"sync"
	"testing"
)

func TestCrewDoesEveryJobAtOnceAndKeepsNoMoreIdleThanItMay(t *testing.T) {
	t.Parallel()
	dismiss := make(chan struct{})
	c := newCrew(3, dismiss)
	const jobs = 50
	var together, done sync.WaitGroup
	for range 4 {
		together.Add(jobs)
		done.Add(jobs)
		for range jobs {
			c.do(func() {
				together.Done()
				together.Wait() // which takes all of them at the same time
				done.Done()
			})
		}
		done.Wait()
	}
	for c.idle.Load() != 3 {
		runtime.Gosched()
	}

	// Who is idle takes a job: nobody else receives it.
	var taken sync.WaitGroup
	taken.Add(1)
	c.jobs <- taken.Done
	taken.Wait()

	close(dismiss)
	var last sync.WaitGroup
	last.Add(1)
	c.do(last.Done) // a job is done all the same
	last.Wait()
}
