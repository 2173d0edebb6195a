// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestBannerAddressCanBeDialled(t *testing.T) {
	t.Parallel()
	for listen, want := range map[string]string{
		"127.0.0.1:50051": "127.0.0.1:50051",
		"10.1.2.3:7":      "10.1.2.3:7",
		"0.0.0.0:50051":   "127.0.0.1:50051",
		"[::]:50051":      "localhost:50051",
		"[::1]:50051":     "[::1]:50051",
	} {
		addr, err := net.ResolveTCPAddr("tcp", listen)
		if err != nil {
			t.Fatal(err)
		}
		if got := dialAddress(addr); got != want {
			t.Errorf("listening at %s: %s, want %s", listen, got, want)
		}
	}
}

func TestBannerNamesAGrpcurlThatRunsHere(t *testing.T) {
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	empty, withGrpcurl := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(withGrpcurl, "grpcurl"), []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ path, dir, want string }{
		{withGrpcurl, root, "grpcurl"},
		{empty, root, "go tool -modfile=tools/go.mod grpcurl"},
		{empty, empty, "go run github.com/fullstorydev/grpcurl/cmd/grpcurl@"},
	} {
		t.Setenv("PATH", c.path)
		t.Chdir(c.dir)
		if got := grpcurl(); !strings.HasPrefix(got, c.want) {
			t.Errorf("PATH %s in %s: %q, want %q", c.path, c.dir, got, c.want)
		}
	}
}

// The version that is fetched by itself is the one that the source tree pins.
func TestPublishedGrpcurlIsThePinnedOne(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	mod, err := os.ReadFile(filepath.Join("..", "..", "tools", "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	_, version, _ := strings.Cut(grpcurl(), "@")
	if want := "github.com/fullstorydev/grpcurl " + version + " "; version == "" || !strings.Contains(string(mod), want) {
		t.Errorf("%q is not in tools/go.mod", want)
	}
}

func TestBannerSaysThatNothingIsKeptOnlyWhenSo(t *testing.T) {
	t.Parallel()
	for _, forgets := range []bool{false, true} {
		var out bytes.Buffer
		b := &backing{description: "somewhere", forgets: forgets}
		if err := printBanner(&out, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 50051}, b); err != nil {
			t.Fatal(err)
		}
		if said := strings.Contains(out.String(), "NOTHING IS KEPT"); said != forgets {
			t.Errorf("forgets %v, said %v:\n%s", forgets, said, &out)
		}
		if !strings.Contains(out.String(), "somewhere") {
			t.Errorf("the store is not named in:\n%s", &out)
		}
	}
}

func TestBannerReportsAFailedWrite(t *testing.T) {
	t.Parallel()
	if err := printBanner(brokenPipe{}, &net.TCPAddr{}, &backing{}); !errors.Is(err, net.ErrClosed) {
		t.Errorf("%v, want the writer's error", err)
	}
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, net.ErrClosed }
