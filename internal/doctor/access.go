package doctor

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
)

// qemuUsers are the names under which libvirt starts VMs.
var qemuUsers = []string{"libvirt-qemu", "qemu"}

// checkQemuUser looks whether libvirt's qemu may reach the output directory.
func checkQemuUser(_ context.Context, o Options) (Verdict, string, string) {
	if o.OutputDir == "" {
		return "", "", ""
	}
	for _, name := range qemuUsers {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		groups, err := u.GroupIds()
		if err != nil {
			return Warn, err.Error(), ""
		}
		for dir := o.OutputDir; ; dir = filepath.Dir(dir) {
			if st, err := os.Stat(dir); err == nil && !mayEnter(st, u.Uid, groups) {
				return Warn, fmt.Sprintf("the user %s, who starts VMs, cannot enter %s", name, dir),
					"setfacl -m u:" + name + ":x " + dir + "; or set output_group and output_mode in the daemon's configuration"
			}
			if dir == "/" {
				return OK, name + " can reach " + o.OutputDir, ""
			}
		}
	}
	return "", "", ""
}

// mayEnter reports whether a user may search a directory, as its mode says.
func mayEnter(st fs.FileInfo, uid string, groups []string) bool {
	sys, ok := st.Sys().(*syscall.Stat_t)
	if !ok {
		return true
	}
	mode := st.Mode().Perm()
	if strconv.Itoa(int(sys.Uid)) == uid {
		return mode&0o100 != 0
	}
	if slices.Contains(groups, strconv.Itoa(int(sys.Gid))) {
		return mode&0o010 != 0
	}
	return mode&0o001 != 0
}
