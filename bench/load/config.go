// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

// Package load is the load generator: a grpc-go client in a process of its own,
// so that what it costs is not counted as the server's.
package load

import "time"

// The kinds of work.
const (
	// Redeem redeems a code with an order of one line.
	Redeem = "redeem"
	// Settle reserves a code for such an order and commits the reservation: two
	// calls that are counted as one.
	Settle = "settle"
	// Stream redeems as Redeem does, by messages of RedeemStream, one stream for
	// each connection.
	Stream = "stream"
	// Validate asks whether a code is good for an order of five lines.
	Validate = "validate"
)

// Config says what to send.
type Config struct {
	// Target is the address of the server, host:port.
	Target string
	// Work is the kind of call.
	Work string
	// Coupons is how many coupons the calls go to in turn; 1 is the hot one.
	Coupons int
	// MaxStaleness is how old an answer to Validate may be. 0 is exact.
	MaxStaleness time.Duration
	// Callers is how many calls are in flight at any time. A closed loop: each
	// caller sends its next call when the one before was answered.
	Callers int
	// Rate, when positive, makes it an open loop: so many calls a second are sent
	// whatever becomes of those before. Callers then only says how many
	// connections there are.
	Rate int
	// Warmup is sent before anything is measured, Duration is measured.
	Warmup, Duration time.Duration
	// Calls, when positive, is how many calls to send instead: for measuring what
	// they leave behind.
	Calls uint64
	// Run is what the request ids of this process begin with. Different processes
	// that redeem at one server have different ones.
	Run uint64
}

// callersPerConnection is how many callers share a connection: a checkout service
// has a process with some dozens of calls in flight, and there are several.
const callersPerConnection = 64

func (c Config) connections() int {
	return (max(c.Callers, 1) + callersPerConnection - 1) / callersPerConnection
}

// Result is what came of it.
type Result struct {
	// Sent is how many request ids were used, numbered from 0; Acknowledged how
	// many were answered without an error. Both count the warm-up, too.
	Sent, Acknowledged uint64
	// Errors is how many calls failed, and FirstError why the first of them did.
	Errors     uint64
	FirstError string
	// Calls is how many were measured, within Elapsed. An open loop is measured until
	// the last call that was due in time is answered.
	Calls   uint64
	Elapsed time.Duration
	// CPU is what this process used in that time.
	CPU time.Duration
	// Latency is that of the calls measured. In an open loop it counts from the
	// moment that a call was due, whenever it could be sent.
	Latency Latency
}

// Latency is a distribution.
type Latency struct {
	P50, P99, P999, Max time.Duration
}

// The lines that this process prints, each followed by a newline; the Result as
// JSON is the last.
const (
	// BeginLine is printed when the warm-up is over, EndLine when what is measured
	// is over and the last calls are still to be answered.
	BeginLine, EndLine = "begin", "end"
)
