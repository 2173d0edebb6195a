// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

// Package redisstore keeps coupons, promotion codes and redemptions in Redis, so
// that a limit is a limit however many servers share the store.
//
// Rules live in Go, races live in Lua. An operation reads a snapshot, decides it
// with package domain, and hands the outcome to a script, which checks only what
// can have changed since: was this request seen, are the versions still those
// evaluated, is there room below every limit. Versions change with configuration
// and never with counters, so a busy coupon does not make its own callers try
// again.
//
// One coupon lives in one Redis slot, with its counters, its codes' records, its
// ledger and the request ids it has seen. Who holds a code is kept in another
// slot; the two are kept in step by the claim protocol of claim.go.
//
// The package obeys the executable specification in package domain; every
// public method of [Store] is one of its commands.
package redisstore
