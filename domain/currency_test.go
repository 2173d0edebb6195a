// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package domain

import (
	"testing"
	"time"
)

func TestCurrenciesHaveTheDecimalsOfTheStandard(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]int{
		"EUR": 2, "USD": 2, "GBP": 2, "INR": 2, "ISK": 0, "HUF": 2,
		"JPY": 0, "KRW": 0, "CLP": 0, "VND": 0, "XOF": 0,
		"KWD": 3, "BHD": 3, "TND": 3, "IQD": 3, "CLF": 4,
	} {
		c, err := ParseCurrency(code)
		if err != nil {
			t.Errorf("ParseCurrency(%q) = %v", code, err)
			continue
		}
		if got := c.Decimals(); got != want {
			t.Errorf("%s has %d decimals, want %d", code, got, want)
		}
	}
}

func TestOnlyActiveCodesInCapitalsAreCurrencies(t *testing.T) {
	t.Parallel()
	for _, code := range []string{
		"", "eur", "Eur", " EUR", "EURO", "EU", "ZZZ", "ＥＵＲ",
		"DEM", "HRK", "BGN", // no longer in use
		"XAU", "XTS", "XXX", // no minor unit
	} {
		if c, err := ParseCurrency(code); err == nil {
			t.Errorf("ParseCurrency(%q) = %q, want an error", code, c)
		}
		if got := Currency(code).Decimals(); got != -1 {
			t.Errorf("Currency(%q).Decimals() = %d, want -1", code, got)
		}
	}
}

func TestCurrencyTableNamesItsEdition(t *testing.T) {
	t.Parallel()
	if _, err := time.Parse(time.DateOnly, currenciesPublished); err != nil {
		t.Error(err)
	}
}
