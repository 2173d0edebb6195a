// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// Ack is what a write must have reached before it is acknowledged. The zero value
// is the memory of the Redis that was asked.
type Ack struct {
	disk     bool
	replicas int
}

// AckDisk returns the Ack of writes that are on the disk of their Redis.
func AckDisk() Ack { return Ack{disk: true} }

// maxAckReplicas bounds how many replicas can be asked for.
const maxAckReplicas = 100

// ParseAck reads "memory", "disk" or "replica:N", N replicas that have received the
// write, 1 to 100.
func ParseAck(text string) (Ack, error) {
	switch text {
	case "memory":
		return Ack{}, nil
	case "disk":
		return AckDisk(), nil
	}
	digits, ok := strings.CutPrefix(text, "replica:")
	n, err := strconv.Atoi(digits)
	if !ok || err != nil || n < 1 || n > maxAckReplicas {
		return Ack{}, fmt.Errorf("must be memory, disk or replica:N with N from 1 to %d", maxAckReplicas)
	}
	return Ack{replicas: n}, nil
}

// String returns what ParseAck reads.
func (a Ack) String() string {
	switch {
	case a.disk:
		return "disk"
	case a.replicas > 0:
		return "replica:" + strconv.Itoa(a.replicas)
	default:
		return "memory"
	}
}

// Durability says what a Redis must be like to be served from, and remembers what
// was said of it. It belongs to one store at a time.
type Durability struct {
	Ack Ack
	// Allow names concerns, of those in Concerns, that the operator knows of. What
	// would be refused is then only warned about, and what would be warned about
	// is not mentioned.
	Allow []string

	// mute is whether CONFIG is not answered here, so that it is not asked for any
	// more.
	mute bool
	// warned has the texts that the log has and that still hold.
	warned []string
}

// UnsafeError says that a Redis is set up such that the promises would not hold.
type UnsafeError struct {
	// Reasons tell an operator what is wrong.
	Reasons []string
	// Names are those of the concerns, by which Durability.Allow accepts them; one
	// that cannot be accepted is empty.
	Names []string
}

// Error gives all reasons.
func (e *UnsafeError) Error() string {
	return "this Redis cannot keep what is promised: " + strings.Join(e.Reasons, "; ")
}

// guard compares a Redis with what it must be like, at the start and again and
// again.
type guard struct {
	*Durability
	logger *slog.Logger
}

// inspect reads what a Redis is like and returns what it takes for a write there to
// be safe. It logs what is new to worry about. The error is one of Redis, or an
// UnsafeError.
func (g *guard) inspect(ctx context.Context, client redis.UniversalClient) (safety, error) {
	if _, ok := client.(*redis.ClusterClient); ok {
		return safety{}, &UnsafeError{Reasons: []string{"the nodes of a cluster are not checked yet"}, Names: []string{""}}
	}
	f, err := readFacts(ctx, client, &g.mute)
	if err != nil {
		return safety{}, err
	}
	safe, concerns := f.judge(g.Ack)
	var unsafe UnsafeError
	var warned []string
	for _, c := range concerns {
		allowed := slices.Contains(g.Allow, c.name)
		switch {
		case c.refused && !allowed:
			unsafe.Reasons = append(unsafe.Reasons, c.text)
			unsafe.Names = append(unsafe.Names, c.name)
		case c.refused || !allowed:
			warned = append(warned, c.text)
		}
	}
	g.warn(ctx, warned)
	if len(unsafe.Reasons) > 0 {
		return safety{}, &unsafe
	}
	return safe, nil
}

// warn logs each text once for as long as it holds.
func (g *guard) warn(ctx context.Context, texts []string) {
	for _, text := range texts {
		if !slices.Contains(g.warned, text) {
			g.logger.WarnContext(ctx, "the store is not as safe as it could be", "because", text)
		}
	}
	for _, text := range g.warned {
		if !slices.Contains(texts, text) {
			g.logger.InfoContext(ctx, "the store is safer than it was", "no_longer", text)
		}
	}
	g.warned = texts
}
