// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"sync"
	"sync/atomic"
)

// cache keeps values in a bounded number of bytes and gives up those that were not
// used for the longest time, roughly: each use marks a value, and a hand that goes
// round takes away marks and, where it finds none, the value. Looking up takes a
// lock that readers share and orders nothing, which is why this is not one of the
// usual lists of least recent use: a hot coupon is looked up by every call.
type cache[K comparable, V any] struct {
	limit int64

	mu     sync.RWMutex
	values map[K]*cached[K, V]
	round  []*cached[K, V]
	hand   int
	bytes  int64
}

type cached[K comparable, V any] struct {
	key   K
	value V
	bytes int64
	at    int // in the round
	used  atomic.Bool
}

func newCache[K comparable, V any](limit int64) *cache[K, V] {
	return &cache[K, V]{limit: limit, values: map[K]*cached[K, V]{}}
}

// get returns what was put under a key, if it is still there.
func (c *cache[K, V]) get(key K) (V, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	v, ok := c.values[key]
	if !ok {
		var none V
		return none, false
	}
	if !v.used.Load() {
		v.used.Store(true)
	}
	return v.value, true
}

// put keeps a value, in place of another one under its key. What is larger than
// an eighth of the bound is not worth all that it would displace.
func (c *cache[K, V]) put(key K, value V, bytes int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drop(key)
	if bytes > c.limit/8 {
		return
	}
	for c.bytes+bytes > c.limit {
		c.evict()
	}
	v := &cached[K, V]{key: key, value: value, bytes: bytes, at: len(c.round)}
	c.values[key] = v
	c.round = append(c.round, v)
	c.bytes += bytes
}

// remove forgets what was put under a key.
func (c *cache[K, V]) remove(key K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drop(key)
}

// evict drops the next value that was not used since the hand was there last.
func (c *cache[K, V]) evict() {
	for {
		if c.hand >= len(c.round) {
			c.hand = 0
		}
		v := c.round[c.hand]
		if !v.used.Swap(false) {
			c.drop(v.key)
			return
		}
		c.hand++
	}
}

func (c *cache[K, V]) drop(key K) {
	v, ok := c.values[key]
	if !ok {
		return
	}
	last := c.round[len(c.round)-1]
	c.round[v.at], last.at = last, v.at
	c.round[len(c.round)-1] = nil
	c.round = c.round[:len(c.round)-1]
	delete(c.values, key)
	c.bytes -= v.bytes
}
