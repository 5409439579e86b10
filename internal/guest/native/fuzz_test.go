package native

import (
	"bytes"
	"context"
	"encoding/json"
	"testing"

	"pgregory.net/rapid"

	"hyper2kvm/internal/guest"
)

// checkFacts holds what must be true of the facts of any content.
func checkFacts(t interface{ Fatalf(string, ...any) }, f guest.Facts, size int64) {
	if f.BootDisk < -1 || f.BootDisk >= len(f.Disks) || (f.BootDisk >= 0) != (f.Firmware != "") || (f.Firmware != "") != (f.Why != "") {
		t.Fatalf("boot disk %d, firmware %q, why %q", f.BootDisk, f.Firmware, f.Why)
	}
	for _, d := range f.Disks {
		if len(d.Partitions) > MaxPartitions || len(d.Warnings) > MaxWarnings {
			t.Fatalf("%d partitions, %d warnings", len(d.Partitions), len(d.Warnings))
		}
		for _, p := range d.Partitions {
			if p.Start < 0 || p.Size <= 0 || p.Start+p.Size < p.Start || (p.Start+p.Size > size && !d.PastEnd) {
				t.Fatalf("partition %+v of %d bytes", p, size)
			}
			if p.Filesystem != nil && (p.Filesystem.Size < 0 || p.Filesystem.Type == "") {
				t.Fatalf("file system %+v", p.Filesystem)
			}
		}
		if d.PastEnd != (d.NeedBytes > size) {
			t.Fatalf("past end %v, needs %d of %d bytes", d.PastEnd, d.NeedBytes, size)
		}
		if d.Table == "" || (d.Table == tableEmpty) != (d.BlankReason != "") || (d.Table == tableNone) != (d.Filesystem != nil && d.Table != tableMBR) {
			t.Fatalf("%+v", d)
		}
	}
	if b, err := json.Marshal(f); err != nil || bytes.ContainsAny(b, "\x1b\x00") {
		t.Fatalf("facts as JSON: %q %v", b, err)
	}
}

// TestSpoiledTables changes random bytes of the tables of a good disk.
func TestSpoiledTables(t *testing.T) {
	good := newImage(2*mib).gpt(512, 2*mib, "GRUB", part{gptESP, 64, 500, "boot"}, part{"0fc63daf-8483-4772-8e79-3d69d8477de4", 1024, 2047, ""}).
		put(64*512, fat32(437)).put(512<<10, xfsBlock(128)).bytesOf()
	logical := newImage(2*mib).put(0, mbr("x", entry{0x80, 0x83, 64, 64}, entry{0, 5, 128, 1024})).
		put(128*512, mbr("", entry{0, 0x82, 8, 50}, entry{0, 5, 64, 64})).put(192*512, mbr("", entry{0x80, 0x83, 8, 50})).bytesOf()
	rapid.Check(t, func(t *rapid.T) {
		b := bytes.Clone(rapid.SampledFrom([][]byte{good, logical}).Draw(t, "disk"))
		offsets := rapid.OneOf(rapid.IntRange(mbrSignature, 2048), rapid.IntRange(64*512, 64*512+512), rapid.IntRange(128*512+440, 193*512), rapid.IntRange(len(b)-1024, len(b)-1))
		for range rapid.IntRange(1, 6).Draw(t, "changes") {
			b[offsets.Draw(t, "offset")] = rapid.Byte().Draw(t, "byte")
		}
		b = b[:rapid.SampledFrom([]int{len(b), len(b) / 2, 40_000, 700, 0}).Draw(t, "length")]
		f, err := Inspect(context.Background(), []Disk{{R: bytes.NewReader(b), Size: int64(len(b))}})
		if err != nil {
			t.Fatal(err)
		}
		checkFacts(t, f, int64(len(b)))
	})
}

func FuzzInspect(f *testing.F) {
	for _, im := range []*image{
		newImage(64<<10).gpt(512, 64<<10, "GRUB", part{gptESP, 40, 60, "x"}),
		newImage(128<<10).gpt(4096, 128<<10, "", part{gptBIOSBoot, 8, 10, "x"}),
		newImage(40<<10).put(0, mbr("x", entry{0x80, 0x83, 8, 16}, entry{0, 5, 32, 40})).put(32*512, mbr("", entry{0, 0x83, 1, 4}, entry{0, 5, 8, 8})).put(8*512, xfsBlock(2)),
		newImage(8<<10).put(0, fat32(16)), newImage(70<<10).put(64<<10, superblock(4096, map[int]string{64: "_BHRfS_M"})),
		newImage(40<<10).put(32<<10, superblock(2048, map[int]string{0: "\x01CD001\x01"})), newImage(4096).put(1024, superblock(1024, map[int]string{56: "\x53\xef"})),
	} {
		f.Add(im.bytesOf(), uint32(0))
	}
	f.Fuzz(func(t *testing.T, b []byte, more uint32) {
		im := newImage(int64(len(b))+int64(more)).put(0, b)
		facts, err := Inspect(t.Context(), []Disk{{Name: "fuzz", R: im, Size: im.size}})
		if err != nil {
			t.Fatal(err)
		}
		checkFacts(t, facts, im.size)
	})
}
