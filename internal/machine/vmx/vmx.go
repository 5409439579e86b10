// Package vmx reads the .vmx files in which VMware products describe a virtual machine.
//
// A .vmx is a list of lines key = "value"; there is no published grammar. Keys are compared without case, a "|" and two
// hexadecimal digits stand for a byte, and .encoding names the character set of the values.
package vmx

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"hyper2kvm/internal/machine"
)

// Limits of a description.
const (
	// MaxBytes bounds a file's size; real ones have some kilobytes.
	MaxBytes = 1 << 20
	// MaxKeys bounds the number of settings.
	MaxKeys = 20_000
)

// Parse reads a description. Errors are ErrDescriptor, ErrUnsupported for encrypted machines and unknown encodings, ErrMember
// for a disk outside the machine's directory, and ErrLimit.
func Parse(b []byte) (*machine.Machine, error) {
	s, err := parseSettings(b)
	if err != nil {
		return nil, fmt.Errorf("vmx: %w", err)
	}
	m, err := s.machine()
	if err != nil {
		return nil, fmt.Errorf("vmx: %w", err)
	}
	return m, nil
}

// settings holds the values by key in lower case.
type settings map[string]string

// parseSettings reads the lines. Of a key that comes twice the last wins, as with VMware.
func parseSettings(b []byte) (settings, error) {
	if len(b) > MaxBytes {
		return nil, fmt.Errorf("%w: %d bytes, the most is %d", machine.ErrLimit, len(b), MaxBytes)
	}
	b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))
	if i := bytes.IndexByte(b, 0); i >= 0 {
		return nil, fmt.Errorf("%w: there is a zero byte at %#x; needed is text", machine.ErrDescriptor, i)
	}
	s := settings{}
	n := 0
	for line := range bytes.Lines(b) {
		n++
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		key, value, err := parseLine(string(line))
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		if len(s) >= MaxKeys {
			return nil, fmt.Errorf("line %d: %w: more than %d settings", n, machine.ErrLimit, MaxKeys)
		}
		s[strings.ToLower(key)] = value
	}
	if len(s) == 0 {
		return nil, fmt.Errorf("%w: there are no settings in it", machine.ErrDescriptor)
	}
	return s, s.decode()
}

// parseLine splits key = "value"; the quotes may be missing.
func parseLine(line string) (key, value string, err error) {
	key, value, ok := strings.Cut(line, "=")
	key, value = strings.TrimSpace(key), strings.TrimSpace(value)
	if !ok || key == "" || strings.ContainsAny(key, " \t\"") {
		return "", "", fmt.Errorf("%w: %s; needed is key = \"value\"", machine.ErrDescriptor, machine.Quote(line))
	}
	if rest, quoted := strings.CutPrefix(value, `"`); quoted {
		if value, _, ok = strings.Cut(rest, `"`); !ok {
			return "", "", fmt.Errorf("%w: the value of %s has no closing quote", machine.ErrDescriptor, machine.Quote(key))
		}
	}
	return key, unescape(value), nil
}

// unescape replaces "|" and two hexadecimal digits by the byte that they stand for.
func unescape(v string) string {
	if !strings.Contains(v, "|") {
		return v
	}
	var out []byte
	for i := 0; i < len(v); i++ {
		if v[i] == '|' && i+3 <= len(v) {
			if c, err := strconv.ParseUint(v[i+1:i+3], 16, 8); err == nil {
				out = append(out, byte(c))
				i += 2
				continue
			}
		}
		out = append(out, v[i])
	}
	return string(out)
}

// decode turns the values into UTF-8 by the encoding that the file names. Files without a byte beyond ASCII need none.
func (s settings) decode() error {
	encoding := strings.ToLower(s[".encoding"])
	for key, v := range s {
		if isASCII(v) {
			continue
		}
		switch encoding {
		case "", "utf-8", "utf8":
			if !utf8.ValidString(v) {
				return fmt.Errorf("%w: the value of %s is not UTF-8", machine.ErrDescriptor, machine.Quote(key))
			}
		case "windows-1252", "iso-8859-1", "latin1":
			runes := make([]rune, 0, len(v))
			for _, c := range []byte(v) {
				runes = append(runes, rune(c))
			}
			s[key] = string(runes)
		default:
			return fmt.Errorf("%w: the value of %s is in the encoding %s; read are UTF-8 and windows-1252", machine.ErrUnsupported,
				machine.Quote(key), machine.Quote(encoding))
		}
	}
	return nil
}

// isASCII reports whether s has no byte beyond ASCII.
func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// isTrue reads a boolean: VMware writes TRUE, and accepts more.
func (s settings) isTrue(key string) bool {
	switch strings.ToLower(s[key]) {
	case "true", "t", "yes", "y", "1", "on":
		return true
	}
	return false
}

// isFalse reports whether a key is there and not true.
func (s settings) isFalse(key string) bool { return s[key] != "" && !s.isTrue(key) }

// number reads a decimal number from 0 to most; -1 if the key has none.
func (s settings) number(key string, most int64) int64 {
	n, err := strconv.ParseInt(strings.TrimSpace(s[key]), 10, 64)
	if err != nil || n < 0 || n > most {
		return -1
	}
	return n
}
