// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package server

import "github.com/discountd/discountd/domain"

// errorDomain is the domain of every google.rpc.ErrorInfo.
const errorDomain = "discountd"

// Reason is the reason of a google.rpc.ErrorInfo: stable, and meant for
// programs. A refusal's reason is the name of its first ineligibility and not
// among the constants.
type Reason string

// The reasons. docs/errors.md tells what to do about each.
const (
	ReasonInvalidArgument  Reason = "INVALID_ARGUMENT"
	ReasonRequestIDReused  Reason = "REQUEST_ID_REUSED"
	ReasonInvoiceIDReused  Reason = "INVOICE_ID_REUSED"
	ReasonDeadlineExceeded Reason = "DEADLINE_EXCEEDED"
	ReasonCancelled        Reason = "CANCELLED"
	ReasonInternal         Reason = "INTERNAL"

	ReasonCouponNotFound        Reason = "COUPON_NOT_FOUND"
	ReasonPromotionCodeNotFound Reason = "PROMOTION_CODE_NOT_FOUND"
	ReasonRedemptionNotFound    Reason = "REDEMPTION_NOT_FOUND"
	ReasonGiftCardNotFound      Reason = "GIFT_CARD_NOT_FOUND"
	ReasonCouponAlreadyExists   Reason = "COUPON_ALREADY_EXISTS"
	ReasonCodeAlreadyActive     Reason = "CODE_ALREADY_ACTIVE"
	ReasonCouponDeleted         Reason = "COUPON_DELETED"
	ReasonPromotionCodeDeleted  Reason = "PROMOTION_CODE_DELETED"

	// What was asked for cannot be done to a redemption in this state.
	ReasonRedemptionReserved Reason = "REDEMPTION_RESERVED"
	ReasonRedemptionRedeemed Reason = "REDEMPTION_REDEEMED"
	ReasonRedemptionReleased Reason = "REDEMPTION_RELEASED"
	ReasonRedemptionExpired  Reason = "REDEMPTION_EXPIRED"
	ReasonRedemptionVoided   Reason = "REDEMPTION_VOIDED"
	ReasonAmountExceeded     Reason = "AMOUNT_EXCEEDED"
	ReasonNoSubscription     Reason = "NO_SUBSCRIPTION"

	ReasonServiceLimitReached  Reason = "SERVICE_LIMIT_REACHED"
	ReasonOverloaded           Reason = "OVERLOADED"
	ReasonConfigurationChanged Reason = "CONFIGURATION_CHANGED"
	ReasonStoreUnavailable     Reason = "STORE_UNAVAILABLE"
	ReasonServerStopping       Reason = "SERVER_STOPPING"
	ReasonOutcomeUnknown       Reason = "OUTCOME_UNKNOWN"
)

// The reasons that depend on the type of a resource or on its state. A combination
// that is not here does not occur.
var (
	notFoundReasons = map[domain.ResourceType]Reason{
		domain.CouponResource:        ReasonCouponNotFound,
		domain.PromotionCodeResource: ReasonPromotionCodeNotFound,
		domain.RedemptionResource:    ReasonRedemptionNotFound,
		domain.GiftCardResource:      ReasonGiftCardNotFound,
	}
	alreadyExistsReasons = map[domain.ResourceType]Reason{
		domain.CouponResource:        ReasonCouponAlreadyExists,
		domain.PromotionCodeResource: ReasonCodeAlreadyActive,
	}
	deletedReasons = map[domain.ResourceType]Reason{
		domain.CouponResource:        ReasonCouponDeleted,
		domain.PromotionCodeResource: ReasonPromotionCodeDeleted,
	}
	stateReasons = map[domain.RedemptionState]Reason{
		domain.RedemptionReserved: ReasonRedemptionReserved,
		domain.RedemptionRedeemed: ReasonRedemptionRedeemed,
		domain.RedemptionReleased: ReasonRedemptionReleased,
		domain.RedemptionExpired:  ReasonRedemptionExpired,
		domain.RedemptionVoided:   ReasonRedemptionVoided,
	}
)
