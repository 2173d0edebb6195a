// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"

	"github.com/discountd/discountd/domain"
)

// theme is what the clients of a history do, all about one group of things.
type theme string

const (
	// aroundOneCode is a storm of promotion codes that want one code.
	aroundOneCode theme = "code"
	// aroundOneCoupon is redemptions against limits that change.
	aroundOneCoupon theme = "coupon"
	// aroundReservations is what ends them, voids, and budgets, while time goes on.
	aroundReservations theme = "reservation"
)

// stormClient makes random calls and tells what came of them.
type stormClient struct {
	store  *Store
	number int
	random *rand.Rand
	// look is the clock that all clients share: it goes on at each look.
	look func() int64
	// tell is called when a call begins and when it has ended.
	tell func(happening)
	// known are the promotion codes that clients of this process know of.
	known *stormCodes
	// time, if set, goes on between calls.
	time *commonTime
	// harm, if set, is done to the client's connections in some of its calls.
	harm *harmer

	group    string
	made     int
	requests []request // redemptions that it has made in this group
}

// stormCodes are promotion codes by group. It is safe for concurrent use.
type stormCodes struct {
	mu          sync.Mutex
	codes       map[string][]domain.PromotionCodeName
	redemptions map[string][]domain.RedemptionName
}

func (k *stormCodes) add(group string, n domain.PromotionCodeName) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.codes == nil {
		k.codes = map[string][]domain.PromotionCodeName{}
	}
	k.codes[group] = append(k.codes[group], n)
}

// pick returns one of the latest.
func (k *stormCodes) pick(group string, random *rand.Rand) (domain.PromotionCodeName, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	codes := k.codes[group]
	if len(codes) == 0 {
		return domain.PromotionCodeName{}, false
	}
	return codes[len(codes)-1-random.IntN(min(len(codes), 5))], true
}

// enter makes the coupons of a group, unless another client was faster. They and
// the group's code have the group's name in theirs.
func (c *stormClient) enter(ctx context.Context, th theme, group string) {
	c.group, c.requests = group, nil
	for i := range 2 {
		q := request{Kind: "create coupon", Coupon: couponOf(group, i), Limit: int64(i * 6)}
		if th == aroundReservations && i == 0 {
			q.Budget = 6_000
		}
		c.call(ctx, q)
	}
}

// about makes a random call.
func (c *stormClient) about(ctx context.Context, th theme) {
	switch th {
	case aroundOneCode:
		c.call(ctx, c.aboutCode())
	case aroundOneCoupon:
		c.call(ctx, c.aboutCoupon())
	case aroundReservations:
		c.call(ctx, c.aboutReservation())
	}
}

func couponOf(group string, i int) domain.CouponID {
	return domain.CouponID(fmt.Sprintf("%s-%d", group, i))
}

func (c *stormClient) call(ctx context.Context, q request) {
	defer c.time.stands(c.random)()
	h := happening{Client: c.number, Group: c.group, Now: c.time.now(), Began: c.look(), Request: q}
	c.tell(h)
	heal := c.harm.arm(c.random)
	r := carryOut(ctx, c.store, q.command())
	heal()
	h.Answer = answerTo(q, r)
	if v, ok := r.Value.(domain.PromotionCodeView); ok && q.Kind == "create" {
		c.known.add(c.group, v.Name)
	}
	if v, ok := r.Value.(domain.Redemption); ok && (q.Kind == "redeem" || q.Kind == "reserve") {
		c.known.addRedemption(c.group, v.Name)
	}
	if isNewUse(q) || isSettlement(q) {
		c.requests = append(c.requests, q)
	}
	h.Ended = c.look()
	c.tell(h)
}

// one returns one of some values.
func one[T any](random *rand.Rand, values ...T) T { return values[random.IntN(len(values))] }

func (c *stormClient) newID() string {
	c.made++
	return fmt.Sprintf("%d-%d", c.number, c.made)
}

// aboutCode is a call about whatever has the group's code, or wants it.
func (c *stormClient) aboutCode() request {
	group := c.group
	name, ok := c.known.pick(group, c.random)
	kind := one(c.random, "create", "create", "create", "deactivate", "deactivate", "deactivate", "activate", "activate", "activate", "delete", "redeem", "redeem", "get", "limit")
	if !ok && kind != "redeem" {
		kind = "create"
	}
	q := request{Kind: kind, Coupon: name.Coupon, Code: name.ID}
	switch kind {
	case "create":
		q.Coupon, q.Code = couponOf(group, c.random.IntN(2)), ""
		q.Form, q.Customer, q.Tag = group, one(c.random, "", "", "a", "b"), c.newID()
		q.ID, q.Limit = one(c.random, "", q.Tag), one[int64](c.random, 0, 0, 1)
	case "limit":
		q.Limit = one[int64](c.random, 0, 1, 2)
	case "redeem":
		if len(c.requests) > 0 && c.random.IntN(4) == 0 {
			return one(c.random, c.requests...)
		}
		q = request{Kind: kind, Form: group, Customer: one(c.random, "", "a", "b"), ID: c.newID()}
	default:
		q.ID = one(c.random, "", c.newID())
	}
	return q
}

// aboutCoupon is a call about the group's coupons and their limits.
func (c *stormClient) aboutCoupon() request {
	group := c.group
	coupon := couponOf(group, c.random.IntN(2))
	name, ok := c.known.pick(group, c.random)
	kind := one(c.random, "redeem", "redeem", "redeem", "redeem", "redeem", "validate", "get coupon", "limit coupon", "ledger", "get", "limit", "create")
	if !ok && (kind == "get" || kind == "limit") {
		kind = "create"
	}
	q := request{Kind: kind, Coupon: coupon}
	switch kind {
	case "create": // each with a code of its own
		q.Tag = c.newID()
		q.ID, q.Form, q.Limit = q.Tag, fmt.Sprintf("%s-%s", group, q.Tag), one[int64](c.random, 0, 1, 3)
	case "get":
		q.Coupon, q.Code = name.Coupon, name.ID
	case "limit":
		q.Coupon, q.Code, q.Limit, q.ID = name.Coupon, name.ID, one[int64](c.random, 0, 1, 4), c.newID()
	case "limit coupon":
		q.Limit, q.ID = one[int64](c.random, 0, 4, 8, 12), one(c.random, "", c.newID())
	case "redeem", "validate":
		if len(c.requests) > 0 && c.random.IntN(4) == 0 {
			again := one(c.random, c.requests...)
			again.Kind = kind
			return again
		}
		if ok && c.random.IntN(2) == 0 {
			q.Coupon, q.Code = name.Coupon, name.ID
		}
		// Ids are shared between clients at times, and then reused.
		q.Customer, q.ID = one(c.random, "", "a", "b", "c"), one(c.random, c.newID(), c.newID(), fmt.Sprintf("shared-%d", c.random.IntN(20)))
	}
	return q
}
