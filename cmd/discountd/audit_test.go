// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/discountd/discountd/domain"
	"github.com/discountd/discountd/redisstore"
)

// audited is how an audit by the built program ended.
type audited struct {
	status         int
	stdout, stderr string
}

func auditBy(t *testing.T, args ...string) audited {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(binDir(t), "discountd"), append([]string{"audit"}, args...)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if _, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		t.Fatal(err)
	}
	return audited{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// wantAudit fails the test unless an audit ended with a status and said something.
func wantAudit(t *testing.T, got audited, status int, say string) {
	t.Helper()
	if got.status != status || !strings.Contains(got.stdout+got.stderr, say) {
		t.Errorf("status %d, want %d with %q:\n%s%s", got.status, status, say, got.stdout, got.stderr)
	}
	if strings.Contains(got.stdout+got.stderr, "\x1b") {
		t.Errorf("progress where there is no terminal: %q %q", got.stdout, got.stderr)
	}
}

func TestAuditBesideARunningServiceAndWithoutIt(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	here := "--data-dir=" + data
	b := execute(t, data)
	b.awaitHealth(t, serving)
	b.createCoupon(t, "kept")
	if err := b.redeem(t.Context(), "kept", "r-1"); err != nil {
		t.Fatal(err)
	}
	wantAudit(t, auditBy(t, here), 0, "audited 1 coupon with 1 redemption: no differences")

	client := redis.NewClient(&redis.Options{Network: "unix", Addr: filepath.Join(data, "redis.sock")})
	defer client.Close()
	const head = "d1:{c:kept}:n"
	if err := client.HSet(t.Context(), head, "r", 4, "b:EUR", 0).Err(); err != nil {
		t.Fatal(err)
	}
	found := auditBy(t, here)
	wantAudit(t, found, exitDifferences, "coupons/kept: counter redeemed: is 4, should be 1\n")
	wantAudit(t, found, exitDifferences, "coupons/kept: spent EUR: is 0, should be 1000\n")
	wantAudit(t, found, exitDifferences, "1 redemption: 2 differences\nto mend 2 of them, run it with --repair\n")
	if found.stderr != "" {
		t.Errorf("said twice: %q", found.stderr)
	}
	b.wantRedeemed(t, "kept", 4)

	repaired := auditBy(t, here, "--repair", "--json", "--coupon=coupons/kept")
	wantAudit(t, repaired, exitDifferences, `{"summary":{"coupons":1,"redemptions":1,"differences":2,"repaired":2}}`)
	var d domain.Difference
	first, _, _ := strings.Cut(repaired.stdout, "\n")
	if err := json.Unmarshal([]byte(first), &d); err != nil || !d.Repaired || d.Stored != "4" || d.Want != "1" {
		t.Errorf("%v, %+v", err, d)
	}
	b.wantRedeemed(t, "kept", 1)
	wantAudit(t, auditBy(t, here, "--coupon=none"), exitNotRun, "coupons/none")

	b.signal(t, syscall.SIGTERM)
	if err := b.await(t); err != nil {
		t.Fatal(err)
	}
	wantAudit(t, auditBy(t, here), 0, "audited 1 coupon with 1 redemption: no differences")
	if _, err := os.Stat(filepath.Join(data, "redis.sock")); err == nil {
		t.Error("the audit has left its Redis running")
	}
}

// A record of the ledger is nothing that an audit changes.
func TestRepairIsNotOfferedWhereItMendsNothing(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	b := execute(t, data)
	b.awaitHealth(t, serving)
	b.createCoupon(t, "broken")
	if err := b.redeem(t.Context(), "broken", "r-1"); err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(&redis.Options{Network: "unix", Addr: filepath.Join(data, "redis.sock")})
	defer client.Close()
	if err := client.LSet(t.Context(), "d1:{c:broken}:l:0", 0, "nonsense").Err(); err != nil {
		t.Fatal(err)
	}
	found := auditBy(t, "--data-dir="+data)
	wantAudit(t, found, exitDifferences, ", and --repair mends none of them\n")
	if strings.Contains(found.stdout, "run it with --repair") {
		t.Errorf("a repair is offered that mends nothing:\n%s", found.stdout)
	}
}

func TestAuditThatCannotRunHasAStatusOfItsOwn(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"--data-dir=" + t.TempDir()},
		{"--redis=redis://" + freeAddress(t)},
		{"--redis=http://h"},
		{"--coupon=no such id", "--redis=redis://" + freeAddress(t)},
		{"--no-such-flag"},
	} {
		if got := auditBy(t, args...); got.status != exitNotRun || got.stderr == "" || got.stdout != "" {
			t.Errorf("%v: %+v", args, got)
		}
	}
}

func TestProgressOfAnAuditIsShownNowAndThenAndTakenAway(t *testing.T) {
	t.Parallel()
	var out, terminal bytes.Buffer
	p := &auditPrinter{out: &out, progress: &terminal}
	p.show(redisstore.AuditProgress{Coupons: 1, AllCoupons: 3, Records: 512})
	p.show(redisstore.AuditProgress{Coupons: 2, AllCoupons: 3, Records: 1024}) // too soon
	if got := terminal.String(); !strings.Contains(got, "1 of 3 coupons, 512 redemptions") || strings.Contains(got, "1024") {
		t.Errorf("%q", got)
	}
	p.shown = p.shown.Add(-time.Second)
	p.show(redisstore.AuditProgress{Coupons: 2, AllCoupons: 3, Records: 1024})
	if err := p.finish(redisstore.AuditSummary{Coupons: 3, Redemptions: 2000}, nil); err != nil {
		t.Error(err)
	}
	if got := terminal.String(); !strings.Contains(got, "1024 redemptions") || !strings.HasSuffix(got, "\r\x1b[K") {
		t.Errorf("%q", got)
	}
	if got := out.String(); got != "audited 3 coupons with 2000 redemptions: no differences\n" {
		t.Errorf("%q", got)
	}
}

func TestAuditIsACommandAndServingNeedsNone(t *testing.T) {
	t.Parallel()
	c, err := parse([]string{"audit", "--data-dir=/d", "--repair", "--coupon=a", "--json"})
	if err != nil || c.Audit != (auditConfig{Coupon: "a", Repair: true, JSON: true, Selected: true}) {
		t.Errorf("%+v, %v", c.Audit, err)
	}
	for _, args := range [][]string{{"--data-dir=/d"}, {"serve", "--data-dir=/d"}} {
		if c, err := parse(args); err != nil || c.Audit.Selected {
			t.Errorf("%v: %+v, %v", args, c.Audit, err)
		}
	}
}
