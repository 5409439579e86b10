package native

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"hyper2kvm/internal/guest"
)

// look inspects images as one machine's disks.
func look(t *testing.T, images ...*image) guest.Facts {
	t.Helper()
	var disks []Disk
	for i, im := range images {
		disks = append(disks, Disk{Name: fmt.Sprintf("disk%d", i+1), R: im, Size: im.size})
	}
	f, err := Inspect(t.Context(), disks)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// describe writes the facts of a disk in one line: table/sector, boot code, whole file system, partitions as
// number:start+size type=file system, past the end.
func describe(d guest.DiskFacts) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s/%d", d.Table, d.Sector)
	if d.BootCode != "" {
		fmt.Fprintf(&b, " code %s", d.BootCode)
	}
	volume := func(fs *guest.Filesystem) {
		if fs != nil {
			fmt.Fprintf(&b, "=%s(%s %s %d)", fs.Type, fs.UUID, fs.Label, fs.Size)
		}
	}
	volume(d.Filesystem)
	for _, p := range d.Partitions {
		name := p.TypeName
		if name == "" {
			name = p.Type
		}
		fmt.Fprintf(&b, " %d:%d+%d %s", p.Number, p.Start, p.Size, name)
		if p.Bootable {
			b.WriteString("*")
		}
		volume(p.Filesystem)
	}
	if d.PastEnd {
		fmt.Fprintf(&b, " needs %d", d.NeedBytes)
	}
	return b.String()
}

const mib = 1 << 20

func TestTables(t *testing.T) {
	linux, esp, bios := "0fc63daf-8483-4772-8e79-3d69d8477de4", gptESP, gptBIOSBoot
	disk := func() *image { return newImage(16*mib).gpt(512, 16*mib, "", part{linux, 2048, 4095, "root"}) }
	spoil := func(im *image, off int64) *image { // changes one byte of the first image that holds it
		b := im.bytesOf()
		b[off] ^= 0xff
		return newImage(im.size).put(0, b)
	}
	for _, c := range []struct {
		name     string
		im       *image
		want     string
		warnings []string
	}{
		{"blank", newImage(16 * mib), "empty/0", nil},
		{"nothing", newImage(0), "empty/0", nil},
		{"less than a sector", newImage(100), "empty/0", nil},
		{"noise", newImage(mib).put(0, bytes.Repeat([]byte("noise "), 1000)), "empty/0", nil},
		{"GPT", disk(), "gpt/512 1:1048576+1048576 Linux filesystem", nil},
		{"GPT of 4096", newImage(16*mib).gpt(4096, 16*mib, "", part{linux, 256, 511, ""}).put(mib, xfsBlock(256)),
			"gpt/4096 1:1048576+1048576 Linux filesystem=xfs(" + idText + " root 1048576)", nil},
		{"half-copied GPT", newImage(8*mib).gpt(512, 16*mib, "", part{linux, 2048, 4095, ""}), "gpt/512 1:1048576+1048576 Linux filesystem needs 16777216", nil},
		{"half-copied GPT with a partition that is cut", newImage(8*mib).gpt(512, 32*mib, "", part{linux, 2048, 20479, ""}),
			"gpt/512 1:1048576+9437184 Linux filesystem needs 33554432", nil},
		{"grown disk", newImage(32*mib).gpt(512, 16*mib, "", part{linux, 2048, 4095, ""}), "gpt/512 1:1048576+1048576 Linux filesystem", []string{"larger than its GPT"}},
		{"damaged primary header", spoil(disk(), 512+60), "gpt/512 1:1048576+1048576 Linux filesystem", []string{"primary GPT is damaged (the checksum of its header"}},
		{"missing primary", disk().put(512, make([]byte, 512)), "gpt/512 1:1048576+1048576 Linux filesystem", []string{"it is missing"}},
		{"damaged primary entries", spoil(disk(), 1024+5), "gpt/512 1:1048576+1048576 Linux filesystem", []string{"checksum of its entries"}},
		{"damaged backup header", spoil(disk(), 16*mib-512+60), "gpt/512 1:1048576+1048576 Linux filesystem", []string{"backup GPT at 0xfffe00 is damaged"}},
		{"missing backup", disk().put(16*mib-512, make([]byte, 512)), "gpt/512 1:1048576+1048576 Linux filesystem", []string{"backup GPT at 0xfffe00 is missing"}},
		{"both damaged", spoil(spoil(disk(), 512+60), 16*mib-512+60), "gpt/0", []string{"primary GPT is damaged", "neither it nor its backup"}},
		{"stale GPT", disk().put(0, mbr("", entry{0x80, 0x83, 4096, 2048})), "mbr/512 1:2097152+1048576 Linux*", []string{"left over"}},
		{"stale backup of a disk without a table", newImage(16*mib).put(16*mib-512, disk().parts[16*mib-512]), "empty/0", nil},
		{"hybrid", disk().put(0, mbr("", entry{0, 0xee, 1, 2047}, entry{0x80, 0x83, 2048, 2048})), "gpt/512 1:1048576+1048576 Linux filesystem", []string{"hybrid"}},
		{"overlap", newImage(16*mib).gpt(512, 16*mib, "", part{esp, 2048, 4095, ""}, part{bios, 4000, 4200, ""}),
			"gpt/512 1:1048576+1048576 EFI system 2:2048000+102912 BIOS boot", []string{"1 and 2 overlap"}},
		{"impossible partitions", newImage(16*mib).gpt(512, 16*mib, "", part{linux, 5, 4, ""}, part{linux, 1, math.MaxUint64, ""}, part{linux, 2048, 2048, ""}),
			"gpt/512 3:1048576+512 Linux filesystem", []string{"partition 1", "partition 2"}},
		{"partition at the end of 63 bits", newImage(16*mib).gpt(512, 16*mib, "", part{linux, 2048, math.MaxInt64/512 - 1, ""}),
			fmt.Sprintf("gpt/512 1:1048576+%d Linux filesystem needs %d", (math.MaxInt64/512-2048)*512, math.MaxInt64/512*512), nil},
		{"MBR", newImage(16*mib).put(0, mbr("", entry{0x80, 7, 2048, 2048}, entry{0, 0x83, 4096, 2048})), "mbr/512 1:1048576+1048576 NTFS or exFAT* 2:2097152+1048576 Linux", nil},
		{"MBR with sectors of 4096", newImage(64*mib).put(0, mbr("", entry{0, 0x83, 256, 256})).put(mib, xfsBlock(256)),
			"mbr/4096 1:1048576+1048576 Linux=xfs(" + idText + " root 1048576)", nil},
		{"half-copied MBR", newImage(2*mib).put(0, mbr("", entry{0x80, 0x83, 2048, 8192})), "mbr/512 1:1048576+4194304 Linux* needs 5242880", nil},
		{"partition beyond the disk", newImage(2*mib).put(0, mbr("", entry{0, 0x83, 0xffffffff, 0xffffffff})), "mbr/512 1:2199023255040+2199023255040 Linux needs 4398046510080", nil},
		{"MBR without partitions", newImage(mib).put(0, mbr("")), "mbr/512", nil},
		{"flags that are none", newImage(mib).put(0, mbr("", entry{0x41, 0x83, 1, 1})), "empty/0", nil},
		{"logical partitions", newImage(16*mib).put(0, mbr("", entry{0, 0x83, 64, 64}, entry{0, 5, 128, 1024})).
			put(128*512, mbr("", entry{0, 0x82, 8, 50}, entry{0, 5, 64, 64})).put(192*512, mbr("", entry{0x80, 0x83, 8, 50})),
			"mbr/512 1:32768+32768 Linux 2:65536+524288 Extended 5:69632+25600 Linux swap 6:102400+25600 Linux*", nil},
		{"chain that turns back", newImage(16*mib).put(0, mbr("", entry{0, 5, 128, 1024})).
			put(128*512, mbr("", entry{0, 0x83, 8, 50}, entry{0, 5, 64, 64})).put(192*512, mbr("", entry{0, 0x83, 8, 50}, entry{0, 5, 0, 64})),
			"mbr/512 1:65536+524288 Extended 5:69632+25600 Linux 6:102400+25600 Linux", []string{"turns back"}},
		{"damaged chain", newImage(16*mib).put(0, mbr("", entry{0, 5, 128, 1024})), "mbr/512 1:65536+524288 Extended", []string{"chain of logical partitions is damaged"}},
		{"chain past the end", newImage(mib).put(0, mbr("", entry{0, 0xf, 4096, 1024})), "mbr/512 1:2097152+524288 Extended (LBA) needs 2621440", nil},
		{"bare file system", newImage(mib).put(0, xfsBlock(256)), "none/0=xfs(" + idText + " root 1048576)", nil},
		{"half-copied bare file system", newImage(mib).put(0, xfsBlock(1024)), "none/0=xfs(" + idText + " root 4194304) needs 4194304", nil},
		{"floppy with a boot sector", newImage(mib).put(0, fat32(2048)), "none/0 code unknown=vfat(23A0-8FEB BOOT 1048576)", nil},
		{"file system larger than its partition", newImage(16*mib).put(0, mbr("", entry{0, 0x83, 2048, 1024})).put(mib, xfsBlock(256)),
			"mbr/512 1:1048576+524288 Linux=xfs(" + idText + " root 1048576)", []string{"has 1048576 bytes, the partition has 524288"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := look(t, c.im).Disks[0]
			if got := describe(d); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if len(d.Warnings) != len(c.warnings) {
				t.Fatalf("warnings %q, want %q", d.Warnings, c.warnings)
			}
			for i, w := range c.warnings {
				if !strings.Contains(d.Warnings[i], w) {
					t.Errorf("warning %q, want %q", d.Warnings[i], w)
				}
			}
			if (d.Table == tableEmpty) != (d.BlankReason != "") {
				t.Errorf("blank reason %q of %s", d.BlankReason, d.Table)
			}
		})
	}
}

// TestLoopsEnd proves that chains and tables made to be endless are not followed.
func TestLoopsEnd(t *testing.T) {
	many := newImage(1<<40).put(0, mbr("", entry{0, 5, 128, 1 << 30}))
	for i := range int64(400) {
		many.put((128+64*i)*512, mbr("", entry{0, 0x83, 8, 50}, entry{0, 5, uint32(64 * (i + 1)), 64}))
	}
	d := look(t, many).Disks[0]
	if len(d.Partitions) != 1+maxLogical || len(d.Warnings) != 1 {
		t.Errorf("%d partitions, warnings %q", len(d.Partitions), d.Warnings)
	}
	self := newImage(16*mib).put(0, mbr("", entry{0, 5, 128, 1024})).put(128*512, mbr("", entry{0, 0x83, 8, 50}, entry{0, 5, 0, 64}))
	if d := look(t, self).Disks[0]; len(d.Partitions) != 2 {
		t.Errorf("record that names itself: %s", describe(d))
	}
}

func TestHybridISO(t *testing.T) {
	iso := superblock(2048, map[int]string{0: "\x01CD001\x01", 40: "LIVE"})
	d := look(t, newImage(16*mib).put(0, mbr("code", entry{0x80, 0x17, 64, 2048})).put(32<<10, iso)).Disks[0]
	if d.Table != tableMBR || d.Filesystem == nil || d.Filesystem.Type != "iso9660" || len(d.Partitions) != 1 {
		t.Errorf("%s", describe(d))
	}
}

// brokenReader fails from an offset on.
type brokenReader struct{ from int64 }

var errBroken = errors.New("medium error")

func (b brokenReader) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > b.from {
		return 0, errBroken
	}
	return len(p), nil
}

func TestReadErrors(t *testing.T) {
	for _, from := range []int64{0, 4096, 64 << 10} {
		f, err := Inspect(t.Context(), []Disk{{Name: "bad\x1b", R: brokenReader{from}, Size: mib}})
		if !errors.Is(err, errBroken) || len(f.Disks) != 0 || !strings.Contains(err.Error(), `"bad\x1b"`) {
			t.Errorf("from %d: %v %v", from, f, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Inspect(ctx, []Disk{{R: newImage(mib), Size: mib}}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
