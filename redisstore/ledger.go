// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/discountd/discountd/domain"
)

// A record of the ledger is one line of text, its fields separated by tabs:
//
//	state, amount granted, amount voided,
//	created, promotion code, identities a reservation was charged to,
//	periods it was charged to (limit:count), currency,
//	amount that counts against a budget for some products,
//	coupon version, promotion code's version,
//	request id, fingerprint, customer id, e-mail hash, order id,
//	allocation, rounding scope, shipping, trial days, end of trial,
//	end of reservation,
//	the number of lines, then for each line of the order its id and the amount off
//	it as evaluated,
//	then notes of what was done to it, in their order.
//
// The scripts change the first three and add notes. The currency is empty when
// there was no order, and there is no discount then but the days of a free trial.
// Instants are milliseconds in base 36. A note is a letter and an instant: c
// committed, l released; v voided has the amount, the request id and the reason
// after it, separated by noteSeparator. Two have no instant: x has the context, and
// s, what a subscription keeps, is cycles used, cycles in all, when it ended in
// milliseconds, what renewals have taken off by currency, the duration, the months and the subscription's id. Kinds to come are
// passed over. No field can
// hold a separator: all texts were checked for control characters when the request
// came in.
const recordFields = 23

const noteSeparator = "\x1f"

// recordText returns a new record without its state and the tab after it.
func recordText(r *domain.Redemption) string {
	d := orZero(r.Discount)
	var inline [256]byte
	b := strconv.AppendInt(inline[:0], d.TotalAmountMinor, 10)
	b = appendNumber(b, 0)
	b = appendInstant(b, r.CreateTime)
	b = appendText(b, string(r.PromotionCode))
	who := ""
	if r.State == domain.RedemptionReserved {
		who = joinIdentities(r.Identities())
	}
	b = appendText(b, who)
	b = appendText(b, periodsText(r.Periods))
	b = appendText(b, string(d.Currency))
	b = appendNumber(b, r.ScopedAmountMinor)
	b = appendNumber(b, r.CouponVersion)
	b = appendNumber(b, r.PromotionCodeVersion)
	b = appendText(b, r.RequestID)
	b = appendText(b, r.Fingerprint)
	b = appendText(b, r.CustomerID)
	b = appendText(b, string(r.EmailHash))
	b = appendText(b, r.OrderID)
	b = appendNumber(b, int64(d.Allocation))
	b = appendNumber(b, int64(d.RoundingScope))
	b = appendNumber(b, d.ShippingAmountMinor)
	b = appendNumber(b, int64(d.TrialDays))
	b = appendInstant(b, d.TrialEndsAt)
	b = appendInstant(b, r.ExpireTime)
	b = appendNumber(b, int64(len(d.Lines)))
	for i := range d.Lines {
		b = appendText(b, d.Lines[i].LineID)
		b = appendNumber(b, d.Lines[i].AmountMinor)
	}
	if r.Context != domain.ContextDefault {
		b = appendText(b, noteContext+strconv.Itoa(int(r.Context)))
	}
	if r.Subscription != nil {
		b = appendText(b, subscriptionNote(r.Subscription))
	}
	return string(b)
}

func subscriptionNote(s *domain.SubscriptionDiscount) string {
	return strings.Join([]string{
		noteSubscription + decimal(s.Used), decimal(s.Cycles), millis(s.EndedTime),
		renewedText(s.Renewed), strconv.Itoa(int(s.Duration)), strconv.Itoa(int(s.Months)), s.SubscriptionID,
	}, noteSeparator)
}

// appendText appends one more field; appendNumber and appendInstant do it for numbers
// and instants.
func appendText(b []byte, s string) []byte { return append(append(b, '\t'), s...) }

func appendNumber(b []byte, n int64) []byte { return strconv.AppendInt(append(b, '\t'), n, 10) }

func appendInstant(b []byte, t time.Time) []byte {
	if b = append(b, '\t'); !t.IsZero() {
		b = strconv.AppendInt(b, t.UnixMilli(), 36)
	}
	return b
}

func joinIdentities(who []domain.Identity) string {
	texts := make([]string, len(who))
	for i, id := range who {
		texts[i] = string(id)
	}
	return strings.Join(texts, " ")
}

func periodsText(uses []domain.PeriodUse) string {
	if len(uses) == 0 {
		return ""
	}
	texts := make([]string, len(uses))
	for i, u := range uses {
		texts[i] = strconv.FormatInt(u.Limit, 10) + ":" + u.Key
	}
	return strings.Join(texts, " ")
}

func (n *numbers) periods(text string) []domain.PeriodUse {
	var uses []domain.PeriodUse
	for part := range strings.FieldsSeq(text) {
		limit, key, _ := strings.Cut(part, ":")
		uses = append(uses, domain.PeriodUse{Key: key, Limit: n.parse(limit)})
	}
	return uses
}

func instant(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return strconv.FormatInt(t.UnixMilli(), 36)
}

func (n *numbers) instant(s string) time.Time {
	if s == "" {
		return time.Time{}
	}
	ms, err := strconv.ParseInt(s, 36, 64)
	if err != nil && n.err == nil {
		n.err = errNotAnInstant
	}
	return time.UnixMilli(ms).UTC()
}

var errNotAnInstant = errors.New("not an instant")

// nthInstant parses one of several fields, the first one being 0.
func (n *numbers) nthInstant(fields []string, i int) time.Time {
	t := n.instant(fields[i])
	n.blame(i)
	return t
}

// parseRecord reads a record, with its state, at a position of a ledger.
func parseRecord(coupon domain.CouponID, position int64, text string) (*domain.Redemption, error) {
	f := strings.Split(text, "\t")
	var n numbers
	damaged := func(what error) error { return fmt.Errorf("redisstore: record %d of %s: %w", position, coupon, what) }
	switch {
	case len(f) < recordFields:
		return nil, damaged(fmt.Errorf("it has %d fields and not %d or more", len(f), recordFields))
	case len(f[0]) != 1:
		return nil, damaged(fmt.Errorf("field 1 of %d: not a state", len(f)))
	}
	count := n.nth(f, recordFields-1)
	if count < 0 || count > int64(len(f)-recordFields)/2 {
		return nil, damaged(fmt.Errorf("field %d of %d: not the number of lines that follow", recordFields, len(f)))
	}
	periods := n.periods(f[6])
	n.blame(6)
	r := &domain.Redemption{
		Name:                 domain.RedemptionName{Coupon: coupon, ID: domain.NewRedemptionID(position, f[11])},
		State:                domain.RedemptionState(f[0][0]),
		VoidedAmountMinor:    n.nth(f, 2),
		CreateTime:           n.nthInstant(f, 3),
		PromotionCode:        domain.PromotionCodeID(f[4]),
		Periods:              periods,
		ScopedAmountMinor:    n.nth(f, 8),
		CouponVersion:        n.nth(f, 9),
		PromotionCodeVersion: n.nth(f, 10),
		RequestID:            f[11],
		Fingerprint:          f[12],
		CustomerID:           f[13],
		EmailHash:            domain.EmailHash(f[14]),
		OrderID:              f[15],
		ExpireTime:           n.nthInstant(f, 21),
	}
	lines := f[recordFields : recordFields+2*count]
	if f[7] != "" || f[19] != "0" {
		d := domain.AppliedDiscount{
			Currency:   domain.Currency(f[7]),
			Allocation: domain.Allocation(n.nth(f, 16)), RoundingScope: domain.RoundingScope(n.nth(f, 17)),
			ShippingAmountMinor: n.nth(f, 18), TrialDays: int32(n.nth(f, 19)), TrialEndsAt: n.nthInstant(f, 20),
		}
		d.TotalAmountMinor = d.ShippingAmountMinor
		for i := recordFields; i < recordFields+len(lines); i += 2 {
			amount := n.nth(f, i+1)
			d.Lines = append(d.Lines, domain.LineDiscount{LineID: f[i], AmountMinor: amount})
			d.TotalAmountMinor += amount
		}
		if granted := n.nth(f, 1); granted < d.TotalAmountMinor {
			d = d.Grant(granted)
		}
		r.Discount = &d
	}
	for i := recordFields + len(lines); i < len(f); i++ {
		n.note(r, f[i])
		n.blame(i)
	}
	if n.err != nil {
		return nil, damaged(n.of(f))
	}
	return r, nil
}

// note applies a note to what it was noted about. One of a kind that this version
// does not know is passed over.
func (n *numbers) note(r *domain.Redemption, text string) {
	parts := strings.Split(text, noteSeparator)
	kind, at := parts[0][:min(1, len(parts[0]))], parts[0][min(1, len(parts[0])):]
	switch {
	case kind == noteCommitted:
		r.CommitTime = n.instant(at)
	case kind == noteReleased:
		r.ReleaseTime = n.instant(at)
	case kind == noteVoided && len(parts) == 4:
		r.Voids = append(r.Voids, domain.Void{Time: n.instant(at), AmountMinor: n.parse(parts[1]), RequestID: parts[2], Reason: parts[3]})
	case kind == noteContext:
		r.Context = domain.UseContext(n.parse(at))
	case kind == noteSubscription && len(parts) == 7:
		r.Subscription = &domain.SubscriptionDiscount{
			SubscriptionID: parts[6], Duration: domain.Duration(n.parse(parts[4])), Months: int32(n.parse(parts[5])),
			Cycles: n.parse(parts[1]), Used: n.parse(at), Renewed: n.renewed(parts[3]),
		}
		if parts[2] != "" {
			r.Subscription.EndedTime = time.UnixMilli(n.parse(parts[2])).UTC()
		}
	case (kind == noteVoided || kind == noteSubscription) && n.err == nil:
		n.err = fmt.Errorf("a note %s of %d parts", kind, len(parts))
	}
}

// The kinds of notes.
const (
	noteCommitted = "c"
	noteReleased  = "l"
	noteVoided    = "v"

	noteContext      = "x"
	noteSubscription = "s"
)

// Redemption returns a redemption.
func (s *Store) Redemption(ctx context.Context, name domain.RedemptionName) (*domain.Redemption, error) {
	notFound := &domain.NotFoundError{Type: domain.RedemptionResource, Name: name.String()}
	position, ok := name.ID.Position()
	if !ok {
		return nil, notFound
	}
	records, err := s.records(ctx, name.Coupon, position, position)
	if err != nil {
		return nil, err
	}
	if len(records) == 0 || records[0].Name != name {
		return nil, notFound
	}
	return s.effective(records[0]), nil
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

// Redemptions lists the redemptions of a coupon in the order of its ledger, or of
// any coupon, the newest coupon first.
func (s *Store) Redemptions(ctx context.Context, q domain.RedemptionQuery) (domain.Listing[domain.Redemption], error) {
	if q.Coupon == "" {
		return s.redemptionsOfAny(ctx, q)
	}
	l, err := s.redemptionsOf(ctx, q)
	return l.Listing, err
}

// ledgerListing is a page of one coupon's redemptions, and when the coupon was
// created.
type ledgerListing struct {
	domain.Listing[domain.Redemption]

	couponCreated time.Time
}

// redemptionsOf reads at most one page of a coupon's ledger, or as many records as
// asked for if that is more, so that a filter that matches little does not hold
// Redis up.
func (s *Store) redemptionsOf(ctx context.Context, q domain.RedemptionQuery) (ledgerListing, error) {
	var out ledgerListing
	st, err := s.read(ctx, subject{coupon: q.Coupon})
	if err != nil {
		return out, err
	}
	out.couponCreated = st.Coupon.CreateTime
	from, err := positionAfter(q.Token)
	if err != nil {
		return out, err
	}
	read, now := int64(0), s.now()
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
			if is := r.Effective(now); q.Matches(&is) {
				out.Items = append(out.Items, is)
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
