// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package domain

import (
	"testing"
	"time"
)

func TestARedemptionQueryMatchesWhatAllItsFieldsAskFor(t *testing.T) {
	r := Redemption{
		Name:          RedemptionName{Coupon: "fall", ID: "1-abc"},
		PromotionCode: "00000001",
		State:         RedemptionRedeemed,
		CustomerID:    "jane",
		OrderID:       "o",
		CreateTime:    noon,
	}
	for _, c := range []struct {
		name  string
		query RedemptionQuery
		want  bool
	}{
		{"nothing is asked for", RedemptionQuery{Coupon: "fall"}, true},
		{"its promotion code", RedemptionQuery{PromotionCode: "00000001"}, true},
		{"another promotion code", RedemptionQuery{PromotionCode: "00000002"}, false},
		{"its customer", RedemptionQuery{CustomerID: "jane"}, true},
		{"another customer", RedemptionQuery{CustomerID: "john"}, false},
		{"its order", RedemptionQuery{OrderID: "o"}, true},
		{"another order", RedemptionQuery{OrderID: "p"}, false},
		{"its state", RedemptionQuery{State: RedemptionRedeemed}, true},
		{"another state", RedemptionQuery{State: RedemptionReserved}, false},
		{"from its creation on", RedemptionQuery{CreatedAfter: noon}, true},
		{"from just after its creation on", RedemptionQuery{CreatedAfter: noon.Add(1)}, false},
		{"until just after its creation", RedemptionQuery{CreatedBefore: noon.Add(1)}, true},
		{"until its creation", RedemptionQuery{CreatedBefore: noon}, false},
		{"before 1970", RedemptionQuery{CreatedBefore: time.Unix(0, 0)}, false},
		{"everything at once", RedemptionQuery{
			PromotionCode: "00000001", CustomerID: "jane", OrderID: "o", State: RedemptionRedeemed,
			CreatedAfter: noon, CreatedBefore: noon.Add(1),
		}, true},
		{"everything but one", RedemptionQuery{PromotionCode: "00000001", CustomerID: "jane", OrderID: "p", State: RedemptionRedeemed}, false},
	} {
		if got := c.query.Matches(&r); got != c.want {
			t.Errorf("%s: matches is %t, want %t", c.name, got, c.want)
		}
	}
}
