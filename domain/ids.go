// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package domain

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// CouponID names a coupon: [A-Za-z0-9_-]{1,64}, chosen by the caller or
// generated. Every key of a coupon is built from it, so that one Redis slot
// holds all of them.
type CouponID string

// PromotionCodeID names a promotion code within its coupon: eight characters of
// [Base32], generated. The first four number the bucket of codes it is stored in,
// in the order of creation; the others are random.
type PromotionCodeID string

// RedemptionID names a redemption within its coupon: the position in the
// coupon's ledger, a hyphen, and a check derived from the request id, so that an
// id can never come to name another redemption.
type RedemptionID string

// PromotionCodeName names a promotion code among all.
type PromotionCodeName struct {
	Coupon CouponID
	ID     PromotionCodeID
}

// RedemptionName names a redemption among all.
type RedemptionName struct {
	Coupon CouponID
	ID     RedemptionID
}

// String returns the resource name, coupons/{coupon}.
func (id CouponID) String() string { return "coupons/" + string(id) }

// String returns the resource name, coupons/{coupon}/promotionCodes/{promotion_code}.
func (n PromotionCodeName) String() string {
	return "coupons/" + string(n.Coupon) + "/promotionCodes/" + string(n.ID)
}

// String returns the resource name, coupons/{coupon}/redemptions/{redemption}.
func (n RedemptionName) String() string {
	return "coupons/" + string(n.Coupon) + "/redemptions/" + string(n.ID)
}

const crockford = "0123456789abcdefghjkmnpqrstvwxyz"

// Base32 is Crockford's alphabet in lower case: no i, l, o or u, so that no two
// characters look alike.
var Base32 = base32.NewEncoding(crockford).WithPadding(base32.NoPadding)

const (
	maxCouponIDLength     = 64
	promotionCodeIDLength = 8
	promotionBucketLength = 4
	maxRedemptionIDLength = 32

	// firstSuffix sorts before all others of a bucket and is never generated.
	firstSuffix = "0000"
)

// ParseCouponID returns s as a coupon id, or an error that says what is wrong
// with it.
func ParseCouponID(s string) (CouponID, error) {
	if s == "" || len(s) > maxCouponIDLength || !consistsOf(s, isIDByte) {
		return "", fmt.Errorf("must be 1 to %d letters, digits, '_' or '-'", maxCouponIDLength)
	}
	return CouponID(s), nil
}

// ParseCouponName returns the id in a resource name coupons/{coupon}.
func ParseCouponName(s string) (CouponID, error) {
	id, ok := strings.CutPrefix(s, "coupons/")
	c, err := ParseCouponID(id)
	if !ok || err != nil {
		return "", errNameForm("coupons/{coupon}")
	}
	return c, nil
}

// ParsePromotionCodeName returns the parts of a resource name
// coupons/{coupon}/promotionCodes/{promotion_code}.
func ParsePromotionCodeName(s string) (PromotionCodeName, error) {
	parent, id, ok := strings.Cut(s, "/promotionCodes/")
	c, err := ParseCouponName(parent)
	switch {
	case !ok || err != nil:
		return PromotionCodeName{}, errNameForm("coupons/{coupon}/promotionCodes/{promotion_code}")
	case !PromotionCodeID(id).Valid():
		return PromotionCodeName{}, fmt.Errorf("must end in the generated id of a promotion code, %d characters, and not in its code", promotionCodeIDLength)
	}
	return PromotionCodeName{c, PromotionCodeID(id)}, nil
}

// ParseRedemptionName returns the parts of a resource name
// coupons/{coupon}/redemptions/{redemption}.
func ParseRedemptionName(s string) (RedemptionName, error) {
	parent, id, ok := strings.Cut(s, "/redemptions/")
	c, err := ParseCouponName(parent)
	if !ok || err != nil || id == "" || len(id) > maxRedemptionIDLength || !consistsOf(id, isIDByte) {
		return RedemptionName{}, errNameForm("coupons/{coupon}/redemptions/{redemption}")
	}
	return RedemptionName{c, RedemptionID(id)}, nil
}

func errNameForm(form string) error { return fmt.Errorf("must have the form %s", form) }

// NewCouponID generates a coupon id: 13 characters, 65 random bits.
func NewCouponID(random io.Reader) CouponID { return CouponID(randomBase32(random, 13)) }

// CouponIDForRequest derives the id of a coupon that is to be generated from the
// request's id, so that a retry finds what the first try created.
func CouponIDForRequest(requestID string) CouponID {
	sum := sha256.Sum256([]byte("coupon\x00" + requestID))
	return CouponID(Base32.EncodeToString(sum[:])[:13])
}

// NewRedemptionID returns the id of the redemption at a position of its coupon's
// ledger, counted from 1.
func NewRedemptionID(position int64, requestID string) RedemptionID {
	var inline [64]byte // a longer id takes memory of its own
	sum := sha256.Sum256(append(append(inline[:0], "redemption\x00"...), requestID...))
	var check [8]byte
	Base32.Encode(check[:], sum[:5])
	var text [32]byte
	id := append(strconv.AppendInt(text[:0], position, 10), '-')
	return RedemptionID(append(id, check[:6]...))
}

// Position returns the position in the ledger that id begins with, or false when
// it begins with none.
func (id RedemptionID) Position() (int64, bool) {
	digits, _, _ := strings.Cut(string(id), "-")
	n, err := strconv.ParseInt(digits, 10, 64)
	return n, err == nil && n > 0
}

// NewPromotionCodeID generates an id in the given bucket, which is taken modulo
// 2^20.
func NewPromotionCodeID(bucket int64, random io.Reader) PromotionCodeID {
	suffix := firstSuffix
	for suffix == firstSuffix {
		suffix = randomBase32(random, promotionCodeIDLength-promotionBucketLength)
	}
	return PromotionCodeID(bucketText(bucket) + suffix)
}

// Bucket returns the part of the id that numbers its bucket.
func (id PromotionCodeID) Bucket() string { return string(id[:promotionBucketLength]) }

// Suffix returns the part of the id that names it within its bucket.
func (id PromotionCodeID) Suffix() string { return string(id[promotionBucketLength:]) }

// BucketNumber returns the number of the id's bucket.
func (id PromotionCodeID) BucketNumber() int64 {
	var n int64
	for _, b := range []byte(id.Bucket()) {
		n = n<<5 | int64(strings.IndexByte(crockford, b))
	}
	return n
}

// Valid reports whether id has the form of one.
func (id PromotionCodeID) Valid() bool {
	return len(id) == promotionCodeIDLength && consistsOf(string(id), isBase32Byte)
}

// FirstPromotionCodeID returns the lowest id of a bucket. It is the id of none.
func FirstPromotionCodeID(bucket int64) PromotionCodeID {
	return PromotionCodeID(bucketText(bucket) + firstSuffix)
}

func bucketText(bucket int64) string {
	var b [promotionBucketLength]byte
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = crockford[bucket&31]
		bucket >>= 5
	}
	return string(b[:])
}

// randomBase32 returns n random characters. It panics when random fails, which
// crypto/rand never does.
func randomBase32(random io.Reader, n int) string {
	b := make([]byte, n)
	if _, err := io.ReadFull(random, b); err != nil {
		panic("domain: no randomness: " + err.Error())
	}
	for i := range b {
		b[i] = crockford[b[i]&31] // 256 is a multiple of 32: no bias
	}
	return string(b)
}

// NewToken returns a token that is fresh for every write of a claim: 10
// characters, 50 random bits.
func NewToken() string { return randomBase32(rand.Reader, 10) }

func consistsOf(s string, ok func(byte) bool) bool {
	for i := range len(s) {
		if !ok(s[i]) {
			return false
		}
	}
	return true
}

func isIDByte(b byte) bool {
	return 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9' || b == '_' || b == '-'
}

func isBase32Byte(b byte) bool { return strings.IndexByte(crockford, b) >= 0 }
