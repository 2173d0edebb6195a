// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

// Package report is what the benchmark measured and how it is shown: as JSON, as
// tables and as a plot.
package report

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/discountd/discountd/bench/load"
)

// Results are everything that a run of the benchmark found. Whatever is shown is
// computed from them.
type Results struct {
	Environment Environment
	Rounds      int
	Warmup      time.Duration
	Duration    time.Duration
	Variants    []Variant
	Memory      []Memory
	// LeftOut are variants that this build of discountd cannot run, with the reason.
	LeftOut []string
	// Failures are the promises that were broken. With one of them no figure counts.
	Failures []string
}

// Variant is one kind of call answered by one kind of server.
type Variant struct {
	// Name is unique: the name of the work and that of the server.
	Name   string
	Work   string
	Server string
	// Cells are its measurements, one for every round.
	Cells []Cell
}

// Cell is one measurement of a variant.
type Cell struct {
	Round int
	// Figures are the variant's own; Echo are those of the empty server, asked the
	// same right before.
	Figures, Echo Figures
}

// Figures are what one measurement found.
type Figures struct {
	PerSecond float64
	Latency   load.Latency
	// ServerCPU, StoreCPU and LoadCPU are the microseconds of CPU that a call cost
	// the server, its Redis or PostgreSQL, and the load generator.
	ServerCPU, StoreCPU, LoadCPU float64
	// ServerResident is the most memory that the server was seen to have, in bytes.
	ServerResident int64
	// Commands and Scripts are how many commands Redis carried out for a call,
	// those called by scripts included, and how many scripts. One server gathers
	// calls if there are fewer scripts than calls.
	Commands, Scripts float64
}

// Memory is what something costs that is stored.
type Memory struct {
	What  string
	Items int64
	// Bytes is what Redis had more when they were stored.
	Bytes int64
}

// PerItem returns the bytes that one costs.
func (m Memory) PerItem() float64 { return float64(m.Bytes) / float64(m.Items) }

// Find returns a variant by its name.
func (r *Results) Find(name string) (*Variant, bool) {
	for i := range r.Variants {
		if r.Variants[i].Name == name {
			return &r.Variants[i], true
		}
	}
	return nil, false
}

// Write writes the results as JSON.
func (r *Results) Write(path string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o600)
}

// Read reads results that were written.
func Read(path string) (*Results, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var r Results
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &r, nil
}

// Summary is a figure over all rounds.
type Summary struct{ Median, Min, Max float64 }

// Summarise returns the summary of at least one value.
func Summarise(values []float64) Summary {
	sorted := slices.Clone(values)
	slices.Sort(sorted)
	n := len(sorted)
	return Summary{Median: (sorted[(n-1)/2] + sorted[n/2]) / 2, Min: sorted[0], Max: sorted[n-1]}
}

// Of returns the summary of one figure of every cell.
func (v *Variant) Of(figure func(Cell) float64) Summary {
	values := make([]float64, len(v.Cells))
	for i, c := range v.Cells {
		values[i] = figure(c)
	}
	return Summarise(values)
}

// Ratio is the throughput as a share of the empty server's in the same round.
func Ratio(c Cell) float64 { return c.Figures.PerSecond / c.Echo.PerSecond }

// noisy is the spread of a ratio, (max − min) / median, above which the machine
// was not quiet enough to tell.
const noisy = 0.4

// Noisy reports whether the rounds differ too much to believe the median.
func (s Summary) Noisy() bool { return s.Max-s.Min > noisy*s.Median }

// Against returns how many times as fast v is as another variant. Each is measured
// by its own echo of the same round, so that what slows both down does not count.
func (v *Variant) Against(other *Variant) (Summary, bool) { return v.against(other, Ratio) }

// Times returns how many calls v makes for one of a variant that is another kind of
// work, whose echoes are not to be compared: at the same time, and by nothing else.
func (v *Variant) Times(other *Variant) (Summary, bool) {
	return v.against(other, func(c Cell) float64 { return c.Figures.PerSecond })
}

func (v *Variant) against(other *Variant, of func(Cell) float64) (Summary, bool) {
	var values []float64
	for _, c := range v.Cells {
		at, found := slices.BinarySearchFunc(other.Cells, c.Round, func(o Cell, round int) int {
			return cmp.Compare(o.Round, round)
		})
		if found {
			values = append(values, of(c)/of(other.Cells[at]))
		}
	}
	if len(values) == 0 {
		return Summary{}, false
	}
	return Summarise(values), true
}
