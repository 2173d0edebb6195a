// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package domain

import (
	"crypto/sha256"
	"encoding/json"
	"reflect"
	"time"
)

// The commands of CouponService. RequestID may be empty; Version is the etag
// given, or 0 for any.

// CreateCoupon defines a coupon. An empty Coupon.ID is generated; the times of
// creation and update are set by whoever carries it out.
type CreateCoupon struct {
	RequestID string
	Coupon    Coupon
}

// UpdateCoupon sets the fields named in Set, each to the value beside it; nil
// removes a limit.
type UpdateCoupon struct {
	RequestID string
	ID        CouponID
	Version   int64
	Set       CouponFields

	DisplayName               string
	Metadata                  map[string]string
	MaxRedemptions            *int64
	MaxRedemptionsPerCustomer *int64
	PeriodLimits              []PeriodLimit
	Budgets                   []Budget
}

// CouponFields says which fields of a coupon an update sets.
type CouponFields struct {
	DisplayName               bool
	Metadata                  bool
	MaxRedemptions            bool
	MaxRedemptionsPerCustomer bool
	PeriodLimits              bool
	Budgets                   bool
}

// DeleteCoupon ends a coupon.
type DeleteCoupon struct {
	RequestID string
	ID        CouponID
	Version   int64
}

// CreatePromotionCode creates and activates a promotion code of the coupon
// PromotionCode.Name.Coupon. The id, an empty code and the times are filled in
// by whoever carries it out.
type CreatePromotionCode struct {
	RequestID     string
	PromotionCode PromotionCode
	// AsCard is what a gift card with the same code is found by: no gift card may hold
	// it. It is empty for a code that is yet to be generated.
	AsCard CodeHash `json:"-"`
}

// UpdatePromotionCode sets the fields named in Set, each to the value beside it;
// nil removes a limit.
type UpdatePromotionCode struct {
	RequestID string
	Name      PromotionCodeName
	Version   int64
	Set       PromotionCodeFields

	Metadata                  map[string]string
	MinimumAmounts            []Money
	MaxRedemptions            *int64
	MaxRedemptionsPerCustomer *int64
	PeriodLimits              []PeriodLimit
}

// PromotionCodeFields says which fields of a promotion code an update sets.
type PromotionCodeFields struct {
	Metadata                  bool
	MinimumAmounts            bool
	MaxRedemptions            bool
	MaxRedemptionsPerCustomer bool
	PeriodLimits              bool
}

// ActivatePromotionCode, DeactivatePromotionCode and DeletePromotionCode change
// whether a promotion code holds its code.
type (
	ActivatePromotionCode struct {
		RequestID string
		Name      PromotionCodeName
		// AsCard is as in CreatePromotionCode. It is empty for a gift card: what its code
		// is in full is known to nobody but who has it.
		AsCard CodeHash `json:"-"`
	}
	DeactivatePromotionCode struct {
		RequestID string
		Name      PromotionCodeName
	}
	DeletePromotionCode struct {
		RequestID string
		Name      PromotionCodeName
	}
)

// Fingerprint identifies a command of CouponService beyond its request id. Its type
// counts: activation and deletion have the same fields.
func Fingerprint(command any) string {
	b, err := json.Marshal(command)
	if err != nil {
		panic("domain: a command has no JSON form: " + err.Error())
	}
	sum := sha256.Sum256(append([]byte(reflect.Indirect(reflect.ValueOf(command)).Type().Name()+"\x00"), b...))
	return digest(sum[:])
}

// CouponView is a coupon as an answer shows it.
type CouponView struct {
	CouponSnapshot
	Valid bool
}

// PromotionCodeView is a promotion code as an answer shows it.
type PromotionCodeView struct {
	PromotionCodeSnapshot
	Status PromotionStatus
}

// Page asks for a part of a list: at most Size items after the place that Token
// marks. The zero Token is the beginning.
type Page struct {
	Size  int
	Token string
}

// CouponQuery asks for coupons, newest first.
type CouponQuery struct {
	Page
	ShowDeleted bool
}

// PromotionCodeQuery asks for promotion codes: of one coupon, or, when Coupon is
// empty, of any with Code or bound to CustomerID.
type PromotionCodeQuery struct {
	Page
	Coupon      CouponID
	Code        Code
	CustomerID  string
	Active      *bool
	ShowDeleted bool
}

// Matches reports whether a promotion code with an effective status is one that q
// asks for.
func (q *PromotionCodeQuery) Matches(p *PromotionCodeSnapshot, status PromotionStatus) bool {
	active := status == StatusActive || status == StatusScheduled
	return (q.Code.IsZero() || q.Code.Form() == p.Code.Form()) &&
		(q.CustomerID == "" || q.CustomerID == p.CustomerID) &&
		(q.Active == nil || *q.Active == active) &&
		(q.ShowDeleted || status != StatusDeleted)
}

// RedemptionQuery asks for redemptions of one coupon in the order of its ledger, or,
// without a coupon, of all coupons, the newest coupon first. Zero fields do not
// filter.
type RedemptionQuery struct {
	Page
	Coupon        CouponID
	PromotionCode PromotionCodeID
	CustomerID    string
	EmailHash     EmailHash
	OrderID       string
	// State is the state at the time of the query: a reservation whose time is
	// over is expired.
	State RedemptionState
	// CreatedAfter is the first instant of creation that is asked for and
	// CreatedBefore the first that no longer is.
	CreatedAfter  time.Time
	CreatedBefore time.Time
}

// Matches reports whether q asks for a redemption of its coupon, given as it is at
// the time of the query.
func (q *RedemptionQuery) Matches(r *Redemption) bool {
	return (q.PromotionCode == "" || q.PromotionCode == r.PromotionCode) &&
		(q.CustomerID == "" || q.CustomerID == r.CustomerID) &&
		(q.EmailHash == "" || q.EmailHash == r.EmailHash) &&
		(q.OrderID == "" || q.OrderID == r.OrderID) &&
		(q.State == 0 || q.State == r.State) &&
		(q.CreatedAfter.IsZero() || !r.CreateTime.Before(q.CreatedAfter)) &&
		(q.CreatedBefore.IsZero() || r.CreateTime.Before(q.CreatedBefore))
}

// Listing is one page of a list. An empty Next is the end. A page may be shorter
// than asked for, even empty, without being the last.
type Listing[T any] struct {
	Items []T
	Next  string
}

// Apply returns the coupon's configuration after the update.
func (u *UpdateCoupon) Apply(c Coupon, now time.Time) Coupon {
	if u.Set.DisplayName {
		c.DisplayName = u.DisplayName
	}
	if u.Set.Metadata {
		c.Metadata = u.Metadata
	}
	if u.Set.MaxRedemptions {
		c.MaxRedemptions = u.MaxRedemptions
	}
	if u.Set.MaxRedemptionsPerCustomer {
		c.MaxRedemptionsPerCustomer = u.MaxRedemptionsPerCustomer
	}
	if u.Set.PeriodLimits {
		c.PeriodLimits = u.PeriodLimits
	}
	if u.Set.Budgets {
		c.Budgets = u.Budgets
	}
	c.UpdateTime = now
	return c
}

// Apply returns the promotion code's configuration after the update.
func (u *UpdatePromotionCode) Apply(p PromotionCode, now time.Time) PromotionCode {
	if u.Set.Metadata {
		p.Metadata = u.Metadata
	}
	if u.Set.MinimumAmounts {
		p.Restrictions.MinimumAmounts = u.MinimumAmounts
	}
	if u.Set.MaxRedemptions {
		p.MaxRedemptions = u.MaxRedemptions
	}
	if u.Set.MaxRedemptionsPerCustomer {
		p.MaxRedemptionsPerCustomer = u.MaxRedemptionsPerCustomer
	}
	if u.Set.PeriodLimits {
		p.PeriodLimits = u.PeriodLimits
	}
	p.UpdateTime = now
	return p
}
