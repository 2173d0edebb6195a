// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package domain

import (
	"errors"
	"fmt"
	"time"
)

// FieldViolation is one thing wrong with one field of a request. Field is its
// path in the API's names.
type FieldViolation struct {
	Field       string
	Description string
}

// MaxViolations is how many violations are recorded: a request of the largest
// size can have 100,000 bad fields, and nobody reads them all.
const MaxViolations = 100

// Violations collects what is wrong with a request. The zero value is ready.
type Violations []FieldViolation

// Add records that a field is wrong. A field that is already recorded is not
// recorded again: one violation a field. Beyond MaxViolations nothing is
// recorded.
func (v *Violations) Add(field, format string, args ...any) {
	if len(*v) >= MaxViolations {
		return
	}
	for _, have := range *v {
		if have.Field == field {
			return
		}
	}
	*v = append(*v, FieldViolation{field, fmt.Sprintf(format, args...)})
}

// Err returns nil when nothing was recorded, else an *InvalidError.
func (v Violations) Err() error {
	if len(v) == 0 {
		return nil
	}
	return &InvalidError{Violations: v}
}

// InvalidError says that a request is malformed; nothing was done.
type InvalidError struct{ Violations Violations }

func (e *InvalidError) Error() string {
	s := "invalid request"
	for _, v := range e.Violations {
		s += "; " + v.Field + ": " + v.Description
	}
	return s
}

// ResourceType tells the resources of the API apart.
type ResourceType string

// The resource types.
const (
	CouponResource        ResourceType = "discountd/Coupon"
	PromotionCodeResource ResourceType = "discountd/PromotionCode"
	RedemptionResource    ResourceType = "discountd/Redemption"
	GiftCardResource      ResourceType = "discountd/GiftCard"
)

// NotFoundError says that a resource name names nothing, or, without a name, that
// no gift card has a code.
type NotFoundError struct {
	Type ResourceType
	Name string
	// Ordinary is whether the name is that of a promotion code which is no gift card.
	Ordinary bool
}

func (e *NotFoundError) Error() string {
	switch {
	case e.Name == "":
		return "no gift card that can be used has this code"
	case e.Ordinary:
		return e.Name + " is a promotion code and no gift card"
	default:
		return e.Name + " does not exist"
	}
}

// AlreadyExistsError says that an id is taken, or that a code is held by another
// promotion code. Name is the resource in the way.
type AlreadyExistsError struct {
	Type ResourceType
	Name string
	// Code is the code asked for, when that is what is taken.
	Code string
}

func (e *AlreadyExistsError) Error() string {
	if e.Code != "" {
		return fmt.Sprintf("the code is held by %s, which is active", e.Name)
	}
	return e.Name + " exists already"
}

// RefusedError says that rules or limits do not allow a redemption or an
// activation; nothing was done.
type RefusedError struct{ Ineligibilities []Ineligibility }

func (e *RefusedError) Error() string {
	s := "refused"
	for _, i := range e.Ineligibilities {
		s += "; " + i.String()
	}
	return s
}

// DeletedError says that a deleted resource cannot be changed.
type DeletedError struct {
	Type ResourceType
	Name string
}

func (e *DeletedError) Error() string { return e.Name + " was deleted" }

// RedemptionStateError says that a redemption is not in a state in which it can be
// committed, released or voided; nothing was done.
type RedemptionStateError struct {
	Name  RedemptionName
	State RedemptionState
}

func (e *RedemptionStateError) Error() string {
	return fmt.Sprintf("%s is %s", e.Name, e.State)
}

// AmountExceededError says that more was asked for than there is of a redemption
// or on a balance; nothing was done.
type AmountExceededError struct {
	Name       fmt.Stringer
	LimitMinor int64
}

func (e *AmountExceededError) Error() string {
	return fmt.Sprintf("at most %d of %s is left", e.LimitMinor, e.Name)
}

// NoSubscriptionError says that a redemption has no discount on a subscription;
// nothing was done.
type NoSubscriptionError struct{ Name RedemptionName }

func (e *NoSubscriptionError) Error() string {
	return e.Name.String() + " was not redeemed for a subscription"
}

// ErrInvoiceIDReused says that an invoice with the same id and other content, or
// another amount, was answered before; nothing was done.
var ErrInvoiceIDReused = errors.New("the invoice's id was used before, with other content or another amount")

// TooManyError says that a bound of the service is reached.
type TooManyError struct {
	What  string
	Limit int64
}

func (e *TooManyError) Error() string { return fmt.Sprintf("at most %d %s", e.Limit, e.What) }

// OverloadedError says that more requests wait than the service takes on; nothing
// was done.
type OverloadedError struct {
	// RetryAfter is when it may be worth trying again.
	RetryAfter time.Duration
}

func (e *OverloadedError) Error() string { return "too many requests are waiting" }

// ErrRequestIDReused says that a request id was used for another request before;
// nothing was done.
var ErrRequestIDReused = errors.New("the request_id was used for another request")

// ErrAborted says that a race with a change of configuration was lost, or that an
// etag is not the current one; nothing was done.
var ErrAborted = errors.New("the configuration changed meanwhile; read it again and retry")

// UnavailableError says that the store could not be used.
type UnavailableError struct {
	// OutcomeUnknown is whether the request may have taken effect. If not, it
	// certainly has not.
	OutcomeUnknown bool
	// RetryAfter is when it may be worth trying again.
	RetryAfter time.Duration
	// Cause is for the log; it never reaches a client.
	Cause error
}

func (e *UnavailableError) Error() string {
	if e.OutcomeUnknown {
		return "the store did not answer; the request may have taken effect"
	}
	return "the store is not available"
}

func (e *UnavailableError) Unwrap() error { return e.Cause }
