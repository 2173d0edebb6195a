// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package domain

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// wantFields fails unless the violations are of exactly the fields given, in this
// order.
func wantFields(t *testing.T, v Violations, want ...string) {
	t.Helper()
	var got []string
	for _, violation := range v {
		got = append(got, violation.Field)
		if violation.Description == "" {
			t.Errorf("%s: nothing is said about what is wrong", violation.Field)
		}
	}
	if diff := compare(want, got); diff != "" {
		t.Errorf("fields that are wrong (-want +got):\n%s%v", diff, v)
	}
}

func TestCheckRequestID(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		id       string
		required bool
		ok       bool
	}{
		{"", false, true},
		{"", true, false},
		{"r", true, true},
		{"a b~!", true, true},
		{" ", true, true},
		{strings.Repeat("x", 255), true, true},
		{strings.Repeat("x", 256), false, false},
		{"tab\t", false, false},
		{"line\n", false, false},
		{"\x00", false, false},
		{"\x1f", false, false},
		{"\x7f", false, false},
		{"é", false, false},
		{"\xff", false, false},
	} {
		var v Violations
		CheckRequestID(tc.id, tc.required, &v, "request_id")
		if (v.Err() == nil) != tc.ok {
			t.Errorf("%q, required %t: %v", tc.id, tc.required, v)
		}
	}
}

func TestCheckText(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		s           string
		least, most int
		ok          bool
	}{
		{"", 0, 5, true},
		{"", 1, 5, false},
		{"a", 1, 5, true},
		{"abcde", 1, 5, true},
		{"abcdef", 1, 5, false},
		{"ééééé", 1, 5, true}, // characters, not bytes
		{"éééééé", 1, 5, false},
		{"\ufffd", 1, 5, true},
		{"a\xff", 1, 5, false},
		{"a\x00", 1, 5, false},
		{"a\n", 1, 5, false},
		{"a\x7f", 1, 5, false},
		{"a\u0085", 1, 5, false},
	} {
		var v Violations
		CheckText(tc.s, tc.least, tc.most, &v, "field")
		if (v.Err() == nil) != tc.ok {
			t.Errorf("%q, %d to %d characters: %v", tc.s, tc.least, tc.most, v)
		}
	}
	for id, ok := range map[string]bool{"": true, strings.Repeat("é", 255): true, strings.Repeat("é", 256): false, "a\tb": false} {
		var v Violations
		CheckCallerID(id, &v, "customer.id")
		if (v.Err() == nil) != ok {
			t.Errorf("%q: %v", id, v)
		}
	}
}

// metadata returns n keys.
func metadata(n int) map[string]string {
	m := map[string]string{}
	for i := range n {
		m[fmt.Sprint(i)] = ""
	}
	return m
}

// metadataBounds are metadata at and beyond their bounds.
var metadataBounds = map[string]struct {
	m  map[string]string
	ok bool
}{
	"none":                   {nil, true},
	"50 keys":                {metadata(50), true},
	"51 keys":                {metadata(51), false},
	"empty key":              {map[string]string{"": "v"}, false},
	"key of 40":              {map[string]string{strings.Repeat("é", 40): "v"}, true},
	"key of 41":              {map[string]string{strings.Repeat("k", 41): "v"}, false},
	"key with a line":        {map[string]string{"a\nb": "v"}, false},
	"key that is no UTF-8":   {map[string]string{"a\xff": "v"}, false},
	"value of 500":           {map[string]string{"k": strings.Repeat("é", 500)}, true},
	"value of 501":           {map[string]string{"k": strings.Repeat("v", 501)}, false},
	"value with a line":      {map[string]string{"k": "a\nb"}, true},
	"value that is no UTF-8": {map[string]string{"k": "\xff"}, false},
}

// limitBounds are limits at and beyond their bounds.
var limitBounds = map[string]struct {
	limit *int64
	ok    bool
}{
	"none":      {nil, true},
	"0":         {new(int64(0)), false},
	"-1":        {new(int64(-1)), false},
	"1":         {new(int64(1)), true},
	"2^53-1":    {new(int64(MaxAmount)), true},
	"2^53":      {new(int64(MaxAmount + 1)), false},
	"the least": {new(int64(-1 << 63)), false},
}

// minimumBounds are minimum amounts, and the fields that are wrong in them.
var minimumBounds = map[string]struct {
	amounts []Money
	wrong   []string
}{
	"none":             {nil, nil},
	"least":            {[]Money{{"EUR", 1}}, nil},
	"most":             {[]Money{{"EUR", MaxAmount}}, nil},
	"two currencies":   {[]Money{{"EUR", 5_000}, {"JPY", 7_500}}, nil},
	"nothing":          {[]Money{{"EUR", 0}}, []string{"[0].amount_minor"}},
	"negative":         {[]Money{{"EUR", 1}, {"USD", -1}}, []string{"[1].amount_minor"}},
	"too much":         {[]Money{{"EUR", MaxAmount + 1}}, []string{"[0].amount_minor"}},
	"unknown":          {[]Money{{"XYZ", 1}}, []string{"[0].currency_code"}},
	"small letters":    {[]Money{{"eur", 1}}, []string{"[0].currency_code"}},
	"no currency":      {[]Money{{"", 1}}, []string{"[0].currency_code"}},
	"a currency twice": {[]Money{{"EUR", 1}, {"USD", 1}, {"EUR", 2}}, []string{"[2].currency_code"}},
	"all wrong":        {[]Money{{"", 0}}, []string{"[0].currency_code", "[0].amount_minor"}},
	"51 amounts":       {make([]Money, 51), []string{""}},
}

func TestCouponBounds(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(c *Coupon)
		wrong  []string
	}{
		"nothing but terms":              {func(*Coupon) {}, nil},
		"a name of 200":                  {func(c *Coupon) { c.DisplayName = strings.Repeat("é", 200) }, nil},
		"a name of 201":                  {func(c *Coupon) { c.DisplayName = strings.Repeat("x", 201) }, []string{"display_name"}},
		"a name with a line":             {func(c *Coupon) { c.DisplayName = "a\nb" }, []string{"display_name"}},
		"a name that is no UTF-8":        {func(c *Coupon) { c.DisplayName = "a\xff" }, []string{"display_name"}},
		"no discount":                    {func(c *Coupon) { c.Terms = Terms{} }, []string{"discount"}},
		"once":                           {func(c *Coupon) { c.Duration = DurationOnce }, nil},
		"for ever":                       {func(c *Coupon) { c.Duration = DurationForever }, nil},
		"an unknown duration":            {func(c *Coupon) { c.Duration = DurationCycles + 1 }, []string{"duration"}},
		"1 month":                        {func(c *Coupon) { c.Duration, c.DurationInMonths = DurationRepeating, 1 }, nil},
		"1,200 months":                   {func(c *Coupon) { c.Duration, c.DurationInMonths = DurationRepeating, 1_200 }, nil},
		"1,201 months":                   {func(c *Coupon) { c.Duration, c.DurationInMonths = DurationRepeating, 1_201 }, []string{"duration_in_months"}},
		"-1 months":                      {func(c *Coupon) { c.Duration, c.DurationInMonths = DurationRepeating, -1 }, []string{"duration_in_months"}},
		"repeating, no months":           {func(c *Coupon) { c.Duration = DurationRepeating }, []string{"duration_in_months"}},
		"months, not repeating":          {func(c *Coupon) { c.DurationInMonths = 3 }, []string{"duration_in_months"}},
		"negative months, not repeating": {func(c *Coupon) { c.DurationInMonths = -3 }, []string{"duration_in_months"}},
		"1 cycle":                        {func(c *Coupon) { c.Duration, c.DurationInCycles = DurationCycles, 1 }, nil},
		"10,000 cycles":                  {func(c *Coupon) { c.Duration, c.DurationInCycles = DurationCycles, 10_000 }, nil},
		"10,001 cycles":                  {func(c *Coupon) { c.Duration, c.DurationInCycles = DurationCycles, 10_001 }, []string{"duration_in_cycles"}},
		"cycles, no number":              {func(c *Coupon) { c.Duration = DurationCycles }, []string{"duration_in_cycles"}},
		"cycles for ever":                {func(c *Coupon) { c.Duration, c.DurationInCycles = DurationForever, 1 }, []string{"duration_in_cycles"}},
		"months of cycles": {
			func(c *Coupon) { c.Duration, c.DurationInMonths = DurationCycles, 1 },
			[]string{"duration_in_months", "duration_in_cycles"},
		},
		"ends 1 ms after it begins": {func(c *Coupon) { c.StartsAt, c.RedeemBy = noon, noon.Add(time.Millisecond) }, nil},
		"ends as it begins":         {func(c *Coupon) { c.StartsAt, c.RedeemBy = noon, noon }, []string{"redeem_by"}},
		"ends before it begins":     {func(c *Coupon) { c.StartsAt, c.RedeemBy = noon, noon.Add(-hour) }, []string{"redeem_by"}},
		"begins and never ends":     {func(c *Coupon) { c.StartsAt = noon }, nil},
		"ends, whenever it began":   {func(c *Coupon) { c.RedeemBy = time.Unix(0, 0) }, nil},
		"everything": {func(c *Coupon) {
			*c = Coupon{
				DisplayName: "\n", Duration: 9, DurationInMonths: 1, DurationInCycles: 1, MaxRedemptions: new(int64(0)),
				MaxRedemptionsPerCustomer: new(int64(0)), StartsAt: noon, RedeemBy: noon, Metadata: metadata(51),
			}
		}, []string{
			"display_name", "discount", "duration", "duration_in_months", "duration_in_cycles",
			"max_redemptions", "max_redemptions_per_customer", "redeem_by", "metadata",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := Coupon{Terms: percentOff(2_500)}
			tc.change(&c)
			var v Violations
			c.Check(&v, "")
			wantFields(t, v, tc.wrong...)
		})
	}
}

func TestPromotionCodeBounds(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		code  PromotionCode
		wrong []string
	}{
		"nothing":                   {PromotionCode{}, nil},
		"bound to an id":            {PromotionCode{CustomerID: strings.Repeat("x", 255)}, nil},
		"bound to an e-mail":        {PromotionCode{EmailHash: "0123456789abcdef"}, nil},
		"an id of 256":              {PromotionCode{CustomerID: strings.Repeat("x", 256)}, []string{"customer_id"}},
		"an id with a line":         {PromotionCode{CustomerID: "a\nb"}, []string{"customer_id"}},
		"bound to both":             {PromotionCode{CustomerID: "alice", EmailHash: "0123456789abcdef"}, []string{"customer_email"}},
		"ends 1 ms after it begins": {PromotionCode{StartsAt: noon, ExpiresAt: noon.Add(time.Millisecond)}, nil},
		"ends as it begins":         {PromotionCode{StartsAt: noon, ExpiresAt: noon}, []string{"expires_at"}},
		"ends before it begins":     {PromotionCode{StartsAt: noon, ExpiresAt: noon.Add(-hour)}, []string{"expires_at"}},
		"everything": {
			PromotionCode{
				CustomerID: "\n", EmailHash: "x", Restrictions: Restrictions{MinimumAmounts: []Money{{"EUR", 0}}},
				MaxRedemptions: new(int64(0)), MaxRedemptionsPerCustomer: new(int64(0)),
				StartsAt: noon, ExpiresAt: noon, Metadata: metadata(51),
			},
			[]string{
				"customer_id", "customer_email", "restrictions.minimum_amounts[0].amount_minor",
				"max_redemptions", "max_redemptions_per_customer", "expires_at", "metadata",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var v Violations
			tc.code.Check(&v, "")
			wantFields(t, v, tc.wrong...)
		})
	}
}

// TestSharedBounds tries each value at a bound wherever it can be given: at
// creation and in an update, of coupons and of promotion codes.
func TestSharedBounds(t *testing.T) {
	t.Parallel()
	prefixed := func(ok bool, field string) []string {
		if ok {
			return nil
		}
		return []string{"x." + field}
	}
	check := func(name string, wrong []string, places ...interface{ Check(*Violations, string) }) {
		for _, place := range places {
			t.Run(fmt.Sprintf("%s of %T", name, place), func(t *testing.T) {
				t.Parallel()
				var v Violations
				place.Check(&v, "x.")
				wantFields(t, v, wrong...)
			})
		}
	}
	for name, tc := range metadataBounds {
		check("metadata, "+name, prefixed(tc.ok, "metadata"),
			&Coupon{Terms: percentOff(1), Metadata: tc.m},
			&PromotionCode{Metadata: tc.m},
			&UpdateCoupon{Set: CouponFields{Metadata: true}, Metadata: tc.m},
			&UpdatePromotionCode{Set: PromotionCodeFields{Metadata: true}, Metadata: tc.m})
	}
	for name, tc := range limitBounds {
		check("limit of "+name, prefixed(tc.ok, "max_redemptions"),
			&Coupon{Terms: percentOff(1), MaxRedemptions: tc.limit},
			&PromotionCode{MaxRedemptions: tc.limit},
			&UpdateCoupon{Set: CouponFields{MaxRedemptions: true}, MaxRedemptions: tc.limit},
			&UpdatePromotionCode{Set: PromotionCodeFields{MaxRedemptions: true}, MaxRedemptions: tc.limit})
		check("customer's limit of "+name, prefixed(tc.ok, "max_redemptions_per_customer"),
			&Coupon{Terms: percentOff(1), MaxRedemptionsPerCustomer: tc.limit},
			&PromotionCode{MaxRedemptionsPerCustomer: tc.limit},
			&UpdateCoupon{Set: CouponFields{MaxRedemptionsPerCustomer: true}, MaxRedemptionsPerCustomer: tc.limit},
			&UpdatePromotionCode{Set: PromotionCodeFields{MaxRedemptionsPerCustomer: true}, MaxRedemptionsPerCustomer: tc.limit})
	}
	for name, tc := range minimumBounds {
		var wrong []string
		for _, w := range tc.wrong {
			wrong = append(wrong, "x.restrictions.minimum_amounts"+w)
		}
		check("minimum, "+name, wrong,
			&PromotionCode{Restrictions: Restrictions{MinimumAmounts: tc.amounts}},
			&UpdatePromotionCode{Set: PromotionCodeFields{MinimumAmounts: true}, MinimumAmounts: tc.amounts})
	}
	long := strings.Repeat("x", 201)
	check("name of 201", []string{"x.display_name"}, &UpdateCoupon{Set: CouponFields{DisplayName: true}, DisplayName: long})
}

func TestAnUpdateIsCheckedInTheFieldsThatItSets(t *testing.T) {
	t.Parallel()
	var v Violations
	bad := new(int64(0))
	(&UpdateCoupon{
		DisplayName: "\n", Metadata: metadata(51), MaxRedemptions: bad, MaxRedemptionsPerCustomer: bad,
	}).Check(&v, "")
	u := &UpdatePromotionCode{
		Metadata: metadata(51), MinimumAmounts: []Money{{}}, MaxRedemptions: new(int64(6)), MaxRedemptionsPerCustomer: bad,
	}
	u.Check(&v, "")
	u.CheckAgainst(&Coupon{MaxRedemptions: new(int64(5))}, &v, "")
	wantFields(t, v)
}

func TestACouponMustBeRedeemableAtSomeTime(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		redeemBy time.Time
		wrong    []string
	}{
		"no end":    {time.Time{}, nil},
		"in 1 ms":   {noon.Add(time.Millisecond), nil},
		"now":       {noon, []string{"coupon.redeem_by"}},
		"1 ms ago":  {noon.Add(-time.Millisecond), []string{"coupon.redeem_by"}},
		"long past": {time.Unix(0, 0), []string{"coupon.redeem_by"}},
	} {
		var v Violations
		(&Coupon{RedeemBy: tc.redeemBy}).CheckAt(noon, &v, "coupon.")
		t.Run(name, func(t *testing.T) { wantFields(t, v, tc.wrong...) })
	}
}

func TestAPromotionCodeMayNotPromiseMoreThanItsCoupon(t *testing.T) {
	t.Parallel()
	end, five := noon.Add(hour), new(int64(5))
	for name, tc := range map[string]struct {
		coupon Coupon
		code   PromotionCode
		wrong  []string
	}{
		"nothing set":               {Coupon{}, PromotionCode{}, nil},
		"inherits the end":          {Coupon{RedeemBy: end}, PromotionCode{}, nil},
		"ends with the coupon":      {Coupon{RedeemBy: end}, PromotionCode{ExpiresAt: end}, nil},
		"ends before the coupon":    {Coupon{RedeemBy: end}, PromotionCode{ExpiresAt: end.Add(-time.Millisecond)}, nil},
		"ends after the coupon":     {Coupon{RedeemBy: end}, PromotionCode{ExpiresAt: end.Add(time.Millisecond)}, []string{"expires_at"}},
		"ends, the coupon does not": {Coupon{}, PromotionCode{ExpiresAt: end}, nil},
		"ends in 1 ms":              {Coupon{}, PromotionCode{ExpiresAt: noon.Add(time.Millisecond)}, nil},
		"ends now":                  {Coupon{}, PromotionCode{ExpiresAt: noon}, []string{"expires_at"}},
		"begins before the coupon ends": {
			Coupon{RedeemBy: end}, PromotionCode{StartsAt: end.Add(-time.Millisecond)}, nil,
		},
		"begins as the coupon ends": {Coupon{RedeemBy: end}, PromotionCode{StartsAt: end}, []string{"starts_at"}},
		"a limit at the coupon's":   {Coupon{MaxRedemptions: five}, PromotionCode{MaxRedemptions: new(int64(5))}, nil},
		"a limit above the coupon's": {
			Coupon{MaxRedemptions: five}, PromotionCode{MaxRedemptions: new(int64(6))}, []string{"max_redemptions"},
		},
		"a limit, the coupon has none": {Coupon{}, PromotionCode{MaxRedemptions: new(int64(6))}, nil},
		"no limit, the coupon has one": {Coupon{MaxRedemptions: five}, PromotionCode{}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tc.code.Inherit(&tc.coupon)
			var v Violations
			tc.code.CheckAgainst(&tc.coupon, noon, &v, "")
			wantFields(t, v, tc.wrong...)
		})
	}
}

func TestACodeThatNeverEndsOutlivesACouponThatDoes(t *testing.T) {
	t.Parallel()
	var v Violations
	(&PromotionCode{}).CheckAgainst(&Coupon{RedeemBy: noon.Add(hour)}, noon, &v, "promotion_code.")
	wantFields(t, v, "promotion_code.expires_at") // Inherit was forgotten
}

func TestInheritFillsTheEnd(t *testing.T) {
	t.Parallel()
	end := noon.Add(hour)
	for _, tc := range []struct{ own, coupons, want time.Time }{
		{time.Time{}, time.Time{}, time.Time{}},
		{time.Time{}, end, end},
		{noon, end, noon},
		{noon, time.Time{}, noon},
	} {
		p := PromotionCode{ExpiresAt: tc.own}
		p.Inherit(&Coupon{RedeemBy: tc.coupons})
		if !p.ExpiresAt.Equal(tc.want) {
			t.Errorf("own end %v, the coupon's %v: %v", tc.own, tc.coupons, p.ExpiresAt)
		}
	}
}

func TestAnUpdateMayNotRaiseALimitAboveTheCoupons(t *testing.T) {
	t.Parallel()
	for limit, wrong := range map[*int64][]string{nil: nil, new(int64(5)): nil, new(int64(6)): {"max_redemptions"}} {
		var v Violations
		u := UpdatePromotionCode{Set: PromotionCodeFields{MaxRedemptions: true}, MaxRedemptions: limit}
		u.CheckAgainst(&Coupon{MaxRedemptions: new(int64(5))}, &v, "")
		wantFields(t, v, wrong...)
		u.CheckAgainst(&Coupon{}, &v, "")
		wantFields(t, v, wrong...)
	}
}

func TestTheSameMetadataIsRefusedWithTheSameWords(t *testing.T) {
	t.Parallel()
	m := map[string]string{"a": strings.Repeat("v", 501), "b": strings.Repeat("v", 501), "c": "\xff"}
	var first Violations
	(&PromotionCode{Metadata: m}).Check(&first, "")
	for range 20 {
		var v Violations
		(&PromotionCode{Metadata: m}).Check(&v, "")
		if diff := compare(first, v); diff != "" {
			t.Fatal(diff)
		}
	}
}
