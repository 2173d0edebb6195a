// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redistest

import (
	"testing"

	"github.com/redis/go-redis/v9"
)

func TestScriptsAndTransactionsOverSeveralSlotsAreNoticed(t *testing.T) {
	t.Parallel()
	cmds := func(of ...[]any) []redis.Cmder {
		var out []redis.Cmder
		for _, args := range of {
			out = append(out, redis.NewCmd(t.Context(), args...))
		}
		return out
	}
	for name, tc := range map[string]struct {
		cmds []redis.Cmder
		ok   bool
	}{
		"a script in one slot":                {cmds([]any{"evalsha", "abc", 2, "p:{c:a}:n", "p:{c:a}:d", "argument"}), true},
		"a script over two":                   {cmds([]any{"evalsha", "abc", 2, "p:{c:a}:n", "p:{c:b}:n"}), false},
		"a script whose number is text":       {cmds([]any{"EVAL", "return 1", "2", "{a}", "{b}"}), false},
		"a script without keys":               {cmds([]any{"eval", "return 1", 0, "{a}", "{b}"}), true},
		"commands of two slots in a pipeline": {cmds([]any{"get", "{a}"}, []any{"get", "{b}"}), true},
		"a script over two in a pipeline":     {cmds([]any{"get", "{a}"}, []any{"evalsha", "abc", 2, "{a}", "{b}"}), false},
		"a transaction in one slot":           {cmds([]any{"multi"}, []any{"get", "{a}1"}, []any{"set", "{a}2", "{b}"}, []any{"exec"}), true},
		"a transaction over two":              {cmds([]any{"multi"}, []any{"get", "{a}"}, []any{"get", "{b}"}, []any{"exec"}), false},
	} {
		if err := inOneSlot(tc.cmds); (err == nil) != tc.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}
