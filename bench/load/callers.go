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

// newCaller returns who does the work of c on a connection. A kind of work that
// takes several calls, or a stream that many callers share, is one more case.
func newCaller(c Config, conn grpc.ClientConnInterface) (caller, error) {
	service := discountv1.NewRedemptionServiceClient(conn)
	codes := codesOf(c.Coupons)
	switch c.Work {
	case Redeem:
		return &redeemer{service: service, run: c.Run, codes: codes, order: fixture.OneLine()}, nil
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

type redeemer struct {
	service discountv1.RedemptionServiceClient
	run     uint64
	codes   []string
	order   *discountv1.Order // read only, and so shared
}

func (r *redeemer) call(ctx context.Context, n uint64) error {
	answer, err := r.service.Redeem(ctx, &discountv1.RedeemRequest{
		RequestId: fixture.RequestID(r.run, n),
		Source:    &discountv1.RedeemRequest_Code{Code: r.codes[n%uint64(len(r.codes))]},
		Order:     r.order,
	})
	if err != nil {
		return err
	}
	if got := answer.GetRedemption().GetDiscount().GetTotalAmountMinor(); got != fixture.OneLineDiscount {
		return fmt.Errorf("redeemed for a discount of %d, not %d", got, fixture.OneLineDiscount)
	}
	return nil
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
