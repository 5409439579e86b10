package guest

import (
	"bytes"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/aymanbagabas/go-udiff"
)

// maxDiff bounds one diff: a report is read by people.
const maxDiff = 64 << 10

// Diff returns what the change does to its file, as a unified diff with the names a/PATH and b/PATH, or /dev/null for a file that is new
// or goes. It is "" for a change that runs a command. What is no text is described instead.
func (c Change) Diff() string {
	if c.Run != nil {
		return ""
	}
	if !c.Before.text() || !c.After.text() {
		return fmt.Sprintf("Binary files %s and %s differ\n", c.side("a", c.Before), c.side("b", c.After))
	}
	d := udiff.Unified(c.side("a", c.Before), c.side("b", c.After), c.Before.lines(), c.After.lines())
	if d == "" && c.Before != nil && c.After != nil && c.Before.Mode != c.After.Mode {
		return fmt.Sprintf("old mode %o\nnew mode %o\n", c.Before.Mode.Perm(), c.After.Mode.Perm())
	}
	if len(d) > maxDiff {
		d = d[:strings.LastIndexByte(d[:maxDiff], '\n')+1] + "... cut: the diff is longer\n"
	}
	return d
}

func (c Change) side(prefix string, f *File) string {
	if f == nil {
		return "/dev/null"
	}
	name := prefix + c.Path
	if strings.ContainsFunc(name, func(r rune) bool { return !strconv.IsPrint(r) }) || !utf8.ValidString(name) {
		return strconv.Quote(name) // as git does: a name must not pass for lines of the diff
	}
	return name
}

// text reports whether people can read the file as lines.
func (f *File) text() bool {
	return f == nil || utf8.Valid(f.Data) && bytes.IndexByte(f.Data, 0) < 0
}

// lines is the content as a diff shows it; a link stands as a line of its own.
func (f *File) lines() string {
	switch {
	case f == nil:
		return ""
	case f.Mode&fs.ModeSymlink != 0 || f.Link != "":
		return "link to " + f.Link + "\n"
	}
	return string(f.Data)
}
