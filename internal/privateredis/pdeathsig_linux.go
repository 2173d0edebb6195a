// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package privateredis

import "syscall"

// dieWithParent has the kernel kill the child when the thread that started it
// ends, which for Go's threads is when the process ends.
func dieWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGKILL }
