// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package domain

import (
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	alicesHash EmailHash = "0123456789abcdef"
	bobsHash   EmailHash = "fedcba9876543210"
)

// evaluation is one case of Evaluate: a coupon of 25 % with a promotion code that
// is active, redeemed by alice on an order of 40.00 EUR, unless change makes it
// something else.
type evaluation struct {
	coupon   CouponSnapshot
	code     *PromotionCodeSnapshot
	uses     []CustomerUses
	customer Customer
	order    *Order
}

func newEvaluation() *evaluation {
	return &evaluation{
		coupon: CouponSnapshot{Coupon: Coupon{ID: "c", Terms: percentOff(2_500)}, Version: 1},
		code: &PromotionCodeSnapshot{
			PromotionCode: PromotionCode{Name: PromotionCodeName{"c", "0000abcd"}, Code: mustCode("SAVE")},
			State:         PromotionActive,
			Version:       1,
		},
		uses:     []CustomerUses{{}},
		customer: Customer{ID: "alice"},
		order:    orderOf("EUR", 4_000),
	}
}

func (e *evaluation) run() Evaluation {
	return Evaluate(
		&Snapshot{Coupon: e.coupon, PromotionCode: e.code, CustomerUses: e.uses},
		&ValidateRequest{Source: Source{Code: "save"}, Customer: e.customer, Order: e.order},
		noon,
	)
}

func wantReasons(t *testing.T, got, want []Ineligibility) {
	t.Helper()
	if diff := compare(want, got); diff != "" {
		t.Errorf("ineligibilities (-want +got):\n%s", diff)
	}
}

func TestEveryReasonAtItsEdge(t *testing.T) {
	t.Parallel()
	ms := time.Millisecond
	five := new(int64(5))
	eur := func(n int64) Money { return Money{"EUR", n} }
	for name, tc := range map[string]struct {
		change func(e *evaluation)
		want   []Ineligibility
	}{
		"nothing against it":        {func(*evaluation) {}, nil},
		"a coupon applied directly": {func(e *evaluation) { e.code = nil }, nil},

		"coupon deleted":    {func(e *evaluation) { e.coupon.Deleted = true }, []Ineligibility{{Reason: CouponDeleted}}},
		"1 ms to redeem_by": {func(e *evaluation) { e.coupon.RedeemBy = noon.Add(ms) }, nil},
		"at redeem_by": {
			func(e *evaluation) { e.coupon.RedeemBy = noon }, []Ineligibility{{Reason: CouponExpired, At: noon}},
		},
		"1 ms to expires_at": {func(e *evaluation) { e.code.ExpiresAt = noon.Add(ms) }, nil},
		"at expires_at": {
			func(e *evaluation) { e.code.ExpiresAt = noon }, []Ineligibility{{Reason: CodeExpired, At: noon}},
		},
		"at the coupon's starts_at": {func(e *evaluation) { e.coupon.StartsAt = noon }, nil},
		"1 ms to the coupon's starts_at": {
			func(e *evaluation) { e.coupon.StartsAt = noon.Add(ms) }, []Ineligibility{{Reason: NotYetActive, At: noon.Add(ms)}},
		},
		"1 ms to the code's starts_at": {
			func(e *evaluation) { e.code.StartsAt = noon.Add(ms) }, []Ineligibility{{Reason: NotYetActive, At: noon.Add(ms)}},
		},
		"the later beginning counts, the code's": {
			func(e *evaluation) { e.coupon.StartsAt, e.code.StartsAt = noon.Add(ms), noon.Add(hour) },
			[]Ineligibility{{Reason: NotYetActive, At: noon.Add(hour)}},
		},
		"the later beginning counts, the coupon's": {
			func(e *evaluation) { e.coupon.StartsAt, e.code.StartsAt = noon.Add(hour), noon.Add(ms) },
			[]Ineligibility{{Reason: NotYetActive, At: noon.Add(hour)}},
		},
		"code inactive":   {func(e *evaluation) { e.code.State = PromotionInactive }, []Ineligibility{{Reason: CodeInactive}}},
		"code superseded": {func(e *evaluation) { e.code.State = PromotionSuperseded }, []Ineligibility{{Reason: CodeInactive}}},
		"code deleted":    {func(e *evaluation) { e.code.State = PromotionDeleted }, []Ineligibility{{Reason: CodeInactive}}},
		"code pending":    {func(e *evaluation) { e.code.State = PromotionPending }, []Ineligibility{{Reason: CodeInactive}}},

		"1 left of the coupon": {func(e *evaluation) { e.coupon.MaxRedemptions, e.coupon.Redeemed = five, 4 }, nil},
		"the coupon used up": {
			func(e *evaluation) { e.coupon.MaxRedemptions, e.coupon.Redeemed = five, 5 },
			[]Ineligibility{{Reason: CouponMaxRedemptionsReached, Limit: 5}},
		},
		"more used than the coupon's lowered limit": {
			func(e *evaluation) { e.coupon.MaxRedemptions, e.coupon.Redeemed = five, 9 },
			[]Ineligibility{{Reason: CouponMaxRedemptionsReached, Limit: 5}},
		},
		"the rest of the coupon held": {
			func(e *evaluation) { e.coupon.MaxRedemptions, e.coupon.Redeemed, e.coupon.Held = five, 4, 1 },
			[]Ineligibility{{Reason: FullyReserved, RetryAfter: time.Minute}},
		},
		"1 left of the coupon, others held": {
			func(e *evaluation) { e.coupon.MaxRedemptions, e.coupon.Redeemed, e.coupon.Held = five, 2, 2 }, nil,
		},
		"1 left of the code": {func(e *evaluation) { e.code.MaxRedemptions, e.code.Redeemed = five, 4 }, nil},
		"the code used up": {
			func(e *evaluation) { e.code.MaxRedemptions, e.code.Redeemed = five, 5 },
			[]Ineligibility{{Reason: CodeMaxRedemptionsReached, Limit: 5}},
		},
		"the rest of the code held": {
			func(e *evaluation) { e.code.MaxRedemptions, e.code.Redeemed, e.code.Held = five, 0, 5 },
			[]Ineligibility{{Reason: FullyReserved, RetryAfter: time.Minute}},
		},
		"coupon and code held": {
			func(e *evaluation) {
				e.coupon.MaxRedemptions, e.coupon.Held, e.code.MaxRedemptions, e.code.Held = five, 5, five, 5
			},
			[]Ineligibility{{Reason: FullyReserved, RetryAfter: time.Minute}},
		},
		"the customer has 1 left of the coupon": {
			func(e *evaluation) { e.coupon.MaxRedemptionsPerCustomer, e.uses = five, []CustomerUses{{OfCoupon: 4}} }, nil,
		},
		"the customer has used the coupon up": {
			func(e *evaluation) { e.coupon.MaxRedemptionsPerCustomer, e.uses = five, []CustomerUses{{OfCoupon: 5}} },
			[]Ineligibility{{Reason: CustomerMaxRedemptionsReached, Limit: 5}},
		},
		"the customer has 1 left of the code": {
			func(e *evaluation) {
				e.code.MaxRedemptionsPerCustomer, e.uses = five, []CustomerUses{{OfCoupon: 9, OfPromotionCode: 4}}
			}, nil,
		},
		"the customer has used the code up": {
			func(e *evaluation) {
				e.code.MaxRedemptionsPerCustomer, e.uses = five, []CustomerUses{{OfCoupon: 5, OfPromotionCode: 5}}
			},
			[]Ineligibility{{Reason: CustomerMaxRedemptionsReached, Limit: 5}},
		},
		"one of two identities has used it up": {
			func(e *evaluation) {
				e.customer.EmailHash = alicesHash
				e.coupon.MaxRedemptionsPerCustomer, e.uses = five, []CustomerUses{{OfCoupon: 0}, {OfCoupon: 5}}
			},
			[]Ineligibility{{Reason: CustomerMaxRedemptionsReached, Limit: 5}},
		},
		"uses without a limit": {
			func(e *evaluation) { e.uses = []CustomerUses{{OfCoupon: 1_000, OfPromotionCode: 1_000}} }, nil,
		},

		"a guest, the coupon limits customers": {
			func(e *evaluation) { e.customer, e.uses, e.coupon.MaxRedemptionsPerCustomer = Customer{}, nil, five },
			[]Ineligibility{{Reason: CustomerRequired}},
		},
		"a guest, the code limits customers": {
			func(e *evaluation) { e.customer, e.uses, e.code.MaxRedemptionsPerCustomer = Customer{}, nil, five },
			[]Ineligibility{{Reason: CustomerRequired}},
		},
		"a guest, bound to an id, customers limited": {
			func(e *evaluation) {
				e.customer, e.uses, e.code.CustomerID, e.code.MaxRedemptionsPerCustomer = Customer{}, nil, "alice", five
			},
			[]Ineligibility{{Reason: CustomerRequired}},
		},
		"bound to this id":      {func(e *evaluation) { e.code.CustomerID = "alice" }, nil},
		"bound to another id":   {func(e *evaluation) { e.code.CustomerID = "bob" }, []Ineligibility{{Reason: CustomerMismatch}}},
		"an id in another case": {func(e *evaluation) { e.code.CustomerID = "Alice" }, []Ineligibility{{Reason: CustomerMismatch}}},
		"bound to an e-mail that is not given": {
			func(e *evaluation) { e.code.EmailHash = alicesHash }, []Ineligibility{{Reason: CustomerRequired}},
		},
		"bound to this e-mail": {func(e *evaluation) { e.code.EmailHash, e.customer.EmailHash = alicesHash, alicesHash }, nil},
		"bound to another e-mail": {
			func(e *evaluation) { e.code.EmailHash, e.customer.EmailHash = alicesHash, bobsHash },
			[]Ineligibility{{Reason: CustomerMismatch}},
		},
		"first transaction": {func(e *evaluation) { e.code.Restrictions.FirstTimeTransaction = true }, nil},
		"a guest counts as first-time": {
			func(e *evaluation) {
				e.code.Restrictions.FirstTimeTransaction, e.customer, e.uses = true, Customer{}, nil
			}, nil,
		},
		"not the first transaction": {
			func(e *evaluation) {
				e.code.Restrictions.FirstTimeTransaction, e.customer.HasPriorTransactions = true, true
			},
			[]Ineligibility{{Reason: NotFirstTransaction}},
		},
		"a history that no rule asks for": {func(e *evaluation) { e.customer.HasPriorTransactions = true }, nil},

		"no order": {func(e *evaluation) { e.order = nil }, nil},
		"no order, the code has a minimum": {
			func(e *evaluation) { e.order, e.code.Restrictions.MinimumAmounts = nil, []Money{eur(1)} },
			[]Ineligibility{{Reason: OrderRequired}},
		},
		"no order, the coupon has a minimum": {
			func(e *evaluation) { e.order, e.coupon.Conditions.MinimumAmounts = nil, []Money{eur(1)} },
			[]Ineligibility{{Reason: OrderRequired}},
		},
		"the minimum met exactly": {
			func(e *evaluation) { e.code.Restrictions.MinimumAmounts = []Money{eur(4_000)} }, nil,
		},
		"the minimum missed by one": {
			func(e *evaluation) { e.code.Restrictions.MinimumAmounts = []Money{eur(4_001)} },
			[]Ineligibility{{Reason: MinimumAmountNotMet, Required: eur(4_001), Actual: eur(4_000)}},
		},
		"the minimum met in another currency": {
			func(e *evaluation) {
				e.code.Restrictions.MinimumAmounts = []Money{eur(9_000), {"JPY", 4_000}}
				e.order.Currency = "JPY"
			}, nil,
		},
		"the minimum missed by one in another currency": {
			func(e *evaluation) {
				e.code.Restrictions.MinimumAmounts = []Money{eur(1), {"JPY", 4_001}}
				e.order.Currency = "JPY"
			},
			[]Ineligibility{{Reason: MinimumAmountNotMet, Required: Money{"JPY", 4_001}, Actual: Money{"JPY", 4_000}}},
		},
		"shipping does not count towards the minimum": {
			func(e *evaluation) {
				e.order.ShippingAmountMinor = 1
				e.code.Restrictions.MinimumAmounts = []Money{eur(4_001)}
			},
			[]Ineligibility{{Reason: MinimumAmountNotMet, Required: eur(4_001), Actual: eur(4_000)}},
		},
		"no minimum in the order's currency": {
			func(e *evaluation) { e.code.Restrictions.MinimumAmounts = []Money{{"USD", 1}} },
			[]Ineligibility{{Reason: CurrencyMismatch}},
		},
		"no amount in the order's currency": {
			func(e *evaluation) {
				e.coupon.Discount = Discount{AmountOff: &AmountOff{Amounts: []Money{{"USD", 100}}}}
			},
			[]Ineligibility{{Reason: CurrencyMismatch}},
		},
		"the coupon's minimum missed by one": {
			func(e *evaluation) { e.coupon.Conditions.MinimumAmounts = []Money{eur(4_001)} },
			[]Ineligibility{{Reason: MinimumAmountNotMet, Required: eur(4_001), Actual: eur(4_000)}},
		},
		"too few units": {
			func(e *evaluation) { e.coupon.Conditions.MinimumQuantity = new(int64(2)) },
			[]Ineligibility{{Reason: MinimumQuantityNotMet, RequiredQuantity: 2, ActualQuantity: 1}},
		},
		"too many units": {
			func(e *evaluation) { e.order.Lines[0].Quantity, e.coupon.Conditions.MaximumQuantity = 3, new(int64(2)) },
			[]Ineligibility{{Reason: MaximumQuantityExceeded, RequiredQuantity: 2, ActualQuantity: 3}},
		},
		"nothing it applies to": {
			func(e *evaluation) { e.coupon.AppliesTo.Products = []string{"hat"} },
			[]Ineligibility{{Reason: NoApplicableItems}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEvaluation()
			tc.change(e)
			got := e.run()
			wantReasons(t, got.Ineligibilities, tc.want)
			if got.Valid() != (len(tc.want) == 0) {
				t.Errorf("valid: %t", got.Valid())
			}
			if (got.Discount != nil) != (got.Valid() && e.order != nil) {
				t.Errorf("valid %t, and the discount is %+v", got.Valid(), got.Discount)
			}
		})
	}
}

func TestEveryReasonThatAppliesIsGivenOnce(t *testing.T) {
	t.Parallel()
	e := newEvaluation()
	e.coupon.Deleted, e.coupon.RedeemBy, e.coupon.StartsAt = true, noon, noon.Add(hour)
	e.coupon.MaxRedemptions, e.coupon.Redeemed = new(int64(1)), 1
	e.coupon.MaxRedemptionsPerCustomer, e.uses = new(int64(1)), []CustomerUses{{1, 1}, {1, 1}}
	e.coupon.Conditions.MinimumAmounts = []Money{{"EUR", 9_000}}
	e.coupon.Conditions.MinimumQuantity = new(int64(5))
	e.code.State, e.code.ExpiresAt = PromotionInactive, noon
	e.code.MaxRedemptions, e.code.Redeemed, e.code.MaxRedemptionsPerCustomer = new(int64(2)), 2, new(int64(1))
	e.code.CustomerID = "bob"
	e.code.Restrictions = Restrictions{FirstTimeTransaction: true, MinimumAmounts: []Money{{"EUR", 8_000}}}
	e.customer = Customer{ID: "alice", EmailHash: alicesHash, HasPriorTransactions: true}

	var got []Reason
	for _, i := range e.run().Ineligibilities {
		got = append(got, i.Reason)
	}
	want := []Reason{
		CouponDeleted, CouponExpired, CodeInactive, CodeExpired, CustomerMismatch, NotFirstTransaction, NotYetActive,
		CouponMaxRedemptionsReached, CodeMaxRedemptionsReached, CustomerMaxRedemptionsReached,
		MinimumAmountNotMet, MinimumQuantityNotMet,
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := compare(want, got); diff != "" {
		t.Errorf("reasons (-want +got):\n%s", diff)
	}
}

func TestAnEvaluationSaysWhatItIsAbout(t *testing.T) {
	t.Parallel()
	e := newEvaluation()
	got := e.run()
	if got.Coupon != "c" || got.PromotionCode != "0000abcd" || !got.AsOf.Equal(noon) {
		t.Errorf("%+v", got)
	}
	if got.Discount == nil || got.Discount.TotalAmountMinor != 1_000 {
		t.Errorf("25 %% of 4,000 is %+v", got.Discount)
	}
	e.code = nil
	if got := e.run(); got.Coupon != "c" || got.PromotionCode != "" {
		t.Errorf("applied directly: %+v", got)
	}
}

func TestEveryReasonHasASentence(t *testing.T) {
	t.Parallel()
	seen := map[string]Reason{}
	for reason := CodeNotFound; reason <= SubscriptionAlreadyDiscounted; reason++ {
		s := Ineligibility{Reason: reason, At: noon}.String()
		if other, again := seen[s]; again || s == "" {
			t.Errorf("reasons %d and %d are both told as %q", other, reason, s)
		}
		seen[s] = reason
	}
	unknown := Ineligibility{Reason: SubscriptionAlreadyDiscounted + 1}.String()
	if unknown != "reason 27" {
		t.Errorf("a new reason has no sentence of its own: %q", unknown)
	}
}

func TestOnlyWhatTimeCanChangeIsWorthTryingAgain(t *testing.T) {
	t.Parallel()
	var got []Reason
	for reason := CodeNotFound; reason <= SubscriptionAlreadyDiscounted; reason++ {
		if (Ineligibility{Reason: reason, At: noon}).Retryable() {
			got = append(got, reason)
		}
	}
	if (Ineligibility{Reason: PeriodLimitReached}).Retryable() {
		t.Error("nobody knows when a period that may be over ends")
	}
	if diff := compare([]Reason{NotYetActive, PeriodLimitReached, FullyReserved}, got); diff != "" {
		t.Error(diff)
	}
	for _, reason := range []Reason{BudgetExhausted, BudgetInsufficient, CustomerMaxRedemptionsReached, PeriodLimitReached, GiftBalanceExhausted} {
		held := Ineligibility{Reason: reason, Held: true}
		if !held.Retryable() || !strings.Contains(held.String(), "reservations") {
			t.Errorf("%q can be retried: %v", held, held.Retryable())
		}
	}
}
