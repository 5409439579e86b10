package packed_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/packed"
)

func chunksOf(t *testing.T, name string, b []byte, chunk int) string {
	t.Helper()
	dir := t.TempDir()
	for i := 0; i*chunk < len(b) || i == 0; i++ {
		p := b[min(i*chunk, len(b)):min((i+1)*chunk, len(b))]
		if err := os.WriteFile(filepath.Join(dir, packed.ChunkName(name, i)), p, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestChunked(t *testing.T) {
	b := content(10_500, 4)
	for _, tt := range []struct {
		size, chunk int64
		remove      int // a piece to take away; -1 none
		kind        error
		says        string
	}{
		{10_500, 1000, -1, nil, ""},
		{0, 1000, -1, nil, ""},
		{10_500, 10_500, -1, nil, ""},
		{0, 10_500, -1, nil, ""},
		{0, 3500, -1, nil, ""}, // the last piece is full
		{10_500, 1000, 7, disk.ErrMissing, "d.vmdk.000000007"},
		{0, 1000, 0, disk.ErrMissing, "d.vmdk.000000000"},
		{10_500, 0, -1, disk.ErrCorrupt, ""},
		{10_500, -5, -1, disk.ErrCorrupt, ""},
		{1 << 60, 1000, -1, disk.ErrLimit, "4096"},
		{10_400, 1000, -1, disk.ErrCorrupt, "d.vmdk.000000010"},
		{10_501, 1000, -1, disk.ErrTruncated, "d.vmdk.000000010"},
	} {
		cut := max(int(tt.chunk), 1000)
		dir := chunksOf(t, "d.vmdk", b, cut)
		if tt.remove >= 0 {
			os.Remove(filepath.Join(dir, packed.ChunkName("d.vmdk", tt.remove)))
		}
		f, err := packed.Chunked("d.vmdk", tt.size, tt.chunk, disk.DirOpener(dir))
		if tt.kind != nil {
			if !errors.Is(err, tt.kind) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%+v: %v", tt, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%+v: %v", tt, err)
			continue
		}
		got, err := io.ReadAll(io.NewSectionReader(f, 0, f.Size()))
		if err != nil || !bytes.Equal(got, b) {
			t.Errorf("%+v: %d bytes, %v", tt, len(got), err)
		}
		f.Close()
	}
}

// TestPropertyChunkedReadsLikeTheWhole compares reads at any place with the file that was cut.
func TestPropertyChunkedReadsLikeTheWhole(t *testing.T) {
	b := content(9_000, 6)
	rapid.Check(t, func(rt *rapid.T) {
		chunk := rapid.IntRange(50, 10_000).Draw(rt, "chunk")
		open := func(name string) (disk.File, error) {
			var i int
			if _, err := fmt.Sscanf(name, "w.%d", &i); err != nil || i*chunk >= len(b) {
				return nil, &disk.Error{Op: "open", File: name, Off: -1, Kind: disk.ErrMissing}
			}
			return file(name, b[i*chunk:min((i+1)*chunk, len(b))]), nil
		}
		f, err := packed.Chunked("w", rapid.SampledFrom([]int64{0, int64(len(b))}).Draw(rt, "size"), int64(chunk), open)
		if err != nil {
			rt.Fatal(err)
		}
		off, n := rapid.IntRange(0, len(b)+100).Draw(rt, "off"), rapid.IntRange(0, 5000).Draw(rt, "n")
		got, want := make([]byte, n), make([]byte, n)
		gn, gerr := f.ReadAt(got, int64(off))
		wn, werr := bytes.NewReader(b).ReadAt(want, int64(off))
		if n > 0 && (gn != wn || !bytes.Equal(got, want) || !errors.Is(gerr, werr)) {
			rt.Fatalf("ReadAt(%d, %d) = %d, %v; want %d, %v", n, off, gn, gerr, wn, werr)
		}
	})
}
