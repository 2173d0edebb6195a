// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package rivals

import (
	"context"
	_ "embed"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/discountd/discountd/bench/fixture"
)

//go:embed schema.sql
var schema string

// sessions is how many connections a rival has. More of them only wait for the
// same row; fewer leave the server without work while answers are on their way.
const sessions = 8

// PreparePostgres makes an empty database ready to serve some coupons from.
func PreparePostgres(ctx context.Context, url string, coupons []fixture.Coupon) (err error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	if _, err := conn.Exec(ctx, schema); err != nil {
		return fmt.Errorf("schema.sql: %w", err)
	}
	_, err = conn.CopyFrom(ctx, pgx.Identifier{"coupon"}, []string{"id", "max_redemptions"},
		pgx.CopyFromSlice(len(coupons), func(i int) ([]any, error) {
			return []any{int64(i), coupons[i].MaxRedemptions}, nil
		}))
	return err
}

func openPostgres(ctx context.Context, c Config) (ledger, func(), error) {
	config, err := pgxpool.ParseConfig(c.Store)
	if err != nil {
		return nil, nil, err
	}
	config.MaxConns, config.MinConns = sessions, sessions
	settings := config.ConnConfig.RuntimeParams
	settings["synchronous_commit"] = "on"
	if !c.Synchronous {
		settings["synchronous_commit"] = "off"
	}
	// Plans are made while the tables are empty and must be good when they are not.
	settings["enable_seqscan"] = "off"
	settings["enable_hashjoin"] = "off"
	settings["enable_mergejoin"] = "off"
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, nil, err
	}
	switch c.Kind {
	case RowLock:
		return &rowLock{pool}, pool.Close, nil
	case Function:
		return &function{pool}, pool.Close, nil
	default:
		b := newBatched(pool)
		return b, b.close, nil
	}
}

// AuditPostgres tells counter of every coupon's counter, and visit of every row of
// the ledger.
func AuditPostgres(ctx context.Context, url string, coupons []fixture.Coupon, counter func(coupon string, n int64), visit func(coupon, request string)) (err error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	var id, redeemed int64
	var request string
	rows, err := conn.Query(ctx, "select id, redeemed from coupon")
	if err != nil {
		return err
	}
	if _, err := pgx.ForEachRow(rows, []any{&id, &redeemed}, func() error {
		counter(coupons[id].ID, redeemed)
		return nil
	}); err != nil {
		return err
	}
	rows, err = conn.Query(ctx, "select coupon, request from redemption")
	if err != nil {
		return err
	}
	_, err = pgx.ForEachRow(rows, []any{&id, &request}, func() error {
		visit(coupons[id].ID, request)
		return nil
	})
	return err
}
