// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	"github.com/discountd/discountd/domain"
	discountv1 "github.com/discountd/discountd/gen/discount/v1"
)

func newReader(t testing.TB) *reader {
	t.Helper()
	hasher, err := domain.NewHasher([]byte(strings.Repeat("k", domain.MinHashKeyLength)))
	if err != nil {
		t.Fatal(err)
	}
	return &reader{hasher: hasher}
}

// TestACouponComesBackAsItWentIn sends random coupons of every type of discount
// to the domain's type and back. The generator knows fields by reflection, so a
// new one that is not converted fails the test.
func TestACouponComesBackAsItWentIn(t *testing.T) {
	discounts := new(discountv1.Coupon).ProtoReflect().Descriptor().Oneofs().ByName("discount").Fields()
	for i := range discounts.Len() {
		t.Run(string(discounts.Get(i).Name()), func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				want := &discountv1.Coupon{}
				fill(rt, want.ProtoReflect(), discounts.Get(i))
				spent := spending(want)

				r := newReader(t)
				config := readCoupon(r, "", want)
				if err := r.violations.Err(); err != nil {
					rt.Fatal(err)
				}
				config.ID, _ = domain.ParseCouponName(want.GetName())
				config.CreateTime, config.UpdateTime = r.time("", want.GetCreateTime()), r.time("", want.GetUpdateTime())
				version, err := parseETag(want.GetEtag())
				if err != nil {
					rt.Fatal(err)
				}
				got := writeCoupon(domain.CouponView{
					CouponSnapshot: domain.CouponSnapshot{
						Coupon:   config,
						Version:  version,
						Deleted:  want.GetState() == discountv1.CouponState_COUPON_STATE_DELETED,
						Redeemed: want.GetTimesRedeemed(),
						Spent:    spent,
					},
					Valid: want.GetValid(),
				})
				if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
					rt.Error("(-want +got):\n" + diff)
				}
			})
		})
	}
}

// spending returns a spending of which c has in each of its budgets what counts
// against it. It gives the budgets different currencies first.
func spending(c *discountv1.Coupon) map[domain.Currency]domain.Spending {
	spent := map[domain.Currency]domain.Spending{}
	for i, b := range c.GetBudgets() {
		b.Limit.CurrencyCode += strconv.Itoa(i)
		one := domain.Spending{TotalMinor: b.GetSpentAmountMinor(), ScopedMinor: 1}
		if len(b.GetProducts()) > 0 {
			one = domain.Spending{TotalMinor: 1, ScopedMinor: b.GetSpentAmountMinor()}
		}
		spent[domain.Currency(b.GetLimit().GetCurrencyCode())] = one
	}
	return spent
}

func TestAPromotionCodeComesBackAsItWentIn(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		given := &discountv1.PromotionCode{}
		fill(rt, given.ProtoReflect(), nil)

		r := newReader(t)
		config := readPromotionCode(r, "", given)
		if err := r.violations.Err(); err != nil {
			rt.Fatal(err)
		}
		config.Name, _ = domain.ParsePromotionCodeName(given.GetName())
		config.CreateTime, config.UpdateTime = r.time("", given.GetCreateTime()), r.time("", given.GetUpdateTime())
		version, err := parseETag(given.GetEtag())
		if err != nil {
			rt.Fatal(err)
		}
		got := writePromotionCode(domain.PromotionCodeView{
			PromotionCodeSnapshot: domain.PromotionCodeSnapshot{
				PromotionCode: config,
				Version:       version,
				Redeemed:      given.GetTimesRedeemed(),
			},
			Status: domain.PromotionStatus(given.GetStatus()),
		})

		want := proto.CloneOf(given)
		want.EmailBound, want.CustomerEmail = given.GetCustomerEmail() != "", ""
		want.Active = given.GetStatus() == discountv1.PromotionCodeStatus_PROMOTION_CODE_STATUS_ACTIVE ||
			given.GetStatus() == discountv1.PromotionCodeStatus_PROMOTION_CODE_STATUS_SCHEDULED
		if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
			rt.Error("(-want +got):\n" + diff)
		}
	})
}

// fill gives every field of m a random value that keeps to the forms that the
// API asks for, or leaves it unset if it may be. Chosen is the field that a oneof
// of m has; nil leaves it to chance.
func fill(t *rapid.T, m protoreflect.Message, chosen protoreflect.FieldDescriptor) {
	fields, name := m.Descriptor().Fields(), string(m.Descriptor().Name())
	for i := range m.Descriptor().Oneofs().Len() {
		if o := m.Descriptor().Oneofs().Get(i); !o.IsSynthetic() && chosen == nil {
			chosen = o.Fields().Get(rapid.IntRange(0, o.Fields().Len()-1).Draw(t, string(o.Name())))
		}
	}
	for i := range fields.Len() {
		f := fields.Get(i)
		label := name + "." + string(f.Name())
		switch o := f.ContainingOneof(); {
		case o != nil && !o.IsSynthetic():
			if f == chosen {
				fill(t, m.Mutable(f).Message(), nil)
			}
		case f.IsList():
			for range rapid.IntRange(0, 3).Draw(t, label) {
				e := m.Mutable(f).List().NewElement()
				if f.Message() != nil {
					fill(t, e.Message(), nil)
				} else {
					e = single(t, f, label)
				}
				m.Mutable(f).List().Append(e)
			}
		case f.IsMap():
			for k, v := range rapid.MapOfN(rapid.String(), rapid.String(), 0, 3).Draw(t, label) {
				m.Mutable(f).Map().Set(protoreflect.ValueOf(k).MapKey(), protoreflect.ValueOf(v))
			}
		case f.HasPresence() && f.FullName() != "discount.v1.Budget.limit" && f.Name() != "get_basis_points" && !rapid.Bool().Draw(t, label+" is set"):
			// Unset. An unset get_basis_points comes back as what it means, and a
			// budget has a limit.
		case f.Message() == nil:
			m.Set(f, single(t, f, label))
		case f.Message().FullName() == new(timestamppb.Timestamp).ProtoReflect().Descriptor().FullName():
			m.Set(f, protoreflect.ValueOf(timestamppb.New(instant(t, label)).ProtoReflect()))
		default:
			fill(t, m.Mutable(f).Message(), nil)
			if proto.Size(m.Get(f).Message().Interface()) == 0 && name != "BuyXGetY" && name != "Budget" {
				m.Clear(f) // it says nothing, and is not told apart from none
			}
		}
	}
}

func instant(t *rapid.T, label string) time.Time {
	return time.UnixMilli(rapid.Int64Range(0, 253402300799_999).Draw(t, label)).UTC()
}

// single returns a value for a field that is not a message.
func single(t *rapid.T, f protoreflect.FieldDescriptor, label string) protoreflect.Value {
	switch f.Name() {
	case "name":
		if f.Parent().Name() == "Coupon" {
			return protoreflect.ValueOf("coupons/" + rapid.StringMatching(`[A-Za-z0-9][A-Za-z0-9_-]{0,63}`).Draw(t, label))
		}
		return protoreflect.ValueOf("coupons/fall/promotionCodes/" + rapid.StringMatching(`[0-9a-h]{8}`).Draw(t, label))
	case "etag":
		return protoreflect.ValueOf(fmt.Sprint("v", rapid.Int64Min(1).Draw(t, label)))
	case "code":
		return protoreflect.ValueOf(rapid.StringMatching(`[A-Za-z0-9_-]{0,64}`).Draw(t, label))
	case "customer_email":
		return protoreflect.ValueOf(rapid.StringMatching(`([a-z]{1,9}@[a-z]{1,9})?`).Draw(t, label))
	case "state", "policy": // an unset policy comes back as what it means
		return protoreflect.ValueOf(protoreflect.EnumNumber(rapid.IntRange(1, 2).Draw(t, label)))
	}
	switch f.Kind() {
	case protoreflect.BoolKind:
		return protoreflect.ValueOf(rapid.Bool().Draw(t, label))
	case protoreflect.StringKind:
		return protoreflect.ValueOf(rapid.String().Draw(t, label))
	case protoreflect.Int32Kind:
		return protoreflect.ValueOf(rapid.Int32Min(1).Draw(t, label))
	case protoreflect.Int64Kind:
		return protoreflect.ValueOf(rapid.Int64().Draw(t, label))
	case protoreflect.EnumKind:
		return protoreflect.ValueOf(protoreflect.EnumNumber(rapid.IntRange(0, f.Enum().Values().Len()-1).Draw(t, label)))
	default:
		t.Fatalf("%s has a kind that no value is known for", label)
		return protoreflect.Value{}
	}
}

var (
	aTime    = time.Date(2026, 1, 2, 3, 4, 5, 678_000_000, time.UTC)
	discount = domain.AppliedDiscount{
		Currency:            "EUR",
		TotalAmountMinor:    1205,
		Lines:               []domain.LineDiscount{{LineID: "1", AmountMinor: 1000, Units: []domain.UnitDiscount{{Quantity: 2, AmountMinor: 500}}}},
		ShippingAmountMinor: 205,
		Allocation:          domain.PerUnit,
		RoundingScope:       domain.RoundPerLine,
		TrialDays:           30,
		TrialEndsAt:         aTime,
	}
	discountMessage = &discountv1.AppliedDiscount{
		CurrencyCode:     "EUR",
		TotalAmountMinor: 1205,
		Lines: []*discountv1.LineDiscount{
			{LineId: "1", AmountMinor: 1000, Units: []*discountv1.UnitDiscount{{Quantity: 2, AmountMinor: 500}}},
		},
		ShippingAmountMinor: 205,
		Allocation:          discountv1.Allocation_ALLOCATION_PER_UNIT,
		RoundingScope:       discountv1.RoundingScope_ROUNDING_SCOPE_LINE,
		TrialDays:           30,
		TrialEndsAt:         timestamppb.New(aTime),
	}
)

func TestARedemptionIsAnsweredWhole(t *testing.T) {
	want := &discountv1.Redemption{
		Name:              "coupons/fall/redemptions/1-abc",
		PromotionCode:     "coupons/fall/promotionCodes/00000000",
		State:             discountv1.RedemptionState_REDEMPTION_STATE_REDEEMED,
		RequestId:         "r",
		CustomerId:        "c",
		EmailBound:        true,
		OrderId:           "o",
		Discount:          discountMessage,
		CreateTime:        timestamppb.New(aTime),
		CouponEtag:        "v3",
		PromotionCodeEtag: "v4",
		ExpireTime:        timestamppb.New(aTime.Add(1 * time.Minute)),
		CommitTime:        timestamppb.New(aTime.Add(2 * time.Minute)),
		ReleaseTime:       timestamppb.New(aTime.Add(3 * time.Minute)),
		VoidedAmountMinor: 300,
		Voids: []*discountv1.RedemptionVoid{
			{AmountMinor: 100, Reason: "returned", RequestId: "v1", CreateTime: timestamppb.New(aTime.Add(4 * time.Minute))},
			{AmountMinor: 200, Reason: "lost", RequestId: "v2", CreateTime: timestamppb.New(aTime.Add(5 * time.Minute))},
		},
		Context: discountv1.UseContext_USE_CONTEXT_SUBSCRIPTION_CREATE,
		SubscriptionDiscount: &discountv1.SubscriptionDiscount{
			SubscriptionId: "sub",
			Duration:       discountv1.DiscountDuration_DISCOUNT_DURATION_CYCLES,
			StartTime:      timestamppb.New(aTime.Add(2 * time.Minute)),
			EndTime:        timestamppb.New(aTime), // with the trial
			CyclesUsed:     1,
			CyclesLeft:     new(int64(3)),
			EndedTime:      timestamppb.New(aTime.Add(6 * time.Minute)),
		},
	}
	everyFieldIsSet(t, want)
	got := writeRedemption(&domain.Redemption{
		Name:                 domain.RedemptionName{Coupon: "fall", ID: "1-abc"},
		PromotionCode:        "00000000",
		State:                domain.RedemptionRedeemed,
		RequestID:            "r",
		Fingerprint:          "not told",
		CustomerID:           "c",
		EmailHash:            "0123456789abcdef",
		OrderID:              "o",
		Discount:             &discount,
		CreateTime:           aTime,
		CouponVersion:        3,
		PromotionCodeVersion: 4,
		ScopedAmountMinor:    7, // not told
		ExpireTime:           aTime.Add(1 * time.Minute),
		CommitTime:           aTime.Add(2 * time.Minute),
		ReleaseTime:          aTime.Add(3 * time.Minute),
		VoidedAmountMinor:    300,
		Voids: []domain.Void{
			{AmountMinor: 100, Reason: "returned", RequestID: "v1", Time: aTime.Add(4 * time.Minute)},
			{AmountMinor: 200, Reason: "lost", RequestID: "v2", Time: aTime.Add(5 * time.Minute)},
		},
		Context: domain.ContextSubscriptionCreate,
		Subscription: &domain.SubscriptionDiscount{
			SubscriptionID: "sub",
			Duration:       domain.DurationCycles,
			Cycles:         4,
			Used:           1,
			EndedTime:      aTime.Add(6 * time.Minute),
		},
	})
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Error("(-want +got):\n" + diff)
	}
}

func TestARedemptionOfACouponAppliedDirectlyNamesNoCode(t *testing.T) {
	want := &discountv1.Redemption{
		Name:       "coupons/fall/redemptions/1-abc",
		State:      discountv1.RedemptionState_REDEMPTION_STATE_VOIDED,
		CouponEtag: "v1",
		Context:    discountv1.UseContext_USE_CONTEXT_CHECKOUT,
	}
	got := writeRedemption(&domain.Redemption{
		Name:          domain.RedemptionName{Coupon: "fall", ID: "1-abc"},
		State:         domain.RedemptionVoided,
		CouponVersion: 1,
	})
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Error("(-want +got):\n" + diff)
	}
}

// TestWhatABudgetAllowsAndHasSpentIsAnswered has the two kinds of budget, and one in
// which nothing was spent.
func TestWhatABudgetAllowsAndHasSpentIsAnswered(t *testing.T) {
	eur := func(n int64) *discountv1.Money { return &discountv1.Money{CurrencyCode: "EUR", AmountMinor: n} }
	for _, c := range []struct {
		budget domain.Budget
		spent  domain.Spending
		want   *discountv1.Budget
	}{
		{
			domain.Budget{Limit: domain.Money{Currency: "EUR", AmountMinor: 1000}},
			domain.Spending{TotalMinor: 300, ScopedMinor: 100},
			&discountv1.Budget{Limit: eur(1000), Policy: discountv1.BudgetPolicy_BUDGET_POLICY_REFUSE, SpentAmountMinor: 300},
		},
		{
			domain.Budget{Limit: domain.Money{Currency: "EUR", AmountMinor: 1000}, Products: []string{"shoe"}, GrantRemaining: true},
			domain.Spending{TotalMinor: 300, ScopedMinor: 100},
			&discountv1.Budget{Limit: eur(1000), Products: []string{"shoe"}, Policy: discountv1.BudgetPolicy_BUDGET_POLICY_GRANT_REMAINING, SpentAmountMinor: 100},
		},
		{
			domain.Budget{Limit: domain.Money{Currency: "EUR", AmountMinor: 1000}},
			domain.Spending{},
			&discountv1.Budget{Limit: eur(1000), Policy: discountv1.BudgetPolicy_BUDGET_POLICY_REFUSE},
		},
	} {
		snapshot := domain.CouponSnapshot{Coupon: domain.Coupon{Budgets: []domain.Budget{c.budget}}}
		if c.spent != (domain.Spending{}) {
			snapshot.Spent = map[domain.Currency]domain.Spending{"EUR": c.spent, "USD": {TotalMinor: 5, ScopedMinor: 5}}
		}
		if diff := cmp.Diff([]*discountv1.Budget{c.want}, writeBudgets(&snapshot), protocmp.Transform()); diff != "" {
			t.Errorf("%v (-want +got):\n%s", c.budget, diff)
		}
	}
}

func TestAnEvaluationIsAnsweredWhole(t *testing.T) {
	valid := writeEvaluation(&domain.Evaluation{Coupon: "fall", PromotionCode: "00000000", Discount: &discount, Exclusive: true, AsOf: aTime})
	want := &discountv1.ValidateCodeResponse{
		Exclusive:     true,
		Valid:         true,
		Discount:      discountMessage,
		Coupon:        "coupons/fall",
		PromotionCode: "coupons/fall/promotionCodes/00000000",
		AsOf:          timestamppb.New(aTime),
	}
	if diff := cmp.Diff(want, valid, protocmp.Transform()); diff != "" {
		t.Error("valid (-want +got):\n" + diff)
	}
	unknown := writeEvaluation(&domain.Evaluation{
		Ineligibilities: []domain.Ineligibility{{Reason: domain.CodeNotFound}},
		AsOf:            aTime,
	})
	want = &discountv1.ValidateCodeResponse{
		Ineligibilities: []*discountv1.Ineligibility{{
			Reason:  discountv1.IneligibilityReason_INELIGIBILITY_REASON_CODE_NOT_FOUND,
			Message: "no promotion code has this code",
		}},
		AsOf: timestamppb.New(aTime),
	}
	if diff := cmp.Diff(want, unknown, protocmp.Transform()); diff != "" {
		t.Error("unknown (-want +got):\n" + diff)
	}
}

// everyFieldIsSet fails when a field of m, or of a message in it, has no value:
// then what is compared with m is compared in part.
func everyFieldIsSet(t *testing.T, m proto.Message) {
	t.Helper()
	fields := m.ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if !m.ProtoReflect().Has(f) {
			t.Errorf("%s is not set", f.FullName())
			continue
		}
		switch value := m.ProtoReflect().Get(f); {
		case f.IsList() && f.Message() != nil:
			everyFieldIsSet(t, value.List().Get(0).Message().Interface())
		case f.Message() != nil && f.Message().ParentFile().Package() == "discount.v1":
			everyFieldIsSet(t, value.Message().Interface())
		}
	}
}
