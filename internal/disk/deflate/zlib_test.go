package deflate

import (
	"bytes"
	"compress/zlib"
	"errors"
	"io"
	"testing"
)

// checkZlib has two decoders restore a zlib stream.
func checkZlib(t *testing.T, name string, out, src []byte) {
	t.Helper()
	r, err := zlib.NewReader(bytes.NewReader(out))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	back, err := io.ReadAll(r)
	if err != nil || !bytes.Equal(back, src) {
		t.Fatalf("%s: compress/zlib restores %d bytes of %d: %v", name, len(back), len(src), err)
	}
	var d Decoder
	dst := make([]byte, len(src))
	n, used, err := d.InflateZlib(dst, append(bytes.Clone(out), "behind"...))
	if err != nil || n != len(src) || used != len(out) || !bytes.Equal(dst, src) {
		t.Fatalf("%s: InflateZlib: %d bytes of %d, %d of %d used: %v", name, n, len(src), used, len(out), err)
	}
}

func TestInflateZlibRefuses(t *testing.T) {
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	_, _ = w.Write([]byte("content of a grain"))
	_ = w.Close()
	good := b.Bytes()
	change := func(at int, to byte) []byte {
		c := bytes.Clone(good)
		c[at] = to
		return c
	}
	for name, c := range map[string]struct {
		in   []byte
		room int
		want error
	}{
		"nothing":             {nil, 100, ErrTruncated},
		"half a header":       {good[:1], 100, ErrTruncated},
		"no stream":           {good[:2], 100, ErrTruncated},
		"no sum":              {good[:len(good)-4], 100, ErrTruncated},
		"half a sum":          {good[:len(good)-1], 100, ErrTruncated},
		"another sum":         {change(len(good)-1, ^good[len(good)-1]), 100, ErrChecksum},
		"another method":      {[]byte{0x79, 0x9b, 3, 0, 0, 0, 0, 1}, 100, ErrCorrupt},
		"header check":        {change(1, 0x9d), 100, ErrCorrupt},
		"window of 64 KiB":    {[]byte{0x88, 0x1c, 3, 0, 0, 0, 0, 1}, 100, ErrCorrupt},
		"preset dictionary":   {[]byte{0x78, 0xbb, 3, 0, 0, 0, 0, 1}, 100, ErrCorrupt},
		"no room for the end": {good, 17, ErrLong},
		"good":                {good, 18, nil},
	} {
		var d Decoder
		_, used, err := d.InflateZlib(make([]byte, c.room), c.in)
		if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if err != nil && used != 0 {
			t.Errorf("%s: %d bytes used beside an error", name, used)
		}
	}
}
