package ovf

import (
	"os"
	"path/filepath"
	"testing"
)

// fixtures returns the directory of files that other products made, or skips the test.
func fixtures(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("HYPER2KVM_FIXTURES")
	if dir == "" {
		at, err := os.Getwd()
		if err != nil {
			t.Fatal(err)
		}
		for ; at != filepath.Dir(at); at = filepath.Dir(at) {
			if _, err := os.Stat(filepath.Join(at, "go.mod")); err == nil {
				dir = filepath.Join(at, "..", "shared", "fixtures")
				break
			}
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "INDEX.tsv")); err != nil {
		t.Skipf("SKIPPED: no fixtures of other products (%v); set HYPER2KVM_FIXTURES", err)
	}
	return dir
}

// readFixture returns the content of a fixture.
func readFixture(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(fixtures(t), name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}
