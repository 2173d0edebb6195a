// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/discountd/discountd/domain"
)

// A list that crosses slots is a sorted set of entries that sort by time: twelve
// hexadecimal digits of milliseconds, a colon, and what is listed. Entries are
// written before what they name and never removed: one that names nothing, or
// something created at another time, is passed over.

func listEntry(t time.Time, what string) string {
	return fmt.Sprintf("%012x:%s", t.UnixMilli(), what)
}

// enter puts an entry into a list. Its outcome is never unknown: an entry alone
// has no effect.
func (s *Store) enter(ctx context.Context, list, entry string) error {
	return readError(ctx, s.again(ctx, func() error {
		return s.client.ZAdd(ctx, list, redis.Z{Member: entry}).Err()
	}))
}

// splitEntry returns the parts of an entry.
func splitEntry(e string) (time.Time, string, bool) {
	digits, what, ok := strings.Cut(e, ":")
	ms, err := strconv.ParseInt(digits, 16, 64)
	return time.UnixMilli(ms).UTC(), what, ok && err == nil
}

// entriesBefore returns the last entries of the given lists before one, or the
// very last ones, from the latest on: at most n.
func (s *Store) entriesBefore(ctx context.Context, lists []string, before string, n int) ([]string, error) {
	last := "+"
	if before != "" {
		last = "(" + before
	}
	var parts []*redis.StringSliceCmd
	err := s.again(ctx, func() error {
		parts = parts[:0]
		_, err := s.client.Pipelined(ctx, func(p redis.Pipeliner) error {
			for _, key := range lists {
				parts = append(parts, p.ZRevRangeByLex(ctx, key, &redis.ZRangeBy{Max: last, Min: "-", Count: int64(n)}))
			}
			return nil
		})
		return err
	})
	if err != nil {
		return nil, readError(ctx, err)
	}
	var all []string
	for _, p := range parts {
		all = append(all, p.Val()...)
	}
	slices.SortFunc(all, func(a, b string) int { return strings.Compare(b, a) })
	return all[:min(n, len(all))], nil
}

// Coupons lists coupons, newest first.
func (s *Store) Coupons(ctx context.Context, q domain.CouponQuery) (domain.Listing[domain.CouponView], error) {
	var out domain.Listing[domain.CouponView]
	if q.Token != "" {
		if _, _, ok := splitEntry(q.Token); !ok {
			return out, errPageToken()
		}
	}
	var lists []string
	for shard := range uint32(couponShards) {
		lists = append(lists, s.keys.couponList(shard))
	}
	entries, err := s.entriesBefore(ctx, lists, q.Token, q.Size)
	if err != nil {
		return out, err
	}
	var ids []domain.CouponID
	for _, e := range entries {
		_, id, _ := splitEntry(e)
		ids = append(ids, domain.CouponID(id))
	}
	coupons, err := s.readCoupons(ctx, ids)
	if err != nil {
		return out, err
	}
	now := s.now()
	for i, e := range entries {
		created, _, _ := splitEntry(e)
		if c := coupons[i]; c != nil && c.CreateTime.Equal(created) && (q.ShowDeleted || !c.Deleted) {
			out.Items = append(out.Items, couponView(*c, now))
		}
	}
	if len(entries) == q.Size {
		out.Next = entries[len(entries)-1]
	}
	return out, nil
}

// readCoupons reads many coupons in one go; one that does not exist is nil.
// Reservations whose time is over do not count in them.
func (s *Store) readCoupons(ctx context.Context, ids []domain.CouponID) ([]*domain.CouponSnapshot, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	heads, texts := make([]*redis.MapStringStringCmd, len(ids)), make([]*redis.StringCmd, len(ids))
	err := s.again(ctx, func() error {
		cmds, err := s.client.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i, id := range ids {
				heads[i] = p.HGetAll(ctx, s.keys.head(id))
				texts[i] = p.Get(ctx, s.keys.definition(id))
			}
			return nil
		})
		if !errors.Is(err, redis.Nil) {
			return err
		}
		// One that does not exist must not hide that another could not be read.
		for _, cmd := range cmds {
			if err := cmd.Err(); err != nil && !errors.Is(err, redis.Nil) {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, readError(ctx, err)
	}
	out, now := make([]*domain.CouponSnapshot, len(ids)), s.now().UnixMilli()
	for i := range ids {
		if errors.Is(texts[i].Err(), redis.Nil) {
			continue
		}
		if due, err := strconv.ParseInt(heads[i].Val()["d"], 10, 64); err == nil && due <= now {
			st, err := s.read(ctx, subject{coupon: ids[i]})
			if err != nil {
				return nil, err
			}
			out[i] = &st.Coupon
			continue
		}
		c, err := parseCoupon(ids[i], heads[i].Val(), texts[i].Val())
		if err != nil {
			return nil, err
		}
		out[i] = c
	}
	return out, nil
}

// PromotionCodes lists promotion codes: those of one coupon in the order of their
// buckets, or those of any coupon that hold or held a code or are bound to a
// customer.
func (s *Store) PromotionCodes(ctx context.Context, q domain.PromotionCodeQuery) (domain.Listing[domain.PromotionCodeView], error) {
	switch {
	case q.Coupon != "":
		return s.promotionCodesOfCoupon(ctx, q)
	case q.CustomerID != "":
		return s.promotionCodesOfCustomer(ctx, q)
	default:
		return s.promotionCodesWithCode(ctx, q)
	}
}

// bucketsPerCall bounds how many buckets one call reads when a filter matches
// little.
const bucketsPerCall = 16

func (s *Store) promotionCodesOfCoupon(ctx context.Context, q domain.PromotionCodeQuery) (domain.Listing[domain.PromotionCodeView], error) {
	var out domain.Listing[domain.PromotionCodeView]
	st, err := s.read(ctx, subject{coupon: q.Coupon})
	if err != nil {
		return out, err
	}
	// The token is the last promotion code of the page before; one that was never
	// generated stands for the beginning of its bucket.
	last := domain.PromotionCodeID(q.Token)
	if q.Token != "" && !last.Valid() {
		return out, errPageToken()
	}
	bucket := int64(0)
	if q.Token != "" {
		bucket = last.BucketNumber()
	}
	// Servers that read the count at once may fill a bucket past its size, never
	// one beyond the last.
	for end := min(st.created/codesPerBucket, bucket+bucketsPerCall-1); bucket <= end; bucket++ {
		codes, err := s.readBucket(ctx, q.Coupon, bucket)
		if err != nil {
			return out, err
		}
		seen := slices.IndexFunc(codes, func(p domain.PromotionCodeView) bool { return p.Name.ID == last })
		for _, p := range codes[seen+1:] {
			if !q.Matches(&p.PromotionCodeSnapshot, p.Status) {
				continue
			}
			if len(out.Items) == q.Size {
				out.Next = string(out.Items[q.Size-1].Name.ID)
				return out, nil
			}
			out.Items = append(out.Items, p)
		}
	}
	if bucket <= st.created/codesPerBucket {
		out.Next = string(domain.FirstPromotionCodeID(bucket))
	}
	return out, nil
}

// readBucket returns the promotion codes of one bucket in the order of their
// creation.
func (s *Store) readBucket(ctx context.Context, coupon domain.CouponID, number int64) ([]domain.PromotionCodeView, error) {
	bucket := domain.FirstPromotionCodeID(number).Bucket()
	r, err := s.ask(ctx, promotionList, []string{
		s.keys.head(coupon), s.keys.definition(coupon), s.keys.promotions(coupon, bucket),
	})
	if err != nil || r.outcome == outcomeAbsent {
		return nil, err
	}
	var n numbers
	const fixed = 2
	codes := fixed + n.parse(r.values[1])
	c, err := parseCoupon(coupon, headFields(r.values[fixed:codes]), r.values[0])
	if err != nil || c == nil {
		return nil, err
	}
	now := s.now()
	var out []domain.PromotionCodeView
	for v := range slices.Chunk(r.values[codes:], 2) {
		stored := readCode(v[1])
		if stored.definition == "" {
			continue
		}
		p, err := stored.snapshot(domain.PromotionCodeName{Coupon: coupon, ID: domain.PromotionCodeID(bucket + v[0])})
		if err != nil {
			return nil, err
		}
		if neverWas(p) {
			continue
		}
		out = append(out, domain.PromotionCodeView{PromotionCodeSnapshot: *p, Status: p.Status(c, now)})
	}
	slices.SortFunc(out, func(a, b domain.PromotionCodeView) int {
		return cmp.Or(a.CreateTime.Compare(b.CreateTime), strings.Compare(string(a.Name.ID), string(b.Name.ID)))
	})
	return out, nil
}

func (s *Store) promotionCodesOfCustomer(ctx context.Context, q domain.PromotionCodeQuery) (domain.Listing[domain.PromotionCodeView], error) {
	var out domain.Listing[domain.PromotionCodeView]
	if q.Token != "" {
		if _, _, ok := splitEntry(q.Token); !ok {
			return out, errPageToken()
		}
	}
	list := s.keys.boundList(domain.IdentityOfID(q.CustomerID))
	entries, err := s.entriesBefore(ctx, []string{list}, q.Token, q.Size)
	if err != nil {
		return out, err
	}
	var names []domain.PromotionCodeName
	for _, e := range entries {
		_, what, _ := splitEntry(e)
		c, p, _ := strings.Cut(what, "/")
		names = append(names, domain.PromotionCodeName{Coupon: domain.CouponID(c), ID: domain.PromotionCodeID(p)})
	}
	if out.Items, err = s.readMatching(ctx, q, names); err != nil {
		return out, err
	}
	if len(entries) == q.Size {
		out.Next = entries[len(entries)-1]
	}
	return out, nil
}

// promotionCodesWithCode lists those that hold a code and those that held it, in
// this order. It is one page however long.
func (s *Store) promotionCodesWithCode(ctx context.Context, q domain.PromotionCodeQuery) (domain.Listing[domain.PromotionCodeView], error) {
	var out domain.Listing[domain.PromotionCodeView]
	r, err := s.ask(ctx, claimRead, []string{s.keys.claims(q.Code.Form())}, q.Code.Form(), "")
	if err != nil {
		return out, err
	}
	// One that holds a code again is among those that held it, too.
	var holders, formers []domain.PromotionCodeName
	for pair := range slices.Chunk(r.values, 2) {
		e := parseEntry(pair[0], pair[1])
		if e.owner.name.ID != "" {
			holders = append(holders, e.owner.name)
		}
		formers = append(formers, e.formers...)
	}
	var all []domain.PromotionCodeName
	seen := map[domain.PromotionCodeName]bool{}
	for _, name := range append(holders, formers...) {
		if !seen[name] {
			seen[name] = true
			all = append(all, name)
		}
	}
	start := 0
	if q.Token != "" {
		if start, err = strconv.Atoi(q.Token); err != nil || start < 0 || start > len(all) {
			return out, errPageToken()
		}
	}
	end := min(start+q.Size, len(all))
	if out.Items, err = s.readMatching(ctx, q, all[start:end]); err != nil {
		return out, err
	}
	if end < len(all) {
		out.Next = strconv.Itoa(end)
	}
	return out, nil
}

// readMatching reads promotion codes by name and keeps those that a query asks
// for.
func (s *Store) readMatching(ctx context.Context, q domain.PromotionCodeQuery, names []domain.PromotionCodeName) ([]domain.PromotionCodeView, error) {
	var out []domain.PromotionCodeView
	for _, name := range names {
		view, err := s.PromotionCode(ctx, name)
		switch {
		case isNotFound(err):
			continue
		case err != nil:
			return nil, err
		case !neverWas(&view.PromotionCodeSnapshot) && q.Matches(&view.PromotionCodeSnapshot, view.Status):
			out = append(out, view)
		}
	}
	return out, nil
}
