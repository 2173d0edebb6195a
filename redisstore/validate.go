// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/discountd/discountd/domain"
)

// Validate answers whether a redemption would succeed at this moment, or, where
// the request allows for that, did a moment ago. It writes nothing.
func (s *Store) Validate(ctx context.Context, r *domain.ValidateRequest) (*domain.Evaluation, error) {
	if e, err := s.validateRecalled(ctx, r); err != nil || e != nil {
		return e, err
	}
	return s.validateFound(ctx, r)
}

// validateFound evaluates rules and counters that are read.
func (s *Store) validateFound(ctx context.Context, r *domain.ValidateRequest) (*domain.Evaluation, error) {
	found, err := s.find(ctx, r, "")
	if err != nil {
		return nil, err
	}
	if found.state == nil {
		return &domain.Evaluation{AsOf: s.now(), Ineligibilities: found.refusal}, nil
	}
	if r.SubscriptionID != "" {
		sub, err := s.readSubscription(ctx, r.SubscriptionID)
		if err != nil {
			return nil, err
		}
		found.state.SubscriptionHolder = sub.holder
	}
	return evaluate(&found.state.Snapshot, r, s.now()), nil
}

// Those who validate with one coupon at the same time share a read of its counters:
// each joins one that has not been sent yet, so what it answers was true while it
// was asked.
var countsBatch = &batchKind{
	script: countsRead,
	keys: func(s *Store, c domain.CouponID) []string {
		return []string{s.keys.head(c), s.keys.customers(c), s.keys.promotionBuckets(c)}
	},
	lead:  func(*Store) []any { return nil },
	reads: true,
}

// counts are the counters that an evaluation for everyone needs, with the versions
// they were read at.
type counts struct {
	coupon domain.CouponSnapshot        // without rules
	code   domain.PromotionCodeSnapshot // likewise
	due    time.Time
	// at is just before they were read.
	at time.Time
}

// validateRecalled evaluates rules that are remembered, on counters that are read,
// or that were read recently enough. It returns nil and no error when everything
// is to be read.
func (s *Store) validateRecalled(ctx context.Context, r *domain.ValidateRequest) (*domain.Evaluation, error) {
	known, ok := s.rules.recallFor(r)
	if !ok {
		return nil, nil
	}
	rules, now, who := known.rules(), s.now(), r.Customer.Identities()
	periods := rules.PeriodCounters(who, now)
	fields := countFields(rules, who, periods)
	if last := s.lastCounts(ctx, &known, r.MaxStaleness, now); last != nil && len(fields) == 0 {
		snapshot := known.snapshot()
		last.fill(snapshot)
		return evaluate(snapshot, r, last.at), nil
	}
	c, uses, err := s.count(ctx, &known, fields)
	if err != nil || !known.fit(c) || !c.due.IsZero() && !c.due.After(s.now()) {
		return nil, err
	}
	snapshot := known.snapshot()
	c.fill(snapshot)
	if len(fields) == 0 {
		known.counts().Store(c)
	}
	snapshot.CustomerUses, snapshot.PeriodUses = usesOf(snapshot, who, periods, uses)
	return evaluate(snapshot, r, s.now()), nil
}

// evaluate has a frame of its own for what an evaluation is copied through.
//
//go:noinline
func evaluate(s *domain.Snapshot, r *domain.ValidateRequest, now time.Time) *domain.Evaluation {
	e := domain.Evaluate(s, r, now)
	return &e
}

// lastCounts returns the counters that were read last, if they are recent enough, of
// the same versions as the rules, and the store is one to be served from.
func (s *Store) lastCounts(ctx context.Context, known *recalled, staleness time.Duration, now time.Time) *counts {
	last := known.counts().Load()
	if last == nil || staleness <= 0 || last.at.Add(staleness).Before(now) || !known.fit(last) || s.fence.check(ctx) != nil {
		return nil
	}
	return last
}

// countFields names the counts that an evaluation needs, as far as there are limits
// to hold them against.
func countFields(st *domain.Snapshot, who []domain.Identity, periods []domain.PeriodCounter) []string {
	var out []string
	for _, id := range who {
		if st.Coupon.MaxRedemptionsPerCustomer != nil {
			out = append(out, string(id))
		}
		if p := st.PromotionCode; p != nil && p.MaxRedemptionsPerCustomer != nil {
			out = append(out, string(p.Name.ID)+"/"+string(id))
		}
	}
	for _, c := range periods {
		out = append(out, c.Key)
	}
	return out
}

// usesOf gives counts their places, in the order in which countFields names them.
func usesOf(st *domain.Snapshot, who []domain.Identity, periods []domain.PeriodCounter, uses []int64) ([]domain.CustomerUses, map[string]int64) {
	next := func() int64 {
		n := uses[0]
		uses = uses[1:]
		return n
	}
	var customers []domain.CustomerUses
	for range who {
		var u domain.CustomerUses
		if st.Coupon.MaxRedemptionsPerCustomer != nil {
			u.OfCoupon = next()
		}
		if p := st.PromotionCode; p != nil && p.MaxRedemptionsPerCustomer != nil {
			u.OfPromotionCode = next()
		}
		customers = append(customers, u)
	}
	var byPeriod map[string]int64
	if len(periods) > 0 {
		byPeriod = make(map[string]int64, len(periods))
	}
	for _, c := range periods {
		byPeriod[c.Key] = next()
	}
	return customers, byPeriod
}

// count reads counters, with others or alone.
func (s *Store) count(ctx context.Context, known *recalled, fields []string) (*counts, []int64, error) {
	code := ""
	if known.code != nil {
		code = string(known.code.Name.ID)
	}
	text := strings.Join(fields, " ")
	c := &counts{at: s.now()}
	d := s.submit(ctx, countsBatch, known.coupon.Coupon.ID, &ticket{args: []string{code, text}, same: code + "\n" + text})
	if d.err != nil {
		return nil, nil, d.err
	}
	lines := strings.Split(d.value, "\n")
	flat := strings.Split(lines[0], "\t")
	if len(lines) != 3 || len(flat)%2 != 0 {
		return nil, nil, fmt.Errorf("redisstore: counts of %s have %d lines and %d fields and values", known.coupon.Coupon.ID, len(lines), len(flat))
	}
	var n numbers
	head := headFields(flat)
	n.head(&c.coupon, head)
	if head["d"] != "" {
		c.due = time.UnixMilli(n.parse(head["d"])).UTC()
	}
	if lines[1] != "" {
		if err := readCode(lines[1]).count(known.code.Name, &c.code); err != nil {
			return nil, nil, err
		}
	}
	uses := make([]int64, 0, len(fields))
	for text := range strings.FieldsSeq(lines[2]) {
		uses = append(uses, n.parse(text))
	}
	if n.err != nil || len(uses) != len(fields) {
		return nil, nil, fmt.Errorf("redisstore: counts of %s: %w", known.coupon.Coupon.ID, errors.Join(n.err, fmt.Errorf("%d of %d", len(uses), len(fields))))
	}
	return c, uses, nil
}

// counts returns where the counters that were read last are kept.
func (c *recalled) counts() *latest {
	if c.code != nil {
		return &c.code.counts
	}
	return &c.coupon.counts
}

// fit reports whether counters were read at the versions that are remembered.
func (c *recalled) fit(n *counts) bool {
	return n.coupon.Version == c.coupon.Coupon.Version && (c.code == nil || n.code.Version == c.code.Version)
}

// fill puts the counters into a snapshot of the same versions.
func (n *counts) fill(s *domain.Snapshot) {
	s.Coupon.Redeemed, s.Coupon.Held, s.Coupon.Spent = n.coupon.Redeemed, n.coupon.Held, n.coupon.Spent
	if p := s.PromotionCode; p != nil {
		p.Redeemed, p.Held = n.code.Redeemed, n.code.Held
	}
	s.HoldsDue = n.due
}
