// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"context"
	"strings"

	"github.com/discountd/discountd/domain"
)

// resolution is who a code leads to for one customer: the holder of the code, or
// the last one that held it, or nobody.
type resolution struct {
	// name is empty when the code leads to nobody; reason then says why.
	name   domain.PromotionCodeName
	reason domain.Reason
	// token is the one that the claim names, when name holds the code.
	token string
	// forEveryone is whether name holds the code whoever asks, and the code was
	// never bound to a customer.
	forEveryone bool
	// twin is the form by which the code would be held in the other space.
	twin string
	// former are other promotion codes that held the code before. A request whose
	// first try met one of them finds its redemption there.
	former []domain.PromotionCodeName
}

// resolve looks a code up for a customer: the customer's own before the one for
// everybody, those that hold it before those that held it.
func (s *Store) resolve(ctx context.Context, form string, who []domain.Identity) (resolution, error) {
	fields := make([]string, 0, 4)
	for _, id := range who {
		fields = append(fields, form+" "+string(id))
	}
	fields = append(fields, form, form+" #")
	var values []any
	err := s.again(ctx, func() error {
		var err error
		values, err = s.client.HMGet(ctx, s.keys.claims(form), fields...).Result()
		return err
	})
	if err != nil {
		return resolution{}, readError(ctx, err)
	}
	text := func(i int) string { t, _ := values[i].(string); return t }

	var res, lastOwn, lastOfAll resolution
	ownHeld := 0
	for i := range len(fields) - 1 {
		e := parseEntry(fields[i], text(i))
		own := i < len(who)
		if e.owner.name.ID != "" {
			if own {
				ownHeld++
			}
			if res.name.ID == "" {
				res.name, res.token = e.owner.name, e.owner.token
			} else {
				res.former = append(res.former, e.owner.name)
			}
		} else if len(e.formers) > 0 {
			if last := (resolution{name: e.formers[0]}); own && lastOwn.name.ID == "" {
				lastOwn = last
			} else if !own {
				lastOfAll = last
			}
		}
		res.former = append(res.former, e.formers...)
	}
	switch {
	case res.name.ID != "":
		res.forEveryone = text(len(fields)-1) == ""
	case lastOwn.name.ID != "":
		res.name = lastOwn.name
	case heldBound(text(len(fields)-1)) > ownHeld:
		res.reason = domain.CustomerMismatch
		if len(who) == 0 {
			res.reason = domain.CustomerRequired
		}
	case lastOfAll.name.ID != "":
		res.name = lastOfAll.name
	default:
		res.reason = domain.CodeNotFound
	}
	return res, nil
}

// heldBound is how many promotion codes that are bound to customers hold a form,
// from the field in which the scripts keep it.
func heldBound(text string) int {
	_, held, _ := strings.Cut(text, ",")
	var n numbers
	if held == "" {
		return 0
	}
	return int(n.parse(held))
}
