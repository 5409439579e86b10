package linux

import (
	"context"
	"slices"
	"strings"

	"hyper2kvm/internal/guest"
)

// foldersFixer makes comments of the entries of fstab that mount folders of VMware's host. On KVM there are none, and systemd stops in
// emergency mode where one cannot be mounted.
type foldersFixer struct{}

// Name implements guest.Fixer.
func (foldersFixer) Name() string { return "shared-folders" }

// Plan implements guest.Fixer.
func (f foldersFixer) Plan(ctx context.Context, _ guest.System, tree guest.FS) (guest.Proposal, error) {
	files := &fileSet{tree: tree}
	why := "folders of VMware's host are not there on KVM, and the system may stop where one cannot be mounted"
	err := files.edit(ctx, []string{"/etc/fstab"}, why, func(_, content string) string {
		var out strings.Builder
		number := 0
		for line := range strings.Lines(content) {
			number++
			if l, ok := parseFstabLine(line); ok && l.hostFolder() {
				line = "#" + line
				files.warn("Share the folder over the network, such as by NFS, where the guest needs it.",
					"line %d of /etc/fstab mounted a folder of VMware's host at %q, and is a comment now", number, fstabDecode(l.point))
			}
			out.WriteString(line)
		}
		return out.String()
	})
	return files.proposal, err
}

// hostFolder reports whether the entry mounts a folder of VMware's host, by one of the ways that VMware tells of, and must be mounted.
func (l fstabLine) hostFolder() bool {
	if !strings.Contains(l.kind, "vmhgfs") && !strings.HasPrefix(l.spec, "vmhgfs-fuse") {
		return false
	}
	options := strings.Split(l.options, ",")
	return !slices.Contains(options, "nofail") && !slices.Contains(options, "noauto")
}
