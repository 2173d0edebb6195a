// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package acceptance

import discountv1 "github.com/discountd/discountd/gen/discount/v1"

// The reasons and statuses of the API, under names that fit into a sentence.
const (
	codeNotFound        = discountv1.IneligibilityReason_INELIGIBILITY_REASON_CODE_NOT_FOUND
	codeMalformed       = discountv1.IneligibilityReason_INELIGIBILITY_REASON_CODE_MALFORMED
	codeInactive        = discountv1.IneligibilityReason_INELIGIBILITY_REASON_CODE_INACTIVE
	notYetActive        = discountv1.IneligibilityReason_INELIGIBILITY_REASON_NOT_YET_ACTIVE
	codeExpired         = discountv1.IneligibilityReason_INELIGIBILITY_REASON_CODE_EXPIRED
	couponExpired       = discountv1.IneligibilityReason_INELIGIBILITY_REASON_COUPON_EXPIRED
	couponDeleted       = discountv1.IneligibilityReason_INELIGIBILITY_REASON_COUPON_DELETED
	codeUsedUp          = discountv1.IneligibilityReason_INELIGIBILITY_REASON_CODE_MAX_REDEMPTIONS_REACHED
	couponUsedUp        = discountv1.IneligibilityReason_INELIGIBILITY_REASON_COUPON_MAX_REDEMPTIONS_REACHED
	customerUsedUp      = discountv1.IneligibilityReason_INELIGIBILITY_REASON_CUSTOMER_MAX_REDEMPTIONS_REACHED
	customerRequired    = discountv1.IneligibilityReason_INELIGIBILITY_REASON_CUSTOMER_REQUIRED
	customerMismatch    = discountv1.IneligibilityReason_INELIGIBILITY_REASON_CUSTOMER_MISMATCH
	notFirstTransaction = discountv1.IneligibilityReason_INELIGIBILITY_REASON_NOT_FIRST_TRANSACTION
	orderRequired       = discountv1.IneligibilityReason_INELIGIBILITY_REASON_ORDER_REQUIRED
	amountTooSmall      = discountv1.IneligibilityReason_INELIGIBILITY_REASON_MINIMUM_AMOUNT_NOT_MET
	quantityTooSmall    = discountv1.IneligibilityReason_INELIGIBILITY_REASON_MINIMUM_QUANTITY_NOT_MET
	quantityTooLarge    = discountv1.IneligibilityReason_INELIGIBILITY_REASON_MAXIMUM_QUANTITY_EXCEEDED
	currencyMismatch    = discountv1.IneligibilityReason_INELIGIBILITY_REASON_CURRENCY_MISMATCH
	giftCardSpent       = discountv1.IneligibilityReason_INELIGIBILITY_REASON_GIFT_BALANCE_EXHAUSTED
	noApplicableItems   = discountv1.IneligibilityReason_INELIGIBILITY_REASON_NO_APPLICABLE_ITEMS
	budgetExhausted     = discountv1.IneligibilityReason_INELIGIBILITY_REASON_BUDGET_EXHAUSTED
	budgetInsufficient  = discountv1.IneligibilityReason_INELIGIBILITY_REASON_BUDGET_INSUFFICIENT
	contextNotAllowed   = discountv1.IneligibilityReason_INELIGIBILITY_REASON_CONTEXT_NOT_ALLOWED
	alreadyDiscounted   = discountv1.IneligibilityReason_INELIGIBILITY_REASON_SUBSCRIPTION_ALREADY_DISCOUNTED

	applied     = discountv1.RenewalOutcome_RENEWAL_OUTCOME_APPLIED
	nothingDue  = discountv1.RenewalOutcome_RENEWAL_OUTCOME_NOTHING
	hasEnded    = discountv1.RenewalOutcome_RENEWAL_OUTCOME_ENDED
	isOnce      = discountv1.DiscountDuration_DISCOUNT_DURATION_ONCE
	isRepeating = discountv1.DiscountDuration_DISCOUNT_DURATION_REPEATING
	isForever   = discountv1.DiscountDuration_DISCOUNT_DURATION_FOREVER
	isInCycles  = discountv1.DiscountDuration_DISCOUNT_DURATION_CYCLES

	active        = discountv1.PromotionCodeStatus_PROMOTION_CODE_STATUS_ACTIVE
	scheduled     = discountv1.PromotionCodeStatus_PROMOTION_CODE_STATUS_SCHEDULED
	inactive      = discountv1.PromotionCodeStatus_PROMOTION_CODE_STATUS_INACTIVE
	expired       = discountv1.PromotionCodeStatus_PROMOTION_CODE_STATUS_EXPIRED
	exhausted     = discountv1.PromotionCodeStatus_PROMOTION_CODE_STATUS_EXHAUSTED
	couponInvalid = discountv1.PromotionCodeStatus_PROMOTION_CODE_STATUS_COUPON_INVALID
	superseded    = discountv1.PromotionCodeStatus_PROMOTION_CODE_STATUS_SUPERSEDED
	deleted       = discountv1.PromotionCodeStatus_PROMOTION_CODE_STATUS_DELETED
)
