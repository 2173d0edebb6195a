// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

//go:build clients

// Package clients runs the programs in examples, each made with its language's
// usual tools, against the service. make test-clients prepares them.
package clients

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/discountd/discountd/test/binary"
)

// What each example prints: 25 % off 45.99 is 11.4975, rounded half up.
const story = `valid: true, 1150 cents off
redeemed: 1150 cents off
refused: COUPON_MAX_REDEMPTIONS_REACHED by discountd
`

func TestExamplesRedeemOnceAndReadWhyTheSecondTimeIsRefused(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	service := binary.Start(t, t.TempDir())

	for _, client := range []struct {
		language string
		command  []string
		env      string
		// reason is how the language's enum spells the reason.
		reason string
	}{
		{
			language: "go",
			command:  []string{filepath.Join(root, "build", "go", "example")},
			reason:   "INELIGIBILITY_REASON_COUPON_MAX_REDEMPTIONS_REACHED",
		},
		{
			language: "python",
			command:  []string{filepath.Join(root, "build", "python", "venv", "bin", "python"), filepath.Join(root, "examples", "python", "main.py")},
			env:      "PYTHONPATH=" + filepath.Join(root, "build", "python", "gen"),
			reason:   "INELIGIBILITY_REASON_COUPON_MAX_REDEMPTIONS_REACHED",
		},
		{
			language: "typescript",
			command:  []string{"node", filepath.Join(root, "examples", "typescript", "dist", "main.js")},
			reason:   "COUPON_MAX_REDEMPTIONS_REACHED",
		},
	} {
		t.Run(client.language, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			command := exec.CommandContext(ctx, client.command[0], append(client.command[1:], service.Address)...)
			command.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1", client.env)
			output, err := command.CombinedOutput()
			if err != nil {
				t.Errorf("%v: %v", command, err)
			}
			want := story + "because: " + client.reason + ", limit 1\n"
			if diff := cmp.Diff(want, string(output)); diff != "" {
				t.Errorf("output (-want +got):\n%s", diff)
			}
		})
	}
}
