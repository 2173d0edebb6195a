// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/discountd/discountd/domain"
)

// couponAudit is the audit of one coupon.
type couponAudit struct {
	store    *Store
	id       domain.CouponID
	repair   bool
	progress func(read int64)

	token  string
	marked time.Time // when the mark was renewed
	step   int       // repairs made

	tally *domain.Tally
	taken int64 // notes of changes that were taken
	head  map[string]string
	// createTime is the coupon's, by its configuration.
	createTime time.Time
	// requests are the request ids of records, still to be looked up; suspects those
	// that led elsewhere.
	requests []requestLed
	suspects []*check
	// subscribed are records of discounts, whose claims are still to be looked up.
	subscribed []subscribed

	found []*finding
	seen  map[string]bool
	// broken says why nothing can be mended: the ledger does not tell what the
	// counters must be.
	broken string
}

// lostForGood is why something is not mended of which nothing is left.
const lostForGood = "what is lost must come from a backup"

func newCouponAudit(s *Store, id domain.CouponID, repair bool) *couponAudit {
	return &couponAudit{store: s, id: id, repair: repair, token: s.token(), tally: domain.NewTally(), seen: map[string]bool{}}
}

// run audits and reports whether there is such a coupon.
func (a *couponAudit) run(ctx context.Context) (exists bool, err error) {
	k := a.store.keys
	now := a.store.now()
	r, err := a.store.run(ctx, auditBegin, []string{k.head(a.id), k.definition(a.id), k.ledger(a.id)},
		a.token, millis(now), millis(now.Add(auditMark)))
	switch {
	case err != nil:
		return false, err
	case r.outcome == "busy":
		return true, ErrAuditBusy
	case r.outcome == outcomeAbsent:
		if r.values[0] == "0" && r.values[1] == "0" {
			return false, nil
		}
		a.add(&finding{Difference: domain.Difference{
			Kind: domain.DifferenceCoupon, Name: "head", Want: "counters; the first page of the ledger has " + r.values[1] + " records",
			Reason: lostForGood,
		}})
		return true, nil
	}
	a.marked = now
	defer func() { err = errors.Join(err, a.end(ctx)) }()
	if err := a.readOn(ctx); err != nil {
		return true, err
	}
	if err := a.checkAll(ctx); err != nil {
		return true, err
	}
	if a.broken != "" {
		a.leaveAll()
		return true, nil
	}
	if a.repair {
		return true, a.mend(ctx)
	}
	return true, nil
}

// end takes the mark away, also when ctx has ended.
func (a *couponAudit) end(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), auditEndTimeout)
	defer cancel()
	_, err := a.store.run(ctx, auditEnd, []string{a.store.keys.head(a.id), a.store.keys.ledger(a.id)}, a.token)
	return err
}

// readOn reads at leisure what is new in the ledger and what was changed.
func (a *couponAudit) readOn(ctx context.Context) error {
	for {
		page := a.tally.Len() / ledgerPageSize
		texts, err := a.list(ctx, a.store.keys.ledgerPage(a.id, page), a.tally.Len()%ledgerPageSize, ledgerPageSize-1)
		if err != nil {
			return err
		}
		for _, text := range texts {
			a.put(a.tally.Len()+1, text)
		}
		a.progress(a.tally.Len())
		if err := a.lookUpRequests(ctx); err != nil {
			return err
		}
		if err := a.lookUpClaims(ctx); err != nil {
			return err
		}
		if err := a.renew(ctx); err != nil {
			return err
		}
		if len(texts) == 0 || a.tally.Len()%ledgerPageSize != 0 {
			break
		}
	}
	for {
		notes, err := a.list(ctx, a.store.keys.ledgerChanges(a.id), a.taken, a.taken+ledgerPageSize-1)
		if err != nil || len(notes) == 0 {
			return err
		}
		if err := a.readAgain(ctx, notes); err != nil {
			return err
		}
		a.taken += int64(len(notes))
	}
}

func (a *couponAudit) list(ctx context.Context, key string, from, to int64) ([]string, error) {
	var texts []string
	err := a.store.again(ctx, func() error {
		var err error
		texts, err = a.store.client.LRange(ctx, key, from, to).Result()
		return err
	})
	return texts, readError(ctx, err)
}

// readAgain reads the records at the given positions again, as far as they were
// read before.
func (a *couponAudit) readAgain(ctx context.Context, positions []string) error {
	var n numbers
	texts := map[int64]*redis.StringCmd{}
	err := a.store.again(ctx, func() error {
		clear(texts)
		_, err := a.store.client.Pipelined(ctx, func(p redis.Pipeliner) error {
			for _, text := range positions {
				at := n.parse(text)
				if _, ok := texts[at]; !ok && at <= a.tally.Len() {
					texts[at] = p.LIndex(ctx, a.store.keys.ledgerPage(a.id, (at-1)/ledgerPageSize), (at-1)%ledgerPageSize)
				}
			}
			return nil
		})
		return err
	})
	if err != nil || n.err != nil {
		return errors.Join(readError(ctx, err), n.err)
	}
	for at, text := range texts {
		a.put(at, text.Val())
	}
	return nil
}

// renew makes the mark last longer, from time to time.
func (a *couponAudit) renew(ctx context.Context) error {
	if a.store.now().Sub(a.marked) < auditRenewal {
		return nil
	}
	r, err := a.read(ctx, nil)
	if err == nil && r.outcome == outcomeOK {
		_, err = a.take(r.values)
	}
	return err
}

// readCounters returns counters, and the head with them. The tally is of the same
// moment afterwards.
func (a *couponAudit) readCounters(ctx context.Context, what []counter) ([]string, error) {
	for {
		r, err := a.read(ctx, what)
		if err != nil {
			return nil, err
		}
		if r.outcome == outcomeOK {
			return a.take(r.values)
		}
		if err := a.readOn(ctx); err != nil {
			return nil, err
		}
	}
}

// counter is something that audit_read.lua reads, by its kinds.
type counter struct{ kind, name string }

// read runs audit_read.lua.
func (a *couponAudit) read(ctx context.Context, what []counter) (reply, error) {
	k, now := a.store.keys, a.store.now()
	until := ""
	if renewal := now.Sub(a.marked) >= auditRenewal; renewal {
		until = millis(now.Add(auditMark))
	}
	args := []any{a.token, millis(now.Add(auditMargin)), until, ledgerPageSize, a.tally.Len(), a.taken}
	for _, c := range what {
		args = append(args, c.kind, c.name)
	}
	r, err := a.store.run(ctx, auditRead, []string{
		k.head(a.id), k.definition(a.id), k.customers(a.id), k.holds(a.id), k.ledger(a.id), k.promotionBuckets(a.id),
		k.requests(a.id),
	}, args...)
	switch {
	case err != nil:
		return reply{}, err
	case r.outcome == outcomeLost:
		return reply{}, ErrAuditLost
	case until != "":
		a.marked = now
	}
	return r, nil
}

// take takes over what audit_read.lua returned, and returns the counters.
func (a *couponAudit) take(values []string) ([]string, error) {
	var n numbers
	fresh, changed, notes, fields := n.parse(values[0]), n.parse(values[1]), n.parse(values[2]), n.parse(values[3])
	rest := values[4:]
	for _, text := range rest[:fresh] {
		a.put(a.tally.Len()+1, text)
	}
	rest = rest[fresh:]
	for i := int64(0); i < changed; i += 2 {
		a.put(n.parse(rest[i]), rest[i+1])
	}
	rest = rest[changed:]
	a.taken = notes
	a.head = headFields(rest[:fields])
	return rest[fields:], n.err
}

// put counts a record.
func (a *couponAudit) put(position int64, text string) {
	r, err := parseRecord(a.id, position, text)
	name := strconv.FormatInt(position, 10)
	wrong := func(what string) {
		a.add(&finding{Difference: domain.Difference{
			Kind: domain.DifferenceRecord, Name: name, Stored: what, Want: "consistent", Reason: "no audit changes a record",
		}})
	}
	unreadable := ""
	if err != nil {
		unreadable = "unreadable" // the error would quote all of it
	} else if granted := strings.Split(text, "\t")[1]; granted != strconv.FormatInt(grantedBy(r), 10) {
		unreadable = fmt.Sprintf("%s granted and lines of %d", granted, grantedBy(r))
	}
	if unreadable != "" {
		a.broken = "record " + name + " of the ledger cannot be read"
		wrong(unreadable)
		a.tally.Put(position, nil)
		return
	}
	if what := r.CheckRecord(); what != "" {
		wrong(what)
	}
	a.tally.Put(position, r)
	a.noteSubscribed(position, r)
	a.requests = append(a.requests, requestLed{key: requestKey(r.RequestID), want: name, name: name})
	for _, v := range r.Voids {
		a.requests = append(a.requests, requestLed{key: requestKey(v.RequestID), want: name + " V ", name: name + " voided", prefix: true})
	}
}

func grantedBy(r *domain.Redemption) int64 {
	if r.Discount == nil {
		return 0
	}
	return r.Discount.TotalAmountMinor
}

// requestLed is a request id and where it must lead.
type requestLed struct {
	key, want, name string
	prefix          bool // want is what it begins with
}

func (q requestLed) holds(value string) bool {
	return value == q.want || q.prefix && strings.HasPrefix(value, q.want)
}

// lookUpRequests looks up what the request ids of the records lead to. They are
// written with the record and never change, so that no moment needs to be kept.
func (a *couponAudit) lookUpRequests(ctx context.Context) error {
	for len(a.requests) > 0 {
		batch := a.requests[:min(len(a.requests), ledgerPageSize)]
		fields := make([]string, len(batch))
		for i, q := range batch {
			fields[i] = q.key
		}
		var values []any
		err := a.store.again(ctx, func() error {
			var err error
			values, err = a.store.client.HMGet(ctx, a.store.keys.requests(a.id), fields...).Result()
			return err
		})
		if err != nil {
			return readError(ctx, err)
		}
		for i, q := range batch {
			if value, _ := values[i].(string); !q.holds(value) {
				a.suspects = append(a.suspects, checkRequest(q))
			}
		}
		a.requests = a.requests[len(batch):]
	}
	a.requests = nil
	return nil
}
