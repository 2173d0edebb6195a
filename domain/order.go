// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package domain

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"hash"
	"strings"
	"sync"
	"time"
)

// Customer is who is buying. The zero value is a guest.
type Customer struct {
	ID                   string
	EmailHash            EmailHash
	HasPriorTransactions bool
}

// EmailHash stands for an e-mail address: 16 characters of base64url, the keyed
// hash of the address in lower case. The address itself is never kept.
type EmailHash string

// Identity is one way to know a customer again: by id or by e-mail. It is short,
// of fixed length and free of separators. The zero value is nobody.
type Identity string

const digestLength = 12

// digest shortens a hash to 96 bits: accidents are out of the question, and 16
// characters are all it costs to store.
func digest(sum []byte) string {
	var text [16]byte
	base64.RawURLEncoding.Encode(text[:], sum[:digestLength])
	return string(text[:])
}

// IdentityOfID returns the identity of a customer id.
func IdentityOfID(id string) Identity {
	if id == "" {
		return ""
	}
	var inline [64]byte
	sum := sha256.Sum256(append(inline[:0], id...))
	text := [17]byte{'i'}
	base64.RawURLEncoding.Encode(text[1:], sum[:digestLength])
	return Identity(text[:])
}

// IdentityOfEmail returns the identity of an e-mail address.
func IdentityOfEmail(h EmailHash) Identity {
	if h == "" {
		return ""
	}
	return Identity("e" + string(h))
}

func (c *Customer) isGuest() bool { return c.ID == "" && c.EmailHash == "" }

// Identities returns the ways to know c: none for a guest, at most two.
func (c Customer) Identities() []Identity {
	var ids []Identity
	if c.ID != "" {
		ids = append(ids, IdentityOfID(c.ID))
	}
	if c.EmailHash != "" {
		ids = append(ids, IdentityOfEmail(c.EmailHash))
	}
	return ids
}

// Hasher turns e-mail addresses into keyed hashes. All servers of one store use
// the same key. The zero value is not usable.
type Hasher struct {
	// macs has hashes that know the key already: to take it in is half of the work.
	macs *sync.Pool
}

// keyedHash is a hash with a key, and memory for what goes into it and comes out.
type keyedHash struct {
	hash.Hash
	text, sum []byte
}

// MinHashKeyLength is the least number of bytes in a hashing key.
const MinHashKeyLength = 32

// NewHasher returns a Hasher with the given key of at least MinHashKeyLength
// bytes.
func NewHasher(key []byte) (Hasher, error) {
	if len(key) < MinHashKeyLength {
		return Hasher{}, errors.New("a hashing key has at least 32 bytes")
	}
	key = bytes.Clone(key)
	return Hasher{macs: &sync.Pool{New: func() any {
		k := &keyedHash{Hash: hmac.New(sha256.New, key)}
		k.Reset() // from the first on it returns to a state that it has kept
		return k
	}}}, nil
}

const maxEmailLength = 254

// HashEmail returns the keyed hash of an e-mail address, matched without regard
// to case, or an error that says what is wrong with the address.
func (h Hasher) HashEmail(email string) (EmailHash, error) {
	at := strings.LastIndexByte(email, '@')
	if at < 1 || at == len(email)-1 || len(email) > maxEmailLength || strings.ContainsFunc(email, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return "", errors.New("must be an e-mail address of at most 254 characters without spaces")
	}
	return EmailHash(h.sum("email\x00", strings.ToLower(email))), nil
}

// Fingerprint identifies the key without revealing it.
func (h Hasher) Fingerprint() string { return h.sum("fingerprint", "") }

// sum returns the digest of the keyed hash of a text of some kind.
func (h Hasher) sum(kind, text string) string {
	sum := h.mac(kind, text)
	return digest(sum[:])
}

// mac returns the keyed hash of a text of some kind, which its first part tells.
func (h Hasher) mac(kind, text string) (sum [sha256.Size]byte) {
	k := h.macs.Get().(*keyedHash) //nolint:forcetypeassert // nothing else is put in
	k.text = append(append(k.text[:0], kind...), text...)
	k.Write(k.text)
	k.sum = k.Sum(k.sum[:0])
	copy(sum[:], k.sum)
	// An address is kept nowhere, also not in what the hash has yet to take in.
	clear(k.text)
	k.Reset()
	h.macs.Put(k)
	return sum
}

// Order is what a discount is computed on.
type Order struct {
	ID                  string
	Currency            Currency
	Lines               []OrderLine
	ShippingAmountMinor int64
}

// OrderLine is a number of equal units of one product.
type OrderLine struct {
	ID                 string
	ProductID          string
	CategoryIDs        []string
	UnitAmountMinor    int64
	Quantity           int64
	OnSale             bool
	MinUnitAmountMinor int64
}

// Amount returns the line's amount. It does not overflow in a valid order.
func (l *OrderLine) Amount() int64 { return l.UnitAmountMinor * l.Quantity }

// Subtotal returns the amount of all lines, shipping not counted.
func (o *Order) Subtotal() int64 {
	var sum int64
	for i := range o.Lines {
		sum += o.Lines[i].Amount()
	}
	return sum
}

// AppliedDiscount is what a discount takes off one order. TotalAmountMinor is
// the sum over Lines plus ShippingAmountMinor.
type AppliedDiscount struct {
	Currency            Currency
	TotalAmountMinor    int64
	Lines               []LineDiscount
	ShippingAmountMinor int64
	Allocation          Allocation
	RoundingScope       RoundingScope
	TrialDays           int32
	TrialEndsAt         time.Time
}

// LineDiscount is what a discount takes off one line.
type LineDiscount struct {
	LineID      string
	AmountMinor int64
	Units       []UnitDiscount
}

// UnitDiscount is a run of units reduced by the same amount.
type UnitDiscount struct {
	Quantity    int64
	AmountMinor int64
}
