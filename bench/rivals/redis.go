// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package rivals

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/discountd/discountd/bench/fixture"
)

// The keys of a coupon: a hash of its counter and its limit, a hash that has the
// place in the ledger of every request id, and the ledger, a list.
func counterKey(coupon int) string  { return fmt.Sprintf("{%d}:counter", coupon) }
func requestsKey(coupon int) string { return fmt.Sprintf("{%d}:requests", coupon) }
func ledgerKey(coupon int) string   { return fmt.Sprintf("{%d}:ledger", coupon) }

// The fields of a counter.
const (
	fieldLimit    = "max"
	fieldRedeemed = "redeemed"
)

// tries is how often a redemption is tried before it fails. With one server there
// is no one to lose against.
const tries = 1000

// PrepareRedis makes an empty Redis ready to serve some coupons from.
func PrepareRedis(ctx context.Context, url string, coupons []fixture.Coupon) error {
	client, err := redisClient(url)
	if err != nil {
		return err
	}
	defer client.Close()
	_, err = client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, c := range coupons {
			p.HSet(ctx, counterKey(i), fieldLimit, c.MaxRedemptions, fieldRedeemed, 0)
		}
		return nil
	})
	return err
}

func redisClient(url string) (*redis.Client, error) {
	options, err := redis.ParseURL(url)
	if err != nil {
		return nil, err
	}
	options.MaxRetries = -1
	options.ContextTimeoutEnabled = true
	options.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return redis.NewClient(options), nil
}

func openRedis(c Config) (ledger, func(), error) {
	client, err := redisClient(c.Store)
	if err != nil {
		return nil, nil, err
	}
	turns := make([]sync.Mutex, len(c.Coupons))
	closeClient := func() { client.Close() }
	if c.Kind == Watch {
		return &watch{client, turns}, closeClient, nil
	}
	return &lock{client, turns}, closeClient, nil
}

// state is what a redemption is decided on.
type state struct {
	limit, redeemed int64
	prior           string // the place in the ledger, if it was taken before
}

// reads are the commands that read the state, and what they answered.
type reads struct {
	counter *redis.SliceCmd
	request *redis.StringCmd
}

func read(ctx context.Context, p redis.Pipeliner, r *record) reads {
	return reads{
		p.HMGet(ctx, counterKey(r.coupon.number), fieldLimit, fieldRedeemed),
		p.HGet(ctx, requestsKey(r.coupon.number), r.request),
	}
}

func (r reads) state() (state, error) {
	prior, err := r.request.Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return state{}, err
	}
	values, err := r.counter.Result()
	if err != nil {
		return state{}, err
	}
	limit, ok1 := values[0].(string)
	used, ok2 := values[1].(string)
	if !ok1 || !ok2 {
		return state{}, errors.New("the coupon has no counter")
	}
	s := state{prior: prior}
	var err1, err2 error
	s.limit, err1 = strconv.ParseInt(limit, 10, 64)
	s.redeemed, err2 = strconv.ParseInt(used, 10, 64)
	return s, errors.Join(err1, err2)
}

// write queues what takes r.
func write(ctx context.Context, p redis.Pipeliner, r *record, s state) {
	n := r.coupon.number
	p.HIncrBy(ctx, counterKey(n), fieldRedeemed, 1)
	p.HSet(ctx, requestsKey(n), r.request, s.redeemed)
	p.RPush(ctx, ledgerKey(n), recordText(r))
}

// refusal decides without writing, if that is possible.
func (s state) refusal(ctx context.Context, client redis.Cmdable, r *record) (taken record, o outcome, decided bool, err error) {
	switch {
	case s.prior != "":
		place, err := strconv.ParseInt(s.prior, 10, 64)
		if err != nil {
			return record{}, 0, true, err
		}
		text, err := client.LIndex(ctx, ledgerKey(r.coupon.number), place).Result()
		if err != nil {
			return record{}, 0, true, err
		}
		taken, err := parseRecord(text, r.coupon)
		return taken, redeemed, true, err
	case s.redeemed >= s.limit:
		return record{}, limitReached, true, nil
	default:
		return record{}, 0, false, nil
	}
}

// recordText and parseRecord are a ledger's entry and back.
func recordText(r *record) string {
	return strings.Join([]string{
		r.request, string(r.fingerprint[:]), strconv.FormatInt(r.amount, 10),
		strconv.FormatInt(r.time.UnixMicro(), 10), r.lines,
	}, "\x00")
}

func parseRecord(text string, c couponRules) (record, error) {
	request, rest, ok := strings.Cut(text, "\x00")
	r := record{coupon: c, request: request}
	if !ok || len(rest) <= len(r.fingerprint) {
		return record{}, errors.New("a ledger's entry is cut short")
	}
	copy(r.fingerprint[:], rest) // which may have any bytes
	fields := strings.SplitN(rest[len(r.fingerprint)+1:], "\x00", 3)
	if len(fields) != 3 {
		return record{}, errors.New("a ledger's entry is cut short")
	}
	amount, err1 := strconv.ParseInt(fields[0], 10, 64)
	micros, err2 := strconv.ParseInt(fields[1], 10, 64)
	r.amount, r.time, r.lines = amount, time.UnixMicro(micros), fields[2]
	return r, errors.Join(err1, err2)
}

// AuditRedis tells counter of every coupon's counter, and visit of every entry of
// the ledgers.
func AuditRedis(ctx context.Context, url string, coupons []fixture.Coupon, counter func(coupon string, n int64), visit func(coupon, request string)) error {
	client, err := redisClient(url)
	if err != nil {
		return err
	}
	defer client.Close()
	const page = 1000
	for i, c := range coupons {
		n, err := client.HGet(ctx, counterKey(i), fieldRedeemed).Int64()
		if err != nil {
			return err
		}
		counter(c.ID, n)
		for from := int64(0); ; from += page {
			entries, err := client.LRange(ctx, ledgerKey(i), from, from+page-1).Result()
			if err != nil {
				return err
			}
			for _, text := range entries {
				request, _, _ := strings.Cut(text, "\x00")
				visit(c.ID, request)
			}
			if len(entries) < page {
				break
			}
		}
	}
	return nil
}
