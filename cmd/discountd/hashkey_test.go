// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestMissingHashKeyIsMadeOnceAndSaid(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "made", "hash.key")
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	first, err := loadHasher(path, logger)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(log.String(), path); n != 1 {
		t.Errorf("the file was logged %d times, want once:\n%s", n, &log)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 || info.Size() < 32 {
		t.Errorf("mode %o, %d bytes, %v; want 600 and 32 at least", info.Mode().Perm(), info.Size(), err)
	}
	log.Reset()
	second, err := loadHasher(path, logger)
	if err != nil || second.Fingerprint() != first.Fingerprint() || log.Len() != 0 {
		t.Errorf("read again: %v, log %q", err, &log)
	}
	if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

func TestHashKeyMadeByManyAtOnceIsOne(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "hash.key")
	fingerprints := make([]string, 16)
	var all sync.WaitGroup
	for i := range fingerprints {
		all.Go(func() {
			hasher, err := loadHasher(path, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Error(err)
			}
			fingerprints[i] = hasher.Fingerprint()
		})
	}
	all.Wait()
	for _, f := range fingerprints {
		if f != fingerprints[0] {
			t.Fatalf("several keys: %q", fingerprints)
		}
	}
}

func TestShortHashKeyIsRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "hash.key")
	if err := os.WriteFile(path, bytes.Repeat([]byte("k"), 31), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := loadHasher(path, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("%v, want an error that names the file", err)
	}
}
