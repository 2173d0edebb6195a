// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package domain

import (
	"errors"
	"io"
	"strings"
)

const (
	maxCodeLength       = 64
	generatedCodeLength = 12
)

// Code is a promotion code as a customer types it. The zero value is no code.
type Code struct {
	display string
	form    string
}

// errCodeMalformed describes what a code may be.
var errCodeMalformed = errors.New("must be 1 to 64 letters, digits, '-' or '_'")

// ParseCode is the one place where the normal form of a code is made: white
// space around it is dropped and ASCII letters become capitals; what then does
// not match [A-Z0-9_-]{1,64} is refused. No other character is mapped onto these,
// so that no two codes that look different are the same.
func ParseCode(s string) (Code, error) {
	s = strings.Trim(s, " \t\r\n")
	if s == "" || len(s) > maxCodeLength || !consistsOf(s, isIDByte) {
		return Code{}, errCodeMalformed
	}
	return Code{display: s, form: strings.ToUpper(s)}, nil
}

// GenerateCode returns a random code of 12 characters of Crockford's alphabet,
// 60 random bits.
func GenerateCode(random io.Reader) Code {
	s := strings.ToUpper(randomBase32(random, generatedCodeLength))
	return Code{display: s, form: s}
}

// String returns the code as it was given.
func (c Code) String() string { return c.display }

// Form returns the normal form, by which codes are compared, stored and found.
func (c Code) Form() string { return c.form }

// IsZero reports whether c is no code.
func (c Code) IsZero() bool { return c.form == "" }

// MarshalText returns the code as it was given, or what is kept of a gift card's.
func (c Code) MarshalText() ([]byte, error) {
	if c.isCard() {
		return []byte(c.form + " " + c.display), nil
	}
	return []byte(c.display), nil
}

// UnmarshalText parses what MarshalText returned.
func (c *Code) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*c = Code{}
		return nil
	}
	if form, display, ok := strings.Cut(string(b), " "); ok && strings.HasPrefix(form, cardMark) {
		*c = Code{display: display, form: form}
		return nil
	}
	var err error
	*c, err = ParseCode(string(b))
	return err
}
