// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"context"
	"fmt"
	"strings"

	"github.com/discountd/discountd/domain"
)

// Validate answers whether a redemption would succeed at this moment. It writes
// nothing.
func (s *Store) Validate(ctx context.Context, r domain.ValidateRequest) (domain.Evaluation, error) {
	found, err := s.find(ctx, &r, "")
	if err != nil {
		return domain.Evaluation{}, err
	}
	if found.state == nil {
		return domain.Evaluation{AsOf: s.now(), Ineligibilities: found.refusal}, nil
	}
	return domain.Evaluate(&found.state.Snapshot, &r, s.now()), nil
}

// Redeem takes one use of what the request's source leads to, once per request
// id. It fails with a RefusedError when a rule or a limit says no, with
// ErrRequestIDReused when the id belongs to another request, and with ErrAborted
// when the configuration kept changing meanwhile; in each case nothing was taken.
func (s *Store) Redeem(ctx context.Context, r domain.RedeemRequest) (domain.Redemption, error) {
	fingerprint := r.Fingerprint()
	for range attempts {
		found, err := s.find(ctx, &r.ValidateRequest, r.RequestID)
		if err != nil {
			return domain.Redemption{}, err
		}
		if prior, err := s.redeemedBefore(ctx, found, r.RequestID, fingerprint); err != nil || prior != nil {
			return deref(prior), err
		}
		if found.state == nil {
			return domain.Redemption{}, &domain.RefusedError{Ineligibilities: found.refusal}
		}
		if found.pending {
			if err := s.activateFound(ctx, found); err != nil {
				return domain.Redemption{}, err
			}
			continue
		}
		now := s.now()
		e := domain.Evaluate(&found.state.Snapshot, &r.ValidateRequest, now)
		if !e.Valid() {
			return domain.Redemption{}, &domain.RefusedError{Ineligibilities: e.Ineligibilities}
		}
		redemption := newRedemption(&r, fingerprint, &found.state.Snapshot, &e)
		done, err := s.take(ctx, redemption, r.Customer.Identities(), &found.state.Snapshot)
		if err != nil || done != nil {
			return deref(done), err
		}
	}
	return domain.Redemption{}, domain.ErrAborted
}

func deref(r *domain.Redemption) domain.Redemption {
	if r == nil {
		return domain.Redemption{}
	}
	return *r
}

// found is what a source leads to.
type found struct {
	// state is nil when a code leads to nobody; refusal then says why.
	state   *state
	refusal []domain.Ineligibility
	// pending is whether the promotion code holds the claim to its code and has
	// yet to become ACTIVE; its state already says ACTIVE.
	pending bool
	// former are the coupons where the request may have been redeemed before the
	// code changed hands.
	former []domain.CouponID
}

// find reads what the source of a request leads to. If request is given it is
// looked up there among the redemptions.
func (s *Store) find(ctx context.Context, r *domain.ValidateRequest, request string) (found, error) {
	who := r.Customer.Identities()
	// An empty code is a code all the same: what a customer typed is malformed.
	if r.Source.Coupon != "" || r.Source.PromotionCode.ID != "" {
		o := subject{coupon: r.Source.Coupon, who: who, request: request}
		if r.Source.PromotionCode.ID != "" {
			o.coupon, o.code = r.Source.PromotionCode.Coupon, r.Source.PromotionCode.ID
		}
		st, err := s.read(ctx, o)
		return found{state: st}, err
	}
	code, err := domain.ParseCode(r.Source.Code)
	if err != nil {
		return found{refusal: []domain.Ineligibility{{Reason: domain.CodeMalformed}}}, nil
	}
	var f found
	for range 2 {
		res, err := s.resolve(ctx, code.Form(), who)
		if err != nil {
			return found{}, err
		}
		if res.name.ID == "" {
			return found{refusal: []domain.Ineligibility{{Reason: res.reason}}, former: couponsOf(res.former, "")}, nil
		}
		f.state, err = s.read(ctx, subject{coupon: res.name.Coupon, code: res.name.ID, who: who, request: request})
		if err != nil {
			return found{}, err
		}
		f.former = couponsOf(res.former, res.name.Coupon)
		p := f.state.PromotionCode
		holds := res.token != "" && f.state.token == res.token
		if f.pending = holds && p.State == domain.PromotionPending; f.pending {
			p.State = domain.PromotionActive // the claim is taken: only the last step is missing
		}
		if res.token == "" || holds {
			break // else the code has changed hands since it was looked up
		}
	}
	return f, nil
}

// couponsOf returns the different coupons of some promotion codes, but for one.
func couponsOf(names []domain.PromotionCodeName, but domain.CouponID) []domain.CouponID {
	var out []domain.CouponID
	seen := map[domain.CouponID]bool{but: true}
	for _, n := range names {
		if !seen[n.Coupon] {
			seen[n.Coupon] = true
			out = append(out, n.Coupon)
		}
	}
	return out
}

// redeemedBefore returns the redemption that the request has made already, be it
// where its source leads or where its code led before. If it has made none,
// another request under the same id where its source leads is an error.
func (s *Store) redeemedBefore(ctx context.Context, f found, request, fingerprint string) (*domain.Redemption, error) {
	var reused error
	if f.state != nil && f.state.prior != nil {
		prior, err := sameRequest(f.state.prior, request, fingerprint)
		if err == nil {
			return prior, nil
		}
		reused = err
	}
	for _, coupon := range f.former {
		st, err := s.read(ctx, subject{coupon: coupon, request: request})
		if err != nil {
			return nil, err
		}
		if st.prior != nil && st.prior.RequestID == request && st.prior.Fingerprint == fingerprint {
			return st.prior, nil
		}
	}
	return nil, reused
}

func sameRequest(prior *domain.Redemption, request, fingerprint string) (*domain.Redemption, error) {
	if prior.RequestID != request || prior.Fingerprint != fingerprint {
		return nil, domain.ErrRequestIDReused
	}
	return prior, nil
}

// activateFound plays the last step of a claim that was met on the way.
func (s *Store) activateFound(ctx context.Context, f found) error {
	_, err := s.activateOwner(ctx, owner{f.state.PromotionCode.Name, f.state.token}, commandRequest{})
	return err
}

// newRedemption is what a request that was found eligible is to become.
func newRedemption(r *domain.RedeemRequest, fingerprint string, s *domain.Snapshot, e *domain.Evaluation) *domain.Redemption {
	out := &domain.Redemption{
		Name:          domain.RedemptionName{Coupon: s.Coupon.ID},
		PromotionCode: e.PromotionCode,
		State:         domain.RedemptionRedeemed,
		RequestID:     r.RequestID,
		Fingerprint:   fingerprint,
		CustomerID:    r.Customer.ID,
		EmailHash:     r.Customer.EmailHash,
		Discount:      e.Discount,
		CreateTime:    e.AsOf,
		CouponVersion: s.Coupon.Version,
	}
	if r.Order != nil {
		out.OrderID = r.Order.ID
	}
	if s.PromotionCode != nil {
		out.PromotionCodeVersion = s.PromotionCode.Version
	}
	return out
}

// take runs the script for one redemption. It returns nil and no error when the
// versions evaluated are no longer the current ones.
func (s *Store) take(ctx context.Context, r *domain.Redemption, who []domain.Identity, evaluated *domain.Snapshot) (*domain.Redemption, error) {
	coupon := r.Name.Coupon
	keys := []string{s.keys.head(coupon), s.keys.requests(coupon), s.keys.customers(coupon), s.keys.ledger(coupon)}
	bucket := 0
	if r.PromotionCode != "" {
		keys = append(keys, s.keys.promotions(coupon, r.PromotionCode.Bucket()))
		bucket = 1
	}
	var identities [2]domain.Identity
	copy(identities[:], who)
	text := recordText(r)
	out, err := s.run(ctx, redeem, keys, ledgerPageSize,
		requestKey(r.RequestID), r.CouponVersion, bucket, string(r.PromotionCode), r.PromotionCodeVersion,
		string(identities[0]), string(identities[1]), text)
	switch {
	case err != nil:
		return nil, err
	case out.outcome == outcomeAbsent:
		return nil, &domain.NotFoundError{Type: domain.CouponResource, Name: coupon.String()}
	case out.outcome != "decided" || len(out.values) != 2:
		return nil, fmt.Errorf("redisstore: the ledger of %s and its length do not agree", coupon)
	}
	switch outcome, value := out.values[0], out.values[1]; outcome {
	case "redeemed":
		var n numbers
		position := n.parse(value)
		if n.err != nil {
			return nil, n.err
		}
		return parseRecord(coupon, position, string(domain.RedemptionRedeemed)+"\t"+text)
	case outcomeReplay:
		position, record, _ := strings.Cut(value, "\t")
		var n numbers
		prior, err := parseRecord(coupon, n.parse(position), record)
		if err != nil || n.err != nil {
			return nil, fmt.Errorf("redisstore: replay from %s: %w %w", coupon, err, n.err)
		}
		return sameRequest(prior, r.RequestID, r.Fingerprint)
	case "limit":
		return nil, &domain.RefusedError{Ineligibilities: limitsReached(value, evaluated)}
	case outcomeStale:
		return nil, nil
	default:
		return nil, fmt.Errorf("redisstore: redeem decided %q", outcome)
	}
}

// limitsReached turns the letters by which redeem.lua names limits into reasons:
// C the coupon's, P the promotion code's, U the coupon's per customer, V the
// promotion code's per customer, R one that holds take up.
func limitsReached(letters string, s *domain.Snapshot) []domain.Ineligibility {
	var out []domain.Ineligibility
	have := map[domain.Reason]bool{}
	add := func(reason domain.Reason, limit *int64) {
		if have[reason] {
			return
		}
		have[reason] = true
		i := domain.Ineligibility{Reason: reason}
		if limit != nil {
			i.Limit = *limit
		}
		out = append(out, i)
	}
	for _, letter := range letters {
		switch letter {
		case 'C':
			add(domain.CouponMaxRedemptionsReached, s.Coupon.MaxRedemptions)
		case 'P':
			add(domain.CodeMaxRedemptionsReached, s.PromotionCode.MaxRedemptions)
		case 'U':
			add(domain.CustomerMaxRedemptionsReached, s.Coupon.MaxRedemptionsPerCustomer)
		case 'V':
			add(domain.CustomerMaxRedemptionsReached, s.PromotionCode.MaxRedemptionsPerCustomer)
		case 'R':
			add(domain.FullyReserved, nil)
		}
	}
	return out
}
