// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"
	"pgregory.net/rapid"

	"github.com/discountd/discountd/domain"
	"github.com/discountd/discountd/internal/privateredis"
	"github.com/discountd/discountd/internal/redistest"
)

// batched is one request of a batch for redeem.lua: what it is to become.
type batched struct{ domain.Redemption }

// decided is what redeem.lua decided on one request.
type decided struct{ outcome, value string }

// batched evaluates a request as Redeem does, whether it is eligible or not.
func (e *env) batched(r domain.RedeemRequest) batched {
	e.t.Helper()
	f, err := e.find(e.ctx(), &r.ValidateRequest, "")
	if err != nil || f.state == nil {
		e.t.Fatalf("find %s: %v, %v", r.RequestID, f.refusal, err)
	}
	evaluation := domain.Evaluate(&f.state.Snapshot, &r.ValidateRequest, e.now())
	return batchedOn(&f.state.Snapshot, r, &evaluation)
}

// batchedOn is a request that was evaluated on a snapshot.
func batchedOn(snapshot *domain.Snapshot, r domain.RedeemRequest, evaluation *domain.Evaluation) batched {
	return batched{*newRedemption(&use{RedeemRequest: &r, fingerprint: r.Fingerprint()}, snapshot, evaluation)}
}

// args are the arguments of redeem.lua for b.
func (b batched) args() []any {
	var out []any
	for _, a := range useArgs(&b.Redemption, "", recordText(&b.Redemption)) {
		out = append(out, a)
	}
	return out
}

// runBatch sends a batch to redeem.lua in one call.
func (e *env) runBatch(c domain.CouponID, batch []batched) []decided {
	e.t.Helper()
	return e.runBatchInPages(c, ledgerPageSize, batch)
}

// sendBatch sends a batch to redeem.lua and returns its reply, whatever it is.
func (e *env) sendBatch(c domain.CouponID, pageSize int, batch []batched) reply {
	e.t.Helper()
	args := []any{pageSize, millis(e.now())}
	for _, b := range batch {
		args = append(args, b.args()...)
	}
	r, err := e.run(e.ctx(), redeem, e.capacityKeys(c), args...)
	if err != nil {
		e.t.Fatalf("redeem.lua: %v", err)
	}
	return r
}

// runBatchInPages is runBatch on a ledger with pages of another size.
func (e *env) runBatchInPages(c domain.CouponID, pageSize int, batch []batched) []decided {
	e.t.Helper()
	r := e.sendBatch(c, pageSize, batch)
	if r.outcome != "decided" || len(r.values) != 2*len(batch) {
		e.t.Fatalf("redeem.lua returned %+v", r)
	}
	var out []decided
	for pair := range slices.Chunk(r.values, 2) {
		out = append(out, decided{pair[0], pair[1]})
	}
	return out
}

// deterministic makes the ids and tokens of a store the same in every test.
func deterministic(e *env) {
	source := rand.NewChaCha8([32]byte{})
	tokens := 0
	e.random = source
	e.token = func() string {
		tokens++
		return fmt.Sprintf("token%05d", tokens)
	}
}

func TestBatchIsDecidedInOrder(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		known := prepareBatch(e, "a", limitsOfBatch{coupon: pointer(int64(4)), code: pointer(int64(2)), perCustomer: pointer(int64(3))})
		one := func(id string, change ...func(*domain.RedeemRequest)) batched {
			return known.batched(byCode(id, "ONE-a", change...))
		}
		two := func(id string, change ...func(*domain.RedeemRequest)) batched {
			return known.batched(byCode(id, "TWO-a", change...))
		}
		direct := func(id string, change ...func(*domain.RedeemRequest)) batched {
			return known.batched(byCoupon(id, "a", change...))
		}
		alice := withCustomer("alice")
		staleCoupon, staleCode := one("r9"), one("r9")
		staleCoupon.CouponVersion--
		staleCode.PromotionCodeVersion--
		first := e.runBatchInPages("a", 3, []batched{
			one("r1", alice),
			staleCoupon,
			two("r2", alice),
			one("r1", alice), // again
			staleCode,
			direct("r1"), // its id is taken
			one("r3"),
			one("r4"),           // the code's second was the last
			direct("r5", alice), // alice's third, on the second page of the ledger
			two("r6", alice),    // one too many for all but the code
			direct("r7"),        // the coupon's fourth was the last
		})
		record := func(b batched) string { return "R\t" + recordText(&b.Redemption) }
		want := []decided{
			{"redeemed", "1"},
			{"stale", ""},
			{"redeemed", "2"},
			{"replay", "1\t" + record(one("r1", alice))},
			{"stale", ""},
			{"replay", "1\t" + record(one("r1", alice))},
			{"redeemed", "3"},
			{"limit", "P  "},
			{"redeemed", "4"},
			{"limit", "CU  "},
			{"limit", "C  "},
		}
		if diff := cmp.Diff(want, first, cmp.AllowUnexported(decided{})); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		e.unchanged("a batch of replays and refusals", func() {
			got := e.runBatchInPages("a", 3, []batched{direct("r5", alice), one("r4"), staleCoupon, one("r3")})
			want := []decided{{"replay", "4\t" + record(direct("r5", alice))}, {"limit", "CP  "}, {"stale", ""}, {"replay", "3\t" + record(one("r3"))}}
			if diff := cmp.Diff(want, got, cmp.AllowUnexported(decided{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
		var pages []int64
		for page := range int64(3) {
			pages = append(pages, e.admin.LLen(e.ctx(), e.keys.ledgerPage("a", page)).Val())
		}
		if !slices.Equal(pages, []int64{3, 1, 0}) {
			t.Errorf("the pages of the ledger have %d records", pages)
		}
	})
}

// TestBatchIsDecidedAsItsRequestsOneByOne has twins of one store and sends the
// same requests to one of them at once and to the other one by one: replies and
// all that is stored must be equal. Random batches are many, so it runs on a real
// redis-server alone.
func TestBatchIsDecidedAsItsRequestsOneByOne(t *testing.T) {
	t.Parallel()
	dial := onRedis.dial(t)
	atOnce, oneByOne := openAt(t, dial), openAt(t, dial)
	deterministic(atOnce)
	deterministic(oneByOne)
	twins := []*env{atOnce, oneByOne}
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		c := domain.CouponID("c" + strconv.Itoa(n))
		limits := batchLimits(rt)
		requests := rapid.SliceOfN(batchRequest(c), 1, 24).Draw(rt, "requests")
		stale := rapid.SliceOfN(rapid.SampledFrom([]string{"", "", "", "", "coupon", "code"}), len(requests), len(requests)).Draw(rt, "stale")
		pageSize := rapid.SampledFrom([]int{1, 3, 5, ledgerPageSize}).Draw(rt, "page size")
		cut := rapid.IntRange(0, len(requests)).Draw(rt, "cut")

		batches := make([][]batched, len(twins))
		for i, e := range twins {
			known := prepareBatch(e, c, limits)
			for k, r := range requests {
				b := known.batched(r)
				switch {
				case stale[k] == "coupon":
					b.CouponVersion--
				case stale[k] == "code" && b.PromotionCode != "":
					b.PromotionCodeVersion++
				}
				batches[i] = append(batches[i], b)
			}
		}
		var got, want []decided
		for _, part := range [][]batched{batches[0][:cut], batches[0][cut:]} {
			if len(part) > 0 {
				got = append(got, atOnce.runBatchInPages(c, pageSize, part)...)
			}
		}
		for _, b := range batches[1] {
			want = append(want, oneByOne.runBatchInPages(c, pageSize, []batched{b})...)
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(decided{})); diff != "" {
			rt.Fatalf("replies (-one by one +at once):\n%s", diff)
		}
		ofCoupon := "{c:" + string(c) + "}"
		if diff := cmp.Diff(oneByOne.dumpOf(ofCoupon), atOnce.dumpOf(ofCoupon)); diff != "" {
			rt.Fatalf("stored (-one by one +at once):\n%s", diff)
		}
	})
}

type limitsOfBatch struct{ coupon, perCustomer, code, codePerCustomer *int64 }

func batchLimits(rt *rapid.T) limitsOfBatch {
	limit := func(name string) *int64 {
		if rapid.Bool().Draw(rt, name+" unlimited") {
			return nil
		}
		return pointer(rapid.Int64Range(1, 9).Draw(rt, name))
	}
	l := limitsOfBatch{limit("coupon"), limit("per customer"), limit("code"), limit("code per customer")}
	if l.coupon != nil && l.code != nil && *l.code > *l.coupon {
		l.code = l.coupon
	}
	return l
}

// knownCodes has the snapshots that sources lead to, by the code typed.
type knownCodes map[string]*domain.Snapshot

// batched is what a request is when all rules are met.
func (k knownCodes) batched(r domain.RedeemRequest) batched {
	return batchedOn(k[r.Source.Code], r, &domain.Evaluation{AsOf: epoch, PromotionCode: k.code(r)})
}

func (k knownCodes) code(r domain.RedeemRequest) domain.PromotionCodeID {
	if p := k[r.Source.Code].PromotionCode; p != nil {
		return p.Name.ID
	}
	return ""
}

// prepareBatch makes a coupon with two promotion codes in different buckets.
func prepareBatch(e *env, c domain.CouponID, l limitsOfBatch) knownCodes {
	e.t.Helper()
	coupon := percentOff(c)
	coupon.MaxRedemptions, coupon.MaxRedemptionsPerCustomer = l.coupon, l.perCustomer
	e.createCoupon(coupon)
	v, err := e.UpdateCoupon(e.ctx(), domain.UpdateCoupon{ID: c}) // so that there is an older version
	if err != nil {
		e.t.Fatal(err)
	}
	known := knownCodes{"": {Coupon: v.CouponSnapshot}}
	for _, code := range []string{"ONE-", "TWO-"} {
		p := e.createCode(promotionCode(c, code+string(c), func(p *domain.PromotionCode) {
			p.MaxRedemptions, p.MaxRedemptionsPerCustomer = l.code, l.codePerCustomer
		}))
		known[code+string(c)] = &domain.Snapshot{Coupon: v.CouponSnapshot, PromotionCode: &p.PromotionCodeSnapshot}
		if code == "ONE-" {
			if err := e.admin.HSet(e.ctx(), e.keys.head(c), "b", codesPerBucket).Err(); err != nil {
				e.t.Fatal(err)
			}
		} else if p.Name.ID.BucketNumber() != 1 {
			e.t.Fatalf("%s is not in the second bucket", p.Name)
		}
	}
	return known
}

// batchRequest draws from few values, so that batches meet limits and repeat
// request ids, some for another request.
func batchRequest(c domain.CouponID) *rapid.Generator[domain.RedeemRequest] {
	return rapid.Custom(func(rt *rapid.T) domain.RedeemRequest {
		id := "r" + strconv.Itoa(rapid.IntRange(0, 15).Draw(rt, "id"))
		var r domain.RedeemRequest
		switch rapid.IntRange(0, 2).Draw(rt, "source") {
		case 0:
			r = byCoupon(id, c)
		case 1:
			r = byCode(id, "ONE-"+string(c))
		default:
			r = byCode(id, "TWO-"+string(c))
		}
		r.Customer.ID = rapid.SampledFrom([]string{"", "alice", "bob"}).Draw(rt, "customer")
		r.Customer.EmailHash = rapid.SampledFrom([]domain.EmailHash{"", "mail-mail-mail-m"}).Draw(rt, "e-mail")
		return r
	})
}

func TestNumberOfRedisCallsDoesNotGrowWithABatch(t *testing.T) {
	t.Parallel()
	server := redistest.Fresh(t, privateredis.Config{})
	e := openAt(t, func() redis.UniversalClient { return redistest.Client(t, server) })
	stats := redistest.Client(t, server)
	e.createCoupon(percentOff("a", limitedTo(1_000_000), limitedPerCustomerTo(1_000_000)))
	e.createCode(promotionCode("a", "HOT", codeLimitedTo(1_000_000), codeLimitedPerCustomerTo(1_000_000)))

	calls := map[int]int64{}
	for _, n := range []int{1, 8, 64} {
		var batch []batched
		for i := range n {
			batch = append(batch, e.batched(byCode(fmt.Sprint(n, "-", i), "hot", withCustomer("c"+strconv.Itoa(i)))))
		}
		before := callsOf(t, stats)
		for _, d := range e.runBatch("a", batch) {
			if d.outcome != "redeemed" {
				t.Fatalf("%+v", d)
			}
		}
		calls[n] = callsOf(t, stats) - before
	}
	if calls[1] == 0 || calls[8] != calls[1] || calls[64] != calls[1] {
		t.Errorf("calls by size of the batch: %v", calls)
	}
}

// TestNumberOfRedisCallsOfSettlementsGrowsWithTheirRecordsOnly settles reservations in
// one call. Redis reads and changes one record of a list in a call, so each of them
// costs two; nothing else may grow.
func TestNumberOfRedisCallsOfSettlementsGrowsWithTheirRecordsOnly(t *testing.T) {
	t.Parallel()
	server := redistest.Fresh(t, privateredis.Config{})
	e := openAt(t, func() redis.UniversalClient { return redistest.Client(t, server) })
	stats := redistest.Client(t, server)
	e.createCoupon(percentOff("a", limitedTo(1_000_000), limitedPerCustomerTo(1_000_000)))
	e.createCode(promotionCode("a", "HOT", codeLimitedTo(1_000_000), codeLimitedPerCustomerTo(1_000_000)))

	for _, kind := range []string{"C", "L", "V"} {
		calls := map[int]int64{}
		for _, n := range []int{1, 8, 64} {
			args := settleBatch.lead(e.Store)
			for i := range n {
				request := byCode(fmt.Sprint(kind, n, "-", i), "hot", withCustomer("c"+strconv.Itoa(i)))
				var made domain.Redemption
				if kind == "V" {
					made = e.redeem(request)
				} else {
					made = e.reserve(time.Hour, request)
				}
				position, _ := made.Name.ID.Position()
				args = append(args, kind, requestKey("settle "+request.RequestID), "f", position, request.RequestID,
					string(made.Identities()[0]), "", "", noteReleased+instant(e.now()), "")
			}
			before := callsOf(t, stats)
			r, err := e.run(e.ctx(), settle, settleBatch.keys(e.Store, "a"), args...)
			if err != nil {
				t.Fatal(err)
			}
			calls[n] = callsOf(t, stats) - before
			for outcome := range slices.Chunk(r.values, 2) {
				if outcome[0] != "settled" {
					t.Fatalf("%s: %v", kind, outcome)
				}
			}
		}
		if calls[8] != calls[1]+2*7 || calls[64] != calls[1]+2*63 {
			t.Errorf("%s: calls by size of the batch: %v", kind, calls)
		}
	}
}

// callsOf returns how many commands a server has executed for scripts, the
// evaluation of scripts itself not counted.
func callsOf(t *testing.T, c *redis.Client) int64 {
	t.Helper()
	info, err := c.Info(t.Context(), "commandstats").Result()
	if err != nil {
		t.Fatal(err)
	}
	var total int64
	for line := range strings.Lines(info) {
		// cmdstat_hget:calls=3,usec=5,...
		name, rest, ok := strings.Cut(line, ":calls=")
		name = strings.TrimPrefix(name, "cmdstat_")
		if !ok || slices.Contains([]string{"eval", "evalsha", "info", "hello", "ping"}, name) || strings.HasPrefix(name, "client") {
			continue
		}
		digits, _, _ := strings.Cut(rest, ",")
		n, err := strconv.ParseInt(digits, 10, 64)
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		total += n
	}
	return total
}

func TestBatchMayBeLargeButNotTooLarge(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		known := prepareBatch(e, "a", limitsOfBatch{})
		batch := func(n int) []batched {
			var out []batched
			for i := range n {
				code := []string{"ONE-a", "TWO-a"}[i%2]
				out = append(out, known.batched(byCode(strconv.Itoa(i), code, withCustomer("c"+strconv.Itoa(i)), withEmail(domain.EmailHash("m"+strconv.Itoa(i))))))
			}
			return out
		}
		e.unchanged("a batch that is too large", func() {
			if r := e.sendBatch("a", ledgerPageSize, batch(501)); r.outcome != "oversized" {
				t.Errorf("%+v", r)
			}
		})
		const n = 500
		for i, d := range e.runBatch("a", batch(n)) {
			if d != (decided{"redeemed", strconv.Itoa(i + 1)}) {
				t.Fatalf("the %d. is %+v", i+1, d)
			}
		}
		if got := e.coupon("a").Redeemed; got != n {
			t.Errorf("%d redeemed", got)
		}
		// Each customer was charged by both identities, on the coupon and on the code.
		if got := e.admin.HLen(e.ctx(), e.keys.customers("a")).Val(); got != 4*n {
			t.Errorf("%d counters of customers", got)
		}
	})
}

func TestLedgerThatDoesNotAgreeWithItsLengthIsNotWrittenTo(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		broken := func(c domain.CouponID, n int, harm func()) {
			t.Helper()
			e.createCoupon(percentOff(c))
			var batch []batched
			for i := range n {
				batch = append(batch, e.batched(byCoupon(strconv.Itoa(i), c)))
			}
			harm()
			e.unchanged("a broken ledger", func() {
				if r := e.sendBatch(c, 4, batch); r.outcome != "broken" {
					t.Errorf("%+v", r)
				}
			})
		}
		broken("shorter", 1, func() { e.admin.HSet(e.ctx(), e.keys.head("shorter"), "q", 2) })
		broken("longer", 1, func() { e.admin.RPush(e.ctx(), e.keys.ledgerPage("longer", 0), "x") })
		broken("later", 6, func() { e.admin.RPush(e.ctx(), e.keys.ledgerPage("later", 1), "x") })

		e.createCoupon(percentOff("a"))
		if err := e.admin.HSet(e.ctx(), e.keys.head("a"), "q", 2).Err(); err != nil {
			t.Fatal(err)
		}
		if _, err := e.Redeem(e.ctx(), new(byCoupon("r", "a"))); err == nil || isError[*domain.RefusedError](err) {
			t.Errorf("redeemed: %v", err)
		}
	})
}
