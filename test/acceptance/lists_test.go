// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package acceptance

import (
	"fmt"
	"slices"
	"testing"
	"time"

	discountv1 "github.com/discountd/discountd/gen/discount/v1"
)

// coupons returns the names on all pages of a list of coupons.
func (s *service) coupons(t *testing.T, r *discountv1.ListCouponsRequest) []string {
	t.Helper()
	var all []string
	for {
		page, err := s.ListCoupons(within(t), r)
		if err != nil {
			t.Fatalf("ListCoupons: %v", err)
		}
		if n := len(page.GetCoupons()); n > int(r.GetPageSize()) {
			t.Errorf("a page of %d has %d coupons", r.GetPageSize(), n)
		}
		for _, c := range page.GetCoupons() {
			all = append(all, c.GetName())
		}
		if r.PageToken = page.GetNextPageToken(); r.GetPageToken() == "" {
			return all
		}
	}
}

// codes returns the names on all pages of a list of promotion codes.
func (s *service) codes(t *testing.T, r *discountv1.ListPromotionCodesRequest) []string {
	t.Helper()
	var all []string
	for {
		page, err := s.ListPromotionCodes(within(t), r)
		if err != nil {
			t.Fatalf("ListPromotionCodes: %v", err)
		}
		for _, p := range page.GetPromotionCodes() {
			all = append(all, p.GetName())
		}
		if r.PageToken = page.GetNextPageToken(); r.GetPageToken() == "" {
			return all
		}
	}
}

func wantNames(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

func names(codes ...*discountv1.PromotionCode) []string {
	var all []string
	for _, p := range codes {
		all = append(all, p.GetName())
	}
	slices.Sort(all)
	return all
}

func TestCouponsAreListedNewestFirst(t *testing.T) {
	t.Parallel()
	s := start(t)
	var newest []string
	for i := range 23 {
		s.clock.set(today.Add(time.Duration(i) * time.Second))
		newest = append([]string{s.coupon(t, percentOff(10)).GetName()}, newest...)
	}
	gone := &discountv1.Coupon{Name: newest[4]}
	s.deleteCoupon(t, gone)

	for _, size := range []int32{1, 7, 22, 1_000} {
		wantNames(t, "with deleted ones", s.coupons(t, &discountv1.ListCouponsRequest{PageSize: size, ShowDeleted: true}), newest...)
		wantNames(t, "without deleted ones", s.coupons(t, &discountv1.ListCouponsRequest{PageSize: size}),
			slices.Delete(slices.Clone(newest), 4, 5)...)
	}
}

func TestPromotionCodesAreListedByCouponCodeCustomerAndActivity(t *testing.T) {
	t.Parallel()
	s := start(t)
	c, other := s.coupon(t, percentOff(10)), s.coupon(t, percentOff(20))
	fall, spring := s.code(t, c, coded("FALL")), s.code(t, c, coded("SPRING"))
	gone := s.code(t, c, coded("GONE"))
	s.deactivate(t, fall)
	s.deleteCode(t, gone)
	newFall := s.code(t, other, coded("fall"))
	alices := s.code(t, c, coded("HELLO", boundTo("alice")))
	bobs := s.code(t, other, coded("HELLO", boundTo("bob")))
	alicesOther := s.code(t, other, coded("HELLO-AGAIN", boundTo("alice")))

	yes, no := true, false
	for what, list := range map[string]struct {
		request *discountv1.ListPromotionCodesRequest
		want    []string
	}{
		"of one coupon": {
			&discountv1.ListPromotionCodesRequest{Parent: c.GetName()}, names(fall, spring, alices),
		},
		"of one coupon, deleted ones too": {
			&discountv1.ListPromotionCodesRequest{Parent: c.GetName(), ShowDeleted: true}, names(fall, spring, gone, alices),
		},
		"of one coupon, active": {
			&discountv1.ListPromotionCodesRequest{Parent: c.GetName(), Active: &yes}, names(spring, alices),
		},
		"of one coupon, not active": {
			&discountv1.ListPromotionCodesRequest{Parent: c.GetName(), Active: &no}, names(fall),
		},
		"of one coupon, by code": {
			&discountv1.ListPromotionCodesRequest{Parent: c.GetName(), Code: "fALL"}, names(fall),
		},
		"of one coupon, by customer": {
			&discountv1.ListPromotionCodesRequest{Parent: c.GetName(), CustomerId: "alice"}, names(alices),
		},
		"of any coupon, by customer": {
			&discountv1.ListPromotionCodesRequest{Parent: "coupons/-", CustomerId: "alice"}, names(alices, alicesOther),
		},
		"of any coupon, by code": {
			&discountv1.ListPromotionCodesRequest{Parent: "coupons/-", Code: "hello"}, names(alices, bobs),
		},
		"of any coupon, by code and customer": {
			&discountv1.ListPromotionCodesRequest{Parent: "coupons/-", Code: "hello", CustomerId: "bob"}, names(bobs),
		},
		"of any coupon, by a code that is nobody's": {
			&discountv1.ListPromotionCodesRequest{Parent: "coupons/-", Code: "nobodys"}, nil,
		},
	} {
		got := s.codes(t, list.request)
		slices.Sort(got)
		wantNames(t, what, got, list.want...)
	}
	wantNames(t, "of any coupon, by code, the active one first",
		s.codes(t, &discountv1.ListPromotionCodesRequest{Parent: "coupons/-", Code: "FALL"}), newFall.GetName(), fall.GetName())
	wantNames(t, "in small pages",
		s.codes(t, &discountv1.ListPromotionCodesRequest{Parent: "coupons/-", Code: "FALL", PageSize: 1}), newFall.GetName(), fall.GetName())
}

func TestPromotionCodesAreListedInTheOrderOfTheirCreation(t *testing.T) {
	t.Parallel()
	s := start(t)
	c := s.coupon(t, percentOff(10))
	var want []string
	for i := range 150 {
		s.clock.set(today.Add(time.Duration(i) * moment))
		want = append(want, s.code(t, c, coded(fmt.Sprintf("CODE-%d", i))).GetName())
	}
	for _, size := range []int32{0, 1, 40, 64, 1_000} {
		got := s.codes(t, &discountv1.ListPromotionCodesRequest{Parent: c.GetName(), PageSize: size})
		if !slices.Equal(got, want) {
			t.Errorf("in pages of %d the order is another: the first are %q, want %q", size, got[:min(len(got), 3)], want[:3])
		}
	}
}

func TestRedemptionsAreListedByCodeCustomerAndOrder(t *testing.T) {
	t.Parallel()
	s := start(t)
	c := s.coupon(t, percentOff(10))
	fall, spring := s.code(t, c, coded("FALL")), s.code(t, c, coded("SPRING"))
	var all, ofFall, ofAlice, ofOrder []string
	for i := range 30 {
		p, who := fall, "alice"
		if i%2 == 1 {
			p = spring
		}
		if i%3 == 0 {
			who = "bob"
		}
		r := purchase(typing(p.GetCode()), by(who), paying(100, "EUR"))
		r.Order.Id = fmt.Sprintf("order-%d", i%5)
		name := s.redeems(t, r).GetName()
		all = append(all, name)
		if p == fall {
			ofFall = append(ofFall, name)
		}
		if who == "alice" {
			ofAlice = append(ofAlice, name)
		}
		if i%5 == 4 {
			ofOrder = append(ofOrder, name)
		}
	}
	for what, list := range map[string]struct {
		request *discountv1.ListRedemptionsRequest
		want    []string
	}{
		"all":              {&discountv1.ListRedemptionsRequest{PageSize: 7}, all},
		"by code":          {&discountv1.ListRedemptionsRequest{PageSize: 7, PromotionCode: fall.GetName()}, ofFall},
		"by customer":      {&discountv1.ListRedemptionsRequest{PageSize: 7, CustomerId: "alice"}, ofAlice},
		"by order":         {&discountv1.ListRedemptionsRequest{OrderId: "order-4"}, ofOrder},
		"of nobody at all": {&discountv1.ListRedemptionsRequest{CustomerId: "carol"}, nil},
	} {
		list.request.Parent = c.GetName()
		var got []string
		for _, r := range s.ledger(t, list.request) {
			got = append(got, r.GetName())
		}
		wantNames(t, what, got, list.want...)
	}
}

func TestRedemptionsOfACustomerAreListedWhateverTheCoupon(t *testing.T) {
	t.Parallel()
	s := start(t)
	var ofJane, ofOrder []string
	for i := range 5 {
		s.clock.set(today.Add(time.Duration(i) * moment))
		c := s.coupon(t, percentOff(10))
		for _, who := range []*discountv1.Customer{{Id: "jane", Email: "Jane@example.org"}, {Email: "jane@EXAMPLE.org"}, {Id: "bob"}} {
			r := purchase(applying(c), paying(100, "EUR"))
			r.Customer, r.Order.Id = who, fmt.Sprintf("order-%d", i)
			name := s.redeems(t, r).GetName()
			if who.GetEmail() != "" {
				ofJane = append(ofJane, name)
			}
			if i == 3 {
				ofOrder = append(ofOrder, name)
			}
		}
	}
	for what, list := range map[string]struct {
		request *discountv1.ListRedemptionsRequest
		want    []string
	}{
		"by address": {&discountv1.ListRedemptionsRequest{PageSize: 3, CustomerEmail: "JANE@example.org"}, ofJane},
		"by order":   {&discountv1.ListRedemptionsRequest{OrderId: "order-3"}, ofOrder},
	} {
		list.request.Parent = "coupons/-"
		var got []string
		for _, r := range s.ledger(t, list.request) {
			got = append(got, r.GetName())
		}
		slices.Sort(got)
		slices.Sort(list.want)
		wantNames(t, what, got, list.want...)
	}
}

func TestPagesOfALedgerAreStableWhileRedemptionsGoOn(t *testing.T) {
	t.Parallel()
	s := start(t)
	c := s.coupon(t, percentOff(10))
	var want []string
	redeem := func() { want = append(want, s.redeems(t, purchase(applying(c))).GetName()) }
	for range 4 {
		redeem()
	}
	var got []string
	r := &discountv1.ListRedemptionsRequest{Parent: c.GetName(), PageSize: 2}
	for page := 1; page == 1 || r.GetPageToken() != ""; page++ {
		answer, err := s.ListRedemptions(within(t), r)
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range answer.GetRedemptions() {
			got = append(got, x.GetName())
		}
		r.PageToken = answer.GetNextPageToken()
		if page < 3 {
			redeem() // between two pages
		}
	}
	wantNames(t, "all pages", got, want...)
}

func TestTokenOfAnotherListIsRefused(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.coupon(t, percentOff(10))
	s.coupon(t, percentOff(10))
	page, err := s.ListCoupons(within(t), &discountv1.ListCouponsRequest{PageSize: 1})
	if err != nil || page.GetNextPageToken() == "" {
		t.Fatalf("the first page of two: %v, %v", page, err)
	}
	for _, token := range []string{"nonsense", "!", page.GetNextPageToken()[1:]} {
		_, err = s.ListCoupons(within(t), &discountv1.ListCouponsRequest{PageToken: token})
		wantViolations(t, err, "page_token")
	}
	_, err = s.ListCoupons(within(t), &discountv1.ListCouponsRequest{PageToken: page.GetNextPageToken(), ShowDeleted: true})
	wantViolations(t, err, "page_token")
}

func TestListOfCodesOfAnyCouponNeedsSomethingToGoBy(t *testing.T) {
	t.Parallel()
	s := start(t)
	_, err := s.ListPromotionCodes(within(t), &discountv1.ListPromotionCodesRequest{Parent: "coupons/-"})
	wantViolations(t, err, "parent")
}
