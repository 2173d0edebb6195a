// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package privateredis

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// maxSocketPath is the longest path in bytes that every system takes as a
	// unix socket's: the smallest limit is 104, with the closing zero.
	maxSocketPath = 100
	// The names of the two locks in a data directory. The first is held by the
	// program, the second by the server, which may outlive the program.
	ownerLockName  = "lock"
	serverLockName = "redis.lock"
	// A server that keeps ending is started again after a wait that doubles from
	// the first to the second of these.
	minRestartWait = 100 * time.Millisecond
	maxRestartWait = 5 * time.Second
)

// InUseError says that another process of this program uses a data directory.
type InUseError struct {
	Dir string
	// PID is the other process, or 0 when it is not known.
	PID int
}

func (e *InUseError) Error() string {
	by := "another process"
	if e.PID != 0 {
		by = fmt.Sprintf("process %d", e.PID)
	}
	return fmt.Sprintf("the data directory %s is in use by %s", e.Dir, by)
}

// Dir is a data directory that this process holds, with a server running in it.
type Dir struct {
	path   string
	logger *slog.Logger
	lock   *os.File

	cancel    context.CancelFunc
	watched   chan struct{} // closed when nothing starts servers any more
	adopted   bool
	closeOnce sync.Once
	closeErr  error

	mu     sync.Mutex
	server *Server
}

// OpenDir locks the data directory, which it creates when missing, and starts a
// server in it that keeps every acknowledged write through a crash of anything
// but the disk: it appends to a log that it syncs before it answers.
//
// A server that a killed process left behind is adopted. One that ends by itself
// is started again, until Close.
//
// It fails with *InUseError when another process holds the directory, with
// ErrNotFound when there is no server to start, and when ctx ends first.
func OpenDir(ctx context.Context, path string, logger *slog.Logger) (*Dir, error) {
	if _, err := Find(); err != nil {
		return nil, err
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("create the data directory: %w", err)
	}
	lock, err := lockOwner(path)
	if err != nil {
		return nil, err
	}
	d := &Dir{path: path, logger: logger, lock: lock, watched: make(chan struct{})}
	config, err := d.config()
	if err == nil {
		d.server, d.adopted, err = d.startOrAdopt(ctx, config)
	}
	if err != nil {
		return nil, errors.Join(err, unlock(lock), lock.Close())
	}
	watchCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	d.cancel = cancel
	go d.watch(watchCtx)
	return d, nil
}

// HasData reports whether a server has written to the data directory.
func HasData(dir string) bool {
	for _, name := range []string{"appendonlydir", "appendonly.aof"} { // since 7.0, and before
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return true
		}
	}
	return false
}

// lockOwner takes the directory for this process and writes its id into the lock,
// for the message that the next one gives. The system drops the lock when the
// process ends, however it ends.
func lockOwner(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, ownerLockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the lock of the data directory: %w", err)
	}
	locked, err := tryLock(f)
	if err == nil && !locked {
		text, _ := io.ReadAll(io.LimitReader(f, 32))
		pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
		err = &InUseError{Dir: dir, PID: pid}
	}
	if err == nil {
		err = f.Truncate(0)
	}
	if err == nil {
		_, err = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func (d *Dir) config() (Config, error) {
	socket, err := socketPath(d.path)
	if err != nil {
		return Config{}, err
	}
	return Config{Dir: d.path, Socket: socket, AppendFsync: "always"}, nil
}

// socketPath returns where the server of a data directory listens: in it, or when
// that path is too long for a socket, in a directory of the user's own whose name
// follows from it.
func socketPath(dir string) (string, error) {
	const name = "redis.sock"
	if path := filepath.Join(dir, name); len(path) <= maxSocketPath {
		return path, nil
	}
	sum := sha256.Sum256([]byte(dir))
	short := "discountd-" + hex.EncodeToString(sum[:8])
	failed := []error{fmt.Errorf("the path of the data directory %s is too long for a socket in it", dir)}
	for _, base := range []string{os.Getenv("XDG_RUNTIME_DIR"), os.TempDir()} {
		path := filepath.Join(base, short, name)
		if base == "" || len(path) > maxSocketPath {
			continue
		}
		err := makePrivate(filepath.Dir(path))
		if err == nil {
			return path, nil
		}
		failed = append(failed, err)
	}
	return "", errors.Join(failed...)
}

// makePrivate makes a directory that only this user can use. One that is there must
// be so: others may write to the temporary directory, and could put a server of
// theirs into one that they made first.
func makePrivate(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() || !ownedPrivately(info) {
		return fmt.Errorf("%s is not a private directory of this user", dir)
	}
	return nil
}

// startOrAdopt returns a serving server in the directory. Which of the two it is
// is decided by the server's lock: a server inherits the lock's open file and so
// holds it exactly as long as it lives. Two servers never write one log.
func (d *Dir) startOrAdopt(ctx context.Context, config Config) (_ *Server, adopted bool, err error) {
	lock, err := os.OpenFile(filepath.Join(d.path, serverLockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, false, fmt.Errorf("open the server's lock: %w", err)
	}
	defer func() {
		if !adopted { // an adopted server's watcher needs the file
			err = errors.Join(err, lock.Close())
		}
	}()
	orphan := &Server{config: config}
	client := orphan.Client()
	defer client.Close()
	lastSign := time.Now()
	for {
		free, err := tryLock(lock)
		if err != nil {
			return nil, false, err
		}
		if free {
			s, err := start(ctx, config, lock)
			return s, false, err
		}
		pid, err := orphan.servingPID(ctx, client)
		if err == nil {
			err = d.adopt(ctx, orphan, client, pid, lock)
			return orphan, err == nil, err
		}
		if redis.HasErrorPrefix(err, "LOADING") {
			lastSign = time.Now()
		}
		if time.Since(lastSign) > silenceTimeout {
			return nil, false, fmt.Errorf("a redis-server left behind in %s does not answer: %w", d.path, err)
		}
		select {
		case <-ctx.Done():
			return nil, false, context.Cause(ctx)
		case <-time.After(pollInterval):
		}
	}
}

// adopt makes s the server with the given process id, found running. Another
// build of this program may have started it: the settings that its promise rests
// on are set anew.
func (d *Dir) adopt(ctx context.Context, s *Server, client *redis.Client, pid int, lock *os.File) error {
	binary, err := Find()
	if err != nil {
		return err
	}
	s.binary = binary
	for _, setting := range [][2]string{
		{"appendfsync", "always"},
		{"appendonly", "yes"},
		{"save", ""},
		{"maxmemory-policy", "noeviction"},
	} {
		if err := client.ConfigSet(ctx, setting[0], setting[1]).Err(); err != nil {
			return fmt.Errorf("set %s of the redis-server left behind: %w", setting[0], err)
		}
	}
	p := &process{
		pid:  pid,
		send: func(sig syscall.Signal) error { return sendSignal(pid, sig) },
		gone: make(chan struct{}),
	}
	s.setProcess(p)
	go func() {
		defer close(p.gone)
		defer lock.Close()
		// It is no child of this process: its lock tells when it is gone.
		for {
			free, err := tryLock(lock)
			if free {
				return
			}
			if err != nil {
				d.logger.Error("cannot watch the private redis-server", "error", err)
				return
			}
			<-time.After(pollInterval)
		}
	}()
	return nil
}

// watch starts the server again whenever it has ended, until ctx ends.
func (d *Dir) watch(ctx context.Context) {
	defer close(d.watched)
	wait := minRestartWait
	for {
		started := time.Now()
		select {
		case <-ctx.Done():
			return
		case <-d.current().Gone():
		}
		if time.Since(started) > maxRestartWait {
			wait = minRestartWait
		}
		d.logger.Error("the private redis-server ended; starting it again",
			"pid", d.current().PID(), "log", d.current().logPath(), "wait", wait.String())
		for {
			select {
			case <-ctx.Done():
				return
			case <-time.After(wait):
			}
			wait = min(2*wait, maxRestartWait)
			s, _, err := d.startOrAdopt(ctx, d.current().config)
			if err == nil {
				d.logger.Info("the private redis-server serves again", "pid", s.PID())
				d.setCurrent(s)
				break
			}
			if ctx.Err() == nil {
				d.logger.Error("cannot start the private redis-server", "error", err)
			}
		}
	}
}

func (d *Dir) current() *Server {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.server
}

func (d *Dir) setCurrent(s *Server) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.server = s
}

// Path returns the absolute path of the data directory.
func (d *Dir) Path() string { return d.path }

// Adopted reports whether OpenDir found a server that a killed process left.
func (d *Dir) Adopted() bool { return d.adopted }

// PID returns the process id of the present server.
func (d *Dir) PID() int { return d.current().PID() }

// Options returns what a go-redis client needs to reach the server; they stay the
// same when the server is started again.
func (d *Dir) Options() *redis.Options { return d.current().Options() }

// Close stops the server cleanly and gives the directory free. It may be called
// more than once.
func (d *Dir) Close(ctx context.Context) error {
	d.closeOnce.Do(func() {
		d.cancel()
		<-d.watched
		d.closeErr = errors.Join(d.current().Stop(ctx), unlock(d.lock), d.lock.Close())
	})
	return d.closeErr
}
