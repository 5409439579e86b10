// Package proof_test cuts the power, kills and misleads the real programs, and holds what is left against what is promised.
// docs/reliability.md says what that is; scripts/proof runs all of it and prints the table.
package proof_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// built is where both programs are, the daemon with its test seam, once a test has asked for one.
var built struct { //nolint:gochecknoglobals // all tests share one build, and only TestMain outlives them
	once sync.Once
	dir  string
	err  error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if os.Getenv("H2K_TEST_BIN") == "" {
		_ = os.RemoveAll(built.dir)
	}
	os.Exit(code)
}

// binDir builds both programs, unless $H2K_TEST_BIN says where they are.
func binDir(t *testing.T) string {
	t.Helper()
	built.once.Do(func() {
		if built.dir = os.Getenv("H2K_TEST_BIN"); built.dir != "" {
			return
		}
		if built.dir, built.err = os.MkdirTemp("", "hyper2kvm-proof"); built.err != nil { //nolint:usetesting // all tests share it
			return
		}
		built.err = os.Chmod(built.dir, 0o755) // for a daemon of another user
		build := exec.Command("go", "build", "-tags", "testseam", "-o", built.dir+"/", "../cmd/...")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			built.err = fmt.Errorf("build the programs: %w\n%s", err, out)
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return built.dir
}

// program is a built one; a test has asked for them, by server or binDir, before.
func program(name string) string { return filepath.Join(built.dir, name) }

// setting is a number from the environment: scripts/proof asks for more than a test run by hand does.
func setting(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		t.Fatalf("%s is %q, want a number", name, text)
	}
	return n
}

// finding is one row of the table that scripts/proof prints.
type finding struct {
	Fault      string
	States     int
	Violations int
	Mistake    string // seeded; then Violations are what it was found by
	Note       string
}

// report logs a row, and adds it, with tabs between its fields, to the file that PROOF_RESULTS names.
func report(t *testing.T, f finding) {
	t.Helper()
	t.Logf("%s: %d states, %d violations %s %s", f.Fault, f.States, f.Violations, f.Mistake, f.Note)
	path := os.Getenv("PROOF_RESULTS")
	if path == "" {
		return
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	clean := strings.NewReplacer("\t", " ", "\n", " ")
	if _, err := fmt.Fprintf(file, "%s\t%d\t%d\t%s\t%s\n", f.Fault, f.States, f.Violations, f.Mistake, clean.Replace(f.Note)); err != nil {
		t.Fatal(err)
	}
}

// onlyInProof leaves out what takes minutes where nobody asked for it.
func onlyInProof(t *testing.T) {
	t.Helper()
	if os.Getenv("PROOF_STATES") == "" {
		t.Skip("SKIPPED: power cuts take minutes; scripts/proof and PROOF_STATES=100 run them")
	}
}
