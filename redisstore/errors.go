// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
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
	"max number of clients",
}

// writeError turns what go-redis returned for a script that may write into an
// error of package domain, or of the context. It tells what was certainly not
// executed from what may have been.
func writeError(ctx context.Context, err error, w *witness) error {
	out := classify(ctx, err)
	if u, ok := errors.AsType[*domain.UnavailableError](out); ok {
		u.OutcomeUnknown = w.lost.Load() || !refused(err)
	}
	return out
}

// readError does the same for a command that only reads, whose outcome is never
// unknown.
func readError(ctx context.Context, err error) error { return classify(ctx, err) }

func classify(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case isTimeout(err) && deadlineReached(ctx):
		return context.DeadlineExceeded // the connection noticed before the context
	case isFault(err):
		return err
	default:
		return &domain.UnavailableError{RetryAfter: retryAfter, Cause: err}
	}
}

// begun turns the error of a call that has written already: what it began may
// take effect, though its last command certainly did not.
func begun(err error) error {
	if u, ok := errors.AsType[*domain.UnavailableError](err); ok {
		return &domain.UnavailableError{OutcomeUnknown: true, RetryAfter: u.RetryAfter, Cause: u.Cause}
	}
	return err
}

func isTimeout(err error) bool {
	t, ok := errors.AsType[net.Error](err)
	return ok && t.Timeout()
}

func deadlineReached(ctx context.Context) bool {
	d, ok := ctx.Deadline()
	return ok && time.Until(d) <= 0
}

// refused reports whether a command was certainly not executed.
func refused(err error) bool {
	if dial, ok := errors.AsType[*net.OpError](err); ok && dial.Op == "dial" {
		return true
	}
	if errors.Is(err, redis.ErrPoolTimeout) || errors.Is(err, redis.ErrPoolExhausted) || errors.Is(err, redis.ErrClosed) {
		return true
	}
	if _, fenced := errors.AsType[*fencedError](err); fenced {
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

// deniesAccess reports whether a Redis says that the user, the password or the
// database of a connection is not right, or what the user may do.
func deniesAccess(err redis.Error) bool {
	text := err.Error()
	for _, denial := range []string{"NOAUTH ", "WRONGPASS ", "NOPERM ", "ERR AUTH ", "ERR Client sent AUTH", "ERR invalid password", "ERR DB index ", "ERR invalid DB index"} {
		if strings.HasPrefix(text, denial) {
			return true
		}
	}
	return false
}

// isFault reports whether an error is a fault in a script or in what is stored.
func isFault(err error) bool { return isRedisError(err) && !refused(err) }

func isRedisError(err error) bool {
	var r redis.Error
	return errors.As(err, &r)
}

// witness tells about one script whether any attempt to send it ended such that
// it may have been executed: a later attempt may certainly have failed, and the
// client of a cluster makes several by itself and returns the last one's error.
type witness struct{ lost atomic.Bool }

// witnesses are those of the scripts of one pipeline. Others of its commands have
// none.
type witnesses map[redis.Cmder]*witness

type (
	witnessKey   struct{}
	witnessesKey struct{}
)

// watch returns the context to send the script with.
func (w *witness) watch(ctx context.Context) context.Context {
	return context.WithValue(ctx, witnessKey{}, w)
}

// watch returns the context to send the pipeline with.
func (w witnesses) watch(ctx context.Context) context.Context {
	return context.WithValue(ctx, witnessesKey{}, w)
}

// note tells each script's witness how an attempt has ended for it. The client of a
// cluster sends a whole pipeline again, with what was answered already, when one of
// its replies is lost: so an answer, too, is a sign that it may have been executed
// before.
func (w witnesses) note(cmds []redis.Cmder) {
	for _, cmd := range cmds {
		if of := w[cmd]; of != nil && (cmd.Err() == nil || mayBeExecuted(cmd.Err())) {
			of.lost.Store(true)
		}
	}
}

// witnessing is the hook that sees every attempt, if it is on every client of a
// node.
type witnessing struct{}

// DialHook implements redis.Hook.
func (witnessing) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook implements redis.Hook.
func (witnessing) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		note(ctx, err)
		return err
	}
}

// ProcessPipelineHook implements redis.Hook. In a pipeline with one witness, the first
// command is the one that has an effect.
func (witnessing) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		err := next(ctx, cmds)
		if w, ok := ctx.Value(witnessesKey{}).(witnesses); ok {
			w.note(cmds)
			return err
		}
		if w, ok := ctx.Value(witnessKey{}).(*witness); ok && cmds[0].Err() == nil && err != nil {
			w.lost.Store(true) // it was executed, and what came after it failed
		}
		for _, cmd := range cmds {
			note(ctx, cmd.Err())
		}
		return err
	}
}

// note tells the witness of ctx, if there is one, how an attempt has ended.
func note(ctx context.Context, err error) {
	if w, ok := ctx.Value(witnessKey{}).(*witness); ok && err != nil && mayBeExecuted(err) {
		w.lost.Store(true)
	}
}

// mayBeExecuted reports whether an attempt that ended in err tells nothing of whether
// the command was executed.
func mayBeExecuted(err error) bool { return !refused(err) && !isRedisError(err) }

// connectionLost reports whether a connection broke, so that the command may or
// may not have been executed and is worth sending again at once.
func connectionLost(err error) bool {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
		return true
	}
	return false
}
