package doctor

import (
	"context"
	"io/fs"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
)

func TestParseUnit(t *testing.T) {
	u, there := parseUnit([]byte("ExecStart={ path=/usr/bin/hyper2kvmd ; argv[]=/usr/bin/hyper2kvmd --config /etc/c.yaml ; ignore_errors=no }\n" +
		"ReadWritePaths=/var/lib/hyper2kvm -/srv/kvm\nLoadState=loaded\nProtectHome=yes\n"))
	if !there || !u.NoHomes || !slices.Contains(strings.Fields(u.Start), "/etc/c.yaml") || !slices.Equal(u.Writable, []string{"/var/lib/hyper2kvm", "/srv/kvm"}) {
		t.Errorf("%v %+v", there, u)
	}
	if _, there := parseUnit([]byte("LoadState=not-found\nReadWritePaths=\n")); there {
		t.Error("a unit that is not installed is found")
	}
}

func TestUnit(t *testing.T) {
	const settings = "/etc/hyper2kvm/workflow-daemon.yaml"
	unit := func(writable ...string) func(context.Context) (Unit, bool) {
		return func(context.Context) (Unit, bool) {
			return Unit{Start: "{ argv[]=/usr/bin/hyper2kvmd --config " + settings + " ; }", Writable: writable, NoHomes: true}, true
		}
	}
	for name, c := range map[string]struct {
		o    Options
		want Verdict
		says string
	}{
		"own directories":       {o: Options{Settings: settings, Directories: []string{"/var/lib/hyper2kvm/workflow", "/var/log/hyper2kvm"}, Unit: unit("/var/lib/hyper2kvm")}, want: OK},
		"elsewhere":             {o: Options{Settings: settings, Directories: []string{"/srv/kvm/out"}, Unit: unit("/var/lib/hyper2kvm")}, want: Fail, says: "/srv/kvm/out"},
		"sources in a home":     {o: Options{Settings: settings, Sources: []string{"/srv/a", "/home/vm"}, Unit: unit()}, want: Fail, says: "may not read /home/vm"},
		"with a drop-in":        {o: Options{Settings: settings, Directories: []string{"/srv/kvm/out"}, Unit: unit("/var/lib/hyper2kvm", "/srv/kvm")}, want: OK},
		"another configuration": {o: Options{Settings: "/home/a/c.yaml", Directories: []string{"/srv"}, Unit: unit()}},
		"no unit":               {o: Options{Settings: settings, Directories: []string{"/srv"}, Unit: func(context.Context) (Unit, bool) { return Unit{}, false }}},
		"broken settings":       {o: Options{Settings: settings, SettingsFault: "line 1", Unit: unit()}},
	} {
		v, detail, fix := checkUnit(t.Context(), c.o)
		if v != c.want || !strings.Contains(detail, c.says) || v == Fail && !strings.Contains(fix, "--systemd-dropin") {
			t.Errorf("%s: %q %q %q", name, v, detail, fix)
		}
	}
	if v, detail, fix := checkSettings(t.Context(), Options{Settings: settings, SettingsFault: "line 1"}); v != Fail || detail == "" || !strings.Contains(fix, settings) {
		t.Errorf("broken settings: %q %q %q", v, detail, fix)
	}
}

// TestKernels: the newest kernel is the one that is taken, so that each has to be readable for the daemon's user.
func TestKernels(t *testing.T) {
	file := func(mode fs.FileMode, gid uint32) *fstest.MapFile {
		return &fstest.MapFile{Mode: mode, Sys: &syscall.Stat_t{Uid: 0, Gid: gid}}
	}
	dpkg := &fstest.MapFile{Mode: fs.ModeDir | 0o755}
	for name, c := range map[string]struct {
		root fstest.MapFS
		want Verdict
		fix  string
	}{
		"none":    {root: fstest.MapFS{}},
		"Debian":  {root: fstest.MapFS{"boot/vmlinuz-6.1": file(0o644, 0), "boot/initrd.img-6.1": file(0o600, 0)}, want: OK},
		"Ubuntu":  {root: fstest.MapFS{"boot/vmlinuz-6.8": file(0o600, 0), "boot/vmlinuz-6.1": file(0o644, 0), "var/lib/dpkg": dpkg}, want: Fail, fix: "dpkg-statoverride --update --add root hyper2kvm 0640 /boot/vmlinuz-6.8"},
		"mended":  {root: fstest.MapFS{"boot/vmlinuz-6.8": file(0o640, 7)}, want: OK},
		"no dpkg": {root: fstest.MapFS{"boot/vmlinuz-6.8": file(0o600, 0)}, want: Fail, fix: "chgrp hyper2kvm /boot/vmlinuz-6.8 && chmod 0640 /boot/vmlinuz-6.8"},
	} {
		v, detail, fix := kernels(c.root, "hyper2kvm", "964", "hyper2kvm", []string{"7"})
		if v != c.want || fix != c.fix || v != "" && detail == "" {
			t.Errorf("%s: %q %q %q", name, v, detail, fix)
		}
	}
}
