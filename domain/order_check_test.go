// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package domain

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

func fieldsOf(v Violations) []string {
	fields := make([]string, len(v))
	for i := range v {
		fields[i] = v[i].Field
	}
	return fields
}

func TestOrdersAreCheckedAtTheirBounds(t *testing.T) {
	t.Parallel()
	line := func(o *Order) *OrderLine { return &o.Lines[1] }
	for _, c := range []struct {
		name   string
		change func(*Order)
		want   []string
	}{
		{"as it is", func(*Order) {}, nil},
		{"longest id", func(o *Order) { o.ID = strings.Repeat("ü", 255) }, nil},
		{"id too long", func(o *Order) { o.ID = strings.Repeat("ü", 256) }, []string{"order.id"}},
		{"control character in the id", func(o *Order) { o.ID = "a\nb" }, []string{"order.id"}},
		{"id that is not UTF-8", func(o *Order) { o.ID = "a\xffb" }, []string{"order.id"}},
		{"replacement character in the id", func(o *Order) { o.ID = "a\ufffdb" }, nil},
		{"no currency", func(o *Order) { o.Currency = "" }, []string{"order.currency_code"}},
		{"unknown currency", func(o *Order) { o.Currency = "EUX" }, []string{"order.currency_code"}},
		{"no lines", func(o *Order) { o.Lines = nil }, []string{"order.lines"}},
		{"no lines and bad shipping", func(o *Order) { o.Lines, o.ShippingAmountMinor = nil, -1 }, []string{"order.lines", "order.shipping_amount_minor"}},
		{"most lines", func(o *Order) { o.Lines = manyLines(200) }, nil},
		{"too many lines", func(o *Order) { o.Lines = manyLines(201) }, []string{"order.lines"}},
		{"shipping below zero", func(o *Order) { o.ShippingAmountMinor = -1 }, []string{"order.shipping_amount_minor"}},
		{"shipping too much", func(o *Order) { o.ShippingAmountMinor = MaxAmount + 1 }, []string{"order.shipping_amount_minor"}},

		{"longest line id", func(o *Order) { line(o).ID = strings.Repeat("x", 64) }, nil},
		{"line id too long", func(o *Order) { line(o).ID = strings.Repeat("x", 65) }, []string{"order.lines[1].id"}},
		{"control character in a line id", func(o *Order) { line(o).ID = "\x7f" }, []string{"order.lines[1].id"}},
		{"line id twice", func(o *Order) { o.Lines[2].ID = o.Lines[0].ID }, []string{"order.lines[2].id"}},
		{"position of another line as id", func(o *Order) { o.Lines[0].ID, o.Lines[1].ID = "2", "" }, []string{"order.lines[1].id"}},
		{"longest product", func(o *Order) { line(o).ProductID = strings.Repeat("x", 255) }, nil},
		{"product too long", func(o *Order) { line(o).ProductID = strings.Repeat("x", 256) }, []string{"order.lines[1].product_id"}},
		{"most categories", func(o *Order) { line(o).CategoryIDs = slices.Repeat([]string{"c"}, 50) }, nil},
		{"too many categories", func(o *Order) { line(o).CategoryIDs = slices.Repeat([]string{"c"}, 51) }, []string{"order.lines[1].category_ids"}},
		{"empty category", func(o *Order) { line(o).CategoryIDs = []string{"c", ""} }, []string{"order.lines[1].category_ids[1]"}},
		{"price of zero", func(o *Order) { line(o).UnitAmountMinor, line(o).MinUnitAmountMinor = 0, 0 }, nil},
		{"price below zero", func(o *Order) { line(o).UnitAmountMinor, line(o).MinUnitAmountMinor = -1, -1 }, []string{
			"order.lines[1].unit_amount_minor", "order.lines[1].min_unit_amount_minor",
		}},
		{"quantity of zero", func(o *Order) { line(o).Quantity = 0 }, []string{"order.lines[1].quantity"}},
		{"largest quantity", func(o *Order) { line(o).Quantity = 1_000_000 }, nil},
		{"quantity too large", func(o *Order) { line(o).Quantity = 1_000_001 }, []string{"order.lines[1].quantity"}},
		{"floor at the price", func(o *Order) { line(o).MinUnitAmountMinor = line(o).UnitAmountMinor }, nil},
		{"floor above the price", func(o *Order) { line(o).MinUnitAmountMinor = line(o).UnitAmountMinor + 1 }, []string{"order.lines[1].min_unit_amount_minor"}},
		{"floor below zero", func(o *Order) { line(o).MinUnitAmountMinor = -1 }, []string{"order.lines[1].min_unit_amount_minor"}},
		{"everything wrong", func(o *Order) { o.Currency, o.Lines[0].Quantity, o.Lines[2].Quantity = "", -1, math.MaxInt64 }, []string{
			"order.currency_code", "order.lines[0].quantity", "order.lines[2].quantity",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			o := &Order{ID: "o", Currency: "EUR", ShippingAmountMinor: 500, Lines: manyLines(3)}
			c.change(o)
			var v Violations
			if o.Check(&v, "order."); !slices.Equal(fieldsOf(v), c.want) {
				t.Errorf("violations %v, want at %v", v, c.want)
			}
		})
	}
}

func manyLines(n int) []OrderLine {
	lines := make([]OrderLine, n)
	for i := range lines {
		lines[i] = OrderLine{ID: fmt.Sprintf("line %d", i), ProductID: "p", CategoryIDs: []string{"c"}, UnitAmountMinor: 10, Quantity: 2, MinUnitAmountMinor: 1}
	}
	return lines
}

func TestTheWholeOrderIsWorthAtMostTheLargestAmount(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		lines    []OrderLine
		shipping int64
		want     []string
	}{
		{"one line at the bound", []OrderLine{{UnitAmountMinor: MaxAmount, Quantity: 1}}, 0, nil},
		{"shipping beyond it", []OrderLine{{UnitAmountMinor: MaxAmount, Quantity: 1}}, 1, []string{"lines"}},
		{"two lines beyond it", []OrderLine{{UnitAmountMinor: MaxAmount, Quantity: 1}, {UnitAmountMinor: 1, Quantity: 1}}, 0, []string{"lines"}},
		{"a product that wraps around to zero", []OrderLine{{UnitAmountMinor: 1 << 52, Quantity: 1 << 12}}, 0, []string{"lines"}},
		{"the largest product", []OrderLine{{UnitAmountMinor: MaxAmount, Quantity: maxLineQuantity}}, 0, []string{"lines"}},
		{"a sum that would wrap around", slices.Repeat([]OrderLine{{UnitAmountMinor: MaxAmount, Quantity: 1}}, 200), 0, []string{"lines"}},
		{"numbers out of all bounds", []OrderLine{{UnitAmountMinor: math.MaxInt64, Quantity: math.MaxInt64}}, MaxAmount, []string{
			"lines[0].unit_amount_minor", "lines[0].quantity", // and not the sum of what is wrong
		}},
		{"a line beyond it by itself", []OrderLine{{UnitAmountMinor: MaxAmount + 1, Quantity: 1}}, 0, []string{"lines[0].unit_amount_minor"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			o := &Order{Currency: "EUR", Lines: slices.Clone(c.lines), ShippingAmountMinor: c.shipping}
			var v Violations
			if o.Check(&v, ""); !slices.Equal(fieldsOf(v), c.want) {
				t.Errorf("violations %v, want at %v", v, c.want)
			}
		})
	}
}

func TestLinesWithoutAnIDAreCalledByTheirPosition(t *testing.T) {
	t.Parallel()
	for _, n := range []int{3, maxOrderLines} {
		o := &Order{Currency: "EUR", Lines: manyLines(n)}
		o.Lines[0].ID, o.Lines[2].ID = "", ""
		mustBeValid(t, o)
		if o.Lines[0].ID != "1" || o.Lines[1].ID != "line 1" || o.Lines[2].ID != "3" {
			t.Errorf("the lines are called %q, %q, %q", o.Lines[0].ID, o.Lines[1].ID, o.Lines[2].ID)
		}
		if n == maxOrderLines {
			o.Lines[150].ID, o.Lines[199].ID = "3", "1"
			var v Violations
			o.Check(&v, "")
			if want := []string{"lines[150].id", "lines[199].id"}; !slices.Equal(fieldsOf(v), want) {
				t.Errorf("violations %v, want at %v", v, want)
			}
		}
	}
}
