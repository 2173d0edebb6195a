// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package load

import (
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// recorders is how many histograms are written to in turn, so that callers seldom
// wait for each other.
const recorders = 16

// recorder counts latencies. It may be used by any number of goroutines.
type recorder struct {
	shards [recorders]struct {
		mu        sync.Mutex
		histogram *hdrhistogram.Histogram
	}
}

// Latencies from 1 µs to 5 min are told apart by three digits.
const longest = 5 * time.Minute

func newRecorder() *recorder {
	r := &recorder{}
	for i := range r.shards {
		r.shards[i].histogram = newHistogram()
	}
	return r
}

func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(1, longest.Microseconds(), 3)
}

// record counts a latency; which says whose it is, and only spreads the callers.
func (r *recorder) record(which uint64, d time.Duration) {
	s := &r.shards[which%recorders]
	s.mu.Lock()
	defer s.mu.Unlock()
	// Out of range is an error that the clamp rules out.
	_ = s.histogram.RecordValue(min(max(d.Microseconds(), 1), longest.Microseconds()))
}

// summary returns how many latencies were counted, and their distribution.
func (r *recorder) summary() (uint64, Latency) {
	all := newHistogram()
	for i := range r.shards {
		s := &r.shards[i]
		s.mu.Lock()
		all.Merge(s.histogram)
		s.mu.Unlock()
	}
	at := func(percent float64) time.Duration {
		return time.Duration(all.ValueAtQuantile(percent)) * time.Microsecond
	}
	return uint64(all.TotalCount()), Latency{
		P50: at(50), P99: at(99), P999: at(99.9), Max: time.Duration(all.Max()) * time.Microsecond,
	}
}
