// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/discountd/discountd/domain"
)

// Options configure a Store. The zero value is a default.
type Options struct {
	// Prefix begins every key. The default is "d1", the version of the layout.
	Prefix string
	// HashKeyFingerprint identifies the key that e-mail addresses are hashed
	// with. All servers of a store must use one key.
	HashKeyFingerprint string
	// Clock tells the time. The default is time.Now. The clocks of all servers
	// of a store should agree to a fraction of a second: dates are judged by
	// them.
	Clock func() time.Time
	// Logger is told of what an operator should know. The default discards.
	Logger *slog.Logger
	// NoGathering sends each request in a script call of its own. Without it,
	// requests about one coupon that come while another one is in flight go
	// together.
	NoGathering bool
	// MaxWaiting is how many requests wait to be sent to one Redis node before
	// more are refused with an OverloadedError; one coupon takes up half of them at
	// most. The default is 16,384.
	MaxWaiting int
	// CacheBytes bounds the memory in which rules are kept, about. The default is
	// 64 MiB; less than 0 keeps none.
	CacheBytes int64
}

// defaultCacheBytes holds the rules of some 20,000 coupons and as many codes.
const defaultCacheBytes = 64 << 20

// Store keeps everything in one Redis. It is safe for concurrent use.
type Store struct {
	client redis.UniversalClient
	keys   keys
	clock  func() time.Time
	logger *slog.Logger
	id     string
	fence  *fence
	// gather is nil when each request is sent by itself.
	gather *gatherer
	// rules is nil when none are kept.
	rules *rules

	// random and token generate ids and codes, and the tokens of claims; tests
	// make them repeat themselves.
	random io.Reader
	token  func() string
}

// layout is the version of what is stored, as written into a new store.
const layout = "1"

// ErrConfiguration says that a store was set up differently from how this server
// is configured.
var ErrConfiguration = errors.New("the store and the configuration do not agree")

// Open returns the store in the given Redis and sets it up if it is empty. It
// fails with ErrConfiguration when the store belongs to servers that are
// configured differently. The client stays the caller's to close; it must not
// send commands again by itself (MaxRetries: -1).
func Open(ctx context.Context, client redis.UniversalClient, o Options) (*Store, error) {
	if o.Prefix == "" {
		o.Prefix = "d1"
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Store{
		client: client, clock: o.Clock, logger: o.Logger,
		keys:   keys{prefix: o.Prefix, buckets: defaultBuckets},
		fence:  &fence{},
		random: rand.Reader, token: domain.NewToken,
	}
	if err := bearWitness(ctx, client); err != nil {
		return nil, fmt.Errorf("open the store: %w", readError(ctx, err))
	}
	r, err := s.run(ctx, storeOpen, []string{s.keys.meta()}, rand.Text(), layout, strconv.Itoa(defaultBuckets), o.HashKeyFingerprint)
	if err != nil {
		return nil, fmt.Errorf("open the store: %w", err)
	}
	buckets, err := strconv.ParseUint(r.values[2], 10, 32)
	switch {
	case r.values[1] != layout:
		return nil, fmt.Errorf("%w: it has layout %q and this server reads %q", ErrConfiguration, r.values[1], layout)
	case r.values[3] != o.HashKeyFingerprint:
		return nil, fmt.Errorf("%w: it was set up with another hashing key for e-mail addresses", ErrConfiguration)
	case err != nil || buckets == 0:
		return nil, fmt.Errorf("%w: it has %q buckets", ErrConfiguration, r.values[2])
	}
	s.id, s.keys.buckets = r.values[0], uint32(buckets)
	client.AddHook(s.fence)
	if o.CacheBytes >= 0 {
		s.rules = newRules(cmp.Or(o.CacheBytes, defaultCacheBytes), o.Clock)
	}
	if !o.NoGathering {
		s.gather = newGatherer(s, o.MaxWaiting)
	}
	return s, nil
}

// bearWitness puts the hook that sees every attempt to send a command on a client,
// or on those of a cluster's nodes.
func bearWitness(ctx context.Context, client redis.UniversalClient) error {
	cluster, ok := client.(*redis.ClusterClient)
	if !ok {
		client.AddHook(witnessing{})
		return nil
	}
	cluster.OnNewNode(func(node *redis.Client) { node.AddHook(witnessing{}) })
	return cluster.ForEachShard(ctx, func(_ context.Context, node *redis.Client) error {
		node.AddHook(witnessing{})
		return nil
	})
}

// Ping reports whether the store can be reached and is still the one that was
// opened. When Redis comes back empty or as another one, every call fails from
// then on as unavailable, until the right one is back: counters that are gone
// must not read as zero.
func (s *Store) Ping(ctx context.Context) error {
	id, err := s.client.HGet(unfenced(ctx), s.keys.meta(), "id").Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return readError(ctx, err)
	}
	if id != s.id {
		if !s.fence.up.Swap(true) {
			s.logger.ErrorContext(ctx, "the store has lost its data or is another one; refusing to serve", "want_store_id", s.id, "have_store_id", id)
		}
		return readError(ctx, errStoreChanged)
	}
	if s.fence.up.Swap(false) {
		s.logger.WarnContext(ctx, "the store is back", "store_id", s.id)
	}
	return nil
}

// now is the present, in the resolution that is stored.
func (s *Store) now() time.Time { return s.clock().Truncate(time.Millisecond).UTC() }

func millis(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return strconv.FormatInt(t.UnixMilli(), 10)
}

func limitText(limit *int64) string {
	if limit == nil {
		return ""
	}
	return strconv.FormatInt(*limit, 10)
}

// fence keeps commands from a store that is not the one that was opened.
type fence struct{ up atomic.Bool }

type unfencedKey struct{}

func unfenced(ctx context.Context) context.Context {
	return context.WithValue(ctx, unfencedKey{}, true)
}

func (f *fence) check(ctx context.Context) error {
	if f.up.Load() && ctx.Value(unfencedKey{}) == nil {
		return errStoreChanged
	}
	return nil
}

// DialHook implements redis.Hook.
func (f *fence) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook implements redis.Hook.
func (f *fence) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if err := f.check(ctx); err != nil {
			cmd.SetErr(err)
			return err
		}
		return next(ctx, cmd)
	}
}

// ProcessPipelineHook implements redis.Hook.
func (f *fence) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if err := f.check(ctx); err != nil {
			for _, cmd := range cmds {
				cmd.SetErr(err)
			}
			return err
		}
		return next(ctx, cmds)
	}
}
