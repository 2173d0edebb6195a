// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redistest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// linkTo returns a link to the shared server, a client through it and one beside
// it, and a key.
func linkTo(t *testing.T) (link *Link, through, beside *redis.Client, key string) {
	t.Helper()
	link = Proxy(t, Server(t).Addr())
	return link, ClientAt(t, link.Addr()), Client(t, Server(t)), Prefix(t) + ":n"
}

func wantCounter(t *testing.T, c *redis.Client, key string, want int) {
	t.Helper()
	got, err := c.Get(t.Context(), key).Int()
	if err != nil && !errors.Is(err, redis.Nil) {
		t.Fatal(err)
	}
	if got != want {
		t.Errorf("the store counted %d, want %d", got, want)
	}
}

func TestCutReplyIsExecutedOnceAndUnanswered(t *testing.T) {
	t.Parallel()
	link, through, beside, key := linkTo(t)
	for i := range 20 {
		link.CutReplies(1, Containing("INCR"))
		if err := through.Incr(t.Context(), key).Err(); err == nil {
			t.Fatal("a cut reply was answered")
		}
		wantCounter(t, beside, key, 2*i+1)
		if err := through.Incr(t.Context(), key).Err(); err != nil {
			t.Fatalf("after the cut: %v", err)
		}
	}
	if link.Cuts() != 20 {
		t.Errorf("Cuts() = %d, want 20", link.Cuts())
	}
}

func TestCutRequestIsNotExecuted(t *testing.T) {
	t.Parallel()
	link, through, beside, key := linkTo(t)
	link.CutRequests(2, Containing("INCR"))
	for range 2 {
		if err := through.Incr(t.Context(), key).Err(); err == nil {
			t.Fatal("a cut request was answered")
		}
	}
	wantCounter(t, beside, key, 0)
	if err := through.Incr(t.Context(), key).Err(); err != nil {
		t.Errorf("after the cuts: %v", err)
	}
}

func TestOnlyTheRequestThatMatchesIsCut(t *testing.T) {
	t.Parallel()
	link, through, beside, key := linkTo(t)
	link.CutReplies(1, Nth(3, Containing(key)))
	for i := 1; i <= 4; i++ {
		if err := through.Get(t.Context(), "other"+key[1:]).Err(); !errors.Is(err, redis.Nil) {
			t.Fatal(err)
		}
		err := through.Incr(t.Context(), key).Err()
		if cut := err != nil; cut != (i == 3) {
			t.Errorf("request %d: %v", i, err)
		}
	}
	wantCounter(t, beside, key, 4)
}

func TestCutFindsItsRequestInAPipeline(t *testing.T) {
	t.Parallel()
	link, _, beside, key := linkTo(t)
	link.CutReplies(1, Nth(2, Containing("INCR")))
	conn, err := net.Dial("tcp", link.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	incr := fmt.Sprintf("*2\r\n$4\r\nINCR\r\n$%d\r\n%s\r\n", len(key), key)
	echo := "*2\r\n$4\r\nECHO\r\n$2\r\nhi\r\n"
	if _, err := conn.Write([]byte(incr + echo + incr + echo)); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	if want := ":1\r\n$2\r\nhi\r\n"; string(got) != want {
		t.Errorf("replies %q, want %q and no more", got, want)
	}
	wantCounter(t, beside, key, 2)
}

func TestRefusedConnectionSaysSo(t *testing.T) {
	t.Parallel()
	link, through, _, key := linkTo(t)
	link.Refuse()
	if err := through.Incr(t.Context(), key).Err(); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("%v, want connection refused", err)
	}
	link.Heal()
	if err := through.Incr(t.Context(), key).Err(); err != nil {
		t.Errorf("after Heal: %v", err)
	}
}

func TestDroppedConnectionIsReplacedByANewOne(t *testing.T) {
	t.Parallel()
	link, through, _, _ := linkTo(t)
	conn := through.Conn()
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := conn.Ping(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	link.Drop()
	if err := conn.Ping(t.Context()).Err(); err == nil {
		t.Error("an open connection survived Drop")
	}
	if err := through.Ping(t.Context()).Err(); err != nil {
		t.Errorf("new connection: %v", err)
	}
}

func TestDelayHoldsRepliesBack(t *testing.T) {
	t.Parallel()
	link, through, _, _ := linkTo(t)
	if err := through.Ping(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	const delay = 50 * time.Millisecond
	link.Delay(delay)
	start := time.Now()
	if err := through.Ping(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took < delay {
		t.Errorf("answered after %s, want %s at least", took, delay)
	}
}

func TestFrozenLinkLetsNothingThroughUntilThaw(t *testing.T) {
	t.Parallel()
	link, through, beside, key := linkTo(t)
	if err := through.Ping(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	link.Freeze()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := through.Incr(ctx, key).Err(); err == nil {
		t.Fatal("answered through a frozen link")
	}
	wantCounter(t, beside, key, 0)
	// The next request waits until the link thaws.
	done := make(chan error, 1)
	go func() { done <- through.Incr(t.Context(), key+"2").Err() }()
	link.Thaw()
	if err := <-done; err != nil {
		t.Errorf("after Thaw: %v", err)
	}
}

func TestReaderTakesEveryReplyWhole(t *testing.T) {
	t.Parallel()
	for _, reply := range []string{
		"+OK\r\n", "-ERR no\r\n", ":-7\r\n", "$-1\r\n", "$0\r\n\r\n", "$4\r\na\r\nb\r\n", "*-1\r\n", "*0\r\n",
		"*3\r\n:1\r\n*2\r\n$1\r\nx\r\n_\r\n#t\r\n", "%2\r\n+a\r\n:1\r\n+b\r\n~1\r\n,1.5\r\n",
		"=7\r\ntxt:abc\r\n", "!3\r\nERR\r\n", "(123\r\n", ">2\r\n+message\r\n+x\r\n", "|1\r\n+ttl\r\n:3\r\n*1\r\n:1\r\n",
	} {
		r := newReader(strings.NewReader(reply + "+NEXT\r\n"))
		for _, want := range []string{reply, "+NEXT\r\n"} {
			m, err := r.reply()
			if err != nil || string(m.raw) != want {
				t.Errorf("reply of %q: %q, %v", want, m.raw, err)
			}
			if m.push != strings.HasPrefix(want, ">") {
				t.Errorf("push of %q = %v", want, m.push)
			}
		}
	}
	for _, bad := range []string{"\r\n", "?\r\n", "$x\r\n", "*-2\r\n", "+no end"} {
		if m, err := newReader(strings.NewReader(bad)).reply(); err == nil {
			t.Errorf("%q read as %q", bad, m.raw)
		}
	}
}
