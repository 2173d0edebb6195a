// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/discountd/discountd/domain"
)

// TestRenewalsAreLinearizable has clients of three servers renew, end, void and
// redeem at once around two subscriptions that two coupons want, and holds what they
// were told against the specification.
func TestRenewalsAreLinearizable(t *testing.T) {
	t.Parallel()
	seed := seedOf(t)
	e := open(t, onRedis)
	stores := []*Store{e.Store, e.server(), e.server()}
	const clients, groups, calls = 6, 6, 30
	history := map[string][]porcupine.Operation{}
	sorts := map[string]int{}
	for g := range groups {
		name := fmt.Sprint("g", g)
		s := &renewalStorm{group: name, now: e.clock.Now()}
		ctx := t.Context()
		for i, n := range []int32{3, 2} {
			s.call(ctx, e.Store, 0, domain.CreateCoupon{Coupon: percentOff(couponOf(name, i), lasting(domain.DurationCycles, n), renewalBudget(900, false))})
		}
		all(clients, func(i int) {
			random := rand.New(rand.NewPCG(seed, uint64(g*clients+i)))
			for range calls {
				s.call(ctx, stores[i%len(stores)], i, s.next(random))
			}
		})
		history[name] = s.history
		for _, op := range s.history {
			sorts[kindOfResult(op.Input.(domain.Command), op.Output.(domain.Result))]++
		}
	}
	wantKinds(t, sorts,
		"domain.ApplyRenewal ok", "domain.ApplyRenewal *domain.RefusedError", "domain.ApplyRenewal *domain.RedemptionStateError",
		"domain.ApplyRenewal "+domain.ErrInvoiceIDReused.Error(), "domain.EndDiscount ok", "domain.VoidRedemption ok",
		"domain.RedeemRequest ok", "domain.RedeemRequest *domain.RefusedError",
	)
	wantLinearizable(t, renewalModel(e.clock.Now()), history, func(_ domain.Command, r domain.Result) string { return renewalResult(r) })
}

// renewalStorm is what clients do at once, and what they were told.
type renewalStorm struct {
	recording
	group string
	now   time.Time
}

func (s *renewalStorm) call(ctx context.Context, store *Store, client int, command domain.Command) {
	s.record(client, command, func() domain.Result { return carryOut(ctx, store, command) })
}

// next draws a call, about one of the latest redemptions if it is about one.
func (s *renewalStorm) next(random *rand.Rand) domain.Command {
	s.mu.Lock()
	made := s.redemptions
	s.mu.Unlock()
	kind := one(random, "redeem", "redeem", "renew", "renew", "renew", "renew", "renew", "renew", "read", "end", "void")
	request := fmt.Sprint(kind, s.made.Add(1))
	if len(made) == 0 || kind == "redeem" {
		return byCoupon(request, couponOf(s.group, random.IntN(2)), forSubscription(s.group+one(random, "-x", "-y")), withOrder(orderOf(0)))
	}
	name := made[len(made)-1-random.IntN(min(len(made), 4))]
	switch kind {
	case "renew":
		// Few invoices, some of them with two contents, and some requests with two invoices.
		invoice := invoiceOf(fmt.Sprint("i", random.IntN(5)), one[int64](random, 0, 1_000, 1_000, 1_000, 1_000, 1_000, 2_400))
		return renewalOf(one(random, request, request, request, fmt.Sprint("shared", random.IntN(9))), name, invoice)
	case "end":
		return domain.EndDiscount{RequestID: request, Name: name}
	case "void":
		return domain.VoidRedemption{RequestID: request, Name: name}
	default:
		return domain.GetRedemption{Name: name}
	}
}

// renewalModel steps the specification. What was aborted has had no effect.
func renewalModel(now time.Time) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return hashed(domain.State{}) },
		Step: func(state, input, output any) (bool, any) {
			got := output.(domain.Result)
			if errors.Is(got.Err, domain.ErrAborted) {
				return true, state
			}
			next, want := state.(linearState).Step(now, domain.IDs{}, input.(domain.Command))
			return renewalResult(got) == renewalResult(want), hashed(next)
		},
		Equal: func(a, b any) bool { return a.(linearState).equal(b.(linearState)) },
		Hash:  func(s any) uint64 { return s.(linearState).hash },
	}
}

// renewalResult is all that a result says, but for the split of a discount.
func renewalResult(r domain.Result) string {
	switch v := r.Value.(type) {
	case nil:
		return r.Err.Error()
	case domain.Renewal:
		return fmt.Sprintf("%s of %s by %s: %c, cycle %d, %d off", v.InvoiceID, v.Redemption, v.RequestID, v.Outcome, v.Cycle, v.Spent().TotalMinor)
	case domain.Redemption:
		return fmt.Sprintf("%s by %s: %c, %+v", v.Name, v.RequestID, v.State, *v.Subscription)
	case domain.CouponView:
		return string(v.ID)
	default:
		panic(fmt.Sprintf("no text for a %T", v))
	}
}
