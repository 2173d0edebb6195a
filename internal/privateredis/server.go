// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package privateredis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

const (
	// silenceTimeout is how long a starting server may give no sign of life. One
	// that says that it is loading its data may take as long as it needs.
	silenceTimeout = 15 * time.Second
	// stopTimeout is how long each way of stopping a server may take before the
	// next, harsher one is used.
	stopTimeout = 5 * time.Second
	// pollInterval is how often a condition that no one signals is looked at.
	pollInterval = 5 * time.Millisecond
	// logLimit is the size in bytes at which a start sets the old log aside.
	logLimit = 1 << 20
)

// Server is one redis-server process. Its methods may be called by several
// goroutines, but starting and stopping it at the same time leaves open which one
// wins.
type Server struct {
	config Config
	binary string

	mu      sync.Mutex
	process *process
}

// process is one life of a server.
type process struct {
	pid  int
	send func(syscall.Signal) error
	gone chan struct{} // closed when the process is gone
}

// Start starts a server and waits until it serves. An error quotes the end of the
// server's log, and nothing keeps running.
func Start(ctx context.Context, config Config) (*Server, error) {
	return start(ctx, config, nil)
}

// start is Start with an open file that the server keeps open for as long as it
// lives.
func start(ctx context.Context, config Config, inherited *os.File) (*Server, error) {
	binary, err := Find()
	if err != nil {
		return nil, err
	}
	s := &Server{config: config, binary: binary}
	if err := s.launch(ctx, inherited); err != nil {
		return nil, err
	}
	return s, nil
}

// launch starts a process for s and waits until it serves.
func (s *Server) launch(ctx context.Context, inherited *os.File) error {
	conf := filepath.Join(s.config.Dir, "redis.conf")
	if err := os.WriteFile(conf, []byte(s.config.render()), 0o600); err != nil {
		return fmt.Errorf("write the private redis-server's configuration: %w", err)
	}
	log, err := openLog(s.logPath())
	if err != nil {
		return err
	}
	defer log.Close() // the child has its own

	// Not CommandContext: the server outlives the call that starts it.
	cmd := exec.Command(s.binary, conf)
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.config.Dir, log, log
	cmd.SysProcAttr = ownGroup()
	if s.config.DieWithParent {
		dieWithParent(cmd.SysProcAttr)
	}
	if inherited != nil {
		cmd.ExtraFiles = []*os.File{inherited}
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start a private redis-server: %w", err)
	}
	p := &process{
		pid:  cmd.Process.Pid,
		send: func(sig syscall.Signal) error { return cmd.Process.Signal(sig) },
		gone: make(chan struct{}),
	}
	go func() {
		_ = cmd.Wait() // how it ended is in its log
		close(p.gone)
	}()
	s.setProcess(p)

	if err := s.awaitServing(ctx, p); err != nil {
		killErr := s.Kill()
		return errors.Join(fmt.Errorf("private redis-server: %w; its log ends:\n%s", err, s.logTail()), killErr)
	}
	return nil
}

// awaitServing polls until process p itself answers, not another server that
// happens to listen at the same address.
func (s *Server) awaitServing(ctx context.Context, p *process) error {
	client := s.Client()
	defer client.Close()
	lastSign := time.Now()
	for {
		pid, err := s.servingPID(ctx, client)
		switch {
		case err == nil && pid == p.pid:
			return nil
		case err == nil:
			return fmt.Errorf("%s is served by another process, %d", s.Addr(), pid)
		case redis.HasErrorPrefix(err, "LOADING"):
			lastSign = time.Now()
		case time.Since(lastSign) > silenceTimeout:
			return fmt.Errorf("no answer within %s: %w", silenceTimeout, err)
		}
		select {
		case <-p.gone:
			return errors.New("it ended at once")
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pollInterval):
		}
	}
}

// servingPID asks whoever serves at the address of s for its process id. It fails
// while that one is loading its data.
func (s *Server) servingPID(ctx context.Context, client *redis.Client) (int, error) {
	// The client would log an address where nobody listens, which is usual here.
	conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, client.Options().Network, s.Addr())
	if err != nil {
		return 0, err
	}
	if err := conn.Close(); err != nil {
		return 0, err
	}
	if err := client.Ping(ctx).Err(); err != nil { // INFO answers while loading
		return 0, err
	}
	info, err := client.Info(ctx, "server").Result()
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(info) {
		if value, ok := strings.CutPrefix(line, "process_id:"); ok {
			return strconv.Atoi(strings.TrimSpace(value))
		}
	}
	return 0, errors.New("INFO names no process_id")
}

// Options returns what a go-redis client needs to reach the server; the caller
// may add to it. A command is sent once: what to do after a failure is for the
// caller to decide.
func (s *Server) Options() *redis.Options {
	network := "tcp"
	if s.config.Socket != "" {
		network = "unix"
	}
	return clientOptions(network, s.Addr())
}

func clientOptions(network, addr string) *redis.Options {
	return &redis.Options{
		Network:                  network,
		Addr:                     addr,
		MaxRetries:               -1,
		ContextTimeoutEnabled:    true,
		DialTimeout:              time.Second,
		DialerRetries:            1,
		ReadTimeout:              stopTimeout,
		WriteTimeout:             stopTimeout,
		DisableIdentity:          true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
}

// Client returns a new client of the server, which the caller closes.
func (s *Server) Client() *redis.Client { return redis.NewClient(s.Options()) }

// ClientAt returns a new client, with the same options, of the server at another
// TCP address, such as that of a proxy. The caller closes it.
func ClientAt(addr string) *redis.Client { return redis.NewClient(clientOptions("tcp", addr)) }

// Addr returns the path of the server's unix socket if it has one, else
// "127.0.0.1:port".
func (s *Server) Addr() string {
	if s.config.Socket != "" {
		return s.config.Socket
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.config.Port))
}

// URL returns the address in the form that discountd's --redis takes.
func (s *Server) URL() string {
	if s.config.Socket != "" {
		return "unix://" + s.config.Socket
	}
	return "redis://" + s.Addr()
}

// Config returns what the server was started with.
func (s *Server) Config() Config { return s.config }

// PID returns the process id of the server's present or last process.
func (s *Server) PID() int { return s.current().pid }

// Gone returns a channel that is closed when the present process is gone, for
// whatever reason.
func (s *Server) Gone() <-chan struct{} { return s.current().gone }

// Kill ends the process at once, as a crash would, and waits until it is gone.
// Killing one that is gone already is fine.
func (s *Server) Kill() error {
	p := s.current()
	if err := p.signal(signalKill); err != nil {
		return err
	}
	return p.await(stopTimeout)
}

// Pause stops the process without ending it: connections stay open and nothing
// answers, until Resume.
func (s *Server) Pause() error { return s.current().signal(signalStop) }

// Resume lets a paused process go on.
func (s *Server) Resume() error { return s.current().signal(signalContinue) }

// Restart starts a process on the same data and at the same address. The one
// before must be gone.
func (s *Server) Restart(ctx context.Context) error {
	if p := s.current(); !p.isGone() {
		return fmt.Errorf("redis-server %d is still running", p.pid)
	}
	return s.launch(ctx, nil)
}

// Stop shuts the server down cleanly: everything acknowledged is on disk when it
// returns. If the server does not oblige it is terminated, and in the end killed,
// which the error tells.
func (s *Server) Stop(ctx context.Context) error {
	p := s.current()
	if p.isGone() {
		return nil
	}
	client := s.Client()
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	// No answer is what success looks like; whether it worked shows in the wait.
	_ = client.Shutdown(ctx).Err()
	if p.await(stopTimeout) == nil {
		return nil
	}
	if err := p.signal(signalTerminate); err != nil {
		return err
	}
	if p.await(stopTimeout) == nil {
		return nil
	}
	if err := s.Kill(); err != nil {
		return err
	}
	return fmt.Errorf("redis-server %d did not shut down and was killed", p.pid)
}

func (s *Server) current() *process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.process
}

func (s *Server) setProcess(p *process) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.process = p
}

func (p *process) signal(sig syscall.Signal) error {
	if p.isGone() {
		return nil // its id may be another's by now
	}
	if err := p.send(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("send %v to redis-server %d: %w", sig, p.pid, err)
	}
	return nil
}

func (p *process) isGone() bool {
	select {
	case <-p.gone:
		return true
	default:
		return false
	}
}

func (p *process) await(timeout time.Duration) error {
	select {
	case <-p.gone:
		return nil
	case <-time.After(timeout):
		return fmt.Errorf("redis-server %d is still running after %s", p.pid, timeout)
	}
}

func (s *Server) logPath() string { return filepath.Join(s.config.Dir, "redis.log") }

// openLog opens a log to append to, after setting a long one aside.
func openLog(path string) (*os.File, error) {
	if info, err := os.Stat(path); err == nil && info.Size() > logLimit {
		if err := os.Rename(path, path+".1"); err != nil {
			return nil, fmt.Errorf("set the private redis-server's log aside: %w", err)
		}
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the private redis-server's log: %w", err)
	}
	return f, nil
}

// logTail returns the last lines of the server's log.
func (s *Server) logTail() string {
	const lines = 5
	text, err := os.ReadFile(s.logPath()) // at most logLimit and one life's lines
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
