// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package main

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/discountd/discountd/internal/privateredis"
	"github.com/discountd/discountd/internal/redistest"
)

// binaries builds discountd and grpcurl, once, and returns their directory. The
// directory goes with the other temporary files of the tests.
var binaries = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "bin")
	if err != nil {
		return "", err
	}
	for _, args := range [][]string{
		{"build", "-o", dir, "."},
		{"build", "-C", filepath.Join("..", ".."), "-modfile=tools/go.mod", "-o", dir, "github.com/fullstorydev/grpcurl/cmd/grpcurl"},
	} {
		if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
			return "", errors.Join(err, errors.New(string(out)))
		}
	}
	return dir, nil
})

func binDir(t *testing.T) string {
	t.Helper()
	dir, err := binaries()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// binary is the built program, running in a process group of its own, as a shell
// would run it.
type binary struct {
	*client
	cmd            *exec.Cmd
	stdout, stderr *output
	exited         chan struct{}
	err            error // once exited
}

// execute runs the built program with a private Redis in dataDir. Everything that
// is left of it is killed when the test ends, the Redis included.
func execute(t *testing.T, dataDir string, flags ...string) *binary {
	t.Helper()
	address := freeAddress(t)
	b := &binary{client: dial(t, address), stdout: newOutput(), stderr: newOutput(), exited: make(chan struct{})}
	b.cmd = exec.Command(filepath.Join(binDir(t), "discountd"),
		append([]string{"--listen=" + address, "--data-dir=" + dataDir}, flags...)...)
	b.cmd.Env = append(os.Environ(), "PATH="+binDir(t)+string(os.PathListSeparator)+os.Getenv("PATH"))
	b.cmd.Stdout, b.cmd.Stderr = b.stdout, b.stderr
	b.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := b.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		b.err = b.cmd.Wait()
		close(b.exited)
	}()
	t.Cleanup(func() {
		b.signal(t, syscall.SIGTERM)
		_ = b.await(t) // how it should end depends on the test
		if t.Failed() {
			t.Logf("output of discountd:\n%s%s", b.stdout, b.stderr)
		}
	})
	return b
}

// signal sends a signal to the whole group, as a terminal does.
func (b *binary) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	select {
	case <-b.exited:
		return
	default:
	}
	if err := syscall.Kill(-b.cmd.Process.Pid, s); err != nil {
		t.Error(err)
	}
}

// await waits for the end of the program and returns how it ended.
func (b *binary) await(t *testing.T) error {
	t.Helper()
	select {
	case <-b.exited:
	case <-time.After(patience):
		t.Error("discountd did not end; killing it")
		b.signal(t, syscall.SIGKILL)
		<-b.exited
	}
	return b.err
}

// pasted runs a command as a shell would that it is pasted into.
func pasted(t *testing.T, command string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-c", command)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v\n%s", command, err, out)
	}
	return string(out)
}

func TestBannerCommandsWorkAsPastedAndTwice(t *testing.T) {
	t.Setenv("PATH", binDir(t)+string(os.PathListSeparator)+os.Getenv("PATH"))
	b := launch(t, testConfig(t))
	banner := b.stdout.await(t, "Paste them again")
	commands := regexp.MustCompile(`(?m)^ +(grpcurl .*)$`).FindAllStringSubmatch(banner, -1)
	if len(commands) != 3 {
		t.Fatalf("%d commands, want 3, in:\n%s", len(commands), banner)
	}
	names := regexp.MustCompile(`"name": "(\S+)"`)
	var first []string
	for _, c := range commands {
		first = append(first, names.FindString(pasted(t, c[1])))
	}
	for i, c := range commands {
		if again := names.FindString(pasted(t, c[1])); again != first[i] || again == "" {
			t.Errorf("%s\nreturned %q, then %q", c[1], first[i], again)
		}
	}
	b.wantRedeemed(t, "welcome", 1)
}

func TestDataSurvivesCtrlC(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	b := execute(t, data)
	b.awaitHealth(t, serving)
	b.createCoupon(t, "kept")
	if err := b.redeem(t.Context(), "kept", "r-1"); err != nil {
		t.Fatal(err)
	}
	b.signal(t, syscall.SIGINT)
	if err := b.await(t); err != nil {
		t.Errorf("ended with %v", err)
	}
	if log := b.stderr.String(); strings.Contains(log, "WARN") || strings.Contains(log, "ERROR") {
		t.Errorf("a clean stop logged:\n%s", log)
	}
	again := execute(t, data)
	again.awaitHealth(t, serving)
	again.wantRedeemed(t, "kept", 1)
}

func TestDataSurvivesKill(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	for round := range int64(3) {
		b := execute(t, data)
		b.awaitHealth(t, serving)
		if round == 0 {
			b.createCoupon(t, "kept")
		}
		b.wantRedeemed(t, "kept", round)
		if err := b.redeem(t.Context(), "kept", "r-"+string(rune('0'+round))); err != nil {
			t.Fatal(err)
		}
		if adopted := strings.Contains(b.stderr.String(), "took over the private redis-server"); adopted != (round > 0) {
			t.Errorf("round %d: took over: %v", round, adopted)
		}
		b.signal(t, syscall.SIGKILL)
		if b.await(t) == nil {
			t.Fatal("kill -9 was survived")
		}
	}
	// The last one stops what the others left.
	last := execute(t, data)
	last.awaitHealth(t, serving)
	last.wantRedeemed(t, "kept", 3)
}

func TestPrivateRedisThatEndsIsReplaced(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	b := execute(t, data)
	b.awaitHealth(t, serving)
	b.createCoupon(t, "kept")
	if err := syscall.Kill(redisOf(t, data), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	b.stderr.await(t, "the private redis-server serves again")
	b.awaitHealth(t, serving)
	b.wantRedeemed(t, "kept", 0)
}

// redisOf returns the process id of the redis-server that works in a directory.
func redisOf(t *testing.T, data string) int {
	t.Helper()
	client := redis.NewClient(&redis.Options{Network: "unix", Addr: filepath.Join(data, "redis.sock")})
	defer client.Close()
	info, err := client.Info(t.Context(), "server").Result()
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(info, "process_id:")
	text, _, _ := strings.Cut(rest, "\r\n")
	pid, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

func TestSecondProcessOnTheSameDataIsRefused(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	first := execute(t, data)
	first.awaitHealth(t, serving)
	second := execute(t, data)
	exit, ok := errors.AsType[*exec.ExitError](second.await(t))
	if !ok || exit.ExitCode() != 1 {
		t.Errorf("ended with %v, want exit status 1", exit)
	}
	if out := second.stderr.String(); !strings.Contains(out, data) || !strings.Contains(out, "in use") {
		t.Errorf("the directory in use is not named in:\n%s", out)
	}
	first.createCoupon(t, "unharmed")
}

func TestSecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	link := redistest.Proxy(t, redistest.Fresh(t, privateredis.Config{}).Addr())
	b := execute(t, t.TempDir(), "--redis=redis://"+link.Addr(), "--drain-timeout=1h")
	b.awaitHealth(t, serving)
	b.createCoupon(t, "slow")
	link.Delay(patience)
	arrived := watchFor(link, "slow")
	answered := make(chan error, 1)
	go func() { answered <- b.redeem(t.Context(), "slow", "r-1") }()
	<-arrived
	b.signal(t, syscall.SIGINT)
	b.stderr.await(t, "stopping")
	b.signal(t, syscall.SIGINT)
	exit, ok := errors.AsType[*exec.ExitError](b.await(t))
	if !ok || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGINT {
		t.Errorf("ended with %v, want the signal", exit)
	}
	if <-answered == nil {
		t.Error("the call was answered")
	}
}

func TestFirstCallIsAnsweredWithinASecond(t *testing.T) {
	// Not parallel: it is about time. A busy machine gets some more tries.
	binDir(t)
	best := time.Hour
	for range 5 {
		start := time.Now()
		b := execute(t, t.TempDir())
		b.awaitHealth(t, serving)
		b.createCoupon(t, "first")
		best = min(best, time.Since(start))
		b.signal(t, syscall.SIGTERM)
		if err := b.await(t); err != nil {
			t.Fatal(err)
		}
		if best < time.Second {
			t.Logf("answered %s after the process start", best.Round(time.Millisecond))
			return
		}
	}
	t.Errorf("answered %s after the process start at best", best)
}

func TestVersionAndHelpEndWell(t *testing.T) {
	t.Parallel()
	for flag, want := range map[string]string{"--version": "discountd ", "--help": "DISCOUNTD_REDIS"} {
		out, err := exec.Command(filepath.Join(binDir(t), "discountd"), flag).CombinedOutput()
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("%s: %v\n%s", flag, err, out)
		}
	}
}

func TestProgramWithoutRedisServerServesFromMemory(t *testing.T) {
	t.Parallel()
	address := freeAddress(t)
	cmd := exec.Command(filepath.Join(binDir(t), "discountd"), "--listen="+address, "--data-dir="+t.TempDir())
	cmd.Env = []string{"PATH=" + t.TempDir()}
	stdout, stderr := newOutput(), newOutput()
	cmd.Stdout, cmd.Stderr = stdout, stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stderr.await(t, "nothing is kept")
	c := dial(t, address)
	c.createCoupon(t, "c")
	if err := c.redeem(t.Context(), "c", "r-1"); err != nil {
		t.Error(err)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("ended with %v", err)
	}
	if !strings.Contains(stdout.String(), "To try it") {
		t.Errorf("it does not say how to try it: %q", stdout)
	}
}

// Who operates the service on a Redis of their own and collects its output gets records
// and nothing else.
func TestServiceOnAGivenRedisPrintsNothingWhereThereIsNoTerminal(t *testing.T) {
	t.Parallel()
	b := execute(t, t.TempDir(), "--redis="+redistest.Fresh(t, privateredis.Config{}).URL())
	b.awaitHealth(t, serving)
	b.signal(t, syscall.SIGTERM)
	if err := b.await(t); err != nil || b.stdout.String() != "" {
		t.Errorf("ended with %v, and on standard output %q", err, b.stdout)
	}
}

// What collects logs gets records and nothing else.
func TestRefusalToStartIsOneRecordOfTheLog(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	execute(t, data).awaitHealth(t, serving)
	second := execute(t, data, "--log-level=error")
	if second.await(t) == nil {
		t.Fatal("it started")
	}
	var record struct{ Level, Msg, Error string }
	if err := json.Unmarshal([]byte(second.stderr.String()), &record); err != nil {
		t.Fatalf("%v: %s", err, second.stderr)
	}
	if record.Level != "ERROR" || record.Msg != "cannot start" || !strings.Contains(record.Error, "in use") || second.stdout.String() != "" {
		t.Errorf("%+v, and on standard output %q", record, second.stdout)
	}
}

func TestHelpOfTheAuditHasWhatAnAuditHeeds(t *testing.T) {
	t.Parallel()
	out, err := exec.Command(filepath.Join(binDir(t), "discountd"), "audit", "--help").CombinedOutput()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range regexp.MustCompile(`(?m)^ +(?:-h, )?--([a-z-]+)`).FindAllStringSubmatch(string(out), -1) {
		got = append(got, m[1])
	}
	if want := []string{"help", "redis", "data-dir", "log-level", "log-format", "version", "coupon", "repair", "json"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q, in\n%s", got, want, out)
	}
}
