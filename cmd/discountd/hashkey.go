// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/discountd/discountd/domain"
)

// loadHasher returns a Hasher with the key in the file, every byte of it. A
// missing file is made, with a random key that only this user can read, and the
// log says so.
func loadHasher(path string, logger *slog.Logger) (domain.Hasher, error) {
	key, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		if err := makeHashKey(path); err != nil {
			return domain.Hasher{}, fmt.Errorf("make a hashing key: %w", err)
		}
		logger.Info("made a key to hash e-mail addresses and gift card codes with; every server of this store needs it, and so does every backup", "file", path)
		key, err = os.ReadFile(path)
	}
	if err != nil {
		return domain.Hasher{}, fmt.Errorf("read the hashing key: %w", err)
	}
	hasher, err := domain.NewHasher(key)
	if err != nil {
		return domain.Hasher{}, fmt.Errorf("%s: %w", path, err)
	}
	return hasher, nil
}

// makeHashKey writes a key that is whole as soon as the file is there. When two
// processes do it at once, both end up with the key of one of them.
func makeHashKey(path string) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, "hash.key.*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	key := make([]byte, domain.MinHashKeyLength)
	rand.Read(key) // never fails
	_, err = f.Write(key)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return nil
}
