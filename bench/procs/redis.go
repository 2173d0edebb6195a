// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package procs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/discountd/discountd/internal/privateredis"
)

// Redis is a redis-server of this benchmark, at a unix socket.
type Redis struct {
	*privateredis.Server
	socketDir string
}

// StartRedis starts a redis-server with its data in dir, which it makes. fsync is
// what appendfsync is: "everysec", "always", or "" for no append-only file at all.
// The file is not rewritten meanwhile: that is work of another moment.
func StartRedis(ctx context.Context, dir, fsync string) (*Redis, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	sockets, err := os.MkdirTemp("", "rd") // a socket's path must be short
	if err != nil {
		return nil, err
	}
	server, err := privateredis.Start(ctx, privateredis.Config{
		Dir: dir, Socket: filepath.Join(sockets, "s"), AppendFsync: fsync, DieWithParent: true,
		Extra: []string{"auto-aof-rewrite-percentage 0"},
	})
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(sockets))
	}
	return &Redis{server, sockets}, nil
}

// Close ends it. What it has is not needed any more.
func (r *Redis) Close() error {
	return errors.Join(r.Kill(), os.RemoveAll(r.socketDir))
}

// Commands is how often Redis has carried out commands.
type Commands struct {
	// Scripts is EVALSHA and EVAL; All is every command, those that scripts call
	// included.
	Scripts, All int64
}

// Commands returns how often commands were carried out so far.
func (r *Redis) Commands(ctx context.Context) (Commands, error) {
	var c Commands
	err := r.info(ctx, "commandstats", func(name, value string) error {
		calls, _, _ := strings.Cut(strings.TrimPrefix(value, "calls="), ",")
		n, err := strconv.ParseInt(calls, 10, 64)
		if err != nil {
			return fmt.Errorf("INFO commandstats: %s: %w", name, err)
		}
		switch strings.TrimPrefix(name, "cmdstat_") {
		case "eval", "evalsha":
			c.Scripts += n
			c.All += n
		case "info": // this benchmark's own
		default:
			c.All += n
		}
		return nil
	})
	return c, err
}

// UsedMemory returns how many bytes Redis has allocated.
func (r *Redis) UsedMemory(ctx context.Context) (int64, error) {
	var used int64
	err := r.info(ctx, "memory", func(name, value string) (err error) {
		if name == "used_memory" {
			used, err = strconv.ParseInt(value, 10, 64)
		}
		return err
	})
	return used, err
}

// Version returns the version of the server.
func (r *Redis) Version(ctx context.Context) (string, error) {
	var version string
	err := r.info(ctx, "server", func(name, value string) error {
		if name == "redis_version" {
			version = value
		}
		return nil
	})
	return version, err
}

// info calls each for every line of a section of INFO.
func (r *Redis) info(ctx context.Context, section string, each func(name, value string) error) error {
	client := r.Client()
	defer client.Close()
	text, err := client.Info(ctx, section).Result()
	if err != nil {
		return err
	}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			if err := each(name, value); err != nil {
				return err
			}
		}
	}
	return nil
}
