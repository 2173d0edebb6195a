// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/discountd/discountd/domain"
)

// calls are all public methods of a store that use Redis; what they are about is
// made by prepareCalls.
var calls = map[string]func(ctx context.Context, s *Store, p domain.PromotionCodeName) error{
	"CreateCoupon": func(ctx context.Context, s *Store, _ domain.PromotionCodeName) error {
		_, err := s.CreateCoupon(ctx, domain.CreateCoupon{RequestID: newID(), Coupon: percentOff("")})
		return err
	},
	"Coupon": func(ctx context.Context, s *Store, p domain.PromotionCodeName) error {
		_, err := s.Coupon(ctx, p.Coupon)
		return err
	},
	"UpdateCoupon": func(ctx context.Context, s *Store, p domain.PromotionCodeName) error {
		_, err := s.UpdateCoupon(ctx, domain.UpdateCoupon{ID: p.Coupon})
		return err
	},
	"DeleteCoupon": func(ctx context.Context, s *Store, _ domain.PromotionCodeName) error {
		_, err := s.DeleteCoupon(ctx, domain.DeleteCoupon{ID: "spare"})
		return err
	},
	"Coupons": func(ctx context.Context, s *Store, _ domain.PromotionCodeName) error {
		_, err := s.Coupons(ctx, domain.CouponQuery{Page: domain.Page{Size: 10}})
		return err
	},
	"CreatePromotionCode": func(ctx context.Context, s *Store, p domain.PromotionCodeName) error {
		_, err := s.CreatePromotionCode(ctx, domain.CreatePromotionCode{PromotionCode: promotionCode(p.Coupon, "", boundToID("alice"))})
		return err
	},
	"PromotionCode": func(ctx context.Context, s *Store, p domain.PromotionCodeName) error {
		_, err := s.PromotionCode(ctx, p)
		return err
	},
	"UpdatePromotionCode": func(ctx context.Context, s *Store, p domain.PromotionCodeName) error {
		_, err := s.UpdatePromotionCode(ctx, domain.UpdatePromotionCode{Name: p})
		return err
	},
	"ActivatePromotionCode": func(ctx context.Context, s *Store, p domain.PromotionCodeName) error {
		_, err := s.ActivatePromotionCode(ctx, domain.ActivatePromotionCode{Name: p, RequestID: newID()})
		return err
	},
	"DeactivatePromotionCode": func(ctx context.Context, s *Store, p domain.PromotionCodeName) error {
		_, err := s.DeactivatePromotionCode(ctx, domain.DeactivatePromotionCode{Name: p})
		if err == nil {
			_, err = s.ActivatePromotionCode(ctx, domain.ActivatePromotionCode{Name: p})
		}
		return err
	},
	"DeletePromotionCode": func(ctx context.Context, s *Store, p domain.PromotionCodeName) error {
		v, err := s.CreatePromotionCode(ctx, domain.CreatePromotionCode{PromotionCode: promotionCode(p.Coupon, "")})
		if err == nil {
			_, err = s.DeletePromotionCode(ctx, domain.DeletePromotionCode{Name: v.Name})
		}
		return err
	},
	"PromotionCodes of a coupon": func(ctx context.Context, s *Store, p domain.PromotionCodeName) error {
		_, err := s.PromotionCodes(ctx, domain.PromotionCodeQuery{Coupon: p.Coupon, Page: domain.Page{Size: 10}})
		return err
	},
	"PromotionCodes of a code": func(ctx context.Context, s *Store, _ domain.PromotionCodeName) error {
		_, err := s.PromotionCodes(ctx, domain.PromotionCodeQuery{Code: parsedCode("X"), Page: domain.Page{Size: 10}})
		return err
	},
	"PromotionCodes of a customer": func(ctx context.Context, s *Store, _ domain.PromotionCodeName) error {
		_, err := s.PromotionCodes(ctx, domain.PromotionCodeQuery{CustomerID: "alice", Page: domain.Page{Size: 10}})
		return err
	},
	"Validate": func(ctx context.Context, s *Store, _ domain.PromotionCodeName) error {
		_, err := s.Validate(ctx, new(byCode("r", "X").ValidateRequest))
		return err
	},
	"Redeem": func(ctx context.Context, s *Store, _ domain.PromotionCodeName) error {
		_, err := s.Redeem(ctx, new(byCode(newID(), "X")))
		return err
	},
	"Reserve": func(ctx context.Context, s *Store, _ domain.PromotionCodeName) error {
		_, err := s.Reserve(ctx, new(reserveFor(time.Minute, byCode(newID(), "X"))))
		return err
	},
	"Commit": func(ctx context.Context, s *Store, _ domain.PromotionCodeName) error {
		r, err := s.Reserve(ctx, new(reserveFor(time.Minute, byCode(newID(), "X"))))
		if err == nil {
			_, err = s.Commit(ctx, domain.CommitRedemption{RequestID: newID(), Name: r.Name})
		}
		return err
	},
	"Release": func(ctx context.Context, s *Store, _ domain.PromotionCodeName) error {
		r, err := s.Reserve(ctx, new(reserveFor(time.Minute, byCode(newID(), "X"))))
		if err == nil {
			_, err = s.Release(ctx, domain.ReleaseRedemption{RequestID: newID(), Name: r.Name})
		}
		return err
	},
	"Void": func(ctx context.Context, s *Store, p domain.PromotionCodeName) error {
		name := domain.RedemptionName{Coupon: p.Coupon, ID: domain.NewRedemptionID(1, "first")}
		_, err := s.Void(ctx, domain.VoidRedemption{RequestID: newID(), Name: name, Amount: pointer(int64(1))})
		return err
	},
	"ApplyRenewal": func(ctx context.Context, s *Store, p domain.PromotionCodeName) error {
		_, err := s.ApplyRenewal(ctx, renewalOf(newID(), at(p.Coupon, 2, "subscribed"), invoiceOf(newID(), 1_000)))
		return err
	},
	"EndDiscount": func(ctx context.Context, s *Store, p domain.PromotionCodeName) error {
		_, err := s.EndDiscount(ctx, domain.EndDiscount{RequestID: newID(), Name: at(p.Coupon, 2, "subscribed")})
		return err
	},
	"Redemption": func(ctx context.Context, s *Store, p domain.PromotionCodeName) error {
		_, err := s.Redemption(ctx, domain.RedemptionName{Coupon: p.Coupon, ID: domain.NewRedemptionID(1, "first")})
		return err
	},
	"Redemptions": func(ctx context.Context, s *Store, p domain.PromotionCodeName) error {
		_, err := s.Redemptions(ctx, domain.RedemptionQuery{Coupon: p.Coupon, Page: domain.Page{Size: 10}})
		return err
	},
	"IssueGiftCard": func(ctx context.Context, s *Store, _ domain.PromotionCodeName) error {
		_, err := s.IssueGiftCard(ctx, domain.IssueGiftCard{RequestID: newID(), PromotionCode: giftCard("gifts", newID(), 100)})
		return err
	},
	"GiftCard": func(ctx context.Context, s *Store, _ domain.PromotionCodeName) error {
		_, err := s.GiftCard(ctx, domain.GetGiftCard{Code: hashOf("CALLED")})
		return err
	},
	"GiftCardTransactions": onCalled(func(ctx context.Context, s *Store, card domain.PromotionCodeName) error {
		_, err := s.GiftCardTransactions(ctx, domain.GiftCardTransactionQuery{Name: card, Page: domain.Page{Size: 10}})
		return err
	}),
	"AdjustGiftCard": onCalled(func(ctx context.Context, s *Store, card domain.PromotionCodeName) error {
		_, err := s.AdjustGiftCard(ctx, domain.AdjustGiftCard{RequestID: newID(), Name: card, AmountMinor: 1, Reason: "a reason"})
		return err
	}),
	"DisableGiftCard": onCalled(func(ctx context.Context, s *Store, card domain.PromotionCodeName) error {
		_, err := s.DisableGiftCard(ctx, domain.DeactivatePromotionCode{Name: card})
		if err == nil {
			_, err = s.EnableGiftCard(ctx, domain.ActivatePromotionCode{Name: card})
		}
		return err
	}),
	"TransferToCredit": onCalled(func(ctx context.Context, s *Store, card domain.PromotionCodeName) error {
		_, err := s.TransferToCredit(ctx, domain.TransferToCredit{
			RequestID: newID(), Name: card, Customer: domain.Customer{ID: "alice"}, AmountMinor: pointer(int64(1)),
		})
		return err
	}),
	"CustomerBalance": func(ctx context.Context, s *Store, _ domain.PromotionCodeName) error {
		_, err := s.CustomerBalance(ctx, domain.GetCustomerBalance{Holder: domain.IdentityOfID("alice")})
		return err
	},
	"CustomerTransactions": func(ctx context.Context, s *Store, _ domain.PromotionCodeName) error {
		_, err := s.CustomerTransactions(ctx, domain.CustomerTransactionQuery{Holder: domain.IdentityOfID("alice"), Page: domain.Page{Size: 10}})
		return err
	},
	"AdjustCustomerBalance": func(ctx context.Context, s *Store, _ domain.PromotionCodeName) error {
		_, err := s.AdjustCustomerBalance(ctx, domain.AdjustCustomerBalance{
			RequestID: newID(), Holder: domain.IdentityOfID("alice"), Amount: domain.Money{Currency: "EUR", AmountMinor: 1}, Reason: "a reason",
		})
		return err
	},
	"ApplyCredit": func(ctx context.Context, s *Store, _ domain.PromotionCodeName) error {
		_, err := s.ApplyCredit(ctx, domain.ApplyCredit{
			InvoiceID: newID(), Holder: domain.IdentityOfID("alice"), UpTo: domain.Money{Currency: "EUR", AmountMinor: 1},
		})
		return err
	},
	"Ping": func(ctx context.Context, s *Store, _ domain.PromotionCodeName) error { return s.Ping(ctx) },
}

// reading are the calls that write nothing.
var reading = map[string]bool{
	"Coupon": true, "Coupons": true, "PromotionCode": true, "PromotionCodes of a coupon": true, "PromotionCodes of a code": true,
	"PromotionCodes of a customer": true, "Validate": true, "Redemption": true, "Redemptions": true, "Ping": true,
	"GiftCard": true, "GiftCardTransactions": true, "CustomerBalance": true, "CustomerTransactions": true,
}

// onCalled makes a call about the gift card of prepareCalls.
func onCalled(f func(context.Context, *Store, domain.PromotionCodeName) error) func(context.Context, *Store, domain.PromotionCodeName) error {
	return func(ctx context.Context, s *Store, _ domain.PromotionCodeName) error {
		card, err := s.GiftCard(ctx, domain.GetGiftCard{Code: hashOf("CALLED")})
		if err != nil {
			return err
		}
		return f(ctx, s, card.Name)
	}
}

func prepareCalls(e *env) domain.PromotionCodeName {
	e.t.Helper()
	e.createCoupon(percentOff("a"))
	e.createCoupon(percentOff("spare"))
	p := e.createCode(promotionCode("a", "X"))
	e.redeem(byCode("first", "X"))
	e.createCoupon(program("gifts", false))
	e.issue("called", giftCard("gifts", "CALLED", 5_000))
	e.redeem(byCode("subscribed", "X", forSubscription("sub")))
	return p.Name
}

// allUnavailable fails the test unless every call fails as unavailable, certainly
// without effect.
func (e *env) allUnavailable(p domain.PromotionCodeName) {
	e.t.Helper()
	for name, call := range calls {
		var u *domain.UnavailableError
		if err := call(e.ctx(), e.Store, p); !errors.As(err, &u) || u.OutcomeUnknown {
			e.t.Errorf("%s: %v", name, err)
		}
	}
}

// allSucceed fails the test unless every call succeeds.
func (e *env) allSucceed(p domain.PromotionCodeName) {
	e.t.Helper()
	for name, call := range calls {
		if err := call(e.ctx(), e.Store, p); err != nil {
			e.t.Errorf("%s: %v", name, err)
		}
	}
}

func TestStoreThatLostItsDataRefusesToServeUntilItIsBack(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		var log bytes.Buffer
		e.logger = slog.New(slog.NewTextHandler(&log, nil))
		p := prepareCalls(e)
		for name, lose := range map[string]func() error{
			"empty":       func() error { return e.admin.Del(e.ctx(), e.keys.meta()).Err() },
			"another one": func() error { return e.admin.HSet(e.ctx(), e.keys.meta(), "id", "another").Err() },
		} {
			log.Reset()
			meta := e.admin.HGetAll(e.ctx(), e.keys.meta()).Val()
			if err := lose(); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if err := e.Ping(e.ctx()); !isError[*domain.UnavailableError](err) {
					t.Errorf("%s: Ping says %v", name, err)
				}
			}
			e.allUnavailable(p)
			if n := strings.Count(log.String(), "refusing to serve"); n != 1 {
				t.Errorf("%s: told %d times:\n%s", name, n, &log)
			}
			if err := e.admin.HSet(e.ctx(), e.keys.meta(), meta).Err(); err != nil {
				t.Fatal(err)
			}
			if err := e.Ping(e.ctx()); err != nil {
				t.Errorf("%s: back again, Ping says %v", name, err)
			}
			e.allSucceed(p)
			if _, err := e.CreateCoupon(e.ctx(), domain.CreateCoupon{Coupon: percentOff("spare")}); err == nil {
				t.Error("a deleted coupon is not deleted any more")
			}
		}
	})
}

func TestServersThatAreConfiguredDifferentlyDoNotShareAStore(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		open := func(o Options) error {
			o.Prefix = e.prefix
			_, err := Open(e.ctx(), e.dial(), o)
			return err
		}
		e.unchanged("opening a store again", func() {
			if err := open(Options{HashKeyFingerprint: "tests"}); err != nil {
				t.Errorf("the same: %v", err)
			}
			if err := open(Options{HashKeyFingerprint: "other"}); !errors.Is(err, ErrConfiguration) {
				t.Errorf("another key: %v", err)
			}
		})
		for field, value := range map[string]string{"layout": "2", "buckets": "many"} {
			was := e.admin.HGet(e.ctx(), e.keys.meta(), field).Val()
			e.admin.HSet(e.ctx(), e.keys.meta(), field, value)
			if err := open(Options{HashKeyFingerprint: "tests"}); !errors.Is(err, ErrConfiguration) {
				t.Errorf("%s %q: %v", field, value, err)
			}
			e.admin.HSet(e.ctx(), e.keys.meta(), field, was)
		}
		// The number of buckets is the store's, not the server's.
		e.createCoupon(percentOff("a"))
		e.createCode(promotionCode("a", "BEFORE"))
		e.admin.HSet(e.ctx(), e.keys.meta(), "buckets", "7")
		if s := e.server(); s.keys.buckets != 7 {
			t.Errorf("%d buckets", s.keys.buckets)
		}
	})
}

func TestStoresWithDifferentPrefixesAreApart(t *testing.T) {
	t.Parallel()
	for _, b := range []backend{onMini, onRedis, onCluster} {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			dial := b.dial(t)
			one, two := openAt(t, dial), openAt(t, dial)
			if one.id == two.id {
				t.Errorf("both are %s", one.id)
			}
			one.createCoupon(percentOff("a"))
			one.createCode(promotionCode("a", "X"))
			two.createCoupon(percentOff("a"))
			two.createCode(promotionCode("a", "X"))
			one.redeem(byCode("r", "X"))
			if n := two.coupon("a").Redeemed; n != 0 {
				t.Errorf("%d redeemed in the other", n)
			}
		})
	}
}

func TestStoreWithDefaultsIsOpened(t *testing.T) {
	t.Parallel()
	client := onMini.dial(t)() // of the test's own: the default prefix is shared
	s, err := Open(t.Context(), client, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if v, err := s.CreateCoupon(t.Context(), domain.CreateCoupon{Coupon: percentOff("a")}); err != nil || v.CreateTime.IsZero() {
		t.Errorf("%+v, %v", v, err)
	}
	if n := client.Exists(t.Context(), "d1:{c:a}:n").Val(); n != 1 {
		t.Error("the coupon is not under the default prefix")
	}
}
