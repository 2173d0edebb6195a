// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/discountd/discountd/internal/privateredis"
)

// redisAuto is the value of --redis that lets this process look after a Redis by
// itself.
const redisAuto = "auto"

// The times that one step of talking to Redis may take. A call's own deadline
// ends it earlier.
const (
	dialTimeout = 500 * time.Millisecond
	ioTimeout   = 3 * time.Second
	stopTimeout = 20 * time.Second
)

// backing is the Redis that everything is kept in.
type backing struct {
	client redis.UniversalClient
	// description tells people what it is, without secrets.
	description string
	// forgets is whether everything is gone when this process ends.
	forgets bool
	// private is whether it runs for this process alone.
	private bool
	// address tells the same Redis from others, without secrets.
	address string
	// stop ends what runs for this process alone.
	stop func(context.Context) error
}

// Close closes the client and stops what this process started.
func (b *backing) Close() error {
	// Not the caller's context: this is what is left to do when that one has ended.
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	return errors.Join(b.client.Close(), b.stop(ctx))
}

// openBacking returns the Redis that c asks for. One that is given by its URL need
// not answer yet.
func openBacking(ctx context.Context, c config, logger *slog.Logger) (*backing, error) {
	if c.Redis == redisAuto {
		return openPrivate(ctx, c.DataDir, logger)
	}
	options, err := redisOptions(c.Redis)
	if err != nil {
		return nil, err
	}
	return &backing{
		client:      redis.NewClient(options),
		description: "Redis at " + withoutSecrets(options),
		address:     fmt.Sprintf("%s/%d", options.Addr, options.DB),
		stop:        func(context.Context) error { return nil },
	}, nil
}

// openPrivate starts a redis-server, or keeps everything in memory when there is
// none on this machine and never was.
func openPrivate(ctx context.Context, dataDir string, logger *slog.Logger) (*backing, error) {
	dir, err := privateredis.OpenDir(ctx, dataDir, logger)
	if errors.Is(err, privateredis.ErrNotFound) {
		if privateredis.HasData(dataDir) {
			return nil, fmt.Errorf("%s has data, and nothing on this machine reads it: %w", dataDir, err)
		}
		return openMemory()
	}
	if err != nil {
		return nil, err
	}
	if dir.Adopted() {
		logger.Warn("took over the private redis-server of a process that was killed", "pid", dir.PID())
	}
	return &backing{
		client:      redis.NewClient(withPolicy(dir.Options())),
		description: "private redis-server, data in " + dir.Path(),
		address:     redisAuto,
		private:     true,
		stop:        dir.Close,
	}, nil
}

func openMemory() (*backing, error) {
	mini := miniredis.NewMiniRedis()
	if err := mini.Start(); err != nil {
		return nil, fmt.Errorf("start an embedded Redis: %w", err)
	}
	return &backing{
		client:      redis.NewClient(withPolicy(&redis.Options{Addr: mini.Addr()})),
		description: "memory of this process",
		forgets:     true,
		private:     true,
		stop: func(context.Context) error {
			mini.Close()
			return nil
		},
	}, nil
}

// redisOptions reads a Redis URL. Errors quote no part of it: where a character of a
// password is not encoded, what follows it is taken for another part.
func redisOptions(text string) (*redis.Options, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, errors.New("not a URL" + encodeUser)
	}
	switch u.Scheme {
	case "redis", "rediss", "unix":
	case "redis+cluster", "redis+sentinel":
		return nil, fmt.Errorf("%s:// is not supported yet: give the URL of one Redis, redis:// or rediss://", u.Scheme)
	default:
		return nil, fmt.Errorf("must be %s or a URL that begins with redis:// or rediss://", redisAuto)
	}
	// The client would pass it over, and look for a host that is none.
	if strings.Contains(text, "#") {
		return nil, errors.New("must have no #" + encodeUser)
	}
	options, err := redis.ParseURL(text)
	if err != nil {
		return nil, errors.New(wrongPart(u) + encodeUser)
	}
	return withPolicy(options), nil
}

// encodeUser ends what is said of a URL that may be cut by a character of its
// password.
const encodeUser = "; user and password must be percent-encoded"

// wrongPart says which part of a URL the client refuses. The client's own words quote
// it.
func wrongPart(u *url.URL) string {
	path := strings.Trim(u.Path, "/")
	if u.Scheme == "unix" {
		if strings.TrimSpace(u.Path) == "" {
			return "the path of the socket is missing"
		}
	} else if _, err := strconv.Atoi(path); err != nil && path != "" {
		return "what follows the host must be the number of a database"
	}
	return "an option after the ? is unknown or has a value that it cannot have"
}

// withoutSecrets returns the URL of a Redis, but for the user and the password.
func withoutSecrets(o *redis.Options) string {
	switch {
	case o.Network == "unix":
		return fmt.Sprintf("unix://%s?db=%d", o.Addr, o.DB)
	case o.TLSConfig != nil:
		return fmt.Sprintf("rediss://%s/%d", o.Addr, o.DB)
	default:
		return fmt.Sprintf("redis://%s/%d", o.Addr, o.DB)
	}
}

// withPolicy sets what the correctness of this service rests on, and what the URL
// left open. The client never sends a command again by itself: whether that is
// safe only the store can tell.
func withPolicy(o *redis.Options) *redis.Options {
	o.MaxRetries = -1
	o.DialerRetries = 1
	o.ContextTimeoutEnabled = true
	o.DisableIdentity = true
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	if o.DialTimeout == 0 {
		o.DialTimeout = dialTimeout
	}
	if o.ReadTimeout == 0 {
		o.ReadTimeout = ioTimeout
	}
	if o.WriteTimeout == 0 {
		o.WriteTimeout = ioTimeout
	}
	return o
}
