// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package requests

import (
	"encoding/json"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
)

// StatusJSON returns the status of err, details and all, as JSON that is the
// same in every build; protojson's own is not.
func StatusJSON(t testing.TB, err error) []byte {
	t.Helper()
	b, jsonErr := protojson.Marshal(status.Convert(err).Proto())
	if jsonErr != nil {
		t.Fatal(jsonErr)
	}
	var v map[string]any
	if jsonErr := json.Unmarshal(b, &v); jsonErr != nil {
		t.Fatal(jsonErr)
	}
	v["code"] = code.Code(status.Code(err)).String()
	b, jsonErr = json.MarshalIndent(v, "", "  ")
	if jsonErr != nil {
		t.Fatal(jsonErr)
	}
	return append(b, '\n')
}
