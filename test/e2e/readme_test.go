// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/discountd/discountd/test/binary"
)

// block is a fenced piece of a page: its language and its text.
type block struct{ language, text string }

var (
	fence = regexp.MustCompile("(?ms)^```([a-z]+)\n(.*?)^```$")
	link  = regexp.MustCompile(`\]\(([^)#]+)(?:#[^)]*)?\)`)
	flag  = regexp.MustCompile(`--[a-z][a-z-]*`)
)

func readme(t *testing.T) (page string, blocks []block) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, match := range fence.FindAllStringSubmatch(string(data), -1) {
		blocks = append(blocks, block{match[1], match[2]})
	}
	return string(data), blocks
}

// TestReadmeCallsWorkAsPasted runs every grpcurl command, in their order. One
// that is followed by text must print that text and fail; the others must not.
func TestReadmeCallsWorkAsPasted(t *testing.T) {
	const command, address = "go tool -modfile=tools/go.mod grpcurl", "127.0.0.1:50051"
	service := binary.Start(t, t.TempDir())
	here := strings.NewReplacer(command, binary.Path(t, "grpcurl"), address, service.Address)

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	calls := 0
	_, blocks := readme(t)
	for i, each := range blocks {
		if each.language != "sh" || !strings.Contains(each.text, command) {
			continue
		}
		calls++
		output, err := exec.CommandContext(ctx, "sh", "-ec", here.Replace(each.text)).CombinedOutput()
		if i+1 == len(blocks) || blocks[i+1].language != "text" {
			if err != nil {
				t.Errorf("%v:\n%s\n%s", err, each.text, output)
			}
			continue
		}
		if err == nil {
			t.Errorf("not refused:\n%s\n%s", each.text, output)
		}
		if diff := cmp.Diff(plain(blocks[i+1].text), plain(string(output))); diff != "" {
			t.Errorf("printed (-README +real):\n%s", diff)
		}
	}
	if calls < 4 {
		t.Errorf("found %d calls", calls)
	}
}

func TestReadmeShowsTheExamplesAsTheyAre(t *testing.T) {
	examples := map[string]string{
		"go":         filepath.Join("go", "main.go"),
		"python":     filepath.Join("python", "main.py"),
		"typescript": filepath.Join("typescript", "main.ts"),
	}
	_, blocks := readme(t)
	for _, each := range blocks {
		file, isExample := examples[each.language]
		if !isExample {
			continue
		}
		delete(examples, each.language)
		source, err := os.ReadFile(filepath.Join("..", "..", "examples", file))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(plain(string(source)), plain(each.text)) {
			t.Errorf("%s does not contain:\n%s", file, each.text)
		}
	}
	if len(examples) > 0 {
		t.Errorf("README shows nothing of %v", examples)
	}
}

func TestReadmeNamesEverySettingOfTheBinary(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	help, err := exec.CommandContext(ctx, binary.Path(t, "discountd"), "--help").CombinedOutput()
	if err != nil {
		t.Fatalf("%v:\n%s", err, help)
	}
	page, _ := readme(t)
	known := map[string]bool{"--help": true, "--version": true}
	settings := 0
	for line := range strings.Lines(string(help)) {
		// A flag's own line begins with it; others may mention one.
		name := flag.FindString(line)
		if name == "" || !strings.HasPrefix(strings.TrimSpace(line), name) || known[name] {
			continue
		}
		settings++
		variable := "DISCOUNTD_" + strings.ToUpper(strings.ReplaceAll(name[2:], "-", "_"))
		if row := "| `" + name + "` | `" + variable + "` |"; !strings.Contains(page, row) {
			t.Errorf("README has no row %s", row)
		}
	}
	if settings == 0 {
		t.Errorf("no setting in:\n%s", help)
	}
}

func TestReadmeLinksLeadSomewhere(t *testing.T) {
	page, _ := readme(t)
	links := link.FindAllStringSubmatch(page, -1)
	if len(links) == 0 {
		t.Error("no link found")
	}
	for _, match := range links {
		target := match[1]
		if strings.Contains(target, "://") {
			continue
		}
		if _, err := os.Stat(filepath.Join("..", "..", target)); errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is not there", target)
		} else if err != nil {
			t.Error(err)
		}
	}
}

// plain is a text without the space that lines begin and end with, and with one
// space wherever there is some, because a page shows text at another depth.
func plain(text string) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		out.WriteString(strings.Join(strings.Fields(line), " "))
		out.WriteByte('\n')
	}
	return strings.TrimSpace(out.String()) + "\n"
}
