// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package domain

import (
	"slices"
	"testing"
)

func fullRedeemRequest() *RedeemRequest {
	return &RedeemRequest{
		RequestID: "request-1",
		ValidateRequest: ValidateRequest{
			Source:   Source{Code: "SAVE10", PromotionCode: PromotionCodeName{"c", "0000abcd"}, Coupon: "c"},
			Customer: Customer{ID: "alice", EmailHash: "0123456789abcdef"},
			Context:  ContextInvoice, SubscriptionID: "sub-1", PlanTrialDays: 7,
			Order: &Order{
				ID: "order-1", Currency: "EUR", ShippingAmountMinor: 490,
				Lines: []OrderLine{
					{ID: "1", ProductID: "shoe", CategoryIDs: []string{"new"}, UnitAmountMinor: 4_000, Quantity: 2, MinUnitAmountMinor: 100},
					{ID: "2", ProductID: "sock", UnitAmountMinor: 300, Quantity: 1, OnSale: true},
				},
			},
		},
	}
}

func TestARequestIsAnotherOneWhenAnyFieldThatCountsIsAnother(t *testing.T) {
	t.Parallel()
	// The id is what the fingerprint is compared under. The second is a fact that
	// callers derive anew for every try. The third is for those who do not redeem.
	doNotCount := []string{"RequestID", "ValidateRequest.Customer.HasPriorTransactions", "ValidateRequest.MaxStaleness"}
	r := fullRedeemRequest()
	before := r.Fingerprint()
	seen := map[string]string{before: "the request itself"}
	for _, c := range changes(t, r) {
		c.do()
		after := r.Fingerprint()
		c.undo()
		if slices.Contains(doNotCount, c.path) {
			if after != before {
				t.Errorf("%s changes the fingerprint", c.path)
			}
			continue
		}
		if other, again := seen[after]; again {
			t.Errorf("a change of %s has the fingerprint of %s", c.path, other)
		}
		seen[after] = c.path
	}
	if r.Fingerprint() != before || len(seen) < 25 {
		t.Errorf("%d changes were tried, and the request was restored: %t", len(seen), r.Fingerprint() == before)
	}
}

func TestTheSameRequestHasTheSameFingerprint(t *testing.T) {
	t.Parallel()
	if fullRedeemRequest().Fingerprint() != fullRedeemRequest().Fingerprint() {
		t.Error("two equal requests have different fingerprints")
	}
	for name, retype := range map[string]string{
		"another case":          "save10",
		"white space around it": " Save10\n",
	} {
		r := fullRedeemRequest()
		r.Source.Code = retype
		if r.Fingerprint() != fullRedeemRequest().Fingerprint() {
			t.Errorf("a code in %s is another request", name)
		}
	}
	r := fullRedeemRequest()
	r.Order.Lines[1].CategoryIDs = []string{}
	if r.Fingerprint() != fullRedeemRequest().Fingerprint() {
		t.Error("no categories and an empty list of categories are different requests")
	}
}

func TestTextThatMovesFromOneFieldToTheNextIsAnotherRequest(t *testing.T) {
	t.Parallel()
	for name, move := range map[string]func(r *RedeemRequest){
		"customer to order": func(r *RedeemRequest) { r.Customer.ID, r.Order.ID = "alic", "eorder-1" },
		"line to product":   func(r *RedeemRequest) { r.Order.Lines[0].ID, r.Order.Lines[0].ProductID = "", "1shoe" },
		"product to category": func(r *RedeemRequest) {
			r.Order.Lines[0].ProductID, r.Order.Lines[0].CategoryIDs = "sho", []string{"enew"}
		},
		"one category as two":    func(r *RedeemRequest) { r.Order.Lines[0].CategoryIDs = []string{"ne", "w"} },
		"lines in another order": func(r *RedeemRequest) { slices.Reverse(r.Order.Lines) },
		"malformed code's case":  func(r *RedeemRequest) { r.Source.Code = "SAVE 10" },
	} {
		r := fullRedeemRequest()
		move(r)
		if r.Fingerprint() == fullRedeemRequest().Fingerprint() {
			t.Errorf("%s: the same fingerprint", name)
		}
	}
}

func TestACommandIsAnotherOneWhenAnyFieldIsAnother(t *testing.T) {
	t.Parallel()
	name := PromotionCodeName{"c", "0000abcd"}
	amounts := []Money{{"EUR", 100}}
	coupon := Coupon{
		ID: "c", DisplayName: "Summer", Terms: percentOff(2_500), MaxRedemptions: new(int64(5)),
		StartsAt: noon, RedeemBy: noon.Add(hour), Metadata: map[string]string{"a": "b"},
	}
	code := PromotionCode{
		Name: name, Code: mustCode("SAVE"), CustomerID: "alice", Restrictions: Restrictions{MinimumAmounts: amounts},
		StartsAt: noon, ExpiresAt: noon.Add(hour), Metadata: map[string]string{"a": "b"},
	}
	// A request id counts within one coupon, the promotion code has no id yet, and what
	// gift card has its code follows from the code.
	notCounted := []string{"PromotionCode.Name.Coupon", "PromotionCode.Name.ID", "AsCard"}
	check := func(command any, fingerprint func() string) {
		before := fingerprint()
		for _, c := range changes(t, command) {
			c.do()
			after := fingerprint()
			c.undo()
			if skip := slices.Contains(notCounted, c.path); (after == before) != skip {
				t.Errorf("%T: a change of %s makes another command: %t", command, c.path, !skip)
			}
		}
	}
	createCoupon := CreateCoupon{RequestID: "r", Coupon: coupon}
	check(&createCoupon, func() string { return Fingerprint(createCoupon) })
	updateCoupon := UpdateCoupon{RequestID: "r", ID: "c", Version: 1, Metadata: coupon.Metadata}
	check(&updateCoupon, func() string { return Fingerprint(updateCoupon) })
	deleteCoupon := DeleteCoupon{RequestID: "r", ID: "c"}
	check(&deleteCoupon, func() string { return Fingerprint(deleteCoupon) })
	createCode := CreatePromotionCode{RequestID: "r", PromotionCode: code}
	check(&createCode, func() string { return Fingerprint(createCode) })
	updateCode := UpdatePromotionCode{RequestID: "r", Name: name, MinimumAmounts: amounts}
	check(&updateCode, func() string { return Fingerprint(updateCode) })
	activate := ActivatePromotionCode{RequestID: "r", Name: name}
	check(&activate, func() string { return Fingerprint(activate) })
}

func TestCommandsWithTheSameFieldsAreDifferentCommands(t *testing.T) {
	t.Parallel()
	name := PromotionCodeName{"c", "0000abcd"}
	seen := map[string]Command{}
	for _, c := range []Command{
		ActivatePromotionCode{RequestID: "r", Name: name}, DeactivatePromotionCode{"r", name}, DeletePromotionCode{"r", name},
	} {
		if other, again := seen[Fingerprint(c)]; again {
			t.Errorf("%T and %T have the same fingerprint", c, other)
		}
		seen[Fingerprint(c)] = c
	}
	if Fingerprint(DeletePromotionCode{"r", name}) != Fingerprint(&DeletePromotionCode{"r", name}) {
		t.Error("a command and a pointer to it have different fingerprints")
	}
}
