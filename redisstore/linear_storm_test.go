// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/discountd/discountd/internal/redistest"
)

// stormOrder is what a process of a storm is told by the one that started it.
type stormOrder struct {
	Addr, Prefix string
	Seed         uint64
	First, Count int // the numbers of its clients
	For          time.Duration
}

// stormVariable holds a stormOrder in the environment of a process.
const stormVariable = "DISCOUNTD_TEST_STORM"

// ticksPerGroup is how often the clients look at the clock before they go on to
// the next code, together: a history is checked code by code.
const ticksPerGroup = 600

// TestFault13P5P11StormOnOneCodeIsLinearizable has eight clients in three processes create,
// activate, deactivate and delete promotion codes with one code, and redeem it.
// Processes are killed at any moment and replaced.
func TestFault13P5P11StormOnOneCodeIsLinearizable(t *testing.T) {
	if order := os.Getenv(stormVariable); order != "" {
		takePart(t, order)
		return
	}
	t.Parallel()
	seed := seedOf(t)
	e := open(t, onRedis)
	s := &storm{t: t, began: map[[2]int64]happening{}}
	lasts := longForm(2*time.Second, 30*time.Second)
	end := time.Now().Add(lasts)
	var running sync.WaitGroup
	for p, clients := range []int{3, 3, 2} {
		running.Go(func() {
			random := rand.New(rand.NewPCG(seed, uint64(p)))
			for life := 0; time.Until(end) > 0; life++ {
				part := stormOrder{
					Addr: redistest.Server(t).Addr(), Prefix: e.prefix, Seed: seed, For: time.Until(end),
					First: 100*life + 3*p, Count: clients, // nobody is ever the client that was killed
				}
				lives := part.For
				if p == 0 { // the others live to the end
					lives = longForm(500*time.Millisecond, 2*time.Second) + time.Duration(random.IntN(500))*time.Millisecond
				}
				s.run(part, lives)
			}
		})
	}
	running.Wait()
	t.Logf("%d processes were killed", s.killed)
	e.checkHistory(s.history())
}

// storm gathers what the processes tell.
type storm struct {
	t testing.TB

	mu     sync.Mutex
	began  map[[2]int64]happening // by client and beginning; with an end, if they ended
	killed int
}

// run starts a process and waits for its end, which is a SIGKILL if it lives too
// long.
func (s *storm) run(order stormOrder, lives time.Duration) {
	told, pipe, err := os.Pipe()
	if err != nil {
		s.t.Error(err)
		return
	}
	defer told.Close()
	text, err := json.Marshal(order)
	if err != nil {
		s.t.Error(err)
		return
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), lives)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestFault13P5P11StormOnOneCodeIsLinearizable$")
	if order.For <= lives {
		cmd = exec.Command(os.Args[0], cmd.Args[1:]...) // it ends by itself
	}
	var output strings.Builder
	cmd.Env = append(os.Environ(), stormVariable+"="+string(text))
	cmd.ExtraFiles, cmd.Stdout, cmd.Stderr = []*os.File{pipe}, &output, &output
	err = cmd.Start()
	pipe.Close()
	if err != nil {
		s.t.Error(err)
		return
	}
	s.listen(told)
	switch err := cmd.Wait(); {
	case err == nil:
	case ctx.Err() != nil:
		s.mu.Lock()
		s.killed++
		s.mu.Unlock()
	default:
		s.t.Errorf("a process of the storm: %v\n%s", err, output.String())
	}
}

// listen notes what a process tells, until it is gone.
func (s *storm) listen(told io.Reader) {
	for d := json.NewDecoder(told); ; {
		var h happening
		switch err := d.Decode(&h); {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF): // killed while it spoke
			return
		case err != nil:
			s.t.Error(err)
			return
		}
		s.mu.Lock()
		s.began[[2]int64{int64(h.Client), h.Began}] = h
		s.mu.Unlock()
	}
}

func (s *storm) history() []happening {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []happening
	for _, h := range s.began {
		out = append(out, h)
	}
	return out
}

// takePart is a process of a storm.
func takePart(t *testing.T, text string) {
	var order stormOrder
	if err := json.Unmarshal([]byte(text), &order); err != nil {
		t.Fatal(err)
	}
	client := redistest.ClientAt(t, order.Addr)
	store, err := Open(t.Context(), client, Options{Prefix: order.Prefix, HashKeyFingerprint: "tests", Clock: newClock().Now})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), order.For)
	defer cancel()
	look := func() int64 {
		n, err := client.Incr(t.Context(), order.Prefix+":{look}").Result()
		if err != nil {
			t.Error(err)
		}
		return n
	}
	tell := json.NewEncoder(os.NewFile(3, "what happens"))
	var mu sync.Mutex
	known := &stormCodes{}
	all(order.Count, func(i int) {
		c := &stormClient{
			store: store, number: order.First + i, random: rand.New(rand.NewPCG(order.Seed, uint64(order.First+i))),
			look: look, known: known,
			tell: func(h happening) {
				mu.Lock()
				defer mu.Unlock()
				if err := tell.Encode(h); err != nil {
					t.Error(err)
				}
			},
		}
		for ctx.Err() == nil {
			if group := fmt.Sprintf("G%d", look()/ticksPerGroup); group != c.group {
				c.enter(t.Context(), aroundOneCode, group)
			}
			c.about(t.Context(), aroundOneCode)
		}
	})
}
