package scratch_test

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"hyper2kvm/internal/scratch"
)

const prefix = "scratch-test-"

// TestMain makes the test itself the program that is killed.
func TestMain(m *testing.M) {
	if os.Getenv("SCRATCH_HOLD") == "" {
		os.Exit(m.Run())
	}
	dir, _, err := scratch.New(prefix)
	if err != nil {
		os.Exit(1)
	}
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		os.Exit(1)
	}
	os.Stdout.WriteString(dir + "\n")
	select {}
}

func there(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// TestSweep removes what a killed program left, and nothing of one that lives, is new, or is somebody else's by its name.
func TestSweep(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	other := exec.CommandContext(t.Context(), self)
	other.Env = append(os.Environ(), "SCRATCH_HOLD=1")
	out, err := other.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatal("the other program says nothing")
	}
	theirs := lines.Text()
	mine, remove, err := scratch.New(prefix)
	if err != nil {
		t.Fatal(err)
	}
	outside := t.TempDir()
	link := filepath.Join(temp, prefix+"link")
	if err := os.Symlink(outside, link); err != nil {
		t.Fatal(err)
	}
	unlike := filepath.Join(temp, "another")
	if err := os.Mkdir(unlike, 0o700); err != nil {
		t.Fatal(err)
	}
	late := time.Now().Add(time.Hour)
	scratch.Sweep(temp, prefix, late)
	if !there(theirs) || !there(mine) {
		t.Errorf("a directory in use went: theirs %t, mine %t", there(theirs), there(mine))
	}
	if err := other.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = other.Wait() // it was killed
	scratch.Sweep(temp, prefix, time.Now())
	if !there(theirs) {
		t.Error("a directory that is new went")
	}
	scratch.Sweep(temp, prefix, late)
	if there(theirs) {
		t.Error("what a killed program left is still there")
	}
	for _, path := range []string{mine, link, outside, unlike} {
		if !there(path) {
			t.Errorf("%s went", path)
		}
	}
	if err := remove(); err != nil || there(mine) {
		t.Errorf("a directory outlives its program: %v", err)
	}
}
