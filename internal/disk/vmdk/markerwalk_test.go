package vmdk

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/disktest"
)

// threeTables is a stream of five grains in three grain tables, and its content.
func threeTables(tb testing.TB) (b, content []byte) {
	tb.Helper()
	const span = 32 << 20
	src := disktest.NewMemImage(2*span+3*testGrain+512).Put(0, disktest.Text(2*testGrain)).Put(span+7*testGrain, disktest.Random(1, testGrain)).
		Put(2*span, disktest.Text(testGrain)).Put(2*span+3*testGrain, []byte("end"))
	return written(tb, src, Options{Level: 1}).Bytes(), disktest.ReadAll(tb, src)
}

// TestDamagedEnd damages what stands behind the grains of a stream.
func TestDamagedEnd(t *testing.T) {
	whole, content := threeTables(t)
	s := walk(t, whole)
	footer, gd, firstTable := len(whole)-1024, int(s.gd)*512, int(s.table[0])*512
	fill := func(b []byte, v byte, at, n int) {
		for i := range n {
			b[at+i] = v
		}
	}
	for _, c := range []struct {
		name   string
		edit   func(b []byte) []byte
		kept   int // tables that are kept in memory
		kind   error
		reason string
	}{
		{name: "footer", edit: func(b []byte) []byte { fill(b, 0x55, footer, 512); return b }},
		{name: "footer's flags", edit: func(b []byte) []byte { b[footer+8] |= 0x40; fill(b, 0xff, footer+20, 8); return b }},
		{name: "footer and its marker are zero", edit: func(b []byte) []byte { fill(b, 0, footer-512, 1024); return b }},
		{name: "directory", edit: func(b []byte) []byte { fill(b, 0xee, gd, 512); return b }},
		{name: "directory, behind padding", edit: func(b []byte) []byte { fill(b, 0xee, gd, 512); return append(b, make([]byte, 10240)...) }},
		{name: "directory, before an upload's end", edit: func(b []byte) []byte { fill(b, 0xee, gd, 512); return append(b, "\r\n--part--\r\n"...) }},
		{name: "place of the directory", edit: func(b []byte) []byte { fill(b, 0x11, footer+56, 8); return b }},
		{name: "directory and a table", edit: func(b []byte) []byte { fill(b, 0xee, gd, 512); fill(b, 0xee, firstTable, 100); return b }, kept: 1},
		{name: "directory and all tables", edit: func(b []byte) []byte {
			fill(b, 0xee, gd, 512)
			for _, at := range s.table {
				b[at*512+2044] ^= 1
				b[at*512] ^= 1
			}
			return b
		}, kept: 3},
		{name: "directory, and no end marker", edit: func(b []byte) []byte { fill(b, 0xee, gd, 512); return b[:len(b)-512] }, kind: disk.ErrTruncated, reason: "no footer"},
		{name: "no end", edit: func(b []byte) []byte { return b[:gd] }, kind: disk.ErrTruncated, reason: "no footer"},
		{name: "half", edit: func(b []byte) []byte { return b[:len(b)/2] }, kind: disk.ErrTruncated, reason: "no footer"},
		{name: "directory, and a hole over the grains", edit: func(b []byte) []byte {
			fill(b, 0xee, gd, 512)
			fill(b, 0, int(s.grain[128])*512, 512)
			return b
		}, kind: disk.ErrTruncated, reason: "read grain directory"},
		{name: "directory, and a marker", edit: func(b []byte) []byte { fill(b, 0xee, gd, 512); b[firstTable-512+12] = 9; return b }, kind: disk.ErrTruncated, reason: "read grain directory"},
		{name: "directory, and what follows a marker", edit: func(b []byte) []byte { fill(b, 0xee, gd, 512); b[firstTable-512+5] = 1; return b }, kind: disk.ErrTruncated,
			reason: "read grain directory"},
		{name: "directory, and a grain's number", edit: func(b []byte) []byte { fill(b, 0xee, gd, 512); b[int(s.grain[128])*512]++; return b }, kind: disk.ErrTruncated,
			reason: "read grain directory"},
		{name: "directory, and a grain for the second time", edit: func(b []byte) []byte {
			fill(b, 0xee, gd, 512)
			fill(b, 0, int(s.grain[128])*512, 8)
			return b
		}, kind: disk.ErrTruncated, reason: "read grain directory"},
		{name: "directory, and a grain of a table before", edit: func(b []byte) []byte {
			fill(b, 0xee, gd, 512)
			binary.LittleEndian.PutUint64(b[s.grain[2*65536+384]*512:], 5*128)
			return b
		}, kind: disk.ErrTruncated, reason: "read grain directory"},
	} {
		t.Run(c.name, func(t *testing.T) {
			img, err := openIn(t, folder{"x.vmdk": c.edit(slices.Clone(whole))}, "x.vmdk")
			if c.kind != nil {
				disktest.CheckError(t, err, c.kind, "x.vmdk", c.reason)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(disktest.ReadAll(t, img), content) {
				t.Error("content differs")
			}
			if x := img.spans[0].content.(*sparse); len(x.rebuilt) != c.kept {
				t.Errorf("%d tables are kept in memory, want %d", len(x.rebuilt), c.kept)
			}
			if notes := img.Describe()[0].Notes; len(notes) != 1 || !strings.Contains(notes[0], "made anew from the markers") {
				t.Errorf("notes %q", notes)
			}
			found, err := img.Check(t.Context())
			if err != nil || len(found.Problems) != 1 || found.Stored != 5 || found.Compressed != 5 {
				t.Errorf("check found %+v, %v", found, err)
			}
			if c.kept == 0 {
				return
			}
			disktest.TestImage(t, func(tb testing.TB) disk.Image {
				tb.Helper()
				img, err := openIn(tb, folder{"x.vmdk": c.edit(slices.Clone(whole))}, "x.vmdk")
				if err != nil {
					tb.Fatal(err)
				}
				return img
			}, bytes.NewReader(content), int64(len(content)))
		})
	}
}

// TestDamagedEndOfLargeDisk holds that the lost directory's place is no longer kept free of grains: here its size would cover
// the first of them.
func TestDamagedEndOfLargeDisk(t *testing.T) {
	const size = 2 << 40
	b := written(t, disktest.NewMemImage(size).Put(0, disktest.Text(testGrain)).Put(size-5, []byte("right")), Options{}).Bytes()
	clear(b[len(b)-1024 : len(b)-512])
	img, err := openIn(t, folder{"x.vmdk": b}, "x.vmdk")
	if err != nil {
		t.Fatal(err)
	}
	got := make([]byte, testGrain)
	if _, err := img.ReadAt(got, 0); err != nil || !bytes.Equal(got, disktest.Text(testGrain)) {
		t.Errorf("the first grain differs: %v", err)
	}
	if _, err := img.ReadAt(got[:5], size-5); err != nil || string(got[:5]) != "right" {
		t.Errorf("the last grain has %q: %v", got[:5], err)
	}
}

// TestCutStreamIsNotWalked holds that a file which is still being copied costs a few reads, however long it is.
func TestCutStreamIsNotWalked(t *testing.T) {
	src := disktest.NewMemImage(64<<20).Put(0, disktest.Text(64<<20))
	b := written(t, src, Options{Level: 1}).Bytes()
	f := &disktest.FailingFile{File: disktest.NewMemFile("x.vmdk", b[:len(b)-8192&^511])}
	_, err := Open(t.Context(), f, disk.Env{})
	disktest.CheckError(t, err, disk.ErrTruncated, "no footer")
	if f.Reads() > 8 {
		t.Errorf("%d reads", f.Reads())
	}
}

// TestWalkIsCancelled ends a walk by its context.
func TestWalkIsCancelled(t *testing.T) {
	b, _ := threeTables(t)
	x, err := readHosted(disktest.NewMemFile("x.vmdk", b))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := x.rebuild(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// TestWalkOfFixtures makes the directories of whole streams anew: they must be those in the file.
func TestWalkOfFixtures(t *testing.T) {
	walked := 0
	for _, x := range disktest.FixturesOf(t, "vmdk") {
		if x.Expect != "ok" {
			continue
		}
		f := x.Open(t)
		s, err := readHosted(f)
		if err != nil || !s.streamed || s.damage != nil {
			f.Close()
			continue
		}
		checkWalk(t, x.Name, s)
		walked++
		f.Close()
	}
	for _, ova := range ovftoolAppliances {
		s, err := readHosted(member(t, ova))
		if err != nil {
			t.Fatal(err)
		}
		checkWalk(t, ova, s)
		walked++
	}
	if walked < 5 {
		t.Errorf("only %d streams of other products were walked", walked)
	}
}

func checkWalk(t *testing.T, name string, s *sparse) {
	t.Helper()
	want, err := s.readDirectory(t.Context(), s.head.directory)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if err := s.rebuild(t.Context()); err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	if !slices.Equal(s.directory, want) || len(s.rebuilt) > 0 {
		t.Errorf("%s: the directory differs, or %d tables were not found", name, len(s.rebuilt))
	}
}

// TestAnyDamagedEnd damages the end of any stream anywhere: it reads as it did, or not at all, and never differently.
func TestAnyDamagedEnd(t *testing.T) {
	whole, content := threeTables(t)
	end := int(walk(t, whole).gd)*512 - 512
	rapid.Check(t, func(r *rapid.T) {
		b := slices.Clone(whole)
		for range rapid.IntRange(1, 3).Draw(r, "places") {
			at := rapid.IntRange(end, len(b)-1).Draw(r, "at")
			for i := range rapid.IntRange(1, 600).Draw(r, "length") {
				if at+i < len(b) {
					b[at+i] = 0xa7
				}
			}
		}
		img, err := Open(t.Context(), disktest.NewMemFile("x.vmdk", b), disk.Env{})
		if err != nil {
			if !disktest.IsKind(err) {
				r.Fatalf("error %v is of no kind", err)
			}
			return
		}
		defer img.Close()
		for _, at := range [][2]int{{0, 3 * testGrain}, {32<<20 + 6*testGrain, 3 * testGrain}, {64 << 20, len(content) - 64<<20}} {
			got := make([]byte, at[1])
			if _, err := img.ReadAt(got, int64(at[0])); err == nil && !bytes.Equal(got, content[at[0]:at[0]+at[1]]) {
				r.Fatalf("content at %d differs without an error", at[0])
			}
		}
	})
}
