// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package domain

import (
	"strings"
	"testing"
)

// A violation names every way to mend it, and no bound that does not hold.
func TestViolationsSayWhatWouldBeRight(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		check func(*Violations)
		want  string
	}{
		"optional text": {func(v *Violations) { CheckCallerID(strings.Repeat("x", 256), v, "id") }, "must be at most 255 characters"},
		"required text": {func(v *Violations) { CheckText("", 1, 200, v, "reason") }, "must be 1 to 200 characters"},
		"empty trial":   {func(v *Violations) { (&FreeTrial{}).check(v, "") }, "unless additional_trial_days is"},
		"long trial":    {func(v *Violations) { (&FreeTrial{TrialDays: 731}).check(v, "") }, "must be 1 to 730"},
	} {
		var v Violations
		c.check(&v)
		if len(v) != 1 || !strings.Contains(v[0].Description, c.want) {
			t.Errorf("%s: %v, want %q", name, v, c.want)
		}
	}
}
