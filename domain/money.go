// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package domain

import "math/bits"

// MaxAmount is the largest amount in a currency's minor unit: 2^53-1, the
// largest integer that Lua, JavaScript and JSON keep exactly.
const MaxAmount = 1<<53 - 1

// Currency is an ISO 4217 code in capital letters. The zero value is no
// currency.
type Currency string

// Money is an exact amount of one currency, in its minor unit.
type Money struct {
	Currency    Currency `json:"currency"`
	AmountMinor int64    `json:"amount_minor"`
}

// BasisPoints is a share in hundredths of a percent, 1 to 10,000.
type BasisPoints int32

// FullShare is 100 %.
const FullShare BasisPoints = 10_000

// AmountIn returns the amount that amounts has in currency c, and whether it has
// one.
func AmountIn(amounts []Money, c Currency) (int64, bool) {
	for i := range amounts {
		if amounts[i].Currency == c {
			return amounts[i].AmountMinor, true
		}
	}
	return 0, false
}

// mulDiv returns floor(a*b/d) and the remainder for non-negative a, b and
// positive d, through a 128-bit product. The quotient must fit 63 bits.
func mulDiv(a, b, d int64) (quotient, remainder int64) {
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	if hi == 0 { // the usual case, and a faster division
		return int64(lo / uint64(d)), int64(lo % uint64(d))
	}
	q, r := bits.Div64(hi, lo, uint64(d))
	return int64(q), int64(r)
}

// Of returns the share of amount, rounded half up once.
func (p BasisPoints) Of(amount int64) int64 {
	q, r := mulDiv(amount, int64(p), int64(FullShare))
	if 2*r >= int64(FullShare) {
		q++
	}
	return q
}
