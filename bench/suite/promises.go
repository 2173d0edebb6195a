// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package suite

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/discountd/discountd/bench/fixture"
	discountv1 "github.com/discountd/discountd/gen/discount/v1"
)

// crowd is how many callers go for a limit at once.
const crowd = 60

// checkPromises fails if a server is not worth being measured: if it takes more or
// fewer redemptions than the limit, gives a retry another answer, or accepts
// another request under the same id. It notes what it sent.
func checkPromises(ctx context.Context, address string, id uint64, a *account) error {
	conn, err := dial(address)
	if err != nil {
		return err
	}
	defer conn.Close()
	service := discountv1.NewRedemptionServiceClient(conn)
	small := func(n uint64, order *discountv1.Order) *discountv1.RedeemRequest {
		return &discountv1.RedeemRequest{
			RequestId: fixture.RequestID(id, n),
			Source:    &discountv1.RedeemRequest_Code{Code: fixture.Small().Code},
			Order:     order,
		}
	}

	winners := map[uint64]*discountv1.RedeemResponse{}
	err = crowdCalls(func(n uint64) (*discountv1.RedeemResponse, error) {
		return service.Redeem(ctx, small(n, fixture.OneLine()))
	}, func(n uint64, answer *discountv1.RedeemResponse, err error) error {
		if err == nil {
			winners[n] = answer
		} else if status.Code(err) != codes.FailedPrecondition {
			return fmt.Errorf("refused with %w", err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	a.add(id, crowd, uint64(len(winners)))
	if len(winners) != fixture.SmallLimit {
		return fmt.Errorf("a coupon limited to %d was redeemed %d times", fixture.SmallLimit, len(winners))
	}
	for n, first := range winners {
		again, err := service.Redeem(ctx, small(n, fixture.OneLine()))
		if err != nil {
			return fmt.Errorf("a retry was refused: %w", err)
		}
		if !proto.Equal(first, again) {
			return fmt.Errorf("a retry was answered otherwise: %v, first %v", again, first)
		}
		if _, err := service.Redeem(ctx, small(n, fixture.FiveLines())); status.Code(err) != codes.InvalidArgument {
			return fmt.Errorf("another request under the same id: %w", errors.Join(err, errors.New("not refused as an invalid argument")))
		}
	}
	return checkDuplicates(ctx, service, id+1, a)
}

// checkDuplicates sends one request many times at once.
func checkDuplicates(ctx context.Context, service discountv1.RedemptionServiceClient, id uint64, a *account) error {
	request := &discountv1.RedeemRequest{
		RequestId: fixture.RequestID(id, 0),
		Source:    &discountv1.RedeemRequest_Code{Code: fixture.Hot().Code},
		Order:     fixture.OneLine(),
	}
	a.add(id, 1, 1)
	var first *discountv1.RedeemResponse
	return crowdCalls(func(uint64) (*discountv1.RedeemResponse, error) {
		return service.Redeem(ctx, request)
	}, func(_ uint64, answer *discountv1.RedeemResponse, err error) error {
		if err != nil {
			return fmt.Errorf("one request sent %d times at once: %w", crowd, err)
		}
		if first == nil {
			first = answer
		}
		if !proto.Equal(first, answer) {
			return fmt.Errorf("one request was answered with %v and with %v", first, answer)
		}
		return nil
	})
}

// crowdCalls makes calls all at once and then looks at each of the answers.
func crowdCalls(
	call func(n uint64) (*discountv1.RedeemResponse, error),
	look func(n uint64, answer *discountv1.RedeemResponse, err error) error,
) error {
	var answers [crowd]*discountv1.RedeemResponse
	var failures [crowd]error
	var calls sync.WaitGroup
	for n := range uint64(crowd) {
		calls.Go(func() { answers[n], failures[n] = call(n) })
	}
	calls.Wait()
	for n := range uint64(crowd) {
		if err := look(n, answers[n], failures[n]); err != nil {
			return err
		}
	}
	return nil
}
