// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package acceptance

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/testing/protocmp"

	discountv1 "github.com/discountd/discountd/gen/discount/v1"
	"github.com/discountd/discountd/internal/privateredis"
	"github.com/discountd/discountd/internal/redistest"
)

// giftCards is a program of gift cards in euros.
func giftCards(remainderToCredit bool) *discountv1.Coupon {
	return &discountv1.Coupon{Discount: &discountv1.Coupon_GiftCards{
		GiftCards: &discountv1.GiftCardProgram{CurrencyCode: "EUR", RemainderToCredit: remainderToCredit},
	}}
}

// worth is a gift card to be issued, under a request id of its own.
func worth(program *discountv1.Coupon, minor int64, with ...func(*discountv1.IssueGiftCardRequest)) *discountv1.IssueGiftCardRequest {
	r := &discountv1.IssueGiftCardRequest{
		Parent: program.GetName(), RequestId: fmt.Sprintf("issue-%d", lastRequest.Add(1)), Balance: money(minor, "EUR"),
	}
	for _, f := range with {
		f(r)
	}
	return r
}

func withCode(code string) func(*discountv1.IssueGiftCardRequest) {
	return func(r *discountv1.IssueGiftCardRequest) { r.Code = code }
}

func issuedTo(customer string) func(*discountv1.IssueGiftCardRequest) {
	return func(r *discountv1.IssueGiftCardRequest) { r.CustomerId = customer }
}

// giftCard issues a gift card and returns it with its code.
func (s *service) giftCard(t *testing.T, r *discountv1.IssueGiftCardRequest) (*discountv1.GiftCard, string) {
	t.Helper()
	answer, err := s.IssueGiftCard(within(t), r)
	if err != nil {
		t.Fatalf("IssueGiftCard: %v", err)
	}
	return answer.GetGiftCard(), answer.GetCode()
}

// pays redeems a gift card and compares what it takes.
func (s *service) pays(t *testing.T, r *discountv1.RedeemRequest, want int64) *discountv1.Redemption {
	t.Helper()
	redemption := s.redeems(t, r)
	if got := redemption.GetDiscount().GetTotalAmountMinor(); got != want {
		t.Errorf("the gift card takes %d, want %d", got, want)
	}
	return redemption
}

// wantLeft compares what is on a gift card, in its balance and in its history,
// whose amounts are given.
func (s *service) wantLeft(t *testing.T, card *discountv1.GiftCard, want int64, history ...string) {
	t.Helper()
	answer, err := s.GetGiftCard(within(t), &discountv1.GetGiftCardRequest{
		Card: &discountv1.GetGiftCardRequest_Name{Name: card.GetName()},
	})
	if err != nil {
		t.Fatalf("GetGiftCard: %v", err)
	}
	if got := answer.GetGiftCard().GetBalance(); got.GetAmountMinor() != want {
		t.Errorf("%d is left on the card, want %d", got.GetAmountMinor(), want)
	}
	request := &discountv1.ListGiftCardTransactionsRequest{Parent: card.GetName(), PageSize: 2}
	var all []*discountv1.BalanceTransaction
	for {
		page, err := s.ListGiftCardTransactions(within(t), request)
		if err != nil {
			t.Fatalf("ListGiftCardTransactions: %v", err)
		}
		all = append(all, page.GetTransactions()...)
		if request.PageToken = page.GetNextPageToken(); request.GetPageToken() == "" {
			break
		}
	}
	wantMovements(t, all, want, history)
	if diff := cmp.Diff(all, answer.GetLatestTransactions(), protocmp.Transform()); diff != "" {
		t.Errorf("the latest transactions are not those of the history:\n%s", diff)
	}
}

// wantMovements compares transactions, which lead to a balance, with amounts.
func wantMovements(t *testing.T, all []*discountv1.BalanceTransaction, balance int64, want []string) {
	t.Helper()
	var sum int64
	var got []string
	for i, m := range all {
		sum += m.GetAmount().GetAmountMinor()
		if m.GetPosition() != int64(i)+1 || m.GetBalanceAmountMinor() != sum || sum < 0 {
			t.Errorf("transaction %d: %v, after %d", i+1, m, sum)
		}
		kind := strings.TrimPrefix(m.GetType().String(), "BALANCE_TRANSACTION_TYPE_")
		got = append(got, fmt.Sprintf("%s %d", strings.ToLower(kind), m.GetAmount().GetAmountMinor()))
	}
	if sum != balance {
		t.Errorf("the history adds up to %d, want %d", sum, balance)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
}

// wantCredit compares the credit of alice, in its balance and in its history.
func (s *service) wantCredit(t *testing.T, want int64, history ...string) {
	t.Helper()
	if got := s.credit(t); got != want {
		t.Errorf("the credit is %d, want %d", got, want)
	}
	request := &discountv1.ListCustomerBalanceTransactionsRequest{
		Customer: &discountv1.ListCustomerBalanceTransactionsRequest_CustomerId{CustomerId: "alice"}, PageSize: 2,
	}
	var all []*discountv1.BalanceTransaction
	for {
		page, err := s.ListCustomerBalanceTransactions(within(t), request)
		if err != nil {
			t.Fatalf("ListCustomerBalanceTransactions: %v", err)
		}
		all = append(all, page.GetTransactions()...)
		if request.PageToken = page.GetNextPageToken(); request.GetPageToken() == "" {
			break
		}
	}
	wantMovements(t, all, want, history)
}

// credit is what alice has in euros.
func (s *service) credit(t *testing.T) int64 {
	t.Helper()
	answer, err := s.GetCustomerBalance(within(t), &discountv1.GetCustomerBalanceRequest{
		Customer: &discountv1.GetCustomerBalanceRequest_CustomerId{CustomerId: "alice"},
	})
	if err != nil {
		t.Fatalf("GetCustomerBalance: %v", err)
	}
	amounts := answer.GetBalance().GetAmounts()
	switch {
	case len(amounts) == 0:
		return 0
	case len(amounts) > 1 || amounts[0].GetCurrencyCode() != "EUR":
		t.Errorf("the credit is %v", amounts)
	}
	return amounts[0].GetAmountMinor()
}

// wantApplied uses alice's credit for an invoice and compares how much.
func (s *service) wantApplied(t *testing.T, invoice string, due, want int64) {
	t.Helper()
	answer, err := s.ApplyCredit(within(t), &discountv1.ApplyCreditRequest{
		InvoiceId: invoice, Customer: &discountv1.ApplyCreditRequest_CustomerId{CustomerId: "alice"}, Amount: money(due, "EUR"),
	})
	if err != nil {
		t.Fatalf("ApplyCredit %s: %v", invoice, err)
	}
	if got := -answer.GetTransaction().GetAmount().GetAmountMinor(); got != want {
		t.Errorf("%d of the credit was used for %s, want %d", got, invoice, want)
	}
}

func toAlice(card *discountv1.GiftCard, request string) *discountv1.TransferToCreditRequest {
	return &discountv1.TransferToCreditRequest{
		GiftCard: card.GetName(), RequestId: request, Customer: &discountv1.TransferToCreditRequest_CustomerId{CustomerId: "alice"},
	}
}

func TestGiftCardOfFiftyOverThreeOrdersOfTwentyAndARefundOfTheSecond(t *testing.T) {
	onRedisAndOnTheCluster(t, func(t *testing.T, s *service) {
		card, code := s.giftCard(t, worth(s.coupon(t, giftCards(false)), 5_000))
		s.pays(t, purchase(typing(code), paying(2_000, "EUR")), 2_000)
		second := s.pays(t, purchase(typing(strings.ToLower(code)), by("bob"), paying(2_000, "EUR")), 2_000)
		s.pays(t, purchase(typing(code), paying(2_000, "EUR")), 1_000)
		s.wantLeft(t, card, 0, "issued 5000", "redeemed -2000", "redeemed -2000", "redeemed -1000")
		s.refuses(t, purchase(typing(code), paying(1, "EUR")), giftCardSpent)

		refund := &discountv1.VoidRedemptionRequest{Name: second.GetName(), RequestId: "refund", Reason: "returned"}
		for range 2 {
			if _, err := s.VoidRedemption(within(t), refund); err != nil {
				t.Fatalf("VoidRedemption: %v", err)
			}
		}
		s.wantLeft(t, card, 2_000, "issued 5000", "redeemed -2000", "redeemed -2000", "redeemed -1000", "returned 2000")
		s.refuses(t, purchase(typing(code), paying(100, "USD")), currencyMismatch)
		s.pays(t, purchase(typing(code), paying(500, "EUR")), 500)
		s.wantLeft(t, card, 1_500, "issued 5000", "redeemed -2000", "redeemed -2000", "redeemed -1000", "returned 2000", "redeemed -500")
	})
}

func TestRemainderOfAGiftCardBecomesCreditThatIsUsedForTheNextInvoices(t *testing.T) {
	onRedisAndOnTheCluster(t, func(t *testing.T, s *service) {
		card, code := s.giftCard(t, worth(s.coupon(t, giftCards(true)), 2_500, issuedTo("alice")))
		s.refuses(t, purchase(typing(code), by("bob"), paying(1_000, "EUR")), customerMismatch)
		invoice := purchase(typing(code), by("alice"), paying(1_000, "EUR"))
		first := s.pays(t, invoice, 1_000)
		again, err := s.Redeem(within(t), invoice)
		if diff := cmp.Diff(first, again.GetRedemption(), protocmp.Transform()); diff != "" || err != nil {
			t.Errorf("a retry is told: %v\n%s", err, diff)
		}
		s.wantLeft(t, card, 0, "issued 2500", "redeemed -1000", "transferred -1500")
		s.wantCredit(t, 1_500, "transferred 1500")

		for range 2 {
			s.wantApplied(t, "in_2", 1_000, 1_000)
		}
		s.wantApplied(t, "in_3", 1_000, 500)
		s.wantApplied(t, "in_4", 1_000, 0)
		adjustment := &discountv1.AdjustCustomerBalanceRequest{
			RequestId: "goodwill", Customer: &discountv1.AdjustCustomerBalanceRequest_CustomerId{CustomerId: "alice"},
			Amount: money(300, "EUR"), Reason: "a late delivery",
		}
		for range 2 {
			if _, err := s.AdjustCustomerBalance(within(t), adjustment); err != nil {
				t.Fatalf("AdjustCustomerBalance: %v", err)
			}
		}
		s.wantApplied(t, "in_4", 1_000, 0) // which stays the answer
		s.wantApplied(t, "in_5", 200, 200)
		s.wantCredit(t, 100, "transferred 1500", "applied -1000", "applied -500", "applied 0", "adjusted 300", "applied -200")
	})
}

func TestAHundredCheckoutsOfOneOnAGiftCardOfFifty(t *testing.T) {
	t.Parallel()
	crowd := func(t *testing.T, through []*service) {
		s := through[0]
		program := s.coupon(t, giftCards(false))
		card, code := s.giftCard(t, worth(program, 5_000))
		var requests []*discountv1.RedeemRequest
		for range 100 {
			requests = append(requests, purchase(typing(code), paying(100, "EUR")))
		}
		for _, r := range wantShared(t, s, program, atOnce(t, through, requests), 50, giftCardSpent) {
			if got := r.GetDiscount().GetTotalAmountMinor(); got != 100 {
				t.Errorf("%s was paid with %d, want all of 100", r.GetName(), got)
			}
		}
		s.wantLeftOnly(t, card, 0)
	}
	t.Run("three processes on a redis-server", func(t *testing.T) {
		t.Parallel()
		crowd(t, startProcesses(t, servers, redistest.Fresh(t, privateredis.Config{})))
	})
	t.Run("cluster", func(t *testing.T) {
		t.Parallel()
		prefix := redistest.Prefix(t)
		var through []*service
		for range 2 {
			through = append(through, startOn(t, redistest.Client(t, redistest.Cluster(t)), prefix))
		}
		crowd(t, through)
	})
}

// wantLeftOnly compares what is on a gift card.
func (s *service) wantLeftOnly(t *testing.T, card *discountv1.GiftCard, want int64) {
	t.Helper()
	if got := s.left(t, card); got != want {
		t.Errorf("%d is left on the card, want %d", got, want)
	}
}

func (s *service) left(t *testing.T, card *discountv1.GiftCard) int64 {
	t.Helper()
	answer, err := s.GetGiftCard(within(t), &discountv1.GetGiftCardRequest{
		Card: &discountv1.GetGiftCardRequest_Name{Name: card.GetName()},
	})
	if err != nil {
		t.Fatalf("GetGiftCard: %v", err)
	}
	return answer.GetGiftCard().GetBalance().GetAmountMinor()
}

func TestReservationHoldsTheBalanceOfAGiftCard(t *testing.T) {
	onRedisAndOnTheCluster(t, func(t *testing.T, s *service) {
		card, code := s.giftCard(t, worth(s.coupon(t, giftCards(false)), 5_000))
		reserve := func(minor int64) *discountv1.Redemption {
			t.Helper()
			r := purchase(paying(minor, "EUR"))
			answer, err := s.ReserveRedemption(within(t), &discountv1.ReserveRedemptionRequest{
				RequestId: r.GetRequestId(), Source: &discountv1.ReserveRedemptionRequest_Code{Code: code}, Order: r.GetOrder(),
			})
			if err != nil {
				t.Fatalf("ReserveRedemption: %v", err)
			}
			return answer.GetRedemption()
		}
		committed, released, over := reserve(2_000), reserve(1_000), reserve(5_000)
		if got := over.GetDiscount().GetTotalAmountMinor(); got != 2_000 {
			t.Errorf("the last reservation holds %d, want the 2000 that were left", got)
		}
		s.wantLeftOnly(t, card, 0)
		amount := int64(1_500)
		if _, err := s.CommitRedemption(within(t), &discountv1.CommitRedemptionRequest{
			Name: committed.GetName(), RequestId: "commit", AmountMinor: &amount,
		}); err != nil {
			t.Fatalf("CommitRedemption: %v", err)
		}
		s.wantLeftOnly(t, card, 500)
		if _, err := s.ReleaseRedemption(within(t), &discountv1.ReleaseRedemptionRequest{Name: released.GetName(), RequestId: "release"}); err != nil {
			t.Fatalf("ReleaseRedemption: %v", err)
		}
		s.wantLeftOnly(t, card, 1_500)
		s.clock.set(today.Add(time.Hour))
		s.wantLeftOnly(t, card, 3_500)
		s.pays(t, purchase(typing(code), paying(9_000, "EUR")), 3_500)
	})
}

func TestCodeOfAGiftCardIsToldAtItsIssueAndStoredNowhere(t *testing.T) {
	t.Parallel()
	client := redistest.Client(t, redistest.Server(t))
	s := startOn(t, client, redistest.Prefix(t))
	program := s.coupon(t, giftCards(false))
	for _, issue := range []*discountv1.IssueGiftCardRequest{worth(program, 5_000), worth(program, 700, withCode("Gift-7"))} {
		card, code := s.giftCard(t, issue)
		if issue.GetCode() == "" && !regexp.MustCompile(`^[0-9A-HJKMNP-TV-Z]{16}$`).MatchString(code) {
			t.Errorf("the generated code is %s", code)
		}
		if again, same := s.giftCard(t, issue); same != code || !cmp.Equal(card, again, protocmp.Transform()) {
			t.Errorf("a retry is told %s of %v, want %s of %v", same, again, code, card)
		}
		if !strings.HasSuffix(strings.ToUpper(code), card.GetLastFour()) || len(card.GetLastFour()) != 4 {
			t.Errorf("the last four of %s are %s", code, card.GetLastFour())
		}
		s.pays(t, purchase(typing(" "+strings.ToLower(code)), paying(100, "EUR")), 100)
		found, err := s.GetGiftCard(within(t), &discountv1.GetGiftCardRequest{
			Card: &discountv1.GetGiftCardRequest_Code{Code: strings.ToLower(code)},
		})
		if err != nil || found.GetGiftCard().GetName() != card.GetName() {
			t.Errorf("by its code is found %v, %v", found, err)
		}
		if where := storedAt(t, client, s.prefix, code); len(where) > 0 {
			t.Errorf("the code is in %q", where)
		}
	}
	_, err := s.IssueGiftCard(within(t), worth(program, 500, withCode("GIFT-7")))
	wantError(t, err, codes.AlreadyExists, "CODE_ALREADY_ACTIVE")
	if strings.Contains(strings.ToUpper(err.Error()), "GIFT-7") {
		t.Errorf("the error tells the code: %v", err)
	}
	_, err = s.GetGiftCard(within(t), &discountv1.GetGiftCardRequest{Card: &discountv1.GetGiftCardRequest_Code{Code: "GIFT-8"}})
	wantError(t, err, codes.NotFound, "GIFT_CARD_NOT_FOUND")
	s.refuses(t, purchase(typing("GIFT-8"), paying(100, "EUR")), codeNotFound)
}

func TestCodeIsHeldByAGiftCardOrByAPromotionCode(t *testing.T) {
	t.Parallel()
	s := start(t)
	program, tenth := s.coupon(t, giftCards(false)), s.coupon(t, percentOff(10))

	card, _ := s.giftCard(t, worth(program, 500, withCode("SHARED-1")))
	_, err := s.createCode(t, tenth, coded("shared-1"))
	wantHeldBy(t, err, &discountv1.PromotionCode{Name: card.GetName()})
	s.pays(t, purchase(typing("shared-1"), paying(100, "EUR")), 100)

	p := s.code(t, tenth, coded("shared-2"))
	issue := worth(program, 500, withCode("SHARED-2"))
	_, err = s.IssueGiftCard(within(t), issue)
	wantHeldBy(t, err, p)
	s.deactivate(t, p)
	second, _ := s.giftCard(t, issue)
	wantHeldBy(t, s.activate(t, p), &discountv1.PromotionCode{Name: second.GetName()})
	s.pays(t, purchase(typing("shared-2"), paying(100, "EUR")), 100)

	// What promotion code has the code of a card that was disabled nobody can tell.
	if _, err := s.DisableGiftCard(within(t), &discountv1.DisableGiftCardRequest{Name: second.GetName(), RequestId: "lost"}); err != nil {
		t.Fatalf("DisableGiftCard: %v", err)
	}
	if err := s.activate(t, p); err != nil {
		t.Errorf("activate what a disabled gift card has the code of: %v", err)
	}
	wantOff(t, s.redeems(t, purchase(typing("shared-2"), paying(100, "EUR"))), 10)
}

func TestBalanceThatAReservationHoldsIsWorthTryingAgain(t *testing.T) {
	t.Parallel()
	s := start(t)
	card, code := s.giftCard(t, worth(s.coupon(t, giftCards(false)), 500))
	order := purchase(typing(code), paying(500, "EUR"))
	_, err := s.ReserveRedemption(within(t), &discountv1.ReserveRedemptionRequest{
		RequestId: "hold", Source: &discountv1.ReserveRedemptionRequest_PromotionCode{PromotionCode: card.GetName()}, Order: order.GetOrder(),
	})
	if err != nil {
		t.Fatalf("ReserveRedemption: %v", err)
	}
	why := s.refuses(t, order, giftCardSpent)
	if !why[0].GetRetryable() || !strings.Contains(why[0].GetMessage(), "reservations") {
		t.Errorf("what a reservation holds is refused by %v", why[0])
	}
	held := s.ledger(t, &discountv1.ListRedemptionsRequest{Parent: strings.Split(card.GetName(), "/promotionCodes/")[0]})[0]
	if _, err := s.CommitRedemption(within(t), &discountv1.CommitRedemptionRequest{RequestId: "use", Name: held.GetName()}); err != nil {
		t.Fatalf("CommitRedemption: %v", err)
	}
	if why := s.refuses(t, order, giftCardSpent); why[0].GetRetryable() {
		t.Errorf("what is spent is refused by %v", why[0])
	}
}

func TestProgramOfGiftCardsIsNotAppliedDirectly(t *testing.T) {
	t.Parallel()
	s := start(t)
	program := s.coupon(t, giftCards(false))
	_, code := s.giftCard(t, worth(program, 500))
	for range 2 { // the rules are remembered by the second time
		r := purchase(applying(program), paying(100, "EUR"))
		_, err := s.Redeem(within(t), r)
		wantViolations(t, err, "coupon")
		_, err = s.ValidateCode(within(t), validation(r))
		wantViolations(t, err, "coupon")
		s.pays(t, purchase(typing(code), paying(100, "EUR")), 100)
	}
}

// storedAt returns the keys below a prefix that have a text in their names or in
// what they hold, in whatever case.
func storedAt(t *testing.T, client redis.UniversalClient, prefix, text string) []string {
	t.Helper()
	ctx := within(t)
	keys, err := client.Keys(ctx, prefix+"*").Result()
	if err != nil || len(keys) == 0 {
		t.Fatal(keys, err)
	}
	var found []string
	for _, key := range keys {
		dump := map[string]func() any{
			"string": func() any { return client.Get(ctx, key).Val() },
			"hash":   func() any { return client.HGetAll(ctx, key).Val() },
			"list":   func() any { return client.LRange(ctx, key, 0, -1).Val() },
			"zset":   func() any { return client.ZRange(ctx, key, 0, -1).Val() },
		}[client.Type(ctx, key).Val()]
		if strings.Contains(strings.ToUpper(fmt.Sprint(key, dump())), strings.ToUpper(text)) {
			found = append(found, key)
		}
	}
	return found
}

func TestGiftCardIsAdjustedAndDisabled(t *testing.T) {
	onRedisAndOnTheCluster(t, func(t *testing.T, s *service) {
		card, code := s.giftCard(t, worth(s.coupon(t, giftCards(false)), 1_000))
		adjust := func(request string, amount int64) error {
			_, err := s.AdjustGiftCard(within(t), &discountv1.AdjustGiftCardRequest{
				Name: card.GetName(), RequestId: request, AmountMinor: amount, Reason: "a correction",
			})
			return err
		}
		for range 2 {
			if err := adjust("up", 500); err != nil {
				t.Fatalf("AdjustGiftCard: %v", err)
			}
		}
		wantError(t, adjust("down", -1_501), codes.FailedPrecondition, "AMOUNT_EXCEEDED")
		wantError(t, adjust("up", 501), codes.InvalidArgument, "REQUEST_ID_REUSED")
		if err := adjust("down", -1_400); err != nil {
			t.Errorf("AdjustGiftCard: %v", err)
		}
		disabled, err := s.DisableGiftCard(within(t), &discountv1.DisableGiftCardRequest{Name: card.GetName(), RequestId: "lost"})
		if err != nil || disabled.GetGiftCard().GetStatus() != inactive {
			t.Errorf("DisableGiftCard: %v, %v", disabled, err)
		}
		s.refuses(t, purchase(typing(code), paying(100, "EUR")), codeInactive)
		_, err = s.TransferToCredit(within(t), toAlice(card, "transfer"))
		wantError(t, err, codes.FailedPrecondition, "CODE_INACTIVE")
		enabled, err := s.EnableGiftCard(within(t), &discountv1.EnableGiftCardRequest{Name: card.GetName(), RequestId: "found"})
		if err != nil || enabled.GetGiftCard().GetStatus() != active {
			t.Errorf("EnableGiftCard: %v, %v", enabled, err)
		}
		s.pays(t, purchase(typing(code), paying(200, "EUR")), 100)
		s.wantLeft(t, card, 0, "issued 1000", "adjusted 500", "adjusted -1400", "redeemed -100")
	})
}
