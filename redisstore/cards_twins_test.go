// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/discountd/discountd/domain"
)

// withTwin asks for a promotion code whose code may be that of a gift card.
func withTwin(p domain.PromotionCode) domain.CreatePromotionCode {
	return domain.CreatePromotionCode{PromotionCode: p, AsCard: hashOf(p.Code.String())}
}

// imported asks for a gift card with a code that is given.
func imported(request, code string, change ...func(*domain.PromotionCode)) domain.IssueGiftCard {
	p := giftCard("gifts", code, 500)
	for _, f := range change {
		f(&p)
	}
	p.Card.RequestID = request
	return domain.IssueGiftCard{RequestID: request, PromotionCode: p, Given: parsedCode(code)}
}

// typing pays with a code as a customer types it.
func typing(request, code string) domain.RedeemRequest {
	return byCode(request, code, withOrder(orderOf(100)), func(r *domain.RedeemRequest) { r.Source.Hash = hashOf(code) })
}

func wantHolder(t *testing.T, err error, holder domain.PromotionCodeName) {
	t.Helper()
	held, ok := errors.AsType[*domain.AlreadyExistsError](err)
	if !ok || held.Name != holder.String() || held.Type != domain.PromotionCodeResource {
		t.Errorf("%v, want it to be held by %s", err, holder)
	}
}

func TestCodeOfAnActivePromotionCodeIsNotThatOfAGiftCard(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(program("gifts", false))
		e.createCoupon(percentOff("a"))
		for code, bound := range map[string]func(*domain.PromotionCode){
			"SHARED-1": func(*domain.PromotionCode) {}, "SHARED-2": boundToID("alice"),
		} {
			v, err := e.CreatePromotionCode(e.ctx(), withTwin(promotionCode("a", code, bound)))
			if err != nil {
				t.Fatal(err)
			}
			_, err = e.IssueGiftCard(e.ctx(), imported("first "+code, strings.ToLower(code)))
			wantHolder(t, err, v.Name)
			if strings.Contains(err.Error(), code) {
				t.Errorf("the error tells the code: %v", err)
			}
			_, err = e.IssueGiftCard(e.ctx(), imported("bound "+code, code, boundToID("bob")))
			wantHolder(t, err, v.Name)

			// The code is free again, and the request, too.
			e.deactivate(v.Name)
			card, err := e.IssueGiftCard(e.ctx(), imported("first "+code, strings.ToLower(code)))
			if err != nil {
				t.Fatal(err)
			}
			if paid := e.redeem(typing("pay "+code, code)); paid.PromotionCode != card.Name.ID {
				t.Errorf("%s leads to %s, want the gift card", code, paid.Name)
			}
			inactive := e.code(v.Name)
			_, err = e.ActivatePromotionCode(e.ctx(), domain.ActivatePromotionCode{Name: v.Name, AsCard: hashOf(code)})
			wantHolder(t, err, card.Name)
			if got := e.code(v.Name); got.Version != inactive.Version {
				t.Errorf("a refused activation changed the version from %d to %d", inactive.Version, got.Version)
			}
		}
	})
}

func TestCodeOfAnActiveGiftCardIsNotThatOfAPromotionCode(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(program("gifts", false))
		e.createCoupon(percentOff("a"))
		card, err := e.IssueGiftCard(e.ctx(), imported("issue", "SHARED", boundToID("alice")))
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range []domain.PromotionCode{promotionCode("a", "shared"), promotionCode("a", "Shared", boundToID("bob"))} {
			_, err := e.CreatePromotionCode(e.ctx(), withTwin(p))
			wantHolder(t, err, card.Name)
		}
		if _, err := e.DisableGiftCard(e.ctx(), domain.DeactivatePromotionCode{RequestID: "lost", Name: card.Name}); err != nil {
			t.Fatal(err)
		}
		v, err := e.CreatePromotionCode(e.ctx(), withTwin(promotionCode("a", "shared")))
		if err != nil {
			t.Fatalf("the card is disabled: %v", err)
		}
		if r := e.redeem(typing("r", "SHARED")); r.PromotionCode != v.Name.ID {
			t.Errorf("SHARED leads to %s, want the promotion code", r.Name)
		}
	})
}

func TestWhatCanNeverBeRedeemedAgainGivesItsCodeToTheOtherKind(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(program("gifts", false))
		e.createCoupon(percentOff("a"))
		expiring := func(p *domain.PromotionCode) { p.ExpiresAt = e.clock.Now().Add(time.Minute) }
		old, err := e.CreatePromotionCode(e.ctx(), withTwin(promotionCode("a", "SHARED", expiring)))
		if err != nil {
			t.Fatal(err)
		}
		e.clock.Advance(time.Minute)
		card, err := e.IssueGiftCard(e.ctx(), imported("issue", "SHARED", expiring))
		if err != nil {
			t.Fatalf("the promotion code has expired: %v", err)
		}
		if got := e.code(old.Name); got.State != domain.PromotionSuperseded {
			t.Errorf("what gave way is %c", got.State)
		}
		if paid := e.redeem(typing("pay", "SHARED")); paid.PromotionCode != card.Name.ID {
			t.Errorf("SHARED leads to %s, want the gift card", paid.Name)
		}
		e.clock.Advance(time.Minute)
		v, err := e.CreatePromotionCode(e.ctx(), withTwin(promotionCode("a", "SHARED")))
		if err != nil {
			t.Fatalf("the gift card has expired: %v", err)
		}
		if r := e.redeem(typing("r", "SHARED")); r.PromotionCode != v.Name.ID {
			t.Errorf("SHARED leads to %s, want the promotion code", r.Name)
		}
	})
}

// TestClaimThatACrashLeftDoesNotHideTheGiftCard has a promotion code taken out of use
// by a server that crashed before it gave the code back.
func TestClaimThatACrashLeftDoesNotHideTheGiftCard(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(program("gifts", false))
		e.createCoupon(percentOff("a"))
		card, err := e.IssueGiftCard(e.ctx(), imported("issue", "SHARED"))
		if err != nil {
			t.Fatal(err)
		}
		dead := e.createCode(promotionCode("a", "OTHER")).PromotionCode
		dead.Code = parsedCode("SHARED")
		entries, err := e.readClaim(e.ctx(), &dead)
		if err != nil {
			t.Fatal(err)
		}
		if ok, err := e.compareAndClaim(e.ctx(), claimant{promotion: dead, token: "nobodys"}, entries); err != nil || !ok {
			t.Fatalf("claimed: %v, %v", ok, err)
		}
		if paid := e.redeem(typing("pay", "SHARED")); paid.PromotionCode != card.Name.ID {
			t.Errorf("SHARED leads to %s, want the gift card", paid.Name)
		}
	})
}

// TestWhoDoesNotKnowTheCodeFinishesNobody has a card enabled, by its name, while another
// one with its code is PENDING, which may yet find a promotion code in its way.
func TestWhoDoesNotKnowTheCodeFinishesNobody(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(program("gifts", false))
		e.createCoupon(percentOff("a"))
		card, err := e.IssueGiftCard(e.ctx(), imported("issue", "SHARED"))
		noError(t, err)
		_, err = e.DisableGiftCard(e.ctx(), domain.DeactivatePromotionCode{RequestID: "lost", Name: card.Name})
		noError(t, err)
		begun, token, err := e.storePending(e.ctx(), imported("again", "SHARED").PromotionCode, commandRequest{})
		noError(t, err)
		if result, _, err := e.takeClaim(e.ctx(), claimant{promotion: begun, token: token, created: true}); err != nil || result != claimed {
			t.Fatal(result, err)
		}
		enable := func() error {
			_, err := e.EnableGiftCard(e.ctx(), domain.ActivatePromotionCode{RequestID: "found", Name: card.Name})
			return err
		}
		e.unchanged("enabling the other card", func() {
			if err := enable(); !errors.Is(err, domain.ErrAborted) {
				t.Errorf("enabled: %v", err)
			}
		})
		// Who knows the code finishes it.
		_, err = e.CreatePromotionCode(e.ctx(), withTwin(promotionCode("a", "shared")))
		wantHolder(t, err, begun.Name)
		wantHolder(t, enable(), begun.Name)
	})
}

func TestOfAGiftCardAndAPromotionCodeAtOnceOneGetsTheCode(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(program("gifts", false))
		e.createCoupon(percentOff("a"))
		for round := range e.crowd(20) {
			code := "RACE-" + string(rune('A'+round))
			var active atomic.Int64
			made := func(what string, call func(context.Context) error) {
				err := call(e.ctx())
				switch {
				case err == nil:
					active.Add(1)
				case !isError[*domain.AlreadyExistsError](err) && !errors.Is(err, domain.ErrAborted):
					t.Errorf("%s: %v", what, err)
				}
			}
			all(2, func(i int) {
				if i == 0 {
					made("issue", func(ctx context.Context) error {
						_, err := e.IssueGiftCard(ctx, imported("issue "+code, code))
						return err
					})
					return
				}
				made("create", func(ctx context.Context) error {
					_, err := e.CreatePromotionCode(ctx, withTwin(promotionCode("a", code)))
					return err
				})
			})
			if active.Load() > 1 {
				t.Errorf("%s is both a gift card and a promotion code", code)
			}
			// Both may have given up; who comes then gets the code, unless it is taken.
			_, err := e.CreatePromotionCode(e.ctx(), withTwin(promotionCode("a", code)))
			if err == nil && active.Load() == 1 || err != nil && (active.Load() == 0 || !isError[*domain.AlreadyExistsError](err)) {
				t.Errorf("%s is held by %d, and another one is told %v", code, active.Load(), err)
			}
		}
	})
}
