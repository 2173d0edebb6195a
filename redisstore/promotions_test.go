// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"errors"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/discountd/discountd/domain"
)

func TestCreatedPromotionCodeIsReadAsItWasGiven(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		end := epoch.Add(24 * time.Hour)
		e.createCoupon(percentOff("a", limitedTo(10), func(c *domain.Coupon) { c.RedeemBy = end }))
		p := promotionCode("a", "Spring-Sale_1", codeLimitedTo(10), codeLimitedPerCustomerTo(1), boundToID("alice"), func(p *domain.PromotionCode) {
			p.StartsAt = epoch.Add(time.Hour)
			p.Metadata = map[string]string{"channel": "e-mail"}
			p.Restrictions = domain.Restrictions{FirstTimeTransaction: true, MinimumAmounts: []domain.Money{{Currency: "EUR", AmountMinor: 1 << 52}}}
		})
		v := e.createCode(p)
		want := domain.PromotionCodeView{
			PromotionCodeSnapshot: domain.PromotionCodeSnapshot{PromotionCode: p, State: domain.PromotionActive, Version: v.Version},
			Status:                domain.StatusScheduled,
		}
		want.Name.ID = v.Name.ID
		want.ExpiresAt = end // the coupon's, for want of one of its own
		want.CreateTime, want.UpdateTime = epoch, epoch
		for name, got := range map[string]domain.PromotionCodeView{"created": v, "read": e.code(v.Name)} {
			if diff := cmp.Diff(want, got, compareCodes); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
		if !v.Name.ID.Valid() {
			t.Errorf("the id %q", v.Name.ID)
		}
	})
}

func TestUnknownPromotionCodeIsNotFound(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a"))
		for _, name := range []domain.PromotionCodeName{{Coupon: "a", ID: "0000zzzz"}, {Coupon: "none", ID: "0000zzzz"}} {
			_, get := e.PromotionCode(e.ctx(), name)
			_, activate := e.ActivatePromotionCode(e.ctx(), domain.ActivatePromotionCode{Name: name})
			_, deactivate := e.DeactivatePromotionCode(e.ctx(), domain.DeactivatePromotionCode{Name: name})
			_, remove := e.DeletePromotionCode(e.ctx(), domain.DeletePromotionCode{Name: name})
			_, update := e.UpdatePromotionCode(e.ctx(), domain.UpdatePromotionCode{Name: name})
			_, redeem := e.Redeem(e.ctx(), new(byName("r", name)))
			_, validate := e.Validate(e.ctx(), new(byName("r", name).ValidateRequest))
			for what, err := range map[string]error{
				"get": get, "activate": activate, "deactivate": deactivate, "delete": remove, "update": update, "redeem": redeem, "validate": validate,
			} {
				if !isError[*domain.NotFoundError](err) {
					t.Errorf("%s %s: %v", what, name, err)
				}
			}
		}
		_, err := e.CreatePromotionCode(e.ctx(), domain.CreatePromotionCode{PromotionCode: promotionCode("none", "X")})
		if !isError[*domain.NotFoundError](err) {
			t.Errorf("created for a coupon that does not exist: %v", err)
		}
	})
}

func TestPromotionCodeThatItsCouponDoesNotAllowIsRefused(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		end := epoch.Add(time.Hour)
		e.createCoupon(percentOff("a", limitedTo(3), func(c *domain.Coupon) { c.RedeemBy = end }))
		e.unchanged("a refused creation", func() {
			for name, change := range map[string]func(*domain.PromotionCode){
				"a limit above the coupon's": codeLimitedTo(4),
				"it expires after its coupon": func(p *domain.PromotionCode) {
					p.ExpiresAt = end.Add(time.Millisecond)
				},
				"it has expired": func(p *domain.PromotionCode) { p.ExpiresAt = epoch },
			} {
				_, err := e.CreatePromotionCode(e.ctx(), domain.CreatePromotionCode{RequestID: "r", PromotionCode: promotionCode("a", "X", change)})
				if !isError[*domain.InvalidError](err) {
					t.Errorf("%s: %v", name, err)
				}
			}
		})
		p := e.createCode(promotionCode("a", "X", codeLimitedTo(3), func(p *domain.PromotionCode) { p.ExpiresAt = end }))
		e.unchanged("a refused update", func() {
			_, err := e.UpdatePromotionCode(e.ctx(), domain.UpdatePromotionCode{
				Name: p.Name, MaxRedemptions: pointer(int64(4)), Set: domain.PromotionCodeFields{MaxRedemptions: true}, RequestID: "u",
			})
			if !isError[*domain.InvalidError](err) {
				t.Errorf("updated: %v", err)
			}
		})
		for i := range 3 {
			e.redeem(byCoupon(strconv.Itoa(i), "a"))
		}
		e.clock.Set(end)
		e.unchanged("a refused creation", func() {
			_, err := e.CreatePromotionCode(e.ctx(), domain.CreatePromotionCode{PromotionCode: promotionCode("a", "Y")})
			wantReasons(t, err, domain.CouponExpired, domain.CouponMaxRedemptionsReached)
		})
	})
}

func TestCodeIsHeldByOneWhateverItsCase(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a"))
		e.createCoupon(percentOff("b"))
		holder := e.createCode(promotionCode("a", "Spring"))
		if holder.Code.String() != "Spring" {
			t.Errorf("shown as %q", holder.Code)
		}
		for _, coupon := range []domain.CouponID{"a", "b"} {
			_, err := e.CreatePromotionCode(e.ctx(), domain.CreatePromotionCode{PromotionCode: promotionCode(coupon, "sPRING")})
			var held *domain.AlreadyExistsError
			if !errors.As(err, &held) || held.Name != holder.Name.String() || held.Code != "sPRING" {
				t.Errorf("%s: %v", coupon, err)
			}
		}
		for i, typed := range []string{"SPRING", "spring", " \tSpRiNg\n"} {
			if r := e.redeem(byCode(strconv.Itoa(i), typed)); r.PromotionCode != holder.Name.ID {
				t.Errorf("%q redeemed %+v", typed, r)
			}
		}
	})
}

func TestGeneratedCodesDiffer(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a"))
		a, b := e.createCode(promotionCode("a", "")), e.createCode(promotionCode("a", ""))
		if len(a.Code.Form()) != 12 || a.Code == b.Code || a.Name == b.Name {
			t.Errorf("generated %s %s and %s %s", a.Name, a.Code, b.Name, b.Code)
		}
		e.redeem(byCode("r", a.Code.String()))
	})
}

func TestGeneratedCodeThatIsHeldAlreadyIsGeneratedAgain(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a"))
		e.createCode(promotionCode("a", "000000000000"))
		zeros := make([]byte, 12)
		e.random = &writtenDown{slices.Concat(zeros, []byte("id 1"), []byte("another code"), []byte("id 2"))}
		v, err := e.CreatePromotionCode(e.ctx(), domain.CreatePromotionCode{RequestID: "r", PromotionCode: promotionCode("a", "")})
		if err != nil || v.Code.Form() == "000000000000" {
			t.Fatalf("%+v, %v", v, err)
		}
	})
}

// writtenDown is randomness that was written down before.
type writtenDown struct{ bytes []byte }

func (s *writtenDown) Read(b []byte) (int, error) {
	n := copy(b, s.bytes)
	s.bytes = s.bytes[n:]
	return n, nil
}

func TestCustomersHoldOneCodeEachAndThenNobodyCanHaveItForAll(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a"))
		e.createCoupon(percentOff("b"))
		e.createCode(promotionCode("a", "VIP", boundToID("alice")))
		bob := e.createCode(promotionCode("b", "VIP", boundToID("bob")))
		e.createCode(promotionCode("b", "VIP", boundToEmail("carol-carol-caro")))
		for name, p := range map[string]domain.PromotionCode{
			"for all":           promotionCode("a", "vip"),
			"for alice again":   promotionCode("b", "vip", boundToID("alice")),
			"for carol again":   promotionCode("a", "vip", boundToEmail("carol-carol-caro")),
			"for bob, the same": promotionCode("b", "vip", boundToID("bob")),
		} {
			_, err := e.CreatePromotionCode(e.ctx(), domain.CreatePromotionCode{PromotionCode: p})
			if !isError[*domain.AlreadyExistsError](err) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if r := e.redeem(byCode("r", "vip", withCustomer("bob"))); r.Name.Coupon != "b" || r.PromotionCode != bob.Name.ID {
			t.Errorf("bob redeemed %+v", r)
		}
	})
}

func TestCodeForAllKeepsCustomersFromIt(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a"))
		all := e.createCode(promotionCode("a", "VIP"))
		_, err := e.CreatePromotionCode(e.ctx(), domain.CreatePromotionCode{PromotionCode: promotionCode("a", "VIP", boundToID("alice"))})
		if !isError[*domain.AlreadyExistsError](err) {
			t.Errorf("for alice: %v", err)
		}
		e.deactivate(all.Name)
		e.createCode(promotionCode("a", "VIP", boundToID("alice")))
		_, err = e.ActivatePromotionCode(e.ctx(), domain.ActivatePromotionCode{Name: all.Name})
		if !isError[*domain.AlreadyExistsError](err) {
			t.Errorf("activated again: %v", err)
		}
		if v := e.code(all.Name); v.State != domain.PromotionInactive {
			t.Errorf("after a refused activation: %+v", v)
		}
	})
}

func TestHolderThatCanNeverBeRedeemedAgainGivesWay(t *testing.T) {
	ends := map[string]func(*env, domain.PromotionCodeView){
		"expired":           func(e *env, _ domain.PromotionCodeView) { e.clock.Advance(time.Hour) },
		"used up":           func(e *env, v domain.PromotionCodeView) { e.redeem(byName("r", v.Name)) },
		"its coupon ended":  func(e *env, _ domain.PromotionCodeView) { e.clock.Advance(2 * time.Hour) },
		"its coupon is out": func(e *env, _ domain.PromotionCodeView) { e.redeem(byCoupon("r1", "a")); e.redeem(byCoupon("r2", "a")) },
		"its coupon is deleted": func(e *env, _ domain.PromotionCodeView) {
			if _, err := e.DeleteCoupon(e.ctx(), domain.DeleteCoupon{ID: "a"}); err != nil {
				e.t.Fatal(err)
			}
		},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, e *env) {
				e.createCoupon(percentOff("a", limitedTo(2), func(c *domain.Coupon) { c.RedeemBy = epoch.Add(2 * time.Hour) }))
				e.createCoupon(percentOff("b"))
				old := e.createCode(promotionCode("a", "SPRING", codeLimitedTo(1), func(p *domain.PromotionCode) { p.ExpiresAt = epoch.Add(time.Hour) }))
				_, err := e.CreatePromotionCode(e.ctx(), domain.CreatePromotionCode{PromotionCode: promotionCode("b", "SPRING")})
				if !isError[*domain.AlreadyExistsError](err) {
					t.Fatalf("before its end: %v", err)
				}
				end(e, old)
				next := e.createCode(promotionCode("b", "SPRING"))
				if v := e.code(old.Name); v.State != domain.PromotionSuperseded || v.Version <= old.Version {
					t.Errorf("the old one: %+v", v)
				}
				_, err = e.ActivatePromotionCode(e.ctx(), domain.ActivatePromotionCode{Name: old.Name})
				if got := reasons(t, err); got[0] != domain.CodeInactive {
					t.Errorf("activated the old one: %v", err)
				}
				e.unchanged("what is done to a superseded one", func() {
					_, deactivate := e.DeactivatePromotionCode(e.ctx(), domain.DeactivatePromotionCode{Name: old.Name})
					gone, remove := e.DeletePromotionCode(e.ctx(), domain.DeletePromotionCode{Name: old.Name})
					if deactivate != nil || remove != nil || gone.State != domain.PromotionSuperseded {
						t.Errorf("superseded: %v, %v, %+v", deactivate, remove, gone)
					}
				})
				if r := e.redeem(byCode("r", "spring", withCustomer("c"))); r.PromotionCode != next.Name.ID {
					t.Errorf("redeemed %+v", r)
				}
			})
		})
	}
}

func TestInactivePromotionCodeComesBackUnlessItsCodeIsTaken(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a"))
		first := e.createCode(promotionCode("a", "NEWUSER"))
		off := e.deactivate(first.Name)
		if off.State != domain.PromotionInactive || off.Status != domain.StatusInactive || off.Version <= first.Version {
			t.Fatalf("deactivated: %+v", off)
		}
		_, err := e.Redeem(e.ctx(), new(byCode("r", "NEWUSER")))
		wantReasons(t, err, domain.CodeInactive)
		on, err := e.ActivatePromotionCode(e.ctx(), domain.ActivatePromotionCode{Name: first.Name})
		if err != nil || on.State != domain.PromotionActive || on.Version <= off.Version {
			t.Fatalf("activated: %+v, %v", on, err)
		}
		again, err := e.ActivatePromotionCode(e.ctx(), domain.ActivatePromotionCode{Name: first.Name})
		if diff := cmp.Diff(on, again, compareCodes); err != nil || diff != "" {
			t.Errorf("activated once more: %v\n%s", err, diff)
		}
		e.deactivate(first.Name)
		second := e.createCode(promotionCode("a", "NEWUSER"))
		_, err = e.ActivatePromotionCode(e.ctx(), domain.ActivatePromotionCode{Name: first.Name})
		var held *domain.AlreadyExistsError
		if !errors.As(err, &held) || held.Name != second.Name.String() {
			t.Errorf("activated beside another: %v", err)
		}
		if r := e.redeem(byCode("r", "NEWUSER")); r.PromotionCode != second.Name.ID {
			t.Errorf("redeemed %+v", r)
		}
	})
}

func TestPromotionCodeThatCannotBeRedeemedIsNotActivated(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a"))
		p := e.createCode(promotionCode("a", "X", codeLimitedTo(1), func(p *domain.PromotionCode) { p.ExpiresAt = epoch.Add(time.Hour) }))
		e.redeem(byCode("r", "X"))
		e.deactivate(p.Name)
		e.clock.Advance(time.Hour)
		e.unchanged("a refused activation", func() {
			_, err := e.ActivatePromotionCode(e.ctx(), domain.ActivatePromotionCode{RequestID: "a", Name: p.Name})
			wantReasons(t, err, domain.CodeExpired, domain.CodeMaxRedemptionsReached)
		})
	})
}

func TestDeletedPromotionCodeIsGoneForGoodAndItsCodeIsFree(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a"))
		p := e.createCode(promotionCode("a", "X"))
		gone, err := e.DeletePromotionCode(e.ctx(), domain.DeletePromotionCode{Name: p.Name})
		if err != nil || gone.State != domain.PromotionDeleted || gone.Status != domain.StatusDeleted {
			t.Fatalf("deleted: %+v, %v", gone, err)
		}
		e.unchanged("what follows a deletion", func() {
			again, err := e.DeletePromotionCode(e.ctx(), domain.DeletePromotionCode{Name: p.Name})
			if diff := cmp.Diff(gone, again, compareCodes); err != nil || diff != "" {
				t.Errorf("deleted again: %v\n%s", err, diff)
			}
			_, activate := e.ActivatePromotionCode(e.ctx(), domain.ActivatePromotionCode{Name: p.Name})
			_, deactivate := e.DeactivatePromotionCode(e.ctx(), domain.DeactivatePromotionCode{Name: p.Name})
			_, update := e.UpdatePromotionCode(e.ctx(), domain.UpdatePromotionCode{Name: p.Name})
			for name, err := range map[string]error{"activate": activate, "deactivate": deactivate, "update": update} {
				if !isError[*domain.DeletedError](err) {
					t.Errorf("%s: %v", name, err)
				}
			}
			for _, r := range []domain.RedeemRequest{byCode("r", "X"), byName("r", p.Name)} {
				_, err := e.Redeem(e.ctx(), &r)
				wantReasons(t, err, domain.CodeInactive)
			}
		})
		if next := e.createCode(promotionCode("a", "X")); next.Name == p.Name {
			t.Errorf("the id %s twice", next.Name)
		}
	})
}

func TestUpdateOfAPromotionCodeSetsTheFieldsNamedAndNoOthers(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a"))
		want := e.createCode(promotionCode("a", "X", codeLimitedTo(5), codeLimitedPerCustomerTo(1)))
		e.redeem(byCode("r", "X", withCustomer("c")))
		want.Redeemed = 1
		update := func(cmd domain.UpdatePromotionCode, change func(*domain.PromotionCodeView)) {
			t.Helper()
			e.clock.Advance(time.Second)
			cmd.Name, cmd.Version = want.Name, want.Version
			got, err := e.UpdatePromotionCode(e.ctx(), cmd)
			if err != nil {
				t.Fatal(err)
			}
			if got.Version <= want.Version {
				t.Errorf("version %d after %d", got.Version, want.Version)
			}
			change(&want)
			want.Version, want.UpdateTime = got.Version, e.clock.Now()
			if diff := cmp.Diff(want, got, compareCodes); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(want, e.code(want.Name), compareCodes); diff != "" {
				t.Errorf("read (-want +got):\n%s", diff)
			}
		}
		update(domain.UpdatePromotionCode{Metadata: map[string]string{"a": "b"}, Set: domain.PromotionCodeFields{Metadata: true}}, func(v *domain.PromotionCodeView) {
			v.Metadata = map[string]string{"a": "b"}
		})
		minimums := []domain.Money{{Currency: "EUR", AmountMinor: domain.MaxAmount}}
		update(domain.UpdatePromotionCode{MinimumAmounts: minimums, Set: domain.PromotionCodeFields{MinimumAmounts: true}}, func(v *domain.PromotionCodeView) {
			v.Restrictions.MinimumAmounts = minimums
		})
		update(domain.UpdatePromotionCode{Set: domain.PromotionCodeFields{MaxRedemptions: true}}, func(v *domain.PromotionCodeView) { v.MaxRedemptions = nil })
		update(domain.UpdatePromotionCode{
			MaxRedemptionsPerCustomer: pointer(int64(2)), Set: domain.PromotionCodeFields{MaxRedemptionsPerCustomer: true},
		}, func(v *domain.PromotionCodeView) { v.MaxRedemptionsPerCustomer = pointer(int64(2)) })
		update(domain.UpdatePromotionCode{}, func(*domain.PromotionCodeView) {})
		e.unchanged("a stale etag", func() {
			_, err := e.UpdatePromotionCode(e.ctx(), domain.UpdatePromotionCode{Name: want.Name, Version: want.Version - 1})
			if !errors.Is(err, domain.ErrAborted) {
				t.Errorf("a stale etag: %v", err)
			}
		})
	})
}

func TestOneOfManyEqualUpdatesOfAPromotionCodeWithOneEtagWins(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a"))
		p := e.createCode(promotionCode("a", "X"))
		var won atomic.Int32
		all(e.crowd(100), func(int) {
			_, err := e.UpdatePromotionCode(e.ctx(), domain.UpdatePromotionCode{Name: p.Name, Version: p.Version})
			switch {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, domain.ErrAborted):
				t.Error(err)
			}
		})
		if won.Load() != 1 {
			t.Errorf("%d of the updates succeeded", won.Load())
		}
	})
}

func TestBoundCodesOfOneFormAreLimited(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a"))
		alice := e.createCode(promotionCode("a", "VIP", boundToID("alice")))
		// As if all the others were bound already.
		if err := e.admin.HSet(e.ctx(), e.keys.claims("VIP"), "VIP #", "10000,1").Err(); err != nil {
			t.Fatal(err)
		}
		_, err := e.CreatePromotionCode(e.ctx(), domain.CreatePromotionCode{PromotionCode: promotionCode("a", "VIP", boundToID("bob"))})
		var full *domain.TooManyError
		if !errors.As(err, &full) || full.Limit != domain.MaxBoundCodes {
			t.Fatalf("one more customer: %v", err)
		}
		if left := e.listCodes(domain.PromotionCodeQuery{Coupon: "a", Page: domain.Page{Size: 10}}); len(left) != 1 {
			t.Errorf("a refused creation left %+v", left)
		}
		_, err = e.Redeem(e.ctx(), new(byCode("r", "VIP", withCustomer("bob"))))
		wantReasons(t, err, domain.CustomerMismatch)
		e.deactivate(alice.Name)
		e.createCode(promotionCode("a", "VIP", boundToID("alice"))) // she had it before
		e.createCode(promotionCode("a", "OTHER", boundToID("bob")))
	})
}

func TestManyPromotionCodesAreMadeAtOnce(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a"))
		stores := []*Store{e.Store, e.server()}
		n := e.crowd(200)
		all(n, func(i int) {
			_, err := stores[i%2].CreatePromotionCode(e.ctx(), domain.CreatePromotionCode{PromotionCode: promotionCode("a", "CODE-"+strconv.Itoa(i))})
			if err != nil {
				t.Error(err)
			}
		})
		seen := map[string]bool{}
		for _, p := range e.codesOf("a") {
			seen[p.Code.Form()] = true
		}
		if len(seen) != n {
			t.Errorf("%d of %d are listed", len(seen), n)
		}
	})
}

func TestVersionOfAPromotionCodeChangesOnlyWithTheCode(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a"))
		v := e.createCode(promotionCode("a", "TWICE"))
		inactive := e.deactivate(v.Name)
		e.unchanged("deactivating an inactive promotion code", func() {
			if again := e.deactivate(v.Name); again.Version != inactive.Version || again.State != domain.PromotionInactive {
				t.Errorf("it is %c at version %d after version %d", again.State, again.Version, inactive.Version)
			}
		})
		holder := e.createCode(promotionCode("a", "twice"))
		e.unchanged("an activation that is refused", func() {
			_, err := e.ActivatePromotionCode(e.ctx(), domain.ActivatePromotionCode{RequestID: "r", Name: v.Name})
			held, ok := errors.AsType[*domain.AlreadyExistsError](err)
			if !ok || held.Name != holder.Name.String() {
				t.Errorf("activated while the code is held: %v", err)
			}
		})
		if got := e.code(v.Name); got.Version != inactive.Version {
			t.Errorf("version %d after version %d", got.Version, inactive.Version)
		}
	})
}

func TestDeactivatingAnInactivePromotionCodeUsesItsRequestID(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a"))
		v := e.createCode(promotionCode("a", "TWICE"))
		e.deactivate(v.Name)
		again := domain.DeactivatePromotionCode{RequestID: "again", Name: v.Name}
		if _, err := e.DeactivatePromotionCode(e.ctx(), again); err != nil {
			t.Fatal(err)
		}
		if _, err := e.ActivatePromotionCode(e.ctx(), domain.ActivatePromotionCode{Name: v.Name}); err != nil {
			t.Fatal(err)
		}
		if got, err := e.DeactivatePromotionCode(e.ctx(), again); err != nil || got.State != domain.PromotionActive {
			t.Errorf("a retry deactivated it once more: %c, %v", got.State, err)
		}
		if _, err := e.DeletePromotionCode(e.ctx(), domain.DeletePromotionCode{RequestID: "again", Name: v.Name}); !errors.Is(err, domain.ErrRequestIDReused) {
			t.Errorf("its request id was used for another command: %v", err)
		}
	})
}
