// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package rivals

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	// batchLimit is the most redemptions that one statement takes.
	batchLimit = 512
	// batchTimeout is how long a batch may take. Callers may give up earlier.
	batchTimeout = 20 * time.Second
)

// batched takes redemptions in batches: those that arrive while a batch is on its
// way are the next one. A call that is alone leaves at once.
type batched struct {
	pool    *pgxpool.Pool
	waiting chan *item
	done    sync.WaitGroup
}

// item is a redemption that waits for its batch.
type item struct {
	record  *record
	decided chan struct{}
	taken   record
	outcome outcome
	failure error
}

func newBatched(pool *pgxpool.Pool) *batched {
	b := &batched{pool: pool, waiting: make(chan *item, 4*batchLimit)}
	b.done.Go(b.run)
	return b
}

// close ends b when no call is in flight any more.
func (b *batched) close() {
	close(b.waiting)
	b.done.Wait()
	b.pool.Close()
}

func (b *batched) take(ctx context.Context, r *record) (record, outcome, error) {
	i := &item{record: r, decided: make(chan struct{})}
	select {
	case b.waiting <- i:
	case <-ctx.Done():
		return record{}, 0, ctx.Err()
	}
	select {
	case <-i.decided:
		return i.taken, i.outcome, i.failure
	case <-ctx.Done():
		return record{}, 0, ctx.Err()
	}
}

// run sends one batch after the other.
func (b *batched) run() {
	var next []*item
	for {
		if len(next) == 0 {
			first, open := <-b.waiting
			if !open {
				return
			}
			next = append(next, first)
		}
	fill:
		for len(next) < batchLimit {
			select {
			case i, open := <-b.waiting:
				if !open {
					break fill
				}
				next = append(next, i)
			default:
				break fill
			}
		}
		var batch []*item
		batch, next = unique(next)
		b.send(batch)
	}
}

// unique splits items into those that may be in one batch and the rest: the same
// request must not be twice in one.
func unique(items []*item) (batch, rest []*item) {
	type key struct {
		coupon  int
		request string
	}
	seen := make(map[key]bool, len(items))
	for _, i := range items {
		k := key{i.record.coupon.number, i.record.request}
		if seen[k] {
			rest = append(rest, i)
			continue
		}
		seen[k] = true
		batch = append(batch, i)
	}
	return batch, rest
}

// send has the database decide a batch and tells everyone in it.
func (b *batched) send(batch []*item) {
	ctx, cancel := context.WithTimeout(context.Background(), batchTimeout)
	defer cancel()
	err := b.decide(ctx, batch)
	for _, i := range batch {
		i.failure = err
		close(i.decided)
	}
}

func (b *batched) decide(ctx context.Context, batch []*item) error {
	n := len(batch)
	coupons, requests, prints := make([]int64, n), make([]string, n), make([][]byte, n)
	amounts, lines := make([]int64, n), make([]string, n)
	now := time.Now().Truncate(time.Microsecond)
	for i, w := range batch {
		r := w.record
		coupons[i], requests[i], prints[i] = int64(r.coupon.number), r.request, r.fingerprint[:]
		amounts[i], lines[i] = r.amount, r.lines
		w.taken, w.outcome = *r, redeemed
		w.taken.time = now
	}
	rows, err := b.pool.Query(ctx, "select * from redeem_many($1, $2, $3, $4, $5, $6)",
		coupons, requests, prints, amounts, lines, now)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var place int64
		var sum []byte
		var amount *int64
		var split *string
		var at *time.Time
		if err := rows.Scan(&place, &sum, &amount, &split, &at); err != nil {
			return err
		}
		w := batch[place-1]
		if sum == nil {
			w.outcome = limitReached
			continue
		}
		copy(w.taken.fingerprint[:], sum)
		w.taken.amount, w.taken.lines, w.taken.time = *amount, *split, *at
	}
	return rows.Err()
}
