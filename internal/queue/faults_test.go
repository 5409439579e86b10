package queue

import (
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"hyper2kvm/internal/atomicfile"
)

type syncBool struct{ v atomic.Bool }

func (b *syncBool) set(v bool) { b.v.Store(v) }

// fullDisk lets nothing be written while it is full. Renaming and removing go on.
func fullDisk(full *syncBool) func(atomicfile.Step) error {
	return func(s atomicfile.Step) error {
		if full.v.Load() && (s.Op == "write" || s.Op == "mkdir") {
			return &os.PathError{Op: s.Op, Path: s.Path, Err: unix.ENOSPC}
		}
		return nil
	}
}

func TestSyncIsNeverTriedAgain(t *testing.T) {
	s, out := start(t, t.TempDir(), StartOptions{}), t.TempDir()
	drop(t, s, "x.vmdk", "one")
	c := claimName(t, s, "x.vmdk", Need{})
	dir := build(t, c, out, "x")
	failed := false
	synced := map[string]int{}
	s.fs.Before = func(st atomicfile.Step) error {
		if st.Op != "sync" || !temporary(filepath.Base(st.Path)) {
			return nil // the source, which only a daemon that was started again syncs once more: Trouble ends its tries
		}
		if synced[st.Path]++; !failed {
			failed = true
			return &os.PathError{Op: "sync", Path: st.Path, Err: unix.EIO}
		}
		return nil
	}
	if err := c.Done(t.Context(), Outcome{}); !errors.Is(err, ErrIO) {
		t.Fatal(err)
	}
	wantGone(t, dir)
	wantFile(t, c.Path(), "one")
	if !errors.Is(s.Trouble(), ErrIO) {
		t.Fatal(s.Trouble())
	}
	drop(t, s, "y.vmdk", "two")
	if _, err := s.Claim(t.Context(), entryOf(t, s, "y.vmdk"), Need{}); !errors.Is(err, ErrIO) {
		t.Error("claimed on a file system that loses data:", err)
	}
	if err := c.Done(t.Context(), Outcome{}); err != nil { // the record is written to a new file
		t.Fatal(err)
	}
	for path, n := range synced {
		if n > 1 {
			t.Errorf("%s was synced %d times", path, n)
		}
	}
}
