// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/discountd/discountd/domain"
)

// A store that an earlier version has written is one that this version goes on
// with. Each file in testdata/layouts is such a store: a line for each command that
// makes a key, without the prefix. There is one for each layout that was released,
// and one for the layout to be released next, which may be written anew until then:
//
//	WRITE_LAYOUT=testdata/layouts/1.txt go test ./redisstore -run TestFault23

func TestFault23StoreOfEveryLayoutGoesOn(t *testing.T) {
	if path := os.Getenv("WRITE_LAYOUT"); path != "" {
		writeLayout(t, path)
	}
	files, err := filepath.Glob("testdata/layouts/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d layouts, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			onEach(t, func(t *testing.T, e *env) {
				e.load(file)
				s := e.server()
				if s.id == e.id {
					t.Fatal("the store is not the one that was loaded")
				}
				e.Store = s
				e.clock.Set(writtenUntil)
				e.goesOn()
			})
		})
	}
}

// writtenUntil is the time at which a layout was left: one reservation has fallen
// due since it was made, which no script has met yet, and another has not.
var writtenUntil = epoch.Add(3 * time.Hour)

// layoutUses are the requests that the store of a layout was written by.
var layoutUses = map[string]domain.RedeemRequest{
	"redeemed":     byCode("redeemed", "SAVE", withCustomer("alice"), withEmail(alicesHash)),
	"voided":       byCode("voided", "save", withCustomer("bob")),
	"voided twice": byCoupon("voided twice", "full", withCustomer("carol")),
	"released":     byCode("released", "SAVE", withCustomer("dave")),
	"committed":    byCode("committed", "SAVE", withCustomer("erin")),
	"expired":      byCoupon("expired", "full", withCustomer("frank")),
	"held":         byCoupon("held", "full", withCustomer("grace")),
	"changed":      byCode("changed", "MOVES", withCustomer("heidi")),
	"bound":        byCode("bound", "MINE", withEmail(alicesHash)),
	"trial":        byCoupon("trial", "trial", withOrder(nil)),
	"last":         byCode("last", "ONCE", withCustomer("ivan")),
	"subscribed":   byCoupon("subscribed", "monthly", withCustomer("judy"), forSubscription("sub")),
}

// layoutNames are the redemptions that these requests made.
var layoutNames = map[string]domain.RedemptionName{
	"redeemed": at("full", 1, "redeemed"), "voided": at("full", 2, "voided"), "voided twice": at("full", 3, "voided twice"),
	"released": at("full", 4, "released"), "committed": at("full", 5, "committed"), "expired": at("full", 6, "expired"), "held": at("full", 7, "held"),
	"changed": at("full", 8, "changed"), "bound": at("full", 9, "bound"), "trial": at("trial", 1, "trial"), "last": at("full", 10, "last"),
	"subscribed": at("monthly", 1, "subscribed"),
}

func at(c domain.CouponID, position int64, request string) domain.RedemptionName {
	return domain.RedemptionName{Coupon: c, ID: domain.NewRedemptionID(position, request)}
}

// fullCoupon has something in every field that a script looks at.
func fullCoupon() domain.Coupon {
	return percentOff("full", limitedTo(20), limitedPerCustomerTo(2),
		budgetOf(domain.Budget{Limit: euros(50_000), Products: []string{"product"}}),
		periodLimits(domain.PeriodLimit{Period: domain.PeriodMonth, MaxRedemptions: 20}, domain.PeriodLimit{Period: domain.PeriodDay, MaxRedemptions: 9, PerCustomer: true}),
		func(c *domain.Coupon) { c.RedeemBy = epoch.AddDate(1, 0, 0) })
}

// writeStore fills a store with everything that a store can hold.
func (e *env) writeStore() {
	e.t.Helper()
	must := func(_ any, err error) {
		e.t.Helper()
		if err != nil {
			e.t.Fatal(err)
		}
	}
	must(e.CreateCoupon(e.ctx(), domain.CreateCoupon{RequestID: "create full", Coupon: fullCoupon()}))
	e.createCoupon(percentOff("gone"))
	e.createCoupon(percentOff("trial", func(c *domain.Coupon) { c.Discount = domain.Discount{FreeTrial: &domain.FreeTrial{TrialDays: 30}} }))
	save := e.createCode(promotionCode("full", "SAVE", codeLimitedTo(9), codeLimitedPerCustomerTo(2))).Name
	e.createCode(promotionCode("full", "MINE", boundToEmail(alicesHash)))
	e.createCode(promotionCode("full", "MINE", boundToID("zoe")))
	moves := e.createCode(promotionCode("full", "MOVES")).Name
	deleted := e.createCode(promotionCode("full", "DELETED")).Name
	e.createCode(promotionCode("full", "ONCE", codeLimitedTo(1)))

	e.redeem(layoutUses["redeemed"])
	voided := e.redeem(layoutUses["voided"])
	e.settled(domain.RedemptionRedeemed)(e.void(voided.Name, "void a part", pointer(int64(500))))
	twice := e.redeem(layoutUses["voided twice"])
	e.settled(domain.RedemptionRedeemed)(e.void(twice.Name, "void 1", pointer(int64(500))))
	e.settled(domain.RedemptionVoided)(e.void(twice.Name, "void 2", nil))
	e.settled(domain.RedemptionReleased)(e.release(e.reserve(time.Minute, layoutUses["released"]).Name, "release"))
	e.settled(domain.RedemptionRedeemed)(e.commit(e.reserve(time.Minute, layoutUses["committed"]).Name, "commit", pointer(int64(2_000))))
	e.reserve(time.Hour, layoutUses["expired"])
	e.reserve(23*time.Hour, layoutUses["held"])
	e.redeem(layoutUses["changed"])
	e.redeem(layoutUses["bound"])
	e.redeem(layoutUses["trial"])
	e.redeem(layoutUses["last"])
	e.createCoupon(percentOff("monthly", lasting(domain.DurationCycles, 3), budgetOf(domain.Budget{Limit: euros(50_000)})))
	e.renewed("renewal", e.redeem(layoutUses["subscribed"]).Name, invoiceOf("invoice", 1_000))

	e.deactivate(moves)
	e.createCode(promotionCode("trial", "MOVES")) // the code has changed hands
	must(e.DeletePromotionCode(e.ctx(), domain.DeletePromotionCode{Name: deleted}))
	e.createCode(promotionCode("trial", "ONCE")) // from one that is used up
	must(e.UpdatePromotionCode(e.ctx(), domain.UpdatePromotionCode{
		RequestID: "update save", Name: save, Set: domain.PromotionCodeFields{MaxRedemptions: true}, MaxRedemptions: pointer(int64(8)),
	}))
	must(e.DeleteCoupon(e.ctx(), domain.DeleteCoupon{ID: "gone"}))
}

// goesOn fails the test unless a store that writeStore has filled can be read and
// goes on from there.
func (e *env) goesOn() {
	e.t.Helper()
	e.isRead()
	e.unchanged("what was done before", e.isReplayed)

	e.settled(domain.RedemptionRedeemed)(e.commit(layoutNames["held"], "commit held", nil))
	e.settled(domain.RedemptionRedeemed)(e.commit(layoutNames["expired"], "commit late", pointer(int64(1_000))))
	e.settled(domain.RedemptionVoided)(e.void(layoutNames["voided"], "void the rest", nil))
	e.settled(domain.RedemptionVoided)(e.void(layoutNames["redeemed"], "void redeemed", nil))
	e.recount("full")
	e.renewsOn()

	// Of eight uses of SAVE one is taken, of twenty of its coupon six.
	for i := range 7 {
		e.redeem(byCode(fmt.Sprint("more ", i), "SAVE", withCustomer(fmt.Sprint("new ", i/2))))
	}
	_, err := e.Redeem(e.ctx(), new(byCode("one more", "SAVE", withCustomer("somebody"))))
	wantReasons(e.t, err, domain.CodeMaxRedemptionsReached)
	_, err = e.Redeem(e.ctx(), new(byCoupon("one more", "full", withCustomer("new 0"))))
	wantReasons(e.t, err, domain.CustomerMaxRedemptionsReached)
	var created []domain.PromotionCodeName
	for i := range 2 {
		created = append(created, e.createCode(promotionCode("full", fmt.Sprint("NEW", i))).Name)
	}
	e.deactivate(created[0])
	e.recount("full")
	e.recount("trial")
}

// renewsOn fails the test unless the discount of a layout goes on where it stood.
func (e *env) renewsOn() {
	e.t.Helper()
	name := layoutNames["subscribed"]
	_, err := e.Redeem(e.ctx(), new(byCoupon("another", "trial", forSubscription("sub"), withOrder(nil))))
	wantReasons(e.t, err, domain.SubscriptionAlreadyDiscounted)
	if r := e.renewed("renewal 2", name, invoiceOf("invoice 2", 1_000)); r.Cycle != 3 || r.Discount.TotalAmountMinor != 250 {
		e.t.Errorf("the next invoice: %+v", r)
	}
	e.used(name, 3)
	if spent := e.coupon("monthly").Spent["EUR"].TotalMinor; spent != 3_000 {
		e.t.Errorf("%d was spent, want 3,000", spent)
	}
	if r := e.renewed("renewal 3", name, invoiceOf("invoice 3", 1_000)); r.Outcome != domain.RenewalEnded {
		e.t.Errorf("after the last cycle: %+v", r)
	}
	e.redeem(byCoupon("another", "trial", forSubscription("sub"), withOrder(nil)))
}

// isRead fails the test unless what a layout holds is read as it was written.
func (e *env) isRead() {
	e.t.Helper()
	var ids []string
	for _, c := range carryOut(e.ctx(), e.Store, domain.CouponQuery{ShowDeleted: true}).Value.(domain.Listing[domain.CouponView]).Items {
		ids = append(ids, fmt.Sprint(c.Coupon.ID, " deleted ", c.Deleted))
	}
	slices.Sort(ids)
	if want := []string{"coupons/full deleted false", "coupons/gone deleted true", "coupons/monthly deleted false", "coupons/trial deleted false"}; !slices.Equal(ids, want) {
		e.t.Errorf("the coupons are %q", ids)
	}
	want := fullCoupon()
	full := e.coupon("full")
	want.CreateTime, want.UpdateTime = full.CreateTime, full.UpdateTime
	if diff := cmp.Diff(want, full.Coupon); diff != "" {
		e.t.Errorf("the coupon (-written +read):\n%s", diff)
	}
	statuses := map[string]domain.PromotionStatus{}
	for _, p := range append(e.codesOf("full"), e.codesOf("trial")...) {
		statuses[fmt.Sprint(p.Name.Coupon, " ", p.Code, " ", p.Scope())] = p.Status
	}
	hers, zoes := domain.IdentityOfEmail(alicesHash), domain.IdentityOfID("zoe")
	if diff := cmp.Diff(map[string]domain.PromotionStatus{
		"coupons/full SAVE ": domain.StatusActive, "coupons/full MINE " + string(hers): domain.StatusActive, "coupons/full MINE " + string(zoes): domain.StatusActive,
		"coupons/full MOVES ": domain.StatusInactive, "coupons/full DELETED ": domain.StatusDeleted, "coupons/full ONCE ": domain.StatusSuperseded,
		"coupons/trial MOVES ": domain.StatusActive, "coupons/trial ONCE ": domain.StatusActive,
	}, statuses); diff != "" {
		e.t.Errorf("promotion codes (-written +read):\n%s", diff)
	}
	e.counts("full", 6, 1)
	states := map[domain.RedemptionState]int{}
	for state := range map[domain.RedemptionState]bool{'H': true, 'R': true, 'L': true, 'E': true, 'V': true} {
		list, err := e.Redemptions(e.ctx(), domain.RedemptionQuery{Coupon: "full", State: state, Page: domain.Page{Size: 100}})
		if err != nil {
			e.t.Fatal(err)
		}
		states[state] = len(list.Items)
	}
	if diff := cmp.Diff(map[domain.RedemptionState]int{'H': 1, 'R': 6, 'L': 1, 'E': 1, 'V': 1}, states); diff != "" {
		e.t.Errorf("redemptions by state (-written +read):\n%s", diff)
	}
	e.recount("full")
}

// isReplayed fails the test unless everything that was asked of a layout's store is
// answered again as it was.
func (e *env) isReplayed() {
	e.t.Helper()
	for name, request := range layoutUses {
		var r *domain.Redemption
		var err error
		switch name {
		case "released", "committed":
			r, err = e.Reserve(e.ctx(), new(reserveFor(time.Minute, request)))
		case "expired":
			r, err = e.Reserve(e.ctx(), new(reserveFor(time.Hour, request)))
		case "held":
			r, err = e.Reserve(e.ctx(), new(reserveFor(23*time.Hour, request)))
		default:
			r, err = e.Redeem(e.ctx(), &request)
		}
		if err != nil || r.Name != layoutNames[name] || r.CustomerID != request.Customer.ID || r.EmailHash != request.Customer.EmailHash {
			e.t.Errorf("%s again: %+v, %v", name, r, err)
		}
	}
	e.settled(domain.RedemptionRedeemed)(e.void(layoutNames["voided"], "void a part", pointer(int64(500))))
	if r := e.settled(domain.RedemptionVoided)(e.void(layoutNames["voided twice"], "void 2", nil)); len(r.Voids) != 2 || r.Voids[0].AmountMinor != 500 {
		e.t.Errorf("voided by %+v", r.Voids)
	}
	e.settled(domain.RedemptionReleased)(e.release(layoutNames["released"], "release"))
	if r := e.settled(domain.RedemptionRedeemed)(e.commit(layoutNames["committed"], "commit", pointer(int64(2_000)))); r.Discount.TotalAmountMinor != 2_000 {
		e.t.Errorf("committed %+v", r.Discount)
	}
	if r := e.renewed("renewal", layoutNames["subscribed"], invoiceOf("invoice", 1_000)); r.RequestID != "renewal" || r.Cycle != 2 || r.Discount.TotalAmountMinor != 250 {
		e.t.Errorf("the invoice again: %+v", r)
	}
	if _, err := e.CreateCoupon(e.ctx(), domain.CreateCoupon{RequestID: "create full", Coupon: fullCoupon()}); err != nil {
		e.t.Errorf("creation again: %v", err)
	}
	v, err := e.Validate(e.ctx(), new(byCode("", "save", withCustomer("somebody")).ValidateRequest))
	if err != nil || !v.Valid() || v.Discount.TotalAmountMinor != 2_500 {
		e.t.Errorf("%+v, %v", v, err)
	}
}

// writeLayout writes the layout of today.
func writeLayout(t *testing.T, path string) {
	t.Helper()
	e := open(t, onRedis)
	deterministic(e)
	e.writeStore()
	keys, err := e.admin.Keys(e.ctx(), e.prefix+":*").Result()
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(keys)
	var b strings.Builder
	b.WriteString("# A store, key by key. What it holds is told by writeStore in layout_test.go.\n")
	for _, key := range keys {
		for _, word := range makingOf(t, e.admin, key) {
			b.WriteString(strconv.QuoteToASCII(strings.TrimPrefix(word, e.prefix+":")) + " ")
		}
		b.WriteString("\n")
	}
	if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// makingOf is the command that makes a key what it is.
func makingOf(t *testing.T, c redis.UniversalClient, key string) []string {
	t.Helper()
	ctx := context.Background()
	var words []string
	switch kind := c.Type(ctx, key).Val(); kind {
	case "string":
		words = []string{"SET", key, c.Get(ctx, key).Val()}
	case "list":
		words = append([]string{"RPUSH", key}, c.LRange(ctx, key, 0, -1).Val()...)
	case "zset":
		words = []string{"ZADD", key}
		for _, z := range c.ZRangeWithScores(ctx, key, 0, -1).Val() {
			words = append(words, strconv.FormatInt(int64(z.Score), 10), fmt.Sprint(z.Member))
		}
	case "hash":
		words = []string{"HSET", key}
		all := c.HGetAll(ctx, key).Val()
		for _, field := range slices.Sorted(maps.Keys(all)) {
			words = append(words, field, all[field])
		}
	default:
		t.Fatalf("%s is a %s", key, kind)
	}
	if len(words) < 3 {
		t.Fatalf("%s is empty", key)
	}
	return words
}

// load puts the store of a layout in the place of the one that is there.
func (e *env) load(file string) {
	e.t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		e.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		var words []any
		for rest := strings.TrimSpace(line); rest != ""; rest = strings.TrimSpace(rest) {
			quoted, err := strconv.QuotedPrefix(rest)
			if err != nil {
				e.t.Fatalf("%s: %q: %v", file, rest, err)
			}
			word, _ := strconv.Unquote(quoted)
			if len(words) == 1 {
				word = e.prefix + ":" + word
			}
			words, rest = append(words, word), rest[len(quoted):]
		}
		if err := e.admin.Do(e.ctx(), words...).Err(); err != nil {
			e.t.Fatalf("%s: %v: %v", file, words, err)
		}
	}
}
