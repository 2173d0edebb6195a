// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/discountd/discountd/domain"
)

// A record of the ledger is one line of text, its fields separated by tabs:
//
//	state, total, created (ms), coupon version, promotion code, its version,
//	request id, fingerprint, customer id, e-mail hash, order id, currency,
//	allocation, rounding scope, shipping, trial days, end of trial (ms),
//	the number of lines, then for each line of the order: its id and the amount
//	off it.
//
// The script sets the state; the currency is empty when there was no order, and
// there is no discount then but the days of a free trial. Times are in base 36. No
// field can hold a tab: all texts were checked for control characters when the
// request came in. What follows the last line is for readers to come and is passed
// over.
const recordFields = 18

// recordText returns a record without its state and the tab after it.
func recordText(r *domain.Redemption) string {
	d := r.Discount
	if d == nil {
		d = &domain.AppliedDiscount{}
	}
	var b strings.Builder
	b.Grow(192)
	text := func(s string) { b.WriteByte('\t'); b.WriteString(s) }
	number := func(n int64) { text(strconv.FormatInt(n, 10)) }
	b.WriteString(strconv.FormatInt(d.TotalAmountMinor, 10))
	text(instant(r.CreateTime))
	number(r.CouponVersion)
	text(string(r.PromotionCode))
	number(r.PromotionCodeVersion)
	text(r.RequestID)
	text(r.Fingerprint)
	text(r.CustomerID)
	text(string(r.EmailHash))
	text(r.OrderID)
	text(string(d.Currency))
	number(int64(d.Allocation))
	number(int64(d.RoundingScope))
	number(d.ShippingAmountMinor)
	number(int64(d.TrialDays))
	text(instant(d.TrialEndsAt))
	number(int64(len(d.Lines)))
	for i := range d.Lines {
		text(d.Lines[i].LineID)
		number(d.Lines[i].AmountMinor)
	}
	return b.String()
}

func instant(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return strconv.FormatInt(t.UnixMilli(), 36)
}

// parseRecord reads a record, with its state, at a position of a ledger.
func parseRecord(coupon domain.CouponID, position int64, text string) (*domain.Redemption, error) {
	f := strings.Split(text, "\t")
	var n numbers
	if len(f) < recordFields || len(f[0]) != 1 || n.parse(f[recordFields-1]) > int64(len(f)-recordFields)/2 {
		return nil, fmt.Errorf("redisstore: record %d of %s: %q", position, coupon, text)
	}
	at := func(s string) time.Time {
		if s == "" {
			return time.Time{}
		}
		ms, err := strconv.ParseInt(s, 36, 64)
		if err != nil && n.err == nil {
			n.err = err
		}
		return time.UnixMilli(ms).UTC()
	}
	r := &domain.Redemption{
		Name:                 domain.RedemptionName{Coupon: coupon, ID: domain.NewRedemptionID(position, f[6])},
		State:                domain.RedemptionState(f[0][0]),
		CreateTime:           at(f[2]),
		CouponVersion:        n.parse(f[3]),
		PromotionCode:        domain.PromotionCodeID(f[4]),
		PromotionCodeVersion: n.parse(f[5]),
		RequestID:            f[6],
		Fingerprint:          f[7],
		CustomerID:           f[8],
		EmailHash:            domain.EmailHash(f[9]),
		OrderID:              f[10],
	}
	if f[11] != "" || f[15] != "0" {
		d := &domain.AppliedDiscount{
			Currency: domain.Currency(f[11]), TotalAmountMinor: n.parse(f[1]),
			Allocation: domain.Allocation(n.parse(f[12])), RoundingScope: domain.RoundingScope(n.parse(f[13])),
			ShippingAmountMinor: n.parse(f[14]), TrialDays: int32(n.parse(f[15])), TrialEndsAt: at(f[16]),
		}
		for at := range n.parse(f[recordFields-1]) {
			i := recordFields + 2*at
			d.Lines = append(d.Lines, domain.LineDiscount{LineID: f[i], AmountMinor: n.parse(f[i+1])})
		}
		r.Discount = d
	}
	if n.err != nil {
		return nil, fmt.Errorf("redisstore: record %d of %s: %w", position, coupon, n.err)
	}
	return r, nil
}

// Redemption returns a redemption.
func (s *Store) Redemption(ctx context.Context, name domain.RedemptionName) (domain.Redemption, error) {
	notFound := &domain.NotFoundError{Type: domain.RedemptionResource, Name: name.String()}
	position, ok := name.ID.Position()
	if !ok {
		return domain.Redemption{}, notFound
	}
	records, err := s.records(ctx, name.Coupon, position, position)
	if err != nil {
		return domain.Redemption{}, err
	}
	if len(records) == 0 || records[0].Name != name {
		return domain.Redemption{}, notFound
	}
	return *records[0], nil
}

// records returns the records from one position of a ledger to another, both
// included, as far as they exist and are on the page of the first.
func (s *Store) records(ctx context.Context, coupon domain.CouponID, from, to int64) ([]*domain.Redemption, error) {
	page, start := (from-1)/ledgerPageSize, (from-1)%ledgerPageSize
	stop := min(start+to-from, ledgerPageSize-1)
	var texts []string
	err := s.again(ctx, func() error {
		var err error
		texts, err = s.client.LRange(ctx, s.keys.ledgerPage(coupon, page), start, stop).Result()
		return err
	})
	if err != nil {
		return nil, readError(ctx, err)
	}
	records := make([]*domain.Redemption, 0, len(texts))
	for i, text := range texts {
		r, err := parseRecord(coupon, from+int64(i), text)
		if err != nil {
			return nil, err
		}
		records = append(records, r)
	}
	return records, nil
}

// Redemptions lists the redemptions of a coupon in the order of its ledger. A
// call reads at most one page of the ledger, or as many records as asked for if
// that is more, so that a filter that matches little does not hold Redis up.
func (s *Store) Redemptions(ctx context.Context, q domain.RedemptionQuery) (domain.Listing[domain.Redemption], error) {
	var out domain.Listing[domain.Redemption]
	st, err := s.read(ctx, subject{coupon: q.Coupon})
	if err != nil {
		return out, err
	}
	from, err := positionAfter(q.Token)
	if err != nil {
		return out, err
	}
	read := int64(0)
	for from <= st.length && len(out.Items) < q.Size && (read == 0 || read < max(int64(q.Size), ledgerPageSize)) {
		records, err := s.records(ctx, q.Coupon, from, st.length)
		if err != nil {
			return out, err
		}
		if len(records) == 0 {
			return out, fmt.Errorf("redisstore: the ledger of %s ends before %d of %d", q.Coupon, from, st.length)
		}
		for _, r := range records {
			from++
			read++
			if matches(q, r) {
				out.Items = append(out.Items, *r)
				if len(out.Items) == q.Size {
					break
				}
			}
		}
	}
	if from <= st.length {
		out.Next = strconv.FormatInt(from-1, 10)
	}
	return out, nil
}

func matches(q domain.RedemptionQuery, r *domain.Redemption) bool {
	return (q.PromotionCode == "" || q.PromotionCode == r.PromotionCode) &&
		(q.CustomerID == "" || q.CustomerID == r.CustomerID) &&
		(q.OrderID == "" || q.OrderID == r.OrderID)
}

// positionAfter reads the token of a ledger's page: the last position read.
func positionAfter(token string) (int64, error) {
	if token == "" {
		return 1, nil
	}
	n, err := strconv.ParseInt(token, 10, 64)
	if err != nil || n < 1 {
		return 0, errPageToken()
	}
	return n + 1, nil
}

func errPageToken() error {
	var v domain.Violations
	v.Add("page_token", "is not one that this list returned")
	return v.Err()
}
