// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// facts are what a Redis tells of how it keeps data. What it does not tell is
// empty: hosted ones forbid CONFIG, and some of them INFO.
type facts struct {
	version        string
	role           string // master or slave
	cluster        bool
	policy         string // maxmemory-policy
	maxMemory      string // bytes; 0 is no bound
	aof            string // 1 or 0
	aofStatus      string // of the last write: ok or err
	rdbStatus      string // of the last snapshot
	replicas       int    // that are connected
	fsync          string // appendfsync
	fsyncPauses    string // no-appendfsync-on-rewrite: yes or no
	minReplicas    string // min-replicas-to-write
	save           string // when snapshots are made
	savesAreUnread bool
}

// readFacts asks a Redis, in one round trip. mute remembers that CONFIG is not
// answered.
func readFacts(ctx context.Context, client redis.UniversalClient, mute *bool) (facts, error) {
	p := client.Pipeline()
	info := p.Info(ctx)
	settings := map[string]*redis.MapStringStringCmd{}
	if !*mute {
		for _, name := range []string{"appendfsync", "no-appendfsync-on-rewrite", "min-replicas-to-write", "save"} {
			settings[name] = p.ConfigGet(ctx, name)
		}
	}
	// When no command has an error, it is the connection that was refused.
	sent, err := p.Exec(ctx)
	failed := func(c redis.Cmder) bool { return c.Err() != nil }
	if err != nil && (!isRedisError(err) || !slices.ContainsFunc(sent, failed)) {
		return facts{}, err
	}
	if err := info.Err(); err != nil && !unanswered(err) {
		return facts{}, err
	}
	f := parseInfo(info.Val())
	told := map[string]string{}
	for _, cmd := range settings {
		switch err := cmd.Err(); {
		case err == nil:
			maps.Copy(told, cmd.Val())
		case unanswered(err):
			*mute = true
		default:
			return facts{}, err
		}
	}
	f.fsync, f.fsyncPauses, f.minReplicas = told["appendfsync"], told["no-appendfsync-on-rewrite"], told["min-replicas-to-write"]
	save, isTold := told["save"]
	f.save, f.savesAreUnread = save, !isTold
	return f, nil
}

// unanswered reports whether a Redis answers a command not now and not later: it
// does not know it, or does not let this caller use it.
func unanswered(err error) bool {
	return isRedisError(err) && (!refused(err) || strings.HasPrefix(err.Error(), "NOPERM "))
}

// parseInfo reads the lines of INFO.
func parseInfo(text string) facts {
	info := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			info[name] = value
		}
	}
	replicas, _ := strconv.Atoi(info["connected_slaves"]) // absent is none
	return facts{
		version: info["redis_version"], role: info["role"], cluster: info["cluster_enabled"] == "1",
		policy: info["maxmemory_policy"], maxMemory: info["maxmemory"],
		aof: info["aof_enabled"], aofStatus: info["aof_last_write_status"], rdbStatus: info["rdb_last_bgsave_status"],
		replicas: replicas,
	}
}

// concern is a reason why what was acknowledged could be lost, or wrong.
type concern struct {
	name    string
	text    string
	refused bool // unless allowed
}

// The names of the concerns that can be allowed.
const (
	concernEviction    = "eviction"
	concernVersion     = "version"
	concernPersistence = "persistence"
	concernFsync       = "fsync"
	concernDisk        = "disk"
	concernMemory      = "memory"
	concernFailover    = "failover"
	concernUnknown     = "unknown"
)

// Concerns are the names that Durability.Allow may have.
func Concerns() []string {
	return []string{
		concernEviction, concernVersion, concernPersistence, concernFsync, concernDisk, concernMemory, concernFailover, concernUnknown,
	}
}

// The first versions of Redis, as it or a fork of it tells them.
var (
	oldestVersion  = [2]int{6, 2} // that the scripts are tested with
	waitAOFVersion = [2]int{7, 2} // that can be asked to wait for its disk
)

// judge returns what it takes for a write to be as safe as an acknowledgement
// promises, and all concerns.
func (f *facts) judge(ack Ack) (safety, []concern) {
	concerns := f.refusals()
	safe, err := f.safety(ack)
	if err != nil {
		concerns = append(concerns, concern{text: err.Error(), refused: true})
	}
	return safe, append(concerns, f.warnings(ack, safe)...)
}

// refusals are what makes promises false, rather than weaker.
func (f *facts) refusals() []concern {
	var out []concern
	if f.role != "" && f.role != "master" {
		out = append(out, concern{text: "it is a replica, which takes no writes: give the address of the master", refused: true})
	}
	if f.cluster {
		out = append(out, concern{text: "it is a node of a Redis Cluster, which is not supported yet", refused: true})
	}
	if f.policy != "" && f.policy != "noeviction" {
		out = append(out, concern{concernEviction, fmt.Sprintf(
			"maxmemory-policy is %s: when memory is short it drops counters and redemptions silently, so that limits are passed; set it to noeviction", f.policy), true})
	}
	if v := f.parsedVersion(); v != [2]int{} && before(v, oldestVersion) {
		out = append(out, concern{concernVersion, fmt.Sprintf(
			"it is Redis %s; the oldest that is supported is %d.%d", f.version, oldestVersion[0], oldestVersion[1]), true})
	}
	return out
}

// safety returns what to wait for after a write.
func (f *facts) safety(ack Ack) (safety, error) {
	switch canWait := !before(f.parsedVersion(), waitAOFVersion); {
	case ack.replicas > 0:
		return safety{replicas: ack.replicas}, nil
	case !ack.disk:
		return safety{}, nil
	case f.aof == "0":
		return safety{}, errors.New("acknowledgements are to be on disk, and appendonly is no: set appendonly yes and appendfsync always")
	case f.fsyncsEachWrite():
		return safety{}, nil // it answers when the disk has the write
	case canWait:
		return safety{disk: true}, nil
	case f.fsync == "":
		return safety{}, errors.New("acknowledgements are to be on disk, and it tells neither whether appendfsync is always nor is it a Redis from 7.2 on, which could be asked to wait")
	default:
		return safety{}, fmt.Errorf("acknowledgements are to be on disk, and appendfsync is %s%s: set it to always, or use a Redis from 7.2 on, which can be asked to wait", f.fsync, f.pausing())
	}
}

// fsyncsEachWrite reports whether a write is on disk when it is answered.
func (f *facts) fsyncsEachWrite() bool {
	return f.aof == "1" && f.fsync == "always" && f.fsyncPauses == "no"
}

func (f *facts) pausing() string {
	if f.fsyncPauses == "yes" {
		return " and pauses while the log is rewritten (no-appendfsync-on-rewrite yes)"
	}
	return ""
}

// warnings are what makes promises weaker than they could be.
func (f *facts) warnings(ack Ack, safe safety) []concern {
	var out []concern
	add := func(when bool, name, text string) {
		if when {
			out = append(out, concern{name: name, text: text})
		}
	}
	add(f.aof == "0" && f.save == "" && !f.savesAreUnread, concernPersistence,
		"it keeps nothing on disk (appendonly no, no snapshots): when it restarts, everything is gone")
	add(f.aof == "0" && (f.save != "" || f.savesAreUnread), concernPersistence,
		"appendonly is no: when it crashes, everything since its last snapshot is gone")
	add(f.aof == "1" && f.fsync != "" && !f.fsyncsEachWrite() && !safe.disk, concernFsync,
		"appendfsync is "+f.fsync+f.pausing()+": when its machine fails, what was acknowledged in the last seconds is gone")
	add(f.aof == "1" && f.aofStatus == "err", concernDisk, "it cannot write its log to disk")
	add(f.rdbStatus == "err", concernDisk, "its last snapshot failed")
	add(f.maxMemory == "0", concernMemory,
		"maxmemory is 0: when its machine runs out of memory the system ends it, instead of writes being refused")
	add(f.replicas > 0 && f.minReplicas == "0" && ack.replicas == 0, concernFailover,
		"it has replicas, and acknowledgements do not wait for them (min-replicas-to-write is 0): a failover can lose what was acknowledged just before")
	add(f.replicas < ack.replicas, concernFailover, fmt.Sprintf(
		"it has fewer replicas than acknowledgements must wait for, %d: calls that write fail as unavailable", ack.replicas))
	var untold []string
	for name, value := range map[string]string{
		"version": f.version, "role": f.role, "maxmemory-policy": f.policy, "appendonly": f.aof, "maxmemory": f.maxMemory,
	} {
		if value == "" {
			untold = append(untold, name)
		}
	}
	if f.fsync == "" && f.aof != "0" {
		untold = append(untold, "appendfsync")
	}
	slices.Sort(untold)
	add(len(untold) > 0, concernUnknown, "it does not tell its "+strings.Join(untold, ", ")+
		": nothing checks that it neither evicts nor loses what it has acknowledged")
	return out
}

// parsedVersion returns the first two numbers of the version, or zeros when it is
// not known.
func (f *facts) parsedVersion() [2]int {
	var v [2]int
	for i, part := range strings.SplitN(f.version, ".", 3) {
		if i < len(v) {
			v[i], _ = strconv.Atoi(part)
		}
	}
	return v
}

func before(v, other [2]int) bool { return slices.Compare(v[:], other[:]) < 0 }
