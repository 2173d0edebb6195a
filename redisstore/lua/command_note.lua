-- Copyright 2026 The discountd Authors
-- SPDX-License-Identifier: Apache-2.0

-- command_note remembers the request id of a command that came to success and had
-- nothing to change.
-- USES     request
-- KEYS     requests
-- ARGV     request fingerprint code
-- OUTCOMES ok replay reused
local requests = KEYS[1]
local request, fingerprint, code = ARGV[1], ARGV[2], ARGV[3]

local seen = request_seen(requests, request, fingerprint)
if seen then
  return seen
end

request_remember(requests, request, fingerprint, code)
return { 'ok' }
