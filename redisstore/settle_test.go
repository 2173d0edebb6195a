// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/discountd/discountd/domain"
)

func reserveFor(ttl time.Duration, r domain.RedeemRequest) domain.ReserveRequest {
	return domain.ReserveRequest{RedeemRequest: r, TTL: ttl}
}

func (e *env) reserve(ttl time.Duration, r domain.RedeemRequest) domain.Redemption {
	e.t.Helper()
	v, err := e.Reserve(e.ctx(), new(reserveFor(ttl, r)))
	if err != nil {
		e.t.Fatalf("reserve %s: %v", r.RequestID, err)
	}
	return *v
}

// settled fails the test unless something done to a redemption left it in a state.
func (e *env) settled(want domain.RedemptionState) func(*domain.Redemption, error) domain.Redemption {
	e.t.Helper()
	return func(r *domain.Redemption, err error) domain.Redemption {
		e.t.Helper()
		if err != nil {
			e.t.Fatalf("%v; want %v", err, want)
		}
		if r.State != want {
			e.t.Fatalf("%s is %v; want %v", r.Name, r.State, want)
		}
		return *r
	}
}

func (e *env) commit(n domain.RedemptionName, request string, amount *int64) (*domain.Redemption, error) {
	return e.Commit(e.ctx(), domain.CommitRedemption{RequestID: request, Name: n, Amount: amount})
}

func (e *env) release(n domain.RedemptionName, request string) (*domain.Redemption, error) {
	return e.Release(e.ctx(), domain.ReleaseRedemption{RequestID: request, Name: n})
}

func (e *env) void(n domain.RedemptionName, request string, amount *int64) (*domain.Redemption, error) {
	return e.Void(e.ctx(), domain.VoidRedemption{RequestID: request, Name: n, Amount: amount, Reason: "refunded"})
}

// counts fails the test unless the coupon has these counters.
func (e *env) counts(id domain.CouponID, redeemed, held int64) {
	e.t.Helper()
	if c := e.coupon(id); c.Redeemed != redeemed || c.Held != held {
		e.t.Errorf("%s has %d redeemed and %d held, want %d and %d", id, c.Redeemed, c.Held, redeemed, held)
	}
}

func TestReservationHoldsEveryLimitUntilItIsSettled(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a", limitedTo(2), limitedPerCustomerTo(1)))
		p := e.createCode(promotionCode("a", "CODE", codeLimitedTo(1)))

		held := e.reserve(time.Minute, byCode("h", "code", withCustomer("alice")))
		if held.State != domain.RedemptionReserved || !held.ExpireTime.Equal(epoch.Add(time.Minute)) {
			t.Fatalf("%v until %v", held.State, held.ExpireTime)
		}
		e.counts("a", 0, 1)
		if c := e.code(p.Name); c.Held != 1 || c.Status != domain.StatusActive {
			t.Errorf("the code holds %d and is %v: reservations do not exhaust", c.Held, c.Status)
		}
		_, err := e.Redeem(e.ctx(), new(byCode("r", "code", withCustomer("bob"))))
		wantReasons(t, err, domain.FullyReserved)
		var refused *domain.RefusedError
		if errors.As(err, &refused) && refused.Ineligibilities[0].RetryAfter != time.Minute {
			t.Errorf("retry after %v", refused.Ineligibilities[0].RetryAfter)
		}
		_, err = e.Redeem(e.ctx(), new(byCoupon("r", "a", withCustomer("alice"))))
		wantReasons(t, err, domain.CustomerMaxRedemptionsReached)

		e.settled(domain.RedemptionReleased)(e.release(held.Name, "l"))
		e.counts("a", 0, 0)
		e.redeem(byCode("r", "code", withCustomer("alice")))
	})
}

func TestCommitTakesAllOrLess(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a"))
		whole := e.reserve(time.Minute, byCoupon("h1", "a"))
		part := e.reserve(time.Minute, byCoupon("h2", "a"))
		e.clock.Advance(time.Second)

		got := e.settled(domain.RedemptionRedeemed)(e.commit(whole.Name, "c1", nil))
		if got.Discount.TotalAmountMinor != 2_500 || !got.CommitTime.Equal(e.clock.Now()) {
			t.Errorf("%+v at %v", got.Discount, got.CommitTime)
		}
		_, err := e.commit(part.Name, "c2", pointer(int64(2_501)))
		var exceeded *domain.AmountExceededError
		if !errors.As(err, &exceeded) || exceeded.LimitMinor != 2_500 {
			t.Errorf("more than reserved: %v", err)
		}
		got = e.settled(domain.RedemptionRedeemed)(e.commit(part.Name, "c2", pointer(int64(1_000))))
		if got.Discount.TotalAmountMinor != 1_000 || got.Discount.Lines[0].AmountMinor != 1_000 {
			t.Errorf("%+v", got.Discount)
		}
		read, err := e.Redemption(e.ctx(), part.Name)
		if diff := cmp.Diff(&got, read); diff != "" || err != nil {
			t.Errorf("read: %v %s", err, diff)
		}
		if spent := e.coupon("a").Spent["EUR"].TotalMinor; spent != 3_500 {
			t.Errorf("spent %d", spent)
		}
		e.counts("a", 2, 0)
	})
}

func TestP7ReservationEndsByTimeAloneAndOnce(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a", limitedTo(1)))
		held := e.reserve(time.Minute, byCoupon("h", "a"))
		e.clock.Advance(time.Minute - time.Millisecond)
		_, err := e.Redeem(e.ctx(), new(byCoupon("r", "a")))
		wantReasons(t, err, domain.FullyReserved)

		e.clock.Advance(time.Millisecond)
		if r, err := e.Redemption(e.ctx(), held.Name); err != nil || r.State != domain.RedemptionExpired {
			t.Errorf("%v, %v", r.State, err)
		}
		e.redeem(byCoupon("r", "a"))
		e.counts("a", 1, 0)
		e.settled(domain.RedemptionExpired)(e.release(held.Name, "l"))
		e.counts("a", 1, 0)
		_, err = e.commit(held.Name, "c", nil)
		wantReasons(t, err, domain.CouponMaxRedemptionsReached)
		e.settled(domain.RedemptionExpired)(e.Redemption(e.ctx(), held.Name))
	})
}

func TestCommitAfterTheEndTakesTheCapacityAgainIfThereIsRoom(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a", limitedTo(1)))
		held := e.reserve(time.Minute, byCoupon("h", "a", withCustomer("alice")))
		e.clock.Advance(time.Hour)
		e.settled(domain.RedemptionRedeemed)(e.commit(held.Name, "c", nil))
		e.counts("a", 1, 0)

		e.createCoupon(percentOff("b"))
		held = e.reserve(time.Minute, byCoupon("h", "b"))
		if _, err := e.DeleteCoupon(e.ctx(), domain.DeleteCoupon{ID: "b"}); err != nil {
			t.Fatal(err)
		}
		e.clock.Advance(time.Hour)
		_, err := e.commit(held.Name, "c", nil)
		wantReasons(t, err, domain.CouponDeleted)
	})
}

func TestReservationOfADeletedCouponCanBeCommittedInTime(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a"))
		held := e.reserve(time.Minute, byCoupon("h", "a"))
		if _, err := e.DeleteCoupon(e.ctx(), domain.DeleteCoupon{ID: "a"}); err != nil {
			t.Fatal(err)
		}
		e.settled(domain.RedemptionRedeemed)(e.commit(held.Name, "c", nil))
	})
}

// Far more reservations than one call ends fall due together; the first taker
// after that finds all the room there is.
func TestP7ManyReservationsThatFallDueTogetherStrandNothing(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		n := 300
		e.createCoupon(percentOff("a", limitedTo(int64(n))))
		p := e.createCode(promotionCode("a", "CODE"))
		for i := range n {
			e.reserve(time.Minute, byCode(fmt.Sprint("h", i), "code", withCustomer(fmt.Sprint(i%7))))
		}
		e.counts("a", 0, int64(n))
		e.clock.Advance(time.Minute)
		e.redeem(byCoupon("r", "a"))
		if v, err := e.Validate(e.ctx(), new(byCode("", "code").ValidateRequest)); err != nil || !v.Valid() {
			t.Errorf("%+v, %v", v, err)
		}
		e.counts("a", 1, 0)
		if c := e.code(p.Name); c.Held != 0 {
			t.Errorf("the code still holds %d", c.Held)
		}
		states := map[domain.RedemptionState]int{}
		for _, r := range e.redemptions("a") {
			states[r.State]++
		}
		if diff := cmp.Diff(map[domain.RedemptionState]int{domain.RedemptionExpired: n, domain.RedemptionRedeemed: 1}, states); diff != "" {
			t.Error(diff)
		}
	})
}

func TestVoidGivesBackTheAmountAndInTheEndTheUse(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a", limitedTo(1), limitedPerCustomerTo(1)))
		r := e.redeem(byCoupon("r", "a", withCustomer("alice"), withEmail("alice-alice-alic")))
		e.clock.Advance(time.Minute)

		part := e.settled(domain.RedemptionRedeemed)(e.void(r.Name, "v1", pointer(int64(1_000))))
		if part.VoidedAmountMinor != 1_000 || part.Discount.TotalAmountMinor != 2_500 {
			t.Errorf("voided %d of %d", part.VoidedAmountMinor, part.Discount.TotalAmountMinor)
		}
		e.counts("a", 1, 0)
		_, err := e.void(r.Name, "v2", pointer(int64(1_501)))
		var exceeded *domain.AmountExceededError
		if !errors.As(err, &exceeded) || exceeded.LimitMinor != 1_500 {
			t.Errorf("more than is left: %v", err)
		}
		whole := e.settled(domain.RedemptionVoided)(e.void(r.Name, "v2", nil))
		want := []domain.Void{
			{RequestID: "v1", AmountMinor: 1_000, Reason: "refunded", Time: e.clock.Now()},
			{RequestID: "v2", AmountMinor: 1_500, Reason: "refunded", Time: e.clock.Now()},
		}
		if diff := cmp.Diff(want, whole.Voids); diff != "" {
			t.Error(diff)
		}
		e.counts("a", 0, 0)
		if spent := e.coupon("a").Spent["EUR"].TotalMinor; spent != 0 {
			t.Errorf("spent %d", spent)
		}
		// Both identities have their use back.
		e.redeem(byCoupon("r2", "a", withCustomer("alice"), withEmail("alice-alice-alic")))
		if again := e.redeem(byCoupon("r", "a", withCustomer("alice"), withEmail("alice-alice-alic"))); again.State != domain.RedemptionVoided {
			t.Errorf("the first request returns it as %v", again.State)
		}
	})
}

func TestVoidsOfOneRedemptionAreBoundedAndTheLastTakesAllThatIsLeft(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a"))
		r := e.redeem(byCoupon("r", "a"))
		voidOne := func(i int) error {
			_, err := e.void(r.Name, "v"+strconv.Itoa(i), pointer(int64(1)))
			return err
		}
		var voided, refused atomic.Int64
		all(maxVoids+20, func(i int) {
			switch err := voidOne(i); {
			case err == nil:
				voided.Add(1)
			case isError[*domain.TooManyError](err):
				refused.Add(1)
			default:
				t.Error(err)
			}
		})
		if voided.Load() != maxVoids-1 || refused.Load() != 21 {
			t.Errorf("%d voided a part and %d were refused", voided.Load(), refused.Load())
		}
		e.unchanged("one more, and some that were there", func() {
			for i := range maxVoids + 20 {
				if err := voidOne(i); err == nil {
					voided.Add(-1)
				}
			}
		})
		if voided.Load() != 0 {
			t.Errorf("a retry returns %d more or less than were done", voided.Load())
		}
		whole := e.settled(domain.RedemptionVoided)(e.void(r.Name, "all", nil))
		if len(whole.Voids) != maxVoids || whole.VoidedAmountMinor != 2_500 {
			t.Errorf("%d voids of %d", len(whole.Voids), whole.VoidedAmountMinor)
		}
		e.counts("a", 0, 0)
	})
}

func TestVoidOfSomethingWithoutAnAmountGivesTheUseBack(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a", limitedTo(1)))
		r := e.redeem(byCoupon("r", "a", withOrder(nil)))
		e.settled(domain.RedemptionVoided)(e.void(r.Name, "v", nil))
		e.counts("a", 0, 0)
	})
}

func TestVoidReopensAnExhaustedCodeUnlessAnotherHasTakenIt(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a"))
		p := e.createCode(promotionCode("a", "CODE", codeLimitedTo(1)))
		r := e.redeem(byCode("r", "code"))
		if s := e.code(p.Name).Status; s != domain.StatusExhausted {
			t.Fatalf("status %v", s)
		}
		e.settled(domain.RedemptionVoided)(e.void(r.Name, "v", nil))
		if s := e.code(p.Name).Status; s != domain.StatusActive {
			t.Fatalf("status %v after the void", s)
		}
		r = e.redeem(byCode("r2", "code"))
		other := e.createCode(promotionCode("a", "CODE"))
		e.settled(domain.RedemptionVoided)(e.void(r.Name, "v2", nil))
		if s := e.code(p.Name).Status; s != domain.StatusSuperseded {
			t.Errorf("status %v: the code stays with who took it", s)
		}
		if s := e.code(other.Name).Status; s != domain.StatusActive {
			t.Errorf("the other one is %v", s)
		}
	})
}

func TestP10EveryStateAllowsWhatItShould(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a"))
		n := 0
		in := map[domain.RedemptionState]func() domain.Redemption{
			domain.RedemptionReserved: func() domain.Redemption { return e.reserve(time.Minute, byCoupon(newID(), "a")) },
			domain.RedemptionRedeemed: func() domain.Redemption { return e.redeem(byCoupon(newID(), "a")) },
			domain.RedemptionReleased: func() domain.Redemption {
				r, err := e.release(e.reserve(time.Minute, byCoupon(newID(), "a")).Name, newID())
				return e.settled(domain.RedemptionReleased)(r, err)
			},
			domain.RedemptionVoided: func() domain.Redemption {
				r, err := e.void(e.redeem(byCoupon(newID(), "a")).Name, newID(), nil)
				return e.settled(domain.RedemptionVoided)(r, err)
			},
		}
		does := map[string]func(domain.RedemptionName) (*domain.Redemption, error){
			"commit":  func(n domain.RedemptionName) (*domain.Redemption, error) { return e.commit(n, newID(), nil) },
			"release": func(n domain.RedemptionName) (*domain.Redemption, error) { return e.release(n, newID()) },
			"void":    func(n domain.RedemptionName) (*domain.Redemption, error) { return e.void(n, newID(), nil) },
		}
		becomes := map[string]domain.RedemptionState{
			"RESERVED commit": domain.RedemptionRedeemed, "RESERVED release": domain.RedemptionReleased,
			"RELEASED release": domain.RedemptionReleased, "REDEEMED void": domain.RedemptionVoided,
		}
		for state, create := range in {
			for name, do := range does {
				n++
				before := e.coupon("a")
				r := create()
				want, allowed := becomes[state.String()+" "+name]
				if allowed {
					e.settled(want)(do(r.Name))
					if got := e.coupon("a"); want != domain.RedemptionRedeemed && (got.Redeemed != before.Redeemed || got.Held != before.Held) {
						t.Errorf("%s of what is %v left %d redeemed and %d held, of %d and %d", name, state, got.Redeemed, got.Held, before.Redeemed, before.Held)
					}
					continue
				}
				e.unchanged(name+" of what is "+state.String(), func() {
					_, err := do(r.Name)
					var wrong *domain.RedemptionStateError
					if !errors.As(err, &wrong) || wrong.State != state {
						t.Errorf("%s of what is %v: %v", name, state, err)
					}
				})
			}
		}
		if n != 12 {
			t.Errorf("%d combinations", n)
		}
	})
}

func TestP3P4SettlingIsIdempotentByRequestID(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a", limitedTo(10)))
		r := e.redeem(byCoupon("r", "a"))
		first := e.settled(domain.RedemptionRedeemed)(e.void(r.Name, "v", pointer(int64(100))))
		e.unchanged("the same void again", func() {
			if again := e.settled(domain.RedemptionRedeemed)(e.void(r.Name, "v", pointer(int64(100)))); cmp.Diff(first, again) != "" {
				t.Error(cmp.Diff(first, again))
			}
		})
		other := e.redeem(byCoupon("r2", "a"))
		held := e.reserve(time.Minute, byCoupon("h", "a"))
		e.unchanged("a request id for something else", func() {
			for what, try := range map[string]func() error{
				"another amount":     func() error { _, err := e.void(r.Name, "v", pointer(int64(101))); return err },
				"another redemption": func() error { _, err := e.void(other.Name, "v", pointer(int64(100))); return err },
				"a commit":           func() error { _, err := e.commit(held.Name, "v", nil); return err },
				"a release":          func() error { _, err := e.release(held.Name, "v"); return err },
				"a redemption":       func() error { _, err := e.Redeem(e.ctx(), new(byCoupon("v", "a"))); return err },
				"a reservation": func() error {
					_, err := e.Reserve(e.ctx(), new(reserveFor(time.Minute, byCoupon("v", "a"))))
					return err
				},
				"the id of a redemption": func() error { _, err := e.void(r.Name, "r", nil); return err },
				"reserving what it took": func() error {
					_, err := e.Reserve(e.ctx(), new(reserveFor(time.Minute, byCoupon("r", "a"))))
					return err
				},
				"redeeming what it held":  func() error { _, err := e.Redeem(e.ctx(), new(byCoupon("h", "a"))); return err },
				"reserving it for longer": func() error { _, err := e.Reserve(e.ctx(), new(reserveFor(time.Hour, byCoupon("h", "a")))); return err },
				"by code, met on the way": func() error { _, err := e.Redeem(e.ctx(), new(byCoupon("v", "a", withCustomer("x")))); return err },
			} {
				if err := try(); !errors.Is(err, domain.ErrRequestIDReused) {
					t.Errorf("%s: %v", what, err)
				}
			}
		})
		if again := e.reserve(time.Minute, byCoupon("h", "a")); cmp.Diff(held, again) != "" {
			t.Error(cmp.Diff(held, again))
		}
	})
}

// P7: a reservation ends exactly once, whoever is first.
func TestFault12P7CommitReleaseAndExpiryRaceToOneEnd(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a", limitedTo(3)))
		late := newClock()
		late.Advance(time.Hour) // by this server's clock everything is due
		other, _ := e.open(late)
		rounds := 40
		if e.most == onRedis.most {
			rounds = longForm(rounds, 10_000)
		}
		for round := range rounds {
			held := e.reserve(time.Minute, byCoupon(fmt.Sprint("h", round), "a"))
			var committed, released atomic.Int64
			all(6, func(i int) {
				id := fmt.Sprintf("%d-%d", round, i)
				switch i % 3 {
				case 0:
					if r, err := e.commit(held.Name, "c"+id, nil); err == nil && r.State == domain.RedemptionRedeemed {
						committed.Add(1)
					}
				case 1:
					if r, err := e.release(held.Name, "l"+id); err == nil && r.State == domain.RedemptionReleased {
						released.Add(1)
					}
				default:
					if _, err := other.Coupon(e.ctx(), "a"); err != nil {
						t.Error(err)
					}
				}
			})
			r, err := e.Redemption(e.ctx(), held.Name)
			if err != nil {
				t.Fatal(err)
			}
			switch r.State {
			case domain.RedemptionRedeemed:
				if committed.Load() != 1 || released.Load() != 0 {
					t.Errorf("redeemed, with %d commits and %d releases acknowledged", committed.Load(), released.Load())
				}
				e.counts("a", 1, 0)
				e.settled(domain.RedemptionVoided)(e.void(held.Name, fmt.Sprint("v", round), nil))
			case domain.RedemptionReleased, domain.RedemptionExpired:
				if committed.Load() != 0 {
					t.Errorf("%v, with %d commits acknowledged", r.State, committed.Load())
				}
			default:
				t.Errorf("round %d ended %v", round, r.State)
			}
			e.counts("a", 0, 0)
		}
	})
}

func TestP1ReservationsNeverPassALimit(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		for _, limit := range []int64{1, 7} {
			id := domain.CouponID(fmt.Sprint("limit-", limit))
			e.createCoupon(percentOff(id, limitedTo(limit)))
			second := e.server()
			var won atomic.Int64
			all(e.crowd(200), func(i int) {
				s, err := e.Store, error(nil)
				if i%2 == 1 {
					s = second
				}
				if i%3 == 0 {
					_, err = s.Redeem(e.ctx(), new(byCoupon(fmt.Sprint("r", i), id)))
				} else {
					_, err = s.Reserve(e.ctx(), new(reserveFor(time.Minute, byCoupon(fmt.Sprint("r", i), id))))
				}
				if err == nil {
					won.Add(1)
				} else if !isError[*domain.RefusedError](err) {
					t.Error(err)
				}
			})
			if won.Load() != limit {
				t.Errorf("%d of %d", won.Load(), limit)
			}
		}
	})
}
