package machine

import (
	"fmt"
	"path"
	"strings"
)

// MaxNameBytes bounds a relative name; Linux takes no longer paths.
const MaxNameBytes = 4095

// MaxNamePart bounds one element of a name; no Linux file system holds a longer one.
const MaxNamePart = 255

// RelativeName checks a name found in a description or an archive and returns it in its plainest form: relative, with
// slashes, without "./". It refuses with ErrMember what could lead outside the package: an empty or absolute name, "..", a
// drive letter or backslash, control characters, and names that no file system can hold.
func RelativeName(name string) (string, error) {
	refuse := func(why string) (string, error) {
		return "", fmt.Errorf("%w: %s: %s", ErrMember, Quote(name), why)
	}
	switch {
	case name == "":
		return refuse("name is empty")
	case len(name) > MaxNameBytes:
		return refuse(fmt.Sprintf("name has %d bytes, the most is %d", len(name), MaxNameBytes))
	case strings.HasPrefix(name, "/"):
		return refuse("name is absolute, needed is one relative to the package")
	case strings.ContainsRune(name, '\\'):
		return refuse("name contains a backslash, needed are slashes")
	}
	for _, r := range name {
		if r < 0x20 || r == 0x7f {
			return refuse("name contains a control character")
		}
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == ".." {
			return refuse("name leads outside the package")
		}
		if len(part) > MaxNamePart {
			return refuse(fmt.Sprintf("an element of the name has %d bytes, the most is %d", len(part), MaxNamePart))
		}
	}
	clean := path.Clean(name)
	if clean == "." {
		return refuse("name is the package's own directory")
	}
	return clean, nil
}

// Quote returns a name from hostile input for use in messages: quoted, control characters escaped, cut at 128 characters.
func Quote(s string) string {
	const most = 128 // longer names say nothing more to a person
	if runes := []rune(s[:min(len(s), 4*most)]); len(runes) > most {
		return fmt.Sprintf("%q...", string(runes[:most]))
	}
	return fmt.Sprintf("%q", s)
}
