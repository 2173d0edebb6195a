// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package domain

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"sync"
	"time"
)

// Source is what a redemption uses: a code as a customer typed it, a promotion
// code by name, or a coupon applied directly. Exactly one field is set.
type Source struct {
	Code string
	// Hash is the keyed hash of Code, by which gift cards are found. Without it
	// Code leads to no gift card.
	Hash          CodeHash
	PromotionCode PromotionCodeName
	Coupon        CouponID
}

// ValidateRequest asks whether a redemption would succeed. Order may be nil.
type ValidateRequest struct {
	Source   Source
	Customer Customer
	Order    *Order
	// MaxStaleness is how old the rules and counters behind the answer may be; 0 is
	// not at all. Who redeems has no use for it.
	MaxStaleness time.Duration
	// Context is the occasion. SubscriptionID, if set, is the subscription that the
	// discount is to go on with, and PlanTrialDays the free trial that its plan has
	// of its own.
	Context        UseContext
	SubscriptionID string
	PlanTrialDays  int32
}

// RedeemRequest asks for a redemption. Order may be nil.
type RedeemRequest struct {
	RequestID string
	ValidateRequest
}

// ReserveRequest asks for a redemption that keeps its capacity for TTL, until it
// is committed or released.
type ReserveRequest struct {
	RedeemRequest
	TTL time.Duration
}

// The bounds of a reservation's time, and what it is when none is asked for.
const (
	MinReservationTTL     = time.Second
	MaxReservationTTL     = 24 * time.Hour
	DefaultReservationTTL = 15 * time.Minute
)

// Fingerprint identifies the request beyond its id, as that of RedeemRequest
// does. Reserving is another request than redeeming, also with everything equal.
func (r *ReserveRequest) Fingerprint() string { return r.fingerprint(r.TTL) }

// Fingerprint identifies the request beyond its id: two requests with one id are
// the same when their fingerprints are equal. It covers the source, the
// customer's identity, the context and the subscription with its trial, the order's
// id and currency, shipping and lines, and not facts that a caller derives anew for
// every try, such as HasPriorTransactions.
func (r *RedeemRequest) Fingerprint() string { return r.fingerprint(0) }

func (r *RedeemRequest) fingerprint(ttl time.Duration) string {
	b := texts.Get().(*[]byte) //nolint:forcetypeassert // nothing else is put in
	*b = r.appendText((*b)[:0], ttl)
	sum := sha256.Sum256(*b)
	if cap(*b) <= maxPooledText {
		texts.Put(b)
	}
	var digits [12]byte
	base64.RawURLEncoding.Encode(digits[:], sum[:9])
	return string(digits[:])
}

// texts has memory for what fingerprints are made of: it is long for a stack.
var texts = sync.Pool{New: func() any { return new([]byte) }}

// maxPooledText bounds the texts whose memory is kept for others.
const maxPooledText = 4 << 10

// appendText appends what the fingerprint of a request is made of.
func (r *RedeemRequest) appendText(b []byte, ttl time.Duration) []byte {
	code := r.Source.Code
	if c, err := ParseCode(code); err == nil {
		code = c.Form()
	}
	if r.Source.Hash != "" {
		code = string(r.Source.Hash) // what a fingerprint is made of can be guessed if it is short
	}
	// A checkout without a subscription has the fingerprint that it had before there
	// were any; a time to live, with which that begins, is never below zero.
	if c := r.Context.orCheckout(); c != ContextCheckout || r.SubscriptionID != "" || r.PlanTrialDays != 0 {
		b = binary.AppendVarint(b, -1)
		b = binary.AppendVarint(b, int64(c))
		b = appendString(b, r.SubscriptionID)
		b = binary.AppendVarint(b, int64(r.PlanTrialDays))
	}
	b = binary.AppendVarint(b, int64(ttl))
	b = appendString(b, code)
	b = appendString(b, string(r.Source.PromotionCode.Coupon))
	b = appendString(b, string(r.Source.PromotionCode.ID))
	b = appendString(b, string(r.Source.Coupon))
	b = appendString(b, r.Customer.ID)
	b = appendString(b, string(r.Customer.EmailHash))
	if o := r.Order; o != nil {
		b = o.appendText(b)
	}
	return b
}

// appendText appends what the fingerprint of a request has of its order.
func (o *Order) appendText(b []byte) []byte {
	b = appendString(b, o.ID)
	b = appendString(b, string(o.Currency))
	b = binary.AppendVarint(b, o.ShippingAmountMinor)
	for i := range o.Lines {
		l := &o.Lines[i]
		b = appendString(b, l.ID)
		b = appendString(b, l.ProductID)
		b = binary.AppendVarint(b, int64(len(l.CategoryIDs)))
		for _, c := range l.CategoryIDs {
			b = appendString(b, c)
		}
		b = binary.AppendVarint(b, l.UnitAmountMinor)
		b = binary.AppendVarint(b, l.Quantity)
		onSale := int64(0)
		if l.OnSale {
			onSale = 1
		}
		b = binary.AppendVarint(b, onSale)
		b = binary.AppendVarint(b, l.MinUnitAmountMinor)
	}
	return b
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// RedemptionState is what became of a redemption.
type RedemptionState byte

// The states, as stored.
const (
	RedemptionReserved RedemptionState = 'H'
	RedemptionRedeemed RedemptionState = 'R'
	RedemptionReleased RedemptionState = 'L'
	RedemptionExpired  RedemptionState = 'E'
	RedemptionVoided   RedemptionState = 'V'
)

// Redemption is one use of a coupon, as it stands in the coupon's ledger.
type Redemption struct {
	Name          RedemptionName
	PromotionCode PromotionCodeID // empty when the coupon was applied directly
	State         RedemptionState

	RequestID   string
	Fingerprint string

	CustomerID string
	EmailHash  EmailHash
	OrderID    string
	// Discount is what was granted: nil when no order was given. A commit for less
	// than was reserved lowers it; a void does not. The split over units is not
	// kept.
	Discount *AppliedDiscount
	// ScopedAmountMinor is the part of Discount as evaluated that counts against a
	// budget for some products only.
	ScopedAmountMinor int64
	// Periods are the counts of periods that it was added to.
	Periods []PeriodUse
	// VoidedAmountMinor is the sum over Voids.
	VoidedAmountMinor int64
	Voids             []Void
	// Context is the occasion, the default for a checkout. Subscription is what the
	// subscription keeps, nil without one.
	Context      UseContext
	Subscription *SubscriptionDiscount

	CreateTime time.Time
	// ExpireTime is set on everything that began as a reservation; CommitTime and
	// ReleaseTime when it was committed or released.
	ExpireTime  time.Time
	CommitTime  time.Time
	ReleaseTime time.Time

	CouponVersion        int64
	PromotionCodeVersion int64
}

// Void takes a redemption, or a part of its amount, back.
type Void struct {
	RequestID   string
	AmountMinor int64
	Reason      string
	Time        time.Time
}

// Effective returns the redemption as it is at an instant: a reservation ends by
// time alone, whether or not its record says so yet.
func (r Redemption) Effective(now time.Time) Redemption {
	r.State = r.StateAt(now)
	return r
}

// StateAt returns the state that Effective gives to r.
func (r *Redemption) StateAt(now time.Time) RedemptionState {
	if r.State == RedemptionReserved && reached(r.ExpireTime, now) {
		return RedemptionExpired
	}
	return r.State
}

// Spent returns what the redemption takes up of a budget: nothing unless it
// counts. What is voided or was not committed leaves the part for some products
// last, so that a budget never gets back more than it gave.
func (r *Redemption) Spent() Spending {
	if r.Discount == nil || r.State != RedemptionRedeemed && r.State != RedemptionReserved {
		return Spending{}
	}
	total := r.Discount.TotalAmountMinor - r.VoidedAmountMinor
	return Spending{TotalMinor: total, ScopedMinor: min(r.ScopedAmountMinor, total)}
}

// PeriodLimitReached returns the reason that there is no room any more in a period
// that a reservation was charged to. It has no instant: that period may be over.
func (r *Redemption) PeriodLimitReached() Ineligibility {
	return Ineligibility{Reason: PeriodLimitReached, Limit: r.Periods[0].Limit}
}

// Identities returns the identities that the redemption was charged to.
func (r *Redemption) Identities() []Identity {
	return Customer{ID: r.CustomerID, EmailHash: r.EmailHash}.Identities()
}

// CommitRedemption turns a reservation into a redemption, for Amount or, when that
// is nil, for all that was reserved.
type CommitRedemption struct {
	RequestID string
	Name      RedemptionName
	Amount    *int64
}

// ReleaseRedemption gives a reservation back.
type ReleaseRedemption struct {
	RequestID string
	Name      RedemptionName
}

// VoidRedemption takes a redemption back: Amount of it or, when that is nil, all
// that is left. Taking back all that is left gives the use back as well.
type VoidRedemption struct {
	RequestID string
	Name      RedemptionName
	Amount    *int64
	Reason    string
}

// String returns the state's name in the API.
func (s RedemptionState) String() string {
	switch s {
	case RedemptionReserved:
		return "RESERVED"
	case RedemptionRedeemed:
		return "REDEEMED"
	case RedemptionReleased:
		return "RELEASED"
	case RedemptionExpired:
		return "EXPIRED"
	case RedemptionVoided:
		return "VOIDED"
	default:
		return "unknown"
	}
}
