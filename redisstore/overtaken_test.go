// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/discountd/discountd/domain"
)

// overtaker loses the first reply to a script and lets something happen before the
// script is sent again.
type overtaker struct {
	script *script
	lost   atomic.Bool
	then   func()
}

// DialHook implements redis.Hook.
func (o *overtaker) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook implements redis.Hook.
func (o *overtaker) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		if isOf(cmd, o.script) && err == nil && o.lost.CompareAndSwap(false, true) {
			o.then()
			cmd.SetErr(io.EOF)
			return io.EOF
		}
		return err
	}
}

// ProcessPipelineHook implements redis.Hook.
func (o *overtaker) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// A change is carried out, its reply is lost, another change follows, and the script
// is sent again. The first change is not made a second time over the other: with a
// request id it is found to be done, without one nobody can know and the caller is
// told so.
func TestP3ChangeThatWasOvertakenIsNotMadeTwice(t *testing.T) {
	limit := func(e *env, s *Store, id string, n int64) error {
		_, err := s.UpdateCoupon(e.ctx(), domain.UpdateCoupon{
			RequestID: id, ID: "a", MaxRedemptions: &n, Set: domain.CouponFields{MaxRedemptions: true},
		})
		return err
	}
	codeLimit := func(e *env, s *Store, id string, p domain.PromotionCodeName, n int64) error {
		_, err := s.UpdatePromotionCode(e.ctx(), domain.UpdatePromotionCode{
			RequestID: id, Name: p, MaxRedemptions: &n, Set: domain.PromotionCodeFields{MaxRedemptions: true},
		})
		return err
	}
	activate := func(e *env, s *Store, id string, p domain.PromotionCodeName) error {
		_, err := s.ActivatePromotionCode(e.ctx(), domain.ActivatePromotionCode{RequestID: id, Name: p})
		return err
	}
	deactivate := func(e *env, s *Store, id string, p domain.PromotionCodeName) error {
		_, err := s.DeactivatePromotionCode(e.ctx(), domain.DeactivatePromotionCode{RequestID: id, Name: p})
		return err
	}
	changes := map[string]struct {
		script *script
		// alwaysUnknown is whether a request id does not help: it is remembered by a
		// later step.
		alwaysUnknown bool
		change        func(e *env, id string, p domain.PromotionCodeName) error
		overtake      func(e *env, other *Store, p domain.PromotionCodeName) error
	}{
		"update of a coupon": {
			couponPut, false,
			func(e *env, id string, _ domain.PromotionCodeName) error { return limit(e, e.Store, id, 8) },
			func(e *env, other *Store, _ domain.PromotionCodeName) error { return limit(e, other, "", 4) },
		},
		"creation of a coupon": {
			couponPut, false,
			func(e *env, id string, _ domain.PromotionCodeName) error {
				_, err := e.CreateCoupon(e.ctx(), domain.CreateCoupon{RequestID: id, Coupon: percentOff("b")})
				return err
			},
			func(e *env, other *Store, _ domain.PromotionCodeName) error {
				_, err := other.DeleteCoupon(e.ctx(), domain.DeleteCoupon{ID: "b"})
				return err
			},
		},
		"update of a promotion code": {
			promotionUpdate, false,
			func(e *env, id string, p domain.PromotionCodeName) error { return codeLimit(e, e.Store, id, p, 8) },
			func(e *env, other *Store, p domain.PromotionCodeName) error { return codeLimit(e, other, "", p, 4) },
		},
		"deactivation": {
			promotionRetire, false,
			func(e *env, id string, p domain.PromotionCodeName) error { return deactivate(e, e.Store, id, p) },
			func(e *env, other *Store, p domain.PromotionCodeName) error { return activate(e, other, "", p) },
		},
		"activation": {
			promotionPend, true,
			func(e *env, id string, p domain.PromotionCodeName) error {
				e.deactivate(p)
				return activate(e, e.Store, id, p)
			},
			func(e *env, other *Store, p domain.PromotionCodeName) error {
				return errors.Join(activate(e, other, "", p), deactivate(e, other, "", p))
			},
		},
	}
	for name, c := range changes {
		for _, id := range []string{"", "r"} {
			t.Run(name+map[string]string{"": " without an id", "r": ""}[id], func(t *testing.T) {
				e := open(t, onRedis)
				e.createCoupon(percentOff("a"))
				p := e.createCode(promotionCode("a", "X")).Name
				other := e.server()
				var between map[string]string
				e.client.AddHook(&overtaker{script: c.script, then: func() {
					if err := c.overtake(e, other, p); err != nil {
						t.Errorf("in between: %v", err)
					}
					between = e.dump()
				}})
				err := c.change(e, id, p)
				u, unknown := errors.AsType[*domain.UnavailableError](err)
				switch {
				case between == nil:
					t.Fatal("nothing was lost")
				case id == "" || c.alwaysUnknown:
					if !unknown || !u.OutcomeUnknown {
						t.Errorf("got %v", err)
					}
				case err != nil:
					t.Error(err)
				}
				e.sameAs(between)
			})
		}
	}
}
