// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redistest

import (
	"bytes"
	"context"
	"errors"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/discountd/discountd/internal/privateredis"
)

// A Link is a TCP address whose connections lead to a store, with a network in
// between that a test can harm. It reads the Redis protocol, so that what it does
// to a request or a reply it does to the whole of it, at a moment that does not
// depend on timing.
//
// Its methods may be called at any time; they act on open connections too.
type Link struct {
	t        testing.TB
	upstream string
	addr     string
	ctx      context.Context // ends with the test
	running  sync.WaitGroup

	mu       sync.Mutex
	listener net.Listener // nil while connections are refused
	conns    map[net.Conn]struct{}
	delay    time.Duration
	open     chan struct{} // closed while bytes flow
	rules    []*rule
	cuts     int
}

// Request tells a request by the command and its arguments.
type Request func(args [][]byte) bool

// rule cuts connections at the next left requests that match, or at their replies.
type rule struct {
	match   Request
	left    int
	atReply bool
}

// AnyRequest is every request.
func AnyRequest([][]byte) bool { return true }

// Containing is a request with an argument that contains s in any case. The
// command counts as one.
func Containing(s string) Request {
	want := bytes.ToLower([]byte(s))
	return func(args [][]byte) bool {
		for _, a := range args {
			if bytes.Contains(bytes.ToLower(a), want) {
				return true
			}
		}
		return false
	}
}

// Nth is the n-th request that match tells, and no other. The first is 1.
func Nth(n int, match Request) Request {
	var mu sync.Mutex
	return func(args [][]byte) bool {
		if !match(args) {
			return false
		}
		mu.Lock()
		defer mu.Unlock()
		n--
		return n == 0
	}
}

// Proxy returns a link to the store at the TCP address upstream. It is closed
// when the test ends.
func Proxy(t testing.TB, upstream string) *Link {
	t.Helper()
	port, err := privateredis.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	l := &Link{
		t: t, upstream: upstream, ctx: ctx,
		addr:  net.JoinHostPort("127.0.0.1", strconv.Itoa(port)),
		conns: map[net.Conn]struct{}{},
		open:  make(chan struct{}),
	}
	close(l.open)
	l.Accept()
	t.Cleanup(func() {
		cancel()
		l.Refuse()
		l.Drop()
		l.running.Wait()
	})
	return l
}

// Addr returns the address to connect to.
func (l *Link) Addr() string { return l.addr }

// Refuse makes new connections fail as if nothing listened. Open ones go on.
func (l *Link) Refuse() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.listener != nil {
		_ = l.listener.Close() // a listener has nothing left to lose
		l.listener = nil
	}
}

// Accept ends Refuse.
func (l *Link) Accept() {
	l.t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.listener != nil {
		return
	}
	listener, err := net.Listen("tcp", l.addr)
	if err != nil {
		l.t.Fatalf("redistest: %v", err)
	}
	l.listener = listener
	l.running.Go(func() { l.serve(listener) })
}

// Drop closes all open connections. New ones are as before.
func (l *Link) Drop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.conns {
		_ = c.Close() // meant to be lost
	}
}

// Delay holds every reply back for d from now on; 0 ends it.
func (l *Link) Delay(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.delay = d
}

// Freeze lets nothing through in either direction, on connections that stay open,
// until Thaw. What was held back then goes through, also the request of a client
// that has given up meanwhile.
func (l *Link) Freeze() {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.open:
		l.open = make(chan struct{})
	default:
	}
}

// Thaw ends Freeze.
func (l *Link) Thaw() {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.open:
	default:
		close(l.open)
	}
}

// CutReplies takes the next n requests that match to the store, waits for the
// whole reply, discards it and closes the connection: the store has executed the
// request, and the client cannot know.
func (l *Link) CutReplies(n int, match Request) { l.addRule(&rule{match, n, true}) }

// CutRequests closes the connection instead of taking the next n requests that
// match to the store: it has not executed them, and the client cannot know.
func (l *Link) CutRequests(n int, match Request) { l.addRule(&rule{match, n, false}) }

// Heal ends Refuse, Delay and Freeze and forgets the cuts that are still to come.
func (l *Link) Heal() {
	l.t.Helper()
	l.Accept()
	l.Delay(0)
	l.Thaw()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rules = nil
}

// Cuts returns how many requests and replies were cut so far.
func (l *Link) Cuts() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cuts
}

func (l *Link) addRule(r *rule) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rules = append(l.rules, r)
}

// fate says what a request is in for, and counts it as done: the first rule that
// matches decides.
func (l *Link) fate(args [][]byte) (cutRequest, cutReply bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.rules {
		if r.left > 0 && r.match(args) {
			r.left--
			l.cuts++
			return !r.atReply, r.atReply
		}
	}
	return false, false
}

// serve accepts connections until the listener is closed.
func (l *Link) serve(listener net.Listener) {
	for {
		client, err := listener.Accept()
		if err != nil {
			return
		}
		l.running.Go(func() { l.connect(client) })
	}
}

// connect joins a client to the store until either of them hangs up.
func (l *Link) connect(client net.Conn) {
	if !l.register(client) {
		return
	}
	defer l.unregister(client)
	store, err := (&net.Dialer{}).DialContext(l.ctx, "tcp", l.upstream)
	if err != nil {
		return
	}
	if !l.register(store) {
		return
	}
	defer l.unregister(store)

	p := &pipe{link: l, client: client, store: store}
	var both sync.WaitGroup
	for _, pump := range []func() error{p.requests, p.replies} {
		both.Go(func() {
			_ = pump() // however it ended, the connection is over
			_ = errors.Join(client.Close(), store.Close())
		})
	}
	both.Wait()
}

// register notes a connection for Drop, unless the test has ended.
func (l *Link) register(c net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ctx.Err() != nil {
		_ = c.Close()
		return false
	}
	l.conns[c] = struct{}{}
	return true
}

func (l *Link) unregister(c net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = c.Close() // closing twice is fine
	delete(l.conns, c)
}

var errCut = errors.New("cut")

// pipe is one connection through a link.
type pipe struct {
	link          *Link
	client, store net.Conn

	mu      sync.Mutex
	waiting []bool // for each request without a reply: whether the reply is cut
}

// requests takes requests from the client to the store.
func (p *pipe) requests() error {
	in := newReader(p.client)
	for {
		m, err := in.request()
		if err != nil {
			return err
		}
		if err := p.pass(0); err != nil {
			return err
		}
		cutRequest, cutReply := p.link.fate(m.args)
		if cutRequest {
			return errCut
		}
		p.mu.Lock()
		p.waiting = append(p.waiting, cutReply)
		p.mu.Unlock()
		if _, err := p.store.Write(m.raw); err != nil {
			return err
		}
	}
}

// replies takes replies from the store to the client.
func (p *pipe) replies() error {
	in := newReader(p.store)
	for {
		m, err := in.reply()
		if err != nil {
			return err
		}
		if !m.push && p.cutsNext() {
			return errCut
		}
		if err := p.pass(p.link.replyDelay()); err != nil {
			return err
		}
		if _, err := p.client.Write(m.raw); err != nil {
			return err
		}
	}
}

// cutsNext takes the oldest waiting request off the list and reports whether its
// reply is to be cut.
func (p *pipe) cutsNext() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.waiting) == 0 {
		return false
	}
	cut := p.waiting[0]
	p.waiting = p.waiting[1:]
	return cut
}

func (l *Link) replyDelay() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.delay
}

// pass waits for delay, and then until bytes flow.
func (p *pipe) pass(delay time.Duration) error {
	l := p.link
	if delay > 0 {
		select {
		case <-time.After(delay):
		case <-l.ctx.Done():
			return l.ctx.Err()
		}
	}
	l.mu.Lock()
	open := l.open
	l.mu.Unlock()
	select {
	case <-open:
		return nil
	case <-l.ctx.Done():
		return l.ctx.Err()
	}
}
