// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package domain

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"
)

// What these tests fix is stored: of another value, a request would no longer know
// its redemption again, nor a code its gift card.

func TestAFingerprintIsTheSameInEveryVersion(t *testing.T) {
	t.Parallel()
	order := fullRedeemRequest().Order
	long := fullRedeemRequest()
	for range 40 {
		long.Order.Lines = append(long.Order.Lines, OrderLine{ID: strings.Repeat("x", 50), ProductID: "p", Quantity: 1})
	}
	for _, c := range []struct {
		name            string
		request         ValidateRequest
		redeem, reserve string
	}{
		{"a code", ValidateRequest{Source: Source{Code: " save10 "}}, "8bpviJ0pz3Kl", "yvuEsK2vkwsB"},
		{"a code with its hash", ValidateRequest{Source: Source{Code: "save10", Hash: "0123456789abcdef"}, Order: order}, "0hYpWzt1MEEY", "_z9n97z39CnP"},
		{"a coupon", ValidateRequest{Source: Source{Coupon: "c"}, Customer: Customer{ID: "alice"}, PlanTrialDays: 7}, "2eoXmhV--J1z", "_A1JDRCVhpeZ"},
		{"a malformed code", ValidateRequest{Source: Source{Code: "no code"}}, "NTnVQ_IVWscQ", "6OwNBVaE3vnW"},
		{"every field", fullRedeemRequest().ValidateRequest, "yfuUiWYCOuav", "tgLSt7DfggEf"},
		{"a long order", long.ValidateRequest, "uqovlwVdGufD", "OIBOL2CIvWCC"},
	} {
		r := RedeemRequest{"r", c.request}
		if got := r.Fingerprint(); got != c.redeem {
			t.Errorf("%s: the fingerprint is %s, and was %s", c.name, got, c.redeem)
		}
		if got := (&ReserveRequest{r, time.Minute}).Fingerprint(); got != c.reserve {
			t.Errorf("%s, reserved: the fingerprint is %s, and was %s", c.name, got, c.reserve)
		}
	}
}

func TestAHashIsTheSameInEveryVersionAndEveryTime(t *testing.T) {
	t.Parallel()
	for length, want := range map[int][]string{
		32:  {"-lBtgiUD6TRArWkE", "pnxoK7fLierTqg4E", "WfFcZlPK5B2r1U-P", "GKKV2Z1YRYHVBC0K"},
		100: {"nYL4v_UpkjmUgYKi", "-VzSoW1dwKHjEbVY", "AAXYxVKs9dihrlPK", "EJDPTCTN6N1AXXV1"}, // longer than a block
	} {
		h, err := NewHasher(bytes.Repeat([]byte("k"), length))
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			email, err := h.HashEmail("Alice@example.com")
			got := []string{h.Fingerprint(), string(email), string(h.HashCode(mustCode("save10"))), h.GenerateCardCode("c", "r").Form()}
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("with a key of %d bytes: %q, %v; it was %q", length, got, err, want)
			}
		}
	}
	if got := IdentityOfID("alice"); got != "iK9gGyX8OAK8aH8My" {
		t.Errorf("an identity is %s", got)
	}
	if got := NewRedemptionID(12, "r"); got != "12-72c8x5" {
		t.Errorf("the id of a redemption is %s", got)
	}
}
