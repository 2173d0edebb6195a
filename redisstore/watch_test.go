// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"
)

// watcher is on every client of every test. It fails the test when a command goes
// where it must not: to keys outside of the store's prefix, or, if it is a script
// or a transaction, to keys of different slots. It notes which outcomes scripts
// return.
type watcher struct {
	t      testing.TB
	prefix string
}

// DialHook implements redis.Hook.
func (w watcher) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook implements redis.Hook.
func (w watcher) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		w.check(cmd)
		err := next(ctx, cmd)
		noteOutcome(cmd)
		return err
	}
}

// ProcessPipelineHook implements redis.Hook.
func (w watcher) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		var keys []string
		for _, cmd := range cmds {
			keys = append(keys, w.check(cmd)...)
		}
		if cmds[0].Name() == "multi" {
			w.oneSlot("a transaction", keys)
		}
		return next(ctx, cmds)
	}
}

// check judges one command and returns its keys.
func (w watcher) check(cmd redis.Cmder) []string {
	keys, ok := keysOf(cmd.Args())
	if !ok {
		w.t.Errorf("%s is no command whose keys are known here", cmd.Name())
		return nil
	}
	for _, k := range keys {
		if !strings.HasPrefix(k, w.prefix+":") {
			w.t.Errorf("%s of the key %q, which is not under %q", cmd.Name(), k, w.prefix)
		}
	}
	w.oneSlot(cmd.Name(), keys)
	return keys
}

func (w watcher) oneSlot(what string, keys []string) {
	for i := 1; i < len(keys); i++ {
		if slotOf(keys[i]) != slotOf(keys[0]) {
			w.t.Errorf("%s of %q and %q, which are in different slots", what, keys[0], keys[i])
		}
	}
}

// keysOf returns the keys among a command's arguments, and whether the command is
// one that a store may send.
func keysOf(args []any) ([]string, bool) {
	text := func(i int) string { return fmt.Sprint(args[i]) }
	switch text(0) {
	case "evalsha", "eval":
		var n int
		if _, err := fmt.Sscan(text(2), &n); err != nil || n < 1 {
			return nil, false
		}
		var keys []string
		for i := range n {
			keys = append(keys, text(3+i))
		}
		return keys, true
	case "hget", "hmget", "hgetall", "get", "lrange", "zadd", "zrevrangebylex":
		return []string{text(1)}, true
	case "multi", "exec", "hello", "client", "cluster", "command", "ping":
		return nil, true
	default:
		return nil, false
	}
}

// slotOf returns the slot that a cluster keeps a key in: CRC16 of what is between
// the first braces, or of the whole key, modulo 16,384.
func slotOf(key string) int {
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

// shared are clients of what all tests share, as far as any has asked for it.
var shared sync.Map

// checkKeyspace fails when a key is under no test's prefix: scripts may have made
// it, which name some of the keys that they write themselves.
func checkKeyspace() error {
	var errs []error
	shared.Range(func(name, dial any) bool {
		client := dial.(func() redis.UniversalClient)()
		defer client.Close()
		node := func(ctx context.Context, c *redis.Client) error {
			keys, err := c.Keys(ctx, "*").Result()
			for _, k := range keys {
				if !underPrefix.MatchString(k) {
					err = errors.Join(err, fmt.Errorf("the tests left %q on the %s, which is under no prefix", k, name))
				}
			}
			return err
		}
		ctx := context.Background()
		switch c := client.(type) {
		case *redis.ClusterClient:
			errs = append(errs, c.ForEachMaster(ctx, node))
		case *redis.Client:
			errs = append(errs, node(ctx, c))
		}
		return true
	})
	return errors.Join(errs...)
}

// underPrefix matches keys under what redistest.Prefix returns.
var underPrefix = regexp.MustCompile(`^t[a-z2-7]{12}:\{`)

// outcomes has what scripts returned: an outcome of a whole script as
// "script outcome", one of each request as "script each outcome".
var outcomes sync.Map

// noteOutcome notes what a script has returned.
func noteOutcome(cmd redis.Cmder) {
	c, ok := cmd.(*redis.Cmd)
	if !ok || c.Err() != nil {
		return
	}
	hash := ""
	if args := c.Args(); args[0] == "evalsha" {
		hash = fmt.Sprint(args[1])
	} else if args[0] == "eval" { // for want of the script there
		hash = redis.NewScript(fmt.Sprint(args[1])).Hash()
	}
	i := slices.IndexFunc(allScripts, func(s *script) bool { return s.redis.Hash() == hash })
	values, ok := c.Val().([]any)
	if i < 0 || !ok || len(values) == 0 {
		return
	}
	sc := allScripts[i]
	outcomes.Store(fmt.Sprint(sc.name, " ", values[0]), true)
	if len(sc.each) > 0 {
		for i := 1; i < len(values); i += 2 {
			outcomes.Store(fmt.Sprint(sc.name, " each ", values[i]), true)
		}
	}
}

// isOf reports whether a command is an execution of a script.
func isOf(cmd redis.Cmder, sc *script) bool {
	args := cmd.Args()
	return len(args) > 1 && args[0] == "evalsha" && args[1] == sc.redis.Hash()
}

// checkOutcomes fails when a script declares an outcome that no test has produced.
// It says nothing when only some tests ran.
func checkOutcomes() error {
	if selected() {
		return nil
	}
	var missing []string
	for _, sc := range allScripts {
		for _, o := range sc.outcomes {
			missing = append(missing, sc.name+" "+o)
		}
		for _, o := range sc.each {
			missing = append(missing, sc.name+" each "+o)
		}
	}
	missing = slices.DeleteFunc(missing, func(o string) bool { _, ok := outcomes.Load(o); return ok })
	if len(missing) > 0 {
		return fmt.Errorf("no test has produced these outcomes of scripts: %s", strings.Join(missing, ", "))
	}
	return nil
}

// allScripts are the scripts of the store.
var allScripts = []*script{
	storeOpen, couponPut, promotionCreate, promotionPend, promotionProbe, promotionActivate,
	promotionRetire, promotionUpdate, claimRead, claimTake, claimRelease, promotionList, commandNote, snapshotRead, redeem,
	settle, expire, renew, subscriptionProbe,
}
