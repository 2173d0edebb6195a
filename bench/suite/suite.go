// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package suite

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/discountd/discountd/bench/fixture"
	"github.com/discountd/discountd/bench/load"
	"github.com/discountd/discountd/bench/procs"
	"github.com/discountd/discountd/bench/report"
	"github.com/discountd/discountd/bench/rivals"
	discountv1 "github.com/discountd/discountd/gen/discount/v1"
)

// Options say what to run.
type Options struct {
	// Discountd is the service's binary.
	Discountd string
	// Dir is where a directory for all data is made, and removed again.
	Dir string
	// Rounds is how often every variant is measured, for Duration, after Warmup.
	Rounds           int
	Warmup, Duration time.Duration
	// Items is how many codes and how many redemptions are stored to measure their
	// memory.
	Items int
	// Only matches the names of the variants to run.
	Only *regexp.Regexp
	// Progress is told what is done.
	Progress io.Writer
}

// Suite is a run of the benchmark.
type Suite struct {
	options  Options
	dir      string
	postgres *procs.Postgres // nil when no variant needs it
	answers  rivals.Answers
	nextRun  uint64
	variants []variant
	results  *report.Results
}

// Run runs the benchmark. Promises that were broken are in the results; an error
// says that it could not be run.
func Run(ctx context.Context, o Options) (results *report.Results, err error) {
	dir, err := os.MkdirTemp(o.Dir, "discountd-bench-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	// PostgreSQL runs as another user and must get through.
	if err := os.Chmod(dir, 0o711); err != nil {
		return nil, err
	}
	s := &Suite{options: o, dir: dir, nextRun: rand.Uint64() >> 1, results: &report.Results{
		Rounds: o.Rounds, Warmup: o.Warmup, Duration: o.Duration,
	}}
	if err := s.prepare(ctx); err != nil {
		return nil, err
	}
	if s.postgres != nil {
		defer func() { err = errors.Join(err, s.postgres.Close()) }()
	}
	for round := range o.Rounds {
		if err := s.round(ctx, round); err != nil {
			return nil, fmt.Errorf("round %d: %w", round+1, err)
		}
	}
	// A broken promise may leave a variant without a measurement.
	s.results.Variants = slices.DeleteFunc(s.results.Variants, func(v report.Variant) bool { return len(v.Cells) == 0 })
	if o.Items > 0 {
		if err := s.measureMemory(ctx); err != nil {
			return nil, fmt.Errorf("memory: %w", err)
		}
	}
	return s.results, nil
}

// prepare finds out what can be run and starts what is needed throughout.
func (s *Suite) prepare(ctx context.Context) error {
	help, err := exec.CommandContext(ctx, s.options.Discountd, "--help").CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s --help: %w\n%s", s.options.Discountd, err, help)
	}
	s.variants, s.results.LeftOut = choose(s.options.Only, func(flag string) bool {
		name, _, _ := strings.Cut(strings.TrimPrefix(flag, "--"), "=")
		return knows(string(help), name)
	})
	for _, why := range s.results.LeftOut {
		s.say("left out: %s", why)
	}
	if len(s.variants) == 0 {
		return errors.New("no variant to run")
	}
	for _, v := range s.variants {
		s.results.Variants = append(s.results.Variants, report.Variant{
			Name: v.String(), Work: v.shape.String(), Server: v.server.String(),
		})
	}
	if s.results.Environment, err = report.ReadEnvironment(s.dir); err != nil {
		return err
	}
	version, err := exec.CommandContext(ctx, s.options.Discountd, "--version").Output()
	if err != nil {
		return fmt.Errorf("%s --version: %w", s.options.Discountd, err)
	}
	s.results.Environment.Discountd = strings.TrimSpace(string(version))
	if slices.ContainsFunc(s.variants, func(v variant) bool { return strings.HasPrefix(v.server.kind, "postgres") }) {
		s.say("starting PostgreSQL")
		if s.postgres, err = procs.StartPostgres(ctx, filepath.Join(s.dir, "postgres")); err != nil {
			return err
		}
		if s.results.Environment.PostgreSQL, err = s.postgres.Version(ctx); err != nil {
			return errors.Join(err, s.postgres.Close())
		}
	}
	if err := s.learnAnswers(ctx); err != nil {
		err = fmt.Errorf("learn what discountd answers: %w", err)
		if s.postgres != nil {
			err = errors.Join(err, s.postgres.Close())
		}
		return err
	}
	return nil
}

// learnAnswers asks a discountd for the answers that the empty server gives.
func (s *Suite) learnAnswers(ctx context.Context) (err error) {
	v, err := s.start(ctx, spec{kind: service, durability: off}, []fixture.Coupon{fixture.Hot()}, filepath.Join(s.dir, "answers"))
	defer func() { err = errors.Join(err, v.stop()) }()
	if err != nil {
		return err
	}
	if s.results.Environment.Redis, err = v.redis.Version(ctx); err != nil {
		return err
	}
	conn, err := dial(v.address)
	if err != nil {
		return err
	}
	defer conn.Close()
	client := discountv1.NewRedemptionServiceClient(conn)
	redeemed, err := client.Redeem(ctx, &discountv1.RedeemRequest{
		RequestId: fixture.RequestID(s.nextRun, 0),
		Source:    &discountv1.RedeemRequest_Code{Code: fixture.Hot().Code}, Order: fixture.OneLine(),
	})
	if err != nil {
		return err
	}
	validated, err := client.ValidateCode(ctx, &discountv1.ValidateCodeRequest{
		Source: &discountv1.ValidateCodeRequest_Code{Code: fixture.Hot().Code}, Order: fixture.FiveLines(),
	})
	if err != nil {
		return err
	}
	var err1, err2 error
	s.answers.Redeem, err1 = proto.Marshal(redeemed)
	s.answers.ValidateCode, err2 = proto.Marshal(validated)
	return errors.Join(err1, err2)
}

// config is what the load generator gets for a shape.
func (s *Suite) config(what shape) load.Config {
	return load.Config{
		Work: what.work, Coupons: what.coupons, MaxStaleness: what.staleness, Callers: what.callers, Rate: what.rate,
		Warmup: s.warmup(what), Duration: s.options.Duration,
	}
}

// couponsPerWarmup is how many coupons a server gets to know in one warm-up: it reads
// the rules of each when it first meets it.
const couponsPerWarmup = 200

func (s *Suite) warmup(what shape) time.Duration {
	return s.options.Warmup * time.Duration(1+what.coupons/couponsPerWarmup)
}

// broken notes a promise that was not kept.
func (s *Suite) broken(where fmt.Stringer, format string, args ...any) {
	text := fmt.Sprintf("%s: %s", where, fmt.Sprintf(format, args...))
	s.results.Failures = append(s.results.Failures, text)
	s.say("BROKEN: %s", text)
}

func (s *Suite) say(format string, args ...any) {
	fmt.Fprintf(s.options.Progress, format+"\n", args...)
}

// knows reports whether a program's help has a flag, --name or --[no-]name.
func knows(help, name string) bool {
	return strings.Contains(help, "--"+name) || strings.Contains(help, "--[no-]"+name)
}
