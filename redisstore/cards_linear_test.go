// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/discountd/discountd/domain"
)

// TestBalancesAreLinearizable has clients of three servers redeem, reserve, settle,
// adjust and transfer from one gift card at once, and others use a customer's credit,
// and holds what they were told against the specification. What was transferred
// arrives in a slot of its own, and so in the end only: then all of it is there.
func TestBalancesAreLinearizable(t *testing.T) {
	t.Parallel()
	seed := seedOf(t)
	e := open(t, onRedis)
	stores := []*Store{e.Store, e.server(), e.server()}
	// Short histories: only a look at a card tells in which order it was changed, and
	// until then every order of changes at once is a state of its own.
	const clients, groups, calls = 3, 21, 8
	history := map[string][]porcupine.Operation{}
	sorts := map[string]int{}
	for g := range groups {
		ctx, program := t.Context(), program(domain.CouponID(fmt.Sprint("g", g)), false)
		s := &balanceStorm{program: program.ID}
		issue := domain.IssueGiftCard{RequestID: "issue", PromotionCode: giftCard(program.ID, fmt.Sprint("GIFT-0", g), 3_000)}
		s.call(ctx, e.Store, 0, domain.CreateCoupon{Coupon: program})
		s.call(ctx, e.Store, 0, issue)
		all(clients, func(i int) {
			random := rand.New(rand.NewPCG(seed, uint64(g*clients+i)))
			for range calls {
				s.call(ctx, stores[i%len(stores)], i, s.next(random))
			}
		})
		for _, q := range []domain.Command{
			domain.GetGiftCard{Name: s.card}, domain.GetCustomerBalance{Holder: s.customer("alice")}, domain.GetCustomerBalance{Holder: s.customer("bob")},
		} {
			s.call(ctx, e.Store, 0, q)
		}
		for _, op := range s.history {
			sorts[kindOfResult(op.Input.(domain.Command), op.Output.(domain.Result))]++
			// What is about bob is about nothing else: a history of its own.
			history[string(program.ID)+s.about(op.Input)] = append(history[string(program.ID)+s.about(op.Input)], op)
		}
	}
	wantKinds(t, sorts,
		"domain.RedeemRequest ok", "domain.RedeemRequest *domain.RefusedError", "domain.ReserveRequest ok", "domain.CommitRedemption ok",
		"domain.ReleaseRedemption ok", "domain.VoidRedemption ok", "domain.AdjustGiftCard ok", "domain.AdjustGiftCard *domain.AmountExceededError",
		"domain.TransferToCredit ok", "domain.GetGiftCard ok",
		"domain.ApplyCredit ok", "domain.AdjustCustomerBalance ok", "domain.AdjustCustomerBalance *domain.AmountExceededError",
	)
	wantLinearizable(t, balanceModel(e.clock.Now()), history, balanceResult)
	if a := e.auditBalances(); len(a.Found) > 0 || a.Sums["EUR"].Unaccounted() != 0 || a.Sums["EUR"].Owed != 0 {
		t.Errorf("the audit finds %v, %+v", a.Found, a.Sums["EUR"])
	}
}

// balanceStorm is what clients do at once with a gift card and with credit, and what
// they were told.
type balanceStorm struct {
	recording
	program domain.CouponID
	card    domain.PromotionCodeName
	asked   []domain.Command
}

func (s *balanceStorm) customer(name string) domain.Identity {
	return domain.IdentityOfID(string(s.program) + "-" + name)
}

// about is whose credit a call is about, if that is not what a card brings.
func (s *balanceStorm) about(command any) string {
	holder := domain.Identity("")
	switch c := command.(type) {
	case domain.AdjustCustomerBalance:
		holder = c.Holder
	case domain.ApplyCredit:
		holder = c.Holder
	case domain.GetCustomerBalance:
		holder = c.Holder
	}
	if holder == s.customer("bob") {
		return ", bob"
	}
	return ", the card"
}

func (s *balanceStorm) call(ctx context.Context, store *Store, client int, command domain.Command) {
	r := s.record(client, command, func() domain.Result { return carryOutOfCards(ctx, store, command) })
	if made, ok := r.Value.(domain.GiftCardView); ok {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.card = made.Name
	}
}

// next draws a call, at times one that was made before.
func (s *balanceStorm) next(random *rand.Rand) domain.Command {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.asked) > 0 && random.IntN(8) == 0 {
		return one(random, s.asked...)
	}
	kind := one(random, "redeem", "redeem", "redeem", "reserve", "reserve", "commit", "commit", "release", "void", "void",
		"adjust", "adjust", "transfer", "transfer", "read", "read", "give", "apply", "apply", "credit")
	c := s.draw(random, kind, fmt.Sprint(kind, s.made.Add(1)))
	s.asked = append(s.asked, c)
	return c
}

func (s *balanceStorm) draw(random *rand.Rand, kind, request string) domain.Command {
	pay := byName(request, s.card, withOrder(orderOf(one[int64](random, 300, 1_000, 2_500))))
	if len(s.redemptions) == 0 && (kind == "commit" || kind == "release" || kind == "void") {
		kind = "reserve"
	}
	of := func() domain.RedemptionName {
		return s.redemptions[len(s.redemptions)-1-random.IntN(min(len(s.redemptions), 6))]
	}
	part := one(random, nil, nil, pointer(int64(100)), pointer(int64(700)))
	switch kind {
	case "redeem":
		return pay
	case "reserve":
		return reserveFor(time.Hour, pay)
	case "commit":
		return domain.CommitRedemption{RequestID: request, Name: of(), Amount: part}
	case "release":
		return domain.ReleaseRedemption{RequestID: request, Name: of()}
	case "void":
		return domain.VoidRedemption{RequestID: request, Name: of(), Amount: part, Reason: "refund"}
	case "adjust":
		return domain.AdjustGiftCard{RequestID: request, Name: s.card, AmountMinor: one[int64](random, 900, 2_000, -500, -2_000), Reason: "a reason"}
	case "transfer":
		return domain.TransferToCredit{
			RequestID: request, Name: s.card, Customer: domain.Customer{ID: string(s.program) + "-alice"},
			AmountMinor: one(random, nil, pointer(int64(200)), pointer(int64(200)), pointer(int64(1_500))),
		}
	case "read":
		return domain.GetGiftCard{Name: s.card}
	case "give":
		return domain.AdjustCustomerBalance{RequestID: request, Holder: s.customer("bob"), Amount: euros(one[int64](random, 500, 500, -400)), Reason: "a reason"}
	case "apply":
		return domain.ApplyCredit{InvoiceID: fmt.Sprint("in", random.IntN(12)), Holder: s.customer("bob"), UpTo: euros(one[int64](random, 300, 300, 301))}
	default:
		return domain.GetCustomerBalance{Holder: s.customer("bob")}
	}
}

// balanceModel steps the specification. What was aborted has had no effect.
func balanceModel(now time.Time) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return hashed(domain.State{}) },
		Step: func(state, input, output any) (bool, any) {
			got := output.(domain.Result)
			if errors.Is(got.Err, domain.ErrAborted) {
				return true, state
			}
			ids := domain.IDs{}
			if card, ok := got.Value.(domain.GiftCardView); ok {
				ids.PromotionCode = card.Name.ID
			}
			command := input.(domain.Command)
			next, want := state.(linearState).Step(now, ids, command)
			return balanceResult(command, got) == balanceResult(command, want), hashed(next)
		},
		Equal: func(a, b any) bool { return a.(linearState).equal(b.(linearState)) },
		Hash:  func(s any) uint64 { return s.(linearState).hash },
	}
}

// balanceResult is all that a result says, but for what is told of a gift card after
// a change, which is later than the change, and for the place of a transfer among
// those that arrive.
func balanceResult(c domain.Command, r domain.Result) string {
	switch v := r.Value.(type) {
	case nil:
		return r.Err.Error()
	case domain.CouponView:
		return string(v.ID)
	case domain.GiftCardView:
		if _, read := c.(domain.GetGiftCard); !read {
			return string(v.Name.ID)
		}
		var moves []string
		for _, m := range v.Latest {
			moves = append(moves, fmt.Sprintf("%d: %s %d to %d", m.Position, m.Kind, m.AmountMinor, m.BalanceMinor))
		}
		return fmt.Sprintf("%s has %d: %s", v.Name.ID, v.BalanceMinor, strings.Join(moves, ", "))
	case domain.Redemption:
		return fmt.Sprintf("%s by %s: %c, %d off, %d voided", v.Name, v.RequestID, v.State, v.Discount.TotalAmountMinor, v.VoidedAmountMinor)
	case domain.BalanceTransaction:
		if v.Kind == domain.TransactionTransferred {
			return fmt.Sprintf("%s of %d by %s", v.Kind, v.AmountMinor, v.RequestID)
		}
		return fmt.Sprintf("%d: %s %d to %d for %s%s", v.Position, v.Kind, v.AmountMinor, v.BalanceMinor, v.RequestID, v.InvoiceID)
	case domain.CustomerBalance:
		return fmt.Sprint(v.Amounts)
	default:
		panic(fmt.Sprintf("no text for a %T", v))
	}
}
