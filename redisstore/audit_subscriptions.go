// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"context"
	"errors"
	"strconv"

	"github.com/redis/go-redis/v9"

	"github.com/discountd/discountd/domain"
)

// subscribed is a redemption whose discount a subscription has, by its record.
type subscribed struct {
	position     int64
	subscription string
	claimant     domain.PromotionCodeName // the owner that the claim must name
}

// noteSubscribed keeps a record for lookUpClaims if its subscription has its
// discount, and will still have it when clocks that are ahead say otherwise.
func (a *couponAudit) noteSubscribed(position int64, r *domain.Redemption) {
	if r.HoldsSubscription(a.store.now().Add(auditMargin)) {
		a.subscribed = append(a.subscribed, subscribed{
			position: position, subscription: r.Subscription.SubscriptionID, claimant: subscriber(a.id, r.RequestID),
		})
	}
}

// lookUpClaims checks that the subscriptions of the records that were read are
// claimed for them. The claim is in another slot, and no moment has both. But what
// no longer is a subscription's discount never is again, and only then the claim
// goes to another: if the claim is another's and the record is afterwards still as
// it was, something is wrong.
func (a *couponAudit) lookUpClaims(ctx context.Context) error {
	for len(a.subscribed) > 0 {
		batch := a.subscribed[:min(len(a.subscribed), ledgerPageSize)]
		claims, err := a.readClaims(ctx, batch)
		if err != nil {
			return err
		}
		for i, s := range batch {
			if parseEntry("", claims[i]).owner.name == s.claimant {
				continue
			}
			if err := a.checkSubscribed(ctx, s, claims[i]); err != nil {
				return err
			}
		}
		a.subscribed = a.subscribed[len(batch):]
	}
	a.subscribed = nil
	return nil
}

// readClaims returns the claims to the subscriptions of some records.
func (a *couponAudit) readClaims(ctx context.Context, batch []subscribed) ([]string, error) {
	values := make([]*redis.StringCmd, len(batch))
	err := a.store.again(ctx, func() error {
		_, err := a.store.client.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i, s := range batch {
				form := subscriptionForm(s.subscription)
				values[i] = p.HGet(ctx, a.store.keys.subscriptionClaims(form), form)
			}
			return nil
		})
		if errors.Is(err, redis.Nil) {
			return nil
		}
		return err
	})
	if err != nil {
		return nil, readError(ctx, err)
	}
	out := make([]string, len(batch))
	for i, v := range values {
		out[i] = v.Val()
	}
	return out, nil
}

// checkSubscribed reads a record again after its claim was found to be another's.
func (a *couponAudit) checkSubscribed(ctx context.Context, s subscribed, claim string) error {
	texts, err := a.list(ctx, a.store.keys.ledgerPage(a.id, (s.position-1)/ledgerPageSize), (s.position-1)%ledgerPageSize, (s.position-1)%ledgerPageSize)
	if err != nil || len(texts) == 0 {
		return err
	}
	r, err := parseRecord(a.id, s.position, texts[0])
	if err != nil || !r.HoldsSubscription(a.store.now().Add(auditMargin)) {
		return nil //nolint:nilerr // a record that cannot be read is told of elsewhere
	}
	stored := ""
	if o := parseEntry("", claim).owner; o.name.ID != "" {
		stored = "held by a request about " + o.name.Coupon.String()
	}
	a.add(&finding{Difference: domain.Difference{
		Kind: domain.DifferenceSubscription, Name: strconv.FormatInt(s.position, 10), Stored: stored, Want: "held for the redemption",
		Reason: "which discount is to stay only its owner can say: end the other",
	}})
	return nil
}
