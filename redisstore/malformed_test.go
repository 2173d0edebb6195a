// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/discountd/discountd/domain"
)

// What is stored is malformed only when somebody else has written it. It fails those
// whom it is about, and nobody else: not those in the same batch, and not what falls
// due meanwhile.

// flown sends requests about one coupon as one batch.
func (e *env) flown(kind *batchKind, c domain.CouponID, requests ...[]string) []decision {
	e.t.Helper()
	b := &batch{line: &line{key: lineKey{kind, c}}}
	for _, args := range requests {
		b.tickets = append(b.tickets, &ticket{args: args, done: make(chan decision, 1)})
	}
	newGatherer(e.Store, 0).fly(e.ctx(), &flight{batches: []*batch{b}})
	out := make([]decision, len(requests))
	for i, t := range b.tickets {
		out[i] = <-t.done
	}
	return out
}

// wantOnlyFailing fails the test unless just the requests given fail, as a fault of
// what is stored, and all others end as wanted.
func (e *env) wantOnlyFailing(what string, got []decision, want string, failing ...int) {
	e.t.Helper()
	for i, d := range got {
		fails := slices.Contains(failing, i)
		if fails && (d.err == nil || isError[*domain.UnavailableError](d.err)) || !fails && (d.err != nil || d.outcome != want) {
			e.t.Errorf("%s: %d is %q, %v", what, i, d.outcome, d.err)
		}
	}
}

// spoil replaces a record of a coupon's ledger.
func (e *env) spoil(c domain.CouponID, position int64) {
	e.t.Helper()
	if err := e.admin.LSet(e.ctx(), e.keys.ledgerPage(c, 0), position-1, "spoiled").Err(); err != nil {
		e.t.Fatal(err)
	}
}

// stored returns a field of a coupon's head.
func (e *env) stored(c domain.CouponID, field string) string {
	e.t.Helper()
	text, err := e.admin.HGet(e.ctx(), e.keys.head(c), field).Result()
	if err != nil {
		e.t.Fatal(err)
	}
	return text
}

// voidArgs are what settle.lua takes to void a redemption in whole.
func (e *env) voidArgs(r domain.Redemption) []string {
	position, _ := r.Name.ID.Position()
	request := "void " + r.RequestID
	return []string{
		"V", requestKey(request), "f", decimal(position), r.RequestID, "", "", "",
		noteVoided + instant(e.now()), request + noteSeparator,
	}
}

func TestMalformedRecordFailsNoNeighbourOfASettlement(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a", limitedTo(10)))
		due := e.reserve(time.Minute, byCoupon("h", "a"))
		var voids [][]string
		for i := range 5 {
			voids = append(voids, e.voidArgs(e.redeem(byCoupon("r"+strconv.Itoa(i), "a"))))
		}
		e.clock.Advance(time.Minute)
		e.spoil("a", 4)
		e.wantOnlyFailing("voids", e.flown(settleBatch, "a", voids...), "settled", 2)
		if r, h := e.stored("a", "r"), e.stored("a", "h"); r != "1" || h != "0" {
			t.Errorf("%s redeemed and %s held of what is malformed, and of nothing else", r, h)
		}
		e.wantOnlyFailing("again", e.flown(settleBatch, "a", voids...), outcomeReplay, 2)
		if r, err := e.Redemption(e.ctx(), due.Name); err != nil || r.State != domain.RedemptionExpired {
			t.Errorf("what was due is %+v, %v", r, err)
		}
	})
}

func TestMalformedRecordFailsNoNeighbourOfARenewal(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a", lasting(domain.DurationForever, 0)))
		e.reserve(time.Minute, byCoupon("h", "a"))
		var renewals [][]string
		for i := range 4 {
			r := e.redeem(byCoupon("r"+strconv.Itoa(i), "a", forSubscription("sub"+strconv.Itoa(i)), withOrder(nil)))
			position, _ := r.Name.ID.Position()
			renewal := &domain.Renewal{Redemption: r.Name, RequestID: fmt.Sprint("n", i), InvoiceID: "i", Fingerprint: "f"}
			renewals = append(renewals, []string{
				requestKey(renewal.RequestID), "f", decimal(position), "i", "A", "EUR", "100", "0", renewalText(renewal),
			})
		}
		e.clock.Advance(time.Minute)
		e.spoil("a", 4)
		e.wantOnlyFailing("renewals", e.flown(renewBatch, "a", renewals...), "renewed", 2)
		if spent, h := e.stored("a", "b:EUR"), e.stored("a", "h"); spent != "300" || h != "0" {
			t.Errorf("%s spent by three renewals of 100 each, and %s held", spent, h)
		}
		e.wantOnlyFailing("again", e.flown(renewBatch, "a", renewals...), outcomeReplay, 2)
	})
}

func TestMalformedCountersFailNoNeighbourOfARedemption(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a", limitedPerCustomerTo(5)))
		e.reserve(time.Minute, byCoupon("h", "a", withCustomer("zoe")))
		var redemptions [][]string
		for _, who := range []string{"alice", "bob", "carol", "dave", "erin"} {
			b := e.batched(byCoupon(who, "a", withCustomer(who)))
			redemptions = append(redemptions, useArgs(&b.Redemption, "", recordText(&b.Redemption)))
		}
		e.clock.Advance(time.Minute)
		e.admin.HSet(e.ctx(), e.keys.customers("a"), string(domain.IdentityOfID("bob")), "spoiled")
		e.admin.HSet(e.ctx(), e.keys.requests("a"), requestKey("dave"), "100") // of which there is no record
		got := e.flown(redeemBatch, "a", redemptions...)
		// That of dave is a replay of nothing, which cannot be read where it arrives.
		if d := got[3]; d.err != nil || d.outcome != outcomeReplay || d.value != "100\t" {
			t.Errorf("a replay of nothing: %+v", d)
		}
		got[3].outcome = "redeemed"
		e.wantOnlyFailing("redemptions", got, "redeemed", 1)
		if r, h := e.stored("a", "r"), e.stored("a", "h"); r != "3" || h != "0" || e.stored("a", "q") != "4" {
			t.Errorf("%s redeemed and %s held", r, h)
		}
		var counts [][]string
		for _, who := range []string{"alice", "bob", "carol"} {
			counts = append(counts, []string{"", string(domain.IdentityOfID(who))})
		}
		for i, d := range e.flown(countsBatch, "a", counts...) {
			_, err := strconv.Atoi(d.value[strings.LastIndex(d.value, "\n")+1:]) // miniredis writes what is no number
			if unread := d.err != nil || err != nil; unread != (i == 1) {
				t.Errorf("count %d: %+v", i, d)
			}
		}
		if r, err := e.Redeem(e.ctx(), new(byCoupon("dave", "a", withCustomer("dave")))); err == nil {
			t.Errorf("dave is told %+v", r)
		}
	})
}

func TestMalformedLimitIsNoLimitLess(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		for i, c := range []struct {
			limited func(*domain.Coupon)
			damage  func(head string) error
		}{
			{limitedTo(1), func(head string) error { return e.admin.HSet(e.ctx(), head, "m", "x").Err() }},
			{limitedTo(1), func(head string) error { return e.admin.HDel(e.ctx(), head, "m").Err() }},
			{limitedPerCustomerTo(1), func(head string) error { return e.admin.HSet(e.ctx(), head, "u", "1O").Err() }},
			{budgetOf(domain.Budget{Limit: euros(2_500)}), func(head string) error { return e.admin.HSet(e.ctx(), head, "l:EUR", "-").Err() }},
			{budgetOf(domain.Budget{Limit: euros(2_500)}), func(head string) error { return e.admin.HDel(e.ctx(), head, "l:EUR").Err() }},
		} {
			id := domain.CouponID(fmt.Sprint("c", i))
			e.createCoupon(percentOff(id, c.limited))
			e.redeem(byCoupon("first", id, withCustomer("alice")))
			noError(t, c.damage(e.keys.head(id)))
			// By rules that are remembered, and by rules that are read anew.
			for _, s := range []*Store{e.Store, e.server()} {
				if r, err := s.Redeem(e.ctx(), new(byCoupon("second", id, withCustomer("alice")))); err == nil {
					t.Errorf("%d: redeemed %+v", i, r)
				}
			}
			if _, _, err := e.audit(AuditOptions{Coupon: id, Repair: true}); err != nil {
				t.Error(err)
			}
			if _, err := e.Redeem(e.ctx(), new(byCoupon("third", id, withCustomer("alice")))); !isError[*domain.RefusedError](err) {
				t.Errorf("%d: after the audit: %v", i, err)
			}
			e.counts(id, 1, 0)
		}
	})
}

func TestKeyOfAnotherTypeFailsBeforeAnythingIsWritten(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(program("gifts", false))
		card := must[domain.GiftCardView](t)(e.IssueGiftCard(e.ctx(), imported("issue", "CARD-1")))
		e.createCoupon(percentOff("a"))
		made := e.redeem(byCoupon("r", "a"))
		for _, key := range []string{e.keys.cardTransactions("gifts", card.Name.ID.Bucket()), e.keys.holds("a")} {
			noError(t, e.admin.Set(e.ctx(), key, "spoiled", 0).Err())
		}
		for what, call := range map[string]func() error{
			"paying with a card": func() error {
				_, err := e.Redeem(e.ctx(), new(byName("pay", card.Name, withOrder(orderOf(100)))))
				return err
			},
			"reserving": func() error {
				_, err := e.Reserve(e.ctx(), new(reserveFor(time.Minute, byCoupon("h", "a"))))
				return err
			},
			"voiding": func() error {
				_, err := e.void(made.Name, "v", nil)
				return err
			},
		} {
			e.unchanged(what, func() {
				if err := call(); err == nil || isError[*domain.UnavailableError](err) {
					t.Errorf("%s: %v", what, err)
				}
			})
		}
	})
}

func TestRepairOfLimitsThatARecordHasLostLeavesItReadable(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a"))
		described := func(p *domain.PromotionCode) { p.Metadata = map[string]string{"channel": "letter"} }
		v := e.createCode(promotionCode("a", "FIVE", codeLimitedTo(5), described))
		key := e.keys.promotions("a", v.Name.ID.Bucket())
		stored := readCode(e.admin.HGet(e.ctx(), key, v.Name.ID.Suffix()).Val())
		noError(t, e.admin.HSet(e.ctx(), key, v.Name.ID.Suffix(), strings.Join(stored.fields[:codeRedeemed], ",")+";"+stored.definition).Err())
		found, _, err := e.audit(AuditOptions{Coupon: "a", Repair: true})
		if err != nil || len(found) != 1 || !found[0].Repaired {
			t.Fatalf("%+v, %v", found, err)
		}
		if got := e.code(v.Name); got.Redeemed != 0 || got.Held != 0 {
			t.Errorf("%+v", got)
		}
		e.wantClean()
	})
}

func TestMalformedSumHoldsNobodyUpWhoSpendsNothing(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a"))
		e.reserve(time.Minute, byCoupon("h", "a"))
		b := e.batched(byCoupon("free", "a", withOrder(nil)))
		noError(t, e.admin.HSet(e.ctx(), e.keys.head("a"), "b:EUR", "spoiled").Err())
		e.clock.Advance(time.Minute)
		e.wantOnlyFailing("what is due", e.flown(redeemBatch, "a", useArgs(&b.Redemption, "", recordText(&b.Redemption))), "redeemed")
		if r, h := e.stored("a", "r"), e.stored("a", "h"); r != "1" || h != "1" {
			t.Errorf("%s redeemed and %s held", r, h)
		}
	})
}

// TestMalformedReservationThatIsDueHoldsNobodyUp has two reservations fall due, one
// of which cannot be ended.
func TestMalformedReservationThatIsDueHoldsNobodyUp(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		for i, c := range []struct {
			what        string
			spoil, mend func(domain.CouponID, domain.PromotionCodeID)
		}{
			{"a record", func(c domain.CouponID, _ domain.PromotionCodeID) { e.spoil(c, 1) }, nil},
			{"a record that is a redemption's", func(c domain.CouponID, _ domain.PromotionCodeID) {
				page := e.keys.ledgerPage(c, 0)
				e.admin.LSet(e.ctx(), page, 0, "R"+e.admin.LIndex(e.ctx(), page, 0).Val()[1:])
			}, nil},
			{"a member", func(c domain.CouponID, _ domain.PromotionCodeID) {
				e.admin.ZRem(e.ctx(), e.keys.holds(c), "1")
				e.admin.ZAdd(e.ctx(), e.keys.holds(c), redis.Z{Member: "spoiled"})
			}, nil},
			{"a count", func(c domain.CouponID, _ domain.PromotionCodeID) {
				e.admin.HSet(e.ctx(), e.keys.customers(c), string(domain.IdentityOfID("alice")), "spoiled")
			}, func(c domain.CouponID, _ domain.PromotionCodeID) {
				e.admin.HSet(e.ctx(), e.keys.customers(c), string(domain.IdentityOfID("alice")), "1")
			}},
		} {
			id := domain.CouponID(fmt.Sprint("c", i))
			e.createCoupon(percentOff(id, limitedTo(3)))
			p := e.createCode(promotionCode(id, "CODE-"+string(id)))
			e.reserve(time.Minute, byCode("h1", "CODE-"+string(id), withCustomer("alice")))
			e.reserve(time.Minute, byCode("h2", "CODE-"+string(id), withCustomer("bob")))
			c.spoil(id, p.Name.ID)
			e.clock.Advance(time.Minute)

			made := e.redeem(byCode("r", "CODE-"+string(id), withCustomer("carol")))
			e.settled(domain.RedemptionVoided)(e.void(made.Name, "v", nil))
			e.counts(id, 0, 1)
			if n := e.code(p.Name).Held; n != 1 {
				t.Errorf("%s: the code holds %d", c.what, n)
			}
			differences, _, err := e.audit(AuditOptions{Coupon: id})
			if err != nil || len(differences) == 0 {
				t.Errorf("%s: the audit finds %+v, %v", c.what, differences, err)
			}
			if c.mend == nil {
				continue
			}
			c.mend(id, p.Name.ID)
			if _, _, err := e.audit(AuditOptions{Coupon: id, Repair: true}); err != nil {
				t.Error(err)
			}
			e.counts(id, 0, 0)
		}
	})
}

// Errors about what is malformed are logged, so they quote none of it.
func TestErrorAboutAMalformedRecordTellsThePlaceAndQuotesNothing(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a"))
		r := e.redeem(byCoupon("s3cret-request", "a", withCustomer("s3cret-customer")))
		page := e.keys.ledgerPage("a", 0)
		good, err := e.admin.LIndex(e.ctx(), page, 0).Result()
		if err != nil {
			t.Fatal(err)
		}
		with := func(field int, text string) string {
			f := strings.Split(good, "\t")
			f[field-1] = text
			return strings.Join(f, "\t")
		}
		for _, c := range []struct{ record, want string }{
			{with(1, "s3cret"), "field 1 of "},
			{"R\ts3cret-request\ts3cret-customer", "it has 3 fields"},
			{with(3, "s3cret"), "field 3 of "},
			{with(4, "s3cret!"), "field 4 of "},
			{with(7, "s3cret:d"), "field 7 of "},
			{with(recordFields, "s3cret"), "field 23 of "},
			{with(recordFields, "99"), "field 23 of "},
			{with(recordFields+2, "s3cret"), "field 25 of "},
			{good + "\tv1" + noteSeparator + "s3cret", "a note v of 2 parts"},
			{good + "\tv1" + noteSeparator + "s3cret" + noteSeparator + "s3cret" + noteSeparator, "not a whole number"},
			{good + "\ts1" + strings.Repeat(noteSeparator+"s3cret", 2), "a note s of 3 parts"},
		} {
			if err := e.admin.LSet(e.ctx(), page, 0, c.record).Err(); err != nil {
				t.Fatal(err)
			}
			_, err := e.Redemption(e.ctx(), r.Name)
			if err == nil || !strings.Contains(err.Error(), "record 1 of coupons/a: ") || !strings.Contains(err.Error(), c.want) ||
				strings.Contains(err.Error(), "s3cret") {
				t.Errorf("%q: %v, want %q", c.record, err, c.want)
			}
		}
	})
}

func TestErrorAboutAMalformedAnswerAboutAnInvoiceQuotesNothing(t *testing.T) {
	t.Parallel()
	good := "A\t1\t" + renewalText(&domain.Renewal{RequestID: "s3cret-request", InvoiceID: "s3cret-invoice", Fingerprint: "f", IssuedAt: epoch, CreateTime: epoch})
	if _, err := parseRenewal(domain.RedemptionName{}, good); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		good[:len(good)-2]:                         "it has 11 fields",
		good + "\ts3cret":                          "it has 13 fields",
		"s3cret" + good[1:]:                        "field 1 of 12",
		"A\ts3cret" + good[3:]:                     "field 2 of 12",
		good + "\tline\ts3cret":                    "field 14 of 14",
		strings.Replace(good, "\t0\t", "\tx\t", 1): "field 9 of 12",
	} {
		_, err := parseRenewal(domain.RedemptionName{}, text)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestErrorAboutAMalformedPromotionCodeQuotesNothing(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"s3cret":                               "1 fields",
		"s3cret,token,1;S3CRET 1":              "3 fields",
		"A,token,s3cret;S3CRET 1":              "field 3 of 8",
		"A,token,1,0,0,,,,s3cret,1;S3CRET 1":   "field 9 of 10",
		"A,token,1;S3CRET s3cret!":             "not an instant",
		"A,token,1,0,0,s3cret;S3CRET 1":        "not a whole number",
		`A,token,1;{"code":"S3CRET !"}`:        "definition",
		`A,token,1;{"code":"X","name":S3CRET}`: "definition",
	} {
		_, err := readCode(value).snapshot(domain.PromotionCodeName{Coupon: "a", ID: "b"})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(strings.ToLower(err.Error()), "s3cret") {
			t.Errorf("%s: %v, want %q", value, err, want)
		}
	}
	if _, _, err := readCode("A,token,1,0,0,,,,1,s3cret").moves(); err == nil || !strings.Contains(err.Error(), "field 10 of 10") || strings.Contains(err.Error(), "s3cret") {
		t.Error(err)
	}
}
