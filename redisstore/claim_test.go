// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/discountd/discountd/domain"
	"github.com/discountd/discountd/internal/privateredis"
	"github.com/discountd/discountd/internal/redistest"
)

// TestP5ClaimProtocol goes through schedules of the claim protocol: the real Store
// and its real scripts on a real Redis, one command at a time, in every order in
// which the commands of the clients can reach it. At each moment of a schedule
//
//   - no two conflicting promotion codes are ACTIVE, and nothing terminal is left,
//   - what was taken out of use stays so until somebody asks for it anew,
//   - every client may have crashed for ever: a retry of its call then comes to an
//     end, a PENDING promotion code can be finished or given up, and the code can
//     be taken by somebody new, unless an ACTIVE promotion code that can still be
//     redeemed holds it,
//
// and at the end what was answered and what is left is what some order of the
// calls would have led to. A mishap is a message that arrives a second time, at
// whatever later moment, or an answer that is lost, after which go-redis sends the
// command again.
//
// All scenarios are explored under TORTURE, a sample of them otherwise.
func TestP5ClaimProtocol(t *testing.T) {
	t.Parallel()
	x := newExplorer(t)
	random := rand.New(rand.NewPCG(1, 1)) // the same sample every time
	t.Run("two clients", func(t *testing.T) {
		x.run(t, sample(random, x.twoClients(0), longForm(300, every)))
	})
	t.Run("two clients and a mishap", func(t *testing.T) {
		x.run(t, sample(random, x.twoClients(1), longForm(60, every)))
	})
	t.Run("two clients with two calls each", func(t *testing.T) {
		x.run(t, x.someOf(random, 2, 2, 0, longForm(30, 2_000)))
	})
	t.Run("three clients", func(t *testing.T) {
		x.run(t, x.someOf(random, 3, 1, 0, longForm(15, 1_500)))
	})
	t.Run("three clients and a mishap", func(t *testing.T) {
		x.run(t, x.someOf(random, 3, 1, 1, longForm(5, 300)))
	})
}

// every is more than there are scenarios of two clients.
const every = 1 << 20

func newExplorer(t *testing.T) *explorer {
	t.Helper()
	server := redistest.Fresh(t, privateredis.Config{Socket: filepath.Join(t.TempDir(), "s")})
	return &explorer{
		sim: newSim(t, redistest.Client(t, server)), calls: &callBook{},
		lone: map[loneKey]bool{}, orders: map[string]string{},
	}
}

// run explores scenarios some at a time, so that not all moments are kept.
func (x *explorer) run(t *testing.T, scenarios []scenario) {
	began, moments := time.Now(), 0
	x.complete = 0
	for some := range slices.Chunk(scenarios, 500) {
		x.explore(some)
		moments += len(x.moments)
		for _, f := range x.found {
			t.Error(f)
		}
		if t.Failed() {
			return
		}
	}
	t.Logf("%d scenarios: %.3g schedules through %d moments; so far %d states of Redis, %d commands executed by it, %d lone calls; %s",
		len(scenarios), x.complete, moments, len(x.worlds.values), x.executed, len(x.lone), time.Since(began).Round(time.Millisecond))
}

// sample returns n of a list, or all of them if there are fewer.
func sample(random *rand.Rand, list []scenario, n int) []scenario {
	random.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list[:min(n, len(list))]
}

// twoClients are all pairs of calls in all settings.
func (x *explorer) twoClients(mishaps int8) []scenario {
	var out []scenario
	for _, g := range settings() {
		world, ok := x.settle(x.calls, g)
		if !ok {
			continue
		}
		a, b := x.calls.operations(g, '1'), x.calls.operations(g, '2')
		for i := range a {
			for j := range b {
				if i > j && !g.expires() {
					continue // the same with the clients exchanged
				}
				out = append(out, newScenario(g, world, mishaps, []*clientCall{a[i]}, []*clientCall{b[j]}))
			}
		}
	}
	return out
}

// someOf are scenarios with clients of some calls each and some mishaps, at random.
func (x *explorer) someOf(random *rand.Rand, clients, calls int, mishaps int8, n int) []scenario {
	var out []scenario
	all := settings()
	for len(out) < n {
		g := all[random.IntN(len(all))]
		world, ok := x.settle(x.calls, g)
		if !ok {
			continue
		}
		programs := make([][]*clientCall, clients)
		for c := range programs {
			for k := range calls {
				choice := x.calls.operations(g, byte('1'+c+k*clients))
				choice = append(choice, x.calls.onCreated(byte('1'+c+k*clients), g.coupon)...)
				programs[c] = append(programs[c], choice[random.IntN(len(choice))])
			}
		}
		out = append(out, newScenario(g, world, mishaps, programs...))
	}
	return out
}

// onCreated are calls about what the first client creates.
func (cs *callBook) onCreated(actor byte, coupon domain.CouponID) []*clientCall {
	name := domain.PromotionCodeName{Coupon: coupon, ID: firstIDOf('1')}
	return []*clientCall{cs.about(activates, actor, name), cs.about(deactivates, actor, name)}
}

func newScenario(g setting, world int32, mishaps int8, programs ...[]*clientCall) scenario {
	sc := scenario{world: world, programs: programs, mishaps: mishaps, serial: mishaps == 0}
	sc.name = g.String()
	for _, p := range programs {
		sc.name += " |"
		for _, c := range p {
			sc.name += " " + c.label + ";"
			// Nobody can name what another client has yet to be told of.
			sc.serial = sc.serial && (c.target.ID == "" || c.target.ID[4] > '9')
		}
		sc.serial = sc.serial && len(p) == 1
	}
	if g.expires() {
		sc.ticks, sc.ahead[0], sc.serial = 1, 1, false
	}
	return sc
}
