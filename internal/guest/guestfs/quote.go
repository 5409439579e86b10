package guestfs

import (
	"fmt"
	"strings"

	"hyper2kvm/internal/guest"
)

// Limits of guestfish's reader (fish/fish.c: rl_gets, parsed_command).
const (
	maxLine = 8000 // bytes; its buffer takes 8191, and the rest of a longer line would be taken as a command
	maxArgs = 60   // it takes 64
)

// quote writes one argument in double quotes. Every byte outside of a small set of harmless ones is written as \xHH. A NUL cannot be
// written at all.
func quote(s string) (string, error) {
	var b strings.Builder
	b.Grow(len(s) + 2)
	b.WriteByte('"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == 0:
			return "", fmt.Errorf("guestfs: an argument holds a NUL byte: %.100q", s)
		case plain(c):
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, `\x%02x`, c)
		}
	}
	b.WriteByte('"')
	return b.String(), nil
}

// plain bytes mean themselves between double quotes.
func plain(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte(" /._-+=:,@%#()[]{}<>*?$;&^!~`|", c) >= 0
}

// quoted is how many bytes quote writes for s without the quotes.
func quoted(s string) int {
	n := 0
	for i := range len(s) {
		if n++; !plain(s[i]) {
			n += 3
		}
	}
	return n
}

// list writes strings as one argument that guestfish takes apart again (parse_string_list), before quote. Each one stands in single
// quotes; a single quote stands outside of them, after a backslash. A backslash right before a single quote would hide it, and has no
// way to be written: such a string is refused.
func list(items []string) (string, error) {
	var b strings.Builder
	for i, s := range items {
		if strings.Contains(s, `\'`) || strings.HasSuffix(s, `\`) {
			return "", fmt.Errorf("guestfs: a backslash before a quote or at the end cannot be written in a list: %.100q", s)
		}
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(listItem(s))
	}
	return b.String(), nil
}

// listItem quotes one string of a list.
func listItem(s string) string {
	if s == "" {
		return "''"
	}
	var b strings.Builder
	for i, part := range strings.Split(s, "'") {
		if i > 0 {
			b.WriteString(`\'`)
		}
		if part != "" {
			b.WriteString("'" + part + "'")
		}
	}
	return b.String()
}

// command builds the line for a command and its arguments.
func command(name string, args ...string) (string, error) {
	if len(args) > maxArgs {
		return "", fmt.Errorf("%w: %d arguments of %s, at most %d can be passed", guest.ErrLimit, len(args), name, maxArgs)
	}
	var b strings.Builder
	b.WriteString(name)
	for _, a := range args {
		q, err := quote(a)
		if err != nil {
			return "", err
		}
		b.WriteString(" " + q)
	}
	if b.Len() > maxLine {
		return "", fmt.Errorf("%w: the command %s would be %d bytes long, at most %d can be passed", guest.ErrLimit, name, b.Len(), maxLine)
	}
	return b.String(), nil
}
