// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/discountd/discountd/domain"
)

// sentinel is a hook that counts what a store sends, and does something before
// one of the commands.
type sentinel struct {
	sent atomic.Int64
	at   int64
	f    func(cmd redis.Cmder)
}

// DialHook implements redis.Hook.
func (s *sentinel) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook implements redis.Hook.
func (s *sentinel) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		s.count(cmd)
		return next(ctx, cmd)
	}
}

// ProcessPipelineHook implements redis.Hook.
func (s *sentinel) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		s.count(cmds[0])
		return next(ctx, cmds)
	}
}

func (s *sentinel) count(cmd redis.Cmder) {
	if s.sent.Add(1) == s.at && s.f != nil {
		s.f(cmd)
	}
}

// writing are all commands, each with the request id of the env and about the
// coupon "a" and a promotion code of it.
func writing() map[string]func(*env, domain.PromotionCodeName) error {
	out := map[string]func(*env, domain.PromotionCodeName) error{
		"delete a deleted one": func(e *env, p domain.PromotionCodeName) error {
			_, err := e.DeletePromotionCode(e.ctx(), domain.DeletePromotionCode{RequestID: e.request, Name: p})
			return err
		},
		"redeem": func(e *env, _ domain.PromotionCodeName) error {
			_, err := e.Redeem(e.ctx(), new(byCode(e.request, "X", withCustomer("alice"))))
			return err
		},
		"redeem by what is remembered": func(e *env, _ domain.PromotionCodeName) error {
			_, err := e.Redeem(e.ctx(), new(byCode(e.request, "X", withCustomer("alice"))))
			return err
		},
		"reserve": func(e *env, _ domain.PromotionCodeName) error {
			_, err := e.Reserve(e.ctx(), new(reserveFor(time.Minute, byCode(e.request, "X", withCustomer("alice")))))
			return err
		},
		"commit": func(e *env, _ domain.PromotionCodeName) error {
			_, err := e.commit(prepared, e.request, nil)
			return err
		},
		"release": func(e *env, _ domain.PromotionCodeName) error {
			_, err := e.release(prepared, e.request)
			return err
		},
		"void": func(e *env, _ domain.PromotionCodeName) error {
			_, err := e.void(prepared, e.request, nil)
			return err
		},
		"redeem for a subscription": func(e *env, _ domain.PromotionCodeName) error {
			_, err := e.Redeem(e.ctx(), new(byCode(e.request, "X", forSubscription("sub"))))
			return err
		},
		"redeem for a subscription that a crashed request has claimed": func(e *env, _ domain.PromotionCodeName) error {
			_, err := e.Redeem(e.ctx(), new(byCode(e.request, "X", forSubscription("sub"))))
			return err
		},
		"renew": func(e *env, _ domain.PromotionCodeName) error {
			_, err := e.ApplyRenewal(e.ctx(), renewalOf(e.request, prepared, invoiceOf("i", 1_000)))
			return err
		},
		"end a discount": func(e *env, _ domain.PromotionCodeName) error {
			_, err := e.EndDiscount(e.ctx(), domain.EndDiscount{RequestID: e.request, Name: prepared})
			return err
		},
		"read when a reservation is due": func(e *env, _ domain.PromotionCodeName) error {
			_, err := e.Coupon(e.ctx(), "a")
			return err
		},
		"read counters of what is remembered": func(e *env, _ domain.PromotionCodeName) error {
			_, err := e.Validate(e.ctx(), &domain.ValidateRequest{Source: domain.Source{Code: "X"}})
			return err
		},
		"create a bound one that takes over": func(e *env, _ domain.PromotionCodeName) error {
			_, err := e.CreatePromotionCode(e.ctx(), domain.CreatePromotionCode{RequestID: e.request, PromotionCode: promotionCode("a", "ENDED", boundToID("alice"))})
			return err
		},
	}
	for name, command := range moving {
		out[name] = func(e *env, p domain.PromotionCodeName) error { return command(e, p) }
	}
	for name, command := range settling {
		out[name] = func(e *env, _ domain.PromotionCodeName) error { return command(e) }
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

// prepared is the redemption that a command of writing settles.
var prepared = domain.RedemptionName{Coupon: "a", ID: domain.NewRedemptionID(1, "prepared")}

// needsRequest are the commands of RedemptionService, whose requests have an id.
var needsRequest = []string{
	"redeem", "redeem by what is remembered", "reserve", "commit", "release", "void", "redeem for a subscription",
	"redeem for a subscription that a crashed request has claimed", "renew", "end a discount",
}

// prepareWriting makes what a command of writing needs.
func prepareWriting(e *env, name string) (p domain.PromotionCodeName) {
	e.t.Helper()
	deterministic(e)
	switch {
	case name == "create (coupon)":
		return p
	case moving[name] != nil:
		return startMoving(e, name)
	case settling[name] != nil:
		return startSettling(e, name)
	case strings.HasSuffix(name, "(coupon)"):
		startCoupon(e, strings.TrimSuffix(name, " (coupon)"))
		return p
	}
	p = startCode(e, name)
	switch {
	case name == "void", strings.HasSuffix(name, "what is remembered"):
		e.redeem(byCode("prepared", "X"))
	case name == "commit", name == "release":
		e.reserve(time.Minute, byCode("prepared", "X"))
	case name == "renew", name == "end a discount":
		e.redeem(byCode("prepared", "X", forSubscription("sub"), withOrder(orderOf(0))))
	case strings.HasSuffix(name, "has claimed"):
		e.claimed("a", "crashed", "sub")
		e.clock.Advance(claimGrace)
	case name == "read when a reservation is due":
		e.reserve(time.Minute, byCode("prepared", "X"))
		e.clock.Advance(time.Minute)
	case strings.HasSuffix(name, "takes over"):
		e.createCode(promotionCode("a", "ENDED", codeLimitedTo(1)))
		e.redeem(byCode("ended", "ENDED"))
	case name == "delete a deleted one":
		if _, err := e.DeletePromotionCode(e.ctx(), domain.DeletePromotionCode{Name: p}); err != nil {
			e.t.Fatal(err)
		}
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
		out = append(out, fmt.Sprint(c.ID, " ", c.Version, c.Deleted, c.DisplayName, c.Redeemed, c.Held, c.Spent, limitText(c.MaxRedemptions)))
		for _, r := range e.redemptions(c.ID) {
			out = append(out, fmt.Sprint(r.Name, r.State, r.VoidedAmountMinor, r.Discount.TotalAmountMinor))
			if d := r.Subscription; d != nil {
				out = append(out, fmt.Sprint(c.ID, " ", d.Used, d.EndedTime, d.Renewed))
			}
		}
		for _, p := range e.codesOf(c.ID) {
			code := p.Code.Form()
			if len(code) == 12 {
				code = "generated"
			}
			out = append(out, fmt.Sprint(c.ID, " ", code, string(p.State), p.Redeemed, limitText(p.MaxRedemptions)))
		}
	}
	out = append(out, e.creditSummary()...)
	slices.Sort(out)
	return out
}

// undisturbed runs a command on a store of its own and returns how many commands
// it sends, what is then stored, and the summary.
func undisturbed(t *testing.T, dial func() redis.UniversalClient, name, request string, command func(*env, domain.PromotionCodeName) error) (sent int64, dump map[string]string, summary []string) {
	t.Helper()
	e := openAt(t, dial)
	e.request = request
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
