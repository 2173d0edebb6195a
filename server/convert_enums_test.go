// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/discountd/discountd/domain"
	discountv1 "github.com/discountd/discountd/gen/discount/v1"
)

// TestEnumsHaveTheNumbersOfTheAPI covers the enums that are converted by number.
func TestEnumsHaveTheNumbersOfTheAPI(t *testing.T) {
	for _, e := range []struct {
		enum protoreflect.Enum
		want []uint8 // by number, from 0
		says []string
	}{
		{
			discountv1.DiscountDuration(0), numbers(domain.DurationDefault, domain.DurationOnce, domain.DurationRepeating, domain.DurationForever, domain.DurationCycles),
			[]string{"UNSPECIFIED", "ONCE", "REPEATING", "FOREVER", "CYCLES"},
		},
		{
			discountv1.Period(0), numbers[domain.Period](0, domain.PeriodDay, domain.PeriodWeek, domain.PeriodMonth),
			[]string{"UNSPECIFIED", "DAY", "WEEK", "MONTH"},
		},
		{
			discountv1.UnitOrder(0), numbers(domain.UnitOrderDefault, domain.CheapestFirst, domain.DearestFirst),
			[]string{"UNSPECIFIED", "CHEAPEST_FIRST", "DEAREST_FIRST"},
		},
		{
			discountv1.MinimumAmountBasis(0), numbers(domain.BasisDefault, domain.BasisWholeOrder, domain.BasisEligibleLines),
			[]string{"UNSPECIFIED", "WHOLE_ORDER", "ELIGIBLE_LINES"},
		},
		{
			discountv1.Allocation(0), numbers(domain.AllocationDefault, domain.AcrossProportional, domain.AcrossByQuantity, domain.PerLine, domain.PerUnit),
			[]string{"UNSPECIFIED", "ACROSS_PROPORTIONAL", "ACROSS_BY_QUANTITY", "PER_LINE", "PER_UNIT"},
		},
		{
			discountv1.RoundingScope(0), numbers(domain.RoundingDefault, domain.RoundPerOrder, domain.RoundPerLine, domain.RoundPerUnit),
			[]string{"UNSPECIFIED", "ORDER", "LINE", "UNIT"},
		},
		{
			discountv1.PromotionCodeStatus(0), numbers[domain.PromotionStatus](0, domain.StatusActive, domain.StatusScheduled, domain.StatusInactive,
				domain.StatusExpired, domain.StatusExhausted, domain.StatusCouponInvalid, domain.StatusSuperseded, domain.StatusDeleted, domain.StatusPending),
			[]string{"UNSPECIFIED", "ACTIVE", "SCHEDULED", "INACTIVE", "EXPIRED", "EXHAUSTED", "COUPON_INVALID", "SUPERSEDED", "DELETED", "PENDING"},
		},
		{
			discountv1.UseContext(0), numbers(domain.ContextDefault, domain.ContextCheckout, domain.ContextSubscriptionCreate,
				domain.ContextSubscriptionUpdate, domain.ContextInvoice, domain.ContextCustomer),
			[]string{"UNSPECIFIED", "CHECKOUT", "SUBSCRIPTION_CREATE", "SUBSCRIPTION_UPDATE", "INVOICE", "CUSTOMER"},
		},
		{
			discountv1.IneligibilityReason(0), numbers[domain.Reason](0, domain.CodeNotFound, domain.CodeMalformed, domain.CodeInactive,
				domain.NotYetActive, domain.CodeExpired, domain.CouponExpired, domain.CouponDeleted, domain.CodeMaxRedemptionsReached,
				domain.CouponMaxRedemptionsReached, domain.CustomerMaxRedemptionsReached, domain.PeriodLimitReached, domain.FullyReserved,
				domain.BudgetExhausted, domain.BudgetInsufficient, domain.CustomerRequired, domain.CustomerMismatch, domain.NotFirstTransaction,
				domain.OrderRequired, domain.MinimumAmountNotMet, domain.MinimumQuantityNotMet, domain.CurrencyMismatch,
				domain.NoApplicableItems, domain.GiftBalanceExhausted, domain.MaximumQuantityExceeded,
				domain.ContextNotAllowed, domain.SubscriptionAlreadyDiscounted),
			[]string{
				"UNSPECIFIED", "CODE_NOT_FOUND", "CODE_MALFORMED", "CODE_INACTIVE",
				"NOT_YET_ACTIVE", "CODE_EXPIRED", "COUPON_EXPIRED", "COUPON_DELETED", "CODE_MAX_REDEMPTIONS_REACHED",
				"COUPON_MAX_REDEMPTIONS_REACHED", "CUSTOMER_MAX_REDEMPTIONS_REACHED", "PERIOD_LIMIT_REACHED", "FULLY_RESERVED",
				"BUDGET_EXHAUSTED", "BUDGET_INSUFFICIENT", "CUSTOMER_REQUIRED", "CUSTOMER_MISMATCH", "NOT_FIRST_TRANSACTION",
				"ORDER_REQUIRED", "MINIMUM_AMOUNT_NOT_MET", "MINIMUM_QUANTITY_NOT_MET", "CURRENCY_MISMATCH",
				"NO_APPLICABLE_ITEMS", "GIFT_BALANCE_EXHAUSTED", "MAXIMUM_QUANTITY_EXCEEDED",
				"CONTEXT_NOT_ALLOWED", "SUBSCRIPTION_ALREADY_DISCOUNTED",
			},
		},
	} {
		all := e.enum.Descriptor().Values()
		if all.Len() != len(e.want) {
			t.Errorf("%s has %d values, the domain %d", e.enum.Descriptor().Name(), all.Len(), len(e.want))
		}
		prefix := strings.TrimSuffix(string(all.ByNumber(0).Name()), "UNSPECIFIED")
		for i, number := range e.want {
			value := all.ByNumber(protoreflect.EnumNumber(number))
			if value == nil || string(value.Name()) != prefix+e.says[i] {
				t.Errorf("%d is %v, want %s%s", number, value, prefix, e.says[i])
			}
		}
	}
}

func numbers[E ~uint8](values ...E) []uint8 {
	var out []uint8
	for _, v := range values {
		out = append(out, uint8(v))
	}
	return out
}

func TestEveryStateOfARedemptionHasANameInTheAPI(t *testing.T) {
	for state, want := range map[domain.RedemptionState]string{
		domain.RedemptionReserved: "RESERVED",
		domain.RedemptionRedeemed: "REDEEMED",
		domain.RedemptionReleased: "RELEASED",
		domain.RedemptionExpired:  "EXPIRED",
		domain.RedemptionVoided:   "VOIDED",
	} {
		got := writeRedemptionState(state)
		if got.String() != "REDEMPTION_STATE_"+want || state.String() != want {
			t.Errorf("%c is %s and %s, want %s", state, got, state, want)
		}
		if back := readRedemptionState(newReader(t), "state", got); back != state {
			t.Errorf("%s is %c, want %c", got, back, state)
		}
	}
}
