package daemon

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"hyper2kvm/internal/scratch"
)

// TestSweep takes what nobody uses any more, and leaves the rest.
func TestSweep(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	mine, remove, err := newScratch()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"h2k-job-1", "h2k-job-2/sub", "h2k-3", "libguestfsDEAD00", "libguestfsLIVE00", "libguestfsEMPTY0", "libguestfsOTHER0", "libguestfsLONGER00"} {
		if err := os.MkdirAll(filepath.Join(temp, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	listen := func(dir string) *net.UnixListener {
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(temp, dir, "guestfsd.sock")})
		if err != nil {
			t.Fatal(err)
		}
		l.SetUnlinkOnClose(false)
		t.Cleanup(func() { l.Close() })
		return l
	}
	for _, dir := range []string{"libguestfsLIVE00", "libguestfsDEAD00", "libguestfsOTHER0"} {
		listen(dir).Close()
	}
	// What stands in the command line of a process is in use; sh waits for its input, which ends with the test.
	cmd := exec.CommandContext(t.Context(), "sh", "-c", "read x", "path="+filepath.Join(temp, "libguestfsLIVE00", "guestfsd.sock"))
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Wait() })
	if err := os.WriteFile(filepath.Join(temp, "libguestfsOTHER0", "keep"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	names := func() []string {
		entries, err := os.ReadDir(temp)
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, e := range entries {
			out = append(out, e.Name())
		}
		return out
	}
	all := names()
	scratch.Sweep(temp, scratchPrefix, time.Now())
	sweepSockets(temp, time.Now())
	if got := names(); !slices.Equal(got, all) {
		t.Errorf("what is new went: %q", got)
	}
	scratch.Sweep(temp, scratchPrefix, time.Now().Add(time.Hour))
	sweepSockets(temp, time.Now().Add(time.Hour))
	want := []string{"h2k-3", filepath.Base(mine), "libguestfsLIVE00", "libguestfsLONGER00", "libguestfsOTHER0"}
	if got := names(); !slices.Equal(got, want) {
		t.Errorf("left %q, want %q", got, want)
	}
	remove()
	if _, err := os.Lstat(mine); err == nil {
		t.Error("a directory outlives its job")
	}
}
