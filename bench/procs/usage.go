// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package procs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// clockTick is the unit of /proc/PID/stat: USER_HZ, which is 100 on every
// architecture that Go runs on.
const clockTick = time.Second / 100

// CPU returns what a process, its children and those that it has waited for have
// used so far, in user mode and in the kernel, in steps of 10 ms. PostgreSQL has a
// process for every connection.
func CPU(pid int) (time.Duration, error) {
	own, err := stat(pid)
	if err != nil {
		return 0, err
	}
	total := own.cpu + own.waitedFor
	children, err := childrenOf(pid)
	if err != nil {
		return 0, err
	}
	for _, child := range children {
		used, err := CPU(child)
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // it may have ended meanwhile
			return 0, err
		}
		total += used
	}
	return total, nil
}

type times struct{ cpu, waitedFor time.Duration }

func stat(pid int) (times, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return times{}, err
	}
	return parseStat(string(text))
}

// parseStat reads the four times in a line of /proc/PID/stat. The name of the
// program may have spaces and parentheses in it.
func parseStat(text string) (times, error) {
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	if len(fields) < 15 {
		return times{}, fmt.Errorf("/proc/PID/stat has too few fields: %q", text)
	}
	var ticks [4]int64 // utime, stime, cutime, cstime: fields 14 to 17 of the line
	for i := range ticks {
		n, err := strconv.ParseInt(fields[11+i], 10, 64)
		if err != nil {
			return times{}, fmt.Errorf("/proc/PID/stat: %w", err)
		}
		ticks[i] = n
	}
	return times{
		cpu:       time.Duration(ticks[0]+ticks[1]) * clockTick,
		waitedFor: time.Duration(ticks[2]+ticks[3]) * clockTick,
	}, nil
}

// childrenOf returns the children of every thread of a process.
func childrenOf(pid int) ([]int, error) {
	paths, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		return nil, err
	}
	var children []int
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // the thread has ended
		}
		if err != nil {
			return nil, err
		}
		for field := range strings.FieldsSeq(string(text)) {
			child, err := strconv.Atoi(field)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", path, err)
			}
			children = append(children, child)
		}
	}
	return children, nil
}

// Resident returns how much memory a process has at the moment, in bytes.
func Resident(pid int) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")), 10, 64)
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("/proc/%d/status has no VmRSS", pid)
}
