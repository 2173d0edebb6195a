// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package domain

import (
	"fmt"
	"slices"
	"strconv"
	"unicode"
	"unicode/utf8"
)

// The bounds of what a coupon may say, as the API documents them.
const (
	maxAmounts         = 50
	maxOrderTiers      = 20
	maxTieredProducts  = 100
	maxPriceTiers      = 20
	maxScopeNames      = 500
	maxSetUnits        = 1_000_000
	maxTrialDays       = 730
	maxReferenceLength = 255
)

// Check records every field of t that is out of bounds or contradicts another
// one. Fields are named as in the API, each after prefix, such as
// "coupon.buy_x_get_y.buy_quantity".
func (t *Terms) Check(v *Violations, prefix string) {
	t.Discount.check(v, prefix)
	t.AppliesTo.check(v, prefix+"applies_to.")
	t.Conditions.check(v, prefix+"conditions.")
	t.Caps.check(v, prefix+"caps.")
	checkEnum(v, prefix+"allocation", t.Allocation, PerUnit)
	checkEnum(v, prefix+"rounding_scope", t.RoundingScope, RoundPerUnit)
	t.checkTogether(v, prefix)
}

func (d *Discount) check(v *Violations, prefix string) {
	n := 0
	if d.PercentOff != nil {
		n++
		d.PercentOff.check(v, prefix+"percent_off.")
	}
	if d.AmountOff != nil {
		n++
		d.AmountOff.check(v, prefix+"amount_off.")
	}
	if d.PriceOverride != nil {
		n++
		checkAmounts(v, prefix+"price_override.unit_amounts", d.PriceOverride.UnitAmounts, 0, true)
	}
	if d.FreeTrial != nil {
		n++
		d.FreeTrial.check(v, prefix+"free_trial.")
	}
	if d.ShippingOff != nil {
		n++
		d.ShippingOff.check(v, prefix+"shipping_off.")
	}
	if d.OrderTiers != nil {
		n++
		d.OrderTiers.check(v, prefix+"order_tiers.")
	}
	if d.PriceTiers != nil {
		n++
		d.PriceTiers.check(v, prefix+"price_tiers.")
	}
	if d.BuyXGetY != nil {
		n++
		d.BuyXGetY.check(v, prefix+"buy_x_get_y.")
	}
	if g := d.GroupAmountOff; g != nil {
		n++
		checkRange(v, prefix+"group_amount_off.group_size", g.GroupSize, 1, maxSetUnits)
		checkAmounts(v, prefix+"group_amount_off.amounts", g.Amounts, 1, true)
		checkOptionalCount(v, prefix+"group_amount_off.max_applications", g.MaxApplications)
	}
	if b := d.BundlePrice; b != nil {
		n++
		checkRange(v, prefix+"bundle_price.bundle_quantity", b.BundleQuantity, 1, maxSetUnits)
		checkAmounts(v, prefix+"bundle_price.amounts", b.Amounts, 0, true)
		checkOptionalCount(v, prefix+"bundle_price.max_applications", b.MaxApplications)
	}
	if d.GiftCards != nil {
		n++
		d.GiftCards.check(v, prefix+"gift_cards.")
	}
	if n != 1 {
		v.Add(prefix+"discount", "exactly one is required: percent_off, amount_off, price_override, free_trial, shipping_off, "+
			"order_tiers, price_tiers, buy_x_get_y, group_amount_off, bundle_price or gift_cards")
	}
}

func (p *PercentOff) check(v *Violations, prefix string) {
	if p.BasisPoints < 1 || p.BasisPoints > FullShare {
		v.Add(prefix+"basis_points", "must be 1 to %d hundredths of a percent", FullShare)
	}
}

func (a *AmountOff) check(v *Violations, prefix string) {
	if len(a.AdditionalAmounts) == 0 {
		checkAmounts(v, prefix+"amounts", a.Amounts, 1, true)
		return
	}
	checkAmounts(v, prefix+"amounts", a.Amounts, 0, true)
	checkAmounts(v, prefix+"additional_amounts", a.AdditionalAmounts, 0, true)
	if len(a.Amounts) > maxAmounts || len(a.AdditionalAmounts) > maxAmounts {
		return
	}
	if !covers(a.AdditionalAmounts, a.Amounts) || !covers(a.Amounts, a.AdditionalAmounts) {
		v.Add(prefix+"additional_amounts", "must name the same currencies as amounts")
	}
	for i, m := range a.AdditionalAmounts {
		if first, ok := AmountIn(a.Amounts, m.Currency); ok && first == 0 && m.AmountMinor == 0 {
			v.Add(prefix+"additional_amounts["+strconv.Itoa(i)+"].amount_minor", "must not be 0 where amounts has 0, too")
		}
	}
}

func (s *ShippingOff) check(v *Violations, prefix string) {
	checkEither(v, prefix, "reduction", s.PercentOff, s.AmountOff)
}

// checkEither checks a choice between a percentage and an amount, of which
// exactly one is required.
func checkEither(v *Violations, prefix, choice string, p *PercentOff, a *AmountOff) {
	if (p == nil) == (a == nil) {
		v.Add(prefix+choice, "exactly one of percent_off and amount_off is required")
	}
	if p != nil {
		p.check(v, prefix+"percent_off.")
	}
	if a != nil {
		a.check(v, prefix+"amount_off.")
	}
}

func (o *OrderTiers) check(v *Violations, prefix string) {
	checkLength(v, prefix+"tiers", len(o.Tiers), 1, maxOrderTiers)
	if len(o.Tiers) > maxOrderTiers {
		return
	}
	for i := range o.Tiers {
		tier := &o.Tiers[i]
		at := prefix + "tiers[" + strconv.Itoa(i) + "]."
		checkEither(v, at, "reward", tier.PercentOff, tier.AmountOff)
		if tier.MinimumQuantity != nil {
			o.checkMinimumQuantity(v, at, i)
			continue
		}
		if i > 0 && o.Tiers[i-1].MinimumQuantity != nil {
			v.Add(at+"minimum_quantity", "is required, as the tier before has one")
			continue
		}
		checkAmounts(v, at+"thresholds", tier.Thresholds, 0, i > 0)
		if len(tier.Thresholds) > 0 && tier.AmountOff != nil && !covers(tier.AmountOff.Amounts, tier.Thresholds) {
			v.Add(at+"amount_off.amounts", "must have an amount in every currency of the tier's thresholds")
		}
		if i == 0 || len(o.Tiers[i-1].Thresholds) == 0 {
			continue
		}
		if !covers(tier.Thresholds, o.Tiers[i-1].Thresholds) || !covers(o.Tiers[i-1].Thresholds, tier.Thresholds) {
			v.Add(at+"thresholds", "must name the same currencies as the tier before")
		}
		for k, m := range tier.Thresholds {
			if before, ok := AmountIn(o.Tiers[i-1].Thresholds, m.Currency); ok && m.AmountMinor <= before {
				v.Add(fmt.Sprintf("%sthresholds[%d].amount_minor", at, k), "must be above the %d of the tier before", before)
			}
		}
	}
}

// checkMinimumQuantity checks tier i, which has a minimum quantity.
func (o *OrderTiers) checkMinimumQuantity(v *Violations, at string, i int) {
	tier := &o.Tiers[i]
	checkRange(v, at+"minimum_quantity", *tier.MinimumQuantity, 1, MaxAmount)
	if len(tier.Thresholds) > 0 {
		v.Add(at+"thresholds", "cannot be set with minimum_quantity")
	}
	if i > 0 {
		before := &o.Tiers[i-1]
		if n := before.MinimumQuantity; n != nil && *tier.MinimumQuantity <= *n {
			v.Add(at+"minimum_quantity", "must be above the %d of the tier before", *n)
		}
		if len(before.Thresholds) > 0 && before.MinimumQuantity == nil {
			v.Add(at+"minimum_quantity", "cannot be set, as the tier before has thresholds")
		}
	}
	// An order must not lose its discount by growing.
	if tier.AmountOff == nil {
		return
	}
	for k := range o.Tiers[:i] {
		if a := o.Tiers[k].AmountOff; a != nil {
			if !covers(tier.AmountOff.Amounts, a.Amounts) || !covers(a.Amounts, tier.AmountOff.Amounts) {
				v.Add(at+"amount_off.amounts", "must name the same currencies as the tiers before")
			}
			return
		}
	}
}

func (p *PriceTiers) check(v *Violations, prefix string) {
	checkLength(v, prefix+"products", len(p.Products), 1, maxTieredProducts)
	if len(p.Products) > maxTieredProducts {
		return
	}
	var first []Money // every price list has the currencies of the first price
	if len(p.Products) > 0 && len(p.Products[0].Tiers) > 0 {
		first = p.Products[0].Tiers[0].UnitAmounts
	}
	for i := range p.Products {
		product := &p.Products[i]
		at := prefix + "products[" + strconv.Itoa(i) + "]."
		checkReference(v, at+"product_id", product.ProductID, 1)
		if slices.ContainsFunc(p.Products[:i], func(q ProductPriceTiers) bool { return q.ProductID == product.ProductID }) {
			v.Add(at+"product_id", "is listed before")
		}
		checkLength(v, at+"tiers", len(product.Tiers), 1, maxPriceTiers)
		if len(product.Tiers) > maxPriceTiers {
			continue
		}
		for k := range product.Tiers {
			tier := &product.Tiers[k]
			at := at + "tiers[" + strconv.Itoa(k) + "]."
			checkRange(v, at+"minimum_quantity", tier.MinimumQuantity, 1, MaxAmount)
			if k > 0 && tier.MinimumQuantity <= product.Tiers[k-1].MinimumQuantity {
				v.Add(at+"minimum_quantity", "must be above the %d of the tier before", product.Tiers[k-1].MinimumQuantity)
			}
			checkAmounts(v, at+"unit_amounts", tier.UnitAmounts, 0, true)
			if len(tier.UnitAmounts) > 0 && (!covers(tier.UnitAmounts, first) || !covers(first, tier.UnitAmounts)) {
				v.Add(at+"unit_amounts", "must name the same currencies as the first price")
			}
		}
	}
}

func (b *BuyXGetY) check(v *Violations, prefix string) {
	checkRange(v, prefix+"buy_quantity", b.BuyQuantity, 1, maxSetUnits)
	checkRange(v, prefix+"get_quantity", b.GetQuantity, 1, maxSetUnits)
	checkRange(v, prefix+"get_basis_points", int64(b.GetBasisPoints), 1, int64(FullShare))
	checkOptionalCount(v, prefix+"max_applications", b.MaxApplications)
	checkEnum(v, prefix+"get_order", b.GetOrder, DearestFirst)
	if b.Buy != nil {
		b.Buy.check(v, prefix+"buy.")
	}
	if b.Get != nil {
		b.Get.check(v, prefix+"get.")
	}
}

func (a *AppliesTo) check(v *Violations, prefix string) {
	checkNames(v, prefix+"products", a.Products, nil)
	checkNames(v, prefix+"excluded_products", a.ExcludedProducts, a.Products)
	checkNames(v, prefix+"categories", a.Categories, nil)
	checkNames(v, prefix+"excluded_categories", a.ExcludedCategories, a.Categories)
	checkLength(v, prefix+"unit_amounts", len(a.UnitAmounts), 0, maxAmounts)
	if len(a.UnitAmounts) > maxAmounts {
		return
	}
	for i := range a.UnitAmounts {
		r := &a.UnitAmounts[i]
		at := prefix + "unit_amounts[" + strconv.Itoa(i) + "]."
		checkCurrency(v, at+"currency_code", r.Currency)
		if slices.ContainsFunc(a.UnitAmounts[:i], func(q AmountRange) bool { return q.Currency == r.Currency }) {
			v.Add(at+"currency_code", "%s has a range before", r.Currency)
		}
		checkRange(v, at+"min_amount_minor", r.Min, 0, MaxAmount)
		if r.Max != nil {
			checkRange(v, at+"max_amount_minor", *r.Max, max(r.Min, 0), MaxAmount)
		}
	}
}

func (c *OrderConditions) check(v *Violations, prefix string) {
	checkAmounts(v, prefix+"minimum_amounts", c.MinimumAmounts, 1, false)
	checkEnum(v, prefix+"minimum_amount_basis", c.MinimumAmountBasis, BasisEligibleLines)
	checkOptionalCount(v, prefix+"minimum_quantity", c.MinimumQuantity)
	checkOptionalCount(v, prefix+"maximum_quantity", c.MaximumQuantity)
	if c.MinimumQuantity != nil && c.MaximumQuantity != nil && *c.MaximumQuantity < *c.MinimumQuantity {
		v.Add(prefix+"maximum_quantity", "must not be below the minimum_quantity of %d", *c.MinimumQuantity)
	}
}

func (c *DiscountCaps) check(v *Violations, prefix string) {
	checkAmounts(v, prefix+"max_discount", c.MaxDiscount, 1, false)
	checkAmounts(v, prefix+"max_discount_per_unit", c.MaxDiscountPerUnit, 1, false)
	checkAmounts(v, prefix+"min_unit_amount", c.MinUnitAmount, 0, false)
	checkOptionalCount(v, prefix+"max_units", c.MaxUnits)
	checkOptionalCount(v, prefix+"max_units_per_line", c.MaxUnitsPerLine)
	checkEnum(v, prefix+"unit_order", c.UnitOrder, DearestFirst)
}

// checkAmounts checks a list of amounts, one a currency, each at least least.
func checkAmounts(v *Violations, field string, amounts []Money, least int64, required bool) {
	n := 0
	if required {
		n = 1
	}
	checkLength(v, field, len(amounts), n, maxAmounts)
	if len(amounts) > maxAmounts {
		return
	}
	for i, m := range amounts {
		at := field + "[" + strconv.Itoa(i) + "]."
		checkCurrency(v, at+"currency_code", m.Currency)
		if _, again := AmountIn(amounts[:i], m.Currency); again {
			v.Add(at+"currency_code", "must not be %s again: there is one amount per currency", m.Currency)
		}
		checkRange(v, at+"amount_minor", m.AmountMinor, least, MaxAmount)
	}
}

// covers reports whether amounts has an amount in every currency of others.
func covers(amounts, others []Money) bool {
	for i := range others {
		if _, ok := AmountIn(amounts, others[i].Currency); !ok {
			return false
		}
	}
	return true
}

// checkNames checks a list of products or categories, none of which is among
// included: a name on both lists would select and leave out the same lines.
func checkNames(v *Violations, field string, names, included []string) {
	checkLength(v, field, len(names), 0, maxScopeNames)
	if len(names) > maxScopeNames || len(included) > maxScopeNames {
		return
	}
	for i, name := range names {
		at := field + "[" + strconv.Itoa(i) + "]"
		checkReference(v, at, name, 1)
		if slices.Contains(included, name) {
			v.Add(at, "is included and excluded")
		}
	}
}

func checkCurrency(v *Violations, field string, c Currency) {
	if _, err := ParseCurrency(string(c)); err != nil {
		v.Add(field, "%v", err)
	}
}

func checkRange(v *Violations, field string, n, least, most int64) {
	if n < least || n > most {
		v.Add(field, "must be %d to %d", least, most)
	}
}

// checkOptionalCount checks an optional limit of 1 or more.
func checkOptionalCount(v *Violations, field string, n *int64) {
	if n != nil {
		checkRange(v, field, *n, 1, MaxAmount)
	}
}

func checkLength(v *Violations, field string, n, least, most int) {
	if n < least || n > most {
		v.Add(field, "must have %d to %d entries", least, most)
	}
}

func checkEnum[E ~uint8](v *Violations, field string, e, last E) {
	if e > last {
		v.Add(field, "is not a known value")
	}
}

// checkReference checks a name that is the caller's own.
func checkReference(v *Violations, field, s string, least int) {
	if !isText(s, least, maxReferenceLength) {
		v.Add(field, "must be %d to %d characters without control characters", least, maxReferenceLength)
	}
}

// isText reports whether s is least to most characters of valid UTF-8 without
// control characters.
func isText(s string, least, most int) bool {
	n := 0
	for i, r := range s {
		if n++; n > most || unicode.IsControl(r) {
			return false
		}
		if r == utf8.RuneError {
			if _, size := utf8.DecodeRuneInString(s[i:]); size == 1 {
				return false
			}
		}
	}
	return n >= least
}

// check records what is wrong with the days of a trial.
func (f *FreeTrial) check(v *Violations, prefix string) {
	switch {
	case f.AdditionalTrialDays == 0 && f.TrialDays == 0:
		v.Add(prefix+"trial_days", "must be 1 to %d, unless additional_trial_days is", maxTrialDays)
		return
	case f.AdditionalTrialDays == 0:
		checkRange(v, prefix+"trial_days", int64(f.TrialDays), 1, maxTrialDays)
		return
	}
	checkRange(v, prefix+"additional_trial_days", int64(f.AdditionalTrialDays), 1, maxTrialDays)
	if f.TrialDays != 0 {
		v.Add(prefix+"trial_days", "must be unset when additional_trial_days is set")
	}
}
