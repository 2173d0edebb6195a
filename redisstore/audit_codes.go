// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/discountd/discountd/domain"
)

// auditedCode is a promotion code as an audit found it.
type auditedCode struct {
	storedCode
	configuration *domain.PromotionCode // nil when there is none that can be read
}

func auditCode(name domain.PromotionCodeName, value string) auditedCode {
	c := auditedCode{storedCode: readCode(value)}
	if c.fields == nil {
		return c
	}
	var p domain.PromotionCode
	if c.define(&p) == nil {
		p.Name = name
		c.configuration = &p
	}
	return c
}

// codes returns the ids of all promotion codes that are stored or that the ledger
// names, and compares their number with what the head says of it.
func (a *couponAudit) codes(ctx context.Context) ([]string, error) {
	if _, err := a.readCounters(ctx, nil); err != nil {
		return nil, err
	}
	before := a.head["b"]
	noted, err := strconv.ParseInt(before, 10, 64)
	last := int64(0)
	if err == nil {
		last = noted / codesPerBucket
	}
	all := map[string]bool{}
	for code := range a.tally.Codes {
		all[string(code)] = true
		if code.Valid() {
			last = max(last, code.BucketNumber())
		}
	}
	created := int64(0)
	// Buckets beyond the last are looked at until some are empty: the number may be
	// what is wrong.
	for empty, bucket := 0, int64(0); bucket <= last || empty < bucketsPerCall; bucket += bucketsPerCall {
		stored, configured, err := a.readCodeBuckets(ctx, bucket)
		if err != nil {
			return nil, err
		}
		if len(stored) == 0 {
			empty += bucketsPerCall
		}
		created += int64(len(configured))
		for _, code := range stored {
			all[code] = true
		}
		if err := a.renew(ctx); err != nil {
			return nil, err
		}
	}
	ids := make([]string, 0, len(all))
	for id := range all {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	if _, err := a.readCounters(ctx, nil); err != nil {
		return nil, err
	}
	a.judgeCreated(before, created)
	return ids, nil
}

// judgeCreated compares the number of promotion codes that was counted with the
// head's: that of before the count and the present one, as promotion codes may have
// been created meanwhile. None is ever taken away.
func (a *couponAudit) judgeCreated(before string, counted int64) {
	after := a.head["b"]
	from, err1 := strconv.ParseInt(before, 10, 64)
	to, err2 := strconv.ParseInt(after, 10, 64)
	if err1 == nil && err2 == nil && from <= counted && counted <= to {
		return
	}
	for _, f := range number(domain.DifferenceCounter, "codes_created", after, counted, fix{kind: "head", name: "b"}) {
		f.by = checkCreated(counted)
		if before != after {
			f.fix, f.Reason = nil, "promotion codes were being created: run the audit again"
		}
		a.add(f)
	}
}

func checkCreated(counted int64) *check {
	return &check{judge: func(a *couponAudit, _ []string) []*finding {
		if n, err := strconv.ParseInt(a.head["b"], 10, 64); err == nil && n >= counted {
			return nil
		}
		return number(domain.DifferenceCounter, "codes_created", a.head["b"], counted, fix{kind: "head", name: "b"})
	}}
}

// readCodeBuckets returns the ids of the promotion codes in some buckets, and of those
// among them that have a configuration.
func (a *couponAudit) readCodeBuckets(ctx context.Context, first int64) (stored, configured []string, err error) {
	k := a.store.keys
	var codes [bucketsPerCall]*redis.MapStringStringCmd
	bucket := func(i int) string { return domain.FirstPromotionCodeID(first + int64(i)).Bucket() }
	err = a.store.again(ctx, func() error {
		_, err := a.store.client.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i := range bucketsPerCall {
				codes[i] = p.HGetAll(ctx, k.promotions(a.id, bucket(i)))
			}
			return nil
		})
		return err
	})
	if err != nil {
		return nil, nil, readError(ctx, err)
	}
	for i := range bucketsPerCall {
		for suffix, value := range codes[i].Val() {
			stored = append(stored, bucket(i)+suffix)
			if readCode(value).definition != "" {
				configured = append(configured, bucket(i)+suffix)
			}
		}
	}
	return stored, configured, nil
}

// checkCodes compares promotion codes with the ledger and with their
// configurations, then their claims and the lists they are in.
func (a *couponAudit) checkCodes(ctx context.Context, ids []string) error {
	for batch := range slices.Chunk(ids, auditCheckSize) {
		read := map[string]auditedCode{}
		err := a.addChecks(ctx, batch, func(id string) *check { return a.checkCode(id, read) })
		if err != nil {
			return err
		}
		for _, id := range batch {
			c := read[id]
			if c.configuration == nil {
				continue
			}
			if c.state() == domain.PromotionActive {
				if err := a.checkClaim(ctx, c); err != nil {
					return err
				}
			}
			if who := c.configuration.Scope(); who != "" {
				entry := listEntry(c.configuration.CreateTime, string(a.id)+"/"+id)
				if err := a.checkEntry(ctx, id, a.store.keys.boundList(who), entry); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// checkCode compares one promotion code, and keeps what was read of it.
func (a *couponAudit) checkCode(id string, read map[string]auditedCode) *check {
	name := domain.PromotionCodeName{Coupon: a.id, ID: domain.PromotionCodeID(id)}
	return &check{
		reads: []counter{{"code", id}},
		judge: func(a *couponAudit, v []string) []*finding {
			c := auditCode(name, v[0])
			read[id] = c
			want := a.tally.Codes[name.ID]
			// What was given up before it was stored has a mark and no configuration.
			mark := c.state() == domain.PromotionDeleted && c.definition == ""
			if c.fields == nil || c.configuration == nil && (!mark || want != domain.CodeTally{}) {
				return []*finding{{Difference: domain.Difference{
					Kind: domain.DifferenceCode, Name: id, Stored: fmt.Sprintf("record %q with a configuration of %d bytes", c.record, len(c.definition)), Want: "both",
					Reason: lostForGood,
				}}}
			}
			out := number(domain.DifferenceCodeRedeemed, id, c.fields[codeRedeemed], want.Redeemed, fix{kind: "redeemed", name: id})
			out = append(out, number(domain.DifferenceCodeHeld, id, c.fields[codeHeld], want.Held, fix{kind: "held", name: id})...)
			if c.configuration == nil {
				return out
			}
			limits := strings.Join(limitTexts(c.configuration), ",")
			if is := c.limits(); is != limits {
				out = append(out, &finding{
					Difference: domain.Difference{Kind: domain.DifferenceCodeLimits, Name: id, Stored: is, Want: limits},
					fix:        &fix{kind: "terms", name: id, stored: is, want: limits, version: c.fields[codeVersion]},
				})
			}
			return out
		},
	}
}

// checkClaim checks that an active promotion code holds its code, and that no
// other active one with which it conflicts does. A claim whose owner is not active
// any more, as a crash may leave it, is nobody's.
//
// The record is read before the claim and after it: the promotion code was active
// all the time only if it did not change.
func (a *couponAudit) checkClaim(ctx context.Context, c auditedCode) error {
	p := c.configuration
	self := owner{p.Name, c.token()}
	entries, err := a.store.readClaim(ctx, p)
	if err != nil {
		return err
	}
	var holders []owner
	holds := false
	for _, e := range entries {
		mine := e.field == claimField(p)
		switch {
		case mine && e.owner == self:
			holds = true
		case mine && e.owner.name == self.name, e.owner.name.ID == "":
		default:
			holders = append(holders, e.owner)
		}
	}
	for _, other := range holders {
		active, _, err := a.isActive(ctx, other)
		if err != nil {
			return err
		}
		if !active {
			continue
		}
		if same, err := a.isSame(ctx, c); err != nil || !same {
			return err
		}
		a.add(&finding{Difference: domain.Difference{
			Kind: domain.DifferenceClaim, Name: string(self.name.ID), Stored: "active at once with " + other.name.String(), Want: "one of them active",
			Reason: "which one is to stay only its owner can say: deactivate the other",
		}})
		return nil
	}
	if holds {
		return nil
	}
	if same, err := a.isSame(ctx, c); err != nil || !same {
		return err
	}
	a.add(&finding{
		Difference: domain.Difference{Kind: domain.DifferenceClaim, Name: string(self.name.ID), Stored: "its code is not held for it", Want: "held"},
		elsewhere:  func(ctx context.Context) (string, error) { return a.claimAgain(ctx, c) },
	})
	return nil
}

// claimField returns the field of the code index that a promotion code's claim is
// in.
func claimField(p *domain.PromotionCode) string {
	if who := p.Scope(); who != "" {
		return p.Code.Form() + " " + string(who)
	}
	return p.Code.Form()
}

// claimAgain claims the code of an active promotion code, by the protocol that any
// other follows.
func (a *couponAudit) claimAgain(ctx context.Context, c auditedCode) (string, error) {
	result, holder, err := a.store.takeClaim(ctx, claimant{promotion: *c.configuration, token: c.token(), blind: true})
	switch {
	case err != nil:
		return "", err
	case result == conflict:
		return holder.String() + " holds the code: deactivate one of them", nil
	case result != claimed:
		return "it was changed meanwhile: run the audit again", nil
	}
	return "", nil
}

// isActive reports whether the owner of a claim is active with its token.
func (a *couponAudit) isActive(ctx context.Context, o owner) (bool, string, error) {
	if !o.name.ID.Valid() {
		return false, "", nil
	}
	var text string
	err := a.store.again(ctx, func() error {
		var err error
		text, err = a.store.client.HGet(ctx, a.store.keys.promotions(o.name.Coupon, o.name.ID.Bucket()), o.name.ID.Suffix()).Result()
		return err
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return false, "", readError(ctx, err)
	}
	r := readCode(text)
	return r.state() == domain.PromotionActive && r.token() == o.token, text, nil
}

// isSame reports whether an active promotion code has stayed as it was read, but
// for its counters.
func (a *couponAudit) isSame(ctx context.Context, c auditedCode) (bool, error) {
	active, text, err := a.isActive(ctx, owner{c.configuration.Name, c.token()})
	if err != nil || !active {
		return false, err
	}
	return readCode(text).fields[codeVersion] == c.fields[codeVersion], nil
}

// checkList checks that the coupon is in the list of coupons.
func (a *couponAudit) checkList(ctx context.Context) error {
	if a.createTime.IsZero() {
		return nil // it has no configuration, which is told already
	}
	return a.checkEntry(ctx, "coupon", a.store.keys.couponListOf(a.id), listEntry(a.createTime, string(a.id)))
}

// checkEntry checks that a list has an entry. Entries come before what they name
// and are never removed.
func (a *couponAudit) checkEntry(ctx context.Context, name, list, entry string) error {
	err := a.store.again(ctx, func() error { return a.store.client.ZScore(ctx, list, entry).Err() })
	if !errors.Is(err, redis.Nil) {
		return readError(ctx, err)
	}
	a.add(&finding{
		Difference: domain.Difference{Kind: domain.DifferenceList, Name: name, Want: "listed"},
		elsewhere:  func(ctx context.Context) (string, error) { return "", a.store.enter(ctx, list, entry) },
	})
	return nil
}
