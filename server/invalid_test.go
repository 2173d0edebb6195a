// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// requests are an RPC's requests: a good one in text form, and what its fields
// may and may not be.
type requests struct {
	rpc    string
	base   string
	fields []field
}

// field is a field of a request by its path. With each of the good values the
// request is carried out; with each of the bad ones it is refused with a
// violation of this field, or of want, and of no other but those in also, which
// cannot be right when this one is wrong.
type field struct {
	path string
	good []any
	bad  []any
	want string
	also []string
}

func (f *field) violates() string {
	if f.want != "" {
		return f.want
	}
	return f.path
}

func values(v ...any) []any { return v }

// missing is the value of a field that is not set.
var missing = values(nil)

func TestEachBadFieldIsOneViolationAndNothingIsDone(t *testing.T) {
	store := &stub{}
	s := start(t, store)
	for _, r := range theRequests() {
		name := r.rpc + " " + r.base
		if _, err := s.call(t, r.rpc, request(t, r.rpc, r.base)); err != nil {
			t.Errorf("%s: the good request is refused: %v", name, err)
		}
		for _, f := range r.fields {
			for _, value := range f.good {
				before := store.calls.Load()
				if err := callWith(t, s, r, f.path, value); err != nil || store.calls.Load() != before+1 {
					t.Errorf("%s: %s = %.80v is refused: %v", name, f.path, value, err)
				}
			}
			for _, value := range f.bad {
				before := store.calls.Load()
				err := callWith(t, s, r, f.path, value)
				if status.Code(err) != codes.InvalidArgument {
					t.Errorf("%s: %s = %.80v is %v, want INVALID_ARGUMENT", name, f.path, value, err)
					continue
				}
				got := slices.DeleteFunc(violated(t, err), func(path string) bool { return slices.Contains(f.also, path) })
				if want := []string{f.violates()}; !slices.Equal(got, want) {
					t.Errorf("%s: %s = %.80v violates %q, want %q", name, f.path, value, got, want)
				}
				if store.calls.Load() != before {
					t.Errorf("%s: %s = %.80v came to the store", name, f.path, value)
				}
			}
		}
	}
}

// callWith sends the good request with one field changed.
func callWith(t *testing.T, s *started, r requests, path string, value any) error {
	t.Helper()
	req := request(t, r.rpc, r.base)
	set(t, req.ProtoReflect(), path, value)
	_, err := s.call(t, r.rpc, req)
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
	"CreateCoupon coupon.name":           "ignored: coupon_id and parent say it",
	"CreateCoupon coupon.times_redeemed": "output only",
	"CreateCoupon coupon.state":          "output only",
	"CreateCoupon coupon.create_time":    "output only",
	"CreateCoupon coupon.update_time":    "output only",
	"CreateCoupon coupon.etag":           "ignored: there is none yet",

	"CreateCoupon coupon.shipping_off.amount_off.additional_amounts.*": "refused as a whole: shipping has no units",

	"CreatePromotionCode promotion_code.name":           "ignored: the id is generated",
	"CreatePromotionCode promotion_code.status":         "output only",
	"CreatePromotionCode promotion_code.times_redeemed": "output only",
	"CreatePromotionCode promotion_code.create_time":    "output only",
	"CreatePromotionCode promotion_code.update_time":    "output only",
	"CreatePromotionCode promotion_code.etag":           "ignored: there is none yet",

	"UpdateCoupon coupon.*":                "ignored: the mask cannot name it",
	"UpdatePromotionCode promotion_code.*": "ignored: the mask cannot name it",

	"ValidateCode code": "an ineligibility, not a bad field",
	"Redeem code":       "an ineligibility, not a bad field",
}

// TestEveryFieldOfEveryRequestIsTriedOut fails when a field is added to the API
// and not to the table, so that none is forgotten.
func TestEveryFieldOfEveryRequestIsTriedOut(t *testing.T) {
	tried := map[string]bool{}
	for _, r := range theRequests() {
		for _, f := range r.fields {
			if len(f.bad) > 0 {
				tried[r.rpc+" "+withoutIndices(f.path)] = true
				tried[r.rpc+" "+withoutIndices(f.violates())] = true
			}
		}
	}
	for rpc, method := range rpcs() {
		for _, leaf := range leaves(method.Input()) {
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
	set(t, req.ProtoReflect(), "order.lines[1].category_ids[0]", "shoes")
	set(t, req.ProtoReflect(), "order.lines[0].quantity", 2)
	set(t, req.ProtoReflect(), "source", nil)
	set(t, req.ProtoReflect(), "customer.id", "c")
	want := request(t, "Redeem", `request_id: "r" customer { id: "c" }
		order { currency_code: "EUR" lines { quantity: 2 } lines { category_ids: "shoes" } }`)
	if !proto.Equal(req, want) {
		t.Errorf("got %v, want %v", req, want)
	}
}

// The values that several fields have in common.

const maxAmount = 1<<53 - 1

func text(n int) string { return strings.Repeat("ü", n) }

func list(n int, m proto.Message) []proto.Message { return slices.Repeat([]proto.Message{m}, n) }

func names(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprint("name-", i)
	}
	return out
}

func noteMap(keys, keyLength, valueLength int) map[string]string {
	out := map[string]string{}
	for i := range keys {
		out[fmt.Sprintf("%0*d", keyLength, i)] = text(valueLength)
	}
	return out
}

// enumOutOfRange has numbers that no enum of the API has.
var enumOutOfRange = values(-1, 99, 1<<31-1)
