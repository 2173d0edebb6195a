// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/discountd/discountd/domain"
	"github.com/discountd/discountd/internal/privateredis"
	"github.com/discountd/discountd/internal/redistest"
)

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

// notOfCalls are the scripts that no call of a client executes but a list: those
// that a store is opened and watched with, and those of an audit, which a human
// starts again.
var notOfCalls = []*script{storeOpen, storeBeat, promotionList, auditBegin, auditRead, auditRepair, auditEnd}

// TestP3ConnectionLostAtAnyCommandLeavesOneEffect harms the connection at each of
// the commands that a call sends. Where the store may try again, the caller sees
// nothing of it. Else the call fails, says that nothing was done only if so, and
// the caller's own retry finds or finishes what was begun.
func TestP3ConnectionLostAtAnyCommandLeavesOneEffect(t *testing.T) {
	var cut sync.Map // names of scripts
	t.Cleanup(func() {
		for _, sc := range allScripts {
			if _, ok := cut.Load(sc.name); !ok && !slices.Contains(notOfCalls, sc) && !selected() {
				t.Errorf("no reply of %s was cut", sc.name)
			}
		}
	})
	for name, command := range writing() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, request := range []string{"r", ""} {
				connectionLostAtAnyCommand(t, name, command, request, &cut)
			}
		})
	}
}

// connectionLostAtAnyCommand is the test of one command. Without a request id,
// which a redemption must have, a caller cannot try again by itself.
func connectionLostAtAnyCommand(t *testing.T, name string, command func(*env, domain.PromotionCodeName) error, request string, cut *sync.Map) {
	t.Helper()
	needs := slices.Contains(needsRequest, name) || settling[name] != nil || moving[name] != nil
	if reads := strings.HasPrefix(name, "read"); reads && request != "" || !reads && needs && request == "" {
		return
	}
	server := redistest.Server(t)
	direct := func() redis.UniversalClient { return redistest.Client(t, server) }
	loadScripts(t, direct())
	sent, dump, summary := undisturbed(t, direct, name, request, command)
	for kind, harm := range harms {
		if request == "" && kind != "the reply is cut" {
			continue
		}
		if name == redeemsWhatIsDue && !harm.once {
			continue
		}
		link := redistest.Proxy(t, server.Addr())
		for n := int64(1); n <= sent; n++ {
			what := fmt.Sprintf("%s: %s at command %d, request id %q", name, kind, n, request)
			e := openAt(t, func() redis.UniversalClient { return redistest.ClientAt(t, link.Addr()) })
			e.admin, e.request = direct(), request
			p := prepareWriting(e, name)
			before := e.dump()
			takes := false // whether the command that is harmed takes capacity or gives it back
			s := &sentinel{at: n, f: func(cmd redis.Cmder) {
				takes = isOf(cmd, redeem) || isOf(cmd, settle)
				for _, sc := range allScripts {
					if isOf(cmd, sc) {
						cut.Store(sc.name, true)
					}
				}
				harm.do(link)
			}}
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
			e.failedAndMended(what, n == 1 && !takes, err, before, func() error { return command(e, p) }, summary)
		}
	}
}

// failedAndMended fails the test unless err is unavailability that is honest about
// what was done since before, which is nothing if it only reads, and the same call then comes to the same end as an
// undisturbed one, once.
func (e *env) failedAndMended(what string, reads bool, err error, before map[string]string, again func() error, summary []string) {
	e.t.Helper()
	var u *domain.UnavailableError
	switch {
	case !errors.As(err, &u):
		e.t.Errorf("%s: %v", what, err)
	case strings.Contains(what, onItsWay): // which may have arrived, and is not the call's own
	case !u.OutcomeUnknown:
		e.sameAs(before)
	case reads:
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

func TestStoreThatIsOpenedOverALostConnectionIsOne(t *testing.T) {
	t.Parallel()
	server := redistest.Server(t)
	link := redistest.Proxy(t, server.Addr())
	loadScripts(t, redistest.Client(t, server))
	link.CutReplies(1, redistest.Containing(storeOpen.redis.Hash()))
	dial := func() redis.UniversalClient { return redistest.ClientAt(t, link.Addr()) }
	e := openAt(t, dial)
	link.CutReplies(1, redistest.Containing(storeOpen.redis.Hash()))
	if again := e.server(); link.Cuts() != 2 || again.id != e.id || e.admin.HGet(e.ctx(), e.keys.meta(), "id").Val() != e.id {
		t.Errorf("after %d cuts it is %s and %s", link.Cuts(), e.id, again.id)
	}
	link.CutReplies(1<<30, redistest.Containing(storeOpen.redis.Hash()))
	var u *domain.UnavailableError
	if s, err := Open(e.ctx(), dial(), Options{Prefix: e.prefix}); !errors.As(err, &u) {
		t.Errorf("opened without a connection: %v, %v", s, err)
	}
}

func TestServerThatIsEmptiedIsNotServedFrom(t *testing.T) {
	t.Parallel()
	server := redistest.Fresh(t, privateredis.Config{})
	e := openAt(t, func() redis.UniversalClient { return redistest.Client(t, server) })
	p := prepareCalls(e)
	if err := e.admin.FlushAll(e.ctx()).Err(); err != nil {
		t.Fatal(err)
	}
	e.unchanged("a call on an empty server", func() {
		if err := e.Ping(e.ctx()); !isError[*domain.UnavailableError](err) {
			t.Errorf("Ping says %v", err)
		}
		e.allUnavailable(p)
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
				if name == redeemsWhatIsDue {
					continue
				}
				sent, _, summary := undisturbed(t, dial, name, "r", command)
				for n := int64(1); n <= sent; n++ {
					what := fmt.Sprintf("%s from command %d of %s on", kind, n, name)
					e := openAt(t, dial)
					p := prepareWriting(e, name)
					before := e.dump()
					e.client.AddHook(&sentinel{at: n, f: func(redis.Cmder) { do(refusal.begin) }})
					err := command(e, p)
					refusedAt := e.dump()
					if err == nil { // what was left only read
						do(refusal.end)
						continue
					}
					if strings.HasPrefix(name, "read") {
						t.Errorf("%s: reading fails: %v", what, err)
					}
					// Again it is refused whole, or there was nothing left to do.
					if err2 := command(e, p); err2 != nil && !isError[*domain.UnavailableError](err2) {
						t.Errorf("%s, and again: %v", what, err2)
					}
					if diff := cmp.Diff(refusedAt, e.dump()); diff != "" {
						t.Errorf("%s: a call that was refused whole wrote\n%s", what, diff)
					}
					do(refusal.end)
					e.failedAndMended(what, n == 1, err, before, func() error { return command(e, p) }, summary)
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
			if _, err := e.Redeem(e.ctx(), new(byCode(fmt.Sprint(i, "-", k), "X", withCustomer("c")))); err != nil {
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
	_, err := e.Redeem(e.ctx(), new(byCoupon("r", "a")))
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
		"Redeem": func(ctx context.Context) error { _, err := e.Redeem(ctx, new(byCoupon("r", "a"))); return err },
		"Coupon": func(ctx context.Context) error { _, err := e.Coupon(ctx, "a"); return err },
	} {
		ctx, cancel := context.WithTimeout(e.ctx(), 20*time.Millisecond)
		if err := call(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", name, err)
		}
		cancel()
	}
}
