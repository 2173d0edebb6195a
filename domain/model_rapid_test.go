// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package domain

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// draw makes random commands from small pools, so that they meet.
type draw struct {
	*rapid.T
	names []PromotionCodeName // that were created
	// redeemed are redemptions, with a subscription or without.
	redeemed []RedemptionName
}

func oneOf[T any](d *draw, label string, values ...T) T {
	return rapid.SampledFrom(values).Draw(d.T, label)
}

func (d *draw) coupon() CouponID {
	return oneOf[CouponID](d, "coupon", "a", "a", "a", "b", "b", "new")
}

func (d *draw) request() string {
	return oneOf(d, "request", "", "", "", "", "", "r1", "r2", "r3", "r4")
}

func (d *draw) limit() *int64 {
	return oneOf(d, "limit", nil, nil, new(int64(1)), new(int64(2)), new(int64(5)))
}

func (d *draw) code() string { return oneOf(d, "code", "save", "SAVE", "SAVE", "OTHER") }

func (d *draw) end() time.Time {
	hours := oneOf(d, "end", 0, 0, 0, 0, 2, 12)
	if hours == 0 {
		return time.Time{}
	}
	return noon.Add(time.Duration(hours) * hour)
}

func (d *draw) customer() Customer {
	return Customer{
		ID:                   oneOf(d, "id", "", "alice", "alice", "bob"),
		EmailHash:            oneOf(d, "e-mail", "", "", alicesHash),
		HasPriorTransactions: rapid.Bool().Draw(d.T, "prior"),
	}
}

func (d *draw) name() PromotionCodeName {
	if len(d.names) == 0 || oneOf(d, "known", true, true, true, true, true, true, true, true, false) == false {
		return PromotionCodeName{d.coupon(), "0000zzzz"}
	}
	return rapid.SampledFrom(d.names).Draw(d.T, "name")
}

func (d *draw) version() int64 { return oneOf[int64](d, "version", 0, 0, 0, 1, 2) }

func (d *draw) source() Source {
	switch oneOf(d, "source", "code", "code", "code", "name", "coupon") {
	case "code":
		return Source{Code: oneOf(d, "typed", d.code(), d.code(), d.code(), "NONE", "no code")}
	case "name":
		return Source{PromotionCode: d.name()}
	default:
		return Source{Coupon: d.coupon()}
	}
}

func (d *draw) validate() ValidateRequest {
	r := ValidateRequest{Source: d.source(), Customer: d.customer()}
	if rapid.Bool().Draw(d.T, "order") {
		r.Order = orderOf("EUR", oneOf[int64](d, "amount", 500, 4_000))
	}
	r.SubscriptionID = oneOf(d, "subscription", "", "", "", "sub-1", "sub-2")
	r.Context = oneOf(d, "context", ContextDefault, ContextCheckout, ContextSubscriptionUpdate)
	return r
}

// redemption names a redemption, mostly one that was made.
func (d *draw) redemption() RedemptionName {
	if len(d.redeemed) == 0 || oneOf(d, "unknown", true, false, false, false, false, false, false, false) {
		return RedemptionName{d.coupon(), "1-zzzzzz"}
	}
	return rapid.SampledFrom(d.redeemed).Draw(d.T, "redeemed")
}

func (d *draw) renewal() Command {
	q := ApplyRenewal{
		RequestID: oneOf(d, "renewal", "r1", "n1", "n2", "n3", "n4", "n5", "n6"), Name: d.redemption(),
		Invoice: Invoice{*orderOf(oneOf[Currency](d, "currency", "EUR", "EUR", "USD"), oneOf[int64](d, "due", 0, 500, 500)), noon},
	}
	q.Invoice.Order.ID = oneOf(d, "invoice", "i1", "i2", "i3", "i4")
	q.Invoice.IssuedAt = AddMonths(noon, oneOf(d, "month", 0, 1, 2))
	return q
}

func (d *draw) newCoupon() Coupon {
	c := Coupon{ID: d.coupon(), Terms: percentOff(2_500), MaxRedemptions: d.limit(), RedeemBy: d.end()}
	switch c.Duration = oneOf(d, "duration", DurationOnce, DurationForever, DurationRepeating, DurationCycles); c.Duration {
	case DurationRepeating:
		c.DurationInMonths = 2
	case DurationCycles:
		c.DurationInCycles = 2
	case DurationDefault, DurationOnce, DurationForever:
	}
	if oneOf(d, "budget", false, false, true) {
		c.Budgets = []Budget{{Limit: Money{"EUR", 700}, GrantRemaining: rapid.Bool().Draw(d.T, "grant remaining")}}
	}
	return c
}

func (d *draw) promotionCode() PromotionCode {
	p := PromotionCode{
		Name: PromotionCodeName{Coupon: d.coupon()}, Code: mustCode(d.code()),
		MaxRedemptions: d.limit(), MaxRedemptionsPerCustomer: d.limit(), ExpiresAt: d.end(),
		Restrictions: Restrictions{FirstTimeTransaction: oneOf(d, "first", false, false, true)},
	}
	switch oneOf(d, "bound", "", "", "", "id", "e-mail") {
	case "id":
		p.CustomerID = oneOf(d, "bound id", "alice", "bob")
	case "e-mail":
		p.EmailHash = alicesHash
	}
	return p
}

func (d *draw) command() Command {
	kinds := map[string]func() Command{
		"create coupon": func() Command {
			return CreateCoupon{d.request(), d.newCoupon()}
		},
		"update coupon": func() Command {
			return UpdateCoupon{
				RequestID: d.request(), ID: d.coupon(), Version: d.version(),
				Set:            CouponFields{MaxRedemptions: true, MaxRedemptionsPerCustomer: rapid.Bool().Draw(d.T, "set")},
				MaxRedemptions: d.limit(), MaxRedemptionsPerCustomer: d.limit(),
			}
		},
		"delete coupon": func() Command {
			return DeleteCoupon{d.request(), oneOf[CouponID](d, "coupon to delete", "new", "new", "new", "new", "b", "a"), d.version()}
		},
		"create code": func() Command { return CreatePromotionCode{RequestID: d.request(), PromotionCode: d.promotionCode()} },
		"update code": func() Command {
			return UpdatePromotionCode{
				RequestID: d.request(), Name: d.name(), Version: d.version(),
				Set:            PromotionCodeFields{MaxRedemptions: true},
				MaxRedemptions: oneOf(d, "new limit", nil, new(int64(9)), new(int64(9)), new(int64(1)), new(int64(2))),
			}
		},
		"activate":   func() Command { return ActivatePromotionCode{RequestID: d.request(), Name: d.name()} },
		"deactivate": func() Command { return DeactivatePromotionCode{d.request(), d.name()} },
		"delete":     func() Command { return DeletePromotionCode{d.request(), d.name()} },
		"redeem": func() Command {
			return RedeemRequest{oneOf(d, "redemption", "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8"), d.validate()}
		},
		"validate": func() Command { return d.validate() },
		"renew":    func() Command { return d.renewal() },
		"end":      func() Command { return EndDiscount{oneOf(d, "end of discount", "r1", "e1", "e2"), d.redemption()} },
		"void": func() Command {
			return VoidRedemption{RequestID: oneOf(d, "void", "v1", "v2"), Name: d.redemption()}
		},
		"list": func() Command { return PromotionCodeQuery{Code: mustCode(d.code()), ShowDeleted: true} },
	}
	kind := oneOf(d, "command",
		"create code", "create code", "create code", "create code", "create code",
		"redeem", "redeem", "redeem", "redeem", "redeem", "redeem",
		"renew", "renew", "renew", "renew", "renew", "end", "void",
		"deactivate", "deactivate", "deactivate", "activate", "activate", "activate", "activate", "activate",
		"update code", "update code", "update coupon", "update coupon", "delete", "validate", "list",
		"create coupon", "delete coupon")
	return kinds[kind]()
}

// dump is everything that a state holds, as text.
func dump(t interface{ Fatal(...any) }, s State) string {
	text := ""
	for _, c := range s.coupons {
		line, err := json.Marshal([]any{c.CouponSnapshot, c.codes, c.ledger, c.renewals})
		if err != nil {
			t.Fatal(err)
		}
		text += string(line) + fmt.Sprint(c.requests) + "\n"
	}
	return text + fmt.Sprint(s.holders)
}

// kindOf is what a result is an example of.
func kindOf(c Command, r Result) string {
	if r.Err == nil {
		return fmt.Sprintf("%T ok", c)
	}
	if errors.Is(r.Err, ErrAborted) || errors.Is(r.Err, ErrRequestIDReused) || errors.Is(r.Err, ErrInvoiceIDReused) {
		return fmt.Sprintf("%T %v", c, r.Err)
	}
	return fmt.Sprintf("%T %T", c, r.Err)
}

// requestIDOf returns the request id of a command that has one.
func requestIDOf(c Command) string {
	if f := reflect.ValueOf(c).FieldByName("RequestID"); f.IsValid() {
		return f.String()
	}
	return ""
}

// mustMeet are results that random commands have to come to: what they never come
// to, they do not test.
var mustMeet = []string{
	"domain.CreateCoupon *domain.AlreadyExistsError",
	"domain.CreateCoupon " + ErrRequestIDReused.Error(),
	"domain.UpdateCoupon " + ErrAborted.Error(),
	"domain.UpdateCoupon *domain.DeletedError",
	"domain.DeleteCoupon ok",
	"domain.CreatePromotionCode ok",
	"domain.CreatePromotionCode *domain.AlreadyExistsError",
	"domain.CreatePromotionCode *domain.RefusedError",
	"domain.CreatePromotionCode *domain.InvalidError",
	"domain.CreatePromotionCode " + ErrRequestIDReused.Error(),
	"domain.UpdatePromotionCode *domain.InvalidError",
	"domain.ActivatePromotionCode ok",
	"domain.ActivatePromotionCode *domain.AlreadyExistsError",
	"domain.ActivatePromotionCode *domain.RefusedError",
	"domain.ActivatePromotionCode *domain.DeletedError",
	"domain.DeactivatePromotionCode ok",
	"domain.DeletePromotionCode ok",
	"domain.RedeemRequest ok",
	"domain.RedeemRequest *domain.RefusedError",
	"domain.RedeemRequest *domain.NotFoundError",
	"domain.RedeemRequest " + ErrRequestIDReused.Error(),
	"domain.ValidateRequest ok",
	"domain.ApplyRenewal ok",
	"domain.ApplyRenewal *domain.NoSubscriptionError",
	"domain.ApplyRenewal *domain.RefusedError",
	"domain.ApplyRenewal *domain.RedemptionStateError",
	"domain.ApplyRenewal *domain.NotFoundError",
	"domain.ApplyRenewal " + ErrInvoiceIDReused.Error(),
	"domain.ApplyRenewal " + ErrRequestIDReused.Error(),
	"domain.EndDiscount ok",
	"domain.EndDiscount *domain.NoSubscriptionError",
}

// TestWhateverIsAsked plays random commands. After each of them nothing is there
// that must never be, a failure has changed nothing, a retry returns the same
// without a change, Validate has said what Redeem does, and the state before is
// still what it was.
func TestWhateverIsAsked(t *testing.T) {
	t.Parallel()
	met := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		d := &draw{T: t}
		s, now := newStore(t), noon
		var states []State
		var texts []string // of states, when they were new
		acknowledged := map[RedemptionName]string{}
		for i := range rapid.IntRange(60, 120).Draw(t, "commands") {
			now = now.Add(oneOf(d, "later", 0, 0, time.Millisecond, hour/2))
			c := d.command()
			ids := IDs{PromotionCode: PromotionCodeID(fmt.Sprintf("0000%04d", i))}
			next, r := s.Step(now, ids, c)
			met[kindOf(c, r)]++
			if err := s.CheckSuccessor(next); err != nil {
				t.Fatalf("%T %+v: %v", c, c, err)
			}
			if r.Err != nil && !next.Equal(s) {
				t.Fatalf("%T failed with %v and changed the state", c, r.Err)
			}
			if again, r2 := s.Step(now, ids, c); !again.Equal(next) || compare(r, r2) != "" {
				t.Fatalf("%T %+v does not do the same twice", c, c)
			}
			if r.Err == nil && requestIDOf(c) != "" {
				again, r2 := next.Step(now.Add(hour), IDs{PromotionCode: "0000aaaa"}, c)
				if r2.Err != nil || !again.Equal(next) {
					t.Fatalf("a retry of %T %+v ends with %v", c, c, r2.Err)
				}
			}
			if redeem, ok := c.(RedeemRequest); ok {
				checkAgreement(t, s, now, redeem, r)
			}
			switch v := r.Value.(type) {
			case PromotionCodeView:
				d.names = append(d.names, v.Name)
			case Redemption:
				acknowledged[v.Name] = v.Fingerprint
				d.redeemed = append(d.redeemed, v.Name)
			}
			if !next.Equal(s) {
				states = append(states, next)
				texts = append(texts, dump(t, next))
			}
			s = next
		}
		for i, s := range states {
			if now := dump(t, s); now != texts[i] {
				t.Fatalf("a later command changed a state from\n%s\nto\n%s", texts[i], now)
			}
		}
		for name, fingerprint := range acknowledged {
			if _, r := s.Step(now, IDs{}, GetRedemption{name}); r.Err != nil || r.Value.(Redemption).Fingerprint != fingerprint {
				t.Fatalf("%s was acknowledged and reads %+v, %v", name, r.Value, r.Err)
			}
		}
	})
	for _, kind := range mustMeet {
		if met[kind] == 0 {
			t.Errorf("no random command came to %s", kind)
		}
	}
}

// newStore returns a state with the two coupons that random commands are mostly
// about.
func newStore(t *rapid.T) State {
	var s State
	for _, c := range []Coupon{{ID: "a", Terms: percentOff(2_500)}, {
		ID: "b", Terms: percentOff(5_000), MaxRedemptions: new(int64(4)), Duration: DurationForever,
		Budgets: []Budget{{Limit: Money{"EUR", 300}}},
	}} {
		next, r := s.Step(noon, IDs{}, CreateCoupon{Coupon: c})
		if r.Err != nil {
			t.Fatal(r.Err)
		}
		s = next
	}
	return s
}

// checkAgreement holds a redemption against what Validate says in the same state:
// a request id that is new is redeemed exactly if Validate finds nothing against
// it, and refused for the same reasons.
func checkAgreement(t *rapid.T, s State, now time.Time, c RedeemRequest, r Result) {
	t.Helper()
	c.RequestID = "a new one"
	_, fresh := s.Step(now, IDs{}, c)
	_, asked := s.Step(now, IDs{}, c.ValidateRequest)
	if asked.Err != nil {
		if compare(asked.Err, fresh.Err) != "" {
			t.Fatalf("validate fails with %v, redeem with %v", asked.Err, fresh.Err)
		}
		return
	}
	e := asked.Value.(Evaluation)
	var refused *RefusedError
	switch {
	case e.Valid() && fresh.Err != nil:
		t.Fatalf("validate finds nothing against it, and redeem ends with %v", fresh.Err)
	case e.Valid() && r.Err != nil && !errors.Is(r.Err, ErrRequestIDReused):
		t.Fatalf("a used request id makes it %v", r.Err)
	case !e.Valid() && (!errors.As(fresh.Err, &refused) || compare(e.Ineligibilities, refused.Ineligibilities) != ""):
		t.Fatalf("validate says %v, redeem %v", e.Ineligibilities, fresh.Err)
	}
}
