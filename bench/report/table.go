// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"strings"
	"time"
)

// Markdown returns the results as the tables that people read.
func (r *Results) Markdown() string {
	var b strings.Builder
	r.writeEnvironment(&b)
	r.writeRates(&b)
	r.writeCosts(&b)
	r.writeTargets(&b)
	for _, why := range r.LeftOut {
		fmt.Fprintf(&b, "\nLeft out: %s.\n", why)
	}
	for _, why := range r.Failures {
		fmt.Fprintf(&b, "\n**Broken promise: %s.** No figure of this run counts.\n", why)
	}
	return b.String()
}

func (r *Results) writeEnvironment(b *strings.Builder) {
	e := &r.Environment
	fmt.Fprintf(b, "Measured on %s: %d processors (%s), Linux %s, data on %s; %s, grpc-go %s, Redis %s, PostgreSQL %s; %s. ",
		e.Time.Format(time.DateOnly), e.Processors, e.Processor, e.Kernel, e.FileSystem, e.Go, e.GRPC, e.Redis, e.PostgreSQL, e.Discountd)
	fmt.Fprintf(b, "Rounds: %d, %s each after %s of warm-up. Load before it began: %s.\n", r.Rounds, r.Duration, r.Warmup, e.Load)
}

// writeRates writes what every variant does. An open loop's rate is given, so only
// its latency says something.
func (r *Results) writeRates(b *strings.Builder) {
	b.WriteString("\n| work | server | calls/s | of echo | p50 | p99 | p99.9 | p50, p99 to echo's |\n")
	b.WriteString("|---|---|---:|---:|---:|---:|---:|---:|\n")
	for i := range r.Variants {
		v := &r.Variants[i]
		note := ""
		if v.Of(Ratio).Noisy() {
			note = " (noisy)"
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s%s | %s | %s | %s | %s, %s |\n", v.Work, v.Server,
			v.Of(func(c Cell) float64 { return c.Figures.PerSecond }).format("%.0f"),
			v.Of(Ratio).format("%.3f"), note,
			milliseconds(v, func(f Figures) time.Duration { return f.Latency.P50 }),
			milliseconds(v, func(f Figures) time.Duration { return f.Latency.P99 }),
			milliseconds(v, func(f Figures) time.Duration { return f.Latency.P999 }),
			v.Of(P50Ratio).format("%.2f"), v.Of(P99Ratio).format("%.2f"))
	}
}

func (r *Results) writeCosts(b *strings.Builder) {
	b.WriteString("\n| work | server | CPU µs a call: server | store | load | Redis commands a call | scripts a call | resident MB |\n")
	b.WriteString("|---|---|---:|---:|---:|---:|---:|---:|\n")
	for i := range r.Variants {
		v := &r.Variants[i]
		median := func(format string, figure func(Figures) float64) string {
			return fmt.Sprintf(format, v.Of(func(c Cell) float64 { return figure(c.Figures) }).Median)
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %s | %s | %s |\n", v.Work, v.Server,
			median("%.1f", func(f Figures) float64 { return f.ServerCPU }),
			median("%.1f", func(f Figures) float64 { return f.StoreCPU }),
			median("%.1f", func(f Figures) float64 { return f.LoadCPU }),
			median("%.2f", func(f Figures) float64 { return f.Commands }),
			median("%.3f", func(f Figures) float64 { return f.Scripts }),
			median("%.0f", func(f Figures) float64 { return float64(f.ServerResident) / 1e6 }))
	}
	if len(r.Memory) == 0 {
		return
	}
	b.WriteString("\n| stored | how many | bytes each |\n|---|---:|---:|\n")
	for _, m := range r.Memory {
		fmt.Fprintf(b, "| %s | %d | %.1f |\n", m.What, m.Items, m.PerItem())
	}
}

func (r *Results) writeTargets(b *strings.Builder) {
	b.WriteString("\n| goal | | measured | |\n|---|---|---:|---|\n")
	for _, t := range Targets() {
		measured, ok := t.Measure(r)
		switch {
		case !ok:
			fmt.Fprintf(b, "| %s | %s | not measured | |\n", t.What, t.bound())
		case t.Met(measured):
			fmt.Fprintf(b, "| %s | %s | %s | met |\n", t.What, t.bound(), measured.format(t.Format))
		default:
			fmt.Fprintf(b, "| %s | %s | %s | **missed** |\n", t.What, t.bound(), measured.format(t.Format))
		}
	}
}

// format returns the median with what it ranged over.
func (s Summary) format(format string) string {
	if s.Min == s.Max {
		return fmt.Sprintf(format, s.Median)
	}
	return fmt.Sprintf(format+" ("+format+"–"+format+")", s.Median, s.Min, s.Max)
}

// milliseconds returns the median of a latency.
func milliseconds(v *Variant, latency func(Figures) time.Duration) string {
	s := v.Of(func(c Cell) float64 { return float64(latency(c.Figures)) / float64(time.Millisecond) })
	return fmt.Sprintf("%.2f ms", s.Median)
}

// P50Ratio and P99Ratio are latencies as multiples of the empty server's in the
// same round.
func P50Ratio(c Cell) float64 { return float64(c.Figures.Latency.P50) / float64(c.Echo.Latency.P50) }

// P99Ratio is explained at [P50Ratio].
func P99Ratio(c Cell) float64 { return float64(c.Figures.Latency.P99) / float64(c.Echo.Latency.P99) }
