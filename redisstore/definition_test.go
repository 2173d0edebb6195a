// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/discountd/discountd/domain"
)

func TestConfigurationOfAPlainCodeIsALine(t *testing.T) {
	t.Parallel()
	code := func(change func(*domain.PromotionCode)) domain.PromotionCode {
		p := promotionCode("a", "Summer-x1")
		p.Name = domain.PromotionCodeName{}
		p.CreateTime, p.UpdateTime = epoch, epoch
		change(&p)
		return p
	}
	limit := int64(1)
	for name, c := range map[string]struct {
		code domain.PromotionCode
		want string // empty is JSON
	}{
		"plain":       {code(func(*domain.PromotionCode) {}), "Summer-x1 mm7p6yuy"},
		"expires":     {code(func(p *domain.PromotionCode) { p.ExpiresAt = epoch.Add(time.Hour) }), "Summer-x1 mm7p6yuy mm7rc4my"},
		"to the nano": {code(func(p *domain.PromotionCode) { p.ExpiresAt = epoch.Add(1) }), ""},
		"updated":     {code(func(p *domain.PromotionCode) { p.UpdateTime = epoch.Add(time.Hour) }), ""},
		"limited":     {code(func(p *domain.PromotionCode) { p.MaxRedemptions = &limit }), ""},
		"bound":       {code(func(p *domain.PromotionCode) { p.CustomerID = "alice" }), ""},
		"restricted":  {code(func(p *domain.PromotionCode) { p.Restrictions.FirstTimeTransaction = true }), ""},
		"described":   {code(func(p *domain.PromotionCode) { p.Metadata = map[string]string{"a": "b"} }), ""},
	} {
		text := promotionText(&c.code, "token")
		if c.want != "" && text != c.want || c.want == "" && !strings.HasPrefix(text, `{"w":"token",`) {
			t.Errorf("%s: %s", name, text)
		}
		var back domain.PromotionCode
		if err := parsePromotionText(text, &back); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(c.code, back, cmp.AllowUnexported(domain.Code{})); diff != "" {
			t.Errorf("%s (-stored +read)\n%s", name, diff)
		}
	}
	for _, text := range []string{"", "X", "X 1 2 3", "X -", "X 1 -", "? 1", "{"} {
		var p domain.PromotionCode
		if err := parsePromotionText(text, &p); err == nil {
			t.Errorf("%q is read as %+v", text, p)
		}
	}
}
