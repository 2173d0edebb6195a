// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

// Package acceptance holds the tests that tell whether discountd does what its
// users were promised. They know the API and nothing else: every step is a gRPC
// call, on a server that keeps its data in a real redis-server.
//
// Whatever a scenario redeems or fails to redeem is validated first, and the two
// answers must agree; so every scenario is also a test of ValidateCode.
package acceptance
