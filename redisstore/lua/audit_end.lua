-- Copyright 2026 The discountd Authors
-- SPDX-License-Identifier: Apache-2.0

-- audit_end takes an audit's mark away.
-- USES     ledger audit
-- KEYS     head ledger
-- ARGV     token
-- OUTCOMES ok lost
local head, ledger = KEYS[1], KEYS[2]
local token = ARGV[1]

if not audit_step(head, token, '0') then
  return { 'lost' }
end
redis.call('HDEL', head, 'a', 'A')
redis.call('DEL', ledger_changes(ledger))
return { 'ok' }
