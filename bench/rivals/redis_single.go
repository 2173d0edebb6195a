// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package rivals

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// Both rivals let the calls of one process take turns at a coupon before they go
// to Redis. The protocol holds without it, and is needed as soon as there is a
// second server; but callers that only fight each other get nothing done.

// watch reads under WATCH and writes in a transaction that Redis carries out only
// if the counter is as it was: two round trips.
type watch struct {
	client *redis.Client
	turns  []sync.Mutex
}

func (w *watch) take(ctx context.Context, r *record) (record, outcome, error) {
	w.turns[r.coupon.number].Lock()
	defer w.turns[r.coupon.number].Unlock()
	for range tries {
		taken, decided, err := w.try(ctx, r)
		if !errors.Is(err, redis.TxFailedErr) {
			return taken, decided, err
		}
	}
	return record{}, 0, fmt.Errorf("somebody else was faster %d times", tries)
}

func (w *watch) try(ctx context.Context, r *record) (record, outcome, error) {
	conn := w.client.Conn()
	defer conn.Close()
	var asked reads
	_, err := conn.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.Do(ctx, "watch", counterKey(r.coupon.number))
		asked = read(ctx, p, r)
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return record{}, 0, err
	}
	s, err := asked.state()
	if err != nil {
		return record{}, 0, err
	}
	if taken, o, decided, err := s.refusal(ctx, conn, r); decided {
		return taken, o, errors.Join(err, conn.Do(ctx, "unwatch").Err())
	}
	_, err = conn.TxPipelined(ctx, func(p redis.Pipeliner) error {
		write(ctx, p, r, s)
		return nil
	})
	return *r, redeemed, err
}

// lock writes while it holds a lock with a time to live. It reads together with
// taking the lock and gives it back together with writing: two round trips. Like
// every such lock it is only as good as its time to live is long.
type lock struct {
	client *redis.Client
	turns  []sync.Mutex
}

const (
	lockTime = 10 * time.Second
	// lockPause is how long a server that finds the lock taken waits.
	lockPause = 500 * time.Microsecond
	// release gives the lock back if it is still the caller's.
	release = `if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0`
)

func lockKey(coupon int) string { return fmt.Sprintf("{%d}:lock", coupon) }

func (l *lock) take(ctx context.Context, r *record) (record, outcome, error) {
	l.turns[r.coupon.number].Lock()
	defer l.turns[r.coupon.number].Unlock()
	token := rand.Text()
	for range tries {
		taken, decided, held, err := l.try(ctx, r, token)
		if held || err != nil {
			return taken, decided, err
		}
		select {
		case <-time.After(lockPause):
		case <-ctx.Done():
			return record{}, 0, ctx.Err()
		}
	}
	return record{}, 0, fmt.Errorf("the lock was taken %d times", tries)
}

func (l *lock) try(ctx context.Context, r *record, token string) (taken record, o outcome, held bool, err error) {
	key := lockKey(r.coupon.number)
	var got *redis.StatusCmd
	var asked reads
	_, err = l.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		got = p.SetArgs(ctx, key, token, redis.SetArgs{Mode: "NX", TTL: lockTime})
		asked = read(ctx, p, r)
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return record{}, 0, false, err
	}
	if errors.Is(got.Err(), redis.Nil) {
		return record{}, 0, false, nil
	}
	s, err := asked.state()
	if err != nil {
		return record{}, 0, true, err
	}
	if taken, o, decided, err := s.refusal(ctx, l.client, r); decided {
		return taken, o, true, errors.Join(err, l.client.Eval(ctx, release, []string{key}, token).Err())
	}
	_, err = l.client.TxPipelined(ctx, func(p redis.Pipeliner) error {
		write(ctx, p, r, s)
		p.Eval(ctx, release, []string{key}, token)
		return nil
	})
	return *r, redeemed, true, err
}
