// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/discountd/discountd/domain"
	"github.com/discountd/discountd/internal/privateredis"
	"github.com/discountd/discountd/internal/redistest"
)

// sentinel is a hook that counts what a store sends, and does something before
// one of the commands.
type sentinel struct {
	sent atomic.Int64
	at   int64
	f    func()
}

// DialHook implements redis.Hook.
func (s *sentinel) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook implements redis.Hook.
func (s *sentinel) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		s.count()
		return next(ctx, cmd)
	}
}

// ProcessPipelineHook implements redis.Hook.
func (s *sentinel) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		s.count()
		return next(ctx, cmds)
	}
}

func (s *sentinel) count() {
	if s.sent.Add(1) == s.at && s.f != nil {
		s.f()
	}
}

// writing are all commands, each with the request id "r" and about the coupon "a"
// and a promotion code of it.
func writing() map[string]func(*env, domain.PromotionCodeName) error {
	out := map[string]func(*env, domain.PromotionCodeName) error{
		"redeem": func(e *env, _ domain.PromotionCodeName) error {
			_, err := e.Redeem(e.ctx(), byCode("r", "X", withCustomer("alice")))
			return err
		},
		"create a bound one that takes over": func(e *env, _ domain.PromotionCodeName) error {
			_, err := e.CreatePromotionCode(e.ctx(), domain.CreatePromotionCode{RequestID: "r", PromotionCode: promotionCode("a", "ENDED", boundToID("alice"))})
			return err
		},
	}
	for name, command := range codeCommands {
		out[name] = func(e *env, p domain.PromotionCodeName) error {
			_, err := command(e, e.Store, p)
			return err
		}
	}
	for name, command := range couponCommands {
		out[name+" (coupon)"] = func(e *env, _ domain.PromotionCodeName) error {
			_, err := command(e, e.Store)
			return err
		}
	}
	return out
}

// prepareWriting makes what a command of writing needs.
func prepareWriting(e *env, name string) (p domain.PromotionCodeName) {
	e.t.Helper()
	deterministic(e)
	switch {
	case name == "create (coupon)":
		return p
	case strings.HasSuffix(name, "(coupon)"):
		startCoupon(e, strings.TrimSuffix(name, " (coupon)"))
		return p
	}
	p = startCode(e, name)
	if strings.HasSuffix(name, "takes over") {
		e.createCode(promotionCode("a", "ENDED", codeLimitedTo(1)))
		e.redeem(byCode("ended", "ENDED"))
	}
	return p
}

// summary is what a store holds, as far as a command that was tried twice cannot
// have made another choice.
func (e *env) summary() []string {
	e.t.Helper()
	l, err := e.Coupons(e.ctx(), domain.CouponQuery{ShowDeleted: true, Page: domain.Page{Size: 100}})
	if err != nil {
		e.t.Fatal(err)
	}
	var out []string
	for _, c := range l.Items {
		out = append(out, fmt.Sprint(c.ID, " ", c.Version, c.Deleted, c.DisplayName, c.Redeemed, limitText(c.MaxRedemptions), len(e.redemptions(c.ID))))
		for _, p := range e.codesOf(c.ID) {
			code := p.Code.Form()
			if len(code) == 12 {
				code = "generated"
			}
			out = append(out, fmt.Sprint(c.ID, " ", code, string(p.State), p.Redeemed, limitText(p.MaxRedemptions)))
		}
	}
	slices.Sort(out)
	return out
}

// undisturbed runs a command on a store of its own and returns how many commands
// it sends, what is then stored, and the summary.
func undisturbed(t *testing.T, dial func() redis.UniversalClient, name string, command func(*env, domain.PromotionCodeName) error) (sent int64, dump map[string]string, summary []string) {
	t.Helper()
	e := openAt(t, dial)
	p := prepareWriting(e, name)
	var s sentinel
	e.client.AddHook(&s)
	if err := command(e, p); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	sent, dump = s.sent.Load(), e.dump()
	delete(dump, "{m}") // the store's id is its own
	return sent, dump, e.summary()
}

// loadScripts loads all scripts, so that each command of a store is one request.
func loadScripts(t *testing.T, client redis.UniversalClient) {
	t.Helper()
	for _, sc := range allScripts {
		if err := sc.redis.Load(t.Context(), client).Err(); err != nil {
			t.Fatal(err)
		}
	}
}

// isCommand is a request that a store sends, unlike those that a connection
// begins with.
func isCommand(args [][]byte) bool {
	name := strings.ToLower(string(args[0]))
	return name != "hello" && name != "client" && name != "ping"
}

// harm is what happens to a link just before a command is sent.
type harm struct {
	// once is whether sending again, as a store does by itself, mends it.
	once bool
	do   func(*redistest.Link)
}

var harms = map[string]harm{
	"the reply is cut":               {true, func(l *redistest.Link) { l.CutReplies(1, isCommand) }},
	"the request is cut":             {true, func(l *redistest.Link) { l.CutRequests(1, isCommand) }},
	"all replies are cut":            {false, func(l *redistest.Link) { l.CutReplies(1<<30, isCommand) }},
	"the reply is cut, then refused": {false, func(l *redistest.Link) { l.CutReplies(1, isCommand); l.Refuse() }},
	"nothing listens":                {false, func(l *redistest.Link) { l.Refuse(); l.Drop() }},
}

// TestConnectionLostAtAnyCommandLeavesOneEffect harms the connection at each of
// the commands that a call sends. Where the store may try again, the caller sees
// nothing of it. Else the call fails, says that nothing was done only if so, and
// the caller's own retry finds or finishes what was begun.
func TestConnectionLostAtAnyCommandLeavesOneEffect(t *testing.T) {
	for name, command := range writing() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Server(t)
			direct := func() redis.UniversalClient { return redistest.Client(t, server) }
			loadScripts(t, direct())
			sent, dump, summary := undisturbed(t, direct, name, command)
			for kind, harm := range harms {
				link := redistest.Proxy(t, server.Addr())
				for n := int64(1); n <= sent; n++ {
					what := fmt.Sprintf("%s at command %d", kind, n)
					e := openAt(t, func() redis.UniversalClient { return redistest.ClientAt(t, link.Addr()) })
					e.admin = direct()
					p := prepareWriting(e, name)
					before := e.dump()
					s := &sentinel{at: n, f: func() { harm.do(link) }}
					e.client.AddHook(s)
					err := command(e, p)
					link.Heal()
					if harm.once {
						after := e.dump()
						delete(after, "{m}")
						if diff := cmp.Diff(dump, after); err != nil || diff != "" {
							t.Errorf("%s: %v; stored (-undisturbed +now):\n%s", what, err, diff)
						}
						continue
					}
					e.failedAndMended(what, n, err, before, func() error { return command(e, p) }, summary)
				}
			}
		})
	}
}

// failedAndMended fails the test unless err is unavailability that is honest about
// what was done since before, and the same call then comes to the same end as an
// undisturbed one, once.
func (e *env) failedAndMended(what string, n int64, err error, before map[string]string, again func() error, summary []string) {
	e.t.Helper()
	var u *domain.UnavailableError
	switch {
	case !errors.As(err, &u):
		e.t.Errorf("%s: %v", what, err)
	case !u.OutcomeUnknown:
		e.sameAs(before)
	case n == 1: // which reads
		e.t.Errorf("%s: unknown, and nothing was written: %v", what, u.Cause)
	}
	if err := again(); err != nil {
		e.t.Errorf("%s, and then again: %v", what, err)
	}
	if diff := cmp.Diff(summary, e.summary()); diff != "" {
		e.t.Errorf("%s, and then again (-undisturbed +now):\n%s", what, diff)
	}
	e.unchanged(what+", and then twice", func() {
		if err := again(); err != nil {
			e.t.Errorf("%s, and then twice: %v", what, err)
		}
	})
}

func TestReadWhoseConnectionIsLostIsTriedAgainAndIsNeverUnknown(t *testing.T) {
	t.Parallel()
	server := redistest.Server(t)
	link := redistest.Proxy(t, server.Addr())
	e := openAt(t, func() redis.UniversalClient { return redistest.ClientAt(t, link.Addr()) })
	e.admin = redistest.Client(t, server)
	loadScripts(t, e.admin)
	p := prepareCalls(e)
	e.unchanged("reading", func() {
		for name := range reading {
			link.CutReplies(1, isCommand)
			if err := calls[name](e.ctx(), e.Store, p); err != nil && name != "Ping" {
				t.Errorf("%s after one lost connection: %v", name, err)
			}
			link.CutReplies(1<<30, isCommand)
			var u *domain.UnavailableError
			if err := calls[name](e.ctx(), e.Store, p); !errors.As(err, &u) || u.OutcomeUnknown {
				t.Errorf("%s without a connection: %v", name, err)
			}
			link.Heal()
		}
	})
}

// refusal makes a server refuse to write, and end that.
type refusal struct{ begin, end []any }

var refusing = map[string]refusal{
	"OOM":        {[]any{"config", "set", "maxmemory", "1"}, []any{"config", "set", "maxmemory", "0"}},
	"NOREPLICAS": {[]any{"config", "set", "min-replicas-to-write", "1"}, []any{"config", "set", "min-replicas-to-write", "0"}},
	"READONLY":   {[]any{"replicaof", "127.0.0.1", "1"}, []any{"replicaof", "no", "one"}},
}

// TestServerThatRefusesToWriteAtAnyCommandGetsNoPartOfIt makes a server refuse
// writes from each of the commands on that a call sends.
func TestServerThatRefusesToWriteAtAnyCommandGetsNoPartOfIt(t *testing.T) {
	for kind, refusal := range refusing {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			server := redistest.Fresh(t, privateredis.Config{})
			dial := func() redis.UniversalClient { return redistest.Client(t, server) }
			loadScripts(t, dial())
			admin := redistest.Client(t, server)
			do := func(args []any) {
				t.Helper()
				if err := admin.Do(t.Context(), args...).Err(); err != nil {
					t.Fatal(err)
				}
			}
			for name, command := range writing() {
				sent, _, summary := undisturbed(t, dial, name, command)
				for n := int64(1); n <= sent; n++ {
					what := fmt.Sprintf("%s from command %d of %s on", kind, n, name)
					e := openAt(t, dial)
					p := prepareWriting(e, name)
					before := e.dump()
					e.client.AddHook(&sentinel{at: n, f: func() { do(refusal.begin) }})
					err := command(e, p)
					refusedAt := e.dump()
					if err == nil { // what was left only read
						do(refusal.end)
						continue
					}
					// Again it is refused whole, or there was nothing left to do.
					if err2 := command(e, p); err2 != nil && !isError[*domain.UnavailableError](err2) {
						t.Errorf("%s, and again: %v", what, err2)
					}
					if diff := cmp.Diff(refusedAt, e.dump()); diff != "" {
						t.Errorf("%s: a call that was refused whole wrote\n%s", what, diff)
					}
					do(refusal.end)
					e.failedAndMended(what, n, err, before, func() error { return command(e, p) }, summary)
				}
			}
			e := openAt(t, dial)
			p := prepareCalls(e)
			do(refusal.begin)
			e.unchanged("a server that refuses to write", func() {
				for name, call := range calls {
					var u *domain.UnavailableError
					switch err := call(e.ctx(), e.Store, p); {
					case reading[name] && err != nil:
						t.Errorf("%s: %v", name, err)
					case !reading[name] && (!errors.As(err, &u) || u.OutcomeUnknown):
						t.Errorf("%s: %v", name, err)
					}
				}
			})
			do(refusal.end)
			e.allSucceed(p)
		})
	}
}

func TestScriptsThatAreForgottenAreLoadedAgain(t *testing.T) {
	t.Parallel()
	server := redistest.Fresh(t, privateredis.Config{})
	e := openAt(t, func() redis.UniversalClient { return redistest.Client(t, server) })
	e.createCoupon(percentOff("a"))
	e.createCode(promotionCode("a", "X"))
	var done atomic.Bool
	const callers, each = 20, 10
	all(callers+1, func(i int) {
		if i == callers {
			for !done.Load() {
				if err := e.admin.ScriptFlush(e.ctx()).Err(); err != nil {
					t.Error(err)
				}
			}
			return
		}
		for k := range each {
			if _, err := e.Redeem(e.ctx(), byCode(fmt.Sprint(i, "-", k), "X", withCustomer("c"))); err != nil {
				t.Error(err)
			}
		}
		if e.coupon("a").Redeemed == callers*each {
			done.Store(true)
		}
	})
	if n := len(e.redemptions("a")); n != callers*each {
		t.Errorf("%d redemptions", n)
	}
}

// frozen opens a store behind a link that freezes when redeem.lua is sent next.
func frozen(t *testing.T, readTimeout time.Duration) (*env, *redistest.Link) {
	t.Helper()
	server := redistest.Server(t)
	link := redistest.Proxy(t, server.Addr())
	e := openAt(t, func() redis.UniversalClient {
		o := server.Options()
		o.Addr, o.ReadTimeout = link.Addr(), readTimeout
		c := redis.NewClient(o)
		t.Cleanup(func() { _ = c.Close() })
		return c
	})
	e.admin = redistest.Client(t, server)
	e.createCoupon(percentOff("a", limitedTo(1)))
	return e, link
}

func TestServerThatDoesNotAnswerLeavesTheOutcomeUnknown(t *testing.T) {
	t.Parallel()
	e, link := frozen(t, 300*time.Millisecond)
	e.before(redeem, 1, func(*Store) { link.Freeze() })
	_, err := e.Redeem(e.ctx(), byCoupon("r", "a"))
	var u *domain.UnavailableError
	if !errors.As(err, &u) || !u.OutcomeUnknown {
		t.Errorf("redeemed: %v", err)
	}
	if _, err := e.Coupon(e.ctx(), "a"); !errors.As(err, &u) || u.OutcomeUnknown {
		t.Errorf("read: %v", err)
	}
	link.Thaw()
	e.redeem(byCoupon("r", "a"))
	if n := e.coupon("a").Redeemed; n != 1 {
		t.Errorf("%d redeemed", n)
	}
}

func TestCallersDeadlineIsKept(t *testing.T) {
	t.Parallel()
	e, link := frozen(t, time.Minute)
	link.Freeze()
	for name, call := range map[string]func(context.Context) error{
		"Redeem": func(ctx context.Context) error { _, err := e.Redeem(ctx, byCoupon("r", "a")); return err },
		"Coupon": func(ctx context.Context) error { _, err := e.Coupon(ctx, "a"); return err },
	} {
		ctx, cancel := context.WithTimeout(e.ctx(), 20*time.Millisecond)
		if err := call(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", name, err)
		}
		cancel()
	}
}

// fickle is the network of a cluster's node: what it returns for each attempt at a
// script.
type fickle struct {
	script *script
	errs   []error // nil lets an attempt through
	tries  *atomic.Int32
}

// DialHook implements redis.Hook.
func (f fickle) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook implements redis.Hook.
func (f fickle) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if !isOf(cmd, f.script) {
			return next(ctx, cmd)
		}
		i := min(int(f.tries.Add(1)), len(f.errs)) - 1
		err := f.errs[i]
		if errors.Is(err, io.EOF) { // after it was executed
			_ = next(ctx, cmd)
		}
		cmd.SetErr(err)
		return err
	}
}

// ProcessPipelineHook implements redis.Hook.
func (f fickle) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// TestAttemptOfAClustersClientThatWasLostIsNotForgotten: the client of a cluster
// tries again by itself and returns the error of its last attempt.
func TestAttemptOfAClustersClientThatWasLostIsNotForgotten(t *testing.T) {
	dial := &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	for name, c := range map[string]struct {
		errs    []error
		unknown bool
	}{
		"refused always":             {[]error{dial}, false},
		"lost, then refused":         {[]error{io.EOF, dial}, true},
		"refused, lost, and refused": {[]error{dial, io.EOF, dial}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := open(t, onCluster)
			loadScripts(t, e.admin)
			e.createCoupon(percentOff("a"))
			tries := new(atomic.Int32)
			err := e.client.(*redis.ClusterClient).ForEachMaster(e.ctx(), func(_ context.Context, node *redis.Client) error {
				node.AddHook(fickle{redeem, c.errs, tries})
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			_, err = e.Redeem(e.ctx(), byCoupon("r", "a"))
			var u *domain.UnavailableError
			if !errors.As(err, &u) || u.OutcomeUnknown != c.unknown || int(tries.Load()) < len(c.errs) {
				t.Errorf("after %d attempts: %v", tries.Load(), err)
			}
			if n := e.coupon("a").Redeemed; (n > 0) != c.unknown {
				t.Errorf("%d redeemed", n)
			}
		})
	}
}
