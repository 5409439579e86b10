package vmdk

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"

	"github.com/klauspost/compress/zlib"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/disktest"
)

// streamImage is a small streamOptimized image: three grains, the last of them short on the disk.
func streamImage(tb testing.TB) []byte {
	tb.Helper()
	src := disktest.NewMemImage(3*testGrain-512).Put(0, bytes.Repeat([]byte{'a'}, testGrain)).Put(testGrain, disktest.Random(1, testGrain)).
		Put(2*testGrain, bytes.Repeat([]byte{'c'}, testGrain-512))
	return written(tb, src, Options{}).Bytes()
}

// deflated returns a grain as it stands in the file, with a stream of this content.
func deflated(tb testing.TB, sector uint64, content []byte) []byte {
	tb.Helper()
	var z bytes.Buffer
	w := zlib.NewWriter(&z)
	if _, err := w.Write(content); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	b := binary.LittleEndian.AppendUint64(nil, sector)
	b = binary.LittleEndian.AppendUint32(b, uint32(z.Len()))
	b = append(b, z.Bytes()...)
	return append(b, make([]byte, -len(b)&511)...)
}

func TestStreamEnd(t *testing.T) {
	whole := streamImage(t)
	for _, c := range []struct {
		name string
		b    []byte
		kind error
	}{
		{"whole", whole, nil},
		{"padded like a tar", append(slices.Clone(whole), make([]byte, 10240)...), nil},
		{"padded by an odd number", append(slices.Clone(whole), make([]byte, 777)...), nil},
		{"followed by an upload's end", append(slices.Clone(whole), []byte("\r\n--boundary--\r\n")...), nil},
		{"padded by a megabyte", append(slices.Clone(whole), make([]byte, footerSearch-footerLen)...), nil},
		{"padded by more", append(slices.Clone(whole), make([]byte, footerSearch)...), disk.ErrTruncated},
		{"without the end marker", whole[:len(whole)-512], disk.ErrTruncated},
		{"half", whole[:len(whole)/2&^511], disk.ErrTruncated},
		{"header only", whole[:512], disk.ErrTruncated},
	} {
		t.Run(c.name, func(t *testing.T) {
			img, err := openIn(t, folder{"x.vmdk": c.b}, "x.vmdk")
			if c.kind != nil {
				disktest.CheckError(t, err, c.kind, "x.vmdk")
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if b := disktest.ReadAll(t, img); b[0] != 'a' || b[len(b)-1] != 'c' {
				t.Error("content differs")
			}
		})
	}
	// The header may say itself where the directory is.
	s := walk(t, whole)
	direct := slices.Clone(whole)
	binary.LittleEndian.PutUint64(direct[56:], uint64(s.gd))
	img, err := openIn(t, folder{"x.vmdk": direct[:len(direct)-footerLen]}, "x.vmdk")
	if err != nil {
		t.Fatal(err)
	}
	if b := disktest.ReadAll(t, img); b[0] != 'a' || b[len(b)-1] != 'c' {
		t.Error("content differs")
	}
}

func TestBadGrains(t *testing.T) {
	const first = 128 * 512 // where the first grain is
	for _, c := range []struct {
		name  string
		edit  func(b []byte)
		words string
	}{
		{"another grain's marker", func(b []byte) { b[first]++ }, "marker is for sector 1, want 0"},
		{"stream of no size", func(b []byte) { clear(b[first+8 : first+12]) }, "the stream has 0 bytes"},
		{"stream too large", func(b []byte) { copy(b[first+8:], "\xff\xff\xff\x7f") }, "want 1 to 131072"},
		{"stream shorter than said", func(b []byte) { b[first+8] -= 9 }, "ends before the grain does"},
		{"no zlib header", func(b []byte) { b[first+12] = 0 }, "inflate grain"},
		{"wrong checksum", func(b []byte) { b[first+12+int(binary.LittleEndian.Uint32(b[first+8:]))-1]++ }, "inflate grain"},
		{"too little", func(b []byte) { copy(b[first:], deflated(t, 0, make([]byte, testGrain-1))) }, "ends before the grain does"},
		{"too much", func(b []byte) { copy(b[first:], deflated(t, 0, make([]byte, testGrain+1))) }, "more than a grain"},
		{"a bomb", func(b []byte) { copy(b[first:], deflated(t, 0, make([]byte, 100*testGrain))) }, "more than a grain"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := streamImage(t)
			c.edit(b)
			img, err := openIn(t, folder{"x.vmdk": b}, "x.vmdk")
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range []int{testGrain, 100} { // straight into the buffer, and through the cache
				got, err := img.ReadAt(make([]byte, n), 0)
				disktest.CheckError(t, err, disk.ErrCorrupt, c.words, "x.vmdk at 0x100")
				if got != 0 {
					t.Errorf("%d bytes came with the error", got)
				}
			}
			if n, err := img.ReadAt(make([]byte, testGrain), 2*testGrain); n != testGrain-512 {
				t.Errorf("the last grain is lost too: %d bytes, %v", n, err)
			}
		})
	}
}

// TestOneReadPerGrain holds that marker and stream come with one read of the file.
func TestOneReadPerGrain(t *testing.T) {
	f := &disktest.FailingFile{File: disktest.NewMemFile("x.vmdk", streamImage(t))}
	img, err := Open(t.Context(), f, disk.Env{})
	if err != nil {
		t.Fatal(err)
	}
	defer img.Close()
	b := make([]byte, testGrain)
	if _, err := img.ReadAt(b, 0); err != nil { // reads the table
		t.Fatal(err)
	}
	before := f.Reads()
	for range 10 {
		if _, err := img.ReadAt(b, testGrain); err != nil {
			t.Fatal(err)
		}
	}
	if n := f.Reads() - before; n != 10 {
		t.Errorf("%d reads of the file for 10 grains", n)
	}
}

func TestSteadyReadsAllocateNothing(t *testing.T) {
	img, err := Open(t.Context(), disktest.NewMemFile("x.vmdk", streamImage(t)), disk.Env{})
	if err != nil {
		t.Fatal(err)
	}
	defer img.Close()
	b := make([]byte, 2*testGrain)
	read := func() {
		if _, err := img.ReadAt(b, 0); err != nil {
			t.Error(err)
		}
	}
	// A collection, or the race detector, empties the pool of inflaters now and then: not every read must do without.
	for range 30 {
		if testing.AllocsPerRun(1, read) == 0 {
			return
		}
	}
	t.Error("every one of 30 reads allocated")
}

func BenchmarkInflateGrains(b *testing.B) {
	for _, c := range []struct {
		name    string
		content []byte
	}{{"text", disktest.Text(8 << 20)}, {"random", disktest.Random(1, 8<<20)}} {
		b.Run(c.name, func(b *testing.B) {
			f := written(b, disktest.NewMemImage(8<<20).Put(0, c.content), Options{})
			img, err := Open(b.Context(), f, disk.Env{})
			if err != nil {
				b.Fatal(err)
			}
			defer img.Close()
			p := make([]byte, 1<<20)
			b.SetBytes(1 << 20)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if _, err := img.ReadAt(p, int64(i%8)<<20); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
