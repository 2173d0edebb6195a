// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/discountd/discountd/domain"
)

// storedCode is what is stored of a promotion code: its record, which scripts
// change, a semicolon, and its configuration.
type storedCode struct {
	// record is the first part, and fields are what it consists of, those that it
	// leaves out included; nil if it is none.
	record string
	fields []string
	// definition is the configuration. A mark that something which was never stored
	// cannot come back has none.
	definition string
}

// The fields of a record, in their order. Only that of a gift card has the last two:
// it goes on with the balance and the number of its transactions. What moves the
// balance is noted as a transaction by the same script.
const (
	codeState = iota
	codeToken
	codeVersion
	codeRedeemed
	codeHeld
	codeMax
	codeMaxPerCustomer
	codeExpires
	codeBalance
	codeMoves
)

// How many fields a record has, and that of a gift card.
const (
	codeFields = codeExpires + 1
	cardFields = codeMoves + 1
)

// leftOut is what a record means where it ends before a field. It always has a state,
// a token and a version.
var leftOut = [codeFields]string{codeRedeemed: "0", codeHeld: "0"}

// readCode takes apart what is stored of a promotion code, or its record alone.
func readCode(value string) storedCode {
	var c storedCode
	c.record, c.definition, _ = strings.Cut(value, ";")
	f := strings.Split(c.record, ",")
	if len(f) <= codeVersion || len(f) > codeFields && len(f) != cardFields || len(f[codeState]) != 1 {
		return c
	}
	c.fields = f
	if len(f) < codeFields {
		c.fields = append(c.fields, leftOut[len(f):]...)
	}
	return c
}

func (c storedCode) state() domain.PromotionState {
	if c.fields == nil {
		return 0
	}
	return domain.PromotionState(c.fields[codeState][0])
}

// token returns the token of a record.
func (c storedCode) token() string { return c.fields[codeToken] }

// limits returns what a record says of when its promotion code is used up.
func (c storedCode) limits() string {
	return strings.Join(c.fields[codeMax:codeFields], ",")
}

// moves returns how many transactions a gift card has, and whether it is one.
func (c storedCode) moves() (n int64, ok bool, err error) {
	if len(c.fields) != cardFields {
		return 0, false, nil
	}
	var read numbers
	if n = read.nth(c.fields, codeMoves); read.err != nil {
		return 0, true, fmt.Errorf("redisstore: record of a gift card: %w", read.of(c.fields))
	}
	return n, true, nil
}

// count reads the state and the counters into p.
func (c storedCode) count(name domain.PromotionCodeName, p *domain.PromotionCodeSnapshot) error {
	if c.fields == nil {
		return fmt.Errorf("redisstore: record of %s: %d fields are none of a promotion code, or the first is no state", name, strings.Count(c.record, ",")+1)
	}
	var n numbers
	p.State, p.Version = c.state(), n.nth(c.fields, codeVersion)
	p.Redeemed, p.Held = n.nth(c.fields, codeRedeemed), n.nth(c.fields, codeHeld)
	if len(c.fields) == cardFields {
		p.BalanceMinor = n.nth(c.fields, codeBalance)
	}
	if n.err != nil {
		return fmt.Errorf("redisstore: record of %s: %w", name, n.of(c.fields))
	}
	return nil
}

// snapshot reads all of it.
func (c storedCode) snapshot(name domain.PromotionCodeName) (*domain.PromotionCodeSnapshot, error) {
	p := &domain.PromotionCodeSnapshot{}
	if err := c.count(name, p); err != nil {
		return nil, err
	}
	if err := c.define(&p.PromotionCode); err != nil {
		return nil, fmt.Errorf("redisstore: definition of %s: %w", name, err)
	}
	p.Name = name
	return p, nil
}

// codeDefinition is the stored form of the configuration of a new promotion code.
// Many codes of one coupon differ in nothing but the code: such a one takes a line of
// the code and of when it was created, in milliseconds in base 36, with a space
// between them; the limits and the last instant are in the record. That is short
// enough for Redis's compact encoding. Others are stored as definitionText has it,
// which begins with a brace.
func codeDefinition(p *domain.PromotionCode, token string) string {
	line := p.Code.String() + " " + instant(p.CreateTime)
	full := definitionText(p, token)
	// Whether the line says all is asked of what it is read back as, so that a field
	// that is yet to come is not lost.
	var back domain.PromotionCode
	c := storedCode{definition: line, fields: slices.Clone(leftOut[:])}
	copy(c.fields[codeMax:], limitTexts(p))
	if err := c.define(&back); err != nil || definitionText(&back, token) != full {
		return full
	}
	return line
}

// limitTexts returns what the record of a promotion code repeats, or says alone, of
// its configuration.
func limitTexts(p *domain.PromotionCode) []string {
	return []string{limitText(p.MaxRedemptions), limitText(p.MaxRedemptionsPerCustomer), millis(p.ExpiresAt)}
}

// define reads the configuration into p, which is empty.
func (c storedCode) define(p *domain.PromotionCode) error {
	if strings.HasPrefix(c.definition, "{") {
		return json.Unmarshal([]byte(c.definition), p)
	}
	code, created, ok := strings.Cut(c.definition, " ")
	if !ok {
		return errors.New("neither JSON nor a line of two words")
	}
	if err := p.Code.UnmarshalText([]byte(code)); err != nil {
		return err
	}
	var n numbers
	limit := func(text string) *int64 {
		if text == "" {
			return nil
		}
		v := n.parse(text)
		return &v
	}
	p.CreateTime = n.instant(created)
	p.UpdateTime = p.CreateTime
	p.MaxRedemptions, p.MaxRedemptionsPerCustomer = limit(c.fields[codeMax]), limit(c.fields[codeMaxPerCustomer])
	if text := c.fields[codeExpires]; text != "" {
		p.ExpiresAt = time.UnixMilli(n.parse(text)).UTC()
	}
	return n.err
}
