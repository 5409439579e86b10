package vhdx

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/disktest"
)

// specEntry is a log entry, made from section 2.3.1 of the specification.
type specEntry struct {
	sequence, tail, flushed, last uint64
	guid                          string // "" is textLog
	writes                        []specWrite
	pad                           int // sectors that belong to the entry and hold nothing
}

// specWrite is a descriptor: n zeroes, or a sector.
type specWrite struct {
	off, n int64
	sector []byte // nil for zeroes
}

func (e specEntry) bytes() []byte {
	le := binary.LittleEndian
	descriptorSectors := 1
	if n := len(e.writes); n > 126 {
		descriptorSectors += (n - 126 + 127) / 128
	}
	b := make([]byte, descriptorSectors*4096)
	for i, w := range e.writes {
		d := b[64+32*i:]
		le.PutUint64(d[16:], uint64(w.off))
		le.PutUint64(d[24:], e.sequence)
		if w.sector == nil {
			copy(d, "zero")
			le.PutUint64(d[8:], uint64(w.n))
			continue
		}
		copy(d, "desc")
		copy(d[4:], w.sector[4092:])
		copy(d[8:16], w.sector[:8])
		s := bytes.Clone(w.sector)
		copy(s, "data")
		le.PutUint32(s[4:], uint32(e.sequence>>32))
		le.PutUint32(s[4092:], uint32(e.sequence))
		b = append(b, s...)
	}
	b = append(b, make([]byte, e.pad*4096)...)
	copy(b, "loge")
	le.PutUint32(b[8:], uint32(len(b)))
	le.PutUint32(b[12:], uint32(e.tail))
	le.PutUint64(b[16:], e.sequence)
	le.PutUint32(b[24:], uint32(len(e.writes)))
	guid := textLog
	if e.guid != "" {
		guid = e.guid
	}
	copy(b[32:], specGUID(guid))
	le.PutUint64(b[48:], e.flushed)
	le.PutUint64(b[56:], e.last)
	return summed(b)
}

// summed puts the checksum into an entry that was changed.
func summed(b []byte) []byte {
	copy(b[4:], []byte{0, 0, 0, 0})
	binary.LittleEndian.PutUint32(b[4:], crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
	return b
}

// putLog writes into the ring, around its end.
func (f *specFile) putLog(at int64, b []byte) {
	size := max(f.sum.logSize, testMiB)
	for i := 0; i < len(b); i += 4096 {
		f.put(f.log+(at+int64(i))%size, b[i:min(i+4096, len(b))])
	}
}

// dirtyDisk is a disk whose BAT knows nothing of its two blocks: that is in the log only. It returns the sector that the BAT should
// begin with.
func dirtyDisk(tb testing.TB) (f *specFile, want *disktest.MemImage, batSector []byte) {
	tb.Helper()
	s := &specImage{size: 5 * testMiB, blockSize: testMiB, logGUID: textLog, blocks: map[int64]specBlock{
		1: {state: 6, content: disktest.Random(1, testMiB)}, 3: {state: 6, content: disktest.Random(3, testMiB)},
	}}
	f = s.make(tb)
	batSector = f.get(specBATAt, 4096)
	f.put(specBATAt, make([]byte, 4096))
	return f, s.want(), batSector
}

func TestReplay(t *testing.T) {
	for _, c := range []struct {
		name string
		log  func(f *specFile, bat []byte)
	}{
		{"one entry", func(f *specFile, bat []byte) {
			f.putLog(0, specEntry{sequence: 1, writes: []specWrite{{off: specBATAt, sector: bat}}}.bytes())
		}},
		{"in the middle of the ring", func(f *specFile, bat []byte) {
			f.putLog(99*4096, specEntry{sequence: 1 << 40, tail: 99 * 4096, writes: []specWrite{{off: specBATAt, sector: bat}}}.bytes())
		}},
		{"around the end of the ring, inside an entry", func(f *specFile, bat []byte) {
			f.putLog(255*4096, specEntry{sequence: 5, tail: 255 * 4096, writes: []specWrite{{off: specBATAt, sector: bat}}}.bytes())
		}},
		{"around the end of the ring, between entries", func(f *specFile, bat []byte) {
			f.putLog(254*4096, specEntry{sequence: 5, tail: 254 * 4096, writes: []specWrite{{off: specBATAt, sector: bat}}}.bytes())
			f.putLog(0, specEntry{sequence: 6, tail: 254 * 4096}.bytes())
		}},
		{"the newest write wins", func(f *specFile, bat []byte) {
			junk := disktest.Random(9, 4096)
			f.putLog(0, specEntry{sequence: 1, writes: []specWrite{{off: specBATAt, sector: junk}, {off: specBATAt, n: 1 << 20}}}.bytes())
			f.putLog(2*4096, specEntry{sequence: 2, writes: []specWrite{{off: specBATAt, sector: bat}}}.bytes())
		}},
		{"what is before the tail is not replayed", func(f *specFile, bat []byte) {
			f.put(specBATAt, bat)
			f.putLog(0, specEntry{sequence: 1, writes: []specWrite{{off: specBATAt, n: 4096}}}.bytes())
			f.putLog(4096, specEntry{sequence: 2, tail: 4096, writes: []specWrite{{off: specBATAt + 4096, n: 4096}}}.bytes())
		}},
		{"the newest sequence wins", func(f *specFile, bat []byte) {
			f.putLog(0, specEntry{sequence: 8, writes: []specWrite{{off: specBATAt, n: 4096}}}.bytes())
			f.putLog(40960, specEntry{sequence: 12, tail: 40960, writes: []specWrite{{off: specBATAt, sector: bat}}}.bytes())
			f.putLog(81920, specEntry{sequence: 10, tail: 81920, writes: []specWrite{{off: specBATAt, n: 4096}}}.bytes())
		}},
		{"an entry after a gap does not belong", func(f *specFile, bat []byte) {
			f.putLog(0, specEntry{sequence: 20, writes: []specWrite{{off: specBATAt, sector: bat}}}.bytes())
			f.putLog(8192, specEntry{sequence: 22, writes: []specWrite{{off: specBATAt, n: 4096}}}.bytes()) // its tail is not in its sequence
		}},
		{"a torn newest entry", func(f *specFile, bat []byte) {
			f.putLog(0, specEntry{sequence: 1, writes: []specWrite{{off: specBATAt, sector: bat}}}.bytes())
			torn := specEntry{sequence: 2, writes: []specWrite{{off: specBATAt, n: 4096}, {off: specBATAt, sector: make([]byte, 4096)}}}.bytes()
			f.putLog(8192, torn[:4096])
		}},
		{"remains with another GUID", func(f *specFile, bat []byte) {
			f.putLog(0, specEntry{sequence: 1, writes: []specWrite{{off: specBATAt, sector: bat}}}.bytes())
			f.putLog(8192, specEntry{sequence: 2, guid: textOther, writes: []specWrite{{off: specBATAt, n: 4096}}}.bytes())
		}},
		{"padding", func(f *specFile, bat []byte) {
			f.putLog(0, specEntry{sequence: 1, pad: 14, writes: []specWrite{{off: specBATAt, sector: bat}}}.bytes())
			f.putLog(65536, specEntry{sequence: 2}.bytes())
		}},
		{"more descriptors than a sector holds", func(f *specFile, bat []byte) {
			var w []specWrite
			for i := range int64(253) {
				w = append(w, specWrite{off: 100<<20 + i*4096, n: 4096})
			}
			f.putLog(0, specEntry{sequence: 1, writes: append(append(w, specWrite{off: specBATAt, sector: bat}), w...)}.bytes())
		}},
		{"zeroes around a sector", func(f *specFile, bat []byte) {
			f.put(specBATAt, disktest.Random(5, 65536))
			f.putLog(0, specEntry{sequence: 1, writes: []specWrite{{off: specBATAt, n: 65536}, {off: specBATAt, sector: bat}}}.bytes())
		}},
		{"the region tables", func(f *specFile, bat []byte) {
			table := f.get(3*65536, 65536)
			f.put(3*65536, disktest.Random(6, 131072))
			e := specEntry{sequence: 1, writes: []specWrite{{off: specBATAt, sector: bat}}}
			for i := range int64(16) {
				e.writes = append(e.writes, specWrite{off: 3*65536 + i*4096, sector: table[i*4096:][:4096]})
			}
			f.putLog(0, e.bytes())
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, want, bat := dirtyDisk(t)
			c.log(f, bat)
			before := f.Bytes()
			img := mustOpen(t, f, nil)
			if !bytes.Equal(disktest.ReadAll(t, img), disktest.ReadAll(t, want)) {
				t.Error("content differs")
			}
			if !bytes.Equal(f.Bytes(), before) {
				t.Error("the file was changed")
			}
			if notes := img.Describe()[0].Notes; len(notes) != 1 || !strings.Contains(notes[0], "replayed in memory") {
				t.Errorf("notes are %q", notes)
			}
		})
	}
}

// TestEmptyLogIsNotReplayed has entries in a log that the header says is empty.
func TestEmptyLogIsNotReplayed(t *testing.T) {
	s := plainDisk()
	f := s.make(t)
	f.putLog(0, specEntry{sequence: 1, guid: "00000000-0000-0000-0000-000000000000", writes: []specWrite{{off: specBATAt, n: 4096}}}.bytes())
	f.both(false, 64, []byte{9, 0}) // the version of a log that is not there
	if !bytes.Equal(disktest.ReadAll(t, mustOpen(t, f, nil)), disktest.ReadAll(t, s.want())) {
		t.Error("content differs")
	}
}

// TestReplayLetsTheFileGrow has a block that the file was not extended for any more.
func TestReplayLetsTheFileGrow(t *testing.T) {
	f, want, bat := dirtyDisk(t)
	at := f.end
	binary.LittleEndian.PutUint64(bat, uint64(at/testMiB)<<20|6)
	f.putLog(0, specEntry{sequence: 1, flushed: uint64(at), last: uint64(at) + testMiB, writes: []specWrite{{off: specBATAt, sector: bat}}}.bytes())
	img := mustOpen(t, f, nil)
	if !bytes.Equal(disktest.ReadAll(t, img), disktest.ReadAll(t, want)) {
		t.Error("content differs")
	}
	if e, err := img.Extent(t.Context(), 0); err != nil || e.Kind != disk.Data {
		t.Errorf("the block is %+v, %v", e, err)
	}
	f, _, _ = dirtyDisk(t)
	f.putLog(0, specEntry{sequence: 1, flushed: uint64(at), last: uint64(at), writes: []specWrite{{off: specBATAt, sector: bat}}}.bytes())
	_, err := mustOpen(t, f, nil).ReadAt(make([]byte, 1), 0)
	disktest.CheckError(t, err, disk.ErrTruncated, "block 0")
}

func TestLogRefused(t *testing.T) {
	entry := func(change func(e *specEntry)) []byte {
		e := specEntry{sequence: 1<<33 + 7, writes: []specWrite{{off: specBATAt, n: 8192}, {off: specBATAt, sector: make([]byte, 4096)}}}
		change(&e)
		return e.bytes()
	}
	spoil := func(at int, v byte) func(f *specFile) {
		return func(f *specFile) {
			b := entry(func(*specEntry) {})
			b[at] ^= v
			f.putLog(0, summed(b))
		}
	}
	for _, c := range []struct {
		name  string
		log   func(f *specFile)
		kind  error
		words []string
	}{
		{"sound", func(f *specFile) { f.putLog(0, entry(func(*specEntry) {})) }, nil, nil},
		{"nothing", func(*specFile) {}, disk.ErrCorrupt, []string{"at 0x300000", textLog, "no complete sequence"}},
		{"wrong checksum", func(f *specFile) { b := entry(func(*specEntry) {}); b[70] ^= 1; f.putLog(0, b) }, disk.ErrCorrupt, nil},
		{"wrong GUID", func(f *specFile) { f.putLog(0, entry(func(e *specEntry) { e.guid = textOther })) }, disk.ErrCorrupt, nil},
		{"sequence number 0", func(f *specFile) { f.putLog(0, entry(func(e *specEntry) { e.sequence = 0 })) }, disk.ErrCorrupt, nil},
		{"tail elsewhere", func(f *specFile) { f.putLog(0, entry(func(e *specEntry) { e.tail = 8192 })) }, disk.ErrCorrupt, nil},
		{"tail not at a sector", func(f *specFile) { f.putLog(0, entry(func(e *specEntry) { e.tail = 1 })) }, disk.ErrCorrupt, nil},
		{"tail outside", func(f *specFile) { f.putLog(0, entry(func(e *specEntry) { e.tail = testMiB })) }, disk.ErrCorrupt, nil},
		{"write not at a sector", func(f *specFile) { f.putLog(0, entry(func(e *specEntry) { e.writes[0].off++ })) }, disk.ErrCorrupt, nil},
		{"write far away", func(f *specFile) { f.putLog(0, entry(func(e *specEntry) { e.writes[1].off = 1 << 60 })) }, disk.ErrCorrupt, nil},
		{"zeroes without end", func(f *specFile) { f.putLog(0, entry(func(e *specEntry) { e.writes[0].n = -4096 })) }, disk.ErrCorrupt, nil},
		{"length 0", spoil(9, 0x20), disk.ErrCorrupt, nil},
		{"length not of sectors", spoil(8, 1), disk.ErrCorrupt, nil},
		{"more descriptors than fit", spoil(27, 0x80), disk.ErrCorrupt, nil},
		{"descriptor of another kind", spoil(64, 1), disk.ErrCorrupt, nil},
		{"descriptor of another entry", spoil(64+24, 1), disk.ErrCorrupt, nil},
		{"sector of another kind", spoil(4096, 1), disk.ErrCorrupt, nil},
		{"sector of another entry, high half", spoil(4096+4, 1), disk.ErrCorrupt, nil},
		{"sector of another entry, low half", spoil(8191, 1), disk.ErrCorrupt, nil},
		{"file was larger", func(f *specFile) {
			f.putLog(0, entry(func(e *specEntry) { e.flushed = uint64(f.end) + testMiB }))
		}, disk.ErrTruncated, []string{"at 0x300000", "7340032", "6291456"}},
		{"version of the log", func(f *specFile) { f.both(false, 64, []byte{1, 0}) }, disk.ErrUnsupported, []string{"version of the log is 1"}},
		{"log past the end", func(f *specFile) { f.both(false, 74, []byte{0xf0, 0}) }, disk.ErrTruncated, []string{"at 0xf00000"}},
		{"log in the header section", func(f *specFile) { f.both(false, 74, []byte{0, 0}) }, disk.ErrCorrupt, nil},
		{"log of no bytes", func(f *specFile) { f.both(false, 70, []byte{0}) }, disk.ErrCorrupt, nil},
		{"log too large", func(f *specFile) { f.both(false, 70, []byte{0x10, 0x40}) }, disk.ErrLimit, []string{"at 0x300000", "67108864"}},
		{"log not at a MiB", func(f *specFile) { f.both(false, 72, []byte{0, 0x10}) }, disk.ErrCorrupt, []string{"1 MiB"}},
		{"entries in each other", func(f *specFile) {
			for i := range int64(256) {
				b := entry(func(*specEntry) {})[:4096]
				binary.LittleEndian.PutUint32(b[8:], testMiB)
				f.putLog(i*4096, b)
			}
		}, disk.ErrCorrupt, []string{"at 0x300000", "in each other"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, _, _ := dirtyDisk(t)
			c.log(f)
			_, err := openIn(t, f, nil)
			if c.kind == nil {
				if err != nil {
					t.Error(err)
				}
				return
			}
			disktest.CheckError(t, err, c.kind, c.words...)
		})
	}
}

// TestReplayOfAnyHistory lets a writer use a small ring for a long time, as the specification tells it to, and lose power. What
// must be replayed is known from the history.
func TestReplayOfAnyHistory(t *testing.T) {
	const (
		sectors  = 256 // of the ring
		areaAt   = 64 * testMiB
		areaSize = 16 * 4096
	)
	s := &specImage{size: testMiB, blockSize: testMiB, logGUID: textLog}
	clean := s.make(t)
	base := disktest.Random(77, areaSize)
	rapid.Check(t, func(t *rapid.T) {
		log := make(ring, sectors*4096)
		put := func(at int64, b []byte) {
			for i := range b {
				log[(at+int64(i))%int64(len(log))] = b[i]
			}
		}
		type live struct {
			at, sectors int64
			e           specEntry
		}
		var kept []live // from the tail of the last entry on
		at, sequence := rapid.Int64Range(0, sectors-1).Draw(t, "start"), rapid.Uint64Range(1, 1<<40).Draw(t, "sequence")
		steps := rapid.IntRange(1, 80).Draw(t, "entries")
		torn := rapid.Bool().Draw(t, "torn")
		for step := range steps {
			var used int64
			for _, l := range kept {
				used += l.sectors
			}
			e := specEntry{sequence: sequence, last: areaAt + areaSize + testMiB}
			drop := 0 // entries that are in their places
			if sectors-used < 24 {
				drop = len(kept)
			} else {
				drop = rapid.IntRange(0, len(kept)).Draw(t, "drop")
				for range rapid.IntRange(0, 8).Draw(t, "writes") {
					w := specWrite{off: areaAt + 4096*rapid.Int64Range(0, 15).Draw(t, "at")}
					if rapid.Bool().Draw(t, "zero") {
						w.n = 4096 * rapid.Int64Range(0, (areaAt+areaSize-w.off)/4096).Draw(t, "n")
					} else {
						w.sector = disktest.Random(sequence*100+uint64(len(e.writes)), 4096)
					}
					e.writes = append(e.writes, w)
				}
				e.pad = rapid.IntRange(0, 2).Draw(t, "pad")
			}
			next := append(kept[drop:len(kept):len(kept)], live{at: at})
			e.tail = uint64(next[0].at * 4096)
			b := e.bytes()
			n := int64(len(b) / 4096)
			if torn && step == steps-1 && step > 0 {
				b = b[:len(b)-4096*rapid.IntRange(0, int(n)-1).Draw(t, "lost")]
				b[rapid.IntRange(0, len(b)-1).Draw(t, "spoiled")] ^= 0x40
				put(at*4096, b)
				break
			}
			put(at*4096, b)
			next[len(next)-1] = live{at: at, sectors: n, e: e}
			kept, at, sequence = next, (at+n)%sectors, sequence+1
		}
		want := bytes.Clone(base)
		for _, l := range kept {
			for _, w := range l.e.writes {
				from := w.off - areaAt
				if w.sector == nil {
					clear(want[from : from+w.n])
				} else {
					copy(want[from:], w.sector)
				}
			}
		}
		src := newSource(patched{clean, []patchAt{{clean.log, log}, {areaAt, base}}})
		h, _, err := readHeaders(src)
		if err != nil {
			t.Fatal(err)
		}
		if src.log, err = readLog(src, h); err != nil {
			t.Fatal(err)
		}
		if src.log.entries != len(kept) {
			t.Fatalf("%d entries, want %d", src.log.entries, len(kept))
		}
		got := make([]byte, areaSize)
		off := rapid.Int64Range(0, areaSize-1).Draw(t, "off")
		if err := src.readFull("test", got[off:], areaAt+off); err != nil || !bytes.Equal(got[off:], want[off:]) {
			t.Fatalf("the area differs, %v", err)
		}
	})
}
