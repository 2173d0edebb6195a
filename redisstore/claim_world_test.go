// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"cmp"
	"encoding/binary"
	"slices"
	"strconv"
	"strings"

	"github.com/discountd/discountd/domain"
)

// world is all that a Redis holds, and what it means.
type world struct {
	keys []*storedKey // in the order of their names

	codes  []simCode
	active uint64 // the numbers of the codes that are ACTIVE
	claims map[string]string
	// wrong is what must never be, "" if nothing.
	wrong string
}

// storedKey is a key with its contents. There is one for each contents.
type storedKey struct {
	number int32
	key    string
	values []string
	fields map[string]string // of a hash
}

// kindOf tells a key's type from its name.
func kindOf(key string) string {
	switch {
	case strings.HasSuffix(key, "}:d"):
		return "string"
	case strings.Contains(key, "}:l"):
		return "list"
	case strings.Contains(key, "{k:"), strings.Contains(key, "{y:"):
		return "zset"
	default:
		return "hash"
	}
}

func readingOf(key string) []any {
	switch kindOf(key) {
	case "string":
		return []any{"GET", key}
	case "list":
		return []any{"LRANGE", key, 0, -1}
	case "zset":
		return []any{"ZRANGE", key, 0, -1}
	default:
		return []any{"HGETALL", key}
	}
}

// writing is the command that makes a key that is not there.
func (k *storedKey) writing() []any {
	kind := kindOf(k.key)
	args := []any{map[string]string{"string": "SET", "list": "RPUSH", "zset": "ZADD", "hash": "HSET"}[kind], k.key}
	for _, v := range k.values {
		if kind == "zset" {
			args = append(args, 0)
		}
		args = append(args, v)
	}
	return args
}

// stored numbers a key with its contents; nil is no key. Fields of hashes are put
// in order, so that equal contents are one.
func (s *sim) stored(key string, read any) *storedKey {
	k := &storedKey{key: key}
	switch r := read.(type) {
	case nil:
	case string:
		k.values = []string{r}
	case []any:
		for _, v := range r {
			k.values = append(k.values, v.(string))
		}
	case map[any]any:
		for f, v := range r {
			k.values = append(k.values, f.(string), v.(string))
		}
	}
	if len(k.values) == 0 {
		return nil
	}
	if kindOf(key) == "hash" {
		pairs := slices.SortedFunc(slices.Chunk(slices.Clone(k.values), 2), func(a, b []string) int { return strings.Compare(a[0], b[0]) })
		k.values = slices.Concat(pairs...)
		k.fields = map[string]string{}
		for _, p := range pairs {
			k.fields[p[0]] = p[1]
		}
	}
	var text strings.Builder
	for _, v := range append([]string{key}, k.values...) {
		text.WriteString(strconv.Itoa(len(v)))
		text.WriteByte(':')
		text.WriteString(v)
	}
	n := s.keys.put(text.String(), func() *storedKey { return k })
	out := s.keys.values[n]
	out.number = n
	return out
}

// simCode is a promotion code as it is stored.
type simCode struct {
	number   int32
	name     domain.PromotionCodeName
	state    byte
	token    string
	version  int64
	redeemed int64
	p        *domain.PromotionCodeSnapshot // nil for a mark without a configuration
	coupon   *domain.CouponSnapshot
}

// world numbers the contents of a Redis.
func (s *sim) world(keys []*storedKey) int32 {
	slices.SortFunc(keys, func(a, b *storedKey) int { return strings.Compare(a.key, b.key) })
	id := make([]byte, 0, 4*len(keys))
	for _, k := range keys {
		id = binary.BigEndian.AppendUint32(id, uint32(k.number))
	}
	return s.worlds.put(string(id), func() *world {
		w := &world{keys: keys}
		s.understand(w)
		w.wrong = w.violation()
		return w
	})
}

// understand reads the promotion codes and the claims out of what is stored.
func (s *sim) understand(w *world) {
	at := map[string]*storedKey{}
	for _, k := range w.keys {
		at[k.key] = k
		if k.key == s.store.keys.claims("") {
			w.claims = k.fields
		}
	}
	for _, k := range w.keys {
		coupon, what, ok := strings.Cut(strings.TrimPrefix(k.key, simPrefix+":{c:"), "}:")
		bucket, isRecords := strings.CutPrefix(what, "p:")
		if !ok || !isRecords {
			continue
		}
		id := domain.CouponID(coupon)
		c := s.coupon(id, at[s.store.keys.head(id)], at[s.store.keys.definition(id)])
		for suffix, value := range k.fields {
			name := domain.PromotionCodeName{Coupon: id, ID: domain.PromotionCodeID(bucket + suffix)}
			w.codes = append(w.codes, s.code(name, value, c))
		}
	}
	slices.SortFunc(w.codes, func(a, b simCode) int { return cmp.Compare(a.number, b.number) })
	for _, c := range w.codes {
		if c.state == byte(domain.PromotionActive) {
			w.active |= 1 << c.number
		}
	}
}

func (s *sim) coupon(id domain.CouponID, head, definition *storedKey) *domain.CouponSnapshot {
	key := [2]int32{head.number, definition.number}
	if c := s.coupons[key]; c != nil {
		return c
	}
	h := head.fields
	c, err := parseCoupon(id, h, definition.values[0])
	s.must(err)
	s.coupons[key] = c
	return c
}

func (s *sim) code(name domain.PromotionCodeName, value string, coupon *domain.CouponSnapshot) simCode {
	stored := readCode(value)
	var counted domain.PromotionCodeSnapshot
	s.must(stored.count(name, &counted))
	c := simCode{
		number: s.number(name), name: name, coupon: coupon,
		state: byte(counted.State), token: stored.token(), version: counted.Version, redeemed: counted.Redeemed,
	}
	if stored.definition != "" {
		var err error
		c.p, err = stored.snapshot(name)
		s.must(err)
	}
	return c
}

// number numbers a promotion code in all worlds.
func (s *sim) number(name domain.PromotionCodeName) int32 {
	n := s.names.put(name.String(), func() domain.PromotionCodeName { return name })
	if n >= 64 {
		s.t.Fatal("more than 64 promotion codes in one sim")
	}
	return n
}

func (w *world) code(number int32) *simCode {
	for i := range w.codes {
		if w.codes[i].number == number {
			return &w.codes[i]
		}
	}
	return nil
}
