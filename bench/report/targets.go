// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package report

import "fmt"

// Target is a goal: a figure that is to be at least, or at most, a number.
type Target struct {
	What   string
	Bound  float64
	AtMost bool
	Format string // of the figure
	// Measure returns the figure, and whether the run has what it takes.
	Measure func(*Results) (Summary, bool)
}

// Met reports whether the median is on the right side.
func (t Target) Met(measured Summary) bool {
	if t.AtMost {
		return measured.Median <= t.Bound
	}
	return measured.Median >= t.Bound
}

func (t Target) bound() string {
	if t.AtMost {
		return "≤ " + fmt.Sprintf(t.Format, t.Bound)
	}
	return "≥ " + fmt.Sprintf(t.Format, t.Bound)
}

// Targets are the goals, on two processors with the load generator on the same.
func Targets() []Target {
	of := func(name string, figure func(Cell) float64) func(*Results) (Summary, bool) {
		return func(r *Results) (Summary, bool) {
			v, found := r.Find(name)
			if !found {
				return Summary{}, false
			}
			return v.Of(figure), true
		}
	}
	against := func(name, other string) func(*Results) (Summary, bool) {
		return func(r *Results) (Summary, bool) {
			v, found1 := r.Find(name)
			o, found2 := r.Find(other)
			if !found1 || !found2 {
				return Summary{}, false
			}
			return v.Against(o)
		}
	}
	storeCPU := func(c Cell) float64 { return c.Figures.StoreCPU }
	resident := func(c Cell) float64 { return float64(c.Figures.ServerResident) / 1e6 }
	const hot = "redeem/hot/c=256/"
	atLeast := func(what string, bound float64, measure func(*Results) (Summary, bool)) Target {
		return Target{What: what, Bound: bound, Format: "%.2f", Measure: measure}
	}
	atMost := func(what string, bound float64, format string, measure func(*Results) (Summary, bool)) Target {
		return Target{What: what, Bound: bound, AtMost: true, Format: format, Measure: measure}
	}
	return []Target{
		atLeast("Redeem, hot coupon, AOF everysec, 64 callers: of echo", 0.70, of("redeem/hot/c=64/discountd/everysec", Ratio)),
		atLeast("the same, 256 callers: of echo", 0.85, of(hot+"discountd/everysec", Ratio)),
		atLeast("the same, AOF always, 256 callers: of echo", 0.65, of(hot+"discountd/always", Ratio)),
		atLeast("Redeem, 1,000 coupons, AOF everysec, 256 callers: of echo", 0.60, of("redeem/1000-coupons/c=256/discountd/everysec", Ratio)),
		atLeast("Redeem, hot coupon, 256 callers: times one EVALSHA per call", 3, against(hot+"discountd/everysec", hot+"one-evalsha-per-call/everysec")),
		atMost("Redeem, one caller: p50 in times of echo's", 2.2, "%.2f", of("redeem/hot/c=1/discountd/everysec", P50Ratio)),
		atLeast("ValidateCode, staleness allowed: of echo", 0.93, of("validate/stale/c=256/discountd/everysec", Ratio)),
		atLeast("ValidateCode, exact: of echo", 0.70, of("validate/exact/c=256/discountd/everysec", Ratio)),
		atLeast("RedeemStream, 256 at once: times Redeem", 1.6, func(r *Results) (Summary, bool) {
			v, found1 := r.Find("stream/hot/c=256/discountd/everysec")
			o, found2 := r.Find(hot + "discountd/everysec")
			if !found1 || !found2 {
				return Summary{}, false
			}
			return v.Times(o)
		}),
		atMost("Redis CPU per hot redeem, µs", 4, "%.1f", of(hot+"discountd/everysec", storeCPU)),
		atLeast("Redeem, both durable: times PostgreSQL, row lock", 30, against(hot+"discountd/always", hot+"postgres-row-lock/sync")),
		atLeast("Redeem, both durable: times PostgreSQL, batched", 3, against(hot+"discountd/always", hot+"postgres-batched/sync")),
		atMost("memory per promotion code, bytes", 60, "%.1f", memoryOf("promotion code")),
		atMost("memory per redemption, bytes", 200, "%.1f", memoryOf("redemption")),
		atMost("resident memory of the server, 1,024 callers, MB", 150, "%.0f", of("redeem/hot/c=1024/discountd/everysec", resident)),
		atMost("open loop at 25,000/s: p99 in times of echo's", 2.5, "%.2f", of("redeem/hot/rate=25000/discountd/everysec", P99Ratio)),
	}
}

func memoryOf(what string) func(*Results) (Summary, bool) {
	return func(r *Results) (Summary, bool) {
		for _, m := range r.Memory {
			if m.What == what {
				return Summarise([]float64{m.PerItem()}), true
			}
		}
		return Summary{}, false
	}
}
