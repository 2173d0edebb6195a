// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package privateredis

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

const canStart = true

// The signals that a server is sent. They differ by system, so they are named
// here.
const (
	signalKill      = syscall.SIGKILL
	signalTerminate = syscall.SIGTERM
	signalStop      = syscall.SIGSTOP
	signalContinue  = syscall.SIGCONT
)

// ownGroup keeps the terminal's Ctrl-C from the server: it is sent to the
// foreground process group, and the server has one of its own.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

func sendSignal(pid int, s syscall.Signal) error {
	err := syscall.Kill(pid, s)
	if errors.Is(err, syscall.ESRCH) {
		return os.ErrProcessDone
	}
	return err
}

// tryLock takes an exclusive lock on the open file f and reports whether it got
// it. Whoever inherits f holds the lock too, until the last one has closed it.
func tryLock(f *os.File) (bool, error) {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("lock %s: %w", f.Name(), err)
	}
	return true, nil
}

// unlock gives a lock back for everyone who holds it through f. Closing f does not
// do so at once while a child that is being started still has a copy.
func unlock(f *os.File) error {
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_UN); err != nil {
		return fmt.Errorf("unlock %s: %w", f.Name(), err)
	}
	return nil
}

// ownedPrivately reports whether a file belongs to the user this process runs as and
// nobody else may use it.
func ownedPrivately(info os.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == os.Geteuid() && info.Mode().Perm()&0o077 == 0
}
