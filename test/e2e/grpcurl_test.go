// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

// Package e2e drives the built binary through grpcurl, as a person at a
// terminal would. make e2e builds both.
package e2e

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/discountd/discountd/test/binary"
)

const (
	coupons     = "discount.v1.CouponService/"
	redemptions = "discount.v1.RedemptionService/"
)

// grpcurl calls a method with a request in JSON, or runs a verb such as list
// when the request is empty. It returns what was printed.
func grpcurl(t *testing.T, service *binary.Service, method, request string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	args := []string{"-plaintext", "-format-error"}
	if request != "" {
		args = append(args, "-d", request)
	}
	args = append(args, service.Address, method)
	command := exec.CommandContext(ctx, binary.Path(t, "grpcurl"), args...)
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	if err := command.Run(); err != nil {
		if _, exited := errors.AsType[*exec.ExitError](err); !exited {
			t.Fatal(err)
		}
		return "", errors.New(stderr.String())
	}
	return stdout.String(), nil
}

// call wants an answer and reads it into response. It returns the answer as
// printed.
func call(t *testing.T, service *binary.Service, method, request string, response proto.Message) string {
	t.Helper()
	printed, err := grpcurl(t, service, method, request)
	if err != nil {
		t.Fatalf("%s %s: %v", method, request, err)
	}
	if err := protojson.Unmarshal([]byte(printed), response); err != nil {
		t.Fatalf("%s: %v in:\n%s", method, err, printed)
	}
	return printed
}

// refusal wants an error with the code and the reason given, and reads the
// detail of detail's type into it.
func refusal(t *testing.T, service *binary.Service, method, request string, code codes.Code, reason string, detail proto.Message) {
	t.Helper()
	printed, err := grpcurl(t, service, method, request)
	if err == nil {
		t.Fatalf("%s %s: not refused:\n%s", method, request, printed)
	}
	var refused spb.Status
	if err := protojson.Unmarshal([]byte(err.Error()), &refused); err != nil {
		t.Fatalf("%s: %v in:\n%s", method, err, err.Error())
	}
	got := status.FromProto(&refused)
	if got.Code() != code {
		t.Errorf("%s %s: code %v, want %v", method, request, got.Code(), code)
	}

	var info errdetails.ErrorInfo
	found := detail == nil
	for _, each := range refused.GetDetails() {
		switch {
		case each.MessageIs(&info):
			if err := each.UnmarshalTo(&info); err != nil {
				t.Fatal(err)
			}
		case detail != nil && each.MessageIs(detail):
			if err := each.UnmarshalTo(detail); err != nil {
				t.Fatal(err)
			}
			found = true
		}
	}
	if info.GetReason() != reason || info.GetDomain() != "discountd" {
		t.Errorf("%s %s: ErrorInfo %v, want reason %s", method, request, &info, reason)
	}
	if !found {
		t.Errorf("%s %s: no %s among the details:\n%v", method, request, proto.MessageName(detail), got)
	}
}
