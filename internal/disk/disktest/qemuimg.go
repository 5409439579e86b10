package disktest

import (
	"bytes"
	"os/exec"
	"testing"
)

// QemuImg runs qemu-img and returns what it printed; the test fails if it fails, and is skipped where there is none.
func QemuImg(t testing.TB, args ...string) string {
	t.Helper()
	out, err := TryQemuImg(t, args...)
	if err != nil {
		t.Fatalf("qemu-img %q: %v\n%s", args, err, out)
	}
	return out
}

// TryQemuImg runs qemu-img and returns what it printed and how it ended; the test is skipped where there is none.
func TryQemuImg(t testing.TB, args ...string) (string, error) {
	t.Helper()
	path, err := exec.LookPath("qemu-img")
	if err != nil {
		t.Skip("SKIPPED: qemu-img is not installed, so nothing independent judged this; install qemu-utils")
	}
	var out bytes.Buffer
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	return out.String(), err
}
