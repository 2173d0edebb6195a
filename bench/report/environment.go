// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"time"
)

// Environment is what the figures were measured on.
type Environment struct {
	Time       time.Time
	Processors int
	Processor  string
	Kernel     string
	// FileSystem is where Redis and PostgreSQL wrote, which decides what a commit
	// costs.
	FileSystem string
	Go         string
	GRPC       string
	Discountd  string
	Redis      string
	PostgreSQL string
	// Load is how many processes were ready to run on average in the minute before.
	// On a quiet machine it is near zero.
	Load string
}

// ReadEnvironment describes this machine, with data kept in dir. The versions of
// the servers are for the caller to add.
func ReadEnvironment(dir string) (Environment, error) {
	e := Environment{
		Time: time.Now().UTC().Truncate(time.Second), Processors: runtime.NumCPU(), Go: runtime.Version(),
		PostgreSQL: "not used",
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, d := range info.Deps {
			if d.Path == "google.golang.org/grpc" {
				e.GRPC = d.Version
			}
		}
	}
	kernel, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return e, err
	}
	e.Kernel = strings.TrimSpace(string(kernel))
	load, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return e, err
	}
	e.Load, _, _ = strings.Cut(string(load), " ")
	if e.Processor, err = processor(); err != nil {
		return e, err
	}
	e.FileSystem, err = fileSystem(dir)
	return e, err
}

// processor returns the name of the first one.
func processor() (string, error) {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return "", err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if name, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value), nil
		}
	}
	return runtime.GOARCH, lines.Err()
}

// The file systems that say something about a commit, by their magic numbers.
var fileSystems = map[int64]string{
	0x01021994: "tmpfs (memory: a commit costs nothing here)",
	0xef53:     "ext4",
	0x58465342: "xfs",
	0x9123683e: "btrfs",
	0x2fc12fc1: "zfs",
	0x794c7630: "overlayfs",
}

func fileSystem(dir string) (string, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return "", fmt.Errorf("statfs %s: %w", dir, err)
	}
	if name, known := fileSystems[int64(s.Type)]; known { //nolint:unconvert // its type depends on the architecture
		return name, nil
	}
	return fmt.Sprintf("%#x", s.Type), nil
}
