// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

// Package requests has every request of the API with every field that can be wrong,
// for tests: of the server alone, and of the whole service. The bounds are those
// that the API states at its fields.
package requests

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	discountv1 "github.com/discountd/discountd/gen/discount/v1"
)

// Request is an RPC's request: a good one in text form, and what its fields
// may and may not be.
type Request struct {
	RPC    string
	Base   string
	Fields []Field
}

// Field is a field of a request by its path. With each of the good values the
// request is carried out; with each of the bad ones it is refused with a
// violation of this field, or of Want, and of no other but those in Also, which
// cannot be right when this one is wrong.
type Field struct {
	Path string
	Good []any
	Bad  []any
	Want string
	Also []string
}

// Violates returns the field that a bad value is a violation of.
func (f *Field) Violates() string {
	if f.Want != "" {
		return f.Want
	}
	return f.Path
}

// With returns the good request with one field changed, see [Set].
func (r *Request) With(t testing.TB, path string, value any) proto.Message {
	t.Helper()
	m := New(t, r.RPC, r.Base)
	Set(t, m.ProtoReflect(), path, value)
	return m
}

func values(v ...any) []any { return v }

// missing is the value of a field that is not set.
var missing = values(nil)

// RPCs returns the API's methods by name; no two services have one of the same
// name. That of a stream is not among them: its messages are requests of others.
func RPCs() map[string]protoreflect.MethodDescriptor {
	out := map[string]protoreflect.MethodDescriptor{}
	for _, file := range []protoreflect.FileDescriptor{
		discountv1.File_discount_v1_coupon_service_proto,
		discountv1.File_discount_v1_redemption_service_proto,
		discountv1.File_discount_v1_credit_service_proto,
	} {
		for i := range file.Services().Len() {
			methods := file.Services().Get(i).Methods()
			for k := range methods.Len() {
				if m := methods.Get(k); !m.IsStreamingClient() {
					out[string(m.Name())] = m
				}
			}
		}
	}
	return out
}

// NewMessage returns an empty message of a type.
func NewMessage(t testing.TB, d protoreflect.MessageDescriptor) proto.Message {
	t.Helper()
	mt, err := protoregistry.GlobalTypes.FindMessageByName(d.FullName())
	if err != nil {
		t.Fatal(err)
	}
	return mt.New().Interface()
}

// New returns the request of an RPC from its text form.
func New(t testing.TB, rpc, text string) proto.Message {
	t.Helper()
	method, ok := RPCs()[rpc]
	if !ok {
		t.Fatalf("there is no RPC %s", rpc)
	}
	m := NewMessage(t, method.Input())
	if err := prototext.Unmarshal([]byte(text), m); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return m
}

// The values that several fields have in common.

const maxAmount = 1<<53 - 1

func text(n int) string { return strings.Repeat("ü", n) }

func list(n int, m proto.Message) []proto.Message { return slices.Repeat([]proto.Message{m}, n) }

func names(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprint("name-", i)
	}
	return out
}

func noteMap(keys, keyLength, valueLength int) map[string]string {
	out := map[string]string{}
	for i := range keys {
		out[fmt.Sprintf("%0*d", keyLength, i)] = text(valueLength)
	}
	return out
}

// enumOutOfRange has numbers that no enum of the API has.
var enumOutOfRange = values(-1, 99, 1<<31-1)
