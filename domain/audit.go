// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package domain

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Tally is what the counters of a coupon must be by its ledger. The ledger may be
// read in any order and its records again after they have changed.
type Tally struct {
	Redeemed, Held int64
	Codes          map[PromotionCodeID]CodeTally
	// Uses are counted by identity, by promotion code and identity with a slash
	// between, and by the keys of periods. None is negative; one that has gone back
	// to zero stays.
	Uses map[string]int64
	// Spent has what was taken off by currency, reservations included.
	Spent map[Currency]Spending
	// Holds has the reservations by their position in the ledger, with the time that
	// each is over. One whose time is over counts as long as its record says so.
	Holds map[int64]time.Time

	standings []standing
}

// CodeTally is what a promotion code's counters must be.
type CodeTally struct{ Redeemed, Held int64 }

// standing is the part of a record that can change. What else it takes up follows
// from the part that cannot, so that no more of a ledger needs to be remembered.
type standing struct {
	state           RedemptionState
	granted, voided int64
	renewed         map[Currency]Spending // nil for most
}

// NewTally returns the tally of an empty ledger.
func NewTally() *Tally {
	return &Tally{
		Codes: map[PromotionCodeID]CodeTally{}, Uses: map[string]int64{},
		Spent: map[Currency]Spending{}, Holds: map[int64]time.Time{},
	}
}

// Len returns how many records of the ledger were counted.
func (t *Tally) Len() int64 { return int64(len(t.standings)) }

// Put counts the record at a position, which is at most one after those that were
// counted, in place of what it was when it was counted before. Nil is a record
// that cannot be read; it takes up nothing.
func (t *Tally) Put(position int64, r *Redemption) {
	var now standing
	if r != nil {
		now = standing{state: r.State, voided: r.VoidedAmountMinor}
		if r.Discount != nil {
			now.granted = r.Discount.TotalAmountMinor
		}
		if r.Subscription != nil {
			now.renewed = r.Subscription.Renewed
		}
	}
	if position > t.Len() {
		t.standings = append(t.standings, now)
	} else {
		if was := t.standings[position-1]; r != nil && was.state != 0 {
			t.count(position, r.standingAs(was), -1)
		}
		t.standings[position-1] = now
	}
	if r != nil {
		t.count(position, r, 1)
	}
}

// standingAs returns the record as it was.
func (r *Redemption) standingAs(was standing) *Redemption {
	before := *r
	before.State, before.VoidedAmountMinor = was.state, was.voided
	if r.Discount != nil {
		d := *r.Discount
		d.TotalAmountMinor = was.granted
		before.Discount = &d
	}
	if r.Subscription != nil {
		d := *r.Subscription
		d.Renewed = was.renewed
		before.Subscription = &d
	}
	return &before
}

// count adds what a record takes up, or takes it away.
func (t *Tally) count(position int64, r *Redemption, sign int64) {
	if r.Subscription != nil { // what renewals were given stays given, in any state
		for currency, sum := range r.Subscription.Renewed {
			t.spend(currency, sum, sign)
		}
	}
	code := t.Codes[r.PromotionCode]
	switch r.State {
	case RedemptionRedeemed:
		t.Redeemed += sign
		code.Redeemed += sign
	case RedemptionReserved:
		t.Held += sign
		code.Held += sign
		if sign > 0 {
			t.Holds[position] = r.ExpireTime
		} else {
			delete(t.Holds, position)
		}
	default:
		return
	}
	if r.PromotionCode != "" {
		t.Codes[r.PromotionCode] = code
	}
	for _, id := range r.Identities() {
		t.Uses[string(id)] += sign
		if r.PromotionCode != "" {
			t.Uses[string(r.PromotionCode)+"/"+string(id)] += sign
		}
	}
	for _, p := range r.Periods {
		t.Uses[p.Key] += sign
	}
	if r.Discount != nil && r.Discount.Currency != "" {
		t.spend(r.Discount.Currency, r.Spent(), sign)
	}
}

func (t *Tally) spend(currency Currency, of Spending, sign int64) {
	s := t.Spent[currency]
	s.TotalMinor += sign * of.TotalMinor
	s.ScopedMinor += sign * of.ScopedMinor
	t.Spent[currency] = s
}

// FirstDue returns when the first reservation is over, or zero when there is none.
func (t *Tally) FirstDue() time.Time {
	due := slices.Collect(maps.Values(t.Holds))
	if len(due) == 0 {
		return time.Time{}
	}
	return slices.MinFunc(due, time.Time.Compare)
}

// CheckRecord returns what is wrong with a record in itself, or "".
func (r *Redemption) CheckRecord() string {
	var voided, granted int64
	for _, v := range r.Voids {
		voided += v.AmountMinor
	}
	if r.Discount != nil {
		granted = r.Discount.TotalAmountMinor
	}
	switch {
	case !slices.Contains([]RedemptionState{RedemptionReserved, RedemptionRedeemed, RedemptionReleased, RedemptionExpired, RedemptionVoided}, r.State):
		return "has the state " + strconv.QuoteRune(rune(r.State))
	case voided != r.VoidedAmountMinor:
		return fmt.Sprintf("has %d voided and voids of %d", r.VoidedAmountMinor, voided)
	case voided > granted:
		return fmt.Sprintf("has %d voided of %d granted", voided, granted)
	case r.State == RedemptionVoided && voided != granted:
		return fmt.Sprintf("is voided, and %d of %d is", voided, granted)
	case r.State == RedemptionReserved && r.ExpireTime.IsZero():
		return "is reserved for ever"
	case r.Subscription != nil:
		return r.Subscription.checkRecord()
	}
	return ""
}

// DifferenceKind is what an audit has found to be wrong.
type DifferenceKind string

// The kinds of differences. What Difference.Name names is told with each.
const (
	DifferenceCoupon       DifferenceKind = "coupon"         // its head or its configuration is missing or cannot be read: which
	DifferenceLedger       DifferenceKind = "ledger"         // the length that is noted for it
	DifferenceRecord       DifferenceKind = "record"         // of the ledger: its position
	DifferenceCounter      DifferenceKind = "counter"        // of the coupon: redeemed, held, codes_created, due
	DifferenceSpent        DifferenceKind = "spent"          // currency
	DifferenceScopedSpent  DifferenceKind = "spent_of_scope" // currency
	DifferenceLimit        DifferenceKind = "limit"          // of the coupon, beside its counters: the field
	DifferenceUses         DifferenceKind = "uses"           // identity, promotion code and identity, or period
	DifferenceCode         DifferenceKind = "code"           // its record is missing or cannot be read: promotion code
	DifferenceCodeRedeemed DifferenceKind = "code_redeemed"  // promotion code
	DifferenceCodeHeld     DifferenceKind = "code_held"      // promotion code
	DifferenceCodeLimits   DifferenceKind = "code_limits"    // promotion code
	DifferenceReservation  DifferenceKind = "reservation"    // position: when it is due
	DifferenceRequest      DifferenceKind = "request"        // position of the redemption that its request made
	DifferenceClaim        DifferenceKind = "claim"          // promotion code
	DifferenceSubscription DifferenceKind = "subscription"   // position of the redemption that is its discount
	DifferenceBalances     DifferenceKind = "balance"        // of a gift card or, without a coupon, of a customer's credit: whose, and against what
	DifferenceList         DifferenceKind = "list"           // the coupon's, or the promotion code's among its customer's
)

// Difference is one thing that an audit has found to be other than the ledger or
// the configuration says.
type Difference struct {
	Coupon CouponID       `json:"coupon"`
	Kind   DifferenceKind `json:"kind"`
	// Name says which one of the kind.
	Name string `json:"name,omitempty"`
	// Stored is what was found and Want what should be there; empty is nothing.
	Stored string `json:"stored"`
	Want   string `json:"want"`
	// Repaired is whether it was mended and then found to be right. Reason says why
	// it was not or could not be; without one a repair mends it.
	Repaired bool   `json:"repaired"`
	Reason   string `json:"reason,omitempty"`
}

// String says the difference in a line of English.
func (d Difference) String() string {
	var b strings.Builder
	of := "credit"
	if d.Coupon != "" {
		of = d.Coupon.String()
	}
	fmt.Fprintf(&b, "%s: %s", of, d.Kind)
	if d.Name != "" {
		b.WriteString(" " + d.Name)
	}
	fmt.Fprintf(&b, ": is %s, should be %s", orNothing(d.Stored), orNothing(d.Want))
	switch {
	case d.Repaired:
		b.WriteString(" (repaired)")
	case d.Reason != "":
		b.WriteString(" (not repaired: " + d.Reason + ")")
	}
	return b.String()
}

func orNothing(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}
