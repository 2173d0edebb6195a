// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package privateredis

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

const (
	// Ports are chosen below those that systems hand out by themselves, so that
	// one that is free now is still free in a moment, and after a restart.
	firstPort, lastPort = 10000, 21999
	// A cluster's nodes talk to each other at their port plus this.
	busOffset = 10000
	// portTries is how many ports are tried before giving up.
	portTries = 50
)

// StartTCP is Start at a free loopback port.
func StartTCP(ctx context.Context, config Config) (*Server, error) {
	var errs []error
	for range 3 { // another process may take the port first
		port, err := FreePort()
		if err != nil {
			return nil, err
		}
		config.Port = port
		s, err := Start(ctx, config)
		if err == nil {
			return s, nil
		}
		errs = append(errs, err)
		if errors.Is(err, ErrNotFound) || ctx.Err() != nil {
			break
		}
	}
	return nil, errors.Join(errs...)
}

// FreePort returns a loopback port that nothing listens on, nor on the one that
// a cluster node would use with it.
func FreePort() (int, error) {
	for range portTries {
		port := firstPort + rand.IntN(lastPort-firstPort+1)
		if isFree(port) && isFree(port+busOffset) {
			return port, nil
		}
	}
	return 0, fmt.Errorf("none of %d ports tried is free", portTries)
}

func isFree(port int) bool {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return false
	}
	return l.Close() == nil
}
