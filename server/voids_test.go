// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	discountv1 "github.com/discountd/discountd/gen/discount/v1"
)

func TestARedemptionIsVoidedInPartsAndThenAsAWhole(t *testing.T) {
	c := begin(t, halfOff)
	redeemed := c.redemption("Redeem", `request_id: "r" coupon: "coupons/half"`+anOrder)

	c.later(time.Minute)
	part := c.redemption("VoidRedemption", `request_id: "v1" name: %q amount_minor: 300 reason: "one sock was returned"`, redeemed.GetName())
	c.wantState("REDEEMED", part)
	c.used("coupons/half", 1, 700)

	err := c.wantError("AMOUNT_EXCEEDED", "VoidRedemption", `request_id: "v2" name: %q amount_minor: 701`, redeemed.GetName())
	if got := detail[*errdetails.ErrorInfo](t, err).GetMetadata()["limit_amount_minor"]; got != "700" {
		t.Errorf("at most %s can be voided, want 700", got)
	}
	c.used("coupons/half", 1, 700)

	c.later(time.Minute)
	whole := c.redemption("VoidRedemption", `request_id: "v2" name: %q`, redeemed.GetName())
	c.wantState("VOIDED", whole)
	c.used("coupons/half", 0, 0)
	want := []*discountv1.RedemptionVoid{
		{AmountMinor: 300, Reason: "one sock was returned", RequestId: "v1", CreateTime: timestamppb.New(aBeginning.Add(time.Minute))},
		{AmountMinor: 700, RequestId: "v2", CreateTime: timestamppb.New(aBeginning.Add(2 * time.Minute))},
	}
	if diff := cmp.Diff(want, whole.GetVoids(), protocmp.Transform()); diff != "" || whole.GetVoidedAmountMinor() != 1000 {
		t.Errorf("%d is voided (-want +got):\n%s", whole.GetVoidedAmountMinor(), diff)
	}
	if diff := cmp.Diff(redeemed.GetDiscount(), whole.GetDiscount(), protocmp.Transform()); diff != "" {
		t.Errorf("what was granted changed (-before +after):\n%s", diff)
	}
}

func TestVoidingAllThatIsLeftByItsAmountVoidsTheWhole(t *testing.T) {
	c := begin(t, halfOff)
	redeemed := c.redemption("Redeem", `request_id: "r" coupon: "coupons/half"`+anOrder)
	c.wantState("VOIDED", c.redemption("VoidRedemption", `request_id: "v" name: %q amount_minor: 1000`, redeemed.GetName()))
	c.used("coupons/half", 0, 0)
}

func TestAVoidGivesTheUseOfTheCodeBack(t *testing.T) {
	c := begin(t, once)
	c.do("CreatePromotionCode", `parent: "coupons/once" promotion_code { code: "ONCE" max_redemptions: 1 max_redemptions_per_customer: 1 }`)
	const again = ` code: "once" customer { id: "jane" }`
	redeemed := c.redemption("Redeem", `request_id: "r1"`+again)
	if valid, ok := c.do("ValidateCode", again).(*discountv1.ValidateCodeResponse); !ok || valid.GetValid() {
		t.Errorf("after its only use: %v", valid)
	}
	c.wantState("VOIDED", c.redemption("VoidRedemption", `request_id: "v" name: %q`, redeemed.GetName()))
	c.wantState("REDEEMED", c.redemption("Redeem", `request_id: "r2"`+again))
	c.wantState("VOIDED", c.redemption("Redeem", `request_id: "r1"`+again))
}

// TestAUseWithoutAnAmountIsVoidedAsAWholeOnly covers a redemption without an order:
// there is nothing of it to void but the use.
func TestAUseWithoutAnAmountIsVoidedAsAWholeOnly(t *testing.T) {
	c := begin(t, once)
	redeemed := c.redemption("Redeem", `request_id: "r" coupon: "coupons/once"`)
	_ = c.wantError("AMOUNT_EXCEEDED", "VoidRedemption", `request_id: "v" name: %q amount_minor: 1`, redeemed.GetName())
	c.used("coupons/once", 1, 0)
	c.wantState("VOIDED", c.redemption("VoidRedemption", `request_id: "v" name: %q`, redeemed.GetName()))
	c.used("coupons/once", 0, 0)
}

// TestACodeThatSomeoneElseTookStaysTheirs voids the use that had made a code free
// for another promotion.
func TestACodeThatSomeoneElseTookStaysTheirs(t *testing.T) {
	c := begin(t, once, halfOff)
	c.do("CreatePromotionCode", `parent: "coupons/once" promotion_code { code: "FALL" }`)
	redeemed := c.redemption("Redeem", `request_id: "r" code: "FALL"`)
	c.do("CreatePromotionCode", `parent: "coupons/half" promotion_code { code: "FALL" }`)
	c.wantState("VOIDED", c.redemption("VoidRedemption", `request_id: "v" name: %q`, redeemed.GetName()))
	c.used("coupons/once", 0, 0)
	if got := c.redemption("Redeem", `request_id: "r2" code: "FALL"`+anOrder).GetName(); got[:len("coupons/half/")] != "coupons/half/" {
		t.Errorf("the code leads to %s, want coupons/half", got)
	}
}

func TestRedemptionsAreListedByStateAndTime(t *testing.T) {
	c := begin(t, `coupon_id: "many" coupon { percent_off { basis_points: 5000 } }`)
	const many = `coupon: "coupons/many"`
	c.do("Redeem", `request_id: "redeemed"`+many)
	voided := c.redemption("Redeem", `request_id: "voided"`+many)
	c.do("VoidRedemption", `request_id: "v" name: %q`, voided.GetName())
	c.later(time.Second)
	c.do("ReserveRedemption", `request_id: "expired" ttl { seconds: 1 }`+many)
	released := c.redemption("ReserveRedemption", `request_id: "released"`+many)
	c.do("ReleaseRedemption", `request_id: "l" name: %q`, released.GetName())
	c.later(time.Second)
	c.do("ReserveRedemption", `request_id: "reserved"`+many)

	// The three moments are these many seconds and 250 ms after that of the test.
	begun := aBeginning.Unix()
	for _, l := range []struct {
		filter string
		args   []any
		want   []string
	}{
		{``, nil, []string{"redeemed", "voided", "expired", "released", "reserved"}},
		{`state: REDEMPTION_STATE_REDEEMED`, nil, []string{"redeemed"}},
		{`state: REDEMPTION_STATE_VOIDED`, nil, []string{"voided"}},
		{`state: REDEMPTION_STATE_EXPIRED`, nil, []string{"expired"}},
		{`state: REDEMPTION_STATE_RELEASED`, nil, []string{"released"}},
		{`state: REDEMPTION_STATE_RESERVED`, nil, []string{"reserved"}},
		{`created_after { seconds: %d nanos: 250000000 }`, []any{begun + 1}, []string{"expired", "released", "reserved"}},
		{`created_after { seconds: %d nanos: 250000001 }`, []any{begun + 1}, []string{"reserved"}},
		{`created_before { seconds: %d nanos: 250000000 }`, []any{begun + 1}, []string{"redeemed", "voided"}},
		{`created_before { seconds: %d nanos: 250000001 }`, []any{begun + 1}, []string{"redeemed", "voided", "expired", "released"}},
		{`created_after { seconds: %d } created_before { seconds: %d }`, []any{begun + 1, begun + 2}, []string{"expired", "released"}},
		{`created_after { seconds: %d } state: REDEMPTION_STATE_REDEEMED`, []any{begun + 1}, nil},
	} {
		var got []string
		for _, r := range c.list(`parent: "coupons/many" `+l.filter, l.args...) {
			got = append(got, r.GetRequestId())
		}
		if diff := cmp.Diff(l.want, got); diff != "" {
			t.Errorf("%s %v (-want +got):\n%s", l.filter, l.args, diff)
		}
	}
}
