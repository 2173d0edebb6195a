// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	discountv1 "github.com/discountd/discountd/gen/discount/v1"
	"github.com/discountd/discountd/test/internal/harness"
)

// The limits that the load runs into, all of one coupon.
const (
	couponLimit   = 40
	codeLimit     = 30
	customerLimit = 8
	customers     = 10
	budgetMinor   = 8_000
)

// load is clients that redeem, reserve, commit, release and void on one coupon, all
// at once, until they are told to end.
type load struct {
	t        *testing.T
	services []*harness.Service
	coupon   *discountv1.Coupon
	code     *discountv1.PromotionCode
	config   loadConfig

	done          atomic.Int64 // calls that were acknowledged
	holds, counts pool
	journals      []*journal
	stop          chan struct{}
	running       sync.WaitGroup
}

type loadConfig struct {
	clients int
	// deadline is that of each try.
	deadline time.Duration
	// faultless makes an error of every try that is not answered.
	faultless bool
	// tardy, if positive, is how much later than its deadline a try may end.
	tardy time.Duration
}

// pool is names of redemptions that clients pick from: the latest that can count at
// once, so that several clients often meet at one.
type pool struct {
	mu    sync.Mutex
	names []string
}

func (p *pool) add(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.names = append(p.names, name); len(p.names) > couponLimit {
		p.names = p.names[1:]
	}
}

func (p *pool) pick(random *rand.Rand) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.names) == 0 {
		return ""
	}
	return p.names[random.IntN(len(p.names))]
}

// remove takes a name out that has come to an end.
func (p *pool) remove(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.names = slices.DeleteFunc(p.names, func(n string) bool { return n == name })
}

// newRandom returns a source that the log tells how to repeat.
func newRandom(t *testing.T) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// startLoad starts clients on a coupon of their own, each connected to all of the
// given services.
func startLoad(t *testing.T, services []*harness.Service, config loadConfig) *load {
	t.Helper()
	l := &load{t: t, services: services, config: config, stop: make(chan struct{})}
	limit, perCustomer, ofCode := int64(couponLimit), int64(customerLimit), int64(codeLimit)
	coupon, err := services[0].CreateCoupon(harness.Within(t), &discountv1.CreateCouponRequest{Coupon: &discountv1.Coupon{
		Discount:                  &discountv1.Coupon_PercentOff{PercentOff: &discountv1.PercentOff{BasisPoints: 1_000}},
		MaxRedemptions:            &limit,
		MaxRedemptionsPerCustomer: &perCustomer,
		PeriodLimits:              []*discountv1.PeriodLimit{{Period: discountv1.Period_PERIOD_MONTH, MaxRedemptions: limit}},
		Budgets:                   []*discountv1.Budget{{Limit: &discountv1.Money{CurrencyCode: "EUR", AmountMinor: budgetMinor}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	l.coupon = coupon.GetCoupon()
	code, err := services[0].CreatePromotionCode(harness.Within(t), &discountv1.CreatePromotionCodeRequest{
		Parent: l.coupon.GetName(), PromotionCode: &discountv1.PromotionCode{MaxRedemptions: &ofCode},
	})
	if err != nil {
		t.Fatal(err)
	}
	l.code = code.GetPromotionCode()

	random := newRandom(t)
	for i := range config.clients {
		c := &client{load: l, id: i, journal: newJournal(t), random: rand.New(rand.NewPCG(random.Uint64(), 0))}
		l.journals = append(l.journals, c.journal)
		l.running.Go(c.run)
	}
	t.Cleanup(l.end)
	return l
}

// awaitMore returns when n more calls were acknowledged.
func (l *load) awaitMore(n int) {
	l.t.Helper()
	target := l.done.Load() + int64(n)
	harness.Await(l.t, time.Minute, fmt.Sprintf("%d more calls", n), func(context.Context) bool { return l.done.Load() >= target })
}

// end returns when every client has brought its last call to an end.
func (l *load) end() {
	select {
	case <-l.stop:
	default:
		close(l.stop)
	}
	l.running.Wait()
}

// client makes one call after the other.
type client struct {
	*load
	id      int
	calls   int
	journal *journal
	random  *rand.Rand
}

func (c *client) run() {
	for {
		select {
		case <-c.stop:
			return
		default:
		}
		c.calls++
		if !c.do(c.next()) {
			return
		}
	}
}

// operation is a call that can be made again.
type operation struct {
	entry
	call func(context.Context, *harness.Service, string) (*discountv1.Redemption, error)
}

// next draws what to do.
func (c *client) next() operation {
	hold, counted := c.holds.pick(c.random), c.counts.pick(c.random)
	switch n := c.random.IntN(12); {
	case n < 2 && hold != "":
		return commitOf(hold, c.part())
	case n < 4 && hold != "":
		return releaseOf(hold)
	case n < 7 && counted != "":
		return voidOf(counted, c.part())
	case n < 9:
		return reservation(c.purchase(), time.Duration(1_000+c.random.IntN(1_000))*time.Millisecond)
	default:
		return redemption(c.purchase())
	}
}

// part is an amount that may be less or more than there is, or nil for all.
func (c *client) part() *int64 {
	if c.random.IntN(2) == 0 {
		return nil
	}
	n := 1 + c.random.Int64N(400)
	return &n
}

func (c *client) purchase() *discountv1.RedeemRequest {
	r := &discountv1.RedeemRequest{
		Customer: &discountv1.Customer{Id: fmt.Sprintf("customer-%d", c.random.IntN(customers))},
		Order: &discountv1.Order{CurrencyCode: "EUR", Lines: []*discountv1.OrderLine{
			{UnitAmountMinor: 1_000 + c.random.Int64N(3_000), Quantity: 1},
		}},
	}
	switch c.random.IntN(3) {
	case 0:
		r.Source = &discountv1.RedeemRequest_Code{Code: c.code.GetCode()}
	case 1:
		r.Source = &discountv1.RedeemRequest_PromotionCode{PromotionCode: c.code.GetName()}
	default:
		r.Source = &discountv1.RedeemRequest_Coupon{Coupon: c.load.coupon.GetName()}
	}
	return r
}

// do makes a call until it is answered, or in one of 16 cases once: a client may
// crash, too. It reports whether the client can go on.
func (c *client) do(o operation) bool {
	o.RequestID = fmt.Sprintf("%d/%d", c.id, c.calls)
	o.Outcome = attempted
	if err := c.journal.write(o.entry); err != nil {
		c.t.Error(err)
		return false
	}
	once := c.random.IntN(16) == 0
	giveUp := time.Now().Add(2 * time.Minute)
	for try := range 1 << 20 {
		s := c.services[(c.id+try)%len(c.services)]
		r, err := c.try(s, o)
		switch status.Code(err) {
		case codes.OK:
			return c.acknowledged(o, r)
		case codes.FailedPrecondition:
			o.Outcome = refused
			if err := c.journal.write(o.entry); err != nil {
				c.t.Error(err)
				return false
			}
			return true
		case codes.Unavailable, codes.DeadlineExceeded, codes.Aborted:
			if c.config.faultless && status.Code(err) != codes.Aborted {
				c.t.Errorf("%s by request %s: %v", o.Kind, o.RequestID, err)
			}
		default:
			c.t.Errorf("%s by request %s: %v", o.Kind, o.RequestID, err)
			return false
		}
		if once {
			return true
		}
		if time.Now().After(giveUp) {
			c.t.Errorf("%s by request %s was never answered: %v", o.Kind, o.RequestID, err)
			return false
		}
		c.pause()
	}
	return true
}

// pause keeps a client that tries again from taking the machine for itself.
func (c *client) pause() {
	select {
	case <-time.After(10 * time.Millisecond):
	case <-c.t.Context().Done():
	}
}

func (c *client) try(s *harness.Service, o operation) (*discountv1.Redemption, error) {
	ctx, cancel := context.WithTimeout(context.Background(), c.config.deadline)
	defer cancel()
	begin := time.Now()
	r, err := o.call(ctx, s, o.RequestID)
	if took := time.Since(begin); c.config.tardy > 0 && took > c.config.deadline+c.config.tardy {
		c.t.Errorf("a call with a deadline of %s took %s", c.config.deadline, took)
	}
	return r, err
}

func (c *client) acknowledged(o operation, r *discountv1.Redemption) bool {
	if o.Name != "" && r.GetName() != o.Name {
		c.t.Errorf("%s of %s was answered with %s", o.Kind, o.Name, r.GetName())
	}
	o.Outcome, o.Name, o.State = acknowledged, r.GetName(), r.GetState()
	o.Amount, o.Voided = r.GetDiscount().GetTotalAmountMinor(), r.GetVoidedAmountMinor()
	if err := c.journal.write(o.entry); err != nil {
		c.t.Error(err)
		return false
	}
	switch o.Kind {
	case reserve:
		c.holds.add(o.Name)
	case redeem:
		c.counts.add(o.Name)
	case commit:
		c.counts.add(o.Name)
		c.sometimes(c.holds.remove, o.Name)
	case release:
		c.sometimes(c.holds.remove, o.Name)
	case void:
		if o.State == discountv1.RedemptionState_REDEMPTION_STATE_VOIDED {
			c.sometimes(c.counts.remove, o.Name)
		}
	}
	c.done.Add(1)
	return true
}

// sometimes lets one of two names stay where others find it, at its end.
func (c *client) sometimes(remove func(string), name string) {
	if c.random.IntN(2) == 0 {
		remove(name)
	}
}

func redemption(r *discountv1.RedeemRequest) operation {
	return operation{entry{Kind: redeem}, func(ctx context.Context, s *harness.Service, id string) (*discountv1.Redemption, error) {
		q := proto.CloneOf(r) // several may send it at once
		q.RequestId = id
		answer, err := s.Redeem(ctx, q)
		return answer.GetRedemption(), err
	}}
}

func reservation(r *discountv1.RedeemRequest, ttl time.Duration) operation {
	return operation{entry{Kind: reserve}, func(ctx context.Context, s *harness.Service, id string) (*discountv1.Redemption, error) {
		q := &discountv1.ReserveRedemptionRequest{RequestId: id, Customer: r.GetCustomer(), Order: r.GetOrder(), Ttl: durationpb.New(ttl)}
		switch source := r.GetSource().(type) {
		case *discountv1.RedeemRequest_Code:
			q.Source = &discountv1.ReserveRedemptionRequest_Code{Code: source.Code}
		case *discountv1.RedeemRequest_PromotionCode:
			q.Source = &discountv1.ReserveRedemptionRequest_PromotionCode{PromotionCode: source.PromotionCode}
		case *discountv1.RedeemRequest_Coupon:
			q.Source = &discountv1.ReserveRedemptionRequest_Coupon{Coupon: source.Coupon}
		}
		answer, err := s.ReserveRedemption(ctx, q)
		return answer.GetRedemption(), err
	}}
}

func commitOf(name string, amount *int64) operation {
	return operation{entry{Kind: commit, Name: name}, func(ctx context.Context, s *harness.Service, id string) (*discountv1.Redemption, error) {
		answer, err := s.CommitRedemption(ctx, &discountv1.CommitRedemptionRequest{Name: name, RequestId: id, AmountMinor: amount})
		return answer.GetRedemption(), err
	}}
}

func releaseOf(name string) operation {
	return operation{entry{Kind: release, Name: name}, func(ctx context.Context, s *harness.Service, id string) (*discountv1.Redemption, error) {
		answer, err := s.ReleaseRedemption(ctx, &discountv1.ReleaseRedemptionRequest{Name: name, RequestId: id})
		return answer.GetRedemption(), err
	}}
}

func voidOf(name string, amount *int64) operation {
	return operation{entry{Kind: void, Name: name}, func(ctx context.Context, s *harness.Service, id string) (*discountv1.Redemption, error) {
		answer, err := s.VoidRedemption(ctx, &discountv1.VoidRedemptionRequest{Name: name, RequestId: id, AmountMinor: amount, Reason: "returned"})
		return answer.GetRedemption(), err
	}}
}
