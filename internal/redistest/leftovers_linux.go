// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redistest

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// processesBelow returns the processes whose program or working directory lies
// below root, removed directories included. A redis-server works in its data
// directory.
func processesBelow(root string) ([]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var pids []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		for _, link := range []string{"cwd", "exe"} {
			// Those of other users, and of processes that just ended, cannot be read.
			target, err := os.Readlink(filepath.Join("/proc", e.Name(), link))
			if err == nil && strings.HasPrefix(target, root+"/") {
				pids = append(pids, pid)
				break
			}
		}
	}
	return pids, nil
}
