// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/discountd/discountd/domain"
)

// Money moves from a gift card to a customer's credit across two slots:
//
//  1. Announce: the customer's slot notes that a transfer is expected, and where
//     from.
//  2. Debit: in the card's slot the amount leaves the balance and is recorded as
//     owed, in one script.
//  3. Credit: in the customer's slot it is added, once for each transfer, and no
//     longer expected, in one script.
//  4. Settle: in the card's slot the record says that it has arrived.
//
// Each step happens once however often it is played, by whomever. After a crash the
// retry goes on; without one, whoever next reads or changes the customer's credit
// meets what is expected and plays the rest. What is owed and has not arrived is on
// neither balance and is never lost.

// transferID identifies a transfer: the request that it is of, on its program.
func transferID(coupon domain.CouponID, request string) string {
	return requestKey(string(coupon) + "\x00" + request)
}

// owed is what step 2 recorded.
type owed struct {
	id              string
	coupon          domain.CouponID
	code            domain.PromotionCodeID
	pending         bool
	amount          int64
	holder          domain.Identity
	currency        domain.Currency
	time, requestID string
}

func parseOwed(coupon domain.CouponID, id, text string) (owed, error) {
	f := strings.SplitN(text, "\t", 7)
	if len(f) != 7 {
		return owed{}, fmt.Errorf("redisstore: a transfer of %s has %d fields", coupon, len(f))
	}
	var n numbers
	return owed{
		id: id, coupon: coupon, pending: f[0] == "P", amount: n.parse(f[1]), holder: domain.Identity(f[2]), currency: domain.Currency(f[3]),
		code: domain.PromotionCodeID(f[4]), time: f[5], requestID: f[6],
	}, n.err
}

// TransferToCredit moves money from a gift card to a customer's credit, once for
// each request id, and returns the customer's side of it.
func (s *Store) TransferToCredit(ctx context.Context, cmd domain.TransferToCredit) (domain.BalanceTransaction, error) {
	req := commandRequest{cmd.RequestID, domain.Fingerprint(cmd)}
	id, coupon := transferID(cmd.Name.Coupon, cmd.RequestID), cmd.Name.Coupon
	for range attempts {
		st, err := s.readCard(ctx, subject{coupon: coupon, code: cmd.Name.ID, who: cmd.Customer.Identities(), command: req})
		switch {
		case err != nil:
			return domain.BalanceTransaction{}, err
		case st.reused != nil:
			return domain.BalanceTransaction{}, st.reused
		case st.done != nil:
			return s.finishTransfer(ctx, coupon, id)
		}
		if against := st.CardUnusable(&cmd.Customer, s.now()); len(against) > 0 {
			return domain.BalanceTransaction{}, &domain.RefusedError{Ineligibilities: against}
		}
		amount := st.PromotionCode.BalanceMinor
		if cmd.AmountMinor != nil {
			amount = *cmd.AmountMinor
		}
		if amount > st.PromotionCode.BalanceMinor {
			return domain.BalanceTransaction{}, &domain.AmountExceededError{Name: cmd.Name, LimitMinor: st.PromotionCode.BalanceMinor}
		}
		o := owed{
			id: id, coupon: coupon, code: cmd.Name.ID, amount: amount, requestID: cmd.RequestID,
			holder: cmd.Customer.Identities()[0], currency: st.PromotionCode.Card.Issued.Currency,
		}
		debited, err := s.announceAndDebit(ctx, o, st, cmd.AmountMinor, req)
		if err != nil {
			return domain.BalanceTransaction{}, err
		}
		if debited != nil {
			t, err := s.creditTransfer(ctx, *debited)
			return t, begun(err)
		}
	}
	return domain.BalanceTransaction{}, domain.ErrAborted
}

// announceAndDebit plays steps 1 and 2. It returns nothing when what was read is no
// longer so.
func (s *Store) announceAndDebit(ctx context.Context, o owed, st *state, amount *int64, req commandRequest) (*owed, error) {
	if err := s.enter(ctx, s.keys.creditListOf(o.holder), string(o.holder)); err != nil {
		return nil, err
	}
	r, err := s.run(ctx, creditExpect, []string{s.keys.creditHead(o.holder), s.keys.creditExpected(o.holder)},
		string(o.currency), o.amount, o.id, origin(o.coupon, s.now()))
	switch {
	case err != nil:
		return nil, notBegun(err)
	case r.outcome == "full":
		return nil, domain.CreditFull()
	}
	r, err = s.run(ctx, cardTransfer, []string{
		s.keys.head(o.coupon), s.keys.promotions(o.coupon, o.code.Bucket()), s.keys.commands(o.coupon), s.keys.transfers(o.coupon),
	},
		st.Coupon.Version, string(o.code), st.PromotionCode.Version, o.id, limitText(amount),
		string(o.holder), string(o.currency), millis(s.now()), requestKey(req.id), req.fingerprint, o.requestID)
	if err != nil {
		return nil, err
	}
	var refusal error
	switch r.outcome {
	case outcomeOK, outcomeReplay:
		debited, err := parseOwed(o.coupon, o.id, r.values[0])
		return &debited, err
	case outcomeReused:
		refusal = domain.ErrRequestIDReused
	case "empty": // since it was read: why, the next read says
	case "short":
		refusal = s.shortOf(domain.PromotionCodeName{Coupon: o.coupon, ID: o.code}, r.values[0])
	}
	if _, err := s.tidy(ctx, creditForget, []string{s.keys.creditExpected(o.holder)}, o.id); err != nil {
		return nil, notBegun(err)
	}
	return nil, refusal
}

// notBegun turns an error of a step that has no effect of its own: nothing has been
// done that a retry would have to find.
func notBegun(err error) error {
	if u, ok := errors.AsType[*domain.UnavailableError](err); ok {
		return &domain.UnavailableError{RetryAfter: u.RetryAfter, Cause: u.Cause}
	}
	return err
}

func isUnavailable(err error) bool {
	_, ok := errors.AsType[*domain.UnavailableError](err)
	return ok
}

// creditTransfer plays steps 3 and 4.
func (s *Store) creditTransfer(ctx context.Context, o owed) (domain.BalanceTransaction, error) {
	t, err := s.changeCredit(ctx, change{
		kind: domain.TransactionTransferred, holder: o.holder, key: "t" + o.id, fingerprint: "-", currency: o.currency, amount: o.amount,
		time: o.time, belongsTo: o.requestID, detail: string(o.coupon) + "/" + string(o.code), transfer: o.id,
	})
	if err != nil || !o.pending {
		return t, err
	}
	_, err = s.tidy(ctx, cardTransferred, []string{s.keys.transfers(o.coupon)}, o.id)
	return t, err
}

// creditSafely is creditTransfer for who has only read that the amount was debited.
// What is credited must not come back to the card when a Redis is replaced by one
// that knows less.
func (s *Store) creditSafely(ctx context.Context, o owed) (domain.BalanceTransaction, error) {
	if err := s.confirm(ctx, s.keys.transfers(o.coupon), o.id); err != nil {
		return domain.BalanceTransaction{}, err
	}
	return s.creditTransfer(ctx, o)
}

// finishTransfer plays what is missing of a transfer whose debit was recorded.
func (s *Store) finishTransfer(ctx context.Context, coupon domain.CouponID, id string) (domain.BalanceTransaction, error) {
	texts, err := s.readFields(ctx, s.keys.transfers(coupon), []string{id})
	if err != nil {
		return domain.BalanceTransaction{}, err
	}
	o, err := parseOwed(coupon, id, texts[0])
	if err != nil {
		return domain.BalanceTransaction{}, err
	}
	return s.creditSafely(ctx, o)
}

// origin is where an expected transfer comes from, and since when it is expected.
func origin(coupon domain.CouponID, now time.Time) string { return millis(now) + " " + string(coupon) }

// forgetAfter is when a transfer that was announced and never debited is no longer
// expected: long after every call that could still debit it has ended.
const forgetAfter = 10 * time.Minute

// lookAfter plays what is missing of the transfers that a customer expects: ids and
// origins in turns.
func (s *Store) lookAfter(ctx context.Context, holder domain.Identity, expected []string) error {
	for pair := range slices.Chunk(expected, 2) {
		id := pair[0]
		at, coupon, ok := strings.Cut(pair[1], " ")
		var n numbers
		announced := time.UnixMilli(n.parse(at))
		if !ok || n.err != nil {
			return fmt.Errorf("redisstore: %s expects a transfer that is malformed", holder)
		}
		values, err := s.transferText(ctx, domain.CouponID(coupon), id)
		switch {
		case err != nil:
			return err
		case values != "":
			o, err := parseOwed(domain.CouponID(coupon), id, values)
			if err == nil {
				_, err = s.creditSafely(ctx, o)
			}
			if err != nil {
				return err
			}
		case s.now().Sub(announced) > forgetAfter:
			if _, err := s.tidy(ctx, creditForget, []string{s.keys.creditExpected(holder)}, id); err != nil {
				return err
			}
		}
	}
	return nil
}

// transferText returns what step 2 recorded, or nothing.
func (s *Store) transferText(ctx context.Context, coupon domain.CouponID, id string) (string, error) {
	var values []any
	err := s.again(ctx, func() error {
		var err error
		values, err = s.client.HMGet(ctx, s.keys.transfers(coupon), id).Result()
		return err
	})
	if err != nil {
		return "", readError(ctx, err)
	}
	text, _ := values[0].(string)
	return text, nil
}

// CustomerBalance returns a customer's credit.
func (s *Store) CustomerBalance(ctx context.Context, q domain.GetCustomerBalance) (domain.CustomerBalance, error) {
	out, _, err := s.creditBalance(ctx, q.Holder, "")
	return out, err
}

// creditBalance returns a customer's credit and how many transactions led to it.
// Unless it was looked after, what is on its way arrives first.
func (s *Store) creditBalance(ctx context.Context, holder domain.Identity, lookedAfter string) (domain.CustomerBalance, int64, error) {
	out := domain.CustomerBalance{Holder: holder}
	head, err := s.readCredit(ctx, holder, lookedAfter)
	if err != nil {
		return out, 0, err
	}
	var n numbers
	length := int64(0)
	for field, text := range head {
		if currency, ok := strings.CutPrefix(field, "b:"); ok {
			out.Amounts = append(out.Amounts, domain.Money{Currency: domain.Currency(currency), AmountMinor: n.parse(text)})
		} else if field == "q" {
			length = n.parse(text)
		}
	}
	slices.SortFunc(out.Amounts, func(a, b domain.Money) int { return strings.Compare(string(a.Currency), string(b.Currency)) })
	return out, length, n.err
}

// readCredit reads the head of a customer's credit.
func (s *Store) readCredit(ctx context.Context, holder domain.Identity, lookedAfter string) (map[string]string, error) {
	for {
		r, err := s.ask(ctx, creditRead, []string{s.keys.creditHead(holder), s.keys.creditExpected(holder)}, lookedAfter)
		if err != nil {
			return nil, err
		}
		if r.outcome == outcomeOK {
			return headFields(r.values), nil
		}
		// A Redis that takes no writes can still be read: what is on its way has then
		// not arrived.
		if err := s.lookAfter(ctx, holder, r.values); err != nil && !isUnavailable(err) {
			return nil, err
		}
		lookedAfter = "1"
	}
}

// AdjustCustomerBalance adds to a customer's credit or takes from it.
func (s *Store) AdjustCustomerBalance(ctx context.Context, cmd domain.AdjustCustomerBalance) (domain.BalanceTransaction, error) {
	if err := s.enter(ctx, s.keys.creditListOf(cmd.Holder), string(cmd.Holder)); err != nil {
		return domain.BalanceTransaction{}, err
	}
	return s.changeCredit(ctx, change{
		kind: domain.TransactionAdjusted, holder: cmd.Holder, key: "r" + requestKey(cmd.RequestID), fingerprint: domain.Fingerprint(cmd),
		currency: cmd.Amount.Currency, amount: cmd.Amount.AmountMinor, belongsTo: cmd.RequestID, detail: cmd.Reason,
	})
}

// ApplyCredit uses what there is of a customer's credit for an invoice, up to an
// amount, once for each invoice.
func (s *Store) ApplyCredit(ctx context.Context, cmd domain.ApplyCredit) (domain.BalanceTransaction, error) {
	return s.changeCredit(ctx, change{
		kind: domain.TransactionApplied, holder: cmd.Holder, key: "v" + requestKey(cmd.Invoice()), fingerprint: domain.Fingerprint(cmd),
		currency: cmd.UpTo.Currency, amount: cmd.UpTo.AmountMinor, belongsTo: cmd.InvoiceID,
	})
}

// change is one movement of a customer's credit.
type change struct {
	kind             domain.TransactionKind
	holder           domain.Identity
	key, fingerprint string
	currency         domain.Currency
	amount           int64
	time             string // the present when empty
	belongsTo        string
	detail           string
	transfer         string
}

func (s *Store) changeCredit(ctx context.Context, c change) (domain.BalanceTransaction, error) {
	if c.time == "" {
		c.time = millis(s.now())
	}
	lookedAfter := ""
	for {
		r, err := s.run(ctx, creditChange, []string{
			s.keys.creditHead(c.holder), s.keys.creditRequests(c.holder), s.keys.creditLedger(c.holder), s.keys.creditExpected(c.holder),
		},
			ledgerPageSize, lookedAfter, string(rune(c.kind)), c.key, c.fingerprint, string(c.currency), c.amount, c.time,
			c.belongsTo, c.detail, c.transfer)
		if err != nil {
			return domain.BalanceTransaction{}, err
		}
		var n numbers
		switch r.outcome {
		case outcomeOK, outcomeReplay:
			position := n.parse(r.values[0])
			if n.err != nil {
				return domain.BalanceTransaction{}, n.err
			}
			return parseCredit(position, r.values[1])
		case outcomeReused:
			if c.kind == domain.TransactionApplied {
				return domain.BalanceTransaction{}, domain.ErrInvoiceIDReused
			}
			return domain.BalanceTransaction{}, domain.ErrRequestIDReused
		case "short":
			balance := domain.Money{Currency: c.currency, AmountMinor: n.parse(r.values[0])}
			if n.err != nil {
				return domain.BalanceTransaction{}, n.err
			}
			return domain.BalanceTransaction{}, domain.CustomerBalanceExceeded(balance)
		case "full":
			return domain.BalanceTransaction{}, domain.CreditFull()
		case "expected":
			if err := s.lookAfter(ctx, c.holder, r.values); err != nil {
				return domain.BalanceTransaction{}, notBegun(err)
			}
			lookedAfter = "1"
		default:
			return domain.BalanceTransaction{}, fmt.Errorf("redisstore: the transactions of %s and their number do not agree", c.holder)
		}
	}
}

// parseCredit reads a transaction of a customer's credit.
func parseCredit(position int64, text string) (domain.BalanceTransaction, error) {
	t, err := parseTransaction(position, text)
	f := strings.Split(text, "\t")
	if err != nil {
		return t, err
	}
	if len(f) != 7 {
		return t, fmt.Errorf("redisstore: transaction %d has %d fields", position, len(f))
	}
	t.Currency = domain.Currency(f[6])
	switch t.Kind {
	case domain.TransactionTransferred:
		coupon, code, _ := strings.Cut(t.Reason, "/")
		t.Card, t.Reason = domain.PromotionCodeName{Coupon: domain.CouponID(coupon), ID: domain.PromotionCodeID(code)}, ""
	case domain.TransactionApplied:
		t.InvoiceID, t.RequestID = t.RequestID, ""
	case domain.TransactionIssued, domain.TransactionRedeemed, domain.TransactionReturned, domain.TransactionAdjusted:
	}
	return t, nil
}

// CustomerTransactions lists the history of a customer's credit in its order.
func (s *Store) CustomerTransactions(ctx context.Context, q domain.CustomerTransactionQuery) (domain.Listing[domain.BalanceTransaction], error) {
	var out domain.Listing[domain.BalanceTransaction]
	_, length, err := s.creditBalance(ctx, q.Holder, "")
	if err != nil {
		return out, err
	}
	from, err := positionAfter(q.Token)
	if err != nil {
		return out, err
	}
	last := min(length, from+int64(q.Size)-1)
	if out.Items, err = s.creditHistory(ctx, q.Holder, from, last); err != nil {
		return out, err
	}
	if last < length && last > 0 {
		out.Next = strconv.FormatInt(last, 10)
	}
	return out, nil
}

// creditHistory reads the transactions of a customer's credit from one position to
// another, both included, which must be there.
func (s *Store) creditHistory(ctx context.Context, holder domain.Identity, from, last int64) ([]domain.BalanceTransaction, error) {
	var out []domain.BalanceTransaction
	for from <= last {
		page, start := (from-1)/ledgerPageSize, (from-1)%ledgerPageSize
		var texts []string
		err := s.again(ctx, func() error {
			var err error
			texts, err = s.client.LRange(ctx, s.keys.creditPage(holder, page), start, min(start+last-from, ledgerPageSize-1)).Result()
			return err
		})
		if err != nil {
			return out, readError(ctx, err)
		}
		if len(texts) == 0 {
			return out, fmt.Errorf("redisstore: the transactions of %s end before %d of %d", holder, from, last)
		}
		for _, text := range texts {
			t, err := parseCredit(from, text)
			if err != nil {
				return out, err
			}
			out = append(out, t)
			from++
		}
	}
	return out, nil
}

// remainderSent does what the option of a program says when one of its cards was
// used, and returns the redemption. What stands in the way stops nothing: the money
// stays on the card. What is not known is, as a whole, not known: the retry of the
// redemption goes on.
func (s *Store) remainderSent(ctx context.Context, st *state, r *domain.Redemption, err error) (*domain.Redemption, error) {
	if err != nil {
		return nil, err
	}
	if st == nil || st.Coupon.ID != r.Name.Coupon || st.PromotionCode == nil || st.PromotionCode.Name.ID != r.PromotionCode {
		return r, nil
	}
	customer, sends := st.SendsRemainder(r)
	if !sends {
		return r, nil
	}
	_, err = s.TransferToCredit(ctx, domain.TransferToCredit{
		RequestID: domain.RemainderRequestID(r.Name), Name: st.PromotionCode.Name, Customer: customer,
	})
	_, refused := errors.AsType[*domain.RefusedError](err)
	_, full := errors.AsType[*domain.TooManyError](err)
	switch {
	case err == nil || refused || full:
		return r, nil
	case errors.Is(err, domain.ErrAborted):
		return nil, &domain.UnavailableError{OutcomeUnknown: true, RetryAfter: retryAfter, Cause: err}
	default:
		return nil, begun(err)
	}
}
