// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package acceptance

import (
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"

	discountv1 "github.com/discountd/discountd/gen/discount/v1"
	"github.com/discountd/discountd/internal/privateredis"
	"github.com/discountd/discountd/internal/redistest"
)

const (
	servers = 3
	callers = 500
	limit   = 50
)

// answer is what one of many callers was told.
type answer struct {
	redemption *discountv1.Redemption
	err        error
}

// atOnce sends all requests at the same moment, in turn through the given
// servers, and returns the answers in the order of the requests.
func atOnce(t *testing.T, through []*service, requests []*discountv1.RedeemRequest) []answer {
	t.Helper()
	answers := make([]answer, len(requests))
	ctx := within(t)
	var ready, done sync.WaitGroup
	ready.Add(len(requests))
	for i, r := range requests {
		done.Go(func() {
			ready.Done()
			ready.Wait()
			got, err := through[i%len(through)].Redeem(ctx, r)
			answers[i] = answer{got.GetRedemption(), err}
		})
	}
	done.Wait()
	return answers
}

// wantShared checks that want of the answers are different redemptions of c, each
// of them in the ledger and nothing else, and that all others were refused for the
// given reason alone. It returns the redemptions.
func wantShared(t *testing.T, s *service, c *discountv1.Coupon, answers []answer, want int, reason discountv1.IneligibilityReason) []*discountv1.Redemption {
	t.Helper()
	acknowledged := map[string]*discountv1.Redemption{}
	refused := 0
	for _, a := range answers {
		if a.err == nil {
			if again := acknowledged[a.redemption.GetName()]; again != nil {
				t.Errorf("%s was given to two callers", again.GetName())
			}
			acknowledged[a.redemption.GetName()] = a.redemption
			continue
		}
		if status.Code(a.err) != codes.FailedPrecondition {
			t.Fatalf("a caller got: %v", a.err)
		}
		why := detail[*discountv1.RedemptionRefused](t, a.err).GetIneligibilities()
		if len(why) != 1 || why[0].GetReason() != reason {
			t.Fatalf("a caller was refused for %v, want %v", why, reason)
		}
		refused++
	}
	if len(acknowledged) != want || refused != len(answers)-want {
		t.Errorf("%d were redeemed and %d refused, want %d and %d", len(acknowledged), refused, want, len(answers)-want)
	}
	s.wantUsed(t, c, want)
	ledger := s.ledger(t, &discountv1.ListRedemptionsRequest{Parent: c.GetName()})
	for _, r := range ledger {
		if diff := cmp.Diff(acknowledged[r.GetName()], r, protocmp.Transform()); diff != "" {
			t.Errorf("the ledger differs from what the caller was told (-told +ledger):\n%s", diff)
		}
	}
	return ledger
}

// wantCounters compares what promotion codes and their coupon's ledger say about
// how often each was redeemed.
func wantCounters(t *testing.T, s *service, ledger []*discountv1.Redemption, codes ...*discountv1.PromotionCode) {
	t.Helper()
	used := map[string]int64{}
	for _, r := range ledger {
		used[r.GetPromotionCode()]++
	}
	for _, p := range codes {
		got, err := s.GetPromotionCode(within(t), &discountv1.GetPromotionCodeRequest{Name: p.GetName()})
		if err != nil {
			t.Fatal(err)
		}
		if n := got.GetPromotionCode().GetTimesRedeemed(); n != used[p.GetName()] {
			t.Errorf("%s says that it was redeemed %d times and the ledger %d", p.GetCode(), n, used[p.GetName()])
		}
	}
}

func TestFiveHundredCallersOnALimitOfFiftyThroughThreeServers(t *testing.T) {
	t.Parallel()
	through := startProcesses(t, servers, redistest.Fresh(t, privateredis.Config{}))
	s := through[0]
	for _, p := range through { // so that no caller pays for connecting
		s.wantSame(t, p)
	}

	t.Run("on the code", func(t *testing.T) {
		c := s.coupon(t, percentOff(10))
		p := s.code(t, c, coded("FIFTY", codeLimit(limit)))
		other := s.code(t, c, coded("WITHOUT-LIMIT"))
		var requests []*discountv1.RedeemRequest
		for range callers {
			requests = append(requests, purchase(typing("fifty"), paying(1_000, "EUR")))
		}
		ledger := wantShared(t, s, c, atOnce(t, through, requests), limit, codeUsedUp)
		wantCounters(t, s, ledger, p, other)
	})
	t.Run("on the coupon, applied directly", func(t *testing.T) {
		c := s.coupon(t, percentOff(10, couponLimit(limit)))
		var requests []*discountv1.RedeemRequest
		for range callers {
			requests = append(requests, purchase(applying(c), paying(1_000, "EUR")))
		}
		wantShared(t, s, c, atOnce(t, through, requests), limit, couponUsedUp)
	})
	t.Run("on the coupon, over several codes", func(t *testing.T) {
		c := s.coupon(t, percentOff(10, couponLimit(limit)))
		var all []*discountv1.PromotionCode
		for i := range 7 {
			all = append(all, s.code(t, c, coded(fmt.Sprintf("SHARE-%d", i))))
		}
		var requests []*discountv1.RedeemRequest
		for i := range callers {
			requests = append(requests, purchase(typing(all[i%len(all)].GetCode())))
		}
		ledger := wantShared(t, s, c, atOnce(t, through, requests), limit, couponUsedUp)
		wantCounters(t, s, ledger, all...)
	})
	t.Run("per customer", func(t *testing.T) {
		const each, customers = 5, limit / 5
		c := s.coupon(t, percentOff(10, couponLimitPerCustomer(each)))
		p := s.code(t, c, coded("FIVE-EACH"))
		var requests []*discountv1.RedeemRequest
		for i := range callers {
			requests = append(requests, purchase(typing("FIVE-EACH"), by(fmt.Sprintf("customer-%d", i%customers))))
		}
		ledger := wantShared(t, s, c, atOnce(t, through, requests), limit, customerUsedUp)
		wantCounters(t, s, ledger, p)
		used := map[string]int{}
		for _, r := range ledger {
			used[r.GetCustomerId()]++
		}
		for who, n := range used {
			if n != each {
				t.Errorf("%s redeemed %d times, want %d", who, n, each)
			}
		}
	})
	t.Run("per customer of one code, known by e-mail address", func(t *testing.T) {
		c := s.coupon(t, percentOff(10))
		p := s.code(t, c, coded("ONE-OF-FIFTY", codeLimitPerCustomer(1)))
		var requests []*discountv1.RedeemRequest
		for i := range callers {
			requests = append(requests, purchase(typing("ONE-OF-FIFTY"), byEmail(fmt.Sprintf("customer-%d@example.com", i%limit))))
		}
		ledger := wantShared(t, s, c, atOnce(t, through, requests), limit, customerUsedUp)
		wantCounters(t, s, ledger, p)
	})
	t.Run("one request sent two hundred times", func(t *testing.T) {
		c := s.coupon(t, percentOff(10, couponLimit(limit)))
		p := s.code(t, c, coded("ONCE-IS-ENOUGH"))
		r := purchase(typing("ONCE-IS-ENOUGH"), by("alice"), paying(1_000, "EUR"))
		wantOneEffect(t, s, c, atOnce(t, through, repeated(200, r)))
		wantCounters(t, s, s.ledger(t, &discountv1.ListRedemptionsRequest{Parent: c.GetName()}), p)
	})
	t.Run("one code wanted by two hundred", func(t *testing.T) {
		c := s.coupon(t, percentOff(10))
		wantOneCode(t, through, c)
	})
}

// repeated is one request many times.
func repeated(n int, r *discountv1.RedeemRequest) []*discountv1.RedeemRequest {
	all := make([]*discountv1.RedeemRequest, n)
	for i := range all {
		all[i] = r
	}
	return all
}

// wantOneEffect checks that all answers are the one redemption of c.
func wantOneEffect(t *testing.T, s *service, c *discountv1.Coupon, answers []answer) {
	t.Helper()
	for i, a := range answers {
		if a.err != nil {
			t.Fatalf("caller %d got: %v", i, a.err)
		}
		if diff := cmp.Diff(answers[0].redemption, a.redemption, protocmp.Transform()); diff != "" {
			t.Fatalf("caller %d got another answer (-first +this):\n%s", i, diff)
		}
	}
	s.wantUsed(t, c, 1)
}

// wantOneCode creates one promotion code for everyone by many requests of their
// own at once: one of them is granted, and all others are told who holds the code.
func wantOneCode(t *testing.T, through []*service, c *discountv1.Coupon) {
	t.Helper()
	const creators = 200
	created := make([]*discountv1.PromotionCode, creators)
	errs := make([]error, creators)
	ctx := within(t)
	var done sync.WaitGroup
	for i := range creators {
		done.Go(func() {
			got, err := through[i%len(through)].CreatePromotionCode(ctx, &discountv1.CreatePromotionCodeRequest{
				Parent: c.GetName(), PromotionCode: coded("MINE"), RequestId: fmt.Sprintf("create-%d", i),
			})
			created[i], errs[i] = got.GetPromotionCode(), err
		})
	}
	done.Wait()
	var winner *discountv1.PromotionCode
	for _, p := range created {
		if p == nil {
			continue
		}
		if winner != nil {
			t.Errorf("%s and %s both hold the code", winner.GetName(), p.GetName())
		}
		winner = p
	}
	if winner == nil {
		t.Fatalf("nobody holds the code; the first was told: %v", errs[0])
	}
	for _, err := range errs {
		switch status.Code(err) {
		case codes.OK, codes.Aborted: // the race itself may be lost
		default:
			wantHeldBy(t, err, winner)
		}
	}
	got := through[0].codes(t, &discountv1.ListPromotionCodesRequest{Parent: c.GetName()})
	wantNames(t, "what the losers left", got, winner.GetName())
}
