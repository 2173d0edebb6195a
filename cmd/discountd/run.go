// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc"

	"github.com/discountd/discountd/domain"
	"github.com/discountd/discountd/redisstore"
	"github.com/discountd/discountd/server"
)

// rememberInterval is how often it is written down how far the store has come. What
// was lost since is only noticed by servers that keep running.
const rememberInterval = 5 * time.Second

// service is what run wires together.
type service struct {
	config config
	logger *slog.Logger
	hasher domain.Hasher
	store  *pendingStore
	server *server.Server
}

// loggedError is an error that the log has already.
type loggedError struct{ error }

func (e *loggedError) Unwrap() error { return e.error }

// say tells people an error that the log does not have.
func say(w io.Writer, err error) {
	if _, logged := errors.AsType[*loggedError](err); !logged {
		_, _ = fmt.Fprintln(w, "discountd:", err) // the exit status says that there is one
	}
}

// run serves until ctx ends, then lets calls in flight end, and returns nil when
// everything was stopped as it should. It listens at once; until the store answers
// calls are refused as unavailable and the health is NOT_SERVING. Once it serves it
// says on stdout how to try it. It logs to stderr, also the error that it returns.
//
// A store that cannot be reached is waited for. One that is there and cannot be
// used, because another process has it, it was set up differently or does not let
// this one in, is an error.
func run(ctx context.Context, c config, stdout, stderr io.Writer) error {
	s := &service{config: c, logger: c.logger(stderr), store: &pendingStore{}}
	switch err := s.run(ctx, stdout); {
	case err == nil:
		s.logger.Info("stopped")
		return nil
	case s.store.opened.Load() == nil:
		s.logger.Error("cannot start", "error", err)
		return &loggedError{err}
	default:
		s.logger.Error("ended by an error", "error", err)
		return &loggedError{err}
	}
}

func (s *service) run(ctx context.Context, stdout io.Writer) error {
	c := s.config
	// Before anything is written, as there may be a server here already.
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("%w (--listen, DISCOUNTD_LISTEN)", err)
	}
	if s.hasher, err = loadHasher(c.hashKeyPath(), s.logger); err != nil {
		return errors.Join(c.inDataDir(err), listener.Close())
	}
	s.server, err = server.New(server.Config{
		Store: s.store, Hasher: s.hasher, Logger: s.logger, Clock: time.Now, StreamWorkers: c.StreamWorkers,
	})
	if err != nil {
		return errors.Join(err, listener.Close())
	}

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	served := make(chan error, 1)
	go func() {
		served <- s.server.Serve(listener)
		cancel() // without a listener there is nothing to go on for
	}()

	backing, err := openBacking(ctx, c, s.logger)
	err = c.inDataDir(err)
	if err == nil {
		err = s.operate(ctx, backing, listener.Addr(), stdout)
	}
	if ctx.Err() != nil {
		err = nil // it ended as it was told to
		s.logger.Info("stopping", "reason", context.Cause(ctx), "drain_timeout", c.DrainTimeout.String())
	}
	s.drain()
	// A server that is shut down before it has begun to serve says so, which is
	// no second failure.
	if serveErr := <-served; !errors.Is(serveErr, grpc.ErrServerStopped) {
		err = errors.Join(err, serveErr)
	}
	if backing != nil {
		err = errors.Join(err, backing.Close())
	}
	return err
}

// operate opens the store, says so, and looks after its health until ctx ends.
func (s *service) operate(ctx context.Context, b *backing, addr net.Addr, stdout io.Writer) error {
	options, remember, err := s.storeOptions(b)
	if err != nil {
		return err
	}
	store, err := s.openStore(ctx, b, options)
	if err != nil {
		return err
	}
	if err := remember(store.Seen()); err != nil {
		return fmt.Errorf("remember the state of the store: %w", err)
	}
	s.store.opened.Store(store)
	s.server.SetServing(true)
	if b.forgets {
		s.logger.Warn("nothing is kept: there is no redis-server or valkey-server on PATH, so all data is gone when this process ends")
	}
	s.logger.Info("serving", "address", addr.String(), "store", b.description, "version", version())
	if err := printBanner(stdout, addr, b); err != nil {
		return fmt.Errorf("write to standard output: %w", err)
	}
	s.watch(ctx, store, remember)
	return nil
}

// watch looks after the store until ctx ends, and remembers how far it has come.
func (s *service) watch(ctx context.Context, store *redisstore.Store, remember func(redisstore.Seen) error) {
	saved := time.Now()
	save := func() {
		saved = time.Now()
		if err := remember(store.Seen()); err != nil {
			s.logger.Error("cannot remember the state of the store; a loss of data may pass unnoticed at the next start", "error", err)
		}
	}
	ping := func(ctx context.Context) error {
		err := store.Ping(ctx)
		if err == nil && time.Since(saved) >= rememberInterval {
			save()
		}
		return err
	}
	probe(ctx, ping, s.server.SetServing, s.logger)
	save()
}

// storeOptions returns how to open the store in b, and what remembers how far it has
// come.
func (s *service) storeOptions(b *backing) (redisstore.Options, func(redisstore.Seen) error, error) {
	o := redisstore.Options{
		HashKeyFingerprint: s.hasher.Fingerprint(), Logger: s.logger, AcceptLoss: s.config.AcceptLoss,
	}
	s.config.apply(&o)
	var err error
	if o.Durability, err = s.durability(b); err != nil || b.forgets {
		return o, func(redisstore.Seen) error { return nil }, err
	}
	m, remembered, err := openMemoryOf(s.config.DataDir, b.address)
	if err != nil {
		return o, nil, s.config.inDataDir(err)
	}
	o.Memory = remembered
	return o, m.save, nil
}

// durability returns what the Redis in b must be like, or nil when there is nothing
// to ask of it.
func (s *service) durability(b *backing) (*redisstore.Durability, error) {
	ack := redisstore.Ack{}
	if b.private && !b.forgets {
		ack = redisstore.AckDisk() // at no cost: it writes through anyway
	}
	if s.config.Ack != "" {
		var err error
		if ack, err = redisstore.ParseAck(s.config.Ack); err != nil {
			return nil, fmt.Errorf("--ack: %w", err)
		}
	}
	switch {
	case b.forgets && ack != redisstore.Ack{}:
		return nil, fmt.Errorf("--ack=%s: there is no redis-server or valkey-server on PATH, and the memory of this process keeps nothing", ack)
	case b.forgets:
		return nil, nil
	}
	d := &redisstore.Durability{Ack: ack, Allow: s.config.Allow}
	if b.private {
		d.Allow = append(slices.Clone(d.Allow), "memory") // it is bounded by nobody's wish
	}
	return d, nil
}

// howToAllow tells how to start all the same, if there is a way.
func howToAllow(e *redisstore.UnsafeError) string {
	if slices.Contains(e.Names, "") {
		return ""
	}
	return ". To start all the same: --allow=" + strings.Join(e.Names, ",")
}

// openStore opens the store in b, for as long as it takes to be reachable.
func (s *service) openStore(ctx context.Context, b *backing, o redisstore.Options) (*redisstore.Store, error) {
	why := notWaiting
	for {
		attempt, cancel := context.WithTimeout(ctx, ioTimeout)
		store, err := redisstore.Open(attempt, b.client, o)
		cancel()
		if err == nil {
			return store, nil
		}
		if final := refusal(err); final != nil {
			return nil, fmt.Errorf("%s: %w", b.description, final)
		}
		if now := waitingFor(err); now != why {
			why = now
			s.sayWaiting(why, b, causeOf(err))
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(probeInterval):
		}
	}
}

// refusal returns why a store cannot be served from, and what to do about it, or nil
// when it is worth another try.
func refusal(err error) error {
	if loss, ok := errors.AsType[*redisstore.DataLossError](err); ok {
		return fmt.Errorf("%w. Restore the data and start again, or go on with what is there: start once with --accept-data-loss=%s",
			loss, loss.Lost.StoreID)
	}
	if unsafe, ok := errors.AsType[*redisstore.UnsafeError](err); ok {
		return fmt.Errorf("%w%s", unsafe, howToAllow(unsafe))
	}
	if errors.Is(err, redisstore.ErrAccess) {
		return withAccessHint(err)
	}
	if _, away := errors.AsType[*domain.UnavailableError](err); !away && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}

// withAccessHint adds what to do when a Redis refuses access.
func withAccessHint(err error) error {
	if errors.Is(err, redisstore.ErrAccess) {
		return fmt.Errorf("%w: look at the user, the password and the number of the database in --redis", err)
	}
	return err
}

// wait is what a store that may come is waited for.
type wait int

const (
	notWaiting wait = iota
	forReach
	forSafety // that it can be reached, and acknowledgements be given
)

// waitingFor says what an error is about that is worth another try.
func waitingFor(err error) wait {
	if errors.Is(err, redisstore.ErrNotSafe) {
		return forSafety
	}
	return forReach
}

func (s *service) sayWaiting(why wait, b *backing, err error) {
	if why == forSafety {
		s.logger.Error("the store cannot acknowledge writes as --ack demands; waiting until it can", "store", b.description, "error", err)
		return
	}
	s.logger.Error("the store cannot be reached; waiting for it", "store", b.description, "error", err)
}

// drain stops the server: its health turns to NOT_SERVING, no call is taken any
// more, and those in flight get the drain timeout to end.
func (s *service) drain() {
	ctx, cancel := context.WithTimeout(context.Background(), s.config.DrainTimeout)
	defer cancel()
	if err := s.server.Shutdown(ctx); err != nil {
		s.logger.Warn("calls were broken off", "error", err)
	}
}
