// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/discountd/discountd/domain"
	discountv1 "github.com/discountd/discountd/gen/discount/v1"
	"github.com/discountd/discountd/server"
)

// health asks the health service about "" and the API's services.
func (s *started) health(t *testing.T) map[string]healthpb.HealthCheckResponse_ServingStatus {
	t.Helper()
	out := map[string]healthpb.HealthCheckResponse_ServingStatus{}
	for _, service := range []string{"", "discount.v1.CouponService", "discount.v1.RedemptionService"} {
		resp, err := healthpb.NewHealthClient(s.conn).Check(t.Context(), &healthpb.HealthCheckRequest{Service: service})
		if err != nil {
			t.Fatal(err)
		}
		out[service] = resp.GetStatus()
	}
	return out
}

func TestHealthIsWhatItWasSetToAndNotServingBefore(t *testing.T) {
	s := start(t, &stub{})
	for _, step := range []struct {
		set  func()
		want healthpb.HealthCheckResponse_ServingStatus
	}{
		{func() {}, healthpb.HealthCheckResponse_NOT_SERVING},
		{func() { s.SetServing(true) }, healthpb.HealthCheckResponse_SERVING},
		{func() { s.SetServing(false) }, healthpb.HealthCheckResponse_NOT_SERVING},
	} {
		step.set()
		for service, got := range s.health(t) {
			if got != step.want {
				t.Errorf("%q is %s, want %s", service, got, step.want)
			}
		}
	}
}

// TestShutdownTellsThoseWhoWatchAndDoesNotWaitForThem keeps a watch of the health
// open: a client that balances load never ends it.
func TestShutdownTellsThoseWhoWatchAndDoesNotWaitForThem(t *testing.T) {
	s := start(t, &stub{})
	s.SetServing(true)
	watch, err := healthpb.NewHealthClient(s.conn).Watch(t.Context(), &healthpb.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := watch.Recv(); err != nil || resp.GetStatus() != healthpb.HealthCheckResponse_SERVING {
		t.Fatalf("the watch begins with %v, %v", resp, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	for {
		resp, err := watch.Recv()
		if err != nil {
			break // the end of the watch; whether NOT_SERVING comes before it is a race
		}
		if resp.GetStatus() != healthpb.HealthCheckResponse_NOT_SERVING {
			t.Errorf("the watch goes on with %v", resp)
		}
	}
}

func TestServeReturnsNilAlsoWhenShutdownCameFirst(t *testing.T) {
	hasher, err := domain.NewHasher([]byte(strings.Repeat("k", domain.MinHashKeyLength)))
	if err != nil {
		t.Fatal(err)
	}
	s, err := server.New(server.Config{Store: &stub{}, Hasher: hasher, Logger: slog.New(slog.DiscardHandler), Clock: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	listener := bufconn.Listen(1)
	if err := s.Serve(listener); err != nil {
		t.Errorf("Serve after Shutdown returns %v", err)
	}
	if _, err := listener.DialContext(t.Context()); err == nil {
		t.Error("the listener is open")
	}
}

func TestShutdownLetsCallsEndAndBreaksOffThoseThatDoNot(t *testing.T) {
	arrived, release := make(chan struct{}, 1), make(chan struct{})
	store := &stub{before: func(ctx context.Context) error {
		arrived <- struct{}{}
		select {
		case <-release:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}}
	begin := func(s *started) <-chan error {
		ended := make(chan error, 1)
		go func() {
			_, err := s.call(t, "GetCoupon", request(t, "GetCoupon", aCoupon))
			ended <- err
		}()
		<-arrived
		return ended
	}

	s := start(t, store)
	ended := begin(s)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Shutdown(gone); !errors.Is(err, context.Canceled) {
		t.Errorf("Shutdown without time returns %v", err)
	}
	if err := <-ended; status.Code(err) != codes.Unavailable {
		t.Errorf("the call that was broken off is %v", err)
	}

	s = start(t, store)
	ended = begin(s)
	down := make(chan error, 1)
	go func() { down <- s.Shutdown(t.Context()) }()
	release <- struct{}{}
	if err := <-ended; err != nil {
		t.Errorf("the call that could end is %v", err)
	}
	if err := <-down; err != nil {
		t.Errorf("Shutdown returns %v", err)
	}
}

func TestReflectionListsTheServices(t *testing.T) {
	s := start(t, &stub{})
	stream, err := reflectionpb.NewServerReflectionClient(s.conn).ServerReflectionInfo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&reflectionpb.ServerReflectionRequest{
		MessageRequest: &reflectionpb.ServerReflectionRequest_ListServices{},
	}); err != nil {
		t.Fatal(err)
	}
	resp, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, service := range resp.GetListServicesResponse().GetService() {
		got = append(got, service.GetName())
	}
	for _, want := range []string{"discount.v1.CouponService", "discount.v1.RedemptionService", "grpc.health.v1.Health"} {
		if !slices.Contains(got, want) {
			t.Errorf("%s is not among %q", want, got)
		}
	}
}

func TestACallWithoutADeadlineGetsOne(t *testing.T) {
	var left time.Duration
	store := &stub{before: func(ctx context.Context) error {
		deadline, _ := ctx.Deadline()
		left = time.Until(deadline)
		return nil
	}}
	s := start(t, store)
	if _, err := s.callIn(t.Context(), t, "GetCoupon", request(t, "GetCoupon", aCoupon)); err != nil {
		t.Fatal(err)
	}
	if left <= 0 || left > 5*time.Second {
		t.Errorf("the store has %v, want at most 5 s", left)
	}
	if _, err := s.call(t, "GetCoupon", request(t, "GetCoupon", aCoupon)); err != nil {
		t.Fatal(err)
	}
	if left <= 5*time.Second {
		t.Errorf("of the caller's own 10 s, the store has %v", left)
	}
}

func TestTheDefaultDeadlineEndsACall(t *testing.T) {
	store := &stub{before: func(ctx context.Context) error {
		select {
		case <-ctx.Done():
			return fmt.Errorf("reading: %w", ctx.Err())
		case <-time.After(10 * time.Second):
			return errors.New("there is no deadline")
		}
	}}
	s := start(t, store, func(c *server.Config) { c.Limits.DefaultDeadline = time.Millisecond })
	_, err := s.callIn(t.Context(), t, "GetCoupon", request(t, "GetCoupon", aCoupon))
	if status.Code(err) != codes.DeadlineExceeded || detail[*errdetails.ErrorInfo](t, err).GetReason() != "DEADLINE_EXCEEDED" {
		t.Errorf("got %v", err)
	}
}

func TestHeadersThatAreTooLargeAreRefused(t *testing.T) {
	store := &stub{}
	s := start(t, store)
	ctx := metadata.AppendToOutgoingContext(t.Context(), "x-large", strings.Repeat("x", 17<<10))
	if _, err := s.callIn(ctx, t, "GetCoupon", request(t, "GetCoupon", aCoupon)); err == nil {
		t.Error("17 KiB of headers are taken")
	}
	if store.calls.Load() != 0 {
		t.Error("the call came to the store")
	}
}

// logged starts a server that logs everything, and returns what reads the log.
func logged(t *testing.T, store server.Store) (*started, func() []map[string]any) {
	t.Helper()
	var log bytes.Buffer
	s := start(t, store, func(c *server.Config) {
		c.Logger = slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	return s, func() []map[string]any {
		// The record of a call is written before its answer is sent.
		var records []map[string]any
		for line := range strings.Lines(log.String()) {
			var r map[string]any
			if err := json.Unmarshal([]byte(line), &r); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			records = append(records, r)
		}
		return records
	}
}

func TestAPanicIsAnInternalErrorAndTheServerGoesOn(t *testing.T) {
	store := &stub{before: func(context.Context) error { panic("a fault") }}
	s, records := logged(t, store)
	_, err := s.call(t, "GetCoupon", request(t, "GetCoupon", aCoupon))
	if status.Code(err) != codes.Internal || detail[*errdetails.ErrorInfo](t, err).GetReason() != "INTERNAL" {
		t.Errorf("the client gets %v", err)
	}
	if strings.Contains(err.Error(), "fault") {
		t.Errorf("the client is told the cause: %v", err)
	}
	log := records()
	if len(log) != 1 || log[0]["level"] != "ERROR" {
		t.Fatalf("the log has %v, want one error", log)
	}
	if cause, _ := log[0]["cause"].(string); !strings.Contains(cause, "a fault") || !strings.Contains(cause, "server_test.go") {
		t.Errorf("the log does not tell what and where: %q", cause)
	}
	store.before = nil
	if _, err := s.call(t, "GetCoupon", request(t, "GetCoupon", aCoupon)); err != nil {
		t.Errorf("the next call: %v", err)
	}
}

func TestEveryCallIsLoggedOnceWithoutWhatIsSecret(t *testing.T) {
	store := &stub{}
	s, records := logged(t, store)
	redeem := request(t, "Redeem", `request_id: "KEY-1" code: "TOPSECRET" customer { id: "CUSTOMER-1" email: "jane@example.org" }`)
	wrong := request(t, "Redeem", `code: "TOPSECRET" customer { id: "\n" email: "jane@" }`)
	for _, c := range []struct {
		err           error
		level, reason any
		cause         bool
	}{
		{nil, "DEBUG", nil, false},
		{&domain.RefusedError{Ineligibilities: []domain.Ineligibility{{Reason: domain.CodeInactive}}}, "DEBUG", "CODE_INACTIVE", false},
		{&domain.AlreadyExistsError{Type: domain.PromotionCodeResource, Name: "coupons/a/promotionCodes/00000000", Code: "TOPSECRET"}, "DEBUG", "CODE_ALREADY_ACTIVE", false},
		{&domain.InvalidError{Violations: domain.Violations{{Field: "metadata", Description: `the value of "TOPSECRET" is bad`}}}, "DEBUG", "INVALID_ARGUMENT", false},
		{&domain.UnavailableError{Cause: errSecret}, "WARN", "STORE_UNAVAILABLE", true},
		{&domain.UnavailableError{OutcomeUnknown: true, Cause: errSecret}, "WARN", "OUTCOME_UNKNOWN", true},
		{server.ErrStopping, "DEBUG", "SERVER_STOPPING", false},
		{context.DeadlineExceeded, "WARN", "DEADLINE_EXCEEDED", false},
		{errSecret, "ERROR", "INTERNAL", true},
	} {
		store.err = c.err
		before := len(records())
		_, _ = s.call(t, "Redeem", redeem)
		log := records()[before:]
		if len(log) != 1 {
			t.Fatalf("%v: the log has %v, want one record", c.err, log)
		}
		r := log[0]
		if r["level"] != c.level || r["reason"] != c.reason || r["method"] != "/discount.v1.RedemptionService/Redeem" {
			t.Errorf("%v: the log has %v", c.err, r)
		}
		if text, ok := r["duration"].(string); !ok || !strings.HasSuffix(text, "s") {
			t.Errorf("%v: the duration is %v, which does not tell its unit", c.err, r["duration"])
		}
		if _, ok := r["cause"]; ok != c.cause {
			t.Errorf("%v: the cause in %v", c.err, r)
		}
	}
	store.err = nil
	_, _ = s.call(t, "Redeem", wrong)
	for _, r := range records() {
		for _, word := range []string{"TOPSECRET", "jane", "KEY-1", "CUSTOMER-1"} {
			if strings.Contains(fmt.Sprint(r), word) {
				t.Errorf("%s is in the log: %v", word, r)
			}
		}
	}
}

func TestNewNamesWhatIsMissing(t *testing.T) {
	hasher, err := domain.NewHasher(make([]byte, domain.MinHashKeyLength))
	if err != nil {
		t.Fatal(err)
	}
	whole := server.Config{Store: &stub{}, Hasher: hasher, Logger: slog.New(slog.DiscardHandler), Clock: time.Now}
	for name, remove := range map[string]func(*server.Config){
		"Store":  func(c *server.Config) { c.Store = nil },
		"Hasher": func(c *server.Config) { c.Hasher = domain.Hasher{} },
		"Logger": func(c *server.Config) { c.Logger = nil },
		"Clock":  func(c *server.Config) { c.Clock = nil },
	} {
		config := whole
		remove(&config)
		if _, err := server.New(config); err == nil || !strings.Contains(err.Error(), "Config."+name) {
			t.Errorf("without %s: %v", name, err)
		}
	}
}

// TestTheDocumentedRetryPolicyHidesShortFailures runs a client with the service
// configuration of docs/errors.md.
func TestTheDocumentedRetryPolicyHidesShortFailures(t *testing.T) {
	doc, err := os.ReadFile(filepath.Join("..", "docs", "errors.md"))
	if err != nil {
		t.Fatal(err)
	}
	policy := regexp.MustCompile("(?s)```json\n(\\{\n  \"methodConfig\".*?)```").FindSubmatch(doc)
	if policy == nil {
		t.Fatal("docs/errors.md has no service configuration")
	}
	for _, c := range []struct {
		rpc, request string
		failure      error
		want         codes.Code
	}{
		{"Redeem", aRedeem, &domain.UnavailableError{OutcomeUnknown: true}, codes.OK},
		{"Redeem", aRedeem, domain.ErrAborted, codes.OK},
		{"Redeem", aRedeem, &domain.RefusedError{Ineligibilities: []domain.Ineligibility{{Reason: domain.CodeInactive}}}, codes.FailedPrecondition},
		{"DeleteCoupon", aCoupon, &domain.UnavailableError{}, codes.OK},
		{"DeleteCoupon", aCoupon, domain.ErrAborted, codes.Aborted},
	} {
		var tries atomic.Int64
		s := start(t, &stub{before: func(context.Context) error {
			if tries.Add(1) == 1 {
				return c.failure
			}
			return nil
		}}).dial(t, grpc.WithDefaultServiceConfig(string(policy[1])))
		if _, err := s.call(t, c.rpc, request(t, c.rpc, c.request)); status.Code(err) != c.want {
			t.Errorf("%s after %v: %v, want %s", c.rpc, c.failure, err, c.want)
		}
	}
	// What ends a request would end a stream that goes on.
	s := start(t, &stub{}).dial(t, grpc.WithDefaultServiceConfig(string(policy[1])))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stream, err := discountv1.NewRedemptionServiceClient(s.conn).RedeemStream(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if deadline, ok := stream.Context().Deadline(); ok {
		t.Errorf("a stream ends at %s", deadline)
	}
	send(t, stream, streamCommand(t, "Redeem", aRedeem))
	if got := drain(t, stream); len(got) != 1 {
		t.Errorf("a stream has %d answers to one request", len(got))
	}
}

// TestTheDocumentedRefusalIsWhatIsAnswered compares the example of docs/errors.md
// with the golden file.
func TestTheDocumentedRefusalIsWhatIsAnswered(t *testing.T) {
	doc, err := os.ReadFile(filepath.Join("..", "docs", "errors.md"))
	if err != nil {
		t.Fatal(err)
	}
	golden, err := os.ReadFile(filepath.Join("testdata", "errors", "redemption_refused_one_reason.json"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(doc, append([]byte("```json\n"), golden...)) {
		t.Error("the example in docs/errors.md is not the golden file")
	}
}
