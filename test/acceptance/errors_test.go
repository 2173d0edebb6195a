// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package acceptance

import (
	"context"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	discountv1 "github.com/discountd/discountd/gen/discount/v1"
)

// call is an RPC whose answer does not matter, only its error.
type call func(context.Context) error

// wantResource compares the resource that an error is about.
func wantResource(t *testing.T, err error, resource, name string) {
	t.Helper()
	info := detail[*errdetails.ResourceInfo](t, err)
	if info.GetResourceType() != "discountd/"+resource || info.GetResourceName() != name {
		t.Errorf("the error is about %s %s, want discountd/%s %s", info.GetResourceType(), info.GetResourceName(), resource, name)
	}
	if got := detail[*errdetails.ErrorInfo](t, err).GetMetadata()["name"]; got != name {
		t.Errorf("the metadata says name: %s, want %s", got, name)
	}
}

func TestNamesOfNothingAreNotFoundByEveryCall(t *testing.T) {
	t.Parallel()
	s := start(t)
	c := s.coupon(t, percentOff(10))
	const coupon = "coupons/nowhere"
	code := c.GetName() + "/promotionCodes/00000000"
	redemption := c.GetName() + "/redemptions/1-000000"
	mask := func(path string) *fieldmaskpb.FieldMask { return &fieldmaskpb.FieldMask{Paths: []string{path}} }

	for what, x := range map[string]struct {
		resource, name, reason string
		call                   call
	}{
		"GetCoupon": {"Coupon", coupon, "COUPON_NOT_FOUND", func(ctx context.Context) error {
			_, err := s.GetCoupon(ctx, &discountv1.GetCouponRequest{Name: coupon})
			return err
		}},
		"UpdateCoupon": {"Coupon", coupon, "COUPON_NOT_FOUND", func(ctx context.Context) error {
			_, err := s.UpdateCoupon(ctx, &discountv1.UpdateCouponRequest{Coupon: &discountv1.Coupon{Name: coupon}, UpdateMask: mask("metadata")})
			return err
		}},
		"DeleteCoupon": {"Coupon", coupon, "COUPON_NOT_FOUND", func(ctx context.Context) error {
			_, err := s.DeleteCoupon(ctx, &discountv1.DeleteCouponRequest{Name: coupon})
			return err
		}},
		"CreatePromotionCode": {"Coupon", coupon, "COUPON_NOT_FOUND", func(ctx context.Context) error {
			_, err := s.CreatePromotionCode(ctx, &discountv1.CreatePromotionCodeRequest{Parent: coupon, PromotionCode: coded("CODE")})
			return err
		}},
		"ListPromotionCodes": {"Coupon", coupon, "COUPON_NOT_FOUND", func(ctx context.Context) error {
			_, err := s.ListPromotionCodes(ctx, &discountv1.ListPromotionCodesRequest{Parent: coupon})
			return err
		}},
		"ListRedemptions": {"Coupon", coupon, "COUPON_NOT_FOUND", func(ctx context.Context) error {
			_, err := s.ListRedemptions(ctx, &discountv1.ListRedemptionsRequest{Parent: coupon})
			return err
		}},
		"GetPromotionCode": {"PromotionCode", code, "PROMOTION_CODE_NOT_FOUND", func(ctx context.Context) error {
			_, err := s.GetPromotionCode(ctx, &discountv1.GetPromotionCodeRequest{Name: code})
			return err
		}},
		"UpdatePromotionCode": {"PromotionCode", code, "PROMOTION_CODE_NOT_FOUND", func(ctx context.Context) error {
			_, err := s.UpdatePromotionCode(ctx, &discountv1.UpdatePromotionCodeRequest{
				PromotionCode: &discountv1.PromotionCode{Name: code}, UpdateMask: mask("metadata"),
			})
			return err
		}},
		"ActivatePromotionCode": {"PromotionCode", code, "PROMOTION_CODE_NOT_FOUND", func(ctx context.Context) error {
			_, err := s.ActivatePromotionCode(ctx, &discountv1.ActivatePromotionCodeRequest{Name: code})
			return err
		}},
		"DeactivatePromotionCode": {"PromotionCode", code, "PROMOTION_CODE_NOT_FOUND", func(ctx context.Context) error {
			_, err := s.DeactivatePromotionCode(ctx, &discountv1.DeactivatePromotionCodeRequest{Name: code})
			return err
		}},
		"DeletePromotionCode": {"PromotionCode", code, "PROMOTION_CODE_NOT_FOUND", func(ctx context.Context) error {
			_, err := s.DeletePromotionCode(ctx, &discountv1.DeletePromotionCodeRequest{Name: code})
			return err
		}},
		"Redeem": {"PromotionCode", code, "PROMOTION_CODE_NOT_FOUND", func(ctx context.Context) error {
			_, err := s.Redeem(ctx, purchase(using(&discountv1.PromotionCode{Name: code})))
			return err
		}},
		"ValidateCode": {"Coupon", coupon, "COUPON_NOT_FOUND", func(ctx context.Context) error {
			_, err := s.ValidateCode(ctx, validation(purchase(applying(&discountv1.Coupon{Name: coupon}))))
			return err
		}},
		"GetRedemption": {"Redemption", redemption, "REDEMPTION_NOT_FOUND", func(ctx context.Context) error {
			_, err := s.GetRedemption(ctx, &discountv1.GetRedemptionRequest{Name: redemption})
			return err
		}},
	} {
		t.Run(what, func(t *testing.T) {
			err := x.call(within(t))
			wantError(t, err, codes.NotFound, x.reason)
			wantResource(t, err, x.resource, x.name)
		})
	}
}

func TestNameOfARedemptionNeverComesToNameAnother(t *testing.T) {
	t.Parallel()
	s := start(t)
	c := s.coupon(t, percentOff(10))
	name := s.redeems(t, purchase(applying(c))).GetName()
	last := map[bool]string{true: "1", false: "0"}[strings.HasSuffix(name, "0")]
	_, err := s.GetRedemption(within(t), &discountv1.GetRedemptionRequest{Name: name[:len(name)-1] + last})
	wantError(t, err, codes.NotFound, "REDEMPTION_NOT_FOUND")
}

func TestIDOfACouponIsTakenForGood(t *testing.T) {
	t.Parallel()
	s := start(t)
	create := func(percent int32) error {
		_, err := s.CreateCoupon(within(t), &discountv1.CreateCouponRequest{CouponId: "summer", Coupon: percentOff(percent)})
		return err
	}
	if err := create(10); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		err := create(10)
		wantError(t, err, codes.AlreadyExists, "COUPON_ALREADY_EXISTS")
		wantResource(t, err, "Coupon", "coupons/summer")
		s.deleteCoupon(t, &discountv1.Coupon{Name: "coupons/summer"})
	}
}

func TestCodeThatIsHeldIsRefusedNamingTheHolder(t *testing.T) {
	t.Parallel()
	s := start(t)
	c := s.coupon(t, percentOff(10))
	holder := s.code(t, c, coded("Held"))
	_, err := s.createCode(t, c, coded("HELD"))
	wantHeldBy(t, err, holder)
	wantResource(t, err, "PromotionCode", holder.GetName())
	if got := detail[*errdetails.ErrorInfo](t, err).GetMetadata()["code"]; got != "HELD" {
		t.Errorf("the metadata says code: %s, want HELD", got)
	}
	// A refused creation leaves nothing, also in the list of what was deleted.
	wantNames(t, "promotion codes", s.codes(t, &discountv1.ListPromotionCodesRequest{Parent: c.GetName(), ShowDeleted: true}), holder.GetName())
}

func TestRefusalCarriesEveryReasonWithItsParameters(t *testing.T) {
	t.Parallel()
	s := start(t)
	c := s.coupon(t, percentOff(10, couponLimit(1)))
	s.code(t, c, coded("BIG", fromAmount(money(5_000, "EUR"))))
	s.redeems(t, purchase(applying(c)))

	_, err := s.Redeem(within(t), purchase(typing("BIG"), paying(4_999, "EUR")))
	wantError(t, err, codes.FailedPrecondition, "COUPON_MAX_REDEMPTIONS_REACHED")
	info := detail[*errdetails.ErrorInfo](t, err).GetMetadata()
	if info["limit"] != "1" || info["more_ineligibilities"] != "1" {
		t.Errorf("the metadata says %v", info)
	}
	why := detail[*discountv1.RedemptionRefused](t, err).GetIneligibilities()
	if len(why) != 2 || why[0].GetLimit() != 1 || why[1].GetRequiredAmount().GetAmountMinor() != 5_000 || why[1].GetActualAmount().GetAmountMinor() != 4_999 {
		t.Errorf("refused for %v", why)
	}
}

func TestDeletedResourcesCannotBeChanged(t *testing.T) {
	t.Parallel()
	s := start(t)
	c := s.coupon(t, percentOff(10))
	p := s.code(t, c, coded("GONE"))
	s.deleteCode(t, p)
	wantGone := func(err error) {
		t.Helper()
		wantError(t, err, codes.FailedPrecondition, "PROMOTION_CODE_DELETED")
		wantResource(t, err, "PromotionCode", p.GetName())
	}
	wantGone(s.activate(t, p))
	_, err := s.DeactivatePromotionCode(within(t), &discountv1.DeactivatePromotionCodeRequest{Name: p.GetName()})
	wantGone(err)
	one := int64(1)
	wantGone(s.limitCode(t, p, &one))

	s.deleteCoupon(t, c)
	_, err = s.UpdateCoupon(within(t), &discountv1.UpdateCouponRequest{
		Coupon: &discountv1.Coupon{Name: c.GetName()}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"metadata"}},
	})
	wantError(t, err, codes.FailedPrecondition, "COUPON_DELETED")
	wantResource(t, err, "Coupon", c.GetName())
}

func TestChangeOfWhatWasChangedMeanwhileIsAborted(t *testing.T) {
	t.Parallel()
	s := start(t)
	c := s.coupon(t, percentOff(10))
	p := s.code(t, c, coded("CODE"))
	rename := func(etag, name string) error {
		_, err := s.UpdateCoupon(within(t), &discountv1.UpdateCouponRequest{
			Coupon:     &discountv1.Coupon{Name: c.GetName(), DisplayName: name, Etag: etag},
			UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"display_name"}},
		})
		return err
	}
	note := func(etag string) error {
		_, err := s.UpdatePromotionCode(within(t), &discountv1.UpdatePromotionCodeRequest{
			PromotionCode: &discountv1.PromotionCode{Name: p.GetName(), Metadata: map[string]string{"by": "me"}, Etag: etag},
			UpdateMask:    &fieldmaskpb.FieldMask{Paths: []string{"metadata"}},
		})
		return err
	}
	// A redemption is no change of configuration.
	s.redeems(t, purchase(typing("CODE")))
	if err := rename(c.GetEtag(), "Mine"); err != nil {
		t.Fatal(err)
	}
	if err := note(p.GetEtag()); err != nil {
		t.Fatal(err)
	}
	s.wantNothingWritten(t, c, func() {
		wantError(t, rename(c.GetEtag(), "Yours"), codes.Aborted, "CONFIGURATION_CHANGED")
		wantError(t, note(p.GetEtag()), codes.Aborted, "CONFIGURATION_CHANGED")
		_, err := s.DeleteCoupon(within(t), &discountv1.DeleteCouponRequest{Name: c.GetName(), Etag: c.GetEtag()})
		wantError(t, err, codes.Aborted, "CONFIGURATION_CHANGED")
		wantViolations(t, rename("nonsense", "Yours"), "coupon.etag")
	})
	if err := rename("", "Whatever it was"); err != nil {
		t.Error(err)
	}
}

func TestRequestWithNothingRightWritesNothing(t *testing.T) {
	t.Parallel()
	s := start(t)
	c := s.coupon(t, percentOff(10))
	bad := purchase(buying("eur", line("mug", -1, 0)), byEmail("nobody"))
	bad.RequestId = ""
	s.wantNothingWritten(t, c, func() {
		_, err := s.Redeem(within(t), bad)
		wantViolations(t, err, "request_id", "source", "customer.email", "order.currency_code",
			"order.lines[0].unit_amount_minor", "order.lines[0].quantity")
	})
}
