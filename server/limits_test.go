// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/testing/protocmp"

	discountv1 "github.com/discountd/discountd/gen/discount/v1"
)

func TestABudgetRefusesWhatDoesNotFit(t *testing.T) {
	c := begin(t, `coupon_id: "a" coupon { percent_off { basis_points: 5000 } budgets { limit { currency_code: "EUR" amount_minor: 1500 } } }`)
	redeemed := c.redemption("Redeem", `request_id: "r1" coupon: "coupons/a"`+anOrder)
	for _, rpc := range []string{"Redeem", "ReserveRedemption"} {
		i := c.wantRefusal("BUDGET_INSUFFICIENT", rpc, `request_id: "r2" coupon: "coupons/a"`+anOrder)
		if got := i.GetRemaining(); got.GetAmountMinor() != 500 || got.GetCurrencyCode() != "EUR" || i.GetRetryable() {
			t.Errorf("%s: %v, want 500 EUR to be left", rpc, i)
		}
	}
	c.used("coupons/a", 1, 1000)
	c.do("VoidRedemption", `request_id: "v" name: %q amount_minor: 500`, redeemed.GetName())
	c.do("Redeem", `request_id: "r2" coupon: "coupons/a"`+anOrder)
	c.used("coupons/a", 2, 1500)
	c.wantRefusal("BUDGET_EXHAUSTED", "Redeem", `request_id: "r3" coupon: "coupons/a"`+anOrder)
	c.wantRefusal("CURRENCY_MISMATCH", "Redeem", `request_id: "r3" coupon: "coupons/a" order { currency_code: "USD" lines { unit_amount_minor: 1 quantity: 1 } }`)
	c.wantRefusal("ORDER_REQUIRED", "Redeem", `request_id: "r3" coupon: "coupons/a"`)
}

func TestABudgetGrantsWhatIsLeft(t *testing.T) {
	c := begin(t, `coupon_id: "a" coupon { percent_off { basis_points: 5000 }
		budgets { limit { currency_code: "EUR" amount_minor: 1301 } policy: BUDGET_POLICY_GRANT_REMAINING } }`)
	c.do("ReserveRedemption", `request_id: "r1" coupon: "coupons/a"`+anOrder)
	d := c.redemption("Redeem", `request_id: "r2" coupon: "coupons/a"`+anOrder).GetDiscount()
	if d.GetTotalAmountMinor() != 301 || d.GetLines()[0].GetAmountMinor() != 151 || d.GetLines()[1].GetAmountMinor() != 150 {
		t.Errorf("%v is granted, want 151 and 150", d)
	}
	c.used("coupons/a", 1, 1301)
	c.wantRefusal("BUDGET_EXHAUSTED", "Redeem", `request_id: "r3" coupon: "coupons/a"`+anOrder)
}

func TestABudgetForSomeProductsCountsThemOnly(t *testing.T) {
	c := begin(t, `coupon_id: "a" coupon { percent_off { basis_points: 5000 }
		budgets { limit { currency_code: "EUR" amount_minor: 600 } products: "shoe" } }`)
	c.do("Redeem", `request_id: "r1" coupon: "coupons/a"`+anOrder)
	c.used("coupons/a", 1, 500)
	if i := c.wantRefusal("BUDGET_INSUFFICIENT", "Redeem", `request_id: "r2" coupon: "coupons/a"`+anOrder); i.GetRemaining().GetAmountMinor() != 100 {
		t.Errorf("%v, want 100 to be left", i)
	}
	c.do("Redeem", `request_id: "r2" coupon: "coupons/a" order { currency_code: "EUR" lines { product_id: "sock" unit_amount_minor: 9000 quantity: 1 } }`)
	c.used("coupons/a", 2, 500)
}

func TestAnUpdateChangesWhatBudgetsAllowAndNotWhatTheyAre(t *testing.T) {
	c := begin(t, halfOff)
	c.do("Redeem", `request_id: "r1" coupon: "coupons/half"`+anOrder)
	const update = `update_mask { paths: "budgets" } coupon { name: "coupons/half" `
	changed := c.coupon("UpdateCoupon", update+`budgets { limit { currency_code: "USD" amount_minor: 7 } }
		budgets { limit { currency_code: "EUR" amount_minor: 1200 } policy: BUDGET_POLICY_GRANT_REMAINING } }`)
	want := []*discountv1.Budget{
		{Limit: &discountv1.Money{CurrencyCode: "USD", AmountMinor: 7}, Policy: discountv1.BudgetPolicy_BUDGET_POLICY_REFUSE},
		{Limit: &discountv1.Money{CurrencyCode: "EUR", AmountMinor: 1200}, Policy: discountv1.BudgetPolicy_BUDGET_POLICY_GRANT_REMAINING, SpentAmountMinor: 1000},
	}
	if diff := cmp.Diff(want, changed.GetBudgets(), protocmp.Transform()); diff != "" {
		t.Errorf("the budgets after the update (-want +got):\n%s", diff)
	}
	if d := c.redemption("Redeem", `request_id: "r2" coupon: "coupons/half"`+anOrder).GetDiscount(); d.GetTotalAmountMinor() != 200 {
		t.Errorf("%v is granted, want 200", d)
	}
	for field, bad := range map[string]string{
		"coupon.budgets":             `budgets { limit { currency_code: "EUR" amount_minor: 1200 } } }`,
		"coupon.budgets[0].products": `budgets { limit { currency_code: "EUR" amount_minor: 1 } products: "shoe" } budgets { limit { currency_code: "USD" amount_minor: 7 } } }`,
		"coupon.budgets[2].products": `budgets { limit { currency_code: "EUR" amount_minor: 1 } } budgets { limit { currency_code: "USD" amount_minor: 7 } }
			budgets { limit { currency_code: "JPY" amount_minor: 7 } products: "shoe" } }`,
	} {
		err := c.wantError("INVALID_ARGUMENT", "UpdateCoupon", update+bad)
		if got := detail[*errdetails.BadRequest](t, err).GetFieldViolations(); len(got) != 1 || got[0].GetField() != field {
			t.Errorf("%s violates %v, want %s", bad, got, field)
		}
	}
}

// TestAPeriodEndsWhereItsTimeZoneSays begins at 13:00 in Paris on a Saturday, the
// last of a month.
func TestAPeriodEndsWhereItsTimeZoneSays(t *testing.T) {
	for _, l := range []struct {
		limit    string
		resetsAt time.Time
	}{
		{`period: PERIOD_DAY`, time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)},
		{`period: PERIOD_DAY time_zone: "Europe/Paris"`, time.Date(2026, 1, 31, 23, 0, 0, 0, time.UTC)},
		{`period: PERIOD_WEEK`, time.Date(2026, 2, 2, 0, 0, 0, 0, time.UTC)},
		{`period: PERIOD_MONTH time_zone: "America/New_York"`, time.Date(2026, 2, 1, 5, 0, 0, 0, time.UTC)},
	} {
		t.Run(l.limit, func(t *testing.T) {
			c := begin(t, `coupon_id: "a" coupon { percent_off { basis_points: 5000 } period_limits { `+l.limit+` max_redemptions: 2 } }`)
			c.do("Redeem", `request_id: "r1" coupon: "coupons/a"`)
			reserved := c.redemption("ReserveRedemption", `request_id: "r2" coupon: "coupons/a"`)
			i := c.wantRefusal("PERIOD_LIMIT_REACHED", "Redeem", `request_id: "r3" coupon: "coupons/a"`)
			if got := i.GetResetsAt().AsTime(); !got.Equal(l.resetsAt) || i.GetLimit() != 2 || !i.GetRetryable() {
				t.Errorf("%v, want a limit of 2 until %s", i, l.resetsAt)
			}
			c.do("ReleaseRedemption", `request_id: "l" name: %q`, reserved.GetName())
			c.do("Redeem", `request_id: "r3" coupon: "coupons/a"`)
			c.later(l.resetsAt.Sub(aBeginning) - time.Millisecond)
			c.wantRefusal("PERIOD_LIMIT_REACHED", "Redeem", `request_id: "r4" coupon: "coupons/a"`)
			c.later(time.Millisecond)
			c.do("Redeem", `request_id: "r4" coupon: "coupons/a"`)
		})
	}
}

func TestAPeriodLimitCanBeForEachCustomerAndForOneCode(t *testing.T) {
	c := begin(t, `coupon_id: "a" coupon { percent_off { basis_points: 5000 } }`)
	created, ok := c.do("CreatePromotionCode", `parent: "coupons/a" promotion_code { code: "DAILY"
		period_limits { period: PERIOD_DAY max_redemptions: 1 per_customer: true } }`).(*discountv1.CreatePromotionCodeResponse)
	if !ok {
		t.Fatal("no promotion code is answered")
	}
	c.wantRefusal("CUSTOMER_REQUIRED", "Redeem", `request_id: "r0" code: "DAILY"`)
	c.do("Redeem", `request_id: "r1" code: "DAILY" customer { id: "jane" }`)
	c.wantRefusal("PERIOD_LIMIT_REACHED", "Redeem", `request_id: "r2" code: "DAILY" customer { id: "jane" }`)
	c.do("Redeem", `request_id: "r2" code: "DAILY" customer { id: "john" }`)
	c.do("Redeem", `request_id: "r3" coupon: "coupons/a" customer { id: "jane" }`)

	updated, ok := c.do("UpdatePromotionCode", `update_mask { paths: "period_limits" } promotion_code { name: %q }`,
		created.GetPromotionCode().GetName()).(*discountv1.UpdatePromotionCodeResponse)
	if !ok || len(updated.GetPromotionCode().GetPeriodLimits()) != 0 {
		t.Errorf("after the update %v is left", updated)
	}
	c.do("Redeem", `request_id: "r4" code: "DAILY" customer { id: "jane" }`)
}

func TestAPeriodLimitIsSetByAnUpdate(t *testing.T) {
	c := begin(t, `coupon_id: "a" coupon { percent_off { basis_points: 5000 } }`)
	c.do("Redeem", `request_id: "r1" coupon: "coupons/a"`)
	updated := c.coupon("UpdateCoupon", `update_mask { paths: "period_limits" }
		coupon { name: "coupons/a" period_limits { period: PERIOD_WEEK max_redemptions: 1 } }`)
	want := []*discountv1.PeriodLimit{{Period: discountv1.Period_PERIOD_WEEK, MaxRedemptions: 1}}
	if diff := cmp.Diff(want, updated.GetPeriodLimits(), protocmp.Transform()); diff != "" {
		t.Errorf("the limits after the update (-want +got):\n%s", diff)
	}
	// What was redeemed before the limit was set does not count.
	c.do("Redeem", `request_id: "r2" coupon: "coupons/a"`)
	c.wantRefusal("PERIOD_LIMIT_REACHED", "Redeem", `request_id: "r3" coupon: "coupons/a"`)
}
