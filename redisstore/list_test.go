// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/discountd/discountd/domain"
)

// couponsOf returns the ids on all pages of a list of coupons.
func (e *env) couponsOf(q domain.CouponQuery) []domain.CouponID {
	e.t.Helper()
	var out []domain.CouponID
	for {
		l, err := e.Coupons(e.ctx(), q)
		if err != nil {
			e.t.Fatalf("list coupons: %v", err)
		}
		if len(l.Items) > q.Size {
			e.t.Fatalf("%d items on a page of %d", len(l.Items), q.Size)
		}
		for _, c := range l.Items {
			out = append(out, c.ID)
		}
		if q.Token = l.Next; q.Token == "" {
			return out
		}
	}
}

func TestCouponsAreListedNewestFirst(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		var want []domain.CouponID
		for i := range 25 {
			e.clock.Advance(time.Millisecond)
			want = append(want, e.createCoupon(percentOff(domain.CouponID(fmt.Sprint("c", i*7919%25)))).ID)
		}
		slices.Reverse(want)
		for _, size := range []int{1, 7, 25, 100} {
			if diff := cmp.Diff(want, e.couponsOf(domain.CouponQuery{Page: domain.Page{Size: size}})); diff != "" {
				t.Errorf("pages of %d (-want +got):\n%s", size, diff)
			}
		}
	})
}

func TestCouponsOfOneInstantAreListedOnce(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		for i := range 10 {
			e.createCoupon(percentOff(domain.CouponID(fmt.Sprint("c", i))))
		}
		got := e.couponsOf(domain.CouponQuery{Page: domain.Page{Size: 3}})
		slices.Sort(got)
		if len(got) != 10 || len(slices.Compact(got)) != 10 {
			t.Errorf("listed %v", got)
		}
	})
}

func TestDeletedCouponsAreListedOnDemand(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		for _, c := range []domain.CouponID{"a", "b", "c"} {
			e.clock.Advance(time.Second)
			e.createCoupon(percentOff(c))
		}
		if _, err := e.DeleteCoupon(e.ctx(), domain.DeleteCoupon{ID: "b"}); err != nil {
			t.Fatal(err)
		}
		page := domain.Page{Size: 2}
		if got := e.couponsOf(domain.CouponQuery{Page: page}); !slices.Equal(got, []domain.CouponID{"c", "a"}) {
			t.Errorf("listed %v", got)
		}
		if got := e.couponsOf(domain.CouponQuery{Page: page, ShowDeleted: true}); !slices.Equal(got, []domain.CouponID{"c", "b", "a"}) {
			t.Errorf("with deleted ones %v", got)
		}
	})
}

func TestCouponListIsWhatGetReturns(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a", limitedTo(1)))
		e.redeem(byCoupon("r", "a"))
		l, err := e.Coupons(e.ctx(), domain.CouponQuery{Page: domain.Page{Size: 1}})
		if err != nil || len(l.Items) != 1 {
			t.Fatalf("%+v, %v", l, err)
		}
		if diff := cmp.Diff(e.coupon("a"), l.Items[0], compareCodes); diff != "" || l.Items[0].Valid {
			t.Error(diff)
		}
	})
}

func TestCouponListGoesOnWhileCouponsAreMade(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		for i := range 6 {
			e.clock.Advance(time.Second)
			e.createCoupon(percentOff(domain.CouponID(fmt.Sprint("c", i))))
		}
		first, err := e.Coupons(e.ctx(), domain.CouponQuery{Page: domain.Page{Size: 3}})
		if err != nil {
			t.Fatal(err)
		}
		e.clock.Advance(time.Second)
		e.createCoupon(percentOff("newer"))
		rest := e.couponsOf(domain.CouponQuery{Page: domain.Page{Size: 3, Token: first.Next}})
		if !slices.Equal(rest, []domain.CouponID{"c2", "c1", "c0"}) {
			t.Errorf("the rest is %v", rest)
		}
	})
}

func TestEntryOfACouponThatNeverCameToBeIsPassedOver(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a"))
		// As a crash between the entry and the coupon leaves it.
		for _, entry := range []string{listEntry(epoch.Add(time.Hour), "never"), listEntry(epoch.Add(time.Minute), "a")} {
			if err := e.enter(e.ctx(), e.keys.couponListOf("a"), entry); err != nil {
				t.Fatal(err)
			}
		}
		for _, size := range []int{1, 10} {
			if got := e.couponsOf(domain.CouponQuery{Page: domain.Page{Size: size}}); !slices.Equal(got, []domain.CouponID{"a"}) {
				t.Errorf("pages of %d: %v", size, got)
			}
		}
	})
}

func TestPromotionCodesOfACouponAreListedInTheOrderOfTheirCreation(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a"))
		e.createCoupon(percentOff("other"))
		e.createCode(promotionCode("other", "OTHER"))
		var want []domain.PromotionCodeID
		for i := range codesPerBucket + 10 {
			e.clock.Advance(time.Millisecond)
			want = append(want, e.createCode(promotionCode("a", "CODE"+strconv.Itoa(i))).Name.ID)
		}
		for _, size := range []int{9, codesPerBucket, 1000} {
			var got []domain.PromotionCodeID
			for _, p := range e.listCodes(domain.PromotionCodeQuery{Coupon: "a", Page: domain.Page{Size: size}}) {
				got = append(got, p.Name.ID)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("pages of %d (-want +got):\n%s", size, diff)
			}
		}
		first := e.listCodes(domain.PromotionCodeQuery{Coupon: "a", Page: domain.Page{Size: 1000}})[0]
		if diff := cmp.Diff(e.code(first.Name), first, compareCodes); diff != "" {
			t.Errorf("listed and read:\n%s", diff)
		}
	})
}

func TestPromotionCodesAreFilteredByState(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a"))
		active := e.createCode(promotionCode("a", "ACTIVE"))
		scheduled := e.createCode(promotionCode("a", "SCHEDULED", func(p *domain.PromotionCode) { p.StartsAt = epoch.Add(time.Hour) }))
		inactive := e.createCode(promotionCode("a", "INACTIVE"))
		e.deactivate(inactive.Name)
		used := e.createCode(promotionCode("a", "USED", codeLimitedTo(1)))
		e.redeem(byCode("r", "USED"))
		gone := e.createCode(promotionCode("a", "GONE"))
		if _, err := e.DeletePromotionCode(e.ctx(), domain.DeletePromotionCode{Name: gone.Name}); err != nil {
			t.Fatal(err)
		}
		for name, c := range map[string]struct {
			q    domain.PromotionCodeQuery
			want []domain.PromotionCodeView
		}{
			"all":          {domain.PromotionCodeQuery{}, []domain.PromotionCodeView{active, scheduled, inactive, used}},
			"active":       {domain.PromotionCodeQuery{Active: pointer(true)}, []domain.PromotionCodeView{active, scheduled}},
			"not active":   {domain.PromotionCodeQuery{Active: pointer(false)}, []domain.PromotionCodeView{inactive, used}},
			"with deleted": {domain.PromotionCodeQuery{ShowDeleted: true}, []domain.PromotionCodeView{active, scheduled, inactive, used, gone}},
			"by code":      {domain.PromotionCodeQuery{Code: parsedCode("used")}, []domain.PromotionCodeView{used}},
		} {
			c.q.Coupon, c.q.Size = "a", 2
			if got, want := namesOf(e.listCodes(c.q)), namesOf(c.want); !slices.Equal(got, want) {
				t.Errorf("%s: %v, want %v", name, got, want)
			}
		}
	})
}

// namesOf returns the names of promotion codes, sorted.
func namesOf(list []domain.PromotionCodeView) []string {
	var out []string
	for _, p := range list {
		out = append(out, p.Name.String())
	}
	slices.Sort(out)
	return out
}

func TestPromotionCodesAreListedByCode(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		for _, c := range []domain.CouponID{"a", "b"} {
			e.createCoupon(percentOff(c))
		}
		first := e.createCode(promotionCode("a", "X"))
		e.deactivate(first.Name)
		second := e.createCode(promotionCode("b", "X"))
		e.deactivate(second.Name)
		third := e.createCode(promotionCode("b", "x", boundToID("alice")))
		fourth := e.createCode(promotionCode("a", "x", boundToID("bob")))
		e.createCode(promotionCode("a", "XY"))
		all := e.listCodes(domain.PromotionCodeQuery{Code: parsedCode("X"), Page: domain.Page{Size: 3}})
		// Former holders are named by coupon: each has one here.
		if got, want := namesOf(all), namesOf([]domain.PromotionCodeView{first, second, third, fourth}); !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
		if got, want := namesOf(all[:2]), namesOf([]domain.PromotionCodeView{third, fourth}); !slices.Equal(got, want) {
			t.Errorf("first come %v, want those that hold it: %v", got, want)
		}
		// One that takes its code again is listed once.
		e.deactivate(fourth.Name)
		if _, err := e.ActivatePromotionCode(e.ctx(), domain.ActivatePromotionCode{Name: fourth.Name}); err != nil {
			t.Fatal(err)
		}
		again := e.listCodes(domain.PromotionCodeQuery{Code: parsedCode("X"), Page: domain.Page{Size: 100}})
		if got, want := namesOf(again), namesOf(all); !slices.Equal(got, want) {
			t.Errorf("after one came back: %v, want %v", got, want)
		}
		none := e.listCodes(domain.PromotionCodeQuery{Code: parsedCode("NOBODY"), Page: domain.Page{Size: 100}})
		if len(none) != 0 {
			t.Errorf("of a code that nobody has: %v", none)
		}
	})
}

func TestPromotionCodesAreListedByCustomerNewestFirst(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a"))
		e.createCoupon(percentOff("b"))
		var want []domain.PromotionCodeName
		for i := range 7 {
			e.clock.Advance(time.Second)
			p := promotionCode([]domain.CouponID{"a", "b"}[i%2], "CODE"+strconv.Itoa(i), boundToID("alice"))
			want = append(want, e.createCode(p).Name)
			e.createCode(promotionCode("a", "OTHER"+strconv.Itoa(i), boundToID("bob")))
		}
		slices.Reverse(want)
		for _, size := range []int{2, 7, 100} {
			var got []domain.PromotionCodeName
			for _, p := range e.listCodes(domain.PromotionCodeQuery{CustomerID: "alice", Page: domain.Page{Size: size}}) {
				got = append(got, p.Name)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("pages of %d (-want +got):\n%s", size, diff)
			}
		}
		one := e.listCodes(domain.PromotionCodeQuery{CustomerID: "alice", Code: parsedCode("code3"), Page: domain.Page{Size: 100}})
		if len(one) != 1 || one[0].Name != want[3] {
			t.Errorf("with a code too: %v", one)
		}
	})
}

func TestPageTokenThatNoListReturnedIsRefused(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a"))
		for _, token := range []string{"x", "-1", "0", "(", "+", "1 ", "ä", "\x00", "zzzzzzzzzzzz:a"} {
			page := domain.Page{Size: 10, Token: token}
			_, coupons := e.Coupons(e.ctx(), domain.CouponQuery{Page: page})
			_, codes := e.PromotionCodes(e.ctx(), domain.PromotionCodeQuery{Page: page, Coupon: "a"})
			_, customer := e.PromotionCodes(e.ctx(), domain.PromotionCodeQuery{Page: page, CustomerID: "alice"})
			_, ledger := e.Redemptions(e.ctx(), domain.RedemptionQuery{Page: page, Coupon: "a"})
			for name, err := range map[string]error{"coupons": coupons, "codes": codes, "codes of a customer": customer, "redemptions": ledger} {
				if !isError[*domain.InvalidError](err) {
					t.Errorf("%s from %q: %v", name, token, err)
				}
			}
			_, code := e.PromotionCodes(e.ctx(), domain.PromotionCodeQuery{Page: page, Code: parsedCode("X")})
			if !isError[*domain.InvalidError](code) && token != "0" {
				t.Errorf("codes by code from %q: %v", token, code)
			}
		}
	})
}
