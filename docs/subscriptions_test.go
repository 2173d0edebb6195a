// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package docs_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	discountv1 "github.com/discountd/discountd/gen/discount/v1"
)

// callBlock is a call, with the time it is made at, or what is answered to it.
var callBlock = regexp.MustCompile("(?ms)^```(json|text) (?:\\w+/)?(\\w+)(?: (\\S+))?\n(.*?)^```$")

// TestDocumentedCallsAreAnsweredAsTheySay makes the calls of subscriptions.md one
// after the other. An answer has all that the page shows of it; a call without an
// answer succeeds.
func TestDocumentedCallsAreAnsweredAsTheySay(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile("subscriptions.md")
	if err != nil {
		t.Fatal(err)
	}
	var now atomic.Int64
	conn := serveAt(t, func() time.Time { return time.UnixMilli(now.Load()).UTC() })
	now.Store(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli())

	var said, failed string // of the last call
	calls, answers := 0, 0
	for _, m := range callBlock.FindAllStringSubmatch(string(content), -1) {
		kind, name, at, body := m[1], m[2], m[3], m[4]
		switch kind + " " + name {
		case "json answer":
			answers++
			var want, got any
			decode(t, body, &want)
			if failed != "" {
				t.Fatalf("%s, and the page says\n%s", failed, body)
			}
			decode(t, said, &got)
			if where := missing(want, got); where != "" {
				t.Errorf("%s differs: the service answers\n%s\nand the page says\n%s", where, said, body)
			}
			failed = ""
		case "text error":
			answers++
			if strings.TrimSpace(body) != failed {
				t.Errorf("the service says %q, and the page\n%s", failed, body)
			}
			failed = ""
		default:
			if failed != "" {
				t.Errorf("not in the page: %s", failed)
			}
			if at != "" {
				instant, err := time.Parse(time.RFC3339, at)
				if err != nil {
					t.Fatal(err)
				}
				now.Store(instant.UnixMilli())
			}
			calls++
			said, failed = invoke(t, conn, name, body)
		}
	}
	if calls < 10 || answers < 10 {
		t.Errorf("the page has %d calls and %d answers", calls, answers)
	}
}

// invoke makes a call and returns what was answered: JSON, or an error as the page
// writes it.
func invoke(t *testing.T, conn *grpc.ClientConn, method, body string) (said, failed string) {
	t.Helper()
	var request, answer proto.Message
	service := discountv1.RedemptionService_ServiceDesc.ServiceName
	switch method {
	case "CreateCoupon":
		service = discountv1.CouponService_ServiceDesc.ServiceName
		request, answer = &discountv1.CreateCouponRequest{}, &discountv1.CreateCouponResponse{}
	case "Redeem":
		request, answer = &discountv1.RedeemRequest{}, &discountv1.RedeemResponse{}
	case "ApplyRenewal":
		request, answer = &discountv1.ApplyRenewalRequest{}, &discountv1.ApplyRenewalResponse{}
	case "EndDiscount":
		request, answer = &discountv1.EndDiscountRequest{}, &discountv1.EndDiscountResponse{}
	default:
		t.Fatalf("the page calls %s", method)
	}
	parse(t, body, request)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := conn.Invoke(ctx, "/"+service+"/"+method, request, answer); err != nil {
		reason := "?"
		for _, d := range status.Convert(err).Details() {
			if info, ok := d.(*errdetails.ErrorInfo); ok {
				reason = info.GetReason()
			}
		}
		return "", fmt.Sprintf("%s: %s", code.Code(status.Code(err)), reason)
	}
	return protojson.Format(answer), ""
}

func decode(t *testing.T, text string, into *any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
}

// missing returns where got has not what want says, or "". Objects may have more.
func missing(want, got any) string {
	object, ok := want.(map[string]any)
	if !ok {
		if fmt.Sprint(want) != fmt.Sprint(got) {
			return "it"
		}
		return ""
	}
	has, _ := got.(map[string]any)
	for name, value := range object {
		if where := missing(value, has[name]); where != "" {
			return name
		}
	}
	return ""
}
