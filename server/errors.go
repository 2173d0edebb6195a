// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/discountd/discountd/domain"
	discountv1 "github.com/discountd/discountd/gen/discount/v1"
)

const (
	// maxViolationBytes bounds a google.rpc.BadRequest. The status travels in a
	// header, base64-encoded, and several gRPC implementations refuse headers of
	// more than 8 KiB.
	maxViolationBytes = 4 << 10
	// maxViolationText bounds each text of a violation: a path can quote what the
	// client sent.
	maxViolationText = 200

	// defaultRetryDelay is what RetryInfo says when the store does not know.
	defaultRetryDelay = 100 * time.Millisecond
)

// clientError is an error as the client is told it, with the cause, which the client
// is not told.
type clientError struct {
	status *status.Status
	reason Reason
	cause  error
}

// Error returns the message that the client gets.
func (f *clientError) Error() string { return f.status.Message() }

// GRPCStatus returns the status that the client gets.
func (f *clientError) GRPCStatus() *status.Status { return f.status }

// Unwrap returns the cause, or nil.
func (f *clientError) Unwrap() error { return f.cause }

// parameters are the changing parts of a message, by name.
type parameters map[string]string

// fail returns an error with the given status, a google.rpc.ErrorInfo and the
// other details.
func fail(code codes.Code, reason Reason, message string, params parameters, details ...proto.Message) *clientError {
	all := []protoadapt.MessageV1{&errdetails.ErrorInfo{
		Reason:   string(reason),
		Domain:   errorDomain,
		Metadata: params,
	}}
	for _, d := range details {
		all = append(all, protoadapt.MessageV1Of(d))
	}
	s, err := status.New(code, message).WithDetails(all...)
	if err != nil {
		// A detail does not serialize only when a text in it is not UTF-8, and no
		// such text comes through a request.
		panic(fmt.Sprintf("server: details of %s: %v", reason, err))
	}
	return &clientError{status: s, reason: reason}
}

// internal returns what a client is told of an error that it can do nothing
// about: nothing but that.
func internal(cause error) *clientError {
	f := fail(codes.Internal, ReasonInternal, "internal error", nil)
	f.cause = cause
	return f
}

// translate makes a gRPC status of an error that a handler of the given method
// returned. Statuses stay as they are: gRPC's own errors.
func translate(err error, method string) error {
	if _, ok := errors.AsType[withStatus](err); ok {
		return err
	}
	for _, t := range translations {
		if f := t(err, method); f != nil {
			return f
		}
	}
	return internal(err)
}

// withStatus is an error that gRPC knows what to tell the client of.
type withStatus interface {
	error
	GRPCStatus() *status.Status
}

// translation returns what clients are told of one kind of error, or nil for others.
type translation func(err error, method string) *clientError

// translations has every kind of error there is; the first match counts. What the
// store says of itself comes before the deadline that made it say so.
var translations = []translation{
	typed(invalid),
	typed(notFound),
	typed(alreadyExists),
	typed(deleted),
	typed(wrongState),
	typed(amountExceeded),
	typed(noSubscription),
	typed(tooMany),
	typed(overloaded),
	typed(unavailable),
	stopping,
	refused,
	sentinel(domain.ErrRequestIDReused, codes.InvalidArgument, ReasonRequestIDReused),
	sentinel(domain.ErrInvoiceIDReused, codes.InvalidArgument, ReasonInvoiceIDReused),
	sentinel(domain.ErrAborted, codes.Aborted, ReasonConfigurationChanged),
	sentinel(context.DeadlineExceeded, codes.DeadlineExceeded, ReasonDeadlineExceeded),
	sentinel(context.Canceled, codes.Canceled, ReasonCancelled),
}

// typed translates errors of one type.
func typed[E error](f func(E) *clientError) translation {
	return func(err error, _ string) *clientError {
		if e, ok := errors.AsType[E](err); ok {
			return f(e)
		}
		return nil
	}
}

// sentinel translates one error, whose text is the message.
func sentinel(target error, code codes.Code, reason Reason) translation {
	return func(err error, _ string) *clientError {
		if errors.Is(err, target) {
			return fail(code, reason, target.Error(), nil)
		}
		return nil
	}
}

// invalid names as many violations as fit, the first of them in the message.
func invalid(e *domain.InvalidError) *clientError {
	detail, size := &errdetails.BadRequest{}, 0
	for _, v := range e.Violations {
		fv := &errdetails.BadRequest_FieldViolation{
			Field:       clip(v.Field, maxViolationText),
			Description: clip(v.Description, maxViolationText),
		}
		if size += proto.Size(fv); size > maxViolationBytes {
			break
		}
		detail.FieldViolations = append(detail.FieldViolations, fv)
	}
	first := detail.GetFieldViolations()[0]
	params := parameters{"field": first.GetField(), "description": first.GetDescription()}
	message := first.GetField() + ": " + first.GetDescription()
	return fail(codes.InvalidArgument, ReasonInvalidArgument,
		message+andMore(params, len(e.Violations)-1, "more_violations"), params, detail)
}

// andMore says how many others there are, if any, and records it under key.
func andMore(params parameters, n int, key string) string {
	if n == 0 {
		return ""
	}
	params[key] = strconv.Itoa(n)
	return fmt.Sprintf(" (and %d more)", n)
}

// clip shortens s to at most n bytes, without breaking a character.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	const ellipsis = "…"
	return strings.ToValidUTF8(s[:n-len(ellipsis)], "") + ellipsis
}

func notFound(e *domain.NotFoundError) *clientError {
	params := parameters{}
	if e.Name != "" {
		params["name"] = e.Name
	}
	return fail(codes.NotFound, notFoundReasons[e.Type], e.Error(), params,
		&errdetails.ResourceInfo{ResourceType: string(e.Type), ResourceName: e.Name, Description: e.Error()})
}

func alreadyExists(e *domain.AlreadyExistsError) *clientError {
	params := parameters{"name": e.Name}
	if e.Code != "" {
		params["code"] = e.Code
	}
	return fail(codes.AlreadyExists, alreadyExistsReasons[e.Type], e.Error(), params,
		&errdetails.ResourceInfo{ResourceType: string(e.Type), ResourceName: e.Name, Description: e.Error()})
}

func deleted(e *domain.DeletedError) *clientError {
	return fail(codes.FailedPrecondition, deletedReasons[e.Type], e.Error(), parameters{"name": e.Name},
		&errdetails.ResourceInfo{ResourceType: string(e.Type), ResourceName: e.Name, Description: e.Error()})
}

// wrongState has a reason for every state, since what to do next depends on it.
func wrongState(e *domain.RedemptionStateError) *clientError {
	name := e.Name.String()
	return fail(codes.FailedPrecondition, stateReasons[e.State], e.Error(),
		parameters{"name": name, "state": e.State.String()},
		&errdetails.ResourceInfo{ResourceType: string(domain.RedemptionResource), ResourceName: name, Description: e.Error()})
}

// amountExceeded is FAILED_PRECONDITION and not OUT_OF_RANGE: what is left is a
// matter of the redemption's state, and another call may just have changed it.
func amountExceeded(e *domain.AmountExceededError) *clientError {
	name := e.Name.String()
	return fail(codes.FailedPrecondition, ReasonAmountExceeded, e.Error(),
		parameters{"name": name, "limit_amount_minor": strconv.FormatInt(e.LimitMinor, 10)},
		&errdetails.PreconditionFailure{Violations: []*errdetails.PreconditionFailure_Violation{{
			Type:        string(ReasonAmountExceeded),
			Subject:     name,
			Description: e.Error(),
		}}})
}

func noSubscription(e *domain.NoSubscriptionError) *clientError {
	name := e.Name.String()
	return fail(codes.FailedPrecondition, ReasonNoSubscription, e.Error(), parameters{"name": name},
		&errdetails.ResourceInfo{ResourceType: string(domain.RedemptionResource), ResourceName: name, Description: e.Error()})
}

// tooMany is FAILED_PRECONDITION and not RESOURCE_EXHAUSTED, which clients retry
// after a while: this limit does not pass with time.
func tooMany(e *domain.TooManyError) *clientError {
	return fail(codes.FailedPrecondition, ReasonServiceLimitReached, e.Error(),
		parameters{"what": e.What, "limit": strconv.FormatInt(e.Limit, 10)},
		&errdetails.PreconditionFailure{Violations: []*errdetails.PreconditionFailure_Violation{{
			Type:        string(ReasonServiceLimitReached),
			Subject:     e.What,
			Description: e.Error(),
		}}})
}

// overloaded is RESOURCE_EXHAUSTED and not UNAVAILABLE, which many clients retry at
// once.
func overloaded(e *domain.OverloadedError) *clientError {
	return fail(codes.ResourceExhausted, ReasonOverloaded, e.Error(), nil,
		&errdetails.RetryInfo{RetryDelay: durationpb.New(cmp.Or(e.RetryAfter, defaultRetryDelay))})
}

func unavailable(e *domain.UnavailableError) *clientError {
	reason := ReasonStoreUnavailable
	if e.OutcomeUnknown {
		reason = ReasonOutcomeUnknown
	}
	f := fail(codes.Unavailable, reason, e.Error(), nil,
		&errdetails.RetryInfo{RetryDelay: durationpb.New(cmp.Or(e.RetryAfter, defaultRetryDelay))})
	f.cause = e.Cause
	return f
}

// stopping is for streams alone: gRPC tells clients by itself to send calls to another
// server.
func stopping(err error, _ string) *clientError {
	if !errors.Is(err, ErrStopping) {
		return nil
	}
	return fail(codes.Unavailable, ReasonServerStopping, ErrStopping.Error(), nil,
		&errdetails.RetryInfo{RetryDelay: durationpb.New(defaultRetryDelay)})
}

// refused gives all ineligibilities in the detail that belongs to the method, the
// first of them in the message.
func refused(err error, method string) *clientError {
	e, ok := errors.AsType[*domain.RefusedError](err)
	if !ok {
		return nil
	}
	all := each(e.Ineligibilities, writeIneligibility)
	var detail proto.Message = &discountv1.RedemptionRefused{Ineligibilities: all}
	if makesCode(method) {
		detail = &discountv1.PromotionCodeRefused{Ineligibilities: all}
	}
	first := all[0]
	params := ineligibilityParameters(first)
	return fail(codes.FailedPrecondition, reasonOf(first),
		first.GetMessage()+andMore(params, len(all)-1, "more_ineligibilities"), params, detail)
}

// makesCode reports whether what a method refuses is a promotion code, and not a
// use of one.
func makesCode(method string) bool {
	return method == discountv1.CreditService_IssueGiftCard_FullMethodName ||
		method == discountv1.CreditService_EnableGiftCard_FullMethodName ||
		strings.HasPrefix(method, "/"+discountv1.CouponService_ServiceDesc.ServiceName+"/")
}

// reasonOf returns the name of the ineligibility's reason without the prefix that
// it has as an enum value.
func reasonOf(i *discountv1.Ineligibility) Reason {
	return Reason(strings.TrimPrefix(i.GetReason().String(), "INELIGIBILITY_REASON_"))
}

// ineligibilityParameters returns the parameters of i under the names of its
// fields.
func ineligibilityParameters(i *discountv1.Ineligibility) parameters {
	params := parameters{}
	i.ProtoReflect().Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		switch name := string(field.Name()); name {
		case "reason", "message", "retryable":
		default:
			params[name] = parameterText(value)
		}
		return true
	})
	return params
}

func parameterText(value protoreflect.Value) string {
	message, ok := value.Interface().(protoreflect.Message)
	if !ok {
		return value.String()
	}
	switch m := message.Interface().(type) {
	case *timestamppb.Timestamp:
		return m.AsTime().Format(time.RFC3339Nano)
	case *durationpb.Duration:
		return m.AsDuration().String()
	case *discountv1.Money:
		return strconv.FormatInt(m.GetAmountMinor(), 10) + " " + m.GetCurrencyCode()
	default:
		panic(fmt.Sprintf("server: a parameter is a %T", m))
	}
}
