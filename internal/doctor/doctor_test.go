package doctor

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

func testOptions(t *testing.T) Options {
	t.Helper()
	w := t.TempDir()
	for _, d := range stateDirs {
		if err := os.Mkdir(filepath.Join(w, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return Options{
		WorkflowDir: w, OutputDir: t.TempDir(),
		Accel:  func(context.Context) (bool, string) { return false, "no device" },
		Daemon: func() (bool, string) { return false, "it does not run" },
		Clock:  func() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) },
	}
}

func itoa(n int) string { return strconv.Itoa(n) }

func find(t *testing.T, found []Finding, name string) Finding {
	t.Helper()
	i := slices.IndexFunc(found, func(f Finding) bool { return f.Check == name })
	if i < 0 {
		t.Fatalf("no finding %q in %+v", name, found)
	}
	return found[i]
}

func TestEveryFindingThatIsNotGoodSaysWhatToDo(t *testing.T) {
	for _, f := range Run(t.Context(), testOptions(t)) {
		if f.Detail == "" || strings.Contains(f.Detail, "\n") {
			t.Errorf("%+v has no line of detail", f)
		}
		if f.Verdict == Fail && f.Fix == "" {
			t.Errorf("%+v does not say what to do", f)
		}
	}
}

func TestFindings(t *testing.T) {
	o := testOptions(t)
	found := Run(t.Context(), o)
	for name, want := range map[string]Verdict{"kvm": Warn, "workflow": OK, "one mount": OK, "output": OK, "clock": OK, "daemon": Warn} {
		if f := find(t, found, name); f.Verdict != want {
			t.Errorf("%s is %+v, want %s", name, f, want)
		}
	}
	o.Clock = func() time.Time { return time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC) }
	o.Accel = func(context.Context) (bool, string) { return true, "" }
	o.OutputDir = filepath.Join(o.OutputDir, "missing")
	found = Run(t.Context(), o)
	for name, want := range map[string]Verdict{"kvm": OK, "clock": Fail, "output": Warn} {
		if f := find(t, found, name); f.Verdict != want {
			t.Errorf("%s is %+v, want %s", name, f, want)
		}
	}
	left, err := os.ReadDir(filepath.Join(o.WorkflowDir, "to_be_processed"))
	if err != nil || len(left) > 0 {
		t.Errorf("the doctor left %v in the drop zone, %v", left, err)
	}
}

func TestMay(t *testing.T) {
	dir := t.TempDir()
	uid, gid := os.Getuid(), os.Getgid()
	for _, c := range []struct {
		mode   os.FileMode
		uid    int
		groups []string
		want   bool
	}{
		{0o700, uid, nil, true}, {0o600, uid, nil, false}, {0o710, uid + 1, []string{itoa(gid)}, true}, {0o701, uid + 1, []string{itoa(gid)}, false},
		{0o701, uid + 1, []string{itoa(gid + 1)}, true}, {0o750, uid + 1, nil, false},
	} {
		if err := os.Chmod(dir, c.mode); err != nil {
			t.Fatal(err)
		}
		st, err := os.Stat(dir)
		if err != nil {
			t.Fatal(err)
		}
		if got := may(st, itoa(c.uid), c.groups, 0o1); got != c.want {
			t.Errorf("mode %o, user %d of %v: %v", c.mode, c.uid, c.groups, got)
		}
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
}

func TestDropIn(t *testing.T) {
	if got := DropIn([]string{"/var/lib/hyper2kvm/workflow", "/var/lib/hyper2kvm/output", ""}, []string{"/srv/exports"}); strings.Contains(got, "[Service]") {
		t.Errorf("nothing is needed, got %s", got)
	}
	got := DropIn([]string{"/srv/vm/workflow", "/srv/vm", `/mnt/big "disk" 100%`}, []string{"/home/vm"})
	for _, want := range []string{`RequiresMountsFor="/srv/vm"`, "ProtectHome=read-only", `ReadWritePaths="/srv/vm"`, `#   install -d -m 2750 -o hyper2kvm -g hyper2kvm '/srv/vm'`, `ReadWritePaths="/mnt/big \"disk\" 100%%"`} {
		if !strings.Contains(got, want+"\n") {
			t.Errorf("%s is not in\n%s", want, got)
		}
	}
	if strings.Contains(got, "workflow\"") {
		t.Errorf("a directory inside another needs no line:\n%s", got)
	}
}
