// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"errors"
	"testing"

	"github.com/discountd/discountd/domain"
)

func TestGiftCardThatIsDisabledUnderAnAdjustmentOrATransferIsReadAgain(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(program("gifts", false))
		card := e.issue("issue", giftCard("gifts", "GIFTED", 1_000)).Name
		disable := func(other *Store) {
			must[domain.GiftCardView](t)(other.DisableGiftCard(e.ctx(), domain.DeactivatePromotionCode{Name: card}))
		}
		enable := func(other *Store) {
			must[domain.GiftCardView](t)(other.EnableGiftCard(e.ctx(), domain.ActivatePromotionCode{Name: card}))
		}
		e.before(cardAdjust, 1, disable)
		if _, err := e.AdjustGiftCard(e.ctx(), domain.AdjustGiftCard{RequestID: "a", Name: card, AmountMinor: 100, Reason: "a reason"}); err != nil {
			t.Errorf("an adjustment: %v", err)
		}
		enable(e.Store)
		e.before(cardTransfer, 1, disable)
		_, err := e.TransferToCredit(e.ctx(), transferTo("alice", "t", card))
		wantReasons(t, err, domain.CodeInactive)
		e.left(card, 1_100, "I1000=1000 A100=1100")
		if has := e.has("alice"); has != 0 {
			t.Errorf("%d are credited", has)
		}
	})
}

func TestRequestIDThatIsUsedForAnotherCardMeanwhileIsRefused(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(program("gifts", false))
		card := e.issue("issue", giftCard("gifts", "GIFTED", 1_000)).Name
		use := func(id string) func(*Store) {
			return func(other *Store) {
				must[domain.GiftCardView](t)(other.AdjustGiftCard(e.ctx(), domain.AdjustGiftCard{RequestID: id, Name: card, AmountMinor: 10, Reason: "other"}))
			}
		}
		e.before(cardAdjust, 1, use("a"))
		if _, err := e.AdjustGiftCard(e.ctx(), domain.AdjustGiftCard{RequestID: "a", Name: card, AmountMinor: 100, Reason: "a reason"}); !errors.Is(err, domain.ErrRequestIDReused) {
			t.Errorf("an adjustment: %v", err)
		}
		e.before(cardTransfer, 1, use("t"))
		if _, err := e.TransferToCredit(e.ctx(), transferTo("alice", "t", card)); !errors.Is(err, domain.ErrRequestIDReused) {
			t.Errorf("a transfer: %v", err)
		}
		e.left(card, 1_020, "I1000=1000 A10=1010 A10=1020")
		if has := e.has("alice"); has != 0 {
			t.Errorf("%d are credited", has)
		}
	})
}

// What has arrived has arrived, also when the record that it is owed is lost.
func TestTransferWhoseRecordIsLostIsCreditedOnce(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(program("gifts", false))
		card := e.issue("issue", giftCard("gifts", "GIFTED", 1_000)).Name
		e.before(cardTransferred, 1, func(*Store) { e.admin.Del(e.ctx(), e.keys.transfers("gifts")) })
		if _, err := e.TransferToCredit(e.ctx(), transferTo("alice", "t", card)); err != nil || e.has("alice") != 1_000 {
			t.Errorf("%v, %d are credited", err, e.has("alice"))
		}
		if n := e.admin.Exists(e.ctx(), e.keys.transfers("gifts")).Val(); n != 0 {
			t.Error("a record without an amount was written")
		}
	})
}

func TestCreditWhoseHistoryDoesNotAgreeWithItsLengthIsNotChanged(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.give("alice", 1_000)
		e.admin.RPush(e.ctx(), e.keys.creditLedger(domain.IdentityOfID("alice"))+":0", "more than is counted")
		if _, err := e.ApplyCredit(e.ctx(), useOf("alice", "invoice", 100)); err == nil {
			t.Error("credit was used")
		}
		if has := e.has("alice"); has != 1_000 {
			t.Errorf("%d are left", has)
		}
	})
}

func TestCreditIsNeitherOverdrawnNorMoreThanCanBeCounted(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		adjust := func(request string, amount int64) error {
			_, err := e.AdjustCustomerBalance(e.ctx(), domain.AdjustCustomerBalance{
				RequestID: request, Holder: domain.IdentityOfID("alice"), Amount: domain.Money{Currency: "EUR", AmountMinor: amount}, Reason: "a reason",
			})
			return err
		}
		const most = domain.MaxAmount / 2
		e.give("alice", most)
		if err := adjust("one more", 1); !isError[*domain.TooManyError](err) {
			t.Errorf("more than can be counted: %v", err)
		}
		e.createCoupon(program("gifts", false))
		card := e.issue("issue", giftCard("gifts", "GIFTED", 1_000)).Name
		if _, err := e.TransferToCredit(e.ctx(), transferTo("alice", "t", card)); !isError[*domain.TooManyError](err) || e.balance(card) != 1_000 {
			t.Errorf("a transfer of more than can be counted: %v, %d are left on the card", err, e.balance(card))
		}
		if err := adjust("nearly all", 1-most); err != nil {
			t.Error(err)
		}
		if err := adjust("more than there is", -2); !isError[*domain.AmountExceededError](err) || e.has("alice") != 1 {
			t.Errorf("more than there is: %v, %d are left", err, e.has("alice"))
		}
	})
}
