// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	discountv1 "github.com/discountd/discountd/gen/discount/v1"
	"github.com/discountd/discountd/internal/privateredis"
	"github.com/discountd/discountd/internal/redistest"
	"github.com/discountd/discountd/test/internal/harness"
)

// tardy is how much later than its deadline a call may come back on a machine that
// is busy with other tests.
const tardy = 2 * time.Second

// TestFault07P12RedisStopsAndGoesOn stops Redis under load; what was sent to it runs
// when it goes on.
func TestFault07P12RedisStopsAndGoesOn(t *testing.T) {
	t.Parallel()
	redis := redistest.Fresh(t, privateredis.Config{})
	through := services(harness.StartProcesses(t, servers, redis.URL()))
	l := startLoad(t, through, loadConfig{clients: clients, deadline: 400 * time.Millisecond, tardy: tardy})
	stopped := harness.Torture(2*time.Second, 10*time.Second)
	for range harness.Torture(1, 10) {
		l.awaitMore(50)
		if err := redis.Pause(); err != nil {
			t.Fatal(err)
		}
		l.awaitTries(stopped)
		if err := redis.Resume(); err != nil {
			t.Fatal(err)
		}
		wantRecovery(t, time.Now(), through...)
	}
	l.awaitMore(50)
	l.verify()
}

// awaitTries lets the clients try for a time.
func (l *load) awaitTries(d time.Duration) {
	l.t.Helper()
	end := time.Now().Add(d)
	harness.Await(l.t, d+harness.Patience, "the end of the fault", func(context.Context) bool { return time.Now().After(end) })
}

// TestFault08ScriptsFlushedUnderLoad has Redis forget its scripts every 50 ms.
func TestFault08ScriptsFlushedUnderLoad(t *testing.T) {
	t.Parallel()
	store := redistest.Fresh(t, privateredis.Config{})
	through := services(harness.StartProcesses(t, servers, store.URL()))
	client := redistest.Client(t, store)
	l := startLoad(t, through, loadConfig{clients: clients, deadline: harness.Patience, faultless: true})
	flushes, ended := 0, time.Now().Add(harness.Torture(3*time.Second, time.Minute))
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for time.Now().Before(ended) {
		<-tick.C
		if err := client.ScriptFlush(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		flushes++
	}
	t.Logf("flushed %d times, %d calls acknowledged", flushes, l.done.Load())
	l.verify()
}

// kept is every key of a Redis with its content.
func kept(t *testing.T, client *redis.Client) map[string]string {
	t.Helper()
	all := map[string]string{}
	keys := client.Scan(t.Context(), 0, "*", 1_000).Iterator()
	for keys.Next(t.Context()) {
		content, err := client.Dump(t.Context(), keys.Val()).Result()
		if err != nil {
			t.Fatal(err)
		}
		all[keys.Val()] = content
	}
	if err := keys.Err(); err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Fatal("there are no keys")
	}
	return all
}

// anyCall is a call whose answer does not matter, only its error.
type anyCall func(context.Context) error

// settled are a coupon and what calls can be made on.
type settled struct {
	coupon     *discountv1.Coupon
	code       *discountv1.PromotionCode
	hold, used string
}

// writes is one call of every RPC that writes.
func writes(s *harness.Service, on settled) map[string]anyCall {
	mask := &fieldmaskpb.FieldMask{Paths: []string{"metadata"}}
	notes := map[string]string{"note": "x"}
	calls := map[string]anyCall{
		"CreateCoupon": func(ctx context.Context) error {
			_, err := s.CreateCoupon(ctx, &discountv1.CreateCouponRequest{Coupon: &discountv1.Coupon{Discount: on.coupon.GetDiscount()}})
			return err
		},
		"UpdateCoupon": func(ctx context.Context) error {
			_, err := s.UpdateCoupon(ctx, &discountv1.UpdateCouponRequest{Coupon: &discountv1.Coupon{Name: on.coupon.GetName(), Metadata: notes}, UpdateMask: mask})
			return err
		},
		"CreatePromotionCode": func(ctx context.Context) error {
			_, err := s.CreatePromotionCode(ctx, &discountv1.CreatePromotionCodeRequest{Parent: on.coupon.GetName(), PromotionCode: &discountv1.PromotionCode{}})
			return err
		},
		"UpdatePromotionCode": func(ctx context.Context) error {
			_, err := s.UpdatePromotionCode(ctx, &discountv1.UpdatePromotionCodeRequest{
				PromotionCode: &discountv1.PromotionCode{Name: on.code.GetName(), Metadata: notes}, UpdateMask: mask,
			})
			return err
		},
		"DeactivatePromotionCode": func(ctx context.Context) error {
			_, err := s.DeactivatePromotionCode(ctx, &discountv1.DeactivatePromotionCodeRequest{Name: on.code.GetName()})
			return err
		},
		"DeletePromotionCode": func(ctx context.Context) error {
			_, err := s.DeletePromotionCode(ctx, &discountv1.DeletePromotionCodeRequest{Name: on.code.GetName()})
			return err
		},
		"DeleteCoupon": func(ctx context.Context) error {
			_, err := s.DeleteCoupon(ctx, &discountv1.DeleteCouponRequest{Name: on.coupon.GetName()})
			return err
		},
	}
	for _, o := range []operation{
		redemption(buying(on.coupon)), reservation(buying(on.coupon), time.Hour), commitOf(on.hold, nil), releaseOf(on.hold), voidOf(on.used, nil),
	} {
		calls["RedemptionService "+string(o.Kind)] = func(ctx context.Context) error {
			_, err := o.call(ctx, s, "write-"+string(o.Kind))
			return err
		}
	}
	return calls
}

// reads is one call of every RPC that reads.
func reads(s *harness.Service, on settled) map[string]anyCall {
	return map[string]anyCall{
		"GetCoupon": func(ctx context.Context) error {
			_, err := s.GetCoupon(ctx, &discountv1.GetCouponRequest{Name: on.coupon.GetName()})
			return err
		},
		"ListCoupons": func(ctx context.Context) error {
			_, err := s.ListCoupons(ctx, &discountv1.ListCouponsRequest{})
			return err
		},
		"GetPromotionCode": func(ctx context.Context) error {
			_, err := s.GetPromotionCode(ctx, &discountv1.GetPromotionCodeRequest{Name: on.code.GetName()})
			return err
		},
		"ListPromotionCodes": func(ctx context.Context) error {
			_, err := s.ListPromotionCodes(ctx, &discountv1.ListPromotionCodesRequest{Parent: "coupons/-", Code: on.code.GetCode()})
			return err
		},
		"ValidateCode": func(ctx context.Context) error {
			answer, err := s.ValidateCode(ctx, &discountv1.ValidateCodeRequest{
				Source: &discountv1.ValidateCodeRequest_Code{Code: on.code.GetCode()}, Order: buying(on.coupon).GetOrder(),
			})
			if err == nil && !answer.GetValid() {
				err = fmt.Errorf("not valid: %v", answer)
			}
			return err
		},
		"GetRedemption": func(ctx context.Context) error {
			_, err := s.GetRedemption(ctx, &discountv1.GetRedemptionRequest{Name: on.used})
			return err
		},
		"ListRedemptions": func(ctx context.Context) error {
			_, err := s.ListRedemptions(ctx, &discountv1.ListRedemptionsRequest{Parent: on.coupon.GetName()})
			return err
		},
	}
}

// newSettled makes something that every call can be made on.
func newSettled(t *testing.T, s *harness.Service, id string) settled {
	t.Helper()
	c := newCoupon(t, s, 10)
	code, err := s.CreatePromotionCode(harness.Within(t), &discountv1.CreatePromotionCodeRequest{
		Parent: c.GetName(), PromotionCode: &discountv1.PromotionCode{},
	})
	if err != nil {
		t.Fatal(err)
	}
	return settled{
		c, code.GetPromotionCode(),
		must(t, s, reservation(buying(c), time.Hour), id+"-hold").GetName(),
		must(t, s, redemption(buying(c)), id+"-used").GetName(),
	}
}

// wantNotExecuted checks that a caller is told that nothing was done.
func wantNotExecuted(t *testing.T, what string, err error) {
	t.Helper()
	if status.Code(err) != codes.Unavailable || !slices.ContainsFunc(status.Convert(err).Details(), func(d any) bool {
		info, ok := d.(*errdetails.ErrorInfo)
		return ok && info.GetReason() == "STORE_UNAVAILABLE"
	}) {
		t.Errorf("%s: %v, want UNAVAILABLE as STORE_UNAVAILABLE", what, err)
	}
}

// TestFault09RedisReachesItsMemoryLimit tries every call on a Redis that takes
// nothing more, and then fills one up under load.
func TestFault09RedisReachesItsMemoryLimit(t *testing.T) {
	t.Parallel()
	store := redistest.Fresh(t, privateredis.Config{})
	through := harness.StartProcesses(t, 1, store.URL())
	s, client := through[0].Service, redistest.Client(t, store)
	limitMemory := func(bytes string) {
		if err := client.ConfigSet(t.Context(), "maxmemory", bytes).Err(); err != nil {
			t.Fatal(err)
		}
	}
	on := newSettled(t, s, "nothing-free")
	// A call needs scripts that Redis may have to load first, or has by now.
	for _, scripts := range []string{"to load", "loaded"} {
		before := kept(t, client)
		limitMemory("1")
		for what, call := range writes(s, on) {
			wantNotExecuted(t, what+", scripts "+scripts, call(harness.Within(t)))
		}
		for what, call := range reads(s, on) {
			if err := call(harness.Within(t)); err != nil {
				t.Errorf("%s on a full Redis, scripts %s: %v", what, scripts, err)
			}
		}
		wantEqual(t, "what Redis keeps", before, kept(t, client))
		limitMemory("0")
		other := newSettled(t, s, scripts)
		for _, what := range []string{
			"CreateCoupon", "UpdateCoupon", "CreatePromotionCode", "UpdatePromotionCode",
			"RedemptionService redeem", "RedemptionService reserve", "RedemptionService commit", "RedemptionService void",
			"DeactivatePromotionCode", "DeletePromotionCode", "DeleteCoupon",
		} {
			if err := writes(s, other)[what](harness.Within(t)); err != nil {
				t.Errorf("%s with memory again: %v", what, err)
			}
		}
	}

	l := startLoad(t, services(through), loadConfig{clients: clients, deadline: 5 * time.Second})
	for range harness.Torture(3, 50) {
		l.awaitMore(30)
		used, err := client.InfoMap(t.Context(), "memory").Result()
		if err != nil {
			t.Fatal(err)
		}
		limitMemory(used["Memory"]["used_memory"]) // a little more or less than what is needed next
		harness.Await(t, harness.Patience, "a call that is refused for lack of memory", func(ctx context.Context) bool {
			_, err := s.CreateCoupon(ctx, &discountv1.CreateCouponRequest{Coupon: &discountv1.Coupon{
				Discount: on.coupon.GetDiscount(), Metadata: map[string]string{"fill": fmt.Sprintf("%0500d", 1)},
			}})
			return status.Code(err) == codes.Unavailable
		})
		limitMemory("0")
		wantRecovery(t, time.Now(), s)
	}
	l.awaitMore(30)
	l.verify()
}
