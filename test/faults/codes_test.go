// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	discountv1 "github.com/discountd/discountd/gen/discount/v1"
	"github.com/discountd/discountd/internal/privateredis"
	"github.com/discountd/discountd/internal/redistest"
	"github.com/discountd/discountd/test/internal/harness"
)

// typing redeems a code.
func typing(code string) *discountv1.RedeemRequest {
	return &discountv1.RedeemRequest{
		Source: &discountv1.RedeemRequest_Code{Code: code},
		Order:  &discountv1.Order{CurrencyCode: "EUR", Lines: []*discountv1.OrderLine{{UnitAmountMinor: 5_000, Quantity: 1}}},
	}
}

// taker wants a code for its own coupon, has it for a moment, and gives it up.
type taker struct {
	t      *testing.T
	s      *harness.Service
	id     int
	coupon *discountv1.Coupon
	code   string
	// active is how many takers have been told that the code is theirs and have not
	// begun to give it up.
	active *atomic.Int64
	owned  int
}

// own is what a taker does while the code is certainly its own: for as long, no
// other may have it, and whoever redeems the code redeems this one.
func (k *taker) own(p *discountv1.PromotionCode) {
	k.owned++
	if n := k.active.Add(1); n != 1 {
		k.t.Errorf("%d promotion codes with one code are active", n)
	}
	defer k.active.Add(-1)
	for {
		got, err := redemption(typing(k.code)).call(harness.Within(k.t), k.s, fmt.Sprintf("%d/%d", k.id, k.owned))
		if status.Code(err) == codes.Aborted {
			continue // others keep trying for the code
		}
		if err != nil || got.GetPromotionCode() != p.GetName() {
			k.t.Errorf("%s led to %s while %s held it: %v", k.code, got.GetPromotionCode(), p.GetName(), err)
		}
		return
	}
}

// lost reports whether an error is one of those that a race for a code may end in.
func lost(err error) bool {
	return status.Code(err) == codes.AlreadyExists || status.Code(err) == codes.Aborted
}

// round creates a promotion code or takes up the one it has, and in the end gives it
// up by deactivation or deletion. It returns what it can take up next.
func (k *taker) round(p *discountv1.PromotionCode, deletes bool) *discountv1.PromotionCode {
	ctx := harness.Within(k.t)
	var err error
	if p == nil {
		var created *discountv1.CreatePromotionCodeResponse
		created, err = k.s.CreatePromotionCode(ctx, &discountv1.CreatePromotionCodeRequest{
			Parent: k.coupon.GetName(), PromotionCode: &discountv1.PromotionCode{Code: k.code},
		})
		p = created.GetPromotionCode()
	} else {
		_, err = k.s.ActivatePromotionCode(ctx, &discountv1.ActivatePromotionCodeRequest{Name: p.GetName()})
	}
	if err != nil {
		if !lost(err) {
			k.t.Errorf("taking the code: %v", err)
		}
		return p
	}
	k.own(p)
	for {
		if deletes {
			_, err = k.s.DeletePromotionCode(ctx, &discountv1.DeletePromotionCodeRequest{Name: p.GetName()})
		} else {
			_, err = k.s.DeactivatePromotionCode(ctx, &discountv1.DeactivatePromotionCodeRequest{Name: p.GetName()})
		}
		if err == nil {
			break
		}
		if status.Code(err) != codes.Aborted {
			k.t.Errorf("giving the code up: %v", err)
			return nil
		}
	}
	if deletes {
		return nil
	}
	return p
}

func TestFault13P5StormOnOneCodeHasOneOwnerAtATime(t *testing.T) {
	t.Parallel()
	through := services(harness.StartProcesses(t, servers, redistest.Fresh(t, privateredis.Config{}).URL()))
	const takers = 6
	var active atomic.Int64
	var running sync.WaitGroup
	all := make([]*taker, takers)
	for i := range all {
		s := through[i%servers]
		all[i] = &taker{t: t, s: s, id: i, coupon: newCoupon(t, s, 0), code: "WANTED", active: &active}
	}
	for _, k := range all {
		running.Go(func() {
			var p *discountv1.PromotionCode
			for round := range harness.Torture(60, 3_000) {
				p = k.round(p, round%5 == 4)
			}
		})
	}
	running.Wait()
	owned := 0
	for _, k := range all {
		owned += k.owned
		if used := len(k.s.WantAuditClean(t, k.coupon.GetName())); used != k.owned {
			t.Errorf("%d redemptions on a coupon whose code was owned %d times", used, k.owned)
		}
	}
	t.Logf("the code had an owner %d times", owned)
	if owned < takers {
		t.Errorf("the code had an owner %d times only", owned)
	}
	// Nobody has it now, and nothing of the storm keeps others from it.
	if p := all[0].round(nil, false); p == nil {
		t.Error("the code cannot be had after the storm")
	}
}

func TestFault14NothingIsRedeemedOnceADeactivationIsAcknowledged(t *testing.T) {
	t.Parallel()
	through := services(harness.StartProcesses(t, servers, redistest.Fresh(t, privateredis.Config{}).URL()))
	c := newCoupon(t, through[0], 0)
	for round := range harness.Torture(10, 500) {
		code := fmt.Sprintf("ROUND-%d", round)
		created, err := through[round%servers].CreatePromotionCode(harness.Within(t), &discountv1.CreatePromotionCodeRequest{
			Parent: c.GetName(), PromotionCode: &discountv1.PromotionCode{Code: code},
		})
		if err != nil {
			t.Fatal(err)
		}
		p := created.GetPromotionCode()
		var over atomic.Bool
		var redeemed, late atomic.Int64
		var running sync.WaitGroup
		for i := range clients {
			running.Go(func() {
				s := through[i%servers]
				for n, refusals := 0, 0; refusals < 3; n++ {
					wasOver := over.Load() // before the call begins
					purchase := typing(code)
					if i%2 == 0 {
						purchase.Source = &discountv1.RedeemRequest_PromotionCode{PromotionCode: p.GetName()}
					}
					_, err := redemption(purchase).call(harness.Within(t), s, fmt.Sprintf("%d/%d/%d", round, i, n))
					switch {
					case err == nil && wasOver:
						late.Add(1)
						return
					case err == nil:
						redeemed.Add(1)
					case len(reasons(err)) > 0:
						refusals++
					case status.Code(err) != codes.Aborted:
						t.Errorf("redeem: %v", err)
						return
					}
				}
			})
		}
		harness.Await(t, harness.Patience, "redemptions", func(context.Context) bool { return redeemed.Load() >= clients })
		for {
			_, err := through[(round+1)%servers].DeactivatePromotionCode(harness.Within(t), &discountv1.DeactivatePromotionCodeRequest{Name: p.GetName()})
			if err == nil {
				break
			}
			if status.Code(err) != codes.Aborted {
				t.Fatal(err)
			}
		}
		over.Store(true)
		running.Wait()
		if n := late.Load(); n > 0 {
			t.Errorf("round %d: %d redemptions began after the deactivation was acknowledged", round, n)
		}
	}
	through[0].WantAuditClean(t, c.GetName())
}
