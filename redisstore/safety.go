// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/discountd/discountd/domain"
)

// safety is what to wait for after a write before it is acknowledged. The zero
// value is nothing: the answer to the write is enough.
type safety struct {
	disk     bool // WAITAOF, of the Redis's own disk
	replicas int  // WAIT, for so many
}

func (s safety) waits() bool { return s.disk || s.replicas > 0 }

// waitsFor returns what to wait for at this moment.
func (s *Store) waitsFor() safety {
	if safe := s.safety.Load(); safe != nil {
		return *safe
	}
	return safety{}
}

// maxSafetyWait bounds the wait, which takes milliseconds unless something is wrong.
// The client's own patience with a connection is longer.
const maxSafetyWait = time.Second

// waitTime is how long to wait: most of what is left of the caller's deadline.
func waitTime(ctx context.Context) time.Duration {
	wait := maxSafetyWait
	if deadline, ok := ctx.Deadline(); ok {
		wait = min(wait, time.Until(deadline)*3/4)
	}
	return max(wait, time.Millisecond) // 0 would wait for ever
}

// sendAndWait sends a script and what waits for its write in one pipeline, which
// goes-redis sends over one connection: WAIT and WAITAOF are about the writes of
// their own connection. In between the sequence is advanced, so that there is a
// write to wait for when the script has found its effect to be there already: what
// it found is older, and a replica that has the later write has the earlier too.
func (s *Store) sendAndWait(ctx context.Context, safe safety, sc *script, keys []string, args []any) (any, error) {
	raw, err := s.pipeline(ctx, safe, func(p redis.Pipeliner, load bool) *redis.Cmd {
		if load {
			return sc.redis.Eval(ctx, p, keys, args...)
		}
		return sc.redis.EvalSha(ctx, p, keys, args...)
	})
	return raw, err
}

// confirm waits until what was written before is safe, for a call that found its
// effect to be there already: an answer to a retry is an acknowledgement as well. A
// field of a hash that the effect has left is looked for on the same connection, in
// case it is another Redis by now.
func (s *Store) confirm(ctx context.Context, key, field string) error {
	safe := s.waitsFor()
	if !safe.waits() {
		return nil
	}
	var w witness
	ctx = w.watch(ctx)
	err := s.again(ctx, func() error {
		found, err := s.pipeline(ctx, safe, func(p redis.Pipeliner, _ bool) *redis.Cmd {
			return p.Do(ctx, "hexists", key, field)
		})
		if err == nil && found != int64(1) {
			return errors.New("what was there is gone")
		}
		return err
	})
	if err == nil {
		return nil
	}
	return begun(writeError(ctx, err, &w))
}

// confirmed returns a value once confirm has succeeded.
func confirmed[T any](ctx context.Context, s *Store, key, field string, v T) (T, error) {
	if err := s.confirm(ctx, key, field); err != nil {
		var none T
		return none, err
	}
	return v, nil
}

// confirmCommand is confirmed for what a command of CouponService has done.
func confirmCommand[T any](ctx context.Context, s *Store, c domain.CouponID, req commandRequest, v T) (T, error) {
	if req.id == "" {
		return confirmed(ctx, s, s.keys.head(c), "v", v)
	}
	return confirmed(ctx, s, s.keys.commands(c), requestKey(req.id), v)
}

// pipeline sends a first command, a beat, and the wait. Scripts that the Redis does
// not know are sent in full; nothing was executed then.
func (s *Store) pipeline(ctx context.Context, safe safety, first func(p redis.Pipeliner, load bool) *redis.Cmd) (any, error) {
	known := s.seen.Load()
	beatArgs := s.beatArgs(known, "")
	for _, load := range []bool{false, true} {
		p := s.client.Pipeline()
		result := first(p, load)
		var beat *redis.Cmd
		if load {
			beat = storeBeat.redis.Eval(ctx, p, s.metaKeys(), beatArgs...)
		} else {
			beat = storeBeat.redis.EvalSha(ctx, p, s.metaKeys(), beatArgs...)
		}
		_, count := safe.command(ctx, p, waitTime(ctx))
		_, err := p.Exec(ctx)
		if !load && (redis.HasErrorPrefix(result.Err(), "NOSCRIPT") || result.Err() == nil && redis.HasErrorPrefix(beat.Err(), "NOSCRIPT")) {
			continue
		}
		if result.Err() != nil || err != nil && !isRedisError(err) {
			return nil, cmp.Or(result.Err(), err)
		}
		return result.Val(), s.counted(beat, count)
	}
	return nil, errors.New("redisstore: a script that was sent in full is not known")
}

// awaitBehind adds the beat and the wait to a pipeline of scripts, and returns what
// tells, once the pipeline was sent, why they are not known to be safe. That the beat
// is not known in the Redis, and that the connection was lost, is reported as it is:
// the scripts are to be sent again.
func (s *Store) awaitBehind(ctx context.Context, p redis.Pipeliner, safe safety) func() error {
	beat := storeBeat.redis.EvalSha(ctx, p, s.metaKeys(), s.beatArgs(s.seen.Load(), "")...)
	wait, count := safe.command(ctx, p, waitTime(ctx))
	return func() error {
		if err := beat.Err(); redis.HasErrorPrefix(err, "NOSCRIPT") || connectionLost(err) {
			return err
		}
		if connectionLost(wait.Err()) {
			return wait.Err()
		}
		return s.counted(beat, count)
	}
}

// command adds the wait to a pipeline and returns it with what counts those that have
// the write.
func (s safety) command(ctx context.Context, p redis.Pipeliner, wait time.Duration) (*redis.Cmd, func() error) {
	ms := int(wait.Milliseconds())
	if s.replicas > 0 {
		cmd := p.Do(ctx, "wait", s.replicas, ms)
		return cmd, func() error {
			n, err := cmd.Int()
			if err == nil && n < s.replicas {
				err = fmt.Errorf("%d of %d replicas have received the write", n, s.replicas)
			}
			return err
		}
	}
	cmd := p.Do(ctx, "waitaof", 1, 0, ms)
	return cmd, func() error {
		n, err := cmd.Int64Slice()
		if err == nil && (len(n) == 0 || n[0] < 1) {
			err = errors.New("the write is not on disk yet")
		}
		return err
	}
}

// counted tells whether what came before was executed and is safe. Its errors hide
// those of Redis, by which the write would seem not to have been executed.
func (s *Store) counted(beat *redis.Cmd, count func() error) error {
	raw, err := beat.Result()
	if err == nil {
		var r reply
		if r, err = storeBeat.reply(raw); err == nil {
			err = s.noteBeat(r)
		}
	}
	if err == nil {
		err = count()
	}
	if err != nil {
		return fmt.Errorf("written, and not known to be safe: %s", strconv.Quote(err.Error()))
	}
	return nil
}
