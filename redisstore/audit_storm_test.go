// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/discountd/discountd/domain"
)

// TestAuditReadsAgainWhatChangesUnderIt changes a record of every kind, and adds
// new ones, between any two steps of an audit.
func TestAuditReadsAgainWhatChangesUnderIt(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.busyCoupon("a")
		var left []domain.Redemption
		for i := range 40 {
			r, err := e.Reserve(e.ctx(), &domain.ReserveRequest{RedeemRequest: byCoupon("h"+strconv.Itoa(i), "a", withCustomer("bob")), TTL: time.Minute})
			noError(t, err)
			left = append(left, *r)
		}
		changes := 0
		e.before(auditRead, 40, func(other *Store) {
			if len(left) == 0 {
				return
			}
			r := left[0]
			left = left[1:]
			request := "change" + strconv.Itoa(changes)
			changes++
			var err error
			switch changes % 3 {
			case 0:
				_, err = other.Commit(e.ctx(), domain.CommitRedemption{RequestID: request, Name: r.Name, Amount: pointer(int64(1))})
			case 1:
				_, err = other.Release(e.ctx(), domain.ReleaseRedemption{RequestID: request, Name: r.Name})
			default:
				e.clock.Advance(20 * time.Second)
				_, err = other.Redeem(e.ctx(), new(byCoupon(request, "a", withCustomer("carl"))))
			}
			if err != nil {
				t.Errorf("%s: %v", request, err)
			}
		})
		for round := 0; changes < 12; round++ {
			a := newCouponAudit(e.Store, "a", false)
			a.progress = func(int64) {}
			if _, err := a.run(e.ctx()); err != nil || len(a.found) > 0 {
				t.Fatalf("round %d: %v, %v", round, a.found, err)
			}
		}
		e.wantClean()
	})
}

// auditStorm makes redemptions of every kind, and ends them in every way, until ctx
// ends.
type auditStorm struct {
	*env
	coupon domain.CouponID
	code   domain.PromotionCodeName
	store  *Store
	random *rand.Rand
	worker int

	mine []domain.RedemptionName
	done int
}

func (s *auditStorm) run(ctx context.Context) error {
	for ctx.Err() == nil {
		s.done++
		if err := s.step(ctx); err != nil && ctx.Err() == nil && !s.expected(err) {
			return err
		}
		s.clock.Advance(time.Duration(s.random.IntN(100)) * time.Millisecond)
	}
	return nil
}

func (s *auditStorm) expected(err error) bool {
	return isError[*domain.RefusedError](err) || isError[*domain.RedemptionStateError](err) ||
		isError[*domain.AmountExceededError](err) || isError[*domain.NoSubscriptionError](err) || errors.Is(err, domain.ErrAborted)
}

func (s *auditStorm) step(ctx context.Context) error {
	request := fmt.Sprint("w", s.worker, "-", s.done)
	who := withCustomer("c" + strconv.Itoa(s.random.IntN(8)))
	source := byCoupon(request, s.coupon, who)
	if s.random.IntN(2) == 0 {
		source = byName(request, s.code, who)
	}
	if s.random.IntN(2) == 0 {
		source.SubscriptionID = request
	}
	kind := s.random.IntN(9)
	if kind < 3 || len(s.mine) == 0 {
		var r *domain.Redemption
		var err error
		if kind == 0 {
			r, err = s.store.Redeem(ctx, &source)
		} else {
			r, err = s.store.Reserve(ctx, &domain.ReserveRequest{RedeemRequest: source, TTL: time.Second})
		}
		if err == nil {
			s.mine = append(s.mine, r.Name)
		}
		return err
	}
	name := s.mine[s.random.IntN(len(s.mine))]
	var amount *int64
	if s.random.IntN(2) == 0 {
		amount = pointer(int64(s.random.IntN(2_500)))
	}
	var err error
	switch kind {
	case 3:
		_, err = s.store.Commit(ctx, domain.CommitRedemption{RequestID: request, Name: name, Amount: amount})
	case 4:
		_, err = s.store.Release(ctx, domain.ReleaseRedemption{RequestID: request, Name: name})
	case 5, 6, 7:
		_, err = s.store.ApplyRenewal(ctx, renewalOf(request, name, invoiceOf(fmt.Sprint("i", s.random.IntN(20)), 1_000)))
	default:
		_, err = s.store.Void(ctx, domain.VoidRedemption{RequestID: request, Name: name, Amount: amount, Reason: "storm"})
	}
	return err
}

// auditRounds is how many audits run in a storm, by kind of Redis.
func auditRounds(e *env) int {
	if e.most == onRedis.most {
		return longForm(60, 400)
	}
	return longForm(20, 200)
}

func TestAuditInAStormFindsWhatIsWrongAndNothingElse(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a", lasting(domain.DurationCycles, 5), limitedTo(1_000_000), limitedPerCustomerTo(1_000_000), func(c *domain.Coupon) {
			c.PeriodLimits = []domain.PeriodLimit{{Period: domain.PeriodDay, MaxRedemptions: 1_000_000, PerCustomer: true}}
			c.Budgets = []domain.Budget{{Limit: domain.Money{Currency: "EUR", AmountMinor: 1_000_000_000}, Products: []string{"product"}}}
		}))
		code := e.createCode(promotionCode("a", "STORM", codeLimitedTo(1_000_000))).Name
		seed := seedOf(t)

		ctx, stop := context.WithCancel(e.ctx())
		defer stop()
		var running sync.WaitGroup
		for i := range 4 {
			s := &auditStorm{env: e, coupon: "a", code: code, store: e.server(), random: rand.New(rand.NewPCG(seed, uint64(i))), worker: i}
			running.Go(func() {
				if err := s.run(ctx); err != nil {
					t.Errorf("worker %d: %v", i, err)
				}
			})
		}
		customer := string(domain.IdentityOfID("c1"))
		seeded := 0
		for round := range auditRounds(e) {
			o := AuditOptions{Repair: round%2 == 1}
			if round%10 == 9 {
				seeded++
				noError(t, e.admin.HIncrBy(e.ctx(), e.keys.head("a"), "r", 3).Err())
				noError(t, e.admin.HIncrBy(e.ctx(), e.keys.head("a"), "b:EUR", 1_000).Err())
				noError(t, e.admin.HIncrBy(e.ctx(), e.keys.customers("a"), customer, 5).Err())
			}
			found, _, err := e.audit(o)
			if err != nil {
				t.Errorf("round %d: %v", round, err)
				break
			}
			if round%10 == 9 {
				e.wantDrift(round, found, map[string]int64{"counter redeemed": 3, "spent EUR": 1_000, "uses " + customer: 5})
			} else if len(found) > 0 {
				t.Errorf("round %d: found %v", round, found)
			}
			if t.Failed() {
				break
			}
		}
		stop()
		running.Wait()
		sum := e.wantClean()
		t.Logf("%d redemptions, %d times something was made wrong", sum.Redemptions, seeded)
	})
}

// wantDrift fails the test unless just these counters were found to be too high by
// as much, and mended.
func (e *env) wantDrift(round int, found []domain.Difference, want map[string]int64) {
	e.t.Helper()
	if len(found) != len(want) {
		e.t.Errorf("round %d: found %v", round, found)
	}
	for _, d := range found {
		var n numbers
		by, ok := want[string(d.Kind)+" "+d.Name]
		if drift := n.parse(d.Stored) - n.parse(d.Want); !ok || n.err != nil || drift != by || !d.Repaired {
			e.t.Errorf("round %d: %v, want to be wrong by %d", round, d, by)
		}
	}
}
