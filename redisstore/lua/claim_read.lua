-- Copyright 2026 The discountd Authors
-- SPDX-License-Identifier: Apache-2.0

-- claim_read begins step 2: it returns the fields of a bucket that a claim would
-- conflict with, its own among them, each followed by its value.
-- USES     claim
-- KEYS     bucket
-- ARGV     form scope
-- OUTCOMES ok
local out = claim_conflicting(KEYS[1], ARGV[1], ARGV[2])
table.insert(out, 1, 'ok')
return out
