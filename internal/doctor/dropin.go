package doctor

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// DropIn returns a drop-in for the daemon's systemd unit that lets it write the directories that a configuration names, beside those that
// the unit allows by itself. All directories that jobs move between must lie below one of them: each is a mount of its own inside the
// unit, and a rename does not cross mounts.
func DropIn(workflowDir, outputDir string, outputRoots []string) string {
	dirs := []string{workflowDir, outputDir}
	dirs = append(dirs, outputRoots...)
	var paths []string
	for _, d := range dirs {
		covered := slices.ContainsFunc(dirs, func(other string) bool { return other != d && within(other, d) })
		if d != "" && !covered && !within("/var/lib/hyper2kvm", d) && !slices.Contains(paths, d) {
			paths = append(paths, d)
		}
	}
	if len(paths) == 0 {
		return "# Nothing is needed: all directories lie below /var/lib/hyper2kvm, which the unit may write.\n"
	}
	var b strings.Builder
	b.WriteString("# Put this into /etc/systemd/system/hyper2kvm-workflow.service.d/directories.conf, then:\n")
	b.WriteString("#   systemctl daemon-reload && systemctl restart hyper2kvm-workflow\n[Service]\n")
	for _, p := range paths {
		fmt.Fprintf(&b, "ReadWritePaths=%s\n", systemdPath(p))
	}
	return b.String()
}

func within(dir, path string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, "../")
}

// systemdPath quotes a path for a unit file: specifiers doubled, blanks and quotes escaped (systemd.syntax(7)).
func systemdPath(p string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "%", "%%", "\n", `\n`, "\t", `\t`).Replace(p) + `"`
}
