// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package domain

import (
	"encoding/json"
	"testing"
	"time"
)

func TestACouponIsValidUntilItCanNoLongerBeRedeemed(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		c     CouponSnapshot
		valid bool
	}{
		"new":               {CouponSnapshot{}, true},
		"not started":       {CouponSnapshot{Coupon: Coupon{StartsAt: noon.Add(hour)}}, true},
		"deleted":           {CouponSnapshot{Deleted: true}, false},
		"1 ms to redeem_by": {CouponSnapshot{Coupon: Coupon{RedeemBy: noon.Add(time.Millisecond)}}, true},
		"at redeem_by":      {CouponSnapshot{Coupon: Coupon{RedeemBy: noon}}, false},
		"1 left":            {CouponSnapshot{Coupon: Coupon{MaxRedemptions: new(int64(2))}, Redeemed: 1}, true},
		"used up":           {CouponSnapshot{Coupon: Coupon{MaxRedemptions: new(int64(2))}, Redeemed: 2}, false},
		"over a lowered limit": {
			CouponSnapshot{Coupon: Coupon{MaxRedemptions: new(int64(2))}, Redeemed: 3}, false,
		},
		"all held": {CouponSnapshot{Coupon: Coupon{MaxRedemptions: new(int64(2))}, Held: 2}, true},
	} {
		if got := tc.c.Valid(noon); got != tc.valid {
			t.Errorf("%s: valid is %t", name, got)
		}
	}
}

// TestStatusAndFit goes through what a promotion code can be, with its status,
// and why it can never be redeemed again.
func TestStatusAndFit(t *testing.T) {
	t.Parallel()
	two := new(int64(2))
	for name, tc := range map[string]struct {
		change func(c *CouponSnapshot, p *PromotionCodeSnapshot)
		status PromotionStatus
		unfit  []Ineligibility
	}{
		"active": {func(*CouponSnapshot, *PromotionCodeSnapshot) {}, StatusActive, nil},
		"starts later": {
			func(_ *CouponSnapshot, p *PromotionCodeSnapshot) { p.StartsAt = noon.Add(1) }, StatusScheduled, nil,
		},
		"its coupon starts later": {
			func(c *CouponSnapshot, _ *PromotionCodeSnapshot) { c.StartsAt = noon.Add(1) }, StatusScheduled, nil,
		},
		"starts now": {
			func(c *CouponSnapshot, p *PromotionCodeSnapshot) { c.StartsAt, p.StartsAt = noon, noon }, StatusActive, nil,
		},
		"deactivated": {
			func(_ *CouponSnapshot, p *PromotionCodeSnapshot) { p.State = PromotionInactive }, StatusInactive, nil,
		},
		"deactivated before it starts": {
			func(_ *CouponSnapshot, p *PromotionCodeSnapshot) {
				p.State, p.StartsAt = PromotionInactive, noon.Add(1)
			},
			StatusInactive, nil,
		},
		"pending": {
			func(_ *CouponSnapshot, p *PromotionCodeSnapshot) { p.State = PromotionPending }, StatusPending, nil,
		},
		"expired": {
			func(_ *CouponSnapshot, p *PromotionCodeSnapshot) { p.ExpiresAt = noon },
			StatusExpired,
			[]Ineligibility{{Reason: CodeExpired, At: noon}},
		},
		"expires in an instant": {
			func(_ *CouponSnapshot, p *PromotionCodeSnapshot) { p.ExpiresAt = noon.Add(1) }, StatusActive, nil,
		},
		"expired after it was deactivated": {
			func(_ *CouponSnapshot, p *PromotionCodeSnapshot) { p.State, p.ExpiresAt = PromotionInactive, noon },
			StatusExpired,
			[]Ineligibility{{Reason: CodeExpired, At: noon}},
		},
		"used up": {
			func(_ *CouponSnapshot, p *PromotionCodeSnapshot) { p.MaxRedemptions, p.Redeemed = two, 2 },
			StatusExhausted,
			[]Ineligibility{{Reason: CodeMaxRedemptionsReached, Limit: 2}},
		},
		"1 left": {
			func(_ *CouponSnapshot, p *PromotionCodeSnapshot) { p.MaxRedemptions, p.Redeemed = two, 1 }, StatusActive, nil,
		},
		"held": {
			func(_ *CouponSnapshot, p *PromotionCodeSnapshot) { p.MaxRedemptions, p.Redeemed, p.Held = two, 1, 1 },
			StatusActive, nil,
		},
		"coupon deleted": {
			func(c *CouponSnapshot, _ *PromotionCodeSnapshot) { c.Deleted = true },
			StatusCouponInvalid,
			[]Ineligibility{{Reason: CouponDeleted}},
		},
		"coupon ended": {
			func(c *CouponSnapshot, _ *PromotionCodeSnapshot) { c.RedeemBy = noon },
			StatusCouponInvalid,
			[]Ineligibility{{Reason: CouponExpired, At: noon}},
		},
		"coupon used up": {
			func(c *CouponSnapshot, _ *PromotionCodeSnapshot) { c.MaxRedemptions, c.Redeemed = two, 2 },
			StatusCouponInvalid,
			[]Ineligibility{{Reason: CouponMaxRedemptionsReached, Limit: 2}},
		},
		"superseded, by now expired": {
			func(_ *CouponSnapshot, p *PromotionCodeSnapshot) { p.State, p.ExpiresAt = PromotionSuperseded, noon },
			StatusSuperseded,
			[]Ineligibility{{Reason: CodeExpired, At: noon}},
		},
		"deleted, its coupon too": {
			func(c *CouponSnapshot, p *PromotionCodeSnapshot) { p.State, c.Deleted = PromotionDeleted, true },
			StatusDeleted,
			[]Ineligibility{{Reason: CouponDeleted}},
		},
		"everything": {
			func(c *CouponSnapshot, p *PromotionCodeSnapshot) {
				c.Deleted, c.RedeemBy, p.ExpiresAt = true, noon, noon
				c.MaxRedemptions, c.Redeemed, p.MaxRedemptions, p.Redeemed = two, 2, two, 2
			},
			StatusExpired,
			[]Ineligibility{
				{Reason: CouponDeleted},
				{Reason: CouponExpired, At: noon},
				{Reason: CodeExpired, At: noon},
				{Reason: CouponMaxRedemptionsReached, Limit: 2},
				{Reason: CodeMaxRedemptionsReached, Limit: 2},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, p := CouponSnapshot{}, PromotionCodeSnapshot{State: PromotionActive}
			tc.change(&c, &p)
			if got := p.Status(&c, noon); got != tc.status {
				t.Errorf("the status is %d, want %d", got, tc.status)
			}
			wantReasons(t, p.Fit(&c, noon), tc.unfit)
		})
	}
}

func TestOnlyWhatAnUpdateNamesChanges(t *testing.T) {
	t.Parallel()
	old := Coupon{
		ID: "c", DisplayName: "old", Terms: percentOff(2_500), MaxRedemptions: new(int64(1)),
		MaxRedemptionsPerCustomer: new(int64(1)), Metadata: map[string]string{"a": "b"}, CreateTime: noon, UpdateTime: noon,
	}
	later := noon.Add(hour)
	nothing := UpdateCoupon{DisplayName: "new", Metadata: nil, MaxRedemptions: new(int64(9))}
	want := old
	want.UpdateTime = later
	if diff := compare(want, nothing.Apply(old, later)); diff != "" {
		t.Errorf("no field named: %s", diff)
	}
	everything := nothing
	everything.Set = CouponFields{true, true, true, true, true, true}
	want.DisplayName, want.Metadata, want.MaxRedemptions, want.MaxRedemptionsPerCustomer = "new", nil, new(int64(9)), nil
	if diff := compare(want, everything.Apply(old, later)); diff != "" {
		t.Errorf("every field named: %s", diff)
	}

	oldCode := PromotionCode{
		Name: PromotionCodeName{"c", "0000abcd"}, Code: mustCode("SAVE"), MaxRedemptions: new(int64(1)),
		Restrictions: Restrictions{FirstTimeTransaction: true, MinimumAmounts: []Money{{"EUR", 1}}}, UpdateTime: noon,
	}
	ofCode := UpdatePromotionCode{MinimumAmounts: []Money{{"USD", 2}}, Metadata: map[string]string{"k": "v"}}
	wantCode := oldCode
	wantCode.UpdateTime = later
	if diff := compare(wantCode, ofCode.Apply(oldCode, later)); diff != "" {
		t.Errorf("no field named: %s", diff)
	}
	ofCode.Set = PromotionCodeFields{true, true, true, true, true}
	wantCode.Restrictions.MinimumAmounts, wantCode.MaxRedemptions, wantCode.Metadata = ofCode.MinimumAmounts, nil, ofCode.Metadata
	if diff := compare(wantCode, ofCode.Apply(oldCode, later)); diff != "" {
		t.Errorf("every field named: %s", diff)
	}
	if oldCode.Restrictions.MinimumAmounts[0].Currency != "EUR" {
		t.Error("the update changed what it was given")
	}
}

func TestConfigurationsComeBackFromJSONAsTheyWere(t *testing.T) {
	t.Parallel()
	c := Coupon{
		ID: "c", DisplayName: "Summer", Terms: percentOff(2_500), Duration: DurationRepeating, DurationInMonths: 3,
		MaxRedemptions: new(int64(MaxAmount)), MaxRedemptionsPerCustomer: new(int64(1)), StartsAt: noon,
		RedeemBy: noon.Add(time.Millisecond), Metadata: map[string]string{"k": "v"}, CreateTime: noon, UpdateTime: noon,
	}
	for _, c := range []Coupon{c, {ID: "least", Terms: percentOff(1), CreateTime: noon, UpdateTime: noon}} {
		text, err := json.Marshal(c)
		var back Coupon
		if err := json.Unmarshal(text, &back); err != nil {
			t.Fatal(err)
		}
		if diff := compare(c, back); diff != "" || err != nil {
			t.Errorf("%v, %s", err, diff)
		}
	}
	p := PromotionCode{
		Code: mustCode("Save"), CustomerID: "alice", Restrictions: Restrictions{true, []Money{{"EUR", MaxAmount}}},
		ExpiresAt: noon, CreateTime: noon, UpdateTime: noon,
	}
	text, err := json.Marshal(p)
	var back PromotionCode
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if diff := compare(p, back); diff != "" || err != nil {
		t.Errorf("%v, %s", err, diff)
	}
}
