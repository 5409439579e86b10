package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"hyper2kvm/internal/manifest"
	"hyper2kvm/tui/wizard"
	"hyper2kvm/tui/wizard/answers"
)

// creates runs manifest create with answers on standard input.
func creates(t interface{ Context() context.Context }, input, state string, args ...string) (code int, out, errs string) {
	var o, e bytes.Buffer
	con := newConsole(strings.NewReader(input), &o, &e, func(name string) string {
		if name == "XDG_STATE_HOME" {
			return state
		}
		return ""
	}, time.Now)
	code = run(t.Context(), con, append([]string{"manifest", "create"}, args...))
	return code, o.String(), e.String()
}

// TestCommandOfTheWizardGivesItsManifest: the command line that the wizard shows writes the same manifest, for any answers.
func TestCommandOfTheWizardGivesItsManifest(t *testing.T) {
	dir := t.TempDir()
	texts := rapid.StringMatching(`[a-z '"#,&\$*=-]{0,8}[a-z]`)
	rapid.Check(t, func(rt *rapid.T) {
		var f answers.Form
		for range rapid.IntRange(1, 3).Draw(rt, "vms") {
			vm := answers.VM{"input": "/in/" + texts.Draw(rt, "input")}
			for _, field := range answers.Fields() {
				if field.Path == "input" || field.Path == "key_file" || rapid.Bool().Draw(rt, field.Path) {
					continue
				}
				switch field.Kind {
				case answers.Switch:
					vm[field.Path] = rapid.SampledFrom([]string{"true", "false"}).Draw(rt, "switch")
				case answers.Word:
					vm[field.Path] = rapid.SampledFrom(field.Values).Draw(rt, "word")
				case answers.Number:
					vm[field.Path] = "7"
				case answers.Line:
					vm[field.Path] = "/" + texts.Draw(rt, "text")
				}
			}
			f.VMs = append(f.VMs, vm)
		}
		want, err := f.YAML()
		if err != nil {
			rt.Fatal(err)
		}
		args := wizard.Command(wizard.Result{Action: wizard.Print, Form: f})[3:]
		for i, a := range args {
			args[i] = unquoted(a)
		}
		code, out, errs := creates(t, "", dir, args...)
		_, problems := manifest.Load("m.yaml", want)
		if problems.Err() != nil {
			if code != exitManifest {
				rt.Fatalf("%q ends with %d: %s", args, code, errs)
			}
			return
		}
		if code != exitOK || out != string(want) {
			rt.Fatalf("%q ends with %d: %s\n%s\nwant\n%s", args, code, errs, out, want)
		}
	})
}

// unquoted takes back what wizard.Quote does.
func unquoted(s string) string {
	head := ""
	if flag, value, ok := strings.Cut(s, "="); ok && strings.HasPrefix(flag, "--") {
		head, s = flag+"=", value
	}
	if strings.HasPrefix(s, "'") && strings.HasSuffix(s, "'") && len(s) > 1 {
		s = strings.ReplaceAll(s[1:len(s)-1], `'\''`, "'")
	}
	return head + s
}

// TestEverySettingCanBeAsked goes through all questions, with the default for each but one.
func TestEverySettingCanBeAsked(t *testing.T) {
	in := []string{"web01.vmdk", "", "", "", "", "yes"}
	for _, f := range answers.Fields() {
		switch {
		case slices.Contains(first, f.Path):
		case f.Path == "fix_grub":
			in = append(in, "off")
		case f.Path == "vm.cpu":
			in = append(in, "many", "4")
		case f.Path == "fstab_mode":
			in = append(in, "3")
		default:
			in = append(in, "")
		}
	}
	in = append(in, "no", "print", "")
	code, out, errs := creates(t, strings.Join(in, "\n"), t.TempDir(), "--no-tui")
	if code != exitOK || !strings.HasSuffix(out, "input: web01.vmdk\nfstab_mode: noop\nfix_grub: false\nvm:\n  cpu: 4\n") {
		t.Errorf("exit %d\n%s\n%s", code, out, errs)
	}
	if !strings.Contains(errs, `error H2K-MAN-004: want a whole number from 0 to 4096, got "many"`) {
		t.Errorf("%s", errs)
	}
}

// TestSeveralVMsByQuestions: another VM, each question once for it.
func TestSeveralVMsByQuestions(t *testing.T) {
	in := "a.vmdk\na2.vmdk\n\n\n\n\nno\nyes\nb.vmdk\n\ndb\n2\n\nno\nno\nprint\n"
	code, out, errs := creates(t, in, t.TempDir())
	if code != exitOK || !strings.HasSuffix(out, "jobs:\n  - input:\n      - a.vmdk\n      - a2.vmdk\n  - input: b.vmdk\n    name: db\n    output_format: raw\n") {
		t.Errorf("exit %d\n%s\n%s", code, out, errs)
	}
}

func TestInterruptDoesNotWaitForAnAnswer(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	defer r.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, errs bytes.Buffer
	con := newConsole(r, &out, &errs, func(string) string { return "" }, time.Now)
	if code := run(ctx, con, []string{"manifest", "create"}); code != exitInterrupted {
		t.Errorf("exit %d: %s", code, errs.String())
	}
}

// TestDraftFile: what was typed is kept, right or wrong, for its owner only, and a broken or strange file is none.
func TestDraftFile(t *testing.T) {
	state := t.TempDir()
	con := newConsole(strings.NewReader(""), &bytes.Buffer{}, &bytes.Buffer{}, func(name string) string {
		if name == "XDG_STATE_HOME" {
			return state
		}
		return ""
	}, time.Now)
	f := answers.Form{VMs: []answers.VM{{"input": "a.vmdk\n/b: c#.vmdk", "vm.cpu": "4x"}, {"name": "~"}, {}}}
	if d, err := con.readDraft(); d != nil || err != nil {
		t.Fatal(d, err)
	}
	if err := con.keepDraft(f); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(state, "hyperctl", "draft.yaml")
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
		t.Fatal(st, err)
	}
	d, err := con.readDraft()
	if err != nil || !d.Form.Equal(f) {
		t.Fatal(d, err)
	}
	if err := con.keepDraft(answers.New()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("an empty draft is kept")
	}
	for _, broken := range []string{"vms: [", "vms: {a: b}", "[]", "vms: [{input: [a]}]"} {
		if err := os.WriteFile(path, []byte(broken), 0o600); err != nil {
			t.Fatal(err)
		}
		if d, err := con.readDraft(); err == nil {
			t.Errorf("%q was read as %v", broken, d)
		}
	}
	if err := os.WriteFile(path, []byte("vms: [{nosuch: x}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if d, err := con.readDraft(); d != nil || err != nil {
		t.Error(d, err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := con.readDraft(); err == nil {
		t.Error("a pipe was read as a draft")
	}
}

// TestHostFiles lists and probes what lies in a directory; what is no file is never opened.
func TestHostFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, b []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("db.raw", make([]byte, 1<<20))
	write("notes.txt", []byte("no disk"))
	write("db.vmx", []byte("config.version = \"8\"\ndisplayName = \"db server\"\nnumvcpus = \"4\"\nmemsize = \"1536\"\nscsi0.present = \"TRUE\"\nscsi0:0.present = \"TRUE\"\nscsi0:0.fileName = \"gone.vmdk\"\n"))
	if err := unix.Mkfifo(filepath.Join(dir, "pipe.vmdk"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("nowhere", filepath.Join(dir, "link.vmdk")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "zz"), 0o700); err != nil {
		t.Fatal(err)
	}
	var got []string
	entries, more, err := hostFiles{}.List(t.Context(), dir)
	for _, e := range entries {
		kind := ""
		if e.Odd {
			kind = "?"
		}
		got = append(got, e.Name+kind)
	}
	if s := strings.Join(got, " "); s != "zz db.raw db.vmx link.vmdk? notes.txt pipe.vmdk?" || more || err != nil {
		t.Error(s, more, err)
	}
	f, err := hostFiles{}.Probe(t.Context(), filepath.Join(dir, "db.raw"))
	if err != nil || f.Kind != "raw" || f.Virtual != 1<<20 || f.Disks != 1 || f.Described {
		t.Errorf("%+v %v", f, err)
	}
	f, err = hostFiles{}.Probe(t.Context(), filepath.Join(dir, "db.vmx"))
	if err != nil || !f.Described || f.Name != "db server" || f.Machine.CPUs != 4 || f.Machine.MemoryMiB != 1536 || len(f.Notes) == 0 {
		t.Errorf("%+v %v", f, err)
	}
	for _, name := range []string{"notes.txt", "pipe.vmdk", "link.vmdk", "zz"} {
		if f, err := (hostFiles{}).Probe(t.Context(), filepath.Join(dir, name)); err == nil {
			t.Errorf("%s is taken for %+v", name, f)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := (hostFiles{}).List(ctx, dir); !errors.Is(err, context.Canceled) {
		t.Errorf("err = %v", err)
	}
}

// TestFilesThatGoWithAManifest: plain names beside it, with --copy all, never two of one name.
func TestFilesThatGoWithAManifest(t *testing.T) {
	dir := t.TempDir()
	other := t.TempDir()
	for _, path := range []string{filepath.Join(dir, "a.raw"), filepath.Join(dir, "key"), filepath.Join(other, "b.raw"), filepath.Join(other, "a.raw")} {
		if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b := filepath.Join(other, "b.raw")
	form := func() answers.Form {
		return answers.Form{VMs: []answers.VM{{"input": "a.raw\nabsent.raw", "key_file": "key"}, {"input": b, "key_file": "key"}}}
	}
	f := form()
	files, elsewhere, err := filesOf(f, []string{dir}, false)
	if err != nil || !slices.Equal(files, []string{filepath.Join(dir, "a.raw"), filepath.Join(dir, "key")}) || !slices.Equal(elsewhere, []string{b}) || !f.Equal(form()) {
		t.Error(files, elsewhere, err, f)
	}
	f = form()
	files, elsewhere, err = filesOf(f, []string{dir}, true)
	if err != nil || len(files) != 3 || len(elsewhere) != 0 || f.VMs[1]["input"] != "b.raw" {
		t.Error(files, elsewhere, err, f)
	}
	f = form()
	f.VMs[1]["input"] = filepath.Join(other, "a.raw")
	if _, _, err := filesOf(f, []string{dir}, true); err == nil {
		t.Error("two files of one name are handed in as one")
	}
}

// TestManifestOfAnEntry: what the watch opens for a job.
func TestManifestOfAnEntry(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a.yaml", "disk.raw", "one.job/m.yaml", "one.job/disk.raw", "none.job/disk.raw", "two.job/a.json", "two.job/b.yaml"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("input: disk.raw\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for entry, want := range map[string]string{"a.yaml": "a.yaml", "one.job": "one.job/m.yaml", "disk.raw": "", "none.job": "", "two.job": "", "gone": ""} {
		got, err := manifestOf(filepath.Join(dir, entry))
		if (err == nil) != (want != "") || want != "" && got != filepath.Join(dir, want) {
			t.Errorf("%s: %q, %v", entry, got, err)
		}
	}
}
