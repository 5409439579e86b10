package doctor

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// DropIn returns a drop-in for the daemon's systemd unit that lets it write and read the directories that a configuration names, which are
// absolute, beside those that the unit allows by itself. All directories that jobs move between must lie below one of them: each is a mount
// of its own inside the unit, and a rename does not cross mounts.
func DropIn(writes, reads []string) string {
	paths, homes := needed(writes), slices.ContainsFunc(slices.Concat(writes, reads), inHome)
	if len(paths) == 0 && !homes {
		return "# Nothing is needed: the unit may write and read all of them.\n"
	}
	var b strings.Builder
	b.WriteString("# This belongs into " + dropInFile + ". The unit does not start before the directories are there:\n")
	for _, p := range paths {
		b.WriteString("#   " + makeDirectory(p) + "\n")
	}
	b.WriteString("#   systemctl daemon-reload && systemctl restart " + unitName + "\n[Unit]\n")
	for _, p := range paths {
		fmt.Fprintf(&b, "RequiresMountsFor=%s\n", systemdPath(p))
	}
	b.WriteString("[Service]\n")
	for _, p := range paths {
		fmt.Fprintf(&b, "ReadWritePaths=%s\n", systemdPath(p))
	}
	if homes {
		b.WriteString("ProtectHome=read-only\n")
	}
	return b.String()
}

// inHome reports whether ProtectHome= hides a path from the unit.
func inHome(path string) bool {
	return slices.ContainsFunc([]string{"/home", "/root", "/run/user"}, func(h string) bool { return within(h, path) })
}

// dropInFile is where DropIn's text belongs.
const dropInFile = "/etc/systemd/system/" + unitName + ".d/paths.conf"

// makeDirectory is the line for a shell that makes a directory for jobs or results where there is none.
func makeDirectory(path string) string {
	return "install -d -m 2750 -o hyper2kvm -g hyper2kvm '" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}

// own are the directories that the unit may write by itself.
var own = []string{"/var/lib/hyper2kvm", "/var/log/hyper2kvm", "/var/cache/hyper2kvm"}

// needed are those of dirs that the unit may not write by itself, without those inside others.
func needed(dirs []string) []string {
	var paths []string
	for _, d := range dirs {
		covered := slices.ContainsFunc(dirs, func(other string) bool { return other != "" && other != d && within(other, d) })
		if d != "" && !covered && !slices.ContainsFunc(own, func(o string) bool { return within(o, d) }) && !slices.Contains(paths, d) {
			paths = append(paths, d)
		}
	}
	return paths
}

func within(dir, path string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, "../")
}

// systemdPath quotes a path for a unit file: specifiers doubled, blanks and quotes escaped (systemd.syntax(7)).
func systemdPath(p string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "%", "%%", "\n", `\n`, "\t", `\t`).Replace(p) + `"`
}
