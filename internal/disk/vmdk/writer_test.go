package vmdk

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zlib"
	"pgregory.net/rapid"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/disktest"
)

// subformats are the kinds of images that are written.
var subformats = []string{StreamOptimized, MonolithicSparse}

func TestWriterSuite(t *testing.T) {
	for _, subformat := range subformats {
		t.Run(subformat, func(t *testing.T) {
			disktest.TestWriter(t,
				func(t disk.Target, size int64) (disk.Writer, error) {
					w, err := NewWriter(t, size, Options{Subformat: subformat})
					if err != nil {
						return nil, err
					}
					return w, nil
				},
				func(ctx context.Context, f disk.File) (disk.Image, error) { return Open(ctx, f, disk.Env{}) })
		})
	}
}

// written writes the content of an image.
func written(tb testing.TB, src disk.Image, o Options) *disktest.MemFile {
	tb.Helper()
	target := disktest.NewMemFile("written.vmdk", nil)
	w, err := NewWriter(target, src.Size(), o)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := disk.Copy(tb.Context(), w, src, disk.Options{Workers: 2}); err != nil {
		tb.Fatal(err)
	}
	return target
}

// stream is what a walk over the markers of a streamOptimized image finds.
type stream struct {
	kinds []string        // in the order of the file: grain, table, directory, footer, end
	grain map[int64]int64 // first sector on the disk -> sector in the file
	table []int64         // sectors in the file
	gd    int64
	foot  []byte
}

// walk follows the markers from the first grain to the end of the stream, as a reader that cannot seek does.
func walk(t *testing.T, b []byte) stream {
	t.Helper()
	le := binary.LittleEndian
	s := stream{grain: map[int64]int64{}}
	for off := int(le.Uint64(b[64:])) * 512; ; {
		if off+512 > len(b) {
			t.Fatalf("the stream has no end marker: %d of %d bytes", off, len(b))
		}
		value, size, kind := int64(le.Uint64(b[off:])), int(le.Uint32(b[off+8:])), le.Uint32(b[off+12:])
		if size != 0 {
			s.kinds = append(s.kinds, "grain")
			s.grain[value] = int64(off / 512)
			z, err := zlib.NewReader(bytes.NewReader(b[off+12 : off+12+size]))
			if err != nil {
				t.Fatal(err)
			}
			if n, err := io.Copy(io.Discard, z); n != 65536 || err != nil {
				t.Fatalf("the grain at sector %d has %d bytes, %v", value, n, err)
			}
			end := off + 12 + size
			off += (12 + size + 511) / 512 * 512
			if !allZero(b[end:off]) {
				t.Fatalf("the grain at sector %d is not padded with zeroes", value)
			}
			continue
		}
		if kind != 4 && !allZero(b[off+16:off+512]) {
			t.Fatalf("the marker at %#x is not padded with zeroes", off)
		}
		off += 512
		switch kind {
		case 0:
			s.kinds = append(s.kinds, "end")
			if off != len(b) {
				t.Fatalf("%d bytes behind the end marker", len(b)-off)
			}
			return s
		case 1:
			s.kinds = append(s.kinds, "table")
			s.table = append(s.table, int64(off/512))
		case 2:
			s.kinds = append(s.kinds, "directory")
			s.gd = int64(off / 512)
		case 4: // ovftool's progress
		case 3:
			s.kinds = append(s.kinds, "footer")
			s.foot = b[off : off+512]
		default:
			t.Fatalf("marker of type %d", kind)
		}
		off += int(value) * 512
	}
}

func allZero(b []byte) bool { return len(bytes.Trim(b, "\x00")) == 0 }

func TestWriterLayout(t *testing.T) {
	const table = 32 << 20
	src := disktest.NewMemImage(3*table+70000).Put(65536, disktest.Text(200000)).Put(2*table+5, disktest.Text(10)).Put(3*table+69000, []byte("end"))
	b := written(t, src, Options{ContentID: [16]byte{15: 7}}).Bytes()

	// The header, byte by byte: sectors of the disk are (3*32 MiB + 70000) / 512, rounded up.
	want := []byte("KDMV\x03\x00\x00\x00\x01\x00\x03\x00" + "\x89\x00\x03\x00\x00\x00\x00\x00" + "\x80\x00\x00\x00\x00\x00\x00\x00" +
		"\x01\x00\x00\x00\x00\x00\x00\x00" + "\x14\x00\x00\x00\x00\x00\x00\x00" + "\x00\x02\x00\x00" + "\x00\x00\x00\x00\x00\x00\x00\x00" +
		"\xff\xff\xff\xff\xff\xff\xff\xff" + "\x80\x00\x00\x00\x00\x00\x00\x00" + "\x00" + "\n \r\n" + "\x01\x00")
	if !bytes.Equal(b[:len(want)], want) || !allZero(b[len(want):512]) {
		t.Errorf("header % x\nwant   % x", b[:len(want)], want)
	}
	d, err := ParseDescriptor(b[512 : 21*512])
	if err != nil {
		t.Fatal(err)
	}
	if d.CreateType != "streamOptimized" || d.CID != 7 || d.HasParent() || d.DDB["ddb.adaptertype"] != "lsilogic" ||
		d.DDB["ddb.virtualhwversion"] == "" || d.DDB["ddb.longcontentid"] != strings.Repeat("0", 31)+"7" || len(d.Extents) != 1 ||
		d.Extents[0].Sectors != 3*table/512+137 || d.Extents[0].Type != "SPARSE" {
		t.Errorf("descriptor %+v", d)
	}
	if !allZero(b[21*512 : 128*512]) {
		t.Error("what lies before the first grain is not zero")
	}

	s := walk(t, b)
	if got := strings.Join(s.kinds, " "); got != "grain grain grain grain table grain table grain table directory footer end" {
		t.Errorf("order %s", got)
	}
	le := binary.LittleEndian
	if le.Uint64(s.foot[56:]) != uint64(s.gd) || !bytes.Equal(s.foot[:56], b[:56]) || !bytes.Equal(s.foot[64:], b[64:512]) {
		t.Error("the footer is not the header with the place of the grain directory")
	}
	places := []int64{s.table[0], 0, s.table[1], s.table[2]}
	for i, place := range places {
		if got := int64(le.Uint32(b[s.gd*512+int64(4*i):])); got != place {
			t.Errorf("grain directory entry %d is %d, want %d", i, got, place)
		}
		for j := range int64(512) {
			if place == 0 {
				break
			}
			grain := (int64(i)*512 + j) * 128
			if got := int64(le.Uint32(b[place*512+4*j:])); got != s.grain[grain] {
				t.Errorf("entry %d of table %d is %d, want %d", j, i, got, s.grain[grain])
			}
		}
	}
	if len(s.grain) != 6 {
		t.Errorf("%d grains, want 6", len(s.grain))
	}
}

// TestWriterLikeOvftool writes the disks of images that VMware's ovftool wrote: the header, the order of the parts and the
// entries of the directory are the same; what compresses differently only moves.
func TestWriterLikeOvftool(t *testing.T) {
	for _, ova := range ovftoolAppliances {
		t.Run(ova, func(t *testing.T) {
			f := member(t, ova)
			theirs := f.Bytes()
			img, err := Open(t.Context(), f, disk.Env{})
			if err != nil {
				t.Fatal(err)
			}
			defer img.Close()
			ours := written(t, img, Options{}).Bytes()
			a, b := walk(t, theirs), walk(t, ours)
			if fmt.Sprint(a.kinds) != fmt.Sprint(b.kinds) {
				t.Errorf("ovftool wrote %v, this writer %v", a.kinds, b.kinds)
			}
			if x, y := slices.Sorted(maps.Keys(a.grain)), slices.Sorted(maps.Keys(b.grain)); !slices.Equal(x, y) {
				t.Errorf("ovftool wrote the grains %d, this writer %d", x, y)
			}
			copy(ours[36:44], theirs[36:44]) // ovftool gives the descriptor just the room that it needs
			if !bytes.Equal(theirs[:512], ours[:512]) {
				t.Errorf("header of ovftool % x\nheader written here % x", theirs[:80], ours[:80])
			}
		})
	}
}

func TestWriterIsDeterministic(t *testing.T) {
	src := disktest.NewMemImage(10<<20).Put(3<<20, disktest.Text(3<<20))
	for _, subformat := range subformats {
		o := Options{Subformat: subformat, Level: 3, ContentID: [16]byte{1, 15: 9}}
		if !bytes.Equal(written(t, src, o).Bytes(), written(t, src, o).Bytes()) {
			t.Error("the same content gave two images")
		}
	}
	if bytes.Equal(written(t, src, Options{}).Bytes(), written(t, src, Options{}).Bytes()) {
		t.Error("two images without a given content id have the same one")
	}
}

func TestWriterRefuses(t *testing.T) {
	for _, c := range []struct {
		size int64
		o    Options
		kind error
	}{
		{-1, Options{}, disk.ErrLimit},
		{disk.MaxSize + 1, Options{}, disk.ErrLimit},
		{1, Options{Level: 10}, disk.ErrUnsupported},
		{1, Options{Subformat: "monolithicFlat"}, disk.ErrUnsupported},
		{1, Options{ExtentName: "a\nb"}, disk.ErrUnsupported},
		{1, Options{ExtentName: `a"b`}, disk.ErrUnsupported},
		{1, Options{AdapterType: "\xff"}, disk.ErrUnsupported},
		{1, Options{ExtentName: strings.Repeat("x", 11000)}, disk.ErrLimit},
	} {
		_, err := NewWriter(disktest.NewMemFile("x", nil), c.size, c.o)
		disktest.CheckError(t, err, c.kind)
	}
}

// TestWriterPastTwoTebibytes moves the writer to the end of what grain tables can address.
func TestWriterPastTwoTebibytes(t *testing.T) {
	for _, subformat := range subformats {
		w, err := NewWriter(disktest.NewMemFile("x", nil), 1<<20, Options{Subformat: subformat})
		if err != nil {
			t.Fatal(err)
		}
		b, err := w.Encode(nil, disktest.Random(1, testGrain))
		if err != nil {
			t.Fatal(err)
		}
		w.pos = noPlace*disk.SectorSize - int64(len(b)) + disk.SectorSize
		if err := w.Append(t.Context(), 0, b); err != nil {
			t.Fatal(err)
		}
		disktest.CheckError(t, w.Append(t.Context(), 65536, b), disk.ErrLimit, "2 TiB")
		disktest.CheckError(t, w.Finish(t.Context()), disk.ErrLimit)
	}
}

func TestWriterAgainstQemu(t *testing.T) {
	for _, subformat := range subformats {
		t.Run(subformat, func(t *testing.T) {
			dir := t.TempDir()
			src := disktest.NewMemImage(70<<20+512).Put(65536, disktest.Text(2<<20)).Put(40<<20, disktest.Random(1, 1<<20)).Put(70<<20+511, []byte{7})
			image, raw := filepath.Join(dir, "x.vmdk"), filepath.Join(dir, "x.raw")
			for path, b := range map[string][]byte{image: written(t, src, Options{Subformat: subformat}).Bytes(), raw: disktest.ReadAll(t, src)} {
				if err := os.WriteFile(path, b, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			disktest.QemuImg(t, "check", "-f", "vmdk", image)
			disktest.QemuImg(t, "compare", "-f", "vmdk", "-F", "raw", image, raw)
			if out := disktest.QemuImg(t, "info", "-f", "vmdk", image); !strings.Contains(out, "create type: "+subformat) {
				t.Errorf("qemu-img says %s", out)
			}
		})
	}
}

// TestWrittenReadBack reads at any offset what was written at any offset.
func TestWrittenReadBack(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		size := rapid.Int64Range(1, 300000).Draw(r, "size")
		src := disktest.NewMemImage(size)
		for range rapid.IntRange(0, 4).Draw(r, "pieces") {
			off := rapid.Int64Range(0, size-1).Draw(r, "off")
			n := rapid.IntRange(1, int(min(size-off, 90000))).Draw(r, "n")
			src.Put(off, disktest.Random(uint64(off), n))
		}
		target := disktest.NewMemFile("x.vmdk", nil)
		w, err := NewWriter(target, size, Options{Level: 1, Subformat: rapid.SampledFrom(subformats).Draw(r, "subformat")})
		if err != nil {
			r.Fatal(err)
		}
		if _, err := disk.Copy(t.Context(), w, src, disk.Options{Workers: 1}); err != nil {
			r.Fatal(err)
		}
		img, err := Open(t.Context(), target, disk.Env{})
		if err != nil {
			r.Fatal(err)
		}
		defer img.Close()
		if rounded := (size + 511) / 512 * 512; img.Size() != rounded {
			r.Fatalf("size %d, want %d", img.Size(), rounded)
		}
		for range 5 {
			off := rapid.Int64Range(0, size-1).Draw(r, "read off")
			n := rapid.Int64Range(1, size-off).Draw(r, "read n")
			got, want := make([]byte, n), make([]byte, n)
			if _, err := img.ReadAt(got, off); err != nil {
				r.Fatal(err)
			}
			if _, err := src.ReadAt(want, off); err != nil && err != io.EOF { //nolint:errorlint // ReadAt gives EOF itself
				r.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				r.Fatalf("content at %d differs", off)
			}
		}
	})
}
