// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package domain

import (
	"testing"
	"time"
)

func TestCreatePromotionCode(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	end := noon.Add(hour)
	w.coupon("c", limitedTo(50), endingAt(end))
	made := do[PromotionCodeView](w, newCode("c", "Save-10", codeLimitedTo(20)))
	if made.Name.Coupon != "c" || made.Name.ID == "" || made.Code.String() != "Save-10" || made.State != PromotionActive ||
		made.Status != StatusActive || !made.ExpiresAt.Equal(end) || !made.CreateTime.Equal(noon) || made.Redeemed != 0 {
		t.Errorf("created %+v", made)
	}
	if diff := compare(made, w.get(made.Name)); diff != "" {
		t.Errorf("read back (-created +read):\n%s", diff)
	}
	blank := do[PromotionCodeView](w, newCode("c", ""))
	if blank.Code.Form() != "GEN4" {
		t.Errorf("the generated code is %q", blank.Code)
	}
	w.fails(newCode("d", "SAVE"), &NotFoundError{Type: CouponResource, Name: "coupons/d"})
	w.invalid(newCode("c", "MUCH", codeLimitedTo(51)), "promotion_code.max_redemptions")
	w.invalid(newCode("c", "LATE", func(p *PromotionCode) { p.ExpiresAt = end.Add(1) }), "promotion_code.expires_at")
	w.invalid(newCode("c", "PAST", func(p *PromotionCode) { p.ExpiresAt = noon }), "promotion_code.expires_at")
	w.invalid(newCode("c", "NEVER", func(p *PromotionCode) { p.StartsAt = end }), "promotion_code.starts_at")
}

func TestACouponThatCanNoLongerBeRedeemedGetsNoMoreCodes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coupon("used", limitedTo(1))
	do[Redemption](w, redeemCoupon("r", "used"))
	w.refused(newCode("used", "A"), CouponMaxRedemptionsReached)
	w.coupon("ended", endingAt(noon.Add(hour)))
	w.coupon("gone", endingAt(noon.Add(hour)))
	do[CouponView](w, DeleteCoupon{ID: "gone"})
	w.refused(newCode("gone", "A"), CouponDeleted)
	w.now = noon.Add(hour)
	w.refused(newCode("ended", "A"), CouponExpired)
	w.refused(newCode("gone", "A"), CouponDeleted, CouponExpired)
}

func TestAPromotionCodeIDIsNotTakenTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coupon("c")
	n := w.code("c", "A")
	_, r := w.s.Step(w.now, IDs{PromotionCode: n.ID}, newCode("c", "B"))
	if diff := compare(&AlreadyExistsError{Type: PromotionCodeResource, Name: n.String()}, r.Err); diff != "" {
		t.Error(diff)
	}
}

func TestCreatingAPromotionCodeAgainReturnsItAsItIsNow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coupon("c")
	cmd := newCode("c", "")
	cmd.RequestID = "r"
	made := do[PromotionCodeView](w, cmd)
	if again := w.same(cmd); compare(made, again.Value) != "" {
		t.Errorf("the retry returns %+v, %v", again.Value, again.Err)
	}
	other := newCode("c", "OTHER")
	other.RequestID = "r"
	w.fails(other, ErrRequestIDReused)
	do[PromotionCodeView](w, DeletePromotionCode{Name: made.Name})
	do[CouponView](w, DeleteCoupon{ID: "c"})
	if now := do[PromotionCodeView](w, cmd); now.Name != made.Name || now.State != PromotionDeleted {
		t.Errorf("the retry returns %+v", now)
	}
}

func TestARefusedCreationLeavesNothingAndMayBeTriedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coupon("c")
	first := w.code("c", "SAVE")
	cmd := newCode("c", "save")
	cmd.RequestID = "r"
	w.held(cmd, first, "save")
	if all := do[Listing[PromotionCodeView]](w, PromotionCodeQuery{Coupon: "c", ShowDeleted: true}); len(all.Items) != 1 {
		t.Errorf("there are %d promotion codes", len(all.Items))
	}
	do[PromotionCodeView](w, DeactivatePromotionCode{Name: first})
	if made := do[PromotionCodeView](w, cmd); made.State != PromotionActive {
		t.Errorf("tried again: %+v", made)
	}
}

// TestWhoConflicts has every pair of scopes: the one in the rows holds the code,
// the one in the columns asks for it.
func TestWhoConflicts(t *testing.T) {
	t.Parallel()
	scopes := map[string]func(*PromotionCode){
		"everybody":      func(*PromotionCode) {},
		"alice":          boundTo("alice"),
		"bob":            boundTo("bob"),
		"alice's e-mail": boundToEmail(alicesHash),
	}
	for holder, held := range scopes {
		for asker, asked := range scopes {
			conflict := holder == asker || holder == "everybody" || asker == "everybody"
			w := newWorld(t)
			w.coupon("c")
			w.coupon("d")
			n := w.code("c", "Save", held)
			cmd := newCode("d", "SAVE", asked)
			if conflict {
				w.held(cmd, n, "SAVE")
			} else {
				do[PromotionCodeView](w, cmd)
			}
			// Another form never conflicts.
			do[PromotionCodeView](w, newCode("d", "SAVE2", asked))
		}
	}
}

// unfit are the ways in which a promotion code becomes one that can never be
// redeemed again. Each makes a holder of SAVE such a one.
var unfit = map[string]struct {
	end    func(w *world) PromotionCodeName
	status PromotionStatus
	reason []Reason
}{
	"expired": {func(w *world) PromotionCodeName {
		w.coupon("c")
		n := w.code("c", "SAVE", func(p *PromotionCode) { p.ExpiresAt = noon.Add(hour) })
		w.now = noon.Add(hour)
		return n
	}, StatusExpired, []Reason{CodeExpired}},
	"used up": {func(w *world) PromotionCodeName {
		w.coupon("c")
		n := w.code("c", "SAVE", codeLimitedTo(1))
		do[Redemption](w, redeem("use", "SAVE", guest))
		return n
	}, StatusExhausted, []Reason{CodeMaxRedemptionsReached}},
	"coupon used up": {func(w *world) PromotionCodeName {
		w.coupon("c", limitedTo(1))
		n := w.code("c", "SAVE")
		do[Redemption](w, redeemCoupon("use", "c"))
		return n
	}, StatusCouponInvalid, []Reason{CouponMaxRedemptionsReached}},
	"coupon ended": {func(w *world) PromotionCodeName {
		w.coupon("c", endingAt(noon.Add(hour)))
		n := w.code("c", "SAVE")
		w.now = noon.Add(hour)
		return n
	}, StatusExpired, []Reason{CouponExpired, CodeExpired}},
	"coupon deleted": {func(w *world) PromotionCodeName {
		w.coupon("c")
		n := w.code("c", "SAVE")
		do[CouponView](w, DeleteCoupon{ID: "c"})
		return n
	}, StatusCouponInvalid, []Reason{CouponDeleted}},
}

func TestWhatCanNeverBeRedeemedAgainGivesItsCodeUp(t *testing.T) {
	t.Parallel()
	for name, tc := range unfit {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			old := tc.end(w)
			w.coupon("next")
			before := w.get(old)
			if before.State != PromotionActive || before.Status != tc.status {
				t.Fatalf("before: state %c, status %d", before.State, before.Status)
			}
			w.refused(ActivatePromotionCode{Name: old}, tc.reason...)
			taker := w.code("next", "save")
			after := w.get(old)
			if after.State != PromotionSuperseded || after.Status != StatusSuperseded || after.Version == before.Version {
				t.Errorf("after: state %c, status %d, version %d and then %d", after.State, after.Status, before.Version, after.Version)
			}
			// Superseded is for good.
			w.refused(ActivatePromotionCode{Name: old}, append([]Reason{CodeInactive}, tc.reason...)...)
			w.same(DeactivatePromotionCode{Name: old})
			w.same(DeletePromotionCode{Name: old})
			do[PromotionCodeView](w, DeactivatePromotionCode{Name: taker})
			w.refused(ActivatePromotionCode{Name: old}, append([]Reason{CodeInactive}, tc.reason...)...)
		})
	}
}

func TestARaisedLimitReopensACodeThatNobodyTook(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coupon("c")
	n := w.code("c", "SAVE", codeLimitedTo(1))
	do[Redemption](w, redeem("r1", "SAVE", guest))
	w.refused(redeem("r2", "SAVE", guest), CodeMaxRedemptionsReached)
	raise := UpdatePromotionCode{Name: n, Set: PromotionCodeFields{MaxRedemptions: true}, MaxRedemptions: new(int64(2))}
	if got := do[PromotionCodeView](w, raise); got.Status != StatusActive {
		t.Errorf("the status is %d", got.Status)
	}
	w.held(newCode("c", "SAVE"), n, "SAVE")
	do[Redemption](w, redeem("r2", "SAVE", guest))

	taker := w.code("c", "SAVE")
	raise.MaxRedemptions = new(int64(3))
	if got := do[PromotionCodeView](w, raise); got.State != PromotionSuperseded {
		t.Errorf("the state is %c", got.State)
	}
	w.leadsTo("SAVE", guest, taker)
}

func TestOfSeveralInTheWayAllGiveUpOrNone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coupon("c")
	w.coupon("d")
	first := w.code("c", "SAVE", boundTo("alice"), codeLimitedTo(1))
	second := w.code("d", "SAVE", boundTo("bob"), codeLimitedTo(1))
	third := w.code("c", "SAVE", boundToEmail(alicesHash), codeLimitedTo(1))
	do[Redemption](w, redeem("r1", "SAVE", Customer{ID: "alice"}))
	do[Redemption](w, redeem("r2", "SAVE", Customer{EmailHash: alicesHash}))
	w.held(newCode("c", "SAVE"), second, "SAVE")
	for _, n := range []PromotionCodeName{first, second, third} {
		if got := w.get(n); got.State != PromotionActive {
			t.Errorf("%s lost its code to a refused one", n)
		}
	}
	do[Redemption](w, redeem("r3", "SAVE", Customer{ID: "bob"}))
	taker := w.code("c", "SAVE")
	for _, n := range []PromotionCodeName{first, second, third} {
		if got := w.get(n); got.State != PromotionSuperseded {
			t.Errorf("%s is in state %c", n, got.State)
		}
	}
	w.leadsTo("SAVE", Customer{ID: "carol"}, taker)
}

func TestActivatePromotionCode(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coupon("c")
	n := w.code("c", "SAVE")
	w.same(ActivatePromotionCode{Name: n})
	do[PromotionCodeView](w, DeactivatePromotionCode{Name: n})
	other := w.code("c", "SAVE")
	w.held(ActivatePromotionCode{Name: n}, other, "SAVE")
	if got := w.get(n); got.State != PromotionInactive || got.Status != StatusInactive {
		t.Errorf("refused, and in state %c", got.State)
	}
	do[PromotionCodeView](w, DeletePromotionCode{Name: other})
	before := w.get(n)
	w.now = noon.Add(hour)
	after := do[PromotionCodeView](w, ActivatePromotionCode{Name: n})
	if after.State != PromotionActive || after.Version == before.Version || !after.UpdateTime.Equal(noon) {
		t.Errorf("activated: %+v", after)
	}
	w.fails(ActivatePromotionCode{Name: other}, &DeletedError{Type: PromotionCodeResource, Name: other.String()})
	missing := PromotionCodeName{"c", "0000zzzz"}
	w.fails(ActivatePromotionCode{Name: missing}, &NotFoundError{Type: PromotionCodeResource, Name: missing.String()})
	missing.Coupon = "d"
	w.fails(ActivatePromotionCode{Name: missing}, &NotFoundError{Type: PromotionCodeResource, Name: missing.String()})
}

func TestDeactivatePromotionCode(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coupon("c")
	n := w.code("c", "SAVE")
	before := w.get(n)
	got := do[PromotionCodeView](w, DeactivatePromotionCode{Name: n})
	if got.State != PromotionInactive || got.Version == before.Version {
		t.Errorf("deactivated: %+v", got)
	}
	w.same(DeactivatePromotionCode{Name: n})
	w.refused(redeem("r", "SAVE", guest), CodeInactive)
	do[PromotionCodeView](w, DeletePromotionCode{Name: n})
	w.fails(DeactivatePromotionCode{Name: n}, &DeletedError{Type: PromotionCodeResource, Name: n.String()})
	missing := PromotionCodeName{"c", "0000zzzz"}
	w.fails(DeactivatePromotionCode{Name: missing}, &NotFoundError{Type: PromotionCodeResource, Name: missing.String()})
}

func TestDeletePromotionCode(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coupon("c")
	active := w.code("c", "SAVE")
	inactive := w.code("c", "OTHER")
	do[PromotionCodeView](w, DeactivatePromotionCode{Name: inactive})
	for _, n := range []PromotionCodeName{active, inactive} {
		before := w.get(n)
		got := do[PromotionCodeView](w, DeletePromotionCode{Name: n})
		if got.State != PromotionDeleted || got.Status != StatusDeleted || got.Version == before.Version {
			t.Errorf("deleted: %+v", got)
		}
		w.same(DeletePromotionCode{Name: n})
	}
	w.code("c", "SAVE") // its code is free
	missing := PromotionCodeName{"c", "0000zzzz"}
	w.fails(DeletePromotionCode{Name: missing}, &NotFoundError{Type: PromotionCodeResource, Name: missing.String()})
}

func TestUpdatePromotionCode(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coupon("c", limitedTo(5))
	n := w.code("c", "SAVE")
	before := w.get(n)
	w.now = noon.Add(hour)
	set := PromotionCodeFields{Metadata: true, MaxRedemptions: true, MinimumAmounts: true}
	update := UpdatePromotionCode{
		RequestID: "r", Name: n, Version: before.Version, Set: set,
		Metadata: map[string]string{"k": "v"}, MinimumAmounts: []Money{{"EUR", 1}}, MaxRedemptions: new(int64(5)),
	}
	got := do[PromotionCodeView](w, update)
	if got.Metadata["k"] != "v" || *got.MaxRedemptions != 5 || len(got.Restrictions.MinimumAmounts) != 1 ||
		got.Version == before.Version || !got.UpdateTime.Equal(w.now) || got.State != PromotionActive {
		t.Errorf("updated: %+v", got)
	}
	if again := w.same(update); compare(got, again.Value) != "" {
		t.Errorf("the retry returns %+v, %v", again.Value, again.Err)
	}
	w.fails(UpdatePromotionCode{Name: n, Version: before.Version, Set: set}, ErrAborted)
	w.invalid(UpdatePromotionCode{Name: n, Set: set, MaxRedemptions: new(int64(6))}, "promotion_code.max_redemptions")
	missing := PromotionCodeName{"c", "0000zzzz"}
	w.fails(UpdatePromotionCode{Name: missing, Set: set}, &NotFoundError{Type: PromotionCodeResource, Name: missing.String()})
	do[PromotionCodeView](w, DeletePromotionCode{Name: n})
	w.fails(UpdatePromotionCode{Name: n, Version: 99, Set: set}, &DeletedError{Type: PromotionCodeResource, Name: n.String()})
}

func TestLoweringTheCouponsLimitLeavesTheCodesAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coupon("c", limitedTo(5))
	n := w.code("c", "SAVE", codeLimitedTo(5))
	do[CouponView](w, UpdateCoupon{ID: "c", Set: CouponFields{MaxRedemptions: true}, MaxRedemptions: new(int64(1))})
	if got := w.get(n); *got.MaxRedemptions != 5 {
		t.Errorf("the code's limit is %d", *got.MaxRedemptions)
	}
	do[Redemption](w, redeem("r1", "SAVE", guest))
	w.refused(redeem("r2", "SAVE", guest), CouponMaxRedemptionsReached)
}

func TestOneCodeIsBoundToSoManyCustomersAndNoMore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coupon("c")
	n := w.code("c", "SAVE", boundTo("alice"))
	for i := range MaxBoundCodes - 1 { // as if that many customers had held it
		k := claim{"SAVE", IdentityOfID(string(rune(i + 1)))}
		w.s.holders[k] = []PromotionCodeName{{"c", "0000zzzz"}}
	}
	full := &TooManyError{What: "promotion codes bound to customers with one code", Limit: MaxBoundCodes}
	cmd := newCode("c", "SAVE", boundTo("one more"))
	if _, r := w.s.Step(w.now, IDs{PromotionCode: "0000aaaa"}, cmd); compare(full, r.Err) != "" {
		t.Errorf("one more: %v", r.Err)
	}
	again := newCode("c", "SAVE", boundTo("alice"))
	if _, r := w.s.Step(w.now, IDs{PromotionCode: "0000aaaa"}, again); r.Err == nil || r.Err.Error() == full.Error() {
		t.Errorf("one that held it, and holds it: %v", r.Err)
	}
	next, _ := w.s.Step(w.now, IDs{}, DeactivatePromotionCode{Name: n})
	if _, r := next.Step(w.now, IDs{PromotionCode: "0000aaaa"}, again); r.Err != nil {
		t.Errorf("one that held it: %v", r.Err)
	}
	if _, r := w.s.Step(w.now, IDs{PromotionCode: "0000aaaa"}, newCode("c", "OTHER", boundTo("one more"))); r.Err != nil {
		t.Errorf("another code: %v", r.Err)
	}
}

func TestListPromotionCodes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coupon("c")
	w.coupon("d", endingAt(noon.Add(hour)))
	ended := w.code("d", "SAVE", boundTo("bob"))
	w.now = noon.Add(hour)
	deleted := w.code("c", "SAVE", boundTo("alice"))
	do[PromotionCodeView](w, DeletePromotionCode{Name: deleted})
	inactive := w.code("c", "SAVE", boundTo("alice"))
	do[PromotionCodeView](w, DeactivatePromotionCode{Name: inactive})
	active := w.code("c", "SAVE", boundTo("alice"))
	scheduled := w.code("c", "OTHER", boundTo("alice"), func(p *PromotionCode) { p.StartsAt = w.now.Add(time.Millisecond) })

	for name, tc := range map[string]struct {
		q    PromotionCodeQuery
		want []PromotionCodeName
	}{
		"of a coupon":          {PromotionCodeQuery{Coupon: "c"}, []PromotionCodeName{inactive, active, scheduled}},
		"with deleted":         {PromotionCodeQuery{Coupon: "c", ShowDeleted: true}, []PromotionCodeName{deleted, inactive, active, scheduled}},
		"active":               {PromotionCodeQuery{Coupon: "c", Active: new(true)}, []PromotionCodeName{active, scheduled}},
		"not active":           {PromotionCodeQuery{Coupon: "c", Active: new(false)}, []PromotionCodeName{inactive}},
		"with a code":          {PromotionCodeQuery{Coupon: "c", Code: mustCode("other")}, []PromotionCodeName{scheduled}},
		"of a customer":        {PromotionCodeQuery{Coupon: "d", CustomerID: "bob"}, []PromotionCodeName{ended}},
		"of nobody":            {PromotionCodeQuery{Coupon: "d", CustomerID: "alice"}, nil},
		"any with a code":      {PromotionCodeQuery{Code: mustCode("save")}, []PromotionCodeName{active, inactive, ended}},
		"any of alice":         {PromotionCodeQuery{CustomerID: "alice"}, []PromotionCodeName{active, scheduled, inactive}},
		"any of alice, active": {PromotionCodeQuery{CustomerID: "alice", Active: new(false)}, []PromotionCodeName{inactive}},
	} {
		var got []PromotionCodeName
		for _, p := range do[Listing[PromotionCodeView]](w, tc.q).Items {
			got = append(got, p.Name)
		}
		if diff := compare(tc.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	w.fails(PromotionCodeQuery{Coupon: "e"}, &NotFoundError{Type: CouponResource, Name: "coupons/e"})
}
