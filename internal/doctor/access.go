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
			if st, err := os.Stat(dir); err == nil && !may(st, u.Uid, groups, 0o1) {
				return Warn, fmt.Sprintf("the user %s, who starts VMs, cannot enter %s", name, dir), openTo(name, st, dir)
			}
			if dir == "/" {
				return OK, name + " can reach " + o.OutputDir, ""
			}
		}
	}
	return "", "", ""
}

// may reports whether a user in those groups has a right on a file, as its mode says: 4 to read, 1 to run or to enter.
func may(st fs.FileInfo, uid string, groups []string, right fs.FileMode) bool {
	sys, ok := st.Sys().(*syscall.Stat_t)
	if !ok {
		return true
	}
	mode := st.Mode().Perm()
	switch {
	case strconv.Itoa(int(sys.Uid)) == uid:
		right <<= 6
	case slices.Contains(groups, strconv.Itoa(int(sys.Gid))):
		right <<= 3
	}
	return mode&right != 0
}

// openTo is what lets a user enter a directory: membership in its group where that helps.
func openTo(name string, st fs.FileInfo, dir string) string {
	if sys, ok := st.Sys().(*syscall.Stat_t); ok && st.Mode()&0o010 != 0 && sys.Gid != 0 {
		if g, err := user.LookupGroupId(strconv.Itoa(int(sys.Gid))); err == nil {
			return "usermod --append --groups " + g.Name + " " + name + "; it holds for VMs that start from then on"
		}
	}
	return "setfacl -m u:" + name + ":x " + dir + "; or set output_group and output_mode in the daemon's configuration"
}
