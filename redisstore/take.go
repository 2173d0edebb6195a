// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/discountd/discountd/domain"
)

// newRedemption is what a request that was found eligible is to become.
func newRedemption(r *use, s *domain.Snapshot, e *domain.Evaluation) *domain.Redemption {
	out := &domain.Redemption{
		Name:          domain.RedemptionName{Coupon: s.Coupon.ID},
		PromotionCode: e.PromotionCode,
		State:         domain.RedemptionRedeemed,
		RequestID:     r.RequestID,
		Fingerprint:   r.fingerprint,
		CustomerID:    r.Customer.ID,
		EmailHash:     r.Customer.EmailHash,
		Discount:      e.Discount,
		CreateTime:    e.AsOf,
		CouponVersion: s.Coupon.Version,
	}
	if r.ttl > 0 {
		out.State, out.ExpireTime = domain.RedemptionReserved, e.AsOf.Add(r.ttl).Truncate(time.Millisecond)
	}
	if s.LimitsPeriods() {
		out.Periods = domain.PeriodUses(s.PeriodCounters(r.Customer.Identities(), e.AsOf))
	}
	if e.Due != nil {
		out.Discount = e.Due // of which the script grants what the balance covers by then
	}
	if r.Order != nil {
		out.OrderID = r.Order.ID
		out.ScopedAmountMinor = s.Coupon.ScopedAmount(r.Order, e.Discount)
	}
	out.Start(&s.Coupon.Coupon, &r.ValidateRequest)
	if s.PromotionCode != nil {
		out.PromotionCodeVersion = s.PromotionCode.Version
	}
	return out
}

// useArgs are the arguments of redeem.lua for one use; text is its record, claim the
// token of the claim to its subscription, if it is for one.
func useArgs(r *domain.Redemption, claim, text string) []string {
	var who [2]domain.Identity
	copy(who[:], r.Identities())
	var amount int64
	if r.Discount != nil {
		amount = r.Discount.TotalAmountMinor
	}
	return []string{
		requestKey(r.RequestID), decimal(r.CouponVersion), string(r.PromotionCode), decimal(r.PromotionCodeVersion),
		string(who[0]), string(who[1]), millis(r.ExpireTime), periodsText(r.Periods),
		string(currencyOf(r)), decimal(amount), decimal(r.ScopedAmountMinor), claim, text,
	}
}

// take runs the script for one use, with the claim to its subscription if any. It
// returns nil and no error when the versions evaluated are no longer the current ones.
func (s *Store) take(ctx context.Context, r *domain.Redemption, evaluated *domain.Snapshot, claim string) (*domain.Redemption, error) {
	text := recordText(r)
	outcome, value, err := s.decide(ctx, redeemBatch, r.Name.Coupon, useArgs(r, claim, text)...)
	if err != nil {
		return nil, err
	}
	return s.taken(r, evaluated, text, outcome, value)
}

// taken returns what the script has decided about one use with a record of that text.
func (s *Store) taken(r *domain.Redemption, evaluated *domain.Snapshot, text, outcome, value string) (*domain.Redemption, error) {
	coupon := r.Name.Coupon
	var n numbers
	switch outcome {
	case "redeemed":
		made, err := recorded(r, text, value)
		if err == nil && made.State == domain.RedemptionReserved {
			s.rules.rememberMade(made) // it is going to be committed or released
		}
		return made, err
	case outcomeReplay:
		position, record, _ := strings.Cut(value, "\t")
		prior, err := parseRecord(coupon, n.parse(position), record)
		if err != nil || n.err != nil {
			return nil, fmt.Errorf("redisstore: replay from %s: %w", coupon, errors.Join(err, n.err))
		}
		return sameRequest(prior, r.RequestID, r.Fingerprint)
	case outcomeReused:
		return nil, domain.ErrRequestIDReused
	case "limit":
		against := limitsReached(value, evaluated, currencyOf(r), func() domain.Ineligibility {
			return evaluated.PeriodLimitLast(r.Identities(), s.now())
		}, s.now())
		if b := evaluated.Coupon.BudgetIn(currencyOf(r)); b != nil && b.GrantRemaining && against[0].Reason == domain.BudgetInsufficient {
			return nil, nil // less is left than was evaluated: evaluate it again
		}
		return nil, &domain.RefusedError{Ineligibilities: against}
	case outcomeStale:
		return nil, nil
	default:
		return nil, fmt.Errorf("redisstore: redeem decided %q", outcome)
	}
}

// recorded returns a redemption as its record, whose text is given, has it. The value
// is what the script says: the position of the record and, when less was granted than
// was asked for, as a gift card covers, how much.
func recorded(r *domain.Redemption, text, value string) (*domain.Redemption, error) {
	var n numbers
	position, granted, less := strings.Cut(value, " ")
	at := n.parse(position)
	if n.err != nil {
		return nil, n.err
	}
	if less {
		return parseRecord(r.Name.Coupon, at, string(rune(r.State))+"\t"+granted+text[strings.IndexByte(text, '\t'):])
	}
	keepRecorded(r, at)
	return r, nil
}

// keepRecorded makes a new redemption what parseRecord would make of its record: with
// a name, and without what a record has no place for.
func keepRecorded(r *domain.Redemption, position int64) {
	r.Name.ID = domain.NewRedemptionID(position, r.RequestID)
	d := r.Discount
	if d == nil {
		return
	}
	if d.Currency == "" && d.TrialDays == 0 {
		r.Discount = nil
		return
	}
	if len(d.Lines) == 0 {
		d.Lines = nil
	}
	for i := range d.Lines {
		d.Lines[i].Units = nil
	}
}

// currencyOf returns the currency of a redemption's discount, if it has one.
func currencyOf(r *domain.Redemption) domain.Currency {
	if r.Discount == nil {
		return ""
	}
	return r.Discount.Currency
}

// limitsReached turns what a script says of limits into reasons: letters, when the
// first reservation falls due, and what is left of the budget, each after a space.
// C is the coupon's limit, P the promotion code's, U the coupon's per customer, V
// the promotion code's per customer, T one of a period, R one that reservations
// take up, X a budget that is spent, Y one that does not cover the discount, G a
// gift card that does not cover it, D a coupon that was deleted. A small letter says
// that reservations may give back what is missing.
func limitsReached(value string, s *domain.Snapshot, currency domain.Currency, period func() domain.Ineligibility, now time.Time) []domain.Ineligibility {
	f := append(strings.Split(value, " "), "", "")
	var n numbers
	var out obstacles
	for _, letter := range f[0] {
		held := unicode.IsLower(letter)
		switch unicode.ToUpper(letter) {
		case 'C':
			out.limit(domain.CouponMaxRedemptionsReached, s.Coupon.MaxRedemptions, held)
		case 'P':
			out.limit(domain.CodeMaxRedemptionsReached, s.PromotionCode.MaxRedemptions, held)
		case 'U':
			out.limit(domain.CustomerMaxRedemptionsReached, s.Coupon.MaxRedemptionsPerCustomer, held)
		case 'V':
			out.limit(domain.CustomerMaxRedemptionsReached, s.PromotionCode.MaxRedemptionsPerCustomer, held)
		case 'T':
			i := period()
			i.Held = held && i.At.IsZero()
			out.add(i)
		case 'R':
			var due time.Time
			if f[1] != "" {
				due = time.UnixMilli(n.parse(f[1]))
			}
			out.add(domain.FullyReservedUntil(due, now))
		case 'X':
			out.add(domain.Ineligibility{Reason: domain.BudgetExhausted, Held: held})
		case 'Y':
			out.add(domain.Ineligibility{
				Reason: domain.BudgetInsufficient, Held: held, Remaining: domain.Money{Currency: currency, AmountMinor: n.parse(f[2])},
			})
		case 'G':
			out.add(domain.Ineligibility{Reason: domain.GiftBalanceExhausted, Held: held})
		case 'D':
			out.add(domain.Ineligibility{Reason: domain.CouponDeleted})
		}
	}
	return out
}

// obstacles are different reasons against a redemption.
type obstacles []domain.Ineligibility

// add adds a reason that is not there yet. It is long: inlined, there would be several
// on the caller's stack.
//
//go:noinline
func (o *obstacles) add(i domain.Ineligibility) {
	if !slices.ContainsFunc(*o, func(have domain.Ineligibility) bool { return have.Reason == i.Reason }) {
		*o = append(*o, i)
	}
}

//go:noinline
func (o *obstacles) limit(reason domain.Reason, limit *int64, held bool) {
	i := domain.Ineligibility{Reason: reason, Held: held}
	if limit != nil {
		i.Limit = *limit
	}
	o.add(i)
}
