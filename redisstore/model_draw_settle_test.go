// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"time"

	"pgregory.net/rapid"

	"github.com/discountd/discountd/domain"
)

// Random commands about reservations, voids, budgets and limits per period.

// budgets are most often none. Random orders take off up to some 4,500.
func (d *draw) budgets() []domain.Budget {
	if oneOf(d, "budget", false, false, false, true) {
		b := domain.Budget{Limit: euros(oneOf[int64](d, "up to", 170, 1_000, 2_000, 5_000))}
		b.GrantRemaining = rapid.Bool().Draw(d.T, "grant what is left")
		if oneOf(d, "for products", false, false, true) {
			b.Products = []string{oneOf(d, "product", "product", "other")}
		}
		return []domain.Budget{b}
	}
	return nil
}

// periodLimits are most often none.
func (d *draw) periodLimits() []domain.PeriodLimit {
	if oneOf(d, "periods", false, false, false, false, true) {
		return []domain.PeriodLimit{{
			Period:         oneOf(d, "period", domain.PeriodDay, domain.PeriodDay, domain.PeriodWeek, domain.PeriodMonth),
			TimeZone:       oneOf(d, "zone", "", "Asia/Tokyo"),
			MaxRedemptions: oneOf[int64](d, "per period", 1, 2, 3),
			PerCustomer:    rapid.Bool().Draw(d.T, "per customer"),
		}}
	}
	return nil
}

// later is how far the clock goes on: often past the end of a reservation, at
// times into another day.
func (d *draw) later() time.Duration {
	return oneOf(d, "later", 0, 0, 0, 0, 0, time.Millisecond, time.Minute, time.Minute, hour/2, hour/2, 30*hour)
}

func (d *draw) reserve() domain.ReserveRequest {
	return reserveFor(oneOf(d, "ttl", time.Second, time.Minute, time.Minute, hour, 24*hour), d.redeem())
}

// settlement is a commit, a release or a void of something that was made, most
// often, and of what there never was at times.
func (d *draw) settlement() domain.Command {
	name := domain.RedemptionName{Coupon: d.couponID(), ID: "1-aaaaaa"}
	if n := len(d.redemptions); n > 0 && oneOf(d, "made", true, true, true, true, true, true, true, false) {
		name = oneOf(d, "redemption", d.redemptions[n-1], rapid.SampledFrom(d.redemptions).Draw(d.T, "any"))
	}
	// Mostly ids of their own; at times one that a redemption may have used.
	request := oneOf(d, "settlement", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "r1", "r2")
	amount := oneOf(d, "amount", nil, nil, nil, pointer(int64(1)), pointer(int64(0)), pointer(int64(100)), pointer(int64(167)), pointer(int64(9_999)))
	switch oneOf(d, "settle", "commit", "commit", "commit", "release", "void", "void", "void") {
	case "commit":
		return domain.CommitRedemption{RequestID: request, Name: name, Amount: amount}
	case "release":
		return domain.ReleaseRedemption{RequestID: request, Name: name}
	default:
		if amount != nil && *amount == 0 {
			amount = nil // is refused before it gets to a store
		}
		return domain.VoidRedemption{RequestID: request, Name: name, Amount: amount, Reason: oneOf(d, "reason", "refund", "fraud")}
	}
}
