// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"slices"
	"sync"

	discountv1 "github.com/discountd/discountd/gen/discount/v1"
)

// MaxStreamMessages is how many messages of one stream are being worked on or have
// an answer that is not sent yet. Further ones are not taken in, which holds the
// client back. A message of streamSlotBytes or more counts as several.
const MaxStreamMessages = 256

// streamSlotBytes makes the messages that a stream is working on 4 MiB at most, as
// long as none is larger than that.
const streamSlotBytes = 16 << 10

// answersAtOnce is how many answers are sent before the slots of their messages are
// free again.
const answersAtOnce = 32

// streamAnswer is an answer and how many slots its message has.
type streamAnswer struct {
	response *discountv1.RedeemStreamResponse
	slots    int
}

// streamWork is what one stream has in hand: messages that are worked on, and answers
// that are not sent yet. One goroutine takes messages in, one sends answers.
type streamWork struct {
	mu       sync.Mutex
	room     sync.Cond // slots are free again, or it has ended
	answered sync.Cond // there are answers, or it has ended
	slots    int       // that are taken
	inHand   int       // messages that have no answer yet
	answers  []streamAnswer
	ended    bool
	err      error // why nothing more is taken in; constant once next returned nothing
}

func newStreamWork() *streamWork {
	w := &streamWork{}
	w.room.L, w.answered.L = &w.mu, &w.mu
	return w
}

// reserve takes slots as soon as they are free, and reports whether more is taken in.
func (w *streamWork) reserve(slots int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.take(slots)
}

// begin takes the further slots of a message that was received and then the message,
// and reports whether it did.
func (w *streamWork) begin(slots int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.take(slots) {
		return false
	}
	w.inHand++
	return true
}

func (w *streamWork) take(slots int) bool {
	for !w.ended && w.slots+slots > MaxStreamMessages {
		w.room.Wait()
	}
	if w.ended {
		return false
	}
	w.slots += slots
	return true
}

// done answers a message that was taken in.
func (w *streamWork) done(a streamAnswer) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.inHand--
	w.answers = append(w.answers, a)
	w.answered.Signal()
}

// end takes no more messages in, for a reason; the first one counts.
func (w *streamWork) end(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.ended {
		w.ended, w.err = true, err
		w.room.Signal()
		w.answered.Signal()
	}
}

// next frees the slots of answers that it has returned, now that they are sent, and
// returns further ones. It returns none when no more will come.
func (w *streamWork) next(sent []streamAnswer) []streamAnswer {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, a := range sent {
		w.slots -= a.slots
	}
	w.room.Signal()
	for len(w.answers) == 0 && (!w.ended || w.inHand > 0) {
		w.answered.Wait()
	}
	n := min(len(w.answers), answersAtOnce)
	sent = append(sent[:0], w.answers[:n]...)
	w.answers = slices.Delete(w.answers, 0, n)
	return sent
}
