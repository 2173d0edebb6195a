// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package procs

import (
	"os"
	"testing"
	"time"
)

func TestTimesAreReadWhateverTheProgramIsCalled(t *testing.T) {
	const line = "42 (a (strange) name) S 1 42 42 0 -1 4194560 1 2 3 4 100 23 7 5 20 0 1 0 1 1 1"
	got, err := parseStat(line)
	if err != nil {
		t.Fatal(err)
	}
	if want := (times{cpu: 1230 * time.Millisecond, waitedFor: 120 * time.Millisecond}); got != want {
		t.Errorf("%+v, not %+v", got, want)
	}
}

func TestShortStatIsAnError(t *testing.T) {
	if got, err := parseStat("42 (x) S 1"); err == nil {
		t.Errorf("read as %+v", got)
	}
}

func TestOwnUseIsRead(t *testing.T) {
	if _, err := CPU(os.Getpid()); err != nil {
		t.Error(err)
	}
	if n, err := Resident(os.Getpid()); err != nil || n < 1<<20 {
		t.Errorf("resident: %d bytes, %v", n, err)
	}
}
