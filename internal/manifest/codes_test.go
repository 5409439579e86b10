package manifest_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"hyper2kvm/internal/manifest"
)

// constants reads the code constants from their source, so that none can be forgotten here.
func constants(t *testing.T) map[string]string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "codes.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		for i, name := range spec.Names {
			if lit, ok := spec.Values[i].(*ast.BasicLit); ok && strings.HasPrefix(name.Name, "Code") {
				id, err := strconv.Unquote(lit.Value)
				if err != nil {
					t.Fatal(err)
				}
				if before, twice := found[id]; twice {
					t.Errorf("%s and %s are both %s", before, name.Name, id)
				}
				found[id] = name.Name
			}
		}
		return true
	})
	return found
}

// TestCodes: every constant is in the table, the table has nothing else, and every entry is fit to be read.
func TestCodes(t *testing.T) {
	want := constants(t)
	if len(want) < 50 {
		t.Fatalf("found only %d constants", len(want))
	}
	form := regexp.MustCompile(`^H2K-(SRC|IMG|MAN|VM|FIX|OUT|SPC|SEC|JOB|Q|CFG|API|GST|BOOT|CHK)-\d{3}$`)
	seen := map[string]bool{}
	for _, c := range manifest.Codes() {
		if want[c.ID] == "" || seen[c.ID] || !form.MatchString(c.ID) {
			t.Errorf("%q: no constant, twice, or not of the form", c.ID)
		}
		seen[c.ID] = true
		if c.Title == "" || len(c.Title) > 80 || strings.HasSuffix(c.Title, ".") {
			t.Errorf("%s: title %q", c.ID, c.Title)
		}
		for _, s := range []string{c.Cause, c.Hint} {
			if len(s) < 20 || strings.Contains(s, "\n") {
				t.Errorf("%s: %q is no explanation", c.ID, s)
			}
		}
		// Whoever may try again is told how; whoever may not is not sent in circles.
		if retry := strings.Contains(c.Hint, "hyperctl workflow retry JOB") || c.ID == manifest.CodeSpaceQueue; retry != c.Retryable {
			t.Errorf("%s: retryable %v, but the hint is %q", c.ID, c.Retryable, c.Hint)
		}
		if got, ok := manifest.LookupCode(c.ID); !ok || got != c {
			t.Errorf("%s is not found", c.ID)
		}
	}
	for id, name := range want {
		if !seen[id] {
			t.Errorf("%s (%s) is not in the table", name, id)
		}
	}
	if _, ok := manifest.LookupCode("H2K-XXX-001"); ok {
		t.Error("found a code that does not exist")
	}
}
