// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redistest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

// Slot returns the slot that a cluster keeps a key in: CRC16 of what is between
// the first braces, or of the whole key, modulo 16,384.
func Slot(key string) int {
	if _, rest, ok := strings.Cut(key, "{"); ok {
		if tag, _, ok := strings.Cut(rest, "}"); ok && tag != "" {
			key = tag
		}
	}
	crc := 0
	for i := range len(key) {
		crc ^= int(key[i]) << 8
		for range 8 {
			if crc <<= 1; crc&0x10000 != 0 {
				crc ^= 0x11021
			}
		}
	}
	return crc % 16384
}

// ScriptKeys returns the keys that a command names if it executes a script, and
// whether it does. Keys that a script makes up itself are not among them.
func ScriptKeys(args []any) ([]string, bool) {
	switch strings.ToLower(fmt.Sprint(args[0])) {
	case "eval", "evalsha", "eval_ro", "evalsha_ro", "fcall", "fcall_ro":
	default:
		return nil, false
	}
	n := 0
	if len(args) < 3 {
		return nil, true
	}
	if _, err := fmt.Sscan(fmt.Sprint(args[2]), &n); err != nil || n > len(args)-3 {
		return nil, true
	}
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprint(args[3+i])
	}
	return keys, true
}

// oneSlot is on every client that this package makes. It fails the test when a
// script or a transaction goes to keys of different slots: a cluster would refuse
// it, and no other Redis says so.
type oneSlot struct{ t testing.TB }

// DialHook implements redis.Hook.
func (oneSlot) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook implements redis.Hook.
func (o oneSlot) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		o.check(cmd)
		return next(ctx, cmd)
	}
}

// ProcessPipelineHook implements redis.Hook.
func (o oneSlot) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		o.check(cmds...)
		return next(ctx, cmds)
	}
}

func (o oneSlot) check(cmds ...redis.Cmder) {
	if err := inOneSlot(cmds); err != nil {
		o.t.Error(err)
	}
}

// inOneSlot returns what is wrong with the slots of some commands that are sent
// together.
func inOneSlot(cmds []redis.Cmder) error {
	var errs []error
	transaction := len(cmds) > 0 && cmds[0].Name() == "multi"
	var all []string
	for _, cmd := range cmds {
		keys, script := ScriptKeys(cmd.Args())
		if script {
			errs = append(errs, sameSlot(cmd.Name(), keys))
		} else if len(cmd.Args()) > 1 {
			keys = []string{fmt.Sprint(cmd.Args()[1])} // which is the key of what a transaction is made of here
		}
		all = append(all, keys...)
	}
	if transaction {
		errs = append(errs, sameSlot("a transaction", all))
	}
	return errors.Join(errs...)
}

func sameSlot(what string, keys []string) error {
	for _, key := range keys {
		if Slot(key) != Slot(keys[0]) {
			return fmt.Errorf("%s of %q and %q, which are in different slots", what, keys[0], key)
		}
	}
	return nil
}
