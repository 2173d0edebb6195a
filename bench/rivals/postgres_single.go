// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package rivals

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// rowLock reads, decides and writes while it holds the lock of the coupon's row.
// Statements are sent together where the next does not depend on the one before:
// two round trips in all.
type rowLock struct{ pool *pgxpool.Pool }

func (l *rowLock) take(ctx context.Context, r *record) (record, outcome, error) {
	conn, err := l.pool.Acquire(ctx)
	if err != nil {
		return record{}, 0, err
	}
	defer conn.Release() // which gives up one that is in a transaction

	var limit, used int64
	var prior *record
	var read pgx.Batch
	read.Queue("begin")
	read.Queue("select max_redemptions, redeemed from coupon where id = $1 for update", r.coupon.number).
		QueryRow(func(row pgx.Row) error { return row.Scan(&limit, &used) })
	read.Queue("select fingerprint, amount, lines, time from redemption where coupon = $1 and request = $2", r.coupon.number, r.request).
		Query(func(rows pgx.Rows) error {
			for rows.Next() {
				var err error
				if prior, err = scanRecord(rows, r); err != nil {
					return err
				}
			}
			return rows.Err()
		})
	if err := conn.SendBatch(ctx, &read).Close(); err != nil {
		return record{}, 0, err
	}
	if prior != nil || used >= limit {
		if _, err := conn.Exec(ctx, "rollback"); err != nil {
			return record{}, 0, err
		}
		if prior != nil {
			return *prior, redeemed, nil
		}
		return record{}, limitReached, nil
	}
	var write pgx.Batch
	write.Queue("insert into redemption values ($1, $2, $3, $4, $5, $6)",
		r.coupon.number, r.request, r.fingerprint[:], r.amount, r.lines, r.time)
	write.Queue("update coupon set redeemed = redeemed + 1 where id = $1", r.coupon.number)
	write.Queue("commit")
	return *r, redeemed, conn.SendBatch(ctx, &write).Close()
}

// function leaves all of it to the database: one round trip, and the commit is
// part of it.
type function struct{ pool *pgxpool.Pool }

func (f *function) take(ctx context.Context, r *record) (record, outcome, error) {
	row := f.pool.QueryRow(ctx, "select fingerprint, amount, lines, time from redeem_one($1, $2, $3, $4, $5, $6)",
		r.coupon.number, r.request, r.fingerprint[:], r.amount, r.lines, r.time)
	taken, err := scanRecord(row, r)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return record{}, limitReached, nil
	case err != nil:
		return record{}, 0, err
	}
	return *taken, redeemed, nil
}

// scanRecord reads a row of fingerprint, amount, lines and time: what the request
// of r was taken for.
func scanRecord(row pgx.Row, r *record) (*record, error) {
	taken := record{coupon: r.coupon, request: r.request}
	var sum []byte
	if err := row.Scan(&sum, &taken.amount, &taken.lines, &taken.time); err != nil {
		return nil, err
	}
	copy(taken.fingerprint[:], sum)
	return &taken, nil
}
