package raw_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/disktest"
	"hyper2kvm/internal/disk/raw"
)

// sharing is a file whose content a target may share, as on a file system that can; shares counts how often it was asked.
type sharing struct {
	*disktest.MemFile
	content []byte
	works   bool
	asked   int
}

func (s *sharing) CloneTo(t disk.Target) bool {
	s.asked++
	n := len(s.content)
	if !s.works {
		n /= 2 // and gives up in the middle
	}
	if _, err := t.WriteAt(s.content[:n], 0); err != nil {
		return false
	}
	return s.works
}

func TestCopyShares(t *testing.T) {
	content := make([]byte, 3<<20+77)
	copy(content[1<<20:], disktest.Random(7, 70_000))
	for _, works := range []bool{true, false} {
		for _, digest := range []bool{true, false} {
			f := &sharing{disktest.NewMemFile("disk.img", content), content, works, 0}
			src, err := raw.Open(t.Context(), f, disk.Env{})
			if err != nil {
				t.Fatal(err)
			}
			want, err := disk.DigestOf(t.Context(), src, disk.Options{})
			if err != nil {
				t.Fatal(err)
			}
			target := disktest.NewMemFile("out.img", nil)
			w, err := raw.NewWriter(target, src.Size())
			if err != nil {
				t.Fatal(err)
			}
			res, err := disk.Copy(t.Context(), w, src, disk.Options{Digest: digest})
			if err != nil {
				t.Fatal(err)
			}
			got := make([]byte, target.Size())
			if _, err := target.ReadAt(got, 0); err != nil || !bytes.Equal(got, content) {
				t.Errorf("works %t, digest %t: the copy differs, or %v", works, digest, err)
			}
			if res.HasDigest != digest || digest && res.Digest != want {
				t.Errorf("works %t, digest %t: digest %s, want %s", works, digest, res.Digest, want)
			}
			if f.asked != 1 || works != (res.StoredChunks == 0) {
				t.Errorf("works %t: asked %d times to share, and %d chunks were written", works, f.asked, res.StoredChunks)
			}
			src.Close()
		}
	}
}

// TestCloneOfOtherSize holds that an image never becomes what is larger or smaller than it shall be.
func TestCloneOfOtherSize(t *testing.T) {
	f := &sharing{disktest.NewMemFile("disk.img", make([]byte, 4096)), make([]byte, 4096), true, 0}
	w, err := raw.NewWriter(disktest.NewMemFile("out.img", nil), 8192)
	if err != nil {
		t.Fatal(err)
	}
	if w.Clone(f) || f.asked != 0 {
		t.Error("4096 bytes became an image of 8192")
	}
}

// TestCopyOnHost copies on the host's own file system, which shares or does not: the content is the same. That a second copy onto another
// file is right, too, and the source as it was, is what sharing could break.
func TestCopyOnHost(t *testing.T) {
	dir := t.TempDir()
	content := append(disktest.Random(3, 200_000), make([]byte, 1<<20)...)
	path := filepath.Join(dir, "disk.img")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a.img", "b.img"} {
		h, err := disk.OpenFile(path)
		if err != nil {
			t.Fatal(err)
		}
		src, err := raw.Open(t.Context(), h, disk.Env{})
		if err != nil {
			t.Fatal(err)
		}
		out, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		w, err := raw.NewWriter(disk.EarlyTarget(out), src.Size())
		if err != nil {
			t.Fatal(err)
		}
		res, err := disk.Copy(t.Context(), w, src, disk.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%d chunks were written", res.StoredChunks)
		if _, err := out.WriteAt([]byte("changed"), 0); err != nil { // the source must not see this
			t.Fatal(err)
		}
		out.Close()
		src.Close()
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || len(got) != len(content) || !bytes.Equal(got[7:], content[7:]) {
			t.Errorf("%s differs from its source, or %v", name, err)
		}
		if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, content) {
			t.Errorf("the source changed, or %v", err)
		}
	}
}
