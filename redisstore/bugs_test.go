// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The tests are tested: each patch in testdata/bugs makes one small mistake in a
// script, of the kind that has oversold coupons elsewhere. It is applied to a copy,
// and the tests that its second line names must fail on the copy.

func TestSeededBugsAreCaught(t *testing.T) {
	t.Parallel()
	patches, err := filepath.Glob("testdata/bugs/*.patch")
	if err != nil || len(patches) < 10 {
		t.Fatalf("%d patches, %v", len(patches), err)
	}
	for _, patch := range patches {
		t.Run(strings.TrimSuffix(filepath.Base(patch), ".patch"), func(t *testing.T) {
			bug := readBug(t, patch)
			output, err := bug.run(t)
			if err == nil {
				t.Fatalf("nothing noticed: %s\n%s", bug.what, output)
			}
			for _, test := range bug.caughtBy {
				if !bytes.Contains(output, []byte("--- FAIL: "+test+" ")) {
					t.Errorf("%s did not fail: %s\n%s", test, bug.what, output)
				}
			}
			t.Logf("%s caught by %s", bug.what, strings.Join(bug.caughtBy, ", "))
		})
	}
}

// seededBug names, in the environment of a run with a bug, the folder of the scripts
// that have it.
const seededBug = "DISCOUNTD_SEEDED_BUG"

// bug is one patch: what is wrong, and by which tests it must be caught.
type bug struct {
	patch    string
	what     string
	caughtBy []string
}

func readBug(t *testing.T, path string) bug {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitN(string(text), "\n", 3)
	tests, ok := strings.CutPrefix(lines[1], "Caught by: ")
	if !ok {
		t.Fatalf("%s does not say by what it is caught", path)
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return bug{absolute, lines[0], strings.Split(tests, ", ")}
}

// run runs the tests that must catch the bug, in a process of their own, on a copy
// of the scripts that has it.
func (b bug) run(t *testing.T) ([]byte, error) {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "redisstore"), luaFiles); err != nil {
		t.Fatal(err)
	}
	apply := exec.CommandContext(t.Context(), "git", "apply", b.patch)
	apply.Dir = dir
	if out, err := apply.CombinedOutput(); err != nil {
		t.Fatalf("the patch does not apply any more: %v\n%s", err, out)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	run := exec.CommandContext(t.Context(), self, "-test.timeout=5m", "-test.run=^("+strings.Join(b.caughtBy, "|")+")$")
	run.Env = append(os.Environ(), seededBug+"="+filepath.Join(dir, "redisstore"))
	return run.CombinedOutput()
}

// loadSeededBug replaces the scripts by those of a folder.
func loadSeededBug(folder string) error {
	for _, sc := range allScripts {
		changed, err := load(os.DirFS(folder), sc.name)
		if err != nil {
			return err
		}
		*sc = *changed
	}
	return nil
}
