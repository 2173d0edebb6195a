// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/discountd/discountd/domain"
)

func TestSubscriptionHasOneDiscountHoweverManyWantIt(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		const coupons = 3
		for i := range coupons {
			e.createCoupon(percentOff(domain.CouponID(fmt.Sprint("a", i))))
		}
		servers := []*Store{e.Store, e.server(), e.server()}
		for round := range 5 {
			sub := forSubscription(fmt.Sprint("sub", round))
			var won, lost atomic.Int64
			all(e.crowd(60), func(i int) {
				coupon := domain.CouponID(fmt.Sprint("a", i%coupons))
				_, err := servers[i%len(servers)].Redeem(e.ctx(), new(byCoupon(fmt.Sprint("r", round, "-", i), coupon, sub)))
				switch {
				case err == nil:
					won.Add(1)
				case errors.Is(err, domain.ErrAborted):
					lost.Add(1)
				default:
					wantReasons(t, err, domain.SubscriptionAlreadyDiscounted)
				}
			})
			if won.Load() != 1 {
				t.Errorf("round %d: %d redemptions for one subscription, %d aborted", round, won.Load(), lost.Load())
			}
		}
		redeemed := int64(0)
		for i := range coupons {
			redeemed += e.coupon(domain.CouponID(fmt.Sprint("a", i))).Redeemed
		}
		if redeemed != 5 {
			t.Errorf("%d redemptions for 5 subscriptions", redeemed)
		}
	})
}

func TestOneRequestForASubscriptionSentManyTimesHasOneEffect(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a"))
		var names [60]domain.RedemptionName
		all(e.crowd(len(names)), func(i int) {
			for {
				r, err := e.Redeem(e.ctx(), new(byCoupon("r", "a", forSubscription("sub"))))
				if errors.Is(err, domain.ErrAborted) {
					continue
				}
				if err != nil {
					t.Error(err)
				}
				names[i] = r.Name
				return
			}
		})
		for i := range e.crowd(len(names)) {
			if names[i] != names[0] {
				t.Errorf("%s and %s by one request", names[0], names[i])
			}
		}
		e.counts("a", 1, 0)
	})
}

func TestSubscriptionIsFreeWhenItsDiscountEnds(t *testing.T) {
	for name, end := range map[string]func(e *env, r domain.Redemption){
		"ended": func(e *env, r domain.Redemption) {
			e.settled(domain.RedemptionRedeemed)(e.EndDiscount(e.ctx(), domain.EndDiscount{RequestID: "e", Name: r.Name}))
		},
		"voided": func(e *env, r domain.Redemption) { e.settled(domain.RedemptionVoided)(e.void(r.Name, "v", nil)) },
		"cycles used": func(e *env, r domain.Redemption) {
			e.renewed("n", r.Name, invoiceOf("i", 1_000))
			e.renewed("m", r.Name, invoiceOf("j", 1_000))
		},
		"months over": func(e *env, r domain.Redemption) { e.clock.Set(domain.AddMonths(r.CreateTime, 1)) },
	} {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, e *env) {
				duration := lasting(domain.DurationCycles, 2)
				if name == "months over" {
					duration = lasting(domain.DurationRepeating, 1)
				}
				e.createCoupon(percentOff("a", duration))
				e.createCoupon(percentOff("b"))
				r := e.redeem(byCoupon("r", "a", forSubscription("sub")))
				other := byCoupon("r", "b", forSubscription("sub"))

				for range 2 {
					v, err := e.Validate(e.ctx(), &other.ValidateRequest)
					if err != nil || len(v.Ineligibilities) != 1 || v.Ineligibilities[0].Redemption != r.Name {
						t.Errorf("%+v, %v", v, err)
					}
					_, err = e.Redeem(e.ctx(), &other)
					wantReasons(t, err, domain.SubscriptionAlreadyDiscounted)
				}
				e.redeem(byCoupon("q", "a", forSubscription("another")))
				end(e, r)
				if v, err := e.Validate(e.ctx(), &other.ValidateRequest); err != nil || !v.Valid() {
					t.Errorf("%+v, %v", v, err)
				}
				e.redeem(other)
				if again := e.redeem(byCoupon("r", "a", forSubscription("sub"))); again.Name != r.Name {
					t.Errorf("the retry of the first made %s", again.Name)
				}
			})
		})
	}
}

func TestReservationKeepsItsSubscriptionUntilItEnds(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a"))
		e.createCoupon(percentOff("b"))
		held := e.reserve(time.Minute, byCoupon("h", "a", forSubscription("sub")))
		_, err := e.Redeem(e.ctx(), new(byCoupon("r", "b", forSubscription("sub"))))
		wantReasons(t, err, domain.SubscriptionAlreadyDiscounted)

		e.clock.Advance(time.Minute)
		e.redeem(byCoupon("r", "b", forSubscription("sub")))
		// There would be room for it, but not on the subscription.
		_, err = e.commit(held.Name, "c", nil)
		var state *domain.RedemptionStateError
		if !errors.As(err, &state) || state.State != domain.RedemptionExpired {
			t.Errorf("late commit: %v", err)
		}
		released := e.reserve(time.Minute, byCoupon("h2", "a", forSubscription("sub2")))
		e.settled(domain.RedemptionReleased)(e.release(released.Name, "l"))
		e.redeem(byCoupon("r2", "b", forSubscription("sub2")))
	})
}

// claimed leaves a claim of a request that has redeemed nothing, as a crash does, and
// returns its token.
func (e *env) claimed(c domain.CouponID, request, sub string) string {
	e.t.Helper()
	read, err := e.readSubscription(e.ctx(), sub)
	if err != nil {
		e.t.Fatal(err)
	}
	token, ok, err := e.claimSubscription(e.ctx(), read, c, request)
	if err != nil || !ok {
		e.t.Fatalf("claim: %t, %v", ok, err)
	}
	return token
}

func TestClaimOfACrashedRequestGivesWayAndCannotComeBack(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a"))
		e.createCoupon(percentOff("b"))
		late := e.claimed("a", "crashed", "sub")

		other := byCoupon("r", "b", forSubscription("sub"))
		if v, err := e.Validate(e.ctx(), &other.ValidateRequest); err != nil || !v.Valid() {
			t.Errorf("a claim alone is no discount: %+v, %v", v, err)
		}
		if _, err := e.Redeem(e.ctx(), &other); !errors.Is(err, domain.ErrAborted) {
			t.Errorf("while the claim is new: %v", err)
		}
		e.clock.Advance(claimGrace)
		e.redeem(other)

		// The last step of the crashed request comes late.
		st, err := e.read(e.ctx(), subject{coupon: "a"})
		if err != nil {
			t.Fatal(err)
		}
		r := byCoupon("crashed", "a", forSubscription("sub"))
		evaluated := domain.Evaluate(&st.Snapshot, &r.ValidateRequest, e.now())
		made := newRedemption(&use{RedeemRequest: &r, fingerprint: r.Fingerprint()}, &st.Snapshot, &evaluated)
		if done, err := e.take(e.ctx(), made, &st.Snapshot, late); done != nil || err != nil {
			t.Errorf("a dead claim redeems: %+v, %v", done, err)
		}
		e.counts("a", 0, 0)
		_, err = e.Redeem(e.ctx(), &r)
		wantReasons(t, err, domain.SubscriptionAlreadyDiscounted)
	})
}

func TestRetryOfACrashedRequestGoesOnWithItsClaim(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a"))
		e.claimed("a", "r", "sub")
		r := e.redeem(byCoupon("r", "a", forSubscription("sub")))
		_, err := e.Redeem(e.ctx(), new(byCoupon("other", "a", forSubscription("sub"))))
		wantReasons(t, err, domain.SubscriptionAlreadyDiscounted)
		if again := e.redeem(byCoupon("r", "a", forSubscription("sub"))); again.Name != r.Name {
			t.Errorf("%s and %s", r.Name, again.Name)
		}
	})
}

func TestRefusedRedemptionGivesTheSubscriptionBack(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a", limitedTo(1)))
		e.createCoupon(percentOff("b"))
		// The limit is reached after it was evaluated.
		st, err := e.read(e.ctx(), subject{coupon: "a"})
		if err != nil {
			t.Fatal(err)
		}
		e.redeem(byCoupon("first", "a"))
		r := byCoupon("r", "a", forSubscription("sub"))
		_, err = e.evaluateAndTake(e.ctx(), &use{RedeemRequest: &r, fingerprint: r.Fingerprint()}, st, false)
		wantReasons(t, err, domain.CouponMaxRedemptionsReached)
		e.redeem(byCoupon("r", "b", forSubscription("sub"))) // without waiting

		// One that was evaluated again after its claim was taken gives it back, too.
		e.claimed("a", "q", "sub2")
		_, err = e.Redeem(e.ctx(), new(byCoupon("q", "a", forSubscription("sub2"))))
		wantReasons(t, err, domain.CouponMaxRedemptionsReached)
		e.redeem(byCoupon("q", "b", forSubscription("sub2")))

		// And it may be tried again: its old token is dead, and a new one is drawn.
		if _, err := e.UpdateCoupon(e.ctx(), domain.UpdateCoupon{ID: "a", Set: domain.CouponFields{MaxRedemptions: true}}); err != nil {
			t.Fatal(err)
		}
		e.settled(domain.RedemptionRedeemed)(e.EndDiscount(e.ctx(), domain.EndDiscount{RequestID: "e", Name: e.redemptions("b")[0].Name}))
		e.redeem(r)
	})
}

func TestOneRequestForTwoSubscriptionsHoldsTheOneItRedeemedFor(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a"))
		e.claimed("a", "r", "sub2")
		e.redeem(byCoupon("r", "a", forSubscription("sub1")))
		e.redeem(byCoupon("s", "a", forSubscription("sub2"))) // whose claim made nothing for it
		if _, err := e.Redeem(e.ctx(), new(byCoupon("r", "a", forSubscription("sub2")))); !errors.Is(err, domain.ErrRequestIDReused) {
			t.Errorf("the same request for another subscription: %v", err)
		}
	})
}
