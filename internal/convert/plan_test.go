package convert

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"hyper2kvm/internal/manifest"
)

var update = flag.Bool("update", false, "write the golden files anew")

func testJob() manifest.Job {
	d := manifest.ProductDefaults()
	return manifest.Job{
		Name:    "web01",
		Inspect: manifest.Inspect{Enabled: d.Inspect, DetectOS: true},
		Fix: manifest.Fix{Enabled: d.Fix, Fstab: true, FstabMode: d.FstabMode, Grub: d.Grub, Initramfs: d.Initramfs, Network: d.Network,
			NetworkLevel: d.NetworkLevel, RemoveVMwareTools: d.RemoveTools},
		Convert: manifest.Convert{Format: d.Format, Compress: d.Compress, Compression: d.Compression, Flatten: d.Flatten},
		Check:   manifest.Check{Enabled: d.Validate, Integrity: true},
	}
}

func testFacts() Facts {
	return Facts{NoGuests: noGuestsHere, Disks: []DiskFacts{{
		Name: "web01.vmdk", Format: "vmdk", Variant: "streamOptimized", VirtualSize: 40 << 30, Allocated: 3 << 30, Touched: 3 << 30, FileBytes: 1 << 30,
	}}}
}

func TestPlanGolden(t *testing.T) {
	chain := testFacts()
	chain.Disks[0].Variant = "monolithicSparse"
	chain.Disks[0].Chain = []string{"web01-000001.vmdk", "web01.vmdk"}
	chain.Disks = append(chain.Disks, DiskFacts{Format: "raw", VirtualSize: 10 << 30, Blank: true})
	chain.Verify = []string{"web01.vmdk"}
	for _, tc := range []struct {
		name  string
		facts Facts
		edit  func(*manifest.Job)
	}{
		{"default", testFacts(), func(*manifest.Job) {}},
		{"two-disks-raw", chain, func(j *manifest.Job) {
			j.Convert.Format = "raw"
			j.Asked = manifest.Asked{"convert.compress": true}
			j.Fix.Enabled = false
		}},
		{"vmdk-named", testFacts(), func(j *manifest.Job) {
			j.Convert.Format, j.Convert.OutputName = "vmdk", "export.vmdk"
			j.Asked = manifest.Asked{"convert.compress": true}
			j.Check.BootTest = true
		}},
		{"guests", Facts{Disks: testFacts().Disks}, func(j *manifest.Job) { j.Check.BootTest, j.Fix.Compact = true, true }},
		{"dry-run", testFacts(), func(j *manifest.Job) { j.DryRun, j.Inspect.Enabled, j.Check.Integrity = true, false, false }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			job := testJob()
			tc.edit(&job)
			p, err := NewPlan(job, tc.facts)
			if err != nil {
				t.Fatal(err)
			}
			var b bytes.Buffer
			if err := p.Write(&b); err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", "plan-"+tc.name+".txt")
			if *update {
				if err := os.WriteFile(golden, b.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if b.String() != string(want) {
				t.Errorf("plan is\n%s\nwant\n%s", b.String(), want)
			}
		})
	}
}

func TestPlanRefusals(t *testing.T) {
	chain := testFacts()
	chain.Disks[0].Chain = []string{"a.vmdk", "b.vmdk"}
	for _, tc := range []struct {
		name  string
		facts Facts
		edit  func(*manifest.Job)
		code  string
		says  string
	}{
		{"no disk", Facts{}, func(*manifest.Job) {}, manifest.CodeMachineNoDisk, "no disk"},
		{"vdi", testFacts(), func(j *manifest.Job) { j.Convert.Format = "vhd" }, manifest.CodeOutputFormat, "qcow2, raw, vmdk, vdi"},
		{"unknown format", testFacts(), func(j *manifest.Job) { j.Convert.Format = "" }, manifest.CodeOutputFormat, "cannot be written"},
		{"chain kept", chain, func(j *manifest.Job) { j.Convert.Flatten = false }, manifest.CodeImageChain, "a.vmdk, b.vmdk"},
		{"fix asked", testFacts(), func(j *manifest.Job) { j.Asked = manifest.Asked{"fix.grub": true} }, manifest.CodeFixUnavailable, "fix.grub"},
		{"fix asked at large", testFacts(), func(j *manifest.Job) { j.Asked = manifest.Asked{"fix": true} }, manifest.CodeFixUnavailable, "asks for fix"},
		{"boot test asked", testFacts(), func(j *manifest.Job) {
			j.Check.BootTest, j.Asked = true, manifest.Asked{"validate.boot_test": true}
		}, manifest.CodeBootUnavailable, "boot test"},
		{"output outside", testFacts(), func(j *manifest.Job) { j.Convert.OutputName = "../web.qcow2" }, manifest.CodePolicyName, "another directory"},
		{"output hidden", testFacts(), func(j *manifest.Job) { j.Convert.OutputName = ".web.qcow2" }, manifest.CodePolicyName, "dot"},
		{"output control", testFacts(), func(j *manifest.Job) { j.Convert.OutputName = "web\x1b[2J.qcow2" }, manifest.CodePolicyName, "printed"},
		{"output is the report", testFacts(), func(j *manifest.Job) { j.Convert.OutputName = "report.json" }, manifest.CodePolicyName, "taken"},
		{"output is the domain", testFacts(), func(j *manifest.Job) { j.Convert.OutputName = "web01.xml" }, manifest.CodePolicyName, "taken"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			job := testJob()
			tc.edit(&job)
			_, err := NewPlan(job, tc.facts)
			if err == nil {
				t.Fatal("no error")
			}
			f := Failure(StageLoad, err)
			if f.Code != tc.code || !strings.Contains(f.Message, tc.says) {
				t.Errorf("got %s %q, want %s with %q", f.Code, f.Message, tc.code, tc.says)
			}
			if tc.facts.NoGuests != "" && strings.Contains(f.Message, tc.facts.NoGuests) && !strings.Contains(f.Hint, "libguestfs-tools") {
				t.Errorf("libguestfs is missing, and the hint is %q", f.Hint)
			}
		})
	}
}

// What only a default asks for never fails a job, and what was switched off is not asked for.
func TestPlanDefaultsPass(t *testing.T) {
	job := testJob()
	job.Check.BootTest = true
	p, err := NewPlan(job, testFacts())
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Warnings) != 2 || p.Stages[2].Skip != noGuestsHere {
		t.Errorf("warnings %v, fix %+v", p.Warnings, p.Stages[2])
	}
	job.Fix.Enabled, job.Asked = false, manifest.Asked{"fix.enabled": true, "fix.grub": true}
	if _, err := NewPlan(job, testFacts()); err != nil {
		t.Error(err)
	}
	job.Fix.Enabled, job.Fix.FstabMode, job.Asked = true, manifest.FstabNoop, manifest.Asked{"fix.fstab_mode": true}
	if _, err := NewPlan(job, testFacts()); err != nil {
		t.Error(err)
	}
}

func TestOutputNames(t *testing.T) {
	for _, tc := range []struct {
		asked string
		index int
		want  string
	}{
		{"", 0, "web01.qcow2"}, {"", 1, "web01-disk2.qcow2"}, {"", 11, "web01-disk12.qcow2"},
		{"x.img", 0, "x.img"}, {"x.img", 1, "x-disk2.img"}, {"plain", 1, "plain-disk2"},
	} {
		job := testJob()
		job.Convert.OutputName = tc.asked
		got, err := outputName(job, tc.index)
		if err != nil || got != tc.want {
			t.Errorf("outputName(%q, %d) = %q, %v, want %q", tc.asked, tc.index, got, err, tc.want)
		}
	}
}

// The plan is pure and its bound grows with what there is to write.
func TestPlanProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.Int64Range(1, 1<<46).Draw(t, "size")
		touched := rapid.Int64Range(0, ceilDiv(size, block)).Draw(t, "blocks") * block
		facts := Facts{Disks: []DiskFacts{{Name: "a.img", Format: "raw", VirtualSize: size, Allocated: min(touched, size), Touched: touched}}}
		job := testJob()
		job.Convert.Format = rapid.SampledFrom(writable).Draw(t, "format")
		p, err := NewPlan(job, facts)
		if err != nil {
			t.Fatal(err)
		}
		if p.MaxBytes < min(touched, size) {
			t.Fatalf("at most %d bytes for %d of data", p.MaxBytes, touched)
		}
		if p.MaxBytes > 2*touched+size/1024+16<<20 {
			t.Fatalf("a bound of %d bytes for %d of data on %d is no use", p.MaxBytes, touched, size)
		}
		facts.Disks[0].Touched = 0
		less, err := NewPlan(job, facts)
		if err != nil {
			t.Fatal(err)
		}
		if less.MaxBytes > p.MaxBytes {
			t.Fatalf("less data, larger bound: %d > %d", less.MaxBytes, p.MaxBytes)
		}
	})
}

func TestSizeText(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 1023: "1023 B", 1024: "1 KiB", 1536: "1.5 KiB", 1 << 20: "1 MiB", 40 << 30: "40 GiB", 1 << 46: "64 TiB", 1 << 60: "1048576 TiB",
	} {
		if got := sizeText(n); got != want {
			t.Errorf("sizeText(%d) = %q, want %q", n, got, want)
		}
	}
}

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, errors.New("pipe is closed") }

func TestPlanWriteTellsErrors(t *testing.T) {
	p, err := NewPlan(testJob(), testFacts())
	if err != nil {
		t.Fatal(err)
	}
	if p.Write(failingWriter{}) == nil {
		t.Error("a failing writer gave no error")
	}
}
