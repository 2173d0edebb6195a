// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package domain

import "errors"

//go:generate go run -C ../tools ./currencies

// errCurrencyUnknown describes what a currency may be.
var errCurrencyUnknown = errors.New(`must be an active ISO 4217 code in capital letters, such as "EUR"`)

// ParseCurrency returns the currency with the ISO 4217 code s. It takes active
// codes that have a minor unit, in capital letters, and refuses all else: a code
// that is almost right must not become another currency's price.
func ParseCurrency(s string) (Currency, error) {
	if _, ok := currencyDecimals(s); !ok {
		return "", errCurrencyUnknown
	}
	return Currency(s), nil
}

// Decimals returns how many decimals the minor unit has: 2 for EUR, 0 for JPY, 3
// for KWD. It is -1 when c did not come from ParseCurrency.
func (c Currency) Decimals() int {
	if n, ok := currencyDecimals(string(c)); ok {
		return n
	}
	return -1
}
