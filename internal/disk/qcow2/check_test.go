package qcow2

import (
	"encoding/binary"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/disktest"
)

// TestCheckFindsDamage breaks one field of a good image at a time.
func TestCheckFindsDamage(t *testing.T) {
	be := binary.BigEndian
	good := disktest.NewMemFile("good.qcow2", nil)
	src := disktest.NewMemImage(4<<20).Put(0, disktest.Random(1, 3*DefaultClusterSize)).Put(1<<20, disktest.Text(200_000))
	copyTo(t, good, src, Options{Compression: "zlib"})
	h, err := readHeader(good)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		damage func(b []byte, l2, block []byte)
		leaks  int64
		want   string
	}{
		{"sound", func(_, _, _ []byte) {}, 0, ""},
		{"counter too low", func(_, _, block []byte) { be.PutUint16(block, 0) }, 0, "host cluster 0: refcount 0, 1 references"},
		{"counter too high", func(_, _, block []byte) { be.PutUint16(block, 7) }, 1, ""},
		{"data over the header", func(_, l2, _ []byte) { be.PutUint64(l2, be.Uint64(l2)&^offsetMask|flagZero) }, 1, ""},
		{"two entries, one cluster", func(_, l2, _ []byte) { copy(l2[8:16], l2) }, 0, "references"},
		{"past the end", func(_, l2, _ []byte) { be.PutUint64(l2, 1<<40|flagCopied) }, 0, "past the end"},
		{"not at a cluster", func(_, l2, _ []byte) { be.PutUint64(l2, be.Uint64(l2)+512) }, 0, "does not point at a cluster"},
		{"data in the L1 table", func(_, l2, _ []byte) { be.PutUint64(l2, h.l1Offset|flagCopied) }, 0, "references"},
		{"no refcount block", func(b, _, _ []byte) { be.PutUint64(b[h.refTableOffset:], 0) }, 0, "refcount 0"},
		{"refcount block past the end", func(b, _, _ []byte) { be.PutUint64(b[h.refTableOffset:], 1<<40) }, 0, "past the end"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := good.Bytes()
			l2 := b[be.Uint64(b[h.l1Offset:])&offsetMask:]
			c.damage(b, l2, b[be.Uint64(b[h.refTableOffset:]):])
			img, err := Open(t.Context(), disktest.NewMemFile("bad.qcow2", b), disk.Env{})
			if err != nil {
				t.Fatal(err)
			}
			defer img.Close()
			res, err := img.Check(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			all := fmt.Sprint(res.Problems)
			if !strings.Contains(all, c.want) || res.Clean() != (c.want == "") || res.Clean() && res.Leaks != c.leaks {
				t.Errorf("want %q and %d leaks, found %d leaks and\n%s", c.want, c.leaks, res.Leaks, all)
			}
		})
	}
}

// TestCheckAgreesWithQemu compares counts of clusters with qemu's on an image that qemu made.
func TestCheckAgreesWithQemu(t *testing.T) {
	dir := t.TempDir()
	raw, out := filepath.Join(dir, "a.raw"), filepath.Join(dir, "a.qcow2")
	writeRaw(t, raw, mixed(20<<20, 4))
	disktest.QemuImg(t, "convert", "-c", "-f", "raw", "-O", "qcow2", raw, out)
	res := checkClean(t, out)
	said := disktest.QemuImg(t, "check", "--output=json", out)
	for key, n := range map[string]int64{`"total-clusters": `: res.Units, `"allocated-clusters": `: res.Stored, `"compressed-clusters": `: res.Compressed} {
		if _, rest, ok := strings.Cut(said, key); !ok || !strings.HasPrefix(rest, strconv.FormatInt(n, 10)+",") && !strings.HasPrefix(rest, strconv.FormatInt(n, 10)+"\n") {
			t.Errorf("%s%d here, qemu says\n%s", key, n, said)
		}
	}
}

func TestCounters(t *testing.T) {
	block := []byte{0b1110_0100, 0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde}
	for _, c := range []struct {
		order uint32
		i     int64
		want  uint64
	}{
		{0, 0, 0}, {0, 2, 1}, {0, 7, 1}, {1, 0, 0}, {1, 1, 1}, {1, 2, 2}, {1, 3, 3}, {2, 0, 4}, {2, 1, 14},
		{3, 1, 0x12}, {4, 1, 0x3456}, {5, 1, 0x789abcde}, {6, 0, 0xe4123456789abcde},
	} {
		if got := counter(block, c.i, c.order); got != c.want {
			t.Errorf("counter %d of order %d is %#x, want %#x", c.i, c.order, got, c.want)
		}
	}
}

func TestCompressedEntries(t *testing.T) {
	for _, bits := range []uint32{9, 12, 16, 21} {
		for _, off := range []int64{0, 511, 512, 65535, 1<<40 + 77} {
			for _, n := range []int64{1, 511, 512, 513, 1<<bits - 1} {
				at, got := compressedSpan(compressedEntry(off, n, bits), bits)
				if at != off || got < n || got >= n+disk.SectorSize {
					t.Errorf("%d bytes at %d, clusters of %d: read back as %d at %d", n, off, 1<<bits, got, at)
				}
			}
		}
	}
}
