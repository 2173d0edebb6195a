// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The tests are tested: each patch in testdata/bugs makes one small mistake in a
// script, of the kind that has oversold coupons elsewhere. It is applied to a copy,
// and the tests that its second line names must fail on the copy.

func TestSeededBugsAreCaught(t *testing.T) {
	t.Parallel()
	if os.Getenv(seededBug) != "" {
		t.Log("this is the run with a seeded bug")
		return
	}
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

// seededBug names, in the environment of a run with a bug, its patch.
const seededBug = "DISCOUNTD_SEEDED_BUG"

// bug is one patch: what is wrong, by which tests it must be caught, and the file
// of this package that it changes.
type bug struct {
	patch    string
	what     string
	caughtBy []string
	file     string
}

var patchedFile = regexp.MustCompile(`(?m)^\+\+\+ b/redisstore/(\S+)$`)

func readBug(t *testing.T, path string) bug {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitN(string(text), "\n", 3)
	tests, ok := strings.CutPrefix(lines[1], "Caught by: ")
	file := patchedFile.FindStringSubmatch(string(text))
	if !ok || file == nil {
		t.Fatalf("%s does not say what it changes and by what it is caught", path)
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return bug{absolute, lines[0], strings.Split(tests, ", "), file[1]}
}

// run runs the tests that must catch the bug on a copy of the package that has it.
func (b bug) run(t *testing.T) ([]byte, error) {
	t.Helper()
	dir := t.TempDir()
	original, err := filepath.Abs(b.file)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(original)
	if err != nil {
		t.Fatal(err)
	}
	changed := filepath.Join(dir, "redisstore", b.file)
	if err := os.MkdirAll(filepath.Dir(changed), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(changed, text, 0o600); err != nil {
		t.Fatal(err)
	}
	apply := exec.CommandContext(t.Context(), "git", "apply", b.patch)
	apply.Dir = dir
	if out, err := apply.CombinedOutput(); err != nil {
		t.Fatalf("the patch does not apply any more: %v\n%s", err, out)
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {original: changed}})
	if err != nil {
		t.Fatal(err)
	}
	overlayFile := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(overlayFile, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	run := exec.CommandContext(t.Context(), "go", "test", "-count=1", "-overlay="+overlayFile,
		"-run=^("+strings.Join(b.caughtBy, "|")+")$", ".")
	run.Env = append(os.Environ(), seededBug+"="+filepath.Base(b.patch))
	return run.CombinedOutput()
}
