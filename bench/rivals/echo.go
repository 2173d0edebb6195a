// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package rivals

import (
	"context"
	"errors"
	"fmt"
	"io"

	"google.golang.org/protobuf/proto"

	discountv1 "github.com/discountd/discountd/gen/discount/v1"
)

// echo answers with what discountd answered once. It reads every request and
// writes every response in full, and does nothing in between.
type echo struct {
	discountv1.UnimplementedRedemptionServiceServer
	redeem   *discountv1.RedeemResponse
	validate *discountv1.ValidateCodeResponse
}

func newEcho(a Answers) (*echo, error) {
	e := &echo{redeem: &discountv1.RedeemResponse{}, validate: &discountv1.ValidateCodeResponse{}}
	if err := proto.Unmarshal(a.Redeem, e.redeem); err != nil {
		return nil, fmt.Errorf("the answer to Redeem: %w", err)
	}
	if err := proto.Unmarshal(a.ValidateCode, e.validate); err != nil {
		return nil, fmt.Errorf("the answer to ValidateCode: %w", err)
	}
	return e, nil
}

func (e *echo) Redeem(context.Context, *discountv1.RedeemRequest) (*discountv1.RedeemResponse, error) {
	return e.redeem, nil
}

func (e *echo) ReserveRedemption(context.Context, *discountv1.ReserveRedemptionRequest) (*discountv1.ReserveRedemptionResponse, error) {
	return &discountv1.ReserveRedemptionResponse{Redemption: e.redeem.GetRedemption()}, nil
}

func (e *echo) CommitRedemption(context.Context, *discountv1.CommitRedemptionRequest) (*discountv1.CommitRedemptionResponse, error) {
	return &discountv1.CommitRedemptionResponse{Redemption: e.redeem.GetRedemption()}, nil
}

func (e *echo) RedeemStream(stream discountv1.RedemptionService_RedeemStreamServer) error {
	result := &discountv1.RedeemStreamResponse_Redemption{Redemption: e.redeem.GetRedemption()}
	for {
		request, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = stream.Send(&discountv1.RedeemStreamResponse{RequestId: request.GetRedeem().GetRequestId(), Result: result})
		}
		if err != nil {
			return err
		}
	}
}

func (e *echo) ValidateCode(context.Context, *discountv1.ValidateCodeRequest) (*discountv1.ValidateCodeResponse, error) {
	return e.validate, nil
}
