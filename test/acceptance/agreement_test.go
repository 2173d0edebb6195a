// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package acceptance

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	discountv1 "github.com/discountd/discountd/gen/discount/v1"
)

func forQuantities(min, max int64) func(*discountv1.Coupon) {
	return func(c *discountv1.Coupon) {
		c.Conditions = &discountv1.OrderConditions{MinimumQuantity: &min, MaximumQuantity: &max}
	}
}

// situation is a coupon with a code CODE at a certain time, after some use, and
// what is answered to a purchase.
type situation struct {
	what   string
	coupon *discountv1.Coupon
	code   *discountv1.PromotionCode
	used   []*discountv1.RedeemRequest // before, in time
	then   func(*testing.T, *service, *discountv1.Coupon, *discountv1.PromotionCode)
	buy    *discountv1.RedeemRequest
	want   []discountv1.IneligibilityReason // none: it is redeemed
}

func later(by time.Duration) func(*testing.T, *service, *discountv1.Coupon, *discountv1.PromotionCode) {
	return func(_ *testing.T, s *service, _ *discountv1.Coupon, _ *discountv1.PromotionCode) {
		s.clock.set(today.Add(by))
	}
}

func TestValidateCodeListsEveryReasonAndRedeemGivesTheSame(t *testing.T) {
	t.Parallel()
	why := func(r ...discountv1.IneligibilityReason) []discountv1.IneligibilityReason { return r }
	everything := percentOff(10, couponUntil(today.Add(2*day)), couponLimit(1), couponLimitPerCustomer(1),
		forProducts("mug"), forQuantities(2, 3))
	for _, x := range []situation{
		{
			what: "nothing is against it", coupon: proto.CloneOf(everything), code: coded("CODE"),
			buy: purchase(typing("code"), by("alice"), buying("EUR", line("mug", 100, 2))),
		},
		{
			what: "neither a customer nor an order is given", coupon: proto.CloneOf(everything),
			code: coded("CODE", boundTo("alice"), fromAmount(money(100, "EUR"))),
			buy:  purchase(typing("CODE")), want: why(customerRequired),
		},
		{
			what: "neither is given, by name", coupon: proto.CloneOf(everything),
			code: coded("CODE", boundTo("alice"), fromAmount(money(100, "EUR"))),
			buy:  purchase(usingIt), want: why(customerRequired, orderRequired),
		},
		{
			what: "the order is too small, of one thing, and it is another", coupon: proto.CloneOf(everything),
			code: coded("CODE", fromAmount(money(500, "EUR"))),
			buy:  purchase(typing("CODE"), by("alice"), buying("EUR", line("lamp", 100, 1))),
			want: why(amountTooSmall, quantityTooSmall, noApplicableItems),
		},
		{
			what: "there is too much of it", coupon: proto.CloneOf(everything), code: coded("CODE"),
			buy:  purchase(typing("CODE"), by("alice"), buying("EUR", line("mug", 100, 4))),
			want: why(quantityTooLarge),
		},
		{
			what: "all limits are reached at once, by a returning customer", coupon: percentOff(10, couponLimit(2), couponLimitPerCustomer(2)),
			code: coded("CODE", codeLimit(2), codeLimitPerCustomer(2), firstTimeOnly()),
			used: []*discountv1.RedeemRequest{purchase(typing("CODE"), by("alice")), purchase(typing("CODE"), by("alice"))},
			buy:  purchase(typing("CODE"), byReturningCustomer("alice")),
			want: why(codeUsedUp, couponUsedUp, customerUsedUp, notFirstTransaction),
		},
		{
			what: "the limits are reached for another customer", coupon: percentOff(10, couponLimit(2)),
			code: coded("CODE", codeLimitPerCustomer(1)),
			used: []*discountv1.RedeemRequest{purchase(typing("CODE"), by("alice"))},
			buy:  purchase(typing("CODE"), by("bob")),
		},
		{
			what: "everything that can be against it is", coupon: proto.CloneOf(everything),
			code: coded("CODE", boundTo("alice"), codeUntil(today.Add(day)), codeLimit(1), firstTimeOnly(), fromAmount(money(500, "EUR"))),
			used: []*discountv1.RedeemRequest{purchase(typing("CODE"), by("alice"), buying("EUR", line("mug", 250, 2)))},
			then: func(t *testing.T, s *service, c *discountv1.Coupon, p *discountv1.PromotionCode) {
				t.Helper()
				s.deactivate(t, p)
				s.deleteCoupon(t, c)
				s.clock.set(today.Add(3 * day))
			},
			buy: purchase(usingIt, byReturningCustomer("bob"), buying("EUR", line("lamp", 100, 1))),
			want: why(codeInactive, codeExpired, couponExpired, couponDeleted, codeUsedUp, couponUsedUp,
				customerMismatch, notFirstTransaction, amountTooSmall, quantityTooSmall, noApplicableItems),
		},
		{
			what: "it has yet to start and is for others, and in another currency", code: coded("CODE", boundTo("alice"), codeFrom(today.Add(day))),
			coupon: amountOff(money(100, "EUR")),
			buy:    purchase(usingIt, by("bob"), paying(100, "USD")),
			want:   why(notYetActive, customerMismatch, currencyMismatch),
		},
		{
			what: "it has yet to start, with a minimum in another currency and one of two products", coupon: percentOff(10, couponFrom(today.Add(day)), forProducts("mug")),
			code: coded("CODE", fromAmount(money(100, "EUR"))),
			buy:  purchase(typing("CODE"), buying("USD", line("mug", 100, 1), line("lamp", 100, 1))),
			want: why(notYetActive, currencyMismatch),
		},
		{
			what: "it expires and the customer has none left", coupon: percentOff(10), code: coded("CODE", codeLimitPerCustomer(1), codeUntil(today.Add(day))),
			used: []*discountv1.RedeemRequest{purchase(typing("CODE"), byEmail("alice@example.com"))},
			then: later(day),
			buy:  purchase(typing("CODE"), by("alice"), byEmail("Alice@example.com")),
			want: why(codeExpired, customerUsedUp),
		},
	} {
		t.Run(x.what, func(t *testing.T) {
			t.Parallel()
			s := start(t)
			c := s.coupon(t, x.coupon)
			p := s.code(t, c, x.code)
			for _, r := range x.used {
				s.redeems(t, r)
			}
			if x.then != nil {
				x.then(t, s, c, p)
			}
			if x.buy.GetPromotionCode() == itself {
				using(p)(x.buy)
			}
			if x.want == nil {
				s.redeems(t, x.buy)
				return
			}
			s.wantNothingWritten(t, c, func() {
				got := s.refuses(t, x.buy, x.want...)
				for _, i := range got {
					wantParameters(t, i)
				}
			})
		})
	}
}

// itself stands for the promotion code of the situation, by name.
const itself = "itself"

func usingIt(r *discountv1.RedeemRequest) { using(&discountv1.PromotionCode{Name: itself})(r) }

// wantParameters checks that a reason has the parameters that its documentation
// names, and no others, and a message.
func wantParameters(t *testing.T, i *discountv1.Ineligibility) {
	t.Helper()
	want := map[discountv1.IneligibilityReason][]string{
		notYetActive: {"starts_at"}, codeExpired: {"expires_at"}, couponExpired: {"redeem_by"},
		codeUsedUp: {"limit"}, couponUsedUp: {"limit"}, customerUsedUp: {"limit"},
		amountTooSmall:   {"required_amount", "actual_amount"},
		quantityTooSmall: {"required_quantity", "actual_quantity"},
		quantityTooLarge: {"required_quantity", "actual_quantity"},
	}
	m := i.ProtoReflect()
	for k := range m.Descriptor().Fields().Len() {
		f := m.Descriptor().Fields().Get(k)
		switch name := string(f.Name()); name {
		case "reason", "retryable":
		case "message":
			if i.GetMessage() == "" {
				t.Errorf("%v says nothing to people", i.GetReason())
			}
		default:
			if has := m.Has(f); has != slices.Contains(want[i.GetReason()], name) {
				t.Errorf("%v has %s: %v", i.GetReason(), name, has)
			}
		}
	}
	if retryable := i.GetReason() == notYetActive; i.GetRetryable() != retryable {
		t.Errorf("%v is retryable: %v", i.GetReason(), i.GetRetryable())
	}
}

// TestValidateCodeAgreesWithRedeemInSituationsMadeUpAtRandom goes through the rules
// by dice: whatever ValidateCode says, Redeem must do.
func TestValidateCodeAgreesWithRedeemInSituationsMadeUpAtRandom(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	dice := rand.New(rand.NewPCG(seed, 0))
	s := start(t)
	redeemed, refused := 0, map[discountv1.IneligibilityReason]int{}
	for round := range 40 {
		s.clock.set(today)
		c := s.coupon(t, randomCoupon(dice))
		var texts []string
		for k := range 3 {
			p := randomCode(dice, c, fmt.Sprintf("R%d-%d", round, k))
			if s.code(t, c, p); dice.IntN(8) == 0 {
				continue // nobody learns of it
			}
			texts = append(texts, p.GetCode())
		}
		for range 15 {
			r := randomPurchase(dice, c, texts)
			if _, err := s.validates(t, r); err != nil {
				for _, reason := range err {
					refused[reason]++
				}
			} else {
				redeemed++
			}
			if dice.IntN(8) == 0 {
				s.clock.set(s.clock.read().Add(12 * time.Hour))
			}
		}
	}
	t.Logf("%d were redeemed; refused were %v", redeemed, refused)
	if redeemed < 50 || len(refused) < 10 {
		t.Errorf("the dice tried too little: %d redeemed, %d different reasons", redeemed, len(refused))
	}
}

// validates asks ValidateCode and then has Redeem do what it said.
func (s *service) validates(t *testing.T, r *discountv1.RedeemRequest) (*discountv1.Redemption, []discountv1.IneligibilityReason) {
	t.Helper()
	answer, err := s.ValidateCode(within(t), validation(r))
	if err != nil {
		t.Fatalf("ValidateCode: %v", err)
	}
	if answer.GetValid() {
		return s.redeems(t, r), nil
	}
	return nil, reasons(s.refuses(t, r, reasons(answer.GetIneligibilities())...))
}

// maybe returns one of some changes, or, in two of three cases, none.
func maybe[T any](dice *rand.Rand, changes ...func(T)) func(T) {
	if dice.IntN(3) > 0 {
		return func(T) {}
	}
	return changes[dice.IntN(len(changes))]
}

func randomCoupon(dice *rand.Rand) *discountv1.Coupon {
	c := percentOff(1 + dice.Int32N(100))
	if dice.IntN(2) == 0 {
		c = amountOff(money(1+dice.Int64N(500), "EUR"), money(1+dice.Int64N(500), "JPY"))
	}
	for _, change := range []func(*discountv1.Coupon){
		maybe(dice, couponLimit(1+dice.Int64N(8)), couponLimit(100)),
		maybe(dice, couponLimitPerCustomer(1+dice.Int64N(3))),
		maybe(dice, couponFrom(today.Add(day/2))),
		maybe(dice, couponUntil(today.Add(day)), couponUntil(today.Add(3*day))),
		maybe(dice, forProducts("mug", "plate"), butForProducts("lamp")),
		maybe(dice, forQuantities(2, 5)),
	} {
		change(c)
	}
	return c
}

func randomCode(dice *rand.Rand, c *discountv1.Coupon, text string) *discountv1.PromotionCode {
	p := coded(text)
	changes := []func(*discountv1.PromotionCode){
		maybe(dice, boundTo("alice"), boundToEmail("bob@example.com")),
		maybe(dice, codeLimitPerCustomer(1+dice.Int64N(2))),
		maybe(dice, codeUntil(today.Add(20*time.Hour))),
		maybe(dice, firstTimeOnly()),
		maybe(dice, fromAmount(money(200, "EUR")), fromAmount(money(100, "EUR"), money(100, "JPY"))),
	}
	if c.GetMaxRedemptions() == 0 {
		changes = append(changes, maybe(dice, codeLimit(1+dice.Int64N(4))))
	}
	for _, change := range changes {
		change(p)
	}
	return p
}

func randomPurchase(dice *rand.Rand, c *discountv1.Coupon, texts []string) *discountv1.RedeemRequest {
	source := applying(c)
	if len(texts) > 0 && dice.IntN(6) > 0 {
		source = typing(texts[dice.IntN(len(texts))])
	}
	lines := []*discountv1.OrderLine{line("mug", 1+dice.Int64N(200), 1+dice.Int64N(3)), line("lamp", dice.Int64N(300), 1)}
	return purchase(
		source,
		by([]string{"", "alice", "alice", "bob"}[dice.IntN(4)]),
		maybe(dice, byReturningCustomer("alice")),
		maybe(dice, byEmail("bob@example.com"), byEmail("Alice@example.com")),
		buying("EUR", lines...),
		maybe(dice, buying("EUR", lines[0]), buying("EUR", lines[1]), buying("JPY", lines...), buying("USD", lines...), withoutOrder),
	)
}

func withoutOrder(r *discountv1.RedeemRequest) { r.Order = nil }

func TestValidateCodeWritesNothingAndSaysWhatItIsAbout(t *testing.T) {
	t.Parallel()
	s := start(t)
	c := s.coupon(t, percentOff(10, couponLimit(1)))
	p := s.code(t, c, coded("CODE"))
	s.wantNothingWritten(t, c, func() {
		for range 10 {
			got, err := s.ValidateCode(within(t), validation(purchase(typing("code"), by("alice"), buying("EUR", line("mug", 25, 4)))))
			if err != nil {
				t.Fatal(err)
			}
			want := &discountv1.ValidateCodeResponse{
				Valid: true, Coupon: c.GetName(), PromotionCode: p.GetName(), AsOf: timestamppb.New(today),
				Discount: &discountv1.AppliedDiscount{
					CurrencyCode: "EUR", TotalAmountMinor: 10,
					Lines: []*discountv1.LineDiscount{{LineId: "1", AmountMinor: 10, Units: []*discountv1.UnitDiscount{
						{Quantity: 2, AmountMinor: 3}, {Quantity: 2, AmountMinor: 2},
					}}},
					Allocation:    discountv1.Allocation_ALLOCATION_ACROSS_PROPORTIONAL,
					RoundingScope: discountv1.RoundingScope_ROUNDING_SCOPE_ORDER,
				},
			}
			if !proto.Equal(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
		}
	})
	// A code that is nobody's names nothing, and one of somebody else's neither.
	s.code(t, s.coupon(t, percentOff(10)), coded("HERS", boundTo("alice")))
	for _, text := range []string{"NOBODYS", "HERS", "!"} {
		got, err := s.ValidateCode(within(t), validation(purchase(typing(text), by("bob"))))
		if status.Code(err) != codes.OK || got.GetCoupon() != "" || got.GetPromotionCode() != "" || got.GetValid() {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
}
