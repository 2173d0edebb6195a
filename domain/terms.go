// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package domain

import "time"

// NeedsOrder reports whether t cannot be decided without an order.
func (t *Terms) NeedsOrder() bool { return false }

// Apply computes what t takes off the order, or why it does not apply. A trial
// is taken to start now.
func (t *Terms) Apply(o *Order, now time.Time) (AppliedDiscount, []Ineligibility) {
	return AppliedDiscount{}, nil
}
