// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"
	"time"

	"github.com/discountd/discountd/domain"
)

// A subscription has at most one discount, and coupons that want it are in slots of
// their own. So a redemption for a subscription claims it first, in a bucket like
// those of codes and by the same scripts:
//
//  1. Claim: whoever the bucket names is asked, in its own slot, what became of it.
//     One compare-and-set then puts (coupon, request, token) into the bucket.
//  2. Redeem: the redemption is made, if nobody has declared the token dead.
//
// An entry counts while its request has made a redemption whose discount has not
// ended. One whose request has made nothing yet is left alone for claimGrace; after
// that whoever wants the subscription declares its token dead, in the slot where it
// would redeem, and takes the entry over. A refused redemption does the same with its
// own claim. So at most one request can redeem at any time, whatever crashes or comes
// late; clocks that differ only make someone try again.

// claimGrace is how long a claim without a redemption keeps others away: more than a
// redemption takes, less than anyone waits after a crash.
const claimGrace = 2 * time.Second

// subscription is what was read of the claim to one.
type subscription struct {
	form string
	// entry is the claim as it was read, for comparing; owner its owner, if any.
	entry entry
	owner owner
	// made is whether the owner's request has made a redemption, for any
	// subscription; holder is that redemption while this subscription has its
	// discount.
	made   bool
	holder domain.RedemptionName
	// open is whether the owner may still make one.
	open bool
}

// subscriptionForm stands for the id of a subscription in the keys of claims.
func subscriptionForm(id string) string {
	sum := sha256.Sum256([]byte(id))
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}

// subscriber names a request about a coupon as the owner of a claim.
func subscriber(c domain.CouponID, request string) domain.PromotionCodeName {
	key := base64.RawURLEncoding.EncodeToString([]byte(requestKey(request)))
	return domain.PromotionCodeName{Coupon: c, ID: domain.PromotionCodeID(key)}
}

// readSubscription reads who has claimed a subscription, and what became of that. A
// reservation that is due is ended on the way.
func (s *Store) readSubscription(ctx context.Context, id string) (*subscription, error) {
	out := &subscription{form: subscriptionForm(id)}
	r, err := s.ask(ctx, claimRead, []string{s.keys.subscriptionClaims(out.form)}, out.form, "")
	if err != nil {
		return nil, err
	}
	out.entry = parseEntry(r.values[0], r.values[1])
	out.owner = out.entry.owner
	if out.owner.name.ID == "" {
		return out, nil
	}
	for {
		made, outcome, err := s.probeClaim(ctx, out.owner, "probe")
		if err != nil {
			return nil, err
		}
		out.made, out.open = made != nil, outcome == outcomeAbsent
		if made == nil {
			return out, nil
		}
		now := s.now()
		if made.State == domain.RedemptionReserved && made.Effective(now).State == domain.RedemptionExpired {
			// Until its record says so, a server whose clock is behind could commit it.
			if err := s.expireHolds(ctx, out.owner.name.Coupon, now); err != nil {
				return nil, err
			}
			continue
		}
		if made.HoldsSubscription(now) && made.Subscription.SubscriptionID == id {
			out.holder = made.Name
		}
		return out, nil
	}
}

// probeClaim returns the redemption that the owner of a claim has made, or nil and
// whether its token is dead: fenced.
func (s *Store) probeClaim(ctx context.Context, o owner, mode string) (*domain.Redemption, string, error) {
	key, err := base64.RawURLEncoding.DecodeString(string(o.name.ID))
	if err != nil {
		return nil, "", err
	}
	c := o.name.Coupon
	send := s.run
	if mode == "probe" {
		send = s.ask // it only reads
	}
	r, err := send(ctx, subscriptionProbe,
		[]string{s.keys.requests(c), s.keys.ledger(c), s.keys.subscriptions(c)},
		string(key), o.token, ledgerPageSize, mode)
	if err != nil || r.outcome != "made" {
		return nil, r.outcome, err
	}
	var n numbers
	position := n.parse(r.values[0])
	if n.err != nil {
		return nil, "", n.err
	}
	made, err := parseRecord(c, position, r.values[1])
	return made, r.outcome, err
}

// claimSubscription claims a subscription that has no discount for a request about a
// coupon and returns the token to redeem with. It reports false when another request
// was there at the same time.
func (s *Store) claimSubscription(ctx context.Context, sub *subscription, c domain.CouponID, request string) (string, bool, error) {
	self := subscriber(c, request)
	if sub.open {
		if sub.owner.name == self {
			return sub.owner.token, true, nil // an earlier try of this request
		}
		if s.now().Sub(claimedAt(sub.owner.token)) < claimGrace {
			return "", false, nil
		}
		if _, outcome, err := s.probeClaim(ctx, sub.owner, "fence"); err != nil || outcome != "fenced" {
			return "", false, err
		}
	}
	token := instant(s.now()) + "." + s.token()
	const noLimit = 1 // of identities, which claims to subscriptions have none of
	r, err := s.run(ctx, claimTake, []string{s.keys.subscriptionClaims(sub.form)},
		sub.form, "", owner{self, token}.String(), noLimit, sub.entry.field, sub.entry.value)
	if sub.open {
		err = begun(err) // another's token has been declared dead
	}
	return token, r.outcome == outcomeOK, err
}

// claimedAt is when a claim was made, by the clock of who made it.
func claimedAt(token string) time.Time {
	at, _, _ := strings.Cut(token, ".")
	var n numbers
	return n.instant(at)
}

// dropClaim gives a claim up after a refusal. A failure is not told: the refusal
// stands, and the claim ends by itself.
func (s *Store) dropClaim(ctx context.Context, form string, o owner) {
	if _, outcome, err := s.probeClaim(ctx, o, "fence"); err != nil || outcome != "fenced" {
		return
	}
	_, _ = s.run(ctx, claimRelease, []string{s.keys.subscriptionClaims(form)}, form, "", o.String())
}

// tookNothing reports whether an error says for certain that no redemption was made.
func tookNothing(err error) bool {
	_, refused := errors.AsType[*domain.RefusedError](err)
	return refused || errors.Is(err, domain.ErrRequestIDReused)
}
