// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package domain

import "slices"

// all reports whether a selects every line of every order.
func (a *AppliesTo) all() bool {
	return len(a.Products) == 0 && len(a.ExcludedProducts) == 0 &&
		len(a.Categories) == 0 && len(a.ExcludedCategories) == 0 &&
		!a.ExcludeSaleItems && len(a.UnitAmounts) == 0
}

// scope is an AppliesTo made ready for one order.
type scope struct {
	appliesTo *AppliesTo
	all       bool
	priced    *AmountRange // the order's currency's; nil without ranges
	unpriced  bool         // there are ranges, and none in the order's currency

	products, excludedProducts     nameSet
	categories, excludedCategories nameSet
}

func newScope(a *AppliesTo, o *Order) scope {
	s := scope{appliesTo: a, all: a.all()}
	if s.all {
		return s
	}
	categories := 0
	for i := range o.Lines {
		categories += len(o.Lines[i].CategoryIDs)
	}
	s.products = newNameSet(a.Products, len(o.Lines))
	s.excludedProducts = newNameSet(a.ExcludedProducts, len(o.Lines))
	s.categories = newNameSet(a.Categories, categories)
	s.excludedCategories = newNameSet(a.ExcludedCategories, categories)
	if len(a.UnitAmounts) > 0 {
		i := slices.IndexFunc(a.UnitAmounts, func(r AmountRange) bool { return r.Currency == o.Currency })
		if s.unpriced = i < 0; !s.unpriced {
			s.priced = &a.UnitAmounts[i]
		}
	}
	return s
}

// selects reports whether the scope includes a line. What is excluded stays
// excluded whatever else includes it.
func (s *scope) selects(l *OrderLine) bool {
	if s.all {
		return true
	}
	if s.unpriced || s.excludes(l) {
		return false
	}
	if r := s.priced; r != nil && (l.UnitAmountMinor < r.Min || r.Max != nil && l.UnitAmountMinor > *r.Max) {
		return false
	}
	if len(s.products.names) == 0 && len(s.categories.names) == 0 {
		return true
	}
	return s.products.has(l.ProductID) || s.categories.hasAny(l.CategoryIDs)
}

// excludes reports whether the scope names a line as one to leave out.
func (s *scope) excludes(l *OrderLine) bool {
	return s.appliesTo.ExcludeSaleItems && l.OnSale ||
		s.excludedProducts.has(l.ProductID) || s.excludedCategories.hasAny(l.CategoryIDs)
}

// nameSet is a list of names to look up in.
type nameSet struct {
	names []string
	index map[string]struct{} // nil when searching the list is cheaper
}

// newNameSet prepares names for a number of look-ups.
func newNameSet(names []string, lookups int) nameSet {
	const cheap = 2_000 // comparisons that cost less than building an index
	s := nameSet{names: names}
	if len(names)*lookups > cheap {
		s.index = make(map[string]struct{}, len(names))
		for _, name := range names {
			s.index[name] = struct{}{}
		}
	}
	return s
}

func (s *nameSet) has(name string) bool {
	if s.index != nil {
		_, ok := s.index[name]
		return ok
	}
	//nolint:modernize // slices.Contains takes twice as long, for every line of every order.
	for i := range s.names {
		if s.names[i] == name {
			return true
		}
	}
	return false
}

func (s *nameSet) hasAny(names []string) bool {
	if len(s.names) == 0 {
		return false
	}
	//nolint:modernize // slices.ContainsFunc calls has through a pointer, for every line of every order.
	for _, name := range names {
		if s.has(name) {
			return true
		}
	}
	return false
}
