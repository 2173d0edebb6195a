// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package privateredis

import (
	"errors"
	"os"
	"syscall"
)

// canStart is why nothing else of this file is ever reached: Find finds nothing.
const canStart = false

const (
	signalKill      = syscall.Signal(9)
	signalTerminate = syscall.Signal(15)
	signalStop      = syscall.Signal(19)
	signalContinue  = syscall.Signal(18)
)

func ownGroup() *syscall.SysProcAttr { return nil }

func sendSignal(int, syscall.Signal) error { return errors.ErrUnsupported }

func tryLock(*os.File) (bool, error) { return false, errors.ErrUnsupported }

func unlock(*os.File) error { return errors.ErrUnsupported }

func ownedPrivately(os.FileInfo) bool { return false }
