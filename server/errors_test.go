// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/discountd/discountd/domain"
	discountv1 "github.com/discountd/discountd/gen/discount/v1"
	"github.com/discountd/discountd/internal/requests"
	"github.com/discountd/discountd/server"
)

var update = flag.Bool("update", false, "write the golden files anew")

// The requests that the errors are the answers to; the store decides.
const (
	aRedeem   = `request_id: "r" coupon: "coupons/fall"`
	aCoupon   = `name: "coupons/fall"`
	anUpdate  = `coupon { name: "coupons/fall" } update_mask { paths: "metadata" }`
	aCreation = `coupon { percent_off { basis_points: 2500 } } coupon_id: "fall"`
	aSettled  = `name: "coupons/fall/redemptions/1-abc" request_id: "r"`
	aCode     = `name: "coupons/fall/promotionCodes/00000000"`
	aVoid     = `name: "coupons/fall/redemptions/1-abc" request_id: "r" amount_minor: 500`
	anAdjust  = aCode + ` request_id: "r" amount_minor: -500 reason: "returned"`
	aTransfer = `gift_card: "coupons/fall/promotionCodes/00000000" request_id: "r" customer_id: "c"`
	anInvoice = `customer_id: "c" invoice_id: "in_1" amount { currency_code: "EUR" amount_minor: 500 }`
	aBooking  = `customer_id: "c" request_id: "r" amount { currency_code: "EUR" amount_minor: -500 } reason: "returned"`
	anIssue   = `parent: "coupons/fall" request_id: "r" code: "0123456789ABCDEF" balance { currency_code: "EUR" amount_minor: 500 }`
	aRenewal  = aSettled + ` invoice { id: "i" issued_at { seconds: 1 } currency_code: "EUR" lines { quantity: 1 } }`
	aNewCode  = `parent: "coupons/fall" promotion_code { code: "FALLPROMO" }`
)

// errSecret stands for what the store knows and no client may see.
var errSecret = errors.New("MISCONF d1:{c:fall} is not able to persist on disk")

// theErrors has every error that the service answers with, as the store reports
// it. The file of its name in testdata/errors is the status that the client gets.
var theErrors = []struct {
	name         string
	rpc, request string
	err          error
}{
	{"invalid_argument", "Redeem", `customer { email: "nobody" } order { currency_code: "EUR" lines { quantity: 0 } }`, nil},
	{"invalid_argument_one_field", "GetCoupon", `name: "fall"`, nil},
	{"invalid_argument_by_store", "CreatePromotionCode", aNewCode, &domain.InvalidError{Violations: domain.Violations{
		{Field: "promotion_code.expires_at", Description: "must not be after the coupon's redeem_by, 2026-01-01T00:00:00Z"},
	}}},
	{"request_id_reused", "Redeem", aRedeem, domain.ErrRequestIDReused},
	{"coupon_not_found", "GetCoupon", aCoupon, &domain.NotFoundError{Type: domain.CouponResource, Name: "coupons/fall"}},
	{"promotion_code_not_found", "GetPromotionCode", aCode, &domain.NotFoundError{
		Type: domain.PromotionCodeResource, Name: "coupons/fall/promotionCodes/00000000",
	}},
	{"redemption_not_found", "GetRedemption", `name: "coupons/fall/redemptions/1-abc"`, &domain.NotFoundError{
		Type: domain.RedemptionResource, Name: "coupons/fall/redemptions/1-abc",
	}},
	{"gift_card_not_found", "GetGiftCard", aCode, &domain.NotFoundError{
		Type: domain.GiftCardResource, Name: "coupons/fall/promotionCodes/00000000",
	}},
	{"gift_card_is_a_promotion_code", "DisableGiftCard", aCode + `request_id: "r"`, &domain.NotFoundError{
		Type: domain.GiftCardResource, Name: "coupons/fall/promotionCodes/00000000", Ordinary: true,
	}},
	{"gift_card_not_found_by_code", "GetGiftCard", `code: "0123456789ABCDEF"`, &domain.NotFoundError{Type: domain.GiftCardResource}},
	{"coupon_already_exists", "CreateCoupon", aCreation, &domain.AlreadyExistsError{
		Type: domain.CouponResource, Name: "coupons/fall",
	}},
	{"code_already_active", "ActivatePromotionCode", aCode, &domain.AlreadyExistsError{
		Type: domain.PromotionCodeResource, Name: "coupons/spring/promotionCodes/00001111", Code: "FALLPROMO",
	}},
	{"coupon_deleted", "UpdateCoupon", anUpdate, &domain.DeletedError{Type: domain.CouponResource, Name: "coupons/fall"}},
	{"promotion_code_deleted", "ActivatePromotionCode", aCode, &domain.DeletedError{
		Type: domain.PromotionCodeResource, Name: "coupons/fall/promotionCodes/00000000",
	}},
	{"redemption_refused", "Redeem", aRedeem, &domain.RefusedError{Ineligibilities: everyIneligibility()}},
	{"redemption_refused_one_reason", "Redeem", aRedeem, &domain.RefusedError{Ineligibilities: []domain.Ineligibility{
		{Reason: domain.CouponMaxRedemptionsReached, Limit: 50},
	}}},
	{"promotion_code_refused", "ActivatePromotionCode", aCode, &domain.RefusedError{Ineligibilities: []domain.Ineligibility{
		{Reason: domain.CouponExpired, At: anInstant},
		{Reason: domain.CodeExpired, At: anInstant},
		{Reason: domain.CodeMaxRedemptionsReached, Limit: 20},
	}}},
	{"promotion_code_creation_refused", "CreatePromotionCode", aNewCode, &domain.RefusedError{Ineligibilities: []domain.Ineligibility{
		{Reason: domain.CouponDeleted},
	}}},
	{"commit_refused", "CommitRedemption", aSettled, &domain.RefusedError{Ineligibilities: []domain.Ineligibility{
		{Reason: domain.FullyReserved, RetryAfter: 90*time.Second + 250*time.Millisecond},
	}}},
	{"redemption_reserved", "VoidRedemption", aSettled, &domain.RedemptionStateError{Name: aRedemption, State: domain.RedemptionReserved}},
	{"redemption_redeemed", "ReleaseRedemption", aSettled, &domain.RedemptionStateError{Name: aRedemption, State: domain.RedemptionRedeemed}},
	{"redemption_released", "CommitRedemption", aSettled, &domain.RedemptionStateError{Name: aRedemption, State: domain.RedemptionReleased}},
	{"redemption_expired", "VoidRedemption", aSettled, &domain.RedemptionStateError{Name: aRedemption, State: domain.RedemptionExpired}},
	{"redemption_voided", "CommitRedemption", aSettled, &domain.RedemptionStateError{Name: aRedemption, State: domain.RedemptionVoided}},
	{"amount_exceeded", "VoidRedemption", aVoid, &domain.AmountExceededError{Name: aRedemption, LimitMinor: 499}},
	{"gift_card_balance_exceeded", "AdjustGiftCard", anAdjust, &domain.AmountExceededError{
		Name: domain.PromotionCodeName{Coupon: "fall", ID: "00000000"}, LimitMinor: 499,
	}},
	{"customer_balance_exceeded", "AdjustCustomerBalance", aBooking, domain.CustomerBalanceExceeded(domain.Money{Currency: "EUR", AmountMinor: 499})},
	{"gift_card_full", "AdjustGiftCard", anAdjust, domain.CardFull()},
	{"balance_full", "TransferToCredit", aTransfer, domain.CreditFull()},
	{"gift_card_refused", "TransferToCredit", aTransfer, &domain.RefusedError{Ineligibilities: []domain.Ineligibility{
		{Reason: domain.GiftBalanceExhausted},
	}}},
	{"gift_card_creation_refused", "IssueGiftCard", anIssue, &domain.RefusedError{Ineligibilities: []domain.Ineligibility{
		{Reason: domain.CouponDeleted},
	}}},
	{"gift_card_code_taken", "IssueGiftCard", anIssue, &domain.AlreadyExistsError{
		Type: domain.PromotionCodeResource, Name: "coupons/fall/promotionCodes/00001111", Code: "****CDEF",
	}},
	{"credit_invoice_reused", "ApplyCredit", anInvoice, domain.ErrInvoiceIDReused},
	{"no_subscription", "EndDiscount", aSettled, &domain.NoSubscriptionError{Name: aRedemption}},
	{"invoice_id_reused", "ApplyRenewal", aRenewal, domain.ErrInvoiceIDReused},
	{"service_limit_reached", "CreatePromotionCode", aNewCode, &domain.TooManyError{
		What: "promotion codes bound to customers share one code", Limit: 10_000,
	}},
	{"overloaded", "Redeem", aRedeem, &domain.OverloadedError{RetryAfter: 100 * time.Millisecond}},
	{"configuration_changed", "UpdateCoupon", anUpdate, domain.ErrAborted},
	{"store_unavailable", "Redeem", aRedeem, &domain.UnavailableError{RetryAfter: 250 * time.Millisecond, Cause: errSecret}},
	{"server_stopping", "Redeem", aRedeem, server.ErrStopping},
	{"outcome_unknown", "Redeem", aRedeem, &domain.UnavailableError{OutcomeUnknown: true, Cause: errSecret}},
	{"deadline_exceeded", "Redeem", aRedeem, context.DeadlineExceeded},
	{"cancelled", "Redeem", aRedeem, context.Canceled},
	{"internal", "Redeem", aRedeem, errSecret},
}

var aRedemption = domain.RedemptionName{Coupon: "fall", ID: "1-abc"}

var anInstant = time.Date(2026, 1, 31, 23, 59, 59, 999_000_000, time.UTC)

// everyIneligibility has every reason, with the parameters it has.
func everyIneligibility() []domain.Ineligibility {
	var out []domain.Ineligibility
	for reason := domain.CodeNotFound; reason <= domain.SubscriptionAlreadyDiscounted; reason++ {
		i := domain.Ineligibility{Reason: reason}
		switch reason {
		case domain.NotYetActive, domain.CodeExpired, domain.CouponExpired:
			i.At = anInstant
		case domain.MinimumAmountNotMet:
			i.Required = domain.Money{Currency: "EUR", AmountMinor: 10_000}
			i.Actual = domain.Money{Currency: "EUR", AmountMinor: 9_999}
		case domain.MinimumQuantityNotMet:
			i.RequiredQuantity, i.ActualQuantity = 3, 2
		case domain.MaximumQuantityExceeded:
			i.RequiredQuantity, i.ActualQuantity = 3, 4
		case domain.CodeMaxRedemptionsReached, domain.CouponMaxRedemptionsReached, domain.CustomerMaxRedemptionsReached:
			i.Limit = 50
		case domain.PeriodLimitReached:
			i.Limit, i.At = 50, anInstant
		case domain.FullyReserved:
			i.RetryAfter = 15 * time.Minute
		case domain.BudgetInsufficient:
			i.Remaining = domain.Money{Currency: "EUR", AmountMinor: 499}
		case domain.SubscriptionAlreadyDiscounted:
			i.Redemption = aRedemption
		}
		out = append(out, i)
	}
	return out
}

func TestErrorsAreAsInTheGoldenFiles(t *testing.T) {
	for _, e := range theErrors {
		t.Run(e.name, func(t *testing.T) {
			store := &stub{err: fmt.Errorf("in the store: %w", e.err)}
			_, err := start(t, store).call(t, e.rpc, request(t, e.rpc, e.request))
			got := requests.StatusJSON(t, err)
			golden := filepath.Join("testdata", "errors", e.name+".json")
			if *update {
				if err := os.WriteFile(golden, got, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("the status differs from %s (-want +got):\n%s", golden, diff)
			}
		})
	}
}

func TestEveryErrorTellsItsReasonAndNothingOfTheStore(t *testing.T) {
	for _, e := range theErrors {
		_, err := start(t, &stub{err: e.err}).call(t, e.rpc, request(t, e.rpc, e.request))
		info := detail[*errdetails.ErrorInfo](t, err)
		if info.GetReason() == "" || info.GetDomain() != "discountd" {
			t.Errorf("%s: ErrorInfo is %v", e.name, info)
		}
		for key, value := range info.GetMetadata() {
			if key == "code" || strings.HasPrefix(key, "more_") || isParameterOnly(key) {
				continue
			}
			if !strings.Contains(status.Convert(err).Message(), value) {
				t.Errorf("%s: %s = %q is not a part of the message %q", e.name, key, value, status.Convert(err).Message())
			}
		}
		if text := string(requests.StatusJSON(t, err)); strings.Contains(text, "MISCONF") || strings.Contains(text, "in the store") {
			t.Errorf("%s tells of the store: %s", e.name, text)
		}
	}
}

// isParameterOnly reports whether the message has this parameter in another form, or
// not at all: an instant to the second, an amount with words around it, a time that
// is over soon.
func isParameterOnly(key string) bool {
	switch key {
	case "starts_at", "expires_at", "redeem_by", "required_amount", "actual_amount", "resets_at", "retry_after", "remaining":
		return true
	default:
		return false
	}
}

func TestAStatusFitsTheHeadersThatEveryClientTakes(t *testing.T) {
	const enough = 8 << 10 // what gRPC for Java and for Python take
	var many domain.Violations
	for i := range domain.MaxViolations {
		many = append(many, domain.FieldViolation{
			Field:       fmt.Sprintf("order.lines[%d].%s", i, strings.Repeat("ü", 200)),
			Description: strings.Repeat("🙂", 200),
		})
	}
	for name, cause := range map[string]error{
		"many violations": &domain.InvalidError{Violations: many},
		"every reason":    &domain.RefusedError{Ineligibilities: everyIneligibility()},
	} {
		_, err := start(t, &stub{err: cause}).call(t, "Redeem", request(t, "Redeem", aRedeem))
		if size := proto.Size(status.Convert(err).Proto())*4/3 + len(status.Convert(err).Message())*3; size > enough {
			t.Errorf("%s: the status takes %d bytes of headers", name, size)
		}
	}
	_, err := start(t, &stub{err: &domain.InvalidError{Violations: many}}).call(t, "Redeem", request(t, "Redeem", aRedeem))
	if len(detail[*errdetails.BadRequest](t, err).GetFieldViolations()) == 0 {
		t.Error("no violation is left")
	}
}

func TestErrorsOfGRPCStayAsTheyAre(t *testing.T) {
	s := start(t, &stub{})
	err := s.conn.Invoke(t.Context(), "/discount.v1.CouponService/NoSuchMethod", request(t, "GetCoupon", ""), request(t, "GetCoupon", ""))
	if status.Code(err) != codes.Unimplemented {
		t.Errorf("an unknown method is %v", err)
	}
	_, err = s.call(t, "GetCoupon", request(t, "GetCoupon", fmt.Sprintf("name: %q", strings.Repeat("x", 256<<10))))
	if status.Code(err) != codes.ResourceExhausted {
		t.Errorf("a message that is too large is %v", err)
	}
}

// TestEveryReasonIsAnsweredAndDocumented holds the constants against the errors
// above, and both against docs/errors.md.
func TestEveryReasonIsAnsweredAndDocumented(t *testing.T) {
	source, err := os.ReadFile("reasons.go")
	if err != nil {
		t.Fatal(err)
	}
	declared := map[string]bool{} // reason -> whether an error here has it
	for _, match := range regexp.MustCompile(`Reason\w+ +Reason = "(\w+)"`).FindAllSubmatch(source, -1) {
		declared[string(match[1])] = false
	}
	if len(declared) == 0 {
		t.Fatal("no reason is declared")
	}
	doc, err := os.ReadFile(filepath.Join("..", "docs", "errors.md"))
	if err != nil {
		t.Fatal(err)
	}
	documented := func(word string) {
		if !strings.Contains(string(doc), "`"+word+"`") {
			t.Errorf("docs/errors.md says nothing of %s", word)
		}
	}
	for _, e := range theErrors {
		_, err := start(t, &stub{err: e.err}).call(t, e.rpc, request(t, e.rpc, e.request))
		documented(code.Code(status.Code(err)).String())
		if refused, ok := errors.AsType[*domain.RefusedError](e.err); ok {
			for _, i := range refused.Ineligibilities {
				documented(strings.TrimPrefix(discountv1.IneligibilityReason(i.Reason).String(), "INELIGIBILITY_REASON_"))
			}
			continue
		}
		declared[detail[*errdetails.ErrorInfo](t, err).GetReason()] = true
	}
	for reason, answered := range declared {
		if !answered {
			t.Errorf("no error here has the reason %s", reason)
		}
		documented(reason)
	}
}

// detail returns the only detail of type M that err has.
func detail[M proto.Message](t testing.TB, err error) M {
	t.Helper()
	var found []M
	for _, d := range status.Convert(err).Details() {
		if m, ok := d.(M); ok {
			found = append(found, m)
		}
	}
	if len(found) != 1 {
		var none M
		t.Fatalf("%v has %d details of type %T", err, len(found), none)
	}
	return found[0]
}
