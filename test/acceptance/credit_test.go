// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package acceptance

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	discountv1 "github.com/discountd/discountd/gen/discount/v1"
	"github.com/discountd/discountd/internal/redistest"
)

// withCredit asks for the discount on an invoice and for credit for the rest, and
// compares both.
func (s *service) withCredit(t *testing.T, r *discountv1.Redemption, invoice string, due, off, used int64) {
	t.Helper()
	request := renewal(r, bill(invoice, today.Add(time.Hour), due))
	request.ApplyCredit = true
	for range 2 {
		s.wantUsedFor(t, request, off, used)
	}
}

// wantUsedFor asks once.
func (s *service) wantUsedFor(t *testing.T, request *discountv1.ApplyRenewalRequest, off, used int64) {
	t.Helper()
	answer, err := s.ApplyRenewal(within(t), request)
	if err != nil {
		t.Fatalf("ApplyRenewal: %v", err)
	}
	got, credit := answer.GetRenewal().GetDiscount().GetTotalAmountMinor(), -answer.GetCredit().GetAmount().GetAmountMinor()
	if got != off || credit != used {
		t.Errorf("%s: %d off and %d of credit, want %d and %d", request.GetInvoice().GetId(), got, credit, off, used)
	}
}

func TestCardUsedOnASubscriptionInvoiceAndItsCreditOverTheNextRenewals(t *testing.T) {
	onRedisAndOnTheCluster(t, func(t *testing.T, s *service) {
		plan := s.redeems(t, purchase(applying(s.coupon(t, percentOff(20, lasting(isInCycles, 3)))), by("alice"), subscribing("sub")))
		card, code := s.giftCard(t, worth(s.coupon(t, giftCards(true)), 2_500))
		s.pays(t, purchase(typing(code), by("alice"), subscribing("sub"), paying(1_000, "EUR")), 1_000)
		s.wantLeft(t, card, 0, "issued 2500", "redeemed -1000", "transferred -1500")
		s.withCredit(t, plan, "in_2", 1_000, 200, 800)
		s.withCredit(t, plan, "in_3", 1_000, 200, 700)
		s.withCredit(t, plan, "in_4", 0, 0, 0)
		s.withCredit(t, plan, "in_5", 1_000, 200, 0)
		s.withCredit(t, plan, "in_6", 1_000, 0, 0)
		s.wantCredit(t, 0, "transferred 1500", "applied -800", "applied -700", "applied 0", "applied 0")

		// Two subscriptions may have invoices with the same id.
		other := s.redeems(t, purchase(applying(s.coupon(t, percentOff(20, lasting(isForever, 0)))), by("alice"), subscribing("other")))
		third := s.redeems(t, purchase(applying(s.coupon(t, percentOff(20, lasting(isForever, 0)))), by("alice"), subscribing("third")))
		_, code = s.giftCard(t, worth(s.coupon(t, giftCards(true)), 2_000))
		s.pays(t, purchase(typing(code), by("alice"), subscribing("other"), paying(500, "EUR")), 500)
		s.withCredit(t, other, "in_7", 1_000, 200, 800)
		s.withCredit(t, third, "in_7", 1_000, 200, 700)

		unused, code := s.giftCard(t, worth(s.coupon(t, giftCards(true)), 2_500))
		s.pays(t, purchase(typing(code), by("bob"), paying(1_000, "EUR")), 1_000)
		s.wantLeftOnly(t, unused, 1_500) // bound to nobody, and on no subscription
	})
}

// TestRenewalWithCreditKilledAfterEachStepUsesEachOnce kills the server of a renewal
// after each of the commands that it sends, and asks another one again.
func TestRenewalWithCreditKilledAfterEachStepUsesEachOnce(t *testing.T) {
	t.Parallel()
	for name, redisOf := range bothRedises {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			prefix := redistest.Prefix(t)
			s := startOn(t, redisOf(t), prefix)
			plan := s.redeems(t, purchase(applying(s.coupon(t, percentOff(20, lasting(isForever, 0)))), by("alice"), subscribing("sub")))
			if _, err := s.AdjustCustomerBalance(within(t), &discountv1.AdjustCustomerBalanceRequest{
				RequestId: "give", Customer: &discountv1.AdjustCustomerBalanceRequest_CustomerId{CustomerId: "alice"},
				Amount: money(100_000, "EUR"), Reason: "a gift",
			}); err != nil {
				t.Fatal(err)
			}
			for steps, whole := 1, false; !whole; steps++ {
				for _, heard := range []bool{false, true} {
					end := &killed{silent: true, heard: heard}
					client := redisOf(t)
					client.AddHook(end)
					doomed := startOn(t, client, prefix)
					before, used := s.credit(t), s.discount(t, plan).GetCyclesUsed()
					request := renewal(plan, bill(fmt.Sprintf("in_%d_%t", steps, heard), today.Add(time.Hour), 1_000))
					request.ApplyCredit = true
					end.from(steps)
					_, err := doomed.ApplyRenewal(within(t), request)
					whole = heard && err == nil
					for range 2 {
						s.wantUsedFor(t, request, 200, 800)
					}
					if got := before - s.credit(t); got != 800 {
						t.Errorf("killed after %d: %d of credit used, want 800", steps, got)
					}
					if got := s.discount(t, plan).GetCyclesUsed() - used; got != 1 {
						t.Errorf("killed after %d: %d cycles used, want 1", steps, got)
					}
				}
			}
		})
	}
}

// killed is a network of a server that is killed: the first commands are carried
// out, the answer to the last of them may be lost, and after them nothing is.
type killed struct {
	mu     sync.Mutex
	left   int // commands until the end; below zero it has come
	heard  bool
	silent bool // until it is told
}

func (k *killed) DialHook(next redis.DialHook) redis.DialHook { return next }

func (k *killed) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		k.mu.Lock()
		if k.silent {
			k.mu.Unlock()
			return next(ctx, cmd)
		}
		k.left--
		left := k.left
		k.mu.Unlock()
		switch {
		case left > 0 || left == 0 && k.heard:
			return next(ctx, cmd)
		case left == 0:
			_ = next(ctx, cmd)
		}
		cmd.SetErr(errKilled)
		return errKilled
	}
}

func (k *killed) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (k *killed) from(left int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.silent, k.left = false, left
}

var errKilled = fmt.Errorf("the server was killed: %w", context.Canceled)

// bothRedises make clients of each Redis that stories are told on.
var bothRedises = map[string]func(t *testing.T) redis.UniversalClient{
	"redis-server": func(t *testing.T) redis.UniversalClient { return redistest.Client(t, redistest.Server(t)) },
	"cluster":      func(t *testing.T) redis.UniversalClient { return redistest.Client(t, redistest.Cluster(t)) },
}

// TestTransferKilledAfterEachStepLosesAndDoublesNothing kills the server of a
// transfer after each of the commands that it sends, and asks another one.
func TestTransferKilledAfterEachStepLosesAndDoublesNothing(t *testing.T) {
	t.Parallel()
	for name, redisOf := range bothRedises {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, byOption := range []bool{false, true} {
				steps := 1
				for ; ; steps++ {
					if whole := killTransfer(t, redisOf, byOption, steps, true); whole {
						break
					}
					killTransfer(t, redisOf, byOption, steps, false)
				}
				if steps < 5 {
					t.Errorf("a transfer was over after %d commands", steps)
				}
			}
		})
	}
}

// killTransfer tells of one transfer, by its own call or by the option of a program,
// whose server is killed after some commands. It reports whether it was not: the
// transfer had ended before.
func killTransfer(t *testing.T, redisOf func(*testing.T) redis.UniversalClient, byOption bool, steps int, heard bool) bool {
	t.Helper()
	what := fmt.Sprintf("killed after command %d, by option %t, answered %t", steps, byOption, heard)
	end := &killed{silent: true, heard: heard}
	doomed, prefix := redisOf(t), redistest.Prefix(t)
	doomed.AddHook(end)
	s, other := startOn(t, doomed, prefix), startOn(t, redisOf(t), prefix)
	card, code := s.giftCard(t, worth(s.coupon(t, giftCards(byOption)), 5_000, issuedTo("alice")))
	ask := func(s *service) error {
		_, err := s.TransferToCredit(within(t), toAlice(card, "transfer"))
		return err
	}
	paid := int64(0)
	if byOption {
		invoice := purchase(typing(code), by("alice"), paying(2_000, "EUR"))
		ask = func(s *service) error {
			_, err := s.Redeem(within(t), invoice)
			return err
		}
	}
	end.from(steps)
	err := ask(s) // what a server says that is killed is heard by nobody
	// Whoever asks for the credit meets a transfer that has begun and ends it.
	credit, left := other.credit(t), other.left(t, card)
	if byOption && (credit > 0 || left < 5_000) {
		paid = 2_000
	}
	if credit+left+paid != 5_000 {
		t.Errorf("%s: %d on the card, %d of credit, %d paid, want 5000", what, left, credit, paid)
	}
	for range 2 {
		if err := ask(other); err != nil {
			t.Errorf("%s, and then again: %v", what, err)
		}
	}
	if byOption {
		other.wantLeft(t, card, 0, "issued 5000", "redeemed -2000", "transferred -3000")
		other.wantCredit(t, 3_000, "transferred 3000")
	} else {
		other.wantLeft(t, card, 0, "issued 5000", "transferred -5000")
		other.wantCredit(t, 5_000, "transferred 5000")
	}
	return err == nil
}
