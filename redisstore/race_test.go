// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"context"
	"errors"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/discountd/discountd/domain"
)

// meddler does something just before a script is sent for the first time: what a
// call has read is then no longer so.
type meddler struct {
	script *script
	left   atomic.Int32
	f      func()
	err    error // if set, the script is not sent
}

// DialHook implements redis.Hook.
func (m *meddler) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook implements redis.Hook.
func (m *meddler) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if !isOf(cmd, m.script) || m.left.Add(-1) < 0 {
			return next(ctx, cmd)
		}
		if m.err != nil {
			cmd.SetErr(m.err)
			return m.err
		}
		m.f()
		return next(ctx, cmd)
	}
}

// ProcessPipelineHook implements redis.Hook.
func (m *meddler) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// before has f run before the next n times that the store sends a script.
func (e *env) before(sc *script, n int, f func(other *Store)) {
	e.t.Helper()
	other := e.server()
	m := &meddler{script: sc, f: func() { f(other) }}
	m.left.Store(int32(n))
	e.client.AddHook(m)
}

// must fails the test when another server, which meddles, does not succeed.
func must[T any](t testing.TB) func(T, error) T {
	t.Helper()
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Errorf("while another call was under way: %v", err)
		}
		return v
	}
}

func TestCouponThatChangesUnderACreationIsReadAgain(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a"))
		e.before(promotionCreate, 1, func(other *Store) {
			must[domain.CouponView](t)(other.UpdateCoupon(e.ctx(), domain.UpdateCoupon{ID: "a"}))
		})
		e.createCode(promotionCode("a", "X"))
		if codes := e.codesOf("a"); len(codes) != 1 {
			t.Errorf("%d promotion codes", len(codes))
		}
	})
}

func TestCouponThatAlwaysChangesAbortsACreation(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a"))
		e.before(promotionCreate, attempts, func(other *Store) {
			must[domain.CouponView](t)(other.UpdateCoupon(e.ctx(), domain.UpdateCoupon{ID: "a"}))
		})
		_, err := e.CreatePromotionCode(e.ctx(), domain.CreatePromotionCode{PromotionCode: promotionCode("a", "X")})
		if codes := e.codesOf("a"); !errors.Is(err, domain.ErrAborted) || len(codes) != 0 {
			t.Errorf("%v, and there are %v", err, codes)
		}
	})
}

func TestCouponThatIsUsedUpUnderACreationRefusesIt(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a", limitedTo(1)))
		e.before(promotionCreate, 1, func(other *Store) {
			must[domain.Redemption](t)(other.Redeem(e.ctx(), byCoupon("r", "a")))
		})
		_, err := e.CreatePromotionCode(e.ctx(), domain.CreatePromotionCode{PromotionCode: promotionCode("a", "X")})
		wantReasons(t, err, domain.CouponMaxRedemptionsReached)
	})
}

func TestCouponThatIsUsedUpUnderAnActivationRefusesIt(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a", limitedTo(1)))
		p := e.createCode(promotionCode("a", "X"))
		e.deactivate(p.Name)
		e.before(promotionPend, 1, func(other *Store) {
			must[domain.Redemption](t)(other.Redeem(e.ctx(), byCoupon("r", "a")))
		})
		_, err := e.ActivatePromotionCode(e.ctx(), domain.ActivatePromotionCode{Name: p.Name})
		wantReasons(t, err, domain.CouponMaxRedemptionsReached)
	})
}

func TestIDThatIsTakenIsGeneratedAgain(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a"))
		e.random = &writtenDown{[]byte("idididid" + "other")}
		first := e.createCode(promotionCode("a", "X"))
		second := e.createCode(promotionCode("a", "Y"))
		if first.Name == second.Name || e.code(first.Name).Code.Form() != "X" {
			t.Errorf("%s and %s", first.Name, second.Name)
		}
	})
}

func TestClaimThatChangesUnderACreationIsReadAgain(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a"))
		e.before(claimTake, 1, func(other *Store) {
			v := must[domain.PromotionCodeView](t)(other.CreatePromotionCode(e.ctx(), domain.CreatePromotionCode{PromotionCode: promotionCode("a", "X")}))
			must[domain.PromotionCodeView](t)(other.DeactivatePromotionCode(e.ctx(), domain.DeactivatePromotionCode{Name: v.Name}))
		})
		v := e.createCode(promotionCode("a", "X"))
		if r := e.redeem(byCode("r", "X")); r.PromotionCode != v.Name.ID {
			t.Errorf("redeemed %+v", r)
		}
	})
}

func TestCodeThatIsTakenUnderACreationRefusesIt(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a"))
		var taker domain.PromotionCodeView
		e.before(claimTake, 1, func(other *Store) {
			taker = must[domain.PromotionCodeView](t)(other.CreatePromotionCode(e.ctx(), domain.CreatePromotionCode{PromotionCode: promotionCode("a", "X")}))
		})
		_, err := e.CreatePromotionCode(e.ctx(), domain.CreatePromotionCode{PromotionCode: promotionCode("a", "X")})
		var held *domain.AlreadyExistsError
		if !errors.As(err, &held) || held.Name != taker.Name.String() {
			t.Errorf("%v", err)
		}
	})
}

// crash ends a call of the store before it sends a script, as if its server had
// died.
func (e *env) crash(sc *script, call func() error) {
	e.t.Helper()
	errCrash := errors.New("crash")
	m := &meddler{script: sc, err: errCrash}
	m.left.Store(1)
	e.client.AddHook(m)
	if err := call(); !errors.Is(err, errCrash) {
		e.t.Fatalf("before %s: %v", sc.name, err)
	}
}

func TestOwnClaimOfAnUnfitPromotionCodeIsNoHolder(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a", limitedTo(1)))
		e.crash(promotionActivate, func() error {
			_, err := e.CreatePromotionCode(e.ctx(), domain.CreatePromotionCode{PromotionCode: promotionCode("a", "X")})
			return err
		})
		e.redeem(byCoupon("r", "a"))
		entries, err := e.readClaim(e.ctx(), &domain.PromotionCode{Code: parsedCode("X")})
		if err != nil || len(entries) != 1 {
			t.Fatalf("%+v, %v", entries, err)
		}
		if outcome, err := e.probe(e.ctx(), entries[0].owner, "own"); err != nil || outcome != outcomeUnfit {
			t.Errorf("%s, %v", outcome, err)
		}
	})
}

func TestCreationIsFinishedByItsRetryOrByWhoMeetsIt(t *testing.T) {
	for _, step := range []*script{promotionCreate, claimRead, claimTake, promotionActivate} {
		t.Run(step.name, func(t *testing.T) {
			onEach(t, func(t *testing.T, e *env) {
				e.createCoupon(percentOff("a"))
				create := domain.CreatePromotionCode{RequestID: "r", PromotionCode: promotionCode("a", "X")}
				e.crash(step, func() error {
					_, err := e.CreatePromotionCode(e.ctx(), create)
					return err
				})
				if step == promotionActivate { // the claim is taken
					if _, against := e.validate("X"); len(against) > 0 {
						t.Errorf("a code of which only the last step is missing: %v", against)
					}
					e.redeem(byCode("r", "X"))
				}
				v, err := e.server().CreatePromotionCode(e.ctx(), create)
				if err != nil || v.State != domain.PromotionActive {
					t.Fatalf("retried: %+v, %v", v, err)
				}
				if made := e.codesOf("a"); len(made) != 1 {
					t.Errorf("%d promotion codes", len(made))
				}
				e.redeem(byCode("r2", "X"))
			})
		})
	}
}

func TestPromotionCodeThatIsTakenOutOfUseUnderItsActivationStaysSo(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a"))
		p := e.createCode(promotionCode("a", "X"))
		e.deactivate(p.Name)
		e.before(promotionActivate, 1, func(other *Store) {
			must[domain.PromotionCodeView](t)(other.DeactivatePromotionCode(e.ctx(), domain.DeactivatePromotionCode{Name: p.Name}))
		})
		_, err := e.ActivatePromotionCode(e.ctx(), domain.ActivatePromotionCode{Name: p.Name})
		if v := e.code(p.Name); !errors.Is(err, domain.ErrAborted) || v.State != domain.PromotionInactive {
			t.Errorf("%v, and it is %+v", err, v)
		}
	})
}

func TestDeactivationThatMeetsAnotherChangeIsDecidedAnew(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a"))
		p := e.createCode(promotionCode("a", "X"))
		e.before(promotionRetire, 1, func(other *Store) {
			must[domain.PromotionCodeView](t)(other.DeactivatePromotionCode(e.ctx(), domain.DeactivatePromotionCode{Name: p.Name}))
			must[domain.PromotionCodeView](t)(other.ActivatePromotionCode(e.ctx(), domain.ActivatePromotionCode{Name: p.Name}))
		})
		if v := e.deactivate(p.Name); v.State != domain.PromotionInactive {
			t.Errorf("%+v", v)
		}
		_, err := e.Redeem(e.ctx(), byCode("r", "X"))
		wantReasons(t, err, domain.CodeInactive)
	})
}

func TestConfigurationThatAlwaysChangesAbortsARedemption(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a"))
		p := e.createCode(promotionCode("a", "X"))
		e.before(redeem, attempts-1, func(other *Store) {
			must[domain.PromotionCodeView](t)(other.UpdatePromotionCode(e.ctx(), domain.UpdatePromotionCode{Name: p.Name}))
		})
		e.redeem(byCode("twice", "X"))
		e.before(redeem, attempts, func(other *Store) {
			must[domain.CouponView](t)(other.UpdateCoupon(e.ctx(), domain.UpdateCoupon{ID: "a"}))
		})
		_, err := e.Redeem(e.ctx(), byCode("always", "X"))
		if n := e.coupon("a").Redeemed; !errors.Is(err, domain.ErrAborted) || n != 1 {
			t.Errorf("%v, and %d were redeemed", err, n)
		}
	})
}

// TestWhatChangesUnderARedemptionDecidesIt changes something between the
// evaluation of a redemption and its script.
func TestWhatChangesUnderARedemptionDecidesIt(t *testing.T) {
	changes := map[string]struct {
		change func(e *env, other *Store, p domain.PromotionCodeName)
		want   []domain.Reason
	}{
		"deactivated": {func(e *env, other *Store, p domain.PromotionCodeName) {
			must[domain.PromotionCodeView](e.t)(other.DeactivatePromotionCode(e.ctx(), domain.DeactivatePromotionCode{Name: p}))
		}, []domain.Reason{domain.CodeInactive}},
		"the coupon deleted": {func(e *env, other *Store, p domain.PromotionCodeName) {
			must[domain.CouponView](e.t)(other.DeleteCoupon(e.ctx(), domain.DeleteCoupon{ID: "a"}))
		}, []domain.Reason{domain.CouponDeleted}},
		"the limits lowered": {func(e *env, other *Store, p domain.PromotionCodeName) {
			must[domain.CouponView](e.t)(other.UpdateCoupon(e.ctx(), domain.UpdateCoupon{
				ID: "a", MaxRedemptions: pointer(int64(1)), MaxRedemptionsPerCustomer: pointer(int64(1)),
				Set: domain.CouponFields{MaxRedemptions: true, MaxRedemptionsPerCustomer: true},
			}))
		}, []domain.Reason{domain.CouponMaxRedemptionsReached, domain.CustomerMaxRedemptionsReached}},
		"the last one taken": {func(e *env, other *Store, p domain.PromotionCodeName) {
			must[domain.Redemption](e.t)(other.Redeem(e.ctx(), byName("last", p, withCustomer("alice"))))
		}, []domain.Reason{domain.CodeMaxRedemptionsReached, domain.CustomerMaxRedemptionsReached}},
	}
	for name, c := range changes {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, e *env) {
				e.createCoupon(percentOff("a"))
				p := e.createCode(promotionCode("a", "X", codeLimitedTo(2), codeLimitedPerCustomerTo(2)))
				e.redeem(byCode("first", "X", withCustomer("alice")))
				e.before(redeem, 1, func(other *Store) { c.change(e, other, p.Name) })
				_, err := e.Redeem(e.ctx(), byCode("r", "X", withCustomer("alice")))
				wantReasons(t, err, c.want...)
			})
		})
	}
}

func TestRequestThatIsRedeemedElsewhereMeanwhileIsFound(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a", limitedTo(1)))
		request := byCoupon("r", "a")
		var first domain.Redemption
		e.before(redeem, 1, func(other *Store) { first = must[domain.Redemption](t)(other.Redeem(e.ctx(), request)) })
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
				p := startCode(e, name)
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
		if _, err := e.Redeem(e.ctx(), byCoupon("r", "a")); !isError[*domain.NotFoundError](err) {
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
