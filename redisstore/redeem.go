// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/discountd/discountd/domain"
)

// Redeem takes one use of what the request's source leads to, once per request
// id. It fails with a RefusedError when a rule or a limit says no, with
// ErrRequestIDReused when the id belongs to another request, and with ErrAborted
// when the configuration kept changing meanwhile; in each case nothing was taken.
func (s *Store) Redeem(ctx context.Context, r *domain.RedeemRequest) (*domain.Redemption, error) {
	return s.takeUse(ctx, &use{RedeemRequest: r, fingerprint: r.Fingerprint()})
}

// Reserve takes one use as Redeem does and keeps it for a time, until it is
// committed or released.
func (s *Store) Reserve(ctx context.Context, r *domain.ReserveRequest) (*domain.Redemption, error) {
	return s.takeUse(ctx, &use{RedeemRequest: &r.RedeemRequest, fingerprint: r.Fingerprint(), ttl: r.TTL})
}

// use is one use that a request asks for: for good, or for a time.
type use struct {
	*domain.RedeemRequest
	fingerprint string
	ttl         time.Duration
}

// What a call has on its stack while it waits for its turn is most of what it takes
// in memory, and to grow that stack is no small part of its work. So what is long is
// passed as a pointer on the way to submit, and what comes before or after the wait
// is done in functions of its own.

func (s *Store) takeUse(ctx context.Context, r *use) (*domain.Redemption, error) {
	done, err := s.takeRecalled(ctx, r)
	switch {
	case err != nil:
		return nil, err
	case done != nil:
		return s.effective(done), nil
	default:
		return s.takeFound(ctx, r)
	}
}

// takeFound takes one use by rules that are read.
func (s *Store) takeFound(ctx context.Context, r *use) (*domain.Redemption, error) {
	for range attempts {
		found, err := s.find(ctx, &r.ValidateRequest, r.RequestID)
		if err != nil {
			return nil, err
		}
		prior, err := s.redeemedBefore(ctx, found, r.RequestID, r.fingerprint)
		if err != nil {
			return nil, err
		}
		if prior != nil {
			done, err := confirmed(ctx, s, s.keys.requests(prior.Name.Coupon), requestKey(r.RequestID), s.effective(prior))
			return s.remainderSent(ctx, found.state, done, err)
		}
		if found.state == nil {
			return nil, &domain.RefusedError{Ineligibilities: found.refusal}
		}
		unfit := false
		if found.state.claiming {
			if unfit, err = s.activateFound(ctx, found); err != nil {
				return nil, err
			}
			if !unfit {
				continue
			}
		}
		done, err := s.evaluateAndTake(ctx, r, found.state, unfit)
		if err != nil {
			return nil, err
		}
		if done != nil {
			return s.remainderSent(ctx, found.state, s.effective(done), nil)
		}
	}
	return nil, domain.ErrAborted
}

// takeRecalled takes one use by rules that are remembered. It returns nil and no
// error when they do not decide: none are, they say no, they are not what the script
// finds, or the request was redeemed where its code led before. Then everything is to
// be read.
func (s *Store) takeRecalled(ctx context.Context, r *use) (*domain.Redemption, error) {
	known, ok := s.rules.recallFor(&r.ValidateRequest)
	if !ok {
		return nil, nil
	}
	snapshot := known.rules()
	redemption := s.evaluated(r, snapshot)
	if redemption == nil {
		return nil, nil
	}
	// The script itself knows whether the request was redeemed with the coupon that
	// its code leads to now.
	if len(known.former) > 0 {
		prior, err := s.redeemedBefore(ctx, found{former: known.former}, r.RequestID, r.fingerprint)
		if err != nil || prior != nil {
			return nil, err
		}
	}
	done, err := s.take(ctx, redemption, snapshot, "")
	switch {
	case err == nil:
		return done, nil
	case outcomeUnknown(err):
		// That the rules are stale is told by an answer, and this one was lost.
		s.rules.coupons.remove(snapshot.Coupon.ID)
	case errors.Is(err, domain.ErrRequestIDReused):
		// The script looks for the request before it compares versions, and this may
		// no longer be the coupon that the code leads to.
		return nil, nil
	case len(redemption.Periods) > 1 && refusedFor(err, domain.PeriodLimitReached):
		return nil, nil // which of the periods it is, the counts tell
	}
	return nil, err
}

// evaluated returns what a request is to become, or nil when rules say no.
func (s *Store) evaluated(r *use, snapshot *domain.Snapshot) *domain.Redemption {
	e := domain.Evaluate(snapshot, &r.ValidateRequest, s.now())
	if !e.Valid() {
		return nil
	}
	return newRedemption(r, snapshot, &e)
}

func outcomeUnknown(err error) bool {
	u, ok := errors.AsType[*domain.UnavailableError](err)
	return ok && u.OutcomeUnknown
}

func refusedFor(err error, reason domain.Reason) bool {
	refused, ok := errors.AsType[*domain.RefusedError](err)
	return ok && slices.ContainsFunc(refused.Ineligibilities, func(i domain.Ineligibility) bool { return i.Reason == reason })
}

// evaluateAndTake takes one use of what was read, unless its code has become unfit
// since. It returns nil and no error when what was read is no longer how things are,
// or a subscription is being claimed by another request.
func (s *Store) evaluateAndTake(ctx context.Context, r *use, st *state, unfit bool) (*domain.Redemption, error) {
	var sub *subscription
	self := subscriber(st.Coupon.ID, r.RequestID)
	if r.SubscriptionID != "" && st.Coupon.Discount.GiftCards == nil {
		var err error
		if sub, err = s.readSubscription(ctx, r.SubscriptionID); err != nil {
			return nil, err
		}
		if sub.made && sub.owner.name == self {
			return nil, nil // at this moment, by the same request
		}
		st.SubscriptionHolder = sub.holder
	}
	e := domain.Evaluate(&st.Snapshot, &r.ValidateRequest, s.now())
	if !e.Valid() {
		if sub != nil && sub.open && sub.owner.name == self {
			s.dropClaim(ctx, sub.form, sub.owner) // of a try before the last change
		}
		return nil, &domain.RefusedError{Ineligibilities: e.Ineligibilities}
	}
	if unfit {
		return nil, nil
	}
	redemption := newRedemption(r, &st.Snapshot, &e)
	if sub == nil {
		return s.take(ctx, redemption, &st.Snapshot, "")
	}
	token, ok, err := s.claimSubscription(ctx, sub, st.Coupon.ID, r.RequestID)
	if err != nil || !ok {
		return nil, err
	}
	done, err := s.take(ctx, redemption, &st.Snapshot, token)
	if tookNothing(err) {
		s.dropClaim(ctx, sub.form, owner{self, token})
	}
	return done, begun(err)
}

// effective makes a redemption, which is nobody else's, as it is at this moment.
func (s *Store) effective(r *domain.Redemption) *domain.Redemption {
	if r.State == domain.RedemptionReserved { // time changes no other
		r.State = r.StateAt(s.now())
	}
	return r
}

// found is what a source leads to.
type found struct {
	// state is nil when a code leads to nobody; refusal then says why.
	state   *state
	refusal []domain.Ineligibility
	// former are the coupons where the request may have been redeemed before the
	// code changed hands.
	former []domain.CouponID
	// twin is the form by which the code would be held in the other space.
	twin string
}

// find reads what the source of a request leads to. If request is given it is
// looked up there among the redemptions.
func (s *Store) find(ctx context.Context, r *domain.ValidateRequest, request string) (found, error) {
	who := r.Customer.Identities()
	// An empty code is a code all the same: what a customer typed is malformed.
	if r.Source.Coupon != "" || r.Source.PromotionCode.ID != "" {
		o := subject{coupon: r.Source.Coupon, who: who, request: request}
		if r.Source.PromotionCode.ID != "" {
			o.coupon, o.code = r.Source.PromotionCode.Coupon, r.Source.PromotionCode.ID
		}
		st, err := s.read(ctx, o)
		if err == nil && o.code == "" {
			err = st.Coupon.CheckDirect()
		}
		if err != nil {
			return found{}, err
		}
		s.rules.remember(st)
		return found{state: st}, nil
	}
	code, err := domain.ParseCode(r.Source.Code)
	if err != nil {
		return found{refusal: []domain.Ineligibility{{Reason: domain.CodeMalformed}}}, nil
	}
	var f found
	dead := "" // the token of a claim that leads to nothing
	for range 3 {
		res, err := s.lookUp(ctx, code, r.Source.Hash, who, dead)
		if err != nil {
			return found{}, err
		}
		if res.name.ID == "" {
			return found{refusal: []domain.Ineligibility{{Reason: res.reason}}, former: couponsOf(res.former, "")}, nil
		}
		f.state, err = s.read(ctx, subject{coupon: res.name.Coupon, code: res.name.ID, who: who, request: request})
		if err != nil {
			return found{}, err
		}
		f.former, f.twin = couponsOf(res.former, res.name.Coupon), res.twin
		p := f.state.PromotionCode
		holds := res.token != "" && f.state.token == res.token
		if holds && p.State == domain.PromotionPending {
			twin, err := s.lookForTwin(ctx, res.twin)
			if err != nil {
				return found{}, err
			}
			// Unless the twin is in the way, the claim is taken: only the last step is missing.
			if holds = twin.name.ID == ""; holds {
				f.state.claiming, p.State = true, domain.PromotionActive
			}
		}
		s.rules.remember(f.state)
		s.rules.rememberHolder(code.Form(), &res, f.state)
		if res.token == "" || holds {
			break
		}
		dead = res.token // or the code has changed hands since it was looked up
	}
	return f, nil
}

// couponsOf returns the different coupons of some promotion codes, but for one.
func couponsOf(names []domain.PromotionCodeName, but domain.CouponID) []domain.CouponID {
	var out []domain.CouponID
	seen := map[domain.CouponID]bool{but: true}
	for _, n := range names {
		if !seen[n.Coupon] {
			seen[n.Coupon] = true
			out = append(out, n.Coupon)
		}
	}
	return out
}

// redeemedBefore returns the redemption that the request has made already, be it
// where its source leads or where its code led before. If it has made none,
// another request under the same id where its source leads is an error.
func (s *Store) redeemedBefore(ctx context.Context, f found, request, fingerprint string) (*domain.Redemption, error) {
	var reused error
	if f.state != nil && f.state.settled {
		reused = domain.ErrRequestIDReused
	}
	if f.state != nil && f.state.prior != nil {
		prior, err := sameRequest(f.state.prior, request, fingerprint)
		if err == nil {
			return prior, nil
		}
		reused = err
	}
	prior, err := s.redeemedWithFormer(ctx, f.former, request, fingerprint)
	if err != nil || prior != nil {
		return prior, err
	}
	return nil, reused
}

// redeemedWithFormer returns the redemption that the request has made with one of the
// coupons that its code led to before, or nil. It asks all of them for the request's
// id at once: most never saw it, and there may be as many as a claim remembers.
func (s *Store) redeemedWithFormer(ctx context.Context, former []domain.CouponID, request, fingerprint string) (*domain.Redemption, error) {
	if len(former) == 0 {
		return nil, nil
	}
	seen := make([]*redis.SliceCmd, len(former))
	err := s.again(ctx, func() error {
		p := s.client.Pipeline()
		for i, coupon := range former {
			// Unlike HGET, it does not call it an error that there is none.
			seen[i] = p.HMGet(ctx, s.keys.requests(coupon), requestKey(request))
		}
		_, err := p.Exec(ctx)
		return err
	})
	if err != nil {
		return nil, readError(ctx, err)
	}
	for i, coupon := range former {
		text, _ := seen[i].Val()[0].(string)
		if text == "" || strings.Contains(text, " ") {
			continue // it is new there, or was used for something else than to redeem
		}
		var n numbers
		position := n.parse(text)
		if n.err != nil {
			return nil, fmt.Errorf("redisstore: a request of %s: %w", coupon, n.err)
		}
		records, err := s.records(ctx, coupon, position, position)
		if err != nil {
			return nil, err
		}
		if len(records) == 0 {
			return nil, fmt.Errorf("redisstore: the ledger of %s has no record %d", coupon, position)
		}
		if prior, err := sameRequest(records[0], request, fingerprint); err == nil {
			return prior, nil
		}
	}
	return nil, nil
}

func sameRequest(prior *domain.Redemption, request, fingerprint string) (*domain.Redemption, error) {
	if prior.RequestID != request || prior.Fingerprint != fingerprint {
		return nil, domain.ErrRequestIDReused
	}
	return prior, nil
}

// activateFound plays the last step of a claim that was met on the way. It reports
// whether the promotion code cannot be redeemed any more, and stays PENDING.
func (s *Store) activateFound(ctx context.Context, f found) (unfit bool, err error) {
	if twin, err := s.clearTwin(ctx, f.twin); err != nil || twin.name.ID != "" {
		return false, err // the next look at it leads elsewhere
	}
	outcome, err := s.activateOwner(ctx, owner{f.state.PromotionCode.Name, f.state.token}, commandRequest{})
	return outcome == outcomeUnfit, err
}

// capacityKeys are the keys of the scripts that take capacity and give it back; not
// all of them take the last one.
func (s *Store) capacityKeys(c domain.CouponID) []string {
	return []string{
		s.keys.head(c), s.keys.requests(c), s.keys.customers(c), s.keys.holds(c), s.keys.ledger(c), s.keys.promotionBuckets(c),
		s.keys.subscriptions(c),
	}
}

// The scripts that take capacity and give it back.
var (
	redeemBatch = capacityBatch(redeem)
	settleBatch = capacityBatch(settle, maxVoids)
	renewBatch  = capacityBatch(renew)
)

// capacityBatch is a batch of a script that has these arguments of its own before
// those of the requests.
func capacityBatch(sc *script, own ...any) *batchKind {
	return &batchKind{
		script: sc,
		lead:   func(s *Store) []any { return append(capacityLead(s), own...) },
		keys:   func(s *Store, c domain.CouponID) []string { return s.capacityKeys(c)[:len(sc.keys)] },
	}
}

func capacityLead(s *Store) []any { return []any{ledgerPageSize, millis(s.now())} }

// decide has one request of a coupon decided, with others or alone, and returns
// what was decided. It is sent again while reservations that are due stand in the
// way, of which each call ends some; not for ever, whatever it says.
func (s *Store) decide(ctx context.Context, kind *batchKind, c domain.CouponID, request ...string) (outcome, value string, err error) {
	for range maxExpiries {
		a := s.submit(ctx, kind, c, &ticket{args: request})
		if a.err != nil || a.outcome != outcomeAgain {
			return a.outcome, a.value, a.err
		}
	}
	return "", "", errNeverEnds(c)
}

// maxExpiries bounds how often one call has reservations ended that are due. Each
// time ends 64 of them, so there is time for some four million.
const maxExpiries = 1 << 16

// errNeverEnds says that a coupon's reservations stay due however many are ended,
// which no healthy store does.
func errNeverEnds(c domain.CouponID) error {
	return fmt.Errorf("redisstore: the reservations of %s that are due never end", c)
}

// submit gathers a request with others, or sends it at once where nothing is to
// be gathered.
func (s *Store) submit(ctx context.Context, kind *batchKind, c domain.CouponID, t *ticket) decision {
	if s.gather != nil {
		return s.gather.submit(ctx, kind, c, t)
	}
	return s.submitAlone(ctx, kind, c, t)
}

func (s *Store) submitAlone(ctx context.Context, kind *batchKind, c domain.CouponID, t *ticket) decision {
	t.done = make(chan decision, 1)
	b := &batch{line: &line{key: lineKey{kind, c}}, tickets: []*ticket{t}}
	sent := b.call(s)
	s.sendAlone(ctx, sent)
	b.handOut(sent)
	return <-t.done
}
