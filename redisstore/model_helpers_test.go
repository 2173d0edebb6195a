// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"os"
	"strconv"
	"testing"
	"time"
)

// longForm chooses between the short form of a test and the long one, which runs
// when the environment has TORTURE.
func longForm[T any](short, long T) T {
	if os.Getenv("TORTURE") != "" {
		return long
	}
	return short
}

// seedOf returns what a test's randomness begins with: SEED from the environment,
// or the time. It is logged, so that a failure can be repeated.
func seedOf(t testing.TB) uint64 {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("SEED"); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("SEED: %v", err)
		}
		seed = n
	}
	t.Logf("SEED=%d", seed)
	return seed
}
