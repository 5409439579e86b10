package daemon

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"hyper2kvm/internal/convert"
	"hyper2kvm/internal/sandbox"
)

// What tools and the appliance that libguestfs builds from the host's own packages need to read, beside what is in PATH.
var (
	hostPrograms = []string{"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store", "/gnu/store"}
	hostFiles    = []string{
		"/etc", "/boot", "/proc", "/sys",
		"/var/lib/dpkg", "/var/lib/rpm", "/var/lib/pacman", // which files the appliance is made of
		"/var/lib/ca-certificates",
	}
	hostDevices = []string{
		"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/ptmx", "/dev/pts", "/dev/kvm",
	}
	// toolPaths are the variables by which an administrator says where libguestfs finds its parts.
	toolPaths = []string{"LIBGUESTFS_PATH", "LIBGUESTFS_HV", "SUPERMIN_KERNEL", "SUPERMIN_MODULES"}
)

// rootSocketDir is where libguestfs makes the directory of its sockets when it runs as root, whatever TMPDIR says.
const rootSocketDir = "/tmp"

// cacheVariable tells libguestfs where it keeps the appliance, which is for all jobs and outlives them.
const cacheVariable = "LIBGUESTFS_CACHEDIR"

// withScratch is the environment of a child whose temporary files stand in dir.
func withScratch(env []string, dir string) []string {
	if env == nil {
		env = os.Environ()
	}
	value := func(name string) string {
		for _, e := range slices.Backward(env) {
			if v, ok := strings.CutPrefix(e, name+"="); ok {
				return v
			}
		}
		return ""
	}
	cache := cmp.Or(value(cacheVariable), value("TMPDIR"), "/var/tmp")
	return append(slices.Clip(env), "TMPDIR="+dir, cacheVariable+"="+cache)
}

// policy is what the process of a job may use: the job's own files to read, the directory in which it builds and its temporary one to
// write, and the host's programs. extra are further directories to write.
func policy(req convert.Request, extra []string) sandbox.Policy {
	p := sandbox.Policy{
		Programs: slices.Clone(hostPrograms), Read: slices.Clone(hostFiles), Devices: hostDevices,
		Write: append([]string{req.Partial, os.TempDir()}, extra...),
	}
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		if filepath.IsAbs(dir) && filepath.Clean(dir) != "/" {
			p.Programs = append(p.Programs, dir)
		}
	}
	for _, name := range toolPaths {
		if path := os.Getenv(name); filepath.IsAbs(path) && filepath.Clean(path) != "/" {
			p.Programs = append(p.Programs, path)
		}
	}
	if dir := applianceCache(); dir != "" {
		p.Write = append(p.Write, dir)
	}
	if os.Geteuid() == 0 {
		p.Sockets = []string{rootSocketDir}
	}
	if req.Guest.AgentPackages != "" {
		p.Read = append(p.Read, req.Guest.AgentPackages)
	}
	for name, path := range req.Files {
		p.Read = append(p.Read, path)
		if filepath.IsAbs(name) && name != req.Job.Fix.KeyFile {
			p.Read = append(p.Read, besides(path)...)
		}
	}
	return p
}

// besides is what may stand beside a source that is named by an absolute path, its extents and parents: the directory, or the files of
// the root directory, which would stand for everything.
func besides(path string) []string {
	dir := filepath.Dir(path)
	if dir != "/" {
		return []string{dir}
	}
	var files []string
	entries, _ := os.ReadDir(dir) // then there is the source alone
	for _, e := range entries {
		if e.Type().IsRegular() {
			files = append(files, filepath.Join(dir, e.Name()))
		}
	}
	return files
}

// applianceCache makes the directory in which libguestfs keeps the appliance of this user, as libguestfs would.
func applianceCache() string {
	cache := os.Getenv(cacheVariable)
	if !filepath.IsAbs(cache) {
		return ""
	}
	dir := filepath.Join(cache, ".guestfs-"+strconv.Itoa(os.Geteuid()))
	_ = os.Mkdir(dir, 0o755) // it may be there, and without it there is no appliance, which libguestfs says better
	if info, err := os.Lstat(dir); err != nil || !info.IsDir() {
		return ""
	}
	return dir
}
