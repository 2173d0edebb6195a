// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"time"

	"github.com/discountd/discountd/domain"
)

// redeemsWhatIsDue is the command that changes something even if it fails: what is
// due ends as soon as it is met.
const redeemsWhatIsDue = "redeem what is due"

// settling are more commands about reservations and voids, each with the request id
// of the env: of what is due, and of parts.
var settling = map[string]func(*env) error{
	"commit it late": func(e *env) error { _, err := e.commit(firstHeld, e.request, nil); return err },
	"void a part":    func(e *env) error { _, err := e.void(firstMade, e.request, pointer(int64(100))); return err },
	redeemsWhatIsDue: func(e *env) error {
		_, err := e.Redeem(e.ctx(), new(byCoupon(e.request, "a", withCustomer("bob"))))
		return err
	},
}

// firstHeld and firstMade are what startSettling reserves and redeems.
var (
	firstHeld = domain.RedemptionName{Coupon: "a", ID: domain.NewRedemptionID(1, "held")}
	firstMade = domain.RedemptionName{Coupon: "a", ID: domain.NewRedemptionID(1, "made")}
)

// startSettling makes what a command of settling needs. What is late or due has the
// only room there is.
func startSettling(e *env, name string) domain.PromotionCodeName {
	e.createCoupon(percentOff("a", limitedTo(1), limitedPerCustomerTo(1)))
	p := e.createCode(promotionCode("a", "X")).Name
	switch name {
	case "void a part":
		e.redeem(byCode("made", "X", withCustomer("alice")))
	case "commit it late", redeemsWhatIsDue:
		e.reserve(time.Minute, byCode("held", "X", withCustomer("alice")))
	}
	if name == redeemsWhatIsDue || name == "commit it late" {
		e.clock.Advance(time.Minute)
	}
	return p
}
