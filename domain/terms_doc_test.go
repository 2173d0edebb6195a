// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package domain_test

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"strings"
	"testing"
)

var result = regexp.MustCompile("(?ms)^```text (\\w+)\n(.*?)^```$")

// The outputs of the examples are checked by running them, and here they are
// held against docs/discounts.md, both ways.
func TestExamplesAreThoseOfTheDocumentation(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "terms_example_test.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	outputs := map[string]string{}
	for _, e := range doc.Examples([]*ast.File{file}...) {
		// Terms_Apply_percentOff is called percentOff there.
		name := strings.TrimPrefix(e.Name, "Terms_Apply_")
		name = strings.TrimPrefix(name, "AppliedDiscount_")
		outputs[name] = e.Output
	}
	documentation, err := os.ReadFile("../docs/discounts.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range result.FindAllStringSubmatch(string(documentation), -1) {
		name, documented := m[1], m[2]
		if outputs[name] != documented {
			t.Errorf("%s: the example prints\n%s\nand the documentation says\n%s", name, outputs[name], documented)
		}
		delete(outputs, name)
	}
	for name := range outputs {
		t.Errorf("the example %s is not documented", name)
	}
}
