// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"context"
	"fmt"

	"github.com/discountd/discountd/domain"
)

// The scenarios that the claim protocol is explored in. Everything is about one
// code. At most two promotion codes have it in the beginning: "first" of the
// coupon X, and "second" of X or of another coupon. Clients may create more.

const (
	simCode1 = "CODE"
	couponX  = domain.CouponID("X")
	couponY  = domain.CouponID("Y")
	couponZ  = domain.CouponID("Z") // of whoever comes late
)

// Actors: who makes ids and tokens. Calls of clients use the digits.
const (
	actorFirst  = 's'
	actorSecond = 't'
	actorThird  = 'v'
	actorLone   = 'z'
)

// firstIDOf is the id that an actor gives the first promotion code it makes.
func firstIDOf(actor byte) domain.PromotionCodeID {
	return domain.PromotionCodeID("0000" + string(actor) + "100")
}

// callBook makes calls, each once, so that scenarios share what is known of them.
type callBook struct {
	made map[string]*clientCall
	// twin is what a gift card with the code is found by, where there may be any.
	twin domain.CodeHash
}

func (cs *callBook) get(label string, actor byte, make func(*clientCall)) *clientCall {
	key := fmt.Sprintf("%s by %c", label, actor)
	if c, ok := cs.made[key]; ok {
		return c
	}
	c := &clientCall{label: label, actor: actor}
	make(c)
	if cs.made == nil {
		cs.made = map[string]*clientCall{}
	}
	cs.made[key] = c
	return c
}

// simBound is a customer or, with an @, an e-mail address; empty is everybody.
func bindTo(p *domain.PromotionCode, scope string) {
	p.CustomerID = scope
}

func (cs *callBook) create(actor byte, coupon domain.CouponID, scope, trait string) *clientCall {
	label := fmt.Sprintf("create a code of %s for %q", coupon, scope)
	if trait != "" {
		label += ", " + trait
	}
	return cs.get(label, actor, func(c *clientCall) {
		p := promotionCode(coupon, simCode1)
		bindTo(&p, scope)
		switch trait {
		case "one use":
			p.MaxRedemptions = pointer(int64(1))
		case "expiring":
			p.ExpiresAt = simTime(1)
		}
		request := fmt.Sprintf("create-%c", actor)
		c.kind = creates
		c.run = func(ctx context.Context, s *Store) (any, error) {
			return s.CreatePromotionCode(ctx, domain.CreatePromotionCode{RequestID: request, PromotionCode: p, AsCard: cs.twin})
		}
	})
}

// about is a call about one promotion code. A digit of the actor makes its
// request id.
func (cs *callBook) about(k kind, actor byte, name domain.PromotionCodeName) *clientCall {
	verb := map[kind]string{activates: "activate", deactivates: "deactivate", deletes: "delete"}[k]
	return cs.get(fmt.Sprintf("%s %s/%s", verb, name.Coupon, name.ID), actor, func(c *clientCall) {
		request := fmt.Sprintf("%s-%c", verb, actor)
		c.kind, c.target = k, name
		c.run = func(ctx context.Context, s *Store) (any, error) {
			switch k {
			case activates:
				return s.ActivatePromotionCode(ctx, domain.ActivatePromotionCode{RequestID: request, Name: name, AsCard: cs.twin})
			case deactivates:
				return s.DeactivatePromotionCode(ctx, domain.DeactivatePromotionCode{RequestID: request, Name: name})
			default:
				return s.DeletePromotionCode(ctx, domain.DeletePromotionCode{RequestID: request, Name: name})
			}
		}
	})
}

func (cs *callBook) redeem(actor byte) *clientCall {
	return cs.get("redeem", actor, func(c *clientCall) {
		r := domain.RedeemRequest{RequestID: fmt.Sprintf("redeem-%c", actor)}
		r.Source.Code, r.Source.Hash, r.Customer.ID = simCode1, cs.twin, "a"
		c.kind = other
		c.run = func(ctx context.Context, s *Store) (any, error) { return s.Redeem(ctx, &r) }
	})
}

// raise takes the limit off a promotion code.
func (cs *callBook) raise(actor byte, name domain.PromotionCodeName) *clientCall {
	return cs.get("raise the limit of "+name.String(), actor, func(c *clientCall) {
		c.kind = other
		c.run = func(ctx context.Context, s *Store) (any, error) {
			return s.UpdatePromotionCode(ctx, domain.UpdatePromotionCode{
				Name: name, Set: domain.PromotionCodeFields{MaxRedemptions: true},
			})
		}
	})
}

func (cs *callBook) endCoupon(actor byte, id domain.CouponID) *clientCall {
	return cs.get("delete "+id.String(), actor, func(c *clientCall) {
		c.kind = other
		c.run = func(ctx context.Context, s *Store) (any, error) {
			return s.DeleteCoupon(ctx, domain.DeleteCoupon{ID: id})
		}
	})
}

func (cs *callBook) newCoupon(id domain.CouponID) *clientCall {
	return cs.get("create "+id.String(), actorFirst, func(c *clientCall) {
		c.kind = other
		c.run = func(ctx context.Context, s *Store) (any, error) {
			return s.CreateCoupon(ctx, domain.CreateCoupon{Coupon: percentOff(id)})
		}
	})
}

// again is a call made once more after a crash or an abort, by another actor.
func (cs *callBook) again(c *clientCall, try int) *clientCall {
	actor := byte('m')
	if c.actor == actorLone {
		actor = 'w'
	}
	actor += byte(try)
	return cs.get("again, "+c.label+", as "+string(c.actor), actor, func(d *clientCall) {
		label, actor := d.label, d.actor
		*d = *c
		d.label, d.actor = label, actor
	})
}

// A history brings the code's promotion codes into a state. Each stage is a call
// that is played alone, to its end or to just before a script.
type stage struct {
	call   *clientCall
	before string
}

// firstStates are the states of the first promotion code.
var firstStates = []string{
	"absent", "active", "inactive", "expiring", "exhausted", "nearly exhausted", "pending", "claimed",
	"expiring pending", "superseded", "half deactivated", "half deleted", "half refused", "coupon deleted",
}

func (cs *callBook) firstStages(state, scope string) []stage {
	name := domain.PromotionCodeName{Coupon: couponX, ID: firstIDOf(actorFirst)}
	create := func(trait string) *clientCall { return cs.create(actorFirst, couponX, scope, trait) }
	switch state {
	case "absent":
		return nil
	case "active":
		return []stage{{create(""), ""}}
	case "inactive":
		return []stage{{create(""), ""}, {cs.about(deactivates, actorFirst, name), ""}}
	case "expiring":
		return []stage{{create("expiring"), ""}}
	case "exhausted":
		return []stage{{create("one use"), ""}, {cs.redeem(actorFirst), ""}}
	case "nearly exhausted":
		return []stage{{create("one use"), ""}}
	case "pending":
		return []stage{{create(""), claimRead.name}}
	case "claimed":
		return []stage{{create(""), promotionActivate.name}}
	case "expiring pending":
		return []stage{{create("expiring"), promotionActivate.name}}
	case "superseded":
		third := domain.PromotionCodeName{Coupon: couponZ, ID: firstIDOf(actorThird)}
		return []stage{
			{create("one use"), ""},
			{cs.redeem(actorFirst), ""},
			{cs.create(actorThird, couponZ, "", ""), ""},
			{cs.about(deactivates, actorThird, third), ""},
		}
	case "half deactivated":
		return []stage{{create(""), ""}, {cs.about(deactivates, actorFirst, name), claimRelease.name}}
	case "half deleted":
		return []stage{{create(""), ""}, {cs.about(deletes, actorFirst, name), claimRelease.name}}
	case "half refused":
		third := domain.PromotionCodeName{Coupon: couponZ, ID: firstIDOf(actorThird)}
		return []stage{
			{cs.create(actorThird, couponZ, "", ""), ""},
			{create(""), promotionRetire.name},
			{cs.about(deactivates, actorThird, third), ""},
		}
	case "coupon deleted":
		return []stage{{create(""), ""}, {cs.endCoupon(actorFirst, couponX), ""}}
	}
	panic(state)
}

// secondStates are those of the second. It is brought into its state before the
// first is.
var secondStates = []string{"absent", "inactive", "pending", "claimed"}

func (cs *callBook) secondStages(state, scope string, coupon domain.CouponID) []stage {
	name := domain.PromotionCodeName{Coupon: coupon, ID: firstIDOf(actorSecond)}
	create := cs.create(actorSecond, coupon, scope, "")
	switch state {
	case "absent":
		return nil
	case "inactive":
		return []stage{{create, ""}, {cs.about(deactivates, actorSecond, name), ""}}
	case "pending":
		return []stage{{create, claimRead.name}}
	case "claimed":
		return []stage{{create, promotionActivate.name}}
	}
	panic(state)
}

// stage plays the stages of a history and returns the world after them.
func (s *sim) playStages(world int32, stages []stage) int32 {
	for _, st := range stages {
		at := s.root(st.call, 0)
		for {
			n := s.nodes[at]
			if n.next < 0 {
				if n.err != nil {
					s.t.Fatalf("%s: %v", st.call.label, n.err)
				}
				break
			}
			if st.before != "" && s.commands.values[n.next].name == st.before {
				break
			}
			e := s.effectOf(cause{world, n.next})
			world, at = e.world, s.after(at, edge{e.reply, 0})
		}
	}
	return world
}

// setting is what a scenario is about, before its clients begin.
type setting struct {
	first, firstScope   string
	second, secondScope string
	coupon              domain.CouponID // of the second
}

func (g setting) String() string {
	return fmt.Sprintf("first of X for %q %s, second of %s for %q %s", g.firstScope, g.first, g.coupon, g.secondScope, g.second)
}

// operations are what a client may call in a setting, in the order of their
// numbers; actor tells the client.
func (cs *callBook) operations(g setting, actor byte) []*clientCall {
	var out []*clientCall
	if g.first != "absent" {
		first := domain.PromotionCodeName{Coupon: couponX, ID: firstIDOf(actorFirst)}
		out = append(out,
			cs.about(activates, actor, first), cs.about(deactivates, actor, first), cs.about(deletes, actor, first),
			cs.redeem(actor))
		if g.first == "exhausted" {
			out = append(out, cs.raise(actor, first))
		}
	}
	if g.second == "absent" {
		out = append(out, cs.create(actor, g.coupon, g.secondScope, ""))
	} else {
		second := domain.PromotionCodeName{Coupon: g.coupon, ID: firstIDOf(actorSecond)}
		out = append(out,
			cs.about(activates, actor, second), cs.about(deactivates, actor, second), cs.about(deletes, actor, second),
			cs.create(actor, couponY, "", ""))
	}
	return out
}

// scopePairs are who the first and the second are for: everybody or customers.
var scopePairs = [][2]string{{"", ""}, {"", "a"}, {"a", ""}, {"a", "a"}, {"a", "b"}}

// settings are all combinations.
func settings() []setting {
	var out []setting
	for _, scopes := range scopePairs {
		for _, coupon := range []domain.CouponID{couponX, couponY} {
			for _, second := range secondStates {
				for _, first := range firstStates {
					if first == "coupon deleted" && coupon == couponX && second == "absent" {
						continue // nothing can be created
					}
					out = append(out, setting{first, scopes[0], second, scopes[1], coupon})
				}
			}
		}
	}
	return out
}

// settle plays a setting's history, or reports that it cannot be: the first
// cannot become ACTIVE while a claimed second has the code.
func (s *sim) settle(cs *callBook, g setting) (int32, bool) {
	if g.second == "claimed" && (g.first == "half refused" || g.first == "superseded" ||
		g.first != "absent" && (g.firstScope == "" || g.secondScope == "" || g.firstScope == g.secondScope)) {
		return 0, false
	}
	stages := []stage{{cs.newCoupon(couponX), ""}, {cs.newCoupon(couponY), ""}, {cs.newCoupon(couponZ), ""}}
	stages = append(stages, cs.secondStages(g.second, g.secondScope, g.coupon)...)
	stages = append(stages, cs.firstStages(g.first, g.firstScope)...)
	world := s.world(nil)
	return s.playStages(world, stages), true
}

// expires reports whether the clock matters in a setting.
func (g setting) expires() bool { return g.first == "expiring" || g.first == "expiring pending" }
