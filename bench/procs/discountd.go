// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package procs

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// StartDiscountd starts the service on a Redis, with flags beside those for where
// it listens and what it keeps, and returns it with its address once it serves.
// dir is for its files.
func StartDiscountd(ctx context.Context, binary, dir, redisURL string, flags ...string) (*Process, string, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, "", err
	}
	args := append([]string{
		"--listen=127.0.0.1:0", "--redis=" + redisURL, "--data-dir=" + dir, "--log-format=json",
	}, flags...)
	cmd := exec.Command(binary, args...)
	// What is set for another discountd on this machine is not for this one.
	for _, setting := range os.Environ() {
		if !strings.HasPrefix(setting, "DISCOUNTD_") {
			cmd.Env = append(cmd.Env, setting)
		}
	}
	p, err := Start("discountd", cmd, filepath.Join(dir, "discountd.log"))
	if err != nil {
		return nil, "", err
	}
	address, err := p.servingAt(ctx)
	if err != nil {
		return nil, "", p.abandon(err)
	}
	return p, address, nil
}

// logPollInterval is how often the log of a process that starts is looked at.
const logPollInterval = 5 * time.Millisecond

// servingAt returns the address that discountd serves at, as soon as its log has it.
func (p *Process) servingAt(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	ticker := time.NewTicker(logPollInterval)
	defer ticker.Stop()
	for {
		text, err := os.ReadFile(p.log)
		if err != nil {
			return "", err
		}
		for line := range bytes.Lines(text) {
			var record struct{ Msg, Address string }
			if json.Unmarshal(line, &record) == nil && record.Msg == "serving" {
				return record.Address, nil
			}
		}
		select {
		case <-ticker.C:
		case <-p.gone:
			return "", fmt.Errorf("discountd ended: %w; its log ends:\n%s", p.ended(), p.tail())
		case <-ctx.Done():
			return "", fmt.Errorf("discountd does not serve: %w; its log ends:\n%s", context.Cause(ctx), p.tail())
		}
	}
}

// StartSelf starts this program with a subcommand, with in as its input, and
// returns it with the first line that it prints.
func StartSelf(ctx context.Context, name, log, subcommand, in string) (*Process, string, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, "", err
	}
	cmd := exec.Command(self, subcommand)
	cmd.Stdin = strings.NewReader(in)
	p, err := Start(name, cmd, log)
	if err != nil {
		return nil, "", err
	}
	line, err := p.firstLine(ctx)
	return p, line, err
}

// firstLine returns the first line that a process prints, and ends one that
// prints none.
func (p *Process) firstLine(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	line, err := p.Line(ctx)
	if err != nil {
		return "", p.abandon(err)
	}
	return line, nil
}
