// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package domain

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

func TestCodesHaveOneNormalForm(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ typed, display, form string }{
		{"SAVE10", "SAVE10", "SAVE10"},
		{"save10", "save10", "SAVE10"},
		{"SaVe-10_x", "SaVe-10_x", "SAVE-10_X"},
		{"  save10\t", "save10", "SAVE10"},
		{"\r\nsave10\r\n", "save10", "SAVE10"},
		{"-", "-", "-"},
		{"_", "_", "_"},
		{"0", "0", "0"},
		{"i1lo0u", "i1lo0u", "I1LO0U"}, // look-alikes stay apart
		{strings.Repeat("z", 64), strings.Repeat("z", 64), strings.Repeat("Z", 64)},
		{" " + strings.Repeat("z", 64) + " ", strings.Repeat("z", 64), strings.Repeat("Z", 64)},
	} {
		c, err := ParseCode(tc.typed)
		if err != nil {
			t.Errorf("ParseCode(%q): %v", tc.typed, err)
			continue
		}
		if c.String() != tc.display || c.Form() != tc.form || c.IsZero() {
			t.Errorf("ParseCode(%q) = %q with form %q, want %q with form %q", tc.typed, c, c.Form(), tc.display, tc.form)
		}
	}
}

// Nothing but ASCII is mapped onto a code: letters that Unicode folds, joins or
// widens onto ASCII ones would let a code that looks different be the same.
var notCodes = map[string]string{
	"empty":                      "",
	"only white space":           " \t\r\n",
	"65 characters":              strings.Repeat("A", 65),
	"full-width letters":         "ＳＡＶＥ10",
	"full-width digits":          "SAVE１０",
	"dotless i":                  "wınter",
	"capital i with dot":         "WİNTER",
	"long s":                     "ſave",
	"sharp s":                    "straße",
	"capital sharp s":            "STRAẞE",
	"Kelvin sign":                "\u212ailo",
	"ligature":                   "\ufb01ve",
	"Cyrillic look-alike":        "S\u0410VE",
	"combining mark":             "cafe\u0301",
	"composed letter":            "café",
	"zero-width joiner":          "SA\u200dVE",
	"byte order mark":            "\ufeffSAVE",
	"no-break space around":      "\u00a0SAVE\u00a0",
	"ideographic space around":   "\u3000SAVE",
	"vertical tab around":        "\vSAVE",
	"space inside":               "SAVE 10",
	"line break inside":          "SAVE\n10",
	"braces":                     "{SAVE}",
	"brace inside":               "SA}VE",
	"colon":                      "SAVE:10",
	"slash":                      "SAVE/10",
	"semicolon":                  "SAVE;10",
	"comma":                      "SAVE,10",
	"number sign":                "SAVE#",
	"asterisk":                   "SAVE*",
	"percent sign":               "SAVE%",
	"plus":                       "SAVE+10",
	"dot":                        "SAVE.10",
	"quote":                      `SAVE"`,
	"NUL":                        "SAVE\x00",
	"NUL alone":                  "\x00",
	"delete":                     "SAVE\x7f",
	"not UTF-8":                  "SAVE\xff",
	"half a character":           "SAVE\xc3",
	"typographic hyphen":         "SAVE‐10",
	"emoji":                      "SAVE🎉",
	"right-to-left override":     "\u202eEVAS",
	"mathematical bold capitals": "𝐒𝐀𝐕𝐄",
}

func TestWhatIsNotACodeIsRefused(t *testing.T) {
	t.Parallel()
	for name, typed := range notCodes {
		if c, err := ParseCode(typed); err == nil || !c.IsZero() {
			t.Errorf("%s: ParseCode(%q) = %q, %v, want an error", name, typed, c.Form(), err)
		}
	}
}

func TestAHugeCodeIsRefusedWithoutCopyingIt(t *testing.T) {
	for name, typed := range map[string]string{
		"letters":     strings.Repeat("A", 10<<20),
		"white space": strings.Repeat(" ", 10<<20),
		"wide":        strings.Repeat("Ａ", 10<<20/3),
	} {
		allocs := testing.AllocsPerRun(1, func() {
			if _, err := ParseCode(typed); err == nil {
				t.Errorf("10 MB of %s are a code", name)
			}
		})
		if allocs != 0 {
			t.Errorf("refusing 10 MB of %s takes %v allocations", name, allocs)
		}
	}
}

// checkCode holds what is true of every string, code or not.
func checkCode(t interface{ Fatalf(string, ...any) }, typed string) {
	c, err := ParseCode(typed)
	if err != nil {
		if c != (Code{}) {
			t.Fatalf("ParseCode(%q) returns an error and %q", typed, c)
		}
		return
	}
	form := c.Form()
	if len(form) < 1 || len(form) > maxCodeLength || strings.Trim(form, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != "" {
		t.Fatalf("ParseCode(%q) has the form %q", typed, form)
	}
	for _, again := range []string{form, c.String(), strings.ToLower(form), " " + typed + "\n"} {
		c2, err := ParseCode(again)
		if err != nil || c2.Form() != form {
			t.Fatalf("%q has the form %q, and %q has %q (%v)", typed, form, again, c2.Form(), err)
		}
	}
	text, err := c.MarshalText()
	if err != nil {
		t.Fatalf("MarshalText of %q: %v", typed, err)
	}
	var back Code
	if err := back.UnmarshalText(text); err != nil || back != c {
		t.Fatalf("%q comes back as %q with form %q (%v)", typed, back, back.Form(), err)
	}
}

func TestTheNormalFormIsIdempotent(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		checkCode(t, rapid.OneOf(
			rapid.StringMatching(`[ \t]{0,2}[A-Za-z0-9_-]{1,66}[ \r\n]{0,2}`),
			rapid.StringOfN(rapid.RuneFrom([]rune("aAzZ09_- \t\x00{}:;ıſßİＡé\u0301")), 0, 12, -1),
			rapid.String(),
		).Draw(t, "typed"))
	})
}

func FuzzParseCode(f *testing.F) {
	for _, typed := range notCodes {
		f.Add(typed)
	}
	f.Add("SAVE10")
	f.Add(" save-10_x\r\n")
	f.Fuzz(func(t *testing.T, typed string) { checkCode(t, typed) })
}

func TestTwoCodesAreEqualOnlyIfTheyDifferInTheCaseOfASCIILetters(t *testing.T) {
	t.Parallel()
	accepted := map[byte]byte{} // character as typed -> in the normal form
	for b := range 256 {
		if c, err := ParseCode("x" + string([]byte{byte(b)}) + "x"); err == nil {
			accepted[byte(b)] = c.Form()[1]
		}
	}
	if want := 26 + 26 + 10 + 2; len(accepted) != want {
		t.Errorf("%d characters can be in a code, want %d", len(accepted), want)
	}
	for typed, form := range accepted {
		want := typed
		if 'a' <= typed && typed <= 'z' {
			want -= 'a' - 'A'
		}
		if form != want {
			t.Errorf("%q becomes %q, want %q", typed, form, want)
		}
	}
}

func TestGeneratedCodesHaveNoLookAlikes(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 1_000 {
		c := GenerateCode(rand.Reader)
		parsed, err := ParseCode(c.String())
		if err != nil || parsed != c {
			t.Fatalf("generated %q, which parses as %q (%v)", c, parsed, err)
		}
		if len(c.Form()) != 12 || c.String() != c.Form() || strings.ContainsAny(c.Form(), "ILOU_-") {
			t.Fatalf("generated %q", c)
		}
		if seen[c.Form()] {
			t.Fatalf("generated %q twice", c)
		}
		seen[c.Form()] = true
	}
}

func TestNoRandomnessIsNoCode(t *testing.T) {
	t.Parallel()
	defer func() {
		if recover() == nil {
			t.Error("a code was generated without randomness")
		}
	}()
	GenerateCode(iotest.ErrReader(errors.New("no randomness")))
}

func TestACodeIsStoredAsTyped(t *testing.T) {
	t.Parallel()
	type record struct {
		Code Code `json:"code"`
	}
	c, err := ParseCode("  Save-10 ")
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(record{c})
	if err != nil || string(text) != `{"code":"Save-10"}` {
		t.Fatalf("stored as %s, %v", text, err)
	}
	var back record
	if err := json.Unmarshal(text, &back); err != nil || back.Code != c {
		t.Errorf("read back as %q with form %q, %v", back.Code, back.Code.Form(), err)
	}
	if err := json.Unmarshal([]byte(`{"code":"a b"}`), &back); err == nil {
		t.Error("a stored code that is none was read")
	}
	if err := json.Unmarshal([]byte(`{"code":""}`), &back); err != nil || !back.Code.IsZero() {
		t.Errorf("no code was read as %q, %v", back.Code, err)
	}
}
