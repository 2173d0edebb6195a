// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package rivals

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/discountd/discountd/bench/fixture"
	discountv1 "github.com/discountd/discountd/gen/discount/v1"
)

// record is a redemption as a ledger keeps it.
type record struct {
	coupon      couponRules
	request     string
	fingerprint [16]byte // of what was asked for
	amount      int64
	lines       string // "id:amount", separated by spaces
	time        time.Time
}

// outcome is what a ledger decided.
type outcome int

const (
	// redeemed: the record is in the ledger, for the first time or from before.
	redeemed outcome = iota
	// limitReached: nothing was written.
	limitReached
)

// ledger takes redemptions, or refuses them and writes nothing. A request that it
// has taken before it answers with the record from then.
type ledger interface {
	take(ctx context.Context, r *record) (record, outcome, error)
}

// couponRules are the rules of a coupon and its code, as far as they are needed.
type couponRules struct {
	fixture.Coupon
	number int // what stores call it
	end    time.Time
}

// service redeems codes by a ledger.
type service struct {
	discountv1.UnimplementedRedemptionServiceServer
	ledger ledger
	rules  map[string]couponRules // by code
}

func newService(l ledger, coupons []fixture.Coupon) *service {
	s := &service{ledger: l, rules: map[string]couponRules{}}
	for i, c := range coupons {
		s.rules[c.Code] = couponRules{Coupon: c, number: i, end: time.Now().AddDate(1, 0, 0)}
	}
	return s
}

// Redeem evaluates the rules in memory and leaves the rest to the ledger.
func (s *service) Redeem(ctx context.Context, req *discountv1.RedeemRequest) (*discountv1.RedeemResponse, error) {
	rules, known := s.rules[req.GetCode()]
	order := req.GetOrder()
	now := time.Now().Truncate(time.Microsecond) // as a ledger keeps it
	total := totalOf(order)
	switch {
	case req.GetRequestId() == "":
		return nil, status.Error(codes.InvalidArgument, "request_id is required")
	case !known:
		return nil, status.Error(codes.FailedPrecondition, "no such code")
	case !now.Before(rules.end):
		return nil, status.Error(codes.FailedPrecondition, "the code has expired")
	case order.GetCurrencyCode() != fixture.Currency || total < fixture.MinimumAmount:
		return nil, status.Error(codes.FailedPrecondition, "the order does not come to the minimum amount")
	}
	r := &record{coupon: rules, request: req.GetRequestId(), fingerprint: fingerprint(req), time: now}
	r.amount, r.lines = discount(order, total)
	taken, decided, err := s.ledger.take(ctx, r)
	switch {
	case err != nil:
		return nil, fail(err)
	case decided == limitReached:
		return nil, status.Error(codes.FailedPrecondition, "the limit is reached")
	case taken.fingerprint != r.fingerprint:
		return nil, status.Error(codes.InvalidArgument, "the request id was used for another request")
	}
	return answer(rules, &taken), nil
}

func totalOf(order *discountv1.Order) int64 {
	var total int64
	for _, l := range order.GetLines() {
		total += l.GetUnitAmountMinor() * l.GetQuantity()
	}
	return total
}

// discount takes a percentage off, half up, and splits it over the lines: each
// has its share rounded down, and what is left over goes to the first ones.
func discount(order *discountv1.Order, total int64) (amount int64, lines string) {
	amount = (total*fixture.BasisPoints + 5000) / 10_000
	left := amount
	shares := make([]int64, len(order.GetLines()))
	for i, l := range order.GetLines() {
		shares[i] = amount * l.GetUnitAmountMinor() * l.GetQuantity() / total
		left -= shares[i]
	}
	text := make([]byte, 0, 16*len(shares))
	for i, l := range order.GetLines() {
		if int64(i) < left {
			shares[i]++
		}
		if i > 0 {
			text = append(text, ' ')
		}
		text = append(append(text, l.GetId()...), ':')
		text = strconv.AppendInt(text, shares[i], 10)
	}
	return amount, string(text)
}

// fingerprint tells one request from another under the same id.
func fingerprint(req *discountv1.RedeemRequest) [16]byte {
	text := make([]byte, 0, 256)
	add := func(s string) {
		text = binary.AppendUvarint(text, uint64(len(s)))
		text = append(text, s...)
	}
	add(req.GetCode())
	add(req.GetCustomer().GetId())
	add(req.GetOrder().GetId())
	add(req.GetOrder().GetCurrencyCode())
	for _, l := range req.GetOrder().GetLines() {
		add(l.GetId())
		add(l.GetProductId())
		text = binary.AppendVarint(text, l.GetUnitAmountMinor())
		text = binary.AppendVarint(text, l.GetQuantity())
	}
	sum := sha256.Sum256(text)
	return [16]byte(sum[:16])
}

func answer(rules couponRules, r *record) *discountv1.RedeemResponse {
	applied := &discountv1.AppliedDiscount{
		CurrencyCode:     fixture.Currency,
		TotalAmountMinor: r.amount,
		Allocation:       discountv1.Allocation_ALLOCATION_ACROSS_PROPORTIONAL,
		RoundingScope:    discountv1.RoundingScope_ROUNDING_SCOPE_ORDER,
	}
	for line := range strings.SplitSeq(r.lines, " ") {
		id, amount, _ := strings.Cut(line, ":")
		minor, err := strconv.ParseInt(amount, 10, 64)
		if err != nil {
			panic(fmt.Sprintf("rivals: the ledger has a line %q", line))
		}
		applied.Lines = append(applied.Lines, &discountv1.LineDiscount{LineId: id, AmountMinor: minor})
	}
	return &discountv1.RedeemResponse{Redemption: &discountv1.Redemption{
		Name:              "coupons/" + rules.ID + "/redemptions/" + r.request,
		PromotionCode:     "coupons/" + rules.ID + "/promotionCodes/1",
		State:             discountv1.RedemptionState_REDEMPTION_STATE_REDEEMED,
		RequestId:         r.request,
		Discount:          applied,
		CreateTime:        timestamppb.New(r.time),
		CouponEtag:        "1",
		PromotionCodeEtag: "1",
	}}
}
