// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/discountd/discountd/domain"
)

//go:embed lua
var luaFiles embed.FS

// script is one operation in Lua with its contract, which is read from the header
// of its file: the KEYS and ARGV it takes, the outcomes it returns as the first
// element of its reply, and, for one that decides several requests, the outcomes
// of each.
type script struct {
	name string
	// What they may end with is told at takes.
	keys, args     []string
	outcomes, each []string

	redis *redis.Script
}

// The scripts.
var (
	storeOpen         = mustLoad("store_open")
	storeBeat         = mustLoad("store_beat")
	couponPut         = mustLoad("coupon_put")
	promotionCreate   = mustLoad("promotion_create")
	promotionPend     = mustLoad("promotion_pend")
	promotionProbe    = mustLoad("promotion_probe")
	promotionActivate = mustLoad("promotion_activate")
	promotionRetire   = mustLoad("promotion_retire")
	promotionUpdate   = mustLoad("promotion_update")
	claimRead         = mustLoad("claim_read")
	claimTake         = mustLoad("claim_take")
	claimRelease      = mustLoad("claim_release")
	promotionList     = mustLoad("promotion_list")
	commandNote       = mustLoad("command_note")
	snapshotRead      = mustLoad("snapshot")
	redeem            = mustLoad("redeem")
	settle            = mustLoad("settle")
	expire            = mustLoad("expire")
	countsRead        = mustLoad("counts")
	cardAdjust        = mustLoad("card_adjust")
	cardTransfer      = mustLoad("card_transfer")
	cardTransferred   = mustLoad("card_transferred")
	creditExpect      = mustLoad("credit_expect")
	creditForget      = mustLoad("credit_forget")
	creditRead        = mustLoad("credit_read")
	creditChange      = mustLoad("credit_change")
	renew             = mustLoad("renew")
	subscriptionProbe = mustLoad("subscription_probe")
	auditBegin        = mustLoad("audit_begin")
	auditRead         = mustLoad("audit_read")
	auditRepair       = mustLoad("audit_repair")
	auditEnd          = mustLoad("audit_end")
)

// The outcomes of scripts, beside those that only one of them has.
const (
	outcomeOK     = "ok"
	outcomeStale  = "stale"
	outcomeMoved  = "moved"
	outcomeUnfit  = "unfit"
	outcomeAbsent = "absent"
	outcomeReplay = "replay"
	outcomeReused = "reused"
	outcomeAgain  = "again"
	outcomeLost   = "lost"
)

// mustLoad reads a script with the libraries it uses. A header that does not hold
// is a fault of the build.
func mustLoad(name string) *script {
	s, err := load(luaFiles, name)
	if err != nil {
		panic("redisstore: " + err.Error())
	}
	return s
}

func load(files fs.FS, name string) (*script, error) {
	body, err := fs.ReadFile(files, path.Join("lua", name+".lua"))
	if err != nil {
		return nil, err
	}
	header := parseHeader(string(body))
	if len(header["KEYS"]) == 0 || len(header["OUTCOMES"]) == 0 {
		return nil, fmt.Errorf("%s.lua: the header names no KEYS or no OUTCOMES", name)
	}
	var source strings.Builder
	for _, lib := range header["USES"] {
		text, err := fs.ReadFile(files, path.Join("lua", "lib", lib+".lua"))
		if err != nil {
			return nil, err
		}
		source.Write(text)
	}
	source.Write(body)
	return &script{
		name: name, keys: header["KEYS"], args: header["ARGV"],
		outcomes: header["OUTCOMES"], each: header["EACH"],
		redis: redis.NewScript(source.String()),
	}, nil
}

// parseHeader returns the words after each capitalised name at the beginning of a
// comment line.
func parseHeader(source string) map[string][]string {
	header := map[string][]string{}
	for line := range strings.Lines(source) {
		text, ok := strings.CutPrefix(line, "-- ")
		if !ok {
			continue
		}
		words := strings.Fields(text)
		if len(words) > 1 && slices.Contains([]string{"USES", "KEYS", "ARGV", "OUTCOMES", "EACH"}, words[0]) {
			header[words[0]] = words[1:]
		}
	}
	return header
}

// takes reports whether n values fit the names of a header. The last ones may be
// taken any number of times: one name in the form "name...", or several in the
// form "(first second)...".
func takes(names []string, n int) bool {
	for i, name := range names {
		if strings.HasPrefix(name, "(") || strings.HasSuffix(name, "...") {
			return n >= i && (n-i)%(len(names)-i) == 0
		}
	}
	return n == len(names)
}

// reply is what a script returned: an outcome and its values.
type reply struct {
	outcome string
	values  []string
	// resent is whether the script was sent before and may have been executed then.
	resent bool
}

// overtaken is for a reply that says that what was read has changed: nil if the
// command was certainly not carried out and may be decided anew. If it was sent
// twice, and no request id tells whose change that was, nobody knows.
func (r reply) overtaken(requestID string) error {
	if r.resent && requestID == "" {
		return &domain.UnavailableError{OutcomeUnknown: true, RetryAfter: retryAfter}
	}
	return nil
}

// run executes a script that may write, and returns when what it wrote is as safe
// as an acknowledgement promises. A script is sent again after a lost connection:
// each of them is written so that a second execution changes nothing and returns
// what the first did. The error is one of package domain's or the context's.
func (s *Store) run(ctx context.Context, sc *script, keys []string, args ...any) (reply, error) {
	return s.runSafely(ctx, s.waitsFor(), sc, keys, args)
}

// tidy is run for what nobody is told of: it does not wait until it is safe.
func (s *Store) tidy(ctx context.Context, sc *script, keys []string, args ...any) (reply, error) {
	return s.runSafely(ctx, safety{}, sc, keys, args)
}

func (s *Store) runSafely(ctx context.Context, safe safety, sc *script, keys []string, args []any) (reply, error) {
	var w witness
	return s.runWatched(ctx, &w, safe, sc, keys, args)
}

// runWatched is runSafely of a script that the witness may have seen sent before.
func (s *Store) runWatched(ctx context.Context, w *witness, safe safety, sc *script, keys []string, args []any) (reply, error) {
	r, err := s.send(w.watch(ctx), safe, sc, keys, args)
	if err != nil {
		return reply{}, writeError(ctx, err, w)
	}
	out, err := sc.reply(r)
	out.resent = w.lost.Load()
	return out, err
}

// ask executes a script that only reads.
func (s *Store) ask(ctx context.Context, sc *script, keys []string, args ...any) (reply, error) {
	r, err := s.send(ctx, safety{}, sc, keys, args)
	if err != nil {
		return reply{}, readError(ctx, err)
	}
	return sc.reply(r)
}

// check panics when a script is given what its header does not name.
func (sc *script) check(keys []string, args []any) {
	if !takes(sc.keys, len(keys)) || !takes(sc.args, len(args)) {
		panic(fmt.Sprintf("redisstore: %s takes KEYS %v and ARGV %v, not %d and %d", sc.name, sc.keys, sc.args, len(keys), len(args)))
	}
}

func (s *Store) send(ctx context.Context, safe safety, sc *script, keys []string, args []any) (any, error) {
	sc.check(keys, args)
	var raw any
	err := s.again(ctx, func() error {
		var err error
		if safe.waits() {
			raw, err = s.sendAndWait(ctx, safe, sc, keys, args)
		} else {
			raw, err = sc.redis.Run(ctx, s.client, keys, args...).Result()
		}
		return err
	})
	return raw, err
}

func (sc *script) reply(raw any) (reply, error) {
	list, ok := raw.([]any)
	if !ok || len(list) == 0 {
		return reply{}, fmt.Errorf("redisstore: %s returned %T", sc.name, raw)
	}
	texts := make([]string, len(list))
	for i, v := range list {
		if texts[i], ok = v.(string); !ok {
			return reply{}, fmt.Errorf("redisstore: %s returned %T at %d", sc.name, v, i)
		}
	}
	if !slices.Contains(sc.outcomes, texts[0]) {
		return reply{}, fmt.Errorf("redisstore: %s returned the outcome %q", sc.name, texts[0])
	}
	return reply{outcome: texts[0], values: texts[1:]}, nil
}

// sends is how often a command is sent in all when connections break.
const sends = 3

// again runs f until it does not end in a broken connection, at most sends times.
func (s *Store) again(ctx context.Context, f func() error) error {
	var err error
	for range sends {
		if err = f(); err == nil || !connectionLost(err) || ctx.Err() != nil {
			return err
		}
	}
	return err
}
