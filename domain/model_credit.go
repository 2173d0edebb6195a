// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package domain

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"
)

// issued returns what was on a card at first; no card has nothing.
func (g *GiftCard) issued() int64 {
	if g == nil {
		return 0
	}
	return g.Issued.AmountMinor
}

func (cmd IssueGiftCard) step(s State, now time.Time, ids IDs) (State, Result) {
	next, r := s.createPromotionCode(cmd.PromotionCode, cmd.Twin(), cmd.RequestID, cmd, now, ids)
	view, ok := r.Value.(PromotionCodeView)
	if !ok {
		return next, r
	}
	c := next.coupon(view.Name.Coupon)
	if len(c.cards[view.Name.ID]) == 0 {
		next = next.withCardTransaction(view.Name, BalanceTransaction{
			Kind: TransactionIssued, AmountMinor: view.Card.Issued.AmountMinor, Time: now, RequestID: cmd.RequestID,
		})
	}
	return next, returns(c.cardView(view))
}

func (c *couponRecord) cardView(v PromotionCodeView) GiftCardView {
	return GiftCardView{PromotionCodeView: v, Currency: c.Discount.GiftCards.Currency}
}

// card returns a gift card, or an error when the name names none.
func (s State) card(n PromotionCodeName) (*couponRecord, *PromotionCodeSnapshot, error) {
	c, p := s.promotionCode(n)
	if p == nil || p.Card == nil {
		return nil, nil, &NotFoundError{Type: GiftCardResource, Name: n.String(), Ordinary: p != nil}
	}
	return c, p, nil
}

func (q GetGiftCard) step(s State, now time.Time, _ IDs) (State, Result) {
	if q.Name == (PromotionCodeName{}) {
		first := claim{}
		for k := range s.holders {
			n, active := s.lastHolder(k)
			if active && k.form == q.Code.Form() && (first.form == "" || k.scope < first.scope) {
				first, q.Name = k, n
			}
		}
		if first.form == "" {
			return s, fails(&NotFoundError{Type: GiftCardResource})
		}
	}
	c, p, err := s.card(q.Name)
	if err != nil {
		return s, fails(err)
	}
	view := c.cardView(c.viewOf(p, now))
	history := c.cards[p.Name.ID]
	view.Latest = history[max(0, len(history)-LatestTransactions):]
	return s, returns(view)
}

func (cmd AdjustGiftCard) step(s State, now time.Time, _ IDs) (State, Result) {
	c, p, err := s.card(cmd.Name)
	if err != nil {
		return s, fails(err)
	}
	_, replay, err := c.replayed(cmd.RequestID, cmd)
	switch {
	case err != nil:
		return s, fails(err)
	case replay:
		return s, returns(c.cardView(c.viewOf(p, now)))
	case p.State == PromotionDeleted:
		return s, fails(&DeletedError{Type: PromotionCodeResource, Name: p.Name.String()})
	case p.BalanceMinor+cmd.AmountMinor < 0:
		return s, fails(&AmountExceededError{Name: p.Name, LimitMinor: p.BalanceMinor})
	case cmd.AmountMinor > MaxAmount-p.BalanceMinor-c.Spent[c.Discount.GiftCards.Currency].TotalMinor:
		return s, fails(CardFull())
	}
	next := s.withCardTransaction(cmd.Name, BalanceTransaction{
		Kind: TransactionAdjusted, AmountMinor: cmd.AmountMinor, Time: now, RequestID: cmd.RequestID, Reason: cmd.Reason,
	})
	next = next.withRequest(c.ID, cmd.RequestID, cmd, p.Name.ID)
	c, p, _ = next.card(cmd.Name)
	return next, returns(c.cardView(c.viewOf(p, now)))
}

func (cmd TransferToCredit) step(s State, now time.Time, _ IDs) (State, Result) {
	c, p, err := s.card(cmd.Name)
	if err != nil {
		return s, fails(err)
	}
	switch _, replay, err := c.replayed(cmd.RequestID, cmd); {
	case err != nil:
		return s, fails(err)
	case replay:
		done, ok := c.transfers[cmd.RequestID]
		if !ok {
			return s, fails(ErrRequestIDReused)
		}
		return s, returns(done)
	}
	if against := c.snapshot(&cmd.Customer, p).CardUnusable(&cmd.Customer, now); len(against) > 0 {
		return s, fails(&RefusedError{Ineligibilities: against})
	}
	amount := p.BalanceMinor
	if cmd.AmountMinor != nil {
		amount = *cmd.AmountMinor
	}
	holder, currency := cmd.Customer.Identities()[0], c.Discount.GiftCards.Currency
	switch {
	case amount > p.BalanceMinor:
		return s, fails(&AmountExceededError{Name: p.Name, LimitMinor: p.BalanceMinor})
	case amount > MaxAmount/2-s.credit[holder].balance(currency):
		return s, fails(CreditFull())
	}
	moved := BalanceTransaction{
		Kind: TransactionTransferred, AmountMinor: amount, Time: now, RequestID: callersRequest(cmd.RequestID), Card: p.Name,
	}
	next, got := s.withCredit(holder, currency, moved)
	moved.AmountMinor, moved.Card = -amount, PromotionCodeName{}
	next = next.withCardTransaction(p.Name, moved)
	next = next.withRequest(c.ID, cmd.RequestID, cmd, p.Name.ID)
	after := *next.coupon(c.ID)
	after.transfers = with(after.transfers, cmd.RequestID, got)
	return next.withCoupon(&after), returns(got)
}

// callersRequest returns a request id unless it is one that no caller has.
func callersRequest(id string) string {
	if id == "" || id[0] == 0 {
		return ""
	}
	return id
}

// sendRemainder does what the option of a program says when one of its cards was
// used. What stands in the way stops nothing: the money stays on the card.
func (s State) sendRemainder(r *Redemption, now time.Time) State {
	c, p := s.promotionCode(PromotionCodeName{r.Name.Coupon, r.PromotionCode})
	if p == nil {
		return s
	}
	customer, sends := c.snapshot(&Customer{}, p).SendsRemainder(r)
	if !sends {
		return s
	}
	next, _ := TransferToCredit{RequestID: RemainderRequestID(r.Name), Name: p.Name, Customer: customer}.step(s, now, IDs{})
	return next
}

// withCardTransaction appends to the history of a card and moves its balance.
func (s State) withCardTransaction(n PromotionCodeName, t BalanceTransaction) State {
	c, p := s.promotionCode(n)
	next, moved := *c, *p
	next.addCardTransaction(&moved, t)
	return s.withCoupon(&next).withPromotionCode(moved)
}

func (c *couponRecord) addCardTransaction(p *PromotionCodeSnapshot, t BalanceTransaction) {
	history := c.cards[p.Name.ID]
	if t.Kind != TransactionIssued {
		p.BalanceMinor += t.AmountMinor
	}
	t.Position, t.Currency, t.BalanceMinor = int64(len(history))+1, c.Discount.GiftCards.Currency, p.BalanceMinor
	c.cards = with(c.cards, p.Name.ID, append(slices.Clone(history), t))
}

// moveCard moves the balance of p by the difference that r makes in the ledger of
// before.
func (c *couponRecord) moveCard(p *PromotionCodeSnapshot, before *couponRecord, at int, r *Redemption) {
	delta := -r.Spent().TotalMinor
	if at < len(before.ledger) {
		delta += before.ledger[at].Spent().TotalMinor
	}
	if delta == 0 {
		return
	}
	t := BalanceTransaction{Kind: TransactionReturned, AmountMinor: delta, Redemption: r.Name, Time: r.CreateTime}
	switch {
	case delta < 0:
		t.Kind = TransactionRedeemed
		if !r.CommitTime.IsZero() {
			t.Time = r.CommitTime
		}
	case len(r.Voids) > 0:
		t.Time = r.Voids[len(r.Voids)-1].Time
	case !r.CommitTime.IsZero():
		t.Time = r.CommitTime
	case !r.ReleaseTime.IsZero():
		t.Time = r.ReleaseTime
	default:
		t.Time = r.ExpireTime
	}
	c.addCardTransaction(p, t)
}

func (q GiftCardTransactionQuery) step(s State, _ time.Time, _ IDs) (State, Result) {
	c, p, err := s.card(q.Name)
	if err != nil {
		return s, fails(err)
	}
	return s, returns(Listing[BalanceTransaction]{Items: c.cards[p.Name.ID]})
}

// with returns m with one more entry, and leaves m as it is.
func with[K comparable, V any](m map[K]V, k K, v V) map[K]V {
	m = maps.Clone(m)
	if m == nil {
		m = map[K]V{}
	}
	m[k] = v
	return m
}

// creditRecord is the credit of one customer.
type creditRecord struct {
	history []BalanceTransaction
	// requests has what request ids and invoice ids were used for: the position in
	// history and the fingerprint.
	requests map[string]usedCredit
}

type usedCredit struct {
	position    int
	fingerprint string
}

// balance sums the history in one currency.
func (r *creditRecord) balance(currency Currency) int64 {
	var sum int64
	if r == nil {
		return 0
	}
	for _, t := range r.history {
		if t.Currency == currency {
			sum += t.AmountMinor
		}
	}
	return sum
}

func (s State) withCredit(holder Identity, currency Currency, t BalanceTransaction) (State, BalanceTransaction) {
	was := s.credit[holder]
	next := creditRecord{}
	if was != nil {
		next = *was
	}
	t.Position, t.Currency, t.BalanceMinor = int64(len(next.history))+1, currency, was.balance(currency)+t.AmountMinor
	next.history = append(slices.Clone(next.history), t)
	s.credit = with(s.credit, holder, &next)
	return s, t
}

// changeCredit is what the commands about a customer's credit have in common: one
// effect for each key. Another command with the key is the error reused.
func (s State) changeCredit(
	holder Identity, key string, reused error, command Command, currency Currency, change func(balance int64) (BalanceTransaction, error),
) (State, Result) {
	r := s.credit[holder]
	if r != nil {
		if used, ok := r.requests[key]; ok && used.fingerprint == Fingerprint(command) {
			return s, returns(r.history[used.position])
		} else if ok {
			return s, fails(reused)
		}
	}
	t, err := change(r.balance(currency))
	if err != nil {
		return s, fails(err)
	}
	next, made := s.withCredit(holder, currency, t)
	after := *next.credit[holder]
	after.requests = with(after.requests, key, usedCredit{len(after.history) - 1, Fingerprint(command)})
	next.credit[holder] = &after // a map of its own
	return next, returns(made)
}

func (cmd AdjustCustomerBalance) step(s State, now time.Time, _ IDs) (State, Result) {
	return s.changeCredit(cmd.Holder, "r"+cmd.RequestID, ErrRequestIDReused, cmd, cmd.Amount.Currency, func(balance int64) (BalanceTransaction, error) {
		t := BalanceTransaction{
			Kind: TransactionAdjusted, AmountMinor: cmd.Amount.AmountMinor, Time: now, RequestID: cmd.RequestID, Reason: cmd.Reason,
		}
		switch {
		case balance+t.AmountMinor < 0:
			return t, CustomerBalanceExceeded(Money{cmd.Amount.Currency, balance})
		case t.AmountMinor > MaxAmount/2-balance:
			return t, CreditFull()
		}
		return t, nil
	})
}

func (cmd ApplyCredit) step(s State, now time.Time, _ IDs) (State, Result) {
	return s.changeCredit(cmd.Holder, "v"+cmd.Invoice(), ErrInvoiceIDReused, cmd, cmd.UpTo.Currency, func(balance int64) (BalanceTransaction, error) {
		return BalanceTransaction{
			Kind: TransactionApplied, AmountMinor: -min(balance, cmd.UpTo.AmountMinor), Time: now, InvoiceID: cmd.InvoiceID,
		}, nil
	})
}

func (q GetCustomerBalance) step(s State, _ time.Time, _ IDs) (State, Result) {
	out := CustomerBalance{Holder: q.Holder}
	seen := map[Currency]bool{}
	if r := s.credit[q.Holder]; r != nil {
		for _, t := range r.history {
			if !seen[t.Currency] {
				seen[t.Currency] = true
				out.Amounts = append(out.Amounts, Money{t.Currency, r.balance(t.Currency)})
			}
		}
	}
	slices.SortFunc(out.Amounts, func(a, b Money) int { return cmp.Compare(a.Currency, b.Currency) })
	return s, returns(out)
}

func (q CustomerTransactionQuery) step(s State, _ time.Time, _ IDs) (State, Result) {
	var list Listing[BalanceTransaction]
	if r := s.credit[q.Holder]; r != nil {
		list.Items = r.history
	}
	return s, returns(list)
}

// checkBalances returns a balance below zero, or one that is not what its history
// says, or a sum over gift cards and credit that is not what was issued, adjusted
// and used.
func (s State) checkBalances() error {
	var transfers, received int64
	for _, c := range s.coupons {
		for _, p := range c.codes {
			if p.Card == nil {
				continue
			}
			var sum, used int64
			for _, t := range c.cards[p.Name.ID] {
				sum += t.AmountMinor
				switch t.Kind {
				case TransactionTransferred:
					transfers -= t.AmountMinor
				case TransactionRedeemed, TransactionReturned:
					used -= t.AmountMinor
				case TransactionIssued, TransactionAdjusted, TransactionApplied:
				}
				if t.BalanceMinor < 0 {
					return fmt.Errorf("%s had %d left", p.Name, t.BalanceMinor)
				}
			}
			var spent int64
			for _, r := range c.ledger {
				if r.PromotionCode == p.Name.ID {
					spent += r.Spent().TotalMinor
				}
			}
			if sum != p.BalanceMinor || sum < 0 || used != spent {
				return fmt.Errorf("%s has %d left, its history %d; the ledger took %d, the history %d", p.Name, p.BalanceMinor, sum, spent, used)
			}
		}
	}
	for holder, r := range s.credit {
		left := map[Currency]int64{}
		for _, t := range r.history {
			if left[t.Currency] += t.AmountMinor; left[t.Currency] < 0 || left[t.Currency] != t.BalanceMinor {
				return fmt.Errorf("the credit of %s is %d after %d, and %d was noted", holder, left[t.Currency], t.Position, t.BalanceMinor)
			}
			if t.Kind == TransactionTransferred {
				received += t.AmountMinor
			}
		}
	}
	if transfers != received {
		return fmt.Errorf("%d left gift cards and %d came to customers", transfers, received)
	}
	return nil
}
