// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/discountd/discountd/domain"
)

// subject names what a snapshot is to be read of.
type subject struct {
	coupon domain.CouponID
	code   domain.PromotionCodeID // empty when the coupon is applied directly
	who    []domain.Identity
	// request, if set, is looked up among the redemptions of the coupon.
	request string
	// command, if set, is the command of CouponService that the snapshot is for.
	command commandRequest
}

func (o subject) name() domain.PromotionCodeName {
	return domain.PromotionCodeName{Coupon: o.coupon, ID: o.code}
}

// notFound says that what was asked for by name does not exist.
func (o subject) notFound() error {
	if o.code != "" {
		return &domain.NotFoundError{Type: domain.PromotionCodeResource, Name: o.name().String()}
	}
	return &domain.NotFoundError{Type: domain.CouponResource, Name: o.coupon.String()}
}

// state is what snapshot.lua read: a domain snapshot and what the store itself
// needs beside it.
type state struct {
	domain.Snapshot

	// token of the promotion code's record, and the number of transactions if it is a
	// gift card.
	token string
	moves int64
	// created counts the promotion codes of the coupon, length the records of its
	// ledger.
	created, length int64
	// couponBytes and codeBytes are the sizes of the configurations as stored.
	couponBytes, codeBytes int
	// claiming is whether the promotion code holds the claim to its code and has
	// yet to become ACTIVE; PromotionCode says already that it is.
	claiming bool
	// prior is the redemption that the request has made already. settled is whether
	// its id was used to commit, release or void one instead.
	prior   *domain.Redemption
	settled bool
	// done is what the command has done already, or nil.
	done *doneCommand
	// reused is ErrRequestIDReused when another command had the command's id.
	reused error
}

// read returns the state of a subject at one moment, or a NotFoundError for the
// coupon or the promotion code. Reservations whose time is over do not count in
// it: it ends those that it meets. Where the server takes no writes they count
// until it does, and reading goes on.
func (s *Store) read(ctx context.Context, o subject) (*state, error) {
	for range maxExpiries {
		st, err := s.readCounts(ctx, o, nil)
		if err != nil {
			return nil, err
		}
		now := s.now()
		if !st.HoldsDue.IsZero() && !st.HoldsDue.After(now) {
			err := s.expireHolds(ctx, o.coupon, now)
			if err == nil {
				continue
			}
			if u, ok := errors.AsType[*domain.UnavailableError](err); !ok || u.OutcomeUnknown {
				return nil, err
			}
		}
		// Which periods count is told by what was just read: read it again with
		// them.
		counters := st.PeriodCounters(o.who, now)
		if len(counters) == 0 {
			return st, nil
		}
		return s.readCounts(ctx, o, counters)
	}
	return nil, errNeverEnds(o.coupon)
}

// expireHolds ends reservations whose time is over, a bounded number of them.
func (s *Store) expireHolds(ctx context.Context, c domain.CouponID, now time.Time) error {
	_, err := s.tidy(ctx, expire,
		[]string{s.keys.head(c), s.keys.customers(c), s.keys.holds(c), s.keys.ledger(c), s.keys.promotionBuckets(c)},
		ledgerPageSize, millis(now))
	return err
}

func (s *Store) readCounts(ctx context.Context, o subject, counters []domain.PeriodCounter) (*state, error) {
	field, bucket := "", ""
	if o.code != "" {
		field, bucket = o.code.Suffix(), o.code.Bucket()
	}
	var who [2]domain.Identity
	copy(who[:], o.who)
	args := []any{field, string(o.code), string(who[0]), string(who[1]), requestKey(o.request), ledgerPageSize, requestKey(o.command.id)}
	for _, c := range counters {
		args = append(args, c.Key)
	}
	r, err := s.ask(ctx, snapshotRead, []string{
		s.keys.head(o.coupon), s.keys.definition(o.coupon),
		s.keys.promotions(o.coupon, bucket), s.keys.customers(o.coupon), s.keys.requests(o.coupon), s.keys.ledger(o.coupon), s.keys.commands(o.coupon),
	}, args...)
	if err != nil {
		return nil, err
	}
	if r.outcome == outcomeAbsent {
		return nil, o.notFound()
	}
	return parseState(o, counters, r.values)
}

// parseState reads the values that snapshot.lua returns, in its order.
func parseState(o subject, counters []domain.PeriodCounter, v []string) (*state, error) {
	const fixed = 5
	counts := len(counters)
	if len(o.who) > 0 {
		counts += 4
	}
	if len(v) < fixed+counts {
		return nil, fmt.Errorf("redisstore: snapshot has %d values", len(v))
	}
	head := headFields(v[fixed+counts:])
	c, err := parseCoupon(o.coupon, head, v[0])
	if err != nil {
		return nil, err
	}
	if c == nil {
		return nil, fmt.Errorf("redisstore: the head of %s has no version", o.coupon)
	}
	var n numbers
	st := &state{
		Snapshot: domain.Snapshot{Coupon: *c},
		created:  n.parse(head["b"]), length: n.parse(head["q"]),
		couponBytes: len(v[0]), codeBytes: len(v[1]),
	}
	if due := head["d"]; due != "" {
		st.HoldsDue = time.UnixMilli(n.parse(due)).UTC()
	}
	if o.code != "" {
		stored := readCode(v[1])
		if stored.definition == "" {
			return nil, o.notFound()
		}
		if err := st.readCode(o.name(), stored); err != nil {
			return nil, err
		}
	}
	uses := v[fixed : fixed+counts]
	for i := range o.who {
		st.CustomerUses = append(st.CustomerUses, domain.CustomerUses{OfCoupon: n.parse(uses[2*i]), OfPromotionCode: n.parse(uses[2*i+1])})
	}
	if len(counters) > 0 {
		st.PeriodUses = map[string]int64{}
		for i, c := range counters {
			st.PeriodUses[c.Key] = n.parse(uses[counts-len(counters)+i])
		}
	}
	if st.settled = strings.Contains(v[2], " "); v[2] != "" && !st.settled {
		if st.prior, err = parseRecord(o.coupon, n.parse(v[2]), v[3]); err != nil {
			return nil, err
		}
	}
	if v[4] != "" {
		st.done, st.reused = o.command.done(v[4])
	}
	if n.err != nil {
		return nil, fmt.Errorf("redisstore: snapshot of %s: %w", o.coupon, n.err)
	}
	return st, nil
}

// readCode puts what is stored of a promotion code into the state.
func (st *state) readCode(name domain.PromotionCodeName, stored storedCode) (err error) {
	if st.PromotionCode, err = stored.snapshot(name); err != nil {
		return err
	}
	st.token = stored.token()
	st.moves, _, err = stored.moves()
	return err
}

// headFields reads fields and values in turns.
func headFields(flat []string) map[string]string {
	head := make(map[string]string, len(flat)/2)
	for pair := range slices.Chunk(flat, 2) {
		head[pair[0]] = pair[1]
	}
	return head
}

// parseCoupon reads a coupon's head and configuration; nil when there is none.
func parseCoupon(id domain.CouponID, head map[string]string, definition string) (*domain.CouponSnapshot, error) {
	if head["v"] == "" {
		return nil, nil
	}
	var n numbers
	c := &domain.CouponSnapshot{}
	n.head(c, head)
	if err := json.Unmarshal([]byte(definition), &c.Coupon); err != nil || n.err != nil {
		return nil, fmt.Errorf("redisstore: %s: %w", id, errors.Join(err, n.err))
	}
	return c, nil
}

// head reads what a head says beside the configuration.
func (n *numbers) head(c *domain.CouponSnapshot, head map[string]string) {
	c.Version, c.Deleted = n.parse(head["v"]), head["s"] == "D"
	c.Redeemed, c.Held = n.parse(head["r"]), n.parse(head["h"])
	for field, text := range head {
		kind, currency, _ := strings.Cut(field, ":")
		if currency == "" || kind != "b" && kind != "B" || text == "0" {
			continue
		}
		if c.Spent == nil {
			c.Spent = map[domain.Currency]domain.Spending{}
		}
		s := c.Spent[domain.Currency(currency)]
		if kind == "b" {
			s.TotalMinor = n.parse(text)
		} else {
			s.ScopedMinor = n.parse(text)
		}
		c.Spent[domain.Currency(currency)] = s
	}
}

// numbers parses integers and keeps the first error, which quotes nothing: what is
// read in the place of a number may be what must not be in a log.
type numbers struct {
	err error
	// field is which one the error is about, the first one being 1, if it was said.
	field int
}

var errNotANumber = errors.New("not a whole number of 64 bits")

func (n *numbers) parse(s string) int64 {
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil && n.err == nil {
		n.err = errNotANumber
	}
	return v
}

// nth parses one of several fields, the first one being 0.
func (n *numbers) nth(fields []string, i int) int64 {
	v := n.parse(fields[i])
	n.blame(i)
	return v
}

// blame says that an error so far that nothing else was blamed for is about a field,
// the first one being 0.
func (n *numbers) blame(i int) {
	if n.err != nil && n.field == 0 {
		n.field = i + 1
	}
}

// of says what is wrong with which of the fields.
func (n *numbers) of(fields []string) error {
	return fmt.Errorf("field %d of %d: %w", n.field, len(fields), n.err)
}

// definitionText is the stored form of a configuration: JSON, with a token of the
// write beside the fields, by which a script knows this very write from another
// one of the same.
func definitionText(v any, token string) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic("redisstore: a configuration has no stored form: " + err.Error())
	}
	return `{"w":"` + token + `",` + string(b[1:])
}
