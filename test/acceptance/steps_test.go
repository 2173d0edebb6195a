// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package acceptance

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	discountv1 "github.com/discountd/discountd/gen/discount/v1"
)

// The words that scenarios are written in.

// percentOff is a coupon that takes a share of the order off.
func percentOff(percent int32, with ...func(*discountv1.Coupon)) *discountv1.Coupon {
	c := &discountv1.Coupon{Discount: &discountv1.Coupon_PercentOff{
		PercentOff: &discountv1.PercentOff{BasisPoints: percent * 100},
	}}
	for _, f := range with {
		f(c)
	}
	return c
}

// amountOff is a coupon that takes amounts off, one per currency.
func amountOff(amounts ...*discountv1.Money) *discountv1.Coupon {
	return &discountv1.Coupon{Discount: &discountv1.Coupon_AmountOff{
		AmountOff: &discountv1.AmountOff{Amounts: amounts},
	}}
}

func couponLimit(n int64) func(*discountv1.Coupon) {
	return func(c *discountv1.Coupon) { c.MaxRedemptions = &n }
}

func couponLimitPerCustomer(n int64) func(*discountv1.Coupon) {
	return func(c *discountv1.Coupon) { c.MaxRedemptionsPerCustomer = &n }
}

func couponUntil(at time.Time) func(*discountv1.Coupon) {
	return func(c *discountv1.Coupon) { c.RedeemBy = timestamppb.New(at) }
}

func couponFrom(at time.Time) func(*discountv1.Coupon) {
	return func(c *discountv1.Coupon) { c.StartsAt = timestamppb.New(at) }
}

func forProducts(products ...string) func(*discountv1.Coupon) {
	return func(c *discountv1.Coupon) { c.AppliesTo = &discountv1.AppliesTo{Products: products} }
}

func butForProducts(products ...string) func(*discountv1.Coupon) {
	return func(c *discountv1.Coupon) { c.AppliesTo = &discountv1.AppliesTo{ExcludedProducts: products} }
}

// coded is a promotion code that a customer types as text; an empty one is
// generated.
func coded(text string, with ...func(*discountv1.PromotionCode)) *discountv1.PromotionCode {
	p := &discountv1.PromotionCode{Code: text}
	for _, f := range with {
		f(p)
	}
	return p
}

func boundTo(customer string) func(*discountv1.PromotionCode) {
	return func(p *discountv1.PromotionCode) { p.CustomerId = customer }
}

func boundToEmail(email string) func(*discountv1.PromotionCode) {
	return func(p *discountv1.PromotionCode) { p.CustomerEmail = email }
}

func codeLimit(n int64) func(*discountv1.PromotionCode) {
	return func(p *discountv1.PromotionCode) { p.MaxRedemptions = &n }
}

func codeLimitPerCustomer(n int64) func(*discountv1.PromotionCode) {
	return func(p *discountv1.PromotionCode) { p.MaxRedemptionsPerCustomer = &n }
}

func codeUntil(at time.Time) func(*discountv1.PromotionCode) {
	return func(p *discountv1.PromotionCode) { p.ExpiresAt = timestamppb.New(at) }
}

func codeFrom(at time.Time) func(*discountv1.PromotionCode) {
	return func(p *discountv1.PromotionCode) { p.StartsAt = timestamppb.New(at) }
}

func restricted(p *discountv1.PromotionCode) *discountv1.PromotionCodeRestrictions {
	if p.GetRestrictions() == nil {
		p.Restrictions = &discountv1.PromotionCodeRestrictions{}
	}
	return p.GetRestrictions()
}

func firstTimeOnly() func(*discountv1.PromotionCode) {
	return func(p *discountv1.PromotionCode) { restricted(p).FirstTimeTransaction = true }
}

func fromAmount(amounts ...*discountv1.Money) func(*discountv1.PromotionCode) {
	return func(p *discountv1.PromotionCode) { restricted(p).MinimumAmounts = amounts }
}

func money(minor int64, currency string) *discountv1.Money {
	return &discountv1.Money{CurrencyCode: currency, AmountMinor: minor}
}

var lastRequest atomic.Int64

// purchase is a redemption to be asked for, under a request id of its own.
func purchase(with ...func(*discountv1.RedeemRequest)) *discountv1.RedeemRequest {
	r := &discountv1.RedeemRequest{RequestId: fmt.Sprintf("purchase-%d", lastRequest.Add(1))}
	for _, f := range with {
		f(r)
	}
	return r
}

func typing(code string) func(*discountv1.RedeemRequest) {
	return func(r *discountv1.RedeemRequest) { r.Source = &discountv1.RedeemRequest_Code{Code: code} }
}

func using(p *discountv1.PromotionCode) func(*discountv1.RedeemRequest) {
	return func(r *discountv1.RedeemRequest) {
		r.Source = &discountv1.RedeemRequest_PromotionCode{PromotionCode: p.GetName()}
	}
}

func applying(c *discountv1.Coupon) func(*discountv1.RedeemRequest) {
	return func(r *discountv1.RedeemRequest) { r.Source = &discountv1.RedeemRequest_Coupon{Coupon: c.GetName()} }
}

func customer(r *discountv1.RedeemRequest) *discountv1.Customer {
	if r.GetCustomer() == nil {
		r.Customer = &discountv1.Customer{}
	}
	return r.GetCustomer()
}

func by(id string) func(*discountv1.RedeemRequest) {
	return func(r *discountv1.RedeemRequest) { customer(r).Id = id }
}

func byEmail(email string) func(*discountv1.RedeemRequest) {
	return func(r *discountv1.RedeemRequest) { customer(r).Email = email }
}

func byReturningCustomer(id string) func(*discountv1.RedeemRequest) {
	return func(r *discountv1.RedeemRequest) {
		customer(r).Id = id
		customer(r).HasPriorTransactions = true
	}
}

// paying is an order of one unit of a product.
func paying(minor int64, currency string) func(*discountv1.RedeemRequest) {
	return buying(currency, line("mug", minor, 1))
}

func buying(currency string, lines ...*discountv1.OrderLine) func(*discountv1.RedeemRequest) {
	return func(r *discountv1.RedeemRequest) {
		r.Order = &discountv1.Order{CurrencyCode: currency, Lines: lines}
	}
}

func line(product string, unitMinor, quantity int64) *discountv1.OrderLine {
	return &discountv1.OrderLine{ProductId: product, UnitAmountMinor: unitMinor, Quantity: quantity}
}

// validation asks whether a redemption would succeed.
func validation(r *discountv1.RedeemRequest) *discountv1.ValidateCodeRequest {
	v := &discountv1.ValidateCodeRequest{
		Customer: r.GetCustomer(), Order: r.GetOrder(),
		Context: r.GetContext(), SubscriptionId: r.GetSubscriptionId(), PlanTrialDays: r.GetPlanTrialDays(),
	}
	switch source := r.GetSource().(type) {
	case *discountv1.RedeemRequest_Code:
		v.Source = &discountv1.ValidateCodeRequest_Code{Code: source.Code}
	case *discountv1.RedeemRequest_PromotionCode:
		v.Source = &discountv1.ValidateCodeRequest_PromotionCode{PromotionCode: source.PromotionCode}
	case *discountv1.RedeemRequest_Coupon:
		v.Source = &discountv1.ValidateCodeRequest_Coupon{Coupon: source.Coupon}
	}
	return v
}

// The steps of scenarios. Each fails the test when the service does not do what
// the step says.

func (s *service) coupon(t *testing.T, c *discountv1.Coupon) *discountv1.Coupon {
	t.Helper()
	answer, err := s.CreateCoupon(within(t), &discountv1.CreateCouponRequest{Coupon: c})
	if err != nil {
		t.Fatalf("CreateCoupon: %v", err)
	}
	return answer.GetCoupon()
}

func (s *service) code(t *testing.T, c *discountv1.Coupon, p *discountv1.PromotionCode) *discountv1.PromotionCode {
	t.Helper()
	answer, err := s.createCode(t, c, p)
	if err != nil {
		t.Fatalf("CreatePromotionCode %s: %v", p.GetCode(), err)
	}
	return answer
}

func (s *service) createCode(t *testing.T, c *discountv1.Coupon, p *discountv1.PromotionCode) (*discountv1.PromotionCode, error) {
	t.Helper()
	answer, err := s.CreatePromotionCode(within(t), &discountv1.CreatePromotionCodeRequest{Parent: c.GetName(), PromotionCode: p})
	return answer.GetPromotionCode(), err
}

func (s *service) deactivate(t *testing.T, p *discountv1.PromotionCode) {
	t.Helper()
	answer, err := s.DeactivatePromotionCode(within(t), &discountv1.DeactivatePromotionCodeRequest{Name: p.GetName()})
	if err != nil {
		t.Fatalf("DeactivatePromotionCode: %v", err)
	}
	if answer.GetPromotionCode().GetActive() {
		t.Errorf("%s is active after its deactivation", p.GetCode())
	}
}

func (s *service) activate(t *testing.T, p *discountv1.PromotionCode) error {
	t.Helper()
	answer, err := s.ActivatePromotionCode(within(t), &discountv1.ActivatePromotionCodeRequest{Name: p.GetName()})
	if err == nil && !answer.GetPromotionCode().GetActive() {
		t.Errorf("%s is not active after its activation", p.GetCode())
	}
	return err
}

func (s *service) deleteCode(t *testing.T, p *discountv1.PromotionCode) {
	t.Helper()
	_, err := s.DeletePromotionCode(within(t), &discountv1.DeletePromotionCodeRequest{Name: p.GetName()})
	if err != nil {
		t.Fatalf("DeletePromotionCode: %v", err)
	}
}

func (s *service) deleteCoupon(t *testing.T, c *discountv1.Coupon) {
	t.Helper()
	_, err := s.DeleteCoupon(within(t), &discountv1.DeleteCouponRequest{Name: c.GetName()})
	if err != nil {
		t.Fatalf("DeleteCoupon: %v", err)
	}
}

// redeems redeems, after ValidateCode has said that it would work and for how
// much, and returns the redemption.
func (s *service) redeems(t *testing.T, r *discountv1.RedeemRequest) *discountv1.Redemption {
	t.Helper()
	before, err := s.ValidateCode(within(t), validation(r))
	if err != nil {
		t.Fatalf("ValidateCode: %v", err)
	}
	answer, err := s.Redeem(within(t), r)
	if err != nil {
		t.Fatalf("Redeem: %v", err)
	}
	got := answer.GetRedemption()
	if !before.GetValid() || len(before.GetIneligibilities()) > 0 {
		t.Errorf("ValidateCode said %v of what was redeemed", before)
	}
	// The split of lines over their units is told by ValidateCode only.
	discount := cmp.Diff(before.GetDiscount(), got.GetDiscount(), protocmp.Transform(),
		protocmp.IgnoreFields(&discountv1.LineDiscount{}, "units"))
	if discount != "" {
		t.Errorf("ValidateCode and Redeem took off different amounts (-validated +redeemed):\n%s", discount)
	}
	if before.GetPromotionCode() != got.GetPromotionCode() {
		t.Errorf("ValidateCode spoke of %q and Redeem used %q", before.GetPromotionCode(), got.GetPromotionCode())
	}
	if got.GetState() != discountv1.RedemptionState_REDEMPTION_STATE_REDEEMED {
		t.Errorf("the redemption is %v", got.GetState())
	}
	return got
}

// refuses fails to redeem for the given reasons and no other, which ValidateCode
// gives as well, and returns them with their parameters.
func (s *service) refuses(t *testing.T, r *discountv1.RedeemRequest, want ...discountv1.IneligibilityReason) []*discountv1.Ineligibility {
	t.Helper()
	validated, err := s.ValidateCode(within(t), validation(r))
	if err != nil {
		t.Fatalf("ValidateCode: %v", err)
	}
	_, err = s.Redeem(within(t), r)
	if status.Code(err) != codes.FailedPrecondition {
		t.Fatalf("Redeem: %v, want a refusal for %v", err, want)
	}
	refused := detail[*discountv1.RedemptionRefused](t, err).GetIneligibilities()
	if got := reasons(refused); !slices.Equal(got, sorted(want)) {
		t.Errorf("Redeem refused for %v, want %v", got, sorted(want))
	}
	if validated.GetValid() || validated.GetDiscount() != nil {
		t.Errorf("ValidateCode said %v of what was refused", validated)
	}
	agree := cmp.Diff(validated.GetIneligibilities(), refused, protocmp.Transform(), cmpopts.EquateEmpty())
	if agree != "" {
		t.Errorf("ValidateCode and Redeem gave different reasons (-validated +redeemed):\n%s", agree)
	}
	return refused
}

func reasons(all []*discountv1.Ineligibility) []discountv1.IneligibilityReason {
	var out []discountv1.IneligibilityReason
	for _, i := range all {
		out = append(out, i.GetReason())
	}
	return sorted(out)
}

func sorted(r []discountv1.IneligibilityReason) []discountv1.IneligibilityReason {
	out := slices.Clone(r)
	slices.Sort(out)
	return out
}

// wantStatus reads a promotion code and compares what it says of itself.
func (s *service) wantStatus(t *testing.T, p *discountv1.PromotionCode, want discountv1.PromotionCodeStatus) *discountv1.PromotionCode {
	t.Helper()
	answer, err := s.GetPromotionCode(within(t), &discountv1.GetPromotionCodeRequest{Name: p.GetName()})
	if err != nil {
		t.Fatalf("GetPromotionCode: %v", err)
	}
	got := answer.GetPromotionCode()
	if got.GetStatus() != want {
		t.Errorf("%s is %v, want %v", p.GetCode(), got.GetStatus(), want)
	}
	return got
}

// wantUsed compares how often a coupon says it was redeemed with its ledger and
// with n.
func (s *service) wantUsed(t *testing.T, c *discountv1.Coupon, n int) {
	t.Helper()
	answer, err := s.GetCoupon(within(t), &discountv1.GetCouponRequest{Name: c.GetName()})
	if err != nil {
		t.Fatalf("GetCoupon: %v", err)
	}
	ledger := s.ledger(t, &discountv1.ListRedemptionsRequest{Parent: c.GetName()})
	if got := answer.GetCoupon().GetTimesRedeemed(); got != int64(n) || len(ledger) != n {
		t.Errorf("times_redeemed is %d and the ledger has %d, want %d", got, len(ledger), n)
	}
}

// ledger returns all pages of a list of redemptions.
func (s *service) ledger(t *testing.T, r *discountv1.ListRedemptionsRequest) []*discountv1.Redemption {
	t.Helper()
	var all []*discountv1.Redemption
	for {
		page, err := s.ListRedemptions(within(t), r)
		if err != nil {
			t.Fatalf("ListRedemptions: %v", err)
		}
		all = append(all, page.GetRedemptions()...)
		if r.PageToken = page.GetNextPageToken(); r.GetPageToken() == "" {
			return all
		}
	}
}

// detail returns the one detail of type D that an error carries.
func detail[D proto.Message](t *testing.T, err error) D {
	t.Helper()
	var found []D
	for _, d := range status.Convert(err).Details() {
		if m, ok := d.(D); ok {
			found = append(found, m)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%v carries %d details of type %T", err, len(found), *new(D))
	}
	return found[0]
}

// wantError compares the code and the reason of an error, which every error of the
// service has.
func wantError(t *testing.T, err error, code codes.Code, reason string) {
	t.Helper()
	if status.Code(err) != code {
		t.Fatalf("got %v, want %v", err, code)
	}
	info := detail[*errdetails.ErrorInfo](t, err)
	if info.GetReason() != reason || info.GetDomain() != "discountd" {
		t.Errorf("got reason %s of %s, want %s of discountd", info.GetReason(), info.GetDomain(), reason)
	}
}

// wantViolations compares the fields that an error says are wrong.
func wantViolations(t *testing.T, err error, fields ...string) {
	t.Helper()
	wantError(t, err, codes.InvalidArgument, "INVALID_ARGUMENT")
	var got []string
	for _, v := range detail[*errdetails.BadRequest](t, err).GetFieldViolations() {
		got = append(got, v.GetField())
	}
	if !slices.Equal(got, fields) {
		t.Errorf("violated are %q, want %q", got, fields)
	}
}

// wantHeldBy compares which promotion code an error says holds a code.
func wantHeldBy(t *testing.T, err error, holder *discountv1.PromotionCode) {
	t.Helper()
	wantError(t, err, codes.AlreadyExists, "CODE_ALREADY_ACTIVE")
	info := detail[*errdetails.ResourceInfo](t, err)
	if info.GetResourceType() != "discountd/PromotionCode" || info.GetResourceName() != holder.GetName() {
		t.Errorf("the code is held by %s %s, want %s", info.GetResourceType(), info.GetResourceName(), holder.GetName())
	}
}

// wantSame checks that another server sees what this one does.
func (s *service) wantSame(t *testing.T, other *service) {
	t.Helper()
	c := s.coupon(t, percentOff(10))
	got, err := other.GetCoupon(within(t), &discountv1.GetCouponRequest{Name: c.GetName()})
	if err != nil {
		t.Fatalf("the other server: %v", err)
	}
	if diff := cmp.Diff(c, got.GetCoupon(), protocmp.Transform()); diff != "" {
		t.Errorf("two servers show different coupons:\n%s", diff)
	}
}
