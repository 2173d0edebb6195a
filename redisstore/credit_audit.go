// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/discountd/discountd/domain"
)

// An audit of balances goes on beside the service. A history is only ever added to,
// by the script that moves the balance: so the balance and the number of
// transactions, read at one moment, say which part of the history must add up to it.
// The ledger and the transfers are held against a history that was as long after
// they were read as before.

// BalanceAudit is what an audit of balances was about and what it found.
type BalanceAudit struct {
	// Cards and Customers are how many there are, and Moving how many cards were used
	// again and again meanwhile, so that the ledger could not be held against them.
	Cards, Customers, Moving int
	// Sums are by currency. They are of one moment only if nothing moved meanwhile.
	Sums map[domain.Currency]domain.BalanceSums
	// Found has everything that is wrong.
	Found []domain.BalanceDifference
}

// AuditBalances compares the balances of the gift cards of one program, or of all
// programs and of all customers when it is empty, with their histories, and these
// with the ledger and the transfers. It writes nothing.
func (s *Store) AuditBalances(ctx context.Context, program domain.CouponID) (BalanceAudit, error) {
	a := balanceAudit{store: s, BalanceAudit: BalanceAudit{Sums: map[domain.Currency]domain.BalanceSums{}}}
	ids := []domain.CouponID{program}
	if program == "" {
		if err := a.customers(ctx); err != nil {
			return a.BalanceAudit, err
		}
		var err error
		if ids, err = (&Auditor{s}).coupons(ctx); err != nil {
			return a.BalanceAudit, err
		}
	}
	for _, id := range ids {
		is, err := a.isProgram(ctx, id)
		if err == nil && is {
			err = a.program(ctx, id)
		}
		if err != nil {
			return a.BalanceAudit, err
		}
	}
	return a.BalanceAudit, nil
}

// isProgram reports whether a coupon is a program of gift cards. One that is not
// there, or cannot be read, is none: that is for others to say.
func (a *balanceAudit) isProgram(ctx context.Context, id domain.CouponID) (bool, error) {
	s := a.store
	var text string
	err := s.again(ctx, func() error {
		var err error
		if text, err = s.client.Get(ctx, s.keys.definition(id)).Result(); errors.Is(err, redis.Nil) {
			return nil
		}
		return err
	})
	if err != nil {
		return false, readError(ctx, err)
	}
	var c domain.Coupon
	return json.Unmarshal([]byte(text), &c) == nil && c.Discount.GiftCards != nil, nil
}

const (
	// auditPage is how much of a list is read at once.
	auditPage = 500
	// auditTries is how often the ledger is held against a card that moves.
	auditTries = 5
)

type balanceAudit struct {
	BalanceAudit
	store *Store
}

func (a *balanceAudit) found(d domain.BalanceDifference) { a.Found = append(a.Found, d) }

func (a *balanceAudit) add(c domain.Currency, s domain.BalanceSums) { a.Sums[c] = a.Sums[c].Plus(s) }

// cardAudit is what the history of one card says.
type cardAudit struct {
	moves int64
	sums  domain.BalanceSums
	wrong []domain.BalanceDifference
}

// program audits the gift cards of one program.
func (a *balanceAudit) program(ctx context.Context, id domain.CouponID) error {
	names, err := a.cards(ctx, id)
	if err != nil {
		return err
	}
	for try := range auditTries {
		before, err := a.readCards(ctx, names)
		if err != nil {
			return err
		}
		spent, err := a.spent(ctx, id)
		if err != nil {
			return err
		}
		sent, arrived, wrong, err := a.transfers(ctx, id)
		if err != nil {
			return err
		}
		if try == 0 {
			a.Found = append(a.Found, wrong...)
		}
		var moved []domain.PromotionCodeName
		for _, n := range names {
			st, err := a.card(ctx, n)
			if err != nil {
				return err
			}
			c := before[n.ID]
			if st.moves != c.moves {
				moved = append(moved, n)
				continue
			}
			a.judge(n, c, spent[n.ID], sent[n.ID], arrived[n.ID])
			a.add(st.PromotionCode.Card.Issued.Currency, c.sums)
			a.Cards++
		}
		if names = moved; len(names) == 0 {
			return nil
		}
	}
	a.Moving += len(names)
	return nil
}

// judge holds the ledger and the transfers against the history of a card.
func (a *balanceAudit) judge(n domain.PromotionCodeName, c *cardAudit, spent, sent, arrived int64) {
	a.Found = append(a.Found, c.wrong...)
	if c.sums.Redeemed != spent {
		a.found(domain.BalanceDifference{Card: n, What: domain.DifferenceRedeemed, StoredMinor: spent, WantMinor: c.sums.Redeemed})
	}
	if c.sums.Owed != sent {
		a.found(domain.BalanceDifference{Card: n, What: domain.DifferenceTransferred, StoredMinor: sent, WantMinor: c.sums.Owed})
	}
	c.sums.Owed -= arrived
}

// cards returns the names of all gift cards of a program: whatever has a record and
// a configuration.
func (a *balanceAudit) cards(ctx context.Context, id domain.CouponID) ([]domain.PromotionCodeName, error) {
	var out []domain.PromotionCodeName
	reader := couponAudit{store: a.store, id: id}
	created, err := a.store.readFields(ctx, a.store.keys.head(id), []string{"b"})
	if err != nil {
		return nil, err
	}
	var n numbers
	last := n.parse(created[0]) / codesPerBucket
	if n.err != nil {
		return nil, n.err
	}
	for bucket := int64(0); bucket <= last; bucket += bucketsPerCall {
		_, configured, err := reader.readCodeBuckets(ctx, bucket)
		if err != nil {
			return nil, err
		}
		for _, code := range configured {
			out = append(out, domain.PromotionCodeName{Coupon: id, ID: domain.PromotionCodeID(code)})
		}
	}
	return out, nil
}

// card reads a gift card as it is stored: reservations that are due are not ended.
func (a *balanceAudit) card(ctx context.Context, n domain.PromotionCodeName) (*state, error) {
	values, err := a.store.readFields(ctx, a.store.keys.promotions(n.Coupon, n.ID.Bucket()), []string{n.ID.Suffix()})
	if err != nil {
		return nil, err
	}
	st, stored := &state{}, readCode(values[0])
	if err := st.readCode(n, stored); err != nil {
		return nil, err
	}
	if _, isCard, _ := stored.moves(); !isCard || st.PromotionCode.Card == nil {
		return nil, fmt.Errorf("redisstore: %s is no gift card", n)
	}
	return st, nil
}

func (a *balanceAudit) readCards(ctx context.Context, names []domain.PromotionCodeName) (map[domain.PromotionCodeID]*cardAudit, error) {
	out := map[domain.PromotionCodeID]*cardAudit{}
	for _, n := range names {
		st, err := a.card(ctx, n)
		if err != nil {
			return nil, err
		}
		c := &cardAudit{moves: st.moves}
		history, err := a.store.cardHistory(ctx, st, 1, st.moves)
		if err != nil {
			return nil, err
		}
		c.sums = domain.CardSums(n, st.PromotionCode.BalanceMinor, history, func(d domain.BalanceDifference) { c.wrong = append(c.wrong, d) })
		out[n.ID] = c
	}
	return out, nil
}

// spent returns what the ledger of a program took from each card, reservations
// included as long as their records say so.
func (a *balanceAudit) spent(ctx context.Context, id domain.CouponID) (map[domain.PromotionCodeID]int64, error) {
	out := map[domain.PromotionCodeID]int64{}
	s := a.store
	for position := int64(0); ; {
		var texts []string
		err := s.again(ctx, func() error {
			var err error
			texts, err = s.client.LRange(ctx, s.keys.ledgerPage(id, position/ledgerPageSize), 0, ledgerPageSize-1).Result()
			return err
		})
		if err != nil {
			return nil, readError(ctx, err)
		}
		for _, text := range texts {
			position++
			r, err := parseRecord(id, position, text)
			if err != nil {
				return nil, err
			}
			out[r.PromotionCode] += r.Spent().TotalMinor
		}
		if len(texts) < ledgerPageSize {
			return out, nil
		}
	}
}

// transfers returns what was sent from each card of a program, and what of it has
// arrived: once, as it was sent, at the customer whom it was sent to.
func (a *balanceAudit) transfers(ctx context.Context, id domain.CouponID) (sent, arrived map[domain.PromotionCodeID]int64, wrong []domain.BalanceDifference, err error) {
	sent, arrived = map[domain.PromotionCodeID]int64{}, map[domain.PromotionCodeID]int64{}
	var all []owed
	cursor := uint64(0)
	for {
		var page []string
		var next uint64
		err = a.store.again(ctx, func() error {
			var err error
			page, next, err = a.store.client.HScan(ctx, a.store.keys.transfers(id), cursor, "", auditPage).Result()
			return err
		})
		if err != nil {
			return nil, nil, nil, readError(ctx, err)
		}
		for i := 0; i+1 < len(page); i += 2 {
			o, err := parseOwed(id, page[i], page[i+1])
			if err != nil {
				return nil, nil, nil, err
			}
			all = append(all, o)
		}
		if cursor = next; cursor == 0 {
			break
		}
	}
	seen := map[string]bool{} // a scan may return a field twice
	for _, o := range all {
		if seen[o.id] {
			continue
		}
		seen[o.id] = true
		got, err := a.arrival(ctx, o)
		if err != nil {
			return nil, nil, nil, err
		}
		sent[o.code] += o.amount
		arrived[o.code] += got
		if got != o.amount && (!o.pending || got != 0) {
			wrong = append(wrong, domain.BalanceDifference{
				Card: domain.PromotionCodeName{Coupon: id, ID: o.code}, Holder: o.holder,
				What: domain.DifferenceArrived, StoredMinor: got, WantMinor: o.amount,
			})
		}
	}
	return sent, arrived, wrong, nil
}

// arrival returns what a transfer brought to the customer.
func (a *balanceAudit) arrival(ctx context.Context, o owed) (int64, error) {
	s := a.store
	var values []any
	err := s.again(ctx, func() error {
		var err error
		values, err = s.client.HMGet(ctx, s.keys.creditRequests(o.holder), "t"+o.id).Result()
		return err
	})
	if err != nil {
		return 0, readError(ctx, err)
	}
	text, arrived := values[0].(string)
	if !arrived {
		return 0, nil
	}
	position, _, _ := strings.Cut(text, " ")
	at, err := strconv.ParseInt(position, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("redisstore: a transfer to %s is at no position", o.holder)
	}
	history, err := s.creditHistory(ctx, o.holder, at, at)
	if err != nil {
		return 0, err
	}
	return history[0].AmountMinor, nil
}

// customers audits the credit of all customers.
func (a *balanceAudit) customers(ctx context.Context) error {
	s := a.store
	for shard := range uint32(creditShards) {
		cursor := uint64(0)
		for {
			var page []string
			var next uint64
			err := s.again(ctx, func() error {
				var err error
				page, next, err = s.client.ZScan(ctx, s.keys.creditList(shard), cursor, "", auditPage).Result()
				return err
			})
			if err != nil {
				return readError(ctx, err)
			}
			for i := 0; i+1 < len(page); i += 2 {
				if err := a.customer(ctx, domain.Identity(page[i])); err != nil {
					return err
				}
			}
			if cursor = next; cursor == 0 {
				break
			}
		}
	}
	return nil
}

func (a *balanceAudit) customer(ctx context.Context, holder domain.Identity) error {
	balance, length, err := a.store.creditBalance(ctx, holder, "1")
	if err != nil {
		return err
	}
	history, err := a.store.creditHistory(ctx, holder, 1, length)
	if err != nil {
		return err
	}
	made, err := a.requested(ctx, holder)
	if err != nil {
		return err
	}
	for i := range history {
		t := &history[i]
		key, asked := made[t.Position]
		switch {
		case !asked:
			a.found(domain.BalanceDifference{Holder: holder, What: domain.DifferenceUnasked, StoredMinor: t.AmountMinor})
		case t.Kind == domain.TransactionTransferred:
			if err := a.debited(ctx, holder, strings.TrimPrefix(key, "t"), t); err != nil {
				return err
			}
		}
	}
	for _, m := range balance.Amounts {
		sums := domain.CreditSums(holder, m, history, a.found)
		sums.Owed = 0 // told by the transfers of the cards
		a.add(m.Currency, sums)
	}
	a.Customers++
	return nil
}

// debited holds what came to a customer by a transfer against the record of it,
// which was made before and stays. Without one the money is on the card, too: the
// slot of the card was set back, and that of the customer was not.
func (a *balanceAudit) debited(ctx context.Context, holder domain.Identity, id string, t *domain.BalanceTransaction) error {
	text, err := a.store.transferText(ctx, t.Card.Coupon, id)
	if err != nil {
		return err
	}
	var o owed
	if text != "" {
		if o, err = parseOwed(t.Card.Coupon, id, text); err != nil {
			return err
		}
	}
	if o.amount != t.AmountMinor || o.holder != holder || o.code != t.Card.ID {
		a.found(domain.BalanceDifference{
			Card: t.Card, Holder: holder, What: domain.DifferenceDebited, StoredMinor: o.amount, WantMinor: t.AmountMinor,
		})
	}
	return nil
}

// requested returns what the transactions of a customer were asked for by, by their
// positions. A request that was made again led to its last.
func (a *balanceAudit) requested(ctx context.Context, holder domain.Identity) (map[int64]string, error) {
	s := a.store
	out := map[int64]string{}
	cursor := uint64(0)
	for {
		var page []string
		var next uint64
		err := s.again(ctx, func() error {
			var err error
			page, next, err = s.client.HScan(ctx, s.keys.creditRequests(holder), cursor, "", auditPage).Result()
			return err
		})
		if err != nil {
			return nil, readError(ctx, err)
		}
		for i := 0; i+1 < len(page); i += 2 {
			position, _, _ := strings.Cut(page[i+1], " ")
			at, err := strconv.ParseInt(position, 10, 64)
			if err != nil {
				return nil, fmt.Errorf("redisstore: a request of %s is at no position", holder)
			}
			out[at] = page[i]
		}
		if cursor = next; cursor == 0 {
			return out, nil
		}
	}
}

// differences returns what an audit of balances found as an audit of everything
// tells it. None of it is mended: it is money, and the histories say whose.
func (b *BalanceAudit) differences() []domain.Difference {
	var out []domain.Difference
	for _, d := range b.Found {
		name := d.What
		if d.Card.ID != "" {
			name = string(d.Card.ID) + ", " + name
		}
		if d.Holder != "" {
			name = string(d.Holder) + ", " + name
		}
		out = append(out, domain.Difference{
			Coupon: d.Card.Coupon, Kind: domain.DifferenceBalances, Name: name,
			Stored: strconv.FormatInt(d.StoredMinor, 10), Want: strconv.FormatInt(d.WantMinor, 10),
			Reason: "money is adjusted by hand",
		})
	}
	return out
}
