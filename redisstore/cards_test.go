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

func (e *env) issue(request string, p domain.PromotionCode) domain.GiftCardView {
	e.t.Helper()
	p.Card.RequestID = request
	v, err := e.IssueGiftCard(e.ctx(), domain.IssueGiftCard{RequestID: request, PromotionCode: p})
	if err != nil {
		e.t.Fatalf("issue %s: %v", request, err)
	}
	return v
}

func (e *env) balance(card domain.PromotionCodeName) int64 {
	e.t.Helper()
	v, err := e.GiftCard(e.ctx(), domain.GetGiftCard{Name: card})
	if err != nil {
		e.t.Fatal(err)
	}
	return v.BalanceMinor
}

// left fails the test unless so much is on a card, after these movements.
func (e *env) left(card domain.PromotionCodeName, want int64, history string) {
	e.t.Helper()
	v, err := e.GiftCard(e.ctx(), domain.GetGiftCard{Name: card})
	if err != nil {
		e.t.Fatal(err)
	}
	if got := movements(v.Latest); v.BalanceMinor != want || got != history {
		e.t.Errorf("%d is left after %s, want %d after %s", v.BalanceMinor, got, want, history)
	}
}

// pay redeems a card for what is due.
func (e *env) pay(request string, card domain.PromotionCodeName, due int64) domain.Redemption {
	e.t.Helper()
	return e.redeem(byName(request, card, withOrder(orderOf(due))))
}

func TestGiftCardGivesWhatIsDueAndNeverMoreThanIsLeft(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(program("gifts", false))
		card := e.issue("issue", giftCard("gifts", "GIFTED", 5_000)).Name
		for i, want := range []int64{2_000, 2_000, 1_000} {
			r := e.pay("r"+strconv.Itoa(i), card, 2_000)
			if r.Discount.TotalAmountMinor != want {
				t.Errorf("the card gives %d, want %d", r.Discount.TotalAmountMinor, want)
			}
			read, err := e.Redemption(e.ctx(), r.Name)
			if diff := cmp.Diff(&r, read); diff != "" || err != nil {
				t.Errorf("told and read differ: %v\n%s", err, diff)
			}
		}
		_, err := e.Redeem(e.ctx(), new(byName("r3", card, withOrder(orderOf(1)))))
		wantReasons(t, err, domain.GiftBalanceExhausted)
		second := domain.RedemptionName{Coupon: "gifts", ID: domain.NewRedemptionID(2, "r1")}
		e.clock.Advance(time.Hour)
		e.settled(domain.RedemptionRedeemed)(e.void(second, "v1", pointer(int64(500))))
		e.settled(domain.RedemptionVoided)(e.void(second, "v2", nil))
		e.left(card, 2_000, "I5000=5000 R-2000=3000 R-2000=1000 R-1000=0 B500=500 B1500=2000")
		if spent := e.coupon("gifts").Spent["EUR"]; spent.TotalMinor != 3_000 {
			t.Errorf("the program counts %+v", spent)
		}
	})
}

func TestGiftCardIsNeverOverdrawnByACrowd(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		n := e.crowd(100)
		e.createCoupon(program("gifts", false))
		card := e.issue("issue", giftCard("gifts", "GIFTED", int64(n/2)*100+50)).Name
		stores := []*Store{e.Store, e.server(), e.server()}
		var paid, part, refused atomic.Int64
		all(n, func(i int) {
			r, err := stores[i%3].Redeem(e.ctx(), new(byName("r"+strconv.Itoa(i), card, withOrder(orderOf(100)))))
			var refusal *domain.RefusedError
			switch {
			case err == nil && r.Discount.TotalAmountMinor == 100:
				paid.Add(1)
			case err == nil && r.Discount.TotalAmountMinor == 50:
				part.Add(1)
			case errors.As(err, &refusal) && refusal.Ineligibilities[0].Reason == domain.GiftBalanceExhausted:
				refused.Add(1)
			default:
				t.Errorf("%+v, %v", r, err)
			}
		})
		if paid.Load() != int64(n/2) || part.Load() != 1 || refused.Load() != int64(n/2)-1 || e.balance(card) != 0 {
			t.Errorf("%d were paid, %d in part, and %d refused of %d; %d is left", paid.Load(), part.Load(), refused.Load(), n, e.balance(card))
		}
	})
}

func TestReservationHoldsTheBalanceOfAGiftCard(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(program("gifts", false))
		card := e.issue("issue", giftCard("gifts", "GIFTED", 5_000)).Name
		hold := func(request string, due int64) domain.RedemptionName {
			return e.reserve(time.Minute, byName(request, card, withOrder(orderOf(due)))).Name
		}
		committed, released, over := hold("h1", 2_000), hold("h2", 1_000), hold("h3", 9_000)
		e.settled(domain.RedemptionRedeemed)(e.commit(committed, "c", pointer(int64(1_200))))
		e.settled(domain.RedemptionReleased)(e.release(released, "l"))
		e.left(card, 1_800, "I5000=5000 R-2000=3000 R-1000=2000 R-2000=0 B800=800 B1000=1800")
		e.clock.Advance(time.Minute)
		e.left(card, 3_800, "I5000=5000 R-2000=3000 R-1000=2000 R-2000=0 B800=800 B1000=1800 B2000=3800")

		// What has come back can be spent, and then a late commit finds too little.
		e.pay("r", card, 1_900)
		_, err := e.commit(over, "late", nil)
		wantReasons(t, err, domain.GiftBalanceExhausted)
		e.settled(domain.RedemptionRedeemed)(e.commit(over, "late and less", pointer(int64(1_900))))
		if got := e.balance(card); got != 0 {
			t.Errorf("%d is left", got)
		}
	})
}

func TestAdjustmentLeavesNoGiftCardBelowZero(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(program("gifts", false))
		card := e.issue("issue", giftCard("gifts", "GIFTED", 1_000)).Name
		adjust := func(request string, amount int64) error {
			_, err := e.AdjustGiftCard(e.ctx(), domain.AdjustGiftCard{RequestID: request, Name: card, AmountMinor: amount, Reason: "a reason"})
			return err
		}
		n := e.crowd(60)
		var taken atomic.Int64
		all(n, func(i int) {
			switch err := adjust("a"+strconv.Itoa(i/2), -150); {
			case err == nil:
				taken.Add(1)
			case !isError[*domain.AmountExceededError](err):
				t.Error(err)
			}
		})
		if left := e.balance(card); left != 100 || taken.Load() < 6 {
			t.Errorf("%d is left after %d adjustments were told", left, taken.Load())
		}
		if err := adjust("too much", domain.MaxAmount-50); !isError[*domain.TooManyError](err) {
			t.Errorf("more than can be counted: %v", err)
		}
		if err := adjust("as much as fits", domain.MaxAmount-100); err != nil || e.balance(card) != domain.MaxAmount {
			t.Errorf("%v, %d is left", err, e.balance(card))
		}
	})
}

func TestRemainderOfACardBecomesCreditOnceWhateverIsRetried(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(program("gifts", true))
		for steps := int64(0); ; steps++ {
			customer := fmt.Sprintf("alice-%d", steps)
			p := giftCard("gifts", "GIFT-"+customer, 2_500)
			p.CustomerID = customer
			card := e.issue(customer, p).Name
			r := byName("r-"+customer, card, withCustomer(customer), withOrder(orderOf(1_000)))
			_, killed := e.diesAfter(steps).Redeem(e.ctx(), &r)
			for range 2 {
				e.redeem(r)
			}
			e.left(card, 0, "I2500=2500 R-1000=1500 T-1500=0")
			if got := movements(e.history(customer)); got != "T1500=1500" {
				t.Errorf("after %d: %s", steps, got)
			}
			if killed == nil {
				break
			}
		}
		unbound := e.issue("unbound", giftCard("gifts", "UNBOUND", 2_500)).Name
		e.redeem(byName("u", unbound, withCustomer("alice"), withOrder(orderOf(1_000))))
		e.left(unbound, 1_500, "I2500=2500 R-1000=1500")
	})
}

func TestGiftCardIsFoundByItsCodeWhileItCanBeUsed(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(program("gifts", false))
		find := func() (domain.GiftCardView, error) {
			return e.GiftCard(e.ctx(), domain.GetGiftCard{Code: hashOf("GIFTED")})
		}
		if _, err := find(); !isError[*domain.NotFoundError](err) {
			t.Errorf("before its issue: %v", err)
		}
		card := e.issue("issue", giftCard("gifts", "GIFTED", 5_000)).Name
		if v, err := find(); err != nil || v.Name != card || v.Code.String() != "****FTED" {
			t.Errorf("%+v, %v", v, err)
		}
		if _, err := e.IssueGiftCard(e.ctx(), domain.IssueGiftCard{RequestID: "i", PromotionCode: giftCard("gifts", "gifted", 1)}); !isError[*domain.AlreadyExistsError](err) {
			t.Errorf("a code twice: %v", err)
		}
		if _, err := e.DisableGiftCard(e.ctx(), domain.DeactivatePromotionCode{Name: card}); err != nil {
			t.Fatal(err)
		}
		if _, err := find(); !isError[*domain.NotFoundError](err) {
			t.Errorf("disabled: %v", err)
		}
		_, err := e.Redeem(e.ctx(), new(byName("r", card, withOrder(orderOf(100)))))
		wantReasons(t, err, domain.CodeInactive)
		if _, err := e.EnableGiftCard(e.ctx(), domain.ActivatePromotionCode{Name: card}); err != nil {
			t.Fatal(err)
		}
		source := domain.Source{Code: " gifted", Hash: hashOf("GIFTED")}
		if got := e.redeem(redeemRequest("r", source, nil)).PromotionCode; got != card.ID {
			t.Errorf("typed, it redeems %s", got)
		}
		notACard := e.createCoupon(percentOff("a"))
		p := e.createCode(promotionCode(notACard.ID, "NO-CARD")).Name
		if _, err := e.GiftCard(e.ctx(), domain.GetGiftCard{Name: p}); !isError[*domain.NotFoundError](err) {
			t.Errorf("a promotion code that is no card: %v", err)
		}
		if _, err := e.DisableGiftCard(e.ctx(), domain.DeactivatePromotionCode{Name: p}); !isError[*domain.NotFoundError](err) || e.code(p).Status != domain.StatusActive {
			t.Errorf("disabled as if it were one: %v", err)
		}
	})
}

func TestProgramIsNotAppliedDirectlyAndAnOrdinaryCodeIsNoGiftCard(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(program("gifts", false))
		e.createCoupon(percentOff("a"))
		ordinary := e.createCode(promotionCode("a", "ORDINARY")).Name
		e.unchanged("what is no gift card", func() {
			use := byCoupon("r", "gifts", withOrder(orderOf(100)))
			_, redeem := e.Redeem(e.ctx(), &use)
			_, reserve := e.Reserve(e.ctx(), &domain.ReserveRequest{RedeemRequest: use, TTL: time.Minute})
			_, validate := e.Validate(e.ctx(), &use.ValidateRequest)
			for what, err := range map[string]error{"redeem": redeem, "reserve": reserve, "validate": validate} {
				invalid, ok := errors.AsType[*domain.InvalidError](err)
				if !ok || len(invalid.Violations) != 1 || invalid.Violations[0].Field != "coupon" {
					t.Errorf("%s: %v", what, err)
				}
			}
			_, get := e.GiftCard(e.ctx(), domain.GetGiftCard{Name: ordinary})
			_, disable := e.DisableGiftCard(e.ctx(), domain.DeactivatePromotionCode{RequestID: "d", Name: ordinary})
			for what, err := range map[string]error{"get": get, "disable": disable} {
				want := &domain.NotFoundError{Type: domain.GiftCardResource, Name: ordinary.String(), Ordinary: true}
				if diff := cmp.Diff(error(want), err); diff != "" {
					t.Errorf("%s (-want +got):\n%s", what, diff)
				}
			}
		})
	})
}

func TestWhatAnotherTakesFromAGiftCardUnderARedemptionIsNotGivenAgain(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(program("gifts", false))
		card := e.issue("issue", giftCard("gifts", "GIFTED", 5_000)).Name
		e.before(redeem, 1, func(other *Store) {
			must[*domain.Redemption](t)(other.Redeem(e.ctx(), new(byName("other", card, withOrder(orderOf(4_000))))))
		})
		r := byName("r", card, withOrder(orderOf(2_000)))
		r.Order.Lines = append(r.Order.Lines, domain.OrderLine{ID: "second", UnitAmountMinor: 500, Quantity: 1})
		got := e.redeem(r)
		var lines int64
		for _, l := range got.Discount.Lines {
			lines += l.AmountMinor
		}
		if got.Discount.TotalAmountMinor != 1_000 || lines != 1_000 {
			t.Errorf("the card gives %+v, want the 1000 that are left", got.Discount)
		}
		if diff := cmp.Diff(got, e.redeem(r)); diff != "" {
			t.Errorf("a retry is told (-first +again):\n%s", diff)
		}
		e.before(redeem, 1, func(other *Store) {
			must[domain.GiftCardView](t)(other.AdjustGiftCard(e.ctx(), domain.AdjustGiftCard{RequestID: "less", Name: card, AmountMinor: -700, Reason: "a reason"}))
		})
		if _, err := e.AdjustGiftCard(e.ctx(), domain.AdjustGiftCard{RequestID: "more", Name: card, AmountMinor: 700, Reason: "a reason"}); err != nil {
			t.Fatal(err)
		}
		_, err := e.Redeem(e.ctx(), new(byName("too late", card, withOrder(orderOf(100)))))
		wantReasons(t, err, domain.GiftBalanceExhausted)
		e.left(card, 0, "I5000=5000 R-4000=1000 R-1000=0 A700=700 A-700=0")
	})
}

func TestWhatComesToAGiftCardUnderARedemptionIsGiven(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(program("gifts", false))
		card := e.issue("issue", giftCard("gifts", "GIFTED", 100)).Name
		e.before(redeem, 1, func(other *Store) {
			must[domain.GiftCardView](t)(other.AdjustGiftCard(e.ctx(), domain.AdjustGiftCard{RequestID: "more", Name: card, AmountMinor: 900, Reason: "a reason"}))
		})
		r := byName("r", card, withOrder(orderOf(600)))
		r.Order.Lines = append(r.Order.Lines, domain.OrderLine{ID: "second", UnitAmountMinor: 200, Quantity: 1})
		got := e.redeem(r)
		if d := got.Discount; d.TotalAmountMinor != 800 || len(d.Lines) != 2 || d.Lines[0].AmountMinor != 600 || d.Lines[1].AmountMinor != 200 {
			t.Errorf("the card gives %+v, want the 800 that are due", got.Discount)
		}
		if diff := cmp.Diff(got, e.redeem(r)); diff != "" {
			t.Errorf("a retry is told (-first +again):\n%s", diff)
		}
		e.left(card, 200, "I100=100 A900=1000 R-800=200")
	})
}
