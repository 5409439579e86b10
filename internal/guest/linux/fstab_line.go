package linux

import (
	"slices"
	"strings"
)

// fstabLine is an entry of fstab with every byte of it.
type fstabLine struct {
	lead    string // blanks before
	spec    string // as written
	gap     string // blanks behind
	point   string
	middle  string // from the mount point to the options: blanks, type, blanks
	kind    string // type of file system
	options string
	rest    string // blanks, numbers, line end
}

// parseFstabLine reads a line; ok is false for comments and what is too short to be an entry.
func parseFstabLine(line string) (l fstabLine, ok bool) {
	text := strings.TrimRight(line, "\r\n")
	end := line[len(text):]
	l.lead, text = cutBlanks(text)
	if text == "" || text[0] == '#' {
		return fstabLine{}, false
	}
	l.spec, text = cutField(text)
	l.gap, text = cutBlanks(text)
	l.point, text = cutField(text)
	before, text := cutBlanks(text)
	l.kind, text = cutField(text)
	if l.kind == "" {
		return fstabLine{}, false
	}
	after, text := cutBlanks(text)
	l.options, text = cutField(text)
	l.middle, l.rest = before+l.kind+after, text+end
	return l, true
}

func cutBlanks(s string) (blanks, rest string) {
	rest = strings.TrimLeft(s, " \t")
	return s[:len(s)-len(rest)], rest
}

func cutField(s string) (field, rest string) {
	if i := strings.IndexAny(s, " \t"); i >= 0 {
		return s[:i], s[i:]
	}
	return s, ""
}

func (l fstabLine) String() string {
	return l.lead + l.spec + l.gap + l.point + l.middle + l.options + l.rest
}

// replace gives the entry another device and keeps the column behind it where it stands, as far as there is room.
func (l *fstabLine) replace(spec string) {
	if strings.Trim(l.gap, " ") == "" {
		l.gap = strings.Repeat(" ", max(1, len(l.gap)+len(l.spec)-len(spec)))
	}
	l.spec = spec
}

// virtualKinds are types whose first field is no device.
var virtualKinds = []string{
	"proc", "sysfs", "tmpfs", "devtmpfs", "devpts", "nfs", "nfs4", "cifs", "smbfs", "smb3", "overlay", "aufs", "fuse", "fuse.sshfs", "cgroup", "cgroup2", "debugfs",
	"securityfs", "hugetlbfs", "mqueue", "binfmt_misc", "usbfs", "configfs", "tracefs", "rpc_pipefs", "efivarfs", "9p", "virtiofs", "ceph", "glusterfs",
	"vmhgfs", "fuse.vmhgfs-fuse", "vboxsf", "zfs", "none", "ignore", "autofs", "squashfs", "udf", "iso9660",
}

// device reports whether the entry is about a device at all: no bind mount, nothing virtual, nothing from a network.
func (l fstabLine) device() bool {
	kind, _, _ := strings.Cut(strings.ToLower(l.kind), ",") // a CD drive's may be a list: udf,iso9660
	if slices.Contains(virtualKinds, kind) {
		return false
	}
	for o := range strings.SplitSeq(l.options, ",") {
		switch o {
		case "bind", "rbind", "loop", "_netdev":
			return false
		}
		if strings.HasPrefix(o, "loop=") {
			return false
		}
	}
	return true
}

// use is what the entry says of its device. A type may be a list: ext4,ext3.
func (l fstabLine) use() use {
	want, _, _ := strings.Cut(l.kind, ",")
	if strings.HasPrefix(want, "fuse") || want == "auto" {
		want = ""
	}
	return use{spec: fstabDecode(l.spec), want: want, root: l.point == "/"}
}

// fstabDecode takes off the octal numbers with which blanks are written: \040.
func fstabDecode(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) && octal(s[i+1]) && octal(s[i+2]) && octal(s[i+3]) {
			b.WriteByte((s[i+1]-'0')<<6 | (s[i+2]-'0')<<3 | (s[i+3] - '0'))
			i += 3
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func octal(c byte) bool { return c >= '0' && c <= '7' }

// fstabEncode writes blanks and backslashes as octal numbers.
func fstabEncode(s string) string {
	return strings.NewReplacer(" ", `\040`, "\t", `\011`, "\n", `\012`, `\`, `\134`).Replace(s)
}
