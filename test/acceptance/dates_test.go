// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package acceptance

import (
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	discountv1 "github.com/discountd/discountd/gen/discount/v1"
)

const day = 24 * time.Hour

// moment is the smallest step of time that is told apart.
const moment = time.Millisecond

func TestExpiryIsFilledFromTheCouponAndRefusedWhenLater(t *testing.T) {
	t.Parallel()
	s := start(t)
	end := today.Add(30 * day)
	c := s.coupon(t, percentOff(10, couponUntil(end)))

	if got := s.code(t, c, coded("FILLED")).GetExpiresAt().AsTime(); !got.Equal(end) {
		t.Errorf("expires_at was filled with %v, want %v", got, end)
	}
	if got := s.code(t, c, coded("EARLIER", codeUntil(end.Add(-day)))).GetExpiresAt().AsTime(); !got.Equal(end.Add(-day)) {
		t.Errorf("an earlier expires_at became %v", got)
	}
	s.code(t, c, coded("EQUAL", codeUntil(end)))
	s.wantNothingWritten(t, c, func() {
		_, err := s.createCode(t, c, coded("LATER", codeUntil(end.Add(moment))))
		wantViolations(t, err, "promotion_code.expires_at")
	})
	s.refuses(t, purchase(typing("LATER")), codeNotFound)

	_, err := s.createCode(t, c, coded("PAST", codeUntil(today)))
	wantViolations(t, err, "promotion_code.expires_at")
	_, err = s.CreateCoupon(within(t), &discountv1.CreateCouponRequest{Coupon: percentOff(10, couponUntil(today))})
	wantViolations(t, err, "coupon.redeem_by")

	if got := s.code(t, s.coupon(t, percentOff(10)), coded("ENDLESS")).GetExpiresAt(); got != nil {
		t.Errorf("expires_at is %v where the coupon has no end", got)
	}
}

func TestCodeIsRefusedFromTheInstantOfItsExpiryOn(t *testing.T) {
	t.Parallel()
	s := start(t)
	end := today.Add(day)
	c := s.coupon(t, percentOff(10))
	p := s.code(t, c, coded("TODAY", codeUntil(end)))

	s.clock.set(end.Add(-moment))
	s.redeems(t, purchase(typing("TODAY")))
	s.clock.set(end)
	why := s.refuses(t, purchase(typing("TODAY")), codeExpired)
	if got := why[0].GetExpiresAt().AsTime(); !got.Equal(end) {
		t.Errorf("the refusal says expires_at: %v, want %v", got, end)
	}
	if why[0].GetRetryable() {
		t.Error("an expired code is said to be worth another try")
	}
	if s.wantStatus(t, p, expired).GetActive() {
		t.Error("an expired code is said to be active")
	}
}

func TestExpiredCodeIsPermanentlyInactiveAndFreeForAnother(t *testing.T) {
	t.Parallel()
	s := start(t)
	c := s.coupon(t, percentOff(10))
	old := s.code(t, c, coded("SPRING", codeUntil(today.Add(day))))
	s.clock.set(today.Add(day))

	err := s.activate(t, old)
	wantError(t, err, codes.FailedPrecondition, "CODE_EXPIRED")
	if got := detail[*discountv1.PromotionCodeRefused](t, err).GetIneligibilities(); len(got) != 1 || got[0].GetReason() != codeExpired {
		t.Errorf("activation was refused for %v", got)
	}

	next := s.code(t, c, coded("SPRING"))
	s.wantStatus(t, old, superseded)
	if got := s.redeems(t, purchase(typing("SPRING"))).GetPromotionCode(); got != next.GetName() {
		t.Errorf("SPRING led to %s, want %s", got, next.GetName())
	}
	s.refuses(t, purchase(using(old)), codeInactive, codeExpired)
	wantError(t, s.activate(t, old), codes.FailedPrecondition, "CODE_INACTIVE")
}

func TestCodeCannotBeRedeemedBeforeItStarts(t *testing.T) {
	t.Parallel()
	s := start(t)
	couponStart, codeStart := today.Add(day), today.Add(2*day)
	c := s.coupon(t, percentOff(10, couponFrom(couponStart)))
	asCoupon := s.code(t, c, coded("WITH-COUPON"))
	later := s.code(t, c, coded("LATER", codeFrom(codeStart)))

	s.wantStatus(t, asCoupon, scheduled)
	if !s.wantStatus(t, later, scheduled).GetActive() {
		t.Error("a scheduled code is said not to hold its code")
	}
	for r, at := range map[*discountv1.RedeemRequest]time.Time{
		purchase(applying(c)):           couponStart,
		purchase(typing("WITH-COUPON")): couponStart,
		purchase(typing("LATER")):       codeStart,
	} {
		why := s.refuses(t, r, notYetActive)
		if got := why[0].GetStartsAt().AsTime(); !got.Equal(at) || !why[0].GetRetryable() {
			t.Errorf("%v: starts_at: %v, retryable: %v, want %v and true", r.GetSource(), got, why[0].GetRetryable(), at)
		}
	}
	_, err := s.createCode(t, c, coded("LATER"))
	wantHeldBy(t, err, later)

	s.clock.set(couponStart)
	s.redeems(t, purchase(applying(c)))
	s.redeems(t, purchase(typing("WITH-COUPON")))
	s.wantStatus(t, asCoupon, active)
	s.clock.set(codeStart.Add(-moment))
	s.refuses(t, purchase(typing("LATER")), notYetActive)
	s.clock.set(codeStart)
	s.redeems(t, purchase(typing("LATER")))
}

func TestCouponThatEndsMakesAllItsCodesPermanentlyInactive(t *testing.T) {
	t.Parallel()
	end := today.Add(30 * day)
	for name, ending := range map[string]struct {
		coupon *discountv1.Coupon
		ends   func(*testing.T, *service, *discountv1.Coupon)
		status discountv1.PromotionCodeStatus
		why    []discountv1.IneligibilityReason
		reason string // of the refused activation and creation
	}{
		"by time": {
			percentOff(10, couponUntil(end)),
			func(_ *testing.T, s *service, _ *discountv1.Coupon) { s.clock.set(end) },
			// Its codes took their expires_at from it.
			expired,
			[]discountv1.IneligibilityReason{couponExpired, codeExpired},
			"COUPON_EXPIRED",
		},
		"by use": {
			percentOff(10, couponLimit(1)),
			func(t *testing.T, s *service, c *discountv1.Coupon) {
				t.Helper()
				s.redeems(t, purchase(applying(c)))
			},
			couponInvalid,
			[]discountv1.IneligibilityReason{couponUsedUp},
			"COUPON_MAX_REDEMPTIONS_REACHED",
		},
		"by deletion": {
			percentOff(10),
			func(t *testing.T, s *service, c *discountv1.Coupon) {
				t.Helper()
				s.deleteCoupon(t, c)
			},
			couponInvalid,
			[]discountv1.IneligibilityReason{couponDeleted},
			"COUPON_DELETED",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t)
			c := s.coupon(t, ending.coupon)
			fall, spring, alices := s.code(t, c, coded("FALL")), s.code(t, c, coded("SPRING")), s.code(t, c, coded("ALICE", boundTo("alice")))
			byHand := s.code(t, c, coded("BY-HAND"))
			s.deactivate(t, byHand)
			all := []*discountv1.PromotionCode{fall, spring, alices, byHand}

			ending.ends(t, s, c)
			for _, p := range all {
				if s.wantStatus(t, p, ending.status).GetActive() {
					t.Errorf("%s is active", p.GetCode())
				}
				wantError(t, s.activate(t, p), codes.FailedPrecondition, ending.reason)
			}
			for _, p := range all[:3] {
				s.refuses(t, purchase(using(p), by("alice")), ending.why...)
				s.refuses(t, purchase(typing(p.GetCode()), by("alice")), ending.why...)
			}
			_, err := s.createCode(t, c, coded("TOO-LATE"))
			wantError(t, err, codes.FailedPrecondition, ending.reason)

			// All of them are free for others.
			other := s.coupon(t, percentOff(20))
			for _, p := range all {
				s.code(t, other, coded(p.GetCode()))
				s.redeems(t, purchase(typing(p.GetCode()), by("alice")))
			}
		})
	}
}

func TestDeletedCouponCannotBeChangedOrRedeemed(t *testing.T) {
	t.Parallel()
	s := start(t)
	c := s.coupon(t, percentOff(10))
	kept := s.redeems(t, purchase(applying(c)))
	s.deleteCoupon(t, c)
	s.deleteCoupon(t, c) // again, to the same end

	s.refuses(t, purchase(applying(c)), couponDeleted)
	got, err := s.GetCoupon(within(t), &discountv1.GetCouponRequest{Name: c.GetName()})
	if err != nil || got.GetCoupon().GetValid() || got.GetCoupon().GetState() != discountv1.CouponState_COUPON_STATE_DELETED {
		t.Errorf("a deleted coupon is shown as %v, %v", got, err)
	}
	if _, err := s.GetRedemption(within(t), &discountv1.GetRedemptionRequest{Name: kept.GetName()}); err != nil {
		t.Errorf("what was redeemed is gone: %v", err)
	}
	s.wantUsed(t, c, 1)
}
