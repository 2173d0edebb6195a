// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// untilSignal returns a context that ends at the first SIGINT or SIGTERM, which is
// its cause. A second one ends the process at once.
func untilSignal(parent context.Context) context.Context {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		first := <-signals
		// Before anyone can tell that the first was noticed, so that whoever sends
		// the second one then is heard.
		signal.Stop(signals)
		cancel(fmt.Errorf("signal: %s", first))
	}()
	return ctx
}
