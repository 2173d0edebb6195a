// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	discountv1 "github.com/discountd/discountd/gen/discount/v1"
)

// kind is what a call does.
type kind string

const (
	redeem  kind = "redeem"
	reserve kind = "reserve"
	commit  kind = "commit"
	release kind = "release"
	void    kind = "void"
)

// outcome is what became of a call, as far as its caller knows.
type outcome string

const (
	attempted    outcome = "attempted" // and nothing more was heard
	acknowledged outcome = "acknowledged"
	refused      outcome = "refused"
)

// entry is a line of a journal.
type entry struct {
	Outcome   outcome
	Kind      kind
	RequestID string
	// Name is the redemption that was made or is to be settled.
	Name string
	// Of the redemption as it was acknowledged.
	State  discountv1.RedemptionState
	Amount int64 // granted
	Voided int64
}

// journal is what one client has asked for and was told. Each line is on the disk
// before the client goes on.
type journal struct{ file *os.File }

func newJournal(t *testing.T) *journal {
	t.Helper()
	file, err := os.CreateTemp(t.TempDir(), "journal")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := file.Close(); err != nil {
			t.Error(err)
		}
	})
	return &journal{file}
}

func (j *journal) write(e entry) error {
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if _, err := j.file.Write(append(line, '\n')); err != nil {
		return err
	}
	return j.file.Sync()
}

// history is what all clients have asked for, with the last that each was told, by
// request id.
type history map[string]entry

// read reads journals from the disk.
func read(t *testing.T, journals []*journal) history {
	t.Helper()
	all := history{}
	for _, j := range journals {
		file, err := os.Open(filepath.Clean(j.file.Name()))
		if err != nil {
			t.Fatal(err)
		}
		lines := json.NewDecoder(file)
		for {
			var e entry
			if err := lines.Decode(&e); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			all[e.RequestID] = e
		}
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// count returns how many calls of a kind had an outcome.
func (h history) count(o outcome, k kind) (n int) {
	for _, e := range h {
		if e.Outcome == o && e.Kind == k {
			n++
		}
	}
	return n
}

// wantInLedger checks that everything that was acknowledged is in the ledger, and
// was not undone.
func (h history) wantInLedger(t *testing.T, ledger []*discountv1.Redemption) {
	t.Helper()
	byName := map[string]*discountv1.Redemption{}
	for _, r := range ledger {
		byName[r.GetName()] = r
	}
	for id, e := range h {
		if e.Outcome != acknowledged {
			continue
		}
		r := byName[e.Name]
		switch {
		case r == nil:
			t.Errorf("%s of %s was acknowledged and is not in the ledger", e.Kind, e.Name)
		case !e.isIn(r):
			t.Errorf("%s by request %s was acknowledged as %v of %d, and the ledger has: %v", e.Kind, id, e.State, e.Amount, r)
		}
	}
}

// isIn reports whether r has the effect of an acknowledged call.
func (e *entry) isIn(r *discountv1.Redemption) bool {
	const (
		redeemedState = discountv1.RedemptionState_REDEMPTION_STATE_REDEEMED
		releasedState = discountv1.RedemptionState_REDEMPTION_STATE_RELEASED
		voidedState   = discountv1.RedemptionState_REDEMPTION_STATE_VOIDED
	)
	state, amount := r.GetState(), r.GetDiscount().GetTotalAmountMinor()
	counted := state == redeemedState || state == voidedState
	switch e.Kind {
	case redeem:
		return r.GetRequestId() == e.RequestID && counted && amount == e.Amount
	case reserve:
		// A commit may have lowered the amount.
		return r.GetRequestId() == e.RequestID && r.GetExpireTime() != nil && amount <= e.Amount
	case commit:
		return r.GetCommitTime() != nil && counted && amount == e.Amount
	case release:
		// What had expired by itself is answered as it is, and may be committed later.
		return e.State != releasedState || state == releasedState && r.GetReleaseTime() != nil
	case void:
		// From VOIDED there is no way back.
		return hasVoid(r, e.RequestID) && r.GetVoidedAmountMinor() >= e.Voided && (e.State != voidedState || state == voidedState)
	default:
		return false
	}
}

func hasVoid(r *discountv1.Redemption, requestID string) bool {
	return slices.ContainsFunc(r.GetVoids(), func(v *discountv1.RedemptionVoid) bool { return v.GetRequestId() == requestID })
}

// wantAttempted checks that everything in the ledger was asked for, and nothing in
// it twice or by a call that was refused.
func (h history) wantAttempted(t *testing.T, ledger []*discountv1.Redemption) {
	t.Helper()
	settlements := map[string][]entry{} // by redemption
	for _, e := range h {
		if e.Outcome != refused && e.Name != "" {
			settlements[e.Name] = append(settlements[e.Name], e)
		}
	}
	settled := func(name string, k kind, least outcome) bool {
		return slices.ContainsFunc(settlements[name], func(e entry) bool {
			return e.Kind == k && (least == attempted || e.Outcome == least)
		})
	}
	for _, r := range ledger {
		making := redeem
		if r.GetExpireTime() != nil {
			making = reserve
		}
		if e, ok := h[r.GetRequestId()]; !ok || e.Outcome == refused || e.Kind != making {
			t.Errorf("the ledger has %s, made by request %s, which is %v", r.GetName(), r.GetRequestId(), e)
		}
		if r.GetCommitTime() != nil && !settled(r.GetName(), commit, attempted) {
			t.Errorf("the ledger has a commit of %s that nobody asked for: %v", r.GetName(), r)
		}
		if r.GetReleaseTime() != nil && !settled(r.GetName(), release, attempted) {
			t.Errorf("the ledger has a release of %s that nobody asked for: %v", r.GetName(), r)
		}
		if r.GetCommitTime() != nil && r.GetReleaseTime() != nil {
			t.Errorf("%s was committed and released: %v", r.GetName(), r)
		}
		seen, sum := map[string]bool{}, int64(0)
		for _, v := range r.GetVoids() {
			e, ok := h[v.GetRequestId()]
			if !ok || e.Outcome == refused || e.Kind != void || e.Name != r.GetName() || seen[v.GetRequestId()] {
				t.Errorf("the ledger has a void of %s by request %s, which is %v", r.GetName(), v.GetRequestId(), e)
			}
			seen[v.GetRequestId()] = true
			sum += v.GetAmountMinor()
		}
		if sum != r.GetVoidedAmountMinor() {
			t.Errorf("the voids of %s sum up to %d, not %d", r.GetName(), sum, r.GetVoidedAmountMinor())
		}
	}
	commits := map[string]int{}
	for _, e := range h {
		if e.Kind == commit && e.Outcome == acknowledged {
			if commits[e.Name]++; commits[e.Name] == 2 {
				t.Errorf("two commits of %s were acknowledged", e.Name)
			}
		}
	}
}
