package convert

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"hyper2kvm/internal/disk/disktest"
	"hyper2kvm/internal/disk/formats"
	"hyper2kvm/internal/disk/packed"
	"hyper2kvm/internal/manifest"
)

func gz(b []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	w.Write(b)
	w.Close()
	return out.Bytes()
}

func zst(b []byte) []byte {
	w, _ := zstd.NewWriter(nil)
	return w.EncodeAll(b, nil)
}

// compressedBy runs a program of the system; without it the test is skipped, saying so.
func compressedBy(t *testing.T, tool string, b []byte) []byte {
	t.Helper()
	if _, err := exec.LookPath(tool); err != nil {
		t.Skipf("SKIPPED: no %s to compress with; scripts/test-deps installs it", tool)
	}
	cmd := exec.CommandContext(t.Context(), tool, "-c")
	cmd.Stdin = bytes.NewReader(b)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestCompressedDisks(t *testing.T) {
	content := sample(5<<20, 7)
	for _, tc := range []struct {
		name, format, method string
		pack                 func(b []byte) []byte
	}{
		{"d.img.gz", "raw", packed.Gzip, gz},
		{"D.VMDK.GZ", "vmdk", packed.Gzip, gz},
		{"d.qcow2.zst", "qcow2", packed.Zstd, zst},
		{"d.raw.xz", "raw", packed.XZ, func(b []byte) []byte { return compressedBy(t, "xz", b) }},
		{"d.img.bz2", "raw", packed.Bzip2, func(b []byte) []byte { return compressedBy(t, "bzip2", b) }},
		{"d.img", "raw", packed.Gzip, gz}, // the name does not say it
	} {
		t.Run(tc.name, func(t *testing.T) {
			image := content
			if tc.format != "raw" {
				image = encodeImage(t, tc.format, content)
			}
			b := newBench(t)
			b.write(tc.name, tc.pack(image))
			b.req.Entry = tc.name
			sum := sha256.Sum256(tc.pack(image))
			b.req.Job.Source.Disks = []manifest.SourceDisk{{Path: tc.name, SHA256: hex.EncodeToString(sum[:])}}
			report := b.good()
			if got := b.content("web01.qcow2", "qcow2"); !bytes.Equal(got, content) {
				t.Error("the content differs")
			}
			d := report.Disks[0]
			if d.Source != tc.name || d.SourcePacked != tc.method || d.SourceFormat != tc.format || !d.Proved {
				t.Errorf("%+v", d)
			}
			if entries, _ := os.ReadDir(b.req.Partial); len(entries) != 3 {
				t.Errorf("%d files are left, want the image, the domain and the report", len(entries))
			}
			size := int64(len(tc.pack(image)))
			if p := b.events.progress[StageLoad]; p != [2]int64{2 * size, 2 * size} {
				t.Errorf("LOAD told %v; the file of %d bytes is unpacked and its checksum verified", p, size)
			}
			last := b.host.reserved[len(b.host.reserved)-1]
			if len(b.host.reserved) < 2 || last.Held <= 0 || last.Bytes <= last.Held || last.Dir != b.req.Partial {
				t.Errorf("reserved %+v", b.host.reserved)
			}
			if !slices.ContainsFunc(b.events.logs, func(s string) bool { return strings.Contains(s, tc.method+" of "+tc.format) }) {
				t.Errorf("the log does not say %s of %s: %q", tc.method, tc.format, b.events.logs)
			}
		})
	}
}

func TestCompressedDisksThatFail(t *testing.T) {
	content := sample(1<<20, 7)
	whole := gz(content)
	damaged := bytes.Clone(whole)
	damaged[len(damaged)-6] ^= 1
	for _, tc := range []struct {
		name string
		file []byte
		code string
		says string
	}{
		{"d.img.gz", whole[:len(whole)-100], manifest.CodeSourceTruncated, "gzip: unpack: d.img.gz"},
		{"d.img.gz", damaged, manifest.CodeImageCorrupt, "checksum"},
		{"d.img.gz", gz(whole), manifest.CodeImageUnsupported, "compressed twice"},
		{"d.img.gz", zst(whole), manifest.CodeImageUnsupported, "the zstd file is a gzip file"},
		{"d.img.gz", gz(nil), manifest.CodeSourceEmpty, "nothing in it"},
		{"d.img.gz", content, manifest.CodeSourceUnknown, "no known format"}, // not compressed at all
		{"d.vmdk.gz", whole, manifest.CodeSourceUnknown, "no known format"},  // and no VMDK in it
	} {
		b := newBench(t)
		b.write(tc.name, tc.file)
		b.req.Entry = tc.name
		b.bad(StageLoad, tc.code, tc.says)
		if entries, _ := os.ReadDir(b.req.Partial); len(entries) != 0 {
			t.Errorf("%s: %d files are left", tc.says, len(entries))
		}
	}
	b := newBench(t)
	b.write("d.img.gz", whole)
	b.req.Job.Source.Disks = []manifest.SourceDisk{{Path: "d.img.gz", SHA256: strings.Repeat("0", 64)}}
	b.bad(StageLoad, manifest.CodeSourceChecksum, "d.img.gz")

	b = newBench(t)
	b.write("d.img.gz", whole)
	b.req.Entry = "d.img.gz"
	b.host.reserve = coded(manifest.CodeSpaceOutput, "", errors.New("the file system is too small"))
	b.bad(StageLoad, manifest.CodeSpaceOutput, "reserve 16 MiB to unpack a source")

	b = newBench(t)
	b.write("d.img.gz", whole)
	b.req.Entry = "d.img.gz"
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	b.events.onMove = func(string, int64, int64) { cancel() }
	if report, err := b.run(ctx); err == nil || report.Error.Code != manifest.CodeJobCancelled {
		t.Errorf("cancelled: %+v", report.Error)
	}
}

// What a person calls raw is not looked into: a guest writes its first sector as it likes.
func TestStatedRawIsNotUnpacked(t *testing.T) {
	content := append(gz(sample(1<<20, 7)), make([]byte, 4096)...)
	for _, job := range []manifest.Source{
		{Disks: []manifest.SourceDisk{{Path: "d.img", Format: "raw"}}}, {Disks: []manifest.SourceDisk{{Path: "d.img"}}, Type: "raw"},
	} {
		b := newBench(t)
		b.write("d.img", content)
		b.req.Job.Source = job
		if report := b.good(); report.Disks[0].SourcePacked != "" || !bytes.Equal(b.content("web01.qcow2", "qcow2")[:len(content)], content) {
			t.Errorf("%+v", report.Disks[0])
		}
	}
}

func TestCompressedDisksInAFolder(t *testing.T) {
	first, second := sample(1<<20, 3), sample(2<<20, 5)
	b := newBench(t)
	b.write("a.vmdk.gz", gz(encodeImage(t, "vmdk", first)))
	b.write("b.img", second)
	b.write("b.img.gz", gz(second))
	b.req.Job.Convert.Format = "raw"
	report := b.good()
	if len(report.Disks) != 2 || report.Disks[0].Source != "a.vmdk.gz" || report.Disks[1].Source != "b.img" {
		t.Errorf("%+v", report.Disks)
	}
	if !slices.ContainsFunc(report.Warnings, func(w manifest.Warning) bool { return strings.Contains(w.Message, `"b.img.gz" is left out`) }) {
		t.Errorf("%+v", report.Warnings)
	}
	if !bytes.Equal(b.content("web01.raw", "raw"), first) || !bytes.Equal(b.content("web01-disk2.raw", "raw"), second) {
		t.Error("the content differs")
	}
}

func TestOVFDisksCompressedAndInPieces(t *testing.T) {
	content := sample(3<<20, 3)
	image := encodeImage(t, "vmdk", content)
	small := gz(image)
	for _, tc := range []struct {
		name   string
		stored []byte
		chunk  int
		attrs  string
	}{
		{"gzip", small, 0, `ovf:compression="gzip"`},
		{"pieces", image, 10_000, `ovf:chunkSize="10000"`},
		{"gzip in pieces", small, 1000, `ovf:compression="gzip" ovf:chunkSize="1000"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newBench(t)
			var listed []member
			if tc.chunk == 0 {
				listed = append(listed, member{"d.vmdk", tc.stored})
			}
			for i, p := range slices.Collect(slices.Chunk(tc.stored, max(tc.chunk, 1))) {
				if tc.chunk > 0 {
					listed = append(listed, member{packed.ChunkName("d.vmdk", i), p})
				}
			}
			desc := member{"vm.ovf", []byte(ovfText([]ovfDisk{{file: "d.vmdk", size: len(tc.stored), attrs: tc.attrs, capacity: len(content)}}, "vm"))}
			for _, m := range append(listed, desc) {
				b.write(m.name, m.content)
			}
			b.write("vm.mf", mfOf(append(listed, desc)...))
			b.req.Entry = "vm.ovf"
			report := b.good()
			if !bytes.Equal(b.content("web01.qcow2", "qcow2"), content) {
				t.Error("the content differs")
			}
			if want := strings.HasPrefix(tc.name, "gzip"); (report.Disks[0].SourcePacked == packed.Gzip) != want {
				t.Errorf("%+v", report.Disks[0])
			}
			if got := b.events.progress[StageLoad]; got[0] != got[1] || got[0] < int64(len(tc.stored)+len(desc.content)) {
				t.Errorf("LOAD read %v, the checksums alone are over %d", got, len(tc.stored)+len(desc.content))
			}
			names, err := Companions(t.Context(), b.path("vm.ovf"))
			for _, m := range listed {
				if err != nil || !slices.Contains(names, m.name) {
					t.Errorf("the companions lack %s: %v %v", m.name, names, err)
				}
			}
			if tc.chunk > 0 {
				c := newBench(t)
				c.dir, c.req.Entry = b.dir, "vm.ovf"
				last := listed[len(listed)-1].name
				if err := os.Remove(b.path(last)); err != nil {
					t.Fatal(err)
				}
				c.bad(StageLoad, manifest.CodeSourceMissing, last)
			}
		})
	}
}

// A dry run says what it would unpack, and does not.
func TestPlanOfCompressedSources(t *testing.T) {
	b := newBench(t)
	b.write("d.vmdk.gz", gz(encodeImage(t, "vmdk", sample(1<<20, 7))))
	b.req.Entry = "d.vmdk.gz"
	b.files()
	plan, err := DryRun(t.Context(), b.req, noGuests{})
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if err := plan.Write(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"unpack d.vmdk.gz: ", " of gzip\n", "d.vmdk.gz -> web01.qcow2: qcow2, compressed with zlib\n", "how much is written is known when the sources are unpacked"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the plan lacks %q:\n%s", want, text.String())
		}
	}
	if plan.MaxBytes != 0 || plan.Disks[0].MaxBytes != 0 {
		t.Errorf("%+v", plan)
	}
	if entries, _ := os.ReadDir(b.req.Partial); len(entries) != 0 {
		t.Error("a dry run wrote something")
	}
}

// A small file that stands for 2 GiB of zeroes costs neither space nor memory.
func TestZeroesThatAreUnpackedCostNothing(t *testing.T) {
	member := gz(make([]byte, 64<<20))
	b := newBench(t)
	b.write("d.raw.gz", bytes.Repeat(member, 32))
	b.req.Entry = "d.raw.gz"
	report := b.good()
	if d := report.Disks[0]; d.VirtualSize != 2<<30 || d.AllocatedBytes != 0 || d.OutputBytes > 1<<20 {
		t.Errorf("%+v", d)
	}
	for _, need := range b.host.reserved {
		if need.Bytes > 4<<20 {
			t.Errorf("reserved %+v", b.host.reserved)
		}
	}
}

// The disks of packages that VirtualBox and ovftool compressed. The digests are those of the contents whose SHA-256 the fixtures' index
// gives; the first is held against that here, the others are too large for every day.
func TestCompressedPackageFixtures(t *testing.T) {
	dir := disktest.FixtureDir(t)
	for name, digests := range compressedFixtures {
		t.Run(name, func(t *testing.T) {
			b := fixtureBench(t, filepath.Join(dir, "ovf", name))
			report := b.good()
			if len(report.Disks) != len(digests) {
				t.Fatalf("%d disks, want %d", len(report.Disks), len(digests))
			}
			for i, d := range report.Disks {
				if d.ContentDigest != digests[i] || d.SourcePacked != packed.Gzip || !d.Proved {
					t.Errorf("%+v, want %s", d, digests[i])
				}
			}
			if strings.Contains(name, "-t3.") {
				const want = "49bc20df15e412a64472421e13fe86ff1c5165e18b2afccf160d4dc19fe68a14"
				if got := contentSHA256(t, filepath.Join(b.req.Partial, "web01.qcow2")); got != want {
					t.Errorf("SHA-256 of the content is %s, want %s", got, want)
				}
			}
		})
	}
}

// compressedFixtures maps a package to the content digests of its disks.
var compressedFixtures = map[string][]string{
	"vbox-tdAppliance1-t3.ova":               {"9d6d5cc4c0628e6acf4d04114137f26d61106e5f3422123b7300ea6bd33d3183"},
	"vbox-tdAppliance1-t3-ovftool-4.1.0.ova": {"9d6d5cc4c0628e6acf4d04114137f26d61106e5f3422123b7300ea6bd33d3183"},
	"vbox-tdAppliance1-t4.ova": {
		"a67f2b76ff9a230d35294c8cc0083a0ba8f069110110e2bc7e913738866e4dcb",
		"8eaea45ea3f012521d2522d361ea59d3ebadfca15657c94e207034ca4350280a",
	},
	"vbox-tdAppliance1-t5.ova":               {"0869741f536389d5988d3bcbeb20f79aebeaf59c36729c6c35c2f8a38ce9f1a8"},
	"vbox-tdAppliance1-t5-ovftool-4.1.0.ova": {"0869741f536389d5988d3bcbeb20f79aebeaf59c36729c6c35c2f8a38ce9f1a8"},
	"vbox-tdAppliance1-t6-ovftool-4.1.0.ova": {"a3d70293cc195312c4bf833552d930432f60fe39f89d38ba96442602b889f5f5"},
}

func contentSHA256(t *testing.T, path string) string {
	t.Helper()
	img, err := formats.OpenPath(t.Context(), path, formats.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer img.Close()
	h := sha256.New()
	if _, err := io.CopyBuffer(h, io.NewSectionReader(img, 0, img.Size()), make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}
