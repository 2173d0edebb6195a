// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"context"
	"slices"
)

// leaveAll says of all that was found why it is not mended: the ledger does not tell.
func (a *couponAudit) leaveAll() {
	for _, f := range a.found {
		if f.Reason == "" {
			f.Reason = a.broken
		}
	}
}

// mend mends what can be mended and then checks it again.
func (a *couponAudit) mend(ctx context.Context) error {
	var fixed []*finding
	for _, f := range a.found {
		switch {
		case f.fix != nil:
			fixed = append(fixed, f)
		case f.elsewhere != nil:
			reason, err := f.elsewhere(ctx)
			if err != nil {
				return err
			}
			f.Repaired, f.Reason = reason == "", reason
		}
	}
	for batch := range slices.Chunk(fixed, auditCheckSize) {
		if err := a.fix(ctx, batch); err != nil {
			return err
		}
	}
	return a.checkAgain(ctx, fixed)
}

// fix runs audit_repair.lua.
func (a *couponAudit) fix(ctx context.Context, batch []*finding) error {
	if err := a.renew(ctx); err != nil {
		return err
	}
	k := a.store.keys
	args := []any{a.token, millis(a.store.now().Add(auditMargin)), ledgerPageSize, a.step + 1}
	for _, f := range batch {
		args = append(args, f.fix.kind, f.fix.name, f.fix.stored, f.fix.want, f.fix.version)
	}
	r, err := a.store.run(ctx, auditRepair, []string{
		k.head(a.id), k.customers(a.id), k.holds(a.id), k.ledger(a.id), k.promotionBuckets(a.id), k.requests(a.id),
	}, args...)
	if err != nil {
		return err
	}
	if r.outcome == outcomeLost {
		return ErrAuditLost
	}
	a.step++
	return nil
}

// checkAgain tells which of the findings were mended.
func (a *couponAudit) checkAgain(ctx context.Context, fixed []*finding) error {
	var checks []*check
	seen := map[*check]bool{}
	for _, f := range fixed {
		if !seen[f.by] {
			seen[f.by] = true
			checks = append(checks, f.by)
		}
	}
	still, err := a.runChecks(ctx, checks)
	if err != nil {
		return err
	}
	wrong := map[string]bool{}
	for _, f := range still {
		wrong[f.key()] = true
	}
	for _, f := range fixed {
		if f.Repaired = !wrong[f.key()]; !f.Repaired && f.Reason == "" {
			f.Reason = "it was changed meanwhile: run the audit again"
		}
	}
	return nil
}
