package linux

import (
	"context"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"hyper2kvm/internal/guest"
)

// naming says how a guest's cards come by their names.
type naming struct {
	links  bool // our .link files count, whatever the initramfs has called a card
	rules  bool // udev is there
	sysfs  bool // it is older than the keys of our rules, passes over those that it does not know, and would give the name to any card
	kernel bool // cards are called eth0, eth1, as the kernel counts them
}

// firstLinkVersion is the first systemd whose Name= in a .link file is also given to a card that was renamed before. Until then a card
// kept the name that the udev of the initramfs had given it, and the .link file of the root file system had no effect (systemd issues
// 9006 and 9807, and their repairs up to 241). A udev rule with NAME= works with all of them.
const firstLinkVersion = 241

// schemeBeforeLinks asks a newer systemd for the names of one before firstLinkVersion, as RHEL 9 does that came from 8; then it treats
// .link files as that did.
var schemeBeforeLinks = regexp.MustCompile(`(^|\s)net\.naming-scheme=(v23|rhel-8)`)

// lookAtNaming looks which parts of udev are installed, and what switches them off.
func lookAtNaming(ctx context.Context, tree guest.FS) (naming, error) {
	var n naming
	var err error
	if n.rules, err = netAnyExists(ctx, tree, "/usr/lib/systemd/systemd-udevd", "/lib/systemd/systemd-udevd", "/sbin/udevd", "/usr/sbin/udevd",
		"/lib/udev/udevd", "/usr/bin/udevadm", "/bin/udevadm", "/sbin/udevadm", "/usr/sbin/udevadm"); err != nil {
		return n, err
	}
	if n.sysfs, err = beforeUdevadm(ctx, tree); err != nil {
		return n, err
	}
	setup, err := ruleActive(ctx, tree, "80-net-setup-link.rules")
	if err != nil {
		return n, err
	}
	slot, err := ruleActive(ctx, tree, "80-net-name-slot.rules") // systemd 197 to 208
	if err != nil {
		return n, err
	}
	version, err := systemdVersion(ctx, tree)
	if err != nil {
		return n, err
	}
	general, err := generalLink(ctx, tree)
	if err != nil {
		return n, err
	}
	n.links = setup && version >= firstLinkVersion && !general
	n.kernel = !setup && !slot
	if !n.kernel {
		masked, err := maskedFile(ctx, tree, path.Join(linkDir, "99-default.link"))
		if err != nil {
			return n, err
		}
		lines, err := kernelCommandLines(ctx, tree)
		if err != nil {
			return n, err
		}
		n.kernel = masked || allHave(lines, "net.ifnames=0")
		n.links = n.links && !slices.ContainsFunc(lines, schemeBeforeLinks.MatchString)
	}
	return n, nil
}

// beforeUdevadm reports whether udev is older than 117, where udevadm took over from udevinfo; the keys of our rules are of 98.
func beforeUdevadm(ctx context.Context, tree guest.FS) (bool, error) {
	info, err := netExists(ctx, tree, "/usr/bin/udevinfo")
	if !info || err != nil {
		return false, err
	}
	adm, err := netAnyExists(ctx, tree, "/sbin/udevadm", "/usr/bin/udevadm", "/bin/udevadm", "/usr/sbin/udevadm")
	return !adm, err
}

// generalLink reports whether a .link file that comes before ours is not for single cards, but sets the rings of all, say. Of the files
// that match a card only the first counts; a udev rule names the card all the same.
func generalLink(ctx context.Context, tree guest.FS) (bool, error) {
	files, err := netFiles(ctx, tree, linkDir, func(n string) bool { return path.Ext(n) == ".link" && n < linkPrefix })
	if err != nil {
		return false, err
	}
	for _, file := range files {
		text, err := tree.ReadFile(ctx, file)
		if err != nil {
			if netUnreadable(err) {
				continue
			}
			return false, err
		}
		f := parseINI(text)
		if !f.has("Match", "MACAddress") && !f.has("Match", "PermanentMACAddress") && !f.has("Match", "Path") {
			return true, nil
		}
	}
	return false, nil
}

// ruleActive reports whether a package's rule is there and not masked in /etc.
func ruleActive(ctx context.Context, tree guest.FS, name string) (bool, error) {
	masked, err := maskedFile(ctx, tree, path.Join(rulesDir, name))
	if masked || err != nil {
		return false, err
	}
	return netAnyExists(ctx, tree, path.Join(rulesDir, name), path.Join("/usr/lib/udev/rules.d", name), path.Join("/lib/udev/rules.d", name))
}

// maskedFile reports whether a file of /etc switches off the one of the same name in /usr: it is empty, or a link to /dev/null.
func maskedFile(ctx context.Context, tree guest.FS, name string) (bool, error) {
	f, err := guest.Read(ctx, tree, name)
	if err != nil {
		if netUnreadable(err) {
			return false, nil
		}
		return false, err
	}
	return f.Link == "/dev/null" || f.Link == "" && len(f.Data) == 0, nil
}

var systemdLibrary = regexp.MustCompile(`^libsystemd-shared-([0-9]{1,4})[^0-9]`)

// systemdVersion is the version that systemd's private library carries in its name, since 231; 0 = none or older.
func systemdVersion(ctx context.Context, tree guest.FS) (int, error) {
	newest := 0
	for _, dir := range []string{"/usr/lib/systemd", "/lib/systemd", "/usr/lib64/systemd", "/usr/lib/x86_64-linux-gnu/systemd", "/usr/lib/aarch64-linux-gnu/systemd"} {
		files, err := netFiles(ctx, tree, dir, systemdLibrary.MatchString)
		if err != nil {
			return 0, err
		}
		for _, f := range files {
			v, _ := strconv.Atoi(systemdLibrary.FindStringSubmatch(path.Base(f))[1])
			newest = max(newest, v)
		}
	}
	return newest, nil
}

// kernelCommandLines reads the arguments of every entry of every boot loader that has its configuration where Linux keeps it.
func kernelCommandLines(ctx context.Context, tree guest.FS) ([]string, error) {
	files := []string{"/boot/grub/grub.cfg", "/boot/grub2/grub.cfg", "/boot/grub/menu.lst", "/boot/grub/grub.conf", "/boot/extlinux.conf",
		"/boot/extlinux/extlinux.conf", "/boot/syslinux/syslinux.cfg"}
	for _, dir := range []string{"/boot/loader/entries", "/boot/efi/loader/entries", "/efi/loader/entries"} {
		entries, err := netFiles(ctx, tree, dir, func(n string) bool { return path.Ext(n) == ".conf" })
		if err != nil {
			return nil, err
		}
		files = append(files, entries...)
	}
	const esp = "/boot/efi/EFI" // where Red Hat's grub has its configuration until RHEL 8
	vendors, err := netFiles(ctx, tree, esp, func(string) bool { return true })
	if err != nil {
		return nil, err
	}
	for _, v := range vendors {
		files = append(files, path.Join(v, "grub.cfg"))
	}
	vars, err := bootVariables(ctx, tree)
	if err != nil {
		return nil, err
	}
	var lines []string
	for _, f := range files {
		text, err := tree.ReadFile(ctx, f)
		if err != nil {
			if netUnreadable(err) {
				continue
			}
			return nil, err
		}
		for line := range strings.Lines(string(text)) {
			word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
			switch strings.ToLower(word) {
			case "linux", "linux16", "linuxefi", "kernel", "options", "append":
				rest = bootVariable.ReplaceAllStringFunc(rest, func(name string) string {
					if v, ok := vars[strings.Trim(name, "${}")]; ok {
						return v
					}
					return name
				})
				if strings.Contains(rest, "root=") {
					lines = append(lines, rest)
				}
			}
		}
	}
	return lines, nil
}

// bootVariable is a variable of grub's.
var bootVariable = regexp.MustCompile(`\$(?:[A-Za-z_][A-Za-z0-9_]*|\{[A-Za-z_][A-Za-z0-9_]*\})`)

// bootVariables reads the files in which grub keeps parts of command lines: its environment block, and Photon's two files.
func bootVariables(ctx context.Context, tree guest.FS) (map[string]string, error) {
	vars := map[string]string{}
	for _, f := range []string{"/boot/grub2/grubenv", "/boot/grub/grubenv", "/boot/photon.cfg", "/boot/systemd.cfg"} {
		text, err := tree.ReadFile(ctx, f)
		if err != nil {
			if netUnreadable(err) {
				continue
			}
			return nil, err
		}
		for line := range strings.Lines(string(text)) {
			if name, v, ok := strings.Cut(line, "="); ok && !strings.HasPrefix(name, "#") {
				vars[name] = strings.TrimSpace(v)
			}
		}
	}
	return vars, nil
}

// allHave reports whether there are lines and all have the word.
func allHave(lines []string, word string) bool {
	for _, l := range lines {
		if !strings.Contains(" "+strings.Join(strings.Fields(l), " ")+" ", " "+word+" ") {
			return false
		}
	}
	return len(lines) > 0
}
