// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// The lines between which the figures of a document are.
const (
	beginMark = "<!-- figures: begin; written by `bench publish`, not by hand -->"
	endMark   = "<!-- figures: end -->"
)

// plotName is the file of the plot, beside the document.
const plotName = "performance.svg"

// Publish writes the results into a document, between two marks, and the plot
// beside it. Results that broke a promise or were not measured often enough are not
// published. What is noisy says so, beside its least and its most.
func (r *Results) Publish(document string) error {
	if err := r.publishable(); err != nil {
		return err
	}
	text, err := os.ReadFile(document)
	if err != nil {
		return err
	}
	changed, err := between(string(text), "\n![Throughput as a share of an empty gRPC server's]("+plotName+")\n\n"+r.Markdown()+"\n")
	if err != nil {
		return fmt.Errorf("%s: %w", document, err)
	}
	picture, err := r.SVG()
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(filepath.Dir(document), plotName), picture, 0o600); err != nil {
		return err
	}
	return os.WriteFile(document, []byte(changed), 0o600)
}

// leastRounds is how many rounds a figure takes that is shown to others.
const leastRounds = 5

func (r *Results) publishable() error {
	if len(r.Failures) > 0 {
		return fmt.Errorf("%d promises were broken: %s", len(r.Failures), r.Failures[0])
	}
	if r.Rounds < leastRounds {
		return fmt.Errorf("measured in %d rounds; it takes %d", r.Rounds, leastRounds)
	}
	return nil
}

// between replaces what is between the marks.
func between(text, figures string) (string, error) {
	before, rest, ok1 := strings.Cut(text, beginMark)
	_, after, ok2 := strings.Cut(rest, endMark)
	if !ok1 || !ok2 {
		return "", errors.New("it has no marks for the figures")
	}
	return before + beginMark + "\n" + figures + endMark + after, nil
}
