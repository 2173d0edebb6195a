// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"slices"
	"sync"
	"time"

	"github.com/discountd/discountd/domain"
)

// lane has the requests that wait for one Redis node, and its flights.
type lane struct {
	g *gatherer

	mu    sync.Mutex
	lines map[lineKey]*line
	// ready are the lines that could send a batch, the one that waits longest
	// first.
	ready []*line
	// waiting counts the requests of all lines that are in no flight.
	waiting int
	flights []*flight
	// watch looks after those that wait when nobody comes and no flight lands. It is
	// set only while somebody waits, so that it costs a request that does not wait
	// nothing, and those that do one setting in stallAfter together.
	watch    *time.Timer
	watching bool
}

type lineKey struct {
	kind   *batchKind
	coupon domain.CouponID
}

// line has the requests for one script about one coupon, in the order they came.
type line struct {
	key     lineKey
	waiting []*ticket
	// gone counts those in waiting whose callers have left.
	gone    int
	ready   bool // it is among the ready lines of its lane
	flights []*flight
}

// flight is what is sent to a node at once: batches of different lines.
type flight struct {
	batches []*batch
	since   time.Time
}

// isOnly reports whether a request is all that is in the flight.
func (f *flight) isOnly(t *ticket) bool {
	return len(f.batches) == 1 && len(f.batches[0].tickets) == 1 && f.batches[0].tickets[0] == t
}

// latestDeadline returns when the last caller gives up, or false when one never
// does.
func (f *flight) latestDeadline() (time.Time, bool) {
	var latest time.Time
	for _, b := range f.batches {
		for _, t := range b.tickets {
			if t.deadline.IsZero() {
				return time.Time{}, false
			}
			if t.deadline.After(latest) {
				latest = t.deadline
			}
		}
	}
	return latest, true
}

// room reports whether one more flight may begin beside those given: at most most
// that are not stalled, and a bounded number in all.
func room(flights []*flight, most int, now time.Time) bool {
	if len(flights) < most {
		return true
	}
	fresh := 0
	for _, f := range flights {
		if now.Sub(f.since) < stallAfter {
			fresh++
		}
	}
	return fresh < most && len(flights) < most*maxStalled
}

// join puts a request into its line and returns the flight that is to be sent at
// once, if there is one; it need not have this request. It fails when too many
// wait.
func (l *lane) join(key lineKey, t *ticket) (*flight, error) {
	now := l.g.store.clock()
	l.mu.Lock()
	defer l.mu.Unlock()
	ln := l.lines[key]
	if l.waiting >= l.g.maxWaiting || ln != nil && len(ln.waiting)-ln.gone >= max(1, l.g.maxWaiting/2) {
		return nil, &domain.OverloadedError{RetryAfter: overloadedRetryAfter}
	}
	if ln == nil {
		ln = &line{key: key}
		l.lines[key] = ln
	}
	t.line = ln
	ln.waiting = append(ln.waiting, t)
	l.waiting++
	l.makeReady(ln, now)
	f := l.takeOff(now)
	l.keepWatch()
	return f, nil
}

// keepWatch sets the watch if somebody waits: nothing else need happen before the
// flights that they wait for have stalled.
func (l *lane) keepWatch() {
	if l.waiting == 0 || l.watching {
		return
	}
	l.watching = true
	if l.watch == nil {
		l.watch = time.AfterFunc(stallAfter, l.look)
	} else {
		l.watch.Reset(stallAfter)
	}
}

// look sends what waits only for flights that have stalled. So a request waits for a
// stalled flight no longer than twice stallAfter.
func (l *lane) look() {
	now := l.g.store.clock()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.watching = false
	for _, ln := range l.lines {
		l.makeReady(ln, now)
	}
	for f := l.takeOff(now); f != nil; f = l.takeOff(now) {
		go l.g.flyOn(l, f)
	}
	l.keepWatch()
}

// leave takes a request out of its line when its caller has left before it was
// sent: work that nobody waits for is not done.
func (l *lane) leave(t *ticket) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if t.taken || t.gone {
		return
	}
	t.gone = true
	l.waiting--
	ln := t.line
	ln.gone++
	// Often enough that a line does not grow, and not every time.
	if ln.gone*2 > len(ln.waiting) {
		ln.waiting = slices.DeleteFunc(ln.waiting, func(t *ticket) bool { return t.gone })
		ln.gone = 0
	}
	l.forget(ln)
}

// land ends a flight and returns the next one that is to be sent, if there is one.
func (l *lane) land(f *flight) *flight {
	now := l.g.store.clock()
	l.mu.Lock()
	defer l.mu.Unlock()
	same := func(other *flight) bool { return other == f }
	l.flights = slices.DeleteFunc(l.flights, same)
	for _, b := range f.batches {
		b.line.flights = slices.DeleteFunc(b.line.flights, same)
		l.makeReady(b.line, now)
		l.forget(b.line)
	}
	return l.takeOff(now)
}

// makeReady puts a line behind the ready ones if it could send a batch.
func (l *lane) makeReady(ln *line, now time.Time) {
	if !ln.ready && len(ln.waiting) > ln.gone && room(ln.flights, 1, now) {
		ln.ready = true
		l.ready = append(l.ready, ln)
	}
}

// forget drops a line that nothing is in any more.
func (l *lane) forget(ln *line) {
	if !ln.ready && len(ln.waiting) == 0 && len(ln.flights) == 0 {
		delete(l.lines, ln.key)
	}
}

// takeOff makes a flight of what is ready, if there is room for one.
func (l *lane) takeOff(now time.Time) *flight {
	if len(l.ready) == 0 || !room(l.flights, maxFlights, now) {
		return nil
	}
	f := &flight{since: now}
	n, bytes := 0, 0
	for ; n < len(l.ready) && len(f.batches) < maxLines && bytes < maxBatchBytes; n++ {
		ln := l.ready[n]
		ln.ready = false
		tickets, size := ln.take()
		if len(tickets) == 0 { // all of them have left
			l.forget(ln)
			continue
		}
		bytes += size
		l.waiting -= len(tickets)
		f.batches = append(f.batches, &batch{ln, tickets})
		ln.flights = append(ln.flights, f)
	}
	l.ready = slices.Delete(l.ready, 0, n)
	if len(f.batches) == 0 {
		return nil
	}
	l.flights = append(l.flights, f)
	return f
}

// take returns the first requests of the line, as many as fit one batch, and their
// size.
func (ln *line) take() ([]*ticket, int) {
	out := make([]*ticket, 0, min(len(ln.waiting), maxBatch))
	n, bytes := 0, 0
	for ; n < len(ln.waiting) && len(out) < maxBatch; n++ {
		t := ln.waiting[n]
		if t.gone {
			ln.gone--
			continue
		}
		if len(out) > 0 && bytes+t.size > maxBatchBytes {
			break
		}
		bytes += t.size
		t.taken = true
		out = append(out, t)
	}
	ln.waiting = slices.Delete(ln.waiting, 0, n)
	return out, bytes
}
