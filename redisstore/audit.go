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
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/discountd/discountd/domain"
)

// An audit compares every counter with the ledger while redemptions go on. That is
// possible because a script changes a record and the counters by the same amounts
// at one moment: what a counter is too high or too low by never changes. It only
// has to be measured at one moment, and a ledger is too long to be read in one.
//
// So the audit reads the ledger in pages and remembers what each record takes up.
// Its mark at the coupon's head makes every script that changes a record in place
// note the position. Each call that reads counters returns, at the same moment, the
// records that are new or noted since: with them, what the audit has counted is
// what the counters of that moment must be.
//
// A repair adds the difference to the counter, whatever that is by then.

// ErrAuditLost says that an audit was given up because its mark had run out or
// another audit has taken it over. What it had found may be wrong.
var ErrAuditLost = errors.New("the audit lost its mark on the coupon: a step took minutes, the clocks differ by minutes, or another audit took over; run it again")

// ErrAuditBusy says that another audit is at work on a coupon.
var ErrAuditBusy = errors.New("another audit is at work on the coupon; one that was killed is over after ten minutes")

const (
	// auditMark is how long an audit's mark lasts unless it is renewed.
	auditMark = 10 * time.Minute
	// auditMargin is how long it must have to last when something is read on its
	// strength: servers whose clocks are that much ahead still honour it.
	auditMargin = 5 * time.Minute
	// auditRenewal is how long after it was made it is renewed.
	auditRenewal = time.Minute
	// auditCheckSize is how much one call checks.
	auditCheckSize = 200
	// auditEndTimeout is how long taking the mark away may take.
	auditEndTimeout = 2 * time.Second
)

// Auditor compares what is stored with the ledgers and the configurations.
type Auditor struct{ store *Store }

// OpenAuditor returns an auditor of the store in the given Redis, which must be
// there: it sets nothing up. It needs no hashing key. It fails with ErrConfiguration
// when there is no store that it can read, and with ErrAccess as Open does. As for
// Open, the client must not send commands again by itself.
func OpenAuditor(ctx context.Context, client redis.UniversalClient, o Options) (*Auditor, error) {
	a, err := openAuditor(ctx, client, o)
	if err != nil {
		return nil, asAccess(err)
	}
	return a, nil
}

func openAuditor(ctx context.Context, client redis.UniversalClient, o Options) (*Auditor, error) {
	if o.Prefix == "" {
		o.Prefix = "d1"
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	s := &Store{
		client: client, clock: o.Clock, keys: keys{prefix: o.Prefix}, fence: &fence{}, token: domain.NewToken,
	}
	if err := bearWitness(ctx, client); err != nil {
		return nil, fmt.Errorf("open the store: %w", readError(ctx, err))
	}
	var m []any
	err := s.again(ctx, func() error {
		var err error
		m, err = client.HMGet(ctx, s.keys.meta(), "id", "layout", "buckets").Result()
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("open the store: %w", readError(ctx, err))
	}
	text := func(i int) string { t, _ := m[i].(string); return t }
	buckets, err := strconv.ParseUint(text(2), 10, 32)
	switch {
	case text(0) == "":
		return nil, fmt.Errorf("%w: there is no store in this Redis", ErrConfiguration)
	case text(1) != layout:
		return nil, fmt.Errorf("%w: it has layout %q and this program reads %q", ErrConfiguration, text(1), layout)
	case err != nil || buckets == 0:
		return nil, fmt.Errorf("%w: it has %q buckets", ErrConfiguration, text(2))
	}
	s.id, s.keys.buckets = text(0), uint32(buckets)
	return &Auditor{s}, nil
}

// AuditOptions say what is audited.
type AuditOptions struct {
	// Coupon, if set, is the only one.
	Coupon domain.CouponID
	// Repair is whether what is wrong is mended. Without it the audit writes nothing
	// but its marks.
	Repair bool
	// Found, if set, is told of every difference, once a coupon is done.
	Found func(domain.Difference)
	// Progress, if set, is told how far the audit is, often.
	Progress func(AuditProgress)
}

// AuditProgress is how far an audit is.
type AuditProgress struct {
	Coupons, AllCoupons int
	// Records are those that were read, of all coupons so far.
	Records int64
}

// AuditSummary is what an audit was about and what it found.
type AuditSummary struct {
	Coupons     int   `json:"coupons"`
	Redemptions int64 `json:"redemptions"`
	// GiftCards and Customers are those whose balances were audited.
	GiftCards   int `json:"gift_cards,omitempty"`
	Customers   int `json:"customers,omitempty"`
	Differences int `json:"differences"`
	Repaired    int `json:"repaired"`
}

// Audit compares, while redemptions go on. Coupons that could not be audited are in
// the error, each with ErrAuditBusy, ErrAuditLost or what else was wrong; the
// others are audited all the same, unless Redis is away. A coupon that does not
// exist is a NotFoundError if it was asked for.
func (a *Auditor) Audit(ctx context.Context, o AuditOptions) (AuditSummary, error) {
	var sum AuditSummary
	ids := []domain.CouponID{o.Coupon}
	if o.Coupon == "" {
		var err error
		if ids, err = a.coupons(ctx); err != nil {
			return sum, fmt.Errorf("list the coupons: %w", err)
		}
	}
	progress := AuditProgress{AllCoupons: len(ids)}
	var failed []error
	for _, id := range ids {
		c := newCouponAudit(a.store, id, o.Repair)
		c.progress = func(read int64) {
			if o.Progress != nil {
				now := progress
				now.Records += read
				o.Progress(now)
			}
		}
		exists, err := c.run(ctx)
		switch {
		case err != nil:
			failed = append(failed, fmt.Errorf("audit %s: %w", id, err))
			if _, away := errors.AsType[*domain.UnavailableError](err); away || ctx.Err() != nil {
				return sum, errors.Join(failed...)
			}
		case exists:
			sum.Coupons++
			sum.Redemptions += c.tally.Len()
		case o.Coupon != "":
			failed = append(failed, &domain.NotFoundError{Type: domain.CouponResource, Name: id.String()})
		}
		if err == nil || c.step > 0 { // what was mended is told
			for _, f := range c.found {
				sum.Differences++
				if f.Repaired {
					sum.Repaired++
				}
				if o.Found != nil {
					o.Found(f.Difference)
				}
			}
		}
		progress.Coupons++
		progress.Records += c.tally.Len()
		c.progress(0)
	}
	balances, err := a.store.AuditBalances(ctx, o.Coupon)
	if err != nil {
		failed = append(failed, fmt.Errorf("audit the balances: %w", err))
	}
	for _, d := range balances.differences() {
		sum.Differences++
		if o.Found != nil {
			o.Found(d)
		}
	}
	sum.GiftCards, sum.Customers = balances.Cards, balances.Customers
	return sum, errors.Join(failed...)
}

// scanSize is about how many keys or fields one step of a scan looks at.
const scanSize = 500

// coupons returns the ids of all coupons that have a head or are listed, in order.
func (a *Auditor) coupons(ctx context.Context) ([]domain.CouponID, error) {
	s := a.store
	found := map[domain.CouponID]bool{}
	for shard := range uint32(couponShards) {
		err := scan(ctx, s, func(cursor uint64) ([]string, uint64, error) {
			return s.client.ZScan(ctx, s.keys.couponList(shard), cursor, "", scanSize).Result()
		}, func(page []string) {
			for i := 0; i < len(page); i += 2 {
				if _, id, ok := splitEntry(page[i]); ok {
					found[domain.CouponID(id)] = true
				}
			}
		})
		if err != nil {
			return nil, err
		}
	}
	before, after, _ := strings.Cut(s.keys.head("*"), "*")
	pattern := globQuote.Replace(before) + "*" + globQuote.Replace(after)
	var mu sync.Mutex
	node := func(ctx context.Context, c redis.Cmdable) error {
		return scan(ctx, s, func(cursor uint64) ([]string, uint64, error) {
			return c.Scan(ctx, cursor, pattern, scanSize).Result()
		}, func(page []string) {
			mu.Lock()
			defer mu.Unlock()
			for _, key := range page {
				found[domain.CouponID(strings.TrimSuffix(strings.TrimPrefix(key, before), after))] = true
			}
		})
	}
	var err error
	if cluster, ok := s.client.(*redis.ClusterClient); ok {
		err = readError(ctx, cluster.ForEachMaster(ctx, func(ctx context.Context, c *redis.Client) error { return node(ctx, c) }))
	} else {
		err = node(ctx, s.client)
	}
	ids := make([]domain.CouponID, 0, len(found))
	for id := range found {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids, err
}

var globQuote = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`)

// scan calls step with one cursor after the other and f with what it returns.
func scan(ctx context.Context, s *Store, step func(uint64) ([]string, uint64, error), f func([]string)) error {
	cursor := uint64(0)
	for {
		var page []string
		var next uint64
		err := s.again(ctx, func() error {
			var err error
			page, next, err = step(cursor)
			return err
		})
		if err != nil {
			return readError(ctx, err)
		}
		f(page)
		if cursor = next; cursor == 0 {
			return nil
		}
	}
}
