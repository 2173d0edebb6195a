// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/discountd/discountd/redisstore"
)

// memory is what this server remembers of the stores it has served from: a file in
// the data directory. With it a server that was restarted notices that a store has
// lost data, or is gone.
type memory struct {
	path    string
	address string // of the store, without secrets
	server  string

	mu sync.Mutex
}

// memoryFile is the content of the file.
type memoryFile struct {
	Comment string `json:"comment"`
	// Server is what stores know this data directory by.
	Server string                  `json:"server"`
	Stores map[string]rememberedAt `json:"stores"` // by their ids
}

// rememberedAt is how far a store was seen to have come, and where.
type rememberedAt struct {
	Address  string    `json:"address"`
	Sequence int64     `json:"sequence"`
	At       time.Time `json:"at"`
}

const memoryComment = "By this discountd notices that a Redis has lost data. Do not edit or copy it."

// openMemoryOf returns what the data directory remembers of the store at an address;
// the file is made when it is missing.
func openMemoryOf(dataDir, address string) (*memory, redisstore.Memory, error) {
	m := &memory{path: filepath.Join(dataDir, "stores.json"), address: address}
	f, err := m.read()
	if errors.Is(err, os.ErrNotExist) {
		// Of two processes that make it at once, both go on with the file of one.
		err = m.write(memoryFile{Server: rand.Text()}, os.Link)
		if err == nil || errors.Is(err, os.ErrExist) {
			f, err = m.read()
		}
	}
	if err != nil {
		return nil, redisstore.Memory{}, fmt.Errorf("what is remembered of stores: %w", err)
	}
	m.server = f.Server
	out := redisstore.Memory{Server: f.Server, Stores: map[string]redisstore.Seen{}}
	var last time.Time
	for id, seen := range f.Stores {
		out.Stores[id] = redisstore.Seen{StoreID: id, Sequence: seen.Sequence, At: seen.At}
		if seen.Address == address && !seen.At.Before(last) {
			out.Expected, last = id, seen.At
		}
	}
	return m, out, nil
}

// save remembers how far a store has come, and forgets others at its address: it has
// taken their place.
func (m *memory) save(seen redisstore.Seen) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	f, err := m.read()
	if err != nil {
		return err
	}
	if f.Server != m.server {
		return fmt.Errorf("%s was replaced by another one", m.path)
	}
	for id, other := range f.Stores {
		if other.Address == m.address && id != seen.StoreID {
			delete(f.Stores, id)
		}
	}
	if f.Stores == nil {
		f.Stores = map[string]rememberedAt{}
	}
	was := f.Stores[seen.StoreID] // by another process with this directory, maybe
	f.Stores[seen.StoreID] = rememberedAt{Address: m.address, Sequence: max(seen.Sequence, was.Sequence), At: laterOf(seen.At, was.At)}
	return m.write(f, os.Rename)
}

func laterOf(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

func (m *memory) read() (memoryFile, error) {
	var f memoryFile
	text, err := os.ReadFile(m.path)
	if err != nil {
		return f, err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&f); err != nil {
		return f, fmt.Errorf("%s: %w", m.path, err)
	}
	if f.Server == "" {
		return f, fmt.Errorf("%s names no server", m.path)
	}
	return f, nil
}

// write puts a file in place that is whole, and on disk, from its first moment on.
func (m *memory) write(f memoryFile, place func(from, to string) error) error {
	f.Comment = memoryComment
	text, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return err
	}
	dir := filepath.Dir(m.path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	temporary, err := os.CreateTemp(dir, "stores.json.*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name())
	_, err = temporary.Write(append(text, '\n'))
	if err := errors.Join(err, temporary.Sync(), temporary.Close()); err != nil {
		return err
	}
	if err := place(temporary.Name(), m.path); err != nil {
		return err
	}
	return syncDir(dir)
}

// syncDir makes the names in a directory last.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	// Not every file system can; the file itself is on disk.
	_ = d.Sync()
	return d.Close()
}
