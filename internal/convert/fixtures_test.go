package convert

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hyper2kvm/internal/disk/disktest"
	"hyper2kvm/internal/manifest"
)

// fixtureBench is a bench whose only source is a fixture.
func fixtureBench(t *testing.T, path string) *bench {
	t.Helper()
	b := newBench(t)
	name := filepath.Base(path)
	b.req.Entry, b.req.Files = name, map[string]string{name: path}
	return b
}

func TestPackageFixtures(t *testing.T) {
	dir := disktest.FixtureDir(t)
	for name, code := range map[string]string{
		"ovf/vbox-tdAppliance1-t1.ova":               manifest.CodeMachineNoDisk,
		"ovf/vbox-tdAppliance1-t2.ova":               "",
		"ovf/vbox-tdAppliance1-t2-ovftool-4.1.0.ova": "",
		"ovf/govmomi-ttylinux-pc_i486-16.1.ova":      manifest.CodeSourceTruncated,
		"ovf/glance-testserver-no-disk.ova":          "*",
		"hostile/glance-testserver-not-tar.ova":      manifest.CodeMachineDescriptor,
	} {
		t.Run(filepath.Base(name), func(t *testing.T) {
			b := fixtureBench(t, filepath.Join(dir, name))
			report, err := b.run(t.Context())
			switch {
			case err == nil && code == "":
				for _, d := range report.Disks {
					if !d.Proved {
						t.Errorf("%+v", d)
					}
				}
			case err == nil || code == "" || code != "*" && report.Error.Code != code:
				t.Errorf("%v, want %q: %+v", err, code, report.Error)
			}
		})
	}
}

// Hostile files end in a plan or in an error with a code, and leave nothing behind.
func TestHostileFixtures(t *testing.T) {
	dir := disktest.FixtureDir(t)
	paths, err := filepath.Glob(filepath.Join(dir, "hostile", "*"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no hostile fixtures: %v", err)
	}
	for _, path := range paths {
		b := fixtureBench(t, path)
		_, err := DryRun(t.Context(), b.req, noGuests{})
		if err == nil {
			continue
		}
		f := Failure(StageLoad, err)
		if f.Code == manifest.CodeJobInternal {
			t.Errorf("%s: %+v", filepath.Base(path), f)
		}
		if entries, _ := os.ReadDir(b.req.Partial); len(entries) > 0 {
			t.Errorf("%s left %v", filepath.Base(path), entries)
		}
	}
}

// qemu-img agrees that the outputs hold what the source holds, and that their structure is sound.
func TestOutputsAgainstQemu(t *testing.T) {
	if _, err := exec.LookPath("qemu-img"); err != nil {
		t.Skip("SKIPPED: no qemu-img to compare with; install qemu-utils")
	}
	content := sample(9<<20, 11)
	for _, format := range writable {
		b := newBench(t)
		b.write("disk.img", content)
		b.req.Entry, b.req.Job.Convert.Format = "disk.img", format
		b.good()
		out := filepath.Join(b.req.Partial, "web01."+format)
		if text, err := exec.CommandContext(t.Context(), "qemu-img", "compare", "-f", "raw", "-F", format, b.path("disk.img"), out).CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", format, err, text)
		}
		if format != "qcow2" {
			continue
		}
		text, err := exec.CommandContext(t.Context(), "qemu-img", "check", "--output=json", out).Output()
		var found map[string]any
		if err == nil {
			err = json.Unmarshal(text, &found)
		}
		if err != nil || found["check-errors"] != 0.0 || found["leaks"] != nil || found["corruptions"] != nil {
			t.Errorf("check: %v: %s", err, text)
		}
	}
}

func TestOutputErrorsAreNotTheSources(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path) // for reading: every write fails
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	_, werr := target{f}.WriteAt([]byte("x"), 0)
	for _, err := range []error{werr, target{f}.Truncate(1), writeNew(filepath.Join(path, "below a file"), nil), syncDir(path + ".gone")} {
		if got := Failure(StageConvert, err); err == nil || got.Code != manifest.CodeOutputWrite {
			t.Errorf("%v is %s", err, got.Code)
		}
	}
	if err := writeNew(path, []byte("x")); !errors.Is(err, os.ErrExist) {
		t.Errorf("an existing file was written: %v", err)
	}
}

func FuzzProbe(f *testing.F) {
	for _, seed := range []string{"<Envelope>", "config.version = \"8\"", "# Disk DescriptorFile\ncreateType=\"x\"", "\xff\xfe<\x00", strings.Repeat("\x00", 257) + "ustar"} {
		f.Add([]byte(seed), "a.img")
	}
	f.Fuzz(func(t *testing.T, content []byte, name string) {
		k, err := probe(&memoryFile{bytes.NewReader(content), name})
		if err != nil {
			t.Fatal(err)
		}
		again, err := probe(&memoryFile{bytes.NewReader(slices.Concat(content, make([]byte, 1024))), "a.img"})
		if err != nil || (k == kindOVA && isTar(content) && again != kindOVA) {
			t.Fatalf("padding makes %s %s: %v", k, again, err)
		}
		if (k == kindOVF || k == kindVMX) && bytes.IndexByte(content, 0) >= 0 && isTar(content) {
			t.Fatalf("an archive is taken for %s", k)
		}
	})
}

// A chain in a folder is one disk: its top, with the content of all its layers.
func TestChainIsFlattened(t *testing.T) {
	if _, err := exec.LookPath("qemu-img"); err != nil {
		t.Skip("SKIPPED: no qemu-img to make a chain with; install qemu-utils")
	}
	content := sample(3<<20, 11)
	b := newBench(t)
	b.image("a-base.qcow2", "qcow2", content)
	for _, args := range [][]string{
		{"create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", "a-base.qcow2", b.path("b-middle.qcow2")},
		{"create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", "b-middle.qcow2", b.path("c-top.qcow2")},
	} {
		if text, err := exec.CommandContext(t.Context(), "qemu-img", args...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
	}
	report := b.good()
	if len(report.Disks) != 1 || !slices.Equal(report.Disks[0].Chain, []string{"c-top.qcow2", "b-middle.qcow2", "a-base.qcow2"}) {
		t.Errorf("%+v", report.Disks)
	}
	if !bytes.Equal(b.content("web01.qcow2", "qcow2"), content) {
		t.Error("the content differs")
	}
	c := newBench(t)
	c.req.Files, c.req.Entry = b.req.Files, "c-top.qcow2"
	c.req.Job.Convert.Flatten = false
	c.bad(StageLoad, manifest.CodeImageChain, "b-middle.qcow2")

	if err := os.Remove(b.path("a-base.qcow2")); err != nil {
		t.Fatal(err)
	}
	d := newBench(t)
	d.dir = b.dir
	d.req.Entry = "c-top.qcow2"
	d.bad(StageLoad, manifest.CodeImageMissing, "a-base.qcow2")
}
