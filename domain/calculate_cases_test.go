// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package domain

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"
)

// The cases are numbers from the test suites of other discount systems. The file
// is testdata/discount_cases.json, or the one that DISCOUNT_CASES names.

type discountCase struct {
	ID            string          `json:"id"`
	Source        string          `json:"source"`
	Kind          string          `json:"kind"`
	Description   string          `json:"description"`
	Policy        string          `json:"policy"`
	Portable      bool            `json:"portable"`
	Assumed       any             `json:"assumed"`
	Currency      Currency        `json:"currency"`
	Items         []caseItem      `json:"items"`
	ShippingMinor int64           `json:"shipping_minor"`
	Discount      caseDiscount    `json:"discount"`
	Expected      caseExpectation `json:"expected"`
}

type caseItem struct {
	Line      string `json:"line"`
	Product   string `json:"product"`
	Category  string `json:"category"`
	Brand     string `json:"brand"`
	Unit      int64  `json:"unit_amount_minor"`
	Quantity  int64  `json:"quantity"`
	OnSale    bool   `json:"on_sale"`
	MinAmount int64  `json:"min_unit_amount_minor"`
}

type caseDiscount struct {
	Type      string `json:"type"`
	Value     int64  `json:"value"`
	BaseValue int64  `json:"base_value"`

	FirstValue      int64 `json:"first_value"`
	AdditionalValue int64 `json:"additional_value"`

	Currency   Currency        `json:"currency"`
	Scope      string          `json:"scope"`
	AppliesTo  json.RawMessage `json:"applies_to"`
	Allocation string          `json:"allocation"`
	Tiers      []struct {
		Threshold int64 `json:"threshold"`
		Value     int64 `json:"value"`
	} `json:"tiers"`

	MinAmount        int64  `json:"min_amount"`
	MinQuantity      *int64 `json:"min_quantity"`
	MaxDiscount      *int64 `json:"max_discount"`
	MaxUnits         *int64 `json:"max_units"`
	MaxUnitsPerLine  *int64 `json:"max_units_per_line"`
	ExcludeSaleItems bool   `json:"exclude_sale_items"`

	BundleQuantity  int64      `json:"bundle_quantity"`
	GroupSize       int64      `json:"group_size"`
	MaxApplications *int64     `json:"max_applications"`
	Buy             *caseScope `json:"buy"`
	Get             *caseScope `json:"get"`
	MaxQuantity     *int64     `json:"max_quantity"`
	ValueCapPerUnit int64      `json:"value_cap_minor_per_unit"`

	Mode      string         `json:"mode"`
	Discounts []caseDiscount `json:"discounts"`
	Priority  int            `json:"priority"`
	Exclusive bool           `json:"exclusive"`

	State  string `json:"state"`
	Budget *struct {
		Type  string `json:"type"`
		Limit int64  `json:"limit"`
		Used  int64  `json:"used"`
	} `json:"budget"`
	Parent *struct {
		MaxRedemptions int64 `json:"max_redemptions"`
		Redemptions    int64 `json:"redemptions"`
	} `json:"parent"`
	MaxRedemptionsPerCustomer *int64 `json:"max_redemptions_per_customer"`
	CustomerRedemptions       int64  `json:"customer_redemptions"`
	AlreadyUsedMinor          int64  `json:"already_used_minor"`
	Duration                  *struct {
		Type      string `json:"type"`
		Cycles    int32  `json:"cycles"`
		Remaining int32  `json:"remaining"`
	} `json:"duration"`
}

type caseScope struct {
	Products         []string `json:"products"`
	Categories       []string `json:"categories"`
	Brands           []string `json:"brands"`
	UnitPriceBetween []int64  `json:"unit_price_between"`
	Quantity         int64    `json:"quantity"`
	MinQuantity      int64    `json:"min_quantity"`
}

type caseExpectation struct {
	Total            int64     `json:"total_discount_minor"`
	PerItem          []int64   `json:"per_item_discount_minor"`
	PerDiscount      [][]int64 `json:"per_discount"`
	PerUnit          [][]int64 `json:"per_unit_discount_minor"`
	Shipping         *int64    `json:"shipping_discount_minor"`
	Error            string    `json:"expected_error"`
	CouponTerminated *bool     `json:"coupon_terminated"`
	CyclesRemaining  *int32    `json:"cycles_remaining"`
}

func TestCasesOfOtherSystems(t *testing.T) {
	t.Parallel()
	path := cmp.Or(os.Getenv("DISCOUNT_CASES"), "testdata/discount_cases.json")
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Meta  any               `json:"_meta"`
		Cases []json.RawMessage `json:"cases"`
	}
	if err := json.Unmarshal(content, &file); err != nil {
		t.Fatal(err)
	}
	var inexpressible []string
	for i, raw := range file.Cases {
		var c discountCase
		decoder := json.NewDecoder(bytes.NewReader(raw))
		// A field that nobody maps is not to be dropped in silence.
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&c); err != nil {
			inexpressible = append(inexpressible, fmt.Sprintf("case %d %s: %v", i, c.ID, err))
			continue
		}
		terms, why := c.Discount.terms(c.Currency)
		if e := c.Expected.Error; e != "" && caseReasons[e] == 0 && why == "" {
			why = "no reason of ours is meant by " + e
		}
		if why != "" {
			inexpressible = append(inexpressible, c.ID+": "+why)
			continue
		}
		t.Run(c.ID, func(t *testing.T) { c.run(t, terms) })
	}
	if len(file.Cases) == 0 {
		t.Error("there are no cases")
	}
	t.Logf("%s: %d cases, %d of them inexpressible", path, len(file.Cases), len(inexpressible))
	for _, s := range inexpressible {
		t.Log("inexpressible: " + s)
	}
	if len(inexpressible) >= 6 {
		t.Errorf("%d cases cannot be expressed", len(inexpressible))
	}
}

// run checks one case: it is evaluated as a request would be, or, when it has
// several discounts, with ApplyAll.
func (c *discountCase) run(t *testing.T, terms []Terms) {
	t.Helper()
	order := c.order()
	var v Violations
	order.Check(&v, "order.")
	for i := range terms {
		terms[i].Check(&v, fmt.Sprintf("terms[%d].", i))
	}
	if err := v.Err(); err != nil {
		t.Fatalf("the case maps to something invalid: %v", err)
	}
	now := time.Now()

	var got AppliedDiscount
	if c.Discount.Type == "stack" {
		stacked := ApplyAll(order, terms, c.Discount.stackMode(), now)
		got = stacked.Total
		for i, want := range c.Expected.PerDiscount {
			if amounts := lineAmounts(stacked.Each[i].Discount); !slices.Equal(amounts, want) {
				t.Errorf("discount %d takes %v, want %v", i, amounts, want)
			}
		}
	} else {
		e := Evaluate(c.snapshot(&terms[0]), &ValidateRequest{Customer: Customer{ID: "customer"}, Order: order}, now)
		if c.Expected.Error != "" {
			if want := caseReasons[c.Expected.Error]; len(e.Ineligibilities) != 1 || e.Ineligibilities[0].Reason != want {
				t.Errorf("refused for %v, want %s", e.Ineligibilities, c.Expected.Error)
			}
			return
		}
		switch {
		case e.Valid():
			got = *e.Discount
		case len(e.Ineligibilities) == 1 && refusesOrder[e.Ineligibilities[0].Reason] && c.Expected.Total == 0:
			// Where others take nothing off, we say why.
			got.Lines = make([]LineDiscount, len(order.Lines))
		default:
			t.Fatalf("refused for %v", e.Ineligibilities)
		}
		if used := c.Discount.AlreadyUsedMinor; used > 0 {
			left := c.Discount.Value - used
			got = got.Grant(left)
			if end := c.Expected.CouponTerminated; end != nil && *end != (got.TotalAmountMinor == left) {
				t.Errorf("%d of the %d left is granted, want it used up: %v", got.TotalAmountMinor, left, *end)
			}
		}
	}
	c.check(t, got)
	if left := c.Expected.CyclesRemaining; left != nil {
		t.Logf("%s: that %d cycles remain is for the subscription to count, not for the calculator", c.ID, *left)
	}
}

func (c *discountCase) check(t *testing.T, got AppliedDiscount) {
	t.Helper()
	if got.TotalAmountMinor != c.Expected.Total {
		t.Errorf("takes %d in all, want %d", got.TotalAmountMinor, c.Expected.Total)
	}
	amounts := lineAmounts(got)
	var sum int64
	for _, a := range amounts {
		sum += a
	}
	if sum+got.ShippingAmountMinor != got.TotalAmountMinor {
		t.Errorf("lines %v and shipping %d do not sum to %d", amounts, got.ShippingAmountMinor, got.TotalAmountMinor)
	}
	if want := c.Expected.PerItem; want != nil && !slices.Equal(amounts, want) {
		t.Errorf("takes %v off the lines, want %v", amounts, want)
	}
	if want := c.Expected.Shipping; want != nil && got.ShippingAmountMinor != *want {
		t.Errorf("takes %d off shipping, want %d", got.ShippingAmountMinor, *want)
	}
	for i, want := range c.Expected.PerUnit {
		var units []int64
		for _, u := range got.Lines[i].Units {
			units = append(units, slices.Repeat([]int64{u.AmountMinor}, int(u.Quantity))...)
		}
		if !slices.Equal(units, want) {
			t.Errorf("takes %v off the units of line %d, want %v", units, i, want)
		}
	}
}

func lineAmounts(d AppliedDiscount) []int64 {
	amounts := make([]int64, len(d.Lines))
	for i, l := range d.Lines {
		amounts[i] = l.AmountMinor
	}
	return amounts
}

// caseReasons are our names for the errors that the cases expect.
var caseReasons = map[string]Reason{
	"CAMPAIGN_USAGE_BUDGET_EXCEEDED":   CouponMaxRedemptionsReached, // a budget of uses is a limit of redemptions
	"CODE_MAX_REDEMPTIONS_REACHED":     CodeMaxRedemptionsReached,
	"COUPON_MAX_REDEMPTIONS_REACHED":   CouponMaxRedemptionsReached,
	"CUSTOMER_MAX_REDEMPTIONS_REACHED": CustomerMaxRedemptionsReached,
	"MINIMUM_AMOUNT_NOT_MET":           MinimumAmountNotMet,
	"MINIMUM_QUANTITY_NOT_MET":         MinimumQuantityNotMet,
	"CURRENCY_MISMATCH":                CurrencyMismatch,
	"NO_APPLICABLE_ITEMS":              NoApplicableItems,
}

// refusesOrder has the reasons that lie in the order alone.
var refusesOrder = map[Reason]bool{
	NoApplicableItems: true, MinimumAmountNotMet: true, MinimumQuantityNotMet: true, CurrencyMismatch: true,
}

// order maps a case's items. Brands are categories to us.
func (c *discountCase) order() *Order {
	o := &Order{Currency: c.Currency, ShippingAmountMinor: c.ShippingMinor}
	for _, item := range c.Items {
		l := OrderLine{
			ID: item.Line, ProductID: item.Product, UnitAmountMinor: item.Unit, Quantity: item.Quantity,
			OnSale: item.OnSale, MinUnitAmountMinor: item.MinAmount,
		}
		if item.Category != "" {
			l.CategoryIDs = append(l.CategoryIDs, item.Category)
		}
		if item.Brand != "" {
			l.CategoryIDs = append(l.CategoryIDs, "brand "+item.Brand)
		}
		o.Lines = append(o.Lines, l)
	}
	return o
}

// snapshot maps what a case says about earlier use.
func (c *discountCase) snapshot(t *Terms) *Snapshot {
	d := &c.Discount
	s := &Snapshot{
		Coupon:        CouponSnapshot{Coupon: Coupon{ID: "coupon", Terms: *t}},
		PromotionCode: &PromotionCodeSnapshot{State: PromotionActive},
		CustomerUses:  []CustomerUses{{OfCoupon: d.CustomerRedemptions, OfPromotionCode: d.CustomerRedemptions}},
	}
	s.PromotionCode.MaxRedemptionsPerCustomer = d.MaxRedemptionsPerCustomer
	if d.State == "usage_limit_reached" {
		s.PromotionCode.MaxRedemptions, s.PromotionCode.Redeemed = new(int64(1)), 1
	}
	if p := d.Parent; p != nil {
		s.Coupon.MaxRedemptions, s.Coupon.Redeemed = &p.MaxRedemptions, p.Redemptions
	}
	if b := d.Budget; b != nil {
		s.Coupon.MaxRedemptions, s.Coupon.Redeemed = &b.Limit, b.Used
	}
	if d.Duration != nil {
		s.Coupon.Duration, s.Coupon.DurationInCycles = DurationCycles, d.Duration.Cycles
	}
	return s
}
