// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// source returns a Lua file without its comments, and its header.
func source(t *testing.T, file string) (code string, header map[string][]string) {
	t.Helper()
	b, err := luaFiles.ReadFile(path.Join("lua", file))
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(string(b)) {
		line, _, _ = strings.Cut(line, "--")
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n"), parseHeader(string(b))
}

// luaNames returns the names of the Lua files in a folder.
func luaNames(t *testing.T, folder string) []string {
	t.Helper()
	files, err := fs.Glob(luaFiles, path.Join(folder, "*.lua"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range files {
		names = append(names, strings.TrimSuffix(path.Base(f), ".lua"))
	}
	slices.Sort(names)
	return names
}

func TestEveryScriptIsLoadedAndEveryLibraryUsed(t *testing.T) {
	var loaded []string
	used := map[string]bool{}
	for _, sc := range allScripts {
		loaded = append(loaded, sc.name)
		_, header := source(t, sc.name+".lua")
		for _, lib := range header["USES"] {
			used[lib] = true
		}
	}
	slices.Sort(loaded)
	if diff := cmp.Diff(luaNames(t, "lua"), loaded); diff != "" {
		t.Errorf("(-files +loaded):\n%s", diff)
	}
	for _, lib := range luaNames(t, "lua/lib") {
		if !used[lib] {
			t.Errorf("no script uses the library %s", lib)
		}
	}
}

// abbreviations are names that a script gives to what its header names in full.
var abbreviations = map[string]string{
	"max":          "max_redemptions",
	"max_customer": "max_redemptions_per_customer",
	"expires":      "expires_at_ms",
	"redeem_by":    "redeem_by_ms",
	"now":          "now_ms",
	"text":         "definition",
	"identity1":    "identity",
	"identity2":    "identity",
	"hash_key":     "hash_key_fingerprint",
}

var (
	binding   = regexp.MustCompile(`(?m)^local ([\w, ]+) = (.*(?:KEYS|ARGV)\[\d+\].*)$`)
	bound     = regexp.MustCompile(`^(?:tonumber\()?(KEYS|ARGV)\[(\d+)\]\)?$`)
	parameter = regexp.MustCompile(`(KEYS|ARGV)\[([^\]]+)\]`)
)

// TestEveryParameterOfAScriptHasTheNameThatItsHeaderGives reads which local is
// bound to which of KEYS and ARGV.
func TestEveryParameterOfAScriptHasTheNameThatItsHeaderGives(t *testing.T) {
	for _, sc := range allScripts {
		t.Run(sc.name, func(t *testing.T) {
			code, _ := source(t, sc.name+".lua")
			got := map[string][]string{}
			for _, m := range binding.FindAllStringSubmatch(code, -1) {
				names, values := strings.Split(m[1], ","), strings.Split(m[2], ",")
				if len(names) != len(values) {
					t.Errorf("%q binds %d names to %d values", m[0], len(names), len(values))
					continue
				}
				for i, value := range values {
					v := bound.FindStringSubmatch(strings.TrimSpace(value))
					if v == nil {
						t.Errorf("%q is no parameter", value)
						continue
					}
					name := strings.TrimSpace(names[i])
					if full, ok := abbreviations[name]; ok {
						name = full
					}
					if n := len(got[v[1]]) + 1; v[2] != strconv.Itoa(n) {
						t.Errorf("%s[%s] is bound as the %d. of them", v[1], v[2], n)
					}
					got[v[1]] = append(got[v[1]], name)
				}
			}
			for kind, declared := range map[string][]string{"KEYS": sc.keys, "ARGV": sc.args} {
				fixed, variadic := declared, false
				if i := slices.IndexFunc(declared, isVariadic); i >= 0 {
					fixed, variadic = declared[:i], true
				}
				if diff := cmp.Diff(fixed, got[kind]); diff != "" && len(fixed)+len(got[kind]) > 0 {
					t.Errorf("%s (-header +bound):\n%s", kind, diff)
				}
				if len(fixed) > 12 {
					t.Errorf("%d fixed %s are too many to tell apart", len(fixed), kind)
				}
				rest := binding.ReplaceAllString(code, "")
				for _, m := range parameter.FindAllStringSubmatch(rest, -1) {
					if _, err := strconv.Atoi(m[2]); m[1] == kind && (!variadic || err == nil) {
						t.Errorf("%s is used without a name", m[0])
					}
				}
			}
		})
	}
}

func isVariadic(name string) bool {
	return strings.HasPrefix(name, "(") || strings.HasSuffix(name, "...")
}

var (
	returned     = regexp.MustCompile(`(?:return|local out\b[^=\n]*=)\s*\{\s*'(\w+)'`)
	inserted     = regexp.MustCompile(`table\.insert\(out, 1, '(\w+)'\)`)
	returnedEach = regexp.MustCompile(`return '(\w+)',`)
)

func TestScriptsReturnTheOutcomesThatTheirHeadersDeclare(t *testing.T) {
	for _, sc := range allScripts {
		t.Run(sc.name, func(t *testing.T) {
			code, _ := source(t, sc.name+".lua")
			got := map[string]bool{}
			for _, pattern := range []*regexp.Regexp{returned, inserted} {
				for _, m := range pattern.FindAllStringSubmatch(code, -1) {
					got[m[1]] = true
				}
			}
			if strings.Contains(code, "return seen\n") { // what the library "request" found
				lib, _ := source(t, "lib/request.lua")
				for _, m := range returned.FindAllStringSubmatch(lib, -1) {
					got[m[1]] = true
				}
			}
			each := map[string]bool{}
			for _, m := range returnedEach.FindAllStringSubmatch(code, -1) {
				each[m[1]] = true
			}
			for what, sets := range map[string][2]map[string]bool{"OUTCOMES": {setOf(sc.outcomes), got}, "EACH": {setOf(sc.each), each}} {
				if diff := cmp.Diff(sets[0], sets[1]); diff != "" {
					t.Errorf("%s (-header +script):\n%s", what, diff)
				}
			}
		})
	}
}

func setOf(list []string) map[string]bool {
	set := map[string]bool{}
	for _, s := range list {
		set[s] = true
	}
	return set
}

// Commands that scripts may use. The writes cannot fail once the key's type and,
// for HINCRBY, its number are known to be right.
var (
	readingCommands = []string{"EXISTS", "GET", "HEXISTS", "HGET", "HGETALL", "HMGET", "LINDEX", "LLEN", "LRANGE", "ZCARD", "ZRANGE", "ZRANGEBYSCORE", "ZSCORE"}
	writingCommands = []string{"DEL", "HDEL", "HINCRBY", "HSET", "LSET", "PEXPIRE", "RPUSH", "SET", "ZADD", "ZREM", "ZREMRANGEBYRANK"}

	call      = regexp.MustCompile(`redis\.p?call\('(\w+)'`)
	forbidden = regexp.MustCompile(`\b(bit|struct|cmsgpack|cjson|tostring|math\.random|os|io|loadstring|redis\.(sha1hex|log|breakpoint|setresp|replicate_commands))\b[.(]`)
)

func TestScriptsUseWhatEveryRedisHas(t *testing.T) {
	files := luaNames(t, "lua")
	for _, lib := range luaNames(t, "lua/lib") {
		files = append(files, "lib/"+lib)
	}
	for _, name := range files {
		code, _ := source(t, name+".lua")
		calls := call.FindAllStringSubmatch(code, -1)
		for _, m := range calls {
			if !slices.Contains(readingCommands, m[1]) && !slices.Contains(writingCommands, m[1]) {
				t.Errorf("%s uses %s", name, m[1])
			}
		}
		if n := strings.Count(code, "redis."); n != len(calls) {
			t.Errorf("%s uses redis. %d times and calls %d commands by name", name, n, len(calls))
		}
		if found := forbidden.FindString(code); found != "" {
			t.Errorf("%s uses %s", name, found)
		}
		if strings.HasPrefix(code, "#!") {
			t.Errorf("%s begins with a shebang, which older servers refuse", name)
		}
	}
}

func TestScriptTakesWhatItsHeaderNames(t *testing.T) {
	for _, c := range []struct {
		names []string
		n     int
		want  bool
	}{
		{nil, 0, true},
		{nil, 1, false},
		{[]string{"a", "b"}, 1, false},
		{[]string{"a", "b"}, 2, true},
		{[]string{"a", "b"}, 3, false},
		{[]string{"a", "more..."}, 0, false},
		{[]string{"a", "more..."}, 1, true},
		{[]string{"a", "more..."}, 5, true},
		{[]string{"a", "(field", "value)..."}, 0, false},
		{[]string{"a", "(field", "value)..."}, 1, true},
		{[]string{"a", "(field", "value)..."}, 3, true},
		{[]string{"a", "(field", "value)..."}, 4, false},
	} {
		if got := takes(c.names, c.n); got != c.want {
			t.Errorf("%v takes %d: %v", c.names, c.n, got)
		}
	}
}

func TestReplyThatAScriptDoesNotDeclareIsAnError(t *testing.T) {
	for name, raw := range map[string]any{
		"nothing":              nil,
		"a number":             int64(1),
		"an empty list":        []any{},
		"a number as outcome":  []any{int64(1)},
		"a number among texts": []any{"ok", int64(1)},
		"another outcome":      []any{"fine"},
	} {
		if r, err := couponPut.reply(raw); err == nil {
			t.Errorf("%s: %+v", name, r)
		}
	}
	r, err := couponPut.reply([]any{"ok", "1"})
	if err != nil || r.outcome != "ok" || !slices.Equal(r.values, []string{"1"}) {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestScriptThatIsNotThereIsNotLoaded(t *testing.T) {
	if sc, err := load(luaFiles, "none"); err == nil {
		t.Errorf("loaded %+v", sc)
	}
	if sc, err := load(luaFiles, "lib/coupon"); err == nil {
		t.Errorf("loaded a library without KEYS: %+v", sc)
	}
}
