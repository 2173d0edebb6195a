// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/discountd/discountd/domain"
)

// attempts is how often an operation that lost a race is decided anew before it
// is given up as ABORTED.
const attempts = 3

func couponView(c domain.CouponSnapshot, now time.Time) domain.CouponView {
	return domain.CouponView{CouponSnapshot: c, Valid: c.Valid(now)}
}

// CreateCoupon stores a new coupon.
func (s *Store) CreateCoupon(ctx context.Context, cmd domain.CreateCoupon) (domain.CouponView, error) {
	req := commandRequest{cmd.RequestID, domain.Fingerprint(cmd)}
	c, now := cmd.Coupon, s.now()
	switch {
	case c.ID != "":
	case cmd.RequestID != "":
		c.ID = domain.CouponIDForRequest(cmd.RequestID)
	default:
		c.ID = domain.NewCouponID(s.random)
	}
	// An id that is taken is found out before anything is written: creating what
	// exists, as scripts do again and again, must leave nothing behind.
	st, err := s.read(ctx, subject{coupon: c.ID, command: req})
	exists := err == nil
	switch {
	case !exists && !isNotFound(err):
		return domain.CouponView{}, err
	case exists && st.reused != nil:
		return domain.CouponView{}, st.reused
	case exists && st.done != nil:
		return confirmCommand(ctx, s, c.ID, req, couponView(st.Coupon, now))
	}
	taken := &domain.AlreadyExistsError{Type: domain.CouponResource, Name: c.ID.String()}
	var v domain.Violations
	c.CheckAt(now, &v, "coupon.")
	switch {
	case v.Err() != nil:
		return domain.CouponView{}, v.Err()
	case exists:
		return domain.CouponView{}, taken
	}
	c.CreateTime, c.UpdateTime = now, now

	// The list comes first: a crash in between leaves an entry that names
	// nothing, which listing passes over, and never a coupon that is not listed.
	if err := s.enter(ctx, s.keys.couponListOf(c.ID), listEntry(now, string(c.ID))); err != nil {
		return domain.CouponView{}, err
	}
	outcome, err := s.putCoupon(ctx, domain.CouponSnapshot{Coupon: c}, req)
	switch {
	case err != nil:
		return domain.CouponView{}, err
	case outcome == outcomeStale:
		return domain.CouponView{}, taken
	}
	view, err := s.Coupon(ctx, c.ID)
	return view, begun(err)
}

func isNotFound(err error) bool {
	_, ok := errors.AsType[*domain.NotFoundError](err)
	return ok
}

// Coupon returns a coupon, also a deleted one.
func (s *Store) Coupon(ctx context.Context, id domain.CouponID) (domain.CouponView, error) {
	st, err := s.read(ctx, subject{coupon: id})
	if err != nil {
		return domain.CouponView{}, err
	}
	return couponView(st.Coupon, s.now()), nil
}

// UpdateCoupon changes the configuration of a coupon.
func (s *Store) UpdateCoupon(ctx context.Context, cmd domain.UpdateCoupon) (domain.CouponView, error) {
	return s.changeCoupon(ctx, cmd.ID, cmd.Version, commandRequest{cmd.RequestID, domain.Fingerprint(cmd)}, func(c *domain.CouponSnapshot, now time.Time) (bool, error) {
		if c.Deleted {
			return false, &domain.DeletedError{Type: domain.CouponResource, Name: c.ID.String()}
		}
		var v domain.Violations
		cmd.CheckAgainst(&c.Coupon, &v, "coupon.")
		c.Coupon = cmd.Apply(c.Coupon, now)
		return true, v.Err()
	})
}

// DeleteCoupon ends a coupon.
func (s *Store) DeleteCoupon(ctx context.Context, cmd domain.DeleteCoupon) (domain.CouponView, error) {
	return s.changeCoupon(ctx, cmd.ID, cmd.Version, commandRequest{cmd.RequestID, domain.Fingerprint(cmd)}, func(c *domain.CouponSnapshot, now time.Time) (bool, error) {
		if c.Deleted {
			return false, nil
		}
		c.Deleted, c.UpdateTime = true, now
		return true, nil
	})
}

// changeCoupon reads a coupon, lets change decide, and writes what came of it if
// nobody else has written meanwhile. version, unless 0, is the only one that may
// be changed. change reports whether there is anything to write.
func (s *Store) changeCoupon(
	ctx context.Context, id domain.CouponID, version int64, req commandRequest,
	change func(*domain.CouponSnapshot, time.Time) (bool, error),
) (domain.CouponView, error) {
	for range attempts {
		st, err := s.read(ctx, subject{coupon: id, command: req})
		switch {
		case err != nil:
			return domain.CouponView{}, err
		case st.reused != nil:
			return domain.CouponView{}, st.reused
		case st.done != nil:
			return confirmCommand(ctx, s, id, req, couponView(st.Coupon, s.now()))
		}
		c := st.Coupon
		write, err := change(&c, s.now())
		switch {
		case err != nil:
			return domain.CouponView{}, err
		case !write:
			return couponView(st.Coupon, s.now()), s.noteCommand(ctx, id, req, "")
		case version != 0 && version != st.Coupon.Version:
			return domain.CouponView{}, domain.ErrAborted
		}
		outcome, err := s.putCoupon(ctx, c, req)
		if err != nil {
			return domain.CouponView{}, err
		}
		if outcome != outcomeStale {
			view, err := s.Coupon(ctx, id)
			return view, begun(err)
		}
	}
	return domain.CouponView{}, domain.ErrAborted
}

// putCoupon writes c over its version c.Version. The outcome is ok, stale, or
// replay.
func (s *Store) putCoupon(ctx context.Context, c domain.CouponSnapshot, req commandRequest) (string, error) {
	state := "A"
	if c.Deleted {
		state = "D"
	}
	args := []any{
		c.Version, definitionText(c.Coupon, s.token()), state, limitText(c.MaxRedemptions), limitText(c.MaxRedemptionsPerCustomer),
		millis(c.RedeemBy), requestKey(req.id), req.fingerprint,
	}
	for _, b := range c.Budgets {
		args = append(args, string(b.Limit.Currency), b.Limit.AmountMinor, len(b.Products) > 0)
	}
	r, err := s.run(ctx, couponPut, []string{s.keys.head(c.ID), s.keys.definition(c.ID), s.keys.commands(c.ID)}, args...)
	switch {
	case err != nil:
	case r.outcome == outcomeReused:
		err = domain.ErrRequestIDReused
	case r.outcome == outcomeStale:
		err = r.overtaken(req.id)
	}
	return r.outcome, err
}

// commandRequest identifies one command of CouponService. An empty id identifies
// none.
type commandRequest struct{ id, fingerprint string }

// doneCommand is a command of CouponService that was carried out before.
type doneCommand struct { //nolint:errname // it travels as an error and is a success
	code domain.PromotionCodeID // that it made or changed, if any
}

func (doneCommand) Error() string { return "the command was carried out before" }

// done reads what the scripts remember of the command with the id of r: that it
// was r, or ErrRequestIDReused.
func (r commandRequest) done(remembered string) (*doneCommand, error) {
	fingerprint, code, _ := strings.Cut(remembered, " ")
	if fingerprint != r.fingerprint {
		return nil, domain.ErrRequestIDReused
	}
	return &doneCommand{code: domain.PromotionCodeID(code)}, nil
}

// noteCommand uses a request id up for a command that had nothing to change. It
// fails with ErrRequestIDReused when another command has used it meanwhile.
func (s *Store) noteCommand(ctx context.Context, c domain.CouponID, req commandRequest, code domain.PromotionCodeID) error {
	if req.id == "" {
		return s.confirm(ctx, s.keys.head(c), "v")
	}
	r, err := s.run(ctx, commandNote, []string{s.keys.commands(c)}, requestKey(req.id), req.fingerprint, string(code))
	if err == nil && r.outcome == outcomeReused {
		err = domain.ErrRequestIDReused
	}
	return err
}
