// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

// Package privateredis starts and watches redis-server processes that belong to
// this program alone.
//
// [OpenDir] is what `--redis=auto` uses: a locked data directory with one server
// in it that outlives neither a clean stop nor, unnoticed, a crash. [Start] and
// [StartCluster] give tests servers that they may kill, pause and restart.
//
// A server is any redis-server or valkey-server from version 6.2 on that is found
// on PATH. Linux, macOS and the BSDs can start one; elsewhere [Find] finds none.
package privateredis

import (
	"errors"
	"fmt"
	"os/exec"
	"strings"
)

// ErrNotFound says that no redis-server can be started on this machine.
var ErrNotFound = errors.New("no redis-server or valkey-server on PATH")

// Find returns the path of the redis-server or valkey-server to start, or
// ErrNotFound.
func Find() (string, error) {
	if !canStart {
		return "", fmt.Errorf("%w: this system cannot run one privately", ErrNotFound)
	}
	for _, name := range []string{"redis-server", "valkey-server"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", ErrNotFound
}

// Config says how a server is started. Dir and one of Socket and Port are
// required.
type Config struct {
	// Dir is the server's data directory, an absolute path that exists. Its
	// configuration and its log go there too.
	Dir string
	// Socket is the path of a unix socket to listen on.
	Socket string
	// Port is a TCP port to listen on, at 127.0.0.1.
	Port int
	// AppendFsync is "always", "everysec" or "no": when what is written reaches
	// the disk. Empty means that nothing is written at all.
	AppendFsync string
	// MaxMemory bounds the data, as redis.conf writes it: "2mb". Empty means no
	// bound. Nothing is ever evicted unless Extra says so.
	MaxMemory string
	// Cluster turns cluster mode on.
	Cluster bool
	// Extra are further lines of redis.conf; they win over the others.
	Extra []string
	// DieWithParent has the system kill the server when this process dies, where
	// the system can (Linux).
	DieWithParent bool
}

// render returns the redis.conf that c stands for.
func (c *Config) render() string {
	var b strings.Builder
	line := func(name string, args ...string) {
		b.WriteString(name)
		for _, a := range args {
			fmt.Fprintf(&b, " %s", quote(a))
		}
		b.WriteByte('\n')
	}
	line("dir", c.Dir)
	line("daemonize", "no")
	line("logfile", "") // standard output, which is the log file
	line("bind", "127.0.0.1")
	line("protected-mode", "yes")
	line("port", fmt.Sprint(c.Port)) // 0 means none
	if c.Socket != "" {
		line("unixsocket", c.Socket)
		line("unixsocketperm", "700")
	}
	line("save", "")
	if c.AppendFsync != "" {
		line("appendonly", "yes")
		line("appendfsync", c.AppendFsync)
	} else {
		line("appendonly", "no")
	}
	if c.MaxMemory != "" {
		line("maxmemory", c.MaxMemory)
	}
	line("maxmemory-policy", "noeviction")
	// The name that both 6.2 and its successors know.
	line("hash-max-ziplist-entries", "512")
	if c.Cluster {
		line("cluster-enabled", "yes")
		line("cluster-config-file", "nodes.conf")
		line("cluster-node-timeout", "5000")
	}
	for _, l := range c.Extra {
		b.WriteString(l)
		b.WriteByte('\n')
	}
	return b.String()
}

// quote writes s as one word of redis.conf.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}
