// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/discountd/discountd/domain"
)

// When all calls of a schedule have returned, what they returned and what they
// left behind must be what some order of them, one after the other, would have
// led to. One that was aborted may be in the order or not.

// serialKey is what the outcomes in all orders depend on.
type serialKey struct {
	world int32
	calls [maxClients]*clientCall
}

// outcome sums up what calls returned and left behind. One softness is known: of
// two takers in a race, the loser may have superseded a holder that can never be
// redeemed again, which no longer being in the way of anybody is all that it lost.
func outcome(answers []string, end *world) string {
	lost := slices.ContainsFunc(answers, func(a string) bool { return a == "exists" || a == "aborted" })
	var b strings.Builder
	b.WriteString(strings.Join(answers, ", "))
	for _, c := range end.codes {
		state := c.state
		switch {
		case lost && c.p != nil && state != byte(domain.PromotionInactive) && len(c.p.Fit(c.coupon, simTime(0))) > 0:
			state = '-'
		case state == byte(domain.PromotionPending) && end.claimed(&c):
			state = byte(domain.PromotionActive) // to whoever looks the code up
		case state == byte(domain.PromotionPending):
			state = byte(domain.PromotionInactive)
		}
		if c.state != byte(domain.PromotionActive) && c.name.ID[4] <= '9' && !end.claimed(&c) {
			continue // what a client was to create and did not
		}
		fmt.Fprintf(&b, "; %s %c %d", c.name.ID, state, c.redeemed)
	}
	return b.String()
}

// claimed reports whether a bucket names a promotion code with its token.
func (w *world) claimed(c *simCode) bool {
	for field, value := range w.claims {
		if parseEntry(field, value).owner == (owner{c.name, c.token}) {
			return true
		}
	}
	return false
}

// answerOf sums up what one call returned. Which of several holders a refusal
// names is left open.
func answerOf(n *node) string {
	switch {
	case n.err == nil:
		return "ok"
	case errors.Is(n.err, domain.ErrAborted):
		return "aborted"
	case isError[*domain.AlreadyExistsError](n.err):
		return "exists"
	case isError[*domain.RefusedError](n.err):
		return "refused"
	case isError[*domain.DeletedError](n.err):
		return "deleted"
	default:
		return n.err.Error()
	}
}

// checkSerial holds the end of a schedule against all orders of its calls.
func (x *explorer) checkSerial(m *moment, i int32) {
	sc := &x.scenarios[m.scenario]
	key := serialKey{world: sc.world}
	answers := make([]string, len(sc.programs))
	var happened []int // the calls that certainly did
	var maybe []int
	for c := range sc.programs {
		key.calls[c] = sc.programs[c][0]
		answers[c] = answerOf(x.nodes[m.at[c]])
		if answers[c] == "aborted" {
			maybe = append(maybe, c)
		} else {
			happened = append(happened, c)
		}
	}
	got := outcome(answers, x.worlds.values[m.world])
	allowed := map[string]bool{}
	for subset := range 1 << len(maybe) {
		order := slices.Clone(happened)
		for k, c := range maybe {
			if subset&(1<<k) != 0 {
				order = append(order, c)
			}
		}
		slices.Sort(order)
		permutations(order, func(order []int) {
			allowed[x.inOrder(key, sc, order, maybe)] = true
		})
	}
	if !allowed[got] {
		var list []string
		for a := range allowed {
			list = append(list, a)
		}
		slices.Sort(list)
		x.report(step{i, begins, -1}, fmt.Sprintf("no order of the calls leads to\n      %s\n    but only to\n      %s", got, strings.Join(list, "\n      ")))
	}
}

// inOrder is the outcome of calls that are made one after the other.
func (x *explorer) inOrder(key serialKey, sc *scenario, order, maybe []int) string {
	memo := fmt.Sprint(key.world, order, maybe, key.calls)
	if out, ok := x.orders[memo]; ok {
		return out
	}
	world := key.world
	answers := make([]string, len(sc.programs))
	for _, c := range order {
		at := x.root(key.calls[c], 0)
		for x.nodes[at].next >= 0 {
			e := x.effectOf(cause{world, x.nodes[at].next})
			world, at = e.world, x.after(at, edge{e.reply, 0})
		}
		answers[c] = answerOf(x.nodes[at])
	}
	for _, c := range maybe {
		answers[c] = "aborted"
	}
	out := outcome(answers, x.worlds.values[world])
	x.orders[memo] = out
	return out
}

// permutations calls f with every order of list.
func permutations(list []int, f func([]int)) {
	if len(list) == 0 {
		f(nil)
		return
	}
	for i := range list {
		rest := slices.Delete(slices.Clone(list), i, i+1)
		permutations(rest, func(p []int) { f(append([]int{list[i]}, p...)) })
	}
}
