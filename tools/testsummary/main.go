// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

// Testsummary closes a test run with one line, "N passed, N failed". It reads
// the events of `go test -json` from the file it is given, and exits with
// status 1 when anything failed or when nothing ran.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

func main() {
	sum, err := run(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "testsummary:", err)
		os.Exit(1)
	}
	fmt.Println(sum)
	if !sum.good() {
		os.Exit(1)
	}
}

func run(args []string) (summary, error) {
	if len(args) != 1 {
		return summary{}, errors.New("usage: testsummary FILE")
	}
	file, err := os.Open(args[0])
	if err != nil {
		return summary{}, err
	}
	defer file.Close()

	sum, err := summarize(file)
	if err != nil {
		return summary{}, fmt.Errorf("%s: %w", args[0], err)
	}
	return sum, nil
}

// event is what is read of a line of `go test -json`; see `go doc test2json`.
type event struct {
	Action  string
	Package string
	Test    string
}

// summary counts tests, subtests included.
type summary struct {
	passed, failed, skipped int
}

// summarize counts the outcomes in the events. A package that fails although
// none of its tests did (it does not build, a data race after the last test, a
// leak found by TestMain) counts as one failure, and so does a test that began
// and has no outcome.
func summarize(events io.Reader) (summary, error) {
	var sum summary
	running := map[event]bool{}
	failures := map[string]int{}
	failedPackages := map[string]bool{}

	lines := bufio.NewScanner(events)
	lines.Buffer(nil, 16<<20) // a test may print a long line
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return summary{}, err
		}
		test := event{Package: e.Package, Test: e.Test}
		switch {
		case e.Test == "":
			if e.Action == "fail" {
				failedPackages[e.Package] = true
			}
			continue
		case e.Action == "run":
			running[test] = true
			continue
		case e.Action == "pass":
			sum.passed++
		case e.Action == "skip":
			sum.skipped++
		case e.Action == "fail":
			sum.failed++
			failures[e.Package]++
		default: // output and the like
			continue
		}
		delete(running, test)
	}
	if err := lines.Err(); err != nil {
		return summary{}, err
	}

	for test := range running {
		sum.failed++
		failures[test.Package]++
	}
	for name := range failedPackages {
		if failures[name] == 0 {
			sum.failed++
		}
	}
	return sum, nil
}

// String returns the closing line.
func (s summary) String() string {
	line := fmt.Sprintf("%d passed, %d failed", s.passed, s.failed)
	if s.skipped > 0 {
		line += fmt.Sprintf(", %d skipped", s.skipped)
	}
	return line
}

// good tells whether everything passed, and there was something to pass.
func (s summary) good() bool { return s.failed == 0 && s.passed > 0 }
