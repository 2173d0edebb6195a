// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package suite

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/discountd/discountd/bench/fixture"
	"github.com/discountd/discountd/bench/load"
	"github.com/discountd/discountd/bench/report"
	discountv1 "github.com/discountd/discountd/gen/discount/v1"
)

// memoryWarmup is how many items are stored before the count begins, so that what
// is made once, connections and scripts among it, is there already.
const memoryWarmup = 500

// measureMemory stores codes and redemptions and looks at what Redis has more.
func (s *Suite) measureMemory(ctx context.Context) (err error) {
	what := spec{kind: service, durability: off}
	if !s.options.Only.MatchString("memory") {
		return nil
	}
	s.say("memory: %d codes and %d redemptions", s.options.Items, s.options.Items)
	v, err := s.start(ctx, what, []fixture.Coupon{fixture.Hot()}, filepath.Join(s.dir, "memory"))
	defer func() { err = errors.Join(err, v.stop()) }()
	if err != nil {
		return err
	}
	if err := s.memoryOfCodes(ctx, v); err != nil {
		return err
	}
	if err := s.memoryOfRedemptions(ctx, v); err != nil {
		return err
	}
	if err := v.audit(ctx); err != nil {
		return err
	}
	for _, why := range v.account.verdict() {
		s.broken(what, "memory: %s", why)
	}
	return nil
}

// memoryOfCodes stores generated codes of one coupon, without rules of their own.
func (s *Suite) memoryOfCodes(ctx context.Context, v *server) error {
	conn, err := dial(v.address)
	if err != nil {
		return err
	}
	defer conn.Close()
	coupons := discountv1.NewCouponServiceClient(conn)
	const parent = "coupons/codes"
	if _, err := coupons.CreateCoupon(ctx, &discountv1.CreateCouponRequest{
		CouponId: "codes", Coupon: fixture.Definition(fixture.Hot(), time.Now()),
	}); err != nil {
		return err
	}
	create := func(ctx context.Context, _ int) error {
		_, err := coupons.CreatePromotionCode(ctx, &discountv1.CreatePromotionCodeRequest{
			Parent: parent, PromotionCode: &discountv1.PromotionCode{},
		})
		if err != nil {
			return fmt.Errorf("create a code: %w", err)
		}
		return nil
	}
	if err := concurrently(ctx, memoryWarmup, create); err != nil {
		return err
	}
	return s.memoryOf(ctx, v, "promotion code", func() (int64, error) {
		return int64(s.options.Items), concurrently(ctx, s.options.Items, create)
	})
}

// memoryOfRedemptions redeems the hot coupon.
func (s *Suite) memoryOfRedemptions(ctx context.Context, v *server) error {
	redeem := func(calls int) (int64, error) {
		before := v.account.acknowledged()
		_, err := s.measure(ctx, v, load.Config{Work: load.Redeem, Coupons: 1, Callers: setupCallers, Calls: uint64(calls)})
		return int64(v.account.acknowledged() - before), err
	}
	if _, err := redeem(memoryWarmup); err != nil {
		return err
	}
	return s.memoryOf(ctx, v, "redemption", func() (int64, error) { return redeem(s.options.Items) })
}

// memoryOf notes what Redis has more after store, which returns how many items it
// has stored.
func (s *Suite) memoryOf(ctx context.Context, v *server, what string, store func() (int64, error)) error {
	before, err := v.redis.UsedMemory(ctx)
	if err != nil {
		return err
	}
	items, err := store()
	if err != nil {
		return err
	}
	after, err := v.redis.UsedMemory(ctx)
	if err != nil {
		return err
	}
	m := report.Memory{What: what, Items: items, Bytes: after - before}
	s.results.Memory = append(s.results.Memory, m)
	s.say("  %.1f bytes per %s", m.PerItem(), what)
	return nil
}
