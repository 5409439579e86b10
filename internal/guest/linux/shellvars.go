package linux

import (
	"bytes"
	"strings"
)

// shellVars is a file of KEY=value lines in shell syntax, such as /etc/default/grub and ifcfg-eth0, that is edited without losing a
// byte of what is not edited: comments, order, spacing, quotes, line ends. Of the shell it knows assignments alone; every other line
// is kept as it stands.
type shellVars struct {
	lines []shellLine
	eol   string // of the file's first line; what new lines get
}

// shellLine is a line, or the several lines that one quoted value spans, or a run of lines without assignments.
type shellLine struct {
	head  string // blanks and export; of a line that assigns nothing all of it
	key   string // "" = no assignment
	op    string // = or +=
	value string // as written, with its quotes
	tail  string // comment, further commands, line end
}

// parseShellVars never fails: what it does not understand it keeps.
func parseShellVars(b []byte) *shellVars {
	s := &shellVars{eol: "\n"}
	if i := bytes.IndexByte(b, '\n'); i > 0 && b[i-1] == '\r' {
		s.eol = "\r\n"
	}
	text := string(b)
	other := 0 // where the lines begin that assign nothing, up to at
	for at := 0; at < len(text); {
		l, n := parseShellLine(text[at:])
		if l.key != "" {
			s.other(text[other:at])
			s.lines = append(s.lines, l)
			other = at + n
		}
		at += n
	}
	s.other(text[other:])
	return s
}

// other keeps lines that assign nothing, all of a run as one: a file of nothing but line ends is small in memory.
func (s *shellVars) other(lines string) {
	if lines != "" {
		s.lines = append(s.lines, shellLine{head: lines})
	}
}

// Get returns the value that a shell would see, quotes taken off; expansions ($NAME) stay as they are written. The last assignment
// counts, with what += adds to it.
func (s *shellVars) Get(key string) (value string, ok bool) {
	for _, l := range s.lines {
		switch {
		case l.key != key || key == "":
		case l.op == "+=":
			value, ok = value+shellUnquote(l.value), true
		default:
			value, ok = shellUnquote(l.value), true
		}
	}
	return value, ok
}

// Keys returns the names that are assigned, in the file's order, each once.
func (s *shellVars) Keys() []string {
	var keys []string
	seen := map[string]bool{}
	for _, l := range s.lines {
		if l.key != "" && !seen[l.key] {
			seen[l.key] = true
			keys = append(keys, l.key)
		}
	}
	return keys
}

// Set makes value the value of key, in the style of quotes that stands there as far as the value allows it. The last assignment is
// edited; what += added after it goes, for it is part of the value. A key that is not there is appended.
func (s *shellVars) Set(key, value string) {
	if had, ok := s.Get(key); ok && had == value {
		return
	}
	last := -1
	for i, l := range s.lines {
		if l.key == key && (l.op == "=" || last < 0) {
			last = i
		}
	}
	if last < 0 {
		s.add(shellLine{key: key, op: "=", value: shellQuote(value, "")})
		return
	}
	l := &s.lines[last]
	l.op, l.value = "=", shellQuote(value, l.value)
	s.drop(key, last+1)
}

// Rewrite gives every assignment of key a new value, += too, with what is between the quotes as it is written, escapes and
// expansions included, so that only what f changes changes. Values that are put together of several quoted parts are left alone;
// ok is false where there was one.
func (s *shellVars) Rewrite(key string, f func(written string) string) (ok bool) {
	ok = true
	for i, l := range s.lines {
		if l.key != key {
			continue
		}
		quote := shellStyle(l.value)
		if quote == shellMixed {
			ok = false
			continue
		}
		inner := strings.TrimSuffix(strings.TrimPrefix(l.value, quote), quote)
		changed := f(inner)
		if changed == inner {
			continue
		}
		if quote == "" && shellNeedsQuotes(changed) {
			quote = `"`
		}
		s.lines[i].value = quote + changed + quote
	}
	return ok
}

// Remove takes all assignments of key out; it reports whether there was one.
func (s *shellVars) Remove(key string) bool { return s.drop(key, 0) }

func (s *shellVars) drop(key string, from int) bool {
	kept := s.lines[:from:from]
	for _, l := range s.lines[from:] {
		if l.key != key {
			kept = append(kept, l)
		}
	}
	dropped := len(kept) != len(s.lines)
	s.lines = kept
	return dropped
}

// Comment turns all assignments of key into comments; it reports whether there was one.
func (s *shellVars) Comment(key string) bool {
	found := false
	for i, l := range s.lines {
		if l.key != key {
			continue
		}
		found = true
		text := strings.TrimSuffix(l.String(), "\n")
		end := l.String()[len(text):]
		s.lines[i] = shellLine{head: "#" + strings.ReplaceAll(text, "\n", "\n#") + end}
	}
	return found
}

// add appends a line; a file whose last line had no end still has none afterwards.
func (s *shellVars) add(l shellLine) {
	l.tail = s.eol
	if n := len(s.lines); n > 0 {
		last := &s.lines[n-1]
		if text := last.String(); !strings.HasSuffix(text, "\n") {
			if last.key != "" {
				last.tail += s.eol
			} else {
				last.head += s.eol
			}
			l.tail = ""
		}
	}
	s.lines = append(s.lines, l)
}

// Bytes returns the file.
func (s *shellVars) Bytes() []byte {
	var b strings.Builder
	for _, l := range s.lines {
		b.WriteString(l.String())
	}
	return []byte(b.String())
}

func (l shellLine) String() string { return l.head + l.key + l.op + l.value + l.tail }
