// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"strconv"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/discountd/discountd/domain"
	discountv1 "github.com/discountd/discountd/gen/discount/v1"
)

// In all convert files, readX makes the domain's X of the API's and writeX the
// other way round. A path is where a message stands in its request, with the dot
// that follows; field paths begin with it. Readers complain only about what the
// domain's types cannot hold; the domain's own checks do the rest.

// each applies f to every item; no items become nil.
func each[A, B any](items []A, f func(A) B) []B {
	if len(items) == 0 {
		return nil
	}
	out := make([]B, len(items))
	for i := range items {
		out[i] = f(items[i])
	}
	return out
}

// eachOf is each for an f that takes pointers.
func eachOf[A, B any](items []A, f func(*A) B) []B {
	if len(items) == 0 {
		return nil
	}
	out := make([]B, len(items))
	for i := range items {
		out[i] = f(&items[i])
	}
	return out
}

// eachAt reads every item of the list that stands at a field; no items become nil.
func eachAt[A, B any](r *reader, field string, items []A, f func(r *reader, path string, item A) B) []B {
	if len(items) == 0 {
		return nil
	}
	out := make([]B, len(items))
	for i := range items {
		out[i] = f(r, field+"["+strconv.Itoa(i)+"].", items[i])
	}
	return out
}

// unlessEmpty returns the message, or nil when it says nothing.
func unlessEmpty[M proto.Message](message M) M {
	if proto.Size(message) == 0 {
		var none M
		return none
	}
	return message
}

// writeTime returns an instant; the zero time is unset.
func writeTime(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

// positive returns a number that the API leaves unset when it is 0.
func positive(n int32) *int32 {
	if n == 0 {
		return nil
	}
	return &n
}

func readMoney(m *discountv1.Money) domain.Money {
	return domain.Money{Currency: domain.Currency(m.GetCurrencyCode()), AmountMinor: m.GetAmountMinor()}
}

func writeMoney(m domain.Money) *discountv1.Money {
	return &discountv1.Money{CurrencyCode: string(m.Currency), AmountMinor: m.AmountMinor}
}
