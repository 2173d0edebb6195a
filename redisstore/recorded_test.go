// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/discountd/discountd/domain"
)

// anyNewRedemption draws what newRedemption can make: of any discount, over units that
// a record does not keep, for good or for a time.
func anyNewRedemption(rt *rapid.T) *domain.Redemption {
	r := anyOf[domain.Redemption]("redemption").Draw(rt, "redemption")
	r.Name = domain.RedemptionName{Coupon: "a"}
	r.State = rapid.SampledFrom([]domain.RedemptionState{domain.RedemptionRedeemed, domain.RedemptionReserved}).Draw(rt, "state")
	r.Voids, r.VoidedAmountMinor = nil, 0
	r.CommitTime, r.ReleaseTime = time.Time{}, time.Time{}
	for i := range r.Periods { // a key holds no white space
		r.Periods[i].Key = strings.Join(strings.Fields(r.Periods[i].Key), "")
	}
	if d := r.Discount; d != nil {
		switch rapid.IntRange(0, 3).Draw(rt, "what there is off") {
		case 0: // nothing but a trial, of no days where the plan's own are no fewer
			*d = domain.AppliedDiscount{TrialDays: rapid.Int32Range(0, 3).Draw(rt, "days"), TrialEndsAt: d.TrialEndsAt}
		case 1:
			d.Lines = []domain.LineDiscount{}
		}
		d.ShippingAmountMinor /= 8
		d.TotalAmountMinor = d.ShippingAmountMinor
		for i := range d.Lines {
			d.Lines[i].AmountMinor /= 8
			d.TotalAmountMinor += d.Lines[i].AmountMinor
		}
	}
	return &r
}

func TestAnswerToARedemptionIsWhatItsRecordSays(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		made := anyNewRedemption(rt)
		position := rapid.Int64Range(1, domain.MaxAmount).Draw(rt, "position")
		text, value := recordText(made), strconv.FormatInt(position, 10)
		granted := int64(-1)
		if made.Discount != nil && made.Discount.Currency != "" && rapid.Bool().Draw(rt, "granted less") {
			granted = rapid.Int64Range(0, made.Discount.TotalAmountMinor).Draw(rt, "granted")
			value += " " + strconv.FormatInt(granted, 10)
			text = strconv.FormatInt(granted, 10) + text[strings.IndexByte(text, '\t'):] // as the script writes it
		}
		read, err := parseRecord("a", position, string(rune(made.State))+"\t"+text)
		if err != nil {
			rt.Fatal(err)
		}
		answer, err := recorded(made, recordText(made), value)
		if err != nil {
			rt.Fatal(err)
		}
		if diff := cmp.Diff(read, answer); diff != "" {
			rt.Fatalf("of %d granted (-record +answer):\n%s", granted, diff)
		}
	})
}
