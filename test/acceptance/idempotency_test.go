// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package acceptance

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	discountv1 "github.com/discountd/discountd/gen/discount/v1"
	"github.com/discountd/discountd/internal/redistest"
)

// everything is all that a service shows of a coupon, its codes and its ledger.
func (s *service) everything(t *testing.T, c *discountv1.Coupon) []proto.Message {
	t.Helper()
	coupon, err := s.GetCoupon(within(t), &discountv1.GetCouponRequest{Name: c.GetName()})
	if err != nil {
		t.Fatal(err)
	}
	codes, err := s.ListPromotionCodes(within(t), &discountv1.ListPromotionCodesRequest{Parent: c.GetName(), ShowDeleted: true})
	if err != nil {
		t.Fatal(err)
	}
	all := []proto.Message{coupon, codes}
	for _, r := range s.ledger(t, &discountv1.ListRedemptionsRequest{Parent: c.GetName()}) {
		all = append(all, r)
	}
	return all
}

// wantNothingWritten compares what a service shows, and every byte that it keeps,
// before and after.
func (s *service) wantNothingWritten(t *testing.T, c *discountv1.Coupon, during func()) {
	t.Helper()
	shown, kept := s.everything(t, c), s.kept(t)
	during()
	if diff := cmp.Diff(shown, s.everything(t, c), protocmp.Transform()); diff != "" {
		t.Errorf("something changed:\n%s", diff)
	}
	if diff := cmp.Diff(kept, s.kept(t)); diff != "" {
		t.Errorf("something was written:\n%s", diff)
	}
}

// kept is every key of the service's with its content.
func (s *service) kept(t *testing.T) map[string]string {
	t.Helper()
	client := redistest.Client(t, redistest.Server(t))
	all := map[string]string{}
	keys := client.Scan(t.Context(), 0, s.prefix+":*", 1_000).Iterator()
	for keys.Next(t.Context()) {
		content, err := client.Dump(t.Context(), keys.Val()).Result()
		if err != nil {
			t.Fatal(err)
		}
		all[keys.Val()] = content
	}
	if err := keys.Err(); err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Fatalf("there are no keys below %s", s.prefix)
	}
	return all
}

func TestRetryReturnsTheRedemptionWhateverHasHappenedSince(t *testing.T) {
	t.Parallel()
	for what, happens := range map[string]func(*testing.T, *service, *discountv1.Coupon, *discountv1.PromotionCode){
		"nothing": func(*testing.T, *service, *discountv1.Coupon, *discountv1.PromotionCode) {},
		"time passed and the code expired": func(_ *testing.T, s *service, _ *discountv1.Coupon, _ *discountv1.PromotionCode) {
			s.clock.set(today.Add(2 * day))
		},
		"the last slot was taken": func(t *testing.T, s *service, _ *discountv1.Coupon, _ *discountv1.PromotionCode) {
			t.Helper()
			s.redeems(t, purchase(typing("CODE"), by("bob")))
		},
		"the code was deactivated": func(t *testing.T, s *service, _ *discountv1.Coupon, p *discountv1.PromotionCode) {
			t.Helper()
			s.deactivate(t, p)
		},
		"the code was deleted": func(t *testing.T, s *service, _ *discountv1.Coupon, p *discountv1.PromotionCode) {
			t.Helper()
			s.deleteCode(t, p)
		},
		"the coupon was deleted": func(t *testing.T, s *service, c *discountv1.Coupon, _ *discountv1.PromotionCode) {
			t.Helper()
			s.deleteCoupon(t, c)
		},
		"the code went to another coupon": func(t *testing.T, s *service, _ *discountv1.Coupon, p *discountv1.PromotionCode) {
			t.Helper()
			s.deactivate(t, p)
			s.code(t, s.coupon(t, percentOff(50)), coded("CODE"))
		},
		"the code went to this customer alone, on another coupon": func(t *testing.T, s *service, _ *discountv1.Coupon, p *discountv1.PromotionCode) {
			t.Helper()
			s.deactivate(t, p)
			s.code(t, s.coupon(t, percentOff(50)), coded("CODE", boundTo("alice")))
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			s := start(t)
			c := s.coupon(t, percentOff(10, couponLimit(2), couponLimitPerCustomer(1)))
			p := s.code(t, c, coded("CODE", codeUntil(today.Add(day))))
			r := purchase(typing("CODE"), by("alice"), paying(1_000, "EUR"))
			first := s.redeems(t, r)
			happens(t, s, c, p)

			s.wantNothingWritten(t, c, func() {
				again, err := s.Redeem(within(t), r)
				if err != nil {
					t.Fatalf("the retry: %v", err)
				}
				if diff := cmp.Diff(first, again.GetRedemption(), protocmp.Transform()); diff != "" {
					t.Errorf("the retry returned another redemption (-first +retry):\n%s", diff)
				}
			})
		})
	}
}

// fullRequest has every field set that Redeem compares.
func fullRequest() *discountv1.RedeemRequest {
	return &discountv1.RedeemRequest{
		RequestId: "the-one",
		Source:    &discountv1.RedeemRequest_Code{Code: "FALL"},
		Customer:  &discountv1.Customer{Id: "alice", Email: "alice@example.com"},
		Context:   discountv1.UseContext_USE_CONTEXT_SUBSCRIPTION_CREATE, SubscriptionId: "sub-1", PlanTrialDays: 7,
		Order: &discountv1.Order{
			Id: "order-1", CurrencyCode: "EUR", ShippingAmountMinor: 490,
			Lines: []*discountv1.OrderLine{
				{
					Id: "a", ProductId: "mug", CategoryIds: []string{"kitchen", "blue"},
					UnitAmountMinor: 1_000, Quantity: 2, OnSale: true, MinUnitAmountMinor: 100,
				},
				{Id: "b", ProductId: "lamp", CategoryIds: []string{"light"}, UnitAmountMinor: 5_000, Quantity: 1, MinUnitAmountMinor: 1},
			},
		},
	}
}

// variation is a request with one thing changed.
type variation struct {
	what    string
	request *discountv1.RedeemRequest
}

// variations returns fullRequest with each of its fields changed in turn: every
// value that is set to another one, and then to none; lists also shortened and
// turned around. What is not compared is left alone.
func variations(t *testing.T) []variation {
	t.Helper()
	var all []variation
	vary(fullRequest().ProtoReflect(), "", func(path string, change func(protoreflect.Message)) {
		switch path {
		case "request_id", "customer.has_prior_transactions":
			return
		}
		r := fullRequest()
		change(r.ProtoReflect())
		if proto.Equal(r, fullRequest()) {
			t.Fatalf("%s is as it was", path)
		}
		all = append(all, variation{path, r})
	})
	return all
}

// vary tells visit of every way to change one field of a message of m's type.
// change does it, to another message with m's content.
func vary(m protoreflect.Message, prefix string, visit func(path string, change func(protoreflect.Message))) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		path := prefix + string(f.Name())
		if m.Has(f) {
			visit(path, func(m protoreflect.Message) { m.Clear(f) })
		}
		switch {
		case f.IsList() && m.Has(f):
			visit(path, func(m protoreflect.Message) { m.Mutable(f).List().Truncate(m.Get(f).List().Len() - 1) })
			if m.Get(f).List().Len() > 1 {
				visit(path, swapEnds(f))
			}
			for k := range m.Get(f).List().Len() {
				at := fmt.Sprintf("%s[%d]", path, k)
				if f.Kind() != protoreflect.MessageKind {
					visit(at, func(m protoreflect.Message) {
						list := m.Mutable(f).List()
						list.Set(k, another(f, list.Get(k)))
					})
					continue
				}
				vary(m.Get(f).List().Get(k).Message(), at+".", func(path string, change func(protoreflect.Message)) {
					visit(path, func(m protoreflect.Message) { change(m.Mutable(f).List().Get(k).Message()) })
				})
			}
		case f.IsList():
		case f.Kind() == protoreflect.MessageKind:
			vary(m.Get(f).Message(), path+".", func(path string, change func(protoreflect.Message)) {
				visit(path, func(m protoreflect.Message) { change(m.Mutable(f).Message()) })
			})
		default:
			visit(path, func(m protoreflect.Message) { m.Set(f, another(f, m.Get(f))) })
		}
	}
}

// swapEnds changes the order of a list.
func swapEnds(f protoreflect.FieldDescriptor) func(protoreflect.Message) {
	return func(m protoreflect.Message) {
		list := m.Mutable(f).List()
		first, last := list.Get(0), list.Get(list.Len()-1)
		list.Set(0, last)
		list.Set(list.Len()-1, first)
	}
}

// another returns a value of a field that is a good one and not v.
func another(f protoreflect.FieldDescriptor, v protoreflect.Value) protoreflect.Value {
	switch f.Name() {
	case "code":
		return protoreflect.ValueOfString("SPRING") // another one of the same coupon
	case "promotion_code":
		return protoreflect.ValueOfString("coupons/fall/promotionCodes/00000000") // set by the test
	case "coupon":
		return protoreflect.ValueOfString("coupons/fall")
	case "currency_code":
		return protoreflect.ValueOfString("USD")
	}
	switch x := v.Interface().(type) {
	case string:
		return protoreflect.ValueOfString("x" + x)
	case int32:
		return protoreflect.ValueOfInt32(x + 1)
	case int64:
		return protoreflect.ValueOfInt64(x + 1)
	case protoreflect.EnumNumber: // not the unspecified one
		return protoreflect.ValueOfEnum(x%protoreflect.EnumNumber(f.Enum().Values().Len()-1) + 1)
	case bool:
		return protoreflect.ValueOfBool(!x)
	default:
		panic(fmt.Sprintf("no other value for %s, a %T", f.FullName(), x))
	}
}

func TestOneRequestIDWithAnotherRequestIsRefusedWhateverFieldDiffers(t *testing.T) {
	t.Parallel()
	s := start(t)
	answer, err := s.CreateCoupon(within(t), &discountv1.CreateCouponRequest{CouponId: "fall", Coupon: percentOff(10)})
	if err != nil {
		t.Fatal(err)
	}
	c := answer.GetCoupon()
	fall := s.code(t, c, coded("FALL"))
	s.code(t, c, coded("SPRING"))
	first := s.redeems(t, fullRequest())

	tried := map[string]bool{}
	for _, v := range variations(t) {
		if v.request.GetPromotionCode() != "" {
			v.request.Source = &discountv1.RedeemRequest_PromotionCode{PromotionCode: fall.GetName()}
		}
		tried[v.what] = true
		s.wantNothingWritten(t, c, func() {
			_, err := s.Redeem(within(t), v.request)
			if want := cannotBeMissing(v); want != "" {
				wantViolations(t, err, want)
				return
			}
			wantError(t, err, codes.InvalidArgument, "REQUEST_ID_REUSED")
			if t.Failed() {
				t.Fatalf("%s: %v", v.what, v.request)
			}
		})
	}
	for _, path := range []string{"code", "promotion_code", "coupon", "customer.id", "customer.email", "order.lines[1].quantity", "order", "context", "subscription_id", "plan_trial_days"} {
		if !tried[path] {
			t.Errorf("%s was not tried", path)
		}
	}
	t.Logf("%d fields were changed", len(tried))

	// What the caller derives anew for every try, and what means the same.
	same := fullRequest()
	same.Customer.HasPriorTransactions = true
	same.Customer.Email = "Alice@Example.com"
	same.Source = &discountv1.RedeemRequest_Code{Code: " fall "}
	s.wantNothingWritten(t, c, func() {
		again, err := s.Redeem(within(t), same)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(first, again.GetRedemption(), protocmp.Transform()); diff != "" {
			t.Errorf("the retry returned another redemption:\n%s", diff)
		}
	})
}

// cannotBeMissing returns the field that a variation violates because it must be
// set, and nothing for others.
func cannotBeMissing(v variation) string {
	missing := map[string]bool{
		"source":              v.request.GetSource() == nil,
		"order.currency_code": v.request.GetOrder() != nil && v.request.GetOrder().GetCurrencyCode() == "",
		"order.lines":         v.request.GetOrder() != nil && len(v.request.GetOrder().GetLines()) == 0,
	}
	for i, l := range v.request.GetOrder().GetLines() {
		at := fmt.Sprintf("order.lines[%d].", i)
		missing[at+"quantity"] = l.GetQuantity() == 0
		missing[at+"min_unit_amount_minor"] = l.GetMinUnitAmountMinor() > l.GetUnitAmountMinor()
	}
	for field, is := range missing {
		if is {
			return field
		}
	}
	return ""
}

func TestRequestIDNamesOneEffectPerCoupon(t *testing.T) {
	t.Parallel()
	s := start(t)
	fall, spring := s.coupon(t, percentOff(10)), s.coupon(t, percentOff(20))
	of := func(c *discountv1.Coupon) *discountv1.RedeemRequest {
		r := purchase(applying(c))
		r.RequestId = "checkout-1"
		return r
	}
	s.redeems(t, of(fall))
	s.redeems(t, of(spring))
	s.wantUsed(t, fall, 1)
	s.wantUsed(t, spring, 1)
}

// command is one RPC of CouponService with a request id, carried out in turn on
// what the ones before left.
type command struct {
	what  string
	does  func(context.Context) (proto.Message, error)
	other func(context.Context) (proto.Message, error) // the same id, another request
}

func TestEveryCommandOfCouponServiceMayBeSentAgain(t *testing.T) {
	t.Parallel()
	s := start(t)
	c := s.coupon(t, percentOff(10))
	var p *discountv1.PromotionCode
	limits := func(n int64) *discountv1.UpdateCouponRequest {
		return &discountv1.UpdateCouponRequest{
			Coupon:     &discountv1.Coupon{Name: c.GetName(), MaxRedemptions: &n},
			UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"max_redemptions"}}, RequestId: "update",
		}
	}
	codeLimits := func(n int64) *discountv1.UpdatePromotionCodeRequest {
		return &discountv1.UpdatePromotionCodeRequest{
			PromotionCode: &discountv1.PromotionCode{Name: p.GetName(), MaxRedemptions: &n},
			UpdateMask:    &fieldmaskpb.FieldMask{Paths: []string{"max_redemptions"}}, RequestId: "update-code",
		}
	}
	creates := func(text string) func(context.Context) (proto.Message, error) {
		return func(ctx context.Context) (proto.Message, error) {
			a, err := s.CreatePromotionCode(ctx, &discountv1.CreatePromotionCodeRequest{
				Parent: c.GetName(), PromotionCode: coded(text), RequestId: "create-code",
			})
			if err == nil && p == nil {
				p = a.GetPromotionCode()
			}
			return a, err
		}
	}
	createsCoupon := func(percent int32) func(context.Context) (proto.Message, error) {
		return func(ctx context.Context) (proto.Message, error) {
			return s.CreateCoupon(ctx, &discountv1.CreateCouponRequest{Coupon: percentOff(percent), RequestId: "create"})
		}
	}
	commands := []command{
		{"CreateCoupon", createsCoupon(10), createsCoupon(20)},
		{
			"UpdateCoupon",
			func(ctx context.Context) (proto.Message, error) { return s.UpdateCoupon(ctx, limits(100)) },
			func(ctx context.Context) (proto.Message, error) { return s.UpdateCoupon(ctx, limits(200)) },
		},
		{"CreatePromotionCode", creates(""), creates("OTHER")},
		{
			"UpdatePromotionCode",
			func(ctx context.Context) (proto.Message, error) { return s.UpdatePromotionCode(ctx, codeLimits(10)) },
			func(ctx context.Context) (proto.Message, error) { return s.UpdatePromotionCode(ctx, codeLimits(20)) },
		},
		{
			"DeactivatePromotionCode",
			func(ctx context.Context) (proto.Message, error) {
				return s.DeactivatePromotionCode(ctx, &discountv1.DeactivatePromotionCodeRequest{Name: p.GetName(), RequestId: "deactivate"})
			},
			func(ctx context.Context) (proto.Message, error) {
				return s.ActivatePromotionCode(ctx, &discountv1.ActivatePromotionCodeRequest{Name: p.GetName(), RequestId: "deactivate"})
			},
		},
		{
			"ActivatePromotionCode",
			func(ctx context.Context) (proto.Message, error) {
				return s.ActivatePromotionCode(ctx, &discountv1.ActivatePromotionCodeRequest{Name: p.GetName(), RequestId: "activate"})
			},
			func(ctx context.Context) (proto.Message, error) {
				return s.DeletePromotionCode(ctx, &discountv1.DeletePromotionCodeRequest{Name: p.GetName(), RequestId: "activate"})
			},
		},
		{
			"DeletePromotionCode",
			func(ctx context.Context) (proto.Message, error) {
				return s.DeletePromotionCode(ctx, &discountv1.DeletePromotionCodeRequest{Name: p.GetName(), RequestId: "delete-code"})
			},
			func(ctx context.Context) (proto.Message, error) {
				return s.DeactivatePromotionCode(ctx, &discountv1.DeactivatePromotionCodeRequest{Name: p.GetName(), RequestId: "delete-code"})
			},
		},
		{
			"DeleteCoupon",
			func(ctx context.Context) (proto.Message, error) {
				return s.DeleteCoupon(ctx, &discountv1.DeleteCouponRequest{Name: c.GetName(), RequestId: "delete"})
			},
			func(ctx context.Context) (proto.Message, error) {
				r := limits(300)
				r.RequestId = "delete"
				return s.UpdateCoupon(ctx, r)
			},
		},
	}
	for i, cmd := range commands {
		first, err := cmd.does(within(t))
		if err != nil {
			t.Fatalf("%s: %v", cmd.what, err)
		}
		s.wantNothingWritten(t, c, func() {
			again, err := cmd.does(within(t))
			if err != nil {
				t.Fatalf("%s again: %v", cmd.what, err)
			}
			if diff := cmp.Diff(first, again, protocmp.Transform()); diff != "" {
				t.Errorf("%s again gave another answer (-first +again):\n%s", cmd.what, diff)
			}
			_, err = cmd.other(within(t))
			wantError(t, err, codes.InvalidArgument, "REQUEST_ID_REUSED")
			// Those before have had their effect for good.
			for _, before := range commands[:i] {
				if _, err := before.does(within(t)); err != nil {
					t.Errorf("%s after %s: %v", before.what, cmd.what, err)
				}
			}
		})
	}
	if got := slices.Compact(s.codes(t, &discountv1.ListPromotionCodesRequest{Parent: c.GetName(), ShowDeleted: true})); len(got) != 1 {
		t.Errorf("there are %d promotion codes, want 1", len(got))
	}
}
