// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package acceptance

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"

	discountv1 "github.com/discountd/discountd/gen/discount/v1"
	"github.com/discountd/discountd/internal/privateredis"
	"github.com/discountd/discountd/internal/redistest"
	"github.com/discountd/discountd/test/internal/harness"
)

// short is the deadline of calls to a store that does not answer.
const short = 400 * time.Millisecond

// tardy is how much later than its deadline a call may come back on a machine that
// is busy with other tests.
const tardy = 5 * time.Second

// redeemShortly redeems with a short deadline and checks that it is kept.
func (s *service) redeemShortly(t *testing.T, r *discountv1.RedeemRequest) (*discountv1.Redemption, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), short)
	defer cancel()
	begin := time.Now()
	answer, err := s.Redeem(ctx, r)
	if took := time.Since(begin); took > short+tardy {
		t.Errorf("a call with a deadline of %s took %s", short, took)
	}
	return answer.GetRedemption(), err
}

// wantUnavailable checks an error for its reason and for when to try again.
func wantUnavailable(t *testing.T, err error, reason string) {
	t.Helper()
	wantError(t, err, codes.Unavailable, reason)
	if wait := detail[*errdetails.RetryInfo](t, err).GetRetryDelay().AsDuration(); wait <= 0 || wait > time.Minute {
		t.Errorf("the caller is told to wait %s", wait)
	}
}

func TestDeadRedisIsUnavailableAndRecoversByItself(t *testing.T) {
	t.Parallel()
	redis := redistest.Fresh(t, privateredis.Config{AppendFsync: "always"})
	s := startProcesses(t, 1, redis)[0]
	c := s.coupon(t, percentOff(10, couponLimit(3)))
	first := purchase(applying(c))
	before := s.redeems(t, first)

	if err := redis.Kill(); err != nil {
		t.Fatal(err)
	}
	second := purchase(applying(c))
	// The connections that were open may have taken the first calls along; from
	// then on the service knows.
	harness.Await(t, harness.Patience, "a call that certainly was not executed", func(context.Context) bool {
		_, err := s.redeemShortly(t, second)
		if status.Code(err) != codes.Unavailable {
			t.Fatalf("with a dead Redis: %v", err)
		}
		return detail[*errdetails.ErrorInfo](t, err).GetReason() == "STORE_UNAVAILABLE"
	})
	_, err := s.redeemShortly(t, second)
	wantUnavailable(t, err, "STORE_UNAVAILABLE")
	_, err = s.GetCoupon(within(t), &discountv1.GetCouponRequest{Name: c.GetName()})
	wantUnavailable(t, err, "STORE_UNAVAILABLE")
	_, err = s.ValidateCode(within(t), validation(second))
	wantUnavailable(t, err, "STORE_UNAVAILABLE")
	s.AwaitHealth(t, healthpb.HealthCheckResponse_NOT_SERVING)

	if err := redis.Restart(within(t)); err != nil {
		t.Fatal(err)
	}
	s.AwaitHealth(t, healthpb.HealthCheckResponse_SERVING)
	s.redeems(t, second)
	again, err := s.Redeem(within(t), first)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, again.GetRedemption(), protocmp.Transform()); diff != "" {
		t.Errorf("what was redeemed before the outage is another afterwards (-before +after):\n%s", diff)
	}
	s.wantUsed(t, c, 2)
}

func TestRedisThatHangsKeepsNobodyWaitingBeyondTheDeadline(t *testing.T) {
	t.Parallel()
	redis := redistest.Fresh(t, privateredis.Config{})
	s := startProcesses(t, 1, redis)[0]
	c := s.coupon(t, percentOff(10, couponLimit(2)))
	s.redeems(t, purchase(applying(c)))

	if err := redis.Pause(); err != nil {
		t.Fatal(err)
	}
	r := purchase(applying(c))
	for range 3 {
		_, err := s.redeemShortly(t, r)
		if code := status.Code(err); code != codes.DeadlineExceeded && code != codes.Unavailable {
			t.Errorf("with a Redis that hangs: %v", err)
		}
	}
	s.AwaitHealth(t, healthpb.HealthCheckResponse_NOT_SERVING)

	if err := redis.Resume(); err != nil {
		t.Fatal(err)
	}
	s.AwaitHealth(t, healthpb.HealthCheckResponse_SERVING)
	// What was sent while Redis hung may have run since; the id makes it one.
	if _, err := s.Redeem(within(t), r); err != nil {
		t.Errorf("the retry: %v", err)
	}
	s.wantUsed(t, c, 2)
}

func TestRedisThatComesBackEmptyIsNotServedFrom(t *testing.T) {
	t.Parallel()
	redis := redistest.Fresh(t, privateredis.Config{}) // keeps nothing
	s := startProcesses(t, 1, redis)[0]
	c := s.coupon(t, percentOff(10, couponLimit(1)))
	s.redeems(t, purchase(applying(c)))

	if err := redis.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := redis.Restart(within(t)); err != nil {
		t.Fatal(err)
	}
	s.AwaitHealth(t, healthpb.HealthCheckResponse_NOT_SERVING)
	_, err := s.Redeem(within(t), purchase(applying(c)))
	wantUnavailable(t, err, "STORE_UNAVAILABLE")
}

// throughLink starts a server whose Redis is behind a network that can be harmed.
func throughLink(t *testing.T) (*service, *redistest.Link) {
	t.Helper()
	link := redistest.Proxy(t, redistest.Server(t).Addr())
	return startOn(t, redistest.ClientAt(t, link.Addr()), redistest.Prefix(t)), link
}

func TestReplyThatIsLostOnceIsAskedForAgain(t *testing.T) {
	t.Parallel()
	s, link := throughLink(t)
	c := s.coupon(t, percentOff(10))
	p := s.code(t, c, coded("CODE", codeLimit(5)))
	for n := range 5 {
		r := purchase(typing("CODE"), by("alice"))
		// Only the script that redeems is told the request id in full.
		link.CutReplies(1, redistest.Containing(r.GetRequestId()))
		s.redeems(t, r)
		if link.Cuts() != n+1 {
			t.Fatalf("%d replies were cut, want %d", link.Cuts(), n+1)
		}
	}
	// The last slot was taken by a try whose caller was not told.
	s.wantUsed(t, c, 5)
	s.wantStatus(t, p, exhausted)
}

func TestReplyThatIsLostForGoodLeavesTheOutcomeUnknownUntilTheRetry(t *testing.T) {
	t.Parallel()
	for what, cut := range map[string]struct {
		harm     func(*redistest.Link, redistest.Request)
		executed bool
	}{
		"after the execution":  {func(l *redistest.Link, r redistest.Request) { l.CutReplies(100, r) }, true},
		"before the execution": {func(l *redistest.Link, r redistest.Request) { l.CutRequests(100, r) }, false},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			s, link := throughLink(t)
			c := s.coupon(t, percentOff(10, couponLimit(1)))
			s.code(t, c, coded("CODE"))
			r := purchase(typing("CODE"), by("alice"), paying(1_000, "EUR"))

			cut.harm(link, redistest.Containing(r.GetRequestId()))
			_, err := s.Redeem(within(t), r)
			wantUnavailable(t, err, "OUTCOME_UNKNOWN")
			if used := len(s.ledger(t, &discountv1.ListRedemptionsRequest{Parent: c.GetName()})); (used == 1) != cut.executed {
				t.Errorf("there are %d redemptions", used)
			}

			link.Heal()
			answer, err := s.Redeem(within(t), r)
			if err != nil {
				t.Fatalf("the retry: %v", err)
			}
			if got := answer.GetRedemption(); got.GetRequestId() != r.GetRequestId() || got.GetDiscount().GetTotalAmountMinor() != 100 {
				t.Errorf("the retry returned %v", got)
			}
			s.wantUsed(t, c, 1)
			s.refuses(t, purchase(typing("CODE")), couponUsedUp)
		})
	}
}

func TestCreationWhoseReplyIsLostIsFinishedByTheRetry(t *testing.T) {
	t.Parallel()
	s, link := throughLink(t)
	c := s.coupon(t, percentOff(10))
	create := &discountv1.CreatePromotionCodeRequest{Parent: c.GetName(), PromotionCode: coded("Lost-Reply"), RequestId: "create-once"}

	// Every command that names the code in its normal form fails: the claim.
	link.CutReplies(100, redistest.Containing("LOST-REPLY"))
	_, err := s.CreatePromotionCode(within(t), create)
	wantUnavailable(t, err, "OUTCOME_UNKNOWN")

	link.Heal()
	first, err := s.CreatePromotionCode(within(t), create)
	if err != nil {
		t.Fatalf("the retry: %v", err)
	}
	p := first.GetPromotionCode()
	s.wantStatus(t, p, active)
	s.redeems(t, purchase(typing("lost-reply")))
	wantNames(t, "promotion codes", s.codes(t, &discountv1.ListPromotionCodesRequest{Parent: c.GetName(), ShowDeleted: true}), p.GetName())
}

func TestDeadlineThatPassesIsTold(t *testing.T) {
	t.Parallel()
	s, link := throughLink(t)
	c := s.coupon(t, percentOff(10))
	r := purchase(applying(c))
	link.Freeze()
	_, err := s.redeemShortly(t, r)
	if status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("got %v, want DEADLINE_EXCEEDED", err)
	}
	link.Thaw()
	if _, err := s.Redeem(within(t), r); err != nil {
		t.Errorf("the retry: %v", err)
	}
	s.wantUsed(t, c, 1)
}
