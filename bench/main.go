// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

// Command bench measures discountd, and what one would build instead, on this
// machine. See README.md.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"github.com/discountd/discountd/bench/load"
	"github.com/discountd/discountd/bench/report"
	"github.com/discountd/discountd/bench/rivals"
	"github.com/discountd/discountd/bench/suite"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	var c commands
	parsed := kong.Parse(&c, kong.Name("bench"),
		kong.Description("Measures discountd, and what one would build instead."),
		kong.BindTo(ctx, (*context.Context)(nil)))
	parsed.FatalIfErrorf(parsed.Run())
}

type commands struct {
	Run     runCommand     `cmd:"" default:"withargs" help:"Run the benchmark."`
	Publish publishCommand `cmd:"" help:"Write results into docs/performance.md."`
	Load    loadCommand    `cmd:"" hidden:""`
	Serve   serveCommand   `cmd:"" hidden:""`
}

type runCommand struct {
	Discountd string         `default:"bin/discountd" type:"existingfile" help:"The service (${default})."`
	Rounds    int            `default:"5" help:"How often every variant is measured (${default})."`
	Duration  time.Duration  `default:"1s" help:"How long it is measured (${default})."`
	Warmup    time.Duration  `default:"300ms" help:"How long it runs before (${default})."`
	Items     int            `default:"100000" help:"How many codes and redemptions are stored to measure memory; 0 for none (${default})."`
	Only      *regexp.Regexp `default:"" placeholder:"REGEXP" help:"Only variants whose name matches; memory is one, too."`
	Smoke     bool           `help:"Check correctness only: every variant once and briefly. The figures mean nothing and are not written."`
	Dir       string         `default:"/var/tmp" type:"existingdir" help:"Where data is kept meanwhile; a disk, and entered by everybody, or a commit costs nothing and PostgreSQL does not start (${default})."`
	Out       string         `default:"build/bench" help:"Where results.json, results.md and performance.svg are written (${default})."`
}

// The settings of a smoke run.
const (
	smokeDuration = 100 * time.Millisecond
	smokeWarmup   = 20 * time.Millisecond
	smokeItems    = 2000
)

// Run runs the benchmark, and fails when a promise was broken.
func (c *runCommand) Run(ctx context.Context) error {
	if c.Smoke {
		c.Rounds, c.Duration, c.Warmup, c.Items = 1, smokeDuration, smokeWarmup, smokeItems
	}
	if c.Rounds < 1 || c.Duration <= 0 || c.Warmup < 0 || c.Items < 0 {
		return errors.New("--rounds and --duration must be positive, --warmup and --items not negative")
	}
	begin := time.Now()
	results, err := suite.Run(ctx, suite.Options{
		Discountd: c.Discountd, Dir: c.Dir, Rounds: c.Rounds, Warmup: c.Warmup, Duration: c.Duration,
		Items: c.Items, Only: c.Only, Progress: os.Stdout,
	})
	if err != nil {
		return err
	}
	if !c.Smoke {
		if err := write(results, c.Out); err != nil {
			return err
		}
		fmt.Printf("\n%s", results.Markdown())
	}
	fmt.Printf("\n%d variants in %s: ", len(results.Variants), time.Since(begin).Round(time.Second))
	if n := len(results.Failures); n > 0 {
		fmt.Printf("%d promises broken\n", n)
		return fmt.Errorf("%d promises broken, the first: %s", n, results.Failures[0])
	}
	fmt.Println("every counter equals its ledger")
	return nil
}

// write writes the results in every form.
func write(results *report.Results, dir string) error {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	if err := results.Write(filepath.Join(dir, "results.json")); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "results.md"), []byte(results.Markdown()), 0o600); err != nil {
		return err
	}
	picture, err := results.SVG()
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "performance.svg"), picture, 0o600)
}

type publishCommand struct {
	Results  string `arg:"" default:"build/bench/results.json" help:"What was measured (${default})."`
	Document string `default:"docs/performance.md" help:"The document to write it into (${default})."`
}

// Run publishes results.
func (c *publishCommand) Run() error {
	results, err := report.Read(c.Results)
	if err != nil {
		return err
	}
	return results.Publish(c.Document)
}

type loadCommand struct{}

// Run is the load generator's process.
func (*loadCommand) Run(ctx context.Context) error { return load.Main(ctx, os.Stdin, os.Stdout) }

type serveCommand struct{}

// Run is the process of an empty server or of a rival.
func (*serveCommand) Run(ctx context.Context) error {
	var c rivals.Config
	if err := json.NewDecoder(os.Stdin).Decode(&c); err != nil {
		return fmt.Errorf("read the configuration: %w", err)
	}
	return rivals.Main(ctx, c, os.Stdout)
}
