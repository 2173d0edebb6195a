// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"context"
	"errors"
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
			must[*domain.Redemption](t)(other.Redeem(e.ctx(), new(byCoupon("r", "a"))))
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
			must[*domain.Redemption](t)(other.Redeem(e.ctx(), new(byCoupon("r", "a"))))
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

// What a promotion code gave way to because their coupon is used up is no better:
// there would be an order of events that no single store could have shown.
func TestPromotionCodeThatIsUsedUpBeforeItsLastStepIsNotActivated(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a", limitedTo(2)))
		old := e.createCode(promotionCode("a", "X")).Name
		off := e.createCode(promotionCode("a", "Y")).Name
		e.deactivate(off)
		useUp := func(other *Store) { must[*domain.Redemption](t)(other.Redeem(e.ctx(), new(byName("last", old)))) }
		e.redeem(byName("first", old))

		create := domain.CreatePromotionCode{RequestID: "r", PromotionCode: promotionCode("a", "X")}
		e.before(claimRead, 1, useUp)
		_, err := e.CreatePromotionCode(e.ctx(), create)
		wantReasons(t, err, domain.CouponMaxRedemptionsReached)
		if made := e.codesOf("a"); len(made) != 2 {
			t.Errorf("%d promotion codes", len(made))
		}

		must[*domain.Redemption](t)(e.Void(e.ctx(), domain.VoidRedemption{RequestID: "v", Name: e.redemptions("a")[1].Name}))
		e.before(promotionActivate, 1, func(other *Store) {
			must[*domain.Redemption](t)(other.Redeem(e.ctx(), new(byCoupon("again", "a"))))
		})
		_, err = e.ActivatePromotionCode(e.ctx(), domain.ActivatePromotionCode{Name: off})
		wantReasons(t, err, domain.CouponMaxRedemptionsReached)
		if v := e.code(off); v.State != domain.PromotionInactive {
			t.Errorf("it is %+v", v)
		}

		must[*domain.Redemption](t)(e.Void(e.ctx(), domain.VoidRedemption{RequestID: "v2", Name: e.redemptions("a")[0].Name}))
		if v := must[domain.PromotionCodeView](t)(e.CreatePromotionCode(e.ctx(), create)); v.State != domain.PromotionActive {
			t.Errorf("with the id of what was refused: %+v", v)
		}
	})
}

func TestRedemptionByACodeThatIsUsedUpBeforeItsLastStepIsRefused(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a", limitedTo(1)))
		e.crash(promotionActivate, func() error {
			_, err := e.CreatePromotionCode(e.ctx(), domain.CreatePromotionCode{PromotionCode: promotionCode("a", "X")})
			return err
		})
		e.before(promotionActivate, 1, func(other *Store) {
			must[*domain.Redemption](t)(other.Redeem(e.ctx(), new(byCoupon("last", "a"))))
		})
		_, err := e.Redeem(e.ctx(), new(byCode("r", "X")))
		wantReasons(t, err, domain.CouponMaxRedemptionsReached)
	})
}

func TestRefusalOfALateCommitNamesTheLimitThatItWasHeldAgainst(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a", limitedTo(1)))
		held := e.reserve(time.Second, byCoupon("h", "a"))
		e.clock.Advance(time.Second)
		e.redeem(byCoupon("r", "a"))
		raise := func(limit int64) func(*Store) {
			return func(other *Store) {
				must[domain.CouponView](t)(other.UpdateCoupon(e.ctx(), domain.UpdateCoupon{
					ID: "a", MaxRedemptions: pointer(limit), Set: domain.CouponFields{MaxRedemptions: true},
				}))
			}
		}
		e.before(snapshotRead, 1, raise(2))
		r, err := e.commit(held.Name, "c", nil)
		if err != nil || r.State != domain.RedemptionRedeemed {
			t.Errorf("the limit was raised between the refusal and what is told of it: %+v, %v", r, err)
		}
	})
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
		_, err := e.Redeem(e.ctx(), new(byCode("r", "X")))
		wantReasons(t, err, domain.CodeInactive)
	})
}

func TestActivationThatMeetsAnotherChangeIsDecidedAnew(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a"))
		p := e.createCode(promotionCode("a", "X"))
		e.deactivate(p.Name)
		e.before(promotionPend, 1, func(other *Store) {
			must[domain.PromotionCodeView](t)(other.ActivatePromotionCode(e.ctx(), domain.ActivatePromotionCode{Name: p.Name}))
			must[domain.PromotionCodeView](t)(other.DeactivatePromotionCode(e.ctx(), domain.DeactivatePromotionCode{Name: p.Name}))
		})
		v, err := e.ActivatePromotionCode(e.ctx(), domain.ActivatePromotionCode{Name: p.Name})
		if err != nil || v.State != domain.PromotionActive {
			t.Errorf("%+v, %v", v, err)
		}
	})
}

func TestClaimThatIsTakenAnewIsNotGivenBack(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a"))
		p := e.createCode(promotionCode("a", "X"))
		e.before(claimRelease, 1, func(other *Store) {
			must[domain.PromotionCodeView](t)(other.ActivatePromotionCode(e.ctx(), domain.ActivatePromotionCode{Name: p.Name}))
		})
		e.deactivate(p.Name)
		if r := e.redeem(byCode("r", "X")); r.PromotionCode != p.Name.ID {
			t.Errorf("redeemed %+v", r)
		}
	})
}

func TestUpdatesThatMeetAreBothMade(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a"))
		p := e.createCode(promotionCode("a", "X"))
		coupon := domain.UpdateCoupon{ID: "a", DisplayName: "one", Set: domain.CouponFields{DisplayName: true}}
		code := domain.UpdatePromotionCode{Name: p.Name, MaxRedemptions: pointer(int64(1)), Set: domain.PromotionCodeFields{MaxRedemptions: true}}
		metadata := map[string]string{"two": "2"}
		e.before(couponPut, 1, func(other *Store) {
			must[domain.CouponView](t)(other.UpdateCoupon(e.ctx(), domain.UpdateCoupon{ID: "a", Metadata: metadata, Set: domain.CouponFields{Metadata: true}}))
		})
		e.before(promotionUpdate, 1, func(other *Store) {
			must[domain.PromotionCodeView](t)(other.UpdatePromotionCode(e.ctx(), domain.UpdatePromotionCode{
				Name: p.Name, Metadata: metadata, Set: domain.PromotionCodeFields{Metadata: true},
			}))
		})
		if v, err := e.UpdateCoupon(e.ctx(), coupon); err != nil || v.DisplayName != "one" || v.Metadata["two"] != "2" {
			t.Errorf("%+v, %v", v, err)
		}
		if v, err := e.UpdatePromotionCode(e.ctx(), code); err != nil || *v.MaxRedemptions != 1 || v.Metadata["two"] != "2" {
			t.Errorf("%+v, %v", v, err)
		}
		e.before(couponPut, attempts, func(other *Store) {
			must[domain.CouponView](t)(other.UpdateCoupon(e.ctx(), domain.UpdateCoupon{ID: "a"}))
		})
		if _, err := e.UpdateCoupon(e.ctx(), coupon); !errors.Is(err, domain.ErrAborted) {
			t.Errorf("a coupon that always changes: %v", err)
		}
		e.before(promotionUpdate, attempts, func(other *Store) {
			must[domain.PromotionCodeView](t)(other.UpdatePromotionCode(e.ctx(), domain.UpdatePromotionCode{Name: p.Name}))
		})
		if _, err := e.UpdatePromotionCode(e.ctx(), code); !errors.Is(err, domain.ErrAborted) {
			t.Errorf("a promotion code that always changes: %v", err)
		}
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
		// Rules that are remembered are tried first, and are no attempt.
		e.before(redeem, attempts+1, func(other *Store) {
			must[domain.CouponView](t)(other.UpdateCoupon(e.ctx(), domain.UpdateCoupon{ID: "a"}))
		})
		_, err := e.Redeem(e.ctx(), new(byCode("always", "X")))
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
			must[*domain.Redemption](e.t)(other.Redeem(e.ctx(), new(byName("last", p, withCustomer("alice")))))
		}, []domain.Reason{domain.CodeMaxRedemptionsReached, domain.CustomerMaxRedemptionsReached}},
	}
	for name, c := range changes {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, e *env) {
				e.createCoupon(percentOff("a"))
				p := e.createCode(promotionCode("a", "X", codeLimitedTo(2), codeLimitedPerCustomerTo(2)))
				e.redeem(byCode("first", "X", withCustomer("alice")))
				e.before(redeem, 1, func(other *Store) { c.change(e, other, p.Name) })
				_, err := e.Redeem(e.ctx(), new(byCode("r", "X", withCustomer("alice"))))
				wantReasons(t, err, c.want...)
			})
		})
	}
}
