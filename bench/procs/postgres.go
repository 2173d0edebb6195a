// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package procs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// Postgres is a PostgreSQL of this benchmark, tuned for it: everything is in
// memory, no checkpoint falls into a measurement, and it listens at a unix socket
// alone. What is acknowledged to a synchronous commit is on disk.
type Postgres struct {
	*Process
	socketDir string
}

// postgresUser is the role that owns everything.
const postgresUser = "bench"

// settings are what it is started with, beside where.
var settings = []string{
	"listen_addresses=",
	"shared_buffers=512MB",
	"max_wal_size=16GB",
	"min_wal_size=1GB",
	"checkpoint_timeout=1d",
	"wal_buffers=64MB",
	"max_connections=200",
	"fsync=on",
	"full_page_writes=on",
	"jit=off",
}

// FindPostgres returns the directory of PostgreSQL's programs: that of initdb on
// PATH, or the newest one where Debian and its kin keep them.
func FindPostgres() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			return filepath.Dir(path), nil
		}
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		return "", err
	}
	if len(found) == 0 {
		return "", errors.New("PostgreSQL is not installed: there is no initdb; run tools/ensure postgres")
	}
	slices.SortFunc(found, func(a, b string) int { return versionOf(a) - versionOf(b) })
	return filepath.Dir(found[len(found)-1]), nil
}

// versionOf returns the version in /usr/lib/postgresql/VERSION/bin/initdb, or 0.
func versionOf(path string) int {
	n, err := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
	if err != nil {
		return 0
	}
	return n
}

// StartPostgres starts a new PostgreSQL with its data in dir, an absolute path,
// which it makes. Run by root, it runs as another user, as PostgreSQL insists; dir
// must then be in directories that everybody may enter.
func StartPostgres(ctx context.Context, dir string) (*Postgres, error) {
	bin, err := FindPostgres()
	if err != nil {
		return nil, err
	}
	who, err := unprivileged()
	if err != nil {
		return nil, err
	}
	// A socket's path must be short.
	sockets, err := os.MkdirTemp("", "pg")
	if err != nil {
		return nil, err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	if who != nil {
		for _, path := range []string{dir, sockets} {
			if err := os.Chown(path, int(who.Uid), int(who.Gid)); err != nil {
				return nil, err
			}
		}
	}
	data := filepath.Join(dir, "data")
	initdb := exec.CommandContext(ctx, filepath.Join(bin, "initdb"), "--pgdata="+data, "--username="+postgresUser,
		"--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
	initdb.Dir, initdb.SysProcAttr = dir, &syscall.SysProcAttr{Credential: who}
	if output, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w\n%s", err, output)
	}
	args := []string{"-D", data, "-c", "unix_socket_directories=" + sockets}
	for _, s := range settings {
		args = append(args, "-c", s)
	}
	cmd := exec.Command(filepath.Join(bin, "postgres"), args...)
	cmd.Dir, cmd.SysProcAttr = dir, &syscall.SysProcAttr{Credential: who}
	process, err := Start("postgres", cmd, dir+".log")
	if err != nil {
		return nil, err
	}
	p := &Postgres{process, sockets}
	if err := p.awaitServing(ctx); err != nil {
		return nil, process.abandon(fmt.Errorf("%w; its log ends:\n%s", err, process.tail()))
	}
	return p, nil
}

// unprivileged returns the user to run as when this process is root's, else nil.
func unprivileged() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		who, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(who.Uid, 10, 32)
		if err != nil {
			return nil, err
		}
		gid, err := strconv.ParseUint(who.Gid, 10, 32)
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, err
	}
	return nil, errors.New("PostgreSQL does not run as root, and there is neither a user postgres nor nobody")
}

func (p *Postgres) awaitServing(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, p.URL("postgres"))
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-p.gone:
			return errors.New("postgres ended at once")
		case <-ctx.Done():
			return fmt.Errorf("postgres does not serve: %w", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// URL returns the address of a database.
func (p *Postgres) URL(database string) string {
	return fmt.Sprintf("postgres://%s@/%s?host=%s", postgresUser, database, p.socketDir)
}

// Recreate makes a database anew, empty. Nobody may be connected to it.
func (p *Postgres) Recreate(ctx context.Context, database string) (err error) {
	conn, err := pgx.Connect(ctx, p.URL("postgres"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	name := pgx.Identifier{database}.Sanitize()
	if _, err := conn.Exec(ctx, "drop database if exists "+name); err != nil {
		return err
	}
	_, err = conn.Exec(ctx, "create database "+name)
	return err
}

// Version returns the version of the server.
func (p *Postgres) Version(ctx context.Context) (version string, err error) {
	conn, err := pgx.Connect(ctx, p.URL("postgres"))
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	err = conn.QueryRow(ctx, "show server_version").Scan(&version)
	return version, err
}

// Close ends it.
func (p *Postgres) Close() error {
	return errors.Join(p.Stop(syscall.SIGINT), os.RemoveAll(p.socketDir)) // SIGINT: clients are not waited for
}
