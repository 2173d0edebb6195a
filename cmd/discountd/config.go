// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/discountd/discountd/redisstore"
)

// config is everything that can be set, each by a flag or by the environment
// variable that its help names; a flag wins.
type config struct {
	Listen       string        `env:"DISCOUNTD_LISTEN" default:"127.0.0.1:50051" placeholder:"HOST:PORT" help:"Address to serve gRPC at (${default})."`
	Redis        string        `env:"DISCOUNTD_REDIS" default:"auto" placeholder:"URL" help:"Where everything is kept: redis://[user:password@]host:port/db, rediss:// for TLS, or auto (the default): a redis-server or valkey-server from PATH, started for this process alone; without one, memory."`
	DataDir      string        `env:"DISCOUNTD_DATA_DIR" default:"${state_dir}" placeholder:"DIR" type:"path" help:"Directory for what is kept on this machine (${default})."`
	HashKeyFile  string        `env:"DISCOUNTD_HASH_KEY_FILE" placeholder:"FILE" type:"path" help:"The secret that e-mail addresses are hashed with, 32 bytes or more. All servers of one store need the same. Made when missing (hash.key in the data directory)."`
	Ack          string        `env:"DISCOUNTD_ACK" placeholder:"memory|disk|replica:N" help:"What a write must have reached before it is acknowledged: the memory of Redis, its disk, or N replicas (disk with the private Redis, else memory)."`
	Allow        []string      `env:"DISCOUNTD_ALLOW" placeholder:"NAME,..." help:"Weaknesses of the Redis to accept: what would be refused is only warned about, what would be warned about is not mentioned: ${concerns}."`
	AcceptLoss   string        `name:"accept-data-loss" env:"DISCOUNTD_ACCEPT_DATA_LOSS" placeholder:"STORE" help:"Go on although this store, by its id, has lost data or is gone. The refusal to start names it; it is accepted once."`
	DrainTimeout time.Duration `env:"DISCOUNTD_DRAIN_TIMEOUT" default:"20s" placeholder:"DURATION" help:"How long calls in flight may take after SIGINT or SIGTERM (${default}). A second signal ends at once."`
	LogLevel     slog.Level    `env:"DISCOUNTD_LOG_LEVEL" default:"info" placeholder:"LEVEL" help:"Least level to log: debug, info, warn or error (${default}). Calls that went well are at debug."`
	LogFormat    string        `env:"DISCOUNTD_LOG_FORMAT" default:"auto" enum:"auto,text,json" placeholder:"FORMAT" help:"How to log to standard error: text, json, or auto (the default): text on a terminal, else json."`

	Serve struct{}    `cmd:"" default:"1" help:"Serve, until a signal ends it. This is what happens without a command, too."`
	Audit auditConfig `cmd:"" help:"Compare all counters with the redemptions that they count, while the service runs, and mend them if told to."`

	Version kong.VersionFlag `help:"Print the version and exit."`
}

// parse reads the configuration from arguments and environment. It ends the
// process for --help and --version.
func parse(args []string) (config, error) {
	var c config
	stateDir, err := defaultStateDir()
	if err != nil {
		stateDir = "" // Validate asks for the flag, unless it is given
	}
	parser, err := kong.New(
		&c,
		kong.Name("discountd"),
		kong.Description("Serves coupons, promotion codes and their redemption over gRPC."),
		kong.Vars{"version": version(), "state_dir": stateDir, "concerns": strings.Join(redisstore.Concerns(), ", ")},
	)
	if err != nil {
		return config{}, err
	}
	if _, err := parser.Parse(args); err != nil {
		return config{}, err
	}
	return c, nil
}

// Validate is called by kong once everything is read.
func (c *config) Validate() error {
	if c.DataDir == "" {
		return errors.New("there is no home directory to keep data in: give --data-dir")
	}
	if c.DrainTimeout <= 0 {
		return errors.New("--drain-timeout: must be positive")
	}
	if c.Ack != "" {
		if _, err := redisstore.ParseAck(c.Ack); err != nil {
			return fmt.Errorf("--ack: %w", err)
		}
	}
	for _, name := range c.Allow {
		if !slices.Contains(redisstore.Concerns(), name) {
			return fmt.Errorf("--allow: %q is none of %s", name, strings.Join(redisstore.Concerns(), ", "))
		}
	}
	if c.Redis != redisAuto {
		if _, err := redisOptions(c.Redis); err != nil {
			return fmt.Errorf("--redis: %w", err)
		}
	}
	return nil
}

// hashKeyPath returns the file that the hashing key is in.
func (c *config) hashKeyPath() string {
	if c.HashKeyFile != "" {
		return c.HashKeyFile
	}
	return filepath.Join(c.DataDir, "hash.key")
}

// defaultStateDir returns the directory in which this system expects a user's
// programs to keep what should survive a restart.
func defaultStateDir() (string, error) {
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "discountd"), nil
	}
	if runtime.GOOS == "windows" {
		dir, err := os.UserCacheDir() // %LocalAppData%
		return filepath.Join(dir, "discountd"), err
	}
	home, err := os.UserHomeDir()
	return filepath.Join(home, ".local", "state", "discountd"), err
}

// logger returns what c says to log with. It writes to stderr.
func (c *config) logger(stderr io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: c.LogLevel}
	if c.LogFormat == "text" || c.LogFormat == "auto" && isTerminal(stderr) {
		return slog.New(slog.NewTextHandler(stderr, options))
	}
	return slog.New(slog.NewJSONHandler(stderr, options))
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// version says which build this is, as far as the build knows.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "discountd, unknown version"
	}
	text := "discountd " + info.Main.Version
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	if revision := settings["vcs.revision"]; revision != "" {
		text += " " + revision
	}
	if settings["vcs.modified"] == "true" {
		text += " with changes"
	}
	return text + " " + info.GoVersion
}
