// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/discountd/discountd/domain"
	"github.com/discountd/discountd/internal/requests"
)

// TestWhatIsAskedArrivesAtTheStore has one whole request for every RPC and the
// command or query that the store gets. What coupons and promotion codes hold is
// covered field by field where they are converted.
func TestWhatIsAskedArrivesAtTheStore(t *testing.T) {
	code, err := domain.ParseCode("Fall-Promo")
	if err != nil {
		t.Fatal(err)
	}
	hasher, err := domain.NewHasher([]byte(strings.Repeat("k", domain.MinHashKeyLength)))
	if err != nil {
		t.Fatal(err)
	}
	email, err := hasher.HashEmail("jane@example.org")
	if err != nil {
		t.Fatal(err)
	}
	name := domain.PromotionCodeName{Coupon: "fall", ID: "00000000"}
	fall, err := domain.ParseCode("fall")
	if err != nil {
		t.Fatal(err)
	}
	purchase := domain.ValidateRequest{
		Source:   domain.Source{Code: " fall ", Hash: hasher.HashCode(fall)},
		Customer: domain.Customer{ID: "c", EmailHash: email, HasPriorTransactions: true},
		Order: &domain.Order{ID: "o", Currency: "EUR", ShippingAmountMinor: 5, Lines: []domain.OrderLine{
			{ID: "1", ProductID: "p", CategoryIDs: []string{"x", "y"}, UnitAmountMinor: 100, Quantity: 2, OnSale: true, MinUnitAmountMinor: 50},
			{ID: "second", Quantity: 1},
		}},
	}
	const purchaseText = ` code: " fall " customer { id: "c" email: "Jane@Example.ORG" has_prior_transactions: true }
		order { id: "o" currency_code: "EUR" shipping_amount_minor: 5
			lines { product_id: "p" category_ids: "x" category_ids: "y" unit_amount_minor: 100 quantity: 2 on_sale: true min_unit_amount_minor: 50 }
			lines { id: "second" quantity: 1 } }`

	store := &stub{}
	s := start(t, store)
	for _, c := range []struct {
		rpc, request string
		want         any
	}{
		{"CreateCoupon", `request_id: "r" coupon_id: "fall" coupon { name: "coupons/other" percent_off { basis_points: 2500 }
				redeem_by { seconds: 1 nanos: 2999999 } times_redeemed: 7 etag: "any" }`, domain.CreateCoupon{
			RequestID: "r", Coupon: domain.Coupon{
				ID:       "fall",
				Terms:    domain.Terms{Discount: domain.Discount{PercentOff: &domain.PercentOff{BasisPoints: 2500}}},
				RedeemBy: time.UnixMilli(1002).UTC(),
			},
		}},
		{"GetCoupon", `name: "coupons/fall"`, domain.CouponID("fall")},
		{"UpdateCoupon", `request_id: "r" coupon { name: "coupons/fall" etag: "v7" display_name: "Fall" max_redemptions: 50 }
				update_mask { paths: ["display_name", "max_redemptions_per_customer"] }`, domain.UpdateCoupon{
			RequestID: "r", ID: "fall", Version: 7, Set: domain.CouponFields{DisplayName: true, MaxRedemptionsPerCustomer: true},
			DisplayName: "Fall", MaxRedemptions: new(int64(50)),
		}},
		{"UpdateCoupon", `coupon { name: "coupons/fall" metadata { key: "k" value: "v" } max_redemptions_per_customer: 1 }
				update_mask { paths: ["metadata", "max_redemptions"] }`, domain.UpdateCoupon{
			ID: "fall", Set: domain.CouponFields{Metadata: true, MaxRedemptions: true},
			Metadata: map[string]string{"k": "v"}, MaxRedemptionsPerCustomer: new(int64(1)),
		}},
		{"UpdateCoupon", `coupon { name: "coupons/fall" period_limits { period: PERIOD_WEEK max_redemptions: 3 }
				budgets { limit { currency_code: "EUR" amount_minor: 100000 } } max_redemptions: 1 }
				update_mask { paths: ["period_limits", "budgets"] }`, domain.UpdateCoupon{
			ID: "fall", Set: domain.CouponFields{PeriodLimits: true, Budgets: true},
			PeriodLimits:   []domain.PeriodLimit{{Period: domain.PeriodWeek, MaxRedemptions: 3}},
			Budgets:        []domain.Budget{{Limit: domain.Money{Currency: "EUR", AmountMinor: 100_000}}},
			MaxRedemptions: new(int64(1)),
		}},
		{"DeleteCoupon", `name: "coupons/fall" etag: "v7" request_id: "r"`, domain.DeleteCoupon{RequestID: "r", ID: "fall", Version: 7}},
		{"ListCoupons", ``, domain.CouponQuery{Page: domain.Page{Size: 50}}},
		{"ListCoupons", `page_size: 7 show_deleted: true`, domain.CouponQuery{Page: domain.Page{Size: 7}, ShowDeleted: true}},
		{"CreatePromotionCode", `request_id: "r" parent: "coupons/fall" promotion_code { code: " Fall-Promo " customer_email: "JANE@example.org" }`, domain.CreatePromotionCode{
			RequestID: "r", PromotionCode: domain.PromotionCode{Name: domain.PromotionCodeName{Coupon: "fall"}, Code: code, EmailHash: email},
			AsCard: hasher.HashCode(code),
		}},
		{"GetPromotionCode", `name: "coupons/fall/promotionCodes/00000000"`, name},
		{"UpdatePromotionCode", `request_id: "r" promotion_code { name: "coupons/fall/promotionCodes/00000000" etag: "v7" max_redemptions: 20 }
				update_mask { paths: ["max_redemptions", "metadata"] }`, domain.UpdatePromotionCode{
			RequestID: "r", Name: name, Version: 7, Set: domain.PromotionCodeFields{MaxRedemptions: true, Metadata: true}, MaxRedemptions: new(int64(20)),
		}},
		{"UpdatePromotionCode", `promotion_code { name: "coupons/fall/promotionCodes/00000000" max_redemptions_per_customer: 2
					restrictions { minimum_amounts { currency_code: "EUR" amount_minor: 5000 } } }
				update_mask { paths: ["max_redemptions_per_customer", "restrictions.minimum_amounts"] }`, domain.UpdatePromotionCode{
			Name: name, Set: domain.PromotionCodeFields{MaxRedemptionsPerCustomer: true, MinimumAmounts: true},
			MaxRedemptionsPerCustomer: new(int64(2)), MinimumAmounts: []domain.Money{{Currency: "EUR", AmountMinor: 5000}},
		}},
		{"UpdatePromotionCode", `promotion_code { name: "coupons/fall/promotionCodes/00000000"
				period_limits { period: PERIOD_MONTH time_zone: "Europe/Paris" max_redemptions: 3 per_customer: true } }
				update_mask { paths: "period_limits" }`, domain.UpdatePromotionCode{
			Name: name, Set: domain.PromotionCodeFields{PeriodLimits: true},
			PeriodLimits: []domain.PeriodLimit{{Period: domain.PeriodMonth, TimeZone: "Europe/Paris", MaxRedemptions: 3, PerCustomer: true}},
		}},
		{"ActivatePromotionCode", aCode + `request_id: "r"`, domain.ActivatePromotionCode{RequestID: "r", Name: name}},
		{"DeactivatePromotionCode", aCode + `request_id: "r"`, domain.DeactivatePromotionCode{RequestID: "r", Name: name}},
		{"DeletePromotionCode", aCode + `request_id: "r"`, domain.DeletePromotionCode{RequestID: "r", Name: name}},
		{"ListPromotionCodes", `parent: "coupons/fall" show_deleted: true`, domain.PromotionCodeQuery{
			Page: domain.Page{Size: 50}, Coupon: "fall", ShowDeleted: true,
		}},
		{"ListPromotionCodes", `parent: "coupons/-" code: "Fall-Promo" customer_id: "c" active: false`, domain.PromotionCodeQuery{
			Page: domain.Page{Size: 50}, Code: code, CustomerID: "c", Active: new(false),
		}},
		{"ValidateCode", purchaseText, purchase},
		{"ValidateCode", `promotion_code: "coupons/fall/promotionCodes/00000000" max_staleness { seconds: 1 }`, domain.ValidateRequest{
			Source: domain.Source{PromotionCode: name}, MaxStaleness: time.Second,
		}},
		{"Redeem", `request_id: "r"` + purchaseText, domain.RedeemRequest{RequestID: "r", ValidateRequest: purchase}},
		{"Redeem", `request_id: "r" coupon: "coupons/fall"`, domain.RedeemRequest{
			RequestID: "r", ValidateRequest: domain.ValidateRequest{Source: domain.Source{Coupon: "fall"}},
		}},
		{"ReserveRedemption", `request_id: "r"` + purchaseText, domain.ReserveRequest{
			RedeemRequest: domain.RedeemRequest{RequestID: "r", ValidateRequest: purchase}, TTL: 15 * time.Minute,
		}},
		{"ReserveRedemption", `request_id: "r" promotion_code: "coupons/fall/promotionCodes/00000000" ttl { seconds: 1 nanos: 500000000 }`, domain.ReserveRequest{
			RedeemRequest: domain.RedeemRequest{RequestID: "r", ValidateRequest: domain.ValidateRequest{Source: domain.Source{PromotionCode: name}}},
			TTL:           1500 * time.Millisecond,
		}},
		{"ReserveRedemption", `request_id: "r" coupon: "coupons/fall"`, domain.ReserveRequest{
			RedeemRequest: domain.RedeemRequest{RequestID: "r", ValidateRequest: domain.ValidateRequest{Source: domain.Source{Coupon: "fall"}}},
			TTL:           15 * time.Minute,
		}},
		{"CommitRedemption", aSettled, domain.CommitRedemption{RequestID: "r", Name: aRedemption}},
		{"CommitRedemption", aSettled + ` amount_minor: 0`, domain.CommitRedemption{RequestID: "r", Name: aRedemption, Amount: new(int64(0))}},
		{"ReleaseRedemption", aSettled, domain.ReleaseRedemption{RequestID: "r", Name: aRedemption}},
		{"VoidRedemption", aSettled, domain.VoidRedemption{RequestID: "r", Name: aRedemption}},
		{"VoidRedemption", aVoid + ` reason: "returned"`, domain.VoidRedemption{
			RequestID: "r", Name: aRedemption, Amount: new(int64(500)), Reason: "returned",
		}},
		{"Redeem", `request_id: "r" coupon: "coupons/fall" context: USE_CONTEXT_SUBSCRIPTION_CREATE subscription_id: "sub" plan_trial_days: 7`, domain.RedeemRequest{
			RequestID: "r", ValidateRequest: domain.ValidateRequest{
				Source: domain.Source{Coupon: "fall"}, Context: domain.ContextSubscriptionCreate, SubscriptionID: "sub", PlanTrialDays: 7,
			},
		}},
		{"ApplyRenewal", aSettled + ` invoice { id: "i" issued_at { seconds: 1 nanos: 2999999 } currency_code: "EUR" shipping_amount_minor: 3
				lines { id: "plan" product_id: "pro" category_ids: "plans" unit_amount_minor: 1000 quantity: 2 on_sale: true min_unit_amount_minor: 1 } }`, domain.ApplyRenewal{
			RequestID: "r", Name: aRedemption, Invoice: domain.Invoice{
				Order: domain.Order{ID: "i", Currency: "EUR", ShippingAmountMinor: 3, Lines: []domain.OrderLine{{
					ID: "plan", ProductID: "pro", CategoryIDs: []string{"plans"}, UnitAmountMinor: 1000, Quantity: 2, OnSale: true, MinUnitAmountMinor: 1,
				}}},
				IssuedAt: time.UnixMilli(1002).UTC(),
			},
		}},
		{"EndDiscount", aSettled, domain.EndDiscount{RequestID: "r", Name: aRedemption}},
		{"GetRedemption", `name: "coupons/fall/redemptions/1-abc"`, domain.RedemptionName{Coupon: "fall", ID: "1-abc"}},
		{"ListRedemptions", `parent: "coupons/fall" promotion_code: "coupons/fall/promotionCodes/00000000" customer_id: "c" order_id: "o"`, domain.RedemptionQuery{
			Page: domain.Page{Size: 50}, Coupon: "fall", PromotionCode: "00000000", CustomerID: "c", OrderID: "o",
		}},
		{"ListRedemptions", `parent: "coupons/-" customer_email: "JANE@example.org"`, domain.RedemptionQuery{
			Page: domain.Page{Size: 50}, EmailHash: email,
		}},
		{"ListRedemptions", `parent: "coupons/-" promotion_code: "coupons/fall/promotionCodes/00000000"`, domain.RedemptionQuery{
			Page: domain.Page{Size: 50}, Coupon: "fall", PromotionCode: "00000000",
		}},
		{"ListRedemptions", `parent: "coupons/fall" state: REDEMPTION_STATE_EXPIRED created_after { seconds: 1 nanos: 1 } created_before { seconds: 2 nanos: 999999999 }`, domain.RedemptionQuery{
			Page: domain.Page{Size: 50}, Coupon: "fall", State: domain.RedemptionExpired,
			CreatedAfter: time.Unix(1, 1).UTC(), CreatedBefore: time.Unix(2, 999_999_999).UTC(),
		}},
		{"IssueGiftCard", `request_id: "r" parent: "coupons/fall" code: " Fall-Promo " balance { currency_code: "EUR" amount_minor: 5000 }
				customer_email: "JANE@example.org" expires_at { seconds: 1 nanos: 2999999 } metadata { key: "k" value: "v" }`, domain.IssueGiftCard{
			RequestID: "r", PromotionCode: domain.PromotionCode{
				Name: domain.PromotionCodeName{Coupon: "fall"}, Code: domain.NewCardCode(code, hasher.HashCode(code)), EmailHash: email,
				Card:      &domain.GiftCard{Issued: domain.Money{Currency: "EUR", AmountMinor: 5000}, RequestID: "r"},
				ExpiresAt: time.UnixMilli(1002).UTC(), Metadata: map[string]string{"k": "v"},
			},
			Given: code,
		}},
		{"GetGiftCard", aCode, domain.GetGiftCard{Name: name}},
		{"GetGiftCard", `code: " fall-promo"`, domain.GetGiftCard{Code: hasher.HashCode(code)}},
		{"ListGiftCardTransactions", `parent: "coupons/fall/promotionCodes/00000000" page_size: 7`, domain.GiftCardTransactionQuery{
			Page: domain.Page{Size: 7}, Name: name,
		}},
		{"AdjustGiftCard", aCode + `request_id: "r" amount_minor: -500 reason: "a correction"`, domain.AdjustGiftCard{
			RequestID: "r", Name: name, AmountMinor: -500, Reason: "a correction",
		}},
		{"DisableGiftCard", aCode + `request_id: "r"`, domain.DeactivatePromotionCode{RequestID: "r", Name: name}},
		{"EnableGiftCard", aCode + `request_id: "r"`, domain.ActivatePromotionCode{RequestID: "r", Name: name}},
		{"TransferToCredit", `request_id: "r" gift_card: "coupons/fall/promotionCodes/00000000" customer_id: "c"`, domain.TransferToCredit{
			RequestID: "r", Name: name, Customer: domain.Customer{ID: "c"},
		}},
		{"TransferToCredit", `request_id: "r" gift_card: "coupons/fall/promotionCodes/00000000" customer_email: "JANE@example.org" amount_minor: 5`, domain.TransferToCredit{
			RequestID: "r", Name: name, Customer: domain.Customer{EmailHash: email}, AmountMinor: new(int64(5)),
		}},
		{"GetCustomerBalance", `customer_id: "c"`, domain.GetCustomerBalance{Holder: domain.IdentityOfID("c")}},
		{"AdjustCustomerBalance", `request_id: "r" customer_email: "JANE@example.org" amount { currency_code: "EUR" amount_minor: -5 } reason: "a correction"`, domain.AdjustCustomerBalance{
			RequestID: "r", Holder: domain.IdentityOfEmail(email), Amount: domain.Money{Currency: "EUR", AmountMinor: -5}, Reason: "a correction",
		}},
		{"ApplyCredit", `customer_id: "c" invoice_id: "in_1" amount { currency_code: "EUR" amount_minor: 5 }`, domain.ApplyCredit{
			InvoiceID: "in_1", Holder: domain.IdentityOfID("c"), UpTo: domain.Money{Currency: "EUR", AmountMinor: 5},
		}},
		{"ListCustomerBalanceTransactions", `customer_id: "c"`, domain.CustomerTransactionQuery{
			Page: domain.Page{Size: 50}, Holder: domain.IdentityOfID("c"),
		}},
	} {
		if _, err := s.call(t, c.rpc, request(t, c.rpc, c.request)); err != nil {
			t.Errorf("%s %s: %v", c.rpc, c.request, err)
			continue
		}
		compareCodes := cmp.Comparer(func(a, b domain.Code) bool { return a == b })
		if diff := cmp.Diff(c.want, store.last(), compareCodes); diff != "" {
			t.Errorf("%s %s (-want +got):\n%s", c.rpc, c.request, diff)
		}
	}
}

// lists has a request of each list and one of another list by the same RPC.
var lists = []struct{ rpc, request, other string }{
	{"ListCoupons", ``, `show_deleted: true`},
	{"ListPromotionCodes", `parent: "coupons/fall"`, `parent: "coupons/fall" active: false`},
	{"ListPromotionCodes", `parent: "coupons/fall"`, `parent: "coupons/fall" active: true`},
	{"ListPromotionCodes", `parent: "coupons/-" code: "A"`, `parent: "coupons/-" code: "B"`},
	{"ListRedemptions", `parent: "coupons/fall"`, `parent: "coupons/spring"`},
	{"ListRedemptions", `parent: "coupons/fall"`, `parent: "coupons/fall" state: REDEMPTION_STATE_VOIDED`},
	{"ListRedemptions", `parent: "coupons/fall" created_after { seconds: 1 }`, `parent: "coupons/fall" created_before { seconds: 1 }`},
	{"ListRedemptions", `parent: "coupons/fall" customer_id: "x"`, `parent: "coupons/fall" order_id: "x"`},
	{"ListGiftCardTransactions", `parent: "coupons/fall/promotionCodes/00000000"`, `parent: "coupons/fall/promotionCodes/00000001"`},
	{"ListCustomerBalanceTransactions", `customer_id: "x"`, `customer_email: "x@y"`},
}

func TestAPageTokenLeadsToTheNextPageOfItsListOnly(t *testing.T) {
	store := &stub{}
	s := start(t, store)
	seen := map[string]string{}
	for _, l := range lists {
		resp, err := s.call(t, l.rpc, request(t, l.rpc, l.request))
		if err != nil {
			t.Fatal(err)
		}
		token := resp.(interface{ GetNextPageToken() string }).GetNextPageToken()
		if strings.Contains(token, "further") {
			t.Errorf("%s: the token is not opaque: %s", l.rpc, token)
		}
		if other, ok := seen[token]; ok && other != l.rpc+l.request {
			t.Errorf("%s and %s %s have the token %s", other, l.rpc, l.request, token)
		}
		seen[token] = l.rpc + l.request

		next := request(t, l.rpc, l.request)
		requests.Set(t, next.ProtoReflect(), "page_token", token)
		requests.Set(t, next.ProtoReflect(), "page_size", 3)
		if _, err := s.call(t, l.rpc, next); err != nil {
			t.Errorf("%s: the next page: %v", l.rpc, err)
		}
		if got, want := pageOf(t, store.last()), (domain.Page{Size: 3, Token: "further"}); got != want {
			t.Errorf("%s: the store is asked for %v, want %v", l.rpc, got, want)
		}

		before := store.calls.Load()
		other := request(t, l.rpc, l.other)
		requests.Set(t, other.ProtoReflect(), "page_token", token)
		_, err = s.call(t, l.rpc, other)
		if status.Code(err) != codes.InvalidArgument || detail[*errdetails.BadRequest](t, err).GetFieldViolations()[0].GetField() != "page_token" {
			t.Errorf("%s: the token in another list: %v", l.rpc, err)
		}
		if store.calls.Load() != before {
			t.Errorf("%s: the token in another list came to the store", l.rpc)
		}
	}
}

func pageOf(t *testing.T, query any) domain.Page {
	t.Helper()
	switch q := query.(type) {
	case domain.CouponQuery:
		return q.Page
	case domain.PromotionCodeQuery:
		return q.Page
	case domain.RedemptionQuery:
		return q.Page
	case domain.GiftCardTransactionQuery:
		return q.Page
	case domain.CustomerTransactionQuery:
		return q.Page
	default:
		t.Fatalf("a %T has no page", q)
		return domain.Page{}
	}
}

// TestEveryRPCIsImplemented sends each an empty request, which it may refuse but
// not for want of a handler.
func TestEveryRPCIsImplemented(t *testing.T) {
	s := start(t, &stub{})
	for rpc, method := range requests.RPCs() {
		if _, err := s.call(t, rpc, requests.NewMessage(t, method.Input())); status.Code(err) == codes.Unimplemented {
			t.Errorf("%s: %v", rpc, err)
		}
	}
}
