// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package suite

import (
	"fmt"
	"maps"
	"slices"

	"github.com/discountd/discountd/bench/fixture"
)

// account is what was sent to a server, to be compared with what it has counted
// and what is in its ledger.
type account struct {
	runs     map[uint64]*run
	counters map[string]int64 // what the server says, by coupon
	entries  map[string]int64 // what is in the ledger, by coupon
	failures []string
}

// run is what one process has sent: requests 0 to sent-1.
type run struct {
	sent, acknowledged uint64
	seen               []uint64 // a bit for every request that is in the ledger
	found              uint64
}

func newAccount() *account {
	return &account{runs: map[uint64]*run{}, counters: map[string]int64{}, entries: map[string]int64{}}
}

// add notes what a process has sent.
func (a *account) add(id, sent, acknowledged uint64) {
	a.runs[id] = &run{sent: sent, acknowledged: acknowledged, seen: make([]uint64, sent/64+1)}
}

// counter notes what a server says of a coupon.
func (a *account) counter(coupon string, n int64) { a.counters[coupon] = n }

// visit notes an entry of a ledger.
func (a *account) visit(coupon, request string) {
	a.entries[coupon]++
	id, n, ok := fixture.ParseRequestID(request)
	r := a.runs[id]
	if !ok || r == nil || n >= r.sent {
		a.fail("%s has a redemption that nobody asked for: %q", coupon, request)
		return
	}
	if r.seen[n/64]&(1<<(n%64)) != 0 {
		a.fail("%s has request %s twice", coupon, request)
		return
	}
	r.seen[n/64] |= 1 << (n % 64)
	r.found++
}

// verdict returns what is wrong: counters that are not as long as their ledger,
// redemptions that were acknowledged and are not there. One that is there and was
// not acknowledged is fine only if its call failed.
func (a *account) verdict() []string {
	for _, coupon := range slices.Sorted(maps.Keys(a.counters)) {
		if a.counters[coupon] != a.entries[coupon] {
			a.fail("%s counts %d redemptions, and its ledger has %d", coupon, a.counters[coupon], a.entries[coupon])
		}
	}
	for _, coupon := range slices.Sorted(maps.Keys(a.entries)) {
		if _, counted := a.counters[coupon]; !counted {
			a.fail("%s has a ledger and no counter", coupon)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(a.runs)) {
		if r := a.runs[id]; r.found < r.acknowledged {
			a.fail("of %d acknowledged redemptions %d are in the ledger", r.acknowledged, r.found)
		}
	}
	return a.failures
}

// failureLimit is how many failures of a server are told. More say nothing new.
const failureLimit = 10

func (a *account) fail(format string, args ...any) {
	if len(a.failures) < failureLimit {
		a.failures = append(a.failures, fmt.Sprintf(format, args...))
	}
}

// acknowledged returns how many redemptions were.
func (a *account) acknowledged() uint64 {
	var n uint64
	for _, r := range a.runs {
		n += r.acknowledged
	}
	return n
}
