// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/discountd/discountd/domain"
)

// ApplyRenewal returns the discount on one invoice of a redemption's subscription,
// and uses a cycle if it takes anything off. An invoice is answered once: asked
// again, by whatever request, it gets the same answer. It fails with
// ErrInvoiceIDReused when the invoice's id is that of another one, with a
// RefusedError when the budget does not allow the discount, and with a
// NoSubscriptionError or a RedemptionStateError when there is no discount.
//
// The answer about an invoice never changes, and so what is due after it never does:
// whatever else depends on that can be finished by a retry.
func (s *Store) ApplyRenewal(ctx context.Context, cmd domain.ApplyRenewal) (domain.Renewal, error) {
	for range attempts {
		r, err := s.Redemption(ctx, cmd.Name)
		if err != nil {
			return domain.Renewal{}, err
		}
		if r.Subscription == nil {
			return domain.Renewal{}, &domain.NoSubscriptionError{Name: cmd.Name}
		}
		st, err := s.read(ctx, subject{coupon: cmd.Name.Coupon})
		if err != nil {
			return domain.Renewal{}, err
		}
		renewal, against := domain.EvaluateRenewal(&st.Coupon, r, &cmd, s.now())
		done, err := s.renewOnce(ctx, &renewal, against, &st.Snapshot)
		if err != nil || done != nil {
			return *orZero(done), err
		}
	}
	return domain.Renewal{}, domain.ErrAborted
}

func orZero[T any](v *T) *T {
	if v == nil {
		v = new(T)
	}
	return v
}

// renewOnce runs the script for one invoice. It returns nil and no error when less of
// the budget is left than was evaluated, and what is left is to be granted, or the
// budget has changed.
func (s *Store) renewOnce(ctx context.Context, r *domain.Renewal, against []domain.Ineligibility, evaluated *domain.Snapshot) (*domain.Renewal, error) {
	outcome := string(rune(r.Outcome))
	if len(against) > 0 {
		outcome = "X"
	}
	var d domain.AppliedDiscount
	if r.Discount != nil {
		d = *r.Discount
	}
	position, _ := r.Redemption.ID.Position()
	decided, value, err := s.decide(ctx, renewBatch, r.Redemption.Coupon,
		requestKey(r.RequestID), r.Fingerprint, decimal(position), invoiceKey(r.InvoiceID), outcome,
		string(d.Currency), decimal(d.TotalAmountMinor), decimal(r.ScopedAmountMinor), renewalText(r))
	if err != nil {
		return nil, err
	}
	switch decided {
	case "renewed", outcomeReplay:
		return parseRenewal(r.Redemption, value)
	case outcomeReused:
		return nil, domain.ErrRequestIDReused
	case "conflict":
		return nil, domain.ErrInvoiceIDReused
	case "refused":
		return nil, &domain.RefusedError{Ineligibilities: against}
	case "state":
		now, err := parseRecord(r.Redemption.Coupon, position, value)
		if err != nil {
			return nil, err
		}
		return nil, &domain.RedemptionStateError{Name: r.Redemption, State: now.Effective(s.now()).State}
	case "limit":
		if !hasVersion(value, evaluated.Coupon.Version) {
			return nil, nil // the budget was changed since it was read
		}
		short := limitsReached(value, evaluated, d.Currency, nil, s.now())
		if b := evaluated.Coupon.BudgetIn(d.Currency); b != nil && b.GrantRemaining && short[0].Reason == domain.BudgetInsufficient {
			return nil, nil
		}
		return nil, &domain.RefusedError{Ineligibilities: short}
	default:
		return nil, fmt.Errorf("redisstore: renew decided %q", decided)
	}
}

// invoiceKey stands for the id of an invoice in a field of the answers.
func invoiceKey(id string) string {
	sum := sha256.Sum256([]byte(id))
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}

// An answer about an invoice is one line of text, its fields separated by tabs:
//
//	outcome, number of the cycle,
//	fingerprint of the invoice, request id, invoice id, when it was issued,
//	when it was answered, currency,
//	amount that counts against a budget for some products,
//	allocation, rounding scope, shipping,
//	then for each line of the invoice its id and the amount off it.
//
// The script sets the first two. What follows the time of the answer counts only
// when the outcome is that something was taken off. Instants are milliseconds in
// base 36.
const renewalFields = 12

// renewalText returns a new answer without its outcome, its cycle and the tab after
// them.
func renewalText(r *domain.Renewal) string {
	d := orZero(r.Discount)
	fields := []string{
		r.Fingerprint, r.RequestID, r.InvoiceID, instant(r.IssuedAt), instant(r.CreateTime), string(d.Currency),
		strconv.FormatInt(r.ScopedAmountMinor, 10),
		strconv.Itoa(int(d.Allocation)), strconv.Itoa(int(d.RoundingScope)), strconv.FormatInt(d.ShippingAmountMinor, 10),
	}
	for i := range d.Lines {
		fields = append(fields, d.Lines[i].LineID, strconv.FormatInt(d.Lines[i].AmountMinor, 10))
	}
	return strings.Join(fields, "\t")
}

// parseRenewal reads an answer.
func parseRenewal(name domain.RedemptionName, text string) (*domain.Renewal, error) {
	f := strings.Split(text, "\t")
	switch {
	case len(f) < renewalFields || len(f)%2 != 0:
		return nil, fmt.Errorf("redisstore: an answer about an invoice of %s: it has %d fields and not %d and two for each line", name, len(f), renewalFields)
	case len(f[0]) != 1:
		return nil, fmt.Errorf("redisstore: an answer about an invoice of %s: field 1 of %d: not an outcome", name, len(f))
	}
	var n numbers
	r := &domain.Renewal{
		Redemption: name, Outcome: domain.RenewalOutcome(f[0][0]), Cycle: n.nth(f, 1),
		Fingerprint: f[2], RequestID: f[3], InvoiceID: f[4], IssuedAt: n.nthInstant(f, 5), CreateTime: n.nthInstant(f, 6),
	}
	if r.Outcome == domain.RenewalApplied {
		r.ScopedAmountMinor = n.nth(f, 8)
		d := &domain.AppliedDiscount{
			Currency: domain.Currency(f[7]), Allocation: domain.Allocation(n.nth(f, 9)),
			RoundingScope: domain.RoundingScope(n.nth(f, 10)), ShippingAmountMinor: n.nth(f, 11),
		}
		d.TotalAmountMinor = d.ShippingAmountMinor
		for i := renewalFields; i < len(f); i += 2 {
			amount := n.nth(f, i+1)
			d.Lines = append(d.Lines, domain.LineDiscount{LineID: f[i], AmountMinor: amount})
			d.TotalAmountMinor += amount
		}
		r.Discount = d
	}
	if n.err != nil {
		return nil, fmt.Errorf("redisstore: an answer about an invoice of %s: %w", name, n.of(f))
	}
	return r, nil
}

// renewedText is what renewals have taken off as a record has it: "EUR 250 0,USD 5 5",
// the total and the part of it for the products of a budget.
func renewedText(renewed map[domain.Currency]domain.Spending) string {
	var each []string
	for currency, sum := range renewed {
		each = append(each, fmt.Sprintf("%s %d %d", currency, sum.TotalMinor, sum.ScopedMinor))
	}
	slices.Sort(each)
	return strings.Join(each, ",")
}

// renewed reads what renewedText or the script has written.
func (n *numbers) renewed(text string) map[domain.Currency]domain.Spending {
	if text == "" {
		return nil
	}
	out := map[domain.Currency]domain.Spending{}
	for each := range strings.SplitSeq(text, ",") {
		f := strings.Split(each, " ")
		if len(f) != 3 {
			n.err = fmt.Errorf("what renewals have taken off: %d words for a currency", len(f))
			return nil
		}
		out[domain.Currency(f[0])] = domain.Spending{TotalMinor: n.parse(f[1]), ScopedMinor: n.parse(f[2])}
	}
	return out
}
