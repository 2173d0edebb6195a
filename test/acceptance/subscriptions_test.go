// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package acceptance

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	discountv1 "github.com/discountd/discountd/gen/discount/v1"
	"github.com/discountd/discountd/internal/redistest"
)

// onRedisAndOnTheCluster tells a story on each.
func onRedisAndOnTheCluster(t *testing.T, story func(t *testing.T, s *service)) {
	t.Parallel()
	t.Run("redis-server", func(t *testing.T) {
		t.Parallel()
		story(t, start(t))
	})
	t.Run("cluster", func(t *testing.T) {
		t.Parallel()
		story(t, startOn(t, redistest.Client(t, redistest.Cluster(t)), redistest.Prefix(t)))
	})
}

func lasting(duration discountv1.DiscountDuration, n int32) func(*discountv1.Coupon) {
	return func(c *discountv1.Coupon) {
		switch c.Duration = duration; duration {
		case isRepeating:
			c.DurationInMonths = &n
		case isInCycles:
			c.DurationInCycles = &n
		}
	}
}

func withBudget(policy discountv1.BudgetPolicy, limit *discountv1.Money) func(*discountv1.Coupon) {
	return func(c *discountv1.Coupon) { c.Budgets = []*discountv1.Budget{{Limit: limit, Policy: policy}} }
}

func subscribing(id string) func(*discountv1.RedeemRequest) {
	return func(r *discountv1.RedeemRequest) {
		r.SubscriptionId, r.Context = id, discountv1.UseContext_USE_CONTEXT_SUBSCRIPTION_CREATE
	}
}

func at(context discountv1.UseContext) func(*discountv1.RedeemRequest) {
	return func(r *discountv1.RedeemRequest) { r.Context = context }
}

func afterTrialOf(days int32) func(*discountv1.RedeemRequest) {
	return func(r *discountv1.RedeemRequest) { r.PlanTrialDays = days }
}

// bill is an invoice over one plan.
func bill(id string, issuedAt time.Time, minor int64) *discountv1.Invoice {
	return &discountv1.Invoice{
		Id: id, IssuedAt: timestamppb.New(issuedAt), CurrencyCode: "EUR", Lines: []*discountv1.OrderLine{line("plan", minor, 1)},
	}
}

func renewal(r *discountv1.Redemption, invoice *discountv1.Invoice) *discountv1.ApplyRenewalRequest {
	return &discountv1.ApplyRenewalRequest{
		Name: r.GetName(), RequestId: fmt.Sprintf("renewal-%d", lastRequest.Add(1)), Invoice: invoice,
	}
}

// wantRenewed asks for the discount on an invoice, at the time that it was issued,
// and compares what becomes of it.
func (s *service) wantRenewed(t *testing.T, r *discountv1.Redemption, invoice *discountv1.Invoice, want discountv1.RenewalOutcome, off int64) *discountv1.Renewal {
	t.Helper()
	s.clock.set(invoice.GetIssuedAt().AsTime())
	answer, err := s.ApplyRenewal(within(t), renewal(r, invoice))
	if err != nil {
		t.Fatalf("ApplyRenewal %s: %v", invoice.GetId(), err)
	}
	got := answer.GetRenewal()
	if got.GetOutcome() != want || got.GetDiscount().GetTotalAmountMinor() != off {
		t.Errorf("invoice %s: %v, %d off, want %v and %d", invoice.GetId(), got.GetOutcome(), got.GetDiscount().GetTotalAmountMinor(), want, off)
	}
	return got
}

// discount reads what a redemption's subscription keeps.
func (s *service) discount(t *testing.T, r *discountv1.Redemption) *discountv1.SubscriptionDiscount {
	t.Helper()
	answer, err := s.GetRedemption(within(t), &discountv1.GetRedemptionRequest{Name: r.GetName()})
	if err != nil {
		t.Fatalf("GetRedemption: %v", err)
	}
	return answer.GetRedemption().GetSubscriptionDiscount()
}

// wantCycles compares the cycles that a discount has used and has left.
func (s *service) wantCycles(t *testing.T, r *discountv1.Redemption, used, left int64) {
	t.Helper()
	d := s.discount(t, r)
	if d.GetCyclesUsed() != used || d.CyclesLeft == nil || d.GetCyclesLeft() != left {
		t.Errorf("%v, want %d cycles used and %d left", d, used, left)
	}
}

func (s *service) endDiscount(t *testing.T, r *discountv1.Redemption) *discountv1.SubscriptionDiscount {
	t.Helper()
	answer, err := s.EndDiscount(within(t), &discountv1.EndDiscountRequest{
		Name: r.GetName(), RequestId: fmt.Sprintf("end-%d", lastRequest.Add(1)),
	})
	if err != nil {
		t.Fatalf("EndDiscount: %v", err)
	}
	return answer.GetRedemption().GetSubscriptionDiscount()
}

func TestThreeMonthsOfTwentyPercentThroughFiveMonthlyInvoicesAndAYearlyOne(t *testing.T) {
	onRedisAndOnTheCluster(t, func(t *testing.T, s *service) {
		begin := time.Date(2025, 11, 30, 9, 30, 0, 0, time.UTC)
		s.clock.set(begin)
		c := s.coupon(t, percentOff(20, lasting(isRepeating, 3)))
		s.code(t, c, coded("QUARTER"))
		monthly := s.redeems(t, purchase(typing("QUARTER"), by("alice"), subscribing("monthly")))
		yearly := s.redeems(t, purchase(typing("QUARTER"), by("bob"), subscribing("yearly")))

		// February has no 30th: the three months end with its last day.
		end := time.Date(2026, 2, 28, 9, 30, 0, 0, time.UTC)
		for _, r := range []*discountv1.Redemption{monthly, yearly} {
			want := &discountv1.SubscriptionDiscount{
				SubscriptionId: r.GetSubscriptionDiscount().GetSubscriptionId(), Duration: isRepeating,
				StartTime: timestamppb.New(begin), EndTime: timestamppb.New(end),
			}
			if diff := cmp.Diff(want, r.GetSubscriptionDiscount(), protocmp.Transform()); diff != "" {
				t.Errorf("the discount (-want +got):\n%s", diff)
			}
		}

		s.wantRenewed(t, monthly, bill("november", begin, 1_000), applied, 200)
		s.wantRenewed(t, yearly, bill("the year", begin, 12_000), applied, 2_400)
		s.wantRenewed(t, monthly, bill("december", time.Date(2025, 12, 30, 9, 30, 0, 0, time.UTC), 1_000), applied, 200)
		s.wantRenewed(t, monthly, bill("january", time.Date(2026, 1, 30, 9, 30, 0, 0, time.UTC), 1_000), applied, 200)
		s.wantRenewed(t, monthly, bill("february", end, 1_000), hasEnded, 0)
		s.wantRenewed(t, monthly, bill("march", time.Date(2026, 3, 30, 9, 30, 0, 0, time.UTC), 1_000), hasEnded, 0)
		if d := s.discount(t, monthly); d.GetCyclesUsed() != 3 || d.CyclesLeft != nil {
			t.Errorf("%v, want 3 cycles used and no number left", d)
		}
		s.wantUsed(t, c, 2)
	})
}

func TestFourCyclesAndAnInvoiceThatIsSentTwice(t *testing.T) {
	onRedisAndOnTheCluster(t, func(t *testing.T, s *service) {
		c := s.coupon(t, percentOff(25, lasting(isInCycles, 4)))
		r := s.redeems(t, purchase(applying(c), subscribing("sub"), paying(1_000, "EUR")))
		s.wantCycles(t, r, 1, 3)
		month := func(n int) time.Time { return today.AddDate(0, n, 0) }

		first := s.wantRenewed(t, r, bill("in-2", month(1), 1_000), applied, 250)
		again := s.wantRenewed(t, r, bill("in-2", month(1), 1_000), applied, 250)
		if diff := cmp.Diff(first, again, protocmp.Transform()); diff != "" {
			t.Errorf("the invoice is answered in two ways (-first +again):\n%s", diff)
		}
		s.wantCycles(t, r, 2, 2)
		_, err := s.ApplyRenewal(within(t), renewal(r, bill("in-2", month(1), 1_001)))
		wantError(t, err, codes.InvalidArgument, "INVOICE_ID_REUSED")

		s.wantRenewed(t, r, bill("in-3", month(2), 0), nothingDue, 0)
		s.wantCycles(t, r, 2, 2)
		s.wantRenewed(t, r, bill("in-4", month(3), 1_000), applied, 250)
		if last := s.wantRenewed(t, r, bill("in-5", month(4), 2_000), applied, 500); last.GetCycle() != 4 {
			t.Errorf("the last invoice used cycle %d", last.GetCycle())
		}
		s.wantCycles(t, r, 4, 0)
		s.wantRenewed(t, r, bill("in-6", month(5), 1_000), hasEnded, 0)
		s.wantRenewed(t, r, bill("in-2", month(1), 1_000), applied, 250)
		s.wantCycles(t, r, 4, 0)
		s.wantUsed(t, c, 1)
	})
}

func TestOneInvoiceSentByManyAtOnceUsesOneCycle(t *testing.T) {
	onRedisAndOnTheCluster(t, func(t *testing.T, s *service) {
		c := s.coupon(t, percentOff(25, lasting(isInCycles, 4)))
		r := s.redeems(t, purchase(applying(c), subscribing("sub")))
		const callers = 50
		answers := make([]*discountv1.Renewal, callers)
		ctx := within(t)
		var done sync.WaitGroup
		for i := range callers {
			done.Go(func() {
				answer, err := s.ApplyRenewal(ctx, renewal(r, bill("in-1", today, 1_000)))
				if err != nil {
					t.Errorf("caller %d: %v", i, err)
				}
				answers[i] = answer.GetRenewal()
			})
		}
		done.Wait()
		for i, a := range answers {
			if diff := cmp.Diff(answers[0], a, protocmp.Transform()); diff != "" {
				t.Fatalf("caller %d got another answer (-first +this):\n%s", i, diff)
			}
		}
		if answers[0].GetDiscount().GetTotalAmountMinor() != 250 || answers[0].GetCycle() != 1 {
			t.Errorf("the answer is %v", answers[0])
		}
		s.wantCycles(t, r, 1, 3)
	})
}

func TestOnceAfterAFreeTrial(t *testing.T) {
	onRedisAndOnTheCluster(t, func(t *testing.T, s *service) {
		c := s.coupon(t, percentOff(50))
		r := s.redeems(t, purchase(applying(c), subscribing("sub"), afterTrialOf(14), paying(0, "EUR")))
		s.wantCycles(t, r, 0, 1)
		s.wantRenewed(t, r, bill("trial", today, 0), nothingDue, 0)
		s.wantCycles(t, r, 0, 1)
		charged := today.AddDate(0, 0, 14)
		s.wantRenewed(t, r, bill("first", charged, 1_000), applied, 500)
		s.wantCycles(t, r, 1, 0)
		s.wantRenewed(t, r, bill("second", charged.AddDate(0, 1, 0), 1_000), hasEnded, 0)
		s.wantRenewed(t, r, bill("trial", today, 0), nothingDue, 0)
	})
}

func TestTrialDaysComeOnTopOfThePlansOwnOrReplaceThem(t *testing.T) {
	t.Parallel()
	s := start(t)
	whole := s.coupon(t, &discountv1.Coupon{Discount: &discountv1.Coupon_FreeTrial{FreeTrial: &discountv1.FreeTrial{TrialDays: 30}}})
	more := s.coupon(t, &discountv1.Coupon{Discount: &discountv1.Coupon_FreeTrial{FreeTrial: &discountv1.FreeTrial{AdditionalTrialDays: 30}}})
	for _, c := range []struct {
		coupon         *discountv1.Coupon
		ofPlan, wanted int32
	}{{whole, 0, 30}, {whole, 14, 30}, {whole, 60, 60}, {more, 0, 30}, {more, 14, 44}} {
		r := s.redeems(t, purchase(applying(c.coupon), subscribing(fmt.Sprint(c.coupon.GetName(), c.ofPlan)), afterTrialOf(c.ofPlan)))
		end := timestamppb.New(today.AddDate(0, 0, int(c.wanted)))
		if d := r.GetDiscount(); d.GetTrialDays() != c.wanted || d.GetTrialEndsAt().AsTime() != end.AsTime() {
			t.Errorf("%v on a plan with %d days of trial: %v, want %d days", c.coupon.GetFreeTrial(), c.ofPlan, d, c.wanted)
		}
	}
}

func TestOneCouponForASubscriptionThatFiftyWantAtOnce(t *testing.T) {
	onRedisAndOnTheCluster(t, func(t *testing.T, s *service) {
		const callers = 50
		coupons := []*discountv1.Coupon{s.coupon(t, percentOff(10)), s.coupon(t, percentOff(20)), s.coupon(t, percentOff(30))}
		answers := make([]answer, callers)
		ctx := within(t)
		var done sync.WaitGroup
		for i := range callers {
			request := purchase(applying(coupons[i%len(coupons)]), subscribing("sub"), paying(1_000, "EUR"))
			done.Go(func() {
				for { // the race itself may be lost: then nothing was done
					got, err := s.Redeem(ctx, request)
					if status.Code(err) != codes.Aborted {
						answers[i] = answer{got.GetRedemption(), err}
						return
					}
				}
			})
		}
		done.Wait()
		var winner *discountv1.Redemption
		for _, a := range answers {
			if a.err != nil {
				continue
			}
			if winner != nil {
				t.Errorf("%s and %s both discount the subscription", winner.GetName(), a.redemption.GetName())
			}
			winner = a.redemption
		}
		for _, a := range answers {
			if a.err == nil {
				continue
			}
			wantError(t, a.err, codes.FailedPrecondition, "SUBSCRIPTION_ALREADY_DISCOUNTED")
			why := detail[*discountv1.RedemptionRefused](t, a.err).GetIneligibilities()
			if len(why) != 1 || why[0].GetRedemption() != winner.GetName() {
				t.Fatalf("a caller was refused for %v, want the one discount by %s", why, winner.GetName())
			}
		}
		inLedgers := 0
		for _, c := range coupons {
			inLedgers += len(s.ledger(t, &discountv1.ListRedemptionsRequest{Parent: c.GetName()}))
		}
		if inLedgers != 1 {
			t.Errorf("the ledgers have %d redemptions, want 1", inLedgers)
		}
	})
}

func TestSubscriptionTakesAnotherCouponWhenItsDiscountHasEnded(t *testing.T) {
	onRedisAndOnTheCluster(t, func(t *testing.T, s *service) {
		forever, other := s.coupon(t, percentOff(10, lasting(isForever, 0))), s.coupon(t, percentOff(20))
		r := s.redeems(t, purchase(applying(forever), subscribing("sub")))
		s.refuses(t, purchase(applying(other), subscribing("sub")), alreadyDiscounted)
		s.wantRenewed(t, r, bill("in-1", today, 1_000), applied, 100)

		ended := s.endDiscount(t, r)
		if !ended.GetEndedTime().AsTime().Equal(today) {
			t.Errorf("%v, want it ended now", ended)
		}
		s.clock.set(today.Add(time.Hour))
		if again := s.endDiscount(t, r); !again.GetEndedTime().AsTime().Equal(today) {
			t.Errorf("%v, want it ended an hour ago", again)
		}
		s.wantRenewed(t, r, bill("in-2", today.AddDate(0, 1, 0), 1_000), hasEnded, 0)
		s.wantRenewed(t, r, bill("in-1", today, 1_000), applied, 100)

		second := s.redeems(t, purchase(applying(other), subscribing("sub")))
		s.wantRenewed(t, second, bill("in-2", today.AddDate(0, 1, 0), 1_000), applied, 200)
	})
}

func TestWhatEndsACouponDoesNotEndTheDiscountItGranted(t *testing.T) {
	t.Parallel()
	s := start(t)
	c := s.coupon(t, percentOff(10, lasting(isForever, 0), couponLimit(1), couponUntil(today.Add(time.Hour))))
	s.code(t, c, coded("FIRST", firstTimeOnly(), fromAmount(money(5_000, "EUR"))))
	r := s.redeems(t, purchase(typing("FIRST"), by("alice"), subscribing("sub"), paying(5_000, "EUR")))

	s.wantRenewed(t, r, bill("used up", today, 1_000), applied, 100)
	s.wantRenewed(t, r, bill("expired", today.AddDate(0, 1, 0), 1_000), applied, 100)
	s.deleteCoupon(t, c)
	s.wantRenewed(t, r, bill("deleted", today.AddDate(0, 2, 0), 1_000), applied, 100)
	s.endDiscount(t, r)
	s.wantRenewed(t, r, bill("stopped", today.AddDate(0, 3, 0), 1_000), hasEnded, 0)
}

func TestBudgetLimitsRenewalsToo(t *testing.T) {
	t.Parallel()
	s := start(t)
	grant := s.coupon(t, percentOff(10, lasting(isForever, 0), withBudget(discountv1.BudgetPolicy_BUDGET_POLICY_GRANT_REMAINING, money(250, "EUR"))))
	refuse := s.coupon(t, percentOff(10, lasting(isForever, 0), withBudget(discountv1.BudgetPolicy_BUDGET_POLICY_REFUSE, money(250, "EUR"))))
	granted := s.redeems(t, purchase(applying(grant), subscribing("a"), paying(1_000, "EUR")))
	refused := s.redeems(t, purchase(applying(refuse), subscribing("b"), paying(1_000, "EUR")))
	for _, r := range []*discountv1.Redemption{granted, refused} {
		s.wantRenewed(t, r, bill("in-1", today, 1_000), applied, 100)
	}
	s.wantRenewed(t, granted, bill("in-2", today, 1_000), applied, 50)
	for _, c := range []struct {
		of   *discountv1.Redemption
		want discountv1.IneligibilityReason
	}{{granted, budgetExhausted}, {refused, budgetInsufficient}} {
		_, err := s.ApplyRenewal(within(t), renewal(c.of, bill("in-3", today, 1_000)))
		if status.Code(err) != codes.FailedPrecondition {
			t.Fatalf("a renewal beyond the budget: %v", err)
		}
		if why := detail[*discountv1.RedemptionRefused](t, err).GetIneligibilities(); len(why) != 1 || why[0].GetReason() != c.want {
			t.Errorf("refused for %v, want %v", why, c.want)
		}
	}
	s.wantRenewed(t, refused, bill("smaller", today, 500), applied, 50)
	for _, c := range []*discountv1.Coupon{grant, refuse} {
		answer, err := s.GetCoupon(within(t), &discountv1.GetCouponRequest{Name: c.GetName()})
		if err != nil || answer.GetCoupon().GetBudgets()[0].GetSpentAmountMinor() != 250 {
			t.Errorf("%v, %v, want 250 spent", answer.GetCoupon().GetBudgets(), err)
		}
	}
}

func TestCodeWithAMinimumAmountIsForPurchases(t *testing.T) {
	t.Parallel()
	s := start(t)
	c := s.coupon(t, percentOff(10))
	s.code(t, c, coded("MINIMUM", fromAmount(money(1_000, "EUR"))))
	s.code(t, c, coded("NONE"))
	for context, allowed := range map[discountv1.UseContext]bool{
		discountv1.UseContext_USE_CONTEXT_UNSPECIFIED:         true,
		discountv1.UseContext_USE_CONTEXT_CHECKOUT:            true,
		discountv1.UseContext_USE_CONTEXT_SUBSCRIPTION_CREATE: true,
		discountv1.UseContext_USE_CONTEXT_INVOICE:             true,
		discountv1.UseContext_USE_CONTEXT_SUBSCRIPTION_UPDATE: false,
		discountv1.UseContext_USE_CONTEXT_CUSTOMER:            false,
	} {
		request := purchase(typing("MINIMUM"), at(context), paying(1_000, "EUR"))
		if !allowed {
			s.refuses(t, request, contextNotAllowed)
		} else if r := s.redeems(t, request); context != 0 && r.GetContext() != context {
			t.Errorf("redeemed at %v, which says %v", context, r.GetContext())
		}
		s.redeems(t, purchase(typing("NONE"), at(context), paying(1_000, "EUR")))
	}
}

func TestExclusiveCouponSaysSo(t *testing.T) {
	t.Parallel()
	s := start(t)
	c := s.coupon(t, percentOff(10, func(c *discountv1.Coupon) { c.Exclusive = true }))
	s.code(t, c, coded("ALONE"))
	s.code(t, s.coupon(t, percentOff(10)), coded("TOGETHER"))
	answer, err := s.GetCoupon(within(t), &discountv1.GetCouponRequest{Name: c.GetName()})
	if err != nil || !answer.GetCoupon().GetExclusive() {
		t.Errorf("%v, %v, want it exclusive", answer, err)
	}
	for code, want := range map[string]bool{"ALONE": true, "TOGETHER": false} {
		valid, err := s.ValidateCode(within(t), validation(purchase(typing(code))))
		if err != nil || !valid.GetValid() || valid.GetExclusive() != want {
			t.Errorf("%s: %v, %v", code, valid, err)
		}
	}
}

func TestDiscountOfACustomerKnownByAddressIsFoundByIt(t *testing.T) {
	t.Parallel()
	s := start(t)
	c := s.coupon(t, percentOff(10, lasting(isForever, 0)))
	s.code(t, c, coded("HERS", boundToEmail("ada@example.com")))
	r := s.redeems(t, purchase(typing("HERS"), byEmail("Ada@example.com"), subscribing("sub")))
	s.refuses(t, purchase(typing("HERS"), byEmail("bob@example.com"), subscribing("other")), customerMismatch)
	s.wantRenewed(t, r, bill("in-1", today, 1_000), applied, 100)
	for _, parent := range []string{c.GetName(), "coupons/-"} {
		found := s.ledger(t, &discountv1.ListRedemptionsRequest{Parent: parent, CustomerEmail: "ADA@example.com"})
		if len(found) != 1 || found[0].GetSubscriptionDiscount().GetCyclesUsed() != 1 {
			t.Errorf("of %s found %v, want the discount with a cycle used", parent, found)
		}
	}
}

func TestOnlyARedemptionForASubscriptionIsRenewed(t *testing.T) {
	t.Parallel()
	s := start(t)
	c := s.coupon(t, percentOff(10))
	r := s.redeems(t, purchase(applying(c)))
	_, err := s.ApplyRenewal(within(t), renewal(r, bill("in-1", today, 1_000)))
	wantError(t, err, codes.FailedPrecondition, "NO_SUBSCRIPTION")
	_, err = s.EndDiscount(within(t), &discountv1.EndDiscountRequest{Name: r.GetName(), RequestId: "end"})
	wantError(t, err, codes.FailedPrecondition, "NO_SUBSCRIPTION")

	voided := s.redeems(t, purchase(applying(c), subscribing("sub")))
	if _, err := s.VoidRedemption(within(t), &discountv1.VoidRedemptionRequest{Name: voided.GetName(), RequestId: "void"}); err != nil {
		t.Fatal(err)
	}
	_, err = s.ApplyRenewal(within(t), renewal(voided, bill("in-1", today, 1_000)))
	wantError(t, err, codes.FailedPrecondition, "REDEMPTION_VOIDED")
	s.redeems(t, purchase(applying(c), subscribing("sub")))
}
