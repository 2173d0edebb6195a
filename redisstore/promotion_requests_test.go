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

// codeCommands are the commands about a promotion code, each with the request id
// of the env.
var codeCommands = map[string]func(*env, *Store, domain.PromotionCodeName) (domain.PromotionCodeView, error){
	"create": func(e *env, s *Store, _ domain.PromotionCodeName) (domain.PromotionCodeView, error) {
		return s.CreatePromotionCode(e.ctx(), domain.CreatePromotionCode{RequestID: e.request, PromotionCode: promotionCode("a", "OTHER")})
	},
	"create a generated one": func(e *env, s *Store, _ domain.PromotionCodeName) (domain.PromotionCodeView, error) {
		return s.CreatePromotionCode(e.ctx(), domain.CreatePromotionCode{RequestID: e.request, PromotionCode: promotionCode("a", "")})
	},
	"activate": func(e *env, s *Store, n domain.PromotionCodeName) (domain.PromotionCodeView, error) {
		return s.ActivatePromotionCode(e.ctx(), domain.ActivatePromotionCode{RequestID: e.request, Name: n})
	},
	"activate an active one": func(e *env, s *Store, n domain.PromotionCodeName) (domain.PromotionCodeView, error) {
		return s.ActivatePromotionCode(e.ctx(), domain.ActivatePromotionCode{RequestID: e.request, Name: n})
	},
	"deactivate": func(e *env, s *Store, n domain.PromotionCodeName) (domain.PromotionCodeView, error) {
		return s.DeactivatePromotionCode(e.ctx(), domain.DeactivatePromotionCode{RequestID: e.request, Name: n})
	},
	"delete": func(e *env, s *Store, n domain.PromotionCodeName) (domain.PromotionCodeView, error) {
		return s.DeletePromotionCode(e.ctx(), domain.DeletePromotionCode{RequestID: e.request, Name: n})
	},
	"update": func(e *env, s *Store, n domain.PromotionCodeName) (domain.PromotionCodeView, error) {
		return s.UpdatePromotionCode(e.ctx(), domain.UpdatePromotionCode{
			RequestID: e.request, Name: n, MaxRedemptions: pointer(int64(9)), Set: domain.PromotionCodeFields{MaxRedemptions: true},
		})
	},
}

// startCode prepares what a command about a promotion code needs and returns the
// one it is about.
func startCode(e *env, command string) domain.PromotionCodeName {
	e.createCoupon(percentOff("a"))
	p := e.createCode(promotionCode("a", "X"))
	if command == "activate" {
		e.deactivate(p.Name)
	}
	return p.Name
}

func TestPromotionCodeCommandHasOneEffectPerRequestID(t *testing.T) {
	for name, command := range codeCommands {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, e *env) {
				p := startCode(e, name)
				first, err := command(e, e.Store, p)
				if err != nil {
					t.Fatal(err)
				}
				e.clock.Advance(time.Minute)
				e.unchanged("a second "+name, func() {
					again, err := command(e, e.server(), p)
					if diff := cmp.Diff(first, again, compareCodes); err != nil || diff != "" {
						t.Errorf("again: %v\n%s", err, diff)
					}
				})
				// A retry that comes late must not undo what came in between.
				if _, err := e.DeletePromotionCode(e.ctx(), domain.DeletePromotionCode{Name: first.Name}); err != nil {
					t.Fatal(err)
				}
				e.unchanged("a late "+name, func() {
					late, err := command(e, e.Store, p)
					if err != nil || late.State != domain.PromotionDeleted {
						t.Errorf("late: %+v, %v", late, err)
					}
				})
			})
		})
	}
}

func TestPromotionCodeCommandsAtOnceWithOneRequestIDHaveOneEffect(t *testing.T) {
	for name, command := range codeCommands {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, e *env) {
				p := startCode(e, name)
				before := len(e.codesOf("a"))
				stores := []*Store{e.Store, e.server()}
				views := make([]domain.PromotionCodeView, e.crowd(200))
				all(len(views), func(i int) {
					v, err := command(e, stores[i%2], p)
					for errors.Is(err, domain.ErrAborted) { // nothing was done: once more
						v, err = command(e, stores[i%2], p)
					}
					if err != nil {
						t.Error(err)
					}
					views[i] = v
				})
				for _, v := range views {
					if v.Name != views[0].Name || v.State != views[0].State || v.Code != views[0].Code {
						t.Fatalf("two answers: %+v and %+v", views[0], v)
					}
				}
				made := len(e.codesOf("a")) - before
				if creates := name == "create" || name == "create a generated one"; creates && made != 1 || !creates && made != 0 {
					t.Errorf("%d promotion codes were made", made)
				}
			})
		})
	}
}

// codesOf returns all promotion codes of a coupon, deleted ones too.
func (e *env) codesOf(c domain.CouponID) []domain.PromotionCodeView {
	e.t.Helper()
	return e.listCodes(domain.PromotionCodeQuery{Coupon: c, ShowDeleted: true, Page: domain.Page{Size: 100}})
}

// listCodes returns all pages of a list of promotion codes.
func (e *env) listCodes(q domain.PromotionCodeQuery) []domain.PromotionCodeView {
	e.t.Helper()
	var out []domain.PromotionCodeView
	for {
		l, err := e.PromotionCodes(e.ctx(), q)
		if err != nil {
			e.t.Fatalf("list promotion codes: %v", err)
		}
		out = append(out, l.Items...)
		if q.Token = l.Next; q.Token == "" {
			return out
		}
	}
}

func TestRequestIDOfAPromotionCodeCommandIsNotUsedForAnother(t *testing.T) {
	for first := range codeCommands {
		t.Run(first, func(t *testing.T) {
			onEach(t, func(t *testing.T, e *env) {
				p := startCode(e, first)
				other := e.createCode(promotionCode("a", "SECOND"))
				if _, err := codeCommands[first](e, e.Store, p); err != nil {
					t.Fatal(err)
				}
				e.unchanged("a request id used again", func() {
					for second, command := range codeCommands {
						if _, err := command(e, e.Store, other.Name); second != first && !errors.Is(err, domain.ErrRequestIDReused) {
							t.Errorf("%s after %s: %v", second, first, err)
						}
					}
				})
			})
		})
	}
}

func TestOneRequestIDForTwoCommandsAtOnceServesOne(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a"))
		var names []domain.PromotionCodeName
		for i := range 20 {
			names = append(names, e.createCode(promotionCode("a", "CODE"+strconv.Itoa(i))).Name)
		}
		var done atomic.Int32
		all(len(names), func(i int) {
			var err error
			switch i % 3 {
			case 0:
				_, err = e.DeletePromotionCode(e.ctx(), domain.DeletePromotionCode{RequestID: "r", Name: names[i]})
			case 1:
				_, err = e.DeactivatePromotionCode(e.ctx(), domain.DeactivatePromotionCode{RequestID: "r", Name: names[i]})
			default:
				_, err = e.UpdatePromotionCode(e.ctx(), domain.UpdatePromotionCode{RequestID: "r", Name: names[i]})
			}
			switch {
			case err == nil:
				done.Add(1)
			case !errors.Is(err, domain.ErrRequestIDReused):
				t.Error(err)
			}
		})
		changed := 0
		for _, n := range names {
			if e.code(n).Version > 2 { // PENDING, ACTIVE
				changed++
			}
		}
		if done.Load() != 1 || changed != 1 {
			t.Errorf("%d commands succeeded and %d changed something", done.Load(), changed)
		}
	})
}

func TestRefusedCreationUsesNothingUp(t *testing.T) {
	onEach(t, func(t *testing.T, e *env) {
		e.createCoupon(percentOff("a"))
		holder := e.createCode(promotionCode("a", "X"))
		create := domain.CreatePromotionCode{RequestID: "r", PromotionCode: promotionCode("a", "X")}
		if _, err := e.CreatePromotionCode(e.ctx(), create); !isError[*domain.AlreadyExistsError](err) {
			t.Fatalf("refused: %v", err)
		}
		if left := e.listCodes(domain.PromotionCodeQuery{Coupon: "a", Page: domain.Page{Size: 10}}); len(left) != 1 {
			t.Errorf("a refused creation left %+v", left)
		}
		e.deactivate(holder.Name)
		v, err := e.CreatePromotionCode(e.ctx(), create)
		if err != nil || v.State != domain.PromotionActive {
			t.Errorf("tried again: %+v, %v", v, err)
		}
	})
}
