// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/discountd/discountd/domain"
	"github.com/discountd/discountd/redisstore"
)

// probed runs probe on a store that answers as told, once for each letter of
// script: y for yes, n for no, s for silence, l for lost data. It returns what was reported and what
// was logged.
func probed(t *testing.T, script string) (reports []bool, log string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var out bytes.Buffer
		rest := script
		ping := func(ctx context.Context) error {
			if rest == "" {
				cancel()
				return ctx.Err()
			}
			next := rest[0]
			rest = rest[1:]
			switch next {
			case 'y':
				return nil
			case 's':
				<-ctx.Done()
				return ctx.Err()
			case 'l':
				return &domain.UnavailableError{Cause: &redisstore.DataLossError{Lost: redisstore.Seen{StoreID: "LOST"}}}
			}
			return &domain.UnavailableError{Cause: errors.New("connection refused")}
		}
		probe(ctx, ping, func(serving bool) { reports = append(reports, serving) }, slog.New(slog.NewTextHandler(&out, nil)))
		log = out.String()
	})
	return reports, log
}

func TestProbeReportsTransitionsOnly(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		script string
		want   []bool
	}{
		{"yyyy", nil},
		{"ynyny", nil}, // one failure is no outage
		{"ynn", []bool{false}},
		{"yssss", []bool{false}},
		{"nnnnyyy", []bool{false, true}},
		{"nnynny", []bool{false, true, false, true}},
		{"nnyn", []bool{false, true}},
		{"yll", []bool{false}}, // what it says of itself counts at once
		{"lnnly", []bool{false, true}},
	} {
		got, log := probed(t, c.script)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.script, got, c.want)
		}
		if lines := strings.Count(log, "\n"); lines != len(c.want) {
			t.Errorf("%s: %d lines logged, want %d:\n%s", c.script, lines, len(c.want), log)
		}
	}
}

// A Redis that comes back empty is silent first.
func TestProbeTellsOnceWhatToDoAboutLostData(t *testing.T) {
	t.Parallel()
	reports, log := probed(t, "nnnllnnll")
	if !slices.Equal(reports, []bool{false}) {
		t.Errorf("reported %v", reports)
	}
	for _, want := range []string{"the store does not answer; not serving", "--accept-data-loss=LOST"} {
		if strings.Count(log, want) != 1 {
			t.Errorf("%q is not said once:\n%s", want, log)
		}
	}
}

func TestProbeLogsWhatIsBehindAnOutage(t *testing.T) {
	t.Parallel()
	if _, log := probed(t, "nn"); !strings.Contains(log, "connection refused") {
		t.Errorf("the cause is not in %q", log)
	}
}

func TestProbeNoticesAnOutageWithinSeconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		start := time.Now()
		silent := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		probe(ctx, silent, func(bool) { cancel() }, slog.New(slog.DiscardHandler))
		if took := time.Since(start); took > 4*time.Second {
			t.Errorf("noticed after %s", took)
		}
	})
}
