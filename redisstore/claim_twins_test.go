// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/discountd/discountd/domain"
)

// TestP5CodeIsNotThatOfAGiftCardAndOfAPromotionCode explores the claim protocol, as
// TestP5ClaimProtocol does, with gift cards that are issued with the code of promotion
// codes: what is claimed under different forms is kept apart from outside.
func TestP5CodeIsNotThatOfAGiftCardAndOfAPromotionCode(t *testing.T) {
	t.Parallel()
	x := newExplorer(t)
	x.calls.twin = hashOf(simCode1)
	random := rand.New(rand.NewPCG(2, 2)) // the same sample every time
	t.Run("two clients", func(t *testing.T) {
		x.run(t, x.ofTwins(0))
	})
	t.Run("two clients and a mishap", func(t *testing.T) {
		x.run(t, sample(random, x.ofTwins(1), longForm(20, every)))
	})
	t.Run("a creation, an issue and a redemption", func(t *testing.T) {
		g := twinSettings[0]
		x.run(t, []scenario{g.scenario(x.settleTwins(g), 0, x.calls.create('1', couponY, "", ""), x.calls.issue('2', ""), x.calls.redeem('3'))})
	})
	t.Run("an activation, a creation and an issue", func(t *testing.T) {
		g := twinSettings[2]
		x.run(t, []scenario{g.scenario(x.settleTwins(g), 0, x.calls.about(activates, '1', firstPromotion), x.calls.create('2', couponY, "", ""), x.calls.issue('3', ""))})
	})
	t.Run("three clients", func(t *testing.T) {
		x.run(t, sample(random, x.ofThreeTwins(), longForm(10, 500)))
	})
}

const couponG = domain.CouponID("G") // a program of gift cards

func (cs *callBook) newProgram() *clientCall {
	return cs.get("create the program", actorFirst, func(c *clientCall) {
		c.kind = other
		c.run = func(ctx context.Context, s *Store) (any, error) {
			return s.CreateCoupon(ctx, domain.CreateCoupon{Coupon: program(couponG, false)})
		}
	})
}

// issue issues a gift card with the code, for everybody or for a customer.
func (cs *callBook) issue(actor byte, scope string) *clientCall {
	return cs.get(fmt.Sprintf("issue a gift card for %q", scope), actor, func(c *clientCall) {
		p := giftCard(couponG, simCode1, 100)
		bindTo(&p, scope)
		request := fmt.Sprintf("issue-%c", actor)
		c.kind = creates
		c.run = func(ctx context.Context, s *Store) (any, error) {
			return s.IssueGiftCard(ctx, domain.IssueGiftCard{RequestID: request, PromotionCode: p, Given: parsedCode(simCode1)})
		}
	})
}

// twinSetting is what there is of the code before the clients begin. The promotion
// code comes first; one that is to be paused is paused before the script named.
type twinSetting struct{ promotion, card, before string }

var twinSettings = []twinSetting{
	{"", "", ""},
	{"active", "", ""},
	{"inactive", "", ""},
	{"exhausted", "", ""},
	{"paused", "", claimRead.name},
	{"paused", "", promotionActivate.name},
	{"half deactivated", "", ""},
	{"inactive", "active", ""},
	{"", "active", ""},
	{"", "inactive", ""},
	{"", "paused", claimRead.name},
	{"", "paused", promotionActivate.name},
	{"", "half deactivated", ""},
	{"inactive", "paused", promotionActivate.name},
	{"half deactivated", "paused", promotionActivate.name},
}

var (
	firstPromotion = domain.PromotionCodeName{Coupon: couponX, ID: firstIDOf(actorFirst)}
	firstCard      = domain.PromotionCodeName{Coupon: couponG, ID: firstIDOf(actorSecond)}
)

func (x *explorer) settleTwins(g twinSetting) int32 {
	cs := x.calls
	stages := []stage{{cs.newCoupon(couponX), ""}, {cs.newCoupon(couponY), ""}, {cs.newCoupon(couponZ), ""}, {cs.newProgram(), ""}}
	add := func(state string, create *clientCall, actor byte, name domain.PromotionCodeName) {
		switch state {
		case "":
		case "paused":
			stages = append(stages, stage{create, g.before})
		case "inactive":
			stages = append(stages, stage{create, ""}, stage{cs.about(deactivates, actor, name), ""})
		case "half deactivated":
			stages = append(stages, stage{create, ""}, stage{cs.about(deactivates, actor, name), claimRelease.name})
		case "exhausted":
			stages = append(stages, stage{cs.create(actor, couponX, "", "one use"), ""}, stage{cs.redeem(actor), ""})
		default:
			stages = append(stages, stage{create, ""})
		}
	}
	add(g.promotion, cs.create(actorFirst, couponX, "", ""), actorFirst, firstPromotion)
	add(g.card, cs.issue(actorSecond, ""), actorSecond, firstCard)
	return x.playStages(x.world(nil), stages)
}

// twinOperations are what a client may call. A gift card that was disabled is not
// enabled: what promotion code has its code then is not known.
func (cs *callBook) twinOperations(g twinSetting, actor byte) []*clientCall {
	out := []*clientCall{cs.create(actor, couponY, "", ""), cs.create(actor, couponY, "b", ""), cs.issue(actor, ""), cs.issue(actor, "a"), cs.redeem(actor)}
	if g.promotion != "" {
		out = append(out, cs.about(activates, actor, firstPromotion), cs.about(deactivates, actor, firstPromotion))
	}
	if g.promotion == "exhausted" {
		out = append(out, cs.raise(actor, firstPromotion))
	}
	if g.card != "" {
		out = append(out, cs.about(deactivates, actor, firstCard))
	}
	return out
}

func (g twinSetting) scenario(world int32, mishaps int8, calls ...*clientCall) scenario {
	var programs [][]*clientCall
	for _, c := range calls {
		programs = append(programs, []*clientCall{c})
	}
	sc := newScenario(setting{}, world, mishaps, programs...)
	sc.name = fmt.Sprintf("%+v: %s", g, sc.name)
	return sc
}

func (x *explorer) ofTwins(mishaps int8) []scenario {
	var out []scenario
	for _, g := range twinSettings {
		world := x.settleTwins(g)
		a, b := x.calls.twinOperations(g, '1'), x.calls.twinOperations(g, '2')
		for i := range a {
			for j := i; j < len(b); j++ {
				out = append(out, g.scenario(world, mishaps, a[i], b[j]))
			}
		}
	}
	return out
}

func (x *explorer) ofThreeTwins() []scenario {
	var out []scenario
	for _, g := range twinSettings {
		world := x.settleTwins(g)
		a, b, c := x.calls.twinOperations(g, '1'), x.calls.twinOperations(g, '2'), x.calls.twinOperations(g, '3')
		for i := range a {
			for j := i; j < len(b); j++ {
				for k := j; k < len(c); k++ {
					out = append(out, g.scenario(world, 0, a[i], b[j], c[k]))
				}
			}
		}
	}
	return out
}
