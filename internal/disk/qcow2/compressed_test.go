package qcow2

import (
	"bytes"
	"compress/flate"
	"errors"
	"io"
	"testing"

	"github.com/klauspost/compress/zstd"

	"hyper2kvm/internal/disk/deflate"
	"hyper2kvm/internal/disk/disktest"
)

// TestDeflateStreams decodes what other writers may store: the whole window, any level, more than a cluster, and anything behind it.
func TestDeflateStreams(t *testing.T) {
	const size = DefaultClusterSize
	content := append(disktest.Text(size/2), disktest.Random(1, size/2)...)
	stream := func(level int, b ...byte) []byte {
		var out bytes.Buffer
		w, err := flate.NewWriter(&out, level)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(b); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
	d, err := newDecoder(&header{clusterSize: size})
	if err != nil {
		t.Fatal(err)
	}
	s := d.get()
	dst := make([]byte, size)
	for _, c := range []struct {
		name string
		src  []byte
		want error
	}{
		{"stored", stream(0, content...), nil},
		{"fast", stream(1, content...), nil},
		{"small", stream(9, content...), nil},
		{"literals", stream(flate.HuffmanOnly, content...), nil},
		{"padding", append(stream(6, content...), "padding of any kind"...), nil},
		{"more than a cluster", stream(6, append(bytes.Clone(content), content...)...), nil},
		{"broken behind the cluster", append(stream(0, content...)[:size+10], 0xff, 0xff), nil},
		{"less than a cluster", stream(6, content[:size-1]...), errShortStream},
		{"nothing", nil, deflate.ErrTruncated},
		{"cut", stream(6, content...)[:size/3], deflate.ErrTruncated},
		{"no stream", []byte{7, 7, 7, 7, 7, 7, 7, 7, 7}, deflate.ErrCorrupt},
	} {
		clear(dst)
		if err := s.inflate(dst, c.src); !errors.Is(err, c.want) || err == nil && !bytes.Equal(dst, content) {
			t.Errorf("%s: error %v, want %v", c.name, err, c.want)
		}
		if n := testing.AllocsPerRun(10, func() { _ = s.inflate(dst, c.src) }); n > 0 {
			t.Errorf("%s: %v allocations", c.name, n)
		}
	}
}

// TestZstdFrames decodes what a writer other than ours and qemu may store: large windows, checksums, several frames, frames to
// skip, and anything behind them.
func TestZstdFrames(t *testing.T) {
	const size = DefaultClusterSize
	content := append(disktest.Text(size/2), disktest.Random(1, size/2)...)
	streamed := func(b []byte, options ...zstd.EOption) []byte {
		var out bytes.Buffer
		w, err := zstd.NewWriter(&out, options...)
		if err != nil {
			t.Fatal(err)
		}
		// In two parts, so that the frame's header does not know the size.
		if _, err := io.Copy(w, io.MultiReader(bytes.NewReader(b[:100]), bytes.NewReader(b[100:]))); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
	skip := []byte{0x53, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3}
	d, err := newDecoder(&header{compression: compressionZstd, clusterSize: size})
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	for name, src := range map[string][]byte{
		"window of 8 MiB": streamed(content, zstd.WithWindowSize(8<<20)),
		"checksum":        streamed(content, zstd.WithEncoderCRC(true)),
		"two frames":      append(streamed(content[:9999]), streamed(content[9999:])...),
		"frame to skip":   append(skip, streamed(content)...),
	} {
		dst := make([]byte, size, 2*size)
		src = append(src, "what follows is padding of any kind"...)
		if err := d.unzstd(dst, src); err != nil || !bytes.Equal(dst, content) {
			t.Errorf("%s: %v", name, err)
		}
		if behind := dst[size : 2*size]; !bytes.Equal(behind, make([]byte, size)) {
			t.Errorf("%s: written behind the cluster", name)
		}
		if n := testing.AllocsPerRun(10, func() { _ = d.unzstd(dst, src) }); n > 1 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	if err := d.unzstd(make([]byte, size+1), streamed(content)); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("too little content: %v", err)
	}
	if err := d.unzstd(make([]byte, size-1), streamed(content)); err == nil {
		t.Error("more content than a cluster was taken")
	}
}
