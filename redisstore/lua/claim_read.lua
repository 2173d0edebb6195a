-- Copyright 2026 The discountd Authors
-- SPDX-License-Identifier: Apache-2.0

-- claim_read begins step 2: it returns the fields of a bucket that a claim would
-- conflict with, its own among them, each followed by its value.
-- USES     claim
-- KEYS     bucket
-- ARGV     form scope
-- OUTCOMES ok
local bucket = KEYS[1]
local form, scope = ARGV[1], ARGV[2]

local out = claim_conflicting(bucket, form, scope)
table.insert(out, 1, 'ok')
return out
