// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package domain

import (
	"fmt"
	"time"
)

// Reason says why a code does not apply. The names and numbers are those of the
// API and never change.
type Reason uint8

// The reasons, numbered as in the API.
const (
	_ Reason = iota
	CodeNotFound
	CodeMalformed
	CodeInactive
	NotYetActive
	CodeExpired
	CouponExpired
	CouponDeleted
	CodeMaxRedemptionsReached
	CouponMaxRedemptionsReached
	CustomerMaxRedemptionsReached
	PeriodLimitReached
	FullyReserved
	BudgetExhausted
	BudgetInsufficient
	CustomerRequired
	CustomerMismatch
	NotFirstTransaction
	OrderRequired
	MinimumAmountNotMet
	MinimumQuantityNotMet
	CurrencyMismatch
	NoApplicableItems
	GiftBalanceExhausted
	MaximumQuantityExceeded
	ContextNotAllowed
	SubscriptionAlreadyDiscounted
)

// Ineligibility is one reason why a code does not apply, with the parameters
// that the reason has.
type Ineligibility struct {
	Reason Reason
	// Held is whether reservations are open that may give back what is missing: of a
	// budget, of a customer's uses, of the uses of a period that is over, or of what is
	// on a gift card. The counters tell whether there are any, and only for a gift card
	// that they hold some of it.
	Held bool

	// At is the instant of NotYetActive, CodeExpired, CouponExpired and
	// PeriodLimitReached.
	At time.Time
	// RetryAfter is how long FullyReserved lasts at the least, unless somebody
	// gives a reservation back.
	RetryAfter time.Duration
	// Remaining is what is left of BudgetInsufficient.
	Remaining Money
	// Required and Actual are the amounts of MinimumAmountNotMet.
	Required, Actual Money
	// RequiredQuantity and ActualQuantity belong to MinimumQuantityNotMet and
	// MaximumQuantityExceeded.
	RequiredQuantity, ActualQuantity int64
	// Limit is the limit of the three max-redemptions reasons and of
	// PeriodLimitReached.
	Limit int64
	// Redemption is the one that SubscriptionAlreadyDiscounted is about.
	Redemption RedemptionName
}

// Retryable reports whether the same request can succeed later without a change
// by anyone.
func (i Ineligibility) Retryable() bool {
	switch i.Reason {
	case NotYetActive, FullyReserved:
		return true
	case PeriodLimitReached:
		return i.Held || !i.At.IsZero()
	case BudgetExhausted, BudgetInsufficient, CustomerMaxRedemptionsReached, GiftBalanceExhausted:
		return i.Held
	default:
		return false
	}
}

// String says it in a sentence for developers.
func (i Ineligibility) String() string {
	switch {
	case i.Held && i.Reason == GiftBalanceExhausted:
		return "reservations hold the rest of the gift card's balance"
	case i.Held && i.Reason == BudgetExhausted:
		return "nothing is left of the budget; reservations may hold a part of it"
	case i.Held:
		return i.sentence() + "; reservations may hold a part of it"
	default:
		return i.sentence()
	}
}

// sentence is String when no reservations are held.
func (i Ineligibility) sentence() string {
	switch i.Reason {
	case CodeNotFound:
		return "no promotion code has this code"
	case CodeMalformed:
		return "a code is 1 to 64 letters, digits, '-' or '_'"
	case CodeInactive:
		return "the promotion code is not active"
	case NotYetActive:
		return "it can be redeemed from " + i.At.UTC().Format(time.RFC3339) + " on"
	case CodeExpired:
		return "the promotion code expired at " + i.At.UTC().Format(time.RFC3339)
	case CouponExpired:
		return "the coupon could be redeemed until " + i.At.UTC().Format(time.RFC3339)
	case CouponDeleted:
		return "the coupon was deleted"
	case CodeMaxRedemptionsReached:
		return fmt.Sprintf("the promotion code's max_redemptions of %d is reached", i.Limit)
	case CouponMaxRedemptionsReached:
		return fmt.Sprintf("the coupon's max_redemptions of %d is reached", i.Limit)
	case CustomerMaxRedemptionsReached:
		return fmt.Sprintf("the max_redemptions_per_customer of %d is reached", i.Limit)
	case PeriodLimitReached:
		if i.At.IsZero() {
			return fmt.Sprintf("max_redemptions of %d is reached in the period of the reservation", i.Limit)
		}
		return fmt.Sprintf("max_redemptions of %d per period is reached until %s", i.Limit, i.At.UTC().Format(time.RFC3339))
	case FullyReserved:
		return "everything that is left is reserved"
	case BudgetExhausted:
		return "the budget is spent"
	case BudgetInsufficient:
		return fmt.Sprintf("the budget has %d %s left (in the minor unit), less than the discount", i.Remaining.AmountMinor, i.Remaining.Currency)
	case CustomerRequired:
		return "a customer is required"
	case CustomerMismatch:
		return "it is bound to another customer"
	case NotFirstTransaction:
		return "it is for first-time customers"
	case OrderRequired:
		return "an order is required"
	case MinimumAmountNotMet:
		return fmt.Sprintf("the order must reach %d %s and has %d (in the minor unit)",
			i.Required.AmountMinor, i.Required.Currency, i.Actual.AmountMinor)
	case MinimumQuantityNotMet:
		return fmt.Sprintf("at least %d eligible units are needed and the order has %d", i.RequiredQuantity, i.ActualQuantity)
	case MaximumQuantityExceeded:
		return fmt.Sprintf("at most %d eligible units are allowed and the order has %d", i.RequiredQuantity, i.ActualQuantity)
	case CurrencyMismatch:
		return "it does not apply to orders in this currency"
	case NoApplicableItems:
		return "it applies to nothing in the order"
	case GiftBalanceExhausted:
		return "the gift card's balance is spent"
	case ContextNotAllowed:
		return "a code with a minimum amount is for purchases"
	case SubscriptionAlreadyDiscounted:
		return "the subscription has a discount already, by " + i.Redemption.String()
	default:
		return fmt.Sprintf("reason %d", i.Reason)
	}
}
