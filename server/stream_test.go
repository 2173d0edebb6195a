// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"context"
	"errors"
	"io"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	statuspb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/discountd/discountd/domain"
	discountv1 "github.com/discountd/discountd/gen/discount/v1"
	"github.com/discountd/discountd/server"
)

// streamCommand returns a message that does what a request of an RPC asks for.
func streamCommand(t testing.TB, rpc, text string) *discountv1.RedeemStreamRequest {
	t.Helper()
	switch r := request(t, rpc, text).(type) {
	case *discountv1.RedeemRequest:
		return &discountv1.RedeemStreamRequest{Command: &discountv1.RedeemStreamRequest_Redeem{Redeem: r}}
	case *discountv1.ReserveRedemptionRequest:
		return &discountv1.RedeemStreamRequest{Command: &discountv1.RedeemStreamRequest_ReserveRedemption{ReserveRedemption: r}}
	case *discountv1.CommitRedemptionRequest:
		return &discountv1.RedeemStreamRequest{Command: &discountv1.RedeemStreamRequest_CommitRedemption{CommitRedemption: r}}
	case *discountv1.ReleaseRedemptionRequest:
		return &discountv1.RedeemStreamRequest{Command: &discountv1.RedeemStreamRequest_ReleaseRedemption{ReleaseRedemption: r}}
	case *discountv1.VoidRedemptionRequest:
		return &discountv1.RedeemStreamRequest{Command: &discountv1.RedeemStreamRequest_VoidRedemption{VoidRedemption: r}}
	default:
		t.Fatalf("%T cannot be streamed", r)
		return nil
	}
}

type clientStream = discountv1.RedemptionService_RedeemStreamClient

// openStream opens a stream that ends with the test.
func (s *started) openStream(t testing.TB) clientStream {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	stream, err := discountv1.NewRedemptionServiceClient(s.conn).RedeemStream(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return stream
}

func send(t testing.TB, stream clientStream, m *discountv1.RedeemStreamRequest) {
	t.Helper()
	if err := stream.Send(m); err != nil {
		t.Fatal(err)
	}
}

// drain closes the sending side and returns the answers by request id.
func drain(t testing.TB, stream clientStream) map[string]*discountv1.RedeemStreamResponse {
	t.Helper()
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	out := map[string]*discountv1.RedeemStreamResponse{}
	for {
		a, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		if out[a.GetRequestId()] != nil {
			t.Errorf("%s is answered twice", a.GetRequestId())
		}
		out[a.GetRequestId()] = a
	}
}

func TestEveryMessageOfAStreamIsACallOfItsOwn(t *testing.T) {
	t.Parallel()
	const settlement = `name: "coupons/fall/redemptions/1-abc" request_id: "r"`
	for rpc, text := range map[string]string{
		"Redeem":            aRedeem,
		"ReserveRedemption": aRedeem + ` ttl { seconds: 60 }`,
		"CommitRedemption":  settlement + ` amount_minor: 5`,
		"ReleaseRedemption": settlement,
		"VoidRedemption":    settlement + ` reason: "because"`,
	} {
		for name, store := range map[string]*stub{
			"done":    {},
			"refused": {err: &domain.RefusedError{Ineligibilities: everyIneligibility()}},
			"broken":  {before: func(context.Context) error { panic("a fault") }},
		} {
			s := start(t, store)
			_, want := s.call(t, rpc, request(t, rpc, text))
			asked := store.last()
			stream := s.openStream(t)
			send(t, stream, streamCommand(t, rpc, text))
			got := drain(t, stream)["r"]
			if got == nil || (want == nil) != (got.GetRedemption() != nil) {
				t.Errorf("%s, %s: %v, and as a call %v", rpc, name, got, want)
				continue
			}
			if want != nil {
				// Its bytes are those of a google.rpc.Status.
				bytes, err := proto.Marshal(got.GetError())
				if err != nil {
					t.Fatal(err)
				}
				p := &statuspb.Status{}
				if err := proto.Unmarshal(bytes, p); err != nil || !proto.Equal(p, status.Convert(want).Proto()) {
					t.Errorf("%s, %s: %v, and as a call %v", rpc, name, p, want)
				}
			}
			if store.calls.Load() != 2 || !equalCommands(asked, store.last()) {
				t.Errorf("%s, %s: the store was asked %+v, and by a call %+v", rpc, name, store.last(), asked)
			}
		}
	}
}

// equalCommands compares commands by what identifies them.
func equalCommands(a, b any) bool { return domain.Fingerprint(a) == domain.Fingerprint(b) }

func TestMessagesOfAStreamDoNotWaitForEachOther(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	store := &stub{}
	first := true
	entered := make(chan struct{}, 2)
	turn := make(chan struct{}, 1)
	turn <- struct{}{}
	store.before = func(ctx context.Context) error {
		<-turn
		held := first
		first = false
		turn <- struct{}{}
		entered <- struct{}{}
		if held {
			<-release
		}
		if _, ok := ctx.Deadline(); !ok {
			t.Error("a message has no deadline")
		}
		return nil
	}
	stream := start(t, store).openStream(t)
	send(t, stream, streamCommand(t, "Redeem", `request_id: "slow" coupon: "coupons/fall"`))
	<-entered
	send(t, stream, streamCommand(t, "Redeem", `request_id: "fast" coupon: "coupons/fall"`))
	send(t, stream, streamCommand(t, "Redeem", `request_id: "bad" coupon: "fall"`))
	send(t, stream, &discountv1.RedeemStreamRequest{})
	got := map[string]codes.Code{}
	for range 3 {
		a, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		got[a.GetRequestId()] = codes.Code(a.GetError().GetCode())
	}
	if len(got) != 3 || got["fast"] != codes.OK || got["bad"] != codes.InvalidArgument || got[""] != codes.InvalidArgument {
		t.Errorf("%v", got)
	}
	close(release)
	if rest := drain(t, stream); len(rest) != 1 || rest["slow"].GetRedemption() == nil {
		t.Errorf("%v", rest)
	}
}

func TestTheDefaultDeadlineEndsEachMessageOfAStream(t *testing.T) {
	t.Parallel()
	store := &stub{before: func(ctx context.Context) error {
		if ctx.Err() != nil {
			t.Error("a message has no time at all")
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Second):
			return errors.New("there is no deadline")
		}
	}}
	stream := start(t, store, func(c *server.Config) { c.Limits.DefaultDeadline = 20 * time.Millisecond }).openStream(t)
	for range 3 {
		send(t, stream, streamCommand(t, "Redeem", aRedeem))
		if a, err := stream.Recv(); err != nil || codes.Code(a.GetError().GetCode()) != codes.DeadlineExceeded {
			t.Fatal(a, err)
		}
	}
}

func TestStreamTakesInNoMoreThanItAnswers(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	store := &stub{before: func(context.Context) error { <-release; return nil }}
	stream := start(t, store).openStream(t)
	const n = 3 * server.MaxStreamMessages
	sent := make(chan error, 1)
	go func() {
		for i := range n {
			m := &discountv1.RedeemStreamRequest{Command: &discountv1.RedeemStreamRequest_Redeem{Redeem: &discountv1.RedeemRequest{
				RequestId: strconv.Itoa(i), Source: &discountv1.RedeemRequest_Coupon{Coupon: "coupons/fall"},
			}}}
			if err := stream.Send(m); err != nil {
				sent <- err
				return
			}
		}
		sent <- stream.CloseSend()
	}()
	for store.calls.Load() < server.MaxStreamMessages {
		runtime.Gosched()
	}
	for range 1000 { // those that it would take in, if it did
		runtime.Gosched()
	}
	if got := store.calls.Load(); got != server.MaxStreamMessages {
		t.Errorf("%d are worked on at once", got)
	}
	close(release)
	seen := map[string]bool{}
	for range n {
		a, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		seen[a.GetRequestId()] = true
	}
	if err := <-sent; err != nil || len(seen) != n {
		t.Errorf("%d answered, %v", len(seen), err)
	}
}

func TestLargeMessageOfAStreamCountsAsSeveral(t *testing.T) {
	t.Parallel()
	large := func(id string) *discountv1.RedeemStreamRequest {
		order := &discountv1.Order{CurrencyCode: "EUR"}
		for i := range 200 {
			order.Lines = append(order.Lines, &discountv1.OrderLine{
				Id: strconv.Itoa(i), ProductId: strings.Repeat("p", 60), UnitAmountMinor: 100, Quantity: 1,
				CategoryIds: []string{strings.Repeat("a", 60), strings.Repeat("b", 60), strings.Repeat("c", 60)},
			})
		}
		return &discountv1.RedeemStreamRequest{Command: &discountv1.RedeemStreamRequest_Redeem{Redeem: &discountv1.RedeemRequest{
			RequestId: id, Source: &discountv1.RedeemRequest_Coupon{Coupon: "coupons/fall"}, Order: order,
		}}}
	}
	slots := 1 + proto.Size(large("00"))/(16<<10)
	if slots < 3 {
		t.Fatalf("a large message has %d bytes only", proto.Size(large("00")))
	}
	most := int64(server.MaxStreamMessages / slots)

	release := make(chan struct{})
	store := &stub{before: func(context.Context) error { <-release; return nil }}
	stream := start(t, store).openStream(t)
	n := int(2 * most)
	sent := make(chan error, 1)
	go func() {
		for i := range n {
			if err := stream.Send(large(strconv.Itoa(i))); err != nil {
				sent <- err
				return
			}
		}
		sent <- stream.CloseSend()
	}()
	for store.calls.Load() < most {
		runtime.Gosched()
	}
	for range 1000 { // those that it would take in, if it did
		runtime.Gosched()
	}
	if got := store.calls.Load(); got != most {
		t.Errorf("%d messages of %d bytes are worked on at once, not %d", got, proto.Size(large("00")), most)
	}
	close(release)
	for range n {
		if a, err := stream.Recv(); err != nil || a.GetRedemption() == nil {
			t.Fatal(a, err)
		}
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
}

func TestServerThatStopsAnswersWhatItTookInAndEndsTheStream(t *testing.T) {
	t.Parallel()
	entered, release := make(chan struct{}), make(chan struct{})
	store := &stub{before: func(context.Context) error { close(entered); <-release; return nil }}
	s := start(t, store)
	stream := s.openStream(t)
	send(t, stream, streamCommand(t, "Redeem", aRedeem))
	<-entered
	stopped := make(chan error, 1)
	go func() { stopped <- s.Shutdown(t.Context()) }()
	close(release)
	if a, err := stream.Recv(); err != nil || a.GetRedemption() == nil {
		t.Errorf("%v, %v", a, err)
	}
	if _, err := stream.Recv(); status.Code(err) != codes.Unavailable {
		t.Errorf("the stream ended with %v", err)
	} else if !hasReason(err, "SERVER_STOPPING") {
		t.Errorf("%v has no reason", status.Convert(err).Details())
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

func hasReason(err error, reason string) bool {
	for _, d := range status.Convert(err).Details() {
		if i, ok := d.(*errdetails.ErrorInfo); ok && i.GetReason() == reason {
			return true
		}
	}
	return false
}

func TestClientThatLeavesEndsItsStream(t *testing.T) {
	t.Parallel()
	entered, left := make(chan struct{}), make(chan struct{})
	store := &stub{before: func(ctx context.Context) error {
		close(entered)
		<-ctx.Done()
		close(left)
		return ctx.Err()
	}}
	s := start(t, store)
	ctx, cancel := context.WithCancel(t.Context())
	stream, err := discountv1.NewRedemptionServiceClient(s.conn).RedeemStream(ctx)
	if err != nil {
		t.Fatal(err)
	}
	send(t, stream, streamCommand(t, "Redeem", aRedeem))
	<-entered
	cancel()
	<-left
}
