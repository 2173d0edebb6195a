// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/discountd/discountd/domain"
	discountv1 "github.com/discountd/discountd/gen/discount/v1"
)

// modelStore is a store in memory: the executable specification of package domain,
// by a clock that goes only when it is told to. It fails the test when a step
// breaks what must always hold.
type modelStore struct {
	t testing.TB

	mu    sync.Mutex
	state domain.State
	now   time.Time
	codes int64 // promotion codes that were asked for
}

// step carries out one command, whose result is a T.
func step[T any](m *modelStore, q domain.Command) (T, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.codes++
	code, err := domain.ParseCode(fmt.Sprint("GENERATED", m.codes))
	if err != nil {
		m.t.Error(err)
	}
	next, result := m.state.Step(m.now, domain.IDs{
		Coupon: "generated", PromotionCode: domain.FirstPromotionCodeID(m.codes), Code: code,
	}, q)
	if err := m.state.CheckSuccessor(next); err != nil {
		m.t.Errorf("%T: %v", q, err)
	}
	m.state = next
	value, ok := result.Value.(T)
	if !ok && result.Err == nil {
		m.t.Errorf("%T results in a %T", q, result.Value)
	}
	return value, result.Err
}

// stepAt is step for a result that is returned as a pointer.
func stepAt[T any](m *modelStore, q domain.Command) (*T, error) {
	value, err := step[T](m, q)
	if err != nil {
		return nil, err
	}
	return &value, nil
}

func (m *modelStore) CreateCoupon(_ context.Context, q domain.CreateCoupon) (domain.CouponView, error) {
	return step[domain.CouponView](m, q)
}

func (m *modelStore) Coupon(_ context.Context, q domain.CouponID) (domain.CouponView, error) {
	return step[domain.CouponView](m, domain.GetCoupon{ID: q})
}

func (m *modelStore) UpdateCoupon(_ context.Context, q domain.UpdateCoupon) (domain.CouponView, error) {
	return step[domain.CouponView](m, q)
}

func (m *modelStore) DeleteCoupon(_ context.Context, q domain.DeleteCoupon) (domain.CouponView, error) {
	return step[domain.CouponView](m, q)
}

func (m *modelStore) Coupons(_ context.Context, q domain.CouponQuery) (domain.Listing[domain.CouponView], error) {
	return step[domain.Listing[domain.CouponView]](m, q)
}

func (m *modelStore) CreatePromotionCode(_ context.Context, q domain.CreatePromotionCode) (domain.PromotionCodeView, error) {
	return step[domain.PromotionCodeView](m, q)
}

func (m *modelStore) PromotionCode(_ context.Context, q domain.PromotionCodeName) (domain.PromotionCodeView, error) {
	return step[domain.PromotionCodeView](m, domain.GetPromotionCode{Name: q})
}

func (m *modelStore) UpdatePromotionCode(_ context.Context, q domain.UpdatePromotionCode) (domain.PromotionCodeView, error) {
	return step[domain.PromotionCodeView](m, q)
}

func (m *modelStore) ActivatePromotionCode(_ context.Context, q domain.ActivatePromotionCode) (domain.PromotionCodeView, error) {
	return step[domain.PromotionCodeView](m, q)
}

func (m *modelStore) DeactivatePromotionCode(_ context.Context, q domain.DeactivatePromotionCode) (domain.PromotionCodeView, error) {
	return step[domain.PromotionCodeView](m, q)
}

func (m *modelStore) DeletePromotionCode(_ context.Context, q domain.DeletePromotionCode) (domain.PromotionCodeView, error) {
	return step[domain.PromotionCodeView](m, q)
}

func (m *modelStore) PromotionCodes(_ context.Context, q domain.PromotionCodeQuery) (domain.Listing[domain.PromotionCodeView], error) {
	return step[domain.Listing[domain.PromotionCodeView]](m, q)
}

func (m *modelStore) Validate(_ context.Context, q *domain.ValidateRequest) (*domain.Evaluation, error) {
	return stepAt[domain.Evaluation](m, *q)
}

func (m *modelStore) Redeem(_ context.Context, q *domain.RedeemRequest) (*domain.Redemption, error) {
	return stepAt[domain.Redemption](m, *q)
}

func (m *modelStore) Void(_ context.Context, q domain.VoidRedemption) (*domain.Redemption, error) {
	return stepAt[domain.Redemption](m, q)
}

func (m *modelStore) Reserve(_ context.Context, q *domain.ReserveRequest) (*domain.Redemption, error) {
	return stepAt[domain.Redemption](m, *q)
}

func (m *modelStore) Commit(_ context.Context, q domain.CommitRedemption) (*domain.Redemption, error) {
	return stepAt[domain.Redemption](m, q)
}

func (m *modelStore) Release(_ context.Context, q domain.ReleaseRedemption) (*domain.Redemption, error) {
	return stepAt[domain.Redemption](m, q)
}

func (m *modelStore) Redemption(_ context.Context, q domain.RedemptionName) (*domain.Redemption, error) {
	return stepAt[domain.Redemption](m, domain.GetRedemption{Name: q})
}

func (m *modelStore) Redemptions(_ context.Context, q domain.RedemptionQuery) (domain.Listing[domain.Redemption], error) {
	return step[domain.Listing[domain.Redemption]](m, q)
}

func (m *modelStore) ApplyRenewal(_ context.Context, q domain.ApplyRenewal) (domain.Renewal, error) {
	return step[domain.Renewal](m, q)
}

func (m *modelStore) EndDiscount(_ context.Context, q domain.EndDiscount) (*domain.Redemption, error) {
	return stepAt[domain.Redemption](m, q)
}

// scenario is a server on a store of its own, and what is said to it in order.
type scenario struct {
	*started
	t     *testing.T
	store *modelStore
}

// begin starts a scenario at an instant with milliseconds, with the given coupons:
// the text forms of requests to create one.
func begin(t *testing.T, coupons ...string) *scenario {
	t.Helper()
	store := &modelStore{t: t, now: aBeginning}
	c := &scenario{start(t, store), t, store}
	for _, coupon := range coupons {
		c.do("CreateCoupon", coupon)
	}
	return c
}

// aBeginning is a Saturday and the last of a month. In Paris it is still winter
// time.
var aBeginning = time.Date(2026, 1, 31, 12, 0, 0, 250_000_000, time.UTC)

// later lets time pass.
func (c *scenario) later(d time.Duration) {
	c.store.mu.Lock()
	defer c.store.mu.Unlock()
	c.store.now = c.store.now.Add(d)
}

// do makes a call that must succeed; args fill the text of the request.
func (c *scenario) do(rpc, text string, args ...any) proto.Message {
	c.t.Helper()
	text = fmt.Sprintf(text, args...)
	resp, err := c.call(c.t, rpc, request(c.t, rpc, text))
	if err != nil {
		c.t.Fatalf("%s %s: %v", rpc, text, err)
	}
	return resp
}

// redemption makes a call that must succeed with a redemption.
func (c *scenario) redemption(rpc, text string, args ...any) *discountv1.Redemption {
	c.t.Helper()
	resp, ok := c.do(rpc, text, args...).(interface{ GetRedemption() *discountv1.Redemption })
	if !ok {
		c.t.Fatalf("%s answers with no redemption", rpc)
	}
	return resp.GetRedemption()
}

// coupon makes a call that must succeed with a coupon.
func (c *scenario) coupon(rpc, text string, args ...any) *discountv1.Coupon {
	c.t.Helper()
	resp, ok := c.do(rpc, text, args...).(interface{ GetCoupon() *discountv1.Coupon })
	if !ok {
		c.t.Fatalf("%s answers with no coupon", rpc)
	}
	return resp.GetCoupon()
}

// wantError makes a call that must fail with a reason, and returns the error.
func (c *scenario) wantError(reason, rpc, text string, args ...any) error {
	c.t.Helper()
	text = fmt.Sprintf(text, args...)
	resp, err := c.call(c.t, rpc, request(c.t, rpc, text))
	if err == nil {
		c.t.Fatalf("%s %s: it is done, want %s: %v", rpc, text, reason, resp)
	}
	if got := detail[*errdetails.ErrorInfo](c.t, err).GetReason(); got != reason {
		c.t.Fatalf("%s %s: %s, want %s", rpc, text, got, reason)
	}
	return err
}

// wantRefusal makes a call that must be refused for a reason and no other, and
// returns it.
func (c *scenario) wantRefusal(reason, rpc, text string, args ...any) *discountv1.Ineligibility {
	c.t.Helper()
	err := c.wantError(reason, rpc, text, args...)
	if status.Code(err) != codes.FailedPrecondition {
		c.t.Errorf("%s: %v, want FAILED_PRECONDITION", rpc, err)
	}
	all := detail[*discountv1.RedemptionRefused](c.t, err).GetIneligibilities()
	if len(all) != 1 || strings.TrimPrefix(all[0].GetReason().String(), "INELIGIBILITY_REASON_") != reason {
		c.t.Fatalf("%s: refused for %v, want %s alone", rpc, all, reason)
	}
	return all[0]
}

// used fails the test unless a coupon counts so many redemptions and has spent so
// much of its first budget.
func (c *scenario) used(name string, redemptions, spent int64) {
	c.t.Helper()
	coupon := c.coupon("GetCoupon", `name: %q`, name)
	var counted int64
	if all := coupon.GetBudgets(); len(all) > 0 {
		counted = all[0].GetSpentAmountMinor()
	}
	if coupon.GetTimesRedeemed() != redemptions || counted != spent {
		c.t.Errorf("%s counts %d redemptions and %d spent, want %d and %d",
			name, coupon.GetTimesRedeemed(), counted, redemptions, spent)
	}
}
