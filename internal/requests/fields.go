// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package requests

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Set sets the field of m at a path such as "order.lines[2].quantity", making the
// messages on the way. A path may end in a oneof, which nil clears.
//
// Value is nil for a field that is not set, an int for any kind of number, a
// string, a message, a []string, a []proto.Message or a map[string]string.
func Set(t testing.TB, m protoreflect.Message, path string, value any) {
	t.Helper()
	first, rest, further := strings.Cut(path, ".")
	name, index, indexed := strings.Cut(strings.TrimSuffix(first, "]"), "[")
	if oneof := m.Descriptor().Oneofs().ByName(protoreflect.Name(name)); oneof != nil && value == nil {
		if chosen := m.WhichOneof(oneof); chosen != nil {
			m.Clear(chosen)
		}
		return
	}
	field := m.Descriptor().Fields().ByName(protoreflect.Name(name))
	if field == nil {
		t.Fatalf("%s has no field %s", m.Descriptor().FullName(), name)
	}
	if indexed {
		i, err := strconv.Atoi(index)
		if err != nil {
			t.Fatal(err)
		}
		list := m.Mutable(field).List()
		for list.Len() <= i {
			list.Append(list.NewElement())
		}
		if further {
			Set(t, list.Get(i).Message(), rest, value)
		} else {
			list.Set(i, scalar(t, field, value))
		}
		return
	}
	switch {
	case further:
		Set(t, m.Mutable(field).Message(), rest, value)
	case value == nil:
		m.Clear(field)
	case field.IsList():
		setList(t, m, field, value)
	case field.IsMap():
		m.Clear(field)
		entries, ok := value.(map[string]string)
		if !ok {
			t.Fatalf("%s is a map and cannot be %v", field.FullName(), value)
		}
		for k, v := range entries {
			m.Mutable(field).Map().Set(protoreflect.ValueOf(k).MapKey(), protoreflect.ValueOf(v))
		}
	default:
		m.Set(field, scalar(t, field, value))
	}
}

func setList(t testing.TB, m protoreflect.Message, field protoreflect.FieldDescriptor, value any) {
	t.Helper()
	m.Clear(field)
	switch items := value.(type) {
	case []string:
		for _, item := range items {
			m.Mutable(field).List().Append(protoreflect.ValueOf(item))
		}
	case []proto.Message:
		for _, item := range items {
			m.Mutable(field).List().Append(protoreflect.ValueOf(item.ProtoReflect()))
		}
	default:
		t.Fatalf("%s is a list and cannot be %v", field.FullName(), value)
	}
}

func scalar(t testing.TB, field protoreflect.FieldDescriptor, value any) protoreflect.Value {
	t.Helper()
	switch v := value.(type) {
	case int:
		switch field.Kind() {
		case protoreflect.EnumKind:
			return protoreflect.ValueOf(protoreflect.EnumNumber(v))
		case protoreflect.Int32Kind:
			return protoreflect.ValueOf(int32(v))
		case protoreflect.Int64Kind:
			return protoreflect.ValueOf(int64(v))
		default: // no other kind of number is in the API
		}
	case string:
		return protoreflect.ValueOf(v)
	case proto.Message:
		return protoreflect.ValueOf(v.ProtoReflect())
	}
	t.Fatalf("%s cannot be %v", field.FullName(), value)
	return protoreflect.Value{}
}

var indices = regexp.MustCompile(`\[\d+\]`)

// WithoutIndices makes "order.lines.quantity" of "order.lines[2].quantity".
func WithoutIndices(path string) string { return indices.ReplaceAllString(path, "") }

// Leaves returns the paths of everything in a message that a client can give a
// value: oneofs, lists, maps, and fields that are not messages of the API. A
// bool, of which no value is wrong, is left out.
func Leaves(d protoreflect.MessageDescriptor) []string {
	paths := map[string]bool{}
	collect(d, "", paths, nil)
	return slices.Sorted(maps.Keys(paths))
}

func collect(d protoreflect.MessageDescriptor, prefix string, paths map[string]bool, within []protoreflect.FullName) {
	if slices.Contains(within, d.FullName()) {
		panic(fmt.Sprintf("%s contains itself", d.FullName()))
	}
	within = append(slices.Clone(within), d.FullName())
	for i := range d.Oneofs().Len() {
		if o := d.Oneofs().Get(i); !o.IsSynthetic() {
			paths[prefix+string(o.Name())] = true
		}
	}
	for i := range d.Fields().Len() {
		f := d.Fields().Get(i)
		path := prefix + string(f.Name())
		ours := f.Message() != nil && !f.IsMap() && f.Message().ParentFile().Package() == d.ParentFile().Package()
		if ours {
			collect(f.Message(), path+".", paths, within)
		}
		if f.IsList() || !ours && f.Kind() != protoreflect.BoolKind {
			paths[path] = true
		}
	}
}
