// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/discountd/discountd/domain"
)

// transferTo is a transfer of all that is on a card.
func transferTo(customer, request string, card domain.PromotionCodeName) domain.TransferToCredit {
	return domain.TransferToCredit{RequestID: request, Name: card, Customer: domain.Customer{ID: customer}}
}

// useOf uses credit in euros for an invoice.
func useOf(customer, invoice string, upTo int64) domain.ApplyCredit {
	return domain.ApplyCredit{
		InvoiceID: invoice, Holder: domain.IdentityOfID(customer), UpTo: domain.Money{Currency: "EUR", AmountMinor: upTo},
	}
}

func (e *env) give(customer string, amount int64) {
	e.t.Helper()
	_, err := e.AdjustCustomerBalance(e.ctx(), domain.AdjustCustomerBalance{
		RequestID: "give " + customer, Holder: domain.IdentityOfID(customer), Amount: domain.Money{Currency: "EUR", AmountMinor: amount}, Reason: "a gift",
	})
	if err != nil {
		e.t.Fatal(err)
	}
}

// has is the credit of a customer in euros.
func (e *env) has(customer string) int64 {
	e.t.Helper()
	b, err := e.CustomerBalance(e.ctx(), domain.GetCustomerBalance{Holder: domain.IdentityOfID(customer)})
	if err != nil {
		e.t.Fatal(err)
	}
	for _, m := range b.Amounts {
		if m.Currency == "EUR" {
			return m.AmountMinor
		}
	}
	return 0
}

func (e *env) history(customer string) []domain.BalanceTransaction {
	e.t.Helper()
	r := carryOutOfCards(e.ctx(), e.Store, domain.CustomerTransactionQuery{Holder: domain.IdentityOfID(customer), Page: domain.Page{Size: 100}})
	if r.Err != nil {
		e.t.Fatal(r.Err)
	}
	return r.Value.(domain.Listing[domain.BalanceTransaction]).Items
}

// movements are transactions in short: kind, amount and what is left then.
func movements(list []domain.BalanceTransaction) string {
	var out []string
	for _, t := range list {
		out = append(out, fmt.Sprintf("%c%d=%d", t.Kind, t.AmountMinor, t.BalanceMinor))
	}
	return strings.Join(out, " ")
}

// announce plays the first step of a transfer, and debit the first two.
func (e *env) announce(customer string, card domain.PromotionCodeName) {
	e.t.Helper()
	holder := domain.IdentityOfID(customer)
	if _, err := e.run(e.ctx(), creditExpect, []string{e.keys.creditHead(holder), e.keys.creditExpected(holder)},
		"EUR", 1, transferID(card.Coupon, "never"), origin(card.Coupon, e.clock.Now())); err != nil {
		e.t.Fatal(err)
	}
}

func (e *env) debit(customer string, card domain.PromotionCodeName) {
	e.t.Helper()
	st, err := e.readCard(e.ctx(), subject{coupon: card.Coupon, code: card.ID})
	if err != nil {
		e.t.Fatal(err)
	}
	cmd := transferTo(customer, "debited", card)
	o := owed{
		id: transferID(card.Coupon, cmd.RequestID), coupon: card.Coupon, code: card.ID, amount: st.PromotionCode.BalanceMinor,
		requestID: cmd.RequestID, holder: domain.IdentityOfID(customer), currency: "EUR",
	}
	if _, err := e.announceAndDebit(e.ctx(), o, st, nil, commandRequest{cmd.RequestID, domain.Fingerprint(cmd)}); err != nil {
		e.t.Fatal(err)
	}
}

func TestTransferMovesMoneyOnce(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(program("gifts", false))
		card := e.issue("issue", giftCard("gifts", "GIFTED", 5_000)).Name
		part := transferTo("alice", "part", card)
		part.AmountMinor = pointer(int64(1_200))
		first, err := e.TransferToCredit(e.ctx(), part)
		want := domain.BalanceTransaction{
			Position: 1, Kind: domain.TransactionTransferred, Currency: "EUR", AmountMinor: 1_200, BalanceMinor: 1_200,
			Time: epoch, RequestID: "part", Card: card,
		}
		if diff := cmp.Diff(want, first); diff != "" || err != nil {
			t.Fatalf("%v\n%s", err, diff)
		}
		e.clock.Advance(time.Hour)
		e.unchanged("the same request", func() {
			if again, err := e.server().TransferToCredit(e.ctx(), part); err != nil || again != first {
				t.Errorf("again: %+v, %v", again, err)
			}
			if _, err := e.TransferToCredit(e.ctx(), transferTo("alice", "part", card)); !errors.Is(err, domain.ErrRequestIDReused) {
				t.Errorf("all under the same request id: %v", err)
			}
		})
		part.RequestID, part.AmountMinor = "more", pointer(int64(3_801))
		if _, err := e.TransferToCredit(e.ctx(), part); !isError[*domain.AmountExceededError](err) {
			t.Errorf("more than is left: %v", err)
		}
		if _, err := e.TransferToCredit(e.ctx(), transferTo("alice", "rest", card)); err != nil {
			t.Error(err)
		}
		_, err = e.TransferToCredit(e.ctx(), transferTo("alice", "nothing", card))
		wantReasons(t, err, domain.GiftBalanceExhausted)
		if got := movements(e.history("alice")); got != "T1200=1200 T3800=5000" {
			t.Error(got)
		}
		e.left(card, 0, "I5000=5000 T-1200=3800 T-3800=0")
	})
}

func TestTransfersAtOnceMoveWhatThereIs(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(program("gifts", false))
		stores := []*Store{e.Store, e.server()}
		n := e.crowd(60)
		card := e.issue("issue", giftCard("gifts", "GIFTED", int64(n/2)*100)).Name
		var made atomic.Int64
		all(n, func(i int) {
			cmd := transferTo("alice", "t"+strconv.Itoa(i/2), card) // each is sent twice
			cmd.AmountMinor = pointer(int64(300))
			_, err := stores[i%2].TransferToCredit(e.ctx(), cmd)
			switch {
			case err == nil:
				made.Add(1)
			case !isError[*domain.AmountExceededError](err) && !isError[*domain.RefusedError](err) && !errors.Is(err, domain.ErrAborted):
				t.Error(err)
			}
		})
		card1, err := e.GiftCard(e.ctx(), domain.GetGiftCard{Name: card})
		if err != nil {
			t.Fatal(err)
		}
		credit := e.has("alice")
		if card1.BalanceMinor+credit != int64(n/2)*100 || credit%300 != 0 || credit == 0 || made.Load() == 0 {
			t.Errorf("%d on the card, %d of credit, %d answers", card1.BalanceMinor, credit, made.Load())
		}
	})
}

func TestCreditIsUsedOnceForEachInvoiceAndNeverPassed(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		stores := []*Store{e.Store, e.server()}
		n := e.crowd(100)
		e.give("alice", int64(n)*10)
		used := make([]domain.BalanceTransaction, n)
		all(n, func(i int) {
			var err error
			if used[i], err = stores[i%2].ApplyCredit(e.ctx(), useOf("alice", "in_"+strconv.Itoa(i/4), 70)); err != nil {
				t.Error(err)
			}
		})
		var sum int64
		for i := 0; i < n; i += 4 {
			for k := i; k < min(n, i+4); k++ {
				if used[k] != used[i] {
					t.Errorf("one invoice, two answers: %+v and %+v", used[i], used[k])
				}
			}
			sum -= used[i].AmountMinor
		}
		if left := e.has("alice"); left+sum != int64(n)*10 || left < 0 {
			t.Errorf("%d used and %d left of %d", sum, left, n*10)
		}
		if _, err := e.ApplyCredit(e.ctx(), useOf("alice", "in_0", 71)); !errors.Is(err, domain.ErrInvoiceIDReused) {
			t.Errorf("another amount for the same invoice: %v", err)
		}
		if none, err := e.ApplyCredit(e.ctx(), useOf("bob", "in_0", 70)); err != nil || none.AmountMinor != 0 {
			t.Errorf("without credit: %+v, %v", none, err)
		}
	})
}

// dead is the network of a store whose process is killed: commands are carried out
// up to one, and from then on nothing is.
type dead struct{ left atomic.Int64 }

// DialHook implements redis.Hook.
func (d *dead) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook implements redis.Hook.
func (d *dead) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if isOf(cmd, storeBeat) || cmd.Name() == "info" || cmd.Name() == "config" { // of no call
			return next(ctx, cmd)
		}
		if d.left.Add(-1) < 0 {
			cmd.SetErr(context.Canceled)
			return context.Canceled
		}
		return next(ctx, cmd)
	}
}

// ProcessPipelineHook implements redis.Hook.
func (d *dead) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// diesAfter returns a server of the same store that is killed after n commands.
func (e *env) diesAfter(n int64) *Store {
	e.t.Helper()
	s, client := e.open(e.clock)
	d := &dead{}
	d.left.Store(n)
	client.AddHook(d)
	return s
}

// finishers are who meets a transfer whose server was killed. Each returns what it
// used of the credit.
var finishers = map[string]func(e *env, cmd domain.TransferToCredit) (int64, error){
	"its retry": func(e *env, cmd domain.TransferToCredit) (int64, error) {
		_, err := e.TransferToCredit(e.ctx(), cmd)
		return 0, err
	},
	"a reader": func(e *env, cmd domain.TransferToCredit) (int64, error) {
		e.history(cmd.Customer.ID)
		return 0, nil
	},
	"a use of credit": func(e *env, cmd domain.TransferToCredit) (int64, error) {
		t, err := e.ApplyCredit(e.ctx(), useOf(cmd.Customer.ID, "in_1", 1))
		return -t.AmountMinor, err
	},
	"another transfer": func(e *env, cmd domain.TransferToCredit) (int64, error) {
		card := e.issue("other "+cmd.RequestID, giftCard("gifts", "O"+cmd.Customer.ID, 1)).Name
		_, err := e.TransferToCredit(e.ctx(), transferTo(cmd.Customer.ID, "other "+cmd.Customer.ID, card))
		return -1, err
	},
}

func TestTransferKilledAfterEachStepIsFinishedByWhoMeetsIt(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		loadScripts(t, e.admin) // a script that has to be brought along is one more command
		e.createCoupon(program("gifts", false))
		var customers []string
		for name, finish := range finishers {
			finished, notBegun := 0, 0
			for steps := int64(0); ; steps++ {
				customer := fmt.Sprintf("%d-%d", len(name), steps)
				customers = append(customers, customer)
				card := e.issue(customer, giftCard("gifts", "GIFT-"+customer, 5_000)).Name
				cmd := transferTo(customer, "transfer "+customer, card)
				_, killed := e.diesAfter(steps).TransferToCredit(e.ctx(), cmd)
				used, err := finish(e, cmd)
				if err != nil {
					t.Fatalf("%s after %d: %v", name, steps, err)
				}
				left, credit := e.balance(card), e.has(customer)
				if left+credit+used != 5_000 || left != 0 && left != 5_000 || left == 0 && used == 0 && name == "a use of credit" {
					t.Errorf("%s after %d: %d on the card, %d of credit, %d used", name, steps, left, credit, used)
				}
				switch {
				case killed == nil:
				case left == 0:
					finished++
					continue
				default:
					notBegun++
					continue
				}
				break
			}
			if finished < 2 || notBegun < 2 && name != "its retry" {
				t.Errorf("%s met %d transfers that had begun and %d that had not: the steps are others", name, finished, notBegun)
			}
		}
		e.noneExpected(customers)
	})
}

// noneExpected fails the test unless no transfer is on its way, once those that
// were announced and never made are too old.
func (e *env) noneExpected(customers []string) {
	e.t.Helper()
	for _, c := range customers {
		e.has(c)
	}
	e.clock.Advance(forgetAfter + time.Millisecond)
	for _, c := range customers {
		e.has(c)
	}
	for key, text := range e.dumpOf("{") {
		if strings.HasPrefix(key, "{b:") && strings.HasSuffix(key, "}:w") {
			e.t.Errorf("%s still expects %s", key, text)
		}
		if key == "{c:gifts}:t" && strings.Contains(text, "P\t") {
			e.t.Errorf("transfers are still owed: %s", text)
		}
	}
}

func TestTransferThatWasAnnouncedIsExpectedUntilNobodyCanMakeIt(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(program("gifts", false))
		card := e.issue("issue", giftCard("gifts", "GIFTED", 5_000)).Name
		e.announce("alice", card)
		e.clock.Advance(forgetAfter)
		e.unchanged("a reader who cannot know", func() { e.has("alice") })
		e.clock.Advance(time.Millisecond)
		e.noneExpected([]string{"alice"})
		e.debit("alice", card)
		if got := e.has("alice"); got != 5_000 {
			t.Errorf("%d of credit", got)
		}
	})
}
