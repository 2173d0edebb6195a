// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package suite

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/discountd/discountd/bench/fixture"
	"github.com/discountd/discountd/bench/report"
	"github.com/discountd/discountd/bench/rivals"
)

// round measures every variant once, on servers that are new: what one round has
// stored is no burden to the next. All servers run throughout, so that variants
// which are compared are measured within the same minute.
func (s *Suite) round(ctx context.Context, round int) (err error) {
	servers := map[string]*server{}
	defer func() {
		for _, v := range servers {
			err = errors.Join(err, v.stop())
		}
	}()
	s.say("round %d of %d: starting servers", round+1, s.options.Rounds)
	needed := []spec{{kind: rivals.Echo}}
	for _, v := range s.variants {
		needed = append(needed, v.server)
	}
	for _, what := range needed {
		if servers[what.String()] != nil {
			continue
		}
		v, err := s.start(ctx, what, s.couponsOf(what), s.dirOf(round, what))
		servers[what.String()] = v
		if err != nil {
			return err
		}
	}
	if err := s.checkPromises(ctx, servers); err != nil {
		return err
	}
	// Forth and back, so that a machine that gets slower or faster all the time
	// does so to every variant.
	order := make([]int, len(s.variants))
	for i := range order {
		order[i] = i
	}
	if round%2 == 1 {
		slices.Reverse(order)
	}
	for _, i := range order {
		if err := s.cell(ctx, round, i, servers); err != nil {
			return err
		}
	}
	return s.audit(ctx, servers)
}

// couponsOf returns the coupons that the variants of a server need.
func (s *Suite) couponsOf(what spec) []fixture.Coupon {
	coupons := []fixture.Coupon{fixture.Hot(), fixture.Small()}
	most := 1
	for _, v := range s.variants {
		if v.server.String() == what.String() {
			most = max(most, v.shape.coupons)
		}
	}
	for i := range most {
		if most > 1 {
			coupons = append(coupons, fixture.One(i))
		}
	}
	return coupons
}

// checkPromises has every server but the empty one prove itself.
func (s *Suite) checkPromises(ctx context.Context, servers map[string]*server) error {
	for _, v := range servers {
		if v.audit == nil {
			continue
		}
		s.nextRun += 2
		if err := checkPromises(ctx, v.address, s.nextRun-1, v.account); err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			s.broken(v.spec, "%v", err)
		}
	}
	return nil
}

// cell measures a variant, right after the empty server was asked the same.
func (s *Suite) cell(ctx context.Context, round, i int, servers map[string]*server) error {
	what := s.variants[i]
	echo, err := s.measure(ctx, servers[rivals.Echo], s.config(what.shape))
	if err != nil {
		return fmt.Errorf("echo, asked %s: %w", what.shape, err)
	}
	figures, err := s.measure(ctx, servers[what.server.String()], s.config(what.shape))
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		s.broken(what, "%v", err)
		return nil
	}
	c := report.Cell{Round: round, Figures: figures, Echo: echo}
	s.results.Variants[i].Cells = append(s.results.Variants[i].Cells, c)
	s.say("  %-52s %9.0f/s  %5.3f of echo  p99 %s", what, figures.PerSecond, report.Ratio(c), figures.Latency.P99)
	return nil
}

// audit compares what every server has counted with its ledger and with what it
// was sent.
func (s *Suite) audit(ctx context.Context, servers map[string]*server) error {
	for _, v := range servers {
		if v.audit == nil {
			continue
		}
		if err := v.audit(ctx); err != nil {
			return fmt.Errorf("audit of %s: %w", v.spec, err)
		}
		for _, why := range v.account.verdict() {
			s.broken(v.spec, "%s", why)
		}
	}
	s.say("  counters, ledgers and acknowledgements were compared")
	return nil
}
