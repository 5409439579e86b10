package deflate

import (
	"bytes"
	"compress/flate"
	"errors"
	"io"
	"testing"
)

// stdInflate is the oracle: what compress/flate makes of src, and how much of it it takes.
func stdInflate(src []byte, limit int) (out []byte, used int, err error) {
	in := bytes.NewReader(src)
	r := flate.NewReader(in)
	out, err = io.ReadAll(io.LimitReader(r, int64(limit)+1))
	return out, len(src) - in.Len(), err
}

func FuzzInflate(f *testing.F) {
	f.Add([]byte{3, 0}, uint16(10))
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, 9)
	w.Write(bytes.Repeat([]byte("deflate streams, "), 300))
	w.Close()
	f.Add(b.Bytes(), uint16(8000))
	f.Fuzz(func(t *testing.T, src []byte, room uint16) {
		checkInflate(t, src, int(room))
	})
}

// checkInflate compares the decoder with compress/flate on src with so much room.
func checkInflate(t *testing.T, src []byte, room int) {
	t.Helper()
	want, wantUsed, wantErr := stdInflate(src, room)
	dst := make([]byte, room)
	var d Decoder
	n, used, err := d.Inflate(dst, src)
	var corrupt flate.CorruptInputError
	switch {
	case len(want) > room:
		want = want[:room]
		if !errors.Is(err, ErrLong) {
			t.Fatalf("more than %d bytes in it: %v", room, err)
		}
	case wantErr == nil:
		if err != nil {
			t.Fatalf("%v, want %d bytes", err, len(want))
		}
		if used != wantUsed {
			t.Fatalf("used %d, want %d", used, wantUsed)
		}
	case errors.As(wantErr, &corrupt):
		if err == nil || errors.Is(err, ErrLong) {
			t.Fatalf("%v, want %v", err, wantErr)
		}
	default:
		if !errors.Is(err, ErrTruncated) && !errors.Is(err, ErrCorrupt) {
			t.Fatalf("%v, want %v", err, wantErr)
		}
	}
	if wantErr != nil && len(want) <= room && n > len(want) {
		n = len(want) // compress/flate keeps back what a stored block had before the input ended
	}
	if !bytes.Equal(dst[:n], want) {
		t.Fatalf("%d bytes restored (%v), want %d (%v)", n, err, len(want), wantErr)
	}
}
