// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/discountd/discountd/domain"
)

// A sim plays calls of a Store one command at a time, on a Redis that can be put
// into any state it was in before. What a command does in a state is asked of a
// real redis-server once and remembered; what a call does after an answer is
// asked of the real Store once and remembered too. So millions of schedules cost
// no more than the different situations in them.
type sim struct {
	t     testing.TB
	redis *redis.Client // of a server that is the sim's alone

	worlds   interned[*world]
	keys     interned[*storedKey]
	held     map[string]*storedKey               // by Redis at present
	coupons  map[[2]int32]*domain.CouponSnapshot // by head and definition
	commands interned[command]
	replies  interned[any]
	names    interned[domain.PromotionCodeName]
	effects  map[cause]effect
	nodes    []*node
	roots    map[rootKey]int32
	scripts  map[string]string // the name of each by its SHA1

	store *Store
	tape  tape

	executed, played int // by Redis, by the store
}

// cause is a command that reaches Redis in a state, both by number.
type cause struct{ world, command int32 }

// effect is the state after it and the reply.
type effect struct{ world, reply int32 }

// interned numbers values by a text that tells them apart.
type interned[T any] struct {
	number map[string]int32
	values []T
}

func (in *interned[T]) put(key string, value func() T) int32 {
	if n, ok := in.number[key]; ok {
		return n
	}
	if in.number == nil {
		in.number = map[string]int32{}
	}
	n := int32(len(in.values))
	in.number[key] = n
	in.values = append(in.values, value())
	return n
}

// command is one Redis command. name is that of its script, if it is one.
type command struct {
	args   []any
	name   string
	writes bool
	keys   []string // that it may write
}

// clientCall is one call of a Store. Its tokens and ids begin with its actor, so no two
// calls of one schedule may share it.
type clientCall struct {
	label string
	actor byte // a character of domain.Base32
	kind  kind
	// target is the promotion code that the call is about, unless it creates one.
	target domain.PromotionCodeName
	run    func(context.Context, *Store) (any, error)
}

type kind int

const (
	creates kind = iota
	activates
	deactivates
	deletes
	other
)

// node is a point in a call: it has had some answers, and is about to send a
// command or has returned.
type node struct {
	call     *clientCall
	parent   *node
	via      edge
	next     int32 // the command, or -1 when it has returned
	value    any
	err      error
	children map[edge]int32
}

// edge leads from one node to the next: the answer, and the clock from then on.
type edge struct {
	reply int32
	clock int8
}

type rootKey struct {
	call  *clientCall
	clock int8
}

const simPrefix = "t"

// simStart is the instant at which the clock of a sim reads 0; it counts minutes.
var simStart = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func simTime(clock int8) time.Time { return simStart.Add(time.Duration(clock) * time.Minute) }

func newSim(t testing.TB, client *redis.Client) *sim {
	s := &sim{
		t: t, redis: client,
		effects: map[cause]effect{}, held: map[string]*storedKey{}, coupons: map[[2]int32]*domain.CouponSnapshot{},
		roots: map[rootKey]int32{}, scripts: map[string]string{},
	}
	fake := redis.NewClient(&redis.Options{Addr: "nowhere", MaxRetries: -1})
	t.Cleanup(func() { _ = fake.Close() })
	fake.AddHook(&s.tape)
	s.store = &Store{
		client: fake, keys: keys{prefix: simPrefix, buckets: 1}, fence: &fence{},
		clock:  func() time.Time { return simTime(s.tape.clock) },
		random: &s.tape, token: s.tape.token,
	}
	files, err := luaFiles.ReadDir("lua")
	s.must(err)
	for _, f := range files {
		name, isScript := strings.CutSuffix(f.Name(), ".lua")
		if !isScript {
			continue // the libraries
		}
		sc, err := load(luaFiles, name)
		s.must(err)
		s.must(sc.redis.Load(t.Context(), client).Err())
		s.scripts[sc.redis.Hash()] = sc.name
	}
	return s
}

func (s *sim) must(err error) {
	if err != nil {
		s.t.Helper()
		s.t.Fatal(err)
	}
}

// A tape answers the commands of a Store from a recording and notes the first one
// after its end. It also makes the Store's randomness, which is the same in every
// replay.
type tape struct {
	edges  []edge
	replay []any
	at     int
	clock  int8
	actor  byte
	drawn  byte
	next   []any // the command after the end
}

// errHalted is the answer to whatever is sent after the end of a tape.
var errHalted = errors.New("halted")

func (t *tape) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessPipelineHook plays the commands of a pipeline one after the other: each has
// a moment of its own, as those that go to different nodes of a cluster have.
func (t *tape) ProcessPipelineHook(redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	play := t.ProcessHook(nil)
	return func(ctx context.Context, cmds []redis.Cmder) error {
		var first error
		for _, cmd := range cmds {
			if err := play(ctx, cmd); first == nil {
				first = err
			}
		}
		return first
	}
}

func (t *tape) ProcessHook(redis.ProcessHook) redis.ProcessHook {
	return func(_ context.Context, cmd redis.Cmder) error {
		if t.at < len(t.edges) {
			t.clock = t.edges[t.at].clock
			v := t.replay[t.at]
			t.at++
			answer(cmd, v)
			return cmd.Err()
		}
		if t.next == nil {
			t.next = inText(cmd.Args())
		}
		cmd.SetErr(errHalted)
		return errHalted
	}
}

// inText returns arguments with texts in place of the pointers to texts: commands are
// told apart by what they say.
func inText(args []any) []any {
	out := slices.Clone(args)
	for i, a := range out {
		if text, ok := a.(*string); ok {
			out[i] = *text
		}
	}
	return out
}

func answer(cmd redis.Cmder, v any) {
	switch c := cmd.(type) {
	case *redis.Cmd:
		c.SetVal(v)
	case *redis.SliceCmd:
		c.SetVal(v.([]any))
	case *redis.StringSliceCmd:
		var texts []string
		for _, text := range v.([]any) {
			texts = append(texts, text.(string))
		}
		c.SetVal(texts)
	case *redis.IntCmd:
		c.SetVal(v.(int64))
	case *redis.StringCmd:
		if v == nil {
			c.SetErr(redis.Nil)
			return
		}
		c.SetVal(v.(string))
	default:
		panic(fmt.Sprintf("the sim cannot answer a %T", cmd))
	}
}

func (t *tape) token() string {
	t.drawn++
	return fmt.Sprintf("%ctoken%d", t.actor, t.drawn)
}

// Read makes the ids of promotion codes: the actor, a number, 00.
func (t *tape) Read(b []byte) (int, error) {
	t.drawn++
	clear(b)
	b[0] = byte(strings.IndexByte("0123456789abcdefghjkmnpqrstvwxyz", t.actor))
	b[1] = t.drawn
	return len(b), nil
}

// root is a call that is about to begin.
func (s *sim) root(c *clientCall, clock int8) int32 {
	key := rootKey{c, clock}
	n, ok := s.roots[key]
	if !ok {
		n = s.play(&node{call: c, via: edge{clock: clock}})
		s.roots[key] = n
	}
	return n
}

// after is a call that was about to send a command, when it has been answered.
func (s *sim) after(n int32, e edge) int32 {
	parent := s.nodes[n]
	child, ok := parent.children[e]
	if !ok {
		child = s.play(&node{call: parent.call, parent: parent, via: e})
		if parent.children == nil {
			parent.children = map[edge]int32{}
		}
		parent.children[e] = child
	}
	return child
}

// play has the store carry a call out up to a node, which it completes.
func (s *sim) play(n *node) int32 {
	s.played++
	t := &s.tape
	*t = tape{edges: t.edges[:0], replay: t.replay[:0], actor: n.call.actor}
	first := n
	for ; first.parent != nil; first = first.parent {
		t.edges = append(t.edges, first.via)
		t.replay = append(t.replay, s.replies.values[first.via.reply])
	}
	slices.Reverse(t.edges)
	slices.Reverse(t.replay)
	t.clock = first.via.clock
	n.value, n.err = n.call.run(s.t.Context(), s.store)
	n.next = -1
	if t.next != nil {
		n.value, n.err, n.next = nil, nil, s.command(t.next)
	}
	s.nodes = append(s.nodes, n)
	return int32(len(s.nodes) - 1)
}

func (s *sim) command(args []any) int32 {
	return s.commands.put(fmt.Sprint(args...), func() command {
		c := command{args: args, writes: true}
		switch name := strings.ToLower(args[0].(string)); name {
		case "evalsha":
			c.name = s.scripts[args[1].(string)]
			c.writes = c.name != claimRead.name && c.name != snapshotRead.name
			for _, k := range args[3 : 3+args[2].(int)] {
				c.keys = append(c.keys, k.(string))
			}
			if c.name == redeem.name {
				c.keys[4] += ":0" // the only page of the ledger
				code := args[3+len(c.keys)+4].(string)
				c.keys[5] += ":" + domain.PromotionCodeID(code).Bucket()
			}
		case "hget", "hmget", "lrange":
			c.writes = false
		case "zadd":
			c.keys = []string{args[1].(string)}
		default:
			s.t.Fatalf("the sim knows no %s", name)
		}
		return c
	})
}

// resolve makes sure that the effects of all causes are known. Redis is asked for
// many at a time.
func (s *sim) resolve(causes []cause) {
	const batch = 200
	var missing []cause
	have := map[cause]bool{}
	for _, c := range causes {
		if _, ok := s.effects[c]; !ok && !have[c] {
			have[c] = true
			missing = append(missing, c)
		}
	}
	for part := range slices.Chunk(missing, batch) {
		s.execute(part)
	}
}

// execute puts Redis into the states of causes and sends their commands. Only what
// differs is written, and only the keys that a command names are read back.
func (s *sim) execute(causes []cause) {
	slices.SortFunc(causes, func(a, b cause) int {
		return cmp.Or(cmp.Compare(a.world, b.world),
			compareBools(s.commands.values[a.command].writes, s.commands.values[b.command].writes))
	})
	ctx := s.t.Context()
	pipe := s.redis.Pipeline()
	replies, dumps := make([]*redis.Cmd, len(causes)), make([][]*redis.Cmd, len(causes))
	for i, c := range causes {
		s.put(ctx, pipe, s.worlds.values[c.world])
		cmd := &s.commands.values[c.command]
		replies[i] = pipe.Do(ctx, cmd.args...)
		if cmd.writes {
			for _, key := range cmd.keys {
				dumps[i] = append(dumps[i], pipe.Do(ctx, readingOf(key)...))
				s.held[key] = nil // unknown
			}
		}
	}
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		s.t.Fatal(err)
	}
	for i, c := range causes {
		reply, err := replies[i].Result()
		cmd := &s.commands.values[c.command]
		if err != nil && !errors.Is(err, redis.Nil) {
			s.t.Fatalf("%s: %v", cmd, err)
		}
		e := effect{world: c.world, reply: s.replies.put(textOf(reply), func() any { return reply })}
		if cmd.writes {
			e.world = s.changed(s.worlds.values[c.world], cmd.keys, dumps[i])
		}
		s.effects[c] = e
		s.executed++
	}
}

// put makes Redis hold a world. held is what it holds so far: a nil entry may be
// anything.
func (s *sim) put(ctx context.Context, p redis.Pipeliner, w *world) {
	wanted := map[string]*storedKey{}
	for _, k := range w.keys {
		wanted[k.key] = k
	}
	for key, have := range s.held {
		if want := wanted[key]; want == nil || want != have {
			p.Do(ctx, "DEL", key)
			delete(s.held, key)
		}
	}
	for _, k := range w.keys {
		if s.held[k.key] != k {
			p.Do(ctx, k.writing()...)
			s.held[k.key] = k
		}
	}
}

// changed is the world after some keys of one were read back.
func (s *sim) changed(w *world, keys []string, dumps []*redis.Cmd) int32 {
	after := slices.DeleteFunc(slices.Clone(w.keys), func(k *storedKey) bool { return slices.Contains(keys, k.key) })
	for i, key := range keys {
		if k := s.stored(key, dumps[i].Val()); k != nil {
			after = append(after, k)
		}
	}
	return s.world(after)
}

func compareBools(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	default:
		return 1
	}
}

// textOf tells replies apart.
func textOf(reply any) string {
	switch r := reply.(type) {
	case nil:
		return "-"
	case string:
		return "$" + r
	case int64:
		return ":" + strconv.FormatInt(r, 10)
	case []any:
		var b strings.Builder
		for _, v := range r {
			t := textOf(v)
			b.WriteString(strconv.Itoa(len(t)))
			b.WriteString(t)
		}
		return b.String()
	}
	panic(fmt.Sprintf("the sim knows no replies of type %T", reply))
}

// effectOf is what a command does; resolve has been called for it or is now.
func (s *sim) effectOf(c cause) effect {
	e, ok := s.effects[c]
	if !ok {
		s.execute([]cause{c})
		e = s.effects[c]
	}
	return e
}
