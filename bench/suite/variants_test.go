// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package suite

import (
	"regexp"
	"testing"

	"github.com/discountd/discountd/bench/report"
)

func TestVariantsHaveDifferentNames(t *testing.T) {
	seen := map[string]bool{}
	for _, v := range variants() {
		if seen[v.String()] {
			t.Errorf("there are two %s", v)
		}
		seen[v.String()] = true
	}
}

// A goal that names a variant by a name it no longer has would never be judged.
func TestEveryGoalIsMeasuredByAFullRun(t *testing.T) {
	r := &report.Results{Memory: []report.Memory{{What: "promotion code", Items: 1}, {What: "redemption", Items: 1}}}
	for _, v := range variants() {
		r.Variants = append(r.Variants, report.Variant{Name: v.String(), Cells: make([]report.Cell, 1)})
	}
	for _, target := range report.Targets() {
		if _, measured := target.Measure(r); !measured {
			t.Errorf("nothing measures %q", target.What)
		}
	}
}

func TestVariantsThatNeedAnUnknownFlagAreLeftOutAndNamed(t *testing.T) {
	every := regexp.MustCompile("")
	all, none := choose(every, func(string) bool { return true })
	if len(all) != len(variants()) || len(none) != 0 {
		t.Errorf("%d of %d chosen, left out: %q", len(all), len(variants()), none)
	}
	some, leftOut := choose(every, func(string) bool { return false })
	if len(leftOut) == 0 || len(some)+len(leftOut) != len(variants()) {
		t.Errorf("%d of %d chosen, left out: %q", len(some), len(variants()), leftOut)
	}
	for _, v := range some {
		if len(v.server.flags) > 0 {
			t.Errorf("%s is run without %q", v, v.server.flags)
		}
	}
}
