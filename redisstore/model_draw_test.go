// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"time"

	"pgregory.net/rapid"

	"github.com/discountd/discountd/domain"
)

const hour = time.Hour

// draw makes random commands from small pools, so that they meet.
type draw struct {
	*rapid.T
	coupons     []domain.CouponID
	names       []domain.PromotionCodeName
	redemptions []domain.RedemptionName
	issued      []domain.Command           // with a request id
	ordinaries  []domain.PromotionCodeName // promotion codes beside gift cards
}

func oneOf[T any](d *draw, label string, values ...T) T {
	return rapid.SampledFrom(values).Draw(d.T, label)
}

// alicesHash stands for an e-mail address.
const alicesHash = domain.EmailHash("abcdefghijklmnop")

func (d *draw) couponID() domain.CouponID {
	if len(d.coupons) > 0 && oneOf(d, "known coupon", true, true, true, false) {
		return rapid.SampledFrom(d.coupons).Draw(d.T, "coupon")
	}
	return oneOf[domain.CouponID](d, "coupon", "a", "b", "c", "c")
}

func (d *draw) request() string {
	return oneOf(d, "request", "", "", "", "", "", "r1", "r2", "r3", "r4")
}

func (d *draw) limit() *int64 {
	return oneOf(d, "limit", nil, nil, pointer(int64(1)), pointer(int64(2)), pointer(int64(5)))
}

func (d *draw) code() string { return oneOf(d, "code", "save", "SAVE", "SAVE", "OTHER") }

// start and end are instants that the clock passes.
func (d *draw) start() time.Time {
	return d.instant(oneOf(d, "start", 0, 0, 0, 0, 0, hour, 6*hour))
}

func (d *draw) end() time.Time {
	return d.instant(oneOf(d, "end", 0, 0, 0, 0, hour/2, 2*hour, 12*hour))
}

func (d *draw) instant(after time.Duration) time.Time {
	if after == 0 {
		return time.Time{}
	}
	return epoch.Add(after)
}

func (d *draw) customer() domain.Customer {
	return domain.Customer{
		ID:                   oneOf(d, "id", "", "alice", "alice", "bob"),
		EmailHash:            oneOf(d, "e-mail", "", "", alicesHash),
		HasPriorTransactions: rapid.Bool().Draw(d.T, "prior"),
	}
}

func (d *draw) name() domain.PromotionCodeName {
	if len(d.names) == 0 || oneOf(d, "unknown code", true, false, false, false, false, false, false, false) {
		return domain.PromotionCodeName{Coupon: d.couponID(), ID: "0000zzzz"}
	}
	return rapid.SampledFrom(d.names).Draw(d.T, "name")
}

func (d *draw) version() int64 { return oneOf[int64](d, "version", 0, 0, 0, 1, 2) }

func (d *draw) source() domain.Source {
	switch oneOf(d, "source", "code", "code", "code", "code", "name", "coupon") {
	case "code":
		return domain.Source{Code: oneOf(d, "typed", d.code(), d.code(), d.code(), "NONE", "no code")}
	case "name":
		return domain.Source{PromotionCode: d.name()}
	default:
		return domain.Source{Coupon: d.couponID()}
	}
}

func (d *draw) validate() domain.ValidateRequest {
	r := domain.ValidateRequest{Source: d.source(), Customer: d.customer()}
	if rapid.Bool().Draw(d.T, "order") {
		r.Order = orderOf(oneOf[int64](d, "amount", 499, 500, 4_000))
		r.Order.ShippingAmountMinor = 490
		r.Order.Lines = append(r.Order.Lines, domain.OrderLine{ID: "second", ProductID: "other", UnitAmountMinor: 333, Quantity: 3})
	}
	r.SubscriptionID = oneOf(d, "subscription", "", "", "", "sub-1", "sub-2", "sub-3")
	r.Context = oneOf(d, "context", domain.ContextDefault, domain.ContextCheckout, domain.ContextSubscriptionUpdate, domain.ContextInvoice)
	r.PlanTrialDays = oneOf[int32](d, "trial of the plan", 0, 0, 7)
	return r
}

// redemption names a redemption, mostly one that was made.
func (d *draw) redemption() domain.RedemptionName {
	if len(d.redemptions) > 0 && oneOf(d, "made", true, true, true, true, true, true, false) {
		return rapid.SampledFrom(d.redemptions).Draw(d.T, "redemption")
	}
	return domain.RedemptionName{Coupon: d.couponID(), ID: oneOf[domain.RedemptionID](d, "made up", "1-aaaaaa", "x", "99-zzzzzz")}
}

// renewal asks for the discount on one of few invoices, which may have other content
// the next time.
func (d *draw) renewal() domain.ApplyRenewal {
	order := orderOf(oneOf[int64](d, "due", 0, 500, 500, 3_000))
	order.ID = oneOf(d, "invoice", "i1", "i2", "i3", "i4", "i5")
	return domain.ApplyRenewal{
		RequestID: oneOf(d, "renewal", "r1", "n1", "n2", "n3", "n4", "n5", "n6"), Name: d.redemption(),
		Invoice: domain.Invoice{Order: *order, IssuedAt: domain.AddMonths(epoch, oneOf(d, "month", 0, 0, 1, 2))},
	}
}

// duration gives a coupon a duration, and perhaps the mark that it is exclusive.
func (d *draw) duration(c *domain.Coupon) {
	switch c.Duration = oneOf(d, "duration", domain.DurationDefault, domain.DurationOnce, domain.DurationForever, domain.DurationRepeating, domain.DurationCycles); c.Duration {
	case domain.DurationRepeating:
		c.DurationInMonths = 1
	case domain.DurationCycles:
		c.DurationInCycles = 2
	case domain.DurationDefault, domain.DurationOnce, domain.DurationForever:
	}
	c.Exclusive = rapid.Bool().Draw(d.T, "exclusive")
}

func (d *draw) redeem() domain.RedeemRequest {
	return domain.RedeemRequest{
		RequestID:       oneOf(d, "redemption", "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9"),
		ValidateRequest: d.validate(),
	}
}

func (d *draw) coupon() domain.Coupon {
	c := domain.Coupon{
		ID: oneOf[domain.CouponID](d, "new coupon", "", "b", "c", "c", "d"), DisplayName: "A coupon",
		MaxRedemptions: d.limit(), MaxRedemptionsPerCustomer: d.limit(), StartsAt: d.start(), RedeemBy: d.end(),
		Metadata: map[string]string{"season": oneOf(d, "season", "spring", "fall")},
	}
	if !c.RedeemBy.After(c.StartsAt) {
		c.RedeemBy = time.Time{}
	}
	c.Budgets, c.PeriodLimits = d.budgets(), d.periodLimits()
	d.duration(&c)
	switch oneOf(d, "discount", "percent", "amount", "trial", "more trial", "shipping") {
	case "percent":
		c.Discount.PercentOff = &domain.PercentOff{BasisPoints: 3_333}
	case "amount":
		c.Discount.AmountOff = &domain.AmountOff{Amounts: []domain.Money{{Currency: "EUR", AmountMinor: 700}}}
	case "trial":
		c.Discount.FreeTrial = &domain.FreeTrial{TrialDays: 30}
	case "more trial":
		c.Discount.FreeTrial = &domain.FreeTrial{AdditionalTrialDays: 14}
	case "shipping":
		c.Discount.ShippingOff = &domain.ShippingOff{PercentOff: &domain.PercentOff{BasisPoints: 5_000}}
	}
	return c
}

func (d *draw) promotionCode() domain.PromotionCode {
	p := domain.PromotionCode{
		Name:           domain.PromotionCodeName{Coupon: d.couponID()},
		MaxRedemptions: d.limit(), MaxRedemptionsPerCustomer: d.limit(), StartsAt: d.start(), ExpiresAt: d.end(),
		Restrictions: domain.Restrictions{FirstTimeTransaction: oneOf(d, "first", false, false, true)},
	}
	if oneOf(d, "given", true, true, true, true, true, true, true, false) {
		p.Code = parsedCode(d.code())
	}
	if !p.ExpiresAt.After(p.StartsAt) {
		p.ExpiresAt = time.Time{}
	}
	p.PeriodLimits = d.periodLimits()
	switch oneOf(d, "bound", "", "", "", "id", "id", "e-mail") {
	case "id":
		p.CustomerID = oneOf(d, "bound id", "alice", "bob")
	case "e-mail":
		p.EmailHash = alicesHash
	}
	if oneOf(d, "minimum", false, false, false, true) {
		p.Restrictions.MinimumAmounts = []domain.Money{{Currency: "EUR", AmountMinor: 1_499}}
	}
	return p
}

// command is any command of a store.
func (d *draw) command() domain.Command {
	kind := oneOf(d, "command",
		"create code", "create code", "create code", "create code", "create code",
		"redeem", "redeem", "redeem", "redeem", "redeem", "redeem", "renew", "renew", "renew", "renew", "end", "reserve", "reserve", "reserve", "reserve", "reserve",
		"settle", "settle", "settle", "settle", "settle", "settle", "settle", "settle", "settle",
		"deactivate", "deactivate", "deactivate", "activate", "activate", "activate", "activate", "activate",
		"update code", "update code", "update coupon", "update coupon", "delete", "validate", "validate", "read",
		"create coupon", "create coupon", "delete coupon", "again", "again", "again")
	switch kind {
	case "create code":
		return domain.CreatePromotionCode{RequestID: d.request(), PromotionCode: d.promotionCode()}
	case "redeem":
		return d.redeem()
	case "renew":
		return d.renewal()
	case "end":
		return domain.EndDiscount{RequestID: oneOf(d, "end", "r1", "e1", "e2", "e3"), Name: d.redemption()}
	case "reserve":
		return d.reserve()
	case "settle":
		return d.settlement()
	case "deactivate":
		return domain.DeactivatePromotionCode{RequestID: d.request(), Name: d.name()}
	case "activate":
		return domain.ActivatePromotionCode{RequestID: d.request(), Name: d.name()}
	case "delete":
		return domain.DeletePromotionCode{RequestID: d.request(), Name: d.name()}
	case "validate":
		return d.validate()
	case "again":
		if len(d.issued) > 0 {
			return rapid.SampledFrom(d.issued).Draw(d.T, "issued")
		}
		return d.redeem()
	case "read":
		return d.read()
	default:
		return d.configuration(kind)
	}
}

// configuration is a command about a coupon, or an update of a promotion code.
func (d *draw) configuration(kind string) domain.Command {
	switch kind {
	case "create coupon":
		return domain.CreateCoupon{RequestID: d.request(), Coupon: d.coupon()}
	case "delete coupon":
		return domain.DeleteCoupon{RequestID: d.request(), ID: d.couponID(), Version: d.version()}
	case "update coupon":
		return domain.UpdateCoupon{
			RequestID: d.request(), ID: d.couponID(), Version: d.version(),
			Set: domain.CouponFields{
				MaxRedemptions: true, MaxRedemptionsPerCustomer: rapid.Bool().Draw(d.T, "set"), DisplayName: true,
				Budgets: oneOf(d, "set budgets", false, false, true), PeriodLimits: oneOf(d, "set periods", false, false, true),
			},
			DisplayName: oneOf(d, "name", "one", "two"), MaxRedemptions: d.limit(), MaxRedemptionsPerCustomer: d.limit(),
			Budgets: d.budgets(), PeriodLimits: d.periodLimits(),
		}
	default:
		u := domain.UpdatePromotionCode{
			RequestID: d.request(), Name: d.name(),
			Set:            domain.PromotionCodeFields{MaxRedemptions: true, Metadata: rapid.Bool().Draw(d.T, "set")},
			Metadata:       map[string]string{"note": oneOf(d, "note", "a", "b")},
			MaxRedemptions: oneOf(d, "new limit", nil, pointer(int64(9)), pointer(int64(1)), pointer(int64(2))),
		}
		if u.RequestID == "" { // else a replay would be compared by version, which the model numbers differently
			u.Version = d.version()
		}
		return u
	}
}

// read is any read.
func (d *draw) read() domain.Command {
	page := domain.Page{Size: oneOf(d, "size", 1, 2, 100)}
	active := oneOf(d, "active", nil, nil, pointer(true), pointer(false))
	deleted := rapid.Bool().Draw(d.T, "deleted")
	customer := oneOf(d, "of", "alice", "bob")
	switch oneOf(d, "read", "coupon", "coupons", "code", "by coupon", "by code", "by customer", "redemption", "redemptions") {
	case "coupon":
		return domain.GetCoupon{ID: d.couponID()}
	case "coupons":
		return domain.CouponQuery{Page: page, ShowDeleted: deleted}
	case "code":
		return domain.GetPromotionCode{Name: d.name()}
	case "by coupon":
		return domain.PromotionCodeQuery{Page: page, Coupon: d.couponID(), Active: active, ShowDeleted: deleted, CustomerID: oneOf(d, "filter", "", "", customer)}
	case "by code":
		return domain.PromotionCodeQuery{Page: page, Code: parsedCode(d.code()), Active: active, ShowDeleted: deleted}
	case "by customer":
		return domain.PromotionCodeQuery{Page: page, CustomerID: customer, Active: active, ShowDeleted: deleted}
	case "redemption":
		return domain.GetRedemption{Name: d.redemption()}
	default:
		return domain.RedemptionQuery{
			Page: page, Coupon: d.couponID(), CustomerID: oneOf(d, "filter", "", customer),
			State: oneOf[domain.RedemptionState](d, "state", 0, 0, domain.RedemptionReserved, domain.RedemptionRedeemed,
				domain.RedemptionReleased, domain.RedemptionExpired, domain.RedemptionVoided),
			CreatedAfter: d.start(), CreatedBefore: d.end(),
		}
	}
}
