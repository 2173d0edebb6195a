// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/discountd/discountd/domain"
)

func TestRequestThatIsRedeemedElsewhereMeanwhileIsFound(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a", limitedTo(1)))
		request := byCoupon("r", "a")
		var first *domain.Redemption
		e.before(redeem, 1, func(other *Store) { first = must[*domain.Redemption](t)(other.Redeem(e.ctx(), &request)) })
		if second := e.redeem(request); second.Name != first.Name {
			t.Errorf("%s and %s", first.Name, second.Name)
		}
	})
}

// TestRequestIDThatIsUsedMeanwhileIsRefused uses the id of a command for another
// one between what the command reads and what it writes.
func TestRequestIDThatIsUsedMeanwhileIsRefused(t *testing.T) {
	commands := map[string]struct {
		script *script
		run    func(e *env, p, deleted domain.PromotionCodeName) error
	}{
		"update a coupon": {couponPut, func(e *env, _, _ domain.PromotionCodeName) error {
			_, err := e.UpdateCoupon(e.ctx(), domain.UpdateCoupon{RequestID: "r", ID: "a"})
			return err
		}},
		"delete a deleted promotion code": {commandNote, func(e *env, _, deleted domain.PromotionCodeName) error {
			_, err := e.DeletePromotionCode(e.ctx(), domain.DeletePromotionCode{RequestID: "r", Name: deleted})
			return err
		}},
		"create a promotion code": {promotionCreate, func(e *env, _, _ domain.PromotionCodeName) error {
			_, err := e.CreatePromotionCode(e.ctx(), domain.CreatePromotionCode{RequestID: "r", PromotionCode: promotionCode("a", "NEW")})
			return err
		}},
		"activate an active one": {promotionActivate, func(e *env, p, _ domain.PromotionCodeName) error {
			_, err := e.ActivatePromotionCode(e.ctx(), domain.ActivatePromotionCode{RequestID: "r", Name: p})
			return err
		}},
		"activate an inactive one": {promotionActivate, func(e *env, p, _ domain.PromotionCodeName) error {
			e.deactivate(p)
			_, err := e.ActivatePromotionCode(e.ctx(), domain.ActivatePromotionCode{RequestID: "r", Name: p})
			if v := e.code(p); v.State != domain.PromotionInactive {
				e.t.Errorf("it is %+v", v)
			}
			return err
		}},
		"deactivate": {promotionRetire, func(e *env, p, _ domain.PromotionCodeName) error {
			_, err := e.DeactivatePromotionCode(e.ctx(), domain.DeactivatePromotionCode{RequestID: "r", Name: p})
			if v := e.code(p); v.State != domain.PromotionActive {
				e.t.Errorf("it is %+v", v)
			}
			return err
		}},
		"update a promotion code": {promotionUpdate, func(e *env, p, _ domain.PromotionCodeName) error {
			_, err := e.UpdatePromotionCode(e.ctx(), domain.UpdatePromotionCode{
				RequestID: "r", Name: p, MaxRedemptions: pointer(int64(5)), Set: domain.PromotionCodeFields{MaxRedemptions: true},
			})
			if v := e.code(p); v.MaxRedemptions != nil {
				e.t.Errorf("it is %+v", v)
			}
			return err
		}},
	}
	for name, c := range commands {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, e *env) {
				e.createCoupon(percentOff("a"))
				p := e.createCode(promotionCode("a", "X"))
				gone := e.createCode(promotionCode("a", "GONE"))
				other := e.createCode(promotionCode("a", "OTHER"))
				if _, err := e.DeletePromotionCode(e.ctx(), domain.DeletePromotionCode{Name: gone.Name}); err != nil {
					t.Fatal(err)
				}
				e.before(c.script, 1, func(s *Store) {
					must[domain.PromotionCodeView](t)(s.DeletePromotionCode(e.ctx(), domain.DeletePromotionCode{RequestID: "r", Name: other.Name}))
				})
				if err := c.run(e, p.Name, gone.Name); !errors.Is(err, domain.ErrRequestIDReused) {
					t.Errorf("got %v", err)
				}
				if v := e.code(other.Name); v.State != domain.PromotionDeleted {
					t.Errorf("the other command: %+v", v)
				}
			})
		})
	}
}

// TestCommandThatIsRepeatedMeanwhileHasOneEffect sends a command a second time
// between what the first one reads and what it writes.
func TestCommandThatIsRepeatedMeanwhileHasOneEffect(t *testing.T) {
	type command = func(e *env, s *Store, p domain.PromotionCodeName) error
	commands := map[string]struct {
		script *script
		run    command
	}{
		"delete a deleted promotion code": {commandNote, func(e *env, s *Store, p domain.PromotionCodeName) error {
			_, err := s.DeletePromotionCode(e.ctx(), domain.DeletePromotionCode{RequestID: "r", Name: p})
			return err
		}},
	}
	for name, run := range couponCommands {
		commands[name+" (coupon)"] = struct {
			script *script
			run    command
		}{couponPut, func(e *env, s *Store, _ domain.PromotionCodeName) error {
			_, err := run(e, s)
			return err
		}}
	}
	scripts := map[string]*script{
		"create": promotionCreate, "create a generated one": promotionCreate, "activate an active one": promotionActivate,
		"deactivate": promotionRetire, "delete": promotionRetire, "update": promotionUpdate,
	}
	for name, sc := range scripts {
		commands[name] = struct {
			script *script
			run    command
		}{sc, func(e *env, s *Store, p domain.PromotionCodeName) error {
			_, err := codeCommands[name](e, s, p)
			return err
		}}
	}
	for name, c := range commands {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, e *env) {
				p := prepareWriting(e, name)
				if name == "delete a deleted promotion code" {
					if _, err := e.DeletePromotionCode(e.ctx(), domain.DeletePromotionCode{Name: p}); err != nil {
						t.Fatal(err)
					}
				}
				var between map[string]string
				e.before(c.script, 1, func(other *Store) {
					if err := c.run(e, other, p); err != nil {
						t.Errorf("in between: %v", err)
					}
					between = e.dump()
				})
				if err := c.run(e, e.Store, p); err != nil {
					t.Error(err)
				}
				e.sameAs(between)
			})
		})
	}
}

func TestCouponThatIsLostIsNotFound(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a"))
		e.before(redeem, 1, func(*Store) { e.admin.Del(e.ctx(), e.keys.head("a")) })
		if _, err := e.Redeem(e.ctx(), new(byCoupon("r", "a"))); !isError[*domain.NotFoundError](err) {
			t.Errorf("got %v", err)
		}
		if n := e.admin.Exists(e.ctx(), e.keys.head("a")).Val(); n != 0 {
			t.Error("a counter without its limits was written")
		}

		e.createCoupon(percentOff("b"))
		e.createCode(promotionCode("b", "X"))
		e.before(promotionList, 1, func(*Store) { e.admin.Del(e.ctx(), e.keys.head("b")) })
		if l := e.listCodes(domain.PromotionCodeQuery{Coupon: "b", Page: domain.Page{Size: 10}}); len(l) != 0 {
			t.Errorf("listed %v", l)
		}

		e.createCoupon(percentOff("c"))
		held := e.reserve(time.Second, byCoupon("h", "c"))
		e.before(settle, 1, func(*Store) { e.admin.Del(e.ctx(), e.keys.head("c")) })
		if _, err := e.commit(held.Name, "s", nil); !isError[*domain.NotFoundError](err) {
			t.Errorf("a commit: %v", err)
		}

		e.createCoupon(percentOff("d"))
		e.reserve(time.Second, byCoupon("h", "d"))
		e.clock.Advance(time.Second)
		e.before(expire, 1, func(*Store) { e.admin.Del(e.ctx(), e.keys.head("d")) })
		if _, err := e.Coupon(e.ctx(), "d"); !isError[*domain.NotFoundError](err) {
			t.Errorf("a read when a reservation is due: %v", err)
		}
	})
}

func TestRequestIDThatIsRedeemedWithOtherwiseMeanwhileIsRefused(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a"))
		made := e.redeem(byCoupon("first", "a"))
		e.before(redeem, 1, func(other *Store) {
			must[*domain.Redemption](t)(other.Void(e.ctx(), domain.VoidRedemption{RequestID: "v", Name: made.Name}))
		})
		if _, err := e.Redeem(e.ctx(), new(byCoupon("v", "a"))); !errors.Is(err, domain.ErrRequestIDReused) {
			t.Errorf("the id of a void: %v", err)
		}
		e.before(redeem, 1, func(other *Store) {
			must[*domain.Redemption](t)(other.Redeem(e.ctx(), new(byCoupon("r", "a", withCustomer("bob")))))
		})
		if _, err := e.Redeem(e.ctx(), new(byCoupon("r", "a"))); !errors.Is(err, domain.ErrRequestIDReused) {
			t.Errorf("got %v", err)
		}
	})
}

func TestPromotionCodesOfManyCouponsTakeOverOneCodeInTurn(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		// More coupons than a claim remembers formers of.
		for i := range 34 {
			c := domain.CouponID("c" + strconv.Itoa(i))
			e.createCoupon(percentOff(c, limitedTo(1)))
			e.createCode(promotionCode(c, "X"))
			e.redeem(byCode("r"+strconv.Itoa(i), "X"))
			e.clock.Advance(time.Second)
		}
		// The last coupons' redemptions are found by a retry.
		for i := 4; i < 34; i++ {
			if r := e.redeem(byCode("r"+strconv.Itoa(i), "X")); r.Name.Coupon != domain.CouponID("c"+strconv.Itoa(i)) {
				t.Errorf("retry %d found %s", i, r.Name)
			}
		}
	})
}
