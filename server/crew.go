// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package server

import "sync/atomic"

// crew does jobs in goroutines that are kept for the next job, up to a number: a
// stack that has grown serves again. One that finds nobody idle gets a goroutine of
// its own.
type crew struct {
	jobs    chan func()
	most    int32
	idle    atomic.Int32
	dismiss <-chan struct{} // closed when nobody idle is to be kept any more
}

func newCrew(most int, dismiss <-chan struct{}) *crew {
	return &crew{jobs: make(chan func()), most: int32(most), dismiss: dismiss}
}

// do has a job done, at once and without waiting for it.
func (c *crew) do(job func()) {
	select {
	case c.jobs <- job:
	default:
		go c.work(job)
	}
}

func (c *crew) work(job func()) {
	for {
		job()
		if c.idle.Add(1) > c.most {
			c.idle.Add(-1)
			return
		}
		select {
		case job = <-c.jobs:
			c.idle.Add(-1)
		case <-c.dismiss:
			return
		}
	}
}
