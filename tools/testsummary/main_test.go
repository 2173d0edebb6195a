// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"
)

func TestSummaryCountsEveryOutcomeOnce(t *testing.T) {
	for _, test := range []struct {
		name, events, line string
		ok                 bool
	}{
		{
			name: "passes, subtests included",
			events: `{"Action":"run","Package":"p","Test":"TestA"}
				{"Action":"run","Package":"p","Test":"TestA/x"}
				{"Action":"output","Package":"p","Test":"TestA/x","Output":"hello"}
				{"Action":"pass","Package":"p","Test":"TestA/x"}
				{"Action":"pass","Package":"p","Test":"TestA"}
				{"Action":"pass","Package":"p"}`,
			line: "2 passed, 0 failed",
			ok:   true,
		},
		{
			name: "a failed test and its package are one failure",
			events: `{"Action":"run","Package":"p","Test":"TestA"}
				{"Action":"fail","Package":"p","Test":"TestA"}
				{"Action":"fail","Package":"p"}`,
			line: "0 passed, 1 failed",
		},
		{
			name: "a package that fails by itself",
			events: `{"ImportPath":"q","Action":"build-fail"}
				{"Action":"fail","Package":"q","FailedBuild":"q"}
				{"Action":"pass","Package":"p","Test":"TestA"}`,
			line: "1 passed, 1 failed",
		},
		{
			name: "a test cut short",
			events: `{"Action":"run","Package":"p","Test":"TestA"}
				{"Action":"fail","Package":"p"}`,
			line: "0 passed, 1 failed",
		},
		{
			name: "tests of one name in two packages",
			events: `{"Action":"run","Package":"p","Test":"TestA"}
				{"Action":"run","Package":"q","Test":"TestA"}
				{"Action":"pass","Package":"p","Test":"TestA"}
				{"Action":"pass","Package":"q","Test":"TestA"}`,
			line: "2 passed, 0 failed",
			ok:   true,
		},
		{
			name:   "skipped tests alone test nothing",
			events: `{"Action":"skip","Package":"p","Test":"TestA"}`,
			line:   "0 passed, 0 failed, 1 skipped",
		},
		{
			name:   "no test at all",
			events: `{"Action":"skip","Package":"p"}`,
			line:   "0 passed, 0 failed",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			sum, err := summarize(strings.NewReader(test.events))
			if err != nil {
				t.Fatal(err)
			}
			if got := sum.String(); got != test.line {
				t.Errorf("got %q, want %q", got, test.line)
			}
			if got := sum.good(); got != test.ok {
				t.Errorf("good is %v, want %v", got, test.ok)
			}
		})
	}
}

func TestSummaryRefusesWhatIsNoEvent(t *testing.T) {
	if _, err := summarize(strings.NewReader("FAIL")); err == nil {
		t.Error("read as an event")
	}
}
