// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/discountd/discountd/domain"
)

// redisError is an error that Redis has answered.
type redisError string

func (e redisError) Error() string { return string(e) }
func (redisError) RedisError()     {}

func TestErrorsOfRedisAreTold(t *testing.T) {
	dial := &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	for _, c := range []struct {
		err       error
		certain   bool // that it was not executed
		untouched bool // no fault of the store's: returned as it is
	}{
		{err: dial, certain: true},
		{err: fmt.Errorf("wrapped: %w", dial), certain: true},
		{err: redis.ErrPoolTimeout, certain: true},
		{err: redis.ErrPoolExhausted, certain: true},
		{err: redis.ErrClosed, certain: true},
		{err: errStoreChanged, certain: true},
		{err: redisError("LOADING Redis is loading the dataset in memory"), certain: true},
		{err: redisError("OOM command not allowed when used memory > 'maxmemory'. script: 1, on @user_script:9."), certain: true},
		{err: redisError("ERR Error running script (call to f_1): @user_script:1: @user_script: 1: -OOM command not allowed when used memory > 'maxmemory'."), certain: true},
		{err: redisError("READONLY You can't write against a read only replica. script: 1, on @user_script:1."), certain: true},
		{err: redisError("NOREPLICAS Not enough good replicas to write."), certain: true},
		{err: redisError("MISCONF Redis is configured to save RDB snapshots"), certain: true},
		{err: redisError("MASTERDOWN Link with MASTER is down"), certain: true},
		{err: redisError("CLUSTERDOWN Hash slot not served"), certain: true},
		{err: redisError("TRYAGAIN Multiple keys request during rehashing of slot"), certain: true},
		{err: redisError("BUSY Redis is busy running a script."), certain: true},
		{err: redisError("NOAUTH Authentication required."), certain: true},
		{err: redisError("WRONGPASS invalid username-password pair"), certain: true},
		{err: redisError("NOPERM this user has no permissions"), certain: true},
		{err: redisError("ERR max number of clients reached"), certain: true},
		{err: io.EOF},
		{err: io.ErrUnexpectedEOF},
		{err: net.ErrClosed},
		{err: os.ErrDeadlineExceeded},
		{err: &net.OpError{Op: "read", Err: syscall.ECONNRESET}},
		{err: &net.OpError{Op: "write", Err: syscall.EPIPE}},
		{err: errors.New("something else")},
		{err: redisError("ERR unknown command"), untouched: true},
		{err: redisError("WRONGTYPE Operation against a key holding the wrong kind of value"), untouched: true},
		{err: redisError("OOMPH is not OOM"), untouched: true},
	} {
		for _, lost := range []bool{false, true} {
			var w witness
			w.lost.Store(lost)
			wrote, read := writeError(t.Context(), c.err, &w), readError(t.Context(), c.err)
			if c.untouched {
				if !errors.Is(wrote, c.err) || isError[*domain.UnavailableError](wrote) || isError[*domain.UnavailableError](read) {
					t.Errorf("%v became %v and %v", c.err, wrote, read)
				}
				continue
			}
			var w1, r1 *domain.UnavailableError
			if !errors.As(wrote, &w1) || !errors.As(read, &r1) {
				t.Errorf("%v became %v and %v", c.err, wrote, read)
				continue
			}
			if w1.OutcomeUnknown != (lost || !c.certain) || r1.OutcomeUnknown {
				t.Errorf("%v, lost before: %v: unknown is %v, of a read %v", c.err, lost, w1.OutcomeUnknown, r1.OutcomeUnknown)
			}
			if w1.RetryAfter <= 0 || !errors.Is(wrote, c.err) {
				t.Errorf("%v became %+v", c.err, w1)
			}
			var after *domain.UnavailableError
			if !errors.As(begun(wrote), &after) || !after.OutcomeUnknown {
				t.Errorf("%v after a write became %v", c.err, begun(wrote))
			}
		}
	}
}

func TestErrorAfterTheCallersDeadlineIsTheCallers(t *testing.T) {
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if err := writeError(canceled, io.EOF, &witness{}); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
	// The connection may notice a deadline before the context does.
	late := lateContext{t.Context()}
	if err := readError(late, &net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("late: %v", err)
	}
	if err := readError(late, io.EOF); !isError[*domain.UnavailableError](err) {
		t.Errorf("no time-out: %v", err)
	}
}

// lateContext has a deadline that is over, and does not know it yet.
type lateContext struct{ context.Context }

func (lateContext) Deadline() (time.Time, bool) { return time.Unix(0, 0), true }

func TestOnlyALostConnectionIsTriedAgain(t *testing.T) {
	s := &Store{}
	for _, c := range []struct {
		errs []error // of each try; the last one repeats
		want int
	}{
		{[]error{nil}, 1},
		{[]error{io.EOF, nil}, 2},
		{[]error{&net.OpError{Op: "read", Err: syscall.ECONNRESET}, io.EOF, nil}, 3},
		{[]error{io.EOF}, sends},
		{[]error{os.ErrDeadlineExceeded}, 1},
		{[]error{&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}}, 1},
		{[]error{redisError("OOM x")}, 1},
	} {
		tries := 0
		err := s.again(t.Context(), func() error {
			tries++
			return c.errs[min(tries, len(c.errs))-1]
		})
		if tries != c.want || !errors.Is(err, c.errs[len(c.errs)-1]) {
			t.Errorf("%v: %d tries, %v", c.errs, tries, err)
		}
	}
	canceled, cancel := context.WithCancel(t.Context())
	tries := 0
	_ = s.again(canceled, func() error { tries++; cancel(); return io.EOF })
	if tries != 1 {
		t.Errorf("%d tries for nobody", tries)
	}
}
