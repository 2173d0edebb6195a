// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/redis/go-redis/v9"

	"github.com/discountd/discountd/domain"
)

// audit audits the test's store and returns what was found.
func (e *env) audit(o AuditOptions) ([]domain.Difference, AuditSummary, error) {
	e.t.Helper()
	client := e.dial()
	client.AddHook(watcher{e.t, e.prefix})
	a, err := OpenAuditor(e.ctx(), client, Options{Prefix: e.prefix, Clock: e.clock.Now})
	if err != nil {
		e.t.Fatal(err)
	}
	var found []domain.Difference
	o.Found = func(d domain.Difference) { found = append(found, d) }
	sum, err := a.Audit(e.ctx(), o)
	return found, sum, err
}

// wantClean fails the test unless an audit finds nothing.
func (e *env) wantClean() AuditSummary {
	e.t.Helper()
	found, sum, err := e.audit(AuditOptions{})
	if err != nil || len(found) > 0 {
		e.t.Errorf("audit: %v, %v", found, err)
	}
	return sum
}

// busyCoupon makes a coupon with something in every counter: limits of every kind,
// a budget for some products, promotion codes bound and unbound, redemptions in
// every state.
func (e *env) busyCoupon(id domain.CouponID) (code, bound domain.PromotionCodeName) {
	e.t.Helper()
	e.createCoupon(percentOff(id, limitedTo(100), limitedPerCustomerTo(50), func(c *domain.Coupon) {
		c.RedeemBy = epoch.AddDate(1, 0, 0)
		c.PeriodLimits = []domain.PeriodLimit{
			{Period: domain.PeriodDay, MaxRedemptions: 90},
			{Period: domain.PeriodMonth, MaxRedemptions: 40, PerCustomer: true},
		}
		c.Budgets = []domain.Budget{{Limit: domain.Money{Currency: "EUR", AmountMinor: 10_000_000}, Products: []string{"product"}}}
	}))
	suffix := strings.ToUpper(string(id))
	// With metadata the configuration is JSON, of which the record repeats the limits.
	described := func(p *domain.PromotionCode) { p.Metadata = map[string]string{"channel": "letter"} }
	code = e.createCode(promotionCode(id, "FREE-"+suffix, codeLimitedTo(60), codeLimitedPerCustomerTo(40), described)).Name
	bound = e.createCode(promotionCode(id, "OWN-"+suffix, boundToID("ann"))).Name
	for i, r := range []string{"plain", "partly", "voided", "committed", "less", "released", "expired", "held"} {
		who := []func(*domain.RedeemRequest){withCustomer("ann"), withEmail("abcdefghijklmnop")}
		source := byName(string(id)+r, code, who...)
		if i%2 == 1 {
			source = byCoupon(string(id)+r, id, who...)
		}
		if i < 3 {
			e.redeem(source)
			continue
		}
		if _, err := e.Reserve(e.ctx(), &domain.ReserveRequest{RedeemRequest: source, TTL: time.Hour}); err != nil {
			e.t.Fatal(err)
		}
	}
	name := map[string]domain.RedemptionName{}
	for _, r := range e.redemptions(id) {
		name[strings.TrimPrefix(r.RequestID, string(id))] = r.Name
	}
	void := func(r string, amount *int64) {
		if _, err := e.Void(e.ctx(), domain.VoidRedemption{RequestID: string(id) + "v" + r, Name: name[r], Amount: amount, Reason: "why"}); err != nil {
			e.t.Fatal(err)
		}
	}
	void("partly", pointer(int64(100)))
	void("voided", nil)
	for r, amount := range map[string]*int64{"committed": nil, "less": pointer(int64(5))} {
		if _, err := e.Commit(e.ctx(), domain.CommitRedemption{RequestID: string(id) + "c" + r, Name: name[r], Amount: amount}); err != nil {
			e.t.Fatal(err)
		}
	}
	if _, err := e.Release(e.ctx(), domain.ReleaseRedemption{RequestID: string(id) + "l", Name: name["released"]}); err != nil {
		e.t.Fatal(err)
	}
	e.clock.Advance(time.Hour)
	if _, err := e.Reserve(e.ctx(), &domain.ReserveRequest{RedeemRequest: byName(string(id)+"live", code, withCustomer("ann")), TTL: time.Hour}); err != nil {
		e.t.Fatal(err)
	}
	return code, bound
}

func TestAuditFindsNothingWhereNothingIsWrong(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.busyCoupon("a")
		e.busyCoupon("b")
		e.createCoupon(percentOff("unused"))
		var sum AuditSummary
		e.unchanged("an audit", func() { sum = e.wantClean() })
		if sum.Coupons != 3 || sum.Redemptions != 18 {
			t.Errorf("%+v", sum)
		}
	})
}

// damage is one thing that is wrong, and how an audit tells it.
type damage struct {
	what string
	do   func(*env, redis.UniversalClient)
	want []domain.Difference
}

func TestAuditFindsEachDifferenceAndMendsIt(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		code, bound := e.busyCoupon("a")
		before := e.dump()
		id := domain.IdentityOfID("ann")
		set := func(key func(domain.CouponID) string, field string, value any) func(*env, redis.UniversalClient) {
			return func(e *env, c redis.UniversalClient) { noError(t, c.HSet(e.ctx(), key("a"), field, value).Err()) }
		}
		k := e.keys
		record := func(change func(f []string)) func(*env, redis.UniversalClient) {
			return func(e *env, c redis.UniversalClient) {
				key := k.promotions("a", code.ID.Bucket())
				f := strings.Split(c.HGet(e.ctx(), key, code.ID.Suffix()).Val(), ",")
				change(f)
				noError(t, c.HSet(e.ctx(), key, code.ID.Suffix(), strings.Join(f, ",")).Err())
			}
		}
		one := func(kind domain.DifferenceKind, name, stored, want string) []domain.Difference {
			return []domain.Difference{{Coupon: "a", Kind: kind, Name: name, Stored: stored, Want: want, Repaired: true}}
		}
		due := millis(e.clock.Now().Add(time.Hour))
		for _, d := range []damage{
			{what: "redeemed", do: set(k.head, "r", 9), want: one("counter", "redeemed", "9", "4")},
			{what: "redeemed is gone", do: func(e *env, c redis.UniversalClient) { noError(t, c.HDel(e.ctx(), k.head("a"), "r").Err()) }, want: one("counter", "redeemed", "", "4")},
			{what: "redeemed is no number", do: set(k.head, "r", "many"), want: one("counter", "redeemed", "many", "4")},
			{what: "held below zero", do: set(k.head, "h", -2), want: one("counter", "held", "-2", "1")},
			{what: "first due", do: set(k.head, "d", ""), want: one("counter", "due", "", due)},
			{what: "spent", do: set(k.head, "b:EUR", 0), want: one("spent", "EUR", "0", "9905")},
			{what: "spent on some products", do: set(k.head, "B:EUR", 10_000), want: one("spent_of_scope", "EUR", "10000", "9905")},
			{what: "spent in another currency", do: set(k.head, "b:USD", 7), want: one("spent", "USD", "7", "0")},
			{what: "length too small", do: set(k.head, "q", 8), want: one("ledger", "", "8", "9")},
			{what: "codes created", do: set(k.head, "b", 0), want: one("counter", "codes_created", "0", "2")},
			{what: "max redemptions", do: set(k.head, "m", ""), want: one("limit", "max_redemptions", "", "100")},
			{what: "budget", do: set(k.head, "l:EUR", 1), want: one("limit", "budget EUR", "1", "10000000")},
			{what: "budget's products", do: set(k.head, "f:EUR", 0), want: one("limit", "budget for some products EUR", "0", "1")},
			{what: "code's redeemed", do: record(func(f []string) { f[3] = "0" }), want: one("code_redeemed", string(code.ID), "0", "2")},
			{what: "code's held", do: record(func(f []string) { f[4] = "x" }), want: one("code_held", string(code.ID), "x", "1")},
			{what: "code's limits", do: record(func(f []string) { f[5] = "61" }), want: one("code_limits", string(code.ID), "61,40,"+millis(epoch.AddDate(1, 0, 0)), "60,40,"+millis(epoch.AddDate(1, 0, 0)))},
			{what: "uses of a customer", do: set(k.customers, string(id), 4), want: one("uses", string(id), "4", "5")},
			{what: "uses of a code", do: set(k.customers, string(code.ID)+"/"+string(id), 9), want: one("uses", string(code.ID)+"/"+string(id), "9", "3")},
			{what: "uses of nobody", do: set(k.customers, "inobody", 3), want: one("uses", "inobody", "3", "0")},
			{
				what: "reservation forgotten",
				do:   func(e *env, c redis.UniversalClient) { noError(t, c.ZRem(e.ctx(), k.holds("a"), 9).Err()) },
				want: one("reservation", "9", "", due),
			},
			{
				what: "reservation of a redemption",
				do: func(e *env, c redis.UniversalClient) {
					noError(t, c.ZAdd(e.ctx(), k.holds("a"), redis.Z{Score: 1e12 * 3, Member: "1"}).Err())
				},
				want: one("reservation", "1", "3000000000000", ""),
			},
			{
				what: "request forgotten",
				do: func(e *env, c redis.UniversalClient) {
					noError(t, c.HDel(e.ctx(), k.requests("a"), requestKey("aplain")).Err())
				},
				want: one("request", "1", "", "1"),
			},
			{
				what: "coupon is not listed",
				do: func(e *env, c redis.UniversalClient) {
					noError(t, c.ZRem(e.ctx(), k.couponListOf("a"), listEntry(epoch, "a")).Err())
				},
				want: one("list", "coupon", "", "listed"),
			},
			{
				what: "code is not listed among its customer's",
				do:   func(e *env, c redis.UniversalClient) { noError(t, c.Del(e.ctx(), k.boundList(id)).Err()) },
				want: one("list", string(bound.ID), "", "listed"),
			},
			{
				what: "claim forgotten",
				do: func(e *env, c redis.UniversalClient) {
					noError(t, c.HDel(e.ctx(), k.claims("FREE-A"), "FREE-A").Err())
				},
				want: one("claim", string(code.ID), "its code is not held for it", "held"),
			},
		} {
			d.do(e, e.admin)
			e.wantFound(d.what, AuditOptions{}, unrepaired(d.want))
			e.wantFound(d.what, AuditOptions{Repair: true}, d.want)
			if found, _, err := e.audit(AuditOptions{}); err != nil || len(found) > 0 {
				t.Fatalf("%s: after the repair: %v, %v", d.what, found, err)
			}
		}
		// All is as it was, but for zeros that were written.
		noError(t, e.admin.HDel(e.ctx(), k.customers("a"), "inobody").Err())
		noError(t, e.admin.HDel(e.ctx(), k.head("a"), "b:USD").Err())
		e.sameAs(before)
	})
}

func noError(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func unrepaired(list []domain.Difference) []domain.Difference {
	out := slices.Clone(list)
	for i := range out {
		out[i].Repaired = false
	}
	return out
}

// wantFound fails the test unless an audit finds just what is given.
func (e *env) wantFound(what string, o AuditOptions, want []domain.Difference) {
	e.t.Helper()
	found, sum, err := e.audit(o)
	if err != nil {
		e.t.Errorf("%s: %v", what, err)
	}
	if diff := cmp.Diff(want, found, cmpopts.IgnoreFields(domain.Difference{}, "Reason"), cmpopts.EquateEmpty()); diff != "" {
		e.t.Errorf("%s (-want +found):\n%s", what, diff)
	}
	repaired := 0
	for _, d := range want {
		if d.Repaired {
			repaired++
		}
	}
	if sum.Differences != len(want) || sum.Repaired != repaired {
		e.t.Errorf("%s: %+v", what, sum)
	}
}

func TestAuditMendsNothingByALedgerThatIsNotWhole(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.busyCoupon("a")
		noError(t, e.admin.LTrim(e.ctx(), e.keys.ledgerPage("a", 0), 0, 5).Err())
		after := e.dump()
		found, _, err := e.audit(AuditOptions{Repair: true})
		noError(t, err)
		if len(found) < 2 || found[0].Kind != domain.DifferenceLedger || found[0].Stored != "9" || found[0].Want != "6" {
			t.Errorf("found %v", found)
		}
		for _, d := range found {
			if d.Repaired || d.Reason == "" {
				t.Errorf("%v", d)
			}
		}
		e.sameAs(after)
	})
}

func TestAuditTellsWhatItCannotMend(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		one := func(kind domain.DifferenceKind, name, stored, want string) domain.Difference {
			return domain.Difference{Kind: kind, Name: name, Stored: stored, Want: want}
		}
		k := e.keys
		for i, d := range []struct {
			what string
			do   func(id domain.CouponID, code domain.PromotionCodeName)
			want func(code domain.PromotionCodeName) domain.Difference
		}{
			{
				"unreadable record",
				func(id domain.CouponID, _ domain.PromotionCodeName) {
					noError(t, e.admin.LSet(e.ctx(), k.ledgerPage(id, 0), 3, "what").Err())
				},
				func(domain.PromotionCodeName) domain.Difference {
					return one("record", "4", "unreadable", "consistent")
				},
			},
			{
				"more voided than voids say",
				func(id domain.CouponID, _ domain.PromotionCodeName) {
					text := e.admin.LIndex(e.ctx(), k.ledgerPage(id, 0), 1).Val()
					noError(t, e.admin.LSet(e.ctx(), k.ledgerPage(id, 0), 1, strings.Replace(text, "\t100\t", "\t200\t", 1)).Err())
				},
				func(domain.PromotionCodeName) domain.Difference {
					return one("record", "2", "has 200 voided and voids of 100", "consistent")
				},
			},
			{
				"request leads elsewhere",
				func(id domain.CouponID, _ domain.PromotionCodeName) {
					noError(t, e.admin.HSet(e.ctx(), k.requests(id), requestKey(string(id)+"plain"), 2).Err())
				},
				func(domain.PromotionCodeName) domain.Difference { return one("request", "1", "2", "1") },
			},
			{
				"request of a void is gone",
				func(id domain.CouponID, _ domain.PromotionCodeName) {
					noError(t, e.admin.HDel(e.ctx(), k.requests(id), requestKey(string(id)+"vpartly")).Err())
				},
				func(domain.PromotionCodeName) domain.Difference { return one("request", "2 voided", "", "2 V ") },
			},
			{
				"configuration is gone",
				func(id domain.CouponID, _ domain.PromotionCodeName) {
					noError(t, e.admin.Del(e.ctx(), k.definition(id)).Err())
				},
				func(domain.PromotionCodeName) domain.Difference {
					return one("coupon", "configuration", "missing or unreadable, or the state is", "both")
				},
			},
			{
				"head is gone",
				func(id domain.CouponID, _ domain.PromotionCodeName) {
					noError(t, e.admin.Del(e.ctx(), k.head(id)).Err())
				},
				func(domain.PromotionCodeName) domain.Difference {
					return one("coupon", "head", "", "counters; the first page of the ledger has 9 records")
				},
			},
			{
				"promotion code is gone",
				func(id domain.CouponID, code domain.PromotionCodeName) {
					noError(t, e.admin.HDel(e.ctx(), k.promotions(id, code.ID.Bucket()), code.ID.Suffix()).Err())
					noError(t, e.admin.HIncrBy(e.ctx(), k.head(id), "b", -1).Err())
				},
				func(code domain.PromotionCodeName) domain.Difference {
					return one("code", string(code.ID), `record "" with a configuration of 0 bytes`, "both")
				},
			},
		} {
			id := domain.CouponID("c" + string(rune('0'+i)))
			code, _ := e.busyCoupon(id)
			d.do(id, code)
			found, sum, err := e.audit(AuditOptions{Coupon: id, Repair: true})
			noError(t, err)
			want := d.want(code)
			want.Coupon = id
			i := slices.IndexFunc(found, func(f domain.Difference) bool { return f.Kind == want.Kind && f.Name == want.Name })
			if i < 0 || sum.Differences != len(found) {
				t.Errorf("%s: found %v", d.what, found)
				continue
			}
			if found[i].Reason == "" {
				t.Errorf("%s: no reason in %v", d.what, found[i])
			}
			if diff := cmp.Diff(want, found[i], cmpopts.IgnoreFields(domain.Difference{}, "Reason")); diff != "" {
				t.Errorf("%s (-want +found):\n%s", d.what, diff)
			}
		}
	})
}

func TestAuditTellsOfTwoActiveCodesThatConflict(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a"))
		e.createCoupon(percentOff("b"))
		first := e.createCode(promotionCode("a", "SAME")).Name
		// The claim is lost, and so another one takes the code.
		noError(t, e.admin.Del(e.ctx(), e.keys.claims("SAME")).Err())
		second := e.createCode(promotionCode("b", "SAME", boundToID("ann"))).Name
		found, _, err := e.audit(AuditOptions{Repair: true})
		noError(t, err)
		if len(found) != 1 || found[0].Coupon != "a" || found[0].Kind != domain.DifferenceClaim || found[0].Repaired {
			t.Errorf("found %v", found)
		}
		e.deactivate(first)
		e.wantClean()
		if e.code(second).State != domain.PromotionActive {
			t.Error("the other one is not active any more")
		}
	})
}

func TestAuditOfNothingIsAnError(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		if _, _, err := e.audit(AuditOptions{Coupon: "none"}); !isNotFound(err) {
			t.Errorf("no coupon: %v", err)
		}
		client := e.dial()
		_, err := OpenAuditor(context.Background(), client, Options{Prefix: e.prefix + "x"})
		if !errors.Is(err, ErrConfiguration) {
			t.Errorf("no store: %v", err)
		}
	})
}
