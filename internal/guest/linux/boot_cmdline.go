package linux

import "strings"

// cmdlines edits the command lines of kernels in the files of one fixer.
type cmdlines struct {
	devices *devices
	files   *fileSet
	mode    string // which names are touched, a mode of fstab
	rename  bool   // give devices stable names
	serial  string // console to add; "" = none

	renamed, spoken bool // what was changed in the file at hand
}

// line returns a command line of the file name with stable names of devices and with the console that was asked for.
func (c *cmdlines) line(name, text string, e bootEntry) string {
	if c.rename {
		hibernates := strings.Contains(text, "resume_offset=")
		changed := mapWords(text, func(word string) string {
			open := strings.TrimLeft(word, `"'`) // a whole word may be quoted
			quote := word[:len(word)-len(open)]
			key, value, ok := strings.Cut(open, "=")
			if !ok {
				return word
			}
			spec := strings.TrimLeft(value, `"'`) // or the value alone
			quote += key + "=" + value[:len(value)-len(spec)]
			end := spec[len(strings.TrimRight(spec, `"'`)):]
			return quote + c.value(name, key, spec[:len(spec)-len(end)], e, hibernates) + end
		})
		c.renamed = c.renamed || changed != text
		text = changed
	}
	if c.serial != "" && e.kernel {
		changed := addConsole(text, e.around, c.serial)
		c.spoken = c.spoken || changed != text
		text = changed
	}
	return text
}

// value returns the value of one argument with a stable name.
func (c *cmdlines) value(name, key, spec string, e bootEntry, hibernates bool) string {
	u := use{spec: spec}
	tail := ""
	switch key {
	case "root", "real_root":
		u.root = c.sole()
	case "resume", "real_resume":
		if u.want = "swap"; hibernates {
			u.want = ""
		}
	case "boot":
		if !strings.HasPrefix(spec, "/dev/") {
			return spec
		}
	case "cryptdevice", "cryptroot":
		u.want = "luks"
		if strings.HasPrefix(spec, "/dev/disk/by-path/") {
			break
		}
		if i := strings.IndexByte(spec, ':'); i >= 0 {
			u.spec, tail = spec[:i], spec[i:]
		}
	default:
		return spec
	}
	if !touches(c.mode, u.spec) {
		return spec
	}
	form := idForm{}
	if !e.initrd {
		form.kinds = idKinds[1:2]
	}
	return c.devices.stable(c.files, name, u, c.devices.aliases([]use{u}), form) + tail
}

// sole reports whether the guest holds one system alone, so that every root= means that.
func (c *cmdlines) sole() bool {
	for _, other := range c.devices.system.Roots {
		if !strings.Contains(other, c.devices.system.Root) {
			return false
		}
	}
	return true
}
