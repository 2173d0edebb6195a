// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"fmt"
	"strings"
	"time"

	"github.com/discountd/discountd/domain"
)

// moving are the commands about money that writing has as well. Each is about the
// gift card that startMoving returns, and about alice.
var moving = map[string]func(*env, domain.PromotionCodeName) error{
	"issue a card": func(e *env, _ domain.PromotionCodeName) error {
		_, err := e.IssueGiftCard(e.ctx(), domain.IssueGiftCard{RequestID: e.request, PromotionCode: giftCard("gifts", "ANOTHER", 700)})
		return err
	},
	"adjust a card": func(e *env, card domain.PromotionCodeName) error {
		_, err := e.AdjustGiftCard(e.ctx(), domain.AdjustGiftCard{RequestID: e.request, Name: card, AmountMinor: -700, Reason: "a reason"})
		return err
	},
	"transfer": func(e *env, card domain.PromotionCodeName) error {
		_, err := e.TransferToCredit(e.ctx(), transferTo("alice", e.request, card))
		return err
	},
	"redeem a card whose remainder becomes credit": func(e *env, card domain.PromotionCodeName) error {
		_, err := e.Redeem(e.ctx(), new(byName(e.request, card, withCustomer("alice"), withOrder(orderOf(1_000)))))
		return err
	},
	"commit on a card whose remainder becomes credit": func(e *env, card domain.PromotionCodeName) error {
		_, err := e.commit(domain.RedemptionName{Coupon: card.Coupon, ID: domain.NewRedemptionID(1, "prepared")}, e.request, nil)
		return err
	},
	"adjust credit": func(e *env, _ domain.PromotionCodeName) error {
		_, err := e.AdjustCustomerBalance(e.ctx(), domain.AdjustCustomerBalance{
			RequestID: e.request, Holder: domain.IdentityOfID("alice"), Amount: domain.Money{Currency: "EUR", AmountMinor: -100}, Reason: "a reason",
		})
		return err
	},
	"use credit that is on its way": func(e *env, _ domain.PromotionCodeName) error {
		_, err := e.ApplyCredit(e.ctx(), useOf("alice", "in_1", 700))
		return err
	},
	"read credit that is on its way": func(e *env, _ domain.PromotionCodeName) error {
		_, err := e.CustomerBalance(e.ctx(), domain.GetCustomerBalance{Holder: domain.IdentityOfID("alice")})
		return err
	},
	"read credit that was announced and never came": func(e *env, _ domain.PromotionCodeName) error {
		_, err := e.CustomerBalance(e.ctx(), domain.GetCustomerBalance{Holder: domain.IdentityOfID("alice")})
		return err
	},
}

// onItsWay is in the names of commands that meet a transfer of another.
const onItsWay = "on its way"

// startMoving makes what a command of moving needs: 50.00 on a card, and 5.00 that
// alice has.
func startMoving(e *env, name string) domain.PromotionCodeName {
	e.t.Helper()
	byOption := strings.HasSuffix(name, "becomes credit")
	e.createCoupon(program("gifts", byOption))
	card := giftCard("gifts", "GIFTED", 5_000)
	if byOption {
		card.CustomerID = "alice"
	}
	issued := e.issue("issue", card).Name
	e.give("alice", 500)
	switch {
	case strings.HasPrefix(name, "commit"):
		e.reserve(time.Minute, byName("prepared", issued, withCustomer("alice"), withOrder(orderOf(1_000))))
	case strings.HasSuffix(name, onItsWay):
		e.debit("alice", issued)
	case strings.HasSuffix(name, "never came"):
		e.announce("alice", issued)
		e.clock.Advance(forgetAfter + time.Second)
	}
	return issued
}

// creditSummary is the part of a summary that is about money.
func (e *env) creditSummary() []string {
	e.t.Helper()
	var out []string
	for _, code := range []string{"GIFTED", "ANOTHER"} {
		card, err := e.GiftCard(e.ctx(), domain.GetGiftCard{Code: hashOf(code)})
		switch {
		case isError[*domain.NotFoundError](err):
			continue
		case err != nil:
			e.t.Fatal(err)
		}
		out = append(out, fmt.Sprint(code, card.BalanceMinor, movements(card.Latest)))
	}
	return append(out, fmt.Sprint("alice", movements(e.history("alice"))))
}
