// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package acceptance

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/durationpb"

	discountv1 "github.com/discountd/discountd/gen/discount/v1"
	"github.com/discountd/discountd/internal/privateredis"
	"github.com/discountd/discountd/internal/redistest"
	"github.com/discountd/discountd/internal/requests"
	"github.com/discountd/discountd/test/internal/harness"
)

// golden is the directory of the errors as clients get them.
var golden = filepath.Join("..", "..", "server", "testdata", "errors")

// provoked is an error of the running service, and what its generated names are
// called in the golden file.
type provoked struct {
	err   error
	names map[string]string
}

// told is an error that names nothing generated.
func told(err error) provoked { return provoked{err: err} }

// about is an error about one promotion code or redemption.
func about(name, inGolden string, err error) provoked {
	return provoked{err, map[string]string{name: inGolden}}
}

const (
	goldenCode       = "coupons/fall/promotionCodes/00000000"
	goldenRedemption = "coupons/fall/redemptions/1-abc"
)

// firstRedemption is the name of a redemption that is the first of its coupon.
var firstRedemption = regexp.MustCompile(`coupons/fall/redemptions/1-[0-9a-z]+`)

var times = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`)

// normal makes text that does not depend on when it was, how long a caller is to wait,
// and which request came first.
func normal(text string) string {
	text = firstRedemption.ReplaceAllString(text, goldenRedemption)
	text = times.ReplaceAllString(text, "TIME")
	return regexp.MustCompile(`"retryDelay": "[0-9.]+s"`).ReplaceAllString(text, `"retryDelay": "SOON"`)
}

// notProvoked has the golden files that the running service cannot be brought to, or
// not in time, and why.
var notProvoked = map[string]string{
	"cancelled":             "a client that cancels does not wait for the answer",
	"internal":              "takes a mistake in the service",
	"overloaded":            "takes thousands of requests that wait; the tests of the store reach it",
	"redemption_refused":    "no situation has every reason; each is provoked by itself below",
	"service_limit_reached": "takes 10,000 promotion codes for customers; the tests of the store reach it",
}

func TestErrorsOfTheServiceAreThoseOfTheGoldenFiles(t *testing.T) {
	t.Parallel()
	files, err := os.ReadDir(golden)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(file.Name(), ".json")
		provoke, ok := provocations[name]
		if !ok {
			provoke, ok = creditProvocations[name]
		}
		if _, cannot := notProvoked[name]; cannot == ok {
			t.Errorf("%s is provoked: %v, and said to be out of reach: %v", name, ok, cannot)
		}
		if !ok {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want, err := os.ReadFile(filepath.Join(golden, file.Name()))
			if err != nil {
				t.Fatal(err)
			}
			s := start(t)
			p := provoke(t, s)
			if p.err == nil {
				t.Fatal("there is no error")
			}
			got := string(requests.StatusJSON(t, p.err))
			for real, known := range p.names {
				got = strings.ReplaceAll(got, real, known)
			}
			if diff := cmp.Diff(normal(string(want)), normal(got)); diff != "" {
				t.Errorf("the service answers otherwise (-golden +got):\n%s", diff)
			}
		})
	}
}

// fall creates the coupon that the golden files are about.
func (s *service) fall(t *testing.T, with ...func(*discountv1.Coupon)) *discountv1.Coupon {
	t.Helper()
	return s.named(t, "fall", percentOff(10, with...))
}

func (s *service) named(t *testing.T, id string, c *discountv1.Coupon) *discountv1.Coupon {
	t.Helper()
	answer, err := s.CreateCoupon(within(t), &discountv1.CreateCouponRequest{CouponId: id, Coupon: c})
	if err != nil {
		t.Fatal(err)
	}
	return answer.GetCoupon()
}

// asked sends a request in the text form of the golden files' table.
func (s *service) asked(t *testing.T, rpc, text string) error {
	t.Helper()
	return s.invoke(within(t), t, rpc, requests.New(t, rpc, text))
}

func (s *service) redeemed(t *testing.T, r *discountv1.RedeemRequest) error {
	t.Helper()
	_, err := s.Redeem(within(t), r)
	return err
}

func (s *service) reserves(t *testing.T, c *discountv1.Coupon, ttl time.Duration) string {
	t.Helper()
	p := purchase()
	answer, err := s.ReserveRedemption(within(t), &discountv1.ReserveRedemptionRequest{
		RequestId: p.GetRequestId(), Source: &discountv1.ReserveRedemptionRequest_Coupon{Coupon: c.GetName()}, Ttl: durationpb.New(ttl),
		Order: purchase(paying(1_000, "EUR")).GetOrder(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return answer.GetRedemption().GetName()
}

func (s *service) commits(t *testing.T, name string) error {
	t.Helper()
	_, err := s.CommitRedemption(within(t), &discountv1.CommitRedemptionRequest{Name: name, RequestId: purchase().GetRequestId()})
	return err
}

func (s *service) releases(t *testing.T, name string) error {
	t.Helper()
	_, err := s.ReleaseRedemption(within(t), &discountv1.ReleaseRedemptionRequest{Name: name, RequestId: purchase().GetRequestId()})
	return err
}

func (s *service) voids(t *testing.T, name string, amount *int64) error {
	t.Helper()
	_, err := s.VoidRedemption(within(t), &discountv1.VoidRedemptionRequest{Name: name, RequestId: purchase().GetRequestId(), AmountMinor: amount})
	return err
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// provocations bring a service to each error, by the name of its golden file.
var provocations = map[string]func(*testing.T, *service) provoked{
	"invalid_argument": func(t *testing.T, s *service) provoked {
		return told(s.asked(t, "Redeem", `customer { email: "nobody" } order { currency_code: "EUR" lines { quantity: 0 } }`))
	},
	"invalid_argument_one_field": func(t *testing.T, s *service) provoked {
		return told(s.asked(t, "GetCoupon", `name: "fall"`))
	},
	"invalid_argument_by_store": func(t *testing.T, s *service) provoked {
		end := today.Add(day)
		_, err := s.createCode(t, s.fall(t, couponUntil(end)), coded("FALLPROMO", codeUntil(end.Add(day))))
		return told(err)
	},
	"request_id_reused": func(t *testing.T, s *service) provoked {
		r := purchase(applying(s.fall(t)), paying(1_000, "EUR"))
		s.redeems(t, r)
		by("somebody-else")(r)
		return told(s.redeemed(t, r))
	},
	"coupon_not_found": func(t *testing.T, s *service) provoked {
		return told(s.asked(t, "GetCoupon", `name: "coupons/fall"`))
	},
	"promotion_code_not_found": func(t *testing.T, s *service) provoked {
		s.fall(t)
		return told(s.asked(t, "GetPromotionCode", `name: "`+goldenCode+`"`))
	},
	"redemption_not_found": func(t *testing.T, s *service) provoked {
		s.redeems(t, purchase(applying(s.fall(t)), paying(1_000, "EUR")))
		return told(s.asked(t, "GetRedemption", `name: "`+goldenRedemption+`"`))
	},
	"coupon_already_exists": func(t *testing.T, s *service) provoked {
		s.fall(t)
		return told(s.asked(t, "CreateCoupon", `coupon { percent_off { basis_points: 2500 } } coupon_id: "fall"`))
	},
	"code_already_active": func(t *testing.T, s *service) provoked {
		p := s.code(t, s.fall(t), coded("FALLPROMO"))
		s.deactivate(t, p)
		holder := s.code(t, s.named(t, "spring", percentOff(10)), coded("FALLPROMO"))
		return about(holder.GetName(), "coupons/spring/promotionCodes/00001111", s.activate(t, p))
	},
	"coupon_deleted": func(t *testing.T, s *service) provoked {
		s.deleteCoupon(t, s.fall(t))
		return told(s.asked(t, "UpdateCoupon", `coupon { name: "coupons/fall" } update_mask { paths: "metadata" }`))
	},
	"promotion_code_deleted": func(t *testing.T, s *service) provoked {
		p := s.code(t, s.fall(t), coded("FALLPROMO"))
		s.deleteCode(t, p)
		return about(p.GetName(), goldenCode, s.activate(t, p))
	},
	"redemption_refused_one_reason": func(t *testing.T, s *service) provoked {
		c := s.fall(t, couponLimit(50))
		for range 50 {
			must(t, s.redeemed(t, purchase(applying(c), paying(1_000, "EUR"))))
		}
		return told(s.redeemed(t, purchase(applying(c), paying(1_000, "EUR"))))
	},
	"promotion_code_refused": func(t *testing.T, s *service) provoked {
		end := today.Add(day)
		c := s.fall(t, couponUntil(end))
		p := s.code(t, c, coded("FALLPROMO", codeLimit(20)))
		for range 20 {
			must(t, s.redeemed(t, purchase(using(p), paying(1_000, "EUR"))))
		}
		s.clock.set(end)
		return told(s.activate(t, p))
	},
	"promotion_code_creation_refused": func(t *testing.T, s *service) provoked {
		c := s.fall(t)
		s.deleteCoupon(t, c)
		_, err := s.createCode(t, c, coded("FALLPROMO"))
		return told(err)
	},
	"commit_refused": func(t *testing.T, s *service) provoked {
		c := s.fall(t, couponLimit(1))
		first := s.reserves(t, c, time.Second)
		s.clock.set(today.Add(time.Second))
		s.reserves(t, c, 90*time.Second+250*time.Millisecond)
		return told(s.commits(t, first))
	},
	"redemption_reserved": func(t *testing.T, s *service) provoked {
		hold := s.reserves(t, s.fall(t), time.Minute)
		return about(hold, goldenRedemption, s.voids(t, hold, nil))
	},
	"redemption_redeemed": func(t *testing.T, s *service) provoked {
		used := s.redeems(t, purchase(applying(s.fall(t)), paying(1_000, "EUR"))).GetName()
		return about(used, goldenRedemption, s.releases(t, used))
	},
	"redemption_released": func(t *testing.T, s *service) provoked {
		hold := s.reserves(t, s.fall(t), time.Minute)
		must(t, s.releases(t, hold))
		return about(hold, goldenRedemption, s.commits(t, hold))
	},
	"redemption_expired": func(t *testing.T, s *service) provoked {
		hold := s.reserves(t, s.fall(t), time.Minute)
		s.clock.set(today.Add(time.Minute))
		return about(hold, goldenRedemption, s.voids(t, hold, nil))
	},
	"redemption_voided": func(t *testing.T, s *service) provoked {
		hold := s.reserves(t, s.fall(t), time.Minute)
		must(t, s.commits(t, hold))
		must(t, s.voids(t, hold, nil))
		return about(hold, goldenRedemption, s.commits(t, hold))
	},
	"amount_exceeded": func(t *testing.T, s *service) provoked {
		used := s.redeems(t, purchase(applying(s.named(t, "fall", amountOff(money(499, "EUR")))), paying(1_000, "EUR"))).GetName()
		more := int64(500)
		return about(used, goldenRedemption, s.voids(t, used, &more))
	},
	"no_subscription": func(t *testing.T, s *service) provoked {
		used := s.redeems(t, purchase(applying(s.fall(t)), paying(1_000, "EUR"))).GetName()
		return told(s.asked(t, "EndDiscount", `name: "`+used+`" request_id: "r"`))
	},
	"invoice_id_reused": func(t *testing.T, s *service) provoked {
		r := s.redeems(t, purchase(applying(s.fall(t)), subscribing("sub")))
		s.wantRenewed(t, r, bill("i", today, 1_000), applied, 100)
		_, err := s.ApplyRenewal(within(t), renewal(r, bill("i", today, 2_000)))
		return told(err)
	},
	"configuration_changed": func(t *testing.T, s *service) provoked {
		s.fall(t)
		update := `coupon { name: "coupons/fall" etag: "v1" metadata { key: "a" value: "b" } } update_mask { paths: "metadata" }`
		must(t, s.asked(t, "UpdateCoupon", update))
		return told(s.asked(t, "UpdateCoupon", update))
	},
	"store_unavailable": func(t *testing.T, _ *service) provoked {
		s, link := throughLink(t)
		c := s.fall(t)
		link.Refuse()
		link.Drop()
		return told(s.redeemed(t, purchase(applying(c), paying(1_000, "EUR"))))
	},
	"server_stopping": func(t *testing.T, _ *service) provoked {
		p := harness.StartProcesses(t, 1, redistest.Fresh(t, privateredis.Config{}).URL())[0]
		s := &service{Service: p.Service}
		stream, err := s.RedeemStream(within(t))
		if err != nil {
			t.Fatal(err)
		}
		r := purchase(applying(s.fall(t)), paying(1_000, "EUR"))
		command := &discountv1.RedeemStreamRequest{Command: &discountv1.RedeemStreamRequest_Redeem{Redeem: r}}
		if err := stream.Send(command); err != nil {
			t.Fatal(err)
		}
		if a, err := stream.Recv(); err != nil || a.GetRedemption() == nil {
			t.Fatal(a, err)
		}
		p.Stop()
		_, err = stream.Recv()
		return told(err)
	},
	"outcome_unknown": func(t *testing.T, _ *service) provoked {
		s, link := throughLink(t)
		r := purchase(applying(s.fall(t)), paying(1_000, "EUR"))
		link.CutReplies(100, redistest.Containing(r.GetRequestId()))
		return told(s.redeemed(t, r))
	},
	"deadline_exceeded": func(t *testing.T, _ *service) provoked {
		link := redistest.Proxy(t, redistest.Server(t).Addr())
		s := &service{Service: harness.InProcess{
			Prefix: redistest.Prefix(t), DefaultDeadline: 300 * time.Millisecond,
		}.Start(t, redistest.ClientAt(t, link.Addr()))}
		link.Freeze()
		t.Cleanup(link.Thaw)
		// Without a deadline of its own the client waits for the service's answer.
		_, err := s.GetCoupon(t.Context(), &discountv1.GetCouponRequest{Name: "coupons/fall"})
		return told(err)
	},
}

// ineligibility is a reason as the golden file of all reasons has it.
type ineligibility map[string]any

// goldenReasons returns what a caller is told of each reason.
func goldenReasons(t *testing.T) map[string]ineligibility {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(golden, "redemption_refused.json"))
	if err != nil {
		t.Fatal(err)
	}
	return reasonsIn(t, text)
}

// reasonsIn returns the ineligibilities that the JSON of a status has, by reason.
func reasonsIn(t *testing.T, text []byte) map[string]ineligibility {
	t.Helper()
	var all struct {
		Details []struct{ Ineligibilities []ineligibility }
	}
	if err := json.Unmarshal([]byte(normal(string(text))), &all); err != nil {
		t.Fatal(err)
	}
	out := map[string]ineligibility{}
	for _, d := range all.Details {
		for _, i := range d.Ineligibilities {
			name, ok := i["reason"].(string)
			if !ok {
				t.Fatalf("%v has no reason", i)
			}
			out[strings.TrimPrefix(name, "INELIGIBILITY_REASON_")] = i
		}
	}
	return out
}
