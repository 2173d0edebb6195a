// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package domain

import (
	"fmt"
	"testing"
)

var (
	alice = Customer{ID: "alice"}
	bob   = Customer{ID: "bob"}
	carol = Customer{ID: "carol"}
)

func TestRedeemByCode(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coupon("c")
	n := w.code("c", "SAVE")
	r := redeem("r1", " save ", Customer{ID: "alice", EmailHash: alicesHash})
	r.Order = orderOf("EUR", 4_000)
	got := do[Redemption](w, r)
	want := Redemption{
		Name:          RedemptionName{"c", NewRedemptionID(1, "r1")},
		PromotionCode: n.ID,
		State:         RedemptionRedeemed,
		RequestID:     "r1",
		Fingerprint:   r.Fingerprint(),
		CustomerID:    "alice",
		EmailHash:     alicesHash,
		OrderID:       "order-1",
		Discount: &AppliedDiscount{
			Currency: "EUR", TotalAmountMinor: 1_000, Lines: []LineDiscount{{LineID: "1", AmountMinor: 1_000}},
			Allocation: got.Discount.Allocation, RoundingScope: got.Discount.RoundingScope,
		},
		CreateTime:           noon,
		CouponVersion:        1,
		PromotionCodeVersion: w.get(n).Version,
	}
	if diff := compare(want, got); diff != "" {
		t.Errorf("redeemed (-want +got):\n%s", diff)
	}
	if diff := compare(got, do[Redemption](w, GetRedemption{got.Name})); diff != "" {
		t.Errorf("read back (-redeemed +read):\n%s", diff)
	}
	if c := do[CouponView](w, GetCoupon{"c"}); c.Redeemed != 1 || c.Version != 1 {
		t.Errorf("the coupon counts %d, under version %d", c.Redeemed, c.Version)
	}
	if p := w.get(n); p.Redeemed != 1 || p.Version != want.PromotionCodeVersion {
		t.Errorf("the code counts %d, under version %d", p.Redeemed, p.Version)
	}
}

func TestRedeemByNameAndDirectly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coupon("c")
	n := w.code("c", "SAVE")
	direct := do[Redemption](w, redeemCoupon("r1", "c"))
	if direct.PromotionCode != "" || direct.PromotionCodeVersion != 0 || direct.Discount != nil || direct.OrderID != "" {
		t.Errorf("redeemed directly: %+v", direct)
	}
	byName := RedeemRequest{RequestID: "r2", ValidateRequest: ValidateRequest{Source: Source{PromotionCode: n}}}
	if got := do[Redemption](w, byName); got.PromotionCode != n.ID || got.Name.ID != NewRedemptionID(2, "r2") {
		t.Errorf("redeemed by name: %+v", got)
	}
	if c, p := do[CouponView](w, GetCoupon{"c"}), w.get(n); c.Redeemed != 2 || p.Redeemed != 1 {
		t.Errorf("the coupon counts %d, the code %d", c.Redeemed, p.Redeemed)
	}
}

func TestOnlyUnknownNamesAreNotFound(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coupon("c")
	noCoupon := &NotFoundError{Type: CouponResource, Name: "coupons/d"}
	w.fails(ValidateRequest{Source: Source{Coupon: "d"}}, noCoupon)
	w.fails(redeemCoupon("r", "d"), noCoupon)
	for _, missing := range []PromotionCodeName{{"c", "0000zzzz"}, {"d", "0000zzzz"}} {
		noCode := &NotFoundError{Type: PromotionCodeResource, Name: missing.String()}
		v := ValidateRequest{Source: Source{PromotionCode: missing}}
		w.fails(v, noCode)
		w.fails(RedeemRequest{RequestID: "r", ValidateRequest: v}, noCode)
	}
	w.leadsNowhere("NOPE", guest, CodeNotFound)
	w.refused(redeem("r", "NOPE", guest), CodeNotFound)
	w.leadsNowhere("no code", guest, CodeMalformed)
	w.refused(redeem("r", "no code", guest), CodeMalformed)
	w.leadsNowhere("", guest, CodeMalformed)
	for _, n := range []RedemptionName{{"c", "1-abcdef"}, {"d", "1-abcdef"}} {
		w.fails(GetRedemption{n}, &NotFoundError{Type: RedemptionResource, Name: n.String()})
	}
	w.fails(RedemptionQuery{Coupon: "d"}, noCoupon)
}

func TestARedemptionIsNamedByPlaceAndRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coupon("c")
	got := do[Redemption](w, redeemCoupon("r", "c"))
	other := RedemptionName{"c", NewRedemptionID(1, "another")}
	w.fails(GetRedemption{other}, &NotFoundError{Type: RedemptionResource, Name: other.String()})
	do[Redemption](w, GetRedemption{got.Name})
}

// TestWhoseCode is the order in which a code is looked up.
func TestWhoseCode(t *testing.T) {
	t.Parallel()
	both := Customer{ID: "alice", EmailHash: alicesHash}
	t.Run("of those that hold it, the id's before the e-mail's", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.coupon("c")
		byEmail := w.code("c", "SAVE", boundToEmail(alicesHash))
		byID := w.code("c", "SAVE", boundTo("alice"))
		w.leadsTo("save", both, byID)
		w.leadsTo("save", Customer{EmailHash: alicesHash}, byEmail)
		w.leadsNowhere("save", bob, CustomerMismatch)
		w.leadsNowhere("save", Customer{EmailHash: bobsHash}, CustomerMismatch)
		w.leadsNowhere("save", guest, CustomerRequired)
		w.refused(redeem("r", "save", bob), CustomerMismatch)
		w.refused(redeem("r", "save", guest), CustomerRequired)
		do[PromotionCodeView](w, DeactivatePromotionCode{Name: byID})
		w.leadsTo("save", both, byEmail) // it holds the code; the other one only held it
		do[PromotionCodeView](w, DeactivatePromotionCode{Name: byEmail})
		w.leadsTo("save", both, byID)
	})
	t.Run("the one that holds it before the own that held it", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.coupon("c")
		own := w.code("c", "SAVE", boundTo("alice"))
		do[PromotionCodeView](w, DeactivatePromotionCode{Name: own})
		w.leadsTo("SAVE", alice, own)
		w.refused(redeem("r", "SAVE", alice), CodeInactive)
		w.leadsNowhere("SAVE", bob, CodeNotFound)
		open := w.code("c", "SAVE")
		w.leadsTo("SAVE", alice, open)
		w.leadsTo("SAVE", bob, open)
		do[PromotionCodeView](w, DeactivatePromotionCode{Name: open})
		w.leadsTo("SAVE", alice, own)
		w.leadsTo("SAVE", bob, open)
		w.leadsTo("SAVE", guest, open)
	})
	t.Run("somebody else's that holds it before the one for everybody that held it", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.coupon("c")
		open := w.code("c", "SAVE")
		do[PromotionCodeView](w, DeactivatePromotionCode{Name: open})
		w.leadsTo("SAVE", bob, open)
		own := w.code("c", "SAVE", boundTo("alice"))
		w.leadsTo("SAVE", alice, own)
		w.leadsNowhere("SAVE", bob, CustomerMismatch)
		w.leadsNowhere("SAVE", guest, CustomerRequired)
		do[PromotionCodeView](w, DeletePromotionCode{Name: own})
		w.leadsTo("SAVE", bob, open)
	})
	t.Run("of those that held it, the last one", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.coupon("c")
		w.coupon("d")
		first := w.code("c", "SAVE")
		do[PromotionCodeView](w, DeactivatePromotionCode{Name: first})
		second := w.code("d", "SAVE")
		do[PromotionCodeView](w, DeactivatePromotionCode{Name: second})
		w.leadsTo("SAVE", guest, second)
		do[PromotionCodeView](w, ActivatePromotionCode{Name: first})
		w.leadsTo("SAVE", guest, first)
		do[PromotionCodeView](w, DeletePromotionCode{Name: first})
		w.leadsTo("SAVE", guest, first)
	})
	t.Run("what is used up holds its code and says so", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.coupon("c")
		n := w.code("c", "SAVE", codeLimitedTo(1))
		do[Redemption](w, redeem("r1", "SAVE", guest))
		w.leadsTo("SAVE", guest, n)
		w.refused(redeem("r2", "SAVE", guest), CodeMaxRedemptionsReached)
	})
}

func TestARetryReturnsItsRedemption(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coupon("c", limitedTo(1))
	n := w.code("c", "SAVE")
	r := redeem("r", "SAVE", alice)
	made := do[Redemption](w, r)
	again := func(retry RedeemRequest) {
		t.Helper()
		if got := w.same(retry); compare(made, got.Value) != "" {
			t.Errorf("the retry returns %+v, %v", got.Value, got.Err)
		}
	}
	again(r) // although nothing is left
	retyped := redeem("r", "save", alice)
	retyped.Customer.HasPriorTransactions = true
	again(retyped)
	do[PromotionCodeView](w, DeactivatePromotionCode{Name: n})
	again(r)
	do[PromotionCodeView](w, DeletePromotionCode{Name: n})
	do[CouponView](w, DeleteCoupon{ID: "c"})
	w.now = noon.Add(1_000 * hour)
	again(r)
}

func TestARequestIDIsForOneRedemptionOfACoupon(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coupon("c")
	w.coupon("d")
	w.code("c", "SAVE")
	w.code("d", "OTHER")
	do[Redemption](w, redeem("r", "SAVE", alice))
	w.fails(redeem("r", "SAVE", bob), ErrRequestIDReused)
	w.fails(redeem("r", "SAVE", guest), ErrRequestIDReused)
	w.fails(redeemCoupon("r", "c"), ErrRequestIDReused)
	withOrder := redeem("r", "SAVE", alice)
	withOrder.Order = orderOf("EUR", 1)
	w.fails(withOrder, ErrRequestIDReused)
	// It is looked up before anything can refuse the request.
	do[CouponView](w, DeleteCoupon{ID: "c"})
	w.fails(redeem("r", "SAVE", bob), ErrRequestIDReused)
	// It counts within one coupon.
	do[Redemption](w, redeem("r", "OTHER", alice))
	// A refusal does not use it.
	w.refused(redeem("r2", "SAVE", alice), CouponDeleted)
	do[Redemption](w, redeem("r2", "OTHER", alice))
}

func TestARetryFindsItsRedemptionAfterTheCodeChangedHands(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coupon("a")
	w.coupon("b")
	w.coupon("c")
	first := w.code("a", "SAVE")
	r := redeem("r", "SAVE", alice)
	made := do[Redemption](w, r)
	do[PromotionCodeView](w, DeactivatePromotionCode{Name: first})
	again := func() {
		t.Helper()
		if got := w.same(r); compare(made, got.Value) != "" {
			t.Errorf("the retry returns %+v, %v", got.Value, got.Err)
		}
	}
	second := w.code("b", "SAVE")
	again()
	// The same id from somebody else is a redemption of its own there.
	do[Redemption](w, redeem("r", "SAVE", bob))
	again() // although b knows the id by another request
	do[PromotionCodeView](w, DeletePromotionCode{Name: second})
	again()
	w.code("c", "SAVE", boundTo("alice"))
	again()
	// It is hers whoever has the code now.
	w.leadsNowhere("SAVE", bob, CustomerMismatch)
	again()
}

func TestOneWhoNeverHadACodeHasNoRetryOnIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coupon("a")
	w.code("a", "SAVE", boundTo("alice"))
	do[Redemption](w, redeem("r", "SAVE", alice))
	w.refused(redeem("r", "SAVE", bob), CustomerMismatch)
	w.refused(redeem("r", "SAVE", guest), CustomerRequired)
}

func TestLimitsAreTakenTogetherOrNotAtAll(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coupon("c", limitedTo(3))
	winter := w.code("c", "WINTER", codeLimitedTo(2))
	w.code("c", "SPRING")
	do[Redemption](w, redeem("r1", "WINTER", guest))
	do[Redemption](w, redeem("r2", "WINTER", guest))
	w.refused(redeem("r3", "WINTER", guest), CodeMaxRedemptionsReached)
	if c := do[CouponView](w, GetCoupon{"c"}); c.Redeemed != 2 {
		t.Errorf("a refusal counted: %d", c.Redeemed)
	}
	do[Redemption](w, redeem("r3", "SPRING", guest))
	w.refused(redeem("r4", "SPRING", guest), CouponMaxRedemptionsReached)
	w.refused(redeem("r4", "WINTER", guest), CouponMaxRedemptionsReached, CodeMaxRedemptionsReached)
	w.refused(redeemCoupon("r4", "c"), CouponMaxRedemptionsReached)
	if p := w.get(winter); p.Redeemed != 2 {
		t.Errorf("the code counts %d", p.Redeemed)
	}
}

func TestCustomersAreCountedByEveryIdentityTheyGive(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coupon("c")
	w.code("c", "SAVE", func(p *PromotionCode) { p.MaxRedemptionsPerCustomer = new(int64(1)) })
	w.code("c", "MORE")
	w.refused(redeem("r0", "SAVE", guest), CustomerRequired)
	do[Redemption](w, redeem("r1", "SAVE", Customer{ID: "alice", EmailHash: alicesHash}))
	w.refused(redeem("r2", "SAVE", alice), CustomerMaxRedemptionsReached)
	w.refused(redeem("r2", "SAVE", Customer{EmailHash: alicesHash}), CustomerMaxRedemptionsReached)
	w.refused(redeem("r2", "SAVE", Customer{ID: "bob", EmailHash: alicesHash}), CustomerMaxRedemptionsReached)
	do[Redemption](w, redeem("r2", "SAVE", Customer{ID: "bob", EmailHash: bobsHash}))
	do[Redemption](w, redeem("r3", "MORE", alice)) // the limit is the other code's

	// Uses count from the first redemption on, also from before the limit was set.
	limit := UpdateCoupon{ID: "c", Set: CouponFields{MaxRedemptionsPerCustomer: true}, MaxRedemptionsPerCustomer: new(int64(2))}
	do[CouponView](w, limit)
	w.refused(redeem("r4", "MORE", alice), CustomerMaxRedemptionsReached)
	do[Redemption](w, redeem("r4", "MORE", bob))
	w.refused(redeem("r5", "MORE", bob), CustomerMaxRedemptionsReached)
	do[Redemption](w, redeem("r5", "MORE", carol))
	w.refused(redeemCoupon("r6", "c"), CustomerRequired)
}

func TestALimitLoweredBelowItsUsesStopsRedemptionAndNothingElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coupon("c", limitedTo(5))
	for i := range 3 {
		do[Redemption](w, redeemCoupon(fmt.Sprint(i), "c"))
	}
	set := func(n int64) {
		do[CouponView](w, UpdateCoupon{ID: "c", Set: CouponFields{MaxRedemptions: true}, MaxRedemptions: &n})
	}
	set(1)
	w.refused(redeemCoupon("r", "c"), CouponMaxRedemptionsReached)
	if c := do[CouponView](w, GetCoupon{"c"}); c.Redeemed != 3 || c.Valid {
		t.Errorf("%+v", c)
	}
	set(3)
	w.refused(redeemCoupon("r", "c"), CouponMaxRedemptionsReached)
	set(4)
	do[Redemption](w, redeemCoupon("r", "c"))
}

func TestValidateSaysWhatRedeemWouldDo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coupon("c", limitedTo(1))
	n := w.code("c", "SAVE")
	v := ValidateRequest{Source: Source{Code: "SAVE"}, Customer: alice, Order: orderOf("EUR", 4_000)}
	e, ok := w.same(v).Value.(Evaluation)
	if !ok || !e.Valid() || e.Coupon != "c" || e.PromotionCode != n.ID || e.Discount == nil || e.Discount.TotalAmountMinor != 1_000 {
		t.Fatalf("before: %+v", e)
	}
	made := do[Redemption](w, RedeemRequest{RequestID: "r", ValidateRequest: v})
	if made.Discount.TotalAmountMinor != e.Discount.TotalAmountMinor {
		t.Errorf("validated for %d, redeemed for %d", e.Discount.TotalAmountMinor, made.Discount.TotalAmountMinor)
	}
	e = do[Evaluation](w, v)
	if diff := compare([]Reason{CouponMaxRedemptionsReached}, reasons(e.Ineligibilities)); diff != "" || e.Discount != nil {
		t.Errorf("after: %+v", e)
	}
}

func TestListRedemptions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coupon("c")
	w.coupon("d")
	n := w.code("c", "SAVE")
	do[Redemption](w, redeem("r1", "SAVE", alice))
	do[Redemption](w, redeem("r2", "SAVE", bob))
	direct := redeemCoupon("r3", "c")
	direct.Customer, direct.Order = alice, orderOf("EUR", 1)
	do[Redemption](w, direct)
	do[Redemption](w, redeemCoupon("r4", "d"))
	for name, tc := range map[string]struct {
		q    RedemptionQuery
		want []string
	}{
		"of a coupon":         {RedemptionQuery{Coupon: "c"}, []string{"r1", "r2", "r3"}},
		"of another one":      {RedemptionQuery{Coupon: "d"}, []string{"r4"}},
		"of a promotion code": {RedemptionQuery{Coupon: "c", PromotionCode: n.ID}, []string{"r1", "r2"}},
		"of a customer":       {RedemptionQuery{Coupon: "c", CustomerID: "alice"}, []string{"r1", "r3"}},
		"of an order":         {RedemptionQuery{Coupon: "c", OrderID: "order-1"}, []string{"r3"}},
		"of both":             {RedemptionQuery{Coupon: "c", PromotionCode: n.ID, CustomerID: "alice"}, []string{"r1"}},
		"of nothing":          {RedemptionQuery{Coupon: "c", OrderID: "order-2"}, nil},
	} {
		var got []string
		for _, r := range do[Listing[Redemption]](w, tc.q).Items {
			got = append(got, r.RequestID)
		}
		if diff := compare(tc.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
