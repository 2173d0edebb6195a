// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package domain

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Equal reports whether s and t hold the same. States that came from one another
// share most of what they hold, which makes it fast.
func (s State) Equal(t State) bool {
	return slices.EqualFunc(s.coupons, t.coupons, (*couponRecord).equal) &&
		maps.EqualFunc(s.holders, t.holders, slices.Equal[[]PromotionCodeName]) &&
		maps.EqualFunc(s.credit, t.credit, equalTargets[creditRecord])
}

func (c *couponRecord) equal(d *couponRecord) bool {
	return c == d ||
		c.Version == d.Version && c.Redeemed == d.Redeemed &&
			slices.EqualFunc(c.ledger, d.ledger, equalTargets[Redemption]) &&
			slices.EqualFunc(c.codes, d.codes, equalTargets[PromotionCodeSnapshot]) &&
			maps.Equal(c.requests, d.requests) &&
			maps.Equal(c.settled, d.settled) &&
			maps.EqualFunc(c.cards, d.cards, slices.Equal[[]BalanceTransaction]) &&
			maps.Equal(c.transfers, d.transfers) &&
			slices.EqualFunc(c.renewals, d.renewals, equalTargets[Renewal]) &&
			reflect.DeepEqual(c.CouponSnapshot, d.CouponSnapshot)
}

func equalTargets[T any](a, b *T) bool { return a == b || reflect.DeepEqual(a, b) }

// Check returns what must never be in a state: a counter that is not what the
// ledger says, a request id with two effects, a ledger out of order, an invoice or a
// cycle that counts twice, or a code that two promotion codes hold.
func (s State) Check() error {
	for _, c := range s.coupons {
		if err := c.checkLedger(); err != nil {
			return err
		}
		if err := c.checkCounters(); err != nil {
			return err
		}
		if err := c.checkRenewals(); err != nil {
			return err
		}
	}
	if err := s.checkBalances(); err != nil {
		return err
	}
	return s.checkHolders()
}

func (c *couponRecord) checkLedger() error {
	requests := map[string]RedemptionID{}
	for i, r := range c.ledger {
		if want := NewRedemptionID(int64(i)+1, r.RequestID); r.Name != (RedemptionName{c.ID, want}) {
			return fmt.Errorf("%s is at position %d of the ledger of %s", r.Name, i+1, c.ID)
		}
		if other, again := requests[r.RequestID]; again {
			return fmt.Errorf("%s and %s of %s are by the same request", other, r.Name.ID, c.ID)
		}
		requests[r.RequestID] = r.Name.ID
	}
	return nil
}

func (c *couponRecord) checkCounters() error {
	if spent := c.countSpent(); !maps.Equal(c.Spent, spent) {
		return fmt.Errorf("%s counts as spent %v, its ledger %v", c.ID, c.Spent, spent)
	}
	redeemed, held := c.countLedger("")
	if c.Redeemed != redeemed || c.Held != held {
		return fmt.Errorf("%s counts %d redeemed and %d held, its ledger %d and %d", c.ID, c.Redeemed, c.Held, redeemed, held)
	}
	for _, p := range c.codes {
		redeemed, held := c.countLedger(p.Name.ID)
		if p.Redeemed != redeemed || p.Held != held {
			return fmt.Errorf("%s counts %d redeemed and %d held, the ledger %d and %d", p.Name, p.Redeemed, p.Held, redeemed, held)
		}
	}
	return nil
}

// countLedger counts the entries of one promotion code, or all of them.
func (c *couponRecord) countLedger(code PromotionCodeID) (redeemed, held int64) {
	for _, r := range c.ledger {
		switch {
		case code != "" && r.PromotionCode != code:
		case r.State == RedemptionRedeemed:
			redeemed++
		case r.State == RedemptionReserved:
			held++
		}
	}
	return redeemed, held
}

func (s State) checkHolders() error {
	var active []*PromotionCodeSnapshot
	for _, c := range s.coupons {
		for _, p := range c.codes {
			if p.State != PromotionActive {
				continue
			}
			for _, q := range active {
				if p.conflictsWith(&q.PromotionCode) {
					return fmt.Errorf("%s and %s both hold the same code", q.Name, p.Name)
				}
			}
			if n, ok := s.lastHolder(claim{p.Code.Form(), p.Scope()}); !ok || n != p.Name {
				return fmt.Errorf("%s is active and not found by its code", p.Name)
			}
			active = append(active, p)
		}
	}
	return nil
}

// CheckSuccessor returns what must never happen from one state to the next, or
// what must never be in the latter: nothing is lost, the ledger only grows, what
// is terminal stays, a redemption changes its state as docs/states.md draws it, a
// commit never raises what was reserved and nothing more is voided than was
// granted, a change has a new version, and no limit is passed. Only lowering a
// limit can leave more used than it allows.
func (s State) CheckSuccessor(next State) error {
	for _, was := range s.coupons {
		is := next.coupon(was.ID)
		if is == nil {
			return fmt.Errorf("%s is gone", was.ID)
		}
		if err := was.checkSuccessor(is); err != nil {
			return err
		}
	}
	return next.Check()
}

func (c *couponRecord) checkSuccessor(is *couponRecord) error {
	switch {
	case c.Deleted && !is.Deleted:
		return fmt.Errorf("%s is no longer deleted", c.ID)
	case len(is.ledger) < len(c.ledger):
		return fmt.Errorf("the ledger of %s became shorter", c.ID)
	case (c.Deleted != is.Deleted || !reflect.DeepEqual(c.Coupon, is.Coupon)) && is.Version <= c.Version:
		return fmt.Errorf("%s changed and its version did not", c.ID)
	}
	for i, r := range c.ledger {
		if is.ledger[i].Name != r.Name || is.ledger[i].Fingerprint != r.Fingerprint {
			return fmt.Errorf("%s is no longer what it was", r.Name)
		}
		if err := r.checkSuccessor(is.ledger[i]); err != nil {
			return err
		}
		// An expired one that is committed takes what it needs anew.
		if !r.counts() && is.ledger[i].counts() {
			if err := is.checkLimits(is.ledger[i]); err != nil {
				return err
			}
		}
	}
	for _, was := range c.codes {
		p := is.promotionCode(was.Name.ID)
		if p == nil {
			return fmt.Errorf("%s is gone", was.Name)
		}
		terminal := was.State == PromotionSuperseded || was.State == PromotionDeleted
		switch {
		case terminal && p.State != was.State:
			return fmt.Errorf("%s left the state %c for %c", was.Name, was.State, p.State)
		case (p.State != was.State || !reflect.DeepEqual(p.PromotionCode, was.PromotionCode)) && p.Version <= was.Version:
			return fmt.Errorf("%s changed and its version did not", was.Name)
		}
	}
	for _, r := range is.ledger[len(c.ledger):] {
		if err := is.checkLimits(r); err != nil {
			return err
		}
	}
	return nil
}

// becomes has the states that each state of a redemption can be followed by.
var becomes = map[RedemptionState]string{RedemptionReserved: "RLE", RedemptionExpired: "R", RedemptionRedeemed: "V"}

func (r *Redemption) checkSuccessor(is *Redemption) error {
	total := func(r *Redemption) int64 {
		if r.Discount == nil {
			return 0
		}
		return r.Discount.TotalAmountMinor
	}
	switch {
	case is.State != r.State && !strings.ContainsRune(becomes[r.State], rune(is.State)):
		return fmt.Errorf("%s went from %s to %s", r.Name, r.State, is.State)
	case total(is) > total(r):
		return fmt.Errorf("%s was granted %d and then %d", r.Name, total(r), total(is))
	case is.VoidedAmountMinor < r.VoidedAmountMinor || is.VoidedAmountMinor > total(is):
		return fmt.Errorf("of %s, %d of %d are voided after %d", r.Name, is.VoidedAmountMinor, total(is), r.VoidedAmountMinor)
	}
	return nil
}

// checkLimits holds every limit that a new redemption was subject to against what
// is used now.
func (c *couponRecord) checkLimits(r *Redemption) error {
	p := c.promotionCode(r.PromotionCode)
	over := func(limit *int64, used int64) bool { return limit != nil && used > *limit }
	if over(c.MaxRedemptions, c.Redeemed+c.Held) {
		return fmt.Errorf("%s passed its limit of %d", c.ID, *c.MaxRedemptions)
	}
	if p != nil && over(p.MaxRedemptions, p.Redeemed+p.Held) {
		return fmt.Errorf("%s passed its limit of %d", p.Name, *p.MaxRedemptions)
	}
	for _, used := range c.uses(&Customer{ID: r.CustomerID, EmailHash: r.EmailHash}, p) {
		if over(c.MaxRedemptionsPerCustomer, used.OfCoupon) || p != nil && over(p.MaxRedemptionsPerCustomer, used.OfPromotionCode) {
			return fmt.Errorf("%s passed the limit of its customer", r.Name)
		}
	}
	uses := c.countPeriods()
	for _, period := range r.Periods {
		if uses[period.Key] > period.Limit {
			return fmt.Errorf("%s passed a limit of %d in its period", r.Name, period.Limit)
		}
	}
	if r.Discount == nil {
		return nil
	}
	b := c.BudgetIn(r.Discount.Currency)
	if b != nil && b.Counted(r.Spent()) > 0 && b.Counted(c.Spent[r.Discount.Currency]) > b.Limit.AmountMinor {
		return fmt.Errorf("%s passed the budget of %d", r.Name, b.Limit.AmountMinor)
	}
	return nil
}
