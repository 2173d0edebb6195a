// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package domain

import (
	"bytes"
	"strings"
	"testing"
)

func newHasher(t *testing.T, key byte) Hasher {
	t.Helper()
	h, err := NewHasher(bytes.Repeat([]byte{key}, MinHashKeyLength))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestIdentitiesOfACustomer(t *testing.T) {
	t.Parallel()
	id, email := IdentityOfID("alice"), IdentityOfEmail("0123456789abcdef")
	for name, tc := range map[string]struct {
		customer Customer
		want     []Identity
	}{
		"guest":                {Customer{}, nil},
		"guest with a history": {Customer{HasPriorTransactions: true}, nil},
		"id":                   {Customer{ID: "alice"}, []Identity{id}},
		"e-mail":               {Customer{EmailHash: "0123456789abcdef"}, []Identity{email}},
		"both, the id first":   {Customer{ID: "alice", EmailHash: "0123456789abcdef"}, []Identity{id, email}},
	} {
		if diff := compare(tc.want, tc.customer.Identities()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestIdentitiesAreShortAndApart(t *testing.T) {
	t.Parallel()
	if IdentityOfID("") != "" || IdentityOfEmail("") != "" {
		t.Error("nobody has an identity")
	}
	ids := map[Identity]string{}
	for _, s := range []string{"a", "A", "a ", "alice", "a/b", "{a}", strings.Repeat("x", 255), "0123456789abcdef", "é", "e\u0301"} {
		id := IdentityOfID(s)
		if other, again := ids[id]; again {
			t.Errorf("%q and %q are the same customer", s, other)
		}
		ids[id] = s
		if len(id) != 17 || !consistsOf(string(id), isIDByte) {
			t.Errorf("the identity of %q is %q", s, id)
		}
	}
	if _, again := ids[IdentityOfEmail("0123456789abcdef")]; again {
		t.Error("an e-mail address and an id are the same customer")
	}
}

func TestEmailsAreMatchedWithoutRegardToCase(t *testing.T) {
	t.Parallel()
	h := newHasher(t, 1)
	hash := func(email string) EmailHash {
		t.Helper()
		out, err := h.HashEmail(email)
		if err != nil {
			t.Fatalf("%s: %v", email, err)
		}
		return out
	}
	if hash("Alice@Example.COM") != hash("alice@example.com") {
		t.Error("the case of an e-mail address makes a difference")
	}
	if hash("alice@example.com") == hash("alice@example.org") {
		t.Error("two addresses have one hash")
	}
	if got := hash("alice@example.com"); len(got) != 16 || strings.Contains(string(got), "alice") {
		t.Errorf("the hash is %q", got)
	}
}

func TestTheHashOfAnEmailNeedsTheKey(t *testing.T) {
	t.Parallel()
	a, err := newHasher(t, 1).HashEmail("alice@example.com")
	if err != nil {
		t.Fatal(err)
	}
	b, err := newHasher(t, 2).HashEmail("alice@example.com")
	if err != nil {
		t.Fatal(err)
	}
	if a == b {
		t.Error("two keys give one hash")
	}
	if newHasher(t, 1).Fingerprint() != newHasher(t, 1).Fingerprint() || newHasher(t, 1).Fingerprint() == newHasher(t, 2).Fingerprint() {
		t.Error("the fingerprint does not identify the key")
	}
	if _, err := NewHasher(make([]byte, MinHashKeyLength-1)); err == nil {
		t.Error("a key of 31 bytes is taken")
	}
	key := bytes.Repeat([]byte{1}, MinHashKeyLength)
	h, err := NewHasher(key)
	if err != nil {
		t.Fatal(err)
	}
	key[0] = 9
	if h.Fingerprint() != newHasher(t, 1).Fingerprint() {
		t.Error("the hasher keeps its owner's key instead of a copy")
	}
}

func TestWhatIsNoEmailAddressIsRefused(t *testing.T) {
	t.Parallel()
	h := newHasher(t, 1)
	for _, good := range []string{"a@b", "a+b@example.com", `"a@b"@example.com`, strings.Repeat("x", 252) + "@b"} {
		if _, err := h.HashEmail(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{
		"", "@", "a@", "@b", "alice", "a b@c", "a@b c", " a@b", "a@b\n", "a\x00@b", "a\x7f@b", strings.Repeat("x", 253) + "@b",
	} {
		if hash, err := h.HashEmail(bad); err == nil || hash != "" {
			t.Errorf("%q has the hash %q, %v", bad, hash, err)
		}
	}
}

func TestSubtotalLeavesShippingOut(t *testing.T) {
	t.Parallel()
	o := Order{Currency: "EUR", ShippingAmountMinor: 490, Lines: []OrderLine{{UnitAmountMinor: 4_000, Quantity: 2}, {UnitAmountMinor: 1, Quantity: 3}}}
	if got := o.Subtotal(); got != 8_003 {
		t.Errorf("the subtotal is %d", got)
	}
	if got := (&Order{}).Subtotal(); got != 0 {
		t.Errorf("the subtotal of nothing is %d", got)
	}
}
