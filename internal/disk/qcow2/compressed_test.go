package qcow2

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/klauspost/compress/zstd"

	"hyper2kvm/internal/disk/disktest"
)

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
