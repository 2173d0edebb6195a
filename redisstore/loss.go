// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/discountd/discountd/domain"
)

// How a store notices that it has lost writes: every server advances a sequence in
// the store about once a second, and the store notes for each server how far that
// one has come. A note that is behind what its server knows to have been written
// shows that writes were lost, also when other servers have advanced the sequence
// meanwhile. A server that keeps what it knows notices it after a restart, too.

// Seen is how far a server has seen a store come.
type Seen struct {
	StoreID  string
	Sequence int64     // as this server advanced it last; 0 is not yet
	At       time.Time // when that was, by this server's clock
}

// Memory is what a server remembers of stores from run to run. The zero value
// remembers nothing and notices only what is lost while the server runs.
type Memory struct {
	// Server identifies the server, or all that share this memory. It is at most
	// 64 characters.
	Server string
	// Expected is the id of the store that was last at this address; empty is none.
	Expected string
	// Stores is what was seen, of any store.
	Stores map[string]Seen
}

// DataLossError says that a store has lost writes that were acknowledged, or is not
// there any more.
type DataLossError struct {
	// Lost is what this server has seen.
	Lost Seen
	// FoundID is the id of the store that is there: empty when there is none, that
	// of Lost when it has gone back.
	FoundID string
	// FoundAt is the last sign of life in what is there, and FoundSequence the
	// sequence then.
	FoundAt       time.Time
	FoundSequence int64
}

// Error tells an operator what is lost.
func (e *DataLossError) Error() string {
	switch e.FoundID {
	case "":
		return fmt.Sprintf("store %s is gone: the Redis has none, and this server saw it until %s. All its coupons, codes and redemptions are missing",
			e.Lost.StoreID, instantText(e.Lost.At))
	case e.Lost.StoreID:
		return fmt.Sprintf("store %s has lost data: what is there ends at %s (sequence %d), and this server saw it until %s (sequence %d). What was created and redeemed in between is missing, so limits can be passed by as much",
			e.Lost.StoreID, instantText(e.FoundAt), e.FoundSequence, instantText(e.Lost.At), e.Lost.Sequence)
	default:
		return fmt.Sprintf("store %s is not there any more: this server saw it until %s, and the Redis has store %s instead",
			e.Lost.StoreID, instantText(e.Lost.At), e.FoundID)
	}
}

func instantText(t time.Time) string {
	if t.IsZero() {
		return "an unknown time"
	}
	return t.UTC().Format(time.RFC3339)
}

// maxServers is how many servers' notes a store keeps.
const maxServers = 1_000

// Seen returns how far this server has seen the store come, for a Memory.
func (s *Store) Seen() Seen {
	return Seen{StoreID: s.id, Sequence: s.seen.Load(), At: s.seenAt()}
}

func (s *Store) seenAt() time.Time {
	if ms := s.seenMillis.Load(); ms != 0 {
		return time.UnixMilli(ms).UTC()
	}
	return time.Time{}
}

func (s *Store) metaKeys() []string { return []string{s.keys.meta(), s.keys.servers()} }

func (s *Store) beatArgs(known int64, newID string) []any {
	return []any{s.id, s.server, known, maxServers, millis(s.now()), newID}
}

// beat advances the sequence. It fails when the store has lost data or is another
// one, and puts the fence up then.
func (s *Store) beat(ctx context.Context) error {
	r, err := s.tidy(ctx, storeBeat, s.metaKeys(), s.beatArgs(s.seen.Load(), "")...)
	if u, ok := errors.AsType[*domain.UnavailableError](err); ok {
		// Whether it was counted matters to nobody.
		return &domain.UnavailableError{RetryAfter: u.RetryAfter, Cause: u.Cause}
	}
	if err != nil {
		return err
	}
	var unwritten *unwrittenError
	if err := s.noteBeat(r); errors.As(err, &unwritten) {
		return nil // a Redis that only reads is alive
	} else if err != nil {
		return readError(ctx, err)
	}
	return nil
}

// unwrittenError says that the Redis refuses to write.
type unwrittenError struct{ text string }

func (e *unwrittenError) Error() string { return e.text }

// noteBeat draws the conclusions from a beat.
func (s *Store) noteBeat(r reply) error {
	switch r.outcome {
	case "unwritten":
		return &unwrittenError{r.values[0]}
	case outcomeOK:
		n, err := strconv.ParseInt(r.values[0], 10, 64)
		if err != nil {
			return err
		}
		for {
			if was := s.seen.Load(); was >= n || s.seen.CompareAndSwap(was, n) {
				break
			}
		}
		s.seenMillis.Store(s.now().UnixMilli())
		return nil
	}
	var n numbers
	loss := &DataLossError{Lost: s.Seen(), FoundID: r.values[0]} // changed
	if r.outcome == "back" {
		loss.FoundID, loss.FoundSequence, loss.FoundAt = s.id, n.parse(r.values[0]), time.UnixMilli(n.parse(r.values[1])).UTC()
	}
	why := errors.Join(loss, n.err)
	if s.fence.raise(errStoreChanged) {
		s.logger.Error("the store has lost data; refusing to serve", "error", why)
	}
	return fmt.Errorf("%w: %w", errStoreChanged, why)
}

// openedStore is what store_open.lua returned.
type openedStore struct {
	id, layout, buckets, hashKey string
	sequence                     int64
	at                           time.Time
	note                         string // this server's, empty is none
	notes                        int64
}

func parseOpened(v []string) (openedStore, error) {
	var n numbers
	o := openedStore{
		id: v[0], layout: v[1], buckets: v[2], hashKey: v[3],
		sequence: n.parse(v[4]), note: v[6], notes: n.parse(v[7]),
	}
	if ms := n.parse(v[5]); ms != 0 {
		o.at = time.UnixMilli(ms).UTC()
	}
	return o, n.err
}

// loss compares what a store says with what a server remembers; nil is no loss.
func (o *openedStore) loss(m Memory) *DataLossError {
	found := DataLossError{FoundID: o.id, FoundAt: o.at, FoundSequence: o.sequence}
	if m.Expected != "" && m.Expected != o.id {
		found.Lost = m.seen(m.Expected)
		return &found
	}
	known := m.seen(o.id)
	note, err := strconv.ParseInt(o.note, 10, 64)
	back := known.Sequence > 0 && (o.sequence < known.Sequence || o.notes < maxServers)
	if err == nil {
		back = note < known.Sequence || o.sequence < known.Sequence
	}
	if !back {
		return nil
	}
	found.Lost = known
	return &found
}

func (m Memory) seen(id string) Seen {
	seen := m.Stores[id]
	seen.StoreID = id
	return seen
}

// goOn accepts a loss. A store that has gone back gets a new id, so that every other
// server notices, too, and nothing is accepted a second time.
func (s *Store) goOn(ctx context.Context, loss *DataLossError) error {
	s.logger.WarnContext(ctx, "going on without data that was lost, as told to", "lost", loss.Error(), "store_id", s.id)
	if loss.FoundID != loss.Lost.StoreID {
		return nil
	}
	newID := rand.Text()
	s.seen.Store(loss.Lost.Sequence)
	r, err := s.tidy(ctx, storeBeat, s.metaKeys(), s.beatArgs(loss.Lost.Sequence, newID)...)
	switch {
	case err != nil:
		return err
	case r.outcome == outcomeOK, r.outcome == "changed" && r.values[0] == newID: // by an attempt without an answer
		s.logger.WarnContext(ctx, "the store goes on under a new id", "old_store_id", s.id, "store_id", newID)
		s.id = newID
		s.seen.Store(0)
		return nil
	default:
		return fmt.Errorf("redisstore: going on without lost data: %s %q", r.outcome, r.values)
	}
}
