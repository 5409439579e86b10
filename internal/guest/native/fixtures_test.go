package native

import (
	"os"
	"path/filepath"
	"testing"
)

// fixtures returns the directory of files that other products made, or skips the test.
func fixtures(tb testing.TB) string {
	tb.Helper()
	dir := os.Getenv("HYPER2KVM_FIXTURES")
	if dir == "" {
		at, err := os.Getwd()
		if err != nil {
			tb.Fatal(err)
		}
		for ; at != filepath.Dir(at); at = filepath.Dir(at) {
			if _, err := os.Stat(filepath.Join(at, "go.mod")); err == nil {
				dir = filepath.Join(at, "..", "shared", "fixtures")
				break
			}
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "INDEX.tsv")); err != nil {
		tb.Skipf("SKIPPED: no fixtures of other products (%v); set HYPER2KVM_FIXTURES", err)
	}
	return dir
}

// readFixture returns the content of a fixture.
func readFixture(tb testing.TB, name string) []byte {
	tb.Helper()
	b, err := os.ReadFile(filepath.Join(fixtures(tb), name))
	if err != nil {
		tb.Fatal(err)
	}
	return b
}
