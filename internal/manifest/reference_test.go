package manifest_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"hyper2kvm/internal/manifest"
)

// row is a key's line in the reference of docs/manifest.md.
func row(f manifest.Field) string {
	what := f.Type
	if len(f.Values) > 0 {
		what = strings.Join(f.Values, ", ")
	}
	if f.Range != "" {
		what += ", " + f.Range
	}
	if f.Required {
		what += "; required"
	}
	return fmt.Sprintf("| `%s` | %s | %s | %s |", f.Path, what, f.Default, f.Text)
}

// TestReference: the document lists every key as the loader knows it, in its order, and no other. When it fails after a change
// of the tables, the lines that it prints go into the document.
func TestReference(t *testing.T) {
	b, err := os.ReadFile("../../docs/manifest.md")
	if err != nil {
		t.Fatal(err)
	}
	var got, want []string
	for line := range strings.Lines(string(b)) {
		if strings.HasPrefix(line, "| `") {
			got = append(got, strings.TrimRight(line, "\n"))
		}
	}
	for _, f := range manifest.Fields() {
		// Items of jobs and vms have the keys that stand at the top; the document says so in one sentence.
		if strings.HasPrefix(f.Path, "jobs[].") || (strings.HasPrefix(f.Path, "vms[].") && f.Path != "vms[].name") {
			continue
		}
		want = append(want, row(f))
	}
	for i := range max(len(got), len(want)) {
		g, w := "", ""
		if i < len(got) {
			g = got[i]
		}
		if i < len(want) {
			w = want[i]
		}
		if g != w {
			t.Fatalf("row %d is\n%s\nwant\n%s\nThe whole reference:\n%s", i+1, g, w, strings.Join(want, "\n"))
		}
	}
}
