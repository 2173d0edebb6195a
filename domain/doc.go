// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

// Package domain holds what a discount is: the words, the rules and the
// arithmetic, as plain values and pure functions over the standard library.
//
// It knows neither gRPC nor Redis. Package server translates requests into its
// types, and package redisstore keeps them; both obey the executable
// specification in [State.Step].
//
// Amounts are integers in a currency's minor unit, at most [MaxAmount]; times are
// kept to the millisecond.
package domain
