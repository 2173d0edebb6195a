// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/discountd/discountd/domain"
	"github.com/discountd/discountd/internal/redistest"
)

func isNewUse(q request) bool { return q.Kind == "redeem" || q.Kind == "reserve" }

func isSettlement(q request) bool {
	return q.Kind == "commit" || q.Kind == "release" || q.Kind == "void"
}

func (k *stormCodes) addRedemption(group string, n domain.RedemptionName) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.redemptions == nil {
		k.redemptions = map[string][]domain.RedemptionName{}
	}
	k.redemptions[group] = append(k.redemptions[group], n)
}

// pickRedemption returns one of the latest.
func (k *stormCodes) pickRedemption(group string, random *rand.Rand) (domain.RedemptionName, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	made := k.redemptions[group]
	if len(made) == 0 {
		return domain.RedemptionName{}, false
	}
	return made[len(made)-1-random.IntN(min(len(made), 8))], true
}

// aboutReservation is a call about the uses of the group's coupons and codes, of
// what they may take off, and of how each of them ends.
func (c *stormClient) aboutReservation() request {
	if len(c.requests) > 0 && c.random.IntN(6) == 0 {
		return one(c.random, c.requests...) // again
	}
	q := request{Coupon: couponOf(c.group, c.random.IntN(2)), ID: c.newID()}
	q.Kind = one(c.random,
		"reserve", "reserve", "reserve", "reserve", "redeem", "redeem", "commit", "commit", "commit", "release", "release",
		"void", "void", "get redemption", "get redemption", "get coupon", "get coupon", "ledger", "limit coupon", "budget",
		"create", "limit", "deactivate", "activate", "get", "validate")
	code, haveCode := c.known.pick(c.group, c.random)
	made, haveMade := c.known.pickRedemption(c.group, c.random)
	switch q.Kind {
	case "commit", "release", "void", "get redemption":
		if !haveMade {
			q.Kind = "reserve"
			break
		}
		q.Coupon, q.Redemption = made.Coupon, made.ID
	case "limit", "deactivate", "activate", "get":
		if !haveCode {
			q.Kind = "create"
			break
		}
		q.Coupon, q.Code = code.Coupon, code.ID
	}
	switch q.Kind {
	case "reserve", "redeem", "validate":
		if haveCode && c.random.IntN(3) == 0 {
			q.Coupon, q.Code = code.Coupon, code.ID
		}
		q.Customer = one(c.random, "a", "b", "c", "d")
		q.TTL = one(c.random, 20*time.Second, 40*time.Second, 2*time.Minute)
	case "commit", "void":
		q.Amount = one[int64](c.random, 0, 0, 300, 1_001)
	case "limit coupon":
		q.Limit = one[int64](c.random, 0, 4, 6, 9)
	case "limit":
		q.Limit = one[int64](c.random, 0, 2, 3)
	case "budget":
		q.Coupon, q.Budget = couponOf(c.group, 0), one[int64](c.random, 3_000, 6_000, 9_000)
	case "create":
		q.Tag, q.Form, q.Limit = q.ID, fmt.Sprintf("%s-%s", c.group, q.ID), one[int64](c.random, 0, 2)
	}
	return q
}

// commonTime is a clock that clients share, servers go by, and that goes on only
// while no call is under way: so each call has one present. No time at all stands
// still.
type commonTime struct {
	sync.RWMutex
	clock *fakeClock
}

// stands lets time go on now and then, and stops it until what it returns is
// called.
func (c *commonTime) stands(random *rand.Rand) (end func()) {
	if c == nil {
		return func() {}
	}
	if random.IntN(16) == 0 {
		c.Lock()
		c.clock.Advance(10 * time.Second)
		c.Unlock()
	}
	c.RLock()
	return c.RUnlock
}

// now is the present in milliseconds, 0 where there is no time.
func (c *commonTime) now() int64 {
	if c == nil {
		return 0
	}
	return c.clock.Now().UnixMilli()
}

// harmer does harm to a link at a command of a call that is chosen beforehand, so
// that what happens does not depend on timing.
type harmer struct {
	link *redistest.Link
	spy  *aimed
}

// linearHarms are what happens to connections in histories. The store mends some
// of it by itself; of the rest the caller learns.
var linearHarms = []func(*redistest.Link){
	func(l *redistest.Link) { l.CutReplies(1, isCommand) },
	func(l *redistest.Link) { l.CutReplies(1<<30, isCommand) },
	func(l *redistest.Link) { l.CutRequests(1, isCommand) },
	func(l *redistest.Link) { l.CutRequests(1<<30, isCommand) },
	func(l *redistest.Link) { l.CutReplies(1, isCommand); l.Refuse() },
	func(l *redistest.Link) { l.Delay(3 * time.Millisecond) },
	func(l *redistest.Link) { l.Drop() },
}

// arm prepares harm for one call in eight and returns what mends it.
func (h *harmer) arm(random *rand.Rand) (heal func()) {
	if h == nil || random.IntN(8) > 0 {
		return func() {}
	}
	do := one(random, linearHarms...)
	h.spy.aim(one[int64](random, 1, 2, 2, 2, 3), func() { do(h.link) })
	return func() {
		h.spy.aim(0, nil)
		h.link.Heal()
	}
}

// aimed is a hook that does something before one of the commands that are sent
// from when it was aimed.
type aimed struct {
	mu   sync.Mutex
	left int64
	do   func()
}

// aim has do done before the n-th command from now; nothing is done if n is 0.
func (a *aimed) aim(n int64, do func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.left, a.do = n, do
}

func (a *aimed) sent() {
	a.mu.Lock()
	do := a.do
	a.left--
	if a.left != 0 {
		do = nil
	}
	a.mu.Unlock()
	if do != nil {
		do()
	}
}

// DialHook implements redis.Hook.
func (a *aimed) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook implements redis.Hook.
func (a *aimed) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		a.sent()
		return next(ctx, cmd)
	}
}

// ProcessPipelineHook implements redis.Hook.
func (a *aimed) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		a.sent()
		return next(ctx, cmds)
	}
}
