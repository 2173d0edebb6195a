// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"cmp"
	"context"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/discountd/discountd/domain"
)

// Gift cards and credit against the specification, as in model_test.go.

func TestGiftCardsAndCreditDoWhatTheModelDoes(t *testing.T) {
	t.Parallel()
	for _, b := range []backend{onMini, onRedis} {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			dial := b.dial(t)
			met := map[string]int{}
			for range longForm(1, 20) {
				rapid.Check(t, func(rt *rapid.T) {
					e := openAt(t, dial)
					cardRun(rt, e, met)
					_ = e.client.Close() // there are many
				})
			}
			for _, kind := range longForm(nil, mustMeetOfCards) {
				if met[kind] == 0 {
					t.Errorf("no random command came to %s", kind)
				}
			}
		})
	}
}

// mustMeetOfCards are results that random commands have to come to in the long form.
var mustMeetOfCards = []string{
	"domain.IssueGiftCard ok",
	"domain.IssueGiftCard *domain.AlreadyExistsError",
	"domain.CreatePromotionCode ok",
	"domain.CreatePromotionCode *domain.AlreadyExistsError",
	"domain.RedeemRequest ok",
	"domain.RedeemRequest *domain.RefusedError",
	"domain.ReserveRequest ok",
	"domain.CommitRedemption ok",
	"domain.CommitRedemption *domain.RefusedError",
	"domain.VoidRedemption ok",
	"domain.AdjustGiftCard ok",
	"domain.AdjustGiftCard *domain.AmountExceededError",
	"domain.TransferToCredit ok",
	"domain.TransferToCredit *domain.RefusedError",
	"domain.TransferToCredit *domain.AmountExceededError",
	"domain.AdjustCustomerBalance ok",
	"domain.AdjustCustomerBalance *domain.AmountExceededError",
	"domain.ApplyCredit ok",
}

func cardRun(rt *rapid.T, e *env, met map[string]int) {
	w := &twins{draw: &draw{T: rt}, env: e, stores: []*Store{e.Store, e.server()}, met: met, versions: map[domain.PromotionCodeName][2]int64{}}
	w.step(domain.CreateCoupon{Coupon: program("gifts", oneOf(w.draw, "remainder", true, false))})
	w.step(domain.CreateCoupon{Coupon: percentOff("plan")})
	for i := range rapid.IntRange(20, 40).Draw(rt, "commands") {
		e.clock.Advance(oneOf(w.draw, "later", 0, 0, time.Millisecond, time.Minute))
		w.step(w.cardCommand())
		if i%4 == 3 {
			w.readCards()
		}
	}
	w.readCards()
}

// program is a program of gift cards in euros.
func program(id domain.CouponID, remainderToCredit bool) domain.Coupon {
	c := domain.Coupon{ID: id}
	c.Discount.GiftCards = &domain.GiftCards{Currency: "EUR", RemainderToCredit: remainderToCredit}
	return c
}

// step is carryOut of the commands that a gift card can meet.
func (w *twins) step(c domain.Command) {
	got := carryOutOfCards(w.env.ctx(), w.store(), c)
	ids := idsOf(got)
	if card, ok := got.Value.(domain.GiftCardView); ok {
		ids = domain.IDs{PromotionCode: card.Name.ID}
		if !slices.Contains(w.names, card.Name) {
			w.names = append(w.names, card.Name)
		}
	}
	if p, ok := got.Value.(domain.PromotionCodeView); ok && p.Card == nil {
		w.ordinaries = append(w.ordinaries, p.Name)
	}
	next, want := w.model.Step(w.env.clock.Now(), ids, c)
	if err := w.model.CheckSuccessor(next); err != nil {
		w.Fatalf("the model, after %T %+v: %v", c, c, err)
	}
	w.met[kindOfResult(c, want)]++
	w.compare(c, cardsLeftOpen(got), cardsLeftOpen(want))
	w.model = next
	if r, ok := got.Value.(domain.Redemption); ok {
		w.redemptions = append(w.redemptions, r.Name)
	}
	if requestIDOf(c) != "" {
		w.issued = append(w.issued, c)
	}
}

// cardsLeftOpen returns a result without what the model leaves to a store: when and
// in which order what a reservation held comes back is up to who looks.
func cardsLeftOpen(r domain.Result) domain.Result {
	switch v := r.Value.(type) {
	case domain.GiftCardView:
		v.Version, v.Latest = 0, nil
		r.Value = v
	case domain.Listing[domain.BalanceTransaction]:
		v.Items = slices.Clone(v.Items)
		card := slices.ContainsFunc(v.Items, func(t domain.BalanceTransaction) bool { return t.Kind == domain.TransactionIssued })
		for i := range v.Items {
			if t := &v.Items[i]; card {
				t.Position, t.BalanceMinor = 0, 0
				if t.Kind == domain.TransactionReturned || t.Kind == domain.TransactionRedeemed {
					t.Time = time.Time{}
				}
			}
		}
		if card {
			slices.SortFunc(v.Items, func(a, b domain.BalanceTransaction) int {
				return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Redemption.ID, b.Redemption.ID), cmp.Compare(a.AmountMinor, b.AmountMinor),
					cmp.Compare(a.RequestID, b.RequestID), a.Time.Compare(b.Time))
			})
		}
		r.Value = v
	}
	return r
}

func (w *twins) readCards() {
	for _, n := range w.names {
		w.step(domain.GetGiftCard{Name: n})
		w.step(domain.GiftCardTransactionQuery{Page: domain.Page{Size: 3}, Name: n})
	}
	for _, id := range holders {
		w.step(domain.GetCustomerBalance{Holder: id})
		w.step(domain.CustomerTransactionQuery{Page: domain.Page{Size: 3}, Holder: id})
	}
	w.step(domain.RedemptionQuery{Coupon: "gifts"})
}

var holders = []domain.Identity{domain.IdentityOfID("alice"), domain.IdentityOfID("bob"), domain.IdentityOfEmail(alicesHash)}

// hashOf stands for the keyed hash of a code.
func hashOf(code string) domain.CodeHash {
	return domain.CodeHash("hash-of-" + parsedCode(code).Form())
}

func (d *draw) cardCode() string {
	return oneOf(d, "card code", "GIFT01", "GIFT01", "gift01", "GIFT02")
}

// onlyOne is a customer who is known by one identity.
func (d *draw) onlyOne() domain.Customer {
	return oneOf(d, "holder", domain.Customer{ID: "alice"}, domain.Customer{ID: "bob"}, domain.Customer{EmailHash: alicesHash})
}

func (d *draw) cardRequest() string {
	return oneOf(d, "request", "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9")
}

func (d *draw) paidWith() domain.RedemptionName {
	if len(d.redemptions) == 0 {
		return domain.RedemptionName{Coupon: "gifts", ID: "1-aaaaaa"}
	}
	return rapid.SampledFrom(d.redemptions).Draw(d.T, "redemption")
}

func (d *draw) optionalAmount() *int64 {
	return oneOf(d, "amount", nil, nil, pointer(int64(1)), pointer(int64(400)), pointer(int64(5_000)))
}

func (d *draw) signedAmount() int64 {
	return oneOf[int64](d, "signed", 700, 5_000, -100, -2_000, -20_000, domain.MaxAmount, domain.MaxAmount/2)
}

func (d *draw) payment() domain.RedeemRequest {
	code := d.cardCode()
	r := domain.RedeemRequest{RequestID: d.cardRequest()}
	r.Source = domain.Source{Code: code, Hash: hashOf(code)}
	if oneOf(d, "by name", false, true) {
		r.Source = domain.Source{PromotionCode: d.card()}
	}
	r.Customer = d.customer()
	r.Order = orderOf(oneOf[int64](d, "due", 0, 1, 1_999, 2_000))
	r.Order.ShippingAmountMinor = oneOf[int64](d, "shipping", 0, 490)
	r.Order.Currency = oneOf[domain.Currency](d, "currency", "EUR", "EUR", "EUR", "USD")
	return r
}

func (d *draw) card() domain.PromotionCodeName {
	if len(d.names) == 0 {
		return domain.PromotionCodeName{Coupon: "gifts", ID: "0000zzzz"}
	}
	return rapid.SampledFrom(d.names).Draw(d.T, "card")
}

func (d *draw) issue() domain.IssueGiftCard {
	code := parsedCode(d.cardCode())
	cmd := domain.IssueGiftCard{RequestID: d.cardRequest(), PromotionCode: giftCard("gifts", code.String(), oneOf[int64](d, "worth", 100, 5_000)), Given: code}
	cmd.PromotionCode.Card.RequestID = cmd.RequestID
	cmd.PromotionCode.ExpiresAt = d.instant(oneOf(d, "end", 0, 0, 0, 20*time.Minute))
	if who := d.onlyOne(); oneOf(d, "bound", false, true) {
		cmd.PromotionCode.CustomerID, cmd.PromotionCode.EmailHash = who.ID, who.EmailHash
	}
	return cmd
}

// giftCard is a gift card in euros with a code of its own.
func giftCard(program domain.CouponID, code string, worth int64) domain.PromotionCode {
	p := domain.PromotionCode{Name: domain.PromotionCodeName{Coupon: program}}
	p.Code = domain.NewCardCode(parsedCode(code), hashOf(code))
	p.Card = &domain.GiftCard{Issued: domain.Money{Currency: "EUR", AmountMinor: worth}}
	return p
}

// ordinary is a promotion code with a code that gift cards have, too.
func (d *draw) ordinary() domain.CreatePromotionCode {
	code := d.cardCode()
	p := promotionCode("plan", code)
	p.ExpiresAt = d.instant(oneOf(d, "end", 0, 0, 20*time.Minute))
	return domain.CreatePromotionCode{RequestID: d.cardRequest(), PromotionCode: p, AsCard: hashOf(code)}
}

func (d *draw) cardCommand() domain.Command {
	switch oneOf(d, "command", "ordinary", "ordinary off", "issue", "issue", "issue", "redeem", "redeem", "redeem", "redeem", "reserve", "reserve", "commit", "commit",
		"release", "void", "void", "adjust", "transfer", "transfer", "disable", "enable", "credit", "apply", "apply", "again", "validate", "by code") {
	case "issue":
		return d.issue()
	case "ordinary":
		return d.ordinary()
	case "ordinary off":
		if len(d.ordinaries) > 0 {
			return domain.DeletePromotionCode{Name: rapid.SampledFrom(d.ordinaries).Draw(d.T, "ordinary")}
		}
		return d.ordinary()
	case "redeem":
		return d.payment()
	case "reserve":
		return domain.ReserveRequest{RedeemRequest: d.payment(), TTL: time.Minute}
	case "commit":
		return domain.CommitRedemption{RequestID: d.cardRequest(), Name: d.paidWith(), Amount: d.optionalAmount()}
	case "release":
		return domain.ReleaseRedemption{RequestID: d.cardRequest(), Name: d.paidWith()}
	case "void":
		return domain.VoidRedemption{RequestID: d.cardRequest(), Name: d.paidWith(), Amount: d.optionalAmount()}
	case "adjust":
		return domain.AdjustGiftCard{RequestID: d.cardRequest(), Name: d.card(), AmountMinor: d.signedAmount(), Reason: "a reason"}
	case "transfer":
		return domain.TransferToCredit{RequestID: d.cardRequest(), Name: d.card(), Customer: d.onlyOne(), AmountMinor: d.optionalAmount()}
	case "disable":
		return domain.DeactivatePromotionCode{RequestID: d.cardRequest(), Name: d.card()}
	case "enable":
		return domain.ActivatePromotionCode{RequestID: d.cardRequest(), Name: d.card()}
	case "again":
		if len(d.issued) > 0 {
			return rapid.SampledFrom(d.issued).Draw(d.T, "issued")
		}
		return d.issue()
	case "validate":
		return d.payment().ValidateRequest
	case "by code":
		return domain.GetGiftCard{Code: hashOf(d.cardCode())}
	default:
		return d.creditCommand()
	}
}

func (d *draw) creditCommand() domain.Command {
	holder := rapid.SampledFrom(holders).Draw(d.T, "holder")
	currency := oneOf[domain.Currency](d, "currency", "EUR", "EUR", "USD")
	if oneOf(d, "credit", "adjust", "apply", "apply") == "adjust" {
		return domain.AdjustCustomerBalance{
			RequestID: d.cardRequest(), Holder: holder, Amount: domain.Money{Currency: currency, AmountMinor: d.signedAmount()}, Reason: "a reason",
		}
	}
	return domain.ApplyCredit{
		InvoiceID: oneOf(d, "invoice", "in1", "in2", "in3", "in4", "in5"), Holder: holder,
		Redemption: oneOf(d, "redemption", domain.RedemptionName{}, domain.RedemptionName{Coupon: "plan", ID: "1-aaaaaa"}),
		UpTo:       domain.Money{Currency: currency, AmountMinor: oneOf[int64](d, "up to", 1, 1_000, 50_000)},
	}
}

// carryOutOfCards is carryOut of the commands that a gift card can meet.
func carryOutOfCards(ctx context.Context, s *Store, command domain.Command) domain.Result {
	switch c := command.(type) {
	case domain.IssueGiftCard:
		return resultOf(s.IssueGiftCard(ctx, c))
	case domain.GetGiftCard:
		return resultOf(s.GiftCard(ctx, c))
	case domain.AdjustGiftCard:
		return resultOf(s.AdjustGiftCard(ctx, c))
	case domain.GiftCardTransactionQuery:
		return allPages(&c.Page, func() (domain.Listing[domain.BalanceTransaction], error) { return s.GiftCardTransactions(ctx, c) })
	case domain.TransferToCredit:
		return resultOf(s.TransferToCredit(ctx, c))
	case domain.GetCustomerBalance:
		return resultOf(s.CustomerBalance(ctx, c))
	case domain.AdjustCustomerBalance:
		return resultOf(s.AdjustCustomerBalance(ctx, c))
	case domain.ApplyCredit:
		return resultOf(s.ApplyCredit(ctx, c))
	case domain.CustomerTransactionQuery:
		return allPages(&c.Page, func() (domain.Listing[domain.BalanceTransaction], error) { return s.CustomerTransactions(ctx, c) })
	case domain.ReserveRequest:
		return resultAt(s.Reserve(ctx, &c))
	case domain.CommitRedemption:
		return resultAt(s.Commit(ctx, c))
	case domain.ReleaseRedemption:
		return resultAt(s.Release(ctx, c))
	case domain.VoidRedemption:
		return resultAt(s.Void(ctx, c))
	default:
		return carryOut(ctx, s, command)
	}
}
