// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package privateredis

import (
	"fmt"
	"path/filepath"

	"github.com/redis/go-redis/v9"
)

// AttachOptions returns what a go-redis client needs to reach the server in a data
// directory that another process holds. Nothing is started or locked: the server
// may end with that process at any moment.
func AttachOptions(path string) (*redis.Options, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	socket, err := socketPath(path)
	if err != nil {
		return nil, err
	}
	return clientOptions("unix", socket), nil
}
