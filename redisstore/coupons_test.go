// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"errors"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/discountd/discountd/domain"
)

func TestCreatedCouponIsReadAsItWasGiven(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		c := percentOff("spring", limitedTo(50), limitedPerCustomerTo(2), func(c *domain.Coupon) {
			c.StartsAt, c.RedeemBy = epoch.Add(time.Hour), epoch.Add(48*time.Hour)
			c.Metadata = map[string]string{"team": "pricing", "quote": `"\u0000é` + "\u2028"}
		})
		v, err := e.CreateCoupon(e.ctx(), domain.CreateCoupon{Coupon: c})
		if err != nil {
			t.Fatal(err)
		}
		want := domain.CouponView{CouponSnapshot: domain.CouponSnapshot{Coupon: c, Version: 1}, Valid: true}
		want.CreateTime, want.UpdateTime = epoch, epoch
		for name, got := range map[string]domain.CouponView{"created": v, "read": e.coupon("spring")} {
			if diff := cmp.Diff(want, got, compareCodes); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
	})
}

func TestCouponWithoutAnIDGetsOne(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		a, b := e.createCoupon(percentOff("")), e.createCoupon(percentOff(""))
		if _, err := domain.ParseCouponID(string(a.ID)); err != nil || a.ID == b.ID {
			t.Errorf("generated %q and %q", a.ID, b.ID)
		}
	})
}

func TestUnknownCouponIsNotFound(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		_, get := e.Coupon(e.ctx(), "none")
		_, update := e.UpdateCoupon(e.ctx(), domain.UpdateCoupon{ID: "none", RequestID: "r"})
		_, remove := e.DeleteCoupon(e.ctx(), domain.DeleteCoupon{ID: "none", RequestID: "r"})
		_, redeem := e.Redeem(e.ctx(), new(byCoupon("r", "none")))
		_, validate := e.Validate(e.ctx(), new(byCoupon("r", "none").ValidateRequest))
		_, codes := e.PromotionCodes(e.ctx(), domain.PromotionCodeQuery{Coupon: "none", Page: domain.Page{Size: 1}})
		_, ledger := e.Redemptions(e.ctx(), domain.RedemptionQuery{Coupon: "none", Page: domain.Page{Size: 1}})
		for name, err := range map[string]error{
			"get": get, "update": update, "delete": remove, "redeem": redeem, "validate": validate, "codes": codes, "ledger": ledger,
		} {
			if !isError[*domain.NotFoundError](err) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func TestCouponIDIsTakenForGood(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a"))
		again := func() {
			e.clock.Advance(time.Second)
			_, err := e.CreateCoupon(e.ctx(), domain.CreateCoupon{Coupon: percentOff("a"), RequestID: "other"})
			if !isError[*domain.AlreadyExistsError](err) {
				t.Errorf("created again: %v", err)
			}
		}
		e.unchanged("creating a coupon that exists", again)
		if _, err := e.DeleteCoupon(e.ctx(), domain.DeleteCoupon{ID: "a"}); err != nil {
			t.Fatal(err)
		}
		e.unchanged("creating a coupon that was deleted", again)
	})
}

func TestCouponThatHasEndedIsNotCreated(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		ends := func(at time.Time) domain.CreateCoupon {
			return domain.CreateCoupon{RequestID: "r", Coupon: percentOff("a", func(c *domain.Coupon) { c.RedeemBy = at })}
		}
		e.unchanged("a refused creation", func() {
			if _, err := e.CreateCoupon(e.ctx(), ends(epoch)); !isError[*domain.InvalidError](err) {
				t.Errorf("ends now: %v", err)
			}
		})
		last := ends(epoch.Add(time.Millisecond))
		created, err := e.CreateCoupon(e.ctx(), last)
		if err != nil {
			t.Fatal(err)
		}
		e.clock.Advance(time.Hour)
		again, err := e.CreateCoupon(e.ctx(), last)
		if err != nil || again.Valid || again.Version != created.Version {
			t.Errorf("a retry after the end: %+v, %v", again, err)
		}
	})
}

func TestOneOfManyEqualCreationsOfACouponWins(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		other := e.server()
		var won atomic.Int32
		all(e.crowd(200), func(i int) {
			_, err := []*Store{e.Store, other}[i%2].CreateCoupon(e.ctx(), domain.CreateCoupon{
				Coupon: percentOff("a"), RequestID: "r" + strconv.Itoa(i),
			})
			switch {
			case err == nil:
				won.Add(1)
			case !isError[*domain.AlreadyExistsError](err):
				t.Error(err)
			}
		})
		if won.Load() != 1 || e.coupon("a").Version != 1 {
			t.Errorf("%d of the creations succeeded; version %d", won.Load(), e.coupon("a").Version)
		}
	})
}

// couponCommands are the commands about the coupon "a", each with the request id
// of the env.
var couponCommands = map[string]func(*env, *Store) (domain.CouponView, error){
	"create": func(e *env, s *Store) (domain.CouponView, error) {
		return s.CreateCoupon(e.ctx(), domain.CreateCoupon{RequestID: e.request, Coupon: percentOff("a")})
	},
	"create without an id": func(e *env, s *Store) (domain.CouponView, error) {
		return s.CreateCoupon(e.ctx(), domain.CreateCoupon{RequestID: e.request, Coupon: percentOff("")})
	},
	"update": func(e *env, s *Store) (domain.CouponView, error) {
		return s.UpdateCoupon(e.ctx(), domain.UpdateCoupon{
			RequestID: e.request, ID: "a", DisplayName: "new", Set: domain.CouponFields{DisplayName: true},
		})
	},
	"update with an etag": func(e *env, s *Store) (domain.CouponView, error) {
		return s.UpdateCoupon(e.ctx(), domain.UpdateCoupon{
			RequestID: e.request, ID: "a", Version: 1, MaxRedemptions: pointer(int64(3)), Set: domain.CouponFields{MaxRedemptions: true},
		})
	},
	"delete": func(e *env, s *Store) (domain.CouponView, error) {
		return s.DeleteCoupon(e.ctx(), domain.DeleteCoupon{RequestID: e.request, ID: "a"})
	},
	"delete with an etag": func(e *env, s *Store) (domain.CouponView, error) {
		return s.DeleteCoupon(e.ctx(), domain.DeleteCoupon{RequestID: e.request, ID: "a", Version: 1})
	},
}

// startCoupon prepares what a command about the coupon "a" needs.
func startCoupon(e *env, command string) {
	if command != "create" {
		e.createCoupon(percentOff("a"))
	}
}

func TestCouponCommandHasOneEffectPerRequestID(t *testing.T) {
	for name, command := range couponCommands {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, e *env) {
				startCoupon(e, name)
				first, err := command(e, e.Store)
				if err != nil {
					t.Fatal(err)
				}
				e.clock.Advance(time.Minute)
				e.unchanged("a second "+name, func() {
					again, err := command(e, e.server())
					if diff := cmp.Diff(first, again, compareCodes); err != nil || diff != "" {
						t.Errorf("again: %v\n%s", err, diff)
					}
				})
			})
		})
	}
}

func TestCouponCommandsAtOnceWithOneRequestIDHaveOneEffect(t *testing.T) {
	for name, command := range couponCommands {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, e *env) {
				startCoupon(e, name)
				stores := []*Store{e.Store, e.server()}
				views := make([]domain.CouponView, e.crowd(200))
				all(len(views), func(i int) {
					var err error
					if views[i], err = command(e, stores[i%2]); err != nil {
						t.Error(err)
					}
				})
				for _, v := range views[1:] {
					if diff := cmp.Diff(views[0], v, compareCodes); diff != "" {
						t.Fatalf("two answers:\n%s", diff)
					}
				}
				if last := e.coupon(views[0].ID); last.Version != views[0].Version {
					t.Errorf("version %d after answers with %d", last.Version, views[0].Version)
				}
			})
		})
	}
}

func TestRequestIDOfACouponCommandIsNotUsedForAnother(t *testing.T) {
	for first := range couponCommands {
		if first == "create without an id" { // is about another coupon
			continue
		}
		t.Run(first, func(t *testing.T) {
			onEach(t, func(t *testing.T, e *env) {
				startCoupon(e, first)
				if _, err := couponCommands[first](e, e.Store); err != nil {
					t.Fatal(err)
				}
				e.unchanged("a request id used again", func() {
					for second, command := range couponCommands {
						if second == first || second == "create without an id" {
							continue
						}
						if _, err := command(e, e.Store); !errors.Is(err, domain.ErrRequestIDReused) {
							t.Errorf("%s after %s: %v", second, first, err)
						}
					}
				})
			})
		})
	}
}

func TestRequestIDOfACommandWithoutEffectIsUsedUp(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a"))
		p := e.createCode(promotionCode("a", "SPRING"))
		for _, request := range []string{"first", "second"} {
			if _, err := e.DeletePromotionCode(e.ctx(), domain.DeletePromotionCode{RequestID: "code " + request, Name: p.Name}); err != nil {
				t.Fatal(err)
			}
			if _, err := e.DeleteCoupon(e.ctx(), domain.DeleteCoupon{RequestID: "coupon " + request, ID: "a"}); err != nil {
				t.Fatal(err)
			}
		}
		// The second of each found nothing to do.
		_, err1 := e.UpdateCoupon(e.ctx(), domain.UpdateCoupon{RequestID: "coupon second", ID: "a"})
		_, err2 := e.UpdateCoupon(e.ctx(), domain.UpdateCoupon{RequestID: "code second", ID: "a"})
		if !errors.Is(err1, domain.ErrRequestIDReused) || !errors.Is(err2, domain.ErrRequestIDReused) {
			t.Errorf("used again: %v, %v", err1, err2)
		}
	})
}

func TestUpdateSetsTheFieldsNamedAndNoOthers(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		want := e.createCoupon(percentOff("a", limitedTo(5), limitedPerCustomerTo(1), func(c *domain.Coupon) {
			c.Metadata = map[string]string{"k": "v"}
		}))
		update := func(cmd domain.UpdateCoupon, change func(*domain.CouponView)) {
			t.Helper()
			e.clock.Advance(time.Second)
			cmd.ID = "a"
			got, err := e.UpdateCoupon(e.ctx(), cmd)
			if err != nil {
				t.Fatal(err)
			}
			change(&want)
			want.Version++
			want.UpdateTime = e.clock.Now()
			if diff := cmp.Diff(want, got, compareCodes); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(want, e.coupon("a"), compareCodes); diff != "" {
				t.Errorf("read (-want +got):\n%s", diff)
			}
		}
		update(domain.UpdateCoupon{DisplayName: "x", Set: domain.CouponFields{DisplayName: true}}, func(v *domain.CouponView) { v.DisplayName = "x" })
		update(domain.UpdateCoupon{Set: domain.CouponFields{Metadata: true}}, func(v *domain.CouponView) { v.Metadata = nil })
		update(domain.UpdateCoupon{MaxRedemptions: pointer(int64(7)), Set: domain.CouponFields{MaxRedemptions: true}}, func(v *domain.CouponView) {
			v.MaxRedemptions = pointer(int64(7))
		})
		update(domain.UpdateCoupon{Set: domain.CouponFields{MaxRedemptionsPerCustomer: true}}, func(v *domain.CouponView) {
			v.MaxRedemptionsPerCustomer = nil
		})
		update(domain.UpdateCoupon{}, func(*domain.CouponView) {})
	})
}

func TestStaleEtagOfACouponIsAborted(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a"))
		if _, err := e.UpdateCoupon(e.ctx(), domain.UpdateCoupon{ID: "a", Version: 1}); err != nil {
			t.Fatal(err)
		}
		e.unchanged("a stale etag", func() {
			for _, version := range []int64{1, 3} {
				_, update := e.UpdateCoupon(e.ctx(), domain.UpdateCoupon{ID: "a", Version: version, RequestID: "u"})
				_, remove := e.DeleteCoupon(e.ctx(), domain.DeleteCoupon{ID: "a", Version: version, RequestID: "d"})
				if !errors.Is(update, domain.ErrAborted) || !errors.Is(remove, domain.ErrAborted) {
					t.Errorf("version %d: %v, %v", version, update, remove)
				}
			}
		})
	})
}

func TestOneOfManyEqualUpdatesWithOneEtagWins(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a"))
		other := e.server()
		var won atomic.Int32
		all(e.crowd(100), func(i int) {
			_, err := []*Store{e.Store, other}[i%2].UpdateCoupon(e.ctx(), domain.UpdateCoupon{
				ID: "a", Version: 1, DisplayName: "same", Set: domain.CouponFields{DisplayName: true},
			})
			switch {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, domain.ErrAborted):
				t.Error(err)
			}
		})
		if won.Load() != 1 || e.coupon("a").Version != 2 {
			t.Errorf("%d of the updates succeeded; version %d", won.Load(), e.coupon("a").Version)
		}
	})
}

func TestUpdatesAtOnceAreEachWholeOrAborted(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a"))
		var done atomic.Int64
		all(e.crowd(100), func(i int) {
			name := strconv.Itoa(i)
			_, err := e.UpdateCoupon(e.ctx(), domain.UpdateCoupon{
				ID: "a", DisplayName: name, Metadata: map[string]string{"name": name},
				Set: domain.CouponFields{DisplayName: true, Metadata: true},
			})
			switch {
			case err == nil:
				done.Add(1)
			case !errors.Is(err, domain.ErrAborted):
				t.Error(err)
			}
		})
		v := e.coupon("a")
		if v.Version != 1+done.Load() || v.DisplayName != v.Metadata["name"] {
			t.Errorf("%d updates made %+v", done.Load(), v)
		}
	})
}

func TestDeletedCouponCannotBeChangedOrRedeemed(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a"))
		p := e.createCode(promotionCode("a", "SPRING"))
		before := e.redeem(byCode("before", "SPRING"))
		e.clock.Advance(time.Second)
		deleted, err := e.DeleteCoupon(e.ctx(), domain.DeleteCoupon{ID: "a"})
		if err != nil || !deleted.Deleted || deleted.Valid || !deleted.UpdateTime.Equal(e.clock.Now()) || deleted.Redeemed != 1 {
			t.Fatalf("deleted: %+v, %v", deleted, err)
		}
		e.unchanged("what follows a deletion", func() {
			if again, err := e.DeleteCoupon(e.ctx(), domain.DeleteCoupon{ID: "a", Version: 77}); err != nil || !again.Deleted {
				t.Errorf("deleted again: %+v, %v", again, err)
			}
			if _, err := e.UpdateCoupon(e.ctx(), domain.UpdateCoupon{ID: "a"}); !isError[*domain.DeletedError](err) {
				t.Errorf("updated: %v", err)
			}
			_, err := e.CreatePromotionCode(e.ctx(), domain.CreatePromotionCode{PromotionCode: promotionCode("a", "OTHER")})
			wantReasons(t, err, domain.CouponDeleted)
			for name, r := range map[string]domain.RedeemRequest{
				"code": byCode("r", "SPRING"), "name": byName("r", p.Name), "coupon": byCoupon("r", "a"),
			} {
				_, err := e.Redeem(e.ctx(), &r)
				if got := reasons(t, err); !cmp.Equal(got, []domain.Reason{domain.CouponDeleted}) {
					t.Errorf("by %s: %v", name, got)
				}
			}
		})
		if after := e.redeem(byCode("before", "SPRING")); after.Name != before.Name {
			t.Errorf("a retry after the deletion made %s, not %s", after.Name, before.Name)
		}
	})
}
