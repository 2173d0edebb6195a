// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/discountd/discountd/internal/requests"
)

func TestEachBadFieldIsOneViolationAndNothingIsDone(t *testing.T) {
	store := &stub{}
	s := start(t, store)
	for _, r := range requests.All() {
		name := r.RPC + " " + r.Base
		if _, err := s.call(t, r.RPC, request(t, r.RPC, r.Base)); err != nil {
			t.Errorf("%s: the good request is refused: %v", name, err)
		}
		for _, f := range r.Fields {
			for _, value := range f.Good {
				before := store.calls.Load()
				if err := callWith(t, s, r, f.Path, value); err != nil || store.calls.Load() == before {
					t.Errorf("%s: %s = %.80v is refused: %v", name, f.Path, value, err)
				}
			}
			for _, value := range f.Bad {
				before := store.calls.Load()
				err := callWith(t, s, r, f.Path, value)
				if status.Code(err) != codes.InvalidArgument {
					t.Errorf("%s: %s = %.80v is %v, want INVALID_ARGUMENT", name, f.Path, value, err)
					continue
				}
				got := slices.DeleteFunc(violated(t, err), func(path string) bool { return slices.Contains(f.Also, path) })
				if want := []string{f.Violates()}; !slices.Equal(got, want) {
					t.Errorf("%s: %s = %.80v violates %q, want %q", name, f.Path, value, got, want)
				}
				if store.calls.Load() != before {
					t.Errorf("%s: %s = %.80v came to the store", name, f.Path, value)
				}
			}
		}
	}
}

// callWith sends the good request with one field changed.
func callWith(t *testing.T, s *started, r requests.Request, path string, value any) error {
	t.Helper()
	_, err := s.call(t, r.RPC, r.With(t, path, value))
	return err
}

// violated returns the fields that err says are bad.
func violated(t *testing.T, err error) []string {
	t.Helper()
	var out []string
	for _, v := range detail[*errdetails.BadRequest](t, err).GetFieldViolations() {
		if v.GetDescription() == "" {
			t.Errorf("%s: no word about what is wrong with it", v.GetField())
		}
		out = append(out, v.GetField())
	}
	return out
}

// neverWrong has the fields that cannot be wrong, and why. A path ends in * when
// it stands for all that begin like it.
var neverWrong = map[string]string{
	"CreateCoupon coupon.name":                       "ignored: coupon_id and parent say it",
	"CreateCoupon coupon.budgets.spent_amount_minor": "output only",
	"CreateCoupon coupon.times_redeemed":             "output only",
	"CreateCoupon coupon.state":                      "output only",
	"CreateCoupon coupon.create_time":                "output only",
	"CreateCoupon coupon.update_time":                "output only",
	"CreateCoupon coupon.etag":                       "ignored: there is none yet",

	"CreateCoupon coupon.shipping_off.amount_off.additional_amounts.*": "refused as a whole: shipping has no units",

	"CreatePromotionCode promotion_code.name":           "ignored: the id is generated",
	"CreatePromotionCode promotion_code.status":         "output only",
	"CreatePromotionCode promotion_code.times_redeemed": "output only",
	"CreatePromotionCode promotion_code.create_time":    "output only",
	"CreatePromotionCode promotion_code.update_time":    "output only",
	"CreatePromotionCode promotion_code.etag":           "ignored: there is none yet",

	"UpdateCoupon coupon.*":                "ignored: the mask cannot name it",
	"UpdatePromotionCode promotion_code.*": "ignored: the mask cannot name it",

	"ValidateCode code":      "an ineligibility, not a bad field",
	"Redeem code":            "an ineligibility, not a bad field",
	"ReserveRedemption code": "an ineligibility, not a bad field",
}

// TestEveryFieldOfEveryRequestIsTriedOut fails when a field is added to the API
// and not to the table, so that none is forgotten.
func TestEveryFieldOfEveryRequestIsTriedOut(t *testing.T) {
	tried := map[string]bool{}
	for _, r := range requests.All() {
		for _, f := range r.Fields {
			if len(f.Bad) > 0 {
				tried[r.RPC+" "+requests.WithoutIndices(f.Path)] = true
				tried[r.RPC+" "+requests.WithoutIndices(f.Violates())] = true
			}
		}
	}
	for rpc, method := range requests.RPCs() {
		for _, leaf := range requests.Leaves(method.Input()) {
			if path := rpc + " " + leaf; !tried[path] && !isNeverWrong(path) {
				t.Errorf("no bad value is tried out for %s", path)
			}
		}
	}
	for path := range neverWrong {
		if tried[path] {
			t.Errorf("%s is said never to be wrong, and bad values are tried out", path)
		}
	}
}

func isNeverWrong(path string) bool {
	for known := range neverWrong {
		prefix, all := strings.CutSuffix(known, "*")
		if path == known || all && strings.HasPrefix(path, prefix) {
			return true
		}
	}
	return false
}

func TestAllBadFieldsAreNamedAtOnce(t *testing.T) {
	store := &stub{}
	s := start(t, store)
	for _, c := range []struct {
		rpc, request string
		want         []string
	}{
		{"Redeem", `customer { id: "\n" email: "x" } order { lines { quantity: 1 } lines { product_id: "\t" } }`, []string{
			"request_id", "source", "customer.id", "customer.email", "order.currency_code",
			"order.lines[1].product_id", "order.lines[1].quantity",
		}},
		{"CreateCoupon", `coupon_id: "a b" request_id: "\n" coupon { duration: 9 max_redemptions: 0 redeem_by { seconds: -1 } }`, []string{
			"request_id", "coupon.duration", "coupon.redeem_by", "coupon.max_redemptions", "coupon.discount", "coupon_id",
		}},
		{"UpdateCoupon", `update_mask { paths: "redeem_by" }`, []string{"update_mask", "coupon"}},
		{"ReserveRedemption", `customer { id: "\n" } order { lines { quantity: 1 } } ttl {}`, []string{
			"request_id", "source", "customer.id", "order.currency_code", "ttl",
		}},
		{"VoidRedemption", `amount_minor: 0 reason: "\n"`, []string{"name", "request_id", "amount_minor", "reason"}},
		{"CreateCoupon", `coupon { percent_off { basis_points: 1 } period_limits { time_zone: "x" } budgets { limit { currency_code: "EUR" } policy: 9 } }`, []string{
			"coupon.period_limits[0].period", "coupon.period_limits[0].max_redemptions", "coupon.period_limits[0].time_zone",
			"coupon.budgets[0].limit.amount_minor", "coupon.budgets[0].policy",
		}},
		{"ListPromotionCodes", `parent: "coupons/-" page_size: -1 page_token: "x"`, []string{"page_size", "page_token", "parent"}},
	} {
		_, err := s.call(t, c.rpc, request(t, c.rpc, c.request))
		got := violated(t, err)
		slices.Sort(got)
		slices.Sort(c.want)
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s %s (-want +got):\n%s", c.rpc, c.request, diff)
		}
	}
	if n := store.calls.Load(); n != 0 {
		t.Errorf("%d bad requests came to the store", n)
	}
}

// TestTheTableCanFail changes one good field of each kind and sees the change
// arrive, so that a path that leads nowhere is noticed.
func TestTheTableCanFail(t *testing.T) {
	req := request(t, "Redeem", `request_id: "r" code: "X" order { currency_code: "EUR" lines { quantity: 1 } }`)
	requests.Set(t, req.ProtoReflect(), "order.lines[1].category_ids[0]", "shoes")
	requests.Set(t, req.ProtoReflect(), "order.lines[0].quantity", 2)
	requests.Set(t, req.ProtoReflect(), "source", nil)
	requests.Set(t, req.ProtoReflect(), "customer.id", "c")
	want := request(t, "Redeem", `request_id: "r" customer { id: "c" }
		order { currency_code: "EUR" lines { quantity: 2 } lines { category_ids: "shoes" } }`)
	if !proto.Equal(req, want) {
		t.Errorf("got %v, want %v", req, want)
	}
}
