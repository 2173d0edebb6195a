// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/discountd/discountd/domain"
)

// promotionText is the stored form of the configuration of a new promotion code.
// Many codes of one coupon differ in nothing but the code: such a one takes a line of
// the code, when it was created and, if it expires, when, in milliseconds in base 36,
// with spaces between them. That is short enough for Redis's compact encoding. Others
// are stored as definitionText has it, which begins with a brace.
func promotionText(p *domain.PromotionCode, token string) string {
	words := []string{p.Code.String(), instant(p.CreateTime)}
	if !p.ExpiresAt.IsZero() {
		words = append(words, instant(p.ExpiresAt))
	}
	line := strings.Join(words, " ")
	full := definitionText(p, token)
	// Whether the line says all is asked of what it is read back as, so that a field
	// that is yet to come is not lost.
	var back domain.PromotionCode
	if err := parsePromotionText(line, &back); err != nil || definitionText(&back, token) != full {
		return full
	}
	return line
}

// parsePromotionText reads what promotionText and definitionText return.
func parsePromotionText(text string, p *domain.PromotionCode) error {
	if strings.HasPrefix(text, "{") {
		return json.Unmarshal([]byte(text), p)
	}
	words := strings.Split(text, " ")
	if len(words) < 2 || len(words) > 3 {
		return errors.New("neither JSON nor a line of two or three words")
	}
	if err := p.Code.UnmarshalText([]byte(words[0])); err != nil {
		return err
	}
	instants := make([]time.Time, 2)
	for i, word := range words[1:] {
		ms, err := strconv.ParseInt(word, 36, 64)
		if err != nil {
			return err
		}
		instants[i] = time.UnixMilli(ms).UTC()
	}
	p.CreateTime, p.UpdateTime, p.ExpiresAt = instants[0], instants[0], instants[1]
	return nil
}
