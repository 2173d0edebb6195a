// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package domain

import (
	"fmt"
	"time"
)

// TransactionKind says what moved a balance.
type TransactionKind byte

// The kinds, as stored.
const (
	// TransactionIssued begins a gift card.
	TransactionIssued TransactionKind = 'I'
	// TransactionRedeemed is a redemption or a reservation with a gift card.
	TransactionRedeemed TransactionKind = 'R'
	// TransactionReturned is what a redemption gave back: by a void, a release, an
	// expiry, or a commit for less.
	TransactionReturned TransactionKind = 'B'
	// TransactionAdjusted is a change by hand.
	TransactionAdjusted TransactionKind = 'A'
	// TransactionTransferred moves money from a gift card to a customer's credit; it
	// is on both.
	TransactionTransferred TransactionKind = 'T'
	// TransactionApplied uses credit for an invoice.
	TransactionApplied TransactionKind = 'U'
)

// BalanceTransaction is one movement of the balance of a gift card or of a
// customer.
type BalanceTransaction struct {
	// Position counts from 1 on each gift card, and for each customer.
	Position int64
	Kind     TransactionKind
	Currency Currency
	// AmountMinor is what the balance grew by, and BalanceMinor what it was then.
	AmountMinor  int64
	BalanceMinor int64
	Time         time.Time

	// RequestID is that of the call that issued, adjusted or transferred; it is empty
	// on what a program's option transferred.
	RequestID string
	Reason    string
	// Redemption is what took or gave back.
	Redemption RedemptionName
	// Card is where a customer's credit came from.
	Card PromotionCodeName
	// InvoiceID is what credit was used for.
	InvoiceID string
}

// IssueGiftCard issues a gift card in the program PromotionCode.Name.Coupon. The
// id and the times are filled in by whoever carries it out.
type IssueGiftCard struct {
	RequestID     string
	PromotionCode PromotionCode
	// Given is the code that the caller gave, in full. No other promotion code may hold
	// it. It is not stored. It is zero for one that was generated.
	Given Code `json:"-"`
}

// Twin returns the form by which a promotion code that is no gift card would hold the
// same code, or nothing.
func (cmd *IssueGiftCard) Twin() string { return cmd.Given.Form() }

// GetGiftCard reads a gift card: by its name or, when that is empty, by its code.
// Only a card that holds its code is found by it; of several, each bound to another
// customer, the first by identity.
type GetGiftCard struct {
	Name PromotionCodeName
	Code CodeHash
}

// AdjustGiftCard adds to the balance of a gift card, or takes from it when the
// amount is below zero. The balance never is.
type AdjustGiftCard struct {
	RequestID   string
	Name        PromotionCodeName
	AmountMinor int64
	Reason      string
}

// GiftCardTransactionQuery asks for the history of a gift card, in its order.
type GiftCardTransactionQuery struct {
	Page
	Name PromotionCodeName
}

// TransferToCredit moves an amount, or everything when it is nil, from a gift card
// to the credit of a customer, who is known by one identity.
type TransferToCredit struct {
	RequestID   string
	Name        PromotionCodeName
	Customer    Customer
	AmountMinor *int64
}

// GetCustomerBalance reads the credit of a customer.
type GetCustomerBalance struct{ Holder Identity }

// AdjustCustomerBalance adds to the credit of a customer, or takes from it when
// the amount is below zero. The balance never is.
type AdjustCustomerBalance struct {
	RequestID string
	Holder    Identity
	Amount    Money
	Reason    string
}

// ApplyCredit uses what there is of a customer's credit for an invoice, up to an
// amount, once for each invoice.
type ApplyCredit struct {
	// InvoiceID names the invoice among those of Redemption, whose renewal it is, or
	// among those that the customer's credit was used for by itself.
	InvoiceID  string
	Redemption RedemptionName
	Holder     Identity
	UpTo       Money
}

// Invoice identifies the invoice among all of the customer's.
func (cmd ApplyCredit) Invoice() string {
	if cmd.Redemption == (RedemptionName{}) {
		return cmd.InvoiceID
	}
	return cmd.Redemption.String() + "\t" + cmd.InvoiceID // which has no tab
}

// CustomerTransactionQuery asks for the history of a customer's credit, in its
// order.
type CustomerTransactionQuery struct {
	Page
	Holder Identity
}

// GiftCardView is a gift card as an answer shows it.
type GiftCardView struct {
	PromotionCodeView
	Currency Currency
	// Latest has the last transactions, at most LatestTransactions; only GetGiftCard
	// tells them.
	Latest []BalanceTransaction
}

// LatestTransactions is how many transactions are told with a gift card.
const LatestTransactions = 20

// CustomerBalance is a customer's credit: an amount for each currency that was ever
// in it, by the currencies' names.
type CustomerBalance struct {
	Holder  Identity
	Amounts []Money
}

// balanceName says in errors whose balance it is, without telling who.
type balanceName struct{ currency Currency }

func (n balanceName) String() string { return "the customer's balance in " + string(n.currency) }

// CustomerBalanceExceeded returns the error that a customer's balance is not
// enough.
func CustomerBalanceExceeded(balance Money) error {
	return &AmountExceededError{Name: balanceName{balance.Currency}, LimitMinor: balance.AmountMinor}
}

// CardFull returns the error that the balance of a gift card, with all that was spent
// in its program, would become more than can be counted exactly.
func CardFull() error {
	return &TooManyError{What: "minor units on a gift card, with what was spent in its program", Limit: MaxAmount}
}

// CreditFull returns the error that a customer's credit would become more than can be
// counted exactly, transfers that are on their way included.
func CreditFull() error {
	return &TooManyError{What: "minor units of one customer's credit in one currency", Limit: MaxAmount / 2}
}

// RemainderRequestID is the request id of the transfer that a redemption of a gift
// card brings about by an option of its program. No caller can have it.
func RemainderRequestID(r RedemptionName) string { return "\x00remainder " + string(r.ID) }

// CreditHolder returns whose credit belongs to a redemption: that of the customer by
// id or, when no id is known, by e-mail address. Empty is nobody's.
func (r *Redemption) CreditHolder() Identity {
	if who := r.Identities(); len(who) > 0 {
		return who[0]
	}
	return ""
}

// SendsRemainder reports whether a redemption that counts makes what is left on its
// gift card the customer's credit, and whose: that of the customer whom the card is
// bound to or, on a subscription, of the one who has redeemed it.
func (s *Snapshot) SendsRemainder(r *Redemption) (Customer, bool) {
	program, p := s.Coupon.Discount.GiftCards, s.PromotionCode
	if program == nil || !program.RemainderToCredit || p == nil || r.State != RedemptionRedeemed {
		return Customer{}, false
	}
	switch {
	case p.Scope() != "":
		return Customer{ID: p.CustomerID, EmailHash: p.EmailHash}, true
	case !r.Context.ofSubscription():
		return Customer{}, false
	case r.CustomerID != "":
		return Customer{ID: r.CustomerID}, true
	default:
		return Customer{EmailHash: r.EmailHash}, r.EmailHash != ""
	}
}

// checkAdjustment records what is wrong with the amount of an adjustment.
func checkAdjustment(amount int64, v *Violations, field string) {
	if amount == 0 || amount < -MaxAmount || amount > MaxAmount {
		v.Add(field, "must be %d to %d, and not 0", int64(-MaxAmount), int64(MaxAmount))
	}
}

// Check records what is wrong with cmd whatever the card.
func (cmd *AdjustGiftCard) Check(v *Violations) {
	checkAdjustment(cmd.AmountMinor, v, "amount_minor")
}

// Check records what is wrong with cmd whatever the balance.
func (cmd *AdjustCustomerBalance) Check(v *Violations) {
	checkMoneyCurrency(cmd.Amount, v, "amount")
	checkAdjustment(cmd.Amount.AmountMinor, v, "amount.amount_minor")
}

// Check records what is wrong with cmd whatever the balance.
func (cmd *ApplyCredit) Check(v *Violations) {
	CheckText(cmd.InvoiceID, 1, maxReferenceLength, v, "invoice_id")
	checkMoneyCurrency(cmd.UpTo, v, "amount")
	checkRange(v, "amount.amount_minor", cmd.UpTo.AmountMinor, 1, MaxAmount)
}

func checkMoneyCurrency(m Money, v *Violations, field string) {
	if _, err := ParseCurrency(string(m.Currency)); err != nil {
		v.Add(field+".currency_code", "%s", err)
	}
}

// CheckIssued records what is wrong with the amount of a gift card to be issued.
func CheckIssued(m Money, v *Violations, field string) {
	checkMoneyCurrency(m, v, field)
	checkRange(v, field+".amount_minor", m.AmountMinor, 1, MaxAmount)
}

// String returns the kind's name in the API.
func (k TransactionKind) String() string {
	switch k {
	case TransactionIssued:
		return "ISSUED"
	case TransactionRedeemed:
		return "REDEEMED"
	case TransactionReturned:
		return "RETURNED"
	case TransactionAdjusted:
		return "ADJUSTED"
	case TransactionTransferred:
		return "TRANSFERRED"
	case TransactionApplied:
		return "APPLIED"
	default:
		return fmt.Sprintf("unknown (%q)", byte(k))
	}
}
