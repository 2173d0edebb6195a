// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/discountd/discountd/domain"
	discountv1 "github.com/discountd/discountd/gen/discount/v1"
)

func (s *redemptionService) ReserveRedemption(ctx context.Context, req *discountv1.ReserveRedemptionRequest) (*discountv1.ReserveRedemptionResponse, error) {
	return call(ctx, s.hasher, req, readReserveRedemption, s.reservations.Reserve,
		func(x *domain.Redemption) *discountv1.ReserveRedemptionResponse {
			return &discountv1.ReserveRedemptionResponse{Redemption: writeRedemption(x)}
		})
}

func readReserveRedemption(r *reader, req *discountv1.ReserveRedemptionRequest) *domain.ReserveRequest {
	out := &domain.ReserveRequest{RedeemRequest: domain.RedeemRequest{RequestID: r.requestID(req.GetRequestId(), true)}}
	readPurchase(r, &out.ValidateRequest, req.GetSource(), req)
	out.TTL = readTTL(r, "ttl", req.GetTtl())
	return out
}

// readTTL returns for how long a reservation is kept. A retry that spells the
// default out is the same request.
func readTTL(r *reader, field string, d *durationpb.Duration) time.Duration {
	if d == nil {
		return domain.DefaultReservationTTL
	}
	ttl := d.AsDuration()
	if d.CheckValid() != nil || ttl < domain.MinReservationTTL || ttl > domain.MaxReservationTTL {
		r.add(field, "must be %s to %s", domain.MinReservationTTL, domain.MaxReservationTTL)
	}
	return ttl
}

func (s *redemptionService) CommitRedemption(ctx context.Context, req *discountv1.CommitRedemptionRequest) (*discountv1.CommitRedemptionResponse, error) {
	return call(ctx, s.hasher, req, readCommitRedemption, s.reservations.Commit,
		func(x *domain.Redemption) *discountv1.CommitRedemptionResponse {
			return &discountv1.CommitRedemptionResponse{Redemption: writeRedemption(x)}
		})
}

func readCommitRedemption(r *reader, req *discountv1.CommitRedemptionRequest) domain.CommitRedemption {
	return domain.CommitRedemption{
		RequestID: r.requestID(req.GetRequestId(), true),
		Name:      read(r, "name", req.GetName(), domain.ParseRedemptionName),
		Amount:    r.amount("amount_minor", req.AmountMinor, 0),
	}
}

func (s *redemptionService) ReleaseRedemption(ctx context.Context, req *discountv1.ReleaseRedemptionRequest) (*discountv1.ReleaseRedemptionResponse, error) {
	return call(ctx, s.hasher, req, readReleaseRedemption, s.reservations.Release,
		func(x *domain.Redemption) *discountv1.ReleaseRedemptionResponse {
			return &discountv1.ReleaseRedemptionResponse{Redemption: writeRedemption(x)}
		})
}

func readReleaseRedemption(r *reader, req *discountv1.ReleaseRedemptionRequest) domain.ReleaseRedemption {
	return domain.ReleaseRedemption{
		RequestID: r.requestID(req.GetRequestId(), true),
		Name:      read(r, "name", req.GetName(), domain.ParseRedemptionName),
	}
}
