// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/discountd/discountd/domain"
)

const maxClients = 3

// scenario is where some clients begin, and what each of them calls.
type scenario struct {
	name  string
	world int32
	// programs are the calls of each client, one after the other.
	programs [][]*clientCall
	// ahead is how much the clock of each client is ahead of the others'.
	ahead [maxClients]int8
	// ticks is how often the clock may move, mishaps how often a message may be
	// delivered twice or an answer be lost.
	ticks, mishaps int8
	// serial asks that every outcome is one that calls one by one could have.
	serial bool
}

// moment is a state of a scenario: of Redis, of the clients, of the network.
type moment struct {
	scenario int32
	world    int32
	at       [maxClients]int32 // node of each client
	doing    [maxClients]int8  // which call of its program; past the end when it has made all
	clock    int8
	mishaps  int8  // that may still happen
	late     int32 // a copy of a command that will be delivered, or -1
	// begun and saw are, for each client, whether its call has begun and whether
	// what it wants to be ACTIVE has been since.
	begun, saw uint8
	// quiet are the codes that were taken out of use and that nobody has begun to
	// activate since.
	quiet uint64
}

// step says how a moment came about, and what it came from.
type step struct {
	parent int32
	what   action
	client int8
}

type action int8

const (
	begins action = iota
	arrives
	arrivesTwice
	losesAnswer
	deliversLate
	ticks
)

// explorer goes through all moments of many scenarios, in order of distance from
// the beginning.
type explorer struct {
	*sim
	calls     *callBook
	scenarios []scenario
	moments   []moment
	steps     []step
	schedules []float64 // the number of ways to come to each moment

	level map[moment]int32 // the moments of the next level

	lone     map[loneKey]bool
	pending  []*loneRun
	complete float64 // schedules that came to an end
	found    []string
	orders   map[string]string // outcomes of calls made one after the other
}

// enough is how many violations are reported before the search ends.
const enough = 3

// explore goes through all schedules of the scenarios.
func (x *explorer) explore(scenarios []scenario) {
	x.scenarios = scenarios
	x.level = map[moment]int32{}
	x.moments, x.steps, x.schedules = x.moments[:0], x.steps[:0], x.schedules[:0]
	for i, sc := range scenarios {
		m := moment{scenario: int32(i), world: sc.world, mishaps: sc.mishaps, late: -1, at: [maxClients]int32{-1, -1, -1}}
		for c, program := range sc.programs {
			m.at[c] = x.root(program[0], sc.ahead[c])
		}
		x.reach(m, step{parent: -1}, 1)
	}
	for from := 0; from < len(x.moments) && len(x.found) < enough; {
		to := len(x.moments)
		clear(x.level)
		x.prepare(from, to)
		for i := from; i < to && len(x.found) < enough; i++ {
			x.expand(int32(i))
		}
		x.finishLone()
		from = to
	}
}

// prepare asks Redis for all that the moments of one level need, at once.
func (x *explorer) prepare(from, to int) {
	var causes []cause
	for i := from; i < to; i++ {
		m := &x.moments[i]
		for _, n := range m.at {
			if n >= 0 && x.nodes[n].next >= 0 {
				causes = append(causes, cause{m.world, x.nodes[n].next})
			}
		}
		if m.late >= 0 {
			causes = append(causes, cause{m.world, m.late})
		}
	}
	x.resolve(causes)
}

func (x *explorer) expand(i int32) {
	m := x.moments[i]
	sc := &x.scenarios[m.scenario]
	n := x.schedules[i]
	idle := true
	for c := range sc.programs {
		at := x.nodes[m.at[c]]
		if at.next < 0 {
			continue
		}
		idle = false
		e := x.effectOf(cause{m.world, at.next})
		x.send(m, i, c, e, arrives, n)
		if m.mishaps > 0 && x.commands.values[at.next].writes {
			x.send(m, i, c, e, arrivesTwice, n)
			if e.world != m.world {
				x.lose(m, i, c, e, n)
			}
		}
		x.retryAlone(m, i, c)
	}
	if m.late >= 0 {
		idle = false
		after := m
		after.late = -1
		after.world = x.effectOf(cause{m.world, m.late}).world
		x.arrive(m, after, step{i, deliversLate, -1}, 0, n)
	}
	if m.clock < sc.ticks && !x.finished(&m) {
		after := m
		after.clock++
		x.reach(after, step{i, ticks, -1}, n)
	}
	if idle {
		x.complete += n
		if sc.serial {
			x.checkSerial(&m, i)
		}
	}
	x.takeAlone(m, i)
}

func (x *explorer) finished(m *moment) bool {
	for c := range x.scenarios[m.scenario].programs {
		if x.nodes[m.at[c]].next >= 0 {
			return false
		}
	}
	return true
}

// send lets a client's command reach Redis and its answer the client; a copy may
// stay in the network.
func (x *explorer) send(m moment, i int32, c int, e effect, what action, n float64) {
	sc := &x.scenarios[m.scenario]
	after := m
	after.world = e.world
	if what == arrivesTwice {
		after.late = x.nodes[m.at[c]].next
		after.mishaps--
	}
	x.begin(&m, &after, c)
	next := x.after(m.at[c], edge{e.reply, m.clock + sc.ahead[c]})
	after.at[c] = next
	node := x.nodes[next]
	live := uint64(0)
	if after.world != m.world {
		live = opened(x.worlds.values[m.world], x.worlds.values[after.world])
	}
	if node.next < 0 {
		x.see(&after)
		if bad := answerViolation(node.call, node.err, after.saw&(1<<c) != 0); bad != "" {
			x.report(step{i, what, int8(c)}, fmt.Sprintf("%s: %s", node.call.label, bad))
		}
		after.begun &^= 1 << c
		after.saw &^= 1 << c
		after.doing[c]++
		if program := sc.programs[c]; int(after.doing[c]) < len(program) {
			after.at[c] = x.root(program[after.doing[c]], m.clock+sc.ahead[c])
		}
	}
	x.arrive(m, after, step{i, what, int8(c)}, live, n)
}

// lose lets a client's command reach Redis but not its answer the client, which
// will send it again.
func (x *explorer) lose(m moment, i int32, c int, e effect, n float64) {
	after := m
	after.world = e.world
	after.mishaps--
	x.begin(&m, &after, c)
	x.arrive(m, after, step{i, losesAnswer, int8(c)}, opened(x.worlds.values[m.world], x.worlds.values[e.world]), n)
}

// begin notes that a call is under way from here on.
func (x *explorer) begin(m, after *moment, c int) {
	if after.begun&(1<<c) == 0 {
		after.begun |= 1 << c
		x.seeIn(after, x.worlds.values[m.world])
	}
}

// see notes what is ACTIVE while calls are under way.
func (x *explorer) see(m *moment) { x.seeIn(m, x.worlds.values[m.world]) }

func (x *explorer) seeIn(m *moment, w *world) {
	for c := range x.scenarios[m.scenario].programs {
		if m.begun&(1<<c) != 0 && w.active&x.wants(x.nodes[m.at[c]].call) != 0 {
			m.saw |= 1 << c
		}
	}
}

// wants are the codes that a call is to make ACTIVE.
func (x *explorer) wants(c *clientCall) uint64 {
	var out uint64
	switch c.kind {
	case activates:
		return 1 << x.number(c.target)
	case creates:
		for n, name := range x.names.values {
			if name.ID[4] == c.actor {
				out |= 1 << n
			}
		}
	}
	return out
}

// arrive checks a step that may have changed what Redis holds. live are the codes
// that a client, not a late copy, has begun to activate.
func (x *explorer) arrive(before, after moment, st step, live uint64, n float64) {
	if after.world != before.world {
		was, is := x.worlds.values[before.world], x.worlds.values[after.world]
		if bad := is.wrong; bad != "" {
			x.report(st, bad)
		}
		if bad := stepViolation(was, is); bad != "" {
			x.report(st, bad)
		}
		after.quiet = (after.quiet | retired(was, is)) &^ live
		if loud := after.quiet & is.alive(); loud != 0 {
			x.report(st, fmt.Sprintf("%v came back after it was taken out of use", x.namesOf(loud)))
		}
		x.see(&after)
	}
	x.reach(after, st, n)
}

// reach adds a moment to the next level. A world that is wrong was reported.
func (x *explorer) reach(m moment, st step, schedules float64) {
	at, ok := x.level[m]
	if !ok {
		at = int32(len(x.moments))
		if at == math.MaxInt32 {
			x.t.Fatal("too many moments")
		}
		x.level[m] = at
		x.moments = append(x.moments, m)
		x.steps = append(x.steps, st)
		x.schedules = append(x.schedules, 0)
	}
	x.schedules[at] += schedules
}

func (x *explorer) namesOf(codes uint64) []domain.PromotionCodeName {
	var out []domain.PromotionCodeName
	for n, name := range x.names.values {
		if codes&(1<<n) != 0 {
			out = append(out, name)
		}
	}
	return out
}

// Calls that are made alone, when everybody else has stopped for ever.

// loneKey is a call in a state of Redis.
type loneKey struct {
	world int32
	call  *clientCall
	clock int8
}

// loneRun is such a call under way.
type loneRun struct {
	loneKey
	from  step // how its world came about
	at    int32
	now   int32 // the world
	tries int
}

// loneTries is how often a call that is alone may be aborted by what others left
// behind.
const loneTries = 2

// retryAlone has a client that crashes here make its call once more.
func (x *explorer) retryAlone(m moment, i int32, c int) {
	if m.begun&(1<<c) != 0 && x.nodes[m.at[c]].call.kind != other {
		x.makeAlone(m, i, x.nodes[m.at[c]].call, m.clock+x.scenarios[m.scenario].ahead[c])
	}
}

// takeAlone has somebody new ask for the code.
func (x *explorer) takeAlone(m moment, i int32) {
	x.makeAlone(m, i, x.calls.create(actorLone, couponZ, "", ""), m.clock)
	if x.calls.twin != "" {
		x.makeAlone(m, i, x.calls.issue(actorLone, ""), m.clock)
	}
	for _, code := range x.worlds.values[m.world].codes {
		if code.state == byte(domain.PromotionPending) {
			x.makeAlone(m, i, x.calls.about(endOf(code), actorLone, code.name), m.clock)
		}
	}
}

// endOf is how a PENDING promotion code is brought to an end by its name. What twin a
// gift card has is then not known: it is given up.
func endOf(code simCode) kind {
	if code.p.Card != nil {
		return deactivates
	}
	return activates
}

func (x *explorer) makeAlone(m moment, i int32, c *clientCall, clock int8) {
	key := loneKey{m.world, c, clock}
	if x.lone[key] {
		return
	}
	x.lone[key] = true
	x.pending = append(x.pending, &loneRun{loneKey: key, from: step{i, begins, -1}, at: -1, now: m.world})
}

// finishLone plays all lone calls to their ends, side by side.
func (x *explorer) finishLone() {
	runs := x.pending
	x.pending = nil
	for len(runs) > 0 && len(x.found) < enough {
		var causes []cause
		for _, r := range runs {
			if r.at < 0 {
				r.at = x.root(x.calls.again(r.call, r.tries), r.clock)
			}
			causes = append(causes, cause{r.now, x.nodes[r.at].next})
		}
		x.resolve(causes)
		runs = slices.DeleteFunc(runs, x.advance)
	}
}

// advance plays one command of a lone call and reports whether it has ended.
func (x *explorer) advance(r *loneRun) bool {
	e := x.effectOf(cause{r.now, x.nodes[r.at].next})
	if bad := x.worlds.values[e.world].wrong; bad != "" {
		x.report(r.from, fmt.Sprintf("then, alone, %s: %s", r.call.label, bad))
	}
	if bad := stepViolation(x.worlds.values[r.now], x.worlds.values[e.world]); bad != "" {
		x.report(r.from, fmt.Sprintf("then, alone, %s: %s", r.call.label, bad))
	}
	r.now, r.at = e.world, x.after(r.at, edge{e.reply, r.clock})
	n := x.nodes[r.at]
	if n.next >= 0 {
		return false
	}
	if r.tries++; errors.Is(n.err, domain.ErrAborted) && r.tries < loneTries {
		r.at = -1
		return false
	}
	if bad := x.loneViolation(r.call, n, x.worlds.values[r.now], r.clock); bad != "" {
		x.report(r.from, fmt.Sprintf("then, alone, %s: %s", r.call.label, bad))
	}
	return true
}

// report notes a violation with the schedule that leads to it.
func (x *explorer) report(st step, what string) {
	if len(x.found) >= enough {
		return
	}
	path := []step{st}
	for p := st.parent; p >= 0; p = x.steps[p].parent {
		path = append(path, x.steps[p])
	}
	slices.Reverse(path)
	var b strings.Builder
	sc := &x.scenarios[x.moments[max(path[0].parent, path[min(1, len(path)-1)].parent)].scenario]
	fmt.Fprintf(&b, "%s\n  scenario: %s\n  %s\n", what, sc.name, x.worlds.values[sc.world])
	for k, p := range path[1:] {
		m := &x.moments[p.parent]
		fmt.Fprintf(&b, "  %s\n", x.describe(m, p))
		if k+2 < len(path) {
			if next := &x.moments[path[k+2].parent]; next.world != m.world {
				fmt.Fprintf(&b, "      -> %s\n", x.worlds.values[next.world])
			}
		}
	}
	x.found = append(x.found, b.String())
}

func (x *explorer) describe(m *moment, st step) string {
	switch st.what {
	case deliversLate:
		return "a late copy arrives: " + x.commands.values[m.late].String()
	case ticks:
		return "the clock moves"
	case begins:
		return "everybody stops"
	}
	n := x.nodes[m.at[st.client]]
	how := map[action]string{arrives: "", arrivesTwice: " (a copy stays in the network)", losesAnswer: " (the answer is lost)"}[st.what]
	return fmt.Sprintf("client %d, %s: %s%s", st.client, n.call.label, x.commands.values[n.next], how)
}

func (c command) String() string {
	if c.name == "" {
		return fmt.Sprint(c.args...)
	}
	return fmt.Sprintf("%s %q", c.name, c.args[2:])
}

func (w *world) String() string {
	var parts []string
	for _, c := range w.codes {
		parts = append(parts, fmt.Sprintf("%s/%s=%c,%s,v%d", c.name.Coupon, c.name.ID, c.state, c.token, c.version))
	}
	fields := make([]string, 0, len(w.claims))
	for f, v := range w.claims {
		fields = append(fields, f+": "+v)
	}
	slices.Sort(fields)
	return strings.Join(parts, " ") + " | " + strings.Join(fields, " | ")
}
