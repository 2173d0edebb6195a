// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package docs_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	discountv1 "github.com/discountd/discountd/gen/discount/v1"
)

// offer is something that shops promise their customers, as a merchandiser would
// enter it, an order, and what finance expects to come off, worked out by hand.
type offer struct {
	name   string
	coupon string
	order  *discountv1.Order

	paper    string // how the numbers come about
	lines    []int64
	shipping int64
	refused  []discountv1.IneligibilityReason // instead of a discount
}

// order returns an order of lines, each written "product[/category[/sale]]
// unit-price x quantity", and perhaps "shipping price".
func order(currency string, lines ...string) *discountv1.Order {
	o := &discountv1.Order{CurrencyCode: currency}
	for i, l := range lines {
		name, rest, _ := strings.Cut(l, " ")
		price, quantity, _ := strings.Cut(rest, " x ")
		if name == "shipping" {
			o.ShippingAmountMinor = number(price)
			continue
		}
		parts := strings.Split(name, "/")
		line := &discountv1.OrderLine{
			Id: fmt.Sprint("line-", i+1), ProductId: parts[0],
			UnitAmountMinor: number(price), Quantity: number(cmp.Or(quantity, "1")),
		}
		if len(parts) > 1 {
			line.CategoryIds = parts[1:2]
		}
		line.OnSale = len(parts) > 2
		o.Lines = append(o.Lines, line)
	}
	return o
}

// number reads a number of a table, which a typing error must not make zero.
func number(s string) int64 {
	n, err := strconv.ParseInt(strings.ReplaceAll(s, "_", ""), 10, 64)
	if err != nil {
		panic(err)
	}
	return n
}

func TestOffersOfShopsComeOutAsOnPaper(t *testing.T) {
	t.Parallel()
	conn := serve(t)
	coupons, redemptions := discountv1.NewCouponServiceClient(conn), discountv1.NewRedemptionServiceClient(conn)
	for i, o := range slices.Concat(percentages(), amountsOff(), prices(), tiers(), sets(), shippings()) {
		t.Run(o.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			id, coupon := fmt.Sprint("offer-", i), &discountv1.Coupon{}
			parse(t, o.coupon, coupon)
			if _, err := coupons.CreateCoupon(ctx, &discountv1.CreateCouponRequest{CouponId: id, Coupon: coupon}); err != nil {
				t.Fatal(err)
			}
			answer, err := redemptions.ValidateCode(ctx, &discountv1.ValidateCodeRequest{
				Source: &discountv1.ValidateCodeRequest_Coupon{Coupon: "coupons/" + id}, Order: o.order,
			})
			if err != nil {
				t.Fatal(err)
			}
			o.check(t, answer)
			if answer.GetValid() {
				redeem(t, redemptions, id, o.order, answer.GetDiscount())
			}
		})
	}
}

func (o *offer) check(t *testing.T, answer *discountv1.ValidateCodeResponse) {
	t.Helper()
	var refused []discountv1.IneligibilityReason
	for _, i := range answer.GetIneligibilities() {
		refused = append(refused, i.GetReason())
	}
	if !slices.Equal(refused, o.refused) {
		t.Fatalf("refused for %v, want %v: %s", refused, o.refused, o.paper)
	}
	if len(o.refused) > 0 {
		return
	}
	d := answer.GetDiscount()
	var lines []int64
	total := o.shipping
	for _, l := range d.GetLines() {
		lines = append(lines, l.GetAmountMinor())
	}
	for _, amount := range o.lines {
		total += amount
	}
	if !slices.Equal(lines, o.lines) || d.GetShippingAmountMinor() != o.shipping || d.GetTotalAmountMinor() != total {
		t.Errorf("takes %v off the lines, %d off shipping, %d in all, want %v, %d and %d: %s",
			lines, d.GetShippingAmountMinor(), d.GetTotalAmountMinor(), o.lines, o.shipping, total, o.paper)
	}
}
