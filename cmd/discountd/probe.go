// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/discountd/discountd/domain"
)

const (
	// probeInterval is how often the store is asked whether it is there.
	probeInterval = time.Second
	// probeTimeout is how long it may take to say so.
	probeTimeout = time.Second
	// probeFailures is how many times in a row it must fail to. One slow answer is
	// no outage, and a server that is taken out of service for it makes the others
	// slower.
	probeFailures = 2
)

// probe pings the store until ctx ends and reports every change of whether it
// serves, and logs it. It begins as serving.
func probe(ctx context.Context, ping func(context.Context) error, report func(serving bool), logger *slog.Logger) {
	ticker := time.NewTicker(probeInterval)
	defer ticker.Stop()
	failed := 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		attempt, cancel := context.WithTimeout(ctx, probeTimeout)
		err := ping(attempt)
		cancel()
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			failed++
			if failed == probeFailures {
				report(false)
				logger.Error("the store does not answer; not serving", "error", withCause(err))
			}
		case failed >= probeFailures:
			report(true)
			logger.Info("the store answers again; serving")
			fallthrough
		default:
			failed = 0
		}
	}
}

// withCause adds to an error what is behind it, which it keeps from clients.
func withCause(err error) error {
	if unavailable, ok := errors.AsType[*domain.UnavailableError](err); ok && unavailable.Cause != nil {
		return fmt.Errorf("%w: %w", err, unavailable.Cause)
	}
	return err
}
