// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/redis/go-redis/v9"

	"github.com/discountd/discountd/domain"
	"github.com/discountd/discountd/internal/redistest"
)

// What all tests of this package use: stores to test on, a clock, and builders.

// epoch is when a test's clock begins: an instant with milliseconds.
var epoch = time.Date(2026, 3, 1, 12, 0, 0, 250_000_000, time.UTC)

// fakeClock is a clock that goes only when it is told to.
type fakeClock struct{ ms atomic.Int64 }

func newClock() *fakeClock {
	c := &fakeClock{}
	c.Set(epoch)
	return c
}

func (c *fakeClock) Now() time.Time          { return time.UnixMilli(c.ms.Load()).UTC() }
func (c *fakeClock) Set(t time.Time)         { c.ms.Store(t.UnixMilli()) }
func (c *fakeClock) Advance(d time.Duration) { c.ms.Add(d.Milliseconds()) }

// gathers is whether the stores of tests gather requests and keep rules. The suite
// runs both ways.
var gathers = os.Getenv("DISCOUNTD_GATHER") != "false"

// cacheBytes bounds what stores of tests remember.
var cacheBytes = map[bool]int64{true: 1 << 20, false: -1}[gathers]

// env is a store under test and what belongs to it. The embedded Store is the
// first of its servers; more are opened with server.
type env struct {
	*Store
	t      testing.TB
	clock  *fakeClock
	prefix string
	// client is the Store's own; its keys are watched.
	client redis.UniversalClient
	// dial makes another client of the same Redis; admin is one that is not
	// watched.
	dial  func() redis.UniversalClient
	admin redis.UniversalClient
	// request is the request id that commands of tables use.
	request string
	// most is the largest crowd that does not take seconds.
	most int
}

// backend is a kind of Redis that a store runs on.
type backend struct {
	name string
	most int // the largest crowd of callers that does not take seconds
	dial func(t testing.TB) func() redis.UniversalClient
}

var (
	onMini = backend{"miniredis", 16, func(t testing.TB) func() redis.UniversalClient {
		addr := redistest.Mini(t).Addr()
		return func() redis.UniversalClient { return redistest.ClientAt(t, addr) }
	}}
	onRedis = backend{"redis", 500, func(t testing.TB) func() redis.UniversalClient {
		server := redistest.Server(t)
		shared.Store("redis-server", func() redis.UniversalClient { return server.Client() })
		return func() redis.UniversalClient { return redistest.Client(t, server) }
	}}
	onCluster = backend{"cluster", 50, func(t testing.TB) func() redis.UniversalClient {
		cluster := redistest.Cluster(t)
		shared.Store("cluster", func() redis.UniversalClient { return cluster.Client() })
		return func() redis.UniversalClient { return redistest.Client(t, cluster) }
	}}
)

// open opens a store of the test's own on a backend.
func open(t testing.TB, b backend) *env {
	t.Helper()
	e := openAt(t, b.dial(t))
	e.most = b.most
	return e
}

// openAt opens a store of the test's own in the Redis that dial makes clients of.
func openAt(t testing.TB, dial func() redis.UniversalClient) *env {
	t.Helper()
	e := &env{t: t, clock: newClock(), prefix: redistest.Prefix(t), dial: dial, most: onRedis.most, request: "r"}
	e.admin = dial()
	e.Store, e.client = e.open(e.clock)
	return e
}

// server opens the same store once more, as another server process would: with a
// client of its own, by the same clock.
func (e *env) server() *Store {
	e.t.Helper()
	s, _ := e.open(e.clock)
	return s
}

func (e *env) open(c *fakeClock) (*Store, redis.UniversalClient) {
	e.t.Helper()
	client := e.dial()
	client.AddHook(watcher{e.t, e.prefix})
	s, err := Open(e.t.Context(), client, Options{Prefix: e.prefix, HashKeyFingerprint: "tests", Clock: c.Now, NoGathering: !gathers, CacheBytes: cacheBytes})
	if err != nil {
		e.t.Fatal(err)
	}
	return s, client
}

// ctx is the context of the test.
func (e *env) ctx() context.Context { return e.t.Context() }

// crowd is n, or fewer where n callers at once would take seconds.
func (e *env) crowd(n int) int { return min(n, e.most) }

// dump returns everything that the store holds: keys with what is in them.
func (e *env) dump() map[string]string {
	e.t.Helper()
	return e.dumpOf("")
}

// dumpOf is dump of the keys that begin with what.
func (e *env) dumpOf(what string) map[string]string {
	e.t.Helper()
	out := map[string]string{}
	var mu sync.Mutex
	node := func(ctx context.Context, c redis.UniversalClient) error {
		keys, err := c.Keys(ctx, e.prefix+":"+what+"*").Result()
		if err != nil {
			return err
		}
		texts, err := dumpKeys(ctx, c, keys)
		mu.Lock()
		defer mu.Unlock()
		for i, text := range texts {
			if strings.HasSuffix(keys[i], ":{m}:w") {
				continue // which servers have pinged
			}
			out[strings.TrimPrefix(keys[i], e.prefix+":")] = text
		}
		return err
	}
	err := error(nil)
	if cluster, ok := e.admin.(*redis.ClusterClient); ok {
		err = cluster.ForEachMaster(e.ctx(), func(ctx context.Context, c *redis.Client) error { return node(ctx, c) })
	} else {
		err = node(e.ctx(), e.admin)
	}
	if err != nil {
		e.t.Fatalf("dump: %v", err)
	}
	return out
}

// dumpKeys returns what is in some keys of one node.
func dumpKeys(ctx context.Context, c redis.UniversalClient, keys []string) ([]string, error) {
	kinds, err := c.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, k := range keys {
			p.Type(ctx, k)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var values []interface{ Result() (any, error) }
	_, err = c.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, k := range keys {
			switch kind := kinds[i].(*redis.StatusCmd).Val(); {
			case strings.HasSuffix(k, ":{m}") && kind == "hash":
				// Every ping advances the sequence that is kept there, too.
				values = append(values, p.Do(ctx, "hmget", k, "id", "layout", "buckets", "hash_key"))
			case kind == "string":
				values = append(values, p.Do(ctx, "get", k))
			case kind == "hash":
				values = append(values, p.Do(ctx, "hgetall", k))
			case kind == "list":
				values = append(values, p.Do(ctx, "lrange", k, 0, -1))
			case kind == "zset":
				values = append(values, p.Do(ctx, "zrange", k, 0, -1))
			default:
				return errors.New("a key of type " + kind)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	texts := make([]string, len(keys))
	for i, v := range values {
		value, err := v.Result()
		if err != nil {
			return nil, err
		}
		texts[i] = fmt.Sprintf("%q", value) // maps are printed in the order of their keys
	}
	return texts, nil
}

// unchanged fails the test when f changes anything that the store holds.
func (e *env) unchanged(what string, f func()) {
	e.t.Helper()
	before := e.dump()
	f()
	if diff := cmp.Diff(before, e.dump()); diff != "" {
		e.t.Errorf("%s changed the store (-before +after):\n%s", what, diff)
	}
}

// sameAs fails the test unless the store holds what it held, but for entries of
// lists, which may name what never came to be, and for transfers that were announced
// and never made.
func (e *env) sameAs(want map[string]string) {
	e.t.Helper()
	isEntry := cmpopts.IgnoreMapEntries(func(key, _ string) bool {
		return strings.HasPrefix(key, "{k:") || strings.HasPrefix(key, "{y:") || strings.HasPrefix(key, "{g:") ||
			strings.HasPrefix(key, "{b:") && strings.HasSuffix(key, "}:w")
	})
	if diff := cmp.Diff(want, e.dump(), isEntry); diff != "" {
		e.t.Errorf("the store is another (-want +got):\n%s", diff)
	}
}

// onEach runs a test on every kind of Redis, in parallel, but for those that
// skipped names.
func onEach(t *testing.T, test func(t *testing.T, e *env)) {
	t.Helper()
	t.Parallel()
	for _, b := range []backend{onMini, onRedis, onCluster} {
		if reason, ok := skipped[b.name][t.Name()]; ok {
			t.Logf("not on %s: %s", b.name, reason)
			continue
		}
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t, b))
		})
	}
}

// skipped names the tests that do not run on a kind of Redis, and why.
var skipped = map[string]map[string]string{
	onMini.name: {
		"TestPromotionCodesOfManyCouponsTakeOverOneCodeInTurn": "its Lua takes seconds for so many scripts",
		"TestConfigurationKeepsEveryField":                     "many random ones on one kind of Redis are enough",
	},
	onCluster.name: {
		"TestConfigurationKeepsEveryField": "many random ones on one kind of Redis are enough",
	},
}

// Builders. Each takes functions that change what it builds.

func pointer[T any](v T) *T { return &v }

// percentOff is a coupon that takes off 25 %.
func percentOff(id domain.CouponID, change ...func(*domain.Coupon)) domain.Coupon {
	c := domain.Coupon{ID: id, DisplayName: "A quarter off"}
	c.Discount.PercentOff = &domain.PercentOff{BasisPoints: 2_500}
	for _, f := range change {
		f(&c)
	}
	return c
}

func limitedTo(n int64) func(*domain.Coupon) {
	return func(c *domain.Coupon) { c.MaxRedemptions = &n }
}

func limitedPerCustomerTo(n int64) func(*domain.Coupon) {
	return func(c *domain.Coupon) { c.MaxRedemptionsPerCustomer = &n }
}

// promotionCode is a promotion code of a coupon; no code asks for a generated one.
func promotionCode(c domain.CouponID, code string, change ...func(*domain.PromotionCode)) domain.PromotionCode {
	p := domain.PromotionCode{Name: domain.PromotionCodeName{Coupon: c}}
	if code != "" {
		p.Code = parsedCode(code)
	}
	for _, f := range change {
		f(&p)
	}
	return p
}

func codeLimitedTo(n int64) func(*domain.PromotionCode) {
	return func(p *domain.PromotionCode) { p.MaxRedemptions = &n }
}

func codeLimitedPerCustomerTo(n int64) func(*domain.PromotionCode) {
	return func(p *domain.PromotionCode) { p.MaxRedemptionsPerCustomer = &n }
}

func boundToID(id string) func(*domain.PromotionCode) {
	return func(p *domain.PromotionCode) { p.CustomerID = id }
}

func boundToEmail(h domain.EmailHash) func(*domain.PromotionCode) {
	return func(p *domain.PromotionCode) { p.EmailHash = h }
}

func parsedCode(s string) domain.Code {
	c, err := domain.ParseCode(s)
	if err != nil {
		panic(err)
	}
	return c
}

// byCode is a request to redeem what a customer typed; byName and byCoupon name
// what is to be redeemed.
func byCode(request, code string, change ...func(*domain.RedeemRequest)) domain.RedeemRequest {
	return redeemRequest(request, domain.Source{Code: code}, change)
}

func byName(request string, name domain.PromotionCodeName, change ...func(*domain.RedeemRequest)) domain.RedeemRequest {
	return redeemRequest(request, domain.Source{PromotionCode: name}, change)
}

func byCoupon(request string, id domain.CouponID, change ...func(*domain.RedeemRequest)) domain.RedeemRequest {
	return redeemRequest(request, domain.Source{Coupon: id}, change)
}

func redeemRequest(request string, source domain.Source, change []func(*domain.RedeemRequest)) domain.RedeemRequest {
	r := domain.RedeemRequest{RequestID: request, ValidateRequest: domain.ValidateRequest{Source: source, Order: orderOf(10_000)}}
	for _, f := range change {
		f(&r)
	}
	return r
}

func withCustomer(id string) func(*domain.RedeemRequest) {
	return func(r *domain.RedeemRequest) { r.Customer.ID = id }
}

func withEmail(h domain.EmailHash) func(*domain.RedeemRequest) {
	return func(r *domain.RedeemRequest) { r.Customer.EmailHash = h }
}

func withOrder(o *domain.Order) func(*domain.RedeemRequest) {
	return func(r *domain.RedeemRequest) { r.Order = o }
}

// orderOf is an order of one line in euros.
func orderOf(amountMinor int64) *domain.Order {
	return &domain.Order{ID: "order", Currency: "EUR", Lines: []domain.OrderLine{
		{ID: "line", ProductID: "product", UnitAmountMinor: amountMinor, Quantity: 1},
	}}
}

// newID is an id that no other test uses.
func newID() string { return rand.Text()[:13] }

// What tests do again and again; each fails the test when it does not succeed.

func (e *env) createCoupon(c domain.Coupon) domain.CouponView {
	e.t.Helper()
	v, err := e.CreateCoupon(e.ctx(), domain.CreateCoupon{Coupon: c})
	if err != nil {
		e.t.Fatalf("create %s: %v", c.ID, err)
	}
	return v
}

func (e *env) createCode(p domain.PromotionCode) domain.PromotionCodeView {
	e.t.Helper()
	v, err := e.CreatePromotionCode(e.ctx(), domain.CreatePromotionCode{PromotionCode: p})
	if err != nil {
		e.t.Fatalf("create %s: %v", p.Code, err)
	}
	return v
}

func (e *env) redeem(r domain.RedeemRequest) domain.Redemption {
	e.t.Helper()
	v, err := e.Redeem(e.ctx(), &r)
	if err != nil {
		e.t.Fatalf("redeem %s: %v", r.RequestID, err)
	}
	return *v
}

func (e *env) deactivate(n domain.PromotionCodeName) domain.PromotionCodeView {
	e.t.Helper()
	v, err := e.DeactivatePromotionCode(e.ctx(), domain.DeactivatePromotionCode{Name: n})
	if err != nil {
		e.t.Fatalf("deactivate %s: %v", n, err)
	}
	return v
}

func (e *env) coupon(id domain.CouponID) domain.CouponView {
	e.t.Helper()
	v, err := e.Coupon(e.ctx(), id)
	if err != nil {
		e.t.Fatalf("get %s: %v", id, err)
	}
	return v
}

func (e *env) code(n domain.PromotionCodeName) domain.PromotionCodeView {
	e.t.Helper()
	v, err := e.PromotionCode(e.ctx(), n)
	if err != nil {
		e.t.Fatalf("get %s: %v", n, err)
	}
	return v
}

// redemptions returns the whole ledger of a coupon.
func (e *env) redemptions(id domain.CouponID) []domain.Redemption {
	e.t.Helper()
	var all []domain.Redemption
	q := domain.RedemptionQuery{Coupon: id, Page: domain.Page{Size: 1000}}
	for {
		l, err := e.Redemptions(e.ctx(), q)
		if err != nil {
			e.t.Fatalf("list redemptions of %s: %v", id, err)
		}
		all = append(all, l.Items...)
		if q.Token = l.Next; q.Token == "" {
			return all
		}
	}
}

// reasons returns why an error refuses, or fails the test when it does not.
func reasons(t testing.TB, err error) []domain.Reason {
	t.Helper()
	var refused *domain.RefusedError
	if !errors.As(err, &refused) {
		t.Fatalf("got %v, want a refusal", err)
	}
	return reasonsOf(refused.Ineligibilities)
}

// wantReasons fails the test unless err refuses for just these reasons.
func wantReasons(t testing.TB, err error, want ...domain.Reason) {
	t.Helper()
	if got := reasons(t, err); !slices.Equal(got, want) {
		t.Errorf("refused for %v, want %v", err, want)
	}
}

// compareCodes lets cmp compare codes, whose fields are private.
var compareCodes = cmp.Comparer(func(a, b domain.Code) bool { return a == b })

func reasonsOf(list []domain.Ineligibility) []domain.Reason {
	var out []domain.Reason
	for _, i := range list {
		out = append(out, i.Reason)
	}
	return out
}

// isError reports whether err is an error of type E.
func isError[E error](err error) bool {
	var e E
	return errors.As(err, &e)
}

// all runs f n times at once and returns when all have ended.
func all(n int, f func(i int)) {
	var running sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		running.Go(func() {
			<-start
			f(i)
		})
	}
	close(start)
	running.Wait()
}
