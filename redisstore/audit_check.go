// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/discountd/discountd/domain"
)

// check reads some counters and says what is wrong with them, by the tally and the
// head of the same moment.
type check struct {
	reads []counter
	judge func(a *couponAudit, values []string) []*finding
}

// finding is a difference and how to mend it.
type finding struct {
	domain.Difference
	// fix is for audit_repair.lua; by is the check that found it and tells whether it
	// was mended.
	fix *fix
	by  *check
	// elsewhere mends what is not in the coupon's slot, and returns why it could not.
	elsewhere func(context.Context) (reason string, err error)
}

// fix is one thing that audit_repair.lua mends, by its kinds.
type fix struct{ kind, name, stored, want, version string }

func (f *finding) key() string { return string(f.Kind) + " " + f.Name }

// add takes note of a difference, once.
func (a *couponAudit) add(f *finding) {
	f.Coupon = a.id
	if !a.seen[f.key()] {
		a.seen[f.key()] = true
		a.found = append(a.found, f)
	}
}

// run runs checks, and returns what they find.
func (a *couponAudit) runChecks(ctx context.Context, checks []*check) ([]*finding, error) {
	var found []*finding
	for batch := range slices.Chunk(checks, auditCheckSize) {
		var what []counter
		for _, c := range batch {
			what = append(what, c.reads...)
		}
		values, err := a.readCounters(ctx, what)
		if err != nil {
			return found, err
		}
		for _, c := range batch {
			for _, f := range c.judge(a, values[:len(c.reads)]) {
				f.by = c
				found = append(found, f)
			}
			values = values[len(c.reads):]
		}
	}
	return found, nil
}

// addChecks runs a check of each name and takes note of what is found. The checks
// are made when they are due: there may be millions.
func (a *couponAudit) addChecks(ctx context.Context, names []string, of func(name string) *check) error {
	for batch := range slices.Chunk(names, auditCheckSize) {
		checks := make([]*check, len(batch))
		for i, name := range batch {
			checks[i] = of(name)
		}
		found, err := a.runChecks(ctx, checks)
		for _, f := range found {
			a.add(f)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// checkAll compares everything that is kept of the coupon.
func (a *couponAudit) checkAll(ctx context.Context) error {
	// What is stored and not in the tally is looked for first. A count that appears
	// later was begun under the audit's eyes.
	s, k := a.store, a.store.keys
	uses, holds := map[string]bool{}, map[string]bool{}
	err := scan(ctx, s, func(cursor uint64) ([]string, uint64, error) {
		return s.client.HScan(ctx, k.customers(a.id), cursor, "", scanSize).Result()
	}, func(page []string) {
		for i := 0; i+1 < len(page); i += 2 {
			if _, counted := a.tally.Uses[page[i]]; !counted && page[i+1] != "0" {
				uses[page[i]] = true
			}
		}
	})
	if err != nil {
		return err
	}
	err = scan(ctx, s, func(cursor uint64) ([]string, uint64, error) {
		return s.client.ZScan(ctx, k.holds(a.id), cursor, "", scanSize).Result()
	}, func(page []string) {
		for i := 0; i < len(page); i += 2 {
			holds[page[i]] = true
		}
	})
	if err != nil {
		return err
	}
	codes, err := a.codes(ctx)
	if err != nil {
		return err
	}
	for use := range a.tally.Uses {
		uses[use] = true
	}
	for position := range a.tally.Holds {
		holds[strconv.FormatInt(position, 10)] = true
	}
	if err := a.lookUpRequests(ctx); err != nil {
		return err
	}
	if err := a.lookUpClaims(ctx); err != nil {
		return err
	}

	for _, part := range []struct {
		names map[string]bool
		of    func(string) *check
	}{
		{map[string]bool{"": true}, func(string) *check { return checkHead }},
		{holds, checkHold},
		{uses, checkUse},
	} {
		if err := a.addChecks(ctx, slices.Sorted(maps.Keys(part.names)), part.of); err != nil {
			return err
		}
	}
	found, err := a.runChecks(ctx, a.suspects)
	for _, f := range found {
		a.add(f)
	}
	if err != nil {
		return err
	}
	if err := a.checkList(ctx); err != nil {
		return err
	}
	return a.checkCodes(ctx, codes)
}

// number compares a counter with what it must be. One that is not there is zero.
func number(kind domain.DifferenceKind, name, stored string, want int64, f fix) []*finding {
	if is, err := strconv.ParseInt(stored, 10, 64); stored == "" && want == 0 || err == nil && is == want {
		return nil
	}
	f.stored, f.want = stored, strconv.FormatInt(want, 10)
	return []*finding{{Difference: domain.Difference{Kind: kind, Name: name, Stored: stored, Want: f.want}, fix: &f}}
}

func checkUse(name string) *check {
	return &check{
		reads: []counter{{"use", name}},
		judge: func(a *couponAudit, v []string) []*finding {
			return number(domain.DifferenceUses, name, v[0], a.tally.Uses[name], fix{kind: "use", name: name})
		},
	}
}

func checkHold(member string) *check {
	return &check{
		reads: []counter{{"hold", member}},
		judge: func(a *couponAudit, v []string) []*finding {
			position, err := strconv.ParseInt(member, 10, 64)
			want := ""
			if err == nil {
				want = millis(a.tally.Holds[position])
			}
			stored := v[0]
			// A score is a floating-point number, however it is written.
			if score, err := strconv.ParseFloat(stored, 64); err == nil {
				stored = strconv.FormatFloat(score, 'f', -1, 64)
			}
			if stored == want {
				return nil
			}
			return []*finding{{
				Difference: domain.Difference{Kind: domain.DifferenceReservation, Name: member, Stored: stored, Want: want},
				fix:        &fix{kind: "hold", name: member, stored: stored, want: want},
			}}
		},
	}
}

func checkRequest(q requestLed) *check {
	return &check{
		reads: []counter{{"request", q.key}},
		judge: func(_ *couponAudit, v []string) []*finding {
			if q.holds(v[0]) {
				return nil
			}
			f := &finding{Difference: domain.Difference{Kind: domain.DifferenceRequest, Name: q.name, Stored: v[0], Want: q.want}}
			switch {
			case q.prefix:
				f.Reason = "what the request was is not known in full"
			case v[0] != "":
				f.Reason = "the request id leads to something else"
			default:
				f.fix = &fix{kind: "request", name: q.key, want: q.want}
			}
			return []*finding{f}
		},
	}
}

// checkHead compares the counters of the head with the ledger, and its copies of
// limits with the configuration.
var checkHead = &check{
	reads: []counter{{"coupon", ""}},
	judge: func(a *couponAudit, v []string) []*finding {
		out := a.judgeLength()
		out = append(out, number(domain.DifferenceCounter, "redeemed", a.head["r"], a.tally.Redeemed, fix{kind: "head", name: "r"})...)
		out = append(out, number(domain.DifferenceCounter, "held", a.head["h"], a.tally.Held, fix{kind: "head", name: "h"})...)
		if due := millis(a.tally.FirstDue()); a.head["d"] != due {
			out = append(out, &finding{
				Difference: domain.Difference{Kind: domain.DifferenceCounter, Name: "due", Stored: a.head["d"], Want: due},
				fix:        &fix{kind: "due"},
			})
		}
		currencies := map[domain.Currency]bool{}
		for c := range a.tally.Spent {
			currencies[c] = true
		}
		for field := range a.head {
			if kind, c, ok := strings.Cut(field, ":"); ok && (kind == "b" || kind == "B") {
				currencies[domain.Currency(c)] = true
			}
		}
		for _, c := range slices.Sorted(maps.Keys(currencies)) {
			spent, name := a.tally.Spent[c], string(c)
			out = append(out, number(domain.DifferenceSpent, name, a.head["b:"+name], spent.TotalMinor, fix{kind: "head", name: "b:" + name})...)
			out = append(out, number(domain.DifferenceScopedSpent, name, a.head["B:"+name], spent.ScopedMinor, fix{kind: "head", name: "B:" + name})...)
		}
		return append(out, a.judgeLimits(v[0])...)
	},
}

// judgeLength compares the length that is noted for the ledger with that of what
// could be read. Records that are missing tell nothing of what they took up.
func (a *couponAudit) judgeLength() []*finding {
	found := number(domain.DifferenceLedger, "", a.head["q"], a.tally.Len(), fix{kind: "head", name: "q"})
	if len(found) == 0 {
		return nil
	}
	if noted, err := strconv.ParseInt(a.head["q"], 10, 64); err != nil || noted > a.tally.Len() {
		a.broken = "the ledger ends before its length"
		found[0].fix, found[0].Reason = nil, "records are missing: "+lostForGood
	}
	return found
}

// judgeLimits compares the copies of limits in the head with the configuration.
func (a *couponAudit) judgeLimits(definition string) []*finding {
	var c domain.Coupon
	unreadable := json.Unmarshal([]byte(definition), &c) != nil
	if state := a.head["s"]; unreadable || state != "A" && state != "D" {
		return []*finding{{Difference: domain.Difference{
			Kind: domain.DifferenceCoupon, Name: "configuration", Stored: "missing or unreadable, or the state is", Want: "both", Reason: lostForGood,
		}}}
	}
	a.createTime = c.CreateTime
	want := map[string]string{"m": limitText(c.MaxRedemptions), "u": limitText(c.MaxRedemptionsPerCustomer), "e": millis(c.RedeemBy)}
	for _, b := range c.Budgets {
		products := "0"
		if len(b.Products) > 0 {
			products = "1"
		}
		want["l:"+string(b.Limit.Currency)], want["f:"+string(b.Limit.Currency)] = strconv.FormatInt(b.Limit.AmountMinor, 10), products
	}
	for field := range a.head {
		if _, ok := want[field]; !ok && (strings.HasPrefix(field, "l:") || strings.HasPrefix(field, "f:")) {
			want[field] = ""
		}
	}
	var out []*finding
	for _, field := range slices.Sorted(maps.Keys(want)) {
		if is := a.head[field]; is != want[field] {
			out = append(out, &finding{
				Difference: domain.Difference{Kind: domain.DifferenceLimit, Name: limitName(field), Stored: is, Want: want[field]},
				fix:        &fix{kind: "copy", name: field, stored: is, want: want[field], version: a.head["v"]},
			})
		}
	}
	return out
}

// limitName says in the words of the API what a field of the head repeats.
func limitName(field string) string {
	kind, currency, _ := strings.Cut(field, ":")
	switch kind {
	case "m":
		return "max_redemptions"
	case "u":
		return "max_redemptions_per_customer"
	case "e":
		return "redeem_by"
	case "l":
		return "budget " + currency
	default:
		return "budget for some products " + currency
	}
}
