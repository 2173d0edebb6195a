// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/discountd/discountd/domain"
	"github.com/discountd/discountd/internal/privateredis"
	"github.com/discountd/discountd/redisstore"
)

// auditConfig is what can be set for the audit, beside where everything is kept.
type auditConfig struct {
	Coupon string `placeholder:"COUPON" help:"The only coupon to audit: its id, or its name coupons/ID."`
	Repair bool   `help:"Mend what differs. Redemptions may go on meanwhile."`
	JSON   bool   `name:"json" help:"Print one JSON object a line: each difference, then a summary."`

	Selected bool `kong:"-"` // whether the audit is the command
}

// AfterApply is called by kong when the audit is the command.
func (a *auditConfig) AfterApply() error {
	a.Selected = true
	if a.Coupon == "" {
		return nil
	}
	// As it is called, and as an audit prints it.
	a.Coupon = strings.TrimPrefix(a.Coupon, "coupons/")
	if _, err := domain.ParseCouponID(a.Coupon); err != nil {
		return fmt.Errorf("--coupon: %w", err)
	}
	return nil
}

// The exit statuses of an audit. Differences count as such also when they were
// mended: something has caused them.
const (
	exitDifferences = 1
	exitNotRun      = 2
)

// exitError is an error with the exit status that it leads to.
type exitError struct {
	status int
	err    error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// exitStatus returns the status that the program ends with after an error.
func exitStatus(err error) int {
	if e, ok := errors.AsType[*exitError](err); ok {
		return e.status
	}
	return 1
}

// usageError keeps arguments that an audit cannot run with apart from differences.
func usageError(args []string, err error) error {
	if slices.Contains(args, "audit") {
		return &exitError{exitNotRun, err}
	}
	return err
}

// audit compares what is stored with the ledgers and prints every difference on
// stdout. The error says with what status the program is to end.
func audit(ctx context.Context, c config, stdout, stderr io.Writer) error {
	b, err := openForAudit(ctx, c, c.logger(stderr))
	if err != nil {
		return &exitError{exitNotRun, err}
	}
	p := &auditPrinter{out: stdout, json: c.Audit.JSON, repair: c.Audit.Repair}
	if isTerminal(stderr) {
		p.progress = stderr
	}
	sum, err := auditStore(ctx, b.client, c.Audit, p)
	err = errors.Join(err, p.finish(sum, err), b.Close())
	switch {
	case err != nil:
		return &exitError{exitNotRun, fmt.Errorf("%s: %w", b.description, withCause(err))}
	case sum.Differences > 0: // which have been printed
		return &exitError{exitDifferences, &loggedError{errors.New(p.differences(sum))}}
	}
	return nil
}

func auditStore(ctx context.Context, client redis.UniversalClient, c auditConfig, p *auditPrinter) (redisstore.AuditSummary, error) {
	auditor, err := redisstore.OpenAuditor(ctx, client, redisstore.Options{})
	if err != nil {
		return redisstore.AuditSummary{}, withAccessHint(err)
	}
	return auditor.Audit(ctx, redisstore.AuditOptions{
		Coupon: domain.CouponID(c.Coupon), Repair: c.Repair, Found: p.found, Progress: p.show,
	})
}

// openForAudit returns the Redis that a service with this configuration has or
// would have. The private Redis of a service that runs is used together with it.
func openForAudit(ctx context.Context, c config, logger *slog.Logger) (*backing, error) {
	if c.Redis != redisAuto {
		return openBacking(ctx, c, logger)
	}
	if !privateredis.HasData(c.DataDir) {
		return nil, fmt.Errorf("%s has no data to audit: say with --redis or --data-dir where it is kept; what a service keeps in memory cannot be audited", c.DataDir)
	}
	b, err := openPrivate(ctx, c.DataDir, logger)
	if _, inUse := errors.AsType[*privateredis.InUseError](err); !inUse {
		return b, err
	}
	options, err := privateredis.AttachOptions(c.DataDir)
	if err != nil {
		return nil, err
	}
	return &backing{
		client:      redis.NewClient(withPolicy(options)),
		description: "private redis-server of the service that uses " + c.DataDir,
		stop:        func(context.Context) error { return nil },
	}, nil
}

// progressInterval is how often the progress that is shown changes.
const progressInterval = 100 * time.Millisecond

// auditPrinter prints what an audit finds, and how far it is if there is a
// terminal to show it on.
type auditPrinter struct {
	out          io.Writer
	json, repair bool
	progress     io.Writer // nil shows none
	shown        time.Time
	mendable     int   // of what was found and is not mended
	err          error // the first of writing
}

func (p *auditPrinter) found(d domain.Difference) {
	p.clear()
	if !d.Repaired && d.Reason == "" {
		p.mendable++
	}
	if p.json {
		p.print(d)
	} else {
		p.print(d.String())
	}
}

// print writes a line: a text, or a value as JSON.
func (p *auditPrinter) print(v any) {
	text, ok := v.(string)
	if !ok {
		b, err := json.Marshal(v)
		if err != nil {
			p.err = errors.Join(p.err, err)
			return
		}
		text = string(b)
	}
	if _, err := fmt.Fprintln(p.out, text); err != nil && p.err == nil {
		p.err = fmt.Errorf("write to standard output: %w", err)
	}
}

// finish prints the summary, unless there was an error, and returns the error of
// writing, if there was any.
func (p *auditPrinter) finish(sum redisstore.AuditSummary, err error) error {
	p.clear()
	switch {
	case p.json:
		p.print(struct {
			Summary redisstore.AuditSummary `json:"summary"`
		}{sum})
	case err == nil:
		p.print(fmt.Sprintf("audited %s with %s: %s", counted(int64(sum.Coupons), "coupon"), counted(sum.Redemptions, "redemption"), p.differences(sum)))
		if p.mendable > 0 && !p.repair {
			p.print(fmt.Sprintf("to mend %d of them, run it with --repair", p.mendable))
		}
	}
	return p.err
}

// differences says how much was found.
func (p *auditPrinter) differences(sum redisstore.AuditSummary) string {
	found := counted(int64(sum.Differences), "difference")
	switch {
	case sum.Differences == 0:
		return "no differences"
	case p.repair:
		return fmt.Sprintf("%s, %d repaired", found, sum.Repaired)
	case p.mendable == 0:
		return found + ", and --repair mends none of them"
	default:
		return found
	}
}

func counted(n int64, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

func (p *auditPrinter) show(a redisstore.AuditProgress) {
	if p.progress == nil || time.Since(p.shown) < progressInterval {
		return
	}
	p.shown = time.Now()
	// A terminal that does not take it misses nothing that counts.
	_, _ = fmt.Fprintf(p.progress, "\r\x1b[Kauditing: %d of %s, %s read", a.Coupons, counted(int64(a.AllCoupons), "coupon"), counted(a.Records, "redemption"))
}

// clear takes the progress away.
func (p *auditPrinter) clear() {
	if p.progress != nil && !p.shown.IsZero() {
		_, _ = fmt.Fprint(p.progress, "\r\x1b[K")
	}
}
