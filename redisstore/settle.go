// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/discountd/discountd/domain"
)

// Commit turns a reservation into a redemption, for the amount given or all that
// was reserved. One that has expired takes its capacity again if there is room,
// else it fails with a RefusedError.
func (s *Store) Commit(ctx context.Context, cmd domain.CommitRedemption) (*domain.Redemption, error) {
	return s.settleOne(ctx, settlement{
		kind: "C", name: cmd.Name, request: cmd.RequestID, fingerprint: domain.Fingerprint(cmd),
		amount: cmd.Amount, note: noteCommitted,
	})
}

// Release gives a reservation back. One that was released or has expired already
// is returned as it is.
func (s *Store) Release(ctx context.Context, cmd domain.ReleaseRedemption) (*domain.Redemption, error) {
	return s.settleOne(ctx, settlement{
		kind: "L", name: cmd.Name, request: cmd.RequestID, fingerprint: domain.Fingerprint(cmd), note: noteReleased,
	})
}

// Void takes a redemption back, in whole or in part.
func (s *Store) Void(ctx context.Context, cmd domain.VoidRedemption) (*domain.Redemption, error) {
	return s.settleOne(ctx, settlement{
		kind: "V", name: cmd.Name, request: cmd.RequestID, fingerprint: domain.Fingerprint(cmd),
		amount: cmd.Amount, note: noteVoided, reason: cmd.Reason,
	})
}

// EndDiscount stops the discount of a redemption's subscription. One that has ended
// already is returned as it is. Without a subscription it fails with a
// NoSubscriptionError.
func (s *Store) EndDiscount(ctx context.Context, cmd domain.EndDiscount) (*domain.Redemption, error) {
	return s.settleOne(ctx, settlement{
		kind: "E", name: cmd.Name, request: cmd.RequestID, fingerprint: domain.Fingerprint(cmd),
	})
}

// maxVoids is how often a redemption can be voided: its record keeps each. The last
// time is for all that is left, so that this is never out of reach.
const maxVoids = 100

// settlement is one thing to be done to a redemption.
type settlement struct {
	kind                 string // C commit, L release, V void, E end of a discount
	name                 domain.RedemptionName
	request, fingerprint string
	amount               *int64
	note, reason         string
}

// settleOne carries a settlement out. A refusal is told in the terms of the limits
// that it was held against; if these have changed meanwhile, it is decided anew.
func (s *Store) settleOne(ctx context.Context, t settlement) (*domain.Redemption, error) {
	for range attempts {
		r, err := s.settleOnce(ctx, t)
		if !errors.Is(err, errLimitsChanged) {
			return r, err
		}
	}
	return nil, domain.ErrAborted
}

// errLimitsChanged says that the limits are no longer those that a settlement was
// refused by.
var errLimitsChanged = errors.New("redisstore: limits changed under a settlement")

// settling returns what a redemption that is to be settled was made for. It never
// changes, so it may be remembered.
func (s *Store) settling(ctx context.Context, t settlement) (madeFor, error) {
	if made, ok := s.rules.madeFor(t.name); ok {
		return made, nil
	}
	r, err := s.Redemption(ctx, t.name)
	if err != nil {
		return madeFor{}, err
	}
	s.rules.rememberMade(r)
	return newMadeFor(r), nil
}

func (s *Store) settleOnce(ctx context.Context, t settlement) (*domain.Redemption, error) {
	made, err := s.settling(ctx, t)
	if err != nil {
		return nil, err
	}
	position, _ := t.name.ID.Position()
	outcome, value, err := s.decide(ctx, settleBatch, t.name.Coupon,
		t.kind, requestKey(t.request), t.fingerprint, decimal(position), made.request,
		string(made.who[0]), string(made.who[1]), limitText(t.amount), t.note+instant(s.now()), t.request+noteSeparator+t.reason)
	if err != nil {
		return nil, err
	}
	switch outcome {
	case "settled", "paid", outcomeReplay, "state":
		after, err := parseRecord(t.name.Coupon, position, value)
		if err != nil {
			return nil, err
		}
		if outcome == "state" && t.kind == "E" && after.Subscription == nil {
			return nil, &domain.NoSubscriptionError{Name: t.name}
		}
		if outcome == "state" {
			return nil, &domain.RedemptionStateError{Name: t.name, State: after.State}
		}
		if t.kind == "C" && (outcome == "paid" || outcome == outcomeReplay && after.PromotionCode != "") {
			st, err := s.read(ctx, subject{coupon: t.name.Coupon, code: after.PromotionCode})
			return s.remainderSent(ctx, st, s.effective(after), begun(err))
		}
		return s.effective(after), nil
	case outcomeReused:
		return nil, domain.ErrRequestIDReused
	case "amount":
		var n numbers
		return nil, &domain.AmountExceededError{Name: t.name, LimitMinor: n.parse(value)}
	case "voids":
		return nil, &domain.TooManyError{What: "voids of one redemption", Limit: maxVoids}
	case "unknown":
		s.rules.forgetMade(t.name)
		return nil, &domain.NotFoundError{Type: domain.RedemptionResource, Name: t.name.String()}
	case "limit":
		r, err := s.Redemption(ctx, t.name)
		if err != nil {
			return nil, err
		}
		st, err := s.read(ctx, subject{coupon: t.name.Coupon, code: r.PromotionCode})
		if err != nil {
			return nil, err
		}
		if !st.hasVersions(value) {
			return nil, errLimitsChanged
		}
		against := limitsReached(value, &st.Snapshot, currencyOf(r), r.PeriodLimitReached, s.now())
		return nil, &domain.RefusedError{Ineligibilities: against}
	default:
		return nil, fmt.Errorf("redisstore: settle decided %q", outcome)
	}
}

// hasVersions reports whether a refusal that a script tells of was decided by the
// configuration that was read. The versions follow what limitsReached reads.
func (st *state) hasVersions(refusal string) bool {
	f := append(strings.Split(refusal, " "), "", "", "", "")
	var n numbers
	return hasVersion(refusal, st.Coupon.Version) && (st.PromotionCode == nil || n.parse(f[4]) == st.PromotionCode.Version)
}

// hasVersion is hasVersions for a refusal that no promotion code has to do with.
func hasVersion(refusal string, coupon int64) bool {
	f := append(strings.Split(refusal, " "), "", "", "")
	var n numbers
	return n.parse(f[3]) == coupon && n.err == nil
}
