// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package domain

import "fmt"

// BalanceSums are what the histories of gift cards and of customers' credit say of
// one currency, in its minor unit.
type BalanceSums struct {
	// Issued and Adjusted are of gift cards; Redeemed is less what came back.
	Issued, Adjusted, Redeemed int64
	// Given is what credit was adjusted by, and Applied what was used for invoices.
	Given, Applied int64
	// Cards and Credit are the balances, and Owed what has left a card and has not
	// arrived.
	Cards, Credit, Owed int64
}

// Unaccounted is what the balances are too high by: 0 when no transfer and no
// movement has lost or doubled anything.
func (s BalanceSums) Unaccounted() int64 {
	return s.Cards + s.Credit + s.Owed - (s.Issued + s.Adjusted - s.Redeemed + s.Given - s.Applied)
}

// BalanceDifference is one thing that is wrong with a balance. It is of a gift card
// or, when there is none, of a customer's credit.
type BalanceDifference struct {
	Card   PromotionCodeName
	Holder Identity
	// What names what was compared.
	What string
	// StoredMinor was found and WantMinor should be there.
	StoredMinor, WantMinor int64
}

// String says the difference in a line of English.
func (d BalanceDifference) String() string {
	of := d.Card.String()
	if d.Card.ID == "" {
		of = "the credit of " + string(d.Holder)
	}
	return fmt.Sprintf("%s: %s is %d, should be %d", of, d.What, d.StoredMinor, d.WantMinor)
}

// What a BalanceDifference is about.
const (
	DifferenceBalance     = "the balance against its history"
	DifferenceRunning     = "the balance that a transaction notes"
	DifferenceRedeemed    = "what the ledger took against the history"
	DifferenceTransferred = "what left for credit against the transfers"
	DifferenceArrived     = "what a transfer brought"
	DifferenceDebited     = "what a transfer that has arrived took"
	DifferenceUnasked     = "a transaction that no request led to"
)

// CardSums adds up the history of a gift card, which begins with its issue, and
// reports what is wrong with it and with the balance that it leads to.
func CardSums(name PromotionCodeName, balance int64, history []BalanceTransaction, found func(BalanceDifference)) BalanceSums {
	s := BalanceSums{Cards: balance}
	var sum, transferred int64
	for i := range history {
		t := &history[i]
		sum += t.AmountMinor
		switch t.Kind {
		case TransactionIssued:
			s.Issued += t.AmountMinor
		case TransactionAdjusted:
			s.Adjusted += t.AmountMinor
		case TransactionTransferred:
			transferred -= t.AmountMinor
		default:
			s.Redeemed -= t.AmountMinor
		}
		if t.BalanceMinor != sum || sum < 0 {
			found(BalanceDifference{Card: name, What: DifferenceRunning, StoredMinor: t.BalanceMinor, WantMinor: max(sum, 0)})
		}
	}
	if sum != balance {
		found(BalanceDifference{Card: name, What: DifferenceBalance, StoredMinor: balance, WantMinor: sum})
	}
	s.Owed = transferred // until it is known what has arrived
	return s
}

// CreditSums adds up the history of a customer's credit in one currency, in the same
// way. What came from gift cards is returned as what is no longer owed.
func CreditSums(holder Identity, balance Money, history []BalanceTransaction, found func(BalanceDifference)) BalanceSums {
	s := BalanceSums{Credit: balance.AmountMinor}
	var sum int64
	for i := range history {
		t := &history[i]
		if t.Currency != balance.Currency {
			continue
		}
		sum += t.AmountMinor
		switch t.Kind {
		case TransactionTransferred:
			s.Owed -= t.AmountMinor
		case TransactionApplied:
			s.Applied -= t.AmountMinor
		default:
			s.Given += t.AmountMinor
		}
		if t.BalanceMinor != sum || sum < 0 {
			found(BalanceDifference{Holder: holder, What: DifferenceRunning, StoredMinor: t.BalanceMinor, WantMinor: max(sum, 0)})
		}
	}
	if sum != balance.AmountMinor {
		found(BalanceDifference{Holder: holder, What: DifferenceBalance, StoredMinor: balance.AmountMinor, WantMinor: sum})
	}
	return s
}

// Plus adds two.
func (s BalanceSums) Plus(o BalanceSums) BalanceSums {
	return BalanceSums{
		Issued: s.Issued + o.Issued, Adjusted: s.Adjusted + o.Adjusted, Redeemed: s.Redeemed + o.Redeemed,
		Given: s.Given + o.Given, Applied: s.Applied + o.Applied,
		Cards: s.Cards + o.Cards, Credit: s.Credit + o.Credit, Owed: s.Owed + o.Owed,
	}
}
