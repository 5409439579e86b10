package atomicfile

import (
	"bytes"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
)

// TestReadersSeeWholeFiles reads a file as fast as it can while it is replaced, and a new one while it is published: what is read is always
// one of the contents, from its first byte to its last.
func TestReadersSeeWholeFiles(t *testing.T) {
	dir, tmp := t.TempDir(), t.TempDir()
	contents := [][]byte{bytes.Repeat([]byte("a"), 100), bytes.Repeat([]byte("b"), 70_000), []byte("c")}
	path := func(name string) string { return filepath.Join(dir, name) }
	if err := os.WriteFile(path("status.json"), contents[0], 0o600); err != nil {
		t.Fatal(err)
	}
	whole := func(b []byte) bool {
		for _, c := range contents {
			if bytes.Equal(b, c) {
				return true
			}
		}
		return false
	}
	var done atomic.Bool
	var reads, published atomic.Int64
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for !done.Load() {
				if b, err := os.ReadFile(path("status.json")); err != nil || !whole(b) {
					t.Errorf("read %d bytes of status.json: %v", len(b), err)
					return
				}
				reads.Add(1)
				if b, err := os.ReadFile(path("x.meta.json")); err == nil && !whole(b) {
					t.Errorf("read %d bytes of x.meta.json", len(b))
					return
				} else if err == nil {
					published.Add(1)
				}
			}
		})
	}
	for n := 0; n < 50 || reads.Load() < 100 || published.Load() == 0; n++ {
		if t.Failed() {
			break
		}
		write := FS{}.WriteFast
		if n%10 == 0 {
			write = FS{}.Write
		}
		if err := write(path("status.json"), contents[n%len(contents)], 0o600); err != nil {
			t.Error(err)
		}
		if err := Publish(dir, "x.meta.json", contents[(n+1)%len(contents)], tmp, 0o600); err != nil {
			t.Error(err)
		}
		if err := os.Remove(path("x.meta.json")); err != nil {
			t.Error(err)
		}
	}
	done.Store(true)
	readers.Wait()
}
