// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/discountd/discountd/domain"
)

// retryAfter is what a caller is told to wait when the store is away.
const retryAfter = 200 * time.Millisecond

// refusals are the answers by which a Redis says that it has not executed a
// command. The list is closed: anything else may have been executed.
var refusals = []string{
	"LOADING", "OOM", "READONLY", "NOREPLICAS", "MISCONF", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "BUSY", "NOAUTH", "WRONGPASS", "NOPERM",
}

// writeError turns what go-redis returned for a script into an error of package
// domain, or of the context. It tells what was certainly not executed from what
// may have been.
func (s *Store) writeError(ctx context.Context, err error) error {
	return classify(ctx, err, true)
}

// readError does the same for a command that only reads, whose outcome is never
// unknown.
func (s *Store) readError(ctx context.Context, err error) error {
	return classify(ctx, err, false)
}

func classify(ctx context.Context, err error, wrote bool) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case refused(err):
		return &domain.UnavailableError{RetryAfter: retryAfter, Cause: err}
	case isRedisError(err):
		return err // a fault in a script or in the data
	default:
		return &domain.UnavailableError{OutcomeUnknown: wrote, RetryAfter: retryAfter, Cause: err}
	}
}

// refused reports whether a command was certainly not executed.
func refused(err error) bool {
	var dial *net.OpError
	if errors.As(err, &dial) && dial.Op == "dial" {
		return true
	}
	if errors.Is(err, redis.ErrPoolTimeout) || errors.Is(err, redis.ErrPoolExhausted) || errors.Is(err, redis.ErrClosed) || errors.Is(err, errStoreChanged) {
		return true
	}
	if !isRedisError(err) {
		return false
	}
	text := strings.TrimPrefix(err.Error(), "ERR ")
	for _, r := range refusals {
		// Redis 6 puts the answer to a command inside the error of the script.
		if strings.HasPrefix(text, r+" ") || strings.Contains(text, ": -"+r+" ") {
			return true
		}
	}
	return false
}

func isRedisError(err error) bool {
	var r redis.Error
	return errors.As(err, &r)
}

// connectionLost reports whether a connection broke, so that the command may or
// may not have been executed and is worth sending again at once.
func connectionLost(err error) bool {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
		return true
	}
	return false
}
