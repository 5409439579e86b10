package ovf

import (
	"os"
	"path/filepath"
	"testing"

	"hyper2kvm/internal/disk/disktest"
)

// readFixture returns the content of a fixture.
func readFixture(tb testing.TB, name string) []byte {
	tb.Helper()
	b, err := os.ReadFile(filepath.Join(disktest.FixtureDir(tb), name))
	if err != nil {
		tb.Fatal(err)
	}
	return b
}
