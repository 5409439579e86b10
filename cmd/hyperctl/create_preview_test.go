package main

import (
	"bytes"
	"context"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hyper2kvm/internal/convert"
	"hyper2kvm/internal/manifest"
	"hyper2kvm/internal/queue"
	"hyper2kvm/tui/wizard"
	"hyper2kvm/tui/wizard/answers"
)

// hostWithout is a host that has no libguestfs.
type hostWithout struct{ convert.HostGuests }

// Missing implements convert.Guests.
func (hostWithout) Missing(context.Context) (repairs, boot string) {
	return "there is no libguestfs", "there is no QEMU"
}

// past is the report of a job that read so much and took so long for each stage.
func past(read int64, format string, seconds ...float64) manifest.Report {
	r := manifest.Report{Disks: []manifest.DiskReport{{AllocatedBytes: read}}}
	r.Job.Convert.Format = format
	for i, name := range []string{"load", "inspect", "fix", "convert", "validate"} {
		status := manifest.StageDone
		if seconds[i] < 0 {
			status = manifest.StageSkipped
		}
		r.Stages = append(r.Stages, manifest.StageReport{Name: name, Status: status, Seconds: seconds[i]})
	}
	return r
}

func TestEstimate(t *testing.T) {
	const mib = 1 << 20
	boots := past(100*mib, "qcow2", 1, 1, 1, 10, 35)
	boots.BootTest = &manifest.BootTest{Seconds: 30}
	plan := func(read int64, skip ...string) convert.Plan {
		p := convert.Plan{Disks: []convert.DiskPlan{{ReadBytes: read, MaxBytes: read + 1}}}
		for _, name := range []string{"load", "inspect", "fix", "convert", "validate"} {
			s := convert.StagePlan{Name: name}
			if strings.Contains(strings.Join(skip, " "), name) {
				s.Skip = "switched off by the job"
			}
			p.Stages = append(p.Stages, s)
		}
		return p
	}
	job := manifest.Job{Convert: manifest.Convert{Format: "qcow2"}}
	booting := job
	booting.Check = manifest.Check{Enabled: true, BootTest: true}
	for _, tt := range []struct {
		name  string
		past  []manifest.Report
		job   manifest.Job
		plan  convert.Plan
		took  float64
		known bool
		apart string
	}{
		{"no past", nil, job, plan(1), 0, false, ""},
		{"twice as much takes twice as long, but for what does not read", []manifest.Report{past(100*mib, "qcow2", 1, 2, 3, 10, 5)}, job, plan(200 * mib), 1 + 2 + 3 + 20 + 10, true, ""},
		{"large jobs weigh more", []manifest.Report{past(900*mib, "qcow2", 1, 1, 1, 90, 9), past(100*mib, "qcow2", 3, 3, 3, 30, 1)}, job, plan(100 * mib), 2 + 2 + 2 + 12 + 1, true, ""},
		{"only jobs of the same kind", []manifest.Report{past(100*mib, "raw", 9, 9, 9, 99, 9), past(100*mib, "qcow2", 1, 1, 1, 1, 1)}, job, plan(100 * mib), 5, true, ""},
		{"others where there are none", []manifest.Report{past(100*mib, "raw", 1, 1, 1, 1, 1)}, job, plan(100 * mib), 5, true, ""},
		{"what is left out takes no time", []manifest.Report{past(100*mib, "qcow2", 1, 2, 3, 10, 5)}, job, plan(100*mib, "inspect", "fix"), 16, true, ""},
		{"a stage that never ran", []manifest.Report{past(100*mib, "qcow2", 1, 2, -1, 10, 5)}, job, plan(100 * mib), 1 + 2 + 10 + 5, true, "fix"},
		{"nothing was read", []manifest.Report{past(0, "qcow2", 1, 2, 3, 10, 5)}, job, plan(100 * mib), 0, false, ""},
		{"not unpacked", []manifest.Report{past(100*mib, "qcow2", 1, 2, 3, 10, 5)}, job, convert.Plan{Disks: []convert.DiskPlan{{}}}, 0, false, ""},
		{"a boot test is no part of reading", []manifest.Report{boots}, job, plan(100 * mib), 1 + 1 + 1 + 10 + 5, true, ""},
		{"but of its own", []manifest.Report{boots}, booting, plan(200 * mib), 1 + 1 + 1 + 20 + 10 + 30, true, ""},
		{"which must be known", []manifest.Report{past(100*mib, "qcow2", 1, 1, 1, 1, 1)}, booting, plan(100 * mib), 5, true, "the boot test"},
	} {
		took, apart, known := paceOf(tt.past, tt.job.Convert).estimate(tt.job, tt.plan)
		if strings.Join(apart, ", ") != tt.apart || known != tt.known || math.Abs(took.Seconds()-tt.took) > 0.01 {
			t.Errorf("%s: %s without %q, %v, want %gs without %q, %v", tt.name, took, apart, known, tt.took, tt.apart, tt.known)
		}
	}
}

// workflowDir is a workflow directory on which a daemon ran, and the configuration that names it.
func workflowDir(t *testing.T, settings string) (dir, conf string) {
	t.Helper()
	base := t.TempDir()
	dir, conf = filepath.Join(base, "w"), filepath.Join(base, "daemon.yaml")
	for _, sub := range []string{queue.DirQueued, queue.DirRunning, queue.DirDone, queue.DirFailed, queue.DirOwn} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(conf, []byte("workflow_dir: "+dir+"\n"+settings), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir, conf
}

// ahead makes a previewer for a command with flags.
func ahead(t *testing.T, conf, dir string) *previewer {
	t.Helper()
	var out bytes.Buffer
	con := newConsole(strings.NewReader(""), &out, &out, func(string) string { return "" }, time.Now)
	con.opts.daemonConfig, con.opts.workflowDir = conf, dir
	p := con.newPreviewer("")
	p.guests = hostWithout{}
	return p
}

// TestDefaultsAreThoseOfTheDirectory: a configuration holds for the directory that it names, and for no other.
func TestDefaultsAreThoseOfTheDirectory(t *testing.T) {
	dir, conf := workflowDir(t, "output_dir: /srv/kvm\nout_format: raw\n")
	other, _ := workflowDir(t, "")
	for _, tt := range []struct{ conf, dir, format, output string }{
		{conf, "", "raw", "/srv/kvm"},
		{conf, dir, "raw", "/srv/kvm"},
		{conf, other, "qcow2", ""},
		{"/nonexistent/daemon.yaml", dir, "qcow2", ""},
	} {
		d := ahead(t, tt.conf, tt.dir).def
		if d.jobs.Format != tt.format || d.outputDir != tt.output {
			t.Errorf("with %s and --workflow-dir %q: %s in %q, want %s in %q", filepath.Base(tt.conf), tt.dir, d.jobs.Format, d.outputDir, tt.format, tt.output)
		}
	}
}

// TestPreviewIsTheDryRun: the plan is the one of manifest submit --dry-run, with the daemon's defaults.
func TestPreviewIsTheDryRun(t *testing.T) {
	dir, conf := workflowDir(t, "output_dir: "+filepath.Join(t.TempDir(), "out/not/there/yet")+"\nout_format: raw\n")
	disk := filepath.Join(t.TempDir(), "web01.raw")
	if err := os.WriteFile(disk, bytes.Repeat([]byte("content "), 1<<17), 0o600); err != nil {
		t.Fatal(err)
	}
	p := ahead(t, conf, "")
	form := answers.Form{VMs: []answers.VM{{"input": disk}, {"input": disk + ".gone"}, {"input": disk, "name": "two", "output_dir": dir}}}
	got, err := p.preview(t.Context(), form, false)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.VMs) != 3 || got.VMs[0].Fails != "" || got.VMs[1].Code != manifest.CodeSourceMissing || got.VMs[1].Name != "web01.raw.gone" || strings.Contains(got.VMs[1].Hint, "retry") {
		t.Fatalf("%+v", got.VMs)
	}
	first, err := answers.Form{VMs: form.VMs[:1]}.YAML()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "web01.yaml")
	if err := os.WriteFile(file, first, 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	con := newConsole(strings.NewReader(""), &out, &errs, func(name string) string { return map[string]string{"HYPERCTL_DAEMON_CONFIG": conf}[name] }, time.Now)
	if code := run(t.Context(), con, []string{"manifest", "submit", "--dry-run", file}); code != exitOK {
		t.Fatalf("exit code %d: %s", code, errs.String())
	}
	plan := got.VMs[0].Plan
	if want, _, _ := strings.Cut(out.String(), "\n"); plan[0]+" (dry run)" != want {
		t.Errorf("the plan begins with %q, the dry run with %q", plan[0], want)
	}
	for _, l := range plan {
		if strings.HasPrefix(l, "  convert ") && (!strings.Contains(out.String(), l+"\n") || !strings.Contains(l, "raw, at most")) {
			t.Errorf("%q is not in the dry run, or not by the daemon's default:\n%s", l, out.String())
		}
	}
	if got.VMs[0].Known || got.Past != 0 || !strings.Contains(wizard.Preview{VMs: got.VMs[:1]}.Time(), "time unknown") {
		t.Errorf("a time out of nothing: %+v", got)
	}
	if len(got.Places) != 1 || got.Places[0].What != "output and queue" || got.Places[0].Need < 2<<20 || got.Places[0].Free == 0 {
		t.Errorf("one file system: %+v", got.Places)
	}
	one := got.Places[0].Need
	if got, err = p.preview(t.Context(), form, true); err != nil || got.Places[0].Need != one+1<<20 {
		t.Errorf("handing the file in needs %+v after %d, %v", got.Places, one, err)
	}
}

// TestPlacesOfOneFileSystemAreOne, and what this user does not see the daemon said.
func TestPlacesOfOneFileSystemAreOne(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	p := places{known: []queue.Space{{Dir: dir, Free: 1, Total: 2, Reserved: 7}, {Dir: file + "/out", Free: 5, Total: 9, Reserved: 3}}}
	p.add(wizard.Place{What: "output", Dir: dir, Need: 10})
	p.add(wizard.Place{What: "output", Dir: filepath.Join(dir, "later"), Need: 20, Repairs: true})
	p.add(wizard.Place{What: "queue", Dir: dir, Need: 5})
	p.add(wizard.Place{What: "output", Dir: file + "/out", Vague: true})
	p.add(wizard.Place{What: "output", Need: 1})
	want := []wizard.Place{
		{What: "output and queue", Dir: dir, Need: 35, Reserved: 7, Repairs: true},
		{What: "output", Dir: file + "/out", Free: 5, Total: 9, Reserved: 3, Vague: true},
		{What: "output", Need: 1, Unknown: "the daemon's output_dir is not known here"},
	}
	for i := range p.list {
		if i == 0 {
			p.list[0].Free, p.list[0].Total = 0, 0 // the machine's
		}
		if i >= len(want) || p.list[i] != want[i] {
			t.Errorf("%+v", p.list[i])
		}
	}
	if len(p.list) != len(want) {
		t.Errorf("%d places, want %d", len(p.list), len(want))
	}
}
