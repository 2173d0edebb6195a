// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	discountv1 "github.com/discountd/discountd/gen/discount/v1"
)

const (
	// halfOff is a coupon of which anOrder takes 10.00 EUR.
	halfOff = `coupon_id: "half" coupon { percent_off { basis_points: 5000 } budgets { limit { currency_code: "EUR" amount_minor: 100000 } } }`
	// once can be redeemed once.
	once = `coupon_id: "once" coupon { percent_off { basis_points: 5000 } max_redemptions: 1 }`

	anOrder = ` order { id: "o" currency_code: "EUR" lines { id: "shoe" product_id: "shoe" unit_amount_minor: 1000 quantity: 1 }
		lines { id: "sock" product_id: "sock" unit_amount_minor: 500 quantity: 2 } } `
)

// wantState fails the test unless a redemption is in a state and is read and listed
// as it was answered.
func (c *scenario) wantState(want string, r *discountv1.Redemption) {
	c.t.Helper()
	if got := r.GetState().String(); got != "REDEMPTION_STATE_"+want {
		c.t.Errorf("%s is %s, want %s", r.GetName(), got, want)
	}
	if diff := cmp.Diff(r, c.redemption("GetRedemption", `name: %q`, r.GetName()), protocmp.Transform()); diff != "" {
		c.t.Errorf("%s is read as another (-answered +read):\n%s", r.GetName(), diff)
	}
	coupon, _, _ := strings.Cut(r.GetName(), "/redemptions/")
	for _, listed := range c.list(`parent: %q`, coupon) {
		if listed.GetName() == r.GetName() && !proto.Equal(listed, r) {
			c.t.Errorf("%s is listed as another: %v", r.GetName(), listed)
		}
	}
}

// list returns the redemptions that a list has.
func (c *scenario) list(text string, args ...any) []*discountv1.Redemption {
	c.t.Helper()
	resp, ok := c.do("ListRedemptions", text, args...).(*discountv1.ListRedemptionsResponse)
	if !ok {
		c.t.Fatal("ListRedemptions answers with no list")
	}
	return resp.GetRedemptions()
}

func TestAReservationIsCommittedForAllOfIt(t *testing.T) {
	c := begin(t, halfOff)
	reserved := c.redemption("ReserveRedemption", `request_id: "r" coupon: "coupons/half"`+anOrder)
	c.wantState("RESERVED", reserved)
	if got, want := reserved.GetExpireTime().AsTime(), aBeginning.Add(15*time.Minute); !got.Equal(want) {
		t.Errorf("it ends at %s, want %s", got, want)
	}
	c.used("coupons/half", 0, 1000)

	c.later(time.Minute)
	committed := c.redemption("CommitRedemption", `request_id: "c" name: %q`, reserved.GetName())
	c.wantState("REDEEMED", committed)
	c.used("coupons/half", 1, 1000)
	if got, want := committed.GetCommitTime().AsTime(), aBeginning.Add(time.Minute); !got.Equal(want) {
		t.Errorf("it was committed at %s, want %s", got, want)
	}
	if diff := cmp.Diff(reserved, committed, protocmp.Transform(),
		protocmp.IgnoreFields(&discountv1.Redemption{}, "state", "commit_time")); diff != "" {
		t.Errorf("the commit changed more than it should (-reserved +committed):\n%s", diff)
	}

	c.later(time.Hour)
	c.wantState("REDEEMED", c.redemption("GetRedemption", `name: %q`, reserved.GetName()))
	c.used("coupons/half", 1, 1000)
}

func TestACommitForLessGivesTheRestBack(t *testing.T) {
	c := begin(t, halfOff)
	reserve := func(id string) string {
		return c.redemption("ReserveRedemption", `request_id: %q coupon: "coupons/half"`+anOrder, id).GetName()
	}
	less := c.redemption("CommitRedemption", `request_id: "c1" name: %q amount_minor: 401`, reserve("r1"))
	c.wantState("REDEEMED", less)
	if d := less.GetDiscount(); d.GetTotalAmountMinor() != 401 || d.GetLines()[0].GetAmountMinor() != 201 || d.GetLines()[1].GetAmountMinor() != 200 {
		t.Errorf("it takes off %v, want 201 and 200", d)
	}
	c.used("coupons/half", 1, 401)

	nothing := c.redemption("CommitRedemption", `request_id: "c2" name: %q amount_minor: 0`, reserve("r2"))
	c.wantState("REDEEMED", nothing)
	if d := nothing.GetDiscount(); d.GetTotalAmountMinor() != 0 {
		t.Errorf("it takes off %v, want nothing", d)
	}
	c.used("coupons/half", 2, 401)

	name := reserve("r3")
	err := c.wantError("AMOUNT_EXCEEDED", "CommitRedemption", `request_id: "c3" name: %q amount_minor: 1001`, name)
	if got := detail[*errdetails.ErrorInfo](t, err).GetMetadata()["limit_amount_minor"]; got != "1000" || status.Code(err) != codes.FailedPrecondition {
		t.Errorf("%v with a limit of %s, want 1000", err, got)
	}
	c.wantState("RESERVED", c.redemption("GetRedemption", `name: %q`, name))
	c.wantState("REDEEMED", c.redemption("CommitRedemption", `request_id: "c3" name: %q amount_minor: 1000`, name))
	c.used("coupons/half", 3, 1401)
}

func TestAReservationHoldsItsUseUntilItsTimeIsOver(t *testing.T) {
	c := begin(t, once)
	const other = `request_id: "other" coupon: "coupons/once"`
	reserved := c.redemption("ReserveRedemption", `request_id: "r" coupon: "coupons/once" ttl { seconds: 60 }`)
	c.later(20 * time.Second)
	for _, rpc := range []string{"Redeem", "ReserveRedemption"} {
		if i := c.wantRefusal("FULLY_RESERVED", rpc, other); i.GetRetryAfter().AsDuration() != 40*time.Second || !i.GetRetryable() {
			t.Errorf("%s: %v, want to be retried after 40 s", rpc, i)
		}
	}
	valid, ok := c.do("ValidateCode", `coupon: "coupons/once"`).(*discountv1.ValidateCodeResponse)
	if !ok || valid.GetValid() || valid.GetIneligibilities()[0].GetRetryAfter().AsDuration() != 40*time.Second {
		t.Errorf("ValidateCode answers %v", valid)
	}
	if coupon := c.coupon("GetCoupon", `name: "coupons/once"`); !coupon.GetValid() {
		t.Error("a reservation makes the coupon invalid")
	}

	c.later(40 * time.Second)
	c.wantState("EXPIRED", c.redemption("GetRedemption", `name: %q`, reserved.GetName()))
	c.wantState("EXPIRED", c.redemption("ReserveRedemption", `request_id: "r" coupon: "coupons/once" ttl { seconds: 60 }`))
	c.wantState("REDEEMED", c.redemption("Redeem", other))
	if i := c.wantRefusal("COUPON_MAX_REDEMPTIONS_REACHED", "CommitRedemption", `request_id: "c" name: %q`, reserved.GetName()); i.GetLimit() != 1 {
		t.Errorf("%v, want a limit of 1", i)
	}
	c.wantState("EXPIRED", c.redemption("GetRedemption", `name: %q`, reserved.GetName()))
}

func TestAnExpiredReservationIsCommittedWhileThereIsRoom(t *testing.T) {
	c := begin(t, once)
	first := c.redemption("ReserveRedemption", `request_id: "r1" coupon: "coupons/once" ttl { seconds: 1 }`)
	c.later(time.Second)
	second := c.redemption("ReserveRedemption", `request_id: "r2" coupon: "coupons/once" ttl { seconds: 1 }`)
	c.wantRefusal("FULLY_RESERVED", "CommitRedemption", `request_id: "c" name: %q`, first.GetName())
	c.wantState("RELEASED", c.redemption("ReleaseRedemption", `request_id: "l" name: %q`, second.GetName()))
	c.wantState("REDEEMED", c.redemption("CommitRedemption", `request_id: "c" name: %q`, first.GetName()))
	c.used("coupons/once", 1, 0)
}

func TestAnExpiredReservationIsNotCommittedAfterItsCouponIsDeleted(t *testing.T) {
	c := begin(t, halfOff)
	live := c.redemption("ReserveRedemption", `request_id: "live" coupon: "coupons/half"`+anOrder)
	expired := c.redemption("ReserveRedemption", `request_id: "expired" coupon: "coupons/half" ttl { seconds: 1 }`+anOrder)
	c.later(time.Second)
	c.do("DeleteCoupon", `name: "coupons/half"`)
	c.wantRefusal("COUPON_DELETED", "CommitRedemption", `request_id: "c1" name: %q`, expired.GetName())
	c.wantState("REDEEMED", c.redemption("CommitRedemption", `request_id: "c2" name: %q`, live.GetName()))
}

func TestAReleasedReservationGivesBackWhatItTook(t *testing.T) {
	c := begin(t, halfOff)
	reserved := c.redemption("ReserveRedemption", `request_id: "r" coupon: "coupons/half"`+anOrder)
	c.later(time.Minute)
	released := c.redemption("ReleaseRedemption", `request_id: "l" name: %q`, reserved.GetName())
	c.wantState("RELEASED", released)
	if got, want := released.GetReleaseTime().AsTime(), aBeginning.Add(time.Minute); !got.Equal(want) {
		t.Errorf("it was released at %s, want %s", got, want)
	}
	c.used("coupons/half", 0, 0)

	c.later(time.Minute)
	for _, id := range []string{"l", "another"} {
		if again := c.redemption("ReleaseRedemption", `request_id: %q name: %q`, id, reserved.GetName()); !proto.Equal(again, released) {
			t.Errorf("released again by %s: %v", id, again)
		}
	}
	c.used("coupons/half", 0, 0)
}

// TestEveryStateAllowsWhatTheDocumentationSays is the table of docs/errors.md: what
// each state becomes, or the reason why nothing can be done.
func TestEveryStateAllowsWhatTheDocumentationSays(t *testing.T) {
	const ttl = ` ttl { seconds: 60 }`
	reserve := func(c *scenario) *discountv1.Redemption {
		return c.redemption("ReserveRedemption", `request_id: "r" coupon: "coupons/half"`+ttl+anOrder)
	}
	states := []struct {
		state                 string
		make                  func(*scenario) *discountv1.Redemption
		commit, release, void string
	}{
		{"RESERVED", reserve, "REDEEMED", "RELEASED", "REDEMPTION_RESERVED"},
		{"EXPIRED", func(c *scenario) *discountv1.Redemption {
			r := reserve(c)
			c.later(time.Minute)
			return c.redemption("GetRedemption", `name: %q`, r.GetName())
		}, "REDEEMED", "EXPIRED", "REDEMPTION_EXPIRED"},
		{"REDEEMED", func(c *scenario) *discountv1.Redemption {
			return c.redemption("CommitRedemption", `request_id: "before" name: %q`, reserve(c).GetName())
		}, "REDEMPTION_REDEEMED", "REDEMPTION_REDEEMED", "VOIDED"},
		{"RELEASED", func(c *scenario) *discountv1.Redemption {
			return c.redemption("ReleaseRedemption", `request_id: "before" name: %q`, reserve(c).GetName())
		}, "REDEMPTION_RELEASED", "RELEASED", "REDEMPTION_RELEASED"},
		{"VOIDED", func(c *scenario) *discountv1.Redemption {
			r := c.redemption("Redeem", `request_id: "r" coupon: "coupons/half"`+anOrder)
			return c.redemption("VoidRedemption", `request_id: "before" name: %q`, r.GetName())
		}, "REDEMPTION_VOIDED", "REDEMPTION_VOIDED", "REDEMPTION_VOIDED"},
	}
	for _, s := range states {
		for rpc, want := range map[string]string{"CommitRedemption": s.commit, "ReleaseRedemption": s.release, "VoidRedemption": s.void} {
			t.Run(s.state+" "+rpc, func(t *testing.T) {
				c := begin(t, halfOff)
				r := s.make(c)
				c.wantState(s.state, r)
				text := fmt.Sprintf(`request_id: "now" name: %q`, r.GetName())
				if reason, refused := strings.CutPrefix(want, "REDEMPTION_"); refused {
					err := c.wantError(want, rpc, text)
					info := detail[*errdetails.ErrorInfo](t, err)
					if status.Code(err) != codes.FailedPrecondition || info.GetMetadata()["state"] != reason || reason != s.state {
						t.Errorf("%v with %v", err, info)
					}
					c.wantState(s.state, r)
					return
				}
				done := c.redemption(rpc, text)
				c.wantState(want, done)
				if again := c.redemption(rpc, text); !proto.Equal(again, done) {
					t.Errorf("a retry is answered with %v", again)
				}
			})
		}
	}
}

func TestOneRequestIDHasOneEffectOnACoupon(t *testing.T) {
	c := begin(t, halfOff)
	const reserve = ` coupon: "coupons/half"` + anOrder
	reserved := c.redemption("ReserveRedemption", `request_id: "r"`+reserve)
	if again := c.redemption("ReserveRedemption", `request_id: "r" ttl { seconds: 900 }`+reserve); !proto.Equal(again, reserved) {
		t.Errorf("the default spelled out is another reservation: %v", again)
	}
	_ = c.wantError("REQUEST_ID_REUSED", "ReserveRedemption", `request_id: "r" ttl { seconds: 901 }`+reserve)
	_ = c.wantError("REQUEST_ID_REUSED", "Redeem", `request_id: "r"`+reserve)
	for _, rpc := range []string{"CommitRedemption", "ReleaseRedemption", "VoidRedemption"} {
		_ = c.wantError("REQUEST_ID_REUSED", rpc, `request_id: "r" name: %q`, reserved.GetName())
	}
	c.wantState("RESERVED", reserved)

	committed := c.redemption("CommitRedemption", `request_id: "c" name: %q amount_minor: 500`, reserved.GetName())
	if again := c.redemption("CommitRedemption", `request_id: "c" name: %q amount_minor: 500`, reserved.GetName()); !proto.Equal(again, committed) {
		t.Errorf("a retry of the commit is answered with %v", again)
	}
	_ = c.wantError("REQUEST_ID_REUSED", "CommitRedemption", `request_id: "c" name: %q`, reserved.GetName())
	_ = c.wantError("REQUEST_ID_REUSED", "ReserveRedemption", `request_id: "c"`+reserve)

	voided := c.redemption("VoidRedemption", `request_id: "v" name: %q amount_minor: 100 reason: "returned"`, reserved.GetName())
	if again := c.redemption("VoidRedemption", `request_id: "v" name: %q amount_minor: 100 reason: "returned"`, reserved.GetName()); !proto.Equal(again, voided) {
		t.Errorf("a retry of the void is answered with %v", again)
	}
	_ = c.wantError("REQUEST_ID_REUSED", "VoidRedemption", `request_id: "v" name: %q amount_minor: 100 reason: "lost"`, reserved.GetName())
	c.used("coupons/half", 1, 400)
}

func TestWhatDoesNotExistCannotBeSettled(t *testing.T) {
	c := begin(t, halfOff)
	for _, name := range []string{"coupons/none/redemptions/1-abc", "coupons/half/redemptions/1-abc"} {
		for _, rpc := range []string{"CommitRedemption", "ReleaseRedemption", "VoidRedemption"} {
			_ = c.wantError("REDEMPTION_NOT_FOUND", rpc, `request_id: "r" name: %q`, name)
		}
	}
	_ = c.wantError("COUPON_NOT_FOUND", "ReserveRedemption", `request_id: "r" coupon: "coupons/none"`)
	c.wantRefusal("CODE_NOT_FOUND", "ReserveRedemption", `request_id: "r" code: "NONE"`)
}
