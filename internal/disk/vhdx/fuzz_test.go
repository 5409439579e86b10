package vhdx

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"testing"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/disktest"
)

const (
	maxBase      = 40 << 20 // of a fixture that is changed
	dirtyFixture = "vhdx/qemu-iotest-dirtylog-10G-4M.vhdx.bz2"
)

// bases are the images that FuzzOpen changes: those of the tests here and the small ones of other products. A whole image has
// megabytes of nothing, which a fuzzer would spend its time on; it is given the changes instead.
func bases(f *testing.F) []disk.File {
	f.Helper()
	dirty, _, bat := dirtyDisk(f)
	dirty.putLog(255*4096, specEntry{sequence: 5, tail: 255 * 4096, writes: []specWrite{{off: specBATAt, sector: bat}, {off: specBATAt + 4096, n: 4096}}}.bytes())
	files := []disk.File{plainDisk().make(f), diffDisk().make(f), dirty}
	disktest.Seeds(f, maxBase, func(x disktest.Fixture) bool { return x.Name == "vhdx/dissect-fixed.vhdx.gz" || x.Name == dirtyFixture },
		func(b []byte) { files = append(files, disktest.NewMemFile("fixture.vhdx", b)) })
	return files
}

// script reads changes: 4 bytes offset, 1 byte length, the bytes. An offset counts in bytes up to 16 MiB.
func script(b []byte) []patchAt {
	var out []patchAt
	for len(b) > 5 {
		off, n := int64(binary.LittleEndian.Uint32(b)%(16*testMiB)), min(int(b[4]), len(b)-5)
		out = append(out, patchAt{off, b[5 : 5+n]})
		b = b[5+n:]
	}
	return out
}

// repaired makes the checksums of headers and region tables right again, so that what lies behind them is reached.
func repaired(f patched) patched {
	for _, part := range [][2]int64{{65536, 4096}, {131072, 4096}, {196608, 65536}, {262144, 65536}} {
		b := make([]byte, part[1])
		_, _ = f.ReadAt(b, part[0]) // past the end is zero
		copy(b[4:], []byte{0, 0, 0, 0})
		sum := binary.LittleEndian.AppendUint32(nil, crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
		f.patches = append(f.patches, patchAt{part[0] + 4, sum})
	}
	return f
}

// FuzzOpen changes images anywhere and holds what must be true of whatever opens: errors have a kind, the map has no gaps and
// agrees with the content, a part reads as it does within the whole, and every file is closed.
func FuzzOpen(f *testing.F) {
	files := bases(f)
	change := func(off uint32, b ...byte) []byte {
		return append(append(binary.LittleEndian.AppendUint32(nil, off), byte(len(b))), b...)
	}
	for i := range files {
		f.Add(uint8(i), true, []byte{})
		f.Add(uint8(i), true, change(65536+66, 2))
		f.Add(uint8(i), true, change(196608+24, 0, 0x10))
		f.Add(uint8(i), false, change(131072+66, 2))
		f.Add(uint8(i), true, append(change(specBATAt, 7, 0, 0x50), change(specMetadataAt+65536+40, 0, 0, 0x20)...))
	}
	f.Fuzz(func(t *testing.T, base uint8, fix bool, changes []byte) {
		file := patched{files[int(base)%len(files)], script(changes)}
		if fix {
			file = repaired(file)
		}
		depth := 0
		open, trace := disktest.TracingOpener(func(string) (disk.File, error) {
			if depth++; depth > 20 {
				return nil, disk.ErrLimit
			}
			return file, nil
		})
		defer trace.CheckClosed(t)
		img, err := Open(t.Context(), file, disktest.EnvOf(Open, formatName, open, nil))
		var any disk.Image = img
		if err == nil && img.layout.blocks >= 1<<20 {
			any = struct{ disk.Image }{img} // a check would take too long
		}
		disktest.CheckOpened(t, any, err)
	})
}

// FuzzLog puts anything into the log of a disk, with the checksum of its first entry made right, and holds that a replay has its
// patches in order, and that reading through it in one piece and in many is the same.
func FuzzLog(f *testing.F) {
	clean, _, bat := dirtyDisk(f)
	f.Add(specEntry{sequence: 1, writes: []specWrite{{off: specBATAt, sector: bat}, {off: 4096, n: 65536}, {off: 8192, sector: bat}}}.bytes())
	f.Add(append(specEntry{sequence: 7, writes: []specWrite{{off: 0, n: 8192}}}.bytes(), specEntry{sequence: 8}.bytes()...))
	disktest.Seeds(f, maxBase, func(x disktest.Fixture) bool { return x.Name == dirtyFixture }, func(b []byte) { f.Add(b[testMiB:][:16<<10]) })
	f.Fuzz(func(t *testing.T, b []byte) {
		b = bytes.Clone(b[:min(len(b), testMiB)])
		if len(b) > entryHeaderBytes {
			copy(b[32:], specGUID(textLog))
			if n := int(binary.LittleEndian.Uint32(b[8:])); n >= entryHeaderBytes && n <= len(b) {
				summed(b[:n])
			}
		}
		src := newSource(patched{clean, []patchAt{{clean.log, b}}})
		h, _, err := readHeaders(src)
		if err != nil {
			t.Fatal(err)
		}
		r, err := readLog(src, h)
		if err != nil {
			if !disktest.IsKind(err) || r != nil {
				t.Fatalf("%v and %v", r, err)
			}
			return
		}
		last := int64(-1)
		for _, p := range r.patches {
			if p.off < last || p.end <= p.off || p.data != nil && p.end-p.off > logSector || p.end > r.size {
				t.Fatalf("patch %d to %d after %d, size %d", p.off, p.end, last, r.size)
			}
			last = p.end
		}
		src.log, src.size = r, max(src.size, r.size)
		whole, parts := make([]byte, 3*testMiB), make([]byte, 3*testMiB)
		if err := src.readFull("test", whole, 0); err != nil {
			t.Fatal(err)
		}
		for at := 0; at < len(parts); at += 70_001 {
			if err := src.readFull("test", parts[at:min(at+70_001, len(parts))], int64(at)); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(whole, parts) {
			t.Fatal("in parts it reads differently")
		}
	})
}
