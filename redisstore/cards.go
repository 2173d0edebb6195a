// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/discountd/discountd/domain"
)

// cardBalance is the first balance of a promotion code, empty when it is no gift
// card.
func cardBalance(p *domain.PromotionCode) string {
	if p.Card == nil {
		return ""
	}
	return strconv.FormatInt(p.Card.Issued.AmountMinor, 10)
}

// IssueGiftCard stores a gift card and claims its code for it.
func (s *Store) IssueGiftCard(ctx context.Context, cmd domain.IssueGiftCard) (domain.GiftCardView, error) {
	view, err := s.createPromotionCode(ctx, cmd.PromotionCode, cmd.Twin(), commandRequest{cmd.RequestID, domain.Fingerprint(cmd)})
	return ofCard(view, err)
}

// GiftCard returns a gift card.
func (s *Store) GiftCard(ctx context.Context, q domain.GetGiftCard) (domain.GiftCardView, error) {
	if q.Name.ID == "" {
		var err error
		if q.Name, err = s.holderOfCard(ctx, q.Code); err != nil {
			return domain.GiftCardView{}, err
		}
	}
	st, err := s.readCard(ctx, subject{coupon: q.Name.Coupon, code: q.Name.ID})
	if err != nil {
		return domain.GiftCardView{}, err
	}
	view := s.cardView(st)
	view.Latest, err = s.cardHistory(ctx, st, max(1, st.moves-domain.LatestTransactions+1), st.moves)
	return view, err
}

// DisableGiftCard stops a gift card until it is enabled again.
func (s *Store) DisableGiftCard(ctx context.Context, cmd domain.DeactivatePromotionCode) (domain.GiftCardView, error) {
	if _, err := s.readCard(ctx, subject{coupon: cmd.Name.Coupon, code: cmd.Name.ID}); err != nil {
		return domain.GiftCardView{}, err
	}
	view, err := s.DeactivatePromotionCode(ctx, cmd)
	return ofCard(view, err)
}

// EnableGiftCard makes a gift card that was disabled usable again.
func (s *Store) EnableGiftCard(ctx context.Context, cmd domain.ActivatePromotionCode) (domain.GiftCardView, error) {
	if _, err := s.readCard(ctx, subject{coupon: cmd.Name.Coupon, code: cmd.Name.ID}); err != nil {
		return domain.GiftCardView{}, err
	}
	view, err := s.ActivatePromotionCode(ctx, cmd)
	return ofCard(view, err)
}

func ofCard(view domain.PromotionCodeView, err error) (domain.GiftCardView, error) {
	if err != nil {
		return domain.GiftCardView{}, err
	}
	return domain.GiftCardView{PromotionCodeView: view, Currency: view.Card.Issued.Currency}, nil
}

// holderOfCard returns the gift card that holds a code, whomever it is bound to.
func (s *Store) holderOfCard(ctx context.Context, code domain.CodeHash) (domain.PromotionCodeName, error) {
	r, err := s.ask(ctx, claimRead, []string{s.keys.claims(code.Form())}, code.Form(), "")
	if err != nil {
		return domain.PromotionCodeName{}, err
	}
	for i := 0; i+1 < len(r.values); i += 2 {
		if e := parseEntry(r.values[i], r.values[i+1]); e.owner.name.ID != "" {
			return e.owner.name, nil
		}
	}
	return domain.PromotionCodeName{}, &domain.NotFoundError{Type: domain.GiftCardResource}
}

// readCard reads a promotion code that is a gift card.
func (s *Store) readCard(ctx context.Context, o subject) (*state, error) {
	st, err := s.read(ctx, o)
	if isNotFound(err) || err == nil && st.PromotionCode.Card == nil {
		return nil, &domain.NotFoundError{Type: domain.GiftCardResource, Name: o.name().String(), Ordinary: err == nil}
	}
	return st, err
}

func (s *Store) cardView(st *state) domain.GiftCardView {
	return domain.GiftCardView{PromotionCodeView: s.promotionView(st), Currency: st.PromotionCode.Card.Issued.Currency}
}

// AdjustGiftCard adds to the balance of a gift card or takes from it.
func (s *Store) AdjustGiftCard(ctx context.Context, cmd domain.AdjustGiftCard) (domain.GiftCardView, error) {
	req := commandRequest{cmd.RequestID, domain.Fingerprint(cmd)}
	for range attempts {
		st, err := s.readCard(ctx, subject{coupon: cmd.Name.Coupon, code: cmd.Name.ID, command: req})
		switch {
		case err != nil:
			return domain.GiftCardView{}, err
		case st.reused != nil:
			return domain.GiftCardView{}, st.reused
		case st.done != nil:
			return confirmCommand(ctx, s, cmd.Name.Coupon, req, s.cardView(st))
		case st.PromotionCode.State == domain.PromotionDeleted:
			return domain.GiftCardView{}, deleted(cmd.Name)
		}
		p := st.PromotionCode
		r, err := s.run(ctx, cardAdjust, []string{
			s.keys.head(cmd.Name.Coupon), s.keys.promotions(cmd.Name.Coupon, cmd.Name.ID.Bucket()), s.keys.commands(cmd.Name.Coupon),
		},
			cmd.Name.ID.Suffix(), p.Version, string(p.Card.Issued.Currency), cmd.AmountMinor, millis(s.now()), cmd.Reason,
			requestKey(req.id), req.fingerprint, string(cmd.Name.ID), cmd.RequestID)
		switch {
		case err != nil:
			return domain.GiftCardView{}, err
		case r.outcome == outcomeStale:
			continue
		case r.outcome == outcomeReused:
			return domain.GiftCardView{}, domain.ErrRequestIDReused
		case r.outcome == "short":
			return domain.GiftCardView{}, s.shortOf(cmd.Name, r.values[0])
		case r.outcome == "full":
			return domain.GiftCardView{}, domain.CardFull()
		}
		view, err := s.GiftCard(ctx, domain.GetGiftCard{Name: cmd.Name})
		return view, begun(err)
	}
	return domain.GiftCardView{}, domain.ErrAborted
}

func (s *Store) shortOf(name domain.PromotionCodeName, balance string) error {
	var n numbers
	e := &domain.AmountExceededError{Name: name, LimitMinor: n.parse(balance)}
	if n.err != nil {
		return n.err
	}
	return e
}

// GiftCardTransactions lists the history of a gift card in its order.
func (s *Store) GiftCardTransactions(ctx context.Context, q domain.GiftCardTransactionQuery) (domain.Listing[domain.BalanceTransaction], error) {
	var out domain.Listing[domain.BalanceTransaction]
	st, err := s.readCard(ctx, subject{coupon: q.Name.Coupon, code: q.Name.ID})
	if err != nil {
		return out, err
	}
	from, err := positionAfter(q.Token)
	if err != nil {
		return out, err
	}
	to := min(from+int64(q.Size)-1, st.moves)
	out.Items, err = s.cardHistory(ctx, st, from, to)
	if to < st.moves {
		out.Next = strconv.FormatInt(to, 10)
	}
	return out, err
}

// cardHistory reads the transactions of a gift card from one position to another,
// both included. The first one is told by the card's configuration.
func (s *Store) cardHistory(ctx context.Context, st *state, from, to int64) ([]domain.BalanceTransaction, error) {
	name, issued := st.PromotionCode.Name, st.PromotionCode.Card.Issued
	var out []domain.BalanceTransaction
	if from == 1 {
		out = append(out, domain.BalanceTransaction{
			Position: 1, Kind: domain.TransactionIssued, Currency: issued.Currency,
			AmountMinor: issued.AmountMinor, BalanceMinor: issued.AmountMinor,
			Time: st.PromotionCode.CreateTime, RequestID: st.PromotionCode.Card.RequestID,
		})
	}
	from = max(2, from)
	var fields []string
	for at := from; at <= to; at++ {
		fields = append(fields, name.ID.Suffix()+"/"+strconv.FormatInt(at, 10))
	}
	texts, err := s.readFields(ctx, s.keys.cardTransactions(name.Coupon, name.ID.Bucket()), fields)
	if err != nil {
		return nil, err
	}
	for i, text := range texts {
		t, err := parseTransaction(from+int64(i), text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		t.Currency = issued.Currency
		if t.Kind == domain.TransactionRedeemed || t.Kind == domain.TransactionReturned {
			position, request, _ := strings.Cut(t.RequestID, " ")
			var n numbers
			t.Redemption = domain.RedemptionName{Coupon: name.Coupon, ID: domain.NewRedemptionID(n.parse(position), request)}
			t.RequestID = ""
			if n.err != nil {
				return nil, n.err
			}
		}
		out = append(out, t)
	}
	return out, nil
}

// readFields reads fields of a hash that must be there.
func (s *Store) readFields(ctx context.Context, key string, fields []string) ([]string, error) {
	if len(fields) == 0 {
		return nil, nil
	}
	var values []any
	err := s.again(ctx, func() error {
		var err error
		values, err = s.client.HMGet(ctx, key, fields...).Result()
		return err
	})
	if err != nil {
		return nil, readError(ctx, err)
	}
	texts := make([]string, len(values))
	for i, v := range values {
		text, ok := v.(string)
		if !ok {
			return nil, fmt.Errorf("redisstore: %s has no field %s", key, fields[i])
		}
		texts[i] = text
	}
	return texts, nil
}

// parseTransaction reads the fields that all transactions have: kind, amount,
// balance after it, instant, what it belongs to, reason. What it belongs to is
// returned as its request id.
func parseTransaction(position int64, text string) (domain.BalanceTransaction, error) {
	f := strings.Split(text, "\t")
	if len(f) < 6 || len(f[0]) != 1 {
		return domain.BalanceTransaction{}, fmt.Errorf("redisstore: transaction %d has %d fields, the first of %d bytes", position, len(f), len(f[0]))
	}
	var n numbers
	t := domain.BalanceTransaction{
		Position: position, Kind: domain.TransactionKind(f[0][0]), AmountMinor: n.parse(f[1]), BalanceMinor: n.parse(f[2]),
		Time: time.UnixMilli(n.parse(f[3])).UTC(), RequestID: f[4], Reason: f[5],
	}
	if strings.HasPrefix(t.RequestID, "\x00") { // no caller's
		t.RequestID = ""
	}
	if n.err != nil {
		return t, fmt.Errorf("redisstore: transaction %d: %w", position, n.err)
	}
	return t, nil
}

// lookUp is resolve for a code that may be that of a gift card: one is meant unless
// another promotion code holds the code. A claim with the token dead was found to lead
// to nothing.
func (s *Store) lookUp(ctx context.Context, code domain.Code, card domain.CodeHash, who []domain.Identity, dead string) (resolution, error) {
	res, err := s.resolve(ctx, code.Form(), who)
	res.twin = card.Twin()
	if err != nil || card == "" || res.token != "" && res.token != dead {
		return res, err
	}
	held, err := s.resolve(ctx, card.Form(), who)
	if err != nil {
		return resolution{}, err
	}
	if held.token != "" || res.reason == domain.CodeNotFound {
		held.twin = code.Form()
		held.former = append(held.former, res.former...)
		return held, nil
	}
	res.former = append(res.former, held.former...)
	return res, nil
}
