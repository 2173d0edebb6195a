// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"testing"

	"github.com/discountd/discountd/internal/redistest"
)

func TestMain(m *testing.M) { redistest.Main(m) }
