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

	"github.com/discountd/discountd/internal/redistest"
)

// watcher is on every client that an env makes. It fails the test when a command
// is none that a store may send or goes to keys outside of the store's prefix. It
// notes which outcomes scripts return. That all keys of a script are in one slot
// is seen to on every client of redistest.
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
		for _, cmd := range cmds {
			w.check(cmd)
		}
		err := next(ctx, cmds)
		for _, cmd := range cmds {
			noteOutcome(cmd)
		}
		return err
	}
}

// check judges one command.
func (w watcher) check(cmd redis.Cmder) {
	keys, ok := keysOf(cmd.Args())
	if !ok {
		w.t.Errorf("%s is no command whose keys are known here", cmd.Name())
	}
	for _, k := range keys {
		if !strings.HasPrefix(k, w.prefix+":") {
			w.t.Errorf("%s of the key %q, which is not under %q", cmd.Name(), k, w.prefix)
		}
	}
}

// keysOf returns the keys among a command's arguments, and whether the command is
// one that a store may send.
func keysOf(args []any) ([]string, bool) {
	if keys, ok := redistest.ScriptKeys(args); ok {
		return keys, len(keys) > 0
	}
	switch fmt.Sprint(args[0]) {
	case "hget", "hexists", "hmget", "hgetall", "get", "hkeys", "hscan", "lindex", "lrange", "zadd", "zrevrangebylex", "zscan", "zscore":
		return []string{fmt.Sprint(args[1])}, true
	case "scan", "multi", "exec", "hello", "client", "cluster", "command", "ping", "info", "config", "wait", "waitaof":
		return nil, true
	default:
		return nil, false
	}
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
	storeOpen, storeBeat, couponPut, promotionCreate, promotionPend, promotionProbe, promotionActivate,
	promotionRetire, promotionUpdate, claimRead, claimTake, claimRelease, promotionList, commandNote, snapshotRead, redeem,
	cardAdjust, cardTransfer, cardTransferred, creditExpect, creditForget, creditRead, creditChange,
	settle, expire, renew, subscriptionProbe, countsRead, auditBegin, auditRead, auditRepair, auditEnd,
}
