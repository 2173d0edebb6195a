// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/discountd/discountd/redisstore"
)

// tuned are the settings that need not be given.
var tuned = tuning{Gather: true, MaxWaiting: 16_384, RulesCacheMiB: 64, StreamWorkers: 512}

func TestTuningIsReadAndAppliedToTheStore(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		want redisstore.Options
	}{
		{nil, redisstore.Options{MaxWaiting: 16_384, CacheBytes: 64 << 20}},
		{[]string{"--no-gather", "--max-waiting=1"}, redisstore.Options{NoGathering: true, MaxWaiting: 1, CacheBytes: 64 << 20}},
		{[]string{"--gather=false", "--rules-cache-mib=0"}, redisstore.Options{NoGathering: true, MaxWaiting: 16_384, CacheBytes: -1}},
		{[]string{"--rules-cache-mib=3"}, redisstore.Options{MaxWaiting: 16_384, CacheBytes: 3 << 20}},
	} {
		got, err := parse(append(c.args, "--data-dir=/d"))
		if err != nil {
			t.Fatal(err)
		}
		var o redisstore.Options
		if got.apply(&o); o.NoGathering != c.want.NoGathering || o.MaxWaiting != c.want.MaxWaiting || o.CacheBytes != c.want.CacheBytes {
			t.Errorf("%v: %+v", c.args, o)
		}
	}
}

func TestWrongTuningIsRefusedByName(t *testing.T) {
	t.Parallel()
	for _, arg := range []string{
		"--gather=perhaps", "--max-waiting=0", "--max-waiting=-1", "--rules-cache-mib=-1", "--rules-cache-mib=1073741825",
		"--stream-workers=-1", "--stream-workers=65537", "--gc-percent=-1", "--gc-percent=off", "--memory-mib=-1", "--memory-mib=1GiB",
	} {
		_, err := parse([]string{"--data-dir=/d", arg})
		if name, _, _ := strings.Cut(arg, "="); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", arg, err)
		}
	}
}

func TestCollectorIsTunedUnlessTheRuntimeIsToldAlready(t *testing.T) {
	t.Parallel()
	const mib = 1 << 20
	both := map[string]string{"GOGC": "off", "GOMEMLIMIT": "1GiB"}
	for _, c := range []struct {
		tuning    tuning
		env       map[string]string
		available int64
		percent   int
		bytes     int64
	}{
		{tuned, nil, 0, 400, 1024 * mib},
		{tuned, nil, 1 << 62, 400, 1024 * mib},
		{tuned, nil, 200 * mib, 400, 140 * mib},
		{tuned, both, 200 * mib, 0, 0},
		{tuning{GCPercent: 50, MemoryMiB: 300}, both, 200 * mib, 50, 300 * mib},
	} {
		percent, bytes := c.tuning.collector(func(name string) string { return c.env[name] }, c.available)
		if percent != c.percent || bytes/mib != c.bytes/mib && bytes/mib != c.bytes/mib-1 {
			t.Errorf("%+v: %d %%, %d bytes", c, percent, bytes)
		}
	}
}

func TestMemoryOfTheControlGroupIsRead(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{"max\n": 0, "1048576\n": 1 << 20} {
		for _, name := range []string{"memory.max", "memory/memory.limit_in_bytes"} {
			if got := availableMemory(fstest.MapFS{name: {Data: []byte(text)}}); got != want {
				t.Errorf("%s of %q: %d", name, text, got)
			}
		}
	}
	if got := availableMemory(fstest.MapFS{}); got != 0 {
		t.Errorf("none: %d", got)
	}
}
