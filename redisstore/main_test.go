// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/redis/go-redis/v9/logging"

	"github.com/discountd/discountd/internal/redistest"
)

func TestMain(m *testing.M) {
	flag.Parse()
	logging.Disable() // connections that break are what many tests are about
	if folder := os.Getenv(seededBug); folder != "" {
		if err := loadSeededBug(folder); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	redistest.Main(m, checkKeyspace, checkOutcomes)
}

// selected reports whether only some of the tests run.
func selected() bool {
	for _, name := range []string{"test.run", "test.skip", "test.list", "test.fuzz"} {
		if f := flag.Lookup(name); f != nil && f.Value.String() != "" {
			return true
		}
	}
	return false
}
