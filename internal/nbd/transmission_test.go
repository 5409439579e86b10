package nbd

import (
	"encoding/binary"
	"math"
	"slices"
	"testing"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/disktest"
)

// connect goes to the transmission with structured replies and the metadata context.
func connect(tb testing.TB, l *Listener) client {
	tb.Helper()
	c := dial(tb, l, 3)
	c.option(optStructuredReply, nil)
	c.option(optSetMetaContext, pack(uint32(0), uint32(1), uint32(len(contextAllocation)), contextAllocation))
	c.begin()
	return c
}

// TestRequestsThatAreRefused leaves the connection in order after each.
func TestRequestsThatAreRefused(t *testing.T) {
	const size = 1 << 20
	for _, c := range []struct {
		name   string
		flags  uint16
		cmd    command
		off    uint64
		length uint32
		data   int
		want   errno
	}{
		{"write", 0, cmdWrite, 0, 4096, 4096, errPerm},
		{"empty write", 0, cmdWrite, 0, 0, 0, errPerm},
		{"trim", 0, cmdTrim, 0, 4096, 0, errPerm},
		{"write zeroes", 0, cmdWriteZeroes, 0, math.MaxUint32, 0, errPerm},
		{"resize", 0, cmdResize, 0, 0, 0, errPerm},
		{"cache", 0, 5, 0, 512, 0, errInval},
		{"no such command", 0, 99, 0, 0, 0, errInval},
		{"read past the end", 0, cmdRead, size - 1, 2, 0, errInval},
		{"read at the end", 0, cmdRead, size, 1, 0, errInval},
		{"read with an offset that overflows", 0, cmdRead, math.MaxUint64, 2, 0, errInval},
		{"read with a negative offset", 0, cmdRead, 1 << 63, 512, 0, errInval},
		{"read with flags", 4, cmdRead, 0, 512, 0, errInval},
		{"read of everything", 0, cmdRead, 0, math.MaxUint32, 0, errInval},
		{"status past the end", 0, cmdBlockStatus, size - 512, 1024, 0, errInval},
		{"status of nothing", 0, cmdBlockStatus, 0, 0, 0, errInval},
		{"status with flags", 1, cmdBlockStatus, 0, 512, 0, errInval},
	} {
		for _, structured := range []bool{false, true} {
			t.Run(c.name, func(t *testing.T) {
				s, l := start(t, disktest.NewMemImage(size).Put(0, disktest.Random(1, 512)))
				k := dial(t, l, 3)
				if structured {
					k.option(optStructuredReply, nil)
					k.option(optSetMetaContext, pack(uint32(0), uint32(1), uint32(len(contextAllocation)), contextAllocation))
				}
				k.begin()
				k.request(c.flags, c.cmd, 5, c.off, c.length)
				k.put(make([]byte, c.data))
				if structured && (c.cmd == cmdRead || c.cmd == cmdBlockStatus) {
					flags, kind, payload := k.chunk(5)
					if flags != chunkDone || kind != chunkError || binary.BigEndian.Uint32(payload) != uint32(c.want) {
						t.Errorf("flags %d, type %d, %x", flags, kind, payload)
					}
					if int(binary.BigEndian.Uint16(payload[4:])) != len(payload)-6 {
						t.Errorf("the text's length is wrong: %x", payload)
					}
				} else if e := k.answer(5); e != c.want {
					t.Errorf("error %d, want %d", e, c.want)
				}
				k.request(0, cmdFlush, 6, 0, 0)
				if e := k.answer(6); e != 0 {
					t.Errorf("after it: error %d", e)
				}
				if err := s.Err(); err != nil {
					t.Errorf("counted as the image's error: %v", err)
				}
			})
		}
	}
}

func TestRequestsThatEndTheConnection(t *testing.T) {
	for name, b := range map[string][]byte{
		"a wrong magic":  pack(uint32(magicRequest+1), uint16(0), uint16(0), uint64(0), uint64(0), uint32(512)),
		"a write of GiB": pack(uint32(magicRequest), uint16(0), uint16(cmdWrite), uint64(0), uint64(0), uint32(maxRequest+1)),
	} {
		t.Run(name, func(t *testing.T) {
			_, l := start(t, disk.EmptyImage(1<<20))
			c := connect(t, l)
			c.put(b)
			c.gone()
		})
	}
}

// TestChunksOfARead reads over data, zeroes and a hole at odd offsets.
func TestChunksOfARead(t *testing.T) {
	img := mixed(5 << 20)
	_, l := start(t, img)
	c := connect(t, l)
	const off, length = 69001, 1<<20 + 300<<10
	c.request(0, cmdRead, 9, off, length)
	var holes int
	for at := int64(off); ; {
		flags, kind, p := c.chunk(9)
		if got := int64(binary.BigEndian.Uint64(p)); got != at {
			t.Fatalf("a chunk at %d, want %d", got, at)
		}
		n := int64(len(p) - 8)
		want := make([]byte, n)
		if kind == chunkOffsetHole {
			holes++
			n = int64(binary.BigEndian.Uint32(p[8:]))
			want, p = make([]byte, n), make([]byte, 8+n)
		}
		if _, err := img.ReadAt(want, at); err != nil || string(want) != string(p[8:]) {
			t.Fatalf("content at %d differs (%v)", at, err)
		}
		at += n
		if (flags == chunkDone) != (at == off+length) {
			t.Fatalf("flags %d at %d", flags, at)
		}
		if flags == chunkDone {
			break
		}
	}
	if holes != 2 {
		t.Errorf("%d holes, want that after the first data and the zeroes", holes)
	}
	c.request(0, cmdRead, 10, 5<<20, 0)
	if flags, kind, p := c.chunk(10); flags != chunkDone || kind != chunkNone || len(p) != 0 {
		t.Errorf("a read of nothing: %d %d %x", flags, kind, p)
	}
}

func TestBlockStatus(t *testing.T) {
	img := disktest.NewMemImage(8<<20 + 100)
	img.Put(1000, disktest.Random(1, 24)) // sector 1 alone, and not all of it
	img.Zero(4096, 4096)
	img.Zero(8192+100, 200) // less than a sector: counts as data
	_, l := start(t, img)
	c := connect(t, l)
	status := func(flags uint16, off uint64, length uint32) []uint32 {
		t.Helper()
		c.request(flags, cmdBlockStatus, 3, off, length)
		f, kind, p := c.chunk(3)
		if f != chunkDone || kind != chunkBlockStatus || binary.BigEndian.Uint32(p) != contextID {
			t.Fatalf("%d %d %x", f, kind, p)
		}
		var all []uint32
		for p = p[4:]; len(p) > 0; p = p[4:] {
			all = append(all, binary.BigEndian.Uint32(p))
		}
		return all
	}
	for _, c := range []struct {
		flags  uint16
		off    uint64
		length uint32
		want   []uint32
	}{
		{0, 0, 8 << 20, []uint32{512, 3, 512, 0, 3072, 3, 4096, 2, 512, 0, 8<<20 - 8704, 3}},
		{cmdFlagReqOne, 0, 8 << 20, []uint32{512, 3}},
		{cmdFlagReqOne, 4096, 512, []uint32{512, 2}},
		{0, 8 << 20, 512, []uint32{512, 0}}, // where the disk ends inside a sector; read, it is a hole
		{0, 600, 100, []uint32{100, 0}},
	} {
		if got := status(c.flags, c.off, c.length); !slices.Equal(got, c.want) {
			t.Errorf("status of %d bytes at %d: got %d, want %d", c.length, c.off, got, c.want)
		}
	}
}

// TestFragmentedImage reads and maps a disk on which every other sector is a hole.
func TestFragmentedImage(t *testing.T) {
	img := disktest.NewMemImage(4 << 20)
	for off := int64(0); off < 4<<20; off += 1024 {
		img.Put(off, []byte{1})
	}
	_, l := start(t, img)
	raw := writeRaw(t, img)
	mustQemu(t, "qemu-img", "compare", "-f", "raw", "-F", "raw", raw, l.URI())
	checkQemuMap(t, l, img, 4<<20)
}
