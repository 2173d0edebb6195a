// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/discountd/discountd/domain"
)

// Requests about one coupon that come while a script call of that coupon is in
// flight are gathered and go together in the next one. Nothing waits for a timer,
// unless the call in flight has stalled: a request that finds its coupon idle is sent
// at once, in a call of its own, by the caller's own goroutine. So one caller pays
// nothing for gathering, and the more callers there are, the larger the batches get.
//
// Requests wait in a line, one for each coupon and script. The lines of one Redis
// node share a lane, which has a bounded number of flights: a flight is one
// command, or a pipeline of them when several lines are ready. A line has one
// batch in flight and takes its turn behind the others, so a hot coupon does not
// starve the rest.

// The bounds of gathering.
const (
	// maxBatch is how many requests go in one script call: a call keeps Redis busy
	// for a millisecond then. The scripts take up to 500.
	maxBatch = 256
	// maxBatchBytes bounds the arguments of one script call. A larger request goes
	// alone.
	maxBatchBytes = 1 << 20
	// maxLines is how many script calls one pipeline has.
	maxLines = 64
	// maxFlights is how many commands or pipelines of a node are in flight. One
	// would leave Redis idle while the replies of the last are handed out.
	maxFlights = 4
	// stallAfter is how long a call may be in flight before it no longer keeps
	// others from being sent: its connection may be broken while others are not.
	stallAfter = 100 * time.Millisecond
	// maxStalled is how many calls of a line, and how many times maxFlights of a
	// lane, are in flight when all are stalled.
	maxStalled = 4
	// defaultMaxWaiting is how many requests wait for a node in all; one line takes
	// up half of that at most.
	defaultMaxWaiting = 16_384
	// overloadedRetryAfter is what a caller is told to wait when a queue is full.
	overloadedRetryAfter = 100 * time.Millisecond
)

// batchKind is a script that decides many requests of one coupon at once. Its
// reply has two values for each of them, in their order, after the outcome of the
// whole.
type batchKind struct {
	script *script
	// keys and lead are the KEYS, and the ARGV before those of the requests.
	keys func(*Store, domain.CouponID) []string
	lead func(*Store) []any
	// reads is whether the script only reads.
	reads bool
}

// decision is what became of one request: what the script decided, or why it did
// not.
type decision struct {
	outcome, value string
	err            error
}

// ticket is one request that is to go into a batch.
type ticket struct {
	args     []string
	size     int
	deadline time.Time
	// same, if set, is equal for requests that one answer serves.
	same string
	done chan decision
	// What follows belongs to the lane.
	line  *line
	taken bool
	gone  bool
}

// decisions has channels for tickets. Each ticket is decided once: a channel from
// which that was received is empty, and nobody sends to it any more.
var decisions = sync.Pool{New: func() any { return make(chan decision, 1) }}

// decided gives the channel of a ticket, from which d was received, to others.
func (t *ticket) decided(d decision) decision {
	decisions.Put(t.done)
	return d
}

// gatherer makes batches of requests. Its zero value is not usable; a nil one
// sends every request in a call of its own.
type gatherer struct {
	store      *Store
	maxWaiting int

	mu    sync.Mutex
	lanes map[string]*lane
	// only is the lane of a Redis that is not a cluster; readers is that of what only
	// reads there while writes are waited for, which would hold it up.
	only, readers *lane
}

func newGatherer(s *Store, maxWaiting int) *gatherer {
	if maxWaiting <= 0 {
		maxWaiting = defaultMaxWaiting
	}
	g := &gatherer{store: s, maxWaiting: maxWaiting, lanes: map[string]*lane{}}
	if _, ok := s.client.(*redis.ClusterClient); !ok {
		g.only, g.readers = g.lane(""), g.lane("readers")
	}
	return g
}

// lane returns the lane of a node. A cluster has few nodes.
func (g *gatherer) lane(node string) *lane {
	g.mu.Lock()
	defer g.mu.Unlock()
	l := g.lanes[node]
	if l == nil {
		l = &lane{g: g, lines: map[lineKey]*line{}}
		g.lanes[node] = l
	}
	return l
}

// laneOf returns the lane of the node that a coupon is on, as far as that is known
// here: it decides which requests travel together, not where they go.
func (g *gatherer) laneOf(ctx context.Context, kind *batchKind, c domain.CouponID) *lane {
	if g.only != nil {
		if kind.reads && g.store.waitsFor().waits() {
			return g.readers
		}
		return g.only
	}
	cluster, ok := g.store.client.(*redis.ClusterClient)
	if !ok {
		return g.lane("")
	}
	node, err := cluster.MasterForKey(ctx, g.store.keys.head(c))
	if err != nil {
		return g.lane("")
	}
	return g.lane(node.Options().Addr)
}

// submit has one request decided, in a batch or alone. When ctx ends first, the
// caller is let go and the others stay; the request is then executed or not.
func (g *gatherer) submit(ctx context.Context, kind *batchKind, c domain.CouponID, t *ticket) decision {
	if err := ctx.Err(); err != nil {
		return decision{err: err}
	}
	t.done = decisions.Get().(chan decision) //nolint:forcetypeassert // nothing else is put in
	t.deadline, _ = ctx.Deadline()
	for _, a := range t.args {
		t.size += len(a)
	}
	l := g.laneOf(ctx, kind, c)
	f, err := l.join(lineKey{kind, c}, t)
	if err != nil {
		return decision{err: err}
	}
	if f != nil && f.isOnly(t) {
		g.flyHere(ctx, l, f)
		return t.decided(<-t.done)
	}
	if f != nil {
		go g.flyOn(l, f)
	}
	select {
	case a := <-t.done:
		return t.decided(a)
	case <-ctx.Done():
		l.leave(t)
		return decision{err: ctx.Err()}
	}
}

// flyHere sends a flight in the name of its only caller. Those that its landing
// makes room for are not the caller's to wait for.
func (g *gatherer) flyHere(ctx context.Context, l *lane, f *flight) {
	defer func() {
		if next := l.land(f); next != nil {
			go g.flyOn(l, next)
		}
	}()
	g.fly(ctx, f)
}

// flyOn sends a flight and then those that its landing makes room for.
func (g *gatherer) flyOn(l *lane, f *flight) {
	for f != nil {
		g.flyForAll(f)
		f = l.land(f)
	}
}

// flyForAll sends a flight in nobody's name: it ends when no caller is left who
// waits for it.
func (g *gatherer) flyForAll(f *flight) {
	deadline, bounded := f.latestDeadline()
	if !bounded {
		g.fly(context.Background(), f)
		return
	}
	ctx, cancel := context.WithDeadline(context.Background(), deadline)
	defer cancel()
	g.fly(ctx, f)
}

// fly sends the batches of a flight and hands out the answers.
func (g *gatherer) fly(ctx context.Context, f *flight) {
	s := g.store
	calls := make([]*execution, len(f.batches))
	for i, b := range f.batches {
		calls[i] = b.call(s)
	}
	if len(calls) > 1 {
		s.sendTogether(ctx, calls)
	} else {
		s.sendAlone(ctx, calls[0])
	}
	for i, b := range f.batches {
		s.deliver(ctx, b, calls[i])
	}
}

// deliver hands out the answers of a batch. One that met a fault in what is
// stored is sent again in halves, until only those requests fail which meet it by
// themselves. A script that ends in a fault has written nothing.
func (s *Store) deliver(ctx context.Context, b *batch, c *execution) {
	if len(b.tickets) == 1 || !isFault(c.err) {
		b.handOut(c)
		return
	}
	half := len(b.tickets) / 2
	for _, tickets := range [][]*ticket{b.tickets[:half], b.tickets[half:]} {
		part := &batch{line: b.line, tickets: tickets}
		again := part.call(s)
		s.sendAlone(ctx, again)
		s.deliver(ctx, part, again)
	}
}

// batch is the requests of one line that go in one script call.
type batch struct {
	line    *line
	tickets []*ticket
}

// execution is one script call and what came of it.
type execution struct {
	kind *batchKind
	keys []string
	args []any
	// at has, for each ticket of the batch, the place of its answer.
	at []int

	reply reply
	err   error
}

func (b *batch) call(s *Store) *execution {
	kind := b.line.key.kind
	c := &execution{kind: kind, keys: kind.keys(s, b.line.key.coupon), at: make([]int, len(b.tickets))}
	lead := kind.lead(s)
	c.args = make([]any, 0, len(lead)+len(b.tickets)*len(b.tickets[0].args))
	c.args = append(c.args, lead...)
	var same map[string]int
	n := 0
	for i, t := range b.tickets {
		if t.same != "" {
			if at, ok := same[t.same]; ok {
				c.at[i] = at
				continue
			}
			if same == nil {
				same = map[string]int{}
			}
			same[t.same] = n
		}
		c.at[i] = n
		n++
		for i := range t.args {
			c.args = append(c.args, &t.args[i]) // to put the text itself into an any takes memory
		}
	}
	return c
}

// handOut gives every ticket of the batch its answer.
func (b *batch) handOut(c *execution) {
	coupon := b.line.key.coupon
	err := c.err
	switch {
	case err != nil:
	case c.reply.outcome == outcomeAbsent:
		err = &domain.NotFoundError{Type: domain.CouponResource, Name: coupon.String()}
	case c.reply.outcome == "broken":
		err = fmt.Errorf("redisstore: the ledger of %s and its length do not agree", coupon)
	case c.reply.outcome != "decided":
		err = fmt.Errorf("redisstore: a batch of %s is %q", c.kind.script.name, c.reply.outcome)
	}
	for i, t := range b.tickets {
		at := 2 * c.at[i]
		switch {
		case err != nil:
			t.done <- decision{err: err}
		case at+1 >= len(c.reply.values):
			t.done <- decision{err: fmt.Errorf("redisstore: %s left a request of %s out", c.kind.script.name, coupon)}
		default:
			t.done <- decision{outcome: c.reply.values[at], value: c.reply.values[at+1]}
		}
	}
}

// sendAlone sends one call.
func (s *Store) sendAlone(ctx context.Context, c *execution) {
	if c.kind.reads {
		c.reply, c.err = s.ask(ctx, c.kind.script, c.keys, c.args...)
	} else {
		c.reply, c.err = s.run(ctx, c.kind.script, c.keys, c.args...)
	}
}

// sendTogether sends several calls in one pipeline, and behind them what waits for
// all their writes, if writes are waited for. Those that the pipeline does not bring
// to an end are sent again, each alone: a script that is not there yet cannot be
// brought along in a pipeline, and after a lost connection, be it while their writes
// were waited for, a request id makes the second execution return what the first did.
func (s *Store) sendTogether(ctx context.Context, calls []*execution) {
	p := s.client.Pipeline()
	cmds := make([]*redis.Cmd, len(calls))
	each := make(witnesses, len(calls))
	writes := false
	for i, c := range calls {
		c.kind.script.check(c.keys, c.args)
		cmds[i] = p.EvalSha(ctx, c.kind.script.redis.Hash(), c.keys, c.args...)
		if !c.kind.reads {
			writes = true
			each[cmds[i]] = new(witness)
		}
	}
	safe, wait := s.waitsFor(), func() error { return nil }
	if safe.waits() && writes {
		wait = s.awaitBehind(ctx, p, safe)
	}
	_, _ = p.Exec(each.watch(ctx)) // every command has its own error
	notSafe := wait()
	for i, c := range calls {
		raw, err := cmds[i].Result()
		if err == nil && !c.kind.reads {
			err = notSafe
		}
		switch {
		case err == nil:
			c.reply, c.err = c.kind.script.reply(raw)
		case (redis.HasErrorPrefix(err, "NOSCRIPT") || connectionLost(err)) && ctx.Err() == nil:
			if c.kind.reads {
				c.reply, c.err = s.ask(ctx, c.kind.script, c.keys, c.args...)
			} else {
				c.reply, c.err = s.runWatched(ctx, each[cmds[i]], safe, c.kind.script, c.keys, c.args)
			}
		case c.kind.reads:
			c.err = readError(ctx, err)
		default:
			c.err = writeError(ctx, err, each[cmds[i]])
		}
	}
}
