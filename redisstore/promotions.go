// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/discountd/discountd/domain"
)

func (s *Store) promotionView(st *state) domain.PromotionCodeView {
	return domain.PromotionCodeView{
		PromotionCodeSnapshot: *st.PromotionCode,
		Status:                st.PromotionCode.Status(&st.Coupon, s.now()),
	}
}

// PromotionCode returns a promotion code, also a deleted one.
func (s *Store) PromotionCode(ctx context.Context, name domain.PromotionCodeName) (domain.PromotionCodeView, error) {
	st, err := s.read(ctx, subject{coupon: name.Coupon, code: name.ID})
	if err != nil {
		return domain.PromotionCodeView{}, err
	}
	return s.promotionView(st), nil
}

// codesPerBucket is how many promotion codes share a bucket of their coupon: few
// enough to stay in Redis's compact encoding.
const codesPerBucket = 64

// CreatePromotionCode stores a promotion code and claims its code for it.
func (s *Store) CreatePromotionCode(ctx context.Context, cmd domain.CreatePromotionCode) (domain.PromotionCodeView, error) {
	return s.createPromotionCode(ctx, cmd.PromotionCode, cmd.AsCard.Twin(), commandRequest{cmd.RequestID, domain.Fingerprint(cmd)})
}

// createPromotionCode makes a promotion code of either kind. twin is the form by which
// the other kind would hold its code.
func (s *Store) createPromotionCode(ctx context.Context, wanted domain.PromotionCode, twin string, req commandRequest) (domain.PromotionCodeView, error) {
	coupon := wanted.Name.Coupon
	for range attempts {
		p, token, err := s.storePending(ctx, wanted, req)
		var done *doneCommand
		switch {
		case errors.As(err, &done):
			name := domain.PromotionCodeName{Coupon: coupon, ID: done.code}
			return s.finish(ctx, name, twin, req)
		case errors.Is(err, domain.ErrAborted):
			continue
		case err != nil:
			return domain.PromotionCodeView{}, err
		}
		view, err := s.claim(ctx, claimant{promotion: p, token: token, request: req, twin: twin, created: true})
		var held *domain.AlreadyExistsError
		if errors.As(err, &held) && wanted.Code.IsZero() {
			continue // a generated code that exists already: generate another
		}
		return view, begun(err)
	}
	return domain.PromotionCodeView{}, domain.ErrAborted
}

// storePending is step 1 for a new promotion code. It returns a *doneCommand as
// error when the request has made one already.
func (s *Store) storePending(ctx context.Context, p domain.PromotionCode, req commandRequest) (domain.PromotionCode, string, error) {
	coupon, now := p.Name.Coupon, s.now()
	st, err := s.read(ctx, subject{coupon: coupon, command: req})
	switch {
	case err != nil:
		return p, "", err
	case st.reused != nil:
		return p, "", st.reused
	case st.done != nil:
		return p, "", st.done
	}
	if against := (&domain.PromotionCodeSnapshot{}).Fit(&st.Coupon, now); len(against) > 0 {
		return p, "", &domain.RefusedError{Ineligibilities: against}
	}
	p.Inherit(&st.Coupon.Coupon)
	var v domain.Violations
	if p.CheckAgainst(&st.Coupon.Coupon, now, &v, "promotion_code."); v.Err() != nil {
		return p, "", v.Err()
	}
	if p.Code.IsZero() {
		p.Code = domain.GenerateCode(s.random)
	}
	p.CreateTime, p.UpdateTime = now, now
	p.Name.ID = domain.NewPromotionCodeID(st.created/codesPerBucket, s.random)
	token := s.token()
	if err := s.listBound(ctx, &p); err != nil {
		return p, "", err
	}
	r, err := s.run(ctx, promotionCreate, []string{
		s.keys.head(coupon), s.keys.promotions(coupon, p.Name.ID.Bucket()), s.keys.commands(coupon),
	},
		p.Name.ID.Suffix(), token, millis(now), st.Coupon.Version, codeDefinition(&p, token),
		limitText(p.MaxRedemptions), limitText(p.MaxRedemptionsPerCustomer), millis(p.ExpiresAt),
		requestKey(req.id), req.fingerprint, string(p.Name.ID), cardBalance(&p))
	switch {
	case err != nil:
		return p, "", err
	case r.outcome == outcomeOK:
		return p, token, nil
	case r.outcome == outcomeReplay:
		return p, "", &doneCommand{code: domain.PromotionCodeID(r.values[0])}
	case r.outcome == outcomeReused:
		return p, "", domain.ErrRequestIDReused
	default: // stale, unfit, taken: what was read is no longer so
		return p, "", domain.ErrAborted
	}
}

// listBound enters a promotion code that is bound to a customer into the list of
// that customer's. An entry may name one that never came to be.
func (s *Store) listBound(ctx context.Context, p *domain.PromotionCode) error {
	who := p.Scope()
	if who == "" {
		return nil
	}
	return s.enter(ctx, s.keys.boundList(who), listEntry(p.CreateTime, string(p.Name.Coupon)+"/"+string(p.Name.ID)))
}

// ActivatePromotionCode claims the code of a promotion code anew.
func (s *Store) ActivatePromotionCode(ctx context.Context, cmd domain.ActivatePromotionCode) (domain.PromotionCodeView, error) {
	req := commandRequest{cmd.RequestID, domain.Fingerprint(cmd)}
	for range attempts {
		st, done, err := s.readForCommand(ctx, cmd.Name, req)
		if err != nil {
			return domain.PromotionCodeView{}, err
		}
		p := st.PromotionCode
		against := p.Fit(&st.Coupon, s.now())
		switch {
		case done && p.State != domain.PromotionPending:
			return confirmCommand(ctx, s, cmd.Name.Coupon, req, s.promotionView(st))
		case p.State == domain.PromotionDeleted:
			return domain.PromotionCodeView{}, deleted(cmd.Name)
		case p.State == domain.PromotionSuperseded:
			return domain.PromotionCodeView{}, &domain.RefusedError{Ineligibilities: append([]domain.Ineligibility{{Reason: domain.CodeInactive}}, against...)}
		case len(against) > 0:
			return domain.PromotionCodeView{}, &domain.RefusedError{Ineligibilities: against}
		}
		who := claimant{promotion: p.PromotionCode, token: st.token, request: req, twin: cmd.AsCard.Twin(), blind: p.Card != nil}
		switch p.State {
		case domain.PromotionActive:
			return s.activate(ctx, who)
		case domain.PromotionInactive:
			if moved, err := s.lookAhead(ctx, who, req); err != nil {
				return domain.PromotionCodeView{}, err
			} else if moved {
				continue
			}
			who.token = s.token()
			ok, err := s.pend(ctx, cmd.Name, st.token, who.token)
			if err != nil {
				return domain.PromotionCodeView{}, err
			}
			if !ok {
				continue
			}
		default: // PENDING: what was begun is gone on with
		}
		view, err := s.claim(ctx, who)
		return view, begun(err)
	}
	return domain.PromotionCodeView{}, domain.ErrAborted
}

// lookAhead refuses to activate a promotion code, which is INACTIVE with the token
// that was read, when another one holds its code, before anything is written: a
// refusal leaves its version as it was. It reports whether the record has changed
// meanwhile. While it has not, and the other one is ACTIVE, both were so at once.
func (s *Store) lookAhead(ctx context.Context, who claimant, req commandRequest) (moved bool, err error) {
	// The claims are read first: whoever is met in one and finished must have taken it
	// before the twin was seen to be free.
	entries, err := s.readClaim(ctx, &who.promotion)
	if err != nil {
		return false, err
	}
	var refusal error
	twin, err := s.lookForTwin(ctx, who.twin)
	switch {
	case err != nil:
		return false, err
	case twin.name.ID != "":
		refusal = s.refuseForTwin(ctx, who, twin)
	default:
		result, holder, err := s.askHolders(ctx, who, entries, "probe")
		switch {
		case err != nil:
			return false, err
		case result == lost && who.blind:
			return false, domain.ErrAborted
		case result != conflict:
			return false, nil
		}
		refusal = who.heldBy(holder)
	}
	st, done, err := s.readForCommand(ctx, who.promotion.Name, req)
	switch {
	case errors.Is(refusal, domain.ErrAborted):
		return true, nil // what was in the way is gone
	case err != nil:
		return false, err
	case done, st.PromotionCode.State != domain.PromotionInactive, st.token != who.token:
		return true, nil
	default:
		return false, refusal
	}
}

// finish completes what a creation with this request has begun.
func (s *Store) finish(ctx context.Context, name domain.PromotionCodeName, twin string, req commandRequest) (domain.PromotionCodeView, error) {
	st, err := s.read(ctx, subject{coupon: name.Coupon, code: name.ID})
	if err != nil {
		return domain.PromotionCodeView{}, err
	}
	p := st.PromotionCode
	who := claimant{promotion: p.PromotionCode, token: st.token, request: req, twin: twin, created: true}
	switch {
	case p.State == domain.PromotionPending:
		view, err := s.claim(ctx, who)
		return view, begun(err)
	case p.State == domain.PromotionInactive && p.Version == neverActive:
		who.token = s.token()
		ok, err := s.pend(ctx, name, st.token, who.token)
		if err != nil || !ok {
			return domain.PromotionCodeView{}, cmp.Or(err, domain.ErrAborted)
		}
		view, err := s.claim(ctx, who)
		return view, begun(err)
	default:
		return confirmCommand(ctx, s, name.Coupon, req, s.promotionView(st))
	}
}

// neverActive is the version of a record that went from PENDING out of use at
// once: somebody else gave it up, or took it out of use, before its creation came
// to an end.
const neverActive = 2

// neverWas reports whether a record is what a refused creation left: no list
// shows it, deleted ones included.
func neverWas(p *domain.PromotionCodeSnapshot) bool {
	return p.State == domain.PromotionDeleted && p.Version == neverActive
}

// DeactivatePromotionCode takes a promotion code out of use until it is activated
// again.
func (s *Store) DeactivatePromotionCode(ctx context.Context, cmd domain.DeactivatePromotionCode) (domain.PromotionCodeView, error) {
	req := commandRequest{cmd.RequestID, domain.Fingerprint(cmd)}
	return s.retire(ctx, cmd.Name, req, domain.PromotionInactive)
}

// DeletePromotionCode takes a promotion code out of use for good.
func (s *Store) DeletePromotionCode(ctx context.Context, cmd domain.DeletePromotionCode) (domain.PromotionCodeView, error) {
	req := commandRequest{cmd.RequestID, domain.Fingerprint(cmd)}
	return s.retire(ctx, cmd.Name, req, domain.PromotionDeleted)
}

// retire moves a promotion code to INACTIVE or DELETED and then gives its code
// back. Once the record is written nothing is redeemed with it any more; a claim
// that a crash leaves behind names a token that nobody has.
func (s *Store) retire(ctx context.Context, name domain.PromotionCodeName, req commandRequest, to domain.PromotionState) (domain.PromotionCodeView, error) {
	for range attempts {
		st, done, err := s.readForCommand(ctx, name, req)
		if err != nil {
			return domain.PromotionCodeView{}, err
		}
		p := st.PromotionCode
		switch {
		case done:
			return confirmCommand(ctx, s, name.Coupon, req, s.promotionView(st))
		case p.State == domain.PromotionDeleted && to != domain.PromotionDeleted:
			return domain.PromotionCodeView{}, deleted(name)
		case p.State == domain.PromotionDeleted, p.State == domain.PromotionSuperseded,
			// One that was never active is written all the same, so that a retry of its
			// creation does not go on with it.
			p.State == to && p.Version != neverActive:
			return s.promotionView(st), s.noteCommand(ctx, name.Coupon, req, name.ID)
		}
		ok, err := s.writeRetired(ctx, retirement{name: name, read: p.State, readToken: st.token, to: to, request: req})
		if err != nil {
			return domain.PromotionCodeView{}, err
		}
		if !ok {
			continue
		}
		if err := s.release(ctx, &p.PromotionCode, st.token); err != nil {
			return domain.PromotionCodeView{}, begun(err)
		}
		view, err := s.PromotionCode(ctx, name)
		return view, begun(err)
	}
	return domain.PromotionCodeView{}, domain.ErrAborted
}

// UpdatePromotionCode changes the configuration of a promotion code.
func (s *Store) UpdatePromotionCode(ctx context.Context, cmd domain.UpdatePromotionCode) (domain.PromotionCodeView, error) {
	req := commandRequest{cmd.RequestID, domain.Fingerprint(cmd)}
	for range attempts {
		st, done, err := s.readForCommand(ctx, cmd.Name, req)
		if err != nil {
			return domain.PromotionCodeView{}, err
		}
		switch {
		case done:
			return confirmCommand(ctx, s, cmd.Name.Coupon, req, s.promotionView(st))
		case st.PromotionCode.State == domain.PromotionDeleted:
			return domain.PromotionCodeView{}, deleted(cmd.Name)
		case cmd.Version != 0 && cmd.Version != st.PromotionCode.Version:
			return domain.PromotionCodeView{}, domain.ErrAborted
		}
		p, err := updated(cmd, st, s.now())
		if err != nil {
			return domain.PromotionCodeView{}, err
		}
		r, err := s.run(ctx, promotionUpdate,
			[]string{s.keys.promotions(cmd.Name.Coupon, cmd.Name.ID.Bucket()), s.keys.commands(cmd.Name.Coupon)},
			cmd.Name.ID.Suffix(), st.PromotionCode.Version, definitionText(p, s.token()),
			limitText(p.MaxRedemptions), limitText(p.MaxRedemptionsPerCustomer),
			requestKey(req.id), req.fingerprint, string(cmd.Name.ID))
		switch {
		case err != nil:
			return domain.PromotionCodeView{}, err
		case r.outcome == outcomeReused:
			return domain.PromotionCodeView{}, domain.ErrRequestIDReused
		case r.outcome != outcomeStale:
			view, err := s.PromotionCode(ctx, cmd.Name)
			return view, begun(err)
		}
		if err := r.overtaken(req.id); err != nil {
			return domain.PromotionCodeView{}, err
		}
	}
	return domain.PromotionCodeView{}, domain.ErrAborted
}

// updated returns the configuration after an update, unless it sets a limit above
// the coupon's.
func updated(cmd domain.UpdatePromotionCode, st *state, now time.Time) (domain.PromotionCode, error) {
	p := cmd.Apply(st.PromotionCode.PromotionCode, now)
	var v domain.Violations
	cmd.CheckAgainst(&st.Coupon.Coupon, &v, "promotion_code.")
	return p, v.Err()
}

// readForCommand reads a promotion code and whether the command was carried out
// before.
func (s *Store) readForCommand(ctx context.Context, name domain.PromotionCodeName, req commandRequest) (*state, bool, error) {
	st, err := s.read(ctx, subject{coupon: name.Coupon, code: name.ID, command: req})
	if err != nil {
		return nil, false, err
	}
	return st, st.done != nil, st.reused
}

func deleted(name domain.PromotionCodeName) error {
	return &domain.DeletedError{Type: domain.PromotionCodeResource, Name: name.String()}
}
