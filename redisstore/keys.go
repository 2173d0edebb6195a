// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"crypto/sha256"
	"hash/fnv"
	"strconv"

	"github.com/discountd/discountd/domain"
)

// keys builds every key. A key of a coupon carries the hash tag {c:<coupon>}, so
// that all keys of one coupon are in one slot; a script gets only keys of one tag.
type keys struct {
	prefix  string
	buckets uint32 // of the code index
}

const (
	// defaultBuckets is how many buckets share the code index in a new store: up
	// to four million codes they stay in Redis's compact encoding, which ends at 512
	// fields. More would take memory of their own in the many stores with fewer codes.
	defaultBuckets = 8_192

	// couponShards is how many sorted sets share the list of coupons.
	couponShards = 16

	// creditShards is how many sorted sets share the list of customers with credit.
	creditShards = 16

	// ledgerPageSize is the number of records in one list of a ledger.
	ledgerPageSize = 512
)

// meta is what all servers of the store agree on.
func (k keys) meta() string { return k.prefix + ":{m}" }

// servers holds how far each server has seen the store come.
func (k keys) servers() string { return k.meta() + ":w" }

// head holds a coupon's counters beside its limits.
func (k keys) head(c domain.CouponID) string { return k.coupon(c, "n") }

// definition holds a coupon's configuration.
func (k keys) definition(c domain.CouponID) string { return k.coupon(c, "d") }

// promotions holds one bucket of a coupon's promotion codes.
func (k keys) promotions(c domain.CouponID, bucket string) string {
	return k.promotionBuckets(c) + ":" + bucket
}

// promotionBuckets is what the keys of these buckets begin with; a colon and the
// bucket follow.
func (k keys) promotionBuckets(c domain.CouponID) string { return k.coupon(c, "p") }

// commands holds the request ids of CouponService.
func (k keys) commands(c domain.CouponID) string { return k.coupon(c, "a") }

// requests holds the request ids of redemptions.
func (k keys) requests(c domain.CouponID) string { return k.coupon(c, "i") }

// customers holds what each identity has used.
func (k keys) customers(c domain.CouponID) string { return k.coupon(c, "u") }

// holds holds the positions of the reservations, by when they fall due.
func (k keys) holds(c domain.CouponID) string { return k.coupon(c, "h") }

// subscriptions holds the answers about invoices of subscriptions, by the position
// of the redemption and the invoice, and the dead claims to subscriptions.
func (k keys) subscriptions(c domain.CouponID) string { return k.coupon(c, "s") }

// ledger is what the keys of a ledger's pages begin with; a colon and the number
// of the page follow.
func (k keys) ledger(c domain.CouponID) string { return k.coupon(c, "l") }

func (k keys) ledgerPage(c domain.CouponID, page int64) string {
	return k.ledger(c) + ":" + strconv.FormatInt(page, 10)
}

// cardTransactions holds the transactions of the gift cards in one bucket.
func (k keys) cardTransactions(c domain.CouponID, bucket string) string {
	return k.promotions(c, bucket) + ":m"
}

// transfers holds what gift cards owe and owed to customers.
func (k keys) transfers(c domain.CouponID) string { return k.coupon(c, "t") }

// ledgerChanges lists the records that were changed while an audit reads.
func (k keys) ledgerChanges(c domain.CouponID) string { return k.ledger(c) + ":w" }

func (k keys) coupon(c domain.CouponID, what string) string {
	return k.prefix + ":{c:" + string(c) + "}:" + what
}

// claims is the bucket of the code index that a form falls into.
func (k keys) claims(form string) string {
	return k.prefix + ":{x:" + strconv.FormatUint(uint64(hash(form)%k.buckets), 10) + "}"
}

// subscriptionClaims is the bucket of claims to subscriptions that a form falls
// into.
func (k keys) subscriptionClaims(form string) string {
	return k.prefix + ":{s:" + strconv.FormatUint(uint64(hash(form)%k.buckets), 10) + "}"
}

// couponList is a shard of the list of coupons.
func (k keys) couponList(shard uint32) string {
	return k.prefix + ":{k:" + strconv.FormatUint(uint64(shard), 10) + "}"
}

func (k keys) couponListOf(c domain.CouponID) string {
	return k.couponList(hash(string(c)) % couponShards)
}

// boundList lists the promotion codes that are bound to an identity.
func (k keys) boundList(who domain.Identity) string { return k.prefix + ":{y:" + string(who) + "}" }

// The keys of a customer's credit carry the hash tag {b:<identity>}.

// creditHead holds balances by currency, and how many transactions there are.
func (k keys) creditHead(who domain.Identity) string { return k.credit(who, "n") }

// creditRequests holds the request ids, invoice ids and transfers that moved it.
func (k keys) creditRequests(who domain.Identity) string { return k.credit(who, "i") }

// creditExpected holds the transfers that are on their way.
func (k keys) creditExpected(who domain.Identity) string { return k.credit(who, "w") }

// creditLedger is what the keys of the pages of transactions begin with.
func (k keys) creditLedger(who domain.Identity) string { return k.credit(who, "l") }

func (k keys) creditPage(who domain.Identity, page int64) string {
	return k.creditLedger(who) + ":" + strconv.FormatInt(page, 10)
}

func (k keys) credit(who domain.Identity, what string) string {
	return k.prefix + ":{b:" + string(who) + "}:" + what
}

// creditList is a shard of the list of customers who ever had credit.
func (k keys) creditList(shard uint32) string {
	return k.prefix + ":{g:" + strconv.FormatUint(uint64(shard), 10) + "}"
}

func (k keys) creditListOf(who domain.Identity) string {
	return k.creditList(hash(string(who)) % creditShards)
}

func hash(s string) uint32 {
	h := fnv.New32a()
	h.Write([]byte(s))
	return h.Sum32()
}

// requestKey is how a request id is kept: 12 bytes, so that a long id costs no
// more than a short one. The ledger keeps the id in full.
func requestKey(id string) string {
	if id == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(id))
	return string(sum[:12])
}
