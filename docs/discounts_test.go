// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

// Package docs_test holds the documentation to what the service does.
package docs_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/discountd/discountd/domain"
	discountv1 "github.com/discountd/discountd/gen/discount/v1"
	"github.com/discountd/discountd/redisstore"
	"github.com/discountd/discountd/server"
)

// example is one example of discounts.md: the fenced blocks that carry its name.
type example struct{ coupon, order, answer, result string }

var block = regexp.MustCompile("(?ms)^```(json|text) (\\w+)(?: (\\w+))?\n(.*?)^```$")

// readExamples returns the examples of discounts.md and the order they share.
func readExamples(t *testing.T) (examples map[string]*example, order string) {
	t.Helper()
	content, err := os.ReadFile("discounts.md")
	if err != nil {
		t.Fatal(err)
	}
	examples = map[string]*example{}
	for _, m := range block.FindAllStringSubmatch(string(content), -1) {
		kind, name, part, body := m[1], m[2], m[3], m[4]
		if name == "order" {
			order = body
			continue
		}
		e := examples[name]
		if e == nil {
			e = &example{}
			examples[name] = e
		}
		switch kind + " " + part {
		case "json ":
			e.coupon = body
		case "json order":
			e.order = body
		case "json answer":
			e.answer = body
		case "text ":
			e.result = body
		default:
			t.Errorf("a block of %s is called %q", name, part)
		}
	}
	return examples, order
}

// serve runs a server on a store in memory until the test ends.
func serve(t *testing.T) *grpc.ClientConn {
	t.Helper()
	return serveAt(t, time.Now)
}

// serveAt runs a server whose store takes its time from a clock.
func serveAt(t *testing.T, clock func() time.Time) *grpc.ClientConn {
	t.Helper()
	ctx := context.Background()
	client := redis.NewClient(&redis.Options{Addr: miniredis.RunT(t).Addr(), MaxRetries: -1})
	t.Cleanup(func() { _ = client.Close() })
	hasher, err := domain.NewHasher([]byte(strings.Repeat("k", domain.MinHashKeyLength)))
	if err != nil {
		t.Fatal(err)
	}
	store, err := redisstore.Open(ctx, client, redisstore.Options{HashKeyFingerprint: hasher.Fingerprint(), Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	s, err := server.New(server.Config{
		Store: store, Hasher: hasher, Clock: time.Now, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	listener := bufconn.Listen(1 << 20)
	served := make(chan error, 1)
	go func() { served <- s.Serve(listener) }()
	conn, err := grpc.NewClient("passthrough:///discountd",
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }),
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.Close()
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil && !errors.Is(err, grpc.ErrServerStopped) {
			t.Error(err)
		}
	})
	return conn
}

func parse(t *testing.T, text string, m proto.Message) {
	t.Helper()
	if err := protojson.Unmarshal([]byte(text), m); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
}

// result writes an answer as the documentation does.
func result(a *discountv1.ValidateCodeResponse) string {
	var b strings.Builder
	for _, i := range a.GetIneligibilities() {
		fmt.Fprintln(&b, i.GetMessage())
	}
	d := a.GetDiscount()
	if d == nil {
		return b.String()
	}
	for _, line := range d.GetLines() {
		fmt.Fprintf(&b, "%s: %d =", line.GetLineId(), line.GetAmountMinor())
		for i, run := range line.GetUnits() {
			if i > 0 {
				b.WriteString(" +")
			}
			fmt.Fprintf(&b, " %d × %d", run.GetQuantity(), run.GetAmountMinor())
		}
		b.WriteByte('\n')
	}
	if n := d.GetShippingAmountMinor(); n > 0 {
		fmt.Fprintf(&b, "shipping: %d\n", n)
	}
	fmt.Fprintf(&b, "total: %d\n", d.GetTotalAmountMinor())
	if n := d.GetTrialDays(); n > 0 {
		fmt.Fprintf(&b, "trial: %d days\n", n)
	}
	return b.String()
}

// Every coupon of the documentation is created, asked about and redeemed as a
// client would do it, and takes off what the documentation says.
func TestDocumentedDiscountsAreWhatTheServiceAnswers(t *testing.T) {
	t.Parallel()
	examples, sharedOrder := readExamples(t)
	conn := serve(t)
	coupons, redemptions := discountv1.NewCouponServiceClient(conn), discountv1.NewRedemptionServiceClient(conn)
	types := map[string]bool{}

	for name, e := range examples {
		if e.coupon == "" {
			continue // of the Go package only
		}
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			coupon, order := &discountv1.Coupon{}, &discountv1.Order{}
			parse(t, e.coupon, coupon)
			if e.order == "" {
				e.order = sharedOrder
			}
			parse(t, e.order, order)
			if set := coupon.ProtoReflect().WhichOneof(coupon.ProtoReflect().Descriptor().Oneofs().ByName("discount")); set != nil {
				types[string(set.Name())] = true
			}
			if _, err := coupons.CreateCoupon(ctx, &discountv1.CreateCouponRequest{CouponId: name, Coupon: coupon}); err != nil {
				t.Fatal(err)
			}
			answer, err := redemptions.ValidateCode(ctx, &discountv1.ValidateCodeRequest{
				Source: &discountv1.ValidateCodeRequest_Coupon{Coupon: "coupons/" + name}, Order: order,
			})
			if err != nil {
				t.Fatal(err)
			}
			if got := result(answer); got != e.result {
				t.Errorf("the service answers\n%s\nand the documentation says\n%s", got, e.result)
			}
			if e.answer != "" {
				want := &discountv1.AppliedDiscount{}
				parse(t, e.answer, want)
				if diff := cmp.Diff(want, answer.GetDiscount(), protocmp.Transform()); diff != "" {
					t.Errorf("answered and documented (-) differ:\n%s", diff)
				}
			}
			if answer.GetValid() {
				redeem(t, redemptions, name, order, answer.GetDiscount())
			}
		})
	}
	oneof := (&discountv1.Coupon{}).ProtoReflect().Descriptor().Oneofs().ByName("discount").Fields()
	for i := range oneof.Len() {
		if name := string(oneof.Get(i).Name()); !types[name] && name != "gift_cards" { // which have a page of their own
			t.Errorf("no example has a discount of type %s", name)
		}
	}
}

// redeem redeems a coupon and wants what ValidateCode said, without the units,
// which the ledger does not keep.
func redeem(t *testing.T, c discountv1.RedemptionServiceClient, coupon string, o *discountv1.Order, want *discountv1.AppliedDiscount) {
	t.Helper()
	answer, err := c.Redeem(t.Context(), &discountv1.RedeemRequest{
		RequestId: "docs-" + coupon, Source: &discountv1.RedeemRequest_Coupon{Coupon: "coupons/" + coupon}, Order: o,
	})
	if err != nil {
		t.Fatal(err)
	}
	ignored := []cmp.Option{
		protocmp.Transform(),
		protocmp.IgnoreFields(&discountv1.LineDiscount{}, "units"),
		protocmp.IgnoreFields(&discountv1.AppliedDiscount{}, "trial_ends_at"),
	}
	if diff := cmp.Diff(want, answer.GetRedemption().GetDiscount(), ignored...); diff != "" {
		t.Errorf("redeemed and validated (-) differ:\n%s", diff)
	}
}
