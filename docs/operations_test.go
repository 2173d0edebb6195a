// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package docs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	watchedRow     = regexp.MustCompile(`(?m)^\| (?:ERROR|WARN) \| (.*?) \|`)
	watchedMessage = regexp.MustCompile("`([^`]+)`")
)

// TestEveryMessageToWatchForIsLogged holds the messages that operators are told to
// watch for to those in the source.
func TestEveryMessageToWatchForIsLogged(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("operations.md")
	if err != nil {
		t.Fatal(err)
	}
	var source strings.Builder
	for _, dir := range []string{"cmd", "internal", "redisstore", "server"} {
		err := filepath.WalkDir(filepath.Join("..", dir), func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			source.Write(text)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	messages := 0
	for _, row := range watchedRow.FindAllSubmatch(page, -1) {
		for _, message := range watchedMessage.FindAllSubmatch(row[1], -1) {
			messages++
			if !strings.Contains(source.String(), `"`+string(message[1])+`"`) {
				t.Errorf("nothing logs %q", message[1])
			}
		}
	}
	if messages < 10 {
		t.Errorf("found %d messages", messages)
	}
}
