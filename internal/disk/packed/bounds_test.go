package packed

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"testing"

	"hyper2kvm/internal/disk"
)

func TestMostContent(t *testing.T) {
	for size, want := range map[int64]int64{
		0: 16 << 30, 45: 16 << 30, 256 << 10: 16 << 30, 10 << 20: 640 << 30, 1 << 30: disk.MaxSize, disk.MaxSize: disk.MaxSize, 1<<63 - 1: disk.MaxSize,
	} {
		if got := mostContent(size); got != want {
			t.Errorf("mostContent(%d) = %d, want %d", size, got, want)
		}
	}
}

type section struct{ *io.SectionReader }

func (section) Name() string { return "bomb.gz" }
func (section) Close() error { return nil }

// TestStopsAtTheBound: a bomb of zeroes needs no space, so it is its content that is bounded.
func TestStopsAtTheBound(t *testing.T) {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write(make([]byte, 3<<20))
	w.Close()
	f := section{io.NewSectionReader(bytes.NewReader(b.Bytes()), 0, int64(b.Len()))}
	for _, tt := range []struct {
		most int64
		kind error
	}{{3 << 20, nil}, {3<<20 - 1, disk.ErrLimit}} {
		tmp, err := openScratch(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		u := &unpacking{ctx: t.Context(), method: Gzip, src: &source{ctx: t.Context(), f: f}, out: &scratch{f: tmp}, most: tt.most}
		if err := u.run(); !errors.Is(err, tt.kind) || errors.Is(err, ErrSpace) {
			t.Errorf("with at most %d bytes: %v", tt.most, err)
		}
		tmp.Close()
	}
}
