package queue

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestSwappedInARace has a user exchange an entry, as fast as he can, for a link to a file that is not his, for a pipe and for a second
// name of that file, while it is looked at and claimed: what is handed out is always the file itself, and nothing ever blocks.
func TestSwappedInARace(t *testing.T) {
	inMemory(t)
	top := t.TempDir()
	s := start(t, filepath.Join(top, "w"), StartOptions{})
	canary := filepath.Join(top, "canary")
	dropAt(t, canary, "secret")
	drop(t, s, "x.vmdk", "mine")
	bait := func(kind int) string {
		path := s.path(DirQueued, ".bait")
		_ = os.Remove(path)
		var err error
		switch kind {
		case 0:
			err = os.Symlink(canary, path)
		case 1:
			err = unix.Mkfifo(path, 0o644)
		case 2:
			err = os.Link(canary, path)
		}
		if err != nil {
			t.Error(err)
		}
		return path
	}
	ctx, cancel := context.WithCancel(t.Context())
	var swapper sync.WaitGroup
	swapper.Go(func() {
		for n := 0; ctx.Err() == nil; n++ {
			other, ours := bait(n%3), s.path(DirQueued, "x.vmdk")
			swapped := false // the file itself has the other name
			for k := 0; (k < 20 || swapped) && ctx.Err() == nil; k++ {
				if unix.Renameat2(unix.AT_FDCWD, other, unix.AT_FDCWD, ours, unix.RENAME_EXCHANGE) == nil {
					swapped = !swapped
				} else if swapped && unix.Renameat2(unix.AT_FDCWD, other, unix.AT_FDCWD, ours, unix.RENAME_NOREPLACE) == nil {
					break
				}
			}
		}
	})
	disk := examine(func(Entry) Need { return Need{Kind: "disk"} }) // one that read the file could meet the pipe
	i := inbox(t, s, disk, InboxOptions{Settle: -1, Rescan: 50 * time.Millisecond})
	claims := 0
	for end := time.Now().Add(3 * time.Second); time.Now().Before(end); {
		next, stop := context.WithTimeout(t.Context(), time.Second)
		c, err := i.Next(next)
		stop()
		if err != nil {
			continue
		}
		for _, path := range c.Files() {
			var st unix.Stat_t
			if err := unix.Lstat(path, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFREG || st.Nlink != 1 {
				t.Errorf("claimed what is no file of its own: mode %o, %d links, %v", st.Mode, st.Nlink, err)
			} else {
				wantFile(t, path, "mine")
			}
		}
		claims++
		if err := c.Requeue(t.Context(), "again"); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	swapper.Wait()
	t.Logf("claimed %d times", claims)
	if claims == 0 {
		t.Error("it was never claimed")
	}
	wantFile(t, canary, "secret")
}
