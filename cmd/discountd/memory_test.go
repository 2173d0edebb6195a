// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/discountd/discountd/redisstore"
)

// seenAt is how far a store was seen to have come.
func seenAt(id string, sequence int64, second int) redisstore.Seen {
	return redisstore.Seen{StoreID: id, Sequence: sequence, At: time.Date(2026, 3, 1, 12, 0, second, 0, time.UTC)}
}

// remember saves what was seen at an address, and returns what is then remembered
// there.
func remember(t *testing.T, dir, address string, seen ...redisstore.Seen) redisstore.Memory {
	t.Helper()
	m, _, err := openMemoryOf(dir, address)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range seen {
		if err := m.save(s); err != nil {
			t.Fatal(err)
		}
	}
	_, remembered, err := openMemoryOf(dir, address)
	if err != nil {
		t.Fatal(err)
	}
	return remembered
}

func TestMemoryOfStoresIsKeptByAddressAndByID(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := remember(t, dir, "here")
	if first.Server == "" || first.Expected != "" || len(first.Stores) != 0 {
		t.Errorf("at first: %+v", first)
	}
	remember(t, dir, "here", seenAt("A", 5, 1), seenAt("A", 7, 2), seenAt("A", 6, 1)) // the last by a slower process
	there := remember(t, dir, "there", seenAt("B", 1, 3))
	want := redisstore.Memory{
		Server: first.Server, Expected: "B",
		Stores: map[string]redisstore.Seen{"A": seenAt("A", 7, 2), "B": seenAt("B", 1, 3)},
	}
	if diff := cmp.Diff(want, there); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	// Another store at the address has taken the place of the one before.
	here := remember(t, dir, "here", seenAt("C", 1, 4))
	want.Expected = "C"
	want.Stores = map[string]redisstore.Seen{"B": seenAt("B", 1, 3), "C": seenAt("C", 1, 4)}
	if diff := cmp.Diff(want, here); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(names) != 1 {
		t.Errorf("%v, %v", names, err)
	}
}

func TestMemoryThatIsMadeAtOnceIsOne(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	servers := make([]string, 20)
	var all sync.WaitGroup
	for i := range servers {
		all.Go(func() {
			m, remembered, err := openMemoryOf(dir, "here")
			if err == nil {
				err = m.save(seenAt("A", int64(i), i))
			}
			if err != nil {
				t.Error(err)
			}
			servers[i] = remembered.Server
		})
	}
	all.Wait()
	for _, s := range servers {
		if s != servers[0] {
			t.Fatalf("several servers: %v", servers)
		}
	}
}

func TestMemoryThatCannotBeReadIsAnError(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "{", "{}", `{"server":"x","more":1}`, `[]`} {
		dir := t.TempDir()
		path := filepath.Join(dir, "stores.json")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := openMemoryOf(dir, "here"); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
