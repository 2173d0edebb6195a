// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"sync/atomic"
	"time"

	"github.com/discountd/discountd/domain"
)

// Rules are kept in memory, without counters, so that most redemptions read
// nothing before they are decided. What is remembered is never trusted: the
// script compares the versions that were evaluated with those it finds, and says
// stale. So a change of configuration counts from the moment it is made, whichever
// server made it, and nobody has to be told.
//
//   - A coupon's rules are fenced by its version, a promotion code's by its own.
//   - Who holds a code is fenced by the holder's version and token: as long as a
//     promotion code for everyone is ACTIVE with the token of its claim, nobody
//     else can hold its code, and it is given up only after its state, and so its
//     version, has changed. A code that was ever bound to a customer is not
//     remembered: who it leads to depends on who asks.
//   - That there is no such code, or that it is no good, is not remembered: nothing
//     would tell when that changes. A stranger who tries codes fills no memory.
//
// Only an evaluation that says yes is acted upon, and only the script can make
// it an answer. Where remembered rules say no, everything is read: the request may
// have been redeemed before.
//
// A Redis that failed over, or was set back, may have lost a change and reached the
// same version again by another one. So rules are read anew from time to time.
type rules struct {
	clock   func() time.Time
	coupons *cache[domain.CouponID, *couponRules]
	codes   *cache[domain.PromotionCodeName, *codeRules]
	holders *cache[string, *holder]
	// made has, of reservations and what was settled, what never changes. The
	// script compares the request.
	made *cache[domain.RedemptionName, madeFor]
}

// couponRules are a coupon at one version.
type couponRules struct {
	domain.Snapshot // of the coupon applied directly
	read            time.Time
	counts          latest // likewise
	// joined has the promotion code that was used last: a coupon that is used often
	// has one code that is, or many that are used once.
	joined atomic.Pointer[joined]
}

// codeRules are a promotion code that is ACTIVE, at one version.
type codeRules struct {
	domain.PromotionCodeSnapshot
	token  string
	read   time.Time
	counts latest
}

// joined is a coupon and a promotion code of it, ready to be evaluated.
type joined struct {
	code     *codeRules
	snapshot domain.Snapshot
}

// latest has the counters that were read last, if any were.
type latest = atomic.Pointer[counts]

// holder is who holds a code that is for everyone.
type holder struct {
	owner
	// former are the coupons, beside the owner's, that held the code before.
	former []domain.CouponID
}

// madeFor is the request that made a redemption, and for whom.
type madeFor struct {
	request string
	who     [2]domain.Identity
}

func newMadeFor(r *domain.Redemption) madeFor {
	m := madeFor{request: r.RequestID}
	copy(m.who[:], r.Identities())
	return m
}

// What a value takes in memory is estimated: its texts as they are stored, several
// times for what they are parsed into, and what every entry takes, that of a coupon
// with a promotion code beside it.
const (
	parsedBytes = 3
	entryBytes  = 512
	joinedBytes = 768
)

// rulesAge is how long rules are believed without being read again.
const rulesAge = time.Minute

func newRules(bytes int64, clock func() time.Time) *rules {
	return &rules{
		clock:   clock,
		coupons: newCache[domain.CouponID, *couponRules](bytes / 4),
		codes:   newCache[domain.PromotionCodeName, *codeRules](bytes / 4),
		holders: newCache[string, *holder](bytes / 4),
		made:    newCache[domain.RedemptionName, madeFor](bytes / 4),
	}
}

// recalled is what is remembered of a source.
type recalled struct {
	coupon *couponRules
	code   *codeRules // nil when the coupon is applied directly
	former []domain.CouponID
}

// recall returns what is remembered of a source, or false.
func (r *rules) recall(source domain.Source) (recalled, bool) {
	var out recalled
	if r == nil {
		return out, false
	}
	now := r.clock()
	coupon, name, token := source.Coupon, source.PromotionCode, ""
	if coupon == "" && name.ID == "" {
		code, err := domain.ParseCode(source.Code)
		if err != nil {
			return out, false
		}
		h, ok := r.holders.get(code.Form())
		if !ok {
			return out, false
		}
		name, token, out.former = h.name, h.token, h.former
	}
	if name.ID != "" {
		var ok bool
		if out.code, ok = r.codes.get(name); !ok || !believed(out.code.read, now) || token != "" && out.code.token != token {
			return out, false
		}
		coupon = name.Coupon
	}
	var ok bool
	out.coupon, ok = r.coupons.get(coupon)
	return out, ok && believed(out.coupon.read, now)
}

// recallFor returns what is remembered of a request's source, where rules and counts
// of uses are all that decides: not so of a gift card, for its balance, nor of a
// subscription, which may have another discount.
func (r *rules) recallFor(q *domain.ValidateRequest) (recalled, bool) {
	if q.SubscriptionID != "" {
		return recalled{}, false
	}
	known, ok := r.recall(q.Source)
	return known, ok && known.coupon.Coupon.Discount.GiftCards == nil
}

// fresh reports whether rules that were read then are still believed.
func (r *rules) fresh(read time.Time) bool { return believed(read, r.clock()) }

func believed(read, now time.Time) bool {
	age := now.Sub(read)
	return age >= 0 && age < rulesAge
}

// rules returns the rules, with counters that read zero. They are everybody's and not
// to be changed: a copy for each call would be most of the memory that a call takes.
func (c *recalled) rules() *domain.Snapshot {
	if c.code == nil {
		return &c.coupon.Snapshot
	}
	j := c.coupon.joined.Load()
	if j == nil || j.code != c.code {
		j = &joined{code: c.code}
		j.snapshot.Coupon = c.coupon.Coupon
		j.snapshot.PromotionCode = &c.code.PromotionCodeSnapshot
		c.coupon.joined.Store(j)
	}
	return &j.snapshot
}

// snapshot returns the rules as the caller's own, to be filled with counters. Inlined,
// it would take a kilobyte of the caller's stack.
//
//go:noinline
func (c *recalled) snapshot() *domain.Snapshot {
	s := new(domain.Snapshot)
	s.Coupon = c.coupon.Coupon
	if c.code != nil {
		s.PromotionCode = new(domain.PromotionCodeSnapshot)
		*s.PromotionCode = c.code.PromotionCodeSnapshot
	}
	return s
}

// remember keeps the rules that were read, or forgets those that no longer let
// anything be redeemed.
func (r *rules) remember(st *state) {
	if r == nil {
		return
	}
	id := st.Coupon.ID
	if st.Coupon.Deleted {
		r.coupons.remove(id)
	} else if have, ok := r.coupons.get(id); !ok || have.Coupon.Version != st.Coupon.Version || !r.fresh(have.read) {
		c := &couponRules{Snapshot: domain.Snapshot{Coupon: st.Coupon}, read: r.clock()}
		c.Coupon.Redeemed, c.Coupon.Held, c.Coupon.Spent = 0, 0, nil
		r.coupons.put(id, c, int64(st.couponBytes*parsedBytes+entryBytes+joinedBytes))
	}
	p := st.PromotionCode
	if p == nil {
		return
	}
	if p.State != domain.PromotionActive || st.claiming {
		r.codes.remove(p.Name)
	} else if have, ok := r.codes.get(p.Name); !ok || have.Version != p.Version || !r.fresh(have.read) {
		c := &codeRules{PromotionCodeSnapshot: *p, token: st.token, read: r.clock()}
		c.Redeemed, c.Held = 0, 0
		r.codes.put(p.Name, c, int64(st.codeBytes*parsedBytes+entryBytes))
	}
}

// rememberHolder keeps who holds a code.
func (r *rules) rememberHolder(form string, res *resolution, st *state) {
	if r == nil {
		return
	}
	p := st.PromotionCode
	if !res.forEveryone || res.token == "" || p.State != domain.PromotionActive || st.claiming || st.token != res.token {
		if _, ok := r.holders.get(form); ok {
			r.holders.remove(form)
		}
		return
	}
	if have, ok := r.holders.get(form); ok && have.name == res.name && have.token == res.token {
		return
	}
	h := &holder{owner{res.name, res.token}, couponsOf(res.former, res.name.Coupon)}
	size := len(form) + entryBytes
	for _, c := range h.former {
		size += len(c) + 16
	}
	r.holders.put(form, h, int64(size))
}

// rememberMade keeps what a redemption was made for.
func (r *rules) rememberMade(x *domain.Redemption) {
	if r == nil {
		return
	}
	if _, ok := r.made.get(x.Name); ok {
		return
	}
	m := newMadeFor(x)
	r.made.put(x.Name, m, int64(len(x.Name.Coupon)+len(x.Name.ID)+len(m.request)+len(m.who[0])+len(m.who[1])+entryBytes))
}

func (r *rules) forgetMade(name domain.RedemptionName) {
	if r != nil {
		r.made.remove(name)
	}
}

// madeFor returns what a redemption was made for, if that is remembered.
func (r *rules) madeFor(name domain.RedemptionName) (madeFor, bool) {
	if r == nil {
		return madeFor{}, false
	}
	return r.made.get(name)
}
