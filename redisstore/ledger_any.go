// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/discountd/discountd/domain"
)

// couponsPerCall is how many coupons one call looks through for the redemptions of
// any coupon.
const couponsPerCall = 256

// redemptionsOfAny lists redemptions of all coupons: the newest coupon first, each
// in the order of its ledger. A coupon that none of the customer's identities has
// ever used is passed over without reading its ledger.
//
// A token is the entry of a coupon in the list of coupons and how far its ledger
// was read; nothing behind the last coupon that was read to its end.
func (s *Store) redemptionsOfAny(ctx context.Context, q domain.RedemptionQuery) (domain.Listing[domain.Redemption], error) {
	var out domain.Listing[domain.Redemption]
	entry, after, within := strings.Cut(q.Token, "|")
	if q.Token != "" {
		if _, _, ok := splitEntry(entry); !ok {
			return out, errPageToken()
		}
	}
	read := 0
	if within {
		done, err := s.addRedemptions(ctx, &out, q, entry, after, &read)
		if err != nil || !done {
			return out, err
		}
	}
	var lists []string
	for shard := range uint32(couponShards) {
		lists = append(lists, s.keys.couponList(shard))
	}
	entries, err := s.entriesBefore(ctx, lists, entry, couponsPerCall)
	if err != nil {
		return out, err
	}
	used, err := s.usedBy(ctx, entries, domain.Customer{ID: q.CustomerID, EmailHash: q.EmailHash}.Identities())
	if err != nil {
		return out, err
	}
	for i, e := range entries {
		if len(out.Items) == q.Size || read >= couponsPerCall {
			out.Next = entry
			return out, nil
		}
		if used[i] {
			done, err := s.addRedemptions(ctx, &out, q, e, "", &read)
			if err != nil || !done {
				return out, err
			}
		}
		entry = e
	}
	if len(entries) == couponsPerCall {
		out.Next = entry
	}
	return out, nil
}

// addRedemptions adds what it finds in the ledger of one coupon, and reports
// whether it was read to its end; else out.Next goes on there. It counts the
// round trips.
func (s *Store) addRedemptions(ctx context.Context, out *domain.Listing[domain.Redemption], q domain.RedemptionQuery, entry, after string, read *int) (done bool, err error) {
	created, coupon, _ := splitEntry(entry)
	q.Coupon, q.Size, q.Token = domain.CouponID(coupon), q.Size-len(out.Items), after
	*read += 2
	l, err := s.redemptionsOf(ctx, q)
	if _, absent := errors.AsType[*domain.NotFoundError](err); absent {
		return true, nil // a creation that never came to an end
	}
	if err != nil {
		return false, err
	}
	if !l.couponCreated.Equal(created) {
		return true, nil // the entry of an earlier attempt to create it
	}
	out.Items = append(out.Items, l.Items...)
	if l.Next != "" {
		out.Next = entry + "|" + l.Next
	}
	return l.Next == "", nil
}

// usedBy reports of each coupon of a list whether one of some identities may have
// used it; without identities every coupon may have been.
func (s *Store) usedBy(ctx context.Context, entries []string, who []domain.Identity) ([]bool, error) {
	used := slices.Repeat([]bool{len(who) == 0}, len(entries))
	if len(who) == 0 || len(entries) == 0 {
		return used, nil
	}
	fields := make([]string, len(who))
	for i, id := range who {
		fields[i] = string(id)
	}
	counts := make([]*redis.SliceCmd, len(entries))
	err := s.again(ctx, func() error {
		_, err := s.client.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i, e := range entries {
				_, coupon, _ := splitEntry(e)
				counts[i] = p.HMGet(ctx, s.keys.customers(domain.CouponID(coupon)), fields...)
			}
			return nil
		})
		return err
	})
	if err != nil {
		return nil, readError(ctx, err)
	}
	for i, c := range counts {
		used[i] = slices.ContainsFunc(c.Val(), func(v any) bool { return v != nil })
	}
	return used, nil
}

// positionAfter reads the token of a ledger's page: the last position read.
func positionAfter(token string) (int64, error) {
	if token == "" {
		return 1, nil
	}
	n, err := strconv.ParseInt(token, 10, 64)
	if err != nil || n < 1 {
		return 0, errPageToken()
	}
	return n + 1, nil
}

func errPageToken() error {
	var v domain.Violations
	v.Add("page_token", "is not one that this list returned")
	return v.Err()
}
