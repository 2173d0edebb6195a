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
		p.CreateTime, p.UpdateTime = epoch, epoch
		change(&p)
		return p
	}
	one, two := int64(1), int64(2)
	const line = "Summer-x1 mm7p6yuy"
	for name, c := range map[string]struct {
		code domain.PromotionCode
		want string // empty is JSON
	}{
		"plain":            {code(func(*domain.PromotionCode) {}), line},
		"expires":          {code(func(p *domain.PromotionCode) { p.ExpiresAt = epoch.Add(time.Hour) }), line},
		"to the nano":      {code(func(p *domain.PromotionCode) { p.ExpiresAt = epoch.Add(1) }), ""},
		"limited":          {code(func(p *domain.PromotionCode) { p.MaxRedemptions = &one }), line},
		"limited for each": {code(func(p *domain.PromotionCode) { p.MaxRedemptions, p.MaxRedemptionsPerCustomer = &two, &one }), line},
		"updated":          {code(func(p *domain.PromotionCode) { p.UpdateTime = epoch.Add(time.Hour) }), ""},
		"bound":            {code(func(p *domain.PromotionCode) { p.CustomerID = "alice" }), ""},
		"restricted":       {code(func(p *domain.PromotionCode) { p.Restrictions.FirstTimeTransaction = true }), ""},
		"described":        {code(func(p *domain.PromotionCode) { p.Metadata = map[string]string{"a": "b; c"} }), ""},
	} {
		text := codeDefinition(&c.code, "token")
		if c.want != "" && text != c.want || c.want == "" && !strings.HasPrefix(text, `{"w":"token",`) {
			t.Errorf("%s: %s", name, text)
		}
		value := "A,token,1,0,0," + strings.Join(limitTexts(&c.code), ",") + ";" + text
		back, err := readCode(value).snapshot(c.code.Name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want := &domain.PromotionCodeSnapshot{PromotionCode: c.code, State: domain.PromotionActive, Version: 1}
		if diff := cmp.Diff(want, back, cmp.AllowUnexported(domain.Code{})); diff != "" {
			t.Errorf("%s (-stored +read)\n%s", name, diff)
		}
	}
}

func TestWhatIsNoPromotionCodeIsNotReadAsOne(t *testing.T) {
	t.Parallel()
	const line, record = "X 1", "A,token,1"
	if _, err := readCode(record + ";" + line).snapshot(domain.PromotionCodeName{}); err != nil {
		t.Fatal(err)
	}
	for _, value := range []string{
		"", ";", line, ";" + line, record, record + ";", record + ";X", record + ";X 1 2", record + ";X -", record + ";? 1", record + ";{",
		"A,token;" + line, "AB,token,1;" + line, "A,token,x;" + line, "A,token,1,x;" + line, "A,token,1,,1;" + line, "A,token,1,0,x;" + line,
		"A,token,1,0,0,x;" + line, "A,token,1,0,0,,x;" + line, "A,token,1,0,0,,,x;" + line,
		"A,token,1,0,0,,,,1;" + line, "A,token,1,0,0,,,,x,1;" + line, "A,token,1,0,0,,,,1,1,1;" + line,
	} {
		if p, err := readCode(value).snapshot(domain.PromotionCodeName{}); err == nil {
			t.Errorf("%q is read as %+v", value, p)
		}
	}
}
