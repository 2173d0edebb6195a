// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2/server"
	"github.com/redis/go-redis/v9"

	"github.com/discountd/discountd/domain"
	"github.com/discountd/discountd/internal/privateredis"
	"github.com/discountd/discountd/internal/redistest"
)

// patience bounds what should take a moment, on a machine that is busy.
const patience = 30 * time.Second

// openOnceReplicated opens a store that waits for replicas, once it has as many as
// are asked for.
func openOnceReplicated(t *testing.T, master *privateredis.Server, n int) *onServer {
	t.Helper()
	prefix := redistest.Prefix(t)
	for deadline := time.Now().Add(patience); ; {
		e, err := openOn(t, master, prefix, Options{Durability: &Durability{Ack: Ack{replicas: n}}})
		if err == nil {
			return e
		}
		if !isError[*domain.UnavailableError](err) || time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// waitingCalls are calls that write, each with a request id of its own, about the
// coupon "a" with the code X.
func waitingCalls(e *env) map[string]func(context.Context) error {
	name := e.createCode(promotionCode("a", "Y")).Name
	off := e.createCode(promotionCode("a", "Z")).Name
	hold, err := e.Reserve(e.ctx(), &domain.ReserveRequest{RedeemRequest: byCoupon("hold", "a"), TTL: time.Hour})
	if err != nil {
		e.t.Fatal(err)
	}
	return map[string]func(context.Context) error{
		"redeem": func(ctx context.Context) error { _, err := e.Redeem(ctx, new(byCode("1", "X"))); return err },
		"reserve": func(ctx context.Context) error {
			_, err := e.Reserve(ctx, &domain.ReserveRequest{RedeemRequest: byCoupon("2", "a"), TTL: time.Hour})
			return err
		},
		"commit": func(ctx context.Context) error {
			_, err := e.Commit(ctx, domain.CommitRedemption{Name: hold.Name, RequestID: "3"})
			return err
		},
		"create a coupon": func(ctx context.Context) error {
			_, err := e.CreateCoupon(ctx, domain.CreateCoupon{RequestID: "4", Coupon: percentOff("b")})
			return err
		},
		"update a coupon": func(ctx context.Context) error {
			_, err := e.UpdateCoupon(ctx, domain.UpdateCoupon{RequestID: "5", ID: "a", Set: domain.CouponFields{DisplayName: true}, DisplayName: "new"})
			return err
		},
		"create a code": func(ctx context.Context) error {
			_, err := e.CreatePromotionCode(ctx, domain.CreatePromotionCode{RequestID: "6", PromotionCode: promotionCode("a", "NEW")})
			return err
		},
		"deactivate a code": func(ctx context.Context) error {
			_, err := e.DeactivatePromotionCode(ctx, domain.DeactivatePromotionCode{RequestID: "7", Name: name})
			return err
		},
		"delete a code": func(ctx context.Context) error {
			_, err := e.DeletePromotionCode(ctx, domain.DeletePromotionCode{RequestID: "8", Name: off})
			return err
		},
	}
}

func TestNothingIsAcknowledgedBeforeReplicasHaveIt(t *testing.T) {
	t.Parallel()
	master := redistest.Fresh(t, privateredis.Config{Extra: []string{"repl-diskless-sync-delay 0"}})
	replica := redistest.Fresh(t, privateredis.Config{Extra: []string{replicaOf(master)}})
	e := openOnceReplicated(t, master, 1)
	e.createCoupon(percentOff("a"))
	e.createCode(promotionCode("a", "X"))
	calls := waitingCalls(e.env)

	if err := replica.Pause(); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for name, call := range calls {
		all.Go(func() {
			// The first attempt has its effect, or a part of it; those that follow may
			// find it there. None is acknowledged.
			for attempt := range 3 {
				err := call(e.ctx())
				if u, ok := errors.AsType[*domain.UnavailableError](err); !ok || !u.OutcomeUnknown {
					t.Errorf("%s, attempt %d: %v", name, attempt, err)
				}
			}
		})
	}
	all.Wait()
	// What only reads goes on.
	if n := e.coupon("a").Redeemed; n != 2 {
		t.Errorf("%d redeemed while nothing was acknowledged", n)
	}

	if err := replica.Resume(); err != nil {
		t.Fatal(err)
	}
	for name, call := range calls {
		if err := call(e.ctx()); err != nil {
			t.Errorf("%s, with the replica back: %v", name, err)
		}
	}
	if n := e.coupon("a").Redeemed; n != 2 {
		t.Errorf("%d redeemed", n)
	}
	// All of it is there.
	copied := redistest.Client(t, replica)
	for _, key := range e.admin.Keys(e.ctx(), e.prefix+":*").Val() {
		if n := copied.Exists(e.ctx(), key).Val(); n != 1 {
			t.Errorf("the replica has no %s", key)
		}
	}
}

func TestAbsentReplicaIsWaitedForWhenOpening(t *testing.T) {
	t.Parallel()
	master := redistest.Fresh(t, privateredis.Config{})
	e, err := openOn(t, master, redistest.Prefix(t), Options{Durability: &Durability{Ack: Ack{replicas: 1}}})
	u, ok := errors.AsType[*domain.UnavailableError](err)
	if !ok || !strings.Contains(u.Cause.Error(), "0 of 1 replicas") {
		t.Errorf("%v", err)
	}
	if !strings.Contains(e.log.String(), "fewer replicas than acknowledgements must wait for") {
		t.Errorf("it is not said in\n%s", e.log)
	}
}

// newer is a miniredis that tells of itself what a Redis 7.2 does, and answers
// WAITAOF as told.
type newer struct {
	mu     sync.Mutex
	synced int
	before string // the last command before WAITAOF on a connection
	last   map[*server.Peer]string
}

func (n *newer) hook(c *server.Peer, cmd string, args ...string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	cmd = strings.ToLower(cmd)
	defer func() { n.last[c] = cmd }()
	switch cmd {
	case "info":
		c.WriteBulk("redis_version:7.2.4\r\nrole:master\r\nmaxmemory_policy:noeviction\r\nmaxmemory:1\r\naof_enabled:1\r\n")
	case "config":
		c.WriteError("ERR unknown command 'CONFIG'")
	case "waitaof":
		n.before = n.last[c]
		if !slices.Equal(args[:2], []string{"1", "0"}) {
			c.WriteError("ERR not as expected")
			return true
		}
		c.WriteLen(2)
		c.WriteInt(n.synced)
		c.WriteInt(0)
	default:
		return false
	}
	return true
}

func (n *newer) set(synced int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.synced = synced
}

func TestNothingIsAcknowledgedBeforeTheDiskHasIt(t *testing.T) {
	t.Parallel()
	mini := redistest.Mini(t)
	n := &newer{synced: 1, last: map[*server.Peer]string{}}
	mini.Server().SetPreHook(n.hook)
	e := &env{t: t, clock: newClock(), prefix: redistest.Prefix(t), dial: func() redis.UniversalClient { return redistest.ClientAt(t, mini.Addr()) }}
	e.admin = e.dial()
	s, err := Open(e.ctx(), e.dial(), Options{Prefix: e.prefix, Clock: e.clock.Now, Durability: &Durability{Ack: AckDisk()}})
	if err != nil {
		t.Fatal(err)
	}
	e.Store = s
	e.createCoupon(percentOff("a"))
	e.createCode(promotionCode("a", "X"))
	calls := waitingCalls(e)
	n.set(0)
	for name, call := range calls {
		for attempt := range 2 {
			err := call(e.ctx())
			if u, ok := errors.AsType[*domain.UnavailableError](err); !ok || !u.OutcomeUnknown {
				t.Errorf("%s, attempt %d: %v", name, attempt, err)
			}
		}
	}
	n.set(1)
	for name, call := range calls {
		if err := call(e.ctx()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n.before != "eval" && n.before != "evalsha" {
		t.Errorf("before WAITAOF its connection sent %q, which writes nothing", n.before)
	}
	if n := e.coupon("a").Redeemed; n != 2 {
		t.Errorf("%d redeemed", n)
	}
}

// Between the script and what is waited for anything can break: then it was
// executed, and the attempt that follows finds it.
func TestConnectionLostWhileWaitingIsTriedAgain(t *testing.T) {
	t.Parallel()
	master := redistest.Fresh(t, privateredis.Config{Extra: []string{"repl-diskless-sync-delay 0"}})
	redistest.Fresh(t, privateredis.Config{Extra: []string{replicaOf(master)}})
	openOnceReplicated(t, master, 1) // so that there is a replica
	link := redistest.Proxy(t, master.Addr())
	client := redistest.ClientAt(t, link.Addr())
	e := &env{t: t, clock: newClock(), prefix: redistest.Prefix(t), client: client, dial: func() redis.UniversalClient { return redistest.Client(t, master) }}
	e.admin = e.dial()
	var err error
	e.Store, err = Open(e.ctx(), client, Options{Prefix: e.prefix, Clock: e.clock.Now, Durability: &Durability{Ack: Ack{replicas: 1}}})
	if err != nil {
		t.Fatal(err)
	}
	e.createCoupon(percentOff("a"))
	loadScripts(t, e.admin)
	isWait := func(args [][]byte) bool { return strings.EqualFold(string(args[0]), "wait") }
	link.CutReplies(1, isWait)
	if _, err := e.Redeem(e.ctx(), new(byCoupon("r", "a"))); err != nil || link.Cuts() != 1 {
		t.Errorf("after %d cuts: %v", link.Cuts(), err)
	}
	link.CutReplies(1<<30, isWait)
	_, err = e.Redeem(e.ctx(), new(byCoupon("other", "a")))
	if u, ok := errors.AsType[*domain.UnavailableError](err); !ok || !u.OutcomeUnknown {
		t.Errorf("without an answer: %v", err)
	}
	link.Heal()
	if _, err := e.Redeem(e.ctx(), new(byCoupon("other", "a"))); err != nil {
		t.Error(err)
	}
	if n := e.coupon("a").Redeemed; n != 2 {
		t.Errorf("%d redeemed", n)
	}
	// The cache of scripts may be emptied at any time.
	if err := e.admin.ScriptFlush(e.ctx()).Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Redeem(e.ctx(), new(byCoupon("flushed", "a"))); err != nil {
		t.Error(err)
	}
	if n := e.coupon("a").Redeemed; n != 3 {
		t.Errorf("%d redeemed", n)
	}
}
