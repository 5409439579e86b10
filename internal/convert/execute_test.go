package convert

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"hyper2kvm/internal/guest"
	"hyper2kvm/internal/machine"
	"hyper2kvm/internal/manifest"
)

func TestEveryFormatToEveryFormat(t *testing.T) {
	content := sample(5<<20+512, 3)
	for _, from := range writable {
		for _, to := range writable {
			t.Run(from+" to "+to, func(t *testing.T) {
				b := newBench(t)
				b.image("disk."+from, from, content)
				b.req.Entry, b.req.Job.Convert.Format = "disk."+from, to
				report := b.good()
				d := report.Disks[0]
				if d.SourceFormat != from || d.OutputFormat != to || d.Output != "web01."+to || !d.Proved {
					t.Errorf("disk %+v", d)
				}
				if got := b.content("web01."+to, to); !bytes.Equal(got, content) {
					t.Error("the content differs")
				}
				st, err := os.Stat(filepath.Join(b.req.Partial, d.Output))
				if used := st.Sys().(*syscall.Stat_t).Blocks * 512; used > b.host.reserved[0].Bytes || b.host.reserved[0].Dir != b.req.Partial {
					t.Errorf("stored %d, reserved %+v", used, b.host.reserved)
				}
				if err != nil || st.Size() != d.OutputBytes || st.Mode().Perm()&0o007 != 0 {
					t.Errorf("%v, %v", st.Mode(), err)
				}
			})
		}
	}
}

func TestSuccessIsComplete(t *testing.T) {
	b := newBench(t)
	b.image("disk.img", "raw", sample(2<<20, 7))
	b.req.Entry = "disk.img"
	report := b.good()

	var status []string
	for _, s := range report.Stages {
		status = append(status, s.Status)
	}
	if !slices.Equal(status, []string{"done", "done", "skipped", "done", "done"}) || !strings.Contains(report.Stages[2].Reason, "there is no guest to repair") {
		t.Errorf("stages %+v", report.Stages)
	}
	if report.Warnings[0].Code != manifest.CodeFixUnavailable {
		t.Errorf("warnings %+v", report.Warnings)
	}
	xml, err := os.ReadFile(filepath.Join(b.req.Partial, "web01.xml"))
	if err != nil || !bytes.Contains(xml, []byte("/srv/out/web01/web01.qcow2")) || report.DomainXML != "web01.xml" {
		t.Errorf("domain %q %v\n%s", report.DomainXML, err, xml)
	}
	onDisk, err := os.ReadFile(filepath.Join(b.req.Partial, reportName))
	if err != nil {
		t.Fatal(err)
	}
	var again manifest.Report
	if err := json.Unmarshal(onDisk, &again); err != nil {
		t.Fatal(err)
	}
	if again.Disks[0].ContentDigest != report.Disks[0].ContentDigest || again.Status != statusSuccess || len(again.Stages) != 5 {
		t.Errorf("report on disk: %s", onDisk)
	}
	if !slices.Equal(b.host.placed, []string{"web01"}) {
		t.Errorf("placed %v", b.host.placed)
	}
	for _, stage := range []string{StageConvert, StageValidate} {
		if p := b.events.progress[stage]; p[0] != p[1] || p[1] == 0 {
			t.Errorf("progress of %s ends at %v", stage, p)
		}
	}
	want := []string{
		"1/5 load start", "1/5 load done", "2/5 inspect start", "2/5 inspect done", "3/5 fix skipped",
		"4/5 convert start", "4/5 convert done", "5/5 validate start", "5/5 validate done",
	}
	if !slices.Equal(b.events.stages, want) {
		t.Errorf("events %q", b.events.stages)
	}
	entries, err := os.ReadDir(b.req.Partial)
	if err != nil || len(entries) != 3 {
		t.Errorf("%v, %v", entries, err)
	}
}

// A disk whose size is no multiple of a sector keeps its content; only the target may round up.
func TestOddSize(t *testing.T) {
	content := sample(1<<20+77, 5)
	for _, to := range writable {
		b := newBench(t)
		b.image("disk.img", "raw", content)
		b.req.Entry, b.req.Job.Convert.Format = "disk.img", to
		b.good()
		got := b.content("web01."+to, to)
		if !bytes.Equal(got[:len(content)], content) || len(bytes.Trim(got[len(content):], "\x00")) > 0 {
			t.Errorf("%s: the content differs", to)
		}
	}
}

func TestDryRunJob(t *testing.T) {
	b := newBench(t)
	b.image("disk.img", "raw", sample(1<<20, 7))
	b.req.Entry, b.req.Job.DryRun = "disk.img", true
	report := b.good()
	for _, i := range []int{3, 4} {
		if report.Stages[i].Status != manifest.StageSkipped {
			t.Errorf("%+v", report.Stages[i])
		}
	}
	if len(b.host.reserved) > 0 || report.Disks[0].Output != "web01.qcow2" || report.Disks[0].Proved {
		t.Errorf("reserved %v, disk %+v", b.host.reserved, report.Disks[0])
	}
	entries, err := os.ReadDir(b.req.Partial)
	if err != nil || len(entries) != 1 || entries[0].Name() != reportName {
		t.Errorf("%v, %v", entries, err)
	}
}

func TestDryRunFunctionWritesNothing(t *testing.T) {
	b := newBench(t)
	b.image("disk.vmdk", "vmdk", sample(1<<20, 7))
	b.files()
	b.req.Entry = "disk.vmdk"
	p, err := DryRun(t.Context(), b.req, noGuests{})
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Disks) != 1 || p.Disks[0].Output != "web01.qcow2" || p.Disks[0].ReadBytes == 0 {
		t.Errorf("%+v", p)
	}
	if entries, _ := os.ReadDir(b.req.Partial); len(entries) > 0 {
		t.Errorf("wrote %v", entries)
	}
	if _, err := DryRun(t.Context(), Request{Job: testJob(), Files: b.req.Files, Entry: "other"}, noGuests{}); err == nil {
		t.Error("a source that is not there gave a plan")
	}
}

func TestExistingOutputIsKept(t *testing.T) {
	b := newBench(t)
	b.image("disk.img", "raw", sample(1<<20, 7))
	b.req.Entry = "disk.img"
	there := filepath.Join(b.req.Partial, "web01.qcow2")
	if err := os.WriteFile(there, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	b.bad(StageConvert, manifest.CodeOutputExists, "web01.qcow2")
	if got, _ := os.ReadFile(there); string(got) != "precious" {
		t.Errorf("it is now %q", got)
	}
}

func TestCancelMidConvert(t *testing.T) {
	b := newBench(t)
	b.image("disk.img", "raw", sample(16<<20, 7))
	b.req.Entry = "disk.img"
	outside := filepath.Join(filepath.Dir(b.req.Partial), "neighbour")
	if err := os.WriteFile(outside, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	b.events.onStage = func(name, status string) {
		if name == StageConvert && status == statusStart {
			b.events.onMove = func(string, int64, int64) { cancel(errors.New("a person asked for it")) }
		}
	}
	report, err := b.run(ctx)
	if err == nil || report.Error.Code != manifest.CodeJobCancelled || !report.Error.Retryable {
		t.Fatalf("%v %+v", err, report.Error)
	}
	if report.Stages[3].Status != manifest.StageFailed || report.Stages[4].Status != manifest.StageNotRun {
		t.Errorf("%+v", report.Stages)
	}
	if _, err := os.Stat(outside); err != nil {
		t.Error(err)
	}
	if len(b.host.placed) > 0 {
		t.Error("a cancelled run was placed")
	}
}

func TestCancelledBeforeStart(t *testing.T) {
	b := newBench(t)
	b.image("disk.img", "raw", sample(1<<20, 7))
	b.req.Entry = "disk.img"
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	report, _ := b.run(ctx)
	if report.Error == nil || report.Error.Code != manifest.CodeJobCancelled {
		t.Errorf("%+v", report.Error)
	}
}

func TestNoSpace(t *testing.T) {
	b := newBench(t)
	b.image("disk.img", "raw", sample(1<<20, 7))
	b.req.Entry = "disk.img"
	b.host.reserve = syscall.ENOSPC
	b.bad(StageLoad, manifest.CodeSpaceOutput, "reserve")
	if entries, _ := os.ReadDir(b.req.Partial); len(entries) > 0 {
		t.Errorf("wrote %v", entries)
	}
}

func TestSourceChangesWhileRead(t *testing.T) {
	b := newBench(t)
	b.image("disk.img", "raw", sample(1<<20, 7))
	b.files()
	b.req.Entry = "disk.img"
	b.events.onStage = func(name, status string) {
		if name == StageConvert && status == statusStart {
			if err := os.Truncate(b.path("disk.img"), 2<<20); err != nil {
				t.Error(err)
			}
		}
	}
	report, err := Execute(t.Context(), b.req, b.events, b.host, b.options)
	if err == nil || report.Error.Code != manifest.CodeSourceChanged || report.Error.Stage != StageConvert || !report.Error.Retryable {
		t.Fatalf("%+v", report.Error)
	}
}

// An output that does not hold what was written is never called proved.
func TestDamagedOutput(t *testing.T) {
	for _, format := range writable {
		t.Run(format, func(t *testing.T) {
			b := newBench(t)
			noise := make([]byte, 1<<20) // more of it than of tables, so that the damage hits content
			_, _ = rand.NewChaCha8([32]byte{1}).Read(noise)
			b.write("disk.img", noise)
			b.req.Entry, b.req.Job.Convert.Format = "disk.img", format
			b.events.onStage = func(name, status string) {
				if name == StageValidate && status == statusStart {
					damage(t, filepath.Join(b.req.Partial, "web01."+format))
				}
			}
			report := b.bad(StageValidate, manifest.CodeOutputProof, "web01."+format)
			if report.Disks[0].Proved || len(b.host.placed) > 0 {
				t.Errorf("%+v, placed %v", report.Disks[0], b.host.placed)
			}
		})
	}
}

// damage inverts the middle of a file's data.
func damage(t *testing.T, path string) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Error(err)
		return
	}
	for i := len(content) / 3; i < len(content)*2/3; i++ {
		content[i] ^= 0xff
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Error(err)
	}
}

func TestPanicIsAFailure(t *testing.T) {
	b := newBench(t)
	r := &Run{Request: b.req, Events: b.events, Clock: testClock()}
	list := []Stage{
		{Name: StageLoad, Run: func(context.Context, *Run) error { panic("index out of range") }},
		{Name: StageInspect, Run: func(context.Context, *Run) error { t.Error("ran after a failure"); return nil }},
	}
	reports, failure := runStages(t.Context(), r, list)
	if failure == nil || failure.Code != manifest.CodeJobInternal || !strings.Contains(failure.Message, "index out of range") {
		t.Errorf("%+v", failure)
	}
	if reports[0].Status != manifest.StageFailed || reports[1].Status != manifest.StageNotRun || reports[1].Reason == "" {
		t.Errorf("%+v", reports)
	}
	if len(b.events.logs) != 1 || !strings.Contains(b.events.logs[0], "goroutine") {
		t.Errorf("logs %q", b.events.logs)
	}
}

func TestStagesHaveTheirNames(t *testing.T) {
	for i, s := range stages {
		if s.Name != StageNames()[i] {
			t.Errorf("stage %d is %s, named %s", i, s.Name, StageNames()[i])
		}
	}
	if len(stages) != len(StageNames()) {
		t.Error("the table and the names differ in length")
	}
}

func TestStatedChecksum(t *testing.T) {
	b := newBench(t)
	content := sample(1<<20, 7)
	b.image("disk.img", "raw", content)
	sum := sha256.Sum256(content)
	d := manifest.SourceDisk{Path: "disk.img", SHA256: hex.EncodeToString(sum[:]), Bytes: 1 << 20, Format: "raw"}
	b.req.Job.Source.Disks = []manifest.SourceDisk{d}
	b.good()
	if p := b.events.progress[StageLoad]; p[0] != 1<<20 || p[1] != 1<<20 {
		t.Errorf("progress %v", p)
	}

	b = newBench(t)
	content[77]++
	b.image("disk.img", "raw", content)
	b.req.Job.Source.Disks = []manifest.SourceDisk{d}
	b.bad(StageLoad, manifest.CodeSourceChecksum, d.SHA256)
}

// partitioned is a disk of that many bytes whose MBR lists one partition of that many sectors behind the first MiB.
func partitioned(size int, sectors uint32) []byte {
	b := sample(size, 3)
	clear(b[:512])
	entry := b[446:]
	entry[4] = 0x83
	binary.LittleEndian.PutUint32(entry[8:], 2048)
	binary.LittleEndian.PutUint32(entry[12:], sectors)
	b[510], b[511] = 0x55, 0xaa
	return b
}

func TestHalfCopiedDisk(t *testing.T) {
	whole := partitioned(5<<20, 8192)
	b := newBench(t)
	b.write("disk.img", whole)
	b.req.Entry = "disk.img"
	report := b.good()
	if facts := report.Guest.(guest.Facts); len(facts.Disks) != 1 || facts.Disks[0].Table != "mbr" || len(facts.Disks[0].Partitions) != 1 {
		t.Errorf("%+v", facts)
	}

	b = newBench(t)
	b.write("disk.img", whole[:3<<20])
	b.req.Entry = "disk.img"
	report = b.bad(StageInspect, manifest.CodeImagePartitions, "2097152 bytes are missing")
	if report.Stages[3].Status != manifest.StageNotRun || len(report.Disks) != 1 || report.Disks[0].VirtualSize != 3<<20 {
		t.Errorf("%+v", report)
	}

	b = newBench(t)
	b.write("disk.img", whole[:3<<20])
	b.req.Entry, b.req.Job.Inspect.Enabled = "disk.img", false
	if report := b.good(); report.Stages[1].Status != manifest.StageSkipped || report.Guest != nil {
		t.Errorf("%+v", report.Stages)
	}
}

// A firmware that is described otherwise than the disks speak is kept, with a warning.
func TestFirmwareContradiction(t *testing.T) {
	b := newBench(t)
	disk := partitioned(5<<20, 8192)
	disk[446+4] = 0xef // an EFI system partition, with the boot sector of a FAT in it
	fat := disk[1<<20:]
	copy(fat, []byte{0xeb, 0x3c, 0x90, 11: 0, 12: 2, 13: 4, 14: 1, 16: 2, 19: 0, 20: 32, 21: 0xf8, 22: 8})
	fat[510], fat[511] = 0x55, 0xaa
	b.write("disk.img", disk)
	b.req.Entry, b.req.Job.Machine.Firmware = "disk.img", "bios"
	report := b.good()
	found := slices.ContainsFunc(report.Warnings, func(w manifest.Warning) bool {
		return w.Code == manifest.CodeMachineAssumed && w.Stage == StageInspect
	})
	if !found || report.Machine.(*machine.Machine).Firmware != machine.FirmwareBIOS {
		t.Errorf("%+v", report.Warnings)
	}
}
