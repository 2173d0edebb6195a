// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package domain

import (
	"crypto/rand"
	"strings"
	"testing"
)

func TestCouponIDs(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"a", "Z", "0", "-", "_", "summer-2026_EU", strings.Repeat("x", 64)} {
		if id, err := ParseCouponID(s); err != nil || string(id) != s {
			t.Errorf("ParseCouponID(%q) = %q, %v", s, id, err)
		}
	}
	for _, s := range []string{
		"", " ", "a b", " a", "a ", "a/b", "a:b", "{a}", "a}", "é", "ａ", "a\x00", "a\n", "a.b", "a,b", strings.Repeat("x", 65),
	} {
		if id, err := ParseCouponID(s); err == nil {
			t.Errorf("ParseCouponID(%q) = %q, want an error", s, id)
		}
	}
}

func TestNamesRoundTrip(t *testing.T) {
	t.Parallel()
	coupon := NewCouponID(rand.Reader)
	if got, err := ParseCouponName(coupon.String()); err != nil || got != coupon {
		t.Errorf("%s is read as %q, %v", coupon, got, err)
	}
	code := PromotionCodeName{coupon, NewPromotionCodeID(7, rand.Reader)}
	if got, err := ParsePromotionCodeName(code.String()); err != nil || got != code {
		t.Errorf("%s is read as %v, %v", code, got, err)
	}
	redemption := RedemptionName{coupon, NewRedemptionID(42, "request")}
	if got, err := ParseRedemptionName(redemption.String()); err != nil || got != redemption {
		t.Errorf("%s is read as %v, %v", redemption, got, err)
	}
}

func TestMalformedNamesAreRefused(t *testing.T) {
	t.Parallel()
	parsers := map[string]func(string) error{
		"coupons/c":                         func(s string) error { _, err := ParseCouponName(s); return err },
		"coupons/c/promotionCodes/0000abcd": func(s string) error { _, err := ParsePromotionCodeName(s); return err },
		"coupons/c/redemptions/12-abcdef":   func(s string) error { _, err := ParseRedemptionName(s); return err },
	}
	bad := []string{
		"", "/", "c", "coupons", "coupons/", "Coupons/c", "/coupons/c", "coupons/c/", "coupons//c", " coupons/c", "coupons/c d",
		"coupons/c/promotionCodes/", "coupons/c/promotionCodes/0000abc", "coupons/c/promotionCodes/0000abcde",
		"coupons/c/promotionCodes/0000abcl", "coupons/c/promotionCodes/0000ABCD", "coupons/c/promotionCodes/0000abcd/",
		"coupons/{c}/promotionCodes/0000abcd", "coupons//promotionCodes/0000abcd", "promotionCodes/0000abcd",
		"coupons/c/redemptions/", "coupons/c/redemptions/1 2", "coupons/c/redemptions/" + strings.Repeat("1", 33),
		"coupons/c/redemptions/1/2", "coupons//redemptions/1", "coupons/c/promotionCodes/0000abcd/redemptions/1",
		"coupons/" + strings.Repeat("x", 65),
	}
	for own, parse := range parsers {
		if err := parse(own); err != nil {
			t.Errorf("%s: %v", own, err)
		}
		for _, s := range bad {
			if err := parse(s); err == nil {
				t.Errorf("the parser of %s takes %q", own, s)
			}
		}
		for other := range parsers {
			if other != own && parse(other) == nil {
				t.Errorf("the parser of %s takes %q", own, other)
			}
		}
	}
}

func TestAGeneratedCouponIsFoundAgainByItsRequest(t *testing.T) {
	t.Parallel()
	id := CouponIDForRequest("request-1")
	if _, err := ParseCouponID(string(id)); err != nil || len(id) != 13 {
		t.Errorf("%q is no coupon id of 13 characters: %v", id, err)
	}
	if CouponIDForRequest("request-1") != id || CouponIDForRequest("request-2") == id {
		t.Error("the id does not follow from the request")
	}
	if NewCouponID(rand.Reader) == NewCouponID(rand.Reader) {
		t.Error("two generated ids are equal")
	}
}

func TestPromotionCodeIDsSortByBucket(t *testing.T) {
	t.Parallel()
	for _, bucket := range []int64{0, 1, 31, 32, 1_023, 1_024, 1<<20 - 1} {
		id := NewPromotionCodeID(bucket, rand.Reader)
		if !id.Valid() || id.BucketNumber() != bucket || id.Bucket()+id.Suffix() != string(id) {
			t.Errorf("bucket %d: %q, which is in bucket %d", bucket, id, id.BucketNumber())
		}
		if first := FirstPromotionCodeID(bucket); first >= id || first.BucketNumber() != bucket || !first.Valid() {
			t.Errorf("bucket %d begins at %q, after %q", bucket, first, id)
		}
		if bucket > 0 {
			if before := NewPromotionCodeID(bucket-1, rand.Reader); before >= FirstPromotionCodeID(bucket) {
				t.Errorf("%q of bucket %d sorts after bucket %d", before, bucket-1, bucket)
			}
		}
	}
	if got := NewPromotionCodeID(1<<20, rand.Reader).BucketNumber(); got != 0 {
		t.Errorf("bucket 2^20 is bucket %d", got)
	}
	for _, id := range []PromotionCodeID{"", "0000abc", "0000abcde", "0000abci", "0000ABCD", "0000abc{"} {
		if id.Valid() {
			t.Errorf("%q is valid", id)
		}
	}
}

// zeros is a source of nothing but zeros for a while, and of ones then.
type zeros struct{ left int }

func (z *zeros) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 1
		if z.left > 0 {
			z.left--
			b[i] = 0
		}
	}
	return len(b), nil
}

func TestTheFirstIDOfABucketIsNeverGenerated(t *testing.T) {
	t.Parallel()
	if id := NewPromotionCodeID(5, &zeros{left: 8}); id == FirstPromotionCodeID(5) {
		t.Errorf("generated %q", id)
	}
}

func TestRedemptionIDsTellTheirPlaceInTheLedger(t *testing.T) {
	t.Parallel()
	for _, position := range []int64{1, 9, 10, 1_000_000, MaxAmount} {
		id := NewRedemptionID(position, "request")
		if got, ok := id.Position(); !ok || got != position {
			t.Errorf("%q is at position %d, %t, want %d", id, got, ok, position)
		}
		if _, err := ParseRedemptionName(RedemptionName{"c", id}.String()); err != nil {
			t.Errorf("%q: %v", id, err)
		}
		if NewRedemptionID(position, "another") == id {
			t.Errorf("%q names the redemptions of two requests", id)
		}
	}
	for _, id := range []RedemptionID{"", "-", "-1", "0-abc", "x-1", "-1-abc", "99999999999999999999-abc"} {
		if position, ok := id.Position(); ok {
			t.Errorf("%q is at position %d", id, position)
		}
	}
}

func TestTokensAreFresh(t *testing.T) {
	t.Parallel()
	a, b := NewToken(), NewToken()
	if a == b || len(a) != 10 || !consistsOf(a, isBase32Byte) {
		t.Errorf("tokens %q and %q", a, b)
	}
}
