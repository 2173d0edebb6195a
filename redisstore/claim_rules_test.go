// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"errors"
	"fmt"
	"strings"

	"github.com/discountd/discountd/domain"
)

// What must hold of the claim protocol. Each rule returns what is wrong, "" if
// nothing.

// violation is what must never be in a store, at whatever instant.
func (w *world) violation() string {
	for i, a := range w.codes {
		for _, b := range w.codes[:i] {
			if a.state == byte(domain.PromotionActive) && b.state == a.state && inConflict(a.p, b.p) {
				return fmt.Sprintf("%s and %s are both ACTIVE with one code", b.name, a.name)
			}
		}
	}
	return w.countViolation()
}

func inConflict(a, b *domain.PromotionCodeSnapshot) bool {
	if a.Card == nil && b.Card != nil {
		return hashOf(a.Code.String()).Form() == b.Code.Form()
	}
	if a.Card != nil && b.Card == nil {
		return inConflict(b, a)
	}
	return a.Code.Form() == b.Code.Form() && (a.Scope() == b.Scope() || a.Scope() == "" || b.Scope() == "")
}

// countViolation holds what a bucket says about the bound claims of a form
// against the claims themselves.
func (w *world) countViolation() string {
	fields, held := map[string]int{}, map[string]int{}
	for field, value := range w.claims {
		form, scope, bound := strings.Cut(field, " ")
		if !bound || scope == "#" {
			continue
		}
		fields[form]++
		if parseEntry(field, value).owner.name.ID != "" {
			held[form]++
		}
	}
	for form := range fields {
		if got, want := w.claims[form+" #"], fmt.Sprintf("%d,%d", fields[form], held[form]); got != want {
			return fmt.Sprintf("the bucket counts %s bound claims to %s, there are %s", got, form, want)
		}
	}
	return ""
}

// stepViolation is what must never happen from one instant to the next.
func stepViolation(before, after *world) string {
	for i := range before.codes {
		was := &before.codes[i]
		is := after.code(was.number)
		switch {
		case is == nil:
			return fmt.Sprintf("%s is gone", was.name)
		case terminal(was) && (is.state != was.state || is.token != was.token):
			return fmt.Sprintf("%s left the terminal state %c", was.name, was.state)
		case is.state != was.state && is.version <= was.version:
			return fmt.Sprintf("%s changed from %c to %c under the version %d", was.name, was.state, is.state, is.version)
		case is.redeemed != was.redeemed && was.state != byte(domain.PromotionActive):
			return fmt.Sprintf("%s was redeemed while %c", was.name, was.state)
		case is.state == was.state || is.state != byte(domain.PromotionPending) && is.state != byte(domain.PromotionInactive):
		case is.token == was.token:
			return fmt.Sprintf("%s went from %c to %c with its old token", was.name, was.state, is.state)
		}
	}
	return ""
}

func terminal(c *simCode) bool {
	return c.state == byte(domain.PromotionSuperseded) || c.state == byte(domain.PromotionDeleted)
}

// opened and retired are the codes that a step has made PENDING, or taken out of
// use by hand.
func opened(before, after *world) uint64 {
	var out uint64
	for i := range after.codes {
		is := &after.codes[i]
		if was := before.code(is.number); is.state == byte(domain.PromotionPending) && (was == nil || was.token != is.token) {
			out |= 1 << is.number
		}
	}
	return out
}

func retired(before, after *world) uint64 {
	var out uint64
	for i := range after.codes {
		is := &after.codes[i]
		if is.state != byte(domain.PromotionInactive) && is.state != byte(domain.PromotionDeleted) {
			continue
		}
		if was := before.code(is.number); was == nil || was.token != is.token {
			out |= 1 << is.number
		}
	}
	return out
}

// alive are the codes that are PENDING or ACTIVE.
func (w *world) alive() uint64 {
	out := w.active
	for _, c := range w.codes {
		if c.state == byte(domain.PromotionPending) {
			out |= 1 << c.number
		}
	}
	return out
}

// answerViolation is what no call may return.
func answerViolation(c *clientCall, err error, sawActive bool) string {
	switch {
	case err == nil && (c.kind == creates || c.kind == activates) && !sawActive:
		return "acknowledged, but it was never ACTIVE since the call began"
	case err == nil, errors.Is(err, domain.ErrAborted), isRefusal(err):
		return ""
	default:
		return "returned " + err.Error()
	}
}

func isRefusal(err error) bool {
	return isError[*domain.AlreadyExistsError](err) || isError[*domain.RefusedError](err) || isError[*domain.DeletedError](err) ||
		isError[*domain.NotFoundError](err)
}

// loneViolation is what may not come of a call that is made alone, after all
// others have stopped wherever they were: it must get what it wants, or somebody
// must hold the code by right.
func (s *sim) loneViolation(c *clientCall, n *node, end *world, clock int8) string {
	var held *domain.AlreadyExistsError
	switch {
	case n.err == nil:
		return s.loneSuccessViolation(c, n, end)
	case errors.As(n.err, &held):
		for i := range end.codes {
			h := &end.codes[i]
			if h.name.String() == held.Name {
				if h.state != byte(domain.PromotionActive) {
					return fmt.Sprintf("refused for the sake of %s, which is %c", h.name, h.state)
				}
				if len(h.p.Fit(h.coupon, simTime(clock))) > 0 {
					return fmt.Sprintf("refused for the sake of %s, which can never be redeemed again", h.name)
				}
				return ""
			}
		}
		return "refused for the sake of " + held.Name + ", which does not exist"
	case isRefusal(n.err) && c.kind != creates && unredeemable(end.code(s.number(c.target)), clock):
		return ""
	case isRefusal(n.err) && c.kind == other:
		return ""
	default:
		return "returned " + n.err.Error()
	}
}

func (s *sim) loneSuccessViolation(c *clientCall, n *node, end *world) string {
	view, ok := n.value.(domain.PromotionCodeView)
	if !ok {
		return ""
	}
	is := end.code(s.number(view.Name))
	switch c.kind {
	case creates, activates:
		if is.state == byte(domain.PromotionPending) {
			return fmt.Sprintf("%s was acknowledged and is PENDING", is.name)
		}
	}
	return ""
}

// unredeemable reports whether an activation is refused by right.
func unredeemable(c *simCode, clock int8) bool {
	return c == nil || terminal(c) || len(c.p.Fit(c.coupon, simTime(clock))) > 0
}
