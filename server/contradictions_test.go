// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"slices"
	"testing"
)

// Rules that are each good and cannot hold together are refused where they are
// entered, and the violation is at the field that contradicts.
func TestContradictoryRulesAreRefused(t *testing.T) {
	const (
		percent = `percent_off { basis_points: 1000 } `
		amount  = `amount_off { amounts { currency_code: "EUR" amount_minor: 500 } } `
		buy     = `buy_x_get_y { buy_quantity: 2 get_quantity: 1 } `
		usd     = `{ currency_code: "USD" amount_minor: 500 } `
	)
	tier := func(threshold string) string {
		return `tiers { percent_off { basis_points: 500 } ` + threshold + ` } `
	}
	eur := func(threshold string) string {
		return tier(`thresholds { currency_code: "EUR" amount_minor: ` + threshold + ` }`)
	}
	store := &stub{}
	s := start(t, store)
	for coupon, want := range map[string][]string{
		`order_tiers { ` + eur("900") + eur("900") + `}`:                                                                                     {"order_tiers.tiers[1].thresholds[0].amount_minor"},
		`order_tiers { ` + eur("900") + tier("") + `}`:                                                                                       {"order_tiers.tiers[1].thresholds"},
		`order_tiers { ` + eur("900") + tier("minimum_quantity: 3") + `}`:                                                                    {"order_tiers.tiers[1].minimum_quantity"},
		`order_tiers { ` + tier("minimum_quantity: 3") + tier("minimum_quantity: 2") + `}`:                                                   {"order_tiers.tiers[1].minimum_quantity"},
		`order_tiers { ` + tier("minimum_quantity: 3") + eur("900") + `}`:                                                                    {"order_tiers.tiers[1].minimum_quantity"},
		`order_tiers { ` + tier(`minimum_quantity: 3 thresholds `+usd) + `}`:                                                                 {"order_tiers.tiers[0].thresholds"},
		percent + `applies_to { products: "a" excluded_products: "a" }`:                                                                      {"applies_to.excluded_products[0]"},
		percent + `conditions { minimum_quantity: 3 maximum_quantity: 2 }`:                                                                   {"conditions.maximum_quantity"},
		percent + `allocation: ALLOCATION_ACROSS_BY_QUANTITY`:                                                                                {"allocation"},
		percent + `allocation: ALLOCATION_PER_LINE rounding_scope: ROUNDING_SCOPE_UNIT`:                                                      {"rounding_scope"},
		amount + `rounding_scope: ROUNDING_SCOPE_LINE`:                                                                                       {"rounding_scope"},
		amount + `conditions { minimum_amounts ` + usd + `}`:                                                                                 {"conditions.minimum_amounts"},
		amount + `caps { max_discount ` + usd + `}`:                                                                                          {"caps.max_discount"},
		amount + `applies_to { unit_amounts { currency_code: "USD" } }`:                                                                      {"applies_to.unit_amounts"},
		buy + `caps { unit_order: UNIT_ORDER_CHEAPEST_FIRST max_units: 1 }`:                                                                  nil,
		`buy_x_get_y { buy_quantity: 2 get_quantity: 1 get_order: UNIT_ORDER_DEAREST_FIRST } caps { unit_order: UNIT_ORDER_CHEAPEST_FIRST }`: {"caps.unit_order"},
		`buy_x_get_y { buy_quantity: 2 get_quantity: 1 get { products: "a" } } applies_to { excluded_products: "a" }`:                        {"buy_x_get_y.get.products[0]"},
		`bundle_price { bundle_quantity: 3 amounts ` + usd + `} caps { max_units: 2 }`:                                                       {"caps.max_units"},
		`group_amount_off { group_size: 3 amounts ` + usd + `} caps { max_units: 2 }`:                                                        {"caps.max_units"},
		`free_trial { trial_days: 14 } caps { max_discount ` + usd + `max_units: 1 }`:                                                        {"caps.max_units", "caps.max_discount"},
		`shipping_off { percent_off { basis_points: 10000 } } allocation: ALLOCATION_PER_UNIT`:                                               {"allocation"},
		`shipping_off { percent_off { basis_points: 10000 } } caps { min_unit_amount ` + usd + `}`:                                           {"caps.min_unit_amount"},
		`amount_off { amounts ` + usd + `additional_amounts ` + usd + `}`:                                                                    {"amount_off.additional_amounts"},
	} {
		before := store.calls.Load()
		_, err := s.call(t, "CreateCoupon", request(t, "CreateCoupon", "coupon { "+coupon+" }"))
		if want == nil {
			if err != nil {
				t.Errorf("%s: refused: %v", coupon, err)
			}
			continue
		}
		for i := range want {
			want[i] = "coupon." + want[i]
		}
		if err == nil || store.calls.Load() != before {
			t.Errorf("%s: is taken, want violations at %v", coupon, want)
			continue
		}
		if got := violated(t, err); !slices.Equal(got, want) {
			t.Errorf("%s: violates %v, want %v", coupon, got, want)
		}
	}
}
