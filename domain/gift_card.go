// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package domain

import (
	"strings"
	"time"
)

// GiftCards makes a coupon a program of gift cards: promotion codes that hold a
// balance, of which a redemption takes what is due and never more than is left.
// Everything else about the discount is unset.
type GiftCards struct {
	Currency Currency `json:"currency"`
	// RemainderToCredit is whether what is left on a card that is bound to a
	// customer becomes the customer's credit when the card is used.
	RemainderToCredit bool `json:"remainder_to_credit,omitempty"`
}

// GiftCard is what is configured about a promotion code that is a gift card.
type GiftCard struct {
	Issued Money `json:"issued"`
	// RequestID is that of the issue.
	RequestID string `json:"request_id,omitempty"`
}

// CodeHash stands for a code: the keyed hash of its normal form. Gift cards are
// stored and found by it, since whoever knows a card's code has its money.
type CodeHash string

// cardMark begins the normal form under which a gift card holds its code. No code
// that can be typed has it.
const cardMark = "~"

// Form returns the normal form of a gift card's code.
func (h CodeHash) Form() string { return cardMark + string(h) }

// Twin returns the form by which a gift card would hold the code that h is the hash
// of, or nothing for no hash.
func (h CodeHash) Twin() string {
	if h == "" {
		return ""
	}
	return h.Form()
}

// HashCode returns the keyed hash of a code.
func (h Hasher) HashCode(c Code) CodeHash { return CodeHash(h.sum("code\x00", c.form)) }

// The lengths of gift card codes, in characters.
const (
	generatedCardLength = 16
	minCardCodeLength   = 6
	shownOfCard         = 4
)

// GenerateCardCode returns the code of the gift card that a request issues: 16
// characters of Crockford's alphabet, 80 bits. The same request has the same code,
// so that a retry can be answered without the code being stored anywhere.
func (h Hasher) GenerateCardCode(coupon CouponID, requestID string) Code {
	mac := h.mac("card\x00", string(coupon)+"\x00"+requestID)
	s := strings.ToUpper(Base32.EncodeToString(mac[:])[:generatedCardLength])
	return Code{display: s, form: s}
}

// CheckCardCode records a violation unless a gift card can have the code c.
func CheckCardCode(c Code, v *Violations, field string) {
	if !c.IsZero() && len(c.form) < minCardCodeLength {
		v.Add(field, "must have at least %d characters: the last %d of them are shown", minCardCodeLength, shownOfCard)
	}
}

// NewCardCode returns what is kept of a gift card's code: its hash, and its last
// four characters to be shown.
func NewCardCode(c Code, hash CodeHash) Code {
	return Code{display: "****" + c.form[max(0, len(c.form)-shownOfCard):], form: hash.Form()}
}

func (c Code) isCard() bool { return strings.HasPrefix(c.form, cardMark) }

// LastFour returns the characters of a gift card's code that are shown.
func (c Code) LastFour() string { return strings.TrimLeft(c.display, "*") }

func (g *GiftCards) check(v *Violations, prefix string) {
	if _, err := ParseCurrency(string(g.Currency)); err != nil {
		v.Add(prefix+"currency_code", "%s", err)
	}
}

// checkProgram records what a program of gift cards cannot have: a card pays what
// is due, and nothing but its balance bounds it.
func (c *Coupon) checkProgram(v *Violations, prefix string) {
	refuse := func(set bool, field string) {
		if set {
			v.Add(prefix+field, "cannot be set with gift_cards: a card takes what is due, as far as its balance goes")
		}
	}
	caps := &c.Caps
	refuse(!c.AppliesTo.all(), "applies_to")
	refuse(len(c.Conditions.MinimumAmounts) > 0 || c.Conditions.MinimumQuantity != nil || c.Conditions.MaximumQuantity != nil, "conditions")
	refuse(len(caps.MaxDiscount) > 0 || len(caps.MaxDiscountPerUnit) > 0 || len(caps.MinUnitAmount) > 0 ||
		caps.MaxUnits != nil || caps.MaxUnitsPerLine != nil, "caps")
	refuse(c.Allocation > AcrossProportional, "allocation")
	refuse(c.RoundingScope > RoundPerOrder, "rounding_scope")
	refuse(c.Duration > DurationOnce, "duration")
	refuse(len(c.Budgets) > 0, "budgets")
	refuse(len(c.PeriodLimits) > 0, "period_limits")
	refuse(c.MaxRedemptions != nil, "max_redemptions")
	refuse(c.MaxRedemptionsPerCustomer != nil, "max_redemptions_per_customer")
}

// checkCard records when p is a gift card and its coupon no program of them, or
// the other way round.
func (p *PromotionCode) checkCard(c *Coupon, v *Violations) {
	switch {
	case p.Card == nil && c.Discount.GiftCards != nil:
		v.Add("parent", "is a program of gift cards, which are made by IssueGiftCard")
	case p.Card != nil && c.Discount.GiftCards == nil:
		v.Add("parent", "is no program of gift cards: its coupon has no gift_cards")
	case p.Card != nil && p.Card.Issued.Currency != c.Discount.GiftCards.Currency:
		v.Add("balance.currency_code", "must be %s, the currency of the program", c.Discount.GiftCards.Currency)
	}
}

// CheckDirect returns an *InvalidError if c cannot be applied directly: what a program
// of gift cards pays with is on its cards.
func (c *Coupon) CheckDirect() error {
	var v Violations
	if c.Discount.GiftCards != nil {
		v.Add("coupon", "is a program of gift cards: redeem one of its cards, by its code or as a promotion_code")
	}
	return v.Err()
}

// checkUnlimited records what a gift card cannot have.
func (p *PromotionCode) checkUnlimited(v *Violations, prefix string) {
	refuse := func(set bool, field string) {
		if set {
			v.Add(prefix+field, "cannot be set on a gift card: nothing but its balance bounds it")
		}
	}
	refuse(p.MaxRedemptions != nil, "max_redemptions")
	refuse(p.MaxRedemptionsPerCustomer != nil, "max_redemptions_per_customer")
	refuse(len(p.PeriodLimits) > 0, "period_limits")
	refuse(len(p.Restrictions.MinimumAmounts) > 0, "restrictions.minimum_amounts")
}

// balance is what is left on the gift card, or 0 when there is none.
func (s *Snapshot) balance() int64 {
	if s.PromotionCode == nil || s.PromotionCode.Card == nil {
		return 0
	}
	return s.PromotionCode.BalanceMinor
}

// CardUnusable returns why a customer cannot move what is on a gift card at an
// instant: the reasons for which a redemption would be refused.
func (s *Snapshot) CardUnusable(customer *Customer, now time.Time) []Ineligibility {
	e := Evaluate(s, &ValidateRequest{Customer: *customer}, now)
	var out []Ineligibility
	for _, i := range e.Ineligibilities {
		if i.Reason != OrderRequired {
			out = append(out, i)
		}
	}
	return out
}

// payAll takes everything that is due, which is no discount but a payment: no
// floor of a price holds. What a balance does not cover is cut off afterwards.
func (w *work) payAll(g *GiftCards) Ineligibility {
	if w.order.Currency != g.Currency {
		return Ineligibility{Reason: CurrencyMismatch}
	}
	due := w.shipping
	for i := range w.runs {
		r := &w.runs[i]
		r.take = r.left
		due += r.amount()
	}
	w.shippingTaken = w.shipping
	if due == 0 {
		return Ineligibility{Reason: NoApplicableItems}
	}
	return Ineligibility{}
}
