package linux

import (
	"context"
	"slices"
	"strings"

	"hyper2kvm/internal/guest"
)

// debconfFixer corrects the disks to which Debian's packages of GRUB install themselves. They are kept by the names of the old machine,
// and when they are gone the next upgrade of GRUB fails, or leaves in the boot sector what does not go with the new modules.
type debconfFixer struct{}

// debconfFile is debconf's database of answers.
const debconfFile = "/var/cache/debconf/config.dat"

// Name implements guest.Fixer.
func (debconfFixer) Name() string { return "debconf" }

// Plan implements guest.Fixer.
func (debconfFixer) Plan(ctx context.Context, system guest.System, tree guest.FS) (guest.Proposal, error) {
	files := &fileSet{tree: tree}
	d, err := newDevices(ctx, files, system)
	if err != nil {
		return guest.Proposal{}, err
	}
	question := "grub-pc/install_devices"
	if system.Firmware == guest.FirmwareUEFI {
		question = "grub-efi/install_devices"
	}
	why := "the next upgrade of GRUB would look for a disk of the old machine; on KVM it is the one named now"
	err = files.edit(ctx, []string{debconfFile}, why, func(_, content string) string {
		return rewriteDebconf(content, question, func(value string) string { return d.installDevices(files, question, value) })
	})
	return files.proposal, err
}

// rewriteDebconf gives the answer to a question to change. The database is paragraphs of "Field: value" lines.
func rewriteDebconf(content, question string, change func(value string) string) string {
	var out strings.Builder
	var paragraph []string
	flush := func() {
		if slices.ContainsFunc(paragraph, func(l string) bool { return strings.TrimRight(l, "\r\n") == "Name: "+question }) {
			for i, line := range paragraph {
				if value, ok := strings.CutPrefix(line, "Value: "); ok {
					body := strings.TrimRight(value, "\r\n")
					paragraph[i] = "Value: " + change(body) + value[len(body):]
				}
			}
		}
		for _, line := range paragraph {
			out.WriteString(line)
		}
		paragraph = paragraph[:0]
	}
	for line := range strings.Lines(content) {
		paragraph = append(paragraph, line)
		if strings.Trim(line, "\r\n") == "" {
			flush()
		}
	}
	flush()
	return out.String()
}

// installDevices returns a list of disks by the names that they have on KVM, in the order of the VM's disks.
func (d *devices) installDevices(files *fileSet, question, value string) string {
	names := strings.Split(value, ", ")
	var renamed []string
	changed := false
	for _, name := range names {
		to, err := d.onKVM(name, len(names) == 1)
		if err != nil {
			files.warn("Run dpkg-reconfigure for the package in the guest, or its next upgrade fails.", "the answer to %s is kept: %q: %v", question, clip(name), err)
			return value
		}
		changed = changed || to != name
		if !slices.Contains(renamed, to) {
			renamed = append(renamed, to)
		}
	}
	if !changed {
		return value
	}
	return strings.Join(renamed, ", ")
}
