package disktest

import (
	"bytes"
	"os/exec"
	"testing"
)

// QemuImg runs qemu-img and returns what it printed; the test fails if it fails, and is skipped where there is none.
func QemuImg(tb testing.TB, args ...string) string {
	tb.Helper()
	out, err := TryQemuImg(tb, args...)
	if err != nil {
		tb.Fatalf("qemu-img %q: %v\n%s", args, err, out)
	}
	return out
}

// TryQemuImg runs qemu-img and returns what it printed and how it ended; the test is skipped where there is none.
func TryQemuImg(tb testing.TB, args ...string) (string, error) {
	tb.Helper()
	path, err := exec.LookPath("qemu-img")
	if err != nil {
		tb.Skip("SKIPPED: qemu-img is not installed, so nothing independent judged this; install qemu-utils")
	}
	var out bytes.Buffer
	cmd := exec.CommandContext(tb.Context(), path, args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	return out.String(), err
}
