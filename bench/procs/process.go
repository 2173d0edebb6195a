// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

// Package procs starts the processes that are measured, each on its own, and
// reads what they use. It needs Linux: it reads /proc.
package procs

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

const (
	// startTimeout is how long a process may take until it serves.
	startTimeout = 60 * time.Second
	// stopTimeout is how long a process may take to end when it is told to, before
	// it is killed.
	stopTimeout = 20 * time.Second
	// tailBytes is how much of a log an error quotes.
	tailBytes = 2000
)

// Process is a process of this benchmark. It dies with it.
type Process struct {
	Name string

	cmd    *exec.Cmd
	output *os.File // its standard output
	lines  *bufio.Reader
	log    string // the file of its standard error
	gone   chan struct{}
	err    error // how it ended, once gone
}

// Start starts a command. Its standard error goes to the file log, its standard
// output is read with Line.
func Start(name string, cmd *exec.Cmd, log string) (*Process, error) {
	stderr, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	defer stderr.Close() // the child has its own
	// A pipe that Wait does not close under the reader.
	output, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer write.Close()
	cmd.Stdout, cmd.Stderr = write, stderr
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true // Ctrl-C is for this process, which then stops them
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", name, err), output.Close())
	}
	p := &Process{
		Name: name, cmd: cmd, output: output, lines: bufio.NewReader(output), log: log,
		gone: make(chan struct{}),
	}
	go func() {
		p.err = cmd.Wait()
		close(p.gone)
	}()
	return p, nil
}

// PID returns the id of the process.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Line returns the next line that the process prints, without its end. When there
// is none the error says how the process ended.
func (p *Process) Line(ctx context.Context) (string, error) {
	defer context.AfterFunc(ctx, func() {
		_ = p.output.SetReadDeadline(time.Now()) // a pipe knows deadlines
	})()
	line, err := p.lines.ReadString('\n')
	switch {
	case err == nil:
		return strings.TrimSuffix(line, "\n"), nil
	case ctx.Err() != nil:
		return "", fmt.Errorf("%s printed nothing: %w", p.Name, context.Cause(ctx))
	default:
		<-p.gone
		return "", fmt.Errorf("%s ended: %w; its log ends:\n%s", p.Name, p.ended(), p.tail())
	}
}

// Wait waits until the process has ended by itself, and returns an error if it
// ended with one.
func (p *Process) Wait(ctx context.Context) error {
	select {
	case <-p.gone:
		p.output.Close()
		if p.err != nil {
			return fmt.Errorf("%s: %w; its log ends:\n%s", p.Name, p.err, p.tail())
		}
		return nil
	case <-ctx.Done():
		return errors.Join(context.Cause(ctx), p.Stop(syscall.SIGKILL))
	}
}

// Stop ends the process with a signal and waits until it is gone. One that does
// not oblige is killed, which is an error.
func (p *Process) Stop(signal syscall.Signal) error {
	defer p.output.Close()
	select {
	case <-p.gone:
		return nil
	default:
	}
	if err := p.cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop %s: %w", p.Name, err)
	}
	select {
	case <-p.gone:
		return nil
	case <-time.After(stopTimeout):
		err := p.cmd.Process.Kill()
		<-p.gone
		return errors.Join(fmt.Errorf("%s did not stop within %s and was killed", p.Name, stopTimeout), err)
	}
}

func (p *Process) ended() error {
	if p.err == nil {
		return errors.New("without an error")
	}
	return p.err
}

func (p *Process) tail() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(text[max(0, len(text)-tailBytes):]))
}

// abandon kills a process that did not start as it should, and returns why.
func (p *Process) abandon(why error) error {
	if err := p.Stop(syscall.SIGKILL); err != nil {
		return fmt.Errorf("%w; %w", why, err)
	}
	return why
}

// Kill ends the process at once.
func (p *Process) Kill() error { return p.Stop(syscall.SIGKILL) }
