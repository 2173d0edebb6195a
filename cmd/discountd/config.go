// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"reflect"
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
	DataDir      string        `env:"DISCOUNTD_DATA_DIR" default:"${state_dir}" placeholder:"DIR" type:"path" help:"Directory for what is kept on this machine (${state_dir_text})."`
	HashKeyFile  string        `env:"DISCOUNTD_HASH_KEY_FILE" placeholder:"FILE" type:"path" help:"The secret that e-mail addresses and gift card codes are hashed with, 32 bytes or more. Without it gift cards are not found by their codes any more. All servers of one store need the same. Made when missing (hash.key in the data directory)."`
	Ack          string        `env:"DISCOUNTD_ACK" placeholder:"memory|disk|replica:N" help:"What a write must have reached before it is acknowledged: the memory of Redis, its disk, or N replicas (disk with the private Redis, else memory)."`
	Allow        []string      `env:"DISCOUNTD_ALLOW" placeholder:"NAME" help:"Weaknesses of the Redis to accept: what would be refused is only warned about, what would be warned about is not mentioned: ${concerns}."`
	AcceptLoss   string        `name:"accept-data-loss" env:"DISCOUNTD_ACCEPT_DATA_LOSS" placeholder:"STORE" help:"Go on although this store, by its id, has lost data or is gone. The refusal to start names it; it is accepted once."`
	DrainTimeout time.Duration `env:"DISCOUNTD_DRAIN_TIMEOUT" default:"20s" placeholder:"DURATION" help:"How long calls in flight may take after SIGINT or SIGTERM (${default}). A second signal ends at once."`
	LogLevel     slog.Level    `env:"DISCOUNTD_LOG_LEVEL" default:"info" placeholder:"LEVEL" help:"Least level to log: debug, info, warn or error (${default}). Calls that went well are at debug."`
	LogFormat    string        `env:"DISCOUNTD_LOG_FORMAT" default:"auto" enum:"auto,text,json" placeholder:"FORMAT" help:"How to log to standard error: text, json, or auto (the default): text on a terminal, else json."`

	tuning `embed:"" group:"Tuning:"`

	Serve struct{}    `cmd:"" default:"1" help:"Serve, until a signal ends it. This is what happens without a command, too."`
	Audit auditConfig `cmd:"" help:"Compare all counters with the redemptions that they count, while the service runs, and mend them if told to."`

	Version kong.VersionFlag `help:"Print the version and exit."`
}

// parse reads the configuration from arguments and environment. It ends the
// process for --help and --version.
func parse(args []string) (config, error) {
	var c config
	stateDir, err := defaultStateDir()
	stateDirText := stateDir
	if err != nil {
		stateDir, stateDirText = "", "required without a home directory"
	}
	parser, err := kong.New(
		&c,
		kong.Name("discountd"),
		kong.Description("Serves coupons, promotion codes and their redemption over gRPC."),
		kong.Vars{
			"version": version(), "state_dir": stateDir, "state_dir_text": stateDirText,
			"concerns": strings.Join(redisstore.Concerns(), ", "),
		},
		kong.TypeMapper(reflect.TypeFor[slog.Level](), kong.MapperFunc(decodeLevel)),
		kong.Help(helpOfCommand),
	)
	if err != nil {
		return config{}, err
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		return config{}, err
	}
	if err := c.check(); err != nil {
		return config{}, fromWhere(parsed, err)
	}
	return c, nil
}

// settingError says what is wrong with a setting.
type settingError struct {
	flag string // its name, without dashes
	err  error
}

func (e *settingError) Error() string { return "--" + e.flag + ": " + e.err.Error() }
func (e *settingError) Unwrap() error { return e.err }

// wrong returns a settingError.
func wrong(flag, format string, args ...any) error {
	return &settingError{flag, fmt.Errorf(format, args...)}
}

// fromWhere names the variable beside the flag when a wrong setting came from there.
func fromWhere(parsed *kong.Context, err error) error {
	setting, ok := errors.AsType[*settingError](err)
	if !ok {
		return err
	}
	for _, p := range parsed.Path {
		if p.Flag != nil && p.Flag.Name == setting.flag {
			return err
		}
	}
	for _, flag := range parsed.Model.Flags {
		if flag.Name != setting.flag {
			continue
		}
		for _, variable := range flag.Envs {
			if _, ok := os.LookupEnv(variable); ok {
				return fmt.Errorf("%w (from %s)", err, variable)
			}
		}
	}
	return err
}

// check returns what is wrong, by the name of the flag.
func (c *config) check() error {
	if c.DataDir == "" {
		return errors.New("there is no home directory to keep data in: give --data-dir")
	}
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		return wrong("listen", "must be HOST:PORT: %w", err)
	}
	if c.DrainTimeout <= 0 {
		return wrong("drain-timeout", "must be positive")
	}
	if c.Ack != "" {
		if _, err := redisstore.ParseAck(c.Ack); err != nil {
			return wrong("ack", "%w", err)
		}
	}
	for _, name := range c.Allow {
		if !slices.Contains(redisstore.Concerns(), name) {
			return wrong("allow", "%q is none of %s", name, strings.Join(redisstore.Concerns(), ", "))
		}
	}
	if c.Redis != redisAuto {
		if _, err := redisOptions(c.Redis); err != nil {
			return wrong("redis", "%w", err)
		}
	}
	return c.tuning.check()
}

// levels are what --log-level can be.
var levels = [...]slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError}

// decodeLevel reads a level for kong.
func decodeLevel(c *kong.DecodeContext, target reflect.Value) error {
	var text string
	if err := c.Scan.PopValueInto("level", &text); err != nil {
		return err
	}
	for _, level := range levels {
		if strings.EqualFold(level.String(), text) {
			target.Set(reflect.ValueOf(level))
			return nil
		}
	}
	return fmt.Errorf("must be debug, info, warn or error but got %q", text)
}

// flagsOfAudit are those that an audit heeds, beside its own.
var flagsOfAudit = []string{"help", "version", "redis", "data-dir", "log-level", "log-format"}

// helpOfCommand prints the help of a command without the flags that do nothing for it.
func helpOfCommand(options kong.HelpOptions, c *kong.Context) error {
	if selected := c.Selected(); selected != nil && selected.Name == "audit" {
		for _, flag := range c.Model.Flags {
			flag.Hidden = flag.Hidden || !slices.Contains(flagsOfAudit, flag.Name)
		}
	}
	return kong.DefaultHelpPrinter(options, c)
}

// hashKeyPath returns the file that the hashing key is in.
func (c *config) hashKeyPath() string {
	if c.HashKeyFile != "" {
		return c.HashKeyFile
	}
	return filepath.Join(c.DataDir, "hash.key")
}

// inDataDir says where the data directory can be changed, of an error that it may be to
// blame for.
func (c *config) inDataDir(err error) error {
	if path, ok := errors.AsType[*fs.PathError](err); ok && within(c.DataDir, path.Path) {
		return fmt.Errorf("%w (in --data-dir, DISCOUNTD_DATA_DIR)", err)
	}
	return err
}

// within reports whether a path is that of a directory, of what is in it, or of what
// it is in.
func within(dir, path string) bool {
	for _, pair := range [][2]string{{dir, path}, {path, dir}} {
		if rest, err := filepath.Rel(pair[0], pair[1]); err == nil && filepath.IsLocal(rest) {
			return true
		}
	}
	return false
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
