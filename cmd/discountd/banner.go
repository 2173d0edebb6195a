// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// tryCalls are calls that show what the service does, in the order to make them.
// Each has a request id, so making them again changes nothing.
var tryCalls = [...]struct{ method, request string }{
	{
		"discount.v1.CouponService/CreateCoupon",
		`{"request_id": "try-1", "coupon_id": "welcome", "coupon": {"percent_off": {"basis_points": 2500}}}`,
	},
	{
		"discount.v1.CouponService/CreatePromotionCode",
		`{"request_id": "try-2", "parent": "coupons/welcome", "promotion_code": {"code": "WELCOME25"}}`,
	},
	{
		"discount.v1.RedemptionService/Redeem",
		`{"request_id": "try-3", "code": "welcome25", "order": {"currency_code": "EUR", "lines": [{"unit_amount_minor": 4000, "quantity": 2}]}}`,
	},
}

// forPeople returns where to tell people how to try the service: w, unless a Redis was
// given and w is no terminal. Then the service is operated by somebody who collects its
// output and wants records, which are in the log.
func (c *config) forPeople(w io.Writer) io.Writer {
	if c.Redis == redisAuto || isTerminal(w) {
		return w
	}
	return io.Discard
}

// printBanner tells people where the service is, what it keeps its data in, and
// how to try it.
func printBanner(w io.Writer, addr net.Addr, b *backing) error {
	var text strings.Builder
	target := dialAddress(addr)
	fmt.Fprintf(&text, "discountd serves at %s\nstore: %s\n", target, b.description)
	if b.forgets {
		text.WriteString("!!! NOTHING IS KEPT: there is no redis-server or valkey-server on PATH, so all data is gone when this process ends. !!!\n")
	}
	text.WriteString("\nTo try it, create a coupon, create a code for it, and redeem the code:\n\n")
	command := grpcurl()
	for _, call := range tryCalls {
		fmt.Fprintf(&text, "  %s -plaintext -d '%s' %s %s\n\n", command, call.request, target, call.method)
	}
	text.WriteString("Paste them again and nothing changes: the same request_id returns the same coupon, code and redemption.\n")
	_, err := io.WriteString(w, text.String())
	return err
}

// dialAddress returns how to reach a listener from this machine: one that listens
// everywhere is reached at the loopback address.
func dialAddress(addr net.Addr) string {
	ap, err := netip.ParseAddrPort(addr.String())
	if err != nil || !ap.Addr().IsUnspecified() {
		return addr.String()
	}
	loopback := "127.0.0.1"
	if ap.Addr().Is6() && !ap.Addr().Is4In6() {
		loopback = "localhost" // may be reached by either protocol
	}
	return net.JoinHostPort(loopback, fmt.Sprint(ap.Port()))
}

// grpcurl returns a command that runs grpcurl here: the one on PATH, the one that
// the source tree pins when this directory is its root, or the published one.
func grpcurl() string {
	if _, err := exec.LookPath("grpcurl"); err == nil {
		return "grpcurl"
	}
	mod, err := os.ReadFile(filepath.Join("tools", "go.mod"))
	if err == nil && strings.Contains(string(mod), "fullstorydev/grpcurl/cmd/grpcurl") {
		return "go tool -modfile=tools/go.mod grpcurl"
	}
	return "go run github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.4"
}
