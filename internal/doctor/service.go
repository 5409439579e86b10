package doctor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Unit is the daemon's systemd unit, as systemd has it in force, drop-ins included.
type Unit struct {
	Start    string   // the command line, as systemd prints it
	Writable []string // directories that it may write
	NoHomes  bool     // /home, /root and /run/user are hidden from it
}

// unitName is the daemon's unit.
const unitName = "hyper2kvm-workflow.service"

// unitTime bounds one question to systemd.
const unitTime = 5 * time.Second

// FindUnit asks systemd for the daemon's unit; there is none where the package is not installed or systemd does not run.
func FindUnit(ctx context.Context) (Unit, bool) {
	ctx, cancel := context.WithTimeout(ctx, unitTime)
	defer cancel()
	out, err := exec.CommandContext(ctx, "systemctl", "show", "--property=LoadState,ExecStart,ReadWritePaths,ProtectHome", unitName).Output()
	if err != nil {
		return Unit{}, false
	}
	return parseUnit(out)
}

// parseUnit reads what systemctl show prints: a property a line, the paths with blanks between them.
func parseUnit(out []byte) (Unit, bool) {
	var u Unit
	loaded := false
	for line := range bytes.Lines(out) {
		key, value, _ := strings.Cut(strings.TrimSuffix(string(line), "\n"), "=")
		switch key {
		case "LoadState":
			loaded = value == "loaded"
		case "ExecStart":
			u.Start = value
		case "ProtectHome":
			u.NoHomes = value == "yes" || value == "tmpfs"
		case "ReadWritePaths":
			for p := range strings.FieldsSeq(value) {
				u.Writable = append(u.Writable, strings.TrimLeft(p, "-+"))
			}
		}
	}
	return u, loaded
}

// checkSettings looks whether the daemon's configuration can be used.
func checkSettings(_ context.Context, o Options) (Verdict, string, string) {
	switch {
	case o.Settings == "":
		return "", "", ""
	case o.SettingsFault != "":
		return Fail, o.Settings + ": " + o.SettingsFault, "hyper2kvmd --check-config --config " + o.Settings
	}
	return OK, o.Settings, ""
}

// checkUnit looks whether the daemon's unit may write and read the directories that the configuration names.
func checkUnit(ctx context.Context, o Options) (Verdict, string, string) {
	if o.Unit == nil || o.SettingsFault != "" {
		return "", "", ""
	}
	u, there := o.Unit(ctx)
	if !there || o.Settings == "" || !slices.Contains(strings.Fields(u.Start), o.Settings) {
		return "", "", "" // that unit is about another configuration
	}
	var closed []string
	for _, dir := range needed(o.Directories) {
		// Blanks in a path are escaped in what systemd prints, so that such a path is not found: nothing is said of it.
		if !strings.ContainsAny(dir, " \t\\\"'") && !slices.ContainsFunc(u.Writable, func(w string) bool { return within(w, dir) }) {
			closed = append(closed, dir)
		}
	}
	hidden := slices.DeleteFunc(slices.Concat(o.Directories, o.Sources), func(dir string) bool { return !u.NoHomes || !inHome(dir) })
	if len(closed)+len(hidden) > 0 {
		var fix []string
		for _, dir := range closed {
			if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
				fix = append(fix, makeDirectory(dir))
			}
		}
		fix = append(fix, "mkdir -p "+filepath.Dir(dropInFile), "hyperctl doctor --systemd-dropin >"+dropInFile, "systemctl daemon-reload",
			"systemctl restart "+unitName)
		what := " may not write " + strings.Join(closed, ", ")
		if len(closed) == 0 {
			what = " may not read " + strings.Join(hidden, ", ")
		}
		return Fail, unitName + what, strings.Join(fix, " && ")
	}
	return OK, unitName + " may reach its directories", ""
}

// checkKernels looks whether the daemon's user may read the kernels that libguestfs makes its appliance of. It takes the newest, so that one
// that can be read beside one that cannot is not enough.
func checkKernels(_ context.Context, o Options) (Verdict, string, string) {
	if o.WorkflowDir == "" {
		return "", "", ""
	}
	st, err := os.Stat(filepath.Join(o.WorkflowDir, ".hyper2kvm")) // the daemon's own
	if err != nil {
		return "", "", ""
	}
	sys, ok := st.Sys().(*syscall.Stat_t)
	if !ok || sys.Uid == 0 {
		return "", "", ""
	}
	u, err := user.LookupId(strconv.Itoa(int(sys.Uid)))
	if err != nil {
		return "", "", ""
	}
	groups, err := u.GroupIds()
	if err != nil {
		return Warn, err.Error(), ""
	}
	group := u.Gid
	if g, err := user.LookupGroupId(u.Gid); err == nil {
		group = g.Name
	}
	return kernels(os.DirFS("/"), u.Username, u.Uid, group, groups)
}

// kernels looks at those that are below root, for a user in those groups; group is the one that is to get them.
func kernels(root fs.FS, name, uid, group string, groups []string) (Verdict, string, string) {
	paths, err := fs.Glob(root, "boot/vmlinu[xz]-*")
	if err != nil || len(paths) == 0 {
		return "", "", "" // the check of libguestfs tells
	}
	var closed, fix []string
	for _, p := range paths {
		st, err := fs.Stat(root, p)
		if err != nil || may(st, uid, groups, 0o4) {
			continue
		}
		closed = append(closed, "/"+p)
		fix = append(fix, "dpkg-statoverride --update --add root "+group+" 0640 /"+p)
	}
	if len(closed) == 0 {
		return OK, name + " can read all in /boot", ""
	}
	if _, err := fs.Stat(root, "var/lib/dpkg"); err != nil {
		fix = []string{fmt.Sprintf("chgrp %s %s && chmod 0640 %[2]s", group, strings.Join(closed, " "))}
	}
	return Fail, name + ", who looks into guests, cannot read " + strings.Join(closed, ", "), strings.Join(fix, "; ")
}
