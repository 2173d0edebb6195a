// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package acceptance

import (
	"context"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	discountv1 "github.com/discountd/discountd/gen/discount/v1"
	"github.com/discountd/discountd/internal/requests"
)

// invoke makes a call of an RPC by its name and returns its error.
func (s *service) invoke(ctx context.Context, t *testing.T, rpc string, request proto.Message) error {
	t.Helper()
	method := requests.RPCs()[rpc]
	return s.Conn.Invoke(ctx, "/"+string(method.Parent().FullName())+"/"+rpc, request, requests.NewMessage(t, method.Output()))
}

// TestEachBadFieldIsOneViolationAndNothingIsWritten sends every request of the API
// with every field missing, malformed and out of bounds.
func TestEachBadFieldIsOneViolationAndNothingIsWritten(t *testing.T) {
	t.Parallel()
	s := start(t)
	// The coupon that the requests speak of is there, so that nothing but the bad
	// field is in their way.
	_, err := s.CreateCoupon(within(t), &discountv1.CreateCouponRequest{CouponId: "fall", Coupon: percentOff(10)})
	if err != nil {
		t.Fatal(err)
	}
	c := &discountv1.Coupon{Name: "coupons/fall"}
	s.code(t, c, coded("FALL"))
	s.redeems(t, purchase(typing("FALL"), paying(1_000, "EUR")))

	sent := 0
	for _, r := range requests.All() {
		s.wantNothingWritten(t, c, func() {
			for _, f := range r.Fields {
				for _, value := range f.Bad {
					sent++
					s.wantViolation(t, &r, &f, value)
				}
			}
		})
	}
	if sent < 900 {
		t.Errorf("%d bad requests were sent only", sent)
	}
}

// wantViolation sends a request with one bad value.
func (s *service) wantViolation(t *testing.T, r *requests.Request, f *requests.Field, value any) {
	t.Helper()
	err := s.invoke(within(t), t, r.RPC, r.With(t, f.Path, value))
	if status.Code(err) != codes.InvalidArgument {
		t.Errorf("%s %s: %s = %.80v is %v, want INVALID_ARGUMENT", r.RPC, r.Base, f.Path, value, err)
		return
	}
	var got []string
	for _, v := range detail[*errdetails.BadRequest](t, err).GetFieldViolations() {
		if !slices.Contains(f.Also, v.GetField()) {
			got = append(got, v.GetField())
		}
	}
	if diff := cmp.Diff([]string{f.Violates()}, got); diff != "" {
		t.Errorf("%s %s: %s = %.80v violates others (-want +got):\n%s", r.RPC, r.Base, f.Path, value, diff)
	}
}
