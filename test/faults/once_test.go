// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	discountv1 "github.com/discountd/discountd/gen/discount/v1"
	"github.com/discountd/discountd/internal/privateredis"
	"github.com/discountd/discountd/internal/redistest"
	"github.com/discountd/discountd/test/internal/harness"
)

// newCoupon creates a coupon of 10 % with a limit; 0 is none.
func newCoupon(t *testing.T, s *harness.Service, limit int64) *discountv1.Coupon {
	t.Helper()
	c := &discountv1.Coupon{Discount: &discountv1.Coupon_PercentOff{PercentOff: &discountv1.PercentOff{BasisPoints: 1_000}}}
	if limit > 0 {
		c.MaxRedemptions = &limit
	}
	answer, err := s.CreateCoupon(harness.Within(t), &discountv1.CreateCouponRequest{Coupon: c})
	if err != nil {
		t.Fatal(err)
	}
	return answer.GetCoupon()
}

// buying redeems a coupon for an order of 50.00 EUR.
func buying(c *discountv1.Coupon) *discountv1.RedeemRequest {
	return &discountv1.RedeemRequest{
		Source:   &discountv1.RedeemRequest_Coupon{Coupon: c.GetName()},
		Customer: &discountv1.Customer{Id: "alice"},
		Order:    &discountv1.Order{CurrencyCode: "EUR", Lines: []*discountv1.OrderLine{{UnitAmountMinor: 5_000, Quantity: 1}}},
	}
}

// must makes a call that succeeds.
func must(t *testing.T, s *harness.Service, o operation, id string) *discountv1.Redemption {
	t.Helper()
	r, err := o.call(harness.Within(t), s, id)
	if err != nil {
		t.Fatalf("%s by request %s: %v", o.Kind, id, err)
	}
	return r
}

// reply is what one of several callers was told.
type reply struct {
	redemption *discountv1.Redemption
	err        error
}

// atOnce makes n calls at the same moment, through all services in turn.
func atOnce(t *testing.T, through []*harness.Service, n int, call func(ctx context.Context, s *harness.Service, i int) (*discountv1.Redemption, error)) []reply {
	t.Helper()
	replies := make([]reply, n)
	ctx, cancel := context.WithTimeout(t.Context(), 2*harness.Patience)
	defer cancel()
	var ready, done sync.WaitGroup
	ready.Add(n)
	for i := range n {
		done.Go(func() {
			ready.Done()
			ready.Wait()
			replies[i].redemption, replies[i].err = call(ctx, through[i%len(through)], i)
		})
	}
	done.Wait()
	return replies
}

func TestFault01ThousandClientsWantTheLastUseAndOneGetsIt(t *testing.T) {
	t.Parallel()
	through := services(harness.StartProcesses(t, servers, redistest.Fresh(t, privateredis.Config{}).URL()))
	for round := range harness.Torture(3, 100) {
		c := newCoupon(t, through[0], 1)
		replies := atOnce(t, through, 1_000, func(ctx context.Context, s *harness.Service, i int) (*discountv1.Redemption, error) {
			return redemption(buying(c)).call(ctx, s, fmt.Sprint("client-", i))
		})
		var won []string
		for _, r := range replies {
			if r.err == nil {
				won = append(won, r.redemption.GetName())
			} else if why := reasons(r.err); len(why) != 1 || why[0] != discountv1.IneligibilityReason_INELIGIBILITY_REASON_COUPON_MAX_REDEMPTIONS_REACHED {
				t.Fatalf("a loser was told: %v", r.err)
			}
		}
		if ledger := through[0].WantAuditClean(t, c.GetName()); len(won) != 1 || len(ledger) != 1 || ledger[0].GetName() != won[0] {
			t.Fatalf("round %d: %q won, and the ledger is %v", round, won, ledger)
		}
	}
}

// sequence is one call of each kind: on what the ones before have made.
func sequence(t *testing.T, s *harness.Service, c *discountv1.Coupon, make func(operation) *discountv1.Redemption) {
	t.Helper()
	part := int64(200)
	bought := make(redemption(buying(c)))
	make(voidOf(bought.GetName(), &part))
	make(voidOf(bought.GetName(), nil))
	make(commitOf(make(reservation(buying(c), time.Hour)).GetName(), &part))
	make(releaseOf(make(reservation(buying(c), time.Hour)).GetName()))
	if ledger := s.WantAuditClean(t, c.GetName()); len(ledger) != 3 || counted(ledger) != 1 {
		t.Errorf("the ledger is %v, want one voided, one committed for less, one released", ledger)
	}
}

func TestFault02P3OneRequestSentTwoHundredTimesHasOneEffect(t *testing.T) {
	t.Parallel()
	through := services(harness.StartProcesses(t, servers, redistest.Fresh(t, privateredis.Config{}).URL()))
	c, n := newCoupon(t, through[0], 0), 0
	sequence(t, through[0], c, func(o operation) *discountv1.Redemption {
		n++
		replies := atOnce(t, through, 200, func(ctx context.Context, s *harness.Service, _ int) (*discountv1.Redemption, error) {
			return o.call(ctx, s, fmt.Sprint("request-", n))
		})
		for _, r := range replies {
			if r.err != nil {
				t.Fatalf("%s: %v", o.Kind, r.err)
			}
			wantEqual(t, "a reply to "+string(o.Kind), replies[0].redemption, r.redemption)
		}
		return replies[0].redemption
	})
}

// throughLink starts a server whose Redis is behind a network that can be harmed.
func throughLink(t *testing.T) (*harness.Service, *redistest.Link) {
	t.Helper()
	link := redistest.Proxy(t, redistest.Fresh(t, privateredis.Config{}).Addr())
	return harness.StartProcesses(t, 1, "redis://"+link.Addr())[0].Service, link
}

func TestFault03P3ReplyLostAfterExecutionIsFoundByTheRetry(t *testing.T) {
	t.Parallel()
	s, link := throughLink(t)
	cuts := 0
	loadScripts(t, s)
	for cuts < harness.Torture(50, 1_000) {
		sequence(t, s, newCoupon(t, s, 0), func(o operation) *discountv1.Redemption {
			cuts++
			id := fmt.Sprint("request-", cuts)
			before := link.Cuts()
			// Only the script that writes is told the request id in full. The service
			// asks again by itself: one cut would not reach the caller.
			link.CutReplies(1_000, redistest.Containing(id))
			_, err := o.call(harness.Within(t), s, id)
			link.Heal()
			if link.Cuts() == before {
				t.Fatalf("no reply to %s was cut", o.Kind)
			}
			wantUnknown(t, err)
			first, second := must(t, s, o, id), must(t, s, o, id)
			wantEqual(t, "the second reply to "+string(o.Kind), first, second)
			return first
		})
	}
}

// loadScripts has Redis know every script, so that a reply that is cut is that of an
// execution.
func loadScripts(t *testing.T, s *harness.Service) {
	t.Helper()
	n := 0
	sequence(t, s, newCoupon(t, s, 0), func(o operation) *discountv1.Redemption {
		n++
		return must(t, s, o, fmt.Sprint("loading-", n))
	})
}

// wantUnknown checks that a caller is told that the outcome is not known, and to ask
// again.
func wantUnknown(t *testing.T, err error) {
	t.Helper()
	var reason string
	retry := false
	for _, d := range status.Convert(err).Details() {
		switch d := d.(type) {
		case *errdetails.ErrorInfo:
			reason = d.GetReason()
		case *errdetails.RetryInfo:
			retry = true
		}
	}
	if status.Code(err) != codes.Unavailable || reason != "OUTCOME_UNKNOWN" || !retry {
		t.Errorf("got %v with reason %q, want UNAVAILABLE as OUTCOME_UNKNOWN and a time to try again", err, reason)
	}
}

func TestFault04P3WinnerOfTheLastUseTriesAgain(t *testing.T) {
	t.Parallel()
	s, link := throughLink(t)
	loadScripts(t, s)
	for round := range harness.Torture(10, 1_000) {
		c := newCoupon(t, s, 1)
		winner, other := redemption(buying(c)), redemption(buying(c))
		if round%2 == 0 {
			// The winner does not know that it has won.
			link.CutReplies(1_000, redistest.Containing("winner"))
			_, err := winner.call(harness.Within(t), s, "winner")
			link.Heal()
			wantUnknown(t, err)
		} else {
			must(t, s, winner, "winner")
		}
		_, err := other.call(harness.Within(t), s, "other")
		if why := reasons(err); len(why) != 1 || why[0] != discountv1.IneligibilityReason_INELIGIBILITY_REASON_COUPON_MAX_REDEMPTIONS_REACHED {
			t.Fatalf("the next client was told: %v", err)
		}
		again := must(t, s, winner, "winner")
		if ledger := s.WantAuditClean(t, c.GetName()); len(ledger) != 1 || ledger[0].GetName() != again.GetName() {
			t.Fatalf("the winner got %s and the ledger is %v", again.GetName(), ledger)
		}
	}
}
