package raw_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/disktest"
	"hyper2kvm/internal/disk/raw"
)

func open(ctx context.Context, f disk.File) (disk.Image, error) { return raw.Open(ctx, f, disk.Env{}) }

func create(t disk.Target, size int64) (disk.Writer, error) {
	w, err := raw.NewWriter(t, size)
	if err != nil {
		return nil, err
	}
	return w, nil
}

func TestWriter(t *testing.T) { disktest.TestWriter(t, create, open) }

func TestImage(t *testing.T) {
	content := make([]byte, 5<<20+123)
	copy(content[3<<20:], disktest.Random(1, 100_000))
	content[len(content)-1] = 1
	path := filepath.Join(t.TempDir(), "disk.img")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(int64(len(content))); err != nil {
		t.Fatal(err)
	}
	for _, at := range []int{3 << 20, len(content) - 1} {
		if _, err := f.WriteAt(content[at:min(at+100_000, len(content))], int64(at)); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	for name, file := range map[string]func(t testing.TB) disk.File{
		"on disk": func(tb testing.TB) disk.File {
			tb.Helper()
			h, err := disk.OpenFile(path)
			if err != nil {
				tb.Fatal(err)
			}
			return h
		},
		"in memory": func(testing.TB) disk.File { return disktest.NewMemFile("disk.img", content) },
		"without holes": func(testing.TB) disk.File {
			return &disktest.FailingFile{File: disktest.NewMemFile("disk.img", content)}
		},
		"in an archive": func(testing.TB) disk.File {
			archive := disktest.NewMemFile("x.ova", append(make([]byte, 1536), content...))
			return disk.SectionFile("disk.img", archive, 1536, int64(len(content)), archive)
		},
	} {
		t.Run(name, func(t *testing.T) {
			disktest.TestImage(t, func(tb testing.TB) disk.Image {
				tb.Helper()
				img, err := raw.Open(tb.Context(), file(tb), disk.Env{})
				if err != nil {
					tb.Fatal(err)
				}
				return img
			}, bytes.NewReader(content), int64(len(content)))
		})
	}
}

func TestHolesAreUnallocated(t *testing.T) {
	f := disktest.NewMemFile("disk.img", nil)
	if err := f.Truncate(10 << 20); err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte{1}, 4<<20); err != nil {
		t.Fatal(err)
	}
	img, err := raw.Open(t.Context(), f, disk.Env{})
	if err != nil {
		t.Fatal(err)
	}
	var got []disk.Extent
	for off := int64(0); off < img.Size(); {
		e, err := img.Extent(t.Context(), off)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, e)
		off = e.End()
	}
	want := []disk.Extent{
		{Off: 0, Len: 4 << 20, Kind: disk.Unallocated},
		{Off: 4 << 20, Len: 64 << 10, Kind: disk.Data},
		{Off: 4<<20 + 64<<10, Len: 6<<20 - 64<<10, Kind: disk.Unallocated},
	}
	if len(got) != len(want) {
		t.Fatalf("map is %+v, want %+v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("extent %d is %+v, want %+v", i, got[i], want[i])
		}
	}
}

func TestShorterThanItWas(t *testing.T) {
	f := disktest.LyingFile(disktest.NewMemFile("disk.img", make([]byte, 1000)), 400)
	img, err := raw.Open(t.Context(), f, disk.Env{})
	if err != nil {
		t.Fatal(err)
	}
	if n, err := img.ReadAt(make([]byte, 600), 0); !errors.Is(err, disk.ErrTruncated) || errors.Is(err, io.EOF) || n >= 600 {
		t.Errorf("read of a file that was cut: %d bytes, %v; want ErrTruncated", n, err)
	}
}

func TestTooLarge(t *testing.T) {
	if _, err := raw.NewWriter(disktest.NewMemFile("disk.img", nil), disk.MaxSize+1); !errors.Is(err, disk.ErrLimit) {
		t.Errorf("create: %v, want ErrLimit", err)
	}
	f := disktest.NewMemFile("disk.img", nil)
	if err := f.Truncate(disk.MaxSize + 1); err != nil {
		t.Fatal(err)
	}
	if _, err := raw.Open(t.Context(), f, disk.Env{}); !errors.Is(err, disk.ErrLimit) {
		t.Errorf("open: %v, want ErrLimit", err)
	}
}
