// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"slices"
	"testing"
	"time"

	"github.com/discountd/discountd/domain"
)

// validate answers a request by code with a coupon, or with the reasons against it.
func (e *env) validate(code string, change ...func(*domain.RedeemRequest)) (domain.CouponID, []domain.Reason) {
	e.t.Helper()
	v, err := e.Validate(e.ctx(), new(byCode("", code, change...).ValidateRequest))
	if err != nil {
		e.t.Fatalf("validate %q: %v", code, err)
	}
	return v.Coupon, reasonsOf(v.Ineligibilities)
}

// leadsTo fails the test unless a code leads a customer to a coupon, with the
// reasons against it, in ValidateCode and in Redeem alike.
func (e *env) leadsTo(code string, coupon domain.CouponID, want []domain.Reason, change ...func(*domain.RedeemRequest)) {
	e.t.Helper()
	got, against := e.validate(code, change...)
	if got != coupon || !slices.Equal(against, want) {
		e.t.Errorf("%q leads to %q, %v, want %q, %v", code, got, against, coupon, want)
	}
	r, err := e.Redeem(e.ctx(), new(byCode(newID(), code, change...)))
	switch {
	case err == nil && len(want) == 0 && r.Name.Coupon == coupon:
	case err == nil:
		e.t.Errorf("%q redeemed %s, want %q, %v", code, r.Name, coupon, want)
	default:
		wantReasons(e.t, err, want...)
	}
}

const (
	aliceMail domain.EmailHash = "alice-alice-alic"
	otherMail domain.EmailHash = "other-other-othe"
)

func TestCodeThatNobodyHasIsNotFound(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.leadsTo("NOTHING", "", []domain.Reason{domain.CodeNotFound})
		for _, malformed := range []string{"", " ", "a b", "{X}", "é", "ＳＰＲＩＮＧ", "x\x00", string(make([]byte, 1<<20))} {
			e.leadsTo(malformed, "", []domain.Reason{domain.CodeMalformed})
		}
	})
}

func TestCodeForAllLeadsEverybodyToIt(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a"))
		e.createCode(promotionCode("a", "X"))
		e.leadsTo("x", "a", nil)
		e.leadsTo("x", "a", nil, withCustomer("alice"))
		e.leadsTo("x", "a", nil, withCustomer("alice"), withEmail(aliceMail))
	})
}

func TestBoundCodeIsForItsCustomer(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a"))
		e.createCoupon(percentOff("b"))
		byID := e.createCode(promotionCode("a", "X", boundToID("alice")))
		byMail := e.createCode(promotionCode("b", "X", boundToEmail(aliceMail)))
		e.leadsTo("X", "a", nil, withCustomer("alice"))
		e.leadsTo("X", "b", nil, withEmail(aliceMail))
		e.leadsTo("X", "a", nil, withCustomer("alice"), withEmail(aliceMail)) // the id comes first
		e.leadsTo("X", "b", nil, withCustomer("bob"), withEmail(aliceMail))
		e.leadsTo("X", "", []domain.Reason{domain.CustomerRequired})
		e.leadsTo("X", "", []domain.Reason{domain.CustomerMismatch}, withCustomer("bob"))
		e.leadsTo("X", "", []domain.Reason{domain.CustomerMismatch}, withEmail(otherMail))
		e.leadsTo("X", "", []domain.Reason{domain.CustomerMismatch}, withCustomer("bob"), withEmail(otherMail))

		// By name there is nothing to look up.
		_, err := e.Redeem(e.ctx(), new(byName("r", byID.Name)))
		wantReasons(t, err, domain.CustomerRequired)
		_, err = e.Redeem(e.ctx(), new(byName("r", byMail.Name, withCustomer("alice"), withEmail(otherMail))))
		wantReasons(t, err, domain.CustomerMismatch)
	})
}

func TestCodeThatNobodyHoldsLeadsToTheLastThatHeldIt(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		for _, c := range []domain.CouponID{"a", "b", "c"} {
			e.createCoupon(percentOff(c))
		}
		inactive := []domain.Reason{domain.CodeInactive}
		a := e.createCode(promotionCode("a", "X"))
		e.deactivate(a.Name)
		e.leadsTo("X", "a", inactive)
		b := e.createCode(promotionCode("b", "X"))
		e.deactivate(b.Name)
		e.leadsTo("X", "b", inactive)
		if _, err := e.ActivatePromotionCode(e.ctx(), domain.ActivatePromotionCode{Name: a.Name}); err != nil {
			t.Fatal(err)
		}
		e.deactivate(a.Name)
		e.leadsTo("X", "a", inactive, withCustomer("alice"))

		c := e.createCode(promotionCode("c", "X", boundToID("alice")))
		e.leadsTo("X", "c", nil, withCustomer("alice"))
		e.leadsTo("X", "", []domain.Reason{domain.CustomerMismatch}, withCustomer("bob"))
		e.leadsTo("X", "", []domain.Reason{domain.CustomerRequired})
		e.deactivate(c.Name)
		e.leadsTo("X", "c", inactive, withCustomer("alice"))
		e.leadsTo("X", "a", inactive, withCustomer("bob"))
		e.leadsTo("X", "a", inactive)
	})
}

func TestHolderThatHasEndedIsStillWhatItsCodeLeadsTo(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a"))
		e.createCode(promotionCode("a", "X", codeLimitedTo(1), func(p *domain.PromotionCode) { p.ExpiresAt = epoch.Add(time.Hour) }))
		e.redeem(byCode("r", "X"))
		e.leadsTo("X", "a", []domain.Reason{domain.CodeMaxRedemptionsReached})
		e.clock.Advance(time.Hour)
		e.leadsTo("X", "a", []domain.Reason{domain.CodeExpired, domain.CodeMaxRedemptionsReached})
	})
}

func TestValidateWritesNothing(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a"))
		p := e.createCode(promotionCode("a", "X"))
		e.unchanged("a validation", func() {
			for _, r := range []domain.RedeemRequest{
				byCode("r", "X", withCustomer("alice")), byCode("r", "NOTHING"), byName("r", p.Name), byCoupon("r", "a", withOrder(nil)),
			} {
				v, err := e.Validate(e.ctx(), &r.ValidateRequest)
				if err != nil || !v.AsOf.Equal(epoch) || (v.Discount != nil) != (v.Valid() && r.Order != nil) {
					t.Errorf("%+v, %v", v, err)
				}
			}
		})
	})
}

func TestDatesAreJudgedToTheMillisecond(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		starts, ends := epoch.Add(time.Hour), epoch.Add(2*time.Hour)
		e.createCoupon(percentOff("a", func(c *domain.Coupon) { c.StartsAt, c.RedeemBy = starts, ends.Add(time.Millisecond) }))
		e.createCode(promotionCode("a", "X", func(p *domain.PromotionCode) { p.ExpiresAt = ends }))
		for _, at := range []struct {
			now  time.Time
			want []domain.Reason
		}{
			{starts.Add(-time.Millisecond), []domain.Reason{domain.NotYetActive}},
			{starts, nil},
			{ends.Add(-time.Millisecond), nil},
			{ends, []domain.Reason{domain.CodeExpired}},
			{ends.Add(time.Millisecond), []domain.Reason{domain.CouponExpired, domain.CodeExpired}},
		} {
			e.clock.Set(at.now)
			e.leadsTo("X", "a", at.want)
		}
	})
}
