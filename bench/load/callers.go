// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package load

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/discountd/discountd/bench/fixture"
	discountv1 "github.com/discountd/discountd/gen/discount/v1"
)

// callTimeout is the deadline of every call. A server that misses it has failed.
const callTimeout = 20 * time.Second

// caller makes calls on one connection. Any number of goroutines share it.
type caller interface {
	// call makes call number n of this process and checks its answer.
	call(ctx context.Context, n uint64) error
}

// newCaller returns who does the work of c on a connection, until ctx ends. A kind
// of work that takes several calls, or a stream that many callers share, is one more
// case.
func newCaller(ctx context.Context, c Config, conn grpc.ClientConnInterface) (caller, error) {
	service := discountv1.NewRedemptionServiceClient(conn)
	codes := codesOf(c.Coupons)
	switch c.Work {
	case Redeem:
		return &redeemer{service: service, redemptions: redemptions{run: c.Run, codes: codes, order: fixture.OneLine()}}, nil
	case Settle:
		return &settler{service: service, redemptions: redemptions{run: c.Run, codes: codes, order: fixture.OneLine()}}, nil
	case Stream:
		return newStreamer(ctx, service, redemptions{run: c.Run, codes: codes, order: fixture.OneLine()})
	case Validate:
		v := &validator{service: service, codes: codes, order: fixture.FiveLines()}
		if c.MaxStaleness > 0 {
			v.staleness = durationpb.New(c.MaxStaleness)
		}
		return v, nil
	default:
		return nil, fmt.Errorf("no such work: %q", c.Work)
	}
}

func codesOf(coupons int) []string {
	if coupons <= 1 {
		return []string{fixture.Hot().Code}
	}
	codes := make([]string, coupons)
	for i := range codes {
		codes[i] = fixture.One(i).Code
	}
	return codes
}

// redemptions are those that a run makes.
type redemptions struct {
	run   uint64
	codes []string
	order *discountv1.Order // read only, and so shared
}

func (r *redemptions) id(n uint64) string { return fixture.RequestID(r.run, n) }

func (r *redemptions) code(n uint64) string { return r.codes[n%uint64(len(r.codes))] }

func (r *redemptions) request(n uint64) *discountv1.RedeemRequest {
	return &discountv1.RedeemRequest{RequestId: r.id(n), Source: &discountv1.RedeemRequest_Code{Code: r.code(n)}, Order: r.order}
}

func checkRedemption(made *discountv1.Redemption) error {
	if got := made.GetDiscount().GetTotalAmountMinor(); got != fixture.OneLineDiscount {
		return fmt.Errorf("redeemed for a discount of %d, not %d", got, fixture.OneLineDiscount)
	}
	return nil
}

type redeemer struct {
	redemptions
	service discountv1.RedemptionServiceClient
}

func (r *redeemer) call(ctx context.Context, n uint64) error {
	answer, err := r.service.Redeem(ctx, r.request(n))
	if err != nil {
		return err
	}
	return checkRedemption(answer.GetRedemption())
}

type settler struct {
	redemptions
	service discountv1.RedemptionServiceClient
}

func (s *settler) call(ctx context.Context, n uint64) error {
	reserved, err := s.service.ReserveRedemption(ctx, &discountv1.ReserveRedemptionRequest{
		RequestId: s.id(n), Source: &discountv1.ReserveRedemptionRequest_Code{Code: s.code(n)}, Order: s.order,
	})
	if err != nil {
		return err
	}
	answer, err := s.service.CommitRedemption(ctx, &discountv1.CommitRedemptionRequest{
		Name: reserved.GetRedemption().GetName(), RequestId: "commit " + s.id(n),
	})
	if err != nil {
		return err
	}
	return checkRedemption(answer.GetRedemption())
}

type validator struct {
	service   discountv1.RedemptionServiceClient
	codes     []string
	order     *discountv1.Order
	staleness *durationpb.Duration
}

func (v *validator) call(ctx context.Context, n uint64) error {
	answer, err := v.service.ValidateCode(ctx, &discountv1.ValidateCodeRequest{
		Source:       &discountv1.ValidateCodeRequest_Code{Code: v.codes[n%uint64(len(v.codes))]},
		Order:        v.order,
		MaxStaleness: v.staleness,
	})
	if err != nil {
		return err
	}
	if got := answer.GetDiscount().GetTotalAmountMinor(); !answer.GetValid() || got != fixture.FiveLineDiscount {
		return fmt.Errorf("valid: %t, for a discount of %d, not %d", answer.GetValid(), got, fixture.FiveLineDiscount)
	}
	return nil
}
