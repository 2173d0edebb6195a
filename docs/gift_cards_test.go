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
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/dynamicpb"
)

// step is a call of gift-cards.md: the block that has the request, and what the one
// after it says of the answer.
type step struct {
	service, method, request string
	answer, refusal          string
	names                    string // what the id of the card in the answer is called
}

var callOrAnswer = regexp.MustCompile("(?ms)^```json (\\S+)(?: (\\w+))?\n(.*?)^```$")

func readSteps(t *testing.T, page string) []step {
	t.Helper()
	content, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	var steps []step
	for _, m := range callOrAnswer.FindAllStringSubmatch(string(content), -1) {
		if service, method, ok := strings.Cut(m[1], "/"); ok {
			steps = append(steps, step{service: service, method: method, request: m[3]})
			continue
		}
		last := &steps[len(steps)-1]
		switch m[1] {
		case "answer":
			last.answer, last.names = m[3], m[2]
		case "refused":
			last.refusal = m[3]
		default:
			t.Errorf("a block is called %q", m[1])
		}
	}
	return steps
}

// theCode is what the page calls the code that is generated.
const theCode = "0123456789ABCDEF"

// TestDocumentedGiftCardsAreWhatTheServiceAnswers makes the calls of the page one
// after the other, and wants what the page says in their answers.
func TestDocumentedGiftCardsAreWhatTheServiceAnswers(t *testing.T) {
	t.Parallel()
	conn := serve(t)
	said := map[string]string{} // what the page calls something, and what it is
	called := map[string]bool{}
	for i, s := range readSteps(t, "gift-cards.md") {
		t.Run(fmt.Sprint(i, " ", s.method), func(t *testing.T) {
			answer, err := invokeOf(t, conn, s.service, s.method, renamed(s.request, said))
			called[s.method] = true
			var got, want any
			switch {
			case s.refusal != "":
				var reason string
				for _, d := range status.Convert(err).Details() {
					if info, ok := d.(*errdetails.ErrorInfo); ok {
						reason = info.GetReason()
					}
				}
				got, want = map[string]any{"reason": reason}, parsed(t, s.refusal)
			case err != nil:
				t.Fatal(err)
			case s.answer == "":
				return
			default:
				remember(t, said, s, answer)
				got, want = parsed(t, answer), parsed(t, renamed(s.answer, said))
			}
			contains(t, s.method, got, want)
		})
	}
	for _, method := range []string{"IssueGiftCard", "GetGiftCard", "TransferToCredit", "ApplyCredit", "Redeem", "VoidRedemption"} {
		if !called[method] {
			t.Errorf("no example calls %s", method)
		}
	}
}

// remember keeps what the page cannot know of an answer: the id and the code of a
// card.
func remember(t *testing.T, said map[string]string, s step, answer string) {
	t.Helper()
	if s.names == "" {
		return
	}
	var issued struct {
		Code     string
		GiftCard struct{ Name string }
	}
	if err := json.Unmarshal([]byte(answer), &issued); err != nil {
		t.Fatal(err)
	}
	if len(issued.Code) != len(theCode) {
		t.Errorf("the code is %q", issued.Code)
	}
	_, id, ok := strings.Cut(issued.GiftCard.Name, "/promotionCodes/")
	if !ok {
		t.Errorf("the name is %q", issued.GiftCard.Name)
	}
	said["promotionCodes/"+s.names] = "promotionCodes/" + id
	said[`"`+theCode[12:]+`"`] = `"` + issued.Code[12:] + `"`
	said[theCode], said[strings.ToLower(theCode)] = issued.Code, strings.ToLower(issued.Code)
}

func renamed(text string, said map[string]string) string {
	for name, is := range said {
		text = strings.ReplaceAll(text, name, is)
	}
	return text
}

// invokeOf makes a call of a service with a request in JSON and returns the answer in JSON.
func invokeOf(t *testing.T, conn *grpc.ClientConn, service, method, request string) (string, error) {
	t.Helper()
	found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName("discount.v1." + service))
	if err != nil {
		t.Fatal(err)
	}
	m := found.(protoreflect.ServiceDescriptor).Methods().ByName(protoreflect.Name(method))
	if m == nil {
		t.Fatalf("%s has no method %s", service, method)
	}
	var in, out proto.Message = dynamicpb.NewMessage(m.Input()), dynamicpb.NewMessage(m.Output())
	parse(t, request, in)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := conn.Invoke(ctx, "/discount.v1."+service+"/"+method, in, out); err != nil {
		return "", err
	}
	text, err := protojson.Marshal(out) // as grpcurl does: what is zero is left out
	return string(text), err
}

func parsed(t *testing.T, text string) (v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return v
}

// contains fails the test unless got has everything that want has.
func contains(t *testing.T, path string, got, want any) {
	t.Helper()
	switch want := want.(type) {
	case map[string]any:
		got, _ := got.(map[string]any)
		for name, v := range want {
			contains(t, path+"."+name, got[name], v)
		}
	case []any:
		got, _ := got.([]any)
		if len(got) != len(want) {
			t.Errorf("%s has %d, and the documentation says %d", path, len(got), len(want))
			return
		}
		for i, v := range want {
			contains(t, fmt.Sprintf("%s[%d]", path, i), got[i], v)
		}
	default:
		if got != want {
			t.Errorf("%s is %v, and the documentation says %v", path, got, want)
		}
	}
}
