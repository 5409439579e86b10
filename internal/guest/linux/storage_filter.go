package linux

import (
	"regexp"
	"strings"
)

// lvmFilter is a setting of lvm.conf that says which devices LVM looks at: a list of patterns, on as many lines as it likes, or one.
var lvmFilter = regexp.MustCompile(`(?m)^[ \t]*(?:global_filter|filter)[ \t]*=\s*(\[(?:[^\]"]|"(?:[^"\\]|\\.)*")*\]|"(?:[^"\\]|\\.)*")`)

// lvmPattern is one pattern of a filter: a to take or r to refuse, and an expression between two signs.
var lvmPattern = regexp.MustCompile(`"([^"\\]|\\.)*"`)

// refusedByFilters returns the filters of an lvm.conf with which LVM does not look at virtio disks.
func refusedByFilters(conf string) []string {
	var text strings.Builder
	for line := range strings.Lines(conf) {
		if !strings.HasPrefix(strings.TrimSpace(line), "#") {
			text.WriteString(line)
		}
	}
	var refused []string
	for _, m := range lvmFilter.FindAllStringSubmatch(text.String(), maxWarnings) {
		if !takesVirtio(lvmPattern.FindAllString(m[1], -1)) {
			refused = append(refused, strings.Join(strings.Fields(m[0]), " "))
		}
	}
	return refused
}

// takesVirtio reports whether LVM looks at a virtio disk or at a partition of one: the first pattern that fits a name decides, and what
// none fits is taken.
func takesVirtio(patterns []string) bool {
	refused := false
	for _, name := range []string{"/dev/vda", "/dev/vda2"} {
		for _, p := range patterns {
			p = strings.Trim(p, `"`)
			if len(p) < 3 || p[0] != 'a' && p[0] != 'r' {
				continue
			}
			fits, err := regexp.MatchString(p[2:len(p)-1], name)
			if err != nil || !fits {
				continue
			}
			if p[0] == 'a' {
				return true
			}
			refused = true
			break
		}
	}
	return !refused
}
