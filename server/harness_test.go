// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"context"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"

	"github.com/discountd/discountd/domain"
	"github.com/discountd/discountd/internal/requests"
	"github.com/discountd/discountd/server"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// started is a server that runs for one test, and a connection to it.
type started struct {
	*server.Server
	listener *bufconn.Listener
	conn     *grpc.ClientConn
}

// start runs a server on the given store until the test ends. Adjust may change
// its configuration.
func start(t testing.TB, store server.Store, adjust ...func(*server.Config)) *started {
	t.Helper()
	hasher, err := domain.NewHasher([]byte(strings.Repeat("k", domain.MinHashKeyLength)))
	if err != nil {
		t.Fatal(err)
	}
	config := server.Config{
		Store:  store,
		Hasher: hasher,
		Logger: slog.New(slog.DiscardHandler),
		Clock:  time.Now,
	}
	for _, f := range adjust {
		f(&config)
	}
	s, err := server.New(config)
	if err != nil {
		t.Fatal(err)
	}
	listener := bufconn.Listen(1 << 20)
	served := make(chan error, 1)
	go func() { served <- s.Serve(listener) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Error("shutting down:", err)
		}
		if err := <-served; err != nil {
			t.Error("serving:", err)
		}
	})
	return (&started{Server: s, listener: listener}).dial(t)
}

// dial returns the same server with another connection, which lives as long as
// the test.
func (s *started) dial(t testing.TB, options ...grpc.DialOption) *started {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///discountd", append(options,
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return s.listener.DialContext(ctx) }),
		grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})
	return &started{s.Server, s.listener, conn}
}

// request returns the request of an RPC from its text form.
func request(t testing.TB, rpc, text string) proto.Message {
	t.Helper()
	return requests.New(t, rpc, text)
}

// call makes a call with a deadline of 10 s and returns the answer.
func (s *started) call(t testing.TB, rpc string, req proto.Message) (proto.Message, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	return s.callIn(ctx, t, rpc, req)
}

// callIn makes a call in a context and returns the answer.
func (s *started) callIn(ctx context.Context, t testing.TB, rpc string, req proto.Message) (proto.Message, error) {
	t.Helper()
	method := requests.RPCs()[rpc]
	resp := requests.NewMessage(t, method.Output())
	return resp, s.conn.Invoke(ctx, "/"+string(method.Parent().FullName())+"/"+rpc, req, resp)
}

// stub is a store that answers every call with err, or with as little as an
// answer can be, and remembers what it was asked.
type stub struct {
	err   error
	calls atomic.Int64
	asked atomic.Value // the last command or query
	// before, if set, is called at every call; its error is the answer.
	before func(context.Context) error
}

func (s *stub) called(ctx context.Context, q any) error {
	s.calls.Add(1)
	s.asked.Store(asked{q})
	if s.before != nil {
		return s.before(ctx)
	}
	return s.err
}

// asked lets values of different types be in one atomic.Value.
type asked struct{ q any }

// last returns what the store was asked last.
func (s *stub) last() any {
	if a, ok := s.asked.Load().(asked); ok {
		return a.q
	}
	return nil
}

func (s *stub) CreateCoupon(ctx context.Context, q domain.CreateCoupon) (domain.CouponView, error) {
	return domain.CouponView{}, s.called(ctx, q)
}

func (s *stub) Coupon(ctx context.Context, q domain.CouponID) (domain.CouponView, error) {
	return domain.CouponView{}, s.called(ctx, q)
}

func (s *stub) UpdateCoupon(ctx context.Context, q domain.UpdateCoupon) (domain.CouponView, error) {
	return domain.CouponView{}, s.called(ctx, q)
}

func (s *stub) DeleteCoupon(ctx context.Context, q domain.DeleteCoupon) (domain.CouponView, error) {
	return domain.CouponView{}, s.called(ctx, q)
}

func (s *stub) Coupons(ctx context.Context, q domain.CouponQuery) (domain.Listing[domain.CouponView], error) {
	return domain.Listing[domain.CouponView]{Next: "further"}, s.called(ctx, q)
}

func (s *stub) CreatePromotionCode(ctx context.Context, q domain.CreatePromotionCode) (domain.PromotionCodeView, error) {
	return domain.PromotionCodeView{}, s.called(ctx, q)
}

func (s *stub) PromotionCode(ctx context.Context, q domain.PromotionCodeName) (domain.PromotionCodeView, error) {
	return domain.PromotionCodeView{}, s.called(ctx, q)
}

func (s *stub) UpdatePromotionCode(ctx context.Context, q domain.UpdatePromotionCode) (domain.PromotionCodeView, error) {
	return domain.PromotionCodeView{}, s.called(ctx, q)
}

func (s *stub) ActivatePromotionCode(ctx context.Context, q domain.ActivatePromotionCode) (domain.PromotionCodeView, error) {
	return domain.PromotionCodeView{}, s.called(ctx, q)
}

func (s *stub) DeactivatePromotionCode(ctx context.Context, q domain.DeactivatePromotionCode) (domain.PromotionCodeView, error) {
	return domain.PromotionCodeView{}, s.called(ctx, q)
}

func (s *stub) DeletePromotionCode(ctx context.Context, q domain.DeletePromotionCode) (domain.PromotionCodeView, error) {
	return domain.PromotionCodeView{}, s.called(ctx, q)
}

func (s *stub) PromotionCodes(ctx context.Context, q domain.PromotionCodeQuery) (domain.Listing[domain.PromotionCodeView], error) {
	return domain.Listing[domain.PromotionCodeView]{Next: "further"}, s.called(ctx, q)
}

func (s *stub) Validate(ctx context.Context, q *domain.ValidateRequest) (*domain.Evaluation, error) {
	return &domain.Evaluation{}, s.called(ctx, *q)
}

func (s *stub) Redeem(ctx context.Context, q *domain.RedeemRequest) (*domain.Redemption, error) {
	return &domain.Redemption{State: domain.RedemptionRedeemed}, s.called(ctx, *q)
}

func (s *stub) Void(ctx context.Context, q domain.VoidRedemption) (*domain.Redemption, error) {
	return &domain.Redemption{State: domain.RedemptionVoided}, s.called(ctx, q)
}

func (s *stub) Reserve(ctx context.Context, q *domain.ReserveRequest) (*domain.Redemption, error) {
	return &domain.Redemption{State: domain.RedemptionReserved}, s.called(ctx, *q)
}

func (s *stub) Commit(ctx context.Context, q domain.CommitRedemption) (*domain.Redemption, error) {
	return &domain.Redemption{State: domain.RedemptionRedeemed}, s.called(ctx, q)
}

func (s *stub) Release(ctx context.Context, q domain.ReleaseRedemption) (*domain.Redemption, error) {
	return &domain.Redemption{State: domain.RedemptionReleased}, s.called(ctx, q)
}

func (s *stub) Redemption(ctx context.Context, q domain.RedemptionName) (*domain.Redemption, error) {
	return &domain.Redemption{State: domain.RedemptionRedeemed}, s.called(ctx, q)
}

func (s *stub) Redemptions(ctx context.Context, q domain.RedemptionQuery) (domain.Listing[domain.Redemption], error) {
	return domain.Listing[domain.Redemption]{Next: "further"}, s.called(ctx, q)
}

func (s *stub) ApplyRenewal(ctx context.Context, q domain.ApplyRenewal) (domain.Renewal, error) {
	return domain.Renewal{Outcome: domain.RenewalNothing}, s.called(ctx, q)
}

func (s *stub) EndDiscount(ctx context.Context, q domain.EndDiscount) (*domain.Redemption, error) {
	return &domain.Redemption{State: domain.RedemptionRedeemed}, s.called(ctx, q)
}
