// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package domain

import "time"

// Duration says for how long a subscription keeps a discount. The zero value is
// once.
type Duration uint8

// The durations, numbered as in the API.
const (
	DurationDefault Duration = iota
	DurationOnce
	DurationRepeating
	DurationForever
	DurationCycles
)

// Coupon is the configuration of a coupon: everything about it but what
// redemptions count up. Its JSON form is how it is stored.
type Coupon struct {
	ID          CouponID `json:"id"`
	DisplayName string   `json:"display_name,omitempty"`

	Terms

	Duration         Duration `json:"duration,omitempty"`
	DurationInMonths int32    `json:"duration_in_months,omitempty"`
	DurationInCycles int32    `json:"duration_in_cycles,omitempty"`

	// Exclusive says that the coupon is not to be combined with others. It is kept
	// for callers: one redemption never combines coupons.
	Exclusive bool `json:"exclusive,omitempty"`

	// Limits. Nil is without limit.
	MaxRedemptions            *int64 `json:"max_redemptions,omitempty"`
	MaxRedemptionsPerCustomer *int64 `json:"max_redemptions_per_customer,omitempty"`

	PeriodLimits []PeriodLimit `json:"period_limits,omitempty"`
	Budgets      []Budget      `json:"budgets,omitempty"`

	StartsAt time.Time         `json:"starts_at,omitzero"`
	RedeemBy time.Time         `json:"redeem_by,omitzero"`
	Metadata map[string]string `json:"metadata,omitempty"`

	CreateTime time.Time `json:"create_time"`
	UpdateTime time.Time `json:"update_time"`
}

// CouponSnapshot is a coupon at one moment: its configuration at one version,
// and its counters.
type CouponSnapshot struct {
	Coupon

	// Version counts changes of configuration, from 1.
	Version int64
	Deleted bool

	Redeemed int64
	Held     int64
	// Spent is what was taken off, reservations included, by currency, where that is
	// not nothing.
	Spent map[Currency]Spending
}

// Valid reports whether the coupon can still be redeemed, now or later. Holds do
// not make it invalid.
func (c *CouponSnapshot) Valid(now time.Time) bool {
	return !c.Deleted && !reached(c.RedeemBy, now) && !exhausted(c.MaxRedemptions, c.Redeemed)
}

// PromotionState is what a promotion code's record says about its claim to the
// code.
type PromotionState byte

// The states. A record is created once and never removed; SUPERSEDED and DELETED
// are terminal.
const (
	PromotionPending    PromotionState = 'P'
	PromotionActive     PromotionState = 'A'
	PromotionInactive   PromotionState = 'I'
	PromotionSuperseded PromotionState = 'S'
	PromotionDeleted    PromotionState = 'D'
)

// Restrictions are conditions of a promotion code on top of the coupon's.
type Restrictions struct {
	FirstTimeTransaction bool    `json:"first_time_transaction,omitempty"`
	MinimumAmounts       []Money `json:"minimum_amounts,omitempty"`
}

// PromotionCode is the configuration of a promotion code. Its JSON form is how
// it is stored. At most one of CustomerID and EmailHash is set.
type PromotionCode struct {
	Name PromotionCodeName `json:"-"`

	Code       Code      `json:"code"`
	CustomerID string    `json:"customer_id,omitempty"`
	EmailHash  EmailHash `json:"email_hash,omitempty"`

	Restrictions Restrictions `json:"restrictions,omitzero"`

	// Card makes the promotion code a gift card. Its Code is then one that NewCardCode
	// made.
	Card *GiftCard `json:"card,omitempty"`

	MaxRedemptions            *int64 `json:"max_redemptions,omitempty"`
	MaxRedemptionsPerCustomer *int64 `json:"max_redemptions_per_customer,omitempty"`

	PeriodLimits []PeriodLimit `json:"period_limits,omitempty"`

	StartsAt  time.Time         `json:"starts_at,omitzero"`
	ExpiresAt time.Time         `json:"expires_at,omitzero"`
	Metadata  map[string]string `json:"metadata,omitempty"`

	CreateTime time.Time `json:"create_time"`
	UpdateTime time.Time `json:"update_time"`
}

// Scope returns the identity the code is bound to, or nobody: two promotion codes
// with equal codes conflict when their scopes are equal or either is nobody.
func (p *PromotionCode) Scope() Identity {
	if p.CustomerID != "" {
		return IdentityOfID(p.CustomerID)
	}
	return IdentityOfEmail(p.EmailHash)
}

// PromotionCodeSnapshot is a promotion code at one moment.
type PromotionCodeSnapshot struct {
	PromotionCode

	State PromotionState
	// Version counts changes of configuration and of State, from 1.
	Version int64

	Redeemed int64
	Held     int64
	// BalanceMinor is what is left on a gift card: reservations are taken off it.
	BalanceMinor int64
}

// PromotionStatus is the effective status of a promotion code.
type PromotionStatus uint8

// The statuses, numbered as in the API.
const (
	_ PromotionStatus = iota
	StatusActive
	StatusScheduled
	StatusInactive
	StatusExpired
	StatusExhausted
	StatusCouponInvalid
	StatusSuperseded
	StatusDeleted
	StatusPending
)

// Status returns the effective status of p, which belongs to c.
func (p *PromotionCodeSnapshot) Status(c *CouponSnapshot, now time.Time) PromotionStatus {
	switch {
	case p.State == PromotionDeleted:
		return StatusDeleted
	case p.State == PromotionSuperseded:
		return StatusSuperseded
	case reached(p.ExpiresAt, now):
		return StatusExpired
	case exhausted(p.MaxRedemptions, p.Redeemed):
		return StatusExhausted
	case !c.Valid(now):
		return StatusCouponInvalid
	case p.State == PromotionInactive:
		return StatusInactive
	case p.State == PromotionPending:
		return StatusPending
	case p.StartsAt.After(now) || c.StartsAt.After(now):
		return StatusScheduled
	default:
		return StatusActive
	}
}

// Fit returns why p can never be redeemed again as things stand, or nothing: it
// has expired, is used up, or its coupon is no longer valid. A promotion code
// that is not fit cannot be activated, and its code is free for another.
func (p *PromotionCodeSnapshot) Fit(c *CouponSnapshot, now time.Time) []Ineligibility {
	var out []Ineligibility
	if c.Deleted {
		out = append(out, Ineligibility{Reason: CouponDeleted})
	}
	if reached(c.RedeemBy, now) {
		out = append(out, Ineligibility{Reason: CouponExpired, At: c.RedeemBy})
	}
	if reached(p.ExpiresAt, now) {
		out = append(out, Ineligibility{Reason: CodeExpired, At: p.ExpiresAt})
	}
	if exhausted(c.MaxRedemptions, c.Redeemed) {
		out = append(out, Ineligibility{Reason: CouponMaxRedemptionsReached, Limit: *c.MaxRedemptions})
	}
	if exhausted(p.MaxRedemptions, p.Redeemed) {
		out = append(out, Ineligibility{Reason: CodeMaxRedemptionsReached, Limit: *p.MaxRedemptions})
	}
	return out
}

// reached reports whether the instant end has come; the zero end never does.
func reached(end, now time.Time) bool { return !end.IsZero() && !now.Before(end) }

// exhausted reports whether used reaches limit; no limit is never reached.
func exhausted(limit *int64, used int64) bool { return limit != nil && used >= *limit }
