// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"context"
	"errors"
	"io"
	"slices"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/discountd/discountd/domain"
	"github.com/discountd/discountd/internal/privateredis"
	"github.com/discountd/discountd/internal/redistest"
)

// callOf is the call that redeems a coupon once, as a batch of one request.
func (e *env) callOf(request string, c domain.CouponID) *execution {
	e.t.Helper()
	b := e.batched(byCoupon(request, c))
	return &execution{kind: redeemBatch, keys: e.capacityKeys(c), args: append(capacityLead(e.Store), b.args()...)}
}

// wantUnavailable fails the test unless an error is unavailability, and says of the
// outcome that it is unknown, or that it is not.
func wantUnavailable(t *testing.T, what string, err error, unknown bool) {
	t.Helper()
	if u, ok := errors.AsType[*domain.UnavailableError](err); !ok || u.OutcomeUnknown != unknown {
		t.Errorf("%s: %v", what, err)
	}
}

// TestCallThatRedisRefusedSaysSoWhateverBecameOfItsNeighbours has a Redis without
// memory refuse one call of a pipeline, while another one is answered, or is lost.
func TestCallThatRedisRefusedSaysSoWhateverBecameOfItsNeighbours(t *testing.T) {
	t.Parallel()
	server := redistest.Fresh(t, privateredis.Config{})
	link := redistest.Proxy(t, server.Addr())
	e := openAt(t, func() redis.UniversalClient { return redistest.ClientAt(t, link.Addr()) })
	e.admin = redistest.Client(t, server)
	loadScripts(t, e.admin)
	for _, c := range []domain.CouponID{"full", "free", "last"} {
		e.createCoupon(percentOff(c, limitedTo(1)))
	}
	calls := []*execution{e.callOf("r", "full"), e.callOf("r", "free"), e.callOf("r", "last")}
	e.redeem(byCoupon("the only one", "full"))
	memory := func(most string) {
		if err := e.admin.ConfigSet(e.ctx(), "maxmemory", most).Err(); err != nil {
			t.Fatal(err)
		}
	}

	memory("1")
	e.sendTogether(e.ctx(), calls)
	if full := calls[0]; full.err != nil || full.reply.values[0] != "limit" {
		t.Errorf("what writes nothing: %+v, %v", full.reply, full.err)
	}
	wantUnavailable(t, "refused beside one that is answered", calls[1].err, false)

	link.CutReplies(1<<30, redistest.Containing(e.keys.head("last")))
	e.sendTogether(e.ctx(), calls)
	wantUnavailable(t, "refused beside one that is lost", calls[1].err, false)
	wantUnavailable(t, "lost", calls[2].err, true)
	link.Heal()

	memory("0")
	for _, c := range []domain.CouponID{"free", "last"} {
		if n := e.coupon(c).Redeemed; n != 0 {
			t.Errorf("%s is redeemed %d times", c, n)
		}
	}
}

// TestCallOfAPipelineThatWasSentTwiceIsNotCertainlyRefused: the client of a cluster
// sends a whole pipeline again, when a reply is lost, with what was answered.
func TestCallOfAPipelineThatWasSentTwiceIsNotCertainlyRefused(t *testing.T) {
	t.Parallel()
	no := redis.ErrPoolTimeout                           // which is as certain a refusal as there is
	p := redistest.ClientAt(t, "127.0.0.1:1").Pipeline() // of which nothing is sent
	var cmds []redis.Cmder
	each := witnesses{}
	for range 3 {
		cmds = append(cmds, p.Do(t.Context(), "ping"))
		each[cmds[len(cmds)-1]] = new(witness)
	}
	p.Do(t.Context(), "wait", 1, 1) // which nobody is told of
	for _, attempt := range [][]error{{nil, no, io.EOF}, {no, no, no}} {
		send := witnessing{}.ProcessPipelineHook(func(_ context.Context, cmds []redis.Cmder) error {
			for i, err := range attempt {
				cmds[i].SetErr(err)
			}
			return io.EOF
		})
		if err := send(each.watch(t.Context()), cmds); !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
	}
	for i, unknown := range []bool{true, false, true} {
		wantUnavailable(t, "refused when it was sent again", writeError(t.Context(), cmds[i].Err(), each[cmds[i]]), unknown)
	}
}

// lossy is a network that loses the replies to a command, as often as left says, and
// those to what comes behind it in the same pipeline.
type lossy struct {
	lost func(redis.Cmder) bool
	left int
}

// DialHook implements redis.Hook.
func (l *lossy) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook implements redis.Hook.
func (l *lossy) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

// ProcessPipelineHook implements redis.Hook.
func (l *lossy) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		err := next(ctx, cmds)
		if at := slices.IndexFunc(cmds, l.lost); at >= 0 && l.left > 0 {
			l.left--
			for _, cmd := range cmds[at:] {
				cmd.SetErr(io.EOF)
			}
			return io.EOF
		}
		return err
	}
}

// TestConnectionLostWhileAPipelineWaitsForReplicasIsMended loses the reply to what
// waits behind the scripts, which have been executed.
func TestConnectionLostWhileAPipelineWaitsForReplicasIsMended(t *testing.T) {
	t.Parallel()
	master := redistest.Fresh(t, privateredis.Config{Extra: []string{"repl-diskless-sync-delay 0"}})
	redistest.Fresh(t, privateredis.Config{Extra: []string{replicaOf(master)}})
	e := openOnceReplicated(t, master, 1)
	loadScripts(t, e.admin)
	coupons := []domain.CouponID{"a", "b", "c"}
	for _, c := range coupons {
		e.createCoupon(percentOff(c))
	}
	var calls []*execution
	for _, c := range coupons {
		calls = append(calls, e.callOf("r", c))
	}
	var l lossy
	e.client.AddHook(&l)
	for what, lost := range map[string]func(redis.Cmder) bool{
		"wait": func(cmd redis.Cmder) bool { return cmd.Name() == "wait" },
		"beat": func(cmd redis.Cmder) bool { return isOf(cmd, storeBeat) },
	} {
		l.lost, l.left = lost, 1
		e.sendTogether(e.ctx(), calls)
		for i, c := range calls {
			if c.err != nil {
				t.Errorf("%d, with the reply to the %s lost: %v", i, what, c.err)
			}
		}
		l.left = 1 << 30
		e.sendTogether(e.ctx(), calls)
		for _, c := range calls {
			wantUnavailable(t, "with all replies to the "+what+" lost", c.err, true)
		}
		l.left = 0
	}
	for _, c := range coupons {
		if n := e.coupon(c).Redeemed; n != 1 {
			t.Errorf("%s is redeemed %d times", c, n)
		}
	}
}
