// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package domain

import (
	"fmt"
	"strconv"
	"sync"
	"time"
)

// Period is a stretch of the calendar.
type Period uint8

// The periods, numbered as in the API. A week begins on Monday.
const (
	_ Period = iota
	PeriodDay
	PeriodWeek
	PeriodMonth
)

// PeriodLimit bounds how often a coupon or a promotion code is redeemed in each
// day, week or month: in total, or by each customer. Uses count in the period in
// which they were made, from the setting of the limit on.
type PeriodLimit struct {
	Period Period `json:"period"`
	// TimeZone is an IANA name; empty is UTC.
	TimeZone       string `json:"time_zone,omitempty"`
	MaxRedemptions int64  `json:"max_redemptions"`
	PerCustomer    bool   `json:"per_customer,omitempty"`
}

// bounds returns the period that now is in.
func (l *PeriodLimit) bounds(now time.Time) (start, end time.Time) {
	zone, err := location(l.TimeZone)
	if err != nil {
		zone = time.UTC // cannot be: Check has loaded it
	}
	y, m, d := now.In(zone).Date()
	switch l.Period {
	case PeriodMonth:
		return time.Date(y, m, 1, 0, 0, 0, 0, zone), time.Date(y, m+1, 1, 0, 0, 0, 0, zone)
	case PeriodWeek:
		d -= (int(now.In(zone).Weekday()) + 6) % 7
		return time.Date(y, m, d, 0, 0, 0, 0, zone), time.Date(y, m, d+7, 0, 0, 0, 0, zone)
	default:
		return time.Date(y, m, d, 0, 0, 0, 0, zone), time.Date(y, m, d+1, 0, 0, 0, 0, zone)
	}
}

// locations has the time zones that were used, by name: there are a few hundred,
// and loading one means reading and decoding it.
var locations sync.Map

func location(name string) (*time.Location, error) {
	known, _ := locations.Load(name)
	if zone, ok := known.(*time.Location); ok {
		return zone, nil
	}
	zone, err := time.LoadLocation(name)
	if err == nil {
		locations.Store(name, zone)
	}
	return zone, err
}

// PeriodCounter is one count of uses in one period, and its limit.
type PeriodCounter struct {
	// Key names the count within the coupon. It holds no white space.
	Key      string
	Limit    int64
	ResetsAt time.Time
}

// PeriodUse is a count of one period that a redemption was added to, and the
// limit at the time.
type PeriodUse struct {
	Key   string
	Limit int64
}

// PeriodUses returns what a redemption keeps of the counts it is added to.
func PeriodUses(counters []PeriodCounter) []PeriodUse {
	var out []PeriodUse
	for _, c := range counters {
		out = append(out, PeriodUse{c.Key, c.Limit})
	}
	return out
}

// PeriodCounters returns the counts that a use by a customer at now adds to.
func (s *Snapshot) PeriodCounters(who []Identity, now time.Time) []PeriodCounter {
	if len(s.Coupon.PeriodLimits) == 0 && (s.PromotionCode == nil || len(s.PromotionCode.PeriodLimits) == 0) {
		return nil
	}
	var out []PeriodCounter
	seen := map[string]bool{}
	add := func(prefix string, limits []PeriodLimit) {
		for i := range limits {
			l := &limits[i]
			start, end := l.bounds(now)
			period := "#" + strconv.Itoa(int(l.Period)) + "." + strconv.FormatInt(start.Unix(), 10)
			names := []string{""}
			if l.PerCustomer {
				names = names[:0]
				for _, id := range who {
					names = append(names, string(id))
				}
			}
			for _, name := range names {
				if key := prefix + name + period; !seen[key] {
					seen[key] = true
					out = append(out, PeriodCounter{Key: key, Limit: l.MaxRedemptions, ResetsAt: end.UTC()})
				}
			}
		}
	}
	add("", s.Coupon.PeriodLimits)
	if p := s.PromotionCode; p != nil {
		add(string(p.Name.ID)+"/", p.PeriodLimits)
	}
	return out
}

// periodLimitReached returns the limit of this period that leaves no room, the one
// that is reset last if there are several.
func (s *Snapshot) periodLimitReached(who []Identity, now time.Time) (Ineligibility, bool) {
	out, reached := Ineligibility{Reason: PeriodLimitReached}, false
	for _, c := range s.PeriodCounters(who, now) {
		if s.PeriodUses[c.Key] >= c.Limit && !c.ResetsAt.Before(out.At) {
			out.At, out.Limit, reached = c.ResetsAt, c.Limit, true
		}
	}
	return out, reached
}

// PeriodLimitLast returns the reason that a period's limit is reached, with the
// limit that is reset last: for when it is known only that one is.
func (s *Snapshot) PeriodLimitLast(who []Identity, now time.Time) Ineligibility {
	out := Ineligibility{Reason: PeriodLimitReached}
	for _, c := range s.PeriodCounters(who, now) {
		if c.ResetsAt.After(out.At) {
			out.At, out.Limit = c.ResetsAt, c.Limit
		}
	}
	return out
}

const maxPeriodLimits = 6

// checkPeriodLimits records what is wrong with period limits.
func checkPeriodLimits(limits []PeriodLimit, v *Violations, field string) {
	if len(limits) > maxPeriodLimits {
		v.Add(field, "must have at most %d", maxPeriodLimits)
		return
	}
	type kind struct {
		period      Period
		perCustomer bool
	}
	seen := map[kind]bool{}
	for i := range limits {
		l, at := &limits[i], fmt.Sprintf("%s[%d].", field, i)
		k := kind{l.Period, l.PerCustomer}
		switch {
		case l.Period < PeriodDay || l.Period > PeriodMonth:
			v.Add(at+"period", "is required")
		case seen[k]:
			v.Add(at+"period", "is limited twice")
		}
		seen[k] = true
		checkOptionalCount(v, at+"max_redemptions", &l.MaxRedemptions)
		if _, err := location(l.TimeZone); err != nil || l.TimeZone == "Local" || len(l.TimeZone) > 64 {
			v.Add(at+"time_zone", "must be an IANA time zone, such as Europe/Paris")
		}
	}
}

// limitsCustomersPerPeriod reports whether a limit needs to know the customer.
func limitsCustomersPerPeriod(limits []PeriodLimit) bool {
	for i := range limits {
		if limits[i].PerCustomer {
			return true
		}
	}
	return false
}
