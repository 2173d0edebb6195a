// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package domain

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// State is everything that a store holds, and its methods are everything that a
// store does: the executable specification of package redisstore. It is written
// to be read and to be right; the store is tested against it.
//
// A State is a value. Step never changes it and returns another one, which shares
// what stayed equal; so old states stay good, which is what a search over
// histories needs. The zero value is an empty store. Nothing reachable from a
// State or a Result may be changed.
//
// Left to an implementation: how lists are cut into pages (the model returns all
// at once), how late a list over all coupons is and which former holders of a code
// it still names, which holder an error names when a code has several, and the
// numbers that the Version of a promotion code takes, which need only change
// whenever its configuration or its state does.
type State struct {
	// coupons is in the order of creation.
	coupons []*couponRecord
	// holders has the promotion codes that were ever ACTIVE with a form and a
	// scope, each once, the last one last.
	holders map[claim][]PromotionCodeName
	// credit has what customers have of their own, by identity.
	credit map[Identity]*creditRecord
}

// couponRecord is one coupon and all that belongs to it.
type couponRecord struct {
	CouponSnapshot
	// requests has the ids that commands of CouponService used on this coupon.
	requests map[string]usedRequest
	// codes is in the order of creation.
	codes []*PromotionCodeSnapshot
	// ledger is in the order of redemption. The request ids of redemptions and
	// reservations are those in here.
	ledger []*Redemption
	// settled has the request ids by which they were committed, released, voided and
	// renewed, with the fingerprints of the commands.
	settled map[string]string
	// cards has the transactions of gift cards, in their order.
	cards map[PromotionCodeID][]BalanceTransaction
	// transfers has the customers' side of transfers to credit, by request id.
	transfers map[string]BalanceTransaction
	// renewals is in the order in which invoices were answered. Their request ids,
	// and those by which they were asked for again, are among settled.
	renewals []*Renewal
}

// usedRequest is what a request id was used for, and the promotion code it was
// about.
type usedRequest struct {
	fingerprint string
	code        PromotionCodeID
}

// claim is what a promotion code holds while it is ACTIVE: the normal form of a
// code, for one identity or for everybody.
type claim struct {
	form  string
	scope Identity
}

// IDs is what an implementation generates for one command. A checker gives the
// model what the store has chosen.
type IDs struct {
	Coupon        CouponID
	PromotionCode PromotionCodeID
	Code          Code
}

// Command is one call of a store: a command of commands.go, a read, a list, a
// ValidateRequest or a RedeemRequest. Commands are taken as well-formed: their
// Check methods have found nothing.
type Command interface {
	step(s State, now time.Time, ids IDs) (State, Result)
}

// The reads. GetPromotionCode and GetCoupon return deleted ones too.
type (
	GetCoupon        struct{ ID CouponID }
	GetPromotionCode struct{ Name PromotionCodeName }
	GetRedemption    struct{ Name RedemptionName }
)

// Result is what a command returns: an error of this package, or a CouponView, a
// PromotionCodeView, an Evaluation, a Redemption, or a Listing of one of them.
type Result struct {
	Value any
	Err   error
}

// Step carries out one command at the instant now, whole or not at all: when the
// result is an error, the state is the one before, but for reservations whose time
// is over.
//
// A real store may also answer ErrAborted or an *UnavailableError to any command.
// The first, and the second unless the outcome is unknown, mean that nothing was
// done.
func (s State) Step(now time.Time, ids IDs, command Command) (State, Result) {
	now = now.UTC().Truncate(time.Millisecond)
	return command.step(s.expired(now), now, ids)
}

func returns(value any) Result { return Result{Value: value} }

func fails(err error) Result { return Result{Err: err} }

func notFound(t ResourceType, name fmt.Stringer) error {
	return &NotFoundError{Type: t, Name: name.String()}
}

func (s State) coupon(id CouponID) *couponRecord {
	for _, c := range s.coupons {
		if c.ID == id {
			return c
		}
	}
	return nil
}

func (s State) promotionCode(n PromotionCodeName) (*couponRecord, *PromotionCodeSnapshot) {
	c := s.coupon(n.Coupon)
	if c == nil {
		return nil, nil
	}
	p := c.promotionCode(n.ID)
	return c, p
}

func (c *couponRecord) promotionCode(id PromotionCodeID) *PromotionCodeSnapshot {
	for _, p := range c.codes {
		if p.Name.ID == id {
			return p
		}
	}
	return nil
}

// redemption returns the redemption that a request id has made, or nil.
func (c *couponRecord) redemption(requestID string) *Redemption {
	for _, r := range c.ledger {
		if r.RequestID == requestID {
			return r
		}
	}
	return nil
}

func (c *couponRecord) view(now time.Time) CouponView {
	return CouponView{CouponSnapshot: c.CouponSnapshot, Valid: c.Valid(now)}
}

func (c *couponRecord) viewOf(p *PromotionCodeSnapshot, now time.Time) PromotionCodeView {
	return PromotionCodeView{PromotionCodeSnapshot: *p, Status: p.Status(&c.CouponSnapshot, now)}
}

// replayed returns what a request id was used for on this coupon, and whether it
// was; using it for another command is an error. No id is never used.
func (c *couponRecord) replayed(requestID string, command Command) (usedRequest, bool, error) {
	used, ok := c.requests[requestID]
	if ok && used.fingerprint != Fingerprint(command) {
		return usedRequest{}, false, ErrRequestIDReused
	}
	return used, ok, nil
}

// The writes. Each returns a state in which one thing is different.

// withCoupon stores a coupon under its id, as the last one if it is new.
func (s State) withCoupon(c *couponRecord) State {
	out := s
	out.coupons = slices.Clone(s.coupons)
	for i := range out.coupons {
		if out.coupons[i].ID == c.ID {
			out.coupons[i] = c
			return out
		}
	}
	out.coupons = append(out.coupons, c)
	return out
}

// withPromotionCode stores a promotion code in its coupon under its id, as the
// last one if it is new.
func (s State) withPromotionCode(p PromotionCodeSnapshot) State {
	c := *s.coupon(p.Name.Coupon)
	c.codes = slices.Clone(c.codes)
	i := slices.IndexFunc(c.codes, func(q *PromotionCodeSnapshot) bool { return q.Name == p.Name })
	if i < 0 {
		c.codes = append(c.codes, &p)
	} else {
		c.codes[i] = &p
	}
	return s.withCoupon(&c)
}

// withHolder notes that a promotion code has become ACTIVE.
func (s State) withHolder(p *PromotionCode) State {
	k := claim{p.Code.Form(), p.Scope()}
	out := s
	out.holders = maps.Clone(s.holders)
	if out.holders == nil {
		out.holders = map[claim][]PromotionCodeName{}
	}
	others := slices.DeleteFunc(slices.Clone(s.holders[k]), func(n PromotionCodeName) bool { return n == p.Name })
	out.holders[k] = append(others, p.Name)
	return out
}

// withRequest notes that a request id is used up on a coupon: its command came to
// success, changing something or not.
func (s State) withRequest(id CouponID, requestID string, command Command, code PromotionCodeID) State {
	if requestID == "" {
		return s
	}
	c := *s.coupon(id)
	c.requests = maps.Clone(c.requests)
	if c.requests == nil {
		c.requests = map[string]usedRequest{}
	}
	c.requests[requestID] = usedRequest{Fingerprint(command), code}
	return s.withCoupon(&c)
}
