package xz_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"testing"

	"pgregory.net/rapid"

	"hyper2kvm/internal/xz"
)

var kinds = []error{xz.ErrFormat, xz.ErrCorrupt, xz.ErrTruncated, xz.ErrUnsupported, xz.ErrLimit}

// kindsOf counts the kinds that an error wraps.
func kindsOf(err error) int {
	n := 0
	for _, k := range kinds {
		if errors.Is(err, k) {
			n++
		}
	}
	return n
}

func TestStreamsAndPadding(t *testing.T) {
	a, b := diskLike(40_000, 1), diskLike(10_000, 2)
	first, second := xzProgram(t, a, "-0"), xzProgram(t, b, "-1", "--check=sha256")
	joined := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	for _, tt := range []struct {
		name string
		file []byte
		want []byte
		kind error
	}{
		{"two streams", joined(first, second), joined(a, b), nil},
		{"padded", joined(first, make([]byte, 8), second, make([]byte, 4)), joined(a, b), nil},
		{"padding of three", joined(first, make([]byte, 3)), nil, xz.ErrCorrupt},
		{"padding of six between", joined(first, make([]byte, 6), second), nil, xz.ErrCorrupt},
		{"something behind", joined(first, []byte("what is this doing here?")), nil, xz.ErrCorrupt},
		{"a letter behind", joined(first, []byte("w")), nil, xz.ErrTruncated},
		{"only a header", first[:12], nil, xz.ErrTruncated},
		{"nothing", nil, nil, xz.ErrTruncated},
		{"a text", []byte("once upon a time there was a disk"), nil, xz.ErrFormat},
		{"zeroes", make([]byte, 4096), nil, xz.ErrFormat},
		{"gzip", []byte("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00"), nil, xz.ErrFormat},
		{"behind .lzma", append(xzProgram(t, a, "--format=lzma"), 0), nil, xz.ErrCorrupt},
	} {
		got, err := decode(tt.file)
		if !errors.Is(err, tt.kind) || tt.kind != nil && kindsOf(err) != 1 || tt.kind == nil && !bytes.Equal(got, tt.want) {
			t.Errorf("%s: %d bytes, error %v; want %v", tt.name, len(got), err, tt.kind)
		}
	}
}

// TestEveryTruncationIsSeen cuts small files at every byte.
func TestEveryTruncationIsSeen(t *testing.T) {
	content := diskLike(3000, 5)
	for _, args := range [][]string{{"-0"}, {"-0", "--block-size=1000", "--check=sha256"}, {"--x86", "--lzma2=preset=0"}, {"--format=lzma", "-0"}} {
		file := xzProgram(t, content, args...)
		for n := range file {
			_, err := decode(file[:n])
			if kindsOf(err) != 1 {
				t.Errorf("%v cut at %d of %d: %v", args, n, len(file), err)
			}
			if n > 13 && (!errors.Is(err, xz.ErrTruncated) || !errors.Is(err, io.ErrUnexpectedEOF)) {
				t.Errorf("%v cut at %d of %d: %v; want ErrTruncated", args, n, len(file), err)
			}
		}
	}
}

// TestEveryFlippedBitIsSeen damages every byte of a file: something that is verified covers each. The only damage that may pass is one
// that leaves the content as it was (other properties that happen to mean the same).
func TestEveryFlippedBitIsSeen(t *testing.T) {
	content := diskLike(3000, 6)
	for _, args := range [][]string{{"-0"}, {"-0", "--block-size=1000", "--check=crc32"}, {"-0", "--check=sha256"}} {
		file := xzProgram(t, content, args...)
		for i := range file {
			for _, flip := range []byte{1, 0x80, 0xff} {
				damaged := bytes.Clone(file)
				damaged[i] ^= flip
				if got, err := decode(damaged); kindsOf(err) != 1 && (err != nil || !bytes.Equal(got, content)) {
					t.Errorf("%v with byte %d ^ %#x: %v", args, i, flip, err)
				}
			}
		}
	}
}

// handMade is a file with one block header of these flags and fields, put together as the specification says.
func handMade(check byte, flags byte, fields []byte, rest ...byte) []byte {
	crc := func(b []byte) []byte { return binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE(b)) }
	file := append([]byte{0xfd, '7', 'z', 'X', 'Z', 0}, crc([]byte{0, check})...)
	header := append([]byte{0, flags}, fields...)
	for len(header)%4 != 0 {
		header = append(header, 0)
	}
	header[0] = byte(len(header) / 4)
	return append(append(file, crc(header)...), rest...)
}

func TestRefusesByName(t *testing.T) {
	big := []byte{0x5d, 0, 0, 0, 0x40, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0}
	for _, tt := range []struct {
		name string
		file []byte
		kind error
	}{
		{"dictionary of 4 GiB", handMade(1, 0, []byte{0x21, 1, 40}), xz.ErrLimit},
		{"dictionary of 384 MiB", handMade(1, 0, []byte{0x21, 1, 33}), xz.ErrLimit},
		{".lzma of 1 GiB", big, xz.ErrLimit},
		{"dictionary that cannot be", handMade(1, 0, []byte{0x21, 1, 41}), xz.ErrCorrupt},
		{"check of kind 2", handMade(2, 0, []byte{0x21, 1, 10}), xz.ErrUnsupported},
		{"stream flags", handMade(0x11, 0, []byte{0x21, 1, 10}), xz.ErrUnsupported},
		{"block flags", handMade(1, 4, []byte{0x21, 1, 10}), xz.ErrUnsupported},
		{"IA-64", handMade(1, 1, []byte{6, 0, 0x21, 1, 10}), xz.ErrUnsupported},
		{"delta last", handMade(1, 0, []byte{3, 1, 0}), xz.ErrUnsupported},
		{"LZMA2 twice", handMade(1, 1, []byte{0x21, 1, 10, 0x21, 1, 10}), xz.ErrCorrupt},
		{"filters that do not fit", handMade(1, 3, []byte{4, 0, 4, 0, 4, 0}), xz.ErrCorrupt},
		{"ARM at an odd place", handMade(1, 1, []byte{7, 4, 1, 0, 0, 0, 0x21, 1, 10}), xz.ErrCorrupt},
		{"x86 with a byte", handMade(1, 1, []byte{4, 1, 1, 0x21, 1, 10}), xz.ErrCorrupt},
		{"properties of 2^62 bytes", handMade(1, 0, []byte{0x21, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40}), xz.ErrCorrupt},
		{"header with something behind", handMade(1, 0, []byte{0x21, 1, 10, 9}), xz.ErrCorrupt},
		{"chunk 3", handMade(1, 0, []byte{0x21, 1, 10}, 3), xz.ErrCorrupt},
		{"no reset", handMade(1, 0, []byte{0x21, 1, 10}, 2, 0, 0, 'x'), xz.ErrCorrupt},
		{"no properties", handMade(1, 0, []byte{0x21, 1, 10}, 1, 0, 0, 'x', 0x80, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0), xz.ErrCorrupt},
		{"lc + lp of 5", handMade(1, 0, []byte{0x21, 1, 10}, 0xe0, 0, 0, 0, 5, 4+9, 0, 0, 0, 0, 0, 0), xz.ErrCorrupt},
	} {
		if _, err := decode(tt.file); !errors.Is(err, tt.kind) || kindsOf(err) != 1 {
			t.Errorf("%s: %v; want %v", tt.name, err, tt.kind)
		}
	}
}

// TestPropertyRoundTrip holds for any content, options and pace of reading.
func TestPropertyRoundTrip(t *testing.T) {
	xzProgram(t, nil) // or skip
	rapid.Check(t, func(rt *rapid.T) {
		content := diskLike(rapid.IntRange(0, 120_000).Draw(rt, "size"), rapid.Uint64().Draw(rt, "seed"))
		lc := rapid.IntRange(0, 4).Draw(rt, "lc")
		lzma := fmt.Sprintf("=preset=%d,dict=%d,lc=%d,lp=%d,pb=%d", rapid.IntRange(0, 2).Draw(rt, "preset"),
			rapid.IntRange(4096, 1<<18).Draw(rt, "dict"), lc, rapid.IntRange(0, 4-lc).Draw(rt, "lp"), rapid.IntRange(0, 4).Draw(rt, "pb"))
		args := []string{"--lzma2" + lzma, "--check=" + rapid.SampledFrom([]string{"none", "crc32", "crc64", "sha256"}).Draw(rt, "check")}
		if rapid.Bool().Draw(rt, "blocks") {
			args = append(args, fmt.Sprintf("--block-size=%d", rapid.IntRange(5000, 100_000).Draw(rt, "block")))
		}
		r, err := xz.NewReader(bytes.NewReader(xzProgram(t, content, args...)))
		if err != nil {
			rt.Fatalf("%v: %v", args, err)
		}
		var got []byte
		buf := make([]byte, rapid.IntRange(1, 70_000).Draw(rt, "buffer"))
		for err == nil {
			var n int
			n, err = r.Read(buf)
			got = append(got, buf[:n]...)
		}
		if !errors.Is(err, io.EOF) || !bytes.Equal(got, content) {
			rt.Fatalf("%v: %d bytes of %d, %v", args, len(got), len(content), err)
		}
		if _, again := r.Read(buf); !errors.Is(again, io.EOF) {
			rt.Fatalf("after the end: %v", again)
		}
	})
}

// brokenPipe fails where the storage does.
type brokenPipe struct{ r io.Reader }

var errStorage = errors.New("the storage is gone")

func (b brokenPipe) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if err == io.EOF {
		err = errStorage
	}
	return n, err
}

func TestErrorOfTheFileComesAsItIs(t *testing.T) {
	for _, format := range []string{"xz", "lzma"} {
		file := xzProgram(t, diskLike(100_000, 9), "--format="+format)
		r, err := xz.NewReader(brokenPipe{bytes.NewReader(file[:len(file)/2])})
		if err == nil {
			_, err = io.Copy(io.Discard, r)
		}
		if !errors.Is(err, errStorage) || kindsOf(err) != 0 {
			t.Errorf("%s: %v", format, err)
		}
	}
}

// FuzzReader proves that whatever a file says, reading it ends, in an error of one kind or in content that reads the same again.
func FuzzReader(f *testing.F) {
	content := diskLike(2000, 8)
	for _, args := range [][]string{
		{"-0"}, {"-0", "--block-size=500", "--check=sha256"}, {"--x86", "--delta=dist=3", "--lzma2=preset=0"}, {"--format=lzma", "-0"}, {"--arm64", "--lzma2=preset=0"},
	} {
		f.Add(xzProgram(f, content, args...))
	}
	f.Add(handMade(0, 0, []byte{0x21, 1, 24}, 1, 0, 3, 'd', 'i', 's', 'k', 0))
	const enough = 4 << 20 // a few bytes can stand for terabytes of zeroes
	read := func(b []byte) ([]byte, error) {
		r, err := xz.NewReader(bytes.NewReader(b))
		if err != nil {
			return nil, err
		}
		return io.ReadAll(io.LimitReader(r, enough))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := read(b)
		if err != nil && kindsOf(err) != 1 {
			t.Fatalf("error of %d kinds: %v", kindsOf(err), err)
		}
		again, err2 := read(b)
		if !bytes.Equal(got, again) || fmt.Sprint(err) != fmt.Sprint(err2) {
			t.Fatalf("read twice: %d bytes, %v; then %d bytes, %v", len(got), err, len(again), err2)
		}
	})
}
