// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package domain

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"time"
)

// Source is what a redemption uses: a code as a customer typed it, a promotion
// code by name, or a coupon applied directly. Exactly one field is set.
type Source struct {
	Code          string
	PromotionCode PromotionCodeName
	Coupon        CouponID
}

// ValidateRequest asks whether a redemption would succeed. Order may be nil.
type ValidateRequest struct {
	Source   Source
	Customer Customer
	Order    *Order
}

// RedeemRequest asks for a redemption. Order may be nil.
type RedeemRequest struct {
	RequestID string
	ValidateRequest
}

// Fingerprint identifies the request beyond its id: two requests with one id are
// the same when their fingerprints are equal. It covers the source, the
// customer's identity, the order's id and currency, shipping and lines, and not
// facts that a caller derives anew for every try, such as
// HasPriorTransactions.
func (r *RedeemRequest) Fingerprint() string {
	b := make([]byte, 0, 512)
	s := func(s string) {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	n := func(n int64) { b = binary.AppendVarint(b, n) }

	code := r.Source.Code
	if c, err := ParseCode(code); err == nil {
		code = c.Form()
	}
	s(code)
	s(string(r.Source.PromotionCode.Coupon))
	s(string(r.Source.PromotionCode.ID))
	s(string(r.Source.Coupon))
	s(r.Customer.ID)
	s(string(r.Customer.EmailHash))
	if o := r.Order; o != nil {
		s(o.ID)
		s(string(o.Currency))
		n(o.ShippingAmountMinor)
		for i := range o.Lines {
			l := &o.Lines[i]
			s(l.ID)
			s(l.ProductID)
			n(int64(len(l.CategoryIDs)))
			for _, c := range l.CategoryIDs {
				s(c)
			}
			n(l.UnitAmountMinor)
			n(l.Quantity)
			if l.OnSale {
				n(1)
			} else {
				n(0)
			}
			n(l.MinUnitAmountMinor)
		}
	}
	sum := sha256.Sum256(b)
	return base64.RawURLEncoding.EncodeToString(sum[:9])
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
	// Discount is nil when no order was given. The split over units is not kept.
	Discount *AppliedDiscount

	CreateTime           time.Time
	CouponVersion        int64
	PromotionCodeVersion int64
}
