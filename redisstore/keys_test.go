// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"strings"
	"testing"

	"github.com/discountd/discountd/domain"
	"github.com/discountd/discountd/internal/redistest"
)

func TestSlotIsTheOneOfACluster(t *testing.T) {
	t.Parallel()
	e := open(t, onCluster)
	for _, key := range []string{"123456789", "{c:a}", e.keys.head("a"), "a{}b", "a{b", "{a}{b}", "x{y}z"} {
		want, err := e.admin.ClusterKeySlot(e.ctx(), key).Result()
		if err != nil {
			t.Fatal(err)
		}
		if got := redistest.Slot(key); got != int(want) {
			t.Errorf("%q is in slot %d, and here it is %d", key, want, got)
		}
	}
}

func TestKeysOfACouponAreInOneSlotAndDifferFromOneAnother(t *testing.T) {
	k := keys{prefix: "d1", buckets: defaultBuckets}
	seen := map[string]bool{}
	for _, c := range []domain.CouponID{"a", "b", "n", "c:n"} {
		of := []string{
			k.head(c), k.definition(c), k.promotions(c, "0000"), k.promotions(c, "0001"),
			k.commands(c), k.requests(c), k.customers(c), k.ledger(c), k.ledgerPage(c, 0), k.ledgerPage(c, 10),
		}
		for _, key := range of {
			if redistest.Slot(key) != redistest.Slot(of[0]) {
				t.Errorf("%s and %s are in different slots", key, of[0])
			}
			if seen[key] || !strings.HasPrefix(key, "d1:") {
				t.Errorf("the key %s", key)
			}
			seen[key] = true
		}
	}
	for _, key := range []string{k.meta(), k.claims("FORM"), k.couponList(0), k.boundList(domain.IdentityOfID("alice"))} {
		if seen[key] || !strings.HasPrefix(key, "d1:") {
			t.Errorf("the key %s", key)
		}
		seen[key] = true
	}
}

func TestCodesAndCouponsAreSpread(t *testing.T) {
	k := keys{prefix: "d1", buckets: 64}
	buckets, shards := map[string]bool{}, map[string]bool{}
	for range 2_000 {
		id := newID()
		buckets[k.claims(id)] = true
		shards[k.couponListOf(domain.CouponID(id))] = true
	}
	if len(buckets) != 64 || len(shards) != couponShards {
		t.Errorf("2,000 codes are in %d of 64 buckets, as many coupons in %d of %d lists", len(buckets), len(shards), couponShards)
	}
}

func TestRequestKeyIsShortAndItsOwn(t *testing.T) {
	if requestKey("") != "" {
		t.Error("no id has a key")
	}
	a, b := requestKey("a"), requestKey(strings.Repeat("a", 255))
	if len(a) != 12 || len(b) != 12 || a == b {
		t.Errorf("%x and %x", a, b)
	}
}
