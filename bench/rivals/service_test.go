// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package rivals

import (
	"testing"
	"time"

	"github.com/discountd/discountd/bench/fixture"
	discountv1 "github.com/discountd/discountd/gen/discount/v1"
)

func TestSharesOfTheLinesComeToTheDiscount(t *testing.T) {
	order := fixture.FiveLines()
	amount, lines := discount(order, totalOf(order))
	if amount != fixture.FiveLineDiscount {
		t.Errorf("%d off, not %d", amount, fixture.FiveLineDiscount)
	}
	var sum int64
	for _, l := range answer(couponRules{}, &record{lines: lines, amount: amount}).GetRedemption().GetDiscount().GetLines() {
		sum += l.GetAmountMinor()
	}
	if sum != amount {
		t.Errorf("the lines %q come to %d, not %d", lines, sum, amount)
	}
}

func TestFingerprintTellsRequestsApart(t *testing.T) {
	request := func(change func(*discountv1.RedeemRequest)) [16]byte {
		r := &discountv1.RedeemRequest{
			Source: &discountv1.RedeemRequest_Code{Code: "HOT"}, Order: fixture.OneLine(),
			Customer: &discountv1.Customer{Id: "c"},
		}
		change(r)
		return fingerprint(r)
	}
	same := request(func(*discountv1.RedeemRequest) {})
	if request(func(*discountv1.RedeemRequest) {}) != same {
		t.Error("one request has two fingerprints")
	}
	for name, change := range map[string]func(*discountv1.RedeemRequest){
		"code":     func(r *discountv1.RedeemRequest) { r.Source = &discountv1.RedeemRequest_Code{Code: "HOT2"} },
		"customer": func(r *discountv1.RedeemRequest) { r.Customer.Id = "d" },
		"order":    func(r *discountv1.RedeemRequest) { r.Order.Id = "o" },
		"currency": func(r *discountv1.RedeemRequest) { r.Order.CurrencyCode = "USD" },
		"amount":   func(r *discountv1.RedeemRequest) { r.Order.Lines[0].UnitAmountMinor++ },
		"quantity": func(r *discountv1.RedeemRequest) { r.Order.Lines[0].Quantity++ },
		"lines":    func(r *discountv1.RedeemRequest) { r.Order = fixture.FiveLines() },
	} {
		if request(change) == same {
			t.Errorf("another %s has the same fingerprint", name)
		}
	}
}

func TestLedgerEntryIsReadBack(t *testing.T) {
	want := record{
		request: fixture.RequestID(1, 2), fingerprint: [16]byte{0, 1, 0, '\n', 255}, amount: 400, lines: "1:300 2:100",
		time: time.UnixMicro(1_700_000_000_000_001),
	}
	got, err := parseRecord(recordText(&want), couponRules{})
	if err != nil || got != want {
		t.Errorf("read %+v, %v, wrote %+v", got, err, want)
	}
	for n := range len(recordText(&want)) - len(want.lines) - 1 {
		if got, err := parseRecord(recordText(&want)[:n], couponRules{}); err == nil {
			t.Fatalf("an entry cut to %d bytes is read as %+v", n, got)
		}
	}
}

func TestBatchHasEachRequestOnce(t *testing.T) {
	waiting := func(coupon int, request string) *item {
		return &item{record: &record{coupon: couponRules{number: coupon}, request: request}}
	}
	a, b, again, other := waiting(1, "a"), waiting(1, "b"), waiting(1, "a"), waiting(2, "a")
	batch, rest := unique([]*item{a, b, again, other})
	if len(batch) != 3 || batch[0] != a || batch[1] != b || batch[2] != other || len(rest) != 1 || rest[0] != again {
		t.Errorf("%d in the batch, %d left", len(batch), len(rest))
	}
}
