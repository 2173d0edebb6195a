// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/discountd/discountd/domain"
)

// call is what every RPC does: read the request, do what it asks for, write the
// answer. Nothing is done when anything is wrong with the request.
func call[Request, Command, Result, Response any](
	ctx context.Context,
	hasher domain.Hasher,
	request Request,
	read func(*reader, Request) Command,
	do func(context.Context, Command) (Result, error),
	write func(Result) Response,
) (response Response, err error) {
	r := reader{hasher: hasher}
	command := read(&r, request)
	if err := r.violations.Err(); err != nil {
		return response, err
	}
	result, err := do(ctx, command)
	if err != nil {
		return response, err
	}
	return write(result), nil
}

// reader makes values of package domain out of a request's fields and collects
// what is wrong with them. Functions that read return a zero value for what is
// wrong; it goes nowhere.
type reader struct {
	hasher     domain.Hasher
	violations domain.Violations
}

// add records that a field is wrong.
func (r *reader) add(field, format string, args ...any) { r.violations.Add(field, format, args...) }

// read parses a required field.
func read[T any](r *reader, field, s string, parse func(string) (T, error)) T {
	v, err := parse(s)
	if err != nil {
		r.add(field, "%s", err)
	}
	return v
}

// readIfGiven parses a field that may be empty.
func readIfGiven[T any](r *reader, field, s string, parse func(string) (T, error)) T {
	if s == "" {
		var none T
		return none
	}
	return read(r, field, s, parse)
}

// readEnum returns an enum of the API as the type of package domain that has the
// same numbers.
func readEnum[T ~uint8, E protoreflect.Enum](r *reader, field string, e E) T {
	if !r.known(field, e) {
		return 0
	}
	return T(e.Number())
}

// known records an enum whose number the API does not have, and reports whether it
// has it.
func (r *reader) known(field string, e protoreflect.Enum) bool {
	// Every enum has a 0, and it need not be looked for.
	if e.Number() != 0 && e.Descriptor().Values().ByNumber(e.Number()) == nil {
		r.add(field, "has no value %d", e.Number())
		return false
	}
	return true
}

// time returns an instant to the millisecond, the zero time when it is unset.
func (r *reader) time(field string, t *timestamppb.Timestamp) time.Time {
	return r.exactTime(field, t).Truncate(time.Millisecond)
}

// exactTime returns an instant as it is given, the zero time when it is unset. A
// valid Timestamp ends with the year 9999 by itself.
func (r *reader) exactTime(field string, t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	if t.CheckValid() != nil || t.GetSeconds() < 0 {
		r.add(field, "must be an instant of the years 1970 to 9999")
		return time.Time{}
	}
	return t.AsTime()
}

// count returns a number that is 1 or more when it is set and 0 when it is not.
func (r *reader) count(field string, n *int32) int32 {
	if n == nil {
		return 0
	}
	if *n < 1 {
		r.add(field, "must be at least 1")
	}
	return *n
}

// amount returns an optional amount of at least least; nil is unset.
func (r *reader) amount(field string, amount *int64, least int64) *int64 {
	if amount != nil && (*amount < least || *amount > domain.MaxAmount) {
		r.add(field, "must be %d to %d", least, int64(domain.MaxAmount))
	}
	return amount
}

func (r *reader) requestID(id string, required bool) string {
	domain.CheckRequestID(id, required, &r.violations, "request_id")
	return id
}

// callerID returns what a caller names something of its own by, or nothing.
func (r *reader) callerID(field, id string) string {
	domain.CheckCallerID(id, &r.violations, field)
	return id
}

// email returns the keyed hash of an address, or nothing for none.
func (r *reader) email(field, address string) domain.EmailHash {
	return readIfGiven(r, field, address, r.hasher.HashEmail)
}

// codeHash returns the keyed hash of a code, or nothing for what is no code.
func (r *reader) codeHash(text string) domain.CodeHash {
	code, err := domain.ParseCode(text)
	if err != nil {
		return ""
	}
	return r.hasher.HashCode(code)
}

// asCard returns what a gift card with the code of p is found by, or nothing if p is
// one itself or its code is yet to be generated.
func asCard(hasher domain.Hasher, p *domain.PromotionCode) domain.CodeHash {
	if p.Card != nil || p.Code.IsZero() {
		return ""
	}
	return hasher.HashCode(p.Code)
}

// updateMask sets what the mask names. Fields are all that can be named.
func (r *reader) updateMask(mask *fieldmaskpb.FieldMask, fields map[string]*bool) {
	allowed := strings.Join(slices.Sorted(maps.Keys(fields)), ", ")
	var unknown []string
	for _, path := range mask.GetPaths() {
		if set, ok := fields[path]; ok {
			*set = true
		} else {
			unknown = append(unknown, strconv.Quote(path))
		}
	}
	switch {
	case len(mask.GetPaths()) == 0:
		r.add("update_mask", "is required: any of %s", allowed)
	case len(unknown) > 0:
		r.add("update_mask", "can name %s, and not %s", allowed, strings.Join(slices.Compact(unknown), ", "))
	}
}

// required records a message field that is not set, and reports whether it is.
func required[M interface {
	comparable
	protoreflect.ProtoMessage
}](r *reader, field string, message M) bool {
	var none M
	if message == none {
		r.add(field, "is required")
	}
	return message != none
}

const etagPrefix = "v"

// writeETag returns the etag of a version; version 0 is none.
func writeETag(version int64) string {
	if version == 0 {
		return ""
	}
	return etagPrefix + strconv.FormatInt(version, 10)
}

// parseETag returns the version that writeETag made s of.
func parseETag(s string) (int64, error) {
	digits, _ := strings.CutPrefix(s, etagPrefix)
	version, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || version < 1 || writeETag(version) != s {
		return 0, errors.New("must be an etag that was returned")
	}
	return version, nil
}
