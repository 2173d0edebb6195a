// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io/fs"
	"os"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/discountd/discountd/redisstore"
)

// tuning is what can be set to trade memory and fairness for speed. The defaults
// suit most.
type tuning struct {
	Gather        bool   `env:"DISCOUNTD_GATHER" default:"true" negatable:"" help:"Send requests about one coupon that come while another one is in flight together (${default})."`
	MaxWaiting    int    `env:"DISCOUNTD_MAX_WAITING" default:"16384" placeholder:"N" help:"Requests that may wait to be sent to Redis before more are refused as RESOURCE_EXHAUSTED (${default}). Half of them may be about one coupon."`
	RulesCacheMiB int    `name:"rules-cache-mib" env:"DISCOUNTD_RULES_CACHE_MIB" default:"64" placeholder:"N" help:"Memory for rules of coupons and promotion codes, so that they need not be read for every call (${default}). 0 keeps none."`
	StreamWorkers uint32 `env:"DISCOUNTD_STREAM_WORKERS" default:"512" placeholder:"N" help:"Goroutines kept for calls, and as many again for messages of streams, up to 65536 (${default}). What finds none free gets one of its own. 0 keeps none."`
	GCPercent     int    `name:"gc-percent" env:"DISCOUNTD_GC_PERCENT" default:"0" placeholder:"N" help:"How much the heap may grow between collections, in percent of what is in use. 0 (the default) is GOGC if that is set, else 400."`
	MemoryMiB     int64  `name:"memory-mib" env:"DISCOUNTD_MEMORY_MIB" default:"0" placeholder:"N" help:"Memory from which on more is collected, whatever the percentage. 0 (the default) is GOMEMLIMIT if that is set, else 1024 or 70% of what the control group allows, whichever is less."`
}

const (
	defaultGCPercent   = 400
	defaultMemoryBytes = 1 << 30
	// memoryShare is how much of the memory of a control group is used before more
	// is collected, in percent: the rest is for what the limit does not bound.
	memoryShare = 70

	maxStreamWorkers = 1 << 16
	maxMiB           = 1 << 30
)

// check returns what is wrong, by the name of the flag.
func (t *tuning) check() error {
	switch {
	case t.MaxWaiting <= 0:
		return wrong("max-waiting", "must be positive")
	case t.RulesCacheMiB < 0 || t.RulesCacheMiB > maxMiB:
		return wrong("rules-cache-mib", "must be from 0 to 1073741824")
	case t.StreamWorkers > maxStreamWorkers:
		return wrong("stream-workers", "must be from 0 to 65536")
	case t.GCPercent < 0:
		return wrong("gc-percent", "must not be negative")
	case t.MemoryMiB < 0 || t.MemoryMiB > maxMiB:
		return wrong("memory-mib", "must be from 0 to 1073741824")
	}
	return nil
}

// apply sets how a store gathers requests and what it remembers.
func (t *tuning) apply(o *redisstore.Options) {
	o.NoGathering, o.MaxWaiting = !t.Gather, t.MaxWaiting
	if o.CacheBytes = int64(t.RulesCacheMiB) << 20; o.CacheBytes == 0 {
		o.CacheBytes = -1
	}
}

// collector returns how garbage is to be collected: the percentage and the number
// of bytes, each 0 where the variable of the runtime says so already.
func (t *tuning) collector(getenv func(string) string, available int64) (percent int, bytes int64) {
	percent, bytes = t.GCPercent, t.MemoryMiB<<20
	if percent == 0 && getenv("GOGC") == "" {
		percent = defaultGCPercent
	}
	if bytes == 0 && getenv("GOMEMLIMIT") == "" {
		bytes = defaultMemoryBytes
		if available > 0 {
			bytes = min(bytes, available/100*memoryShare)
		}
	}
	return percent, bytes
}

// tuneCollector sets how garbage is collected in this process.
func (t *tuning) tuneCollector() {
	percent, bytes := t.collector(os.Getenv, availableMemory(os.DirFS("/sys/fs/cgroup")))
	if percent > 0 {
		debug.SetGCPercent(percent)
	}
	if bytes > 0 {
		debug.SetMemoryLimit(bytes)
	}
}

// availableMemory returns how much memory the control group that is mounted allows,
// or 0 when it does not say.
func availableMemory(group fs.FS) int64 {
	for _, name := range []string{"memory.max", "memory/memory.limit_in_bytes"} {
		text, err := fs.ReadFile(group, name)
		if err != nil {
			continue
		}
		if bytes, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil {
			return bytes
		}
	}
	return 0
}
