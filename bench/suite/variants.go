// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

// Package suite runs the benchmark: it starts the servers, has the load generator
// ask them one after the other, and compares what they counted with what was sent.
package suite

import (
	"fmt"
	"regexp"
	"time"

	"github.com/discountd/discountd/bench/fixture"
	"github.com/discountd/discountd/bench/load"
	"github.com/discountd/discountd/bench/rivals"
)

// shape is what is asked, whoever answers.
type shape struct {
	work      string
	coupons   int
	staleness time.Duration
	callers   int
	rate      int
}

// String is unique among shapes.
func (s shape) String() string {
	name := s.work
	switch {
	case s.staleness > 0:
		name += "/stale"
	case s.work == load.Validate:
		name += "/exact"
	case s.coupons > 1:
		name += fmt.Sprintf("/%d-coupons", s.coupons)
	default:
		name += "/hot"
	}
	if s.rate > 0 {
		return name + fmt.Sprintf("/rate=%d", s.rate)
	}
	return name + fmt.Sprintf("/c=%d", s.callers)
}

// variant is a shape and who answers it.
type variant struct {
	shape  shape
	server spec
}

func (v variant) String() string { return v.shape.String() + "/" + v.server.String() }

// spec says what a server is.
type spec struct {
	// kind is service or one of package rivals.
	kind string
	// durability is what an acknowledgement is worth: one of the words below.
	durability string
	// name, if given, is used instead of kind, for a service with flags.
	name  string
	flags []string
}

const service = "discountd"

// The durabilities. Redis has three, PostgreSQL two.
const (
	off      = "off"      // nothing is written
	everysec = "everysec" // it is on disk within a second
	always   = "always"   // it is on disk
	async    = "async"    // it is on disk within a second
	synced   = "sync"     // it is on disk
)

func (s spec) String() string {
	name := s.kind
	if s.name != "" {
		name = s.name
	}
	if s.durability == "" {
		return name
	}
	return name + "/" + s.durability
}

// openLoopRate is the rate of the open loop, in calls a second.
const openLoopRate = 25_000

// staleness is how old an answer may be where it may be old at all.
const staleness = 5 * time.Second

// hot are redemptions of one coupon by so many callers at once.
func hot(callers int) shape { return shape{work: load.Redeem, coupons: 1, callers: callers} }

// variants are all of them, in the order in which they are shown.
func variants() []variant {
	var (
		empty   = spec{kind: rivals.Echo}
		product = func(durability string) spec { return spec{kind: service, durability: durability} }
		// The service as it is when every call is a script call of its own.
		single = func(durability string) spec {
			return spec{kind: service, durability: durability, name: "one-evalsha-per-call", flags: []string{"--gather=false"}}
		}
		rival    = func(kind, durability string) spec { return spec{kind: kind, durability: durability} }
		spread   = shape{work: load.Redeem, coupons: fixture.Spread, callers: 256}
		openLoop = shape{work: load.Redeem, coupons: 1, callers: 256, rate: openLoopRate}
		settle   = shape{work: load.Settle, coupons: 1, callers: 256}
		stream   = shape{work: load.Stream, coupons: 1, callers: 256}
		exact    = shape{work: load.Validate, coupons: 1, callers: 256}
		stale    = shape{work: load.Validate, coupons: 1, callers: 256, staleness: staleness}
	)
	all := []variant{{hot(256), empty}}
	add := func(s shape, servers ...spec) {
		for _, server := range servers {
			all = append(all, variant{s, server})
		}
	}
	add(hot(1), product(off), product(everysec), product(always))
	add(hot(64), product(off), product(everysec), product(always), single(everysec))
	add(hot(256), product(off), product(everysec), product(always), single(everysec), single(always))
	for _, kind := range []string{rivals.RowLock, rivals.Function, rivals.Batched} {
		add(hot(256), rival(kind, async), rival(kind, synced))
	}
	for _, kind := range []string{rivals.Watch, rivals.Lock} {
		add(hot(256), rival(kind, everysec), rival(kind, always))
	}
	add(hot(1024), product(everysec))
	add(spread, product(off), product(everysec), product(always), single(everysec))
	add(openLoop, product(everysec), single(everysec))
	add(settle, product(everysec), product(always))
	add(stream, product(everysec), product(always))
	add(exact, product(everysec))
	add(stale, product(everysec))
	return all
}

// choose returns the variants whose name matches only and which a discountd with
// the flags that has knows can run, and why others are left out.
func choose(only *regexp.Regexp, has func(flag string) bool) (chosen []variant, leftOut []string) {
next:
	for _, v := range variants() {
		if !only.MatchString(v.String()) {
			continue
		}
		for _, flag := range v.server.flags {
			if !has(flag) {
				leftOut = append(leftOut, fmt.Sprintf("%s: this discountd does not know %s", v, flag))
				continue next
			}
		}
		chosen = append(chosen, v)
	}
	return chosen, leftOut
}
