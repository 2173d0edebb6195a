// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/discountd/discountd/domain"
)

// recording is what clients do at once, and what they were told.
type recording struct {
	clock atomic.Int64
	made  atomic.Int64 // requests

	mu          sync.Mutex
	history     []porcupine.Operation
	redemptions []domain.RedemptionName // that were made
}

// record has a call made and notes when, by whom, and what it was told.
func (s *recording) record(client int, command domain.Command, call func() domain.Result) domain.Result {
	began := s.clock.Add(1)
	r := call()
	ended := s.clock.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.history = append(s.history, porcupine.Operation{ClientId: client, Call: began, Return: ended, Input: command, Output: r})
	if made, ok := r.Value.(domain.Redemption); ok {
		s.redemptions = append(s.redemptions, made.Name)
	}
	return r
}

// wantKinds checks that there was a call for each kind of result: a history without
// would prove nothing of it.
func wantKinds(t testing.TB, got map[string]int, kinds ...string) {
	t.Helper()
	t.Log(got)
	for _, kind := range kinds {
		if got[kind] == 0 {
			t.Errorf("no call came to: %s", kind)
		}
	}
}

// wantLinearizable holds histories, by name, against a model. An unknown verdict is a
// failure.
func wantLinearizable(t testing.TB, model porcupine.Model, histories map[string][]porcupine.Operation, result func(domain.Command, domain.Result) string) {
	t.Helper()
	for name, ops := range histories {
		verdict, _ := porcupine.CheckOperationsVerbose(model, ops, longForm(time.Minute, 10*time.Minute))
		if verdict == porcupine.Ok {
			continue
		}
		t.Errorf("%s: %d operations: %s", name, len(ops), verdict)
		for _, op := range ops {
			t.Logf("%4d..%-4d client %d %T %+v -> %s", op.Call, op.Return, op.ClientId, op.Input, op.Input, result(op.Input.(domain.Command), op.Output.(domain.Result)))
		}
	}
}
