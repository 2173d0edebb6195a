// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/discountd/discountd/domain"
)

// redeemMany redeems a coupon for the numbers from one to another, by batches of
// the script. Request ids are "m" and the number.
func (e *env) redeemMany(c domain.CouponID, from, to int) {
	e.t.Helper()
	coupon := e.coupon(c)
	for from < to {
		var batch []batched
		for ; from < to && len(batch) < 100; from++ {
			r := byCoupon("m"+strconv.Itoa(from), c, withCustomer("c"+strconv.Itoa(from%3)))
			r.Order.ID = "o" + strconv.Itoa(from%7)
			batch = append(batch, batchedOn(&domain.Snapshot{Coupon: coupon.CouponSnapshot}, r, &domain.Evaluation{AsOf: epoch}))
		}
		for _, out := range e.runBatch(c, batch) {
			if out.outcome != "redeemed" {
				e.t.Fatalf("redeemed many: %+v", out)
			}
		}
	}
}

func TestLedgerGoesOnOverItsPages(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a"))
		e.redeemMany("a", 0, ledgerPageSize-1)
		var single []domain.Redemption
		for i := range 3 { // over the end of a page
			single = append(single, e.redeem(byCoupon("single"+strconv.Itoa(i), "a")))
		}
		e.redeemMany("a", ledgerPageSize-1, 2*ledgerPageSize+100)
		total := 2*ledgerPageSize + 103
		all := e.redemptions("a")
		if len(all) != total || e.coupon("a").Redeemed != int64(total) {
			t.Fatalf("%d redemptions, %d counted, want %d", len(all), e.coupon("a").Redeemed, total)
		}
		for i, r := range all {
			if p, _ := r.Name.ID.Position(); p != int64(i)+1 {
				t.Fatalf("%s is at position %d", r.Name, i+1)
			}
		}
		for i, want := range single {
			at := ledgerPageSize - 1 + i
			if diff := cmp.Diff(want, all[at]); diff != "" {
				t.Errorf("position %d:\n%s", at+1, diff)
			}
			read, err := e.Redemption(e.ctx(), want.Name)
			if diff := cmp.Diff(&want, read); err != nil || diff != "" {
				t.Errorf("read: %v\n%s", err, diff)
			}
			if diff := cmp.Diff(want, e.redeem(byCoupon(want.RequestID, "a"))); diff != "" {
				t.Errorf("again:\n%s", diff)
			}
		}
	})
}

func TestLedgerIsListedInPagesOfAnySize(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a"))
		const n = ledgerPageSize + 5
		e.redeemMany("a", 0, n)
		for _, size := range []int{1000, n, ledgerPageSize + 1, ledgerPageSize, 100, 1} {
			token, got := "", 0
			for {
				l, err := e.Redemptions(e.ctx(), domain.RedemptionQuery{Coupon: "a", Page: domain.Page{Size: size, Token: token}})
				if err != nil {
					t.Fatal(err)
				}
				for _, r := range l.Items {
					if r.RequestID != "m"+strconv.Itoa(got) {
						t.Fatalf("pages of %d: %s at position %d", size, r.RequestID, got+1)
					}
					got++
				}
				if len(l.Items) > size {
					t.Fatalf("%d items on a page of %d", len(l.Items), size)
				}
				if token = l.Next; token == "" || size == 1 && got == 3 {
					break
				}
			}
			if size > 1 && got != n {
				t.Errorf("pages of %d: %d of %d redemptions", size, got, n)
			}
		}
	})
}

func TestLedgerIsFiltered(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a"))
		p := e.createCode(promotionCode("a", "X"))
		const n = ledgerPageSize + 50
		e.redeemMany("a", 0, n)
		e.redeem(byCode("last", "X", withCustomer("c1")))
		for name, q := range map[string]domain.RedemptionQuery{
			"customer":           {CustomerID: "c1"},
			"order":              {OrderID: "o6"},
			"customer and order": {CustomerID: "c1", OrderID: "o6"},
			"promotion code":     {PromotionCode: p.Name.ID},
			"nothing matches":    {CustomerID: "nobody"},
		} {
			var want, got []string
			for _, r := range e.redemptions("a") {
				if (q.CustomerID == "" || q.CustomerID == r.CustomerID) && (q.OrderID == "" || q.OrderID == r.OrderID) &&
					(q.PromotionCode == "" || q.PromotionCode == r.PromotionCode) {
					want = append(want, r.RequestID)
				}
			}
			q.Coupon, q.Size = "a", 7
			calls := 0
			for calls == 0 || q.Token != "" {
				calls++
				l, err := e.Redemptions(e.ctx(), q)
				if err != nil {
					t.Fatal(err)
				}
				for _, r := range l.Items {
					got = append(got, r.RequestID)
				}
				q.Token = l.Next
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
	})
}

func TestLedgerListGoesOnWhileItGrows(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a"))
		e.redeemMany("a", 0, 5)
		q := domain.RedemptionQuery{Coupon: "a", Page: domain.Page{Size: 3}}
		first, err := e.Redemptions(e.ctx(), q)
		if err != nil {
			t.Fatal(err)
		}
		e.redeemMany("a", 5, 8)
		q.Size, q.Token = 100, first.Next
		rest, err := e.Redemptions(e.ctx(), q)
		if err != nil || len(rest.Items) != 5 || rest.Items[0].RequestID != "m3" || rest.Next != "" {
			t.Errorf("%+v, %v", rest, err)
		}
	})
}

func TestFreeTrialIsGrantedWithoutAnOrder(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a", func(c *domain.Coupon) {
			c.Discount = domain.Discount{FreeTrial: &domain.FreeTrial{TrialDays: 30}}
		}))
		r := byCoupon("r", "a", withOrder(nil))
		v, err := e.Validate(e.ctx(), &r.ValidateRequest)
		if err != nil || v.Discount == nil {
			t.Fatalf("%+v, %v", v, err)
		}
		if v.Discount.TrialDays != 30 || !v.Discount.TrialEndsAt.Equal(epoch.AddDate(0, 0, 30)) || v.Discount.TotalAmountMinor != 0 {
			t.Errorf("%+v", v.Discount)
		}
		for _, got := range []domain.Redemption{e.redeem(r), e.redeem(r), e.redemptions("a")[0]} {
			if diff := cmp.Diff(v.Discount, got.Discount); diff != "" {
				t.Errorf("(-validated +redeemed):\n%s", diff)
			}
		}
	})
}

func TestAmountsAreExact(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		for i, amount := range []int64{0, 1, 99_999_999_999_999, 100_000_000_000_000, 100_000_000_000_001, 1e15 - 1, 1e15, 1e15 + 1, 1 << 52, domain.MaxAmount - 1, domain.MaxAmount} {
			all := domain.CouponID("all-" + strconv.Itoa(i))
			e.createCoupon(percentOff(all, func(c *domain.Coupon) { c.Discount.PercentOff.BasisPoints = domain.FullShare }))
			r := byCoupon(strconv.Itoa(i), all, withOrder(orderOf(amount)))
			made := e.redeem(r)
			read, err := e.Redemption(e.ctx(), made.Name)
			if err != nil {
				t.Fatal(err)
			}
			for name, v := range map[string]domain.Redemption{"redeemed": made, "again": e.redeem(r), "read": *read} {
				if d := v.Discount; d == nil || d.TotalAmountMinor != amount || d.Lines[0].AmountMinor != amount {
					t.Errorf("%s: %d became %+v", name, amount, d)
				}
			}
		}
	})
}

func TestCountersAndLimitsAreExact(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		for i, n := range []int64{1e14, 1e15, domain.MaxAmount - 1} {
			c := domain.CouponID("c" + strconv.Itoa(i))
			e.createCoupon(percentOff(c, limitedTo(n+1), limitedPerCustomerTo(n+1)))
			p := e.createCode(promotionCode(c, "CODE"+strconv.Itoa(i), codeLimitedTo(n+1), codeLimitedPerCustomerTo(n+1)))
			// As if it had been redeemed n times.
			alice := domain.IdentityOfID("alice")
			err := e.admin.HSet(e.ctx(), e.keys.head(c), "r", n).Err()
			if err == nil {
				err = e.admin.HSet(e.ctx(), e.keys.customers(c), string(alice), n, string(p.Name.ID)+"/"+string(alice), n).Err()
			}
			bucket := e.keys.promotions(c, p.Name.ID.Bucket())
			record, readErr := e.admin.HGet(e.ctx(), bucket, p.Name.ID.Suffix()).Result()
			if err != nil || readErr != nil {
				t.Fatal(err, readErr)
			}
			f := strings.Split(record, ",")
			f[3] = strconv.FormatInt(n, 10)
			if err := e.admin.HSet(e.ctx(), bucket, p.Name.ID.Suffix(), strings.Join(f, ",")).Err(); err != nil {
				t.Fatal(err)
			}

			e.redeem(byName("r", p.Name, withCustomer("alice")))
			uses := e.uses(c, p.Name.ID, alice)
			if got := []int64{e.coupon(c).Redeemed, e.code(p.Name).Redeemed, uses.OfCoupon, uses.OfPromotionCode}; !cmp.Equal(got, []int64{n + 1, n + 1, n + 1, n + 1}) {
				t.Errorf("after %d and one more: %d", n, got)
			}
			_, err = e.Redeem(e.ctx(), new(byName("r2", p.Name, withCustomer("alice"))))
			wantReasons(t, err, domain.CouponMaxRedemptionsReached, domain.CodeMaxRedemptionsReached, domain.CustomerMaxRedemptionsReached)
		}
	})
}

// anyOf draws a value of T with every field set at random, however deep, so that
// a field which is stored wrongly, or not at all, is found when it is added.
func anyOf[T any](name string) *rapid.Generator[T] {
	return rapid.Custom(func(rt *rapid.T) T {
		var v T
		fill(rt, name, reflect.ValueOf(&v).Elem())
		return v
	})
}

func fill(rt *rapid.T, name string, v reflect.Value) {
	switch v.Interface().(type) {
	case time.Time:
		ms := rapid.Int64Range(1, 253402300799999).Draw(rt, name)
		v.Set(reflect.ValueOf(time.UnixMilli(ms).UTC()))
		return
	case domain.Code:
		v.Set(reflect.ValueOf(parsedCode(rapid.StringMatching(`[A-Za-z0-9_-]{1,64}`).Draw(rt, name))))
		return
	case domain.Currency:
		v.SetString(string(rapid.SampledFrom([]domain.Currency{"EUR", "USD", "JPY", "KWD"}).Draw(rt, name)))
		return
	case domain.RedemptionState:
		v.SetUint(uint64(domain.RedemptionRedeemed))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(rt, name+"."+v.Type().Field(i).Name, v.Field(i))
		}
	case reflect.Pointer:
		if rapid.Bool().Draw(rt, name+" set") {
			v.Set(reflect.New(v.Type().Elem()))
			fill(rt, name, v.Elem())
		}
	case reflect.Slice:
		for i := range rapid.IntRange(0, 3).Draw(rt, name+" length") {
			v.Set(reflect.Append(v, reflect.Zero(v.Type().Elem())))
			fill(rt, name, v.Index(i))
		}
	case reflect.Map:
		for range rapid.IntRange(0, 3).Draw(rt, name+" length") {
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			fill(rt, name+" key", key)
			fill(rt, name+" value", value)
			if v.IsNil() {
				v.Set(reflect.MakeMap(v.Type()))
			}
			v.SetMapIndex(key, value)
		}
	case reflect.String: // without control characters, which are refused before
		v.SetString(rapid.StringOfN(rapid.Rune().Filter(func(r rune) bool { return r >= ' ' && r != 0x7f }), 0, 40, -1).Draw(rt, name))
	case reflect.Bool:
		v.SetBool(rapid.Bool().Draw(rt, name))
	case reflect.Int32, reflect.Int64:
		most := int64(domain.MaxAmount)
		if v.Kind() == reflect.Int32 {
			most = 1<<31 - 1
		}
		v.SetInt(rapid.Int64Range(0, most).Draw(rt, name))
	case reflect.Uint8:
		v.SetUint(rapid.Uint64Range(0, 255).Draw(rt, name))
	default:
		panic(fmt.Sprintf("%s is of kind %s", name, v.Kind()))
	}
}

func TestRecordKeepsEveryFieldOfARedemption(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		want := anyOf[domain.Redemption]("redemption").Draw(rt, "redemption")
		position := rapid.Int64Range(1, domain.MaxAmount).Draw(rt, "position")
		want.Name = domain.RedemptionName{Coupon: "a", ID: domain.NewRedemptionID(position, want.RequestID)}
		for i := range want.Periods { // a key holds no white space
			want.Periods[i].Key = strings.Join(strings.Fields(want.Periods[i].Key), "")
		}
		want.VoidedAmountMinor = 0 // the script's to change
		if d := want.Discount; d != nil {
			d.Currency = "EUR"
			d.ShippingAmountMinor /= 8
			d.TotalAmountMinor = d.ShippingAmountMinor
			for i := range d.Lines {
				d.Lines[i].Units = nil
				d.Lines[i].AmountMinor /= 8
				d.TotalAmountMinor += d.Lines[i].AmountMinor
			}
		}
		text := string(want.State) + "\t" + recordText(&want)
		for _, note := range notesOf(&want) {
			text += "\t" + note
		}
		got, err := parseRecord("a", position, text)
		if err != nil {
			rt.Fatal(err)
		}
		if diff := cmp.Diff(&want, got); diff != "" {
			rt.Fatal(diff)
		}
		later, err := parseRecord("a", position, text+"\tof a\tnewer version")
		if diff := cmp.Diff(&want, later); err != nil || diff != "" {
			rt.Fatalf("with notes of a later version: %v\n%s", err, diff)
		}
	})
}

// notesOf are the notes that say what was done to a redemption, as settle.lua
// writes them.
func notesOf(r *domain.Redemption) []string {
	notes := []string{noteCommitted + instant(r.CommitTime), noteReleased + instant(r.ReleaseTime)}
	for _, v := range r.Voids {
		notes = append(notes, strings.Join([]string{noteVoided + instant(v.Time), strconv.FormatInt(v.AmountMinor, 10), v.RequestID, v.Reason}, noteSeparator))
	}
	return notes
}

func TestRecordThatIsDamagedIsAnError(t *testing.T) {
	t.Parallel()
	r := domain.Redemption{State: domain.RedemptionRedeemed, CreateTime: epoch, RequestID: "r", Discount: &domain.AppliedDiscount{
		Currency: "EUR", TotalAmountMinor: 5, Lines: []domain.LineDiscount{{LineID: "line", AmountMinor: 5}},
	}}
	good := string(r.State) + "\t" + recordText(&r)
	if _, err := parseRecord("a", 1, good); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"empty":                "",
		"cut":                  good[:len(good)/2],
		"without its last one": good[:strings.LastIndexByte(good, '\t')],
		"no state":             good[1:],
		"an amount in letters": strings.TrimSuffix(good, "5") + "five",
	} {
		if v, err := parseRecord("a", 1, text); err == nil {
			t.Errorf("%s: %+v", name, v)
		}
	}
}

func TestConfigurationKeepsEveryField(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		n := 0
		rapid.Check(t, func(rt *rapid.T) {
			n++
			c := anyOf[domain.Coupon]("coupon").Draw(rt, "coupon")
			c.ID = domain.CouponID("c" + strconv.Itoa(n))
			c.StartsAt, c.RedeemBy = time.Time{}, time.Time{}
			c.MaxRedemptions = nil
			p := anyOf[domain.PromotionCode]("promotion code").Draw(rt, "promotion code")
			p.Name = domain.PromotionCodeName{Coupon: c.ID}
			p.Code = parsedCode("CODE" + strconv.Itoa(n))
			p.StartsAt, p.ExpiresAt, p.MaxRedemptions = epoch.Add(time.Hour), epoch.Add(2*time.Hour), nil
			if p.CustomerID != "" {
				p.EmailHash = ""
			}
			if p.Card = nil; c.Discount.GiftCards != nil {
				p.Card = &domain.GiftCard{Issued: domain.Money{Currency: c.Discount.GiftCards.Currency, AmountMinor: int64(n)}, RequestID: "issue"}
			}

			v := e.createCoupon(c)
			c.CreateTime, c.UpdateTime = epoch, epoch
			if diff := cmp.Diff(c, v.Coupon, compareCodes); diff != "" {
				rt.Fatalf("coupon (-given +stored):\n%s", diff)
			}
			w := e.createCode(p)
			p.Name, p.CreateTime, p.UpdateTime = w.Name, epoch, epoch
			if diff := cmp.Diff(p, w.PromotionCode, compareCodes); diff != "" {
				rt.Fatalf("promotion code (-given +stored):\n%s", diff)
			}
		})
	})
}
