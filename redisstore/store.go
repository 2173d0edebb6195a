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
	"strings"
	"sync"
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
	// most. Where writes are waited for, those that only read have as much room of
	// their own. The default is 16,384.
	MaxWaiting int
	// CacheBytes bounds the memory in which rules are kept, about. The default is
	// 64 MiB; less than 0 keeps none.
	CacheBytes int64
	// Durability, if set, is what the Redis must be like: Open fails with an
	// UnsafeError when it is not, and Ping when it is not any more. It cannot be set for a
	// cluster.
	Durability *Durability
	// Memory is what this server remembers of stores.
	Memory Memory
	// AcceptLoss is the id of a store whose loss, in whole or in part, is accepted.
	AcceptLoss string
}

// defaultCacheBytes holds the rules of some 10,000 coupons and 20,000 codes.
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

	// safety is what to wait for after a write, nil for nothing; guard, nil when there is nothing to
	// check, finds it out. Only Open and Ping use the guard, under pinging.
	safety  atomic.Pointer[safety]
	guard   *guard
	pinging sync.Mutex

	// server names this server in the store; seen is the sequence as it has seen
	// it last, and seenMillis when.
	server           string
	seen, seenMillis atomic.Int64

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

// ErrAccess says that a Redis is there and does not let this client in, or not do
// what a store needs.
var ErrAccess = errors.New("the Redis refuses access")

// ErrNotSafe says that a store is there and nothing can be acknowledged, because what
// Durability says that acknowledgements wait for does not come to pass.
var ErrNotSafe = errors.New("nothing can be acknowledged")

// Open returns the store in the given Redis and sets it up if it is empty. It
// fails with ErrConfiguration when the store belongs to servers that are
// configured differently or is none, with ErrAccess when the user, the password or the
// database is not right, with an UnsafeError when the Redis is not what Durability
// asks for, with ErrNotSafe, which may pass, and with a DataLossError when the store
// is not what Memory remembers and the loss is not accepted. The client stays the
// caller's to close; it must not send commands again by itself (MaxRetries: -1).
func Open(ctx context.Context, client redis.UniversalClient, o Options) (*Store, error) {
	s, err := openIn(ctx, client, o)
	if err != nil {
		return nil, asAccess(err)
	}
	return s, nil
}

// asAccess returns an ErrAccess for an error by which a Redis denies access, and any
// other as it is. What the Redis says is joined to other texts, so it ends without a
// full stop.
func asAccess(err error) error {
	if refusal, ok := errors.AsType[redis.Error](err); ok && deniesAccess(refusal) {
		return fmt.Errorf("%w: %s", ErrAccess, strings.TrimSuffix(refusal.Error(), "."))
	}
	return err
}

func openIn(ctx context.Context, client redis.UniversalClient, o Options) (*Store, error) {
	s := newStore(client, &o)
	if err := bearWitness(ctx, client); err != nil {
		return nil, fmt.Errorf("open the store: %w", readError(ctx, err))
	}
	if err := s.check(ctx); err != nil {
		return nil, fmt.Errorf("open the store: %w", err)
	}
	expected := o.Memory.Expected
	if expected == o.AcceptLoss {
		expected = ""
	}
	r, err := s.tidy(ctx, storeOpen, s.metaKeys(),
		rand.Text(), layout, strconv.Itoa(defaultBuckets), o.HashKeyFingerprint, s.server, expected)
	switch {
	case isRedisError(err) && strings.Contains(err.Error(), "WRONGTYPE "):
		return nil, s.notAStore()
	case err != nil:
		return nil, fmt.Errorf("open the store: %w", err)
	case r.outcome == "gone":
		return nil, fmt.Errorf("open the store: %w", &DataLossError{Lost: o.Memory.seen(expected)})
	}
	found, err := parseOpened(r.values)
	if err != nil {
		return nil, fmt.Errorf("open the store: %w", err)
	}
	if err := s.agree(&found, o.HashKeyFingerprint); err != nil {
		return nil, err
	}
	s.id = found.id
	s.seen.Store(o.Memory.seen(s.id).Sequence)
	if at := o.Memory.seen(s.id).At; !at.IsZero() {
		s.seenMillis.Store(at.UnixMilli())
	}
	if loss := found.loss(o.Memory); loss != nil {
		if loss.Lost.StoreID != o.AcceptLoss {
			return nil, fmt.Errorf("open the store: %w", loss)
		}
		if err := s.goOn(ctx, loss); err != nil {
			return nil, fmt.Errorf("open the store: %w", err)
		}
	}
	// That what acknowledgements wait for comes to pass is found out now.
	if err := s.confirm(ctx, s.keys.meta(), "id"); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotSafe, err)
	}
	client.AddHook(s.fence)
	if o.CacheBytes >= 0 {
		s.rules = newRules(cmp.Or(o.CacheBytes, defaultCacheBytes), o.Clock)
	}
	if !o.NoGathering {
		s.gather = newGatherer(s, o.MaxWaiting)
	}
	return s, nil
}

// newStore returns a store that is not opened yet, and fills in the defaults of o.
func newStore(client redis.UniversalClient, o *Options) *Store {
	if o.Prefix == "" {
		o.Prefix = "d1"
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Memory.Server == "" {
		o.Memory.Server = rand.Text()
	}
	s := &Store{
		client: client, clock: o.Clock, logger: o.Logger,
		keys:   keys{prefix: o.Prefix, buckets: defaultBuckets},
		fence:  &fence{},
		server: o.Memory.Server,
		random: rand.Reader, token: domain.NewToken,
	}
	if o.Durability != nil {
		s.guard = &guard{Durability: o.Durability, logger: o.Logger}
	}
	return s
}

// agree compares what the servers of a store must agree on, and takes over what is
// the store's to say.
func (s *Store) agree(found *openedStore, hashKey string) error {
	buckets, err := strconv.ParseUint(found.buckets, 10, 32)
	switch {
	case found.layout == "":
		return s.notAStore()
	case found.layout != layout:
		return fmt.Errorf("%w: it has layout %q and this server reads %q", ErrConfiguration, found.layout, layout)
	case found.hashKey != hashKey:
		return fmt.Errorf("%w: it was set up with another hashing key for e-mail addresses and gift card codes", ErrConfiguration)
	case err != nil || buckets == 0:
		return fmt.Errorf("%w: it has %q buckets", ErrConfiguration, found.buckets)
	}
	s.keys.buckets = uint32(buckets)
	return nil
}

// notAStore says that a key of the store is there and is something else's.
func (s *Store) notAStore() error {
	return fmt.Errorf("%w: the key %s is not of a store: what else uses this Redis has keys that begin with %s:, so take another database or another Redis",
		ErrConfiguration, s.keys.meta(), s.keys.prefix)
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

// Ping reports whether the store can be reached, is still the one that was opened,
// has lost nothing that this server knows of, and is on a Redis as Durability asks
// for. When it is not, every call fails from then on as unavailable, until a Ping
// finds it mended: counters that are gone must not read as zero. The error then wraps
// the DataLossError or UnsafeError that says why. Ping is what
// notices, so it should be called about once a second.
func (s *Store) Ping(ctx context.Context) error {
	s.pinging.Lock()
	defer s.pinging.Unlock()
	ctx = unfenced(ctx)
	if err := s.beat(ctx); err != nil {
		return err
	}
	if err := s.check(ctx); err != nil {
		return err
	}
	switch why := s.fence.lower(); {
	case why == errStoreChanged:
		s.logger.WarnContext(ctx, "the store is back", "store_id", s.id)
	case why != nil:
		s.logger.WarnContext(ctx, "the store is as it should be again", "store_id", s.id)
	}
	return nil
}

// check finds out what the Redis is like at this moment. One that cannot be served
// from is kept from calls.
func (s *Store) check(ctx context.Context) error {
	if s.guard == nil {
		return nil
	}
	safe, err := s.guard.inspect(ctx, s.client)
	unsafe, isUnsafe := errors.AsType[*UnsafeError](err)
	switch {
	case isUnsafe && s.id == "": // not opened yet
		return unsafe
	case isUnsafe:
		if s.fence.raise(&fencedError{err.Error()}) {
			s.logger.ErrorContext(ctx, "refusing to serve", "error", err)
		}
		return readError(ctx, unsafe)
	case err != nil:
		return readError(ctx, err)
	}
	s.safety.Store(&safe)
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

func decimal(n int64) string { return strconv.FormatInt(n, 10) }

func limitText(limit *int64) string {
	if limit == nil {
		return ""
	}
	return strconv.FormatInt(*limit, 10)
}
