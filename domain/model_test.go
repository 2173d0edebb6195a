// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package domain

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"
)

// world plays commands against the model, one after the other.
type world struct {
	*testing.T
	s     State
	now   time.Time
	count int
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return &world{T: t, now: noon}
}

// step plays one command and holds what is true of every one.
func (w *world) step(c Command) Result {
	w.Helper()
	w.count++
	ids := IDs{
		Coupon:        CouponID(fmt.Sprintf("generated-%d", w.count)),
		PromotionCode: PromotionCodeID(fmt.Sprintf("0000%04d", w.count)),
		Code:          mustCode(fmt.Sprintf("GEN%d", w.count)),
	}
	next, r := w.s.Step(w.now, ids, c)
	if err := w.s.CheckSuccessor(next); err != nil {
		w.Fatalf("after %T %+v: %v", c, c, err)
	}
	if r.Err != nil && !next.Equal(w.s) {
		w.Fatalf("%T failed with %v and changed the state", c, r.Err)
	}
	if (r.Err == nil) == (r.Value == nil) {
		w.Fatalf("%T returned %+v and %v", c, r.Value, r.Err)
	}
	w.s = next
	return r
}

// do plays a command that succeeds with a T.
func do[T any](w *world, c Command) T {
	w.Helper()
	r := w.step(c)
	if r.Err != nil {
		w.Fatalf("%T %+v: %v", c, c, r.Err)
	}
	v, ok := r.Value.(T)
	if !ok {
		w.Fatalf("%T returned a %T", c, r.Value)
	}
	return v
}

// fails plays a command that fails with want.
func (w *world) fails(c Command, want error) {
	w.Helper()
	got := w.step(c).Err
	if errors.Is(got, want) {
		return
	}
	if diff := compare(want, got); diff != "" {
		w.Errorf("%T %+v fails with %v (-want +got):\n%s", c, c, got, diff)
	}
}

// invalid plays a command that fails because of one field.
func (w *world) invalid(c Command, field string) {
	w.Helper()
	var got *InvalidError
	if err := w.step(c).Err; !errors.As(err, &got) || len(got.Violations) != 1 || got.Violations[0].Field != field {
		w.Errorf("%T fails with %v, want a violation of %s", c, err, field)
	}
}

// refused plays a command that is refused for some reasons.
func (w *world) refused(c Command, want ...Reason) {
	w.Helper()
	var refused *RefusedError
	if err := w.step(c).Err; !errors.As(err, &refused) {
		w.Errorf("%T ends with %v, want a refusal", c, err)
		return
	}
	if diff := compare(want, reasons(refused.Ineligibilities)); diff != "" {
		w.Errorf("%T is refused (-want +got):\n%s", c, diff)
	}
}

func reasons(list []Ineligibility) []Reason {
	var out []Reason
	for _, i := range list {
		out = append(out, i.Reason)
	}
	return out
}

// same fails unless a command leaves the state as it is.
func (w *world) same(c Command) Result {
	w.Helper()
	before := w.s
	r := w.step(c)
	if !w.s.Equal(before) {
		w.Errorf("%T %+v changed the state", c, c)
	}
	return r
}

// coupon creates a coupon of 25 % with some more settings.
func (w *world) coupon(id CouponID, set ...func(*Coupon)) CouponView {
	w.Helper()
	c := Coupon{ID: id, Terms: percentOff(2_500)}
	for _, s := range set {
		s(&c)
	}
	return do[CouponView](w, CreateCoupon{Coupon: c})
}

func limitedTo(n int64) func(*Coupon) { return func(c *Coupon) { c.MaxRedemptions = &n } }

func endingAt(t time.Time) func(*Coupon) { return func(c *Coupon) { c.RedeemBy = t } }

// newCode is the creation of a promotion code with some more settings.
func newCode(coupon CouponID, code string, set ...func(*PromotionCode)) CreatePromotionCode {
	p := PromotionCode{Name: PromotionCodeName{Coupon: coupon}}
	if code != "" {
		p.Code = mustCode(code)
	}
	for _, s := range set {
		s(&p)
	}
	return CreatePromotionCode{PromotionCode: p}
}

func boundTo(customer string) func(*PromotionCode) {
	return func(p *PromotionCode) { p.CustomerID = customer }
}

func boundToEmail(h EmailHash) func(*PromotionCode) {
	return func(p *PromotionCode) { p.EmailHash = h }
}

func codeLimitedTo(n int64) func(*PromotionCode) {
	return func(p *PromotionCode) { p.MaxRedemptions = &n }
}

// code creates a promotion code and returns its name.
func (w *world) code(coupon CouponID, code string, set ...func(*PromotionCode)) PromotionCodeName {
	w.Helper()
	return do[PromotionCodeView](w, newCode(coupon, code, set...)).Name
}

func (w *world) get(n PromotionCodeName) PromotionCodeView {
	w.Helper()
	return do[PromotionCodeView](w, GetPromotionCode{n})
}

// held fails unless a command is refused because a promotion code has the code.
func (w *world) held(c Command, holder PromotionCodeName, code string) {
	w.Helper()
	w.fails(c, &AlreadyExistsError{Type: PromotionCodeResource, Name: holder.String(), Code: code})
}

var guest = Customer{}

// redeem is a redemption by code.
func redeem(request, code string, customer Customer) RedeemRequest {
	return RedeemRequest{RequestID: request, ValidateRequest: ValidateRequest{Source: Source{Code: code}, Customer: customer}}
}

// redeemCoupon is a redemption of a coupon applied directly.
func redeemCoupon(request string, coupon CouponID) RedeemRequest {
	return RedeemRequest{RequestID: request, ValidateRequest: ValidateRequest{Source: Source{Coupon: coupon}}}
}

// leadsTo fails unless a customer's code leads to a promotion code, whether it can
// be redeemed or not.
func (w *world) leadsTo(code string, customer Customer, want PromotionCodeName) {
	w.Helper()
	e := do[Evaluation](w, ValidateRequest{Source: Source{Code: code}, Customer: customer})
	if got := (PromotionCodeName{e.Coupon, e.PromotionCode}); got != want {
		w.Errorf("%s of %+v leads to %s, want %s", code, customer, got, want)
	}
}

// leadsNowhere fails unless a customer's code leads nowhere, for a reason.
func (w *world) leadsNowhere(code string, customer Customer, want Reason) {
	w.Helper()
	e := do[Evaluation](w, ValidateRequest{Source: Source{Code: code}, Customer: customer})
	if diff := compare(Evaluation{Ineligibilities: []Ineligibility{{Reason: want}}, AsOf: w.now}, e); diff != "" {
		w.Errorf("%s of %+v (-want +got):\n%s", code, customer, diff)
	}
}

func TestCheckFindsWhatMustNeverBe(t *testing.T) {
	t.Parallel()
	build := func() *world {
		w := newWorld(t)
		w.coupon("c", limitedTo(2))
		w.code("c", "SAVE")
		do[Redemption](w, redeem("r1", "SAVE", Customer{ID: "alice"}))
		return w
	}
	for name, spoil := range map[string]func(c *couponRecord){
		"a coupon's counter above the ledger": func(c *couponRecord) { c.Redeemed++ },
		"a coupon's counter below the ledger": func(c *couponRecord) { c.Redeemed-- },
		"a hold that is in no ledger":         func(c *couponRecord) { c.Held++ },
		"an amount that is in no ledger":      func(c *couponRecord) { c.Spent = map[Currency]Spending{"EUR": {TotalMinor: 1}} },
		"a code's counter":                    func(c *couponRecord) { c.codes[0].Redeemed++ },
		"a code's hold":                       func(c *couponRecord) { c.codes[0].Held++ },
		"an entry that counts no more":        func(c *couponRecord) { c.ledger[0].State = RedemptionVoided },
		"a lost entry":                        func(c *couponRecord) { c.ledger = nil },
		"an entry out of place":               func(c *couponRecord) { c.ledger[0].Name.ID = NewRedemptionID(2, "r1") },
		"an entry of another coupon":          func(c *couponRecord) { c.ledger[0].Name.Coupon = "d" },
		"one request twice": func(c *couponRecord) {
			again := *c.ledger[0]
			again.Name.ID = NewRedemptionID(2, "r1")
			c.ledger = append(c.ledger, &again)
			c.Redeemed, c.codes[0].Redeemed = 2, 2
		},
		"two active codes of one form": func(c *couponRecord) {
			other := *c.codes[0]
			other.Name.ID, other.Code, other.Redeemed = "0000zzzz", mustCode("save"), 0
			c.codes = append(c.codes, &other)
		},
		"an active code bound to a customer beside one for everybody": func(c *couponRecord) {
			other := *c.codes[0]
			other.Name.ID, other.CustomerID, other.Redeemed = "0000zzzz", "alice", 0
			c.codes = append(c.codes, &other)
		},
		"an active code that is not found": func(c *couponRecord) {
			other := *c.codes[0]
			other.Name.ID, other.Code, other.Redeemed = "0000zzzz", mustCode("other"), 0
			c.codes = append(c.codes, &other)
		},
	} {
		w := build()
		if err := w.s.Check(); err != nil {
			t.Fatalf("before: %v", err)
		}
		spoil(w.s.coupons[0])
		if err := w.s.Check(); err == nil {
			t.Errorf("%s is not found", name)
		}
	}
}

func TestCheckSuccessorFindsWhatMustNeverHappen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coupon("c", limitedTo(2), func(c *Coupon) { c.MaxRedemptionsPerCustomer = new(int64(1)) })
	name := w.code("c", "SAVE", codeLimitedTo(1))
	gone := w.code("c", "GONE")
	do[PromotionCodeView](w, DeletePromotionCode{Name: gone})
	do[Redemption](w, redeem("r1", "SAVE", Customer{ID: "alice"}))
	// entry adds one more redemption, counters included, limits or not.
	entry := func(c *couponRecord, customer string, code PromotionCodeID) {
		made := *c.ledger[0]
		made.RequestID = fmt.Sprintf("more-%d", len(c.ledger))
		made.Name.ID = NewRedemptionID(int64(len(c.ledger))+1, made.RequestID)
		made.CustomerID, made.PromotionCode = customer, code
		c.ledger = append(slices.Clip(c.ledger), &made)
		c.Redeemed++
		for i, p := range c.codes {
			if p.Name.ID == code {
				q := *p
				q.Redeemed++
				c.codes[i] = &q
			}
		}
	}
	code := func(c *couponRecord, n PromotionCodeName, change func(*PromotionCodeSnapshot)) {
		for i, p := range c.codes {
			if p.Name == n {
				q := *p
				change(&q)
				c.codes[i] = &q
			}
		}
	}
	// become puts the only redemption into another state, counters included.
	become := func(c *couponRecord, state RedemptionState) {
		other := *c.ledger[0]
		other.State = state
		c.ledger = []*Redemption{&other}
		c.Redeemed, c.Held = c.countLedger("")
		code(c, name, func(p *PromotionCodeSnapshot) { p.Redeemed, p.Held = c.countLedger(name.ID) })
	}
	for name, tc := range map[string]struct {
		do func(c *couponRecord)
		ok bool
	}{
		"nothing":                        {func(*couponRecord) {}, true},
		"a use within every limit":       {func(c *couponRecord) { entry(c, "bob", "") }, true},
		"a use above the coupon's limit": {func(c *couponRecord) { entry(c, "bob", ""); entry(c, "carol", "") }, false},
		"a use above the code's limit":   {func(c *couponRecord) { entry(c, "bob", name.ID) }, false},
		"a use above a customer's limit": {func(c *couponRecord) { entry(c, "alice", "") }, false},
		"a limit lowered below its uses": {
			func(c *couponRecord) { entry(c, "bob", ""); *c = lowered(*c, 1) }, false, // with a use in the same step
		},
		"a limit lowered": {func(c *couponRecord) { *c = lowered(*c, 1) }, true},
		"a limit lowered under the same version": {
			func(c *couponRecord) { *c = lowered(*c, 1); c.Version-- }, false,
		},
		"a coupon deleted under the same version": {func(c *couponRecord) { c.Deleted = true }, false},
		"a shorter ledger": {
			func(c *couponRecord) {
				c.ledger, c.Redeemed = nil, 0
				code(c, name, func(p *PromotionCodeSnapshot) { p.Redeemed = 0 })
			}, false,
		},
		"another request in the ledger": {
			func(c *couponRecord) {
				other := *c.ledger[0]
				other.Fingerprint = "other"
				c.ledger = []*Redemption{&other}
			}, false,
		},
		"a use that was reserved again": {func(c *couponRecord) { become(c, RedemptionReserved) }, false},
		"a use that expires":            {func(c *couponRecord) { become(c, RedemptionExpired) }, false},
		"a use that is voided":          {func(c *couponRecord) { become(c, RedemptionVoided) }, true},
		"more voided than granted": {
			func(c *couponRecord) {
				other := *c.ledger[0]
				other.VoidedAmountMinor = 1
				c.ledger = []*Redemption{&other}
			}, false,
		},
		"a code gone": {func(c *couponRecord) { c.codes = c.codes[:1] }, false},
		"a deleted code revived": {
			func(c *couponRecord) {
				code(c, gone, func(p *PromotionCodeSnapshot) { *p = p.in(PromotionInactive) })
			}, false,
		},
		"a code deactivated under the same version": {
			func(c *couponRecord) {
				code(c, name, func(p *PromotionCodeSnapshot) { p.State = PromotionInactive })
			}, false,
		},
		"a code deactivated": {
			func(c *couponRecord) {
				code(c, name, func(p *PromotionCodeSnapshot) { *p = p.in(PromotionInactive) })
			}, true,
		},
	} {
		c := *w.s.coupon("c")
		c.codes = append([]*PromotionCodeSnapshot(nil), c.codes...)
		tc.do(&c)
		if err := w.s.CheckSuccessor(w.s.withCoupon(&c)); (err == nil) != tc.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	voided := *w.s.coupon("c")
	voided.codes = slices.Clone(voided.codes)
	become(&voided, RedemptionVoided)
	if err := w.s.withCoupon(&voided).CheckSuccessor(w.s); err == nil {
		t.Error("a use that is back from a void is not found")
	}
	if err := w.s.CheckSuccessor(State{}); err == nil {
		t.Error("a coupon that is gone is not found")
	}
	revived := *w.s.coupon("c")
	deleted := revived
	deleted.Deleted = true
	if err := w.s.withCoupon(&deleted).CheckSuccessor(w.s.withCoupon(&revived)); err == nil {
		t.Error("a deleted coupon that is revived is not found")
	}
}

// lowered returns c with another limit, as an update would.
func lowered(c couponRecord, limit int64) couponRecord {
	c.MaxRedemptions = &limit
	c.Version++
	return c
}

func TestEqualStates(t *testing.T) {
	t.Parallel()
	play := func(requests ...string) *world {
		w := newWorld(t)
		w.coupon("c")
		w.code("c", "SAVE")
		for _, r := range requests {
			do[Redemption](w, redeem(r, "SAVE", guest))
		}
		return w
	}
	a, b := play("r1", "r2"), play("r1", "r2")
	if !a.s.Equal(b.s) || !b.s.Equal(a.s) {
		t.Error("the same commands lead to different states")
	}
	for name, other := range map[string]State{
		"no redemption":      play().s,
		"fewer redemptions":  play("r1").s,
		"another order":      play("r2", "r1").s,
		"other requests":     play("r1", "r3").s,
		"an empty store":     {},
		"a used request id":  b.s.withRequest("c", "r", DeleteCoupon{}, ""),
		"a deleted coupon":   func() State { w := play("r1", "r2"); do[CouponView](w, DeleteCoupon{ID: "c"}); return w.s }(),
		"one more coupon":    func() State { w := play("r1", "r2"); w.coupon("d"); return w.s }(),
		"one more promotion": func() State { w := play("r1", "r2"); w.code("c", "MORE"); return w.s }(),
	} {
		if a.s.Equal(other) || other.Equal(a.s) {
			t.Errorf("equal to %s", name)
		}
	}
}
