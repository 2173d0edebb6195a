// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package report_test

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/discountd/discountd/bench/load"
	"github.com/discountd/discountd/bench/report"
)

// figures are those of a server with so many calls a second.
func figures(perSecond float64) report.Figures {
	return report.Figures{
		PerSecond: perSecond,
		Latency:   load.Latency{P50: time.Millisecond, P99: 2 * time.Millisecond, P999: 3 * time.Millisecond},
	}
}

// results are of two servers over five rounds. In every round echo is faster than
// in the one before, and so are they.
func results() *report.Results {
	r := &report.Results{Rounds: 5, Memory: []report.Memory{{What: "redemption", Items: 10, Bytes: 1855}}}
	fast := report.Variant{Name: "redeem/hot/c=256/discountd/everysec", Work: "redeem/hot/c=256", Server: "discountd/everysec"}
	slow := report.Variant{Name: "redeem/hot/c=256/a<b&c/sync", Work: "redeem/hot/c=256", Server: "a<b&c/sync"}
	for round := range 5 {
		echo := float64(1000 * (round + 1))
		fast.Cells = append(fast.Cells, report.Cell{Round: round, Figures: figures(0.8 * echo), Echo: figures(echo)})
		slow.Cells = append(slow.Cells, report.Cell{Round: round, Figures: figures(0.1 * echo), Echo: figures(echo)})
	}
	r.Variants = []report.Variant{fast, slow}
	return r
}

func TestSummaryIsMedianAndRange(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   report.Summary
	}{
		{[]float64{3}, report.Summary{Median: 3, Min: 3, Max: 3}},
		{[]float64{9, 1, 2}, report.Summary{Median: 2, Min: 1, Max: 9}},
		{[]float64{4, 1, 3, 2}, report.Summary{Median: 2.5, Min: 1, Max: 4}},
	} {
		if got := report.Summarise(c.values); got != c.want {
			t.Errorf("%v: %+v, not %+v", c.values, got, c.want)
		}
	}
}

func TestVariantsAreComparedWithinARound(t *testing.T) {
	r := results()
	got, ok := r.Variants[0].Against(&r.Variants[1])
	if !ok || got.Min < 7.999 || got.Max > 8.001 {
		t.Errorf("%+v, %t: the machine's own speed counts", got, ok)
	}
	r.Variants[1].Cells = r.Variants[1].Cells[3:]
	if got, ok = r.Variants[0].Against(&r.Variants[1]); !ok || got.Min < 7.999 || got.Max > 8.001 {
		t.Errorf("with rounds missing: %+v, %t", got, ok)
	}
	r.Variants[1].Cells = nil
	if got, ok = r.Variants[0].Against(&r.Variants[1]); ok {
		t.Errorf("compared with nothing: %+v", got)
	}
}

func TestResultsAreReadBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "results.json")
	if err := results().Write(path); err != nil {
		t.Fatal(err)
	}
	got, err := report.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if got.Markdown() != results().Markdown() {
		t.Errorf("read back as\n%s", got.Markdown())
	}
}

func TestTargetsAreJudged(t *testing.T) {
	r := results()
	text := r.Markdown()
	for _, want := range []string{
		"| the same, 256 callers: of echo | ≥ 0.85 | 0.80 | **missed** |",
		"| memory per redemption, bytes | ≤ 200.0 | 185.5 | met |",
		"| memory per promotion code, bytes | ≤ 60.0 | not measured | |",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no line %q in\n%s", want, text)
		}
	}
}

func TestPlotIsWellFormed(t *testing.T) {
	picture, err := results().SVG()
	if err != nil {
		t.Fatal(err)
	}
	bars := 0
	decoder := xml.NewDecoder(strings.NewReader(string(picture)))
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, picture)
		}
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "rect" {
			bars++
		}
	}
	if bars != 3 { // the ground and two variants
		t.Errorf("%d rectangles, not 3", bars)
	}
}

const document = "# Performance\n\n<!-- figures: begin; written by `bench publish`, not by hand -->\nold\n<!-- figures: end -->\n\nrest\n"

func TestFiguresArePublishedBetweenTheMarks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "performance.md")
	if err := os.WriteFile(path, []byte(document), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the marks are still there
		if err := results().Publish(path); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	got := string(text)
	if !strings.HasPrefix(got, "# Performance\n") || !strings.HasSuffix(got, "\nrest\n") ||
		strings.Contains(got, "old") || strings.Count(got, "| redeem/hot/c=256 | discountd/everysec | 2400 (800–4000) |") != 1 {
		t.Errorf("published:\n%s", got)
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(path), "performance.svg")); err != nil {
		t.Error(err)
	}
}

func TestWhatIsNoisySaysSo(t *testing.T) {
	r := results()
	quiet := r.Markdown()
	r.Variants[0].Cells[2].Figures.PerSecond /= 2
	if noisy := r.Markdown(); strings.Contains(quiet, "(noisy)") || strings.Count(noisy, "(noisy)") != 1 {
		t.Errorf("of rounds that agree:\n%s\nof one that differs:\n%s", quiet, noisy)
	}
}

func TestWhatProvesNothingIsNotPublished(t *testing.T) {
	for name, spoil := range map[string]func(*report.Results){
		"a broken promise": func(r *report.Results) { r.Failures = []string{"x"} },
		"too few rounds":   func(r *report.Results) { r.Rounds = 4 },
	} {
		path := filepath.Join(t.TempDir(), "performance.md")
		if err := os.WriteFile(path, []byte(document), 0o600); err != nil {
			t.Fatal(err)
		}
		r := results()
		spoil(r)
		if err := r.Publish(path); err == nil {
			t.Errorf("%s: published", name)
		}
		if text, err := os.ReadFile(path); err != nil || string(text) != document {
			t.Errorf("%s: the document was changed: %v", name, err)
		}
	}
}
