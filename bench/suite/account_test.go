// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package suite

import (
	"strings"
	"testing"

	"github.com/discountd/discountd/bench/fixture"
)

func TestAccountFindsWhatDoesNotAgree(t *testing.T) {
	const run = 7
	for name, c := range map[string]struct {
		counter int64
		ledger  []string
		want    string // in the only failure; none if empty
	}{
		"all is well": {3, []string{id(run, 0), id(run, 1), id(run, 2)}, ""},
		"one was not acknowledged and took effect": {4, []string{id(run, 0), id(run, 1), id(run, 2), id(run, 3)}, ""},
		"the counter is ahead":                     {4, []string{id(run, 0), id(run, 1), id(run, 2)}, "counts 4"},
		"the counter is behind":                    {2, []string{id(run, 0), id(run, 1), id(run, 2)}, "counts 2"},
		"one was lost":                             {2, []string{id(run, 0), id(run, 2)}, "of 3 acknowledged redemptions 2"},
		"one took effect twice":                    {4, []string{id(run, 0), id(run, 1), id(run, 2), id(run, 1)}, "twice"},
		"one was never sent":                       {4, []string{id(run, 0), id(run, 1), id(run, 2), id(run, 4)}, "nobody asked for"},
		"one is another's":                         {4, []string{id(run, 0), id(run, 1), id(run, 2), id(8, 0)}, "nobody asked for"},
		"one is of no one":                         {4, []string{id(run, 0), id(run, 1), id(run, 2), "x"}, "nobody asked for"},
	} {
		a := newAccount()
		a.add(run, 4, 3) // four were sent, three acknowledged
		a.counter("hot", c.counter)
		for _, request := range c.ledger {
			a.visit("hot", request)
		}
		failures := strings.Join(a.verdict(), "; ")
		if c.want == "" && failures != "" || !strings.Contains(failures, c.want) {
			t.Errorf("%s: the verdict is %q", name, failures)
		}
	}
}

func TestLedgerWithoutACounterIsAFailure(t *testing.T) {
	a := newAccount()
	a.add(1, 1, 1)
	a.visit("hot", id(1, 0))
	if len(a.verdict()) != 1 {
		t.Errorf("the verdict is %q", a.failures)
	}
}

func id(run, n uint64) string { return fixture.RequestID(run, n) }
