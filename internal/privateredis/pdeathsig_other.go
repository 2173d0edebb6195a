// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package privateredis

import "syscall"

func dieWithParent(*syscall.SysProcAttr) {}
