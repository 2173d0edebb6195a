// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

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

	// token of the promotion code's record.
	token string
	// created counts the promotion codes of the coupon, length the records of its
	// ledger.
	created, length int64
	// prior is the redemption that the request has made already.
	prior *domain.Redemption
	// done is what the command has done already, or nil.
	done *doneCommand
	// reused is ErrRequestIDReused when another command had the command's id.
	reused error
}

// read returns the state of a subject at one moment, or a NotFoundError for the
// coupon or the promotion code.
func (s *Store) read(ctx context.Context, o subject) (*state, error) {
	field, bucket := "", ""
	if o.code != "" {
		field, bucket = o.code.Suffix(), o.code.Bucket()
	}
	var who [2]domain.Identity
	copy(who[:], o.who)
	r, err := s.ask(ctx, snapshotRead, []string{
		s.keys.head(o.coupon), s.keys.definition(o.coupon),
		s.keys.promotions(o.coupon, bucket), s.keys.promotionDefinitions(o.coupon, bucket),
		s.keys.customers(o.coupon), s.keys.requests(o.coupon), s.keys.ledger(o.coupon),
		s.keys.commands(o.coupon),
	}, field, string(o.code), string(who[0]), string(who[1]), requestKey(o.request), ledgerPageSize, requestKey(o.command.id))
	if err != nil {
		return nil, err
	}
	if r.outcome == outcomeAbsent {
		return nil, o.notFound()
	}
	return parseState(o, r.values)
}

// parseState reads the values that snapshot.lua returns, in its order.
func parseState(o subject, v []string) (*state, error) {
	if len(v) != 16 {
		return nil, fmt.Errorf("redisstore: snapshot has %d values", len(v))
	}
	var n numbers
	st := &state{created: n.parse(v[4]), length: n.parse(v[5])}
	c := &st.Coupon
	c.Version, c.Deleted, c.Redeemed, c.Held = n.parse(v[0]), v[1] == "D", n.parse(v[2]), n.parse(v[3])
	if err := json.Unmarshal([]byte(v[6]), &c.Coupon); err != nil {
		return nil, fmt.Errorf("redisstore: definition of %s: %w", o.coupon, err)
	}
	if o.code != "" {
		if v[7] == "" || v[8] == "" {
			return nil, o.notFound()
		}
		p, token, err := parsePromotion(o.name(), v[7], v[8])
		if err != nil {
			return nil, err
		}
		st.PromotionCode, st.token = p, token
	}
	for i := range o.who {
		st.CustomerUses = append(st.CustomerUses, domain.CustomerUses{
			OfCoupon: n.parse(v[9+2*i]), OfPromotionCode: n.parse(v[10+2*i]),
		})
	}
	if v[13] != "" {
		prior, err := parseRecord(o.coupon, n.parse(v[13]), v[14])
		if err != nil {
			return nil, err
		}
		st.prior = prior
	}
	if v[15] != "" {
		st.done, st.reused = o.command.done(v[15])
	}
	if n.err != nil {
		return nil, fmt.Errorf("redisstore: snapshot of %s: %w", o.coupon, n.err)
	}
	return st, nil
}

// parsePromotion reads a promotion code's record and configuration.
func parsePromotion(name domain.PromotionCodeName, record, definition string) (*domain.PromotionCodeSnapshot, string, error) {
	f := strings.Split(record, ",")
	if len(f) != 8 || len(f[0]) != 1 {
		return nil, "", fmt.Errorf("redisstore: record of %s: %q", name, record)
	}
	var n numbers
	p := &domain.PromotionCodeSnapshot{
		State: domain.PromotionState(f[0][0]), Version: n.parse(f[2]),
		Redeemed: n.parse(f[3]), Held: n.parse(f[4]),
	}
	if err := json.Unmarshal([]byte(definition), &p.PromotionCode); err != nil {
		return nil, "", fmt.Errorf("redisstore: definition of %s: %w", name, err)
	}
	p.Name = name
	if n.err != nil {
		return nil, "", fmt.Errorf("redisstore: record of %s: %w", name, n.err)
	}
	return p, f[1], nil
}

// numbers parses integers and keeps the first error.
type numbers struct{ err error }

func (n *numbers) parse(s string) int64 {
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil && n.err == nil {
		n.err = err
	}
	return v
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
