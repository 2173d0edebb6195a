// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package suite

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/discountd/discountd/bench/fixture"
	"github.com/discountd/discountd/bench/procs"
	"github.com/discountd/discountd/bench/rivals"
)

// server is one that runs, with all that belongs to it.
type server struct {
	spec    spec
	address string
	process *procs.Process
	redis   *procs.Redis
	// coupons are those that it has.
	coupons []fixture.Coupon
	// store is the process whose CPU is the store's, 0 for none.
	store int
	// account is what was sent to it; audit reads what it has.
	account *account
	audit   func(ctx context.Context) error
}

// stop ends it and what it kept its data in. A PostgreSQL goes on for the others.
func (v *server) stop() error {
	var err error
	if v.process != nil {
		err = v.process.Stop(syscall.SIGTERM)
	}
	if v.redis != nil {
		err = errors.Join(err, v.redis.Close())
	}
	return err
}

// start starts a server that has nothing but some coupons, with its files in dir.
// Whatever came of it, it is to be stopped.
func (s *Suite) start(ctx context.Context, what spec, coupons []fixture.Coupon, dir string) (*server, error) {
	v := &server{spec: what, coupons: coupons, account: newAccount()}
	err := os.MkdirAll(dir, 0o700)
	if err == nil {
		switch what.kind {
		case rivals.Echo:
			err = s.startRival(ctx, v, dir, "")
		case service:
			err = s.startService(ctx, v, dir)
		case rivals.Watch, rivals.Lock:
			err = s.startRedisRival(ctx, v, dir)
		default:
			err = s.startPostgresRival(ctx, v, dir)
		}
	}
	if err != nil {
		return v, fmt.Errorf("%s: %w", what, err)
	}
	return v, nil
}

// startRedis starts the Redis of a server.
func (v *server) startRedis(ctx context.Context, dir string) (err error) {
	fsync := v.spec.durability
	if fsync == off {
		fsync = ""
	}
	v.redis, err = procs.StartRedis(ctx, filepath.Join(dir, "redis"), fsync)
	if err == nil {
		v.store = v.redis.PID()
	}
	return err
}

func (s *Suite) startService(ctx context.Context, v *server, dir string) error {
	if err := v.startRedis(ctx, dir); err != nil {
		return err
	}
	var err error
	v.process, v.address, err = procs.StartDiscountd(ctx, s.options.Discountd, dir, v.redis.URL(), v.spec.flags...)
	if err != nil {
		return err
	}
	v.audit = func(ctx context.Context) error { return auditService(ctx, v.address, v.coupons, v.account) }
	return createCoupons(ctx, v.address, v.coupons)
}

func (s *Suite) startRedisRival(ctx context.Context, v *server, dir string) error {
	if err := v.startRedis(ctx, dir); err != nil {
		return err
	}
	if err := rivals.PrepareRedis(ctx, v.redis.URL(), v.coupons); err != nil {
		return err
	}
	v.audit = func(ctx context.Context) error {
		return rivals.AuditRedis(ctx, v.redis.URL(), v.coupons, v.account.counter, v.account.visit)
	}
	return s.startRival(ctx, v, dir, v.redis.URL())
}

func (s *Suite) startPostgresRival(ctx context.Context, v *server, dir string) error {
	v.store = s.postgres.PID()
	database := strings.NewReplacer("/", "_", "-", "_").Replace(v.spec.String())
	if err := s.postgres.Recreate(ctx, database); err != nil {
		return err
	}
	store := s.postgres.URL(database)
	if err := rivals.PreparePostgres(ctx, store, v.coupons); err != nil {
		return err
	}
	v.audit = func(ctx context.Context) error {
		return rivals.AuditPostgres(ctx, store, v.coupons, v.account.counter, v.account.visit)
	}
	return s.startRival(ctx, v, dir, store)
}

// startRival starts a server of package rivals on a store.
func (s *Suite) startRival(ctx context.Context, v *server, dir, store string) error {
	config, err := json.Marshal(rivals.Config{
		Kind: v.spec.kind, Store: store, Synchronous: v.spec.durability == synced, Coupons: v.coupons, Answers: s.answers,
	})
	if err != nil {
		return err
	}
	v.process, v.address, err = procs.StartSelf(ctx, v.spec.String(), filepath.Join(dir, "server.log"), "serve", string(config))
	return err
}

// dirOf returns a directory for a server of a round.
func (s *Suite) dirOf(round int, what spec) string {
	return filepath.Join(s.dir, fmt.Sprintf("round-%d", round), url.PathEscape(what.String()))
}
