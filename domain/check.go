// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package domain

import (
	"maps"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// The bounds of texts, in characters, and of lists. The API states each at its
// field.
const (
	maxRequestIDLength     = 255
	maxDisplayNameLength   = 200
	maxMetadataKeys        = 50
	maxMetadataKeyLength   = 40
	maxMetadataValueLength = 500
	maxDurationInMonths    = 1_200
	maxDurationInCycles    = 10_000
)

// CheckRequestID records a violation unless id is 1 to 255 printable ASCII
// characters, the space included. An empty id is no violation when it is not
// required.
func CheckRequestID(id string, required bool, v *Violations, field string) {
	switch {
	case id == "" && required:
		v.Add(field, "is required: 1 to %d printable ASCII characters, the same whenever this request is sent again", maxRequestIDLength)
	case len(id) > maxRequestIDLength || !consistsOf(id, func(b byte) bool { return ' ' <= b && b <= '~' }):
		v.Add(field, "must be 1 to %d printable ASCII characters", maxRequestIDLength)
	}
}

// CheckText records a violation unless s is valid UTF-8 of least to most
// characters, none of them a control character.
func CheckText(s string, least, most int, v *Violations, field string) {
	switch {
	case isText(s, least, most):
	case least == 0:
		v.Add(field, "must be at most %d characters, none of them a control character", most)
	default:
		v.Add(field, "must be %d to %d characters, none of them a control character", least, most)
	}
}

// CheckCallerID records a violation unless id can be what a caller names its own
// customer, order or product by: up to 255 characters, none of them a control
// character. Empty means that there is none.
func CheckCallerID(id string, v *Violations, field string) {
	CheckText(id, 0, maxReferenceLength, v, field)
}

// Check records what is wrong with c whatever the time: every bound that the API
// states. The id is not looked at; ParseCouponID does that.
func (c *Coupon) Check(v *Violations, prefix string) {
	checkDisplayName(c.DisplayName, v, prefix)
	c.Terms.Check(v, prefix)
	c.checkDuration(v, prefix)
	checkOptionalCount(v, prefix+"max_redemptions", c.MaxRedemptions)
	checkOptionalCount(v, prefix+"max_redemptions_per_customer", c.MaxRedemptionsPerCustomer)
	checkPeriodLimits(c.PeriodLimits, v, prefix+"period_limits")
	checkBudgets(c.Budgets, v, prefix+"budgets")
	checkPeriod(c.StartsAt, c.RedeemBy, v, prefix+"redeem_by", "must be after starts_at")
	checkMetadata(c.Metadata, v, prefix+"metadata")
	if c.Discount.GiftCards != nil {
		c.checkProgram(v, prefix)
	}
}

// CheckAt records what is wrong with c as a coupon to be created at now: it must
// still be redeemable at some time.
func (c *Coupon) CheckAt(now time.Time, v *Violations, prefix string) {
	if reached(c.RedeemBy, now) {
		v.Add(prefix+"redeem_by", "must be in the future")
	}
}

func (c *Coupon) checkDuration(v *Violations, prefix string) {
	checkEnum(v, prefix+"duration", c.Duration, DurationCycles)
	length := func(field string, n, longest int32, belongs bool, name string) {
		switch {
		case belongs && (n < 1 || n > longest):
			v.Add(prefix+field, "must be 1 to %d when duration is %s", longest, name)
		case !belongs && n != 0:
			v.Add(prefix+field, "must be unset unless duration is %s", name)
		}
	}
	length("duration_in_months", c.DurationInMonths, maxDurationInMonths, c.Duration == DurationRepeating, "REPEATING")
	length("duration_in_cycles", c.DurationInCycles, maxDurationInCycles, c.Duration == DurationCycles, "CYCLES")
}

// Check records what is wrong with p whatever the time and whatever its coupon:
// every bound that the API states. A code that is not set is no violation.
func (p *PromotionCode) Check(v *Violations, prefix string) {
	CheckCallerID(p.CustomerID, v, prefix+"customer_id")
	if p.CustomerID != "" && p.EmailHash != "" {
		v.Add(prefix+"customer_email", "must be unset when customer_id is set: a code is bound to one of them")
	}
	checkAmounts(v, prefix+"restrictions.minimum_amounts", p.Restrictions.MinimumAmounts, 1, false)
	checkOptionalCount(v, prefix+"max_redemptions", p.MaxRedemptions)
	checkOptionalCount(v, prefix+"max_redemptions_per_customer", p.MaxRedemptionsPerCustomer)
	checkPeriodLimits(p.PeriodLimits, v, prefix+"period_limits")
	checkPeriod(p.StartsAt, p.ExpiresAt, v, prefix+"expires_at", "must be after starts_at")
	checkMetadata(p.Metadata, v, prefix+"metadata")
}

// Inherit sets what p takes over from its coupon when it has none of its own:
// the end.
func (p *PromotionCode) Inherit(c *Coupon) {
	if p.ExpiresAt.IsZero() {
		p.ExpiresAt = c.RedeemBy
	}
}

// CheckAgainst records what is wrong with p as a promotion code of c to be
// created at now, after Inherit: it may not promise more than c does, and must
// still be redeemable at some time.
func (p *PromotionCode) CheckAgainst(c *Coupon, now time.Time, v *Violations, prefix string) {
	switch {
	case !c.RedeemBy.IsZero() && (p.ExpiresAt.IsZero() || p.ExpiresAt.After(c.RedeemBy)):
		v.Add(prefix+"expires_at", "must not be after the coupon's redeem_by, %s", c.RedeemBy.UTC().Format(time.RFC3339Nano))
	case reached(p.ExpiresAt, now):
		v.Add(prefix+"expires_at", "must be in the future")
	}
	checkPeriod(p.StartsAt, p.ExpiresAt, v, prefix+"starts_at", "must be before the end, which is the coupon's redeem_by unless expires_at is set")
	checkWithin(p.MaxRedemptions, c, v, prefix+"max_redemptions")
	p.checkCard(c, v)
}

// Check records what is wrong with the new values of u. Fields that u does not
// set are not looked at.
func (u *UpdateCoupon) Check(v *Violations, prefix string) {
	if u.Set.DisplayName {
		checkDisplayName(u.DisplayName, v, prefix)
	}
	if u.Set.Metadata {
		checkMetadata(u.Metadata, v, prefix+"metadata")
	}
	if u.Set.MaxRedemptions {
		checkOptionalCount(v, prefix+"max_redemptions", u.MaxRedemptions)
	}
	if u.Set.MaxRedemptionsPerCustomer {
		checkOptionalCount(v, prefix+"max_redemptions_per_customer", u.MaxRedemptionsPerCustomer)
	}
	if u.Set.PeriodLimits {
		checkPeriodLimits(u.PeriodLimits, v, prefix+"period_limits")
	}
	if u.Set.Budgets {
		checkBudgets(u.Budgets, v, prefix+"budgets")
	}
}

// CheckAgainst records what is wrong with the new values of u for the coupon c.
func (u *UpdateCoupon) CheckAgainst(c *Coupon, v *Violations, prefix string) {
	if u.Set.Budgets {
		checkBudgetChange(c.Budgets, u.Budgets, v, prefix+"budgets")
	}
	if c.Discount.GiftCards != nil {
		after := u.Apply(*c, c.UpdateTime)
		after.checkProgram(v, prefix)
	}
}

// Check records what is wrong with the new values of u whatever the coupon.
// Fields that u does not set are not looked at.
func (u *UpdatePromotionCode) Check(v *Violations, prefix string) {
	if u.Set.Metadata {
		checkMetadata(u.Metadata, v, prefix+"metadata")
	}
	if u.Set.MinimumAmounts {
		checkAmounts(v, prefix+"restrictions.minimum_amounts", u.MinimumAmounts, 1, false)
	}
	if u.Set.MaxRedemptions {
		checkOptionalCount(v, prefix+"max_redemptions", u.MaxRedemptions)
	}
	if u.Set.MaxRedemptionsPerCustomer {
		checkOptionalCount(v, prefix+"max_redemptions_per_customer", u.MaxRedemptionsPerCustomer)
	}
	if u.Set.PeriodLimits {
		checkPeriodLimits(u.PeriodLimits, v, prefix+"period_limits")
	}
}

// CheckAgainst records what is wrong with the new values of u for a promotion
// code of c: its limit may not be above the coupon's.
func (u *UpdatePromotionCode) CheckAgainst(c *Coupon, v *Violations, prefix string) {
	if u.Set.MaxRedemptions {
		checkWithin(u.MaxRedemptions, c, v, prefix+"max_redemptions")
	}
	if c.Discount.GiftCards != nil {
		after := u.Apply(PromotionCode{}, time.Time{})
		after.checkUnlimited(v, prefix)
	}
}

// checkWithin holds a promotion code's limit against its coupon's; none of its
// own is always within.
func checkWithin(limit *int64, c *Coupon, v *Violations, field string) {
	if limit != nil && c.MaxRedemptions != nil && *limit > *c.MaxRedemptions {
		v.Add(field, "must not be above the coupon's max_redemptions, %d", *c.MaxRedemptions)
	}
}

func checkPeriod(start, end time.Time, v *Violations, field, description string) {
	if !end.IsZero() && !start.Before(end) {
		v.Add(field, "%s", description)
	}
}

func checkDisplayName(s string, v *Violations, prefix string) {
	CheckText(s, 0, maxDisplayNameLength, v, prefix+"display_name")
}

// checkMetadata records at most one violation. It goes through the keys in order,
// so that the same request gets the same answer.
func checkMetadata(m map[string]string, v *Violations, field string) {
	if len(m) > maxMetadataKeys {
		v.Add(field, "must have at most %d keys", maxMetadataKeys)
		return
	}
	for _, key := range slices.Sorted(maps.Keys(m)) {
		value := m[key]
		switch {
		case !isText(key, 1, maxMetadataKeyLength):
			v.Add(field, "keys must have 1 to %d characters, none of them a control character", maxMetadataKeyLength)
		case !utf8.ValidString(value) || utf8.RuneCountInString(value) > maxMetadataValueLength:
			v.Add(field, "the value of %s must be valid UTF-8 of at most %d characters", strconv.Quote(key), maxMetadataValueLength)
		}
	}
}
