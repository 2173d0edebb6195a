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
	"github.com/discountd/discountd/redisstore"
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

// health is what probe has found the store to be like.
type health int

const (
	serves  health = iota
	silent         // it does not answer
	refuses        // it answers, and must not be served from
)

// probe pings the store until ctx ends and reports every change of whether it
// serves, and logs it. It begins as serving.
func probe(ctx context.Context, ping func(context.Context) error, report func(serving bool), logger *slog.Logger) {
	ticker := time.NewTicker(probeInterval)
	defer ticker.Stop()
	is, failed := serves, 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		attempt, cancel := context.WithTimeout(ctx, probeTimeout)
		err := ping(attempt)
		cancel()
		if ctx.Err() != nil {
			return
		}
		was := is
		if is, failed = is.after(err, failed); is == was {
			continue
		}
		if is == serves || was == serves {
			report(is == serves)
		}
		switch is {
		case silent:
			logger.Error("the store does not answer; not serving", "error", causeOf(err))
		case refuses:
			logger.Error("not serving until the store is as it should be", "what_to_do", whatToDo(err))
		default:
			logger.Info("the store answers again; serving")
		}
	}
}

// after returns what the store is like after one more ping, and how many have failed
// in a row by then. What a store says of itself counts at once, and until it takes it
// back.
func (h health) after(err error, failed int) (health, int) {
	switch {
	case err == nil:
		return serves, 0
	case whatToDo(err) != "":
		return refuses, failed + 1
	case h == serves && failed+1 >= probeFailures:
		return silent, failed + 1
	default:
		return h, failed + 1
	}
}

// whatToDo tells what to do about a store that must not be served from, or nothing
// when that is not what the error says. What is wrong with it the store has logged.
func whatToDo(err error) string {
	if loss, ok := errors.AsType[*redisstore.DataLossError](err); ok {
		return "restore the data, or go on with what is there: start once with --accept-data-loss=" + loss.Lost.StoreID
	}
	if unsafe, ok := errors.AsType[*redisstore.UnsafeError](err); ok {
		return "mend the settings of the Redis" + howToAllow(unsafe)
	}
	return ""
}

// causeOf returns what is behind an error that says only that the store could not be
// used, or the error itself.
func causeOf(err error) error {
	if unavailable, ok := errors.AsType[*domain.UnavailableError](err); ok && unavailable.Cause != nil {
		return unavailable.Cause
	}
	return err
}

// withCause adds to an error what is behind it, which it keeps from clients.
func withCause(err error) error {
	if unavailable, ok := errors.AsType[*domain.UnavailableError](err); ok && unavailable.Cause != nil {
		return fmt.Errorf("%w: %w", err, unavailable.Cause)
	}
	return err
}
