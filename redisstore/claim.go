// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/discountd/discountd/domain"
)

// The claim protocol keeps a promotion code's record, which is in its coupon's
// slot, and the claim to its code, which is in another one, in step, such that at
// every instant at most one of two conflicting promotion codes is ACTIVE, through
// any crash, stall or repeated message.
//
//  1. Pending: the record becomes PENDING with a fresh token.
//  2. Claim: whoever the code's bucket names as holding a conflicting claim is
//     asked, in its own slot, whether it still stands behind it; one that can
//     never be redeemed again gives way. Then one compare-and-set puts (owner,
//     token) into the bucket.
//  3. Activate: PENDING becomes ACTIVE, if its token is the one that holds the
//     claim and it can still be redeemed. Anyone who meets the claim may do this.
//
// A claim entry counts only while its owner is PENDING or ACTIVE with the entry's
// token. Since every other write draws a fresh token, a message that comes late
// finds that its token is nobody's.

// maxBoundCodes is how many promotion codes, each bound to a customer, may share
// one code.
const maxBoundCodes = 10_000

// claimant is a promotion code that is PENDING with a token, and the command that
// wants it ACTIVE.
type claimant struct {
	promotion domain.PromotionCode
	token     string
	request   commandRequest
	// twin is the form by which the same code would be held in the other space: gift
	// cards are claimed by the keyed hash of their codes, other promotion codes by the
	// codes themselves. Empty where there can be none, or it is not known.
	twin string
	// blind is whether there may be a twin and it is not known. Whoever is met PENDING
	// has the same twin, so one who is blind finishes nobody.
	blind bool
	// created tells a new promotion code, of which a refusal leaves nothing, from
	// an old one, which a refusal leaves INACTIVE.
	created bool
}

// heldBy returns the refusal of a claimant whose code another promotion code holds.
func (who *claimant) heldBy(holder domain.PromotionCodeName) error {
	return &domain.AlreadyExistsError{
		Type: domain.PromotionCodeResource, Name: holder.String(), Code: who.promotion.Code.String(),
	}
}

// owner is what a claim entry says about its holder.
type owner struct {
	name  domain.PromotionCodeName
	token string
}

func (o owner) String() string {
	if o.name.ID == "" {
		return ""
	}
	return string(o.name.Coupon) + "/" + string(o.name.ID) + "/" + o.token
}

// entry is one field of a claim bucket: who holds a code in one scope, and the
// last to hold it in each coupon, the latest first.
type entry struct {
	field, value string
	owner        owner
	formers      []domain.PromotionCodeName
}

func parseEntry(field, value string) entry {
	e := entry{field: field, value: value}
	holder, formers, _ := strings.Cut(value, ";")
	if f := strings.Split(holder, "/"); len(f) == 3 {
		e.owner = owner{domain.PromotionCodeName{Coupon: domain.CouponID(f[0]), ID: domain.PromotionCodeID(f[1])}, f[2]}
	}
	for former := range strings.SplitSeq(formers, ",") {
		if c, p, ok := strings.Cut(former, "/"); ok {
			e.formers = append(e.formers, domain.PromotionCodeName{Coupon: domain.CouponID(c), ID: domain.PromotionCodeID(p)})
		}
	}
	return e
}

// verdict is what step 2 found.
type verdict int

const (
	claimed   verdict = iota // the bucket names the claimant
	conflict                 // another one holds the code
	twinHeld                 // another one holds its twin
	activated                // the claimant is ACTIVE by another attempt
	lost                     // a race was lost
)

// claim plays steps 2 and 3 for a PENDING promotion code.
func (s *Store) claim(ctx context.Context, who claimant) (domain.PromotionCodeView, error) {
	result, holder, err := s.takeClaim(ctx, who)
	if err != nil {
		return domain.PromotionCodeView{}, err
	}
	switch result {
	case claimed:
		view, err := s.activate(ctx, who)
		if errors.Is(err, domain.ErrRequestIDReused) {
			// Another command with this id came first: this one must not have been.
			return s.giveUp(ctx, who, err)
		}
		return view, err
	case activated:
		return s.PromotionCode(ctx, who.promotion.Name)
	case conflict:
		return s.giveUp(ctx, who, who.heldBy(holder.name))
	case twinHeld:
		refusal := who.heldBy(holder.name)
		view, err := s.giveUp(ctx, who, refusal)
		if errors.Is(err, refusal) {
			err = s.refuseForTwin(ctx, who, holder)
		}
		return view, err
	default:
		return domain.PromotionCodeView{}, domain.ErrAborted
	}
}

// takeClaim is step 2. It reads the claim at most twice. Who holds the twin of the
// code is asked before anything is finished or displaced, and again when the claim is
// taken: of two that claim a code and its twin at once, at least one meets the other.
func (s *Store) takeClaim(ctx context.Context, who claimant) (verdict, owner, error) {
	for range 2 {
		entries, err := s.readClaim(ctx, &who.promotion)
		if err != nil {
			return lost, owner{}, err
		}
		if twin, err := s.clearTwin(ctx, who.twin); err != nil || twin.name.ID != "" {
			return twinHeld, twin, err
		}
		result, holder, err := s.clear(ctx, who, entries)
		if err != nil || result != claimed {
			return result, owner{name: holder}, err
		}
		ok, err := s.compareAndClaim(ctx, who, entries)
		if err != nil {
			return lost, owner{}, err
		}
		if ok {
			twin, err := s.clearTwin(ctx, who.twin)
			if err != nil || twin.name.ID != "" {
				return twinHeld, twin, err
			}
			return claimed, owner{}, nil
		}
	}
	return lost, owner{}, nil
}

// clear asks every holder of a conflicting claim whether it stands behind it. If
// there are several, all are asked before any has to give way, so that a refusal
// takes nothing from anyone.
func (s *Store) clear(ctx context.Context, who claimant, entries []entry) (verdict, domain.PromotionCodeName, error) {
	modes := []string{"take"}
	if len(who.others(entries)) > 1 {
		modes = []string{"probe", "take"}
	}
	return s.askHolders(ctx, who, entries, modes...)
}

// others returns the claims among entries that are not the one being made.
func (who *claimant) others(entries []entry) []entry {
	return slices.DeleteFunc(slices.Clone(entries), func(e entry) bool {
		return e.owner.name.ID == "" || e.owner == owner{who.promotion.Name, who.token}
	})
}

// whenBlind are the modes of promotion_probe that leave who is PENDING as it is, by
// those that finish it.
var whenBlind = map[string]string{"probe": "look", "take": "evict"}

// askHolders asks every holder in each of some modes of promotion_probe.
func (s *Store) askHolders(ctx context.Context, who claimant, entries []entry, modes ...string) (verdict, domain.PromotionCodeName, error) {
	self := who.promotion.Name
	for _, mode := range modes {
		if who.blind {
			mode = whenBlind[mode]
		}
		for _, h := range who.others(entries) {
			if h.owner.name == self {
				result, err := s.probeSelf(ctx, h.owner)
				if err != nil || result != claimed {
					return result, self, err
				}
				continue
			}
			outcome, err := s.probe(ctx, h.owner, mode)
			switch {
			case err != nil:
				return lost, self, err
			case outcome == "held":
				return conflict, h.owner.name, nil
			case outcome == "pending": // what will become of it is not known
				return lost, self, nil
			}
		}
	}
	return claimed, self, nil
}

// A gift card and another promotion code with the same code are claimed under forms
// that do not conflict: each is the other's twin. Of each only who was told the code
// knows the twin, so they are kept apart from outside: whoever makes one ACTIVE that is
// PENDING looks for its twin after it was claimed. Of two that are claimed at once, the
// one that is claimed last then meets the other, which is PENDING or ACTIVE with the
// token of its claim from the claim on, until it can never be redeemed again.

// refuseForTwin returns the refusal of one who holds nothing, for the sake of who
// stands behind a claim to the twin of its code. If that is PENDING it is finished,
// since who is refused is to find it ACTIVE; unless its own twin is held as well, for
// which it would be given up by itself: then it is given up here.
func (s *Store) refuseForTwin(ctx context.Context, who claimant, twin owner) error {
	other, err := s.clearTwin(ctx, who.promotion.Code.Form())
	if err != nil {
		return err
	}
	if other.name.ID == "" {
		outcome, err := s.activateOwner(ctx, twin, commandRequest{})
		if err == nil && outcome != outcomeOK {
			err = domain.ErrAborted
		}
		return cmp.Or(err, who.heldBy(twin.name))
	}
	gone, err := s.writeRetired(ctx, retirement{
		name: twin.name, read: domain.PromotionPending, readToken: twin.token, to: domain.PromotionInactive,
	})
	if err != nil || gone {
		return cmp.Or(err, domain.ErrAborted)
	}
	still, err := s.standing(ctx, []entry{{owner: twin}})
	if err == nil && still.name.ID == "" {
		err = domain.ErrAborted
	}
	return cmp.Or(err, who.heldBy(twin.name))
}

// lookForTwin returns who stands behind a claim to a form, for whomever it is, or
// nobody. It changes nothing.
func (s *Store) lookForTwin(ctx context.Context, form string) (owner, error) {
	claims, err := s.claimsTo(ctx, form)
	if err != nil {
		return owner{}, err
	}
	return s.standing(ctx, claims)
}

// clearTwin is lookForTwin for who is about to hold the twin. Those that can never be
// redeemed again give way, and claims that nobody stands behind are given back: they
// would lead to nothing whoever types the code.
func (s *Store) clearTwin(ctx context.Context, form string) (owner, error) {
	claims, err := s.claimsTo(ctx, form)
	if err != nil {
		return owner{}, err
	}
	if len(claims) > 1 { // a refusal takes nothing from anyone
		if holder, err := s.standing(ctx, claims); err != nil || holder.name.ID != "" {
			return holder, err
		}
	}
	for _, e := range claims {
		outcome, err := s.probe(ctx, e.owner, "evict")
		if err != nil || outcome != "free" {
			return e.owner, err
		}
		if err := s.releaseClaim(ctx, form, strings.TrimPrefix(e.field[len(form):], " "), e.owner); err != nil {
			return owner{}, err
		}
	}
	return owner{}, nil
}

// standing returns the first owner of some claims that stands behind its own.
func (s *Store) standing(ctx context.Context, claims []entry) (owner, error) {
	for _, e := range claims {
		r, err := s.ask(ctx, promotionProbe, s.probeKeys(e.owner.name), e.owner.name.ID.Suffix(), e.owner.token, millis(s.now()), "look")
		if err != nil || r.outcome != "free" {
			return e.owner, err
		}
	}
	return owner{}, nil
}

// claimsTo returns the claims to a form, whomever they are for; no form has none.
func (s *Store) claimsTo(ctx context.Context, form string) ([]entry, error) {
	if form == "" {
		return nil, nil
	}
	entries, err := s.readForm(ctx, form, "")
	return slices.DeleteFunc(entries, func(e entry) bool { return e.owner.name.ID == "" }), err
}

// probeSelf asks whether an older claim of the claimant's own is alive.
func (s *Store) probeSelf(ctx context.Context, o owner) (verdict, error) {
	outcome, err := s.probe(ctx, o, "own")
	switch {
	case err != nil:
		return lost, err
	case outcome == "held":
		return activated, nil
	case outcome == "free":
		return claimed, nil
	default:
		return lost, nil
	}
}

// giveUp takes a PENDING record back after a conflict and returns the refusal,
// unless another attempt has made it ACTIVE meanwhile.
func (s *Store) giveUp(ctx context.Context, who claimant, refusal error) (domain.PromotionCodeView, error) {
	r := retirement{name: who.promotion.Name, read: domain.PromotionPending, readToken: who.token, to: domain.PromotionInactive}
	if who.created {
		r.to, r.request, r.forget = domain.PromotionDeleted, who.request, true
	}
	ok, err := s.writeRetired(ctx, r)
	if err != nil {
		return domain.PromotionCodeView{}, err
	}
	if ok && who.twin != "" {
		// The claim may have been taken, and would be met before that of the twin.
		if err := s.release(ctx, &who.promotion, who.token); err != nil {
			return domain.PromotionCodeView{}, begun(err)
		}
	}
	if ok {
		return domain.PromotionCodeView{}, refusal
	}
	return s.activate(ctx, who)
}

// The steps, each one script in one slot.

// pend is step 1 for a promotion code that exists; it reports whether the record
// was still as read.
func (s *Store) pend(ctx context.Context, name domain.PromotionCodeName, readToken, token string) (bool, error) {
	r, err := s.run(ctx, promotionPend,
		[]string{s.keys.head(name.Coupon), s.keys.promotions(name.Coupon, name.ID.Bucket())},
		name.ID.Suffix(), readToken, token, millis(s.now()))
	if err == nil && r.outcome == "moved" {
		err = r.overtaken("") // the request is only remembered by the last step
	}
	return r.outcome == outcomeOK, err
}

func (s *Store) readClaim(ctx context.Context, p *domain.PromotionCode) ([]entry, error) {
	return s.readForm(ctx, p.Code.Form(), p.Scope())
}

// readForm returns the claims that one to a form for a scope would conflict with.
func (s *Store) readForm(ctx context.Context, form string, scope domain.Identity) ([]entry, error) {
	r, err := s.ask(ctx, claimRead, []string{s.keys.claims(form)}, form, string(scope))
	if err != nil {
		return nil, err
	}
	var entries []entry
	for pair := range slices.Chunk(r.values, 2) {
		entries = append(entries, parseEntry(pair[0], pair[1]))
	}
	return entries, nil
}

func (s *Store) probe(ctx context.Context, o owner, mode string) (string, error) {
	r, err := s.run(ctx, promotionProbe, s.probeKeys(o.name), o.name.ID.Suffix(), o.token, millis(s.now()), mode)
	return r.outcome, err
}

func (s *Store) probeKeys(n domain.PromotionCodeName) []string {
	return []string{s.keys.head(n.Coupon), s.keys.promotions(n.Coupon, n.ID.Bucket())}
}

func (s *Store) compareAndClaim(ctx context.Context, who claimant, read []entry) (bool, error) {
	form := who.promotion.Code.Form()
	args := []any{form, string(who.promotion.Scope()), owner{who.promotion.Name, who.token}.String(), maxBoundCodes}
	for _, e := range read {
		args = append(args, e.field, e.value)
	}
	r, err := s.run(ctx, claimTake, []string{s.keys.claims(form)}, args...)
	if err == nil && r.outcome == "full" {
		_, err = s.giveUp(ctx, who, &domain.TooManyError{What: "promotion codes bound to customers with one code", Limit: maxBoundCodes})
	}
	return r.outcome == outcomeOK, err
}

// activate is step 3 for the command that asked for it.
func (s *Store) activate(ctx context.Context, who claimant) (domain.PromotionCodeView, error) {
	outcome, err := s.activateOwner(ctx, owner{who.promotion.Name, who.token}, who.request)
	switch {
	case err != nil:
		return domain.PromotionCodeView{}, err
	case outcome == outcomeUnfit:
		return s.unfit(ctx, who)
	case outcome != outcomeOK:
		return domain.PromotionCodeView{}, domain.ErrAborted
	}
	view, err := s.PromotionCode(ctx, who.promotion.Name)
	return view, begun(err)
}

// unfit gives up a claimant that could not be redeemed any more when its turn to
// become ACTIVE came.
func (s *Store) unfit(ctx context.Context, who claimant) (domain.PromotionCodeView, error) {
	st, err := s.read(ctx, subject{coupon: who.promotion.Name.Coupon, code: who.promotion.Name.ID})
	if err != nil {
		return domain.PromotionCodeView{}, err
	}
	against := st.PromotionCode.Fit(&st.Coupon, s.now())
	if len(against) == 0 { // what was in the way is gone again
		return domain.PromotionCodeView{}, domain.ErrAborted
	}
	return s.giveUp(ctx, who, &domain.RefusedError{Ineligibilities: against})
}

// activateOwner is step 3. Its outcome is ok, unfit or moved.
func (s *Store) activateOwner(ctx context.Context, o owner, req commandRequest) (outcome string, err error) {
	r, err := s.run(ctx, promotionActivate, []string{
		s.keys.head(o.name.Coupon), s.keys.promotions(o.name.Coupon, o.name.ID.Bucket()), s.keys.commands(o.name.Coupon),
	},
		o.name.ID.Suffix(), o.token, millis(s.now()), requestKey(req.id), req.fingerprint, string(o.name.ID))
	if err == nil && r.outcome == outcomeReused {
		err = domain.ErrRequestIDReused
	}
	return r.outcome, err
}

// retirement is a promotion code as read, and what is to become of it.
type retirement struct {
	name      domain.PromotionCodeName
	read      domain.PromotionState
	readToken string
	to        domain.PromotionState
	request   commandRequest
	forget    bool // the request, instead of remembering it
}

// writeRetired takes a record out of use; it reports whether it was still as read.
func (s *Store) writeRetired(ctx context.Context, r retirement) (bool, error) {
	forget := ""
	if r.forget {
		forget = "1"
	}
	out, err := s.run(ctx, promotionRetire,
		[]string{s.keys.promotions(r.name.Coupon, r.name.ID.Bucket()), s.keys.commands(r.name.Coupon)},
		r.name.ID.Suffix(), string(r.read), r.readToken, string(r.to), s.token(),
		requestKey(r.request.id), r.request.fingerprint, string(r.name.ID), forget)
	switch {
	case err != nil:
	case out.outcome == outcomeReused:
		err = domain.ErrRequestIDReused
	case out.outcome == "moved":
		err = out.overtaken(r.request.id)
	}
	return out.outcome == outcomeOK, err
}

// release gives a code back that was held with a token.
func (s *Store) release(ctx context.Context, p *domain.PromotionCode, token string) error {
	return s.releaseClaim(ctx, p.Code.Form(), string(p.Scope()), owner{p.Name, token})
}

func (s *Store) releaseClaim(ctx context.Context, form, scope string, o owner) error {
	_, err := s.run(ctx, claimRelease, []string{s.keys.claims(form)}, form, scope, o.String())
	return err
}
