// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package acceptance

import (
	"regexp"
	"testing"

	"google.golang.org/grpc/codes"

	discountv1 "github.com/discountd/discountd/gen/discount/v1"
)

// wantOff compares what a redemption took off.
func wantOff(t *testing.T, r *discountv1.Redemption, want int64) {
	t.Helper()
	if got := r.GetDiscount().GetTotalAmountMinor(); got != want {
		t.Errorf("%d was taken off, want %d", got, want)
	}
}

func TestTwoCodesShareOneCoupon(t *testing.T) {
	t.Parallel()
	s := start(t)
	quarter := s.coupon(t, percentOff(25))
	fall := s.code(t, quarter, coded("FALLPROMO"))
	spring := s.code(t, quarter, coded("SPRINGPROMO"))

	wantOff(t, s.redeems(t, purchase(typing("FALLPROMO"), paying(10_000, "EUR"))), 2_500)
	wantOff(t, s.redeems(t, purchase(typing("SPRINGPROMO"), paying(8_000, "EUR"))), 2_000)
	wantOff(t, s.redeems(t, purchase(typing("SPRINGPROMO"), paying(1, "EUR"))), 0)

	if got := s.wantStatus(t, fall, active).GetTimesRedeemed(); got != 1 {
		t.Errorf("FALLPROMO was redeemed %d times, want 1", got)
	}
	if got := s.wantStatus(t, spring, active).GetTimesRedeemed(); got != 2 {
		t.Errorf("SPRINGPROMO was redeemed %d times, want 2", got)
	}
	s.wantUsed(t, quarter, 3)
}

func TestCodeOfOneCustomerIsRefusedToAnother(t *testing.T) {
	t.Parallel()
	s := start(t)
	fifth := s.coupon(t, percentOff(20))
	alices := s.code(t, fifth, coded("ALICE20", boundTo("alice")))

	s.refuses(t, purchase(typing("ALICE20"), by("bob"), paying(100, "EUR")), customerMismatch)
	s.refuses(t, purchase(typing("ALICE20"), paying(100, "EUR")), customerRequired)
	s.refuses(t, purchase(using(alices), by("bob"), paying(100, "EUR")), customerMismatch)
	s.refuses(t, purchase(using(alices), paying(100, "EUR")), customerRequired)
	s.wantUsed(t, fifth, 0)
	wantOff(t, s.redeems(t, purchase(typing("ALICE20"), by("alice"), paying(100, "EUR"))), 20)
	s.wantUsed(t, fifth, 1)
}

func TestCodeBoundToAnEmailAddressKnowsItWhateverItsCase(t *testing.T) {
	t.Parallel()
	s := start(t)
	c := s.coupon(t, percentOff(20))
	p := s.code(t, c, coded("ALICE20", boundToEmail("Alice@Example.com")))
	if !p.GetEmailBound() || p.GetCustomerEmail() != "" {
		t.Errorf("the answer says email_bound: %v, customer_email: %q", p.GetEmailBound(), p.GetCustomerEmail())
	}

	s.refuses(t, purchase(typing("ALICE20"), byEmail("bob@example.com")), customerMismatch)
	s.refuses(t, purchase(typing("ALICE20"), by("alice")), customerMismatch)
	got := s.redeems(t, purchase(typing("ALICE20"), by("alice"), byEmail("aLICE@eXAMPLE.COM")))
	if !got.GetEmailBound() || got.GetCustomerId() != "alice" {
		t.Errorf("the redemption says email_bound: %v, customer_id: %q", got.GetEmailBound(), got.GetCustomerId())
	}
}

func TestTwoCustomersMayEachHaveACodeThatIsThenRefusedToEveryone(t *testing.T) {
	t.Parallel()
	s := start(t)
	tenth, half := s.coupon(t, percentOff(10)), s.coupon(t, percentOff(50))
	alices := s.code(t, tenth, coded("WELCOME", boundTo("alice")))
	bobs := s.code(t, half, coded("welcome", boundTo("bob")))

	_, err := s.createCode(t, tenth, coded("Welcome"))
	wantError(t, err, codes.AlreadyExists, "CODE_ALREADY_ACTIVE")
	_, err = s.createCode(t, tenth, coded("WELCOME", boundTo("bob")))
	wantHeldBy(t, err, bobs)

	wantOff(t, s.redeems(t, purchase(typing("WELCOME"), by("alice"), paying(100, "EUR"))), 10)
	wantOff(t, s.redeems(t, purchase(typing("WELCOME"), by("bob"), paying(100, "EUR"))), 50)
	s.refuses(t, purchase(typing("WELCOME"), by("carol"), paying(100, "EUR")), customerMismatch)

	// When none of them is active, everyone may have it.
	s.deactivate(t, alices)
	s.deactivate(t, bobs)
	everyones := s.code(t, tenth, coded("WELCOME"))
	wantHeldBy(t, s.activate(t, alices), everyones)
	wantOff(t, s.redeems(t, purchase(typing("WELCOME"), by("bob"), paying(100, "EUR"))), 10)
}

func TestCodeOfEveryoneIsRefusedToAnyOneCustomer(t *testing.T) {
	t.Parallel()
	s := start(t)
	tenth, half := s.coupon(t, percentOff(10)), s.coupon(t, percentOff(50))
	everyones := s.code(t, tenth, coded("WELCOME"))

	for _, p := range []*discountv1.PromotionCode{
		coded("WELCOME", boundTo("alice")), coded("welcome", boundTo("bob")),
		coded("WELCOME", boundToEmail("alice@example.com")), coded("WELCOME"),
	} {
		_, err := s.createCode(t, half, p)
		wantHeldBy(t, err, everyones)
	}
	wantOff(t, s.redeems(t, purchase(typing("WELCOME"), by("alice"), paying(100, "EUR"))), 10)

	s.deactivate(t, everyones)
	alices := s.code(t, half, coded("WELCOME", boundTo("alice")))
	wantHeldBy(t, s.activate(t, everyones), alices)
	wantOff(t, s.redeems(t, purchase(typing("WELCOME"), by("alice"), paying(100, "EUR"))), 50)
}

func TestDeactivatedCodeCanBeCreatedAgainAndTheFirstOneNotActivated(t *testing.T) {
	t.Parallel()
	s := start(t)
	c := s.coupon(t, percentOff(10))
	first := s.code(t, c, coded("NEWUSER"))

	s.deactivate(t, first)
	s.wantStatus(t, first, inactive)
	s.refuses(t, purchase(typing("NEWUSER")), codeInactive)
	s.refuses(t, purchase(using(first)), codeInactive)

	second := s.code(t, c, coded("NEWUSER"))
	wantHeldBy(t, s.activate(t, first), second)
	s.wantStatus(t, first, inactive)
	if got := s.redeems(t, purchase(typing("NEWUSER"))).GetPromotionCode(); got != second.GetName() {
		t.Errorf("NEWUSER led to %s, want %s", got, second.GetName())
	}

	// The first one is only waiting.
	s.deactivate(t, second)
	if err := s.activate(t, first); err != nil {
		t.Errorf("activate the first one when the second is inactive: %v", err)
	}
	if got := s.redeems(t, purchase(typing("NEWUSER"))).GetPromotionCode(); got != first.GetName() {
		t.Errorf("NEWUSER led to %s, want %s", got, first.GetName())
	}
}

func TestEtagOfAPromotionCodeStaysWhenNothingChanges(t *testing.T) {
	t.Parallel()
	s := start(t)
	c := s.coupon(t, percentOff(10))
	p := s.code(t, c, coded("NEWUSER"))
	s.deactivate(t, p)
	etag := s.wantStatus(t, p, inactive).GetEtag()

	s.deactivate(t, p)
	if got := s.wantStatus(t, p, inactive).GetEtag(); got != etag {
		t.Errorf("deactivated again, it has the etag %s instead of %s", got, etag)
	}
	second := s.code(t, c, coded("newuser"))
	wantHeldBy(t, s.activate(t, p), second)
	if got := s.wantStatus(t, p, inactive).GetEtag(); got != etag {
		t.Errorf("refused to be activated, it has the etag %s instead of %s", got, etag)
	}
}

func TestBlankCodeIsGenerated(t *testing.T) {
	t.Parallel()
	s := start(t)
	c := s.coupon(t, percentOff(10))
	looksAlike := regexp.MustCompile(`^[0-9A-HJKMNP-TV-Z]{12}$`) // without I, L, O and U
	seen := map[string]bool{}
	for range 20 {
		got := s.code(t, c, coded("")).GetCode()
		if !looksAlike.MatchString(got) || seen[got] {
			t.Errorf("%q was generated", got)
		}
		seen[got] = true
		s.redeems(t, purchase(typing(got)))
	}
}

func TestCodesAreMatchedWhateverTheirCase(t *testing.T) {
	t.Parallel()
	s := start(t)
	c := s.coupon(t, percentOff(10))
	p := s.code(t, c, coded("Summer-Sale_26"))
	if p.GetCode() != "Summer-Sale_26" {
		t.Errorf("the code is shown as %q", p.GetCode())
	}
	for _, typed := range []string{"Summer-Sale_26", "SUMMER-SALE_26", "summer-sale_26", " \tsUMMER-sALE_26\r\n"} {
		s.redeems(t, purchase(typing(typed)))
	}
	_, err := s.createCode(t, c, coded("SUMMER-sale_26"))
	wantHeldBy(t, err, p)
	s.refuses(t, purchase(typing("SUMMER-SALE-26")), codeNotFound)
}

func TestWhatLooksLikeACodeButIsNoneIsMalformed(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.code(t, s.coupon(t, percentOff(10)), coded("KIWIS"))
	for _, typed := range []string{
		"", " ", "KI WIS", "KIWI$", "\u212aIWIS", "K\u0131WIS", "KIWI\u017f", "\uff2bIWIS", "KIWI\u0053\u0301", "KIWIS\x00", "{KIWIS}",
	} {
		s.refuses(t, purchase(typing(typed)), codeMalformed)
	}
}

func TestDeletedCodeIsRefusedForGood(t *testing.T) {
	t.Parallel()
	s := start(t)
	c := s.coupon(t, percentOff(10))
	p := s.code(t, c, coded("OOPS"))
	kept := s.redeems(t, purchase(typing("OOPS")))

	s.deleteCode(t, p)
	s.wantStatus(t, p, deleted)
	s.refuses(t, purchase(typing("OOPS")), codeInactive)
	s.refuses(t, purchase(using(p)), codeInactive)
	wantError(t, s.activate(t, p), codes.FailedPrecondition, "PROMOTION_CODE_DELETED")
	s.deleteCode(t, p) // again, to the same end

	// What was redeemed stays, and the code is free.
	got, err := s.GetRedemption(within(t), &discountv1.GetRedemptionRequest{Name: kept.GetName()})
	if err != nil || got.GetRedemption().GetState() != discountv1.RedemptionState_REDEMPTION_STATE_REDEEMED {
		t.Errorf("what was redeemed became %v, %v", got, err)
	}
	s.code(t, c, coded("OOPS"))
	s.redeems(t, purchase(typing("OOPS")))
	s.wantUsed(t, c, 2)
}

func TestCouponIsAppliedDirectly(t *testing.T) {
	t.Parallel()
	s := start(t)
	c := s.coupon(t, percentOff(10, couponLimit(2)))
	s.code(t, c, coded("TEN", codeLimit(1)))

	direct := s.redeems(t, purchase(applying(c), by("alice"), paying(1_000, "EUR")))
	wantOff(t, direct, 100)
	if direct.GetPromotionCode() != "" {
		t.Errorf("a coupon applied directly names %s", direct.GetPromotionCode())
	}
	// The coupon's limit counts both.
	s.redeems(t, purchase(typing("TEN")))
	s.refuses(t, purchase(applying(c)), couponUsedUp)
	s.refuses(t, purchase(typing("TEN")), couponUsedUp, codeUsedUp)
	s.wantUsed(t, c, 2)
}

func TestPromotionCodeIsRedeemedByName(t *testing.T) {
	t.Parallel()
	s := start(t)
	c := s.coupon(t, percentOff(10))
	p := s.code(t, c, coded("", codeLimit(1)))
	got := s.redeems(t, purchase(using(p), paying(1_000, "EUR")))
	wantOff(t, got, 100)
	if got.GetPromotionCode() != p.GetName() {
		t.Errorf("the redemption names %s, want %s", got.GetPromotionCode(), p.GetName())
	}
	s.refuses(t, purchase(using(p)), codeUsedUp)
}

func TestUnknownCodeIsAnAnswerAndUnknownNamesAreErrors(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.refuses(t, purchase(typing("NOBODY-HAS-THIS")), codeNotFound)

	nowhere := &discountv1.Coupon{Name: "coupons/nowhere"}
	nobody := &discountv1.PromotionCode{Name: s.coupon(t, percentOff(10)).GetName() + "/promotionCodes/00000000"}
	for _, c := range []struct {
		r      *discountv1.RedeemRequest
		reason string
	}{
		{purchase(applying(nowhere)), "COUPON_NOT_FOUND"},
		{purchase(using(nobody)), "PROMOTION_CODE_NOT_FOUND"},
	} {
		_, err := s.Redeem(within(t), c.r)
		wantError(t, err, codes.NotFound, c.reason)
		_, err = s.ValidateCode(within(t), validation(c.r))
		wantError(t, err, codes.NotFound, c.reason)
	}
}
