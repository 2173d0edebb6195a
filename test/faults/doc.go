// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

// Package faults holds the tests that do to a running service what production does:
// its processes and its Redis are killed, stopped and starved, and the network
// between them loses replies. The number in a test's name is that of the fault:
//
//	 1  many clients want the last use
//	 2  one request is sent many times at once
//	 3  a reply is lost after the execution
//	 4  the winner of the last use tries again
//	 5  the service is killed under load
//	 6  Redis is killed under load, with appendfsync always
//	 7  Redis stops for 10 s and goes on
//	 8  the scripts are flushed every 50 ms
//	 9  Redis reaches its memory limit
//	13  a code is created, activated and deactivated by many
//	14  a code is deactivated while it is redeemed
//	15  a limit is lowered below its use, then a use is voided
//	19  latency, resets and half-open connections
//
// What clients were told is kept in journals, and in the end must be in the ledger;
// what is in the ledger must have been asked for; and the counters must be what the
// ledger says. With TORTURE in the environment the long forms run.
package faults
