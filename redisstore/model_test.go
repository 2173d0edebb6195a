// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/discountd/discountd/domain"
)

// The store against its executable specification: both carry out the same random
// commands, one after the other, and must return the same and hold the same.

func TestP1P2P4P7P10StoreDoesWhatTheModelDoes(t *testing.T) {
	t.Parallel()
	for _, b := range []backend{onMini, onRedis} {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			dial := b.dial(t)
			met := map[string]int{}
			runs := 0
			for range longForm(1, 20) { // times what -rapid.checks says, which is 100
				rapid.Check(t, func(rt *rapid.T) {
					runs++
					e := openAt(t, dial)
					modelRun(rt, e, met)
					_ = e.client.Close() // there are many
				})
			}
			for _, kind := range longForm(nil, mustMeet) {
				if met[kind] == 0 {
					t.Errorf("no random command came to %s", kind)
				}
			}
			total := 0
			for _, n := range met {
				total += n
			}
			t.Logf("%d runs, %d commands", runs, total)
		})
	}
}

// twins are a store and a model that have carried out the same.
type twins struct {
	*draw
	env *env
	// stores are the servers of one store; each command is one's.
	stores []*Store
	model  domain.State
	met    map[string]int
	// versions are those of the promotion codes in the store and in the model,
	// which number them as they like.
	versions map[domain.PromotionCodeName][2]int64
}

func modelRun(rt *rapid.T, e *env, met map[string]int) {
	w := &twins{
		draw: &draw{T: rt}, env: e, stores: []*Store{e.Store, e.server()}, met: met,
		versions: map[domain.PromotionCodeName][2]int64{},
	}
	w.carryOut(domain.CreateCoupon{Coupon: percentOff("a")})
	w.carryOut(domain.CreateCoupon{Coupon: percentOff("b", limitedTo(4), func(c *domain.Coupon) {
		c.Duration, c.DurationInCycles = domain.DurationCycles, 3
	})})
	for i := range rapid.IntRange(20, 40).Draw(rt, "commands") {
		e.clock.Advance(w.later())
		w.carryOut(w.command())
		if i%4 == 3 {
			w.compareAll()
		}
	}
	w.compareAll()
}

// carryOut has both carry a command out and compares what they return.
func (w *twins) carryOut(c domain.Command) {
	forModel := w.forModel(c)
	got := carryOut(w.env.ctx(), w.store(), c)
	next, want := w.model.Step(w.env.clock.Now(), idsOf(got), forModel)
	if err := w.model.CheckSuccessor(next); err != nil {
		w.Fatalf("the model, after %T %+v: %v", c, c, err)
	}
	w.met[kindOfResult(c, want)]++
	w.compare(c, got, want)
	w.model = next
	w.remember(c, got)
}

// store is one of the servers.
func (w *twins) store() *Store {
	return w.stores[rapid.IntRange(0, len(w.stores)-1).Draw(w.T, "server")]
}

// idsOf are the ids that a store has generated, or ones that nobody has.
func idsOf(r domain.Result) domain.IDs {
	switch v := r.Value.(type) {
	case domain.CouponView:
		return domain.IDs{Coupon: v.ID}
	case domain.PromotionCodeView:
		return domain.IDs{PromotionCode: v.Name.ID, Code: v.Code}
	}
	return domain.IDs{Coupon: "refused", PromotionCode: "zzzzzzzz", Code: parsedCode("REFUSED")}
}

// forModel puts the model's version of a promotion code in place of the store's.
func (w *twins) forModel(c domain.Command) domain.Command {
	u, ok := c.(domain.UpdatePromotionCode)
	if !ok || u.Version == 0 {
		return c
	}
	get := domain.GetPromotionCode{Name: u.Name}
	_, r := w.model.Step(w.env.clock.Now(), domain.IDs{}, get)
	model, _ := r.Value.(domain.PromotionCodeView)
	store, _ := carryOut(w.env.ctx(), w.store(), get).Value.(domain.PromotionCodeView)
	if u.Version == store.Version {
		u.Version = model.Version
	} else {
		u.Version = 1 << 40 // no longer, or not yet
	}
	return u
}

// remember keeps what later commands can be about.
func (w *twins) remember(c domain.Command, r domain.Result) {
	if requestIDOf(c) != "" {
		w.issued = append(w.issued, c)
	}
	switch v := r.Value.(type) {
	case domain.PromotionCodeView:
		if !slices.Contains(w.names, v.Name) {
			w.names = append(w.names, v.Name)
		}
	case domain.Redemption:
		w.redemptions = append(w.redemptions, v.Name)
	case domain.CouponView:
		if !slices.Contains(w.coupons, v.ID) {
			w.coupons = append(w.coupons, v.ID)
		}
	}
}

// compareAll compares everything that can be read.
func (w *twins) compareAll() {
	w.read(domain.CouponQuery{ShowDeleted: true})
	for _, id := range w.coupons {
		w.read(domain.PromotionCodeQuery{Coupon: id, ShowDeleted: true})
		w.read(domain.RedemptionQuery{Coupon: id})
	}
	if n := len(w.redemptions); n > 0 {
		w.read(domain.GetRedemption{Name: w.redemptions[n-1]})
	}
}

func (w *twins) read(q domain.Command) {
	got := carryOut(w.env.ctx(), w.store(), q)
	_, want := w.model.Step(w.env.clock.Now(), domain.IDs{}, q)
	if list, ok := got.Value.(domain.Listing[domain.PromotionCodeView]); ok {
		w.compareVersions(list.Items, want.Value.(domain.Listing[domain.PromotionCodeView]).Items)
	}
	w.compare(q, got, want)
}

// compareVersions holds that a version of the store grows when the model's does.
func (w *twins) compareVersions(got, want []domain.PromotionCodeView) {
	model := map[domain.PromotionCodeName]int64{}
	for _, p := range want {
		model[p.Name] = p.Version
	}
	for _, p := range got {
		is := [2]int64{p.Version, model[p.Name]}
		was := w.versions[p.Name]
		if is[1] > was[1] && is[0] <= was[0] || is[0] < was[0] {
			w.Fatalf("the version of %s goes from %d to %d while the model's goes from %d to %d", p.Name, was[0], is[0], was[1], is[1])
		}
		w.versions[p.Name] = is
	}
}

// compare fails the test when a result is not what the model says, but for what
// the model leaves open.
func (w *twins) compare(c domain.Command, got, want domain.Result) {
	w.Helper()
	if q, ok := c.(domain.PromotionCodeQuery); ok && q.Coupon == "" && q.CustomerID == "" && got.Err == nil {
		// Of those that held a code, a store names as many as it remembers.
		want.Value = onlyNamed(want.Value.(domain.Listing[domain.PromotionCodeView]), got.Value.(domain.Listing[domain.PromotionCodeView]))
	}
	want, got = leftOpen(want), leftOpen(got)
	if reflect.DeepEqual(want, got) { //nolint:govet // fast; what differs here is compared properly below
		return
	}
	if d := gocmp.Diff(want, got, sameResult...); d != "" {
		w.Fatalf("%T %+v at %s: the model says -, the store +\n%s", c, c, w.env.clock.Now(), d)
	}
}

// onlyNamed keeps the ACTIVE ones and those that another list has.
func onlyNamed(list, other domain.Listing[domain.PromotionCodeView]) domain.Listing[domain.PromotionCodeView] {
	var out domain.Listing[domain.PromotionCodeView]
	for _, p := range list.Items {
		named := slices.ContainsFunc(other.Items, func(q domain.PromotionCodeView) bool { return q.Name == p.Name })
		if named || p.State == domain.PromotionActive {
			out.Items = append(out.Items, p)
		}
	}
	return out
}

var sameResult = gocmp.Options{
	compareCodes,
	cmpopts.EquateEmpty(),
	gocmp.Comparer(func(a, b error) bool {
		return errors.Is(a, b) || reflect.TypeOf(a) == reflect.TypeOf(b) && reflect.DeepEqual(a, b) //nolint:govet // the domain's errors are plain values
	}),
}

// leftOpen returns a result without what the model leaves to a store: the numbers
// of versions, which holder of a code an error names, and the order of lists that
// does not follow from what they are of.
func leftOpen(r domain.Result) domain.Result {
	var held *domain.AlreadyExistsError
	if errors.As(r.Err, &held) && held.Code != "" {
		return domain.Result{Err: &domain.AlreadyExistsError{Type: held.Type, Code: held.Code}}
	}
	byName := func(a, b domain.PromotionCodeView) int { return cmp.Compare(a.Name.String(), b.Name.String()) }
	switch v := r.Value.(type) {
	case domain.PromotionCodeView:
		v.Version = 0
		r.Value = v
	case domain.Redemption:
		v.PromotionCodeVersion = 0
		r.Value = v
	case domain.Listing[domain.PromotionCodeView]:
		v.Items = slices.SortedFunc(slices.Values(v.Items), byName)
		for i := range v.Items {
			v.Items[i].Version = 0
		}
		r.Value = v
	case domain.Listing[domain.Redemption]:
		v.Items = slices.Clone(v.Items)
		for i := range v.Items {
			v.Items[i].PromotionCodeVersion = 0
		}
		r.Value = v
	case domain.Listing[domain.CouponView]:
		v.Items = slices.SortedFunc(slices.Values(v.Items), func(a, b domain.CouponView) int {
			return cmp.Or(b.CreateTime.Compare(a.CreateTime), cmp.Compare(a.ID, b.ID))
		})
		r.Value = v
	}
	return r
}

// requestIDOf returns the request id of a command that has one.
func requestIDOf(c domain.Command) string {
	if f := reflect.ValueOf(c).FieldByName("RequestID"); f.IsValid() {
		return f.String()
	}
	return ""
}

// kindOfResult is what a result is an example of.
func kindOfResult(c domain.Command, r domain.Result) string {
	switch {
	case r.Err == nil:
		return fmt.Sprintf("%T ok", c)
	case errors.Is(r.Err, domain.ErrAborted) || errors.Is(r.Err, domain.ErrRequestIDReused) || errors.Is(r.Err, domain.ErrInvoiceIDReused):
		return fmt.Sprintf("%T %v", c, r.Err)
	default:
		return fmt.Sprintf("%T %T", c, r.Err)
	}
}

// mustMeet are results that random commands have to come to in the long form: what
// they never come to, they do not test.
var mustMeet = []string{
	"domain.CreateCoupon ok",
	"domain.CreateCoupon *domain.AlreadyExistsError",
	"domain.CreateCoupon " + domain.ErrRequestIDReused.Error(),
	"domain.UpdateCoupon ok",
	"domain.UpdateCoupon " + domain.ErrAborted.Error(),
	"domain.UpdateCoupon *domain.DeletedError",
	"domain.DeleteCoupon ok",
	"domain.CreatePromotionCode ok",
	"domain.CreatePromotionCode *domain.AlreadyExistsError",
	"domain.CreatePromotionCode *domain.RefusedError",
	"domain.CreatePromotionCode *domain.InvalidError",
	"domain.CreatePromotionCode *domain.NotFoundError",
	"domain.CreatePromotionCode " + domain.ErrRequestIDReused.Error(),
	"domain.UpdatePromotionCode ok",
	"domain.UpdatePromotionCode *domain.InvalidError",
	"domain.UpdatePromotionCode " + domain.ErrAborted.Error(),
	"domain.ActivatePromotionCode ok",
	"domain.ActivatePromotionCode *domain.AlreadyExistsError",
	"domain.ActivatePromotionCode *domain.RefusedError",
	"domain.ActivatePromotionCode *domain.DeletedError",
	"domain.DeactivatePromotionCode ok",
	"domain.DeletePromotionCode ok",
	"domain.RedeemRequest ok",
	"domain.RedeemRequest *domain.RefusedError",
	"domain.RedeemRequest *domain.NotFoundError",
	"domain.RedeemRequest " + domain.ErrRequestIDReused.Error(),
	"domain.ValidateRequest ok",
	"domain.ReserveRequest ok",
	"domain.ReserveRequest *domain.RefusedError",
	"domain.ReserveRequest " + domain.ErrRequestIDReused.Error(),
	"domain.CommitRedemption ok",
	"domain.CommitRedemption *domain.RefusedError",
	"domain.CommitRedemption *domain.RedemptionStateError",
	"domain.CommitRedemption *domain.AmountExceededError",
	"domain.CommitRedemption *domain.NotFoundError",
	"domain.CommitRedemption " + domain.ErrRequestIDReused.Error(),
	"domain.ReleaseRedemption ok",
	"domain.ReleaseRedemption *domain.RedemptionStateError",
	"domain.VoidRedemption ok",
	"domain.VoidRedemption *domain.RedemptionStateError",
	"domain.VoidRedemption *domain.AmountExceededError",
	"domain.VoidRedemption " + domain.ErrRequestIDReused.Error(),
	"domain.UpdateCoupon *domain.InvalidError",
	"domain.ApplyRenewal ok",
	"domain.ApplyRenewal *domain.NoSubscriptionError",
	"domain.ApplyRenewal *domain.NotFoundError",
	"domain.ApplyRenewal *domain.RedemptionStateError",
	"domain.ApplyRenewal *domain.RefusedError",
	"domain.ApplyRenewal " + domain.ErrInvoiceIDReused.Error(),
	"domain.ApplyRenewal " + domain.ErrRequestIDReused.Error(),
	"domain.EndDiscount ok",
	"domain.EndDiscount *domain.NoSubscriptionError",
	"domain.EndDiscount " + domain.ErrRequestIDReused.Error(),
}
