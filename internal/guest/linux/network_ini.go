package linux

import (
	"slices"
	"strings"
)

// iniFile is a file of [Section] and Key=value lines, as systemd and NetworkManager write them, that is edited without losing a byte of
// what is not edited.
type iniFile struct{ lines []iniLine }

// iniLine is one line with its end.
type iniLine struct {
	text       string
	section    string // that the line stands in; of a header its own
	header     bool
	key, value string // key "" = no assignment
}

// parseINI never fails: what it does not understand it keeps.
func parseINI(text []byte) *iniFile {
	f := &iniFile{}
	section := ""
	for line := range strings.Lines(string(text)) {
		l := iniLine{text: line}
		switch trimmed := strings.TrimSpace(line); {
		case trimmed == "" || trimmed[0] == '#' || trimmed[0] == ';':
		case trimmed[0] == '[' && trimmed[len(trimmed)-1] == ']':
			section, l.header = trimmed[1:len(trimmed)-1], true
		default:
			if key, value, ok := strings.Cut(trimmed, "="); ok {
				l.key, l.value = strings.TrimSpace(key), strings.TrimSpace(value)
			}
		}
		l.section = section
		f.lines = append(f.lines, l)
	}
	return f
}

// get returns the last value of a key over all sections of that name, "" where there is none.
func (f *iniFile) get(section, key string) string {
	for _, l := range slices.Backward(f.lines) {
		if l.section == section && l.key == key {
			return l.value
		}
	}
	return ""
}

// all returns every value of a key.
func (f *iniFile) all(section, key string) []string {
	var values []string
	for _, l := range f.lines {
		if l.section == section && l.key == key {
			values = append(values, l.value)
		}
	}
	return values
}

// matches returns the words of a list of [Match], which may go on over several assignments; an empty one forgets those before it.
func (f *iniFile) matches(key string) []string {
	var words []string
	for _, value := range f.all("Match", key) {
		if words = append(words, strings.Fields(value)...); value == "" {
			words = nil
		}
	}
	return words
}

// has reports whether the section has the key, and with key "" whether the section is there.
func (f *iniFile) has(section, key string) bool {
	return slices.ContainsFunc(f.lines, func(l iniLine) bool {
		return l.section == section && (key == "" && l.header || key != "" && l.key == key)
	})
}

// rewrite calls edit for each assignment of the key; a value that is returned changed takes its place, and where keep is false the line
// becomes a comment.
func (f *iniFile) rewrite(section, key string, edit func(value string) (changed string, keep bool)) {
	for i, l := range f.lines {
		if l.section != section || l.key != key || l.key == "" {
			continue
		}
		changed, keep := edit(l.value)
		switch {
		case !keep:
			f.lines[i] = iniLine{text: "#" + l.text, section: section}
		case changed != l.value:
			eq := strings.IndexByte(l.text, '=') + 1
			at := eq + strings.Index(l.text[eq:], l.value)
			f.lines[i].text = l.text[:at] + changed + l.text[at+len(l.value):]
			f.lines[i].value = changed
		}
	}
}

// add puts a line behind the header of a section, which is appended where it is not there.
func (f *iniFile) add(section, key, value string) {
	l := iniLine{text: key + "=" + value + "\n", section: section, key: key, value: value}
	for i, h := range f.lines {
		if h.header && h.section == section {
			if !strings.HasSuffix(h.text, "\n") {
				f.lines[i].text += "\n"
			}
			f.lines = slices.Insert(f.lines, i+1, l)
			return
		}
	}
	if n := len(f.lines); n > 0 {
		if !strings.HasSuffix(f.lines[n-1].text, "\n") {
			f.lines[n-1].text += "\n"
		}
		f.lines = append(f.lines, iniLine{text: "\n"})
	}
	f.lines = append(f.lines, iniLine{text: "[" + section + "]\n", section: section, header: true}, l)
}

func (f *iniFile) bytes() []byte {
	var b strings.Builder
	for _, l := range f.lines {
		b.WriteString(l.text)
	}
	return []byte(b.String())
}
