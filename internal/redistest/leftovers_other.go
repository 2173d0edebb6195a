// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package redistest

// processesBelow finds nothing: this system does not tell.
func processesBelow(string) ([]int, error) { return nil, nil }
