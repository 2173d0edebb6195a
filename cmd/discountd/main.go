// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

// Command discountd serves coupons, promotion codes and their redemption over
// gRPC. See discountd --help.
package main

import (
	"context"
	"fmt"
	"os"
	_ "time/tzdata" // periods begin in any time zone, on any machine

	"github.com/redis/go-redis/v9/logging"
)

func main() {
	if err := start(); err != nil {
		say(os.Stderr, err)
		os.Exit(exitStatus(err))
	}
}

// start runs the service, or another command, until a signal or an error ends it.
func start() error {
	logging.Disable() // the Redis client returns all that it would log
	c, err := parse(os.Args[1:])
	if err != nil {
		return usageError(os.Args[1:], fmt.Errorf("%w; see discountd --help", err))
	}
	ctx := untilSignal(context.Background())
	if c.Audit.Selected {
		return audit(ctx, c, os.Stdout, os.Stderr)
	}
	c.tuneCollector()
	return run(ctx, c, c.forPeople(os.Stdout), os.Stderr)
}
