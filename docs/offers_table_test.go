// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package docs_test

import discountv1 "github.com/discountd/discountd/gen/discount/v1"

func percentages() []offer {
	return []offer{
		{
			name: "a third", coupon: `{"percent_off": {"basis_points": 3333}}`, order: order("EUR", "a 10_000"),
			paper: "33.33 % of 100.00", lines: []int64{3_333},
		},
		{
			name: "an eighth of three equal lines", coupon: `{"percent_off": {"basis_points": 1250}}`, order: order("EUR", "a 99", "b 99", "c 99"),
			paper: "12.5 % of 2.97 is 0.37; each line's exact 0.1233 is 0.12, and the missing cent goes to the first", lines: []int64{13, 12, 12},
		},
		{
			name: "a half is rounded up", coupon: `{"percent_off": {"basis_points": 1000}}`, order: order("EUR", "a 5"),
			paper: "10 % of 0.05 is half a cent", lines: []int64{1},
		},
		{
			name: "no cents in yen", coupon: `{"percent_off": {"basis_points": 1500}}`, order: order("JPY", "a 999"),
			paper: "15 % of 999 is 149.85", lines: []int64{150},
		},
		{
			name: "thousandths in dinars", coupon: `{"percent_off": {"basis_points": 1000}}`, order: order("KWD", "a 1_255 x 3"),
			paper: "10 % of 3.765 is 0.3765", lines: []int64{377},
		},
		{
			name: "all of it, but not shipping", coupon: `{"percent_off": {"basis_points": 10000}}`, order: order("EUR", "a 1_999 x 3", "b 1", "shipping 490"),
			paper: "3 × 19.99 and 0.01", lines: []int64{5_997, 1},
		},
		{
			name:   "half off, at most 20",
			coupon: `{"percent_off": {"basis_points": 5000}, "caps": {"max_discount": [{"currency_code": "EUR", "amount_minor": 2000}]}}`,
			order:  order("EUR", "a 3_000", "b 5_000"),
			paper:  "half of 80.00 is 40.00; 20.00 as 3 to 5", lines: []int64{750, 1_250},
		},
		{
			name:   "off clothes that are not on sale",
			coupon: `{"percent_off": {"basis_points": 2000}, "applies_to": {"categories": ["clothes"], "exclude_sale_items": true}}`,
			order:  order("EUR", "shirt/clothes 2_500 x 2", "coat/clothes/sale 9_900", "mug/kitchen 1_250"),
			paper:  "20 % of the shirts' 50.00", lines: []int64{1_000, 0, 0},
		},
		{
			name:   "off the cheapest item",
			coupon: `{"percent_off": {"basis_points": 5000}, "caps": {"max_units": 1, "unit_order": "UNIT_ORDER_CHEAPEST_FIRST"}}`,
			order:  order("EUR", "a 1_333", "b 1_666 x 4", "c 1_201 x 3"),
			paper:  "half of 12.01 is 6.005", lines: []int64{0, 0, 601},
		},
		{
			name:   "off two of each product",
			coupon: `{"percent_off": {"basis_points": 3000}, "caps": {"max_units_per_line": 2}}`,
			order:  order("EUR", "a 1_000 x 5", "b 500"),
			paper:  "30 % of 20.00 and of 5.00", lines: []int64{600, 150},
		},
		{
			name:   "never below cost",
			coupon: `{"percent_off": {"basis_points": 4000}, "rounding_scope": "ROUNDING_SCOPE_LINE", "caps": {"min_unit_amount": [{"currency_code": "EUR", "amount_minor": 800}]}}`,
			order:  order("EUR", "a 1_000 x 2", "b 2_000", "c 700"),
			paper:  "a may lose 2 × 2.00 of its 8.00, b its 40 %, c is below already", lines: []int64{400, 800, 0},
		},
		{
			name:   "off items of a price range, both ends included",
			coupon: `{"percent_off": {"basis_points": 2500}, "applies_to": {"unit_amounts": [{"currency_code": "USD", "min_amount_minor": 3000, "max_amount_minor": 15000}]}}`,
			order:  order("USD", "a 3_000", "b 15_000", "c 2_999", "d 15_001"),
			paper:  "25 % of 30.00 and of 150.00", lines: []int64{750, 3_750, 0, 0},
		},
		{
			name:   "a minimum spent on the brand",
			coupon: `{"percent_off": {"basis_points": 1000}, "applies_to": {"categories": ["acme"]}, "conditions": {"minimum_amounts": [{"currency_code": "EUR", "amount_minor": 5000}], "minimum_amount_basis": "MINIMUM_AMOUNT_BASIS_ELIGIBLE_LINES"}}`,
			order:  order("EUR", "a/acme 4_999", "b/other 5_000"),
			paper:  "49.99 of the brand", refused: []discountv1.IneligibilityReason{discountv1.IneligibilityReason_INELIGIBILITY_REASON_MINIMUM_AMOUNT_NOT_MET},
		},
		{
			name:   "not for resellers",
			coupon: `{"percent_off": {"basis_points": 1000}, "conditions": {"maximum_quantity": 5}}`,
			order:  order("EUR", "a 1_000 x 4", "b 500 x 2"),
			paper:  "six units", refused: []discountv1.IneligibilityReason{discountv1.IneligibilityReason_INELIGIBILITY_REASON_MAXIMUM_QUANTITY_EXCEEDED},
		},
	}
}

func amountsOff() []offer {
	const ten = `{"amount_off": {"amounts": [{"currency_code": "EUR", "amount_minor": 1000}, {"currency_code": "USD", "amount_minor": 1200}]}`
	return []offer{
		{
			name: "more than the order is worth", coupon: ten + `}`, order: order("EUR", "a 450", "b 100 x 3", "shipping 490"),
			paper: "4.50 and 3.00, and nothing off shipping", lines: []int64{450, 300},
		},
		{
			name: "over three equal lines", coupon: ten + `}`, order: order("EUR", "a 5_000", "b 5_000", "c 5_000"),
			paper: "3.333 each, the cent to the first", lines: []int64{334, 333, 333},
		},
		{
			name: "in another currency it is offered in", coupon: ten + `}`, order: order("USD", "a 5_000", "b 1_000"),
			paper: "12.00 as 5 to 1", lines: []int64{1_000, 200},
		},
		{
			name: "in a currency it is not offered in", coupon: ten + `}`, order: order("GBP", "a 5_000"),
			paper: "no amount in pounds", refused: []discountv1.IneligibilityReason{discountv1.IneligibilityReason_INELIGIBILITY_REASON_CURRENCY_MISMATCH},
		},
		{
			name: "one cent", coupon: `{"amount_off": {"amounts": [{"currency_code": "EUR", "amount_minor": 1}]}}`, order: order("EUR", "a 100", "b 200", "c 100"),
			paper: "0.25, 0.5 and 0.25 of it: the largest remainder is b's", lines: []int64{0, 1, 0},
		},
		{
			name: "a gift in the cart takes no share", coupon: ten + `}`, order: order("EUR", "gift 0", "a 2_000", "b 3_000"),
			paper: "10.00 as 2 to 3", lines: []int64{0, 400, 600},
		},
		{
			name: "off each line", coupon: ten + `, "allocation": "ALLOCATION_PER_LINE"}`, order: order("EUR", "a 600 x 2", "b 700", "c 1_500"),
			paper: "b costs 7.00 only", lines: []int64{1_000, 700, 1_000},
		},
		{
			name:   "off each unit, four at most, dearest first",
			coupon: ten + `, "allocation": "ALLOCATION_PER_UNIT", "caps": {"max_units": 4}}`, order: order("EUR", "a 600 x 3", "b 2_500 x 3"),
			paper: "three of b, and one a at its whole price", lines: []int64{600, 3_000},
		},
		{
			name:   "shared alike by all units of a brand",
			coupon: ten + `, "allocation": "ALLOCATION_ACROSS_BY_QUANTITY", "applies_to": {"categories": ["acme"]}}`,
			order:  order("EUR", "mug/acme 1_000 x 2", "poster/acme 1_500 x 3", "bottle/star 2_500 x 2", "shirt/acme 2_000 x 3"),
			paper:  "1.25 for each of eight units", lines: []int64{250, 375, 0, 375},
		},
		{
			name:   "shipping per item: one amount for the first, another for those after it, five at most",
			coupon: `{"allocation": "ALLOCATION_PER_UNIT", "amount_off": {"amounts": [{"currency_code": "USD", "amount_minor": 113}], "additional_amounts": [{"currency_code": "USD", "amount_minor": 211}]}, "caps": {"max_units_per_line": 5}}`,
			order:  order("USD", "a 1_000 x 10", "b 1_000 x 2", "c 1_000"),
			paper:  "1.13 + 4 × 2.11, 1.13 + 2.11, 1.13", lines: []int64{957, 324, 113},
		},
	}
}

func prices() []offer {
	return []offer{
		{
			name:   "a price that some items have already",
			coupon: `{"price_override": {"unit_amounts": [{"currency_code": "EUR", "amount_minor": 990}]}}`,
			order:  order("EUR", "a 900 x 2", "b 1_100 x 3", "c 990"),
			paper:  "3 × 1.10; the cheaper ones stay", lines: []int64{0, 330, 0},
		},
		{
			name:   "one sample for nothing",
			coupon: `{"price_override": {"unit_amounts": [{"currency_code": "EUR", "amount_minor": 0}]}, "applies_to": {"categories": ["sample"]}, "caps": {"max_units": 1}}`,
			order:  order("EUR", "a/sample 300 x 2", "b/sample 450", "c/face 2_000"),
			paper:  "the dearest sample", lines: []int64{0, 450, 0},
		},
		{
			name:   "a bulk price, over two lines of one product",
			coupon: `{"price_tiers": {"products": [{"product_id": "pen", "tiers": [{"minimum_quantity": 5, "unit_amounts": [{"currency_code": "EUR", "amount_minor": 180}]}, {"minimum_quantity": 10, "unit_amounts": [{"currency_code": "EUR", "amount_minor": 150}]}]}]}}`,
			order:  order("EUR", "pen 200 x 4", "ink 500 x 20", "pen 200 x 6"),
			paper:  "ten pens reach 1.50: 0.50 off each", lines: []int64{200, 0, 300},
		},
	}
}

func tiers() []offer {
	const bySpend = `{"order_tiers": {"tiers": [
		{"thresholds": [{"currency_code": "EUR", "amount_minor": 5000}], "amount_off": {"amounts": [{"currency_code": "EUR", "amount_minor": 500}]}},
		{"thresholds": [{"currency_code": "EUR", "amount_minor": 10000}], "amount_off": {"amounts": [{"currency_code": "EUR", "amount_minor": 1200}]}}]}`
	const byQuantity = `{"order_tiers": {"tiers": [
		{"minimum_quantity": 10, "percent_off": {"basis_points": 500}},
		{"minimum_quantity": 25, "percent_off": {"basis_points": 1000}}]}, "applies_to": {"categories": ["clothes"]}}`
	return []offer{
		{
			name: "spend 100, save 12, to the cent", coupon: bySpend + `}`, order: order("EUR", "a 7_500", "b 2_500"),
			paper: "12.00 as 3 to 1", lines: []int64{900, 300},
		},
		{
			name: "a cent short of the tier", coupon: bySpend + `}`, order: order("EUR", "a 9_999", "shipping 490"),
			paper: "shipping does not count", lines: []int64{500},
		},
		{
			name: "below every tier", coupon: bySpend + `}`, order: order("EUR", "a 4_999"),
			paper: "49.99", refused: []discountv1.IneligibilityReason{discountv1.IneligibilityReason_INELIGIBILITY_REASON_MINIMUM_AMOUNT_NOT_MET},
		},
		{
			name: "only the eligible lines count", coupon: bySpend + `, "applies_to": {"excluded_categories": ["gift-card"]}}`, order: order("EUR", "a 6_000", "card/gift-card 4_000"),
			paper: "60.00 without the card reach 50.00", lines: []int64{500, 0},
		},
		{
			name: "by quantity, one short", coupon: byQuantity, order: order("EUR", "shirt/clothes 1_000 x 24", "mug/kitchen 1_000 x 5"),
			paper: "5 % of 240.00", lines: []int64{1_200, 0},
		},
		{
			name: "by quantity over several lines", coupon: byQuantity, order: order("EUR", "shirt/clothes 1_000 x 20", "sock/clothes 300 x 5"),
			paper: "25 units: 10 % of 200.00 and of 15.00", lines: []int64{2_000, 150},
		},
		{
			name: "by quantity, too few", coupon: byQuantity, order: order("EUR", "shirt/clothes 1_000 x 9"),
			paper: "nine units", refused: []discountv1.IneligibilityReason{discountv1.IneligibilityReason_INELIGIBILITY_REASON_MINIMUM_QUANTITY_NOT_MET},
		},
	}
}

func sets() []offer {
	return []offer{
		{
			name: "three for two", coupon: `{"buy_x_get_y": {"buy_quantity": 2, "get_quantity": 1}}`, order: order("EUR", "a 3_000", "b 1_000", "c 2_000"),
			paper: "the cheapest", lines: []int64{0, 1_000, 0},
		},
		{
			name: "three for two, twice and one over", coupon: `{"buy_x_get_y": {"buy_quantity": 2, "get_quantity": 1}}`, order: order("EUR", "a 3_000 x 2", "b 1_000 x 3", "c 2_000 x 2"),
			paper: "two sets, the two cheapest", lines: []int64{0, 2_000, 0},
		},
		{
			name: "the second pair at half price", coupon: `{"buy_x_get_y": {"buy_quantity": 1, "get_quantity": 1, "get_basis_points": 5000}, "applies_to": {"categories": ["shoes"]}}`,
			order: order("EUR", "boots/shoes 8_000", "belt/other 1_000", "sandals/shoes 5_999"),
			paper: "half of 59.99 is 29.995", lines: []int64{0, 0, 3_000},
		},
		{
			name: "a bag with each laptop", coupon: `{"buy_x_get_y": {"buy_quantity": 1, "buy": {"categories": ["laptop"]}, "get_quantity": 1, "get": {"categories": ["bag"]}}}`,
			order: order("EUR", "x1/laptop 90_000 x 2", "red/bag 4_000", "blue/bag 3_000", "gold/bag 5_000"),
			paper: "two laptops, the two cheapest bags", lines: []int64{0, 4_000, 3_000, 0},
		},
		{
			name: "the dearest bag, once", coupon: `{"buy_x_get_y": {"buy_quantity": 1, "buy": {"categories": ["laptop"]}, "get_quantity": 1, "get": {"categories": ["bag"]}, "get_order": "UNIT_ORDER_DEAREST_FIRST", "max_applications": 1}}`,
			order: order("EUR", "x1/laptop 90_000 x 2", "red/bag 4_000", "gold/bag 5_000"),
			paper: "one application", lines: []int64{0, 0, 5_000},
		},
		{
			name: "a bag without a laptop", coupon: `{"buy_x_get_y": {"buy_quantity": 1, "buy": {"categories": ["laptop"]}, "get_quantity": 1, "get": {"categories": ["bag"]}}}`,
			order: order("EUR", "red/bag 4_000"),
			paper: "nothing bought", refused: []discountv1.IneligibilityReason{discountv1.IneligibilityReason_INELIGIBILITY_REASON_NO_APPLICABLE_ITEMS},
		},
		{
			name: "nothing on sale is bought or had", coupon: `{"buy_x_get_y": {"buy_quantity": 1, "buy": {"categories": ["laptop"]}, "get_quantity": 1, "get": {"categories": ["bag"]}}, "applies_to": {"exclude_sale_items": true}}`,
			order: order("EUR", "x1/laptop/sale 90_000 x 2", "x2/laptop 80_000", "red/bag/sale 2_000", "blue/bag 3_000 x 2"),
			paper: "one laptop and the two blue bags are not on sale", lines: []int64{0, 0, 0, 3_000},
		},
		{
			name: "3 off the coffee that comes with two cakes", coupon: `{"buy_x_get_y": {"buy_quantity": 2, "buy": {"products": ["cake"]}, "get_quantity": 1, "get": {"products": ["coffee"]}}, "caps": {"max_discount_per_unit": [{"currency_code": "EUR", "amount_minor": 300}]}}`,
			order: order("EUR", "cake 350 x 5", "coffee 420 x 3"),
			paper: "two pairs of cakes, 3.00 off two coffees", lines: []int64{0, 600},
		},
		{
			name: "any three for 20", coupon: `{"bundle_price": {"bundle_quantity": 3, "amounts": [{"currency_code": "GBP", "amount_minor": 2000}]}}`,
			order: order("GBP", "a 800 x 7"),
			paper: "two bundles of 24.00", lines: []int64{800},
		},
		{
			name: "any three for 10, of different prices", coupon: `{"bundle_price": {"bundle_quantity": 3, "amounts": [{"currency_code": "EUR", "amount_minor": 1000}]}}`,
			order: order("EUR", "a 500", "b 200", "c 400", "d 300"),
			paper: "the three dearest cost 12.00; 2.00 as 5 to 4 to 3", lines: []int64{83, 0, 67, 50},
		},
		{
			name: "5 off every three", coupon: `{"group_amount_off": {"group_size": 3, "amounts": [{"currency_code": "EUR", "amount_minor": 500}]}}`,
			order: order("EUR", "a 1_000 x 7"),
			paper: "two groups", lines: []int64{1_000},
		},
		{
			name: "5 off each of every two, twice at most", coupon: `{"allocation": "ALLOCATION_PER_UNIT", "group_amount_off": {"group_size": 2, "amounts": [{"currency_code": "EUR", "amount_minor": 500}], "max_applications": 2}}`,
			order: order("EUR", "a 1_000 x 7", "b 2_000"),
			paper: "b and a, a and a: four times 5.00", lines: []int64{1_500, 500},
		},
	}
}

func shippings() []offer {
	const freeFrom50 = `{"shipping_off": {"percent_off": {"basis_points": 10000}}, "conditions": {"minimum_amounts": [{"currency_code": "EUR", "amount_minor": 5000}]}}`
	return []offer{
		{
			name: "free from 50", coupon: freeFrom50, order: order("EUR", "a 5_000", "shipping 490"),
			paper: "50.00 reach 50.00", lines: []int64{0}, shipping: 490,
		},
		{
			name: "free from 50, with 49.99", coupon: freeFrom50, order: order("EUR", "a 4_999", "shipping 490"),
			paper: "shipping does not count", refused: []discountv1.IneligibilityReason{discountv1.IneligibilityReason_INELIGIBILITY_REASON_MINIMUM_AMOUNT_NOT_MET},
		},
		{
			name: "free, of an order that ships for nothing", coupon: freeFrom50, order: order("EUR", "a 5_000"),
			paper: "nothing to take", lines: []int64{0},
		},
		{
			name: "half price, at most 3", coupon: `{"shipping_off": {"percent_off": {"basis_points": 5000}}, "caps": {"max_discount": [{"currency_code": "EUR", "amount_minor": 300}]}}`,
			order: order("EUR", "a 5_000", "shipping 990"),
			paper: "half of 9.90 is 4.95", lines: []int64{0}, shipping: 300,
		},
		{
			name: "5 off what costs 3.90", coupon: `{"shipping_off": {"amount_off": {"amounts": [{"currency_code": "EUR", "amount_minor": 500}]}}}`,
			order: order("EUR", "a 5_000", "shipping 390"),
			paper: "3.90, and nothing off the lines", lines: []int64{0}, shipping: 390,
		},
		{
			name: "free with a coat", coupon: `{"shipping_off": {"percent_off": {"basis_points": 10000}}, "applies_to": {"products": ["coat"]}}`,
			order: order("EUR", "shirt 2_000", "shipping 490"),
			paper: "no coat", refused: []discountv1.IneligibilityReason{discountv1.IneligibilityReason_INELIGIBILITY_REASON_NO_APPLICABLE_ITEMS},
		},
	}
}
