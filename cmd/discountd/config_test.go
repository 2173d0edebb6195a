// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestDefaultsNeedNothing(t *testing.T) {
	state := t.TempDir()
	t.Setenv("XDG_STATE_HOME", state)
	got, err := parse(nil)
	if err != nil {
		t.Fatal(err)
	}
	want := config{
		Listen: "127.0.0.1:50051", Redis: "auto", DataDir: filepath.Join(state, "discountd"),
		DrainTimeout: 20 * time.Second, LogLevel: slog.LevelInfo, LogFormat: "auto", tuning: tuned,
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(config{})); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if path := got.hashKeyPath(); path != filepath.Join(state, "discountd", "hash.key") {
		t.Errorf("hashing key at %s", path)
	}
}

func TestFlagWinsOverEnvironment(t *testing.T) {
	for name, value := range map[string]string{
		"DISCOUNTD_LISTEN": "127.0.0.1:1", "DISCOUNTD_REDIS": "redis://env:1", "DISCOUNTD_DATA_DIR": "/env",
		"DISCOUNTD_HASH_KEY_FILE": "/env/key", "DISCOUNTD_DRAIN_TIMEOUT": "1s", "DISCOUNTD_LOG_LEVEL": "warn",
		"DISCOUNTD_LOG_FORMAT": "json", "DISCOUNTD_ACK": "replica:2", "DISCOUNTD_ALLOW": "eviction,memory",
		"DISCOUNTD_ACCEPT_DATA_LOSS": "STORE",
	} {
		t.Setenv(name, value)
	}
	got, err := parse([]string{"--redis=rediss://flag:2", "--log-level=debug"})
	if err != nil {
		t.Fatal(err)
	}
	want := config{
		Listen: "127.0.0.1:1", Redis: "rediss://flag:2", DataDir: "/env", HashKeyFile: "/env/key",
		DrainTimeout: time.Second, LogLevel: slog.LevelDebug, LogFormat: "json", tuning: tuned,
		Ack: "replica:2", Allow: []string{"eviction", "memory"}, AcceptLoss: "STORE",
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(config{})); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestWrongConfigurationIsRefusedByName(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ arg, want string }{
		{"--redis=redis+cluster://h:1", "redis+cluster:// is not supported yet"},
		{"--redis=redis+sentinel://h:1", "redis+sentinel:// is not supported yet"},
		{"--redis=http://h:1", "--redis"},
		{"--redis=", "--redis"},
		{"--redis=redis://h:1/notanumber", "--redis"},
		{"--drain-timeout=0s", "--drain-timeout"},
		{"--drain-timeout=soon", "--drain-timeout"},
		{"--log-level=loud", "--log-level: must be debug, info, warn or error"},
		{"--listen=bogus", "--listen: must be HOST:PORT"},
		{"--ack=maybe", "--ack"},
		{"--ack=replica:0", "--ack"},
		{"--allow=eviction,everything", "everything"},
		{"--log-format=xml", "--log-format"},
		{"--no-such-flag", "--no-such-flag"},
	} {
		_, err := parse([]string{"--data-dir=/d", c.arg})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error with %q", c.arg, err, c.want)
		}
	}
}

func TestWrongVariableIsNamed(t *testing.T) {
	for name, value := range map[string]string{
		"DISCOUNTD_LISTEN": "bogus", "DISCOUNTD_LOG_LEVEL": "loud", "DISCOUNTD_GATHER": "maybe", "DISCOUNTD_ACK": "maybe", "DISCOUNTD_MAX_WAITING": "0",
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(name, value)
			if _, err := parse([]string{"--data-dir=/d"}); err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("%v, want an error that names the variable", err)
			}
		})
	}
	t.Setenv("DISCOUNTD_LISTEN", "127.0.0.1:1")
	if _, err := parse([]string{"--data-dir=/d", "--listen=bogus"}); err == nil || strings.Contains(err.Error(), "DISCOUNTD_LISTEN") {
		t.Errorf("%v, want an error about the flag alone", err)
	}
}

func TestPasswordIsNotInAnError(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"redis://u:s3cret@h:1/x", "http://u:s3cret@h", "redis+cluster://u:s3cret@h", "redis://u:s3cret@h:port",
	} {
		_, err := parse([]string{"--data-dir=/d", "--redis=" + url})
		if err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestHomelessNeedsADataDirectory(t *testing.T) {
	for _, name := range []string{"HOME", "XDG_STATE_HOME", "LocalAppData", "home"} {
		t.Setenv(name, "")
	}
	if _, err := parse(nil); err == nil || !strings.Contains(err.Error(), "--data-dir") {
		t.Errorf("%v, want an error that asks for --data-dir", err)
	}
	if _, err := parse([]string{"--data-dir=/d"}); err != nil {
		t.Error(err)
	}
}

func TestRedisURLKeepsWhatItSaysAndNeverRetries(t *testing.T) {
	t.Parallel()
	o, err := redisOptions("rediss://user:pass@example.com:6380/3?read_timeout=7s&max_retries=5")
	if err != nil {
		t.Fatal(err)
	}
	if o.Addr != "example.com:6380" || o.DB != 3 || o.Username != "user" || o.Password != "pass" ||
		o.TLSConfig == nil || o.ReadTimeout != 7*time.Second {
		t.Errorf("the URL was not followed: %s, database %d, read timeout %s", o.Addr, o.DB, o.ReadTimeout)
	}
	if o.MaxRetries != -1 || !o.ContextTimeoutEnabled || o.DialTimeout != dialTimeout || o.WriteTimeout != ioTimeout {
		t.Errorf("max retries %d, context timeouts %v, dial timeout %s, write timeout %s",
			o.MaxRetries, o.ContextTimeoutEnabled, o.DialTimeout, o.WriteTimeout)
	}
}

func TestDescriptionOfARedisHasItsURLWithoutSecrets(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"redis://u:s3cret@h:1/2":        "redis://h:1/2",
		"rediss://:s3cret@h":            "rediss://h:6379/0",
		"unix://u:s3cret@/run/r.s?db=3": "unix:///run/r.s?db=3",
	} {
		o, err := redisOptions(url)
		if err != nil {
			t.Fatal(err)
		}
		if got := withoutSecrets(o); got != want {
			t.Errorf("%s: %s, want %s", url, got, want)
		}
	}
}

// A character of a password that is not encoded ends the part of the URL that the
// password is in. The rest of the password must not be told as what is wrong.
func TestRefusalOfARedisURLTellsThePartAndNothingOfThePassword(t *testing.T) {
	t.Parallel()
	for url, part := range map[string]string{
		"redis://:12/s3cret@h":             "number of a database",
		"redis://:12/s3cret/1@h":           "number of a database",
		"redis://:9?s3cret@h":              "option",
		"redis://:9/1?s3cret@h":            "option",
		"redis://:p@h?db=s3cret":           "option",
		"redis://:p@h?read_timeout=s3cret": "option",
		"redis://u:12#s3cret@h:1/0":        "no #",
		"redis://u:s3cret#@h:1/0":          "not a URL",
		"unix://:9?s3cret@/run/r.s":        "socket",
		"unix://:p@/run/r.s?s3cret":        "option",
	} {
		_, err := redisOptions(url)
		if err == nil {
			t.Errorf("%s is taken", url)
			continue
		}
		if text := err.Error(); !strings.Contains(text, part) || strings.Contains(text, "s3cret") ||
			!strings.Contains(text, "must be percent-encoded") {
			t.Errorf("%s: %s", url, text)
		}
	}
}

func TestLogFormat(t *testing.T) {
	t.Parallel()
	for format, want := range map[string]string{"text": "msg=hello", "json": `"msg":"hello"`, "auto": `"msg":"hello"`} {
		var out bytes.Buffer
		c := config{LogFormat: format, LogLevel: slog.LevelWarn}
		logger := c.logger(&out)
		logger.Info("too quiet")
		logger.Warn("hello")
		if !strings.Contains(out.String(), want) || strings.Contains(out.String(), "too quiet") {
			t.Errorf("%s: %q", format, &out)
		}
	}
}
