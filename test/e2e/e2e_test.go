// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"os/exec"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	discountv1 "github.com/discountd/discountd/gen/discount/v1"
	"github.com/discountd/discountd/test/binary"
)

const order = `{"id": "order-1", "currency_code": "EUR", "lines": [{"product_id": "shirt", "unit_amount_minor": 2000, "quantity": 2}]}`

func TestServicesAreListedAndHealthy(t *testing.T) {
	service := binary.Start(t, t.TempDir())

	printed, err := grpcurl(t, service, "list", "")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"discount.v1.CouponService", "discount.v1.RedemptionService", "grpc.health.v1.Health"} {
		if !strings.Contains(printed, name) {
			t.Errorf("%s is not listed in:\n%s", name, printed)
		}
		if strings.HasPrefix(name, "discount.") {
			var health healthpb.HealthCheckResponse
			call(t, service, "grpc.health.v1.Health/Check", `{"service": "`+name+`"}`, &health)
			if health.GetStatus() != healthpb.HealthCheckResponse_SERVING {
				t.Errorf("%s is %v", name, health.GetStatus())
			}
		}
	}
}

func TestCouponIsCreatedValidatedRedeemedAndUsedUpAcrossARestart(t *testing.T) {
	dataDir := t.TempDir()
	service := binary.Start(t, dataDir)

	create := `{"coupon_id": "summer", "request_id": "c-1", "coupon": {
		"display_name": "Summer", "percent_off": {"basis_points": 2500}, "max_redemptions": 1}}`
	var created discountv1.CreateCouponResponse
	printed := call(t, service, coupons+"CreateCoupon", create, &created)
	if created.GetCoupon().GetName() != "coupons/summer" || !created.GetCoupon().GetValid() {
		t.Errorf("created %v", &created)
	}
	if !strings.Contains(printed, `"maxRedemptions": "1"`) {
		t.Errorf("an int64 is not shown as a string in:\n%s", printed)
	}

	var promotion discountv1.CreatePromotionCodeResponse
	call(t, service, coupons+"CreatePromotionCode",
		`{"parent": "coupons/summer", "request_id": "p-1", "promotion_code": {"code": "Summer-25"}}`, &promotion)
	if got := promotion.GetPromotionCode(); got.GetCode() != "Summer-25" || !got.GetActive() {
		t.Errorf("created %v", got)
	}

	var validated discountv1.ValidateCodeResponse
	call(t, service, redemptions+"ValidateCode", `{"code": "summer-25", "order": `+order+`}`, &validated)
	if !validated.GetValid() || validated.GetDiscount().GetTotalAmountMinor() != 1000 {
		t.Errorf("validated %v", &validated)
	}

	redeem := `{"request_id": "r-1", "code": "SUMMER-25", "order": ` + order + `}`
	var first, again discountv1.RedeemResponse
	call(t, service, redemptions+"Redeem", redeem, &first)
	if first.GetRedemption().GetDiscount().GetTotalAmountMinor() != 1000 {
		t.Errorf("redeemed %v", &first)
	}

	service.Stop(t)
	service = binary.Start(t, dataDir)

	call(t, service, redemptions+"Redeem", redeem, &again)
	if got, want := again.GetRedemption().GetName(), first.GetRedemption().GetName(); got != want {
		t.Errorf("the retry returned %s, want %s", got, want)
	}
	var refused discountv1.RedemptionRefused
	refusal(t, service, redemptions+"Redeem", `{"request_id": "r-2", "code": "summer-25", "order": `+order+`}`,
		codes.FailedPrecondition, "COUPON_MAX_REDEMPTIONS_REACHED", &refused)
	if got := refused.GetIneligibilities(); len(got) != 1 || got[0].GetLimit() != 1 {
		t.Errorf("refused with %v", got)
	}
	var read discountv1.GetCouponResponse
	call(t, service, coupons+"GetCoupon", `{"name": "coupons/summer"}`, &read)
	if read.GetCoupon().GetTimesRedeemed() != 1 || read.GetCoupon().GetValid() {
		t.Errorf("read %v", &read)
	}
}

func TestRefusalsSayWhatIsWrong(t *testing.T) {
	service := binary.Start(t, t.TempDir())
	var coupon discountv1.CreateCouponResponse
	call(t, service, coupons+"CreateCoupon",
		`{"coupon_id": "quarter", "coupon": {"percent_off": {"basis_points": 2500}}}`, &coupon)
	var promotion discountv1.CreatePromotionCodeResponse
	call(t, service, coupons+"CreatePromotionCode",
		`{"parent": "coupons/quarter", "promotion_code": {"code": "QUARTER"}}`, &promotion)
	var redeemed discountv1.RedeemResponse
	call(t, service, redemptions+"Redeem", `{"request_id": "r-1", "code": "QUARTER"}`, &redeemed)

	t.Run("bad fields, one violation each", func(t *testing.T) {
		var bad errdetails.BadRequest
		refusal(t, service, coupons+"CreateCoupon",
			`{"coupon_id": "not/an/id", "coupon": {"percent_off": {"basis_points": 10001}}}`,
			codes.InvalidArgument, "INVALID_ARGUMENT", &bad)
		fields := map[string]int{}
		for _, violation := range bad.GetFieldViolations() {
			fields[violation.GetField()]++
		}
		if len(fields) != 2 || fields["coupon_id"] != 1 || fields["coupon.percent_off.basis_points"] != 1 {
			t.Errorf("violations of %v", fields)
		}
	})
	t.Run("unknown name", func(t *testing.T) {
		var resource errdetails.ResourceInfo
		refusal(t, service, coupons+"GetCoupon", `{"name": "coupons/nowhere"}`,
			codes.NotFound, "COUPON_NOT_FOUND", &resource)
		if resource.GetResourceName() != "coupons/nowhere" {
			t.Errorf("resource %v", &resource)
		}
	})
	t.Run("code already active", func(t *testing.T) {
		var resource errdetails.ResourceInfo
		refusal(t, service, coupons+"CreatePromotionCode",
			`{"parent": "coupons/quarter", "promotion_code": {"code": "quarter"}}`,
			codes.AlreadyExists, "CODE_ALREADY_ACTIVE", &resource)
		if resource.GetResourceName() != promotion.GetPromotionCode().GetName() {
			t.Errorf("holder %v, want %s", &resource, promotion.GetPromotionCode().GetName())
		}
	})
	t.Run("request id reused", func(t *testing.T) {
		refusal(t, service, redemptions+"Redeem", `{"request_id": "r-1", "code": "QUARTER", "order": `+order+`}`,
			codes.InvalidArgument, "REQUEST_ID_REUSED", nil)
	})
	t.Run("unknown code", func(t *testing.T) {
		var refused discountv1.RedemptionRefused
		refusal(t, service, redemptions+"Redeem", `{"request_id": "r-2", "code": "NOBODYS"}`,
			codes.FailedPrecondition, "CODE_NOT_FOUND", &refused)
		var answer discountv1.ValidateCodeResponse
		call(t, service, redemptions+"ValidateCode", `{"code": "NOBODYS"}`, &answer)
		if answer.GetValid() || len(answer.GetIneligibilities()) != 1 {
			t.Errorf("validated %v", &answer)
		}
	})
}

func TestWrongFlagIsRefusedWithAnExplanation(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	output, err := exec.CommandContext(ctx, binary.Path(t, "discountd"), "--no-such-flag").CombinedOutput()
	if err == nil {
		t.Error("accepted")
	}
	if !strings.Contains(string(output), "--no-such-flag") {
		t.Errorf("the flag is not named in:\n%s", output)
	}
}
