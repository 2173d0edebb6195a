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
	"time"

	"google.golang.org/grpc"

	"github.com/discountd/discountd/domain"
	"github.com/discountd/discountd/redisstore"
	"github.com/discountd/discountd/server"
)

// service is what run wires together.
type service struct {
	config config
	logger *slog.Logger
	hasher domain.Hasher
	store  *pendingStore
	server *server.Server
}

// run serves until ctx ends, then lets calls in flight end, and returns nil when
// everything was stopped as it should. It listens at once; until the store answers
// calls are refused as unavailable and the health is NOT_SERVING. Once it serves it
// says on stdout how to try it. It logs to stderr.
//
// A store that cannot be reached is waited for. One that is there and cannot be
// used, because another process has it or it was set up differently, is an error.
func run(ctx context.Context, c config, stdout, stderr io.Writer) error {
	s := &service{config: c, logger: c.logger(stderr), store: &pendingStore{}}
	var err error
	if s.hasher, err = loadHasher(c.hashKeyPath(), s.logger); err != nil {
		return err
	}
	s.server, err = server.New(server.Config{
		Store: s.store, Hasher: s.hasher, Logger: s.logger, Clock: time.Now, StreamWorkers: c.StreamWorkers,
	})
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("--listen: %w", err)
	}

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	served := make(chan error, 1)
	go func() {
		served <- s.server.Serve(listener)
		cancel() // without a listener there is nothing to go on for
	}()

	backing, err := openBacking(ctx, c, s.logger)
	if err == nil {
		err = s.operate(ctx, backing, listener.Addr(), stdout)
	}
	why := err
	if ctx.Err() != nil {
		why, err = context.Cause(ctx), nil // it ended as it was told to
	}
	s.drain(why)
	// A server that is shut down before it has begun to serve says so, which is
	// no second failure.
	if serveErr := <-served; !errors.Is(serveErr, grpc.ErrServerStopped) {
		err = errors.Join(err, serveErr)
	}
	if backing != nil {
		err = errors.Join(err, backing.Close())
	}
	if err == nil {
		s.logger.Info("stopped")
	}
	return err
}

// operate opens the store, says so, and looks after its health until ctx ends.
func (s *service) operate(ctx context.Context, b *backing, addr net.Addr, stdout io.Writer) error {
	store, err := s.openStore(ctx, b)
	if err != nil {
		return err
	}
	s.store.opened.Store(store)
	s.server.SetServing(true)
	s.logger.Info("serving", "address", addr.String(), "store", b.description, "version", version())
	if err := printBanner(stdout, addr, b); err != nil {
		return fmt.Errorf("write to standard output: %w", err)
	}
	probe(ctx, store.Ping, s.server.SetServing, s.logger)
	return nil
}

// openStore opens the store in b, for as long as it takes to be reachable.
func (s *service) openStore(ctx context.Context, b *backing) (*redisstore.Store, error) {
	o := redisstore.Options{HashKeyFingerprint: s.hasher.Fingerprint(), Logger: s.logger}
	s.config.apply(&o)
	waiting := false
	for {
		attempt, cancel := context.WithTimeout(ctx, ioTimeout)
		store, err := redisstore.Open(attempt, b.client, o)
		cancel()
		if err == nil {
			return store, nil
		}
		if _, away := errors.AsType[*domain.UnavailableError](err); !away && !errors.Is(err, context.DeadlineExceeded) {
			return nil, fmt.Errorf("%s: %w", b.description, err)
		}
		if !waiting {
			waiting = true
			s.logger.Error("the store cannot be reached; waiting for it", "store", b.description, "error", withCause(err))
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(probeInterval):
		}
	}
}

// drain stops the server: its health turns to NOT_SERVING, no call is taken any
// more, and those in flight get the drain timeout to end.
func (s *service) drain(why error) {
	s.logger.Info("stopping", "reason", why, "drain_timeout", s.config.DrainTimeout.String())
	ctx, cancel := context.WithTimeout(context.Background(), s.config.DrainTimeout)
	defer cancel()
	if err := s.server.Shutdown(ctx); err != nil {
		s.logger.Warn("calls were broken off", "error", err)
	}
}
