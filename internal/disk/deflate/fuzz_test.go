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
	for _, c := range foreign(f) {
		if len(c[1]) < 3000 {
			f.Add(c[1], uint16(min(len(c[0]), 1<<16-1)))
		}
	}
	f.Fuzz(func(t *testing.T, src []byte, room uint16) {
		checkInflate(t, src, int(room))
	})
}

// FuzzEncode checks that any content comes back, within the limit and the window, and whatever a stream becomes when it is damaged.
func FuzzEncode(f *testing.F) {
	for _, src := range samples() {
		src = src[:min(len(src), 2000)]
		f.Add(src, uint8(0), uint16(len(src)/2), uint32(99))
	}
	encoders := make([]*Encoder, len(everyOption))
	for i, o := range everyOption {
		encoders[i] = newTestEncoder(f, o)
	}
	f.Fuzz(func(t *testing.T, src []byte, option uint8, limit uint16, damage uint32) {
		e := encoders[int(option)%len(encoders)]
		out := checkEncode(t, e, src)
		if again, ok := e.EncodeLimit(nil, src, int(limit)); ok != (len(out) <= int(limit)) || ok && !bytes.Equal(again, out) {
			t.Fatalf("limit %d: %t, %d bytes; without a limit %d", limit, ok, len(again), len(out))
		}
		bit := int(damage) % (8 * len(out))
		out[bit/8] ^= 1 << (bit % 8)
		checkInflate(t, out, len(src))
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
		// compress/flate takes no symbol from bits that are fewer than the end of the block would need, so that there may be one more.
		if !errors.Is(err, ErrTruncated) && !errors.Is(err, ErrCorrupt) && (!errors.Is(err, ErrLong) || n != room) {
			t.Fatalf("%v, want %v", err, wantErr)
		}
	}
	if wantErr != nil && len(want) <= room && n > len(want) {
		n = len(want) // compress/flate keeps back what a stored block had, and symbols, before the input ended
	}
	if !bytes.Equal(dst[:n], want) {
		t.Fatalf("%d bytes restored (%v), want %d (%v)", n, err, len(want), wantErr)
	}
}
