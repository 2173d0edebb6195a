// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package acceptance

import (
	"testing"

	discountv1 "github.com/discountd/discountd/gen/discount/v1"
)

// fallCard issues a gift card in the program that the golden files are about.
func (s *service) fallCard(t *testing.T, minor int64) *discountv1.GiftCard {
	t.Helper()
	card, _ := s.giftCard(t, worth(s.named(t, "fall", giftCards(false)), minor))
	return card
}

// creditProvocations are provocations of CreditService.
var creditProvocations = map[string]func(*testing.T, *service) provoked{
	"gift_card_not_found": func(t *testing.T, s *service) provoked {
		s.named(t, "fall", giftCards(false))
		return told(s.asked(t, "GetGiftCard", `name: "`+goldenCode+`"`))
	},
	"gift_card_not_found_by_code": func(t *testing.T, s *service) provoked {
		return told(s.asked(t, "GetGiftCard", `code: "0123456789ABCDEF"`))
	},
	"gift_card_is_a_promotion_code": func(t *testing.T, s *service) provoked {
		p := s.code(t, s.fall(t), coded("FALLPROMO"))
		return about(p.GetName(), goldenCode, s.asked(t, "DisableGiftCard", `name: "`+p.GetName()+`" request_id: "r"`))
	},
	"gift_card_code_taken": func(t *testing.T, s *service) provoked {
		holder, _ := s.giftCard(t, worth(s.named(t, "fall", giftCards(false)), 500, withCode("0123456789ABCDEF")))
		_, err := s.IssueGiftCard(within(t), worth(&discountv1.Coupon{Name: "coupons/fall"}, 500, withCode("0123456789ABCDEF")))
		return about(holder.GetName(), "coupons/fall/promotionCodes/00001111", err)
	},
	"gift_card_creation_refused": func(t *testing.T, s *service) provoked {
		program := s.named(t, "fall", giftCards(false))
		s.deleteCoupon(t, program)
		_, err := s.IssueGiftCard(within(t), worth(program, 500))
		return told(err)
	},
	"gift_card_balance_exceeded": func(t *testing.T, s *service) provoked {
		card := s.fallCard(t, 499)
		return about(card.GetName(), goldenCode, s.asked(t, "AdjustGiftCard", `name: "`+card.GetName()+`" request_id: "r" amount_minor: -500 reason: "returned"`))
	},
	"gift_card_refused": func(t *testing.T, s *service) provoked {
		card := s.fallCard(t, 500)
		_, err := s.TransferToCredit(within(t), toAlice(card, "first"))
		must(t, err)
		_, err = s.TransferToCredit(within(t), toAlice(card, "second"))
		return told(err)
	},
	"balance_full": func(t *testing.T, s *service) provoked {
		most := func(request string) error {
			return s.asked(t, "AdjustCustomerBalance", `customer_id: "c" request_id: "`+request+`" amount { currency_code: "EUR" amount_minor: 4503599627370495 } reason: "a gift"`)
		}
		must(t, most("a"))
		return told(most("b"))
	},
	"gift_card_full": func(t *testing.T, s *service) provoked {
		const most = "9007199254740991"
		card := s.fallCard(t, 500)
		return about(card.GetName(), goldenCode, s.asked(t, "AdjustGiftCard",
			`name: "`+card.GetName()+`" request_id: "r" amount_minor: `+most+` reason: "too much"`))
	},
	"customer_balance_exceeded": func(t *testing.T, s *service) provoked {
		must(t, s.asked(t, "AdjustCustomerBalance", `customer_id: "c" request_id: "g" amount { currency_code: "EUR" amount_minor: 499 } reason: "a gift"`))
		return told(s.asked(t, "AdjustCustomerBalance", `customer_id: "c" request_id: "r" amount { currency_code: "EUR" amount_minor: -500 } reason: "returned"`))
	},
	"credit_invoice_reused": func(t *testing.T, s *service) provoked {
		must(t, s.asked(t, "ApplyCredit", `customer_id: "c" invoice_id: "in_1" amount { currency_code: "EUR" amount_minor: 400 }`))
		return told(s.asked(t, "ApplyCredit", `customer_id: "c" invoice_id: "in_1" amount { currency_code: "EUR" amount_minor: 500 }`))
	},
}
