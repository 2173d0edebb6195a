// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package acceptance

import (
	"fmt"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	discountv1 "github.com/discountd/discountd/gen/discount/v1"
)

// limitCoupon sets a coupon's max_redemptions; nil removes it.
func (s *service) limitCoupon(t *testing.T, c *discountv1.Coupon, limit *int64) {
	t.Helper()
	_, err := s.UpdateCoupon(within(t), &discountv1.UpdateCouponRequest{
		Coupon:     &discountv1.Coupon{Name: c.GetName(), MaxRedemptions: limit},
		UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"max_redemptions"}},
	})
	if err != nil {
		t.Fatalf("UpdateCoupon: %v", err)
	}
}

func (s *service) limitCode(t *testing.T, p *discountv1.PromotionCode, limit *int64) error {
	t.Helper()
	_, err := s.UpdatePromotionCode(within(t), &discountv1.UpdatePromotionCodeRequest{
		PromotionCode: &discountv1.PromotionCode{Name: p.GetName(), MaxRedemptions: limit},
		UpdateMask:    &fieldmaskpb.FieldMask{Paths: []string{"max_redemptions"}},
	})
	return err
}

func TestCouponForTheFirstFiftyWithAWinterCodeForTwentyOfThem(t *testing.T) {
	t.Parallel()
	s := start(t)
	c := s.coupon(t, percentOff(10, couponLimit(50)))
	winter := s.code(t, c, coded("WINTER", codeLimit(20)))
	spring := s.code(t, c, coded("SPRING"))

	for range 20 {
		s.redeems(t, purchase(typing("WINTER")))
	}
	why := s.refuses(t, purchase(typing("WINTER")), codeUsedUp)
	if why[0].GetLimit() != 20 {
		t.Errorf("the refusal says limit: %d, want 20", why[0].GetLimit())
	}
	s.wantStatus(t, winter, exhausted)

	for range 30 {
		s.redeems(t, purchase(typing("SPRING")))
	}
	why = s.refuses(t, purchase(typing("SPRING")), couponUsedUp)
	if why[0].GetLimit() != 50 {
		t.Errorf("the refusal says limit: %d, want 50", why[0].GetLimit())
	}
	s.refuses(t, purchase(typing("WINTER")), codeUsedUp, couponUsedUp)
	s.wantStatus(t, spring, couponInvalid)
	s.wantUsed(t, c, 50)
	if got := s.wantStatus(t, winter, exhausted).GetTimesRedeemed(); got != 20 {
		t.Errorf("WINTER was redeemed %d times, want 20", got)
	}
}

func TestLimitOfACodeAboveTheCouponsIsRefused(t *testing.T) {
	t.Parallel()
	s := start(t)
	c := s.coupon(t, percentOff(10, couponLimit(50)))

	var err error
	s.wantNothingWritten(t, c, func() {
		_, err = s.createCode(t, c, coded("TOO-MANY", codeLimit(51)))
	})
	wantViolations(t, err, "promotion_code.max_redemptions")
	s.refuses(t, purchase(typing("TOO-MANY")), codeNotFound)

	p := s.code(t, c, coded("ALL-OF-THEM", codeLimit(50)))
	above := int64(51)
	s.wantNothingWritten(t, c, func() { err = s.limitCode(t, p, &above) })
	wantViolations(t, err, "promotion_code.max_redemptions")
	if got := s.wantStatus(t, p, active).GetMaxRedemptions(); got != 50 {
		t.Errorf("the limit is %d after a refused update, want 50", got)
	}
	s.code(t, s.coupon(t, percentOff(10)), coded("OF-ANY-NUMBER", codeLimit(1_000_000)))
}

func TestUsedUpCodeIsPermanentlyInactiveAndFreeForAnother(t *testing.T) {
	t.Parallel()
	s := start(t)
	c := s.coupon(t, percentOff(10))
	first := s.code(t, c, coded("ONCE", codeLimit(1)))
	s.redeems(t, purchase(typing("ONCE")))
	wantError(t, s.activate(t, first), codes.FailedPrecondition, "CODE_MAX_REDEMPTIONS_REACHED")

	s.code(t, c, coded("ONCE", codeLimit(1)))
	s.wantStatus(t, first, superseded)
	s.redeems(t, purchase(typing("ONCE")))
	s.wantUsed(t, c, 2)
}

func TestRaisedLimitReopensAndALoweredOneStops(t *testing.T) {
	t.Parallel()
	s := start(t)
	c := s.coupon(t, percentOff(10, couponLimit(1)))
	p := s.code(t, c, coded("MORE", codeLimit(1)))
	s.redeems(t, purchase(typing("MORE")))
	s.refuses(t, purchase(typing("MORE")), codeUsedUp, couponUsedUp)

	three, one := int64(3), int64(1)
	s.limitCoupon(t, c, &three)
	s.refuses(t, purchase(typing("MORE")), codeUsedUp)
	if err := s.limitCode(t, p, &three); err != nil {
		t.Fatal(err)
	}
	s.wantStatus(t, p, active)
	s.redeems(t, purchase(typing("MORE")))

	// Below what is used: no more, and nothing else changes.
	s.limitCoupon(t, c, &one)
	s.refuses(t, purchase(typing("MORE")), couponUsedUp)
	s.wantUsed(t, c, 2)

	s.limitCoupon(t, c, nil)
	s.redeems(t, purchase(typing("MORE")))
	s.refuses(t, purchase(typing("MORE")), codeUsedUp)
}

func TestEachCustomerMayUseACouponSoOftenOverAllItsCodes(t *testing.T) {
	t.Parallel()
	s := start(t)
	c := s.coupon(t, percentOff(10, couponLimitPerCustomer(2)))
	s.code(t, c, coded("FALL"))
	s.code(t, c, coded("SPRING"))

	for _, who := range []string{"alice", "bob"} {
		s.redeems(t, purchase(typing("FALL"), by(who)))
		s.redeems(t, purchase(typing("SPRING"), by(who)))
		why := s.refuses(t, purchase(typing("FALL"), by(who)), customerUsedUp)
		if why[0].GetLimit() != 2 {
			t.Errorf("the refusal says limit: %d, want 2", why[0].GetLimit())
		}
		s.refuses(t, purchase(applying(c), by(who)), customerUsedUp)
	}
	s.refuses(t, purchase(typing("FALL")), customerRequired)
	s.wantUsed(t, c, 4)
}

func TestEachCustomerMayUseACodeSoOften(t *testing.T) {
	t.Parallel()
	s := start(t)
	c := s.coupon(t, percentOff(10))
	s.code(t, c, coded("ONCE-EACH", codeLimitPerCustomer(1)))
	s.code(t, c, coded("AS-OFTEN-AS-YOU-LIKE"))

	for i := range 5 {
		who := by(fmt.Sprintf("customer-%d", i))
		s.redeems(t, purchase(typing("ONCE-EACH"), who))
		s.refuses(t, purchase(typing("ONCE-EACH"), who), customerUsedUp)
		s.redeems(t, purchase(typing("AS-OFTEN-AS-YOU-LIKE"), who))
	}
	s.refuses(t, purchase(typing("ONCE-EACH")), customerRequired)
	s.redeems(t, purchase(typing("AS-OFTEN-AS-YOU-LIKE")))
	s.wantUsed(t, c, 11)
}

func TestEveryIdentityThatACallSuppliesIsChecked(t *testing.T) {
	t.Parallel()
	s := start(t)
	c := s.coupon(t, percentOff(10, couponLimitPerCustomer(1)))
	s.code(t, c, coded("ONCE"))
	alice, mail := by("alice"), byEmail("alice@example.com")

	s.redeems(t, purchase(typing("ONCE"), alice, mail))
	s.refuses(t, purchase(typing("ONCE"), alice), customerUsedUp)
	s.refuses(t, purchase(typing("ONCE"), mail), customerUsedUp)
	s.refuses(t, purchase(typing("ONCE"), by("alice-again"), byEmail("ALICE@example.com")), customerUsedUp)
	s.refuses(t, purchase(typing("ONCE"), alice, byEmail("other@example.com")), customerUsedUp)

	// A refusal charges nobody.
	s.redeems(t, purchase(typing("ONCE"), by("alice-again")))
	s.redeems(t, purchase(typing("ONCE"), byEmail("other@example.com")))
	s.wantUsed(t, c, 3)
}

func TestLimitPerCustomerCountsUsesFromBeforeItWasSet(t *testing.T) {
	t.Parallel()
	s := start(t)
	c := s.coupon(t, percentOff(10))
	s.redeems(t, purchase(applying(c), by("alice")))
	one := int64(1)
	_, err := s.UpdateCoupon(within(t), &discountv1.UpdateCouponRequest{
		Coupon:     &discountv1.Coupon{Name: c.GetName(), MaxRedemptionsPerCustomer: &one},
		UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"max_redemptions_per_customer"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.refuses(t, purchase(applying(c), by("alice")), customerUsedUp)
	s.redeems(t, purchase(applying(c), by("bob")))
}
