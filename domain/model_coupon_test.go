// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package domain

import (
	"testing"
	"time"
)

func TestCreateCoupon(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.now = noon.Add(123_456 * time.Nanosecond)
	made := w.coupon("summer", limitedTo(50))
	if made.ID != "summer" || made.Version != 1 || !made.Valid || made.Deleted || made.Redeemed != 0 ||
		!made.CreateTime.Equal(noon) || !made.UpdateTime.Equal(noon) {
		t.Errorf("created %+v", made)
	}
	if diff := compare(made, do[CouponView](w, GetCoupon{"summer"})); diff != "" {
		t.Errorf("read back (-created +read):\n%s", diff)
	}
	w.fails(GetCoupon{"winter"}, &NotFoundError{Type: CouponResource, Name: "coupons/winter"})
	taken := &AlreadyExistsError{Type: CouponResource, Name: "coupons/summer"}
	w.fails(CreateCoupon{Coupon: made.Coupon}, taken)
	do[CouponView](w, DeleteCoupon{ID: "summer"})
	w.fails(CreateCoupon{Coupon: made.Coupon}, taken)
	w.fails(CreateCoupon{RequestID: "r", Coupon: made.Coupon}, taken)
}

func TestACouponThatCanNeverBeRedeemedIsNotCreated(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.invalid(CreateCoupon{Coupon: Coupon{ID: "c", Terms: percentOff(1), RedeemBy: noon}}, "coupon.redeem_by")
	w.coupon("c", endingAt(noon.Add(time.Millisecond)))
}

func TestTheIDOfACouponIsGenerated(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	terms := Coupon{Terms: percentOff(1)}
	a := do[CouponView](w, CreateCoupon{Coupon: terms})
	b := do[CouponView](w, CreateCoupon{Coupon: terms})
	if a.ID != "generated-1" || b.ID != "generated-2" {
		t.Errorf("generated %s and %s", a.ID, b.ID)
	}
	// With a request id the coupon's follows from it, so that a retry finds it.
	cmd := CreateCoupon{RequestID: "r", Coupon: terms}
	c := do[CouponView](w, cmd)
	if c.ID != CouponIDForRequest("r") {
		t.Errorf("generated %s", c.ID)
	}
	if again := w.same(cmd); compare(c, again.Value) != "" {
		t.Errorf("the retry returns %+v, %v", again.Value, again.Err)
	}
}

func TestCreatingACouponAgainReturnsItAsItIsNow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cmd := CreateCoupon{RequestID: "r", Coupon: Coupon{ID: "c", Terms: percentOff(1), RedeemBy: noon.Add(hour)}}
	do[CouponView](w, cmd)
	do[CouponView](w, UpdateCoupon{ID: "c", Set: CouponFields{DisplayName: true}, DisplayName: "Summer"})
	w.now = noon.Add(2 * hour) // its end has come: a retry is not refused for that
	again := do[CouponView](w, cmd)
	if again.DisplayName != "Summer" || again.Version != 2 || again.Valid {
		t.Errorf("the retry returns %+v", again)
	}
	other := cmd
	other.Coupon.Terms = percentOff(2)
	w.fails(other, ErrRequestIDReused)
	do[CouponView](w, DeleteCoupon{ID: "c"})
	if gone := do[CouponView](w, cmd); !gone.Deleted {
		t.Errorf("the retry returns %+v", gone)
	}
}

func TestUpdateCoupon(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coupon("c", limitedTo(5))
	w.now = noon.Add(hour)
	set := CouponFields{DisplayName: true, MaxRedemptions: true}
	updated := do[CouponView](w, UpdateCoupon{ID: "c", Version: 1, Set: set, DisplayName: "Summer"})
	if updated.DisplayName != "Summer" || updated.MaxRedemptions != nil || updated.Version != 2 ||
		!updated.CreateTime.Equal(noon) || !updated.UpdateTime.Equal(w.now) {
		t.Errorf("updated to %+v", updated)
	}
	// A change to what it is already is a change.
	if same := do[CouponView](w, UpdateCoupon{ID: "c", Set: set, DisplayName: "Summer"}); same.Version != 3 {
		t.Errorf("version %d", same.Version)
	}
	w.fails(UpdateCoupon{ID: "c", Version: 2, Set: set}, ErrAborted)
	w.fails(UpdateCoupon{ID: "d", Set: set}, &NotFoundError{Type: CouponResource, Name: "coupons/d"})
	do[CouponView](w, DeleteCoupon{ID: "c"})
	w.fails(UpdateCoupon{ID: "c", Version: 1, Set: set}, &DeletedError{Type: CouponResource, Name: "coupons/c"})
}

func TestDeleteCoupon(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coupon("c")
	w.fails(DeleteCoupon{ID: "c", Version: 2}, ErrAborted)
	w.fails(DeleteCoupon{ID: "d"}, &NotFoundError{Type: CouponResource, Name: "coupons/d"})
	w.now = noon.Add(hour)
	gone := do[CouponView](w, DeleteCoupon{ID: "c", Version: 1})
	if !gone.Deleted || gone.Valid || gone.Version != 2 || !gone.UpdateTime.Equal(w.now) {
		t.Errorf("deleted: %+v", gone)
	}
	w.now = noon.Add(2 * hour)
	if again := w.same(DeleteCoupon{ID: "c", Version: 1}); compare(gone, again.Value) != "" {
		t.Errorf("deleted again: %+v, %v", again.Value, again.Err)
	}
}

func TestARequestIDIsForOneCommandOfACoupon(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	do[CouponView](w, CreateCoupon{RequestID: "create", Coupon: Coupon{ID: "c", Terms: percentOff(1)}})
	w.coupon("d")
	name := w.code("c", "SAVE")
	set := CouponFields{DisplayName: true}
	update := UpdateCoupon{RequestID: "update", ID: "c", Version: 1, Set: set, DisplayName: "Summer"}
	updated := do[CouponView](w, update)
	if again := w.same(update); compare(updated, again.Value) != "" {
		t.Errorf("the retry returns %+v, %v", again.Value, again.Err)
	}
	for _, id := range []string{"create", "update"} {
		w.fails(UpdateCoupon{RequestID: id, ID: "c", Set: set, DisplayName: "Winter"}, ErrRequestIDReused)
		w.fails(DeleteCoupon{RequestID: id, ID: "c"}, ErrRequestIDReused)
		code := newCode("c", "OTHER")
		code.RequestID = id
		w.fails(code, ErrRequestIDReused)
		w.fails(DeletePromotionCode{RequestID: id, Name: name}, ErrRequestIDReused)
	}
	// It counts within one coupon, and redemptions have a name space of their own.
	do[CouponView](w, UpdateCoupon{RequestID: "update", ID: "d", Set: set})
	do[Redemption](w, redeem("update", "SAVE", guest))
}

func TestWhatFailsUsesNoRequestID(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coupon("c")
	w.fails(UpdateCoupon{RequestID: "r", ID: "c", Version: 9, Set: CouponFields{Metadata: true}}, ErrAborted)
	do[CouponView](w, DeleteCoupon{RequestID: "r", ID: "c"})
	w.fails(UpdateCoupon{RequestID: "r", ID: "c"}, ErrRequestIDReused)
}

func TestASuccessThatChangesNothingUsesItsRequestID(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coupon("c")
	name := w.code("c", "SAVE")
	do[PromotionCodeView](w, ActivatePromotionCode{RequestID: "r", Name: name})
	w.fails(DeactivatePromotionCode{RequestID: "r", Name: name}, ErrRequestIDReused)
	do[PromotionCodeView](w, DeactivatePromotionCode{Name: name})
	// Its late retry does not undo what happened since.
	if got := do[PromotionCodeView](w, ActivatePromotionCode{RequestID: "r", Name: name}); got.State != PromotionInactive {
		t.Errorf("the retry made it %c", got.State)
	}
	do[CouponView](w, DeleteCoupon{ID: "c"})
	do[CouponView](w, DeleteCoupon{RequestID: "again", ID: "c"})
	w.fails(UpdateCoupon{RequestID: "again", ID: "c"}, ErrRequestIDReused)
}

func TestListCoupons(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ids := func(q CouponQuery) []CouponID {
		var out []CouponID
		for _, c := range do[Listing[CouponView]](w, q).Items {
			out = append(out, c.ID)
		}
		return out
	}
	if got := ids(CouponQuery{}); got != nil {
		t.Errorf("an empty store lists %v", got)
	}
	w.coupon("a")
	w.coupon("b")
	w.coupon("c")
	do[CouponView](w, DeleteCoupon{ID: "b"})
	if diff := compare([]CouponID{"c", "a"}, ids(CouponQuery{})); diff != "" {
		t.Error(diff)
	}
	if diff := compare([]CouponID{"c", "b", "a"}, ids(CouponQuery{ShowDeleted: true})); diff != "" {
		t.Error(diff)
	}
}
