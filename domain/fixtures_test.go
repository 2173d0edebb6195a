// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package domain

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// noon is when tests happen.
var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

const hour = time.Hour

// compare shows how two values of this package differ.
func compare(want, got any) string {
	sentinel := func(err error) bool {
		return errors.Is(err, ErrAborted) || errors.Is(err, ErrRequestIDReused) || errors.Is(err, ErrInvoiceIDReused)
	}
	return cmp.Diff(want, got,
		cmp.AllowUnexported(Code{}),
		cmp.FilterValues(
			func(a, b error) bool { return sentinel(a) || sentinel(b) },
			cmp.Comparer(errors.Is),
		))
}

func mustCode(s string) Code {
	c, err := ParseCode(s)
	if err != nil {
		panic(err)
	}
	return c
}

// percentOff returns terms that are valid and apply to every order.
func percentOff(p BasisPoints) Terms {
	return Terms{Discount: Discount{PercentOff: &PercentOff{BasisPoints: p}}}
}

// orderOf returns an order of one line with one unit.
func orderOf(currency Currency, amount int64) *Order {
	return &Order{
		ID: "order-1", Currency: currency,
		Lines: []OrderLine{{ID: "1", ProductID: "shoe", UnitAmountMinor: amount, Quantity: 1}},
	}
}

// change is one way in which a value can be made another: it changes the value in
// place, and undo takes that back.
type change struct {
	path string
	do   func()
	undo func()
}

// changes returns a change for every field of the value that v points to, and for
// every element and every nil of it.
func changes(t *testing.T, v any) []change {
	t.Helper()
	return changesOf(t, reflect.ValueOf(v).Elem(), "")
}

func changesOf(t *testing.T, v reflect.Value, path string) []change {
	t.Helper()
	old := reflect.New(v.Type()).Elem()
	old.Set(v)
	to := func(now any) change {
		n := reflect.ValueOf(now).Convert(v.Type())
		return change{path, func() { v.Set(n) }, func() { v.Set(old) }}
	}
	switch now := v.Interface().(type) {
	case time.Time:
		return []change{to(now.Add(time.Millisecond))}
	case Code:
		return []change{to(mustCode(now.display + "X"))}
	}
	switch v.Kind() {
	case reflect.String:
		return []change{to(v.String() + "x")}
	case reflect.Bool:
		return []change{to(!v.Bool())}
	case reflect.Int64, reflect.Int32:
		return []change{to(v.Int() + 1)}
	case reflect.Uint8:
		return []change{to(v.Uint() + 1)}
	case reflect.Pointer:
		if v.IsNil() {
			return []change{{path, func() { v.Set(reflect.New(v.Type().Elem())) }, func() { v.Set(old) }}}
		}
		return append(changesOf(t, v.Elem(), path), change{path + " nil", func() { v.SetZero() }, func() { v.Set(old) }})
	case reflect.Slice:
		longer := reflect.Append(v.Slice3(0, v.Len(), v.Len()), reflect.Zero(v.Type().Elem()))
		out := []change{{path + " longer", func() { v.Set(longer) }, func() { v.Set(old) }}}
		for i := range v.Len() {
			out = append(out, changesOf(t, v.Index(i), fmt.Sprintf("%s[%d]", path, i))...)
		}
		return out
	case reflect.Map:
		return []change{to(map[string]string{"other": "value"})}
	case reflect.Struct:
		var out []change
		for i := range v.NumField() {
			name := v.Type().Field(i).Name
			if path != "" {
				name = path + "." + name
			}
			out = append(out, changesOf(t, v.Field(i), name)...)
		}
		return out
	default:
		t.Fatalf("%s: no change is known for a %s", path, v.Type())
		return nil
	}
}
